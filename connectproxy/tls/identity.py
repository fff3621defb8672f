"""
Who a client is, by the certificate that it has shown.

OpenSSL has checked the certificate against the CAs of the listening port by then; what is
in it was still written by somebody else.  Names come out of here printable, complete and
of bounded size, or not at all: half a name could be the name of another.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from cryptography import x509
from OpenSSL import crypto

from connectproxy.tls.files import MALFORMED

__all__ = ["ClientCertificate", "clientIdentity"]

NAMES = 32
"""How many names of each kind count."""

SUBJECT = 1024
"""How many characters a subject may have."""

_DNS = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,126}")
_PRINTABLE = re.compile(r"[!-~]{1,255}")


class ClientCertificate(NamedTuple):
    """
    What a client's certificate says of it.

    @ivar subject: the subject as RFC 4514 writes it, characters that cannot be printed
        escaped; empty where there is none, or it is longer than L{SUBJECT}.
    @ivar dns: the DNS names of its subjectAltName, in lower case.
    @ivar emails: the mail addresses.
    @ivar uris: the URIs, as in SPIFFE.
    @ivar fingerprint: the SHA-256 of the whole certificate in hexadecimal digits.
    """

    subject: str
    dns: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    fingerprint: str


def clientIdentity(connection: Any) -> ClientCertificate | None:
    """
    What the client's certificate says.

    @param connection: an OpenSSL connection whose handshake is complete.
    @return: L{None} if the client has shown none.
    """
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return None
    return identify(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))


def identify(der: bytes) -> ClientCertificate:
    """
    What a certificate says, whatever is in it.

    @param der: the certificate as it was sent.
    """
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = _escaped(certificate.subject.rfc4514_string())
    except MALFORMED:  # OpenSSL reads some that cryptography does not
        return ClientCertificate("", (), (), (), fingerprint)
    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *MALFORMED):
        pass
    else:
        dns = tuple(name.lower() for name in _sound(names.get_values_for_type(x509.DNSName), _DNS))
        emails = _sound(names.get_values_for_type(x509.RFC822Name), _PRINTABLE)
        uris = _sound(names.get_values_for_type(x509.UniformResourceIdentifier), _PRINTABLE)
    return ClientCertificate(subject if len(subject) <= SUBJECT else "", dns, emails, uris, fingerprint)


def _sound(names: list[str], form: re.Pattern[str]) -> tuple[str, ...]:
    """
    The names that have the form that they should have, the first of them.
    """
    return tuple(name for name in names if len(name) <= 255 and form.fullmatch(name))[:NAMES]


def _escaped(text: str) -> str:
    """
    Escape what cannot be printed in the way of RFC 4514 section 2.4.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else "".join(f"\\{octet:02X}" for octet in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
