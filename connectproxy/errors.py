"""
Every kind of refusal, one row each.

A peer's mistake is a value here, never an exception: a L{Refusal} names a row
of L{KINDS} and adds a detail in words.  The row says what each dialect makes of
it: the HTTP status, the error type of the C{Proxy-Status} field (RFC 9209
section 2.3), the reply codes of SOCKS 5 (RFC 1928 section 6) and SOCKS 4, and
the error code of an HTTP/2 stream that is past its response (RFC 9113 section
7).  The row's name is the code in the access events.  Listeners look here and
keep no table of their own.

Where RFC 9209 has one error type for what deserves several statuses
(C{http_request_error}), the rows' names go on from the type's name.

This module knows no Twisted and no policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["KINDS", "Kind", "Refusal", "Refused"]


_PHRASES = {414: "URI Too Long"}
"""RFC 9110's phrases where older releases of Python have those of RFC 2616."""


class Kind(NamedTuple):
    """
    What one kind of refusal is called in each dialect.

    @ivar name: the code in events and metrics; the RFC 9209 error type, or a
        name that goes on from it.
    @ivar status: the HTTP status code of the answer, 400 to 599.
    @ivar proxyStatus: the RFC 9209 error type.
    @ivar socks5: the REP octet of RFC 1928 section 6, 1 to 8.
    @ivar socks4: the CD octet of a SOCKS 4 reply, 91 to 93.
    @ivar h2: the name of the RFC 9113 section 7 error code that resets a stream.
    @ivar cause: for people: what has happened, one sentence.
    @ivar remedy: for people: what to do about it, one sentence.
    """

    name: str
    status: int
    proxyStatus: str
    socks5: int
    socks4: int
    h2: str
    cause: str
    remedy: str

    @property
    def reason(self) -> str:
        """The reason phrase that goes with the status."""
        return _PHRASES.get(self.status) or HTTPStatus(self.status).phrase


