"""
Tests for L{connectproxy.tls.transport}, over the fake pipe: the client is the standard
library's.
"""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import INegotiated, IPushProducer, ISSLTransport, ISystemHandle
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from connectproxy.leg import Leg, adopt
from connectproxy.relay import WiredRelay
from connectproxy.sockets import unsent
from connectproxy.tls import ServerTLS, TLSOptions, TLSTransport, Truncated, secure
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import VERSIONS, Speaker, TLSCase, Within, authority, clientContext, issued, oldContext


class Producer:
    """
    Keeps what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Chatty(Within):
    """
    Writes as soon as it can, and once more when the handshake is complete.
    """

    def connectionMade(self) -> None:
        Within.connectionMade(self)
        self.transport.write(b"one ")
        self.transport.writeSequence([b"t", b"wo "])

    def handshakeCompleted(self) -> None:
        Within.handshakeCompleted(self)
        self.transport.write(b"three")


class HandshakeTests(TLSCase):
    """
    How a connection begins.
    """

    def test_provides(self) -> None:
        """
        It is a transport with TLS, and one that consumers can stop.
        """
        within = Within()
        self.connected(within)
        for interface in (INegotiated, ISSLTransport, IPushProducer, ISystemHandle):
            verifyObject(interface, within.transport)

    def test_order(self) -> None:
        """
        The protocol within is connected first, then told that the handshake is complete,
        then what the client says.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        self.assertEqual(within.happened, ["made", "complete"])
        speaker.say(b"hello")
        reactor.flush()
        self.assertEqual(within.received, b"hello")
        within.transport.write(b"good day")
        reactor.flush()
        self.assertEqual(speaker.received, b"good day")

    def test_first(self) -> None:
        """
        With the octets that were read before, however many, the handshake goes on as if
        they had come now.
        """
        for length in (1, 5, 100, 10_000):
            reactor, speaker, taker = FakeReactor(), Speaker(), Peer()
            pipe = pipePair(reactor, speaker, taker)
            pipe.second.pauseProducing()
            reactor.flush()
            first = bytes(pipe.second.socket.recv(length))
            within = Within()
            secured = secure(pipe.second, self.server(), within, first)
            self.assertIs(pipe.second.protocol, secured)
            pipe.second.resumeProducing()
            reactor.flush()
            self.assertEqual(within.happened, ["made", "complete"], length)
            self.assertTrue(speaker.established)

    def test_nothingFirst(self) -> None:
        """
        There need not be any.
        """
        reactor, speaker, within = FakeReactor(), Speaker(), Within()
        pipe = pipePair(reactor, speaker, Peer())
        secure(pipe.second, self.server(), within)
        reactor.flush()
        self.assertEqual(within.happened, ["made", "complete"])

    def test_longChain(self) -> None:
        """
        A server's first flight may be longer than what is usually read of it at once.
        """
        mine = issued("localhost")
        certificate = self.write(mine.certificatePEM + authority().certificatePEM * 60)
        tls = ServerTLS(TLSOptions(((certificate, self.write(mine.keyPEM)),)))
        within = Within()
        self.connected(within, tls=tls)
        self.assertEqual(within.happened, ["made", "complete"])

    def test_octetByOctet(self) -> None:
        """
        A client whose octets come one at a time gets through, and is heard.
        """
        tls = self.server()
        for version in VERSIONS:
            within = Within()
            speaker = Speaker(clientContext(version))
            sent: list[bytes] = []
            transport = TLSTransport(tls, within)
            below = mock.Mock(write=sent.append)
            transport.makeConnection(below)
            speaker.transport = mock.Mock(
                write=lambda octets, to=transport: [to.dataReceived(bytes([each])) for each in octets]
            )
            speaker.connectionMade()
            while sent:
                speaker.dataReceived(sent.pop(0))
            speaker.say(b"hello")
            self.assertEqual(within.happened, ["made", "complete"])
            self.assertEqual(within.received, b"hello")

    def test_finishedWithMore(self) -> None:
        """
        What comes in one read with the end of the handshake is delivered to whom the
        protocol within has handed over by then.
        """

        class HandsOver(Within):
            def handshakeCompleted(self) -> None:
                adopt(self.transport, after)

        after, within, speaker = Within(), HandsOver(), Speaker()
        reactor = FakeReactor()
        transport = TLSTransport(self.server(), within)
        pipePair(reactor, speaker, transport)

        def eager() -> None:
            Speaker._go(speaker)
            if speaker.established and not said:
                said.append(1)
                speaker.say(b"early")

        said: list[int] = []
        speaker._go = eager  # type: ignore[method-assign]
        reactor.flush()
        self.assertEqual(after.received, b"early")
        self.assertEqual(within.received, b"")

    def test_writesBefore(self) -> None:
        """
        What is written before the handshake is complete comes after it, in order.
        """
        speaker = self.connected(Chatty())[2]
        self.assertEqual(speaker.received, b"one two three")

    def test_alpn(self) -> None:
        """
        What was chosen is known when the handshake is complete.
        """
        for offered, expected in ((["h2"], b"h2"), (["http/1.1"], b"http/1.1"), ([], None)):
            within = Within()
            self.connected(within, Speaker(clientContext(alpn=offered)))
            self.assertEqual(within.transport.negotiatedProtocol, expected)
            self.assertIsInstance(within.transport.getHandle(), SSL.Connection)

    def test_withoutListener(self) -> None:
        """
        A protocol that does not want to know is not told.
        """
        within = Peer()
        reactor, _, speaker = self.connected(within)
        speaker.say(b"hello")
        reactor.flush()
        self.assertEqual(within.received, b"hello")

    def test_failure(self) -> None:
        """
        The client gets an alert, the transport is closed, and the protocol within is told
        what OpenSSL said, once.
        """
        within = Within()
        _, pipe, speaker = self.connected(within, Speaker(oldContext()))
        self.assertIn("alert", str(speaker.error))
        self.assertEqual(within.happened, ["made", "lost"])
        assert within.lost is not None
        self.assertTrue(within.lost.check(SSL.Error))
        self.assertFalse(pipe.second.connected)
        self.assertIsNone(within.transport.getHandle())

    def test_closesInTheListener(self) -> None:
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
            reactor, pipe, speaker = self.connected(within)
            speaker.transport.loseConnection()
            reactor.flush()
            self.assertEqual(within.happened, ["made", "lost"], way)
            self.assertFalse(pipe.second.connected)


