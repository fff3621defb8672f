"""
The chunked transfer coding.

Owns its grammar (RFC 9112 section 7.1), the limits on it, which fields may be
trailers (RFC 9110 section 6.5.1), and its writing.  It knows octets only.

Strict, for what stands between chunks is where requests are smuggled: a size is
hexadecimal digits and nothing else, lines end with CRLF, and no whitespace is
around an extension.  Extensions are read and dropped, as RFC 9112 section 7.1.1
wants of who does not understand them.

A body that goes on chunked needs no decoding: what has been found in order may be
passed on as it came, most of the time as the very object that came in.  Only
where there are extensions, padded sizes or trailers it is put together anew.

Left out: other codings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import FIELD, TCHAR, Limits
from connectproxy.wire.section import SectionReader

__all__ = ["CHUNK_LINE", "EXTENSIONS", "LAST_CHUNK", "ChunkedReader", "formatChunk", "formatTrailers"]

LAST_CHUNK = b"0\r\n\r\n"
"""The whole end of a chunked body without trailers."""

CHUNK_LINE = 256
"""How many octets a line with a size and its extensions may have, without its CRLF."""

EXTENSIONS = 16384
"""How many octets of extensions and padding a body may have in all: they are nothing but work."""

_MOST = 2**63 - 1
"""The greatest size: what is beyond is negative to many a reader."""

_SIZE = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,15}+)\r\n")
_NEXT = re.compile(rb"\r\n([1-9A-Fa-f][0-9A-Fa-f]{0,15}+)\r\n")
"""The line in front of a chunk, for the first and for the others; most look like this."""

_LINE = re.compile(
    rb'([0-9A-Fa-f]{1,16}+)(?:;%b++(?:=(?:%b++|"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"))?)*+'
    % (TCHAR, TCHAR)
)
"""
RFC 9112 section 7.1.1: chunk-size [ chunk-ext ], with
chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), without BWS.
"""

_NO_TRAILERS = frozenset(
    b"""
    accept-encoding age authorization cache-control connection content-encoding content-length
    content-range content-type cookie date expect expires host http2-settings keep-alive location
    max-forwards pragma range retry-after set-cookie te trailer transfer-encoding upgrade vary via
    warning www-authenticate
    """.split()
)
_NO_TRAILER_PREFIXES = (b"proxy-", b"if-")
"""RFC 9110 section 6.5.1: what is about framing, routing, authentication, conditions or content."""

_DEFAULT = Limits()

_Field = tuple[bytes, bytes]


def formatChunk(octets: bytes) -> bytes:
    """
    Write one chunk.

    @param octets: its payload.  None makes no chunk, for that would be the last.
    """
    return b"%x\r\n%b\r\n" % (len(octets), octets) if octets else b""


def formatTrailers(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Write the whole end of a chunked body: the last chunk, the trailers and the
    blank line.  Fields that must not be trailers are left out.

    @param fields: names in lower case, and values.
    @raise ValueError: a field is none, which is our own bug.
    """
    lines = [b"%b: %b\r\n" % field for field in _permitted(fields)]
    for line in lines:
        if FIELD.fullmatch(line, 0, len(line) - 2) is None:
            raise ValueError("a trailer has an octet that names or values must not have")
    return b"0\r\n%b\r\n" % b"".join(lines)


def _permitted(fields: Iterable[_Field]) -> tuple[_Field, ...]:
    """The fields that may be trailers."""
    return tuple(
        field
        for field in fields
        if field[0] not in _NO_TRAILERS and not field[0].startswith(_NO_TRAILER_PREFIXES)
    )


class _Trailers(SectionReader[tuple[_Field, ...]]):
    """
    Reads the trailer section and the blank line behind it.
    """

    __slots__ = ()

    _LINE = "trailer line"
    _NUMBER = 1

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._first = ()  # nothing is in front of the fields

    def receive(self, octets: bytes) -> tuple[_Field, ...] | Refusal | None:
        """Take what has come; give the trailers once they are complete."""
        return self._receive(octets)

    def _build(self) -> tuple[_Field, ...]:
        return tuple(self._fields)


class _RequestTrailers(_Trailers):
    __slots__ = ()

    _BAD = "http_request_error"
    _LARGE = "http_request_fields_too_large"


class _ResponseTrailers(_Trailers):
    __slots__ = ()

    _BAD = "http_protocol_error"
    _LARGE = "http_response_header_section_size"


