"""
What somebody has who was let in, until it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from connectproxy.interfaces import ProxyUser
from connectproxy.limits.bucket import Bucket
from connectproxy.limits.share import Share

if TYPE_CHECKING:
    from connectproxy.limits.accounts import Accounts

__all__ = ["Counted", "Pass", "Who"]

Who = tuple[ProxyUser | None, str | None]
"""Who asks, where that is known, and the address as text."""


class Counted(Protocol):
    """
    What has live counters: an L{ITunnel<connectproxy.interfaces.ITunnel>} or an
    L{IDatagramFlow<connectproxy.interfaces.datagrams.IDatagramFlow>}.
    """

    @property
    def bytesUp(self) -> int:
        """Octets from the client so far."""

    @property
    def bytesDown(self) -> int:
        """Octets to the client so far."""


class Pass:
    """
    What somebody has who was let in.

    @ivar shapers: for each limit that shapes, the buckets of octets to take from: the one
        for what the client sends, and the one for what it is sent.
    @ivar who: whose it is.
    @ivar shares: what it counts against.
    @ivar shaped: those of which it had buckets when it was let in.
    @ivar metered: whether there is a quota among them.
    """

    __slots__ = (
        "_abort",
        "_accounts",
        "_charged",
        "_counted",
        "_cut",
        "metered",
        "shaped",
        "shapers",
        "shares",
        "who",
    )

    def __init__(self, accounts: Accounts, who: Who) -> None:
        """
        @param accounts: whose it is.
        """
        self._accounts = accounts
        self.who = who
        self.shares: tuple[Share, ...] = ()
        self.shaped: tuple[Share, ...] = ()
        self.shapers: tuple[tuple[Bucket, Bucket], ...] = ()
        self.metered = False
        self._charged = 0
        self._cut = False
        self._counted: Any = None
        self._abort: Callable[[str], None] | None = None

    def watch(self, counted: Counted, abort: Callable[[str], None] | None = None) -> None:
        """
        Have octets charged while they are moved.  Called again, for what has been begun
        again, it charges those of the new one besides.

        @param counted: has the counters.
        @param abort: is called once with C{"quota_exceeded"} when a quota is used up; by
            default C{counted.abort}.
        """
        self.charge()
        self._counted, self._abort, self._charged, self._cut = counted, abort, 0, False
        self._accounts.watch(self)

    @property
    def watched(self) -> bool:
        """
        Whether there is something to look at, and a reason to.
        """
        return self.metered and self._counted is not None

    def leave(self, bytesUp: int = 0, bytesDown: int = 0) -> None:
        """
        It is over.  Called again, it does nothing.

        @param bytesUp: octets from the client, in all since the last L{watch}, or since
            the start where there was none.
        @param bytesDown: octets to the client, likewise.
        """
        accounts = self._accounts
        if self in accounts.passes:
            if self.shares:
                if self.metered:
                    accounts.look()
                    self._add(bytesUp + bytesDown)
                accounts.left(self)
            accounts.passes.remove(self)
            self._counted = self._abort = None

    def charge(self) -> None:
        """
        Charge what has been moved and not been charged; what is charged to nobody, for
        want of a quota, is not charged later either.
        """
        counted = self._counted
        if counted is not None:
            self._add(counted.bytesUp + counted.bytesDown)

    def _add(self, octets: int) -> None:
        """
        Charge what has not been charged.

        @param octets: how many there are in all.
        """
        since = octets - self._charged
        if since > 0:
            self._charged = octets
            for share in self.shares:
                if share.tally is not None:
                    share.tally.charge(since)

    @property
    def over(self) -> bool:
        """
        Whether one of its quotas is used up, and it has not been ended for that.
        """
        if self._cut:
            return False
        for share in self.shares:
            if share.tally is not None and share.tally.over:
                return True
        return False

    def cut(self) -> None:
        """
        End it, since a quota is used up.
        """
        self._cut = True
        (self._abort or self._counted.abort)("quota_exceeded")
