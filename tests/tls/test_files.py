"""
Tests for L{connectproxy.tls.files}.
"""

from __future__ import annotations

import base64
import os
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from connectproxy.certificates import makeServer
from connectproxy.tls.files import dnsNames, readAuthorities, readCertified, stamp
from tests.tls.case import TLSCase, authority, issued


class ReadTests(TLSCase):
    """
    Files that can be used.
    """

    def test_chainAndKey(self) -> None:
        """
        The certificate, those behind it, its key and what is to be known of it.
        """
        mine = issued("Proxy.example", "*.example.org", "127.0.0.1")
        certificate = self.write(mine.certificatePEM + authority().certificatePEM)
        found = readCertified(certificate, self.write(mine.keyPEM))
        self.assertEqual(found.chain, (mine.certificate, authority().certificate))
        self.assertEqual(found.key.private_numbers(), mine.key.private_numbers())
        self.assertEqual(found.names, ("proxy.example", "*.example.org"))
        self.assertEqual(found.expires, mine.certificate.not_valid_after_utc)
        self.assertEqual(found.note, "")

    def test_oneFile(self) -> None:
        """
        Both in one file, whichever comes first, and with words in between.
        """
        mine = issued("localhost")
        for octets in (
            mine.certificatePEM + mine.keyPEM,
            mine.keyPEM + mine.certificatePEM,
            b"# mine\n" + mine.certificatePEM + b"\nkey:\n" + mine.keyPEM + b"\n",
        ):
            path = self.write(octets)
            self.assertEqual(readCertified(path, path).chain, (mine.certificate,))

    def test_authorities(self) -> None:
        """
        One certificate or several.
        """
        both = self.write(authority().certificatePEM + authority("others").certificatePEM)
        self.assertEqual(readAuthorities(both), (authority().certificate, authority("others").certificate))

    def test_notes(self) -> None:
        """
        A certificate that clients are not going to like can be used, and is remarked on.
        """
        now = datetime.now(UTC)
        for when, expected in (
            (now - timedelta(days=500), "expired at"),
            (now + timedelta(days=2), "is valid from"),
        ):
            path, key = self.pair(makeServer(authority(), ["localhost"], when))
            note = readCertified(path, key).note
            self.assertTrue(note.startswith(f"{path}: "), note)
            self.assertIn(expected, note)
        self.assertEqual(readCertified(*self.pair(issued("127.0.0.1"))).note, "")
        self.assertIn("no subjectAltName", readCertified(*self.pair(authority())).note)

    def test_stamp(self) -> None:
        """
        It changes with the file's contents, and when the file is replaced; no file has one.
        """
        path = self.write(b"a")
        first = stamp(path)
        self.assertEqual(stamp(path), first)
        other = self.write(b"b")
        os.utime(other, ns=(first[0], first[0]))
        os.replace(other, path)
        self.assertNotEqual(stamp(path), first)
        self.assertEqual(stamp("/nowhere/at/all"), (0, 0, 0))
        self.assertEqual(stamp("a\0b"), (0, 0, 0))


