"""
HTTP/1.x messages: the head of a request in, a response out.

Owns the grammar of a head (RFC 9112 sections 2 to 5 and 11.1), the limits on it,
the rules for a CONNECT that a message can break by itself (RFC 9110 section
9.3.6, RFC 9112 section 3.2), and the writing of responses.  It knows octets only:
no transport, no clock, no policy; what a target means is
L{connectproxy.address}'s to say.

Where the RFC lets a server be lenient this one is strict: what two parsers read
differently, one of them can be tricked with.  So lines end with CRLF and nothing
else, a folded field is refused, and nothing is repaired.

Left out: bodies and their framing, trailers, the heads of responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from connectproxy.address import validHostField
from connectproxy.errors import Refusal

__all__ = [
    "CONNECTED",
    "EMPTY_LINES",
    "HeadReader",
    "Limits",
    "RequestHead",
    "checkConnect",
    "escape",
    "formatResponse",
]

EMPTY_LINES = 4
"""How many empty lines may come before a request line; RFC 9112 section 2.2 wants at least one."""

_TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""RFC 9110 section 5.6.2: token = 1*tchar"""

_VALUE_OCTET = rb"[\t -~\x80-\xff]"
"""RFC 9110 section 5.5: VCHAR, obs-text, SP and HTAB"""

_HEAD = re.compile(
    rb"(?:\r\n){0,%d}(%b++) ([!-~]++) HTTP/1\.([0-9])\r\n((?:%b++:%b*+\r\n)*+)\r\n"
    % (EMPTY_LINES, _TCHAR, _TCHAR, _VALUE_OCTET)
)
"""
A whole head in one go.  Every repetition ends at an octet that it can't contain:
there is one way to match, so it keeps no others in mind, which would cost memory.
"""

_REQUEST_LINE = re.compile(rb"(%b+) ([!-~]+) HTTP/([0-9])\.([0-9])" % _TCHAR)
"""RFC 9112 section 3: request-line = method SP request-target SP HTTP-version"""

_FIELD = re.compile(rb"(%b+):(%b*)" % (_TCHAR, _VALUE_OCTET))
"""RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS"""

_STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} %b*" % _VALUE_OCTET)
"""RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]"""

_NOT_TCHAR = re.compile(_TCHAR.replace(b"[", b"[^", 1))
_NOT_VCHAR = re.compile(rb"[^!-~]")
_NOT_VALUE_OCTET = re.compile(_VALUE_OCTET.replace(b"[", b"[^", 1))
_NO_LINE = re.compile(_TCHAR.replace(b"[", rb"[^\r\n", 1))
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


class Limits(NamedTuple):
    """
    How much a head may hold; what goes beyond is refused as soon as it has come.

    @ivar line: octets of the request line without its CRLF.  RFC 9112 section 3
        recommends at least 8000.
    @ivar fieldLine: octets of a field line without its CRLF; tickets can be long.
    @ivar section: octets of the header section with every CRLF, the blank line's too.
    @ivar fields: how many field lines.
    """

    line: int = 8192
    fieldLine: int = 16384
    section: int = 65536
    fields: int = 100


_DEFAULT = Limits()


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

    def values(self, name: bytes) -> list[bytes]:
        """The values of the field lines of one name, given in lower case, in the order of arrival."""
        return [value for known, value in self.fields if known == name]