_ROWS = (
    Kind(
        "http_request_error", 400, "http_request_error", 1, 91, "PROTOCOL_ERROR",
        "The request is not valid HTTP, or its target is not host:port.",
        "Send CONNECT host:port HTTP/1.1 with one Host field and no content; IPv6 goes in brackets.",
    ),
    Kind(
        "http_request_timeout", 408, "http_request_error", 1, 91, "CANCEL",
        "The head of the request did not arrive in time.",
        "Send the whole head at once; the operator can raise timeouts.head.",
    ),
    Kind(
        "http_request_line_too_long", 414, "http_request_error", 1, 91, "ENHANCE_YOUR_CALM",
        "The request line is longer than the limit.",
        "Shorten the target.",
    ),
    Kind(
        "http_request_fields_too_large", 431, "http_request_error", 1, 91, "ENHANCE_YOUR_CALM",
        "The header fields are too many or too large.",
        "Send fewer or shorter fields; a CONNECT needs little more than Host.",
    ),
    Kind(
        "http_request_denied", 403, "http_request_denied", 2, 91, "CANCEL",
        "A rule of the proxy's policy denies the request.",
        "Ask the operator of the proxy to allow the destination; the rule is named in the answer.",
    ),
    Kind(
        "http_method_not_implemented", 501, "proxy_internal_response", 7, 91, "CANCEL",
        "The proxy does not serve this method.",
        "Use CONNECT: for an https URL every client does so by itself.",
    ),
    Kind(
        "http_version_not_supported", 505, "proxy_internal_response", 1, 91, "CANCEL",
        "The request is not HTTP/1.0 or HTTP/1.1.",
        "Speak HTTP/1.1 to this port.",
    ),
    Kind(
        "destination_ip_prohibited", 403, "destination_ip_prohibited", 2, 91, "CANCEL",
        "Every address of the destination is one that the policy keeps closed.",
        "If the destination is meant to be reached, the operator can open its network with allow-network.",
    ),
    Kind(
        "destination_ip_unroutable", 502, "destination_ip_unroutable", 3, 91, "CONNECT_ERROR",
        "The proxy has no route to the destination's address.",
        "Check the address and the proxy's own network.",
    ),
    Kind(
        "destination_unavailable", 503, "destination_unavailable", 4, 91, "CONNECT_ERROR",
        "The connection to the destination could not be made.",
        "Try again later; the detail has the system's own words.",
    ),
    Kind(
        "dns_error", 502, "dns_error", 4, 91, "CONNECT_ERROR",
        "The destination's name has no address.",
        "Check the spelling; the name is looked up as it stands, without a search list.",
    ),
    Kind(
        "dns_timeout", 504, "dns_timeout", 4, 91, "CONNECT_ERROR",
        "The look-up of the destination's name took too long.",
        "Try again; if it stays so, the proxy's resolver is slow or cut off.",
    ),
    Kind(
        "connection_refused", 502, "connection_refused", 5, 91, "CONNECT_ERROR",
        "The destination refused the connection.",
        "Check that something listens on that port.",
    ),
    Kind(
        "connection_terminated", 502, "connection_terminated", 1, 91, "CONNECT_ERROR",
        "The connection to the destination ended while it was being made.",
        "Try again; if it stays so, look at the destination's side.",
    ),
    Kind(
        "connection_timeout", 504, "connection_timeout", 6, 91, "CONNECT_ERROR",
        "The destination did not answer in time.",
        "Check that it is up and not behind a firewall; the operator can raise timeouts.connect.",
    ),
    Kind(
        "connection_limit_reached", 503, "connection_limit_reached", 1, 91, "REFUSED_STREAM",
        "The proxy carries as many tunnels, or looks up as many names, as it is allowed to.",
        "Try again later; the operator can raise limits.tunnels.",
    ),
    Kind(
        "proxy_loop_detected", 502, "proxy_loop_detected", 2, 91, "CONNECT_ERROR",
        "The destination is this proxy itself.",
        "Name the origin, not the proxy, as the target.",
    ),
    Kind(
        "proxy_draining", 503, "proxy_internal_response", 1, 91, "REFUSED_STREAM",
        "The proxy is being stopped and takes no new tunnels.",
        "Try again, at another instance if there is one.",
    ),
    Kind(
        "proxy_exhausted", 503, "proxy_internal_error", 1, 91, "REFUSED_STREAM",
        "The proxy has run out of file descriptors or memory for sockets.",
        "Try again later; the operator can raise the limit of open files (ulimit -n).",
    ),
    Kind(
        "proxy_internal_error", 500, "proxy_internal_error", 1, 91, "INTERNAL_ERROR",
        "The proxy failed; this is a bug in it.",
        "Report it with the traceback from the proxy's log.",
    ),
)  # fmt: skip

KINDS: Mapping[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
"""Every kind of refusal by its name, in the order of the documentation."""


class Refusal(NamedTuple):
    """
    Why a request gets no tunnel.

    @ivar kind: a name in L{KINDS}.
    @ivar detail: what in particular was wrong, for the client and the log: one
        sentence without its full stop, no octets of the peer unescaped, no
        address that the client did not name itself.
    @ivar rule: the name of the policy rule that refused, or C{""}.
    """

    kind: str
    detail: str = ""
    rule: str = ""

    @property
    def row(self) -> Kind:
        """The row of L{KINDS} that this refusal names."""
        return KINDS[self.kind]


class Refused(Exception):
    """
    A L{Refusal} where only an exception can travel: the failure of a Deferred.

    @ivar refusal: the value.
    @ivar tried: the attempts that were made before, oldest first: tuples as
        L{connectproxy.interfaces.Attempt} names them.
    @ivar resolved: when the name had been looked up, in seconds of the reactor's
        clock; 0.0 where it had not, or nothing was looked up.
    """

    def __init__(
        self, refusal: Refusal, tried: tuple[tuple[str, str, float], ...] = (), resolved: float = 0.0
    ) -> None:
        Exception.__init__(self, refusal.kind, refusal.detail)
        self.refusal = refusal
        self.tried = tried
        self.resolved = resolved
