"""
Whether a server is who it should be, by the certificate that it shows.

OpenSSL verifies the chain up to an authority (RFC 5280 section 6) and asks here about each
certificate; about the server's own the answer is that of its name (RFC 9525, by
L{service_identity}: the subjectAltName only, a wildcard for one label) and of the pins.  That
is in the midst of the handshake: a server that is not trusted gets an alert, and neither a
certificate of ours nor anything that is written.

Left out: revocation (no CRL is read and no OCSP asked), names in the subject.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from service_identity.hazmat import DNS_ID

from connectproxy.tls.files import MALFORMED
from connectproxy.tls.identity import identify

__all__ = ["Distrusted", "Trust"]

_LONGEST = 253
"""Characters that a DNS name can have."""

_SHOWN = 3
"""How many names of a certificate are shown."""

_NOT_YET_VALID, _EXPIRED = 9, 10

_STRANGERS = frozenset({2, 18, 19, 20, 21, 27})
"""OpenSSL's numbers (X509_V_ERR) for chains that lead to nobody who is trusted."""

_ALONE = 18
"""That for a certificate that has signed itself."""

_WORDS = {
    7: "has a signature that is not its authority's",
    22: "has a chain that is too long",
    24: "is signed by who is no authority",
    25: "is signed by an authority that must not sign it",
    26: "is not for servers, or its authority's is not for signing those",
    28: "is one that its authority must not sign",
    32: "is signed by an authority that must not sign",
    47: "has a name that its authority must not sign",
    48: "has a name that its authority must not sign",
    66: "has a key that is too short",
    67: "is signed by an authority whose key is too short",
    68: "is signed by a method that is not safe any more",
    79: "is signed by who is no authority",
}
"""What others of these numbers mean; they have been the same from OpenSSL 1.1 on."""


class Distrusted(SSL.Error):
    """
    The server's certificate is not the one that it should have.

    @ivar words: what it is or does, to go on from "the certificate of ..."; printable, of
        bounded length, and without an address.
    """

    def __init__(self, words: str) -> None:
        SSL.Error.__init__(self, [("connectproxy", "", words)])
        self.words = words


class Trust:
    """
    What a server is trusted by.

    @ivar name: what it has to be called.
    @ivar isName: whether that is a name, and not an address.
    """

    def __init__(self, name: str, pins: tuple[bytes, ...], ca: bool) -> None:
        """
        @param name: a DNS name or an IP address.
        @param pins: SHA-256 of the SubjectPublicKeyInfo that it may have (RFC 7469 section
            2.4); any, if there is none.
        @param ca: whether its authority is in a file of the operator's; else it is one that
            the system trusts.
        @raise ValueError: the name is neither.
        """
        self.name = name.rstrip(".").lower()
        self._pins = frozenset(pins)
        self._authorities = "in ca" if ca else "that the system trusts"
        self._verify: Any = verify_certificate_ip_address
        self.isName = False
        try:
            ip_address(self.name)
        except ValueError:
            self._verify = verify_certificate_hostname
            self.isName = True
            try:
                # What is asked for goes into a handshake, and so has to be in ASCII.
                self.name = DNS_ID(self.name).hostname.decode("ascii")
                if len(self.name) > _LONGEST:
                    raise ValueError("it is too long")
            except ValueError as error:
                raise ValueError(f"{name!a} is neither a name nor an address") from error
        self._known = b""

    def judge(self, connection: Any, certificate: Any, error: int, depth: int, verified: int) -> bool:
        """
        Be asked by OpenSSL; see L{SSL.Context.set_verify}.  The application's part of the
        connection becomes this object when the server's own certificate is found to be good.

        @raise Distrusted: a certificate is not; the handshake fails with it.
        """
        if not verified:
            raise Distrusted(self._unverified(certificate, error, depth))
        if depth == 0:
            self._identify(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
            connection.set_app_data(self)
        return True

    def vouched(self, connection: Any) -> bool:
        """
        Whether L{judge} has been asked about a server's own certificate, and has found it good.
        """
        return connection.get_app_data() is self

    def _unverified(self, certificate: Any, error: int, depth: int) -> str:
        """
        Say what OpenSSL has found.
        """
        if error in _STRANGERS:
            signed = "signed by itself, and not" if error == _ALONE else "not signed"
            return f"is {signed} by an authority {self._authorities}"
        words = _WORDS.get(error, f"is not valid (error {error} of OpenSSL's)")
        if error in (_NOT_YET_VALID, _EXPIRED):
            try:
                whole = certificate.to_cryptography()
                words = (
                    f"has expired on {_date(whole.not_valid_after_utc)}"
                    if error == _EXPIRED
                    else f"is not valid before {_date(whole.not_valid_before_utc)}"
                )
            except MALFORMED:
                words = "has expired, or is not valid yet"
            if depth:
                words = f"is signed by an authority whose own certificate {words}"
        return words

    def _identify(self, der: bytes) -> None:
        """
        See whether a certificate is the server's that is wanted.
        """
        if der == self._known:
            return  # nearly always it is the same as the last time
        try:
            certificate = x509.load_der_x509_certificate(der)
            self._verify(certificate, self.name)
            pin = hashlib.sha256(
                certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ).digest()
        except VerificationError:
            raise Distrusted(self._misnamed(der)) from None
        except CertificateError as error:  # of a single name, even where another one is right
            raise Distrusted(self._misnamed(der, malformed=True)) from error
        except (UnsupportedAlgorithm, *MALFORMED):
            raise Distrusted("cannot be read, or has a key of an unknown kind") from None
        if self._pins and pin not in self._pins:
            raise Distrusted("has another key than pins say")
        self._known = der

    def _misnamed(self, der: bytes, *, malformed: bool = False) -> str:
        """
        Say whom a certificate is for.

        @param malformed: it has a name that makes it one for nobody.
        """
        wanted = self.name if self.isName else "the address that is connected to"
        names = identify(der).dns
        if not names:
            return f"is for no name, and not for {wanted}" if self.isName else f"is not for {wanted}"
        shown = ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
        if malformed:
            return f"is for {shown}, and one of its names is malformed, or a wildcard for too much"
        return f"is for {shown}, and not for {wanted}"


def _date(when: datetime) -> str:
    """
    Format a time.
    """
    return f"{when:%Y-%m-%d %H:%M} UTC"