class HeadReader:
    """
    Reads the head of one request, in whatever pieces it comes.

    The verdict depends on the octets alone, not on how they were cut.  No more
    is held than the limits allow, and no octet is searched twice.

    @ivar started: whether any octet has come.
    @ivar leftover: what came behind the head's blank line; empty until there is
        a head, and after a refusal.
    @ivar _held: what has come; C{_start}: where in it the current line begins;
        C{_scan}: before where no line ends; C{_section}: where the fields begin.
    """

    __slots__ = (
        "_empties", "_fields", "_held", "_limits", "_opening", "_request",
        "_scan", "_section", "_start", "_verdict", "leftover", "started",
    )  # fmt: skip

    def __init__(self, limits: Limits = _DEFAULT) -> None:
        self._limits = limits
        self._held = bytearray()
        self._start = self._scan = self._section = self._empties = 0
        self._opening = self.leftover = b""
        self._request: tuple[str, bytes, int] | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._verdict: RequestHead | Refusal | None = None
        self.started = False

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

    def _begun(self) -> bytes:
        """The request line as far as it has come."""
        begun = self._held[self._start : self._start + self._limits.line]
        return self._opening or bytes(re.split(rb"[\r\n]", begun, maxsplit=1)[0])

    def receive(self, octets: bytes) -> RequestHead | Refusal | None:
        """
        Take what has come.

        @return: the head, once it is complete; a refusal, as soon as it can't be
            one; L{None} while more is needed.
        @raise RuntimeError: there has been a head or a refusal before.
        """
        if self._verdict is not None:
            raise RuntimeError("this HeadReader has given its verdict; make another for the next head")
        limits = self._limits
        if octets and not self.started:
            self.started = True
            # A head no longer than the smallest limit keeps them all, so none is measured.
            found = _HEAD.match(octets, 0, min(limits.line, limits.fieldLine, limits.section))
            if found is not None:
                method, target, minor, section = found.groups()
                fields = []
                for field in section.split(b"\r\n")[:-1]:
                    name, value = field.split(b":", 1)
                    # strip takes more than OWS, but of that nothing is left in a valid value.
                    fields.append((name.lower(), value.strip()))
                if len(fields) <= limits.fields:
                    self.leftover = octets[found.end() :]
                    self._verdict = RequestHead(method.decode(), target, int(minor != b"0"), tuple(fields))
                    return self._verdict
        # So many octets bring a verdict whatever they are; hence none is lost by taking no more.
        room = 2 * EMPTY_LINES + limits.line + 2 + limits.section + 1 - len(self._held)
        self._held += octets[:room]
        line = self._next()
        while isinstance(line, bytes):
            line = self._take(line) or self._next()
        if isinstance(line, RequestHead):
            self.leftover = bytes(self._held[self._start :]) + octets[room:]
        if line is not None:
            self._opening, self._held, self._verdict = self._begun(), bytearray(), line
        return line

    def _next(self) -> bytes | RequestHead | Refusal | None:
        """
        The next line without its CRLF, if it has come whole.

        What is wrong first is refused first, for the verdict must not depend on
        how much has come behind: hence the order of the checks.
        """
        held, start, size, limits = self._held, self._start, len(self._held), self._limits
        number = len(self._fields) + (2 if self._request else 1)
        if not self._request and (first := _NO_LINE.match(held, start)):
            return _bad(_stranger(first[0]) or f"line 1 begins with the octet {first[0][0]:#04x}")
        cr = held.find(b"\r", self._scan)
        lf = held.find(b"\n", self._scan, size if cr < 0 else cr)
        end = lf if lf >= 0 else cr if cr >= 0 else size
        settled = min(end + (1 if lf >= 0 else 2), size)
        if self._request:
            last = self._section + limits.section
            if end > start + limits.fieldLine < last:
                return _tooLarge(f"line {number} is longer than {limits.fieldLine} octets")
            if settled > last:
                return _tooLarge(f"the header section is longer than {limits.section} octets")
        elif end - start > limits.line:
            return Refusal("http_request_line_too_long", f"line 1 is longer than {limits.line} octets")
        if lf >= 0:
            return _bad(f"line {number} ends with a bare LF; lines end with CRLF")
        if end + 1 >= size:
            self._scan = end
            return None
        if held[end + 1] != 0x0A:
            return _bad(f"line {number} has a bare CR; lines end with CRLF")
        self._start = self._scan = end + 2
        return bytes(held[start:end])

    def _take(self, line: bytes) -> RequestHead | Refusal | None:
        """Add a line to the head; the blank one completes it."""
        if self._request is None:
            if not line:
                self._empties += 1
                return _bad("there are too many empty lines") if self._empties > EMPTY_LINES else None
            self._opening, self._section = line, self._start
            request = _parseRequestLine(line)
            if isinstance(request, Refusal):
                return request
            self._request = request
        elif not line:
            return RequestHead(*self._request, tuple(self._fields))
        elif len(self._fields) == self._limits.fields:
            return _tooLarge(f"there are more than {self._limits.fields} header fields")
        else:
            field = _parseField(line, len(self._fields) + 2)
            if isinstance(field, Refusal):
                return field
            self._fields.append(field)
        return None


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
        or _firstBad(_NOT_TCHAR, method, 0, "line 1: the method has")
        or _firstBad(_NOT_VCHAR, target, len(method) + 1, "line 1: the target has")
        or ("line 1: there is no version; HTTP/0.9 is not served" if target and not version else "")
        or "line 1 is not a method, a target and HTTP/1.0 or HTTP/1.1 with one space between them"
    )


