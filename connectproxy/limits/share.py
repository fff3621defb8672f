"""
What one limit keeps of each of those that share a count.

The table of a limit is bounded: who has nothing open, and whose buckets are full again,
is forgotten; and when there are more than L{MOST} all the same, those that come
then share one count, so that a flood of addresses costs neither memory nor lets anybody
have more than one client may.
"""

from __future__ import annotations

from collections import deque
from math import ceil

from twisted.logger import Logger

from connectproxy.errors import Refusal
from connectproxy.limits.bucket import Bucket, Seconds
from connectproxy.limits.limit import Limit
from connectproxy.limits.quotas import Quotas
from connectproxy.limits.tally import Tally

__all__ = ["MOST", "SOON", "Share", "Table", "retryAfter"]

MOST = 100_000
"""Shares of one limit that are told apart."""

_OTHERS = "others"
"""The key of those who come when there are that many."""

_BESIDE = 2
"""Idle shares that are looked at whenever a new one comes: more than one, so that a
table shrinks while others come."""


SOON = (("Retry-After", "1"),)
"""The same where one of several has to end first: nobody knows when that is, but that it is worth
another look."""


def retryAfter(seconds: float) -> tuple[tuple[str, str], ...]:
    """
    The header field that says when to come back (RFC 9110 section 10.2.3).

    @param seconds: until then.
    """
    return (("Retry-After", str(max(1, ceil(seconds)))),)


class Share:
    """
    The count of those who share it.

    @ivar key: tells it from others of the same limit.
    @ivar words: whose it is, for a message.
    @ivar table: that it stands in.
    @ivar open: how many tunnels there are.
    @ivar pace: of opening tunnels; L{None} for any.
    @ivar pair: the buckets of octets up and down; L{None} for any.
    @ivar tally: of octets in the period; L{None} for any.
    @ivar queued: it is going to be looked at whether it can be forgotten.
    """

    __slots__ = ("key", "open", "pace", "pair", "queued", "table", "tally", "words")

    def __init__(self, table: Table, key: str, words: str) -> None:
        self.table = table
        self.key = key
        self.words = words
        self.open = 0
        self.queued = False
        self.pace: Bucket | None = None
        self.pair: tuple[Bucket, Bucket] | None = None
        self.tally: Tally | None = None


