"""
Whether a next hop can be used, by what has become of requests that went through it, and of
probes.

It is up until so many in a row have failed.  Then it is out for a while; afterwards one
request at a time may try it.  If that fails, it is out for twice as long, and so on; if it
succeeds, everything begins anew.

Only what was begun since it is out counts then: of a hundred requests that were on their way
when it broke, the last ones neither double the time nor bring it back.

A probe that says nothing, and only connects, proves less than a request.  So it brings back
only whom such probes have taken out; and as long as probes fail, no request is spent on a
trial.

Arithmetic on a clock: nothing waits here, and nothing is called later.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from connectproxy.errors import Refusal

__all__ = ["Health", "Tolerance"]

JITTER = 0.2
"""By what part of it the time out is shortened at most, so that many proxies don't come back
at once."""


class Tolerance(NamedTuple):
    """
    What is put up with.

    @ivar failures: how many in a row take one out, 1 or more.
    @ivar retryAfter: seconds that it is out at first.
    @ivar most: seconds that it is out at most.
    """

    failures: int
    retryAfter: float
    most: float


class Seconds(Protocol):
    """
    Tells the time; the part of C{IReactorTime} that is used here.
    """

    def seconds(self) -> float:
        """
        @return: seconds since some moment.
        """


class Health:
    """
    Of one next hop.

    @ivar out: it is not to be used.
    @ivar trying: one request is finding out whether it can be used again.
    @ivar failures: how many requests in a row have failed.
    @ivar misses: how many probes in a row have failed.
    @ivar last: its last failure; L{None} before there is one.
    @ivar tried: when it went out, or was tried since, in seconds of the clock.
    """

    __slots__ = (
        "_byProbe", "_chance", "_clock", "_early", "_seconds", "_serial", "_tolerance", "_until",
        "failures", "last", "misses", "out", "tried", "trying",
    )  # fmt: skip

    def __init__(
        self, clock: Seconds, tolerance: Tolerance, chance: Callable[[], float] = random.random
    ) -> None:
        """
        @param chance: gives a number from 0 to 1.
        """
        self._clock = clock
        self._tolerance = tolerance
        self._chance = chance
        self.out = self.trying = False
        self.failures = self.misses = 0
        self.last: Refusal | None = None
        self.tried = 0.0
        self._serial = 0
        self._seconds = self._until = 0.0
        self._early = self._byProbe = False

    @property
    def ready(self) -> bool:
        """Whether a request may go through it; where it is out, as the one that tries it."""
        return not self.out or (not self.trying and not self.misses and self._clock.seconds() >= self._until)

    @property
    def spare(self) -> bool:
        """Whether a request may try it although its time is not over, if there is nothing better."""
        return self.out and not self.trying

    @property
    def state(self) -> str:
        """In a word: C{"up"}, C{"out"} or C{"trying"}."""
        return "trying" if self.trying else "out" if self.out else "up"

    @property
    def wait(self) -> float:
        """Seconds until a request may try it; 0.0 if one may now."""
        return max(0.0, self._until - self._clock.seconds()) if self.out else 0.0

    def ask(self) -> int:
        """
        A request goes through it from now on.

        @return: what L{answered}, L{failed} or L{released} wants to know it by, one of which has
            to be called.
        """
        if self.out:
            now = self._clock.seconds()
            self.trying = True
            self._early = now < self._until or self.misses > 0
            self.tried = now
        return self._serial

    def answered(self, ticket: int) -> bool:
        """
        A request has been answered, whatever was said.

        @return: whether it is back.
        """
        if ticket != self._serial:
            return False
        self.failures = self.misses = 0
        return self._back()

    def failed(self, ticket: int, why: Refusal) -> bool:
        """
        A request has failed, and the next hop is at fault.

        @return: whether it is out, and was up.
        """
        self.last = why
        if ticket != self._serial:
            return False
        self.failures += 1
        if not self.out:
            return self.failures >= self._tolerance.failures and self._leave(byProbe=False)
        self.trying = False
        if not self._early:  # one before its time has cost nobody anything, and says nothing new
            self._rest(self._seconds * 2)
        return False

    def released(self, ticket: int) -> None:
        """
        A request has ended, and there is nothing to be learned from it.
        """
        if ticket == self._serial:
            self.trying = False

    def reached(self, *, whole: bool) -> bool:
        """
        A probe has succeeded.

        @param whole: all was done that is done for a request.
        @return: whether it is back.
        """
        self.misses = 0
        if whole:
            self.failures = 0
        return (whole or self._byProbe) and self._back()

    def missed(self, why: Refusal) -> bool:
        """
        A probe has failed.

        @return: whether it is out, and was up.
        """
        self.last = why
        self.misses += 1
        return not self.out and self.misses >= self._tolerance.failures and self._leave(byProbe=True)

    def _leave(self, *, byProbe: bool) -> bool:
        """
        It is out.
        """
        self.out = True
        self._serial += 1
        self._byProbe = byProbe
        self.tried = self._clock.seconds()
        self._rest(self._tolerance.retryAfter)
        return True

    def _rest(self, seconds: float) -> None:
        """
        Leave it alone for about so long.
        """
        self._seconds = min(seconds, self._tolerance.most)
        self._until = self._clock.seconds() + self._seconds * (1.0 - JITTER * self._chance())

    def _back(self) -> bool:
        """
        It can be used again.

        @return: whether it was out.
        """
        if not self.out:
            return False
        self.out = self.trying = False
        self.failures = 0
        self._serial += 1
        return True
