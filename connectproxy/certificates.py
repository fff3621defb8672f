"""
Certificates to try TLS with: a private CA, and what it signs.

Makes keys on the curve P-256 and certificates (RFC 5280) in memory; whoever calls writes
them.  Not for production: the CA's key lies beside what it has signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Issued", "makeAuthority", "makeClient", "makeServer"]

AUTHORITY_DAYS = 3650
"""For how long a CA is good."""

DAYS = 397
"""For how long what it signs is good: some clients accept no more than 398."""

_EARLIER = timedelta(hours=1)
"""How much earlier than now it is good: clocks differ."""


class Issued(NamedTuple):
    """
    A certificate and its key.
    """

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    @property
    def certificatePEM(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def keyPEM(self) -> bytes:
        """The key, unencrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def makeAuthority(name: str, now: datetime | None = None) -> Issued:
    """
    Make a CA, whose own certificate is signed by itself.

    @param name: its common name, 1 to 64 characters.
    @param now: from when on it is good; by default from now.
    """
    key = generate_private_key(SECP256R1())
    subject = _named(name)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(subject, subject, key, AUTHORITY_DAYS, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    return Issued(builder.sign(key, SHA256()), key)


def makeServer(authority: Issued, names: Sequence[str], now: datetime | None = None) -> Issued:
    """
    Make a server's certificate.

    @param authority: who signs it.
    @param names: what clients call the server: DNS names and IP addresses, at least one.
    @raise ValueError: a name is neither, or there is none.
    """
    if not names:
        raise ValueError("a server's certificate needs a name")
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    common = names[0] if len(names[0]) <= 64 else "proxy"
    return _issue(authority, common, alternatives, ExtendedKeyUsageOID.SERVER_AUTH, now)


def makeClient(authority: Issued, name: str, now: datetime | None = None) -> Issued:
    """
    Make a client's certificate.

    @param authority: who signs it.
    @param name: the client's common name, 1 to 64 characters.
    @raise ValueError: the name is not as long as that.
    """
    return _issue(authority, name, None, ExtendedKeyUsageOID.CLIENT_AUTH, now)


def _issue(
    authority: Issued,
    name: str,
    alternatives: x509.SubjectAlternativeName | None,
    purpose: x509.ObjectIdentifier,
    now: datetime | None,
) -> Issued:
    """
    Make what is no CA.
    """
    key = generate_private_key(SECP256R1())
    builder = _builder(_named(name), authority.certificate.subject, key, DAYS, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return Issued(builder.sign(authority.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int, now: datetime | None
) -> x509.CertificateBuilder:
    """
    What all have in common.
    """
    since = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - _EARLIER)
        .not_valid_after(since + timedelta(days=days))
    )


def _named(name: str) -> x509.Name:
    """
    A name of one attribute.
    """
    if not 1 <= len(name) <= 64:
        raise ValueError(f"a common name has 1 to 64 characters, not {len(name)}")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    """
    A DNS name or an address.
    """
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    if not all(
        label and len(label) <= 63 and label.isascii() and label.replace("-", "").isalnum()
        for label in labels
    ):
        raise ValueError(f"{name!a} is neither a DNS name nor an IP address")
    return x509.DNSName(name.lower())


def _usage(**usages: bool) -> x509.KeyUsage:
    """
    What a key is for: what is named, and nothing else.
    """
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{usage: usages.get(usage, False) for usage in every})
