"""
The fields that go on to the next hop, and those that don't.

Owns which fields are about one connection only (RFC 9110 section 7.6.1) and how
fields are written on: in their order, under one spelling of their names, with
nothing repaired, for they have been read strictly.  HTTP/1 and HTTP/2 share it.

Names are written as RFC 9110 writes them, or in its manner, whatever came in:
C{content-type} goes out as C{Content-Type}.  They mean the same, but programs that
compare names by their case expect this one, and HTTP/2 has lower case only.

Left out: the fields that a hop adds by itself (L{connectproxy.wire.forwarding}).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache

__all__ = ["HOP_BY_HOP", "connectionOptions", "elements", "endToEnd", "writeFields"]

HOP_BY_HOP = frozenset(
    b"""
    connection http2-settings keep-alive proxy-authenticate proxy-authentication-info
    proxy-authorization proxy-connection te transfer-encoding upgrade
    """.split()
)
"""What is about one connection even where C{Connection} does not say so."""

KEPT_OPTIONS = 256
"""How many values of C{Connection} are kept read, each of at most L{KEPT_OCTETS}."""

KEPT_OCTETS = 100

KEPT_NAMES = 512
"""How many unusual names are kept with their spelling, each of at most L{KEPT_OCTETS}."""

_SPELT = b"""
    Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
    Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin
    Access-Control-Expose-Headers Access-Control-Max-Age Access-Control-Request-Headers
    Access-Control-Request-Method Age Allow Alt-Svc Authorization CDN-Cache-Control CDN-Loop
    Cache-Control Clear-Site-Data Content-Disposition Content-Encoding Content-Language
    Content-Length Content-Location Content-MD5 Content-Range Content-Security-Policy Content-Type
    Cookie DNT DPoP Date ETag Expect Expires Forwarded From Host If-Match If-Modified-Since
    If-None-Match If-Range If-Unmodified-Since Last-Modified Link Location MIME-Version
    Max-Forwards NEL Origin P3P Pragma Priority Proxy-Status Range Referer Referrer-Policy Refresh
    Report-To Retry-After SOAPAction Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest
    Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-WebSocket-Accept
    Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server
    Server-Timing Set-Cookie SourceMap Strict-Transport-Security Timing-Allow-Origin Trailer
    Upgrade-Insecure-Requests User-Agent Vary Via WWW-Authenticate Warning X-Content-Type-Options
    X-DNS-Prefetch-Control X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Frame-Options
    X-Powered-By X-Real-IP X-Request-ID X-Requested-With X-UA-Compatible X-XSS-Protection
""".split()

_BEFORE = {name.lower(): b"\r\n%b: " % name for name in _SPELT}
"""What stands in front of the value of a field that goes on, by its name."""

_unusual: dict[bytes, bytes] = {}

_HARMLESS = frozenset((b"close", b"keep-alive", b"upgrade", b"te")) | HOP_BY_HOP
"""Options of C{Connection} that remove no field which is not removed anyway."""

_Field = tuple[bytes, bytes]


def elements(values: Iterable[bytes]) -> list[bytes]:
    """The elements of lists, in lower case, without empty ones (RFC 9110 section 5.6.1)."""
    parts = [part.strip(b" \t") for part in b",".join(values).lower().split(b",")]
    return [part for part in parts if part]


def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(elements([value]))


_optionsKept = lru_cache(KEPT_OPTIONS)(_options)


def connectionOptions(fields: Iterable[_Field]) -> frozenset[bytes]:
    """
    The options of C{Connection} (RFC 9110 section 7.6.1), in lower case: names of
    fields, C{close} and C{keep-alive}.
    """
    found: frozenset[bytes] = frozenset()
    for name, value in fields:
        if name == b"connection":
            found |= _optionsKept(value) if len(value) <= KEPT_OCTETS else _options(value)
    return found


def endToEnd(fields: Sequence[_Field]) -> list[_Field]:
    """
    The fields that are not about one connection only, in their order.

    @param fields: names in lower case, and values.
    """
    dropped = HOP_BY_HOP | connectionOptions(fields)
    return [field for field in fields if field[0] not in dropped]


def writeFields(fields: Sequence[_Field], dropped: Container[bytes], parts: list[bytes]) -> None:
    """
    Write those fields that go on: each as CRLF, its name, a colon, a space and its
    value.  Not written are L{HOP_BY_HOP} and what C{Connection} names.

    @param fields: names in lower case, and values, known to be valid.
    @param dropped: names of others that are not written.
    @param parts: where what is written is added, in pieces to be joined.
    """
    begun = len(parts)
    for name, value in fields:
        before = _BEFORE.get(name)
        if before is None:
            if name in HOP_BY_HOP:
                if name == b"connection" and connectionOptions([(name, value)]) - _HARMLESS:
                    break
                continue
            before = _unusual.get(name) or _spell(name)
        if name not in dropped:
            parts += (before, value)
    else:
        return
    # Somebody names fields: they are to be gone wherever they stand.
    del parts[begun:]
    rest = [field for field in endToEnd(fields) if field[0] not in dropped]
    writeFields(rest, (), parts)


def _spell(name: bytes) -> bytes:
    """What stands in front of the value of a field with an unusual name."""
    before = b"\r\n%b: " % b"-".join([word.capitalize() for word in name.split(b"-")])
    if len(name) <= KEPT_OCTETS:
        if len(_unusual) >= KEPT_NAMES:
            _unusual.clear()
        _unusual[name] = before
    return before
