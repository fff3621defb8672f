"""
Heads on their way through: a request from the client made into one for the origin,
a response from the origin into one for the client.

Owns what RFC 9110 section 7.6 and RFC 9112 section 3.2.2 demand of a proxy: which
fields go on and which are made anew, C{Via}, C{Max-Forwards}, loops; when a
connection persists (RFC 9112 section 9.3); and upgrades (RFC 9110 section 7.8).
All of it is pure: heads in, octets or values out.

A head is never passed on as it came but written from what was read, so that the
next hop can't read anything else in it.  Fields keep their order and values.

A next hop that is a proxy itself is asked in absolute-form, as a L{HopForm} writes it.

What delimits the bodies is L{connectproxy.wire.framing}'s to find out and the
caller's to say; policy, credentials and caches are nobody's here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from connectproxy.address import validHostField
from connectproxy.errors import Refusal
from connectproxy.wire.fields import connectionOptions, elements, endToEnd, writeFields
from connectproxy.wire.framing import Delimiter, Framing
from connectproxy.wire.grammar import escape
from connectproxy.wire.hopform import HopForm, requestLine
from connectproxy.wire.http1 import RequestHead, checkHost
from connectproxy.wire.response import ResponseHead
from connectproxy.wire.target import Target, parseTarget, readAuthority, targetForm

__all__ = [
    "SAFE",
    "UPGRADE",
    "HopForm",
    "Target",
    "checkRequest",
    "endToEnd",
    "formatInterim",
    "formatOriginHead",
    "formatRequest",
    "formatResponseHead",
    "loops",
    "maxForwards",
    "parseTarget",
    "persistent",
    "readAuthority",
    "switching",
    "targetForm",
    "upgradeOffered",
]

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""
The methods whose requests may go out twice (RFC 9110 section 9.2.1).  Others are
idempotent as well, but what a client does about those it can decide better.
"""

UPGRADE = b"websocket"
"""The one protocol that a connection is upgraded to (RFC 6455 section 4)."""

_MOST_FORWARDS = 10**9
"""Greater values of C{Max-Forwards} are taken for this one; no way is so long."""

_NEVER_NAMED = frozenset(
    b"""
    accept accept-encoding accept-language age authorization cache-control cdn-loop content-encoding
    content-language content-length content-location content-range content-type cookie date expect
    forwarded from host if-match if-modified-since if-none-match if-range if-unmodified-since
    max-forwards origin pragma range referer set-cookie user-agent vary via www-authenticate
    x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip
    """.split()
)
"""Fields that are for the origin: to name one in C{Connection} is to have it taken away on the way."""

_MADE_ANEW = frozenset((b"host", b"content-length"))
_FORWARDS = frozenset((b"host", b"content-length", b"max-forwards"))
_LENGTH = frozenset((b"content-length",))
_EXPECT = frozenset((b"expect",))

_DIGITS = re.compile(rb"[0-9]+")

_LONGEST_HOST = 300
"""As in L{connectproxy.address}: what is longer gets no place in the cache."""

_validHost = lru_cache(1024)(validHostField)


def checkRequest(head: RequestHead) -> Refusal | None:
    """
    Judge what a request that is to be forwarded says beside its target and its body.

    The Host field must be there and valid (RFC 9112 section 3.2); nothing else is
    made of it.  C{Connection} must not name a field that is meant for the origin:
    nobody but who wants it not to arrive has a reason to (RFC 9110 section 7.6.1).

    @return: L{None}, or a refusal of kind C{http_request_error}.
    """
    host = None
    for name, value in head.fields:
        if name == b"host":
            valid = _validHost if len(value) <= _LONGEST_HOST else validHostField
            if host is not None or not valid(value):
                return checkHost(head)
            host = value
        elif name == b"connection":
            wrong = connectionOptions([(name, value)]) & _NEVER_NAMED
            if wrong:
                named = escape(min(wrong))
                return Refusal(
                    "http_request_error", f"the Connection field names {named}, which is for the origin"
                )
    return checkHost(head) if host is None else None


