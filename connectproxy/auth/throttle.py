"""
How many wrong credentials may be given, per source and per user.

Each wrong one adds to what a source, and a user, has against it, and time takes that away
at an even rate; who has too much is not listened to for a while.  Both tables are
bounded: what was added to longest ago goes first.  What a user has against it does not
count for sources that have proved to be that user within a day, so that nobody can shut
somebody else out by guessing.
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Any

__all__ = ["MOST", "Throttle", "sourceOf"]

MOST = 10_000
"""How many sources are kept, how many users, and how many that have proved who they are."""

DAY = 24 * 3600.0

PER_USER = 5
"""As many times as from one source may be guessed for one user, from all sources."""


LONGEST = 10
"""
Periods after which whoever has been guessed for, or shares an address with who guesses, is
listened to again: however many wrong ones there were.  Tokens come by the thousand in a second.
"""


def sourceOf(address: Any) -> Hashable:
    """
    What of a client's address tells one source from another: an IPv4 address, or the /64
    of IPv6, of which a single client has all addresses.

    @param address: an C{IAddress}; those that are not of IP all count as one.
    """
    try:
        ip = ip_address(str(getattr(address, "host", None)).partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return int(ip.ipv4_mapped) if ip.ipv4_mapped is not None else (int(ip) >> 64,)
    return int(ip)


class _Debts:
    """
    What each of many has against it.
    """

    def __init__(self, most: float, period: float) -> None:
        """
        @param most: how many wrong ones within a period.
        """
        self._most = most
        self._rate = most / period
        self._debts: dict[Hashable, tuple[float, float]] = {}

    def _debt(self, key: Hashable, now: float) -> float:
        debt, since = self._debts.get(key, (0.0, now))
        return max(0.0, debt - (now - since) * self._rate)

    def wait(self, key: Hashable, now: float) -> float:
        """
        For how many seconds it is not listened to; 0 if it is.
        """
        if key not in self._debts:
            return 0.0
        debt = self._debt(key, now)
        if not debt:
            del self._debts[key]
        return max(0.0, (debt + 1 - self._most) / self._rate)

    def add(self, key: Hashable, now: float) -> None:
        """
        Add one wrong one.
        """
        debt = min(self._debt(key, now) + 1, self._most * LONGEST)
        self._debts.pop(key, None)
        self._debts[key] = (debt, now)
        if len(self._debts) > MOST:
            del self._debts[next(iter(self._debts))]


class Throttle:
    """
    Counts wrong credentials.
    """

    def __init__(self, clock: Any, guesses: int, period: float) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param guesses: how many wrong ones from one source within a period; 0 for any
            number.  For one user it is L{PER_USER} times as many.
        @param period: in seconds.
        """
        self._clock = clock
        self._sources = _Debts(guesses, period) if guesses else None
        self._users = _Debts(guesses * PER_USER, period)
        self._proved: dict[Hashable, float] = {}

    def wait(self, source: Hashable, user: bytes) -> int:
        """
        Whether to listen to somebody.

        @param source: see L{sourceOf}.
        @param user: who the client says it is; empty where that is not known.
        @return: after how many seconds to; 0 for now.
        """
        if self._sources is None:
            return 0
        now = self._clock.seconds()
        wait = self._sources.wait(source, now)
        if user:
            key = _short(user)
            if self._proved.get((source, key), 0.0) <= now:
                wait = max(wait, self._users.wait(key, now))
        return ceil(wait)

    def wrong(self, source: Hashable, user: bytes) -> None:
        """
        Somebody has given wrong credentials.
        """
        if self._sources is None:
            return
        now = self._clock.seconds()
        self._sources.add(source, now)
        if user:
            self._users.add(_short(user), now)

    def right(self, source: Hashable, user: bytes) -> None:
        """
        Somebody has given the right credentials of a user.
        """
        if self._sources is None:
            return
        key = (source, _short(user))
        self._proved.pop(key, None)
        self._proved[key] = self._clock.seconds() + DAY
        if len(self._proved) > MOST:
            del self._proved[next(iter(self._proved))]


def _short(user: bytes) -> bytes:
    """
    A user in a few octets, however long a name the client has made up.
    """
    return blake2b(user, digest_size=16).digest()
