"""
Coarse deadlines for many things at once.

A proxy has a deadline for every connection and every tunnel and nearly none of
them comes due: a C{callLater} for each would cost a heap operation and an object
for nothing, and thousands of them slow every turn of the reactor.  A L{Wheel}
puts what is due in the same quarter of a second into one set and asks the clock
for one call, the earliest.  A deadline is therefore up to L{GRAIN} late and never
early.

Who re-arms on every read would do more work on the wheel than on the bytes.  So
a deadline that moves is not moved: the item remembers when it was last active,
and when it is asked too early it answers with how long is left.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["GRAIN", "Timed", "Wheel"]

GRAIN = 0.25
"""Seconds; how late a deadline can be."""


class Timed(Protocol):
    """
    What has a deadline.

    @ivar slot: where on the wheel it is; the wheel's own, 0 at first.
    """

    slot: int

    def expired(self, now: float) -> float | None:
        """
        The deadline has come.

        @param now: seconds of the wheel's clock.
        @return: the seconds until it is to be asked again, or L{None}.
        """


class Wheel:
    """
    The deadlines of one proxy.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: tells the time and calls later.
        """
        self._clock = clock
        self._slots: dict[int, set[Timed]] = {}
        self._order: list[int] = []
        self._call: IDelayedCall | None = None
        self._next = 0

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def add(self, item: Timed, delay: float) -> None:
        """
        Set the deadline of an item that has none.

        @param delay: seconds from now, not negative.
        """
        slot = int((self._clock.seconds() + delay) / GRAIN) + 1
        item.slot = slot
        items = self._slots.get(slot)
        if items is None:
            self._slots[slot] = {item}
            heappush(self._order, slot)
            if self._call is None or slot < self._next:
                self._schedule()
        else:
            items.add(item)

    def remove(self, item: Timed) -> None:
        """
        Forget the deadline of an item; nothing happens if it has none.
        """
        slot = item.slot
        if slot:
            item.slot = 0
            items = self._slots.get(slot)
            if items is not None:
                items.discard(item)

    def stop(self) -> None:
        """
        Forget every deadline and leave nothing pending at the clock.
        """
        self._slots.clear()
        self._order.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        """
        Have the clock call when the earliest slot comes due.
        """
        if self._call is not None:
            self._call.cancel()
        self._next = self._order[0]
        delay = max(0.0, self._next * GRAIN - self._clock.seconds())
        self._call = self._clock.callLater(delay, self._turn)

    def _turn(self) -> None:
        """
        Ask everything that is due.  An item that raises is our bug: it is logged
        and the others get their turn.
        """
        self._call = None
        now = self._clock.seconds()
        while self._order and self._order[0] * GRAIN <= now:
            slot = heappop(self._order)
            for item in self._slots.pop(slot, ()):
                if item.slot != slot:
                    continue  # removed or moved by one that was asked before it
                item.slot = 0
                try:
                    again = item.expired(now)
                except Exception:  # noqa: BLE001 - one deadline's bug is not the others'
                    self._log.failure("a deadline of {item!r} failed", item=item)
                    continue
                if again is not None:
                    self.add(item, again)
        if self._order and self._call is None:
            self._schedule()
