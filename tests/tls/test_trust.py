"""
Tests for L{connectproxy.tls.trust}: certificates that are wrong in every way, at servers of
the standard library's.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import crypto
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.certificates import Issued, makeServer
from connectproxy.tls.trust import _WORDS, Distrusted, Trust
from tests.tls.case import VERSIONS, TLSCase, authority, client, issued
from tests.tls.clientcase import (
    Answerer,
    ClientCase,
    Eager,
    early,
    expired,
    expiredAuthority,
    pin,
    selfSigned,
    serverContext,
)


class CertificateTests(ClientCase):
    """
    Which servers are trusted.
    """

    def misjudged(self, shown: Issued, *, trusted: Issued | None = None, **options: Any) -> str:
        """
        Why a server with a certificate is not trusted, by either version of TLS; it gets an
        alert, and nothing that was written.
        """
        details = set()
        for version in VERSIONS:
            answerer = Answerer(serverContext(shown, version))
            kind, detail = self.refusal(answerer, self.tls(trusted=trusted, **options))
            self.assertEqual(kind, "tls_certificate_error")
            self.assertIn("alert", str(answerer.error).lower())
            details.add(detail.removeprefix("the certificate of the next hop corp "))
        self.assertEqual(len(details), 1)
        return details.pop()

    def trusted(self, shown: Issued, **options: Any) -> None:
        """
        See that a server with a certificate is trusted.
        """
        for version in VERSIONS:
            answerer = Answerer(serverContext(shown, version))
            self.reached(Eager(), answerer, self.tls(**options))
            self.assertEqual(bytes(answerer.received), b"one two three")

    def test_good(self) -> None:
        """
        A name; one of several; one in other letters and with the dot of the root; a wildcard
        for one label; addresses of both kinds.
        """
        self.trusted(issued("localhost"))
        self.trusted(issued("a.example", "localhost"))
        self.trusted(issued("proxy.example"), name="Proxy.Example.")
        self.trusted(issued("*.corp.example"), name="proxy.corp.example")
        for address in ("192.0.2.1", "2001:db8::1"):
            self.trusted(issued(address), name=address)

    def test_names(self) -> None:
        """
        Another name, which is said; a wildcard stands for one label, and for no less.
        """
        self.assertEqual(
            self.misjudged(issued("other.example"), name="proxy.example"),
            "is for other.example, and not for proxy.example",
        )
        for name in ("a.b.corp.example", "corp.example"):
            self.assertEqual(
                self.misjudged(issued("*.corp.example"), name=name),
                f"is for *.corp.example, and not for {name}",
            )
        many = issued(*(f"{each}.example" for each in "abcdefg"))
        self.assertEqual(
            self.misjudged(many, name="z.example"),
            "is for a.example, b.example, c.example and others, and not for z.example",
        )

    def test_wideWildcards(self) -> None:
        """
        A wildcard for a whole top-level domain makes the certificate one for nobody, and so it
        is said.
        """
        self.assertEqual(
            self.misjudged(issued("proxy.example", "*.example"), name="proxy.example"),
            "is for proxy.example, *.example, and one of its names is malformed, or a wildcard for too much",
        )

    def test_addresses(self) -> None:
        """
        An address is no name and a name no address; and no address is shown, since a client may
        not know it.
        """
        self.assertEqual(
            self.misjudged(issued("192.0.2.1"), name="proxy.example"),
            "is for no name, and not for proxy.example",
        )
        self.assertEqual(
            self.misjudged(issued("192.0.2.2"), name="192.0.2.1"),
            "is not for the address that is connected to",
        )
        self.assertEqual(
            self.misjudged(issued("proxy.example"), name="2001:db8::1"),
            "is for proxy.example, and not for the address that is connected to",
        )

    def test_subject(self) -> None:
        """
        The name in a subject is none: RFC 9525 has done with that.
        """
        key = generate_private_key(SECP256R1())
        like = issued("proxy.example").certificate
        builder = (
            x509.CertificateBuilder()
            .subject_name(like.subject)
            .issuer_name(like.issuer)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(like.not_valid_before_utc)
            .not_valid_after(like.not_valid_after_utc)
        )
        shown = Issued(builder.sign(authority().key, SHA256()), key)
        self.assertEqual(
            self.misjudged(shown, name="proxy.example"), "is for no name, and not for proxy.example"
        )

    def test_times(self) -> None:
        """
        Over, or not begun: its own time, and that of who has signed it.
        """
        for shown, words, when in (
            (expired("localhost"), "has expired on", expired("localhost").certificate.not_valid_after_utc),
            (
                early("localhost"),
                "is not valid before",
                early("localhost").certificate.not_valid_before_utc,
            ),
        ):
            self.assertEqual(self.misjudged(shown), f"{words} {when:%Y-%m-%d %H:%M} UTC")
        old = expiredAuthority()
        self.assertEqual(
            self.misjudged(makeServer(old, ["localhost"]), trusted=old),
            "is signed by an authority whose own certificate has expired on"
            f" {old.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        )

    def test_authorities(self) -> None:
        """
        Signed by somebody else, by itself, or by one who is no authority.
        """
        others = authority("others")
        unknown = "is not signed by an authority in ca"
        self.assertEqual(self.misjudged(makeServer(others, ["localhost"])), unknown)
        self.assertEqual(
            self.misjudged(selfSigned("localhost")), "is signed by itself, and not by an authority in ca"
        )
        under = makeServer(issued("localhost"), ["localhost"])
        chained = mock.Mock(
            certificatePEM=under.certificatePEM + issued("localhost").certificatePEM, keyPEM=under.keyPEM
        )
        self.assertIn("is signed by", self.misjudged(chained))

    def test_system(self) -> None:
        """
        Without a file it is the system that knows authorities, and none of the tests'.
        """
        found = Trust("localhost", (), False)
        with self.assertRaises(Distrusted) as caught:
            found.judge(None, None, 20, 0, 0)
        self.assertEqual(caught.exception.words, "is not signed by an authority that the system trusts")

    def test_itself(self) -> None:
        """
        The file may have the server's own certificate, or any between it and the root.
        """
        mine = selfSigned("localhost")
        self.trusted(mine, trusted=mine)
        self.trusted(issued("localhost"), trusted=issued("localhost"))

    def test_purpose(self) -> None:
        """
        A certificate for clients is none for servers.
        """
        self.assertIn("not for servers", self.misjudged(client("localhost")))

    def test_pins(self) -> None:
        """
        Of several keys one is enough; another key, were it that of the authority, is not.
        """
        mine = issued("localhost")
        self.trusted(mine, pins=(bytes(32), pin(mine)))
        for pins in ((bytes(32),), (pin(authority()), pin(issued("other.example")))):
            self.assertEqual(self.misjudged(mine, pins=pins), "has another key than pins say")

    def test_pinsAndTheRest(self) -> None:
        """
        The right key makes neither a name nor a chain right.
        """
        other = issued("other.example")
        self.assertIn("and not for localhost", self.misjudged(other, pins=(pin(other),)))
        alone = selfSigned("localhost")
        self.assertIn("signed by itself", self.misjudged(alone, pins=(pin(alone),)))

    def test_again(self) -> None:
        """
        That a certificate was good once makes no other one good.
        """
        tls = self.tls()
        for shown, expected in (
            (issued("localhost"), b"one two three"),
            (issued("localhost"), b"one two three"),
            (issued("other.example"), b""),
            (issued("localhost"), b"one two three"),
        ):
            answerer = Answerer(serverContext(shown))
            self.reached(Eager(), answerer, tls)
            self.assertEqual(bytes(answerer.received), expected)


class WordsTests(TLSCase):
    """
    L{Trust} by itself.
    """

    def said(self, error: int, depth: int = 0, certificate: Any = None) -> str:
        """
        What is said of an error of OpenSSL's.
        """
        with self.assertRaises(Distrusted) as caught:
            Trust("localhost", (), True).judge(None, certificate, error, depth, 0)
        return caught.exception.words

    def test_numbers(self) -> None:
        """
        Every row can be reached, and there are words for numbers that nobody knows.
        """
        for number, words in _WORDS.items():
            self.assertEqual(self.said(number), words)
        self.assertEqual(self.said(999), "is not valid (error 999 of OpenSSL's)")

    def test_unreadableTimes(self) -> None:
        """
        A certificate that only OpenSSL can read.
        """
        broken = mock.Mock()
        broken.to_cryptography.side_effect = ValueError("no")
        self.assertEqual(self.said(10, 0, broken), "has expired, or is not valid yet")

    def test_names(self) -> None:
        """
        What can't be a name is none, and is said so.
        """
        for name in ("*.example", "a b", "", ".", "a" * 254, "12345", "\ud800", "-\u0301."):
            with self.assertRaisesRegex(ValueError, "neither a name nor an address"):
                Trust(name, (), True)
        found = Trust("b\xfccher.example", (), True)
        self.assertEqual((found.name, found.isName), ("xn--bcher-kva.example", True))
        self.assertFalse(Trust("::1", (), True).isName)

    @given(st.binary(max_size=60), st.integers(0, 2000))
    def test_damaged(self, octets: bytes, where: int) -> None:
        """
        A certificate that is damaged, or something else, is none; nothing else comes of it.
        """
        der = crypto.dump_certificate(
            crypto.FILETYPE_ASN1, crypto.X509.from_cryptography(issued("localhost").certificate)
        )
        trust, connection = Trust("other.example", (), True), mock.Mock()
        with mock.patch.object(crypto, "dump_certificate", lambda *_: der[:where] + octets + der[where:]):
            self.assertRaises(Distrusted, trust.judge, connection, None, 0, 0, 1)
        connection.set_app_data.assert_not_called()

    def test_keysOfUnknownKinds(self) -> None:
        """
        A key that can't be read can't be held against pins.
        """
        trust = Trust("localhost", (bytes(32),), True)
        whole = issued("localhost").certificate
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, crypto.X509.from_cryptography(whole))
        kind = bytes.fromhex("06072a8648ce3d0201")  # id-ecPublicKey
        self.assertIn(kind, der)
        with mock.patch.object(crypto, "dump_certificate", lambda *_: der.replace(kind, kind[:-1] + b"\x7f")):
            with self.assertRaisesRegex(Distrusted, "unknown kind"):
                trust.judge(mock.Mock(), None, 0, 0, 1)


class AuthorityTests(SynchronousTestCase):
    """
    Certificates other than the server's own.
    """

    def test_deeper(self) -> None:
        """
        One that OpenSSL is content with passes, and says nothing of the server's.
        """
        connection = mock.Mock()
        self.assertTrue(Trust("localhost", (), True).judge(connection, None, 0, 1, 1))
        connection.set_app_data.assert_not_called()
