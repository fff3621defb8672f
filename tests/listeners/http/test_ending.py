"""
Tests for L{connectproxy.listeners.http.ending}: closing behind a response.  How a refused
client's connection ends is in C{test_connection_end}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from connectproxy.listeners.http.ending import SECURE
from tests.fakes import SETTINGS, Peer
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get

CLOSE = get(b"Connection: close")


class FinishTests(ForwardCase):
    """
    The last response has been written.
    """

    def test_nothingUnread(self) -> None:
        """
        With nothing left to read the connection is simply closed.
        """
        client, origin = self.exchange(CLOSE)
        self.reply(origin)
        self.assertTrue(client.ended)
        self.checkQuiet()

    def test_unread(self) -> None:
        """
        What is behind the request is read and thrown away, so that no reset takes the response
        with it.
        """
        client, origin = self.exchange(CLOSE + CLOSE)
        self.reply(origin)
        self.send(client, CLOSE)
        self.assertTrue(client.ended)
        self.assertIsNone(client.lost)
        self.wait(SETTINGS["timeouts.linger"])
        self.checkQuiet()

    def test_slow(self) -> None:
        """
        A client that has not got all of it is not hurried, however much is unread behind the
        request; once it has, the time of lingering begins.
        """
        client = self.connect(capacity=1000)
        self.send(client, CLOSE + CLOSE)
        origin = self.upstream.dials[0].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
        self.wait(60)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertTrue(self.response(client).whole)
        self.assertIsNone(client.lost)
        self.wait(SETTINGS["timeouts.linger"])
        self.checkQuiet()

    def test_neverTaken(self) -> None:
        """
        One that takes nothing at all is reset when the time for silence is over.
        """
        client = self.connect(capacity=1000)
        self.send(client, CLOSE)
        origin = self.upstream.dials[0].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
        self.wait(SETTINGS["timeouts.idle"])
        self.checkQuiet()

    def test_secure(self) -> None:
        """
        TLS does not say what it still has: it gets the time as well, and closes by itself
        (conformance 15).
        """
        client: Peer = self.connect()
        (proxy,) = self.port.factory.connections
        transport: Any = proxy.transport
        alsoProvides(transport, ISSLTransport)
        asked: list[str] = []
        transport.loseConnection = lambda: asked.append("close")
        self.send(client, CLOSE)
        self.reply(self.upstream.dials[0].succeed(), OK)
        self.assertEqual(asked, ["close"])
        self.wait(SETTINGS["timeouts.linger"])
        self.assertIsNone(client.lost)
        self.wait(SECURE)
        self.assertIsNotNone(client.lost)
        self.checkQuiet()

    def test_keptAndSlow(self) -> None:
        """
        Nor is a client hurried whose connection is closed because it asks for nothing more,
        while it is still taking what it has asked for.
        """
        client = self.connect(capacity=1000)
        self.send(client, GET)
        origin = self.upstream.dials[0].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
        self.wait(SETTINGS["timeouts.keep_alive"])
        self.wait(SETTINGS["timeouts.linger"])
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended)
        self.checkQuiet()


class StoppedTests(ForwardCase):
    """
    The proxy is being stopped while a client takes its last response.
    """

    def slow(self, request: bytes) -> Peer:
        """
        A client that takes nothing of its response.
        """
        client: Peer = self.connect(capacity=1000)
        self.send(client, request)
        self.origin = self.upstream.dials[-1].succeed()
        self.reactor.flush()
        client.transport.pauseProducing()
        return client

    def respond(self) -> None:
        """
        Have the response come.
        """
        self.reply(self.origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))

    def stop(self) -> None:
        """
        Stop.
        """
        self.board.drain()
        self.port.stopListening()
        self.reactor.flush()

    def test_before(self) -> None:
        """
        Who was closing already, or kept, has the time that everything has.
        """
        for request in (CLOSE, GET):
            self.listen()
            client = self.slow(request)
            self.respond()
            self.stop()
            self.wait(SETTINGS["timeouts.drain"] - 2)
            self.assertEqual(self.board.admission.connections, 1)
            self.wait(2)
            self.checkQuiet()
            client.transport.resumeProducing()
            self.reactor.flush()

    def test_after(self) -> None:
        """
        So has who gets its response only then.
        """
        self.slow(CLOSE)
        self.stop()
        self.respond()
        self.wait(SETTINGS["timeouts.drain"] - 2)
        self.assertEqual(self.board.admission.connections, 1)
        self.wait(2)
        self.checkQuiet()

    def test_sooner(self) -> None:
        """
        To be hurried gives nobody more time.
        """
        _, origin = self.exchange(CLOSE + CLOSE)
        self.reply(origin)
        self.stop()
        self.wait(SETTINGS["timeouts.linger"])
        self.checkQuiet()