class DeliveryTests(TLSCase):
    """
    What is said.
    """

    def test_together(self) -> None:
        """
        All records of one read are delivered at once; all of one write are read at once.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        octets = bytes(range(256)) * 240  # less than a read, and several records
        speaker.say(octets)
        reactor.flush()
        self.assertEqual(within.pieces, [octets])

    def test_much(self) -> None:
        """
        Megabytes arrive as they were sent, both ways, also where the kernel is slow.
        """
        octets = bytes(range(251)) * 12_000
        for capacity in (1000, 1 << 16, 1 << 22):
            within = Within()
            reactor, _, speaker = self.connected(within, capacity=capacity)
            within.transport.write(octets)
            speaker.say(octets)
            reactor.flush()
            self.assertEqual(speaker.received, octets)
            self.assertEqual(within.received, octets)

    def test_partialWrites(self) -> None:
        """
        Nor does it matter if OpenSSL takes a part only, as with older pyOpenSSL.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        connection: Any = within.transport.getHandle()
        whole = connection.send
        octets = bytes(range(251)) * 3000
        with mock.patch.object(connection, "send", lambda octets: whole(octets[:16384])):
            within.transport.write(octets)
        reactor.flush()
        self.assertEqual(speaker.received, octets)

    def test_nothing(self) -> None:
        """
        An empty write sends no record.
        """
        within = Within()
        _, pipe, _ = self.connected(within)
        with mock.patch.object(pipe.second.socket, "send") as send:
            within.transport.write(b"")
            within.transport.writeSequence([])
        send.assert_not_called()

    def test_paused(self) -> None:
        """
        Paused, it delivers nothing; resumed, the rest.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        within.transport.pauseProducing()
        speaker.say(b"hello")
        reactor.flush()
        self.assertEqual(within.received, b"")
        within.transport.resumeProducing()
        reactor.flush()
        self.assertEqual(within.received, b"hello")

    def test_keyUpdate(self) -> None:
        """
        A message of TLS's own between records is answered and delivers nothing.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        connection: Any = within.transport.getHandle()
        with mock.patch.object(connection, "recv", side_effect=SSL.WantReadError):
            speaker.say(b"as if it were none")
            reactor.flush()
        self.assertEqual(within.pieces, [])

    def test_damaged(self) -> None:
        """
        A record that was tampered with ends the connection, after what came before it.
        """
        within = Within()
        reactor, pipe, speaker = self.connected(within)
        speaker.tls.write(b"good")
        speaker.transport.write(speaker.outward.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        reactor.flush()
        self.assertEqual(within.received, b"good")
        assert within.lost is not None
        self.assertTrue(within.lost.check(SSL.Error))
        self.assertFalse(pipe.second.connected)

    def test_writeFails(self) -> None:
        """
        If OpenSSL cannot encrypt, the connection ends.
        """
        within = Within()
        reactor, _, _ = self.connected(within)
        connection: Any = within.transport.getHandle()
        with mock.patch.object(connection, "send", side_effect=SSL.Error([("", "", "broken")])):
            within.transport.write(b"x")
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(SSL.Error))


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


