"""
The seam towards what keeps the counts of quotas, and the one that keeps them in memory.

A store blocks, so it is called in a thread, in one at a time; it opens what it needs
with the first call, and again after a failure.  A batch of what is to be added is either
added or not, and however often it comes, once only: who has had no answer sends the same
batch again and counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import NamedTuple

from zope.interface import Interface, implementer

__all__ = ["TIDY", "Batch", "Entry", "IStore", "MemoryStore", "StoreError", "openStore", "placeOf"]

TIDY = 3600
"""Seconds between two removals of what is of no use any more."""


class StoreError(Exception):
    """
    A store does not answer, or can't do what it should.  As a string: why, without a
    password and without unescaped octets of a peer.
    """


class Entry(NamedTuple):
    """
    What is counted under one name.

    @ivar name: printable ASCII without white space.
    @ivar until: when it is of no use any more, in seconds since the epoch.
    """

    name: str
    until: int


class Batch(NamedTuple):
    """
    What is to be added at once.

    @ivar origin: tells the proxy that counts from all others.
    @ivar number: 1 and up, one more for each batch of it.
    @ivar octets: how much to add to which entry.
    """

    origin: str
    number: int
    octets: Mapping[Entry, int]


class IStore(Interface):
    """
    Keeps counts.  Every call blocks, but not for much longer than a second.
    """

    def add(batch: Batch) -> dict[Entry, int]:
        """
        Add, unless that very batch has been added before.

        @return: the counts of the batch's entries afterwards, what others have added
            included.
        @raise StoreError: it is not known whether anything was added.
        """

    def get(entries: Iterable[Entry]) -> dict[Entry, int]:
        """
        Read counts; 0 for what nobody has added to.  Without entries: find out whether
        the store answers.

        @raise StoreError: it does not.
        """

    def close() -> None:
        """
        Let go of everything.  Does not fail; called again, it does nothing.
        """


@implementer(IStore)
class MemoryStore:
    """
    Keeps counts as long as the process lasts.
    """

    def __init__(self, wallTime: Callable[[], float] = time) -> None:
        """
        @param wallTime: seconds since the epoch.
        """
        self._wallTime = wallTime
        self._tidied = wallTime()
        self._counts: dict[Entry, int] = {}
        self._last: dict[str, int] = {}

    def add(self, batch: Batch) -> dict[Entry, int]:
        """
        See L{IStore.add}.
        """
        counts = self._counts
        if self._last.get(batch.origin, 0) < batch.number:
            self._last[batch.origin] = batch.number
            now = self._wallTime()
            if now - self._tidied >= TIDY:
                self._tidied = now
                for entry in [each for each in counts if each.until <= now]:
                    del counts[entry]
            for entry, octets in batch.octets.items():
                counts[entry] = counts.get(entry, 0) + octets
        return {entry: counts.get(entry, 0) for entry in batch.octets}

    def get(self, entries: Iterable[Entry]) -> dict[Entry, int]:
        """
        See L{IStore.get}.
        """
        return {entry: self._counts.get(entry, 0) for entry in entries}

    def close(self) -> None:
        """
        See L{IStore.close}.
        """


def placeOf(where: str) -> str:
    """
    What a message calls a store, without its user and password.

    @param where: as for L{openStore}.
    """
    kind, colon, rest = where[:].partition(":")
    if kind != "sqlite":
        rest = rest.partition("?")[0].rpartition("@")[2].removeprefix("//")
    return f"{kind}{colon}{rest}"


def openStore(where: str) -> IStore:
    """
    The store that the configuration names.  Nothing is opened yet.

    @param where: C{"memory"}; C{"sqlite:PATH"}; C{"redis://..."}, C{"rediss://..."} or
        C{"unix://..."} for Redis.
    @raise StoreError: there is no such store, or what it needs is not installed.
    """
    kind, _, rest = where.partition(":")
    if kind == "memory":
        return MemoryStore()
    if kind == "sqlite" and rest:
        from connectproxy.limits.sqlitestore import SQLiteStore  # noqa: PLC0415 - few need it

        return SQLiteStore(rest)
    if kind in ("redis", "rediss", "unix"):
        from connectproxy.limits.redisstore import RedisStore  # noqa: PLC0415 - likewise

        return RedisStore(where)
    raise StoreError(f"{placeOf(where)} is no store; name memory, sqlite:PATH or redis://HOST:PORT/NUMBER")
