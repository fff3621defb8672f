"""
Tests for L{connectproxy.tls.identity}.
"""

from __future__ import annotations

import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from connectproxy.tls import ClientCertificate, clientIdentity
from connectproxy.tls.identity import NAMES, SUBJECT, identify
from tests.tls.case import Handshake, TLSCase, authority, client, clientContext


def made(subject: list[x509.NameAttribute[Any]], *extensions: x509.ExtensionType) -> bytes:
    """
    A certificate with whatever there is to be in it.
    """
    key = authority().key
    builder = (
        x509.CertificateBuilder(x509.Name([]), x509.Name(subject), key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def common(name: str) -> x509.NameAttribute[Any]:
    """
    A common name of any length.
    """
    return x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)


def alternatives(*encoded: bytes) -> x509.UnrecognizedExtension:
    """
    A subjectAltName as somebody may have written it: names are given with their tags.
    """
    body = b"".join(bytes([each[0], len(each) - 1]) + each[1:] for each in encoded)
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30" + length + body)


class IdentityTests(TLSCase):
    """
    What a certificate says.
    """

    def test_fromConnection(self) -> None:
        """
        The one that the client has shown.
        """
        alice = client("alice")
        tls = self.server(clientCertificates="optional", clientCA=self.write(authority().certificatePEM))
        done = Handshake(tls, clientContext(shows=self.pair(alice)))
        fingerprint = hashlib.sha256(alice.certificate.public_bytes(Encoding.DER)).hexdigest()
        self.assertEqual(clientIdentity(done.server), ClientCertificate("CN=alice", (), (), (), fingerprint))
        self.assertIsNone(clientIdentity(Handshake(tls).server))

    def test_names(self) -> None:
        """
        The subject as RFC 4514 has it, and the names by kind.
        """
        names = [
            x509.DNSName("A.example"),
            x509.DNSName("*.b.example"),
            x509.RFC822Name("alice@example.com"),
            x509.UniformResourceIdentifier("spiffe://example.com/alice"),
            x509.DNSName("_c.example"),
        ]
        subject = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "Алиса"),
        ]
        found = identify(made(subject, x509.SubjectAlternativeName(names)))
        self.assertEqual(
            found[:4],
            (
                "CN=Алиса,O=Example\\, Inc.",
                ("a.example", "*.b.example", "_c.example"),
                ("alice@example.com",),
                ("spiffe://example.com/alice",),
            ),
        )

    def test_nothing(self) -> None:
        """
        No subject and no names; the fingerprint is there all the same.
        """
        found = identify(made([]))
        self.assertEqual(found[:4], ("", (), (), ()))
        self.assertRegex(found.fingerprint, r"\A[0-9a-f]{64}\Z")


class HostileTests(TLSCase):
    """
    What a CA may have signed without looking.
    """

    def test_unprintable(self) -> None:
        """
        Controls, NUL and what turns the direction of writing around are escaped in a
        subject.
        """
        found = identify(made([common("a\nb\x1b[31m\u202e\x7f")]))
        self.assertTrue(found.subject.isprintable())
        self.assertEqual(found.subject, "CN=a\\0Ab\\1B[31m\\E2\\80\\AE\\7F")
        found = identify(made([common("admin\0.evil.example")]))
        self.assertNotEqual(found.subject, "CN=admin")
        self.assertTrue(found.subject.isprintable())

    def test_names(self) -> None:
        """
        A name with octets that none has is left out, and not half of it.
        """
        found = identify(
            made(
                [],
                alternatives(
                    b"\x82good.example",
                    b"\x82admin\0.evil.example",
                    b"\x82a b",
                    b"\x82a\n",
                    b"\x82",
                    b"\x82a..b",
                    b"\x82*.*.b",
                    b"\x82" + b"x" * 100,
                    b"\x81a@b\r\nX: y",
                    b"\x81good@example.com",
                    b"\x86http://a/\x7f",
                    b"\x86urn:good",
                ),
            )
        )
        self.assertEqual(found[1:4], (("good.example",), ("good@example.com",), ("urn:good",)))

    def test_sizes(self) -> None:
        """
        Neither more names than there may be, nor longer ones; a subject that is too long is
        none rather than another's.
        """
        many = [x509.DNSName(f"n{number}.example") for number in range(3 * NAMES)]
        long = x509.UniformResourceIdentifier("urn:" + "x" * 252)
        subject = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "x" * SUBJECT)
        found = identify(made([subject], x509.SubjectAlternativeName([*many, long])))
        self.assertEqual(found.dns, tuple(f"n{number}.example" for number in range(NAMES)))
        self.assertEqual((found.subject, found.uris), ("", ()))

    def test_malformed(self) -> None:
        """
        An extension that cannot be read has no names, nor has one that cannot be decoded;
        a certificate that cannot be read has only its fingerprint.
        """
        for extension in (
            x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x05\x82\x01"),
            alternatives(b"\x82\xff\xfe"),
            alternatives(b"\xa3\x02\x05\x00"),
        ):
            self.assertEqual(identify(made([common("a")], extension))[:4], ("CN=a", (), (), ()))
        version = made([common("a")]).replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020101"))
        bits = made([common("alice")]).replace(b"\x0c\x05alice", b"\x03\x05\0lice")
        for der in (b"nonsense", version, bits):
            fingerprint = hashlib.sha256(der).hexdigest()
            self.assertEqual(identify(der), ClientCertificate("", (), (), (), fingerprint))

    @given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
    def test_mutated(self, position: int, octets: bytes) -> None:
        """
        Whatever is changed in a certificate, what comes out can be printed.
        """
        der = made(
            [common("alice")],
            x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("a@example.com")]),
        )
        position %= len(der)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography's, of what it will not read in future
            found = identify(der[:position] + octets + der[position + len(octets) :])
        for text in (found.subject, *found.dns, *found.emails, *found.uris):
            self.assertTrue(text.isprintable())
