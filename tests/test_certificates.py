"""
Tests for L{connectproxy.certificates}; cryptography's verifier is the oracle.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.certificates import AUTHORITY_DAYS, DAYS, makeAuthority, makeClient, makeServer


class CertificatesTests(SynchronousTestCase):
    """
    A CA, and what it signs.
    """

    def setUp(self) -> None:
        """
        A CA that is trusted.
        """
        self.authority = makeAuthority("a CA")
        self.policies = PolicyBuilder().store(Store([self.authority.certificate]))

    def test_authority(self) -> None:
        """
        A CA may sign certificates, but not those of other CAs.
        """
        certificate = self.authority.certificate
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual(constraints.value, x509.BasicConstraints(ca=True, path_length=0))
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.key_cert_sign)
        self.assertFalse(usage.digital_signature)

    def test_server(self) -> None:
        """
        A server is who it is called, for names, wildcards and addresses, and nobody else.
        """
        server = makeServer(self.authority, ["Proxy.example", "*.example.org", "127.0.0.1", "::1"])
        for subject in (
            x509.DNSName("proxy.example"),
            x509.DNSName("a.example.org"),
            x509.IPAddress(ip_address("127.0.0.1")),
            x509.IPAddress(ip_address("::1")),
        ):
            self.policies.build_server_verifier(subject).verify(server.certificate, [])
        for subject in (x509.DNSName("other.example"), x509.IPAddress(ip_address("127.0.0.2"))):
            verifier = self.policies.build_server_verifier(subject)
            self.assertRaises(VerificationError, verifier.verify, server.certificate, [])

    def test_client(self) -> None:
        """
        A client has its name as the subject; it is no server, and a server no client.
        """
        client = makeClient(self.authority, "alice")
        self.assertEqual(client.certificate.subject.rfc4514_string(), "CN=alice")
        usage = client.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        server = makeServer(self.authority, ["localhost"])
        usage = server.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.ExtendedKeyUsageOID.SERVER_AUTH])

    def test_keys(self) -> None:
        """
        Each has a key of its own, on P-256, and a number of its own.
        """
        every = [self.authority, makeServer(self.authority, ["a"]), makeClient(self.authority, "a")]
        for each in every:
            self.assertIsInstance(each.key.curve, SECP256R1)
            key = load_pem_private_key(each.keyPEM, None)
            self.assertEqual(key.public_key(), each.certificate.public_key())
            self.assertEqual(x509.load_pem_x509_certificate(each.certificatePEM), each.certificate)
        self.assertEqual(len({each.certificate.serial_number for each in every}), 3)
        self.assertEqual(len({each.keyPEM for each in every}), 3)

    def test_validity(self) -> None:
        """
        Good from a little earlier, for clocks that differ; for clients that accept no more
        than 398 days not too long.
        """
        now = datetime(2026, 1, 1, tzinfo=UTC)
        authority = makeAuthority("a CA", now)
        for issued, days in (
            (authority, AUTHORITY_DAYS),
            (makeServer(authority, ["a"], now), DAYS),
            (makeClient(authority, "a", now), DAYS),
        ):
            certificate = issued.certificate
            self.assertEqual(certificate.not_valid_before_utc, now - timedelta(hours=1))
            self.assertEqual(certificate.not_valid_after_utc, now + timedelta(days=days))
        self.assertLess(DAYS, 398)

    def test_names(self) -> None:
        """
        What is no name is refused, and a long one is no common name.
        """
        for name in ("", "a b", "a..b", "*", "a.*.b", "-" * 64, "x" * 64, "é.example", "a/b", "a_b", "::g"):
            self.assertRaises(ValueError, makeServer, self.authority, [name])
        self.assertRaises(ValueError, makeServer, self.authority, [])
        for name in ("", "x" * 65):
            self.assertRaises(ValueError, makeClient, self.authority, name)
            self.assertRaises(ValueError, makeAuthority, name)
        long = ".".join(["x" * 60] * 3)
        server = makeServer(self.authority, [long])
        self.policies.build_server_verifier(x509.DNSName(long)).verify(server.certificate, [])