class Table:
    """
    The shares of one limit.

    @ivar limit: whose.
    @ivar shares: by their keys.
    @ivar quotas: keeps the tallies.
    """

    _log = Logger()

    def __init__(
        self,
        limit: Limit,
        clock: Seconds,
        quotas: Quotas | None,
        most: int = MOST,
        former: dict[str, Share] | None = None,
    ) -> None:
        """
        @param clock: tells the time.
        @param quotas: keeps tallies; L{None} only if the limit has no quota.
        @param most: how many shares are told apart.
        @param former: those of the limit that bore the name before, to be taken over.
        """
        self.limit = limit
        self.label = f"limit {limit.name}"
        self.shares: dict[str, Share] = {}
        self._clock = clock
        self.quotas = quotas
        self._most = most
        self._former = former or {}
        self._idle: deque[Share] = deque()
        self._crowded = False
        self._plain = not (limit.pace or limit.rate or limit.quota)

    def share(self, key: str, words: str) -> Share:
        """
        A share for a key that has none.

        @param words: whose it is, for a message.
        """
        if self._idle:
            self.sweep(_BESIDE)
        return self._new(key, words)

    def restore(self, key: str, words: str) -> Share:
        """
        Count a tunnel that is there already, though there may be too many.

        @return: the share that it counts in.
        """
        share = self.shares.get(key) or self._new(key, words)
        share.open += 1
        return share

    def restored(self) -> None:
        """
        All that are there have been counted again: of other former shares, those are kept
        that know of a pace.
        """
        for share in tuple(self._former.values()):
            if share.pace is not None and not share.pace.full:
                self._quiet(self._new(share.key, share.words))
        self._former = {}

    def _new(self, key: str, words: str) -> Share:
        """
        A share, or the one for all that there is no room for.
        """
        if len(self.shares) >= self._most:
            if not self._crowded:
                self._crowded = True
                self._log.warn(
                    "{label} counts for {most} users or addresses, as many as can be told apart; others share one"
                    " count until some of these are gone",
                    label=self.label,
                    most=self._most,
                )
            key, words = _OTHERS, "for all that can't be told apart"
            if key in self.shares:
                return self.shares[key]
        return self._make(key, words)

    def _make(self, key: str, words: str) -> Share:
        """
        Make a share, or take a former one over.
        """
        limit = self.limit
        share = self._former.pop(key, None) or Share(self, key, words)
        share.table, share.words, share.queued = self, words, False
        if not limit.pace:
            share.pace = None
        elif share.pace is None:
            share.pace = Bucket(limit.pace, self._clock, limit.burst)
        else:
            share.pace.change(limit.pace, limit.burst)
        # Without a rate a pair is kept all the same: tunnels may still take from it, and
        # are to share it with others if the rate comes back.
        if limit.rate and share.pair is None:
            share.pair = (Bucket(limit.rate, self._clock), Bucket(limit.rate, self._clock))
        elif limit.rate and share.pair is not None:
            for bucket in share.pair:
                bucket.change(limit.rate)
        former, quotas = share.tally, self.quotas
        share.tally = quotas.tally(limit, key) if limit.quota and quotas is not None else None
        if former is not None:
            former.forget()
        self.shares[key] = share
        return share

    def drop(self) -> None:
        """
        The table is not in force any more.
        """
        for share in self.shares.values():
            if share.table is self and share.tally is not None:
                share.tally.forget()

    def take(self, share: Share) -> Refusal | None:
        """
        Count a tunnel, if there may be one more.

        @return: why not.
        """
        limit = self.limit
        if 0 < limit.tunnels <= share.open:
            detail = f"{self.label}: {limit.tunnels} tunnels at once {share.words}"
            return Refusal("client_limit_reached", detail, self.label, fields=SOON)
        pace = share.pace
        if pace is not None and not pace.take(1):
            detail = f"{self.label}: {limit.pace:g} tunnels per second {share.words}"
            fields = retryAfter(pace.wait())
            self._quiet(share)
            return Refusal("rate_limit_reached", detail, self.label, fields=fields)
        share.open += 1
        return None

    def giveBack(self, share: Share) -> None:
        """
        Undo L{take}: there was no tunnel after all.
        """
        if share.pace is not None:
            share.pace.give(1)
        self.leave(share)

    def leave(self, share: Share) -> None:
        """
        A tunnel is over.
        """
        share.open -= 1
        if not share.open:
            self._quiet(share)

    def _quiet(self, share: Share) -> None:
        """
        Forget a share that has nothing open, now or later.
        """
        if share.open or share.queued or share.table is not self:
            return
        if self._plain and share.pair is None:
            self._forget(share)
        else:
            share.queued = True
            self._idle.append(share)

    def _forget(self, share: Share) -> None:
        """
        Forget a share.
        """
        del self.shares[share.key]
        if share.tally is not None:
            share.tally.forget()
        if self._crowded and len(self.shares) < self._most * 0.9:
            self._crowded = False
            self._log.info("{label} tells all clients apart again", label=self.label)

    def sweep(self, count: int) -> bool:
        """
        Look whether idle shares can be forgotten.

        @param count: how many are looked at, at most.
        @return: whether there are any left to look at.
        """
        idle = self._idle
        for _ in range(min(count, len(idle))):
            share = idle.popleft()
            share.queued = False
            if share.open or self.shares.get(share.key) is not share:
                continue
            if self._settled(share):
                self._forget(share)
            else:
                share.queued = True
                idle.append(share)
        return bool(idle)

    def _settled(self, share: Share) -> bool:
        """
        Whether a new one would be the same.
        """
        if share.pace is not None and not share.pace.full:
            return False
        if share.pair is not None and not (share.pair[0].full and share.pair[1].full):
            return False
        return share.tally is None or share.tally.settled
