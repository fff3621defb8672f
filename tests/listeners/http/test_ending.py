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
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get, responses

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


class EndedTests(ForwardCase):
    """
    The client has ended its stream and is still taking its last response.
    """

    def slow(self, request: bytes = GET) -> Peer:
        """
        A client that has asked, has said no more, and takes nothing yet of its response.
        """
        client: Peer = self.connect(capacity=1000)
        self.send(client, request)
        origin = self.upstream.dials[-1].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100000))
        self.origin = origin
        return client

    def take(self, client: Peer) -> None:
        """
        Let a client take what there is.
        """
        client.transport.resumeProducing()
        self.reactor.flush()

    def test_closed(self) -> None:
        """
        The end comes right behind the response, and not when the time is over for which a
        connection is kept.
        """
        client = self.slow()
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertFalse(client.ended)
        self.take(client)
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended)
        self.checkQuiet()

    def test_inTheMiddle(self) -> None:
        """
        So it does behind a part of another request, which is recorded, once.
        """
        client = self.slow()
        self.send(client, GET[:-1])
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.wait(SETTINGS["timeouts.head"])
        self.take(client)
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended)
        self.assertEqual([event["event"] for event in self.board.ledger.events], ["request", "abandoned"])
        self.checkQuiet()

    def test_partBehindIt(self) -> None:
        """
        It is the same with a part that has come with the request before it, and with one that
        is read only when the client takes again.
        """
        for size in (100, 100000):
            client = self.connect()
            self.send(client, GET + GET[:-1])
            client.transport.pauseProducing()
            client.transport.loseWriteConnection()
            origin = self.upstream.dials[-1].succeed()
            self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            self.take(client)
            self.assertTrue(self.response(client).whole)
            self.assertTrue(client.ended)
            events = self.board.ledger.events
            self.assertEqual([event["event"] for event in events], ["request", "abandoned"])
            events.clear()
            self.checkQuiet()

    def test_pipelined(self) -> None:
        """
        A request that has come before the end and is not read yet is still answered.
        """
        client = self.slow(GET + GET)
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.take(client)
        self.reply(self.origin)
        first, second = responses(client.received, "GET", "GET")
        self.assertEqual((first.whole, second.body), (True, b"hello"))
        self.assertTrue(client.ended)
        self.checkQuiet()

    def test_neverTaken(self) -> None:
        """
        One that takes nothing has as long as any other whose connection is being closed.
        """
        client = self.slow()
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.wait(SETTINGS["timeouts.idle"] - 1)
        self.assertIsNone(client.lost)
        self.wait(1)
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
