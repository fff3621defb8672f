"""
How a connection of L{connectproxy.tls.transport} ends, by itself and as the client's side of a
tunnel, over the fake pipe: the client is the standard library's.
"""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol

from connectproxy.leg import Leg, Truncated
from connectproxy.relay import WiredRelay
from connectproxy.tls import TLSTransport
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import Producer, Speaker, TLSCase, Within


class EndTests(TLSCase):
    """
    How a connection ends.
    """

    def test_ours(self) -> None:
        """
        Closing sends what was written, a close_notify and a FIN; what the client still says
        is thrown away, and when it closes the protocol within is told (conformance 15).
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within)
        within.transport.write(b"bye")
        within.transport.loseConnection()
        within.transport.loseConnection()
        within.transport.write(b"not this")
        reactor.flush()
        self.assertEqual(speaker.received, b"bye")
        self.assertTrue(speaker.notified)
        self.assertIsNotNone(speaker.lost)  # of the FIN
        self.assertFalse(pipe.second.connected)
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))
        self.assertFalse(within.lost.check(Truncated))

    def test_silentClient(self) -> None:
        """
        A client that does not close is left to whoever keeps a deadline: an abort then
        closes at once (conformance 15).
        """
        within = Within()
        reactor = FakeReactor()
        speaker = Speaker()
        pipe = pipePair(reactor, speaker, TLSTransport(self.server(), within))
        reactor.flush()
        pipe.first.pauseProducing()
        within.transport.loseWriteConnection()
        reactor.flush()
        self.assertTrue(pipe.second.connected)
        self.assertIsNone(within.lost)
        speaker.transport.write(b"\x17\x03\x03 nonsense, thrown away")
        reactor.flush()
        self.assertEqual(within.received, b"")
        within.transport.abortConnection()
        reactor.flush()
        self.assertFalse(pipe.second.connected)
        self.assertEqual(within.happened, ["made", "complete", "lost"])

    def test_theirs(self) -> None:
        """
        A close_notify of the client's is an end in order: what was written to it is sent,
        with our own close_notify, and the protocol within is told (conformance 15).
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within)
        within.transport.write(b"still")
        speaker.say(b"last words")
        speaker.notify()
        reactor.flush()
        self.assertEqual(within.received, b"last words")
        self.assertEqual(speaker.received, b"still")
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))
        self.assertFalse(within.lost.check(Truncated))
        self.assertFalse(pipe.second.connected)

    def test_theirsWhileAProducerIsPaused(self) -> None:
        """
        A producer that has been paused does not keep the connection open.
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within, capacity=2000)
        producer = Producer()
        within.transport.registerProducer(producer, True)
        pipe.first.pauseProducing()
        within.transport.write(bytes(200_000))
        self.assertEqual(set(producer.told), {"pause"})
        speaker.notify()
        reactor.flush()
        pipe.first.resumeProducing()
        reactor.flush()
        self.assertEqual(len(speaker.received), 200_000)
        self.assertEqual(within.happened[-1], "lost")

    def test_noCloseNotify(self) -> None:
        """
        If OpenSSL will not say a close_notify, the connection closes without.
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within)
        with mock.patch.object(within.transport.getHandle(), "shutdown", side_effect=SSL.Error([])):
            within.transport.loseConnection()
        reactor.flush()
        self.assertFalse(speaker.notified)
        self.assertFalse(pipe.second.connected)

    def test_truncated(self) -> None:
        """
        A FIN without a close_notify is the end, but not one to be sure of (conformance 15).
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        speaker.say(b"all?")
        speaker.transport.loseConnection()
        reactor.flush()
        self.assertEqual(within.received, b"all?")
        assert within.lost is not None
        self.assertTrue(within.lost.check(Truncated))
        self.assertTrue(within.lost.check(ConnectionDone))

    def test_closedInTheHandshake(self) -> None:
        """
        A FIN before the handshake is complete is a loss.
        """
        within, peer, reactor = Within(), Peer(), FakeReactor()
        pipePair(reactor, peer, TLSTransport(self.server(), within))
        peer.transport.write(b"\x16\x03\x01")
        peer.transport.loseConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionLost))

    def test_reset(self) -> None:
        """
        A reset is told as one.
        """
        within = Within()
        reactor, pipe, _ = self.connected(within)
        pipe.first.abortConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionLost))
        self.assertFalse(within.lost.check(ConnectionDone))

    def test_abort(self) -> None:
        """
        An abort is a reset, without a word of TLS; nothing is delivered any more, and a
        second one does nothing.
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within)
        speaker.say(b"unheard")
        within.transport.abortConnection()
        within.transport.abortConnection()
        within.transport.write(b"x")
        reactor.flush()
        self.assertEqual(within.received, b"")
        self.assertFalse(speaker.notified)
        self.assertEqual(
            pipe.first.socket.broken if pipe.first.connected else errno.ECONNRESET, errno.ECONNRESET
        )
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionAborted))
        within.transport.abortConnection()
        within.transport.loseConnection()

    def test_abortWhileDelivering(self) -> None:
        """
        A protocol that aborts at what it hears hears nothing more, be it an end.
        """

        class Hasty(Within):
            def dataReceived(self, data: bytes) -> None:
                Within.dataReceived(self, data)
                self.transport.abortConnection()

        for ending in (
            Speaker.notify,
            lambda speaker: speaker.transport.write(b"\x17\x03\x03\x00\x20" + bytes(32)),
        ):
            within = Hasty()
            reactor, _, speaker = self.connected(within)
            speaker.tls.write(b"one")
            held: list[bytes] = [speaker.outward.read()]
            real, speaker.transport = speaker.transport, mock.Mock(write=held.append)
            ending(speaker)
            real.write(b"".join(held))
            reactor.flush()
            self.assertEqual(within.pieces, [b"one"])
            assert within.lost is not None
            self.assertTrue(within.lost.check(ConnectionAborted))

    def test_closeBeforeTheHandshake(self) -> None:
        """
        Before the handshake is complete a close is an abort, unless something is to be
        written: that is, and then the connection closes.
        """
        for words, lost in ((b"", ConnectionAborted), (b"words", ConnectionDone)):

            class Early(Within):
                said = words

                def connectionMade(self) -> None:
                    self.transport.write(self.said)
                    self.transport.stopProducing()

            within = Early()
            reactor, _, speaker = self.connected(within)
            if speaker.transport.connected:
                speaker.transport.loseConnection()
            reactor.flush()
            self.assertEqual(bytes(speaker.received), words)
            assert within.lost is not None
            self.assertTrue(within.lost.check(lost), within.lost)


