"""
Tests for L{connectproxy.listeners.auto.reception}: TLS that ends at the port, and what is spoken
within.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from OpenSSL import SSL

from connectproxy.listeners.auto import AutoFactory
from tests.fakes import SETTINGS
from tests.listeners.auto.autocase import HEAD, PREFACE, AutoCase
from tests.listeners.auto.tlspeer import TLSPeer, known

TIMEOUT = SETTINGS["timeouts.handshake"]
HEAD_TIMEOUT = SETTINGS["timeouts.head"]
LINGER = SETTINGS["timeouts.linger"]


class TLSCase(AutoCase):
    """
    A port with a certificate.
    """

    def make(self, **others: Any) -> None:
        """
        Make another port.
        """
        AutoCase.make(self, **{"tls": True, **others})


class TLSTests(TLSCase):
    """
    TLS from the first octet.
    """

    def test_within(self) -> None:
        """
        Within TLS everything is told apart as without.
        """
        for octets, protocol in (
            (HEAD, "http/1.1"),
            (PREFACE, "h2"),
            (b"\5\1\0", "socks5"),
            (b"\4\1", "socks4"),
        ):
            self.make()
            peer = self.secure()
            self.assertTrue(peer.handshaken)
            self.assertEqual(len(self.factory.undecided), 1)
            peer.say(octets)
            self.reactor.flush()
            taken = self.assertTaken(protocol, octets)
            self.assertEqual((taken.arrival.tls, taken.arrival.certificate), ("TLSv1.3", None))
            self.assertEqual((self.board.opened, self.board.closed), (1, 0))
            taken.transport.write(b"answer")
            self.reactor.flush()
            self.assertEqual(bytes(peer.plain), b"answer")
            peer.transport.abortConnection()
            self.reactor.flush()
            self.assertIsNotNone(taken.lost)
            self.assertBalanced()

    def test_clear(self) -> None:
        """
        What comes in clear is served as well.
        """
        self.connect(first=HEAD)
        self.assertIsNone(self.assertTaken("http/1.1", HEAD).arrival.tls)

    def test_everySplit(self) -> None:
        """
        Where the client's first flight is cut makes no difference.
        """
        for cut in range(1, 300, 7):
            self.make()
            peer = TLSPeer()
            hello = peer.hello()
            self.connect(peer, first=hello[:cut])
            self.send(peer, hello[cut:])
            self.assertTrue(peer.handshaken)
            peer.say(HEAD)
            self.reactor.flush()
            self.assertTaken("http/1.1", HEAD)

    def test_byteByByte(self) -> None:
        """
        Nor do single octets, of the handshake or of what is within.
        """
        peer = TLSPeer()
        self.connect(peer)
        self.send(peer, *(bytes([octet]) for octet in peer.hello()))
        self.assertTrue(peer.handshaken)
        for octet in PREFACE:
            peer.say(bytes([octet]))
            self.reactor.flush()
        self.assertTaken("h2", PREFACE)

    def test_behindTheHandshake(self) -> None:
        """
        What a client sends in the same segment as the end of its handshake is not lost.
        """
        for alpn, octets, protocol in (
            ((), HEAD, "http/1.1"),
            ((b"h2",), PREFACE, "h2"),
            ((b"h2",), HEAD, "h2"),
        ):
            self.make()
            peer = TLSPeer(alpn=alpn)
            peer._flush = lambda: None  # type: ignore[method-assign]
            self.connect(peer, first=peer.hello())
            self.assertTrue(peer.handshaken)
            peer.tls.send(octets)
            self.send(peer, peer.tls.bio_read(1 << 16))
            self.assertTaken(protocol, octets)

    def test_alpn(self) -> None:
        """
        Who has asked for HTTP/2 gets it at once: the server's preface need not wait for the
        client's.
        """
        peer = self.secure(TLSPeer(alpn=(b"http/1.1", b"h2")))
        taken = self.assertTaken("h2", b"")
        self.assertEqual(peer.tls.get_alpn_proto_negotiated(), b"h2")
        taken.transport.write(b"settings")
        peer.say(PREFACE)
        self.reactor.flush()
        self.assertEqual((bytes(peer.plain), taken.received), (b"settings", PREFACE))

    def test_alpnHTTP1(self) -> None:
        """
        Who has asked for HTTP/1 is believed when it speaks it, and what it speaks counts.
        """
        for octets, protocol in ((HEAD, "http/1.1"), (b"\5\1\0", "socks5")):
            self.make()
            peer = self.secure(TLSPeer(alpn=(b"http/1.1",)))
            self.assertEqual(self.taken(), [])
            peer.say(octets)
            self.reactor.flush()
            self.assertTaken(protocol, octets)

    def test_alpnSwitchedOff(self) -> None:
        """
        HTTP/2 that is switched off is not offered.
        """
        self.make(protocols=("http/1.1",))
        peer = self.secure(TLSPeer(alpn=(b"h2", b"http/1.1")))
        self.assertEqual(peer.tls.get_alpn_proto_negotiated(), b"http/1.1")
        self.assertEqual(self.taken(), [])

    def test_alpnUnknown(self) -> None:
        """
        Who asks for what is not spoken has its handshake refused (RFC 7301 section 3.2).
        """
        peer = self.secure(TLSPeer(alpn=(b"spdy/3",)))
        self.assertFalse(peer.handshaken)
        self.assertRejected("tls_handshake_failed", "ALPN", protocol="tls")
        self.assertClosed(peer)

    def test_twice(self) -> None:
        """
        TLS within TLS is not served.
        """
        peer = self.secure()
        peer.say(TLSPeer().hello())
        self.reactor.flush()
        self.assertRejected("protocol_not_served", "TLS within TLS")
        self.assertTrue(peer.closed)
        peer.transport.loseConnection()
        self.reactor.flush()
        self.assertBalanced()

    def test_version(self) -> None:
        """
        A client of TLS 1.2 is served and told apart; one of 1.1 is refused in words.
        """
        self.secure(TLSPeer(newest=SSL.TLS1_2_VERSION)).say(HEAD)
        self.reactor.flush()
        self.assertEqual(self.assertTaken("http/1.1", HEAD).arrival.tls, "TLSv1.2")
        self.make()
        peer = self.secure(TLSPeer(newest=SSL.TLS1_1_VERSION))
        self.assertRejected("tls_handshake_failed", "TLS 1.1 or older", protocol="tls")
        self.assertIsNotNone(peer.error)
        self.assertClosed(peer)

    def test_noTLS(self) -> None:
        """
        What begins with TLS's first octet and is none is refused, and told of.
        """
        for octets in (b"\x16" * 100, b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + bytes(20)):
            self.make()
            client = self.connect(first=octets)
            self.assertRejected("tls_handshake_failed", protocol="tls")
            client.transport.loseConnection()
            self.reactor.flush()
            self.assertBalanced()

    def test_certificate(self) -> None:
        """
        What a client's certificate says is kept with the arrival.
        """
        self.make(client="required")
        self.secure(TLSPeer(client=known())).say(HEAD)
        self.reactor.flush()
        certificate = self.assertTaken("http/1.1", HEAD).arrival.certificate
        self.assertEqual((certificate.subject, certificate.dns), ("CN=client.example", ()))

    def test_noCertificate(self) -> None:
        """
        Without one where it is required there is no connection; where it is optional there
        is, and nobody is named.
        """
        self.make(client="required")
        peer = self.secure()
        peer.say(HEAD)
        self.reactor.flush()
        self.assertRejected("tls_handshake_failed", "no certificate, which is required", protocol="tls")
        self.assertClosed(peer)
        self.make(client="optional")
        self.secure().say(HEAD)
        self.reactor.flush()
        self.assertIsNone(self.assertTaken("http/1.1", HEAD).arrival.certificate)

    def test_strangersCertificate(self) -> None:
        """
        One that nobody trusted has signed is refused, optional or not.
        """
        stranger = known("stranger.example", "another.example")
        for client in ("required", "optional"):
            self.make(client=client)
            peer = self.secure(TLSPeer(client=stranger))
            peer.say(HEAD)
            self.reactor.flush()
            self.assertRejected("tls_handshake_failed", "not of a CA", protocol="tls")
            self.assertClosed(peer)

    def test_nothingIsRetained(self) -> None:
        """
        Nothing keeps the two receptions of a connection that is handed over.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        made: list[Any] = []
        build = AutoFactory.buildProtocol

        def building(address: Any) -> Any:
            protocol = build(self.factory, address)
            made.append(weakref.ref(protocol))
            return protocol

        self.factory.buildProtocol = building  # type: ignore[method-assign]
        peer = self.secure()
        (inner,) = self.factory.undecided
        made.append(weakref.ref(inner))
        del inner
        peer.say(HEAD)
        self.reactor.flush()
        self.assertTaken("http/1.1", HEAD)
        self.assertEqual([each() for each in made], [None, None])
