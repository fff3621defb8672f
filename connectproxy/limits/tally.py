"""
The octets of those who share a count, in the period that is.

The count is what the store said last, which is what all proxies have counted together,
and what has been counted here since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectproxy.limits.limit import Limit
from connectproxy.limits.store import Entry

if TYPE_CHECKING:
    from connectproxy.limits.quotas import Quotas

__all__ = ["FRESH", "Tally"]

FRESH = 10.0
"""Seconds for which a count is taken as it was read, before a new tunnel has it read again."""


class Tally:
    """
    The octets of those who share a count, in the period that is.

    @ivar quota: how many there may be.
    @ivar entry: under what the store counts them.
    @ivar total: what the store said last.
    @ivar local: what has been counted here, and is not in that.
    @ivar read: when the store said so, in seconds of the proxy's clock; L{None} if it has not.
    """

    __slots__ = ("_quotas", "entry", "local", "name", "period", "quota", "read", "total")

    def __init__(self, quotas: Quotas, name: str, limit: Limit) -> None:
        """
        @param name: of the entries of all its periods, without the period.
        """
        self._quotas = quotas
        self.name = name
        self.period = limit.period
        self.quota = limit.quota
        self.entry = Entry("", 0)
        self.total = self.local = 0
        self.read: float | None = None

    @property
    def over(self) -> bool:
        """Whether there may be no more."""
        return self.total + self.local >= self.quota

    @property
    def unsure(self) -> bool:
        """Whether the count can't be relied on as it should."""
        return self._quotas.away and not self._quotas.open

    def left(self) -> float:
        """
        Seconds until the period ends.
        """
        return self.entry.until - self._quotas.wallTime()

    def due(self) -> bool:
        """
        Whether the store has to be asked before anybody relies on the count.
        """
        quotas = self._quotas
        quotas.look()
        if quotas.moment >= self.entry.until:
            quotas.roll(self)
        return not quotas.away and self.stale

    @property
    def stale(self) -> bool:
        """Whether it is too long ago that the store has been asked."""
        return self.read is None or self._quotas.seconds() - self.read > FRESH

    def charge(self, octets: int) -> None:
        """
        Count octets.
        """
        quotas = self._quotas
        if quotas.moment >= self.entry.until:
            quotas.roll(self)
        self.local += octets
        quotas.charge(self.entry, octets)

    @property
    def settled(self) -> bool:
        """Whether a new one would be as good."""
        return not self.local and self.stale

    def forget(self) -> None:
        """
        It is not used any more.  What is to be written of it is written.
        """
        self._quotas.forget(self)
