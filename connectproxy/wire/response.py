"""
The head of a response, as an origin sends it.

Owns the status line (RFC 9112 section 4) and which kind of refusal a malformed
head is.  It knows octets only.  As strict as L{connectproxy.wire.http1} is with
requests, for the same reason, but for one thing: the reason phrase may be
missing with the space in front of it, as many origins have it.

Left out: empty lines before a response, which only servers need to forgive; what
delimits the body (L{connectproxy.wire.framing}); what a status means.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import NOT_VALUE_OCTET, TCHAR, VALUE_OCTET, Limits, firstBad, readFields
from connectproxy.wire.section import SectionReader

__all__ = ["ResponseHead", "ResponseReader"]

_HEAD = re.compile(
    rb"HTTP/1\.([0-9]) ([1-5][0-9]{2})(?: (%b*+))?\r\n((?:%b++:%b*+\r\n)*+)\r\n"
    % (VALUE_OCTET, TCHAR, VALUE_OCTET)
)
"""A whole head in one go; there is one way to match."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9]{2})(?: (%b*))?" % VALUE_OCTET)
"""RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]"""

_START = b"HTTP/1."
_DEFAULT = Limits()


class ResponseHead(NamedTuple):
    """
    The head of a response.

    @ivar status: 100 to 599.
    @ivar reason: the reason phrase, C{b""} if there is none.
    @ivar minor: the minor version, 0 or 1; RFC 9110 section 2.5 takes more for 1.
    @ivar fields: names in lower case, and values without the whitespace around
        them, in the order of arrival.
    """

    status: int
    reason: bytes
    minor: int
    fields: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[bytes]:
        """The values of the field lines of one name, given in lower case, in the order of arrival."""
        return [value for known, value in self.fields if known == name]


class ResponseReader(SectionReader[ResponseHead]):
    """
    Reads the head of one response, in whatever pieces it comes.  An interim
    response (1xx) is one, too: make another reader for what follows it.

    The verdict depends on the octets alone, not on how they were cut.  No more
    is held than the limits allow, and no octet is searched twice.

    @ivar method: the method of the request that is responded to.  It has no part
        in how the head is read, but in what delimits the body.
    @ivar started: whether any octet has come.
    @ivar leftover: what came behind the head's blank line; empty until there is
        a head, and after a refusal.
    """

    __slots__ = ("method",)

    _BAD = "http_protocol_error"
    _LONG = _LARGE = "http_response_header_section_size"

    def __init__(self, method: str, limits: Limits = _DEFAULT) -> None:
        super().__init__(limits)
        self.method = method

    def receive(self, octets: bytes) -> ResponseHead | Refusal | None:
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
                minor, status, reason, section = found.groups(b"")
                fields = readFields(section)
                if len(fields) <= limits.fields:
                    self.leftover = octets[found.end() :]
                    self._verdict = ResponseHead(int(status), reason, int(minor != b"0"), tuple(fields))
                    return self._verdict
        return self._receive(octets)

    def _begins(self) -> Refusal | None:
        if _START.startswith(self._held[: len(_START)]):
            return None
        return (
            self._bad("the response does not begin with HTTP/1")
            if not self._held.startswith(_START)
            else None
        )

    def _open(self, line: bytes) -> tuple[int, bytes, int] | Refusal:
        found = _STATUS_LINE.fullmatch(line)
        if found is not None:
            minor, status, reason = found.groups(b"")
            return int(status), reason, int(minor != b"0")
        wrong = firstBad(NOT_VALUE_OCTET, line, 0, "line 1 has")
        return self._bad(
            wrong or "line 1 is not HTTP/1.1, a status from 100 to 599 and a reason with a space between"
        )

    def _build(self) -> ResponseHead:
        status, reason, minor = self._first
        return ResponseHead(status, reason, minor, tuple(self._fields))
