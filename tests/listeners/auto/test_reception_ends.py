"""
Tests for L{connectproxy.listeners.auto.reception}: TLS that is required, handshakes that
do not end, and TLS that somebody else has ended.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolNegotiationFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from connectproxy.sockets import LINGER_OCTETS, answersALPN
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS
from tests.listeners.auto.autocase import HEAD, PREFACE, AutoCase
from tests.listeners.auto.test_reception_tls import TLSCase
from tests.listeners.auto.tlspeer import TLSPeer, certified

TIMEOUT = SETTINGS["timeouts.handshake"]
HEAD_TIMEOUT = SETTINGS["timeouts.head"]
LINGER = SETTINGS["timeouts.linger"]


class RequiredTests(TLSCase):
    """
    A port where TLS is required.
    """

    def make(self, **others: Any) -> None:
        """
        Make another port.
        """
        TLSCase.make(self, **{"requireTLS": True, **others})

    def test_tls(self) -> None:
        """
        Within TLS it is as ever.
        """
        self.secure().say(HEAD)
        self.reactor.flush()
        self.assertTaken("http/1.1", HEAD)

    def test_http(self) -> None:
        """
        A client of HTTP is told in clear, in HTTP, what to do; and the answer survives what
        it still sends (conformance 70).
        """
        client = self.connect(first=HEAD)
        refusal = self.assertRejected("protocol_not_served", "https://")
        self.assertTrue(bytes(client.received).startswith(b"HTTP/1.1 400 "))
        self.assertIn(refusal.detail.encode(), client.received)
        self.assertTrue(client.ended)
        self.assertIsNone(client.lost)
        self.send(client, HEAD)
        self.assertIsNone(client.lost)
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertBalanced()
        self.assertEqual(len(self.board.rejections), 1)

    def test_http2(self) -> None:
        """
        So is one of HTTP/2, which will not understand, with the first octet already.
        """
        client = self.connect(first=b"P")
        self.assertRejected("protocol_not_served")
        self.assertClosed(client)

    def test_socks(self) -> None:
        """
        Others are closed (conformance 70).
        """
        for octets in (b"\5\1\0", b"\xff", b"\r\n"):
            self.make()
            client = self.connect(first=octets)
            self.assertRejected("protocol_not_served")
            self.assertEqual(bytes(client.received), b"")
            self.assertClosed(client)

    def test_endless(self) -> None:
        """
        Who goes on sending behind the answer is reset when it is enough.
        """
        client = self.connect(first=HEAD)
        piece = bytes(1 << 16)
        for _ in range(LINGER_OCTETS // len(piece) + 2):
            if client.lost is None:
                self.send(client, piece)
        self.assertIsNotNone(client.lost)
        self.assertBalanced()

    def test_lingers(self) -> None:
        """
        Who does not close is reset when the time is over.
        """
        self.connect(first=HEAD)
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertBalanced()


class TLSDeadlineTests(TLSCase):
    """
    A client that takes its time, or goes away, in each stage.
    """

    def hold(self) -> TLSPeer:
        """
        A client that stops in the midst of the handshake: it never answers.
        """
        peer = TLSPeer()
        peer._flush = lambda: None  # type: ignore[method-assign]
        self.connect(peer)
        return peer

    def test_handshake(self) -> None:
        """
        A handshake that is not over in time is told of, and the connection reset, wherever
        it has stopped.
        """
        for octets in (1, 5, 100, None):
            self.make()
            peer = self.hold()
            self.send(peer, peer.hello()[:octets])
            self.reactor.advance(TIMEOUT - 0.01)
            self.assertEqual(self.board.rejections, [])
            self.reactor.advance(2 * GRAIN)
            self.assertRejected("tls_handshake_failed", f"not over after {TIMEOUT:g} s", protocol="tls")
            self.reactor.flush()
            self.assertIsNotNone(peer.lost)
            self.assertBalanced()

    def test_dripping(self) -> None:
        """
        Octets that drip don't move the deadline.
        """
        peer = self.hold()
        for octet in peer.hello()[:20]:
            self.send(peer, bytes([octet]))
            self.reactor.advance(TIMEOUT / 25)
        self.assertEqual(self.board.rejections, [])
        self.reactor.advance(TIMEOUT / 4)
        self.assertRejected("tls_handshake_failed", protocol="tls")
        self.reactor.flush()
        self.assertBalanced()

    def test_goneInTheHandshake(self) -> None:
        """
        A client that goes away meanwhile is told of: perhaps it does not like the
        certificate.
        """
        for abort in (True, False):
            for octets in (1, 100, None):
                self.make()
                peer = self.hold()
                self.send(peer, peer.hello()[:octets])
                (peer.transport.abortConnection if abort else peer.transport.loseConnection)()
                self.reactor.flush()
                self.assertRejected("tls_handshake_failed", protocol="tls")
                self.assertBalanced()

    def test_silentWithin(self) -> None:
        """
        After the handshake the client has the time for a head; one that says nothing leaves
        no event.
        """
        peer = self.secure()
        self.reactor.advance(HEAD_TIMEOUT - 0.01)
        self.reactor.flush()
        self.assertFalse(peer.closed)
        self.reactor.advance(2 * GRAIN)
        self.reactor.flush()
        self.assertTrue(peer.closed)
        self.assertEqual(self.board.rejections, [])
        peer.transport.loseConnection()
        self.reactor.flush()
        self.assertBalanced()

    def test_undecidedWithin(self) -> None:
        """
        One that stops in the midst of its first octets does.
        """
        peer = self.secure()
        peer.say(b"PR")
        self.reactor.flush()
        self.reactor.advance(HEAD_TIMEOUT + 2 * GRAIN)
        self.assertRejected("http_request_timeout")
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertIsNotNone(peer.lost)
        self.assertBalanced()

    def test_goneWithin(self) -> None:
        """
        A client that goes away within TLS is like one in clear, with a close_notify or not.
        """
        for octets, events in ((b"", 0), (b"P", 1)):
            for polite in (True, False):
                self.make()
                peer = self.secure()
                if octets:
                    peer.say(octets)
                    self.reactor.flush()
                if polite:
                    peer.tls.shutdown()
                    peer._flush()
                peer.transport.loseConnection()
                self.reactor.flush()
                self.assertEqual([each[0] for each in self.board.rejections], [None] * events)
                self.assertBalanced()

    def test_stop(self) -> None:
        """
        When the port is closed, who is in the handshake or has not asked yet is closed
        without an event, and nobody counts as open any more.
        """
        peer = self.hold()
        self.send(peer, peer.hello())
        silent = self.secure()
        begun = self.secure()
        begun.say(b"P")
        self.reactor.flush()
        self.port.stopListening()
        self.reactor.flush()
        for each in (silent, begun):
            self.assertTrue(each.closed)
            each.transport.loseConnection()
        self.reactor.flush()
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.board.rejections, [])
        self.assertBalanced()


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    """
    What an C{ssl:} endpoint makes of its certificate, and of what its factory answers to
    ALPN; Twisted's own warns of itself.
    """

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_file(certified().file)
        context.use_privatekey_file(certified().file)
        context.set_alpn_select_callback(
            lambda connection, offered: next(
                each for each in self.factory.acceptableProtocols() if each in offered
            )
        )
        return SSL.Connection(context, None)


class EndpointTests(AutoCase):
    """
    An C{ssl:} endpoint, where Twisted ends TLS.
    """

    def wrapped(self) -> Any:
        """
        What listens, with Twisted's TLS in between.
        """
        return TLSMemoryBIOFactory(Creator(self.factory), False, self.factory, clock=self.reactor)  # type: ignore[no-untyped-call]

    def test_within(self) -> None:
        """
        Everything is told apart as within the port's own TLS.
        """
        for octets, protocol in ((HEAD, "http/1.1"), (PREFACE, "h2"), (b"\5\1\0", "socks5")):
            self.make()
            peer = self.secure()
            peer.say(octets)
            self.reactor.flush()
            taken = self.assertTaken(protocol, octets)
            self.assertEqual(taken.arrival.tls, "TLSv1.3")
            peer.transport.abortConnection()
            self.reactor.flush()
            self.assertBalanced()

    def test_alpn(self) -> None:
        """
        HTTP/2 can be asked for, is preferred, and begins at once.
        """
        peer = self.secure(TLSPeer(alpn=(b"http/1.1", b"h2")))
        self.assertEqual(peer.tls.get_alpn_proto_negotiated(), b"h2")
        self.assertTaken("h2", b"")
        self.assertEqual(IProtocolNegotiationFactory.providedBy(self.factory), answersALPN())

    def test_required(self) -> None:
        """
        That TLS is required is fulfilled, and a PROXY header is demanded within: before, it
        would be Twisted's to read.
        """
        self.make(requireTLS=True, senders="10.0.0.1")
        peer = self.secure(TLSPeer(alpn=(b"h2",)), host="10.0.0.1")
        self.assertEqual(self.taken(), [])
        peer.say(b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 8080\r\n" + HEAD)
        self.reactor.flush()
        self.assertEqual(self.assertTaken("http/1.1", HEAD).arrival.client.host, "203.0.113.9")

    def test_twice(self) -> None:
        """
        TLS within is refused, though the port could end it.
        """
        self.make(tls=True)
        peer = self.secure()
        peer.say(TLSPeer().hello())
        self.reactor.flush()
        self.assertRejected("protocol_not_served", "TLS within TLS")

    def test_handshake(self) -> None:
        """
        A handshake that fails is told of; so is one that is not over in time, and the
        connection is reset.
        """
        client = self.connect(first=b"\x16" * 100)
        self.assertRejected("tls_handshake_failed", protocol="tls")
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertBalanced()
        self.make()
        client = self.connect(first=b"\x16")
        self.reactor.advance(TIMEOUT + 2 * GRAIN)
        self.assertRejected("tls_handshake_failed", f"after {TIMEOUT:g} s", protocol="tls")
        self.reactor.flush()
        self.assertIsNotNone(client.lost)
        self.assertBalanced()

    def test_tooLate(self) -> None:
        """
        A handshake that ends when the port is being closed changes nothing any more.
        """
        peer = TLSPeer(alpn=(b"h2",))
        peer._flush = lambda: None  # type: ignore[method-assign]
        self.connect(peer, first=peer.hello())
        (reception,) = self.factory.undecided
        self.factory.stopFactory()
        reception.handshakeCompleted()
        self.assertEqual((self.taken(), self.board.rejections), ([], []))
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertBalanced()

    def test_stop(self) -> None:
        """
        When the port is closed who is in the handshake is, too, by a reset if need be.
        """
        client = self.connect(first=b"\x16")
        self.port.stopListening()
        self.reactor.flush()
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertTrue(client.lost or client.ended)
        self.assertEqual(self.board.rejections, [])
        self.assertBalanced()
