"""
How a connection of L{connectproxy.tls.client} ends, by itself and as the far side of a tunnel,
over the fake pipe: the server is the standard library's.
"""

from __future__ import annotations

import errno
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol

from connectproxy.leg import Leg, Truncated
from connectproxy.relay import WiredRelay
from connectproxy.tls import handshakeRefusal
from connectproxy.tls.client import HandshakeLost
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import Producer, Within
from tests.tls.clientcase import Answerer, ClientCase


class EndTests(ClientCase):
    """
    How a connection ends.
    """

    def test_ours(self) -> None:
        """
        Closing sends what was written, a close_notify and a FIN; what the server still says is
        thrown away, and when it closes the protocol within is told (conformance 15).
        """
        within = Within()
        reactor, pipe, answerer = self.reached(within)
        within.transport.write(b"bye")
        within.transport.loseConnection()
        within.transport.loseConnection()
        within.transport.write(b"not this")
        reactor.flush()
        self.assertEqual(answerer.received, b"bye")
        self.assertTrue(answerer.notified)
        self.assertIsNotNone(answerer.lost)  # of the FIN
        self.assertFalse(pipe.first.connected)
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))
        self.assertFalse(within.lost.check(Truncated))

    def test_theirs(self) -> None:
        """
        A close_notify of the server's is an end in order, after what came before it; what was
        written to it is sent (conformance 15).
        """
        within = Within()
        reactor, pipe, answerer = self.reached(within)
        within.transport.write(b"still")
        answerer.say(b"last words")
        answerer.notify()
        reactor.flush()
        self.assertEqual((bytes(within.received), bytes(answerer.received)), (b"last words", b"still"))
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))
        self.assertFalse(within.lost.check(Truncated))
        self.assertFalse(pipe.first.connected)

    def test_truncated(self) -> None:
        """
        A FIN without a close_notify is the end, but not one to be sure of; it is no failure of
        TLS (conformance 15).
        """
        within = Within()
        reactor, _, answerer = self.reached(within)
        answerer.say(b"all?")
        answerer.transport.loseConnection()
        reactor.flush()
        self.assertEqual(within.received, b"all?")
        assert within.lost is not None
        self.assertTrue(within.lost.check(Truncated))
        self.assertIsNone(handshakeRefusal(within.lost, "the server"))

    def test_reset(self) -> None:
        """
        A reset is told as one, and is no failure of TLS once the handshake is complete.
        """
        within = Within()
        reactor, pipe, _ = self.reached(within)
        pipe.second.abortConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionLost))
        self.assertFalse(within.lost.check(ConnectionDone, HandshakeLost))
        self.assertIsNone(handshakeRefusal(within.lost, "the server"))

    def test_abort(self) -> None:
        """
        An abort is a reset without a word of TLS; nothing is delivered any more.
        """
        within = Within()
        reactor, pipe, answerer = self.reached(within)
        answerer.say(b"unheard")
        within.transport.abortConnection()
        within.transport.write(b"x")
        reactor.flush()
        self.assertEqual(within.received, b"")
        self.assertFalse(answerer.notified)
        self.assertEqual(
            pipe.second.socket.broken if pipe.second.connected else errno.ECONNRESET, errno.ECONNRESET
        )
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionAborted))

    def test_abortInTheHandshake(self) -> None:
        """
        Whoever gives up in the middle of a handshake, or closes without having written
        anything, is told that, and not that the server has failed.
        """
        for way in ("abortConnection", "loseConnection"):
            within, peer, reactor = Within(), Peer(), FakeReactor()
            pipe = pipePair(reactor, self.tls().secure(within), peer)
            reactor.flush()
            getattr(within.transport, way)()
            reactor.flush()
            self.assertFalse(pipe.first.connected)
            assert within.lost is not None
            self.assertTrue(within.lost.check(ConnectionAborted), way)
            self.assertIsNone(handshakeRefusal(within.lost, "the server"))

    def test_closeBefore(self) -> None:
        """
        A protocol that closes as soon as it is connected: without a word nothing is sent at
        all; otherwise its words, and then the end.
        """
        for words in (b"", b"words"):

            class Early(Within):
                said = words

                def connectionMade(self) -> None:
                    self.transport.write(self.said)
                    self.transport.loseConnection()

            within = Early()
            reactor, pipe, answerer = self.reached(within)
            if answerer.transport.connected:
                answerer.transport.loseConnection()
            reactor.flush()
            self.assertEqual(bytes(answerer.received), words)
            self.assertEqual(answerer.established, bool(words))
            self.assertFalse(pipe.first.connected)
            self.assertEqual(within.happened[-1:], ["lost"])

    def test_leavesInTheListener(self) -> None:
        """
        The protocol within may close as soon as it knows with whom it has to do.
        """

        class Leaves(Within):
            way = "loseConnection"

            def handshakeCompleted(self) -> None:
                getattr(self.transport, self.way)()

        for way in ("loseConnection", "abortConnection"):
            within = Leaves()
            within.way = way
            reactor, pipe, answerer = self.reached(within)
            answerer.transport.loseConnection()
            reactor.flush()
            self.assertEqual(within.happened, ["made", "lost"], way)
            self.assertFalse(pipe.first.connected)

    def test_silentServer(self) -> None:
        """
        A server that does not close is left to whoever keeps a deadline.
        """
        within = Within()
        reactor, pipe, _ = self.reached(within)
        pipe.second.pauseProducing()
        within.transport.loseWriteConnection()
        reactor.flush()
        self.assertTrue(pipe.first.connected)
        within.transport.abortConnection()
        reactor.flush()
        self.assertEqual(within.happened, ["made", "complete", "lost"])

    def test_damaged(self) -> None:
        """
        A record that was tampered with ends the connection, after what came before it, with an
        alert; and it is TLS that has failed.
        """
        within = Within()
        reactor, pipe, answerer = self.reached(within)
        answerer.tls.write(b"good")
        answerer.transport.write(answerer.outward.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        reactor.flush()
        self.assertEqual(within.received, b"good")
        self.assertIn("alert", str(answerer.error).lower())
        self.assertFalse(pipe.first.connected)
        assert within.lost is not None
        self.assertTrue(within.lost.check(SSL.Error))
        found = handshakeRefusal(within.lost, "the server")
        assert found is not None
        self.assertEqual(found.kind, "tls_protocol_error")

    def test_silentDistrusted(self) -> None:
        """
        Who is not trusted can't keep the connection open by not reading: nothing but an alert
        is to be sent, which the system takes.
        """
        within, answerer = Within(), Answerer()
        reactor = FakeReactor()
        pipe = pipePair(reactor, self.tls("other.example").secure(within), answerer)
        pipe.second.pauseProducing()
        reactor.flush()
        answerer.dataReceived(bytes(pipe.second.socket.recv(1 << 16)))
        reactor.flush()
        self.assertEqual(within.happened, ["made", "lost"])
        self.assertFalse(answerer.established)


class FlowTests(ClientCase):
    """
    Much, and flow control.
    """

    def test_much(self) -> None:
        """
        Megabytes arrive as they were sent, both ways, also where the kernel is slow.
        """
        octets = bytes(range(251)) * 12_000
        for capacity in (1000, 1 << 16, 1 << 22):
            within = Within()
            reactor, _, answerer = self.reached(within, capacity=capacity)
            within.transport.write(octets)
            answerer.say(octets)
            reactor.flush()
            self.assertEqual(answerer.received, octets)
            self.assertEqual(within.received, octets)

    def test_pressure(self) -> None:
        """
        A server that does not read stops a producer; one that reads again lets it go on.
        """
        within, producer = Within(), Producer()
        reactor, pipe, answerer = self.reached(within, capacity=2000)
        within.transport.registerProducer(producer, True)
        pipe.second.pauseProducing()
        within.transport.write(bytes(200_000))
        self.assertEqual(set(producer.told), {"pause"})
        pipe.second.resumeProducing()
        reactor.flush()
        self.assertEqual(producer.told[-1], "resume")
        self.assertEqual(len(answerer.received), 200_000)

    def test_paused(self) -> None:
        """
        Paused, it delivers nothing; resumed, the rest.
        """
        within = Within()
        reactor, _, answerer = self.reached(within)
        within.transport.pauseProducing()
        answerer.say(b"hello")
        reactor.flush()
        self.assertEqual(within.received, b"")
        within.transport.resumeProducing()
        reactor.flush()
        self.assertEqual(within.received, b"hello")


class RelayTests(ClientCase):
    """
    As the far side of a tunnel.
    """

    def tunnel(self) -> tuple[FakeReactor, Any, Peer, Any]:
        """
        A relay between a client without TLS and a server with.
        """
        within = Within()
        reactor, _, answerer = self.reached(within)
        asker = Peer()
        pipe = pipePair(reactor, Protocol(), asker)
        relay = WiredRelay(reactor, Wheel(reactor))
        tunnel = relay.join(Leg.of(pipe.first, b"", ended=False), Leg.of(within.transport, b"", ended=False))
        return reactor, answerer, asker, tunnel

    def test_bothWays(self) -> None:
        """
        What both say arrives, and the client's end comes as a close_notify (conformance 15).
        """
        reactor, answerer, asker, tunnel = self.tunnel()
        asker.transport.write(b"up" * 100_000)
        answerer.say(b"down" * 100_000)
        reactor.flush()
        self.assertEqual(answerer.received, b"up" * 100_000)
        self.assertEqual(asker.received, b"down" * 100_000)
        asker.transport.loseConnection()
        reactor.flush()
        self.assertTrue(answerer.notified)
        answerer.transport.loseConnection()
        reactor.flush()
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual((outcome.endedBy, outcome.bytesUp, outcome.bytesDown), ("client", 200_000, 400_000))

    def test_withoutCloseNotify(self) -> None:
        """
        The outcome of a server that just closes says that what it sent may not be all
        (conformance 15).
        """
        reactor, answerer, asker, tunnel = self.tunnel()
        answerer.say(b"the whole of it")
        answerer.transport.loseConnection()
        reactor.flush()
        self.assertEqual(asker.received, b"the whole of it")
        asker.transport.loseConnection()
        reactor.flush()
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual((outcome.kind, outcome.endedBy), ("truncated", "origin"))