class RefusedTests(TLSCase):
    """
    Files that cannot be used.
    """

    def refused(self, certificate: str, key: str) -> str:
        """
        What the message says.
        """
        message = str(self.assertRaises(ValueError, readCertified, certificate, key))
        self.assertTrue(message.isprintable(), message)
        return message

    def test_certificates(self) -> None:
        """
        The message begins with the file, and says what is wrong and what to do.
        """
        certificate, key = self.pair(issued("localhost"))
        body = Path(certificate).read_bytes().splitlines(keepends=True)
        for path, expected in (
            ("/nowhere/at/all", "cannot be read: No such file or directory; name"),
            (os.path.dirname(__file__), "cannot be read: Is a directory"),
            (self.write(b""), "there is no certificate in PEM"),
            (key, "there is no certificate in PEM"),
            (
                self.write(issued("localhost").certificate.public_bytes(Encoding.DER)),
                "openssl x509 -inform DER",
            ),
            (self.write(b"".join(body[:3] + body[4:])), "is damaged"),
            (self.write(b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n"), "is damaged"),
            (self.write(bytes(2 << 20)), "is larger than"),
        ):
            message = self.refused(path, key)
            self.assertTrue(message.startswith(f"{path}: "), message)
            self.assertIn(expected, message)
        self.assertRaises(ValueError, readAuthorities, key)

    def test_keys(self) -> None:
        """
        Likewise.
        """
        certificate, key = self.pair(issued("localhost"))
        encrypted = issued("localhost").key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        traditional = issued("localhost").key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")
        )
        body = Path(key).read_bytes().splitlines(keepends=True)
        for path, expected in (
            ("/nowhere/at/all", "the private key cannot be read: No such file or directory"),
            (certificate, "there is no private key in PEM"),
            (self.write(encrypted), "openssl pkey"),
            (self.write(traditional), "is encrypted"),
            (self.write(b"".join(body[:1] + body[2:])), "is damaged"),
            (self.write(body[0]), "is damaged"),
            (self.write(authority().keyPEM), "not that of the first certificate in"),
        ):
            message = self.refused(certificate, path)
            self.assertTrue(message.startswith(f"{path}: "), message)
            self.assertIn(expected, message)

    def test_unknownKind(self) -> None:
        """
        A certificate for a kind of key that nobody here knows: one of another curve.
        """
        der = issued("localhost").certificate.public_bytes(Encoding.DER)
        curve = bytes.fromhex("06082a8648ce3d030107")
        self.assertIn(curve, der)
        strange = x509.load_der_x509_certificate(der.replace(curve, curve[:-1] + b"\x7f"))
        certificate, key = self.pair(issued("localhost"))
        self.write(strange.public_bytes(Encoding.PEM), certificate)
        self.assertIn("kind of key is not supported", self.refused(certificate, key))

    def test_unknownVersion(self) -> None:
        """
        A certificate of a version that there is not is damaged.
        """
        der = issued("localhost").certificate.public_bytes(Encoding.DER)
        wrong = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020101"))
        body = base64.encodebytes(wrong)
        certificate, key = self.pair(issued("localhost"))
        self.write(b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n", certificate)
        self.assertIn("is damaged", self.refused(certificate, key))

    def test_order(self) -> None:
        """
        Where the CA's certificate comes first, the message says so.
        """
        mine = issued("localhost")
        path = self.write(authority().certificatePEM + mine.certificatePEM)
        self.assertIn("own certificate first", self.refused(path, self.write(mine.keyPEM)))

    @given(st.integers(0, 10_000), st.binary(max_size=5))
    def test_damaged(self, position: int, octets: bytes) -> None:
        """
        Whatever happens to a file, it can be used or is refused; nothing else.
        """
        mine = issued("localhost")
        whole = mine.certificatePEM + mine.keyPEM
        position %= len(whole)
        path = self.write(whole[:position] + octets + whole[position + len(octets) :])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # cryptography's, of what it will not read in future
                readCertified(path, path)
        except ValueError as error:
            self.assertTrue(str(error).startswith(path), str(error))


class NamesTests(TLSCase):
    """
    L{dnsNames} finds what a certificate is for.
    """

    def test_commonNameDoesNotCount(self) -> None:
        """
        As it does for no client any more; what is malformed has no names.
        """
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        builder = (
            x509.CertificateBuilder(name, name, key.public_key(), 1)
            .not_valid_before(datetime.now(UTC))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        )
        self.assertEqual(dnsNames(builder.sign(key, SHA256())), ())
        oid = x509.SubjectAlternativeName.oid
        broken = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x30\x05\x82\x01"), critical=False)
        certificate = broken.sign(key, SHA256())
        self.assertEqual(dnsNames(certificate), ())
        pem = certificate.public_bytes(Encoding.PEM)
        path = self.write(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.assertIn("no subjectAltName", readCertified(path, path).note)
