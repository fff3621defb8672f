"""
Tests for L{connectproxy.origin.deadline}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.origin import Deadline
from connectproxy.wheel import GRAIN, Wheel


class Waits(Deadline):
    """
    Notes when it was late.
    """

    def __init__(self, clock: Any, wheel: Any) -> None:
        self._clock = clock
        self._wheel = wheel
        self.late: list[float] = []

    def overdue(self, now: float) -> None:
        self.late.append(now)


class DeadlineTests(SynchronousTestCase):
    """
    Deadlines that follow one another.
    """

    def setUp(self) -> None:
        """
        Have something that waits.
        """
        self.clock = Clock()
        self.wheel = Wheel(self.clock)
        self.item = Waits(self.clock, self.wheel)

    def assertLate(self, seconds: float) -> None:
        """
        It is told at that time, up to the grain later, and once.
        """
        self.clock.advance(seconds - self.clock.seconds() - 0.01)
        self.assertEqual(self.item.late, [])
        self.clock.advance(GRAIN + 0.02)
        self.assertEqual(len(self.item.late), 1)
        self.clock.advance(1000)
        self.assertEqual(len(self.item.late), 1)
        self.assertEqual(len(self.wheel), 0)

    def test_one(self) -> None:
        """
        One deadline comes when it is due.
        """
        self.item.within(10)
        self.assertLate(10)

    def test_later(self) -> None:
        """
        A later one replaces it, and the wheel is not told.
        """
        self.item.within(10)
        slot = self.item.slot
        self.clock.advance(5)
        self.item.within(10)
        self.assertEqual(self.item.slot, slot)
        self.assertLate(15)

    def test_earlier(self) -> None:
        """
        So does an earlier one.
        """
        self.item.within(100)
        self.item.within(3)
        self.assertEqual(len(self.wheel), 1)
        self.assertLate(3)

    def test_none(self) -> None:
        """
        There can be none for a while, and one again.
        """
        self.item.within(10)
        self.item.whenever()
        self.clock.advance(100)
        self.assertEqual((self.item.late, len(self.wheel)), ([], 0))
        self.item.within(10)
        self.assertLate(110)

    def test_forget(self) -> None:
        """
        Once forgotten there is nothing left of it, as often as it is said.
        """
        self.item.within(10)
        self.item.forget()
        self.item.forget()
        self.assertEqual(len(self.wheel), 0)
        self.clock.advance(100)
        self.assertEqual(self.item.late, [])

    def test_anotherWhenLate(self) -> None:
        """
        Being late can lead to another deadline.
        """
        self.item.overdue = lambda now: self.item.within(5)  # type: ignore[method-assign]
        self.item.within(10)
        self.clock.advance(11)
        self.assertEqual(len(self.wheel), 1)

    def test_overdue(self) -> None:
        """
        What is to be done is for a subclass to say.
        """
        bare = Deadline()
        bare._clock, bare._wheel = self.clock, self.wheel
        self.assertRaises(NotImplementedError, bare.overdue, 0.0)
