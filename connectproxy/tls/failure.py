"""
Why a handshake failed, in words for an event.

OpenSSL's own words are for those who read its source; what they mean for a proxy stands
here in one table, the more particular before the more general.  The strings differ between
releases of OpenSSL in capitals and in the name of the protocol, so parts of them are looked
for.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from connectproxy.tls.context import NoCommonProtocol

__all__ = ["handshakeFailure", "reasons"]

_WORDS = (
    ("alert unknown ca", "the client does not trust the proxy's certificate (alert unknown_ca)"),
    (
        "alert certificate expired",
        "to the client the proxy's certificate has expired (alert certificate_expired)",
    ),
    (
        "alert certificate revoked",
        "to the client the proxy's certificate is revoked (alert certificate_revoked)",
    ),
    ("alert bad certificate", "the client rejects the proxy's certificate (alert bad_certificate)"),
    ("alert certificate unknown", "the client rejects the proxy's certificate (alert certificate_unknown)"),
    (
        "alert unsupported certificate",
        "the client can't use the proxy's certificate (alert unsupported_certificate)",
    ),
    (
        "alert unrecognized name",
        "the client does not find its name in the proxy's certificate (alert unrecognized_name)",
    ),
    (
        "alert protocol version",
        "the client speaks no version of TLS that the proxy speaks (alert protocol_version)",
    ),
    ("alert handshake failure", "the client finds nothing in common (alert handshake_failure)"),
    ("alert access denied", "the client denies access (alert access_denied)"),
    ("alert user cancel", "the client has given up (alert user_canceled)"),
    ("alert internal error", "the client failed (alert internal_error)"),
    ("peer did not return a certificate", "the client has shown no certificate, which is required here"),
    ("certificate verify failed", "the client's certificate is not valid, or not of a CA in client_ca"),
    ("certificate_verify_failed", "the client's certificate is not valid, or not of a CA in client_ca"),
    ("bad signature", "the client does not have the key of its certificate"),
    ("no shared cipher", "there is no cipher suite in common"),
    ("no suitable signature algorithm", "there is no signature algorithm in common"),
    ("no shared signature", "there is no signature algorithm in common"),
    ("no shared group", "there is no group for the key exchange in common"),
    ("no suitable key share", "there is no group for the key exchange in common"),
    ("unsupported protocol", "the client speaks TLS 1.1 or older; TLS 1.2 and 1.3 are spoken here"),
    ("version too low", "the client speaks TLS 1.1 or older; TLS 1.2 and 1.3 are spoken here"),
    ("inappropriate fallback", "the client fell back to an older TLS though it need not"),
    ("http request", "it is not TLS, but HTTP"),
    ("https proxy request", "it is not TLS, but HTTP"),
    ("wrong version number", "it is not TLS"),
    ("packet length too long", "it is not TLS, or damaged"),
    ("record", "it is not TLS, or damaged"),
    ("unexpected message", "the client's messages are out of order"),
    ("unexpected eof", "the client closed in the middle of the handshake"),
    ("decrypt error", "it is damaged, or tampered with"),
    ("digest check failed", "it is damaged, or tampered with"),
    ("bad extension", "an extension of the client's is malformed"),
    ("parse tlsext", "an extension of the client's is malformed"),
    ("length mismatch", "a message of the client's is malformed"),
    ("decode", "a message of the client's is malformed"),
)


def handshakeFailure(reason: Failure) -> str:
    """
    Say why a handshake failed.

    @param reason: what C{connectionLost} of the protocol within was told.
    @return: one sentence without its full stop; OpenSSL's words where there are none of
        ours, and no octet of the client's.
    """
    error = reason.value
    if isinstance(error, NoCommonProtocol):
        return "the client asks by ALPN for protocols that are not spoken here"
    if isinstance(error, SSL.Error):
        return _translated(error)
    if isinstance(error, ConnectionAborted):
        return "the proxy gave up"
    if isinstance(error, ConnectionDone | ConnectionLost):
        return "the client closed in the middle of the handshake"
    return "the connection was lost in the middle of the handshake"


def reasons(error: SSL.Error) -> list[str]:
    """
    What OpenSSL says.

    @return: its own words, the cause before the functions that passed it on; there may be
        none.
    """
    errors = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return [str(each[-1]) or "an unknown reason" for each in errors]


def _translated(error: SSL.Error) -> str:
    """
    Put OpenSSL's words into ours.
    """
    own = reasons(error)
    for reason in own:
        words = reason.lower().replace("_", " ")
        for part, meaning in _WORDS:
            if part.replace("_", " ") in words:
                return meaning
    return f"OpenSSL: {own[0]}" if own else "the client closed in the middle of the handshake"