class ChunkedReader:
    """
    Reads a chunked body, in whatever pieces it comes.

    What may be passed on at the end and the verdict depend on the octets alone,
    not on how they were cut.

    @ivar done: whether the body is complete.
    @ivar leftover: what came behind it.
    @ivar trailers: those that may be passed on, once it is complete.
    @ivar _left: octets of the current chunk that are to come; C{_between}: whether
        the CRLF behind a chunk comes next.
    @ivar _held: the beginning of what can only be judged when more of it has come.
    """

    __slots__ = (
        "_between", "_excess", "_held", "_left", "_limits", "_passing",
        "_refusal", "_response", "_section", "done", "leftover", "trailers",
    )  # fmt: skip

    def __init__(self, response: bool, passing: bool, limits: Limits = _DEFAULT) -> None:
        """
        @param response: whether it is the body of a response, and a mistake the
            origin's.
        @param passing: whether the body goes on chunked.
        """
        self._response = response
        self._passing = passing
        self._limits = limits
        self._left = self._excess = 0
        self._between = False
        self._held = self.leftover = b""
        self._section: _Trailers | None = None
        self._refusal: Refusal | None = None
        self.done = False
        self.trailers: tuple[_Field, ...] = ()

    def receive(self, octets: bytes) -> bytes | Refusal:
        """
        Take what has come.

        @return: what may be passed on now: payload, or, if the body goes on
            chunked, that with its framing.  The end of the body comes in one piece
            when all of it has come: nobody behind can take a broken body for whole.
        """
        if self._refusal is not None:
            return self._refusal
        if self._section is not None:
            return self._end(octets, [])
        if self._held:
            octets, self._held = self._held + octets, b""
        size, passing, left, between = len(octets), self._passing, self._left, self._between
        parts: list[bytes] = []
        at = since = 0  # how far it is read; from where on it is passed on as it came
        while True:
            if left:
                stop = at + left
                if stop > size:
                    if not passing:
                        parts.append(octets[at:])
                    left, at = stop - size, size
                    break
                if not passing:
                    parts.append(octets[at:stop])
                at, left, between = stop, 0, True
            found = (_NEXT if between else _SIZE).match(octets, at)
            if found is not None:
                left = int(found[1], 16)
                if left <= _MOST:  # or the longer way refuses it
                    at, between = found.end(), False
                    continue
            if between:
                if not b"\r\n".startswith(octets[at : at + 2]):
                    return self._refuse("there is no CRLF behind a chunk")
                if at + 2 > size:
                    break
                at, between = at + 2, False
            end = octets.find(b"\n", at, at + CHUNK_LINE + 2)
            if end < 0:
                if size - at > CHUNK_LINE + 1:
                    return self._refuse(f"the line in front of a chunk is longer than {CHUNK_LINE} octets")
                break
            chunk = self._line(octets[at : end + 1])
            if isinstance(chunk, Refusal):
                return chunk
            if not chunk and octets.startswith(b"\r\n", end + 1):  # as most bodies end
                self.done, self.leftover = True, octets[end + 3 :]
                if passing and not parts and at + 3 == end + 1:
                    return octets if end + 3 == size else octets[: end + 3]
            if passing:
                parts.append(octets[since:at])
                since = end + 1
            if self.done:
                return b"".join([*parts, LAST_CHUNK] if passing else parts)
            if not chunk:
                return self._end(octets[end + 1 :], parts)
            if passing:
                parts.append(b"%x\r\n" % chunk)
            at, left = end + 1, chunk
        self._left, self._between = left, between
        if at < size:
            self._held = octets[at:]
        if not passing:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        if parts:
            parts.append(octets[since:at])
            return b"".join(parts)
        return octets if at == size else octets[:at]

    def _line(self, line: bytes) -> int | Refusal:
        """The size in a line, with its LF, that is not as most are."""
        if not line.endswith(b"\r\n"):
            return self._refuse("the line in front of a chunk ends with a bare LF; lines end with CRLF")
        found = _LINE.fullmatch(line, 0, len(line) - 2)
        if found is None:
            return self._refuse("the line in front of a chunk is not a size in hexadecimal digits")
        chunk = int(found[1], 16)
        if chunk > _MOST:
            return self._refuse("the size of a chunk is beyond any measure")
        self._excess += len(line) - 3
        if self._excess > EXTENSIONS:
            return self._refuse(f"there are more than {EXTENSIONS} octets of chunk extensions")
        return chunk

    def _end(self, octets: bytes, parts: list[bytes]) -> bytes | Refusal:
        """Go on with what is behind the last chunk's line, after parts that may be passed on."""
        if self._section is None:
            self._section = (_ResponseTrailers if self._response else _RequestTrailers)(self._limits)
        trailers = self._section.receive(octets)
        if isinstance(trailers, Refusal):
            self._refusal = trailers
            return trailers
        if trailers is not None:
            self.done = True
            self.leftover = self._section.leftover
            self.trailers = _permitted(trailers)
            if self._passing:
                parts.append(formatTrailers(self.trailers) if self.trailers else LAST_CHUNK)
        return b"".join(parts)

    def _refuse(self, detail: str) -> Refusal:
        """Refuse the body, for good."""
        self._refusal = Refusal("http_protocol_error" if self._response else "http_request_error", detail)
        return self._refusal
