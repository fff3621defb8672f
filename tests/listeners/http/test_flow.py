"""
Tests for L{connectproxy.listeners.http.flow}: how much is held.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from connectproxy.listeners.http.flow import Flow
from tests.listeners.http.forwarding import GET, ForwardCase, responses


class FlowTests(ForwardCase):
    """
    Nobody is given more than it takes.
    """

    def test_interface(self) -> None:
        """
        It is a producer; what a client asks for next it does not know.
        """
        verifyObject(IPushProducer, Flow())
        self.assertRaises(NotImplementedError, Flow().next)

    def test_notAhead(self) -> None:
        """
        A client that takes nothing stops the origin, and nothing is held but one read and what
        Twisted buffers; when it takes again, all of it arrives (conformance 35).
        """
        octets = bytes(range(256)) * 4096
        client = self.connect(capacity=1000)
        self.send(client, GET)
        origin = self.upstream.dials[0].succeed(capacity=1000)
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(octets) + octets)
        (proxy,) = self.port.factory.connections
        held = proxy.transport
        self.assertLess(len(held.dataBuffer) + held._tempDataLen, 4 * 65536)
        self.assertTrue(proxy.full)
        client.transport.resumeProducing()
        self.reactor.flush()
        response = self.response(client)
        self.assertEqual((response.body, response.whole), (octets, True))
        self.assertFalse(proxy.full)
        self.assertEqual(self.end()["bytes_down"], len(octets))

    def test_bodyIsNotAhead(self) -> None:
        """
        An origin that takes nothing stops the client, and nothing is held but one read and
        what Twisted buffers; when it takes again, all of it arrives (conformance 35).
        """
        octets = bytes(range(256)) * 4096
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(octets)
        client, origin = self.exchange(head, capacity=1000)
        origin.transport.pauseProducing()
        self.send(client, octets)
        (proxy,) = self.port.factory.connections
        held = proxy.exchange._origin.transport
        self.assertLess(len(held.dataBuffer) + held._tempDataLen, 4 * 65536)
        self.assertTrue(proxy.paused)
        origin.transport.resumeProducing()
        self.reactor.flush()
        self.assertTrue(origin.received.endswith(octets))
        self.assertFalse(proxy.paused)
        self.reply(origin)
        self.assertEqual(self.response(client, "POST").body, b"hello")

    def test_bodyWhileDialling(self) -> None:
        """
        What comes of a body while the origin is dialled for is held, one read of it, and
        then goes first (conformance 35).
        """
        octets = bytes(range(256)) * 256
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(octets)
        client = self.connect(capacity=1000)
        self.send(client, head)
        self.send(client, octets)
        (proxy,) = self.port.factory.connections
        self.assertLessEqual(len(proxy.early), 2000)
        origin = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertTrue(origin.received.endswith(octets))

    def test_pipelinedIsBounded(self) -> None:
        """
        No more than one read of them is held, and all of them are answered.
        """
        client = self.connect(capacity=500)
        self.send(client, GET * 100)
        (proxy,) = self.port.factory.connections
        self.assertTrue(proxy.paused)
        self.assertLessEqual(len(proxy.early), 1000)
        origin = self.upstream.dials[0].succeed()
        for _ in range(100):
            self.reply(origin)
        self.assertEqual(len(responses(client.received, *["GET"] * 100)), 100)

    def test_nobodyReads(self) -> None:
        """
        With a client that takes no responses, no further requests are read.
        """
        client, origin = self.exchange(GET)
        client.transport.pauseProducing()
        big = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + bytes(60000)
        self.reply(origin, big)
        for _ in range(10):
            self.send(client, GET)
        replied = 1
        while origin.received.count(b"GET /") > replied:
            self.reply(origin, big)
            replied += 1
        self.assertLess(replied, 6)
        client.transport.resumeProducing()
        self.reactor.flush()
        while origin.received.count(b"GET /") > replied:
            self.reply(origin, big)
            replied += 1
        self.assertEqual(len(responses(client.received, *["GET"] * 11)), 11)

    def test_fullAtRest(self) -> None:
        """
        What comes while the last response has not been taken waits until it is.
        """
        client, origin = self.exchange(GET, capacity=1000)
        client.transport.socket.capacity = 1000
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(200000))
        (proxy,) = self.port.factory.connections
        held = proxy.transport
        while len(held.dataBuffer) + held._tempDataLen < 65536:
            held.write(bytes(1000))
        self.assertTrue(proxy.full)
        proxy.exchange = None
        proxy.next()
        self.send(client, GET)
        self.assertTrue(proxy.paused)
        self.assertEqual(proxy.early, GET)
        proxy.pauseProducing()
        proxy.early = b""
        proxy.resumeProducing()
        self.assertFalse(proxy.full)
