"""
HTTP/1.x messages: the head of a request in, a response out.

Owns the request line (RFC 9112 sections 2, 3 and 11.1), the rules for a CONNECT
that a message can break by itself (RFC 9110 section 9.3.6, RFC 9112 section 3.2),
and the writing of responses of our own.  It knows octets only: no transport, no
clock, no policy; what a target means is L{connectproxy.address}'s to say.  Field
lines are L{connectproxy.wire.grammar}'s, and L{connectproxy.wire.section} tells
lines apart.

Where the RFC lets a server be lenient this one is strict: what two parsers read
differently, one of them can be tricked with.  So lines end with CRLF and nothing
else, a folded field is refused, and nothing is repaired.

Left out: bodies and their framing (L{connectproxy.wire.framing}), the heads of
others' responses (L{connectproxy.wire.response}).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from connectproxy.address import validHostField
from connectproxy.errors import Refusal
from connectproxy.wire.grammar import (
    FIELD,
    NOT_TCHAR,
    TCHAR,
    VALUE_OCTET,
    Limits,
    escape,
    firstBad,
    readFields,
)
from connectproxy.wire.section import SectionReader

__all__ = [
    "CONNECTED",
    "EMPTY_LINES",
    "HeadReader",
    "Limits",
    "RequestHead",
    "checkConnect",
    "checkHost",
    "escape",
    "formatResponse",
]

EMPTY_LINES = 4
"""How many empty lines may come before a request line; RFC 9112 section 2.2 wants at least one."""

_HEAD = re.compile(
    rb"(?:\r\n){0,%d}(%b++) ([!-~]++) HTTP/1\.([0-9])\r\n((?:%b++:%b*+\r\n)*+)\r\n"
    % (EMPTY_LINES, TCHAR, TCHAR, VALUE_OCTET)
)
"""
A whole head in one go.  Every repetition ends at an octet that it can't contain:
there is one way to match, so it keeps no others in mind, which would cost memory.
"""

_REQUEST_LINE = re.compile(rb"(%b+) ([!-~]+) HTTP/([0-9])\.([0-9])" % TCHAR)
"""RFC 9112 section 3: request-line = method SP request-target SP HTTP-version"""

_STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} %b*" % VALUE_OCTET)
"""RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]"""

_NOT_VCHAR = re.compile(rb"[^!-~]")
_NO_LINE = re.compile(TCHAR.replace(b"[", rb"[^\r\n", 1))
"""What no line before the fields begins with, however it goes on."""

_STRANGERS = {
    b"\x16": "looks like a TLS handshake; this port speaks plain HTTP",
    b"\x05": "looks like SOCKS 5; this port speaks HTTP",
    b"\x04": "looks like SOCKS 4; this port speaks HTTP",
    b"\x00": "looks like a PROXY protocol header, version 2; this port expects none",
    b"PROXY ": "looks like a PROXY protocol header, version 1; this port expects none",
    b"PRI * HTTP/2.0": "looks like the preface of HTTP/2; this port speaks HTTP/1.1",
}
"""How what is no HTTP/1.x begins, and what to call it."""


class RequestHead(NamedTuple):
    """
    The head of a request.

    @ivar method: the method as it came, for methods are case-sensitive.
    @ivar target: the request target, visible ASCII, not looked into.
    @ivar minor: the minor version, 0 or 1; RFC 9110 section 2.5 takes more for 1.
    @ivar fields: names in lower case, and values without the whitespace around
        them, in the order of arrival.
    """

    method: str
    target: bytes
    minor: int
    fields: tuple[tuple[bytes, bytes], ...]

    def __repr__(self) -> str:
        """Without the target and the fields: there may be secrets in them."""
        return f"<{type(self).__name__} {self.method} with {len(self.fields)} fields>"

    def values(self, name: bytes) -> list[bytes]:
        """The values of the field lines of one name, given in lower case, in the order of arrival."""
        return [value for known, value in self.fields if known == name]


class HeadReader(SectionReader[RequestHead]):
    """
    Reads the head of one request, in whatever pieces it comes.

    The verdict depends on the octets alone, not on how they were cut.  No more
    is held than the limits allow, and no octet is searched twice.

    @ivar started: whether any octet has come.
    @ivar leftover: what came behind the head's blank line; empty until there is
        a head, and after a refusal.
    """

    __slots__ = ()

    _BAD = "http_request_error"
    _LONG = "http_request_line_too_long"
    _LARGE = "http_request_fields_too_large"
    _EMPTIES = EMPTY_LINES

    @property
    def soFar(self) -> tuple[str, str]:
        """
        The method and the target as far as they have come, for an event: escaped,
        cut, and without the userinfo and the query.
        """
        if isinstance(self._verdict, RequestHead):
            return self._verdict.method, _shown(self._verdict.target, 300)
        method, _, rest = self._begun().partition(b" ")
        return escape(method), _shown(rest.partition(b" ")[0], 300)

    def receive(self, octets: bytes) -> RequestHead | Refusal | None:
        """
        Take what has come.

        @return: the head, once it is complete; a refusal, as soon as it can't be
            one; L{None} while more is needed.
        @raise RuntimeError: there has been a head or a refusal before.
        """
        if self._verdict is not None:
            self._unread()
        if octets and not self.started:
            self.started = True
            limits = self._limits
            # A head no longer than the smallest limit keeps them all, so none is measured.
            found = _HEAD.match(octets, 0, min(limits.line, limits.fieldLine, limits.section))
            if found is not None:
                method, target, minor, section = found.groups()
                fields = readFields(section)
                if len(fields) <= limits.fields:
                    self.leftover = octets[found.end() :]
                    self._verdict = RequestHead(method.decode(), target, int(minor != b"0"), tuple(fields))
                    return self._verdict
        return self._receive(octets)

    def _begun(self) -> bytes:
        """The request line as far as it has come."""
        begun = self._held[self._start : self._start + self._limits.line]
        return self._opening or bytes(re.split(rb"[\r\n]", begun, maxsplit=1)[0])

    def _begins(self) -> Refusal | None:
        if (first := _NO_LINE.match(self._held, self._start)) is None:
            return None
        return _bad(_stranger(first[0]) or f"line 1 begins with the octet {first[0][0]:#04x}")

    def _open(self, line: bytes) -> tuple[str, bytes, int] | Refusal:
        return _parseRequestLine(line)

    def _build(self) -> RequestHead:
        method, target, minor = self._first
        return RequestHead(method, target, minor, tuple(self._fields))

    def _close(self) -> None:
        self._opening = self._begun()


def _parseRequestLine(line: bytes) -> tuple[str, bytes, int] | Refusal:
    """The method, the target and the minor version, or what is wrong."""
    found = _REQUEST_LINE.fullmatch(line)
    if found is not None:
        method, target, major, minor = found.groups()
        if major == b"1":
            return method.decode(), target, int(minor != b"0")
        detail = _stranger(line) or f"the version is HTTP/{int(major)}.{int(minor)}"
        return Refusal("http_version_not_supported", detail)
    method, _, rest = line.partition(b" ")
    target, _, version = rest.partition(b" ")
    return _bad(
        _stranger(line)
        or firstBad(NOT_TCHAR, method, 0, "line 1: the method has")
        or firstBad(_NOT_VCHAR, target, len(method) + 1, "line 1: the target has")
        or ("line 1: there is no version; HTTP/0.9 is not served" if target and not version else "")
        or "line 1 is not a method, a target and HTTP/1.0 or HTTP/1.1 with one space between them"
    )


def _bad(detail: str) -> Refusal:
    return Refusal("http_request_error", detail)


def _stranger(beginning: bytes) -> str:
    """What speaks there, if it is somebody known."""
    return next((name for known, name in _STRANGERS.items() if beginning.startswith(known)), "")


def _shown(target: bytes, most: int = 60) -> str:
    """As L{escape}, with dots instead of the userinfo, the query and the fragment, which can be secrets."""
    _, userinfo, rest = target.rpartition(b"@")
    rest, fragment, _ = rest.partition(b"#")
    plain, query, _ = rest.partition(b"?")
    start, end = "...@" if userinfo else "", "#..." if fragment else ""
    return start + escape(plain, most) + ("?..." if query else "") + end


def checkConnect(head: RequestHead) -> Refusal | None:
    """
    Judge what a CONNECT may and must say beside its target.

    It has no content (RFC 9110 section 9.3.6), so that a request which announces
    some is refused before anybody could disagree about where it ends.  The Host
    field must be there and valid (RFC 9112 section 3.2) but may differ from the
    target, which alone decides: clients are known to leave the port away.
    C{Expect} is ignored: there is no content to wait for (RFC 9110 section 10.1.1).
    """
    names = [name for name, _ in head.fields]
    if b"transfer-encoding" in names:
        return _bad("there is a Transfer-Encoding; a CONNECT has no content")
    if b"content-length" in names:
        lengths = head.values(b"content-length")
        if len(lengths) > 1:
            return _bad(f"there are {len(lengths)} Content-Length fields; a CONNECT has no content")
        if lengths[0] != b"0":
            return _bad(f"the Content-Length is {escape(lengths[0])}; a CONNECT has no content")
    return checkHost(head)


def checkHost(head: RequestHead) -> Refusal | None:
    """
    Judge the Host field: one in HTTP/1.1, no more than one in HTTP/1.0, and a
    valid value (RFC 9112 section 3.2), whatever the target is.
    """
    hosts = head.values(b"host")
    if len(hosts) > 1:
        return _bad(f"there are {len(hosts)} Host fields; there must be one")
    if not hosts:
        return _bad("there is no Host field; HTTP/1.1 demands one") if head.minor else None
    if not validHostField(hosts[0]):
        return _bad(f"the Host field is not host or host:port: {_shown(hosts[0])}")
    return None


def formatResponse(status: int, reason: str, fields: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """
    Write a whole response.

    The version is HTTP/1.1 whatever the client's: it says what the server can do,
    and does not change how the message is read (RFC 9110 section 2.5, RFC 9112
    section 2.3).  Where the fields have no C{Content-Length} it is added to a
    response with a body and to every one from 300 on: a reader would otherwise
    wait for the end of the connection.  A success of CONNECT goes without.

    @param status: 100 to 599.
    @param body: the content; none for 1xx and 204.
    @raise ValueError: what is given is no valid response, which is our own bug.
    """
    lines = [f"HTTP/1.1 {status} {reason}".encode("latin-1")]
    if _STATUS_LINE.fullmatch(lines[0]) is None:
        raise ValueError(f"{lines[0]!r} is no status line of 100 to 599 without control characters")
    if body and (status < 200 or status == 204):
        raise ValueError(f"a response with status {status} has no content (RFC 9110 section 15)")
    framed = False
    for name, value in fields:
        line = f"{name}: {value}".encode("latin-1")
        if FIELD.fullmatch(line) is None or ":" in name:
            raise ValueError(f"the field {name!r} has a character that names or values must not have")
        framed = framed or name.lower() in ("content-length", "transfer-encoding")
        lines.append(line)
    if not framed and (body or status >= 300):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


CONNECTED = formatResponse(200, "Connection established", ())
"""
The success of a CONNECT: what follows the blank line is the tunnel's, so that
there is neither C{Content-Length} nor C{Transfer-Encoding} (RFC 9110 section 9.3.6).
"""