class RelayTests(TLSCase):
    """
    As the client's side of a tunnel.
    """

    def tunnel(self, held: bytes = b"") -> tuple[FakeReactor, Any, Peer, Any]:
        """
        A relay between a client with TLS and an origin without.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        origin = Peer()
        pipe = pipePair(reactor, Protocol(), origin)
        relay = WiredRelay(reactor, Wheel(reactor))
        tunnel = relay.join(Leg.of(within.transport, held, ended=False), Leg.of(pipe.first, b"", ended=False))
        return reactor, speaker, origin, tunnel

    def test_bothWays(self) -> None:
        """
        What both say arrives, what the client said before first, and an end in order ends
        the tunnel in order.
        """
        reactor, speaker, origin, tunnel = self.tunnel(b"early ")
        speaker.say(b"up" * 100_000)
        origin.transport.write(b"down" * 100_000)
        reactor.flush()
        self.assertEqual(origin.received, b"early " + b"up" * 100_000)
        self.assertEqual(speaker.received, b"down" * 100_000)
        speaker.notify()
        reactor.flush()
        origin.transport.loseConnection()
        reactor.flush()
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual((outcome.endedBy, outcome.kind), ("client", "eof"))
        self.assertEqual((outcome.bytesUp, outcome.bytesDown), (200_006, 400_000))

    def test_withoutCloseNotify(self) -> None:
        """
        A client that just closes has most likely sent all it wanted to: the origin gets it,
        and a FIN, and not a reset that could overtake it; the outcome says that it may not be
        all (conformance 15).
        """
        reactor, speaker, origin, tunnel = self.tunnel()
        speaker.say(b"the whole of it")
        speaker.transport.loseConnection()
        reactor.flush()
        self.assertEqual(origin.received, b"the whole of it")
        self.assertTrue(origin.ended)
        origin.transport.loseConnection()
        reactor.flush()
        self.assertEqual(self.successResultOf(tunnel.finished).kind, "truncated")

    def test_originEnds(self) -> None:
        """
        The end of the origin's stream comes to the client as a close_notify after all that
        was before it (conformance 15).
        """
        reactor, speaker, origin, tunnel = self.tunnel()
        origin.transport.write(b"answer")
        origin.transport.loseConnection()
        reactor.flush()
        self.assertEqual(speaker.received, b"answer")
        self.assertTrue(speaker.notified)
        speaker.transport.loseConnection()
        reactor.flush()
        self.assertEqual(self.successResultOf(tunnel.finished).endedBy, "origin")
