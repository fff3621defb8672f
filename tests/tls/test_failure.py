"""
Tests for L{connectproxy.tls.failure}: handshakes that fail, for every reason there is a
client to give, and words for each.
"""

from __future__ import annotations

import ssl

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, UserError
from twisted.python.failure import Failure

from connectproxy.tls import TLSTransport, handshakeFailure
from connectproxy.tls.failure import _WORDS
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import (
    Speaker,
    TLSCase,
    Within,
    authority,
    client,
    clientContext,
    oldContext,
)


class ClientTests(TLSCase):
    """
    Clients that do not get through.
    """

    def failing(self, speaker: Speaker, **options: str) -> str:
        """
        Why a client's handshake failed, as the protocol within was told.
        """
        within = Within()
        self.connected(within, speaker, self.server(**options))
        assert within.lost is not None
        return handshakeFailure(within.lost)

    def test_distrust(self) -> None:
        """
        A client that does not know the CA, or finds another name.
        """
        self.assertIn(
            "does not trust the proxy's certificate",
            self.failing(Speaker(clientContext(trusts=authority("others")))),
        )
        self.assertIn("certificate", self.failing(Speaker(clientContext(), "other.example")))

    def test_versions(self) -> None:
        """
        A client that is too old.
        """
        self.assertIn("TLS 1.1 or older", self.failing(Speaker(oldContext())))

    def test_ciphers(self) -> None:
        """
        A client that wants what is not safe any more.
        """
        context = clientContext(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        self.assertEqual(self.failing(Speaker(context)), "there is no cipher suite in common")

    def test_alpn(self) -> None:
        """
        A client that speaks something else.
        """
        self.assertIn("ALPN", self.failing(Speaker(clientContext(alpn=["spdy/3"]))))

    def test_certificates(self) -> None:
        """
        A client that has none, or one of strangers, or one for servers.
        """
        file = self.write(authority().certificatePEM)
        required = {"clientCertificates": "required", "clientCA": file}
        self.assertIn("shown no certificate", self.failing(Speaker(), **required))
        eve = clientContext(shows=self.pair(client("eve", "others")))
        self.assertIn("not of a CA in client_ca", self.failing(Speaker(eve), **required))

    def told(self, octets: bytes, *, close: bool = False) -> str:
        """
        What becomes of a client that sends something else than TLS.
        """
        within, peer, reactor = Within(), Peer(), FakeReactor()
        pipePair(reactor, peer, TLSTransport(self.server(), within))
        peer.transport.write(octets)
        if close:
            peer.transport.loseConnection()
        reactor.flush()
        assert within.lost is not None
        return handshakeFailure(within.lost)

    def test_notTLS(self) -> None:
        """
        Octets that are none.
        """
        self.assertEqual(self.told(b"GET / HTTP/1.1\r\n\r\n"), "it is not TLS, but HTTP")
        connect = b"CONNECT a:443 HTTP/1.1\r\n\r\n"  # which not every OpenSSL knows
        for octets in (connect, bytes(100), b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + bytes(100)):
            self.assertTrue(self.told(octets).startswith("it is not TLS"), octets)

    def test_closed(self) -> None:
        """
        A client that goes away before the end.
        """
        for octets in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
            self.assertIn("closed in the middle", self.told(octets, close=True))

    def test_broken(self) -> None:
        """
        A beginning of TLS that goes on with nonsense.
        """
        hello = Speaker()
        hello.transport = Peer()
        hello.transport.write = lambda _: None
        with self.assertRaises(ssl.SSLWantReadError):
            hello.tls.do_handshake()
        octets = hello.outward.read()
        for position in range(0, len(octets), 7):
            broken = octets[:position] + bytes([octets[position] ^ 0xFF]) + octets[position + 1 :]
            words = self.told(broken, close=True)
            self.assertTrue(words.isprintable())


class WordsTests(TLSCase):
    """
    L{handshakeFailure} and whatever else there is.
    """

    def test_others(self) -> None:
        """
        What does not come from OpenSSL.
        """
        for error, words in (
            (ConnectionAborted(), "the proxy gave up"),
            (ConnectionDone(), "the client closed in the middle of the handshake"),
            (ConnectionLost(), "the client closed in the middle of the handshake"),
            (SSL.SysCallError(-1, "Unexpected EOF"), "the client closed in the middle of the handshake"),
            (SSL.Error([]), "the client closed in the middle of the handshake"),
            (SSL.Error(), "the client closed in the middle of the handshake"),
            (UserError(), "the connection was lost in the middle of the handshake"),
            (SSL.Error([("SSL routines", "", "something new")]), "OpenSSL: something new"),
        ):
            self.assertEqual(handshakeFailure(Failure(error)), words)

    def test_spellings(self) -> None:
        """
        OpenSSL's releases write the same thing in different ways.
        """
        for reason in ("tlsv1 alert unknown ca", "ssl/tls alert unknown ca", "TLSV1_ALERT_UNKNOWN_CA"):
            self.assertIn("unknown_ca", handshakeFailure(Failure(SSL.Error([("", "", reason)]))))

    def test_first(self) -> None:
        """
        Of several errors the first that is understood.
        """
        error = SSL.Error([("", "", "something new"), ("", "", "no shared cipher"), ("", "", "http request")])
        self.assertEqual(handshakeFailure(Failure(error)), "there is no cipher suite in common")

    def test_table(self) -> None:
        """
        Every row can be reached: none before it has it all.
        """
        for part, words in _WORDS:
            self.assertEqual(handshakeFailure(Failure(SSL.Error([("", "", part)]))), words)
            self.assertFalse(words.endswith("."))

    @given(st.lists(st.tuples(st.text(), st.text(), st.text())))
    def test_anything(self, errors: list[tuple[str, str, str]]) -> None:
        """
        Nothing makes it fail.
        """
        self.assertTrue(handshakeFailure(Failure(SSL.Error(errors))))
