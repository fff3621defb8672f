"""
Tests for L{connectproxy.listeners.http}: how a connection ends that has got no tunnel.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from connectproxy.errors import Refusal
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, Peer
from tests.listeners.http.test_connection import HEAD, ListenerCase, parse
from tests.listeners.http.test_connection_answer import BAD, LINGER_TIMEOUT

HEAD_TIMEOUT = SETTINGS["timeouts.head"]


class DeadlineTests(ListenerCase):
    """
    The time that a head may take.
    """

    def late(self, octets: bytes) -> Peer:
        """
        A client that has said no more than this when the time is over.
        """
        client = self.connect()
        self.reactor.advance(HEAD_TIMEOUT - 1.0)
        self.send(client, octets)
        self.assertEqual((client.ended, self.board.closed), (False, 0))
        self.reactor.advance(1.0 + GRAIN)
        self.reactor.flush()
        return client

    def test_unfinished(self) -> None:
        """
        Who has begun is told that it took too long; a late octet does not prolong it.
        """
        client = self.late(HEAD[:-1])
        answer = parse(client.received)
        self.assertEqual(answer.status, 408)
        self.assertIn("there was no whole head after 30 s", answer.body)
        (rejection,) = self.board.rejections
        self.assertEqual(rejection[0].kind, "http_request_timeout")
        self.assertEqual(rejection[-2:], ("CONNECT", "host.example:443"))
        self.assertTrue(client.ended)

    def test_silent(self) -> None:
        """
        Who has said nothing is told nothing, and it is no event: clients open connections
        ahead of time.
        """
        client = self.late(b"")
        self.assertEqual(bytes(client.received), b"")
        self.assertEqual((self.board.closed, self.board.rejections), (1, []))
        self.assertEqual(len(self.board.wheel), 0)
        self.assertEqual(self.port.factory.connections, set())


class GoneTests(ListenerCase):
    """
    Clients that go away.
    """

    def test_inTheMiddle(self) -> None:
        """
        One that goes in the middle of its head, by an end or by a reset, was not refused:
        that is what is recorded, once.
        """
        for way in ("loseConnection", "abortConnection", "loseWriteConnection"):
            client = self.ask(HEAD[:-1])
            getattr(client.transport, way)()
            self.reactor.flush()
            self.assertEqual(bytes(client.received), b"")
            (rejection,) = self.board.rejections
            self.assertIsNone(rejection[0])
            self.assertEqual(rejection[-2:], ("CONNECT", "host.example:443"))
            self.board.rejections.clear()
        self.assertEqual(self.board.closed, 3)
        self.assertEqual(self.port.factory.connections, set())
        self.assertEqual(len(self.board.wheel), 0)

    def test_silently(self) -> None:
        """
        One that has said nothing leaves no trace.
        """
        self.connect().transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((self.board.closed, self.board.rejections), (1, []))

    def test_waiting(self) -> None:
        """
        One that resets while it waits is told to whoever has its request, once.
        """
        client = self.ask(HEAD)
        (inbound,) = self.board.placed
        told: list[int] = []
        inbound.whenLost(lambda: told.append(1))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((told, self.board.closed), ([1], 1))
        self.assertEqual(self.board.rejections, [])

    def test_lostUnasked(self) -> None:
        """
        Nor does it matter if nobody wants to be told.
        """
        client = self.ask(HEAD)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)

    def test_nothingAfterwards(self) -> None:
        """
        What is closed hears nothing any more: not octets, and not a deadline.
        """
        client = self.connect()
        protocol = next(iter(self.port.factory.connections))
        client.transport.abortConnection()
        self.reactor.flush()
        protocol.dataReceived(HEAD)
        protocol.expired(0.0)
        protocol.overdue(0.0)
        protocol.writeConnectionLost()
        self.assertEqual((self.board.placed, self.board.closed), ([], 1))

    def test_afterItsAnswer(self) -> None:
        """
        Who has its answer is not told of again.
        """
        client = self.ask(HEAD)
        (inbound,) = self.board.placed
        told: list[int] = []
        inbound.whenLost(lambda: told.append(1))
        inbound.refuse(Refusal("dns_error"))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((told, self.board.closed), ([], 1))


class StopTests(ListenerCase):
    """
    The port is closed.
    """

    def stop(self) -> None:
        """
        Close it.
        """
        self.port.stopListening()
        self.reactor.flush()

    def test_silent(self) -> None:
        """
        Who has said nothing yet is closed upon, without a word.
        """
        client = self.connect()
        self.stop()
        self.assertEqual(bytes(client.received), b"")
        self.assertEqual((self.board.closed, self.board.rejections), (1, []))
        self.assertEqual(len(self.board.wheel), 0)

    def test_unfinished(self) -> None:
        """
        Who is in the middle of a head is told that the proxy is being stopped.
        """
        client = self.ask(HEAD[:-1])
        self.stop()
        answer = parse(client.received)
        self.assertEqual(answer.status, 503)
        self.assertEqual(self.board.rejections[0][0].kind, "proxy_draining")
        self.assertTrue(client.ended)

    def test_others(self) -> None:
        """
        Who waits or lingers is left alone: the switchboard and the deadline see to them.
        """
        waiting, lingering = self.ask(HEAD), self.ask(BAD)
        self.stop()
        self.assertEqual(self.board.closed, 0)
        self.assertFalse(waiting.ended)
        self.assertIsNone(lingering.lost)


class TLSTests(ListenerCase):
    """
    A transport with TLS on it, as the listener sees it. It has no half-close, and its
    closing waits for the client (conformance 15).
    """

    def connect(self, **others: Any) -> Peer:
        """
        Be a client by TLS, one that never answers a closing.
        """
        client = super().connect(**others)
        protocol = next(iter(self.port.factory.connections))
        self.transport = protocol.transport
        alsoProvides(self.transport, ISSLTransport)
        self.asked: list[str] = []
        for name in ("loseConnection", "loseWriteConnection"):
            setattr(self.transport, name, lambda name=name: self.asked.append(name))
        return client

    def wait(self, seconds: float) -> None:
        """
        Let the time pass.
        """
        self.reactor.advance(seconds + GRAIN)
        self.reactor.flush()

    def test_refused(self) -> None:
        """
        A refusal is followed by the closing, not by a half-close that would break the
        layer beneath; it has the time of lingering, and then comes a reset.
        """
        client = self.ask(BAD)
        self.assertEqual(parse(client.received).status, 501)
        self.assertEqual(self.asked, ["loseConnection"])
        self.assertEqual(self.board.closed, 0)
        self.wait(LINGER_TIMEOUT)
        self.assertEqual(self.board.closed, 1)
        self.assertIsNotNone(client.lost)

    def test_silent(self) -> None:
        """
        A client that says nothing, not even to the closing, does not stay for ever.
        """
        self.connect()
        self.wait(HEAD_TIMEOUT)
        self.assertEqual((self.asked, self.board.closed), (["loseConnection"], 0))
        self.wait(LINGER_TIMEOUT)
        self.assertEqual(self.board.closed, 1)
        self.assertEqual(len(self.board.wheel), 0)

    def test_stopped(self) -> None:
        """
        Nor does it keep the proxy from stopping until the time for a head is over.
        """
        self.connect()
        self.port.stopListening()
        self.reactor.flush()
        self.assertEqual(self.asked, ["loseConnection"])
        self.wait(LINGER_TIMEOUT)
        self.assertEqual(self.board.closed, 1)
