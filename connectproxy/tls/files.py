"""
The files that TLS needs: reads them, and says what is wrong with them.

Knows PEM (RFC 7468), certificates (RFC 5280) and private keys; no OpenSSL context and no
connection.  A message names the file, what is wrong with it and what to do.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

__all__ = ["MALFORMED", "Certified", "dnsNames", "readAuthorities", "readCertified", "stamp"]

MALFORMED = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises at a certificate, or an extension, that it cannot read."""

_LARGEST = 1 << 20
"""Octets of a file that are read: a chain has some thousands."""


class Certified(NamedTuple):
    """
    A certificate that its owner can use.

    @ivar chain: the certificate, then those that lead to its CA.
    @ivar key: its private key.
    @ivar names: the DNS names that it is for, in lower case.
    @ivar expires: when it expires.
    @ivar note: what is to be said about it though it can be used; may be empty.
    """

    chain: tuple[x509.Certificate, ...]
    key: Any
    names: tuple[str, ...]
    expires: datetime
    note: str


def stamp(path: str) -> tuple[int, int, int]:
    """
    What shows that a file has changed: time of modification in nanoseconds, size, inode.
    Blocks.

    @return: zeros where there is no such file.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def readCertified(certificate: str, key: str) -> Certified:
    """
    Read a certificate with its chain, and the private key that belongs to it.  Blocks.

    @param certificate: the name of a file.
    @param key: the name of a file, which may be the same.
    @raise ValueError: one of the two cannot be used.
    """
    chain = _certificates(certificate)
    private = _privateKey(key, _read(key, "the private key"))
    own = chain[0]
    try:
        # Not the keys themselves: not every kind of them can be compared.
        pair = [
            each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for each in (own.public_key(), private.public_key())
        ]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            f"{certificate}: the certificate's kind of key is not supported ({error})"
        ) from error
    if pair[0] != pair[1]:
        raise ValueError(
            f"{key}: the private key is not that of the first certificate in {certificate}; put the"
            " proxy's own certificate first, or name the key that it was made for"
        )
    names = dnsNames(own)
    return Certified(chain, private, names, own.not_valid_after_utc, _note(certificate, own, names))


def readAuthorities(path: str) -> tuple[x509.Certificate, ...]:
    """
    Read the certificates of CAs.  Blocks.

    @raise ValueError: the file cannot be used.
    """
    return _certificates(path)


def dnsNames(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    The DNS names that a certificate is for: those of its subjectAltName and no others
    (RFC 9525 section 6.3), in lower case; none where the extension is malformed.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, *MALFORMED):
        return ()


def _read(path: str, what: str) -> bytes:
    """
    The octets of a file.
    """
    try:
        with open(path, "rb") as file:
            octets = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(
            f"{path}: {what} cannot be read: {error.strerror}; name a file that can be"
        ) from error
    if len(octets) > _LARGEST:
        raise ValueError(f"{path}: is larger than {_LARGEST} octets; name a PEM file of certificates or keys")
    return octets


def _certificates(path: str) -> tuple[x509.Certificate, ...]:
    """
    The certificates in a file, at least one.
    """
    octets = _read(path, "the certificate")
    if b"-----BEGIN CERTIFICATE-----" not in octets:
        raise ValueError(
            f"{path}: there is no certificate in PEM in it, which begins with -----BEGIN CERTIFICATE-----;"
            " one in DER is converted by openssl x509 -inform DER -in FILE"
        )
    try:
        return tuple(x509.load_pem_x509_certificates(octets))
    except MALFORMED as error:
        raise ValueError(f"{path}: a certificate in it is damaged ({error}); get the file anew") from error


def _privateKey(path: str, octets: bytes) -> Any:
    """
    The private key in a file.
    """
    if b"PRIVATE KEY-----" not in octets:
        raise ValueError(
            f"{path}: there is no private key in PEM in it, which begins with -----BEGIN PRIVATE KEY-----;"
            " name the file that has it as the key (tls_key, --tls-key; key of an upstream)"
        )
    try:
        return load_pem_private_key(octets[octets.index(b"-----BEGIN ", _before(octets)) :], None)
    except TypeError as error:
        raise ValueError(
            f"{path}: the private key is encrypted, and nobody can be asked for its passphrase;"
            " decrypt it by openssl pkey -in FILE -out FILE, readable by the proxy's user only"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = str(error).partition("\n")[0][:100]
        raise ValueError(f"{path}: the private key is damaged or of an unknown kind ({reason})") from error


def _before(octets: bytes) -> int:
    """
    Where the private key begins in a file that may have certificates before it.
    """
    return octets.rindex(b"-----BEGIN ", 0, octets.index(b"PRIVATE KEY-----"))


def _note(path: str, certificate: x509.Certificate, names: tuple[str, ...]) -> str:
    """
    What clients are not going to like.
    """
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc <= now:
        return f"{path}: the certificate expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; renew it"
    if certificate.not_valid_before_utc > now:
        return f"{path}: the certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only"
    if not names and not _hasAddresses(certificate):
        return f"{path}: the certificate has no subjectAltName, and clients look at no other name; get one that has"
    return ""


def _hasAddresses(certificate: x509.Certificate) -> bool:
    """
    Whether a certificate is for an address.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return bool(extension.value.get_values_for_type(x509.IPAddress))
    except (x509.ExtensionNotFound, *MALFORMED):
        return False
