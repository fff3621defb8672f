"""
So many per second: a token bucket.

Pure arithmetic on a clock: nothing waits here and nothing is called later.  It knows
neither what its tokens stand for, octets or tunnels, nor who takes them in what order.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Bucket", "Seconds"]

_HAIR = 1e-6
"""Of a token: what the arithmetic of floats may lack of a whole one."""

_BURST = 0.1
"""Seconds: how much of its rate a bucket holds where nobody says how much.  Who takes
everything at once, after a pause, is then 1 % above the rate over ten seconds."""


class Seconds(Protocol):
    """
    Tells the time; the part of C{IReactorTime} that is used here.
    """

    def seconds(self) -> float:
        """
        @return: seconds since some moment.
        """


class Bucket:
    """
    Holds tokens, at first as many as it can, and gets new ones all the time.

    @ivar rate: tokens per second, more than 0.
    @ivar burst: how many it can hold, at least 1.
    @ivar lane: whoever has those wait that find none keeps their order here: that is
        L{connectproxy.shaping}, and nothing of the bucket's.
    """

    __slots__ = ("_clock", "_tokens", "_when", "burst", "lane", "rate")

    def __init__(self, rate: float, clock: Seconds, burst: float = 0.0) -> None:
        """
        @param rate: tokens per second, more than 0.
        @param clock: tells the time; when it is set back, no tokens are lost, and none won.
        @param burst: how many it can hold; 0 for what a tenth of a second brings, and at
            least 1.
        """
        self._clock = clock
        self._when = clock.seconds()
        self.rate = rate
        self.burst = burst or max(rate * _BURST, 1.0)
        self._tokens = self.burst
        self.lane: Any = None

    def _settle(self) -> float:
        """
        Put in what the time has brought.

        @return: how many there are now.
        """
        now = self._clock.seconds()
        since = now - self._when
        self._when = now
        tokens = self._tokens
        if since > 0.0 and tokens < self.burst:
            self._tokens = tokens = min(self.burst, tokens + since * self.rate)
        return tokens

    def take(self, want: int) -> int:
        """
        Take tokens, as many as there are.

        @param want: how many at most, not negative.
        @return: how many there were, 0 to C{want}.
        """
        there = max(0, int(self._settle() + _HAIR))
        if there < want:
            want = there
        self._tokens -= want
        return want

    def charge(self, count: int) -> None:
        """
        Take tokens, whether they are there or not: what is lacking, time has to bring
        before anything can be taken again.

        @param count: how many, not negative.
        """
        self._tokens = self._settle() - count

    def give(self, count: int) -> None:
        """
        Put back what has been taken and was not used; what does not fit is lost.

        @param count: how many, not negative.
        """
        self._tokens = min(self.burst, self._settle() + count)

    def wait(self, want: int = 1) -> float:
        """
        How long it takes until something can be taken.

        @param want: how much is worth coming back for; what is more than the bucket
            holds counts as that.
        @return: seconds, 0.0 if it is there now.
        """
        lacking = min(want, int(self.burst + _HAIR)) - self._settle()
        return lacking / self.rate if lacking > _HAIR else 0.0

    def change(self, rate: float, burst: float = 0.0) -> None:
        """
        Fill at another rate from now on.

        @param rate: as for a new one.
        @param burst: likewise.
        """
        self._settle()
        self.rate = rate
        self.burst = burst or max(rate * _BURST, 1.0)
        self._tokens = min(self._tokens, self.burst)

    @property
    def full(self) -> bool:
        """
        Whether it holds as much as it can, and so is as good as a new one.
        """
        return self._settle() >= self.burst