def _parseField(line: bytes, number: int) -> tuple[bytes, bytes] | Refusal:
    """The name in lower case and the value, or what is wrong in the line of that number."""
    found = _FIELD.fullmatch(line)
    if found is not None:
        return found[1].lower(), found[2].strip()
    # The line is not shown: who forgets a colon may do so in front of a password.
    name, colon, value = line.partition(b":")
    bare = name.rstrip(b" \t")
    if line[0] in b" \t":
        what = "there is whitespace before the field" if number == 2 else "there is a folded field"
    elif wrong := _firstBad(_NOT_TCHAR, bare, 0, "the name of the field has"):
        what = wrong
    elif not colon or not name:
        what = "there is no name before the colon" if colon else "there is no colon"
    elif name != bare:
        what = "there is whitespace before the colon"
    else:
        what = _firstBad(_NOT_VALUE_OCTET, value, len(name) + 1, f"the value of {escape(name)} has")
    return _bad(f"line {number}: {what}")


def _bad(detail: str) -> Refusal:
    return Refusal("http_request_error", detail)


def _tooLarge(detail: str) -> Refusal:
    return Refusal("http_request_fields_too_large", detail)


def _stranger(beginning: bytes) -> str:
    """What speaks there, if it is somebody known."""
    return next((name for known, name in _STRANGERS.items() if beginning.startswith(known)), "")


def _firstBad(wrong: re.Pattern[bytes], part: bytes, before: int, whose: str) -> str:
    """Name the first octet that has no place in a part, and its column after C{before} others."""
    found = wrong.search(part)
    return f"{whose} the octet {found[0][0]:#04x} at column {before + found.start() + 1}" if found else ""


def escape(octets: bytes, most: int = 60) -> str:
    """
    Make a peer's octets fit for a person and for a log: printable ASCII, with the
    rest as Python writes it, and dots for what is behind the first C{most} octets.
    """
    text = octets[:most].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text if len(octets) <= most else f"{text}..."


def _shown(target: bytes, most: int = 60) -> str:
    """As L{escape}, with dots instead of the userinfo and of the query, which can be secrets."""
    _, userinfo, rest = target.rpartition(b"@")
    plain, query, _ = rest.partition(b"?")
    return ("...@" if userinfo else "") + escape(plain, most) + ("?..." if query else "")


def checkConnect(head: RequestHead) -> Refusal | None:
    """
    Judge what a CONNECT may and must say beside its target.

    It has no content (RFC 9110 section 9.3.6), so that a request which announces
    some is refused before anybody could disagree about where it ends.  The Host
    field must be there and valid (RFC 9112 section 3.2) but may differ from the
    target, which alone decides: clients are known to leave the port away.
    C{Expect} is ignored: there is no content to wait for (RFC 9110 section 10.1.1).
    """
    hosts, lengths = head.values(b"host"), head.values(b"content-length")
    if head.values(b"transfer-encoding"):
        return _bad("there is a Transfer-Encoding; a CONNECT has no content")
    if len(lengths) > 1:
        return _bad(f"there are {len(lengths)} Content-Length fields; a CONNECT has no content")
    if lengths and lengths[0] != b"0":
        return _bad(f"the Content-Length is {escape(lengths[0])}; a CONNECT has no content")
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
        if _FIELD.fullmatch(line) is None or ":" in name:
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
