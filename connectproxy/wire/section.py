"""
Reading a section of fields, with or without a line in front of it, as it comes.

Owns how lines are told apart (RFC 9112 section 2.2: by CRLF and nothing else),
how much of them may come, and in which order mistakes count.  What stands in
the first line is for the readers of requests and responses to say, which are
subclasses; the trailers of a chunked body have none.

The verdict depends on the octets alone, not on how they were cut.  No more is
held than the limits allow, and no octet is searched twice.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import FIELD, Limits, whyNoField

__all__ = ["SectionReader"]

Read = TypeVar("Read")

_DEFAULT = Limits()
_AT_ONCE = "this reader has given its verdict; make another for the next message"


class SectionReader(Generic[Read]):
    """
    Reads one section, in whatever pieces it comes.

    A subclass has a C{receive}, which may have a faster way for what comes whole
    and leaves the rest to L{_receive}.

    @cvar _BAD: the kind of refusal for what is malformed; C{_LONG}: for a first
        line that is too long; C{_LARGE}: for too much of fields.
    @cvar _EMPTIES: how many empty lines may come before the first line.
    @cvar _LINE: what a line is called.
    @cvar _NUMBER: the number of the first field line, as people count.
    @ivar started: whether any octet has come.
    @ivar leftover: what came behind the blank line; empty until there is a
        verdict, and after a refusal.
    @ivar _held: what has come; C{_start}: where in it the current line begins;
        C{_scan}: before where no line ends; C{_section}: where the fields begin.
    @ivar _first: what the first line says; L{None} before it has come.
    """

    __slots__ = (
        "_empties", "_fields", "_first", "_held", "_limits", "_opening",
        "_scan", "_section", "_start", "_verdict", "leftover", "started",
    )  # fmt: skip

    _BAD: ClassVar[str]
    _LONG: ClassVar[str]
    _LARGE: ClassVar[str]
    _EMPTIES: ClassVar[int] = 0
    _LINE: ClassVar[str] = "line"
    _NUMBER: ClassVar[int] = 2

    _first: Any

    def __init__(self, limits: Limits = _DEFAULT) -> None:
        self._limits = limits
        self._held = bytearray()
        self._start = self._scan = self._section = self._empties = 0
        self._opening = self.leftover = b""
        self._first = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._verdict: Read | Refusal | None = None
        self.started = False

    def _begins(self) -> Refusal | None:
        """Refuse what no first line begins with, however it goes on."""
        raise NotImplementedError

    def _open(self, line: bytes) -> object | Refusal:
        """What the first line says, or what is wrong with it."""
        raise NotImplementedError

    def _build(self) -> Read:
        """The whole, once the blank line has come."""
        raise NotImplementedError

    def _unread(self) -> None:
        """Make sure that there has been no verdict before: to go on would be our own bug."""
        if self._verdict is not None:
            raise RuntimeError(_AT_ONCE)

    def _receive(self, octets: bytes) -> Read | Refusal | None:
        """Take what has come, line by line."""
        limits = self._limits
        # So many octets bring a verdict whatever they are; hence none is lost by taking no more.
        room = 2 * self._EMPTIES + limits.line + 2 + limits.section + 1 - len(self._held)
        self._held += octets[:room]
        line = self._next()
        verdict = None
        while line is not None:
            verdict = self._take(line) if isinstance(line, bytes) else line
            if verdict is not None:
                break
            line = self._next()
        if verdict is None:
            return None
        if not isinstance(verdict, Refusal):
            self.leftover = bytes(self._held[self._start :]) + octets[room:]
        self._close()
        self._held, self._verdict = bytearray(), verdict
        return verdict

    def _close(self) -> None:
        """What has come is about to be dropped."""

    def _next(self) -> bytes | Refusal | None:
        """
        The next line without its CRLF, if it has come whole.

        What is wrong first is refused first, for the verdict must not depend on
        how much has come behind: hence the order of the checks.
        """
        held, start, size, limits = self._held, self._start, len(self._held), self._limits
        first = self._first is None
        if first and (wrong := self._begins()):
            return wrong
        cr = held.find(b"\r", self._scan)
        lf = held.find(b"\n", self._scan, size if cr < 0 else cr)
        end = lf if lf >= 0 else cr if cr >= 0 else size
        settled = min(end + (1 if lf >= 0 else 2), size)
        if not first:
            last = self._section + limits.section
            if end > start + limits.fieldLine < last:
                return self._large(f"{self._here()} is longer than {limits.fieldLine} octets")
            if settled > last:
                return self._large(f"the {self._whole()} section is longer than {limits.section} octets")
        elif end - start > limits.line:
            return Refusal(self._LONG, f"line 1 is longer than {limits.line} octets")
        if lf >= 0:
            return self._bad(f"{self._here()} ends with a bare LF; lines end with CRLF")
        if end + 1 >= size:
            self._scan = end
            return None
        if held[end + 1] != 0x0A:
            return self._bad(f"{self._here()} has a bare CR; lines end with CRLF")
        self._start = self._scan = end + 2
        return bytes(held[start:end])

    def _take(self, line: bytes) -> Read | Refusal | None:
        """Add a line to what has been read; the blank one completes it."""
        if self._first is None:
            if not line and self._EMPTIES:
                self._empties += 1
                many = self._empties > self._EMPTIES
                return self._bad("there are too many empty lines") if many else None
            self._opening, self._section = line, self._start
            first = self._open(line)
            if isinstance(first, Refusal):
                return first
            self._first = first
        elif not line:
            return self._build()
        elif len(self._fields) == self._limits.fields:
            return self._large(f"there are more than {self._limits.fields} {self._whole()} fields")
        else:
            found = FIELD.fullmatch(line)
            if found is None:
                return self._bad(f"{self._here()}: {whyNoField(line, not self._fields)}")
            self._fields.append((found[1].lower(), found[2].strip()))
        return None

    def _here(self) -> str:
        """What the current line is called."""
        number = 1 if self._first is None else len(self._fields) + self._NUMBER
        return f"{self._LINE} {number}"

    def _whole(self) -> str:
        """What the section is called."""
        return "header" if self._NUMBER > 1 else "trailer"

    def _bad(self, detail: str) -> Refusal:
        return Refusal(self._BAD, detail)

    def _large(self, detail: str) -> Refusal:
        return Refusal(self._LARGE, detail)