class ProducerTests(TLSCase):
    """
    Flow control.
    """

    def test_streaming(self) -> None:
        """
        A producer is paused when the transport below has enough, and resumed when that is
        written.
        """
        within, producer = Within(), Producer()
        reactor, pipe, speaker = self.connected(within)
        within.transport.registerProducer(producer, True)
        pipe.first.pauseProducing()
        within.transport.write(bytes(300_000))
        reactor.flush()
        self.assertEqual(set(producer.told), {"pause"})
        self.assertGreater(unsent(pipe.second), 65536)
        pipe.first.resumeProducing()
        reactor.flush()
        self.assertEqual(producer.told[-2:], ["pause", "resume"])
        self.assertEqual(len(speaker.received), 300_000)

    def test_pull(self) -> None:
        """
        One that is asked each time is asked as often as there is room.
        """
        within = Within()
        left = [b"a", b"b", b"c"]

        class Pull(Producer):
            def resumeProducing(self) -> None:
                if left:
                    within.transport.write(left.pop(0))
                else:
                    within.transport.unregisterProducer()

        reactor, _, speaker = self.connected(within)
        within.transport.registerProducer(Pull(), False)
        reactor.flush()
        self.assertEqual(speaker.received, b"abc")

    def test_oneAtATime(self) -> None:
        """
        There is one; the next one comes when it has gone.
        """
        within = Within()
        self.connected(within)
        within.transport.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, within.transport.registerProducer, Producer(), True)
        within.transport.unregisterProducer()
        within.transport.unregisterProducer()
        within.transport.registerProducer(Producer(), True)

    def test_beforeTheHandshake(self) -> None:
        """
        One that is there before the handshake is complete is paused at its first words,
        and resumed after it.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)
                self.transport.write(b"words")
                self.before = list(self.producer.told)

        within = Early()
        speaker = self.connected(within)[2]
        self.assertEqual(within.before, ["pause"])
        self.assertEqual(within.producer.told, ["pause", "resume"])
        self.assertEqual(speaker.received, b"words")

    def test_silentBeforeTheHandshake(self) -> None:
        """
        One that has written nothing has not been paused, and is not resumed.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)

        within = Early()
        self.connected(within)
        self.assertEqual(within.producer.told, [])

    def test_withinTheHandshake(self) -> None:
        """
        One that comes when the protocol within is told that the handshake is complete is
        registered below once, whether or not another has been there before; and the flow of
        octets is its.
        """

        class Late(Within):
            before: Producer | None = None

            def connectionMade(self) -> None:
                if self.before is not None:
                    self.transport.registerProducer(self.before, True)

            def handshakeCompleted(self) -> None:
                Within.handshakeCompleted(self)
                if self.before is not None:
                    self.transport.unregisterProducer()
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)

        for before in (None, Producer()):
            within = Late()
            within.before = before
            reactor, speaker = FakeReactor(), Speaker()
            pipe = pipePair(reactor, speaker, TLSTransport(self.server(), within))
            with mock.patch.object(
                pipe.second, "registerProducer", wraps=pipe.second.registerProducer
            ) as registered:
                reactor.flush()
            self.assertEqual(registered.mock_calls, [mock.call(within.producer, True)])
            pipe.first.pauseProducing()
            within.transport.write(bytes(300_000))
            reactor.flush()
            pipe.first.resumeProducing()
            reactor.flush()
            self.assertEqual(within.producer.told[-2:], ["pause", "resume"])
            self.assertEqual(len(speaker.received), 300_000)
            self.assertFalse(before is not None and before.told)

    def test_goneBeforeTheHandshake(self) -> None:
        """
        One that has gone by then is none; a connection that was to close then, closes.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.transport.registerProducer(Producer(), False)
                self.transport.write(b"words")
                self.transport.loseConnection()
                self.transport.unregisterProducer()

        within = Early()
        speaker = self.connected(within)[2]
        self.assertEqual(speaker.received, b"words")
        self.assertTrue(speaker.notified)

    def test_closeWaits(self) -> None:
        """
        After a close a producer may finish; when it is unregistered the connection closes.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        within.transport.registerProducer(Producer(), True)
        within.transport.loseConnection()
        within.transport.write(b"the rest")
        reactor.flush()
        self.assertFalse(speaker.notified)
        within.transport.unregisterProducer()
        reactor.flush()
        self.assertEqual(speaker.received, b"the rest")
        self.assertTrue(speaker.notified)

    def test_tooLate(self) -> None:
        """
        One that comes when nothing can be written any more is stopped.
        """
        within, producer = Within(), Producer()
        self.connected(within)
        within.transport.abortConnection()
        within.transport.registerProducer(producer, True)
        self.assertEqual(producer.told, ["stop"])


