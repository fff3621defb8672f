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
        "The request is not valid HTTP, or its target is neither host:port nor an http URL.",
        "Send CONNECT host:port or GET http://host/path, with one Host field; IPv6 goes in brackets.",
    ),
    Kind(
        "http_request_timeout", 408, "http_request_error", 1, 91, "CANCEL",
        "The request did not arrive in time.",
        "Send the whole head at once, and content without long pauses; the operator can raise timeouts.head.",
    ),
    Kind(
        "http_request_line_too_long", 414, "http_request_error", 1, 91, "ENHANCE_YOUR_CALM",
        "The request line is longer than the limit.",
        "Shorten the target.",
    ),
    Kind(
        "http_request_fields_too_large", 431, "http_request_error", 1, 91, "ENHANCE_YOUR_CALM",
        "The header fields are too many or too large.",
        "Send fewer or shorter fields; cookies are the usual cause, and a CONNECT needs no more than Host.",
    ),
    Kind(
        "http_request_denied", 403, "http_request_denied", 2, 91, "CANCEL",
        "A rule of the proxy's policy denies the request.",
        "Ask the operator of the proxy to allow the destination; the rule is named in the answer.",
    ),
    Kind(
        # SOCKS 4 has no code for it: 92 and 93 are about identd, which nobody has asked here.
        "proxy_authentication_required", 407, "http_request_denied", 2, 91, "CANCEL",
        "The proxy serves those who say who they are, and the credentials are missing or wrong.",
        "Give the client the user and password of the proxy, as in http://user:password@proxy:8080.",
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
        "socks_request_error", 400, "http_request_error", 1, 91, "PROTOCOL_ERROR",
        "What the client sends is not valid SOCKS, or its destination is no host with a port.",
        "Check that the client speaks SOCKS 5, 4 or 4a, and the name that it was given.",
    ),
    Kind(
        "socks_command_not_supported", 501, "proxy_internal_response", 7, 91, "CANCEL",
        "The proxy does not serve this SOCKS command.",
        "Use CONNECT or, for datagrams in SOCKS 5, UDP ASSOCIATE; BIND is not served.",
    ),
    Kind(
        "socks_address_type_not_supported", 400, "http_request_error", 8, 91, "PROTOCOL_ERROR",
        "The destination of the SOCKS request has an address type that nobody knows.",
        "Send an IPv4 address, an IPv6 address or a name.",
    ),
    Kind(
        "protocol_not_served", 400, "http_request_error", 1, 91, "PROTOCOL_ERROR",
        "The client began with something that this port does not serve.",
        "Speak a protocol that is served here; the operator can say which, with protocols.",
    ),
    Kind(
        "proxy_header_error", 400, "http_request_error", 1, 91, "PROTOCOL_ERROR",
        "The PROXY header before the request is malformed or missing, or came from a stranger.",
        "Let the balancer send one; the operator lists the senders in proxy_protocol_from.",
    ),
    Kind(
        # Only ever in events: who has no TLS can't be told anything.
        "tls_handshake_failed", 400, "http_request_error", 1, 91, "PROTOCOL_ERROR",
        "The client's TLS handshake with the proxy failed.",
        "Let the client trust the proxy's certificate, and show one of its own where that is demanded.",
    ),
    Kind(
        "http_transfer_coding_unsupported", 501, "proxy_internal_response", 1, 91, "CANCEL",
        "The request's body has a transfer coding other than chunked.",
        "Send the body with a Content-Length or chunked, and compress it, if at all, with a Content-Encoding.",
    ),
    Kind(
        "http_scheme_not_supported", 501, "proxy_internal_response", 1, 91, "CANCEL",
        "The proxy forwards requests for http URLs only.",
        "For an https URL ask for a tunnel with CONNECT; every client does so by itself.",
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
        "next_hop_protocol_error", 502, "http_protocol_error", 1, 91, "CONNECT_ERROR",
        "The next hop does not answer as its protocol says, or fails without saying why.",
        "Check what the next hop is, and its log.",
    ),
    Kind(
        "next_hop_denied", 403, "http_request_denied", 2, 91, "CANCEL",
        "The next hop, another proxy, denies the request by a rule of its own.",
        "Ask the operator of this proxy, or of that one, to allow the destination there.",
    ),
    Kind(
        # A client that was asked for credentials would show the next hop's to this proxy, or its own.
        "next_hop_authentication_failed", 502, "proxy_configuration_error", 1, 91, "CONNECT_ERROR",
        "The next hop, another proxy, does not accept the credentials that this proxy has for it, or wants some.",
        "The operator gives this proxy the right ones, with credentials below the upstream.",
    ),
    Kind(
        "next_hop_limit_reached", 429, "connection_limit_reached", 1, 91, "REFUSED_STREAM",
        "The next hop, another proxy, has had too many requests.",
        "Wait as long as Retry-After says, or a while where it is missing, and then try again.",
    ),
    Kind(
        "next_hop_unavailable", 503, "destination_unavailable", 1, 91, "CONNECT_ERROR",
        "The next hop, another proxy, says that it can't serve the request now.",
        "Try again later; if it stays so, look at the next hop's log.",
    ),
    Kind(
        "next_hop_timeout", 504, "connection_timeout", 6, 91, "CONNECT_ERROR",
        "The next hop, another proxy, says that the destination did not answer it in time.",
        "Check that the destination is up, and that the next hop can reach it.",
    ),
    Kind(
        "next_hop_failed", 502, "destination_unavailable", 1, 91, "CONNECT_ERROR",
        "The next hop, another proxy, refuses the request by a status that says no more.",
        "Look at the next hop's log; the detail has the status.",
    ),
    Kind(
        "next_hop_gone", 502, "connection_terminated", 1, 91, "CONNECT_ERROR",
        "The next hop, another proxy, closed the connection before it had answered.",
        "Try again; if it stays so, look at the next hop's log.",
    ),
    Kind(
        "next_hop_silent", 504, "connection_timeout", 6, 91, "CONNECT_ERROR",
        "The next hop, another proxy, took the request and did not answer in time.",
        "Check that the next hop is what it is configured as; the operator can raise timeouts.connect.",
    ),
    Kind(
        "tls_protocol_error", 502, "tls_protocol_error", 1, 91, "CONNECT_ERROR",
        "The TLS handshake with the next hop failed.",
        "Check that the next hop speaks TLS on that port, and which versions.",
    ),
    Kind(
        "tls_certificate_error", 502, "tls_certificate_error", 1, 91, "CONNECT_ERROR",
        "The next hop's certificate is not the one that it should have.",
        "The operator checks the name, the authority (ca) and the pins of the upstream.",
    ),
    Kind(
        "tls_alert_received", 502, "tls_alert_received", 1, 91, "CONNECT_ERROR",
        "The next hop ended the TLS handshake with an alert.",
        "Check whether it wants a certificate of this proxy's; its log says why.",
    ),
    Kind(
        "upstream_unavailable", 503, "destination_unavailable", 1, 91, "CONNECT_ERROR",
        "None of the next hops that could lead there can be used now.",
        "Try again in a while; the operator sees the state of each with connectproxy status.",
    ),
    Kind(
        "http_protocol_error", 502, "http_protocol_error", 1, 91, "INTERNAL_ERROR",
        "The destination's response is not valid HTTP.",
        "The destination has to be repaired; the detail says what is wrong with its response.",
    ),
    Kind(
        "http_response_header_section_size", 502, "http_response_header_section_size", 1, 91, "INTERNAL_ERROR",
        "The destination's response has more or longer header fields than the proxy takes.",
        "Have the destination send fewer or shorter fields; cookies are the usual cause.",
    ),
    Kind(
        "http_response_transfer_coding", 502, "http_response_transfer_coding", 1, 91, "INTERNAL_ERROR",
        "The destination's response has a transfer coding that the proxy did not ask for.",
        "The destination has to send its body with a Content-Length, chunked or until the end.",
    ),
    Kind(
        "http_response_incomplete", 502, "http_response_incomplete", 1, 91, "INTERNAL_ERROR",
        "The destination's response ended before it was complete.",
        "Try again; if it stays so, look at the destination's side.",
    ),
    Kind(
        "http_response_timeout", 504, "http_response_timeout", 1, 91, "INTERNAL_ERROR",
        "The destination took the request and did not respond in time.",
        "Try again; if it stays so, look at why the destination takes so long.",
    ),
    Kind(
        "http_upgrade_failed", 502, "http_upgrade_failed", 1, 91, "INTERNAL_ERROR",
        "The destination changed to another protocol than the one asked for.",
        "Ask for the upgrade again; if it stays so, look at the destination's side.",
    ),
    Kind(
        "connection_limit_reached", 503, "connection_limit_reached", 1, 91, "REFUSED_STREAM",
        "The proxy carries as many tunnels, or looks up as many names, as it is allowed to.",
        "Try again later; the operator can raise limits.tunnels.",
    ),
    Kind(
        "client_limit_reached", 429, "proxy_internal_response", 1, 91, "REFUSED_STREAM",
        "The client has as many tunnels open as one client may have.",
        "Close some, or try again later; the operator can raise limits.tunnels_per_client, or the limit that is named.",
    ),
    Kind(
        "rate_limit_reached", 429, "proxy_internal_response", 1, 91, "REFUSED_STREAM",
        "More tunnels were asked for in a short time than a limit allows.",
        "Wait as long as Retry-After says; the operator can raise the limit, which is named in the answer.",
    ),
    Kind(
        "quota_exceeded", 429, "proxy_internal_response", 2, 91, "REFUSED_STREAM",
        "All octets that a limit allows for its period have been used.",
        "Wait until the next period, as Retry-After says, or ask the operator for more.",
    ),
    Kind(
        "quota_unavailable", 503, "proxy_internal_error", 1, 91, "REFUSED_STREAM",
        "How much of a quota is left can't be found out, since the store that counts it does not answer.",
        "Try again later; the operator finds the store's failure in the proxy's log.",
    ),
    Kind(
        "login_limit_reached", 429, "proxy_internal_response", 2, 91, "REFUSED_STREAM",
        "There were too many wrong credentials from this address, or for this user.",
        "Wait as long as Retry-After says, and then give the right ones.",
    ),
    Kind(
        "proxy_loop_detected", 502, "proxy_loop_detected", 2, 91, "CONNECT_ERROR",
        "The destination is this proxy itself, or the way there leads in a circle.",
        "Name the origin, not the proxy, as the target; the operator checks which proxy leads to which.",
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
    @ivar message: the operator's words on what to do about it, in place of the row's;
        or C{""}.
    @ivar fields: header fields that an answer over HTTP has because of it, such as
        C{Proxy-Authenticate} and C{Retry-After}: names and values, printable ASCII.
    @ivar received: the HTTP status by which the next hop has refused, 100 to 599; 0 where
        none has (RFC 9209 section 2.1.4).
    @ivar members: the members of the C{Proxy-Status} field that the next hop has answered
        with, printable ASCII, which ours is appended to (RFC 9209 section 2); or C{""}.
    """

    kind: str
    detail: str = ""
    rule: str = ""
    message: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    received: int = 0
    members: str = ""

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
    @ivar hop: the name of the upstream that is at fault, where it is one and not the
        destination: another one could do better.  Empty where none is, or who knows.
    @ivar member: the name of the upstream that was gone through, where a group had the
        choice; or C{""}.
    """

    def __init__(
        self,
        refusal: Refusal,
        tried: tuple[tuple[str, str, float], ...] = (),
        resolved: float = 0.0,
        hop: str = "",
        member: str = "",
    ) -> None:
        Exception.__init__(self, refusal.kind, refusal.detail)
        self.refusal = refusal
        self.tried = tried
        self.resolved = resolved
        self.hop = hop
        self.member = member
