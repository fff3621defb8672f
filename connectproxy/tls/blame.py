"""
What a TLS handshake that has failed is refused as, the failure being the server's.

The rows are those of RFC 9209 section 2.3: an alert of the server's, a certificate that is not
what it should be, everything else.  OpenSSL's words are put into ours by tables, as
L{connectproxy.tls.failure} does for clients; they differ between releases in capitals and in
the name of the protocol, so parts of them are looked for.
"""

from __future__ import annotations

import re

from OpenSSL import SSL
from twisted.python.failure import Failure

from connectproxy.errors import Refusal
from connectproxy.tls.client import HandshakeLost
from connectproxy.tls.failure import reasons
from connectproxy.tls.trust import Distrusted

__all__ = ["handshakeRefusal"]

_ALERT = re.compile(
    r"(?:sslv3|tlsv1|tlsv13|ssl/tls|tls) alert ([a-z0-9 ]+)"
    r"|tlsv1 (unrecognized name|unsupported extension|bad certificate status response)"
)
"""How OpenSSL names an alert that has come; some have always been without that word."""

_ALERTS = {
    "access denied": "it denies access",
    "bad certificate": "it rejects this proxy's certificate, or misses one",
    "certificate expired": "to it this proxy's certificate has expired",
    "certificate required": "it wants a certificate of this proxy's, and certificate is not said",
    "certificate revoked": "to it this proxy's certificate is revoked",
    "certificate unknown": "it rejects this proxy's certificate",
    "handshake failure": "it finds no cipher suite in common, or misses a certificate of this proxy's",
    "illegal parameter": "something in the handshake is not to its liking",
    "insufficient security": "it wants more safety than is spoken here",
    "internal error": "it has failed itself",
    "no application protocol": "it speaks none of the protocols that are asked for by ALPN",
    "protocol version": "it speaks neither TLS 1.2 nor 1.3",
    "unknown ca": "it does not know the authority of this proxy's certificate",
    "unrecognized name": "it does not know the name that it is called by; another can be said as server_name",
    "unsupported certificate": "it can't use this proxy's certificate",
    "user cancelled": "it has given up",
}
"""What alerts mean (RFC 8446 section 6.2)."""

_CLOSED = "closed the connection in the middle of the TLS handshake"

_WORDS = (
    ("unsupported protocol", "speaks TLS 1.1 or older; TLS 1.2 and 1.3 are spoken here"),
    ("version too low", "speaks TLS 1.1 or older; TLS 1.2 and 1.3 are spoken here"),
    ("wrong ssl version", "speaks another version of TLS than was asked for"),
    ("wrong version number", "does not speak TLS on that port"),
    ("packet length too long", "does not speak TLS on that port"),
    ("data length too long", "does not speak TLS on that port, or it is damaged"),
    ("unsafe legacy renegotiation", "speaks TLS without secure renegotiation (RFC 5746)"),
    ("bad record type", "does not speak TLS on that port"),
    ("bad record mac", "sends TLS that is damaged, or was tampered with"),
    ("digest check failed", "sends TLS that is damaged, or was tampered with"),
    ("record", "does not speak TLS on that port, or it is damaged"),
    ("unexpected message", "sends messages of TLS out of order"),
    ("bad signature", "does not have the key of its certificate"),
    ("wrong signature", "signs by a method that was not offered"),
    ("wrong cipher returned", "chooses a cipher suite that was not offered"),
    ("unknown cipher returned", "chooses a cipher suite that was not offered"),
    ("key too small", "has a key that is too short"),
    ("wrong curve", "chooses a group for the key exchange that was not offered"),
    ("bad key share", "chooses a group for the key exchange that was not offered"),
    ("unexpected eof", _CLOSED),
    ("bad extension", "sends a malformed extension of TLS"),
    ("unsolicited extension", "sends an extension of TLS that was not asked for"),
    ("length mismatch", "sends a malformed message of TLS"),
    ("decode", "sends a malformed message of TLS"),
)
"""What else OpenSSL says, to go on from the server's name, the more particular first."""


def handshakeRefusal(reason: Failure, who: str) -> Refusal | None:
    """
    Say what a request is refused as whose connection has failed in the TLS handshake, or in
    what came of it.

    @param reason: what C{connectionLost} of the protocol within was told; see
        L{connectproxy.tls.client.ClientTLSTransport}.
    @param who: the server, as in C{"the next hop corp"}.
    @return: a refusal of one of the rows C{tls_*}; OpenSSL's words where there are none of
        ours, and no octet of the server's but names in its certificate.  L{None} if it is no
        failure of TLS.
    """
    error = reason.value
    if isinstance(error, Distrusted):
        return Refusal("tls_certificate_error", f"the certificate of {who} {error.words}")
    if isinstance(error, HandshakeLost):
        return Refusal("tls_protocol_error", f"{who} {_CLOSED}")
    if not isinstance(error, SSL.Error):
        return None
    own = reasons(error)
    said = [each.lower().replace("_", " ") for each in own]
    for words in said:
        found = _ALERT.match(words)
        if found is not None:
            alert = found[1] or found[2]
            meaning = _ALERTS.get(alert)
            detail = f"{who} ended TLS with the alert {alert.replace(' ', '_')}"
            return Refusal("tls_alert_received", f"{detail}: {meaning}" if meaning else detail)
    for words in said:
        for part, meaning in _WORDS:
            if part in words:
                return Refusal("tls_protocol_error", f"{who} {meaning}")
    if own:
        return Refusal("tls_protocol_error", f"TLS with {who} failed (OpenSSL: {own[0]})")
    return Refusal("tls_protocol_error", f"{who} {_CLOSED}")