class PeerTests(TLSCase):
    """
    Who the client is.
    """

    def test_certificate(self) -> None:
        """
        There is none of a client that has shown none, nor afterwards.
        """
        within = Within()
        reactor, _, _ = self.connected(within)
        self.assertIsNone(within.transport.getPeerCertificate())
        within.transport.abortConnection()
        reactor.flush()
        self.assertIsNone(within.transport.getPeerCertificate())


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
        A client that just closes has sent all it wanted to: the origin gets it, and a FIN,
        and not a reset that could overtake it (conformance 15).
        """
        reactor, speaker, origin, tunnel = self.tunnel()
        speaker.say(b"the whole of it")
        speaker.transport.loseConnection()
        reactor.flush()
        self.assertEqual(origin.received, b"the whole of it")
        self.assertTrue(origin.ended)
        origin.transport.loseConnection()
        reactor.flush()
        self.assertEqual(self.successResultOf(tunnel.finished).kind, "eof")

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


class OrdinaryTests(TLSCase):
    """
    Twisted's own TLS transport with our contexts.
    """

    def test_handshake(self) -> None:
        """
        The contexts serve it as well, whatever the release: ALPN is answered, and the
        protocol within is told.
        """
        within, speaker, reactor = Within(), Speaker(clientContext(alpn=["h2"])), FakeReactor()
        factory = TLSMemoryBIOFactory(
            self.server(), False, mock.Mock(buildProtocol=lambda _: within), clock=reactor
        )
        pipePair(reactor, speaker, factory.buildProtocol(None))
        reactor.flush()
        self.assertIn("complete", within.happened)
        self.assertEqual(within.transport.negotiatedProtocol, b"h2")
