"""
A deadline for something that goes from one wait into the next.

A connection that is kept has a deadline at every moment: for the next head, for a
response, for being idle.  To set and to forget one for each would cost more than
the rest of a small request.  So the wheel is left alone as long as it asks early
enough: it is told only of a deadline that comes before the one it knows.
"""

from __future__ import annotations

from typing import Any

from connectproxy.wheel import GRAIN

__all__ = ["Deadline"]

_NEVER = float("inf")


class Deadline:
    """
    Something with one deadline at a time, to mix in.

    @ivar slot: the wheel's.
    """

    slot = 0
    _clock: Any
    _wheel: Any
    _due = _NEVER

    def within(self, seconds: float) -> None:
        """
        Set the deadline, instead of any other.

        @param seconds: from now; not negative.
        """
        self._due = due = self._clock.seconds() + seconds
        slot = self.slot
        if not slot:
            self._wheel.add(self, seconds)
        elif (slot - 1) * GRAIN > due:
            self._wheel.remove(self)
            self._wheel.add(self, seconds)

    def whenever(self) -> None:
        """
        There is no deadline for now.
        """
        self._due = _NEVER

    def forget(self) -> None:
        """
        There will be no deadline any more.
        """
        self._due = _NEVER
        if self.slot:
            self._wheel.remove(self)

    def expired(self, now: float) -> float | None:
        """
        Asked by the wheel.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        due = self._due
        if due > now:
            return None if due == _NEVER else due - now
        self._due = _NEVER
        self.overdue(now)
        return None

    def overdue(self, now: float) -> None:
        """
        The deadline has come.  Another may be set.
        """
        raise NotImplementedError
