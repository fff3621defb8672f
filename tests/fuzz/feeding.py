"""
What the targets of fuzzing share: how one input becomes octets in pieces, and what has
to hold for all parsers.

Whatever is wrong raises L{AssertionError}, and so does whatever a parser raises: a peer's
mistake is a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from connectproxy.errors import KINDS, Refusal

__all__ = ["HEAD", "Case", "check", "feed", "fit", "steady"]

T = TypeVar("T")

HEAD = 5
"""How many octets of an input are not for the parser: see L{Case}."""

SINGLY = 300
"""Up to how many octets are fed one by one as well; more would take too long."""


class Case:
    """
    One input, taken apart:

     - an octet for the target to choose by;
     - two places where to cut, 16 bits each;
     - the octets for the parser.

    @ivar choice: 0 to 255.
    @ivar octets: for the parser.
    """

    def __init__(self, octets: bytes) -> None:
        head, self.octets = octets[:HEAD].ljust(HEAD, b"\0"), octets[HEAD:]
        self.choice = head[0]
        size = len(self.octets) + 1
        first, second = (int.from_bytes(head[at : at + 2]) % size for at in (1, 3))
        self._cuts = sorted({0, first, second, len(self.octets)})

    def ways(self) -> Iterator[list[bytes]]:
        """Ways to cut the octets into pieces, none of them empty."""
        octets = self.octets
        yield [octets[start:end] for start, end in pairwise(self._cuts)]
        if len(octets) <= SINGLY:
            yield [octets[at : at + 1] for at in range(len(octets))]


def check(holds: object, *what: object) -> None:
    """
    Raise unless something holds.

    @param what: what to show.
    """
    if not holds:
        raise AssertionError(" ".join(map(repr, what)))


def fit(refusal: Refusal) -> None:
    """
    A refusal has a row, and is fit for a log.
    """
    check(refusal.kind in KINDS, refusal)
    detail = refusal.detail
    check(detail.isascii() and detail.isprintable() and 0 < len(detail) < 700, refusal)


def steady(case: Case, read: Callable[[Iterable[bytes]], T]) -> T:
    """
    What is read does not depend on how the octets were cut.

    @param read: feeds pieces to a new reader, and tells all that came of it.
    @return: what comes of the octets in one piece.
    """
    whole = read([case.octets] if case.octets else [])
    for pieces in case.ways():
        found = read(pieces)
        check(found == whole, found, "is not", whole)
    return whole


def feed(make: Callable[[], Any], pieces: Iterable[bytes]) -> tuple[Any, bytes]:
    """
    Feed pieces to a reader of one message.

    @param make: makes the reader.
    @return: its verdict, and what is left over; nothing behind a refusal.
    """
    reader = make()
    verdict: Any = None
    rest = []
    for piece in pieces:
        if verdict is None:
            verdict = reader.receive(piece)
        else:
            rest.append(piece)
    for text in getattr(reader, "soFar", ()):
        check(text.isascii() and text.isprintable(), text)
    if verdict is None or isinstance(verdict, Refusal):
        check(not reader.leftover, reader.leftover)
        if isinstance(verdict, Refusal):
            fit(verdict)
        elif hasattr(reader, "ended"):
            fit(reader.ended())
        return verdict, b""
    return verdict, reader.leftover + b"".join(rest)
