"""
Tests for L{connectproxy.tls.transport}, over the fake pipe: the client is the standard
library's.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.interfaces import INegotiated, IPushProducer, ISSLTransport, ISystemHandle
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from connectproxy.leg import adopt
from connectproxy.tls import ServerTLS, TLSOptions, TLSTransport, secure
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import VERSIONS, Speaker, TLSCase, Within, authority, clientContext, issued, oldContext


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
