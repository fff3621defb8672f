"""
What an endpoint's Deferred fails with when a proxy does not let it through.

All of it is a L{twisted.internet.error.ConnectError}, so that whoever tries again after
those does so here.  The kinds are rows of L{connectproxy.errors.KINDS}: HTTP, SOCKS and TLS
share one list, and a program need not know which of them is spoken.

What fails before a proxy has been reached is none of these: the endpoint that leads to it
has its own failures, which go on unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.error import ConnectError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from connectproxy.errors import Refusal
from connectproxy.tls import handshakeRefusal
from connectproxy.tls.failure import reasons
from connectproxy.wire.grammar import escape

if TYPE_CHECKING:
    from connectproxy.wire.response import ResponseHead

__all__ = [
    "ProxyAuthenticationError",
    "ProxyConnectError",
    "ProxyTimeoutError",
    "errorFor",
    "lostRefusal",
]


class ProxyConnectError(ConnectError):
    """
    A proxy has been reached, and does not lead to the destination.

    @ivar kind: what has happened: the name of a row of L{connectproxy.errors.KINDS}, such as
        C{"next_hop_denied"}, C{"connection_refused"} or C{"dns_error"}.
    @ivar detail: the same for people: one sentence without its full stop, without
        credentials, and without an octet of the proxy's unescaped.
    @ivar status: the status that a proxy which speaks HTTP has answered with, 100 to 599;
        L{None} where there is none.
    @ivar reason: its reason phrase, escaped; or empty.
    @ivar headers: the fields of that answer; none where there is no answer.
    @ivar proxyStatus: the members of its C{Proxy-Status} field (RFC 9209), printable ASCII;
        empty where there are none, or they are not valid.
    @ivar reply: the number by which a proxy that speaks SOCKS has answered: 1 to 255 in
        SOCKS 5 (RFC 1928 section 6), 91 to 93 in SOCKS 4; L{None} where it has not.
    """

    def __init__(
        self, refusal: Refusal, response: ResponseHead | None = None, reply: int | None = None
    ) -> None:
        """
        @param refusal: what has become of it.
        @param response: the head of the answer, if HTTP is spoken and there was one.
        @param reply: see above.
        """
        ConnectError.__init__(self, None, refusal.detail)
        self.kind = refusal.kind
        self.detail = refusal.detail
        self.proxyStatus = refusal.members
        self.reply = reply
        self.status: int | None = None
        self.reason = ""
        self.headers = Headers()
        if response is not None:
            self.status = response.status
            self.reason = escape(response.reason)
            for name, value in response.fields:
                self.headers.addRawHeader(name, value)

    def __str__(self) -> str:
        return self.detail

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind}: {self.detail}>"


class ProxyAuthenticationError(ProxyConnectError):
    """
    The proxy wants to know who asks: it has been told nothing, or rejects what it was told.
    """


class ProxyTimeoutError(ProxyConnectError, ConnectTimeout):
    """
    It took too long: the proxy did not answer in time, or says that of the destination.
    """


_CLASSES: dict[str, type[ProxyConnectError]] = {
    "next_hop_authentication_failed": ProxyAuthenticationError,
    "next_hop_silent": ProxyTimeoutError,
    "next_hop_timeout": ProxyTimeoutError,
    "connection_timeout": ProxyTimeoutError,
    "dns_timeout": ProxyTimeoutError,
}


def errorFor(
    refusal: Refusal, response: ResponseHead | None = None, reply: int | None = None
) -> ProxyConnectError:
    """
    Make an exception of a refusal.

    @return: of the class that is the kind's.
    """
    return _CLASSES.get(refusal.kind, ProxyConnectError)(refusal, response, reply)


def lostRefusal(reason: Failure, who: str) -> Refusal:
    """
    What it comes to that a connection was lost before the proxy had answered.

    @param reason: what C{connectionLost} was told.
    @param who: the proxy, as in C{"the next hop corp"}.
    """
    # A VerificationError is what Twisted ends a handshake with where the name is another.
    if isinstance(reason.value, VerificationError | CertificateError):
        return Refusal("tls_certificate_error", f"the certificate of {who} is for another name")
    if _unverified(reason.value):
        return Refusal("tls_certificate_error", f"the certificate of {who} can't be verified")
    refusal = handshakeRefusal(reason, who)
    if refusal is not None:
        return refusal
    return Refusal("next_hop_gone", f"{who} closed the connection before it had answered")


def _unverified(error: BaseException | None) -> bool:
    """
    Whether OpenSSL has rejected a certificate.
    """
    return isinstance(error, SSL.Error) and any(
        words.lower().replace("_", " ") == "certificate verify failed" for words in reasons(error)
    )