def loops(head: RequestHead, pseudonym: bytes) -> bool:
    """
    Whether a request has been here before: C{Via} (RFC 9110 section 7.6.3) or
    C{CDN-Loop} (RFC 8586) names us.

    @param pseudonym: what we call ourselves in C{Via}; a token, of no more than one instance.
    """
    ours = pseudonym.lower()
    for name, value in head.fields:
        if name == b"via" and ours in value.lower():
            # received-protocol RWS received-by [ RWS comment ]
            if any(ours in element.split()[1:2] for element in elements([value])):
                return True
        elif name == b"cdn-loop" and ours in value.lower():
            # cdn-id *( OWS ";" OWS parameter )
            if any(ours == element.partition(b";")[0].strip() for element in elements([value])):
                return True
    return False


def maxForwards(head: RequestHead) -> int | Refusal | None:
    """
    How often a TRACE or OPTIONS may still be forwarded (RFC 9110 section 7.6.2).

    @return: L{None} if it does not say, and for every other method; 0 if we are to
        answer it; otherwise give one less to L{formatRequest}.  A refusal of kind
        C{http_request_error} if it is no number, or there several times.
    """
    if head.method not in ("OPTIONS", "TRACE"):
        return None
    values = head.values(b"max-forwards")
    if not values:
        return None
    if len(values) > 1:
        return Refusal(
            "http_request_error", f"there are {len(values)} Max-Forwards fields; there must be one"
        )
    if _DIGITS.fullmatch(values[0]) is None:
        return Refusal("http_request_error", f"the Max-Forwards is no number: {escape(values[0])}")
    return int(values[0]) if len(values[0]) < 10 else _MOST_FORWARDS


def persistent(head: RequestHead | ResponseHead) -> bool:
    """
    Whether the connection may go on after the message (RFC 9112 section 9.3), as
    far as the head tells: not if the body goes on until its end.

    A C{keep-alive} from HTTP/1.0 is not listened to: on the client's side a proxy
    must not, and on the origin's side it is not worth what could go wrong.
    """
    for name, value in head.fields:
        if name == b"connection" and b"close" in connectionOptions([(name, value)]):
            return False
    return bool(head.minor)


def upgradeOffered(head: RequestHead | ResponseHead) -> tuple[bytes, ...]:
    """
    The protocols in C{Upgrade}, in lower case and in their order; none where
    C{Connection} does not say so, or in HTTP/1.0 (RFC 9110 section 7.8).
    """
    for name, _ in head.fields:
        if name == b"upgrade":
            break
    else:
        return ()
    if not head.minor or b"upgrade" not in connectionOptions(head.fields):
        return ()
    return tuple(elements(head.values(b"upgrade")))


def switching(head: ResponseHead) -> bool:
    """
    Whether a response changes the connection to L{UPGRADE}.  A 101 that does not
    is a failure: nothing else was asked for.
    """
    return head.status == 101 and upgradeOffered(head) == (UPGRADE,)


def formatRequest(
    head: RequestHead,
    target: Target,
    via: bytes,
    *,
    framing: Framing,
    upgrade: bool = False,
    maxForwards: int | None = None,
    form: HopForm | None = None,
) -> bytes:
    """
    Write the head for the origin, or for a next hop.

    @param head: what came, found right by L{checkRequest}.
    @param via: our pseudonym.
    @param framing: that of the body as it goes out.
    @param upgrade: whether to pass the offer of L{UPGRADE} on.
    @param maxForwards: the new value of C{Max-Forwards}, 0 or more.
    @param form: that of the next hop, where it is one and not the origin.
    """
    return formatOriginHead(
        head.method.encode(), target.path, target.hostField, head.fields, via,
        received=b"1.1" if head.minor else b"1.0", framing=framing, upgrade=upgrade, maxForwards=maxForwards,
        form=form,
    )  # fmt: skip


def formatOriginHead(
    method: bytes,
    path: bytes,
    hostField: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    via: bytes,
    *,
    received: bytes,
    framing: Framing,
    upgrade: bool = False,
    maxForwards: int | None = None,
    form: HopForm | None = None,
) -> bytes:
    """
    Write the head of a request for the origin, or for a next hop, whatever version it
    came in.

    It says HTTP/1.1 and has C{Host} first, from the target (RFC 9112 section 3.2.2).
    The connection is not asked to close.

    @param method: a token.
    @param path: the origin form or C{b"*"}.
    @param hostField: the value of C{Host}.
    @param fields: names in lower case, and values, known to be valid for HTTP/1
        (L{connectproxy.wire.http2.readRequest} sees to it); C{Host}, C{Content-Length} and what is about one connection only
        are not taken from them.
    @param via: our pseudonym.
    @param received: the version that the request came in: C{b"1.1"}, C{b"2.0"}.
    @param framing: that of the body as it goes out; not L{CLOSE<connectproxy.wire.framing.CLOSE>}.
    @param upgrade: whether to offer L{UPGRADE}.
    @param maxForwards: as for L{formatRequest}.
    @param form: likewise.
    @raise ValueError: a request has no body that goes on until the end.
    """
    dropped = _MADE_ANEW if maxForwards is None else _FORWARDS
    if received == b"1.0":
        # To be ignored from HTTP/1.0 (RFC 9110 section 10.1.1), which could not be told to go on.
        dropped = dropped | _EXPECT
    begin = requestLine if form is None else form.begin
    parts = [begin(method, path, hostField)]
    writeFields(fields, dropped, parts)
    if upgrade:
        parts.append(b"\r\nConnection: Upgrade\r\nUpgrade: %b" % UPGRADE)
    if maxForwards is not None:
        parts.append(b"\r\nMax-Forwards: %d" % maxForwards)
    kind = framing.kind
    if kind is Delimiter.LENGTH:
        parts.append(b"\r\nContent-Length: %d" % framing.length)
    elif kind is Delimiter.CHUNKED:
        parts.append(b"\r\nTransfer-Encoding: chunked")
    elif kind is Delimiter.CLOSE:
        raise ValueError("the body of a request can't go on until the end: nobody would answer it")
    parts.append(b"\r\nVia: %b %b\r\n\r\n" % (received, via))
    return b"".join(parts)


def formatResponseHead(
    head: ResponseHead,
    via: bytes,
    *,
    framing: Framing,
    close: bool,
    upgrade: bool = False,
    clientMinor: int = 1,
    date: bytes = b"",
) -> bytes:
    """
    Write the head of a final response, or of a 101, for the client.

    @param head: what came from the origin.
    @param via: our pseudonym.
    @param framing: that of the body as it goes out.  For a client of HTTP/1.0 a
        chunked one is written as one until the end: the caller takes it out of its
        chunks.
    @param close: whether the connection ends with this response, as it does in any
        case after a body until the end.
    @param upgrade: whether this is the 101 that L{switching} takes.
    @param clientMinor: the minor version of the client's request.
    @param date: the time of arrival for a response that has no C{Date}, as RFC 9110
        section 5.6.7 writes it; section 6.6.1 demands that who forwards one adds it.
        What time it is, the caller knows.
    """
    status, reason, minor, fields = head
    parts = [b"HTTP/1.1 %d %b" % (status, reason)]
    kind = framing.kind
    # Where there is no body the length is that of what a GET would have got (RFC 9110 section 8.6).
    keeps = kind is Delimiter.NONE and status >= 200 and status != 204
    writeFields(fields, () if keeps else _LENGTH, parts)
    if date and b"\r\nDate: " not in parts:
        parts += (b"\r\nDate: ", date)
    if kind is Delimiter.LENGTH:
        parts.append(b"\r\nContent-Length: %d" % framing.length)
    elif kind is Delimiter.CHUNKED and clientMinor:
        parts.append(b"\r\nTransfer-Encoding: chunked")
    elif kind is not Delimiter.NONE:
        close = True
    if upgrade:
        parts.append(b"\r\nConnection: Upgrade\r\nUpgrade: %b" % UPGRADE)
    elif close:
        parts.append(b"\r\nConnection: close")
    parts.append(b"\r\nVia: 1.%d %b\r\n\r\n" % (minor, via))
    return b"".join(parts)


def formatInterim(head: ResponseHead, via: bytes) -> bytes:
    """
    Write an interim response for the client (RFC 9110 section 15.2).  One of
    HTTP/1.0 must not get it.

    @raise ValueError: it is none, or a 101, after which there is no HTTP.
    """
    if head.status > 199 or head.status == 101:
        raise ValueError(f"{head.status} is no interim response that goes on by itself")
    parts = [b"HTTP/1.1 %d %b" % (head.status, head.reason)]
    writeFields(head.fields, _LENGTH, parts)
    parts.append(b"\r\nVia: 1.%d %b\r\n\r\n" % (head.minor, via))
    return b"".join(parts)
