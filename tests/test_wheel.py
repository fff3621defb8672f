"""
Tests for L{connectproxy.wheel}.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wheel import GRAIN, Wheel


class Item:
    """
    Something with a deadline.

    @ivar asked: when it was asked.
    @ivar answers: what it says, one answer each time, then L{None}.
    """

    slot = 0

    def __init__(self, *answers: float, then: Callable[[], None] | None = None) -> None:
        self.asked: list[float] = []
        self.answers = list(answers)
        self.then = then

    def expired(self, now: float) -> float | None:
        self.asked.append(now)
        if self.then is not None:
            self.then()
        return self.answers.pop(0) if self.answers else None


class CountingClock(Clock):
    """
    Counts the calls that are asked for.
    """

    made = 0

    def callLater(self, when, what, *a, **kw):  # type: ignore[no-untyped-def]
        self.made += 1
        return Clock.callLater(self, when, what, *a, **kw)


class WheelTests(SynchronousTestCase):
    """
    L{Wheel} keeps deadlines.
    """

    def setUp(self) -> None:
        self.clock = CountingClock()
        self.wheel = Wheel(self.clock)

    def add(self, delay: float, *answers: float, then: Callable[[], None] | None = None) -> Item:
        """
        An item with a deadline.
        """
        item = Item(*answers, then=then)
        self.wheel.add(item, delay)
        return item

    def test_neverEarly(self) -> None:
        """
        A deadline is not early, and at most a grain late, whenever it is set.
        """
        random = Random(1)
        for _ in range(200):
            self.clock.advance(random.random())
            delay = random.choice((0.0, GRAIN, 10.0, random.random(), random.random() * 100))
            due = self.clock.seconds() + delay
            item = self.add(delay)
            while not item.asked:
                self.clock.advance(0.01)
            late = item.asked[0] - due
            self.assertGreaterEqual(late, 0)
            self.assertLessEqual(late, GRAIN + 0.01)

    def test_once(self) -> None:
        """
        What has said that it is done is not asked again, and nothing is left of it.
        """
        item = self.add(1)
        self.assertEqual(len(self.wheel), 1)
        self.clock.advance(100)
        self.clock.advance(100)
        self.assertEqual(len(item.asked), 1)
        self.assertEqual((len(self.wheel), item.slot), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """
        What says how long is left is asked again then; 0 is as soon as possible.
        """
        item = self.add(10, 5, 0)
        for _ in range(100):
            self.clock.advance(GRAIN)
        self.assertEqual(item.asked, [10 + GRAIN, 15 + 2 * GRAIN, 15 + 3 * GRAIN])

    def test_order(self) -> None:
        """
        An earlier deadline that is set later is asked first.
        """
        late, early = self.add(10), self.add(5)
        self.clock.advance(6)
        self.assertEqual((len(early.asked), len(late.asked)), (1, 0))
        self.clock.advance(6)
        self.assertEqual(len(late.asked), 1)

    def test_remove(self) -> None:
        """
        A deadline that is removed does not come; to remove it again does nothing.
        """
        item, other = self.add(1), self.add(1)
        self.wheel.remove(item)
        self.wheel.remove(item)
        self.wheel.remove(Item())
        self.clock.advance(2)
        self.assertEqual((item.asked, len(other.asked)), ([], 1))

    def test_removedWhileAsking(self) -> None:
        """
        One that is asked may remove one that is due with it.
        """
        items: list[Item] = []

        def removeAll() -> None:
            for each in items:
                self.wheel.remove(each)

        items += [self.add(1, then=removeAll) for _ in range(5)]
        self.clock.advance(2)
        self.assertEqual(sum(len(each.asked) for each in items), 1)
        self.assertEqual(len(self.wheel), 0)

    def test_addedWhileAsking(self) -> None:
        """
        One that is asked may set another deadline, also one that is due at once.
        """
        added: list[Item] = []
        self.add(1, then=lambda: added.append(self.add(0)))
        self.clock.advance(2)
        self.clock.advance(GRAIN)
        self.assertEqual(len(added[0].asked), 1)

    def test_removedAndAddedAgain(self) -> None:
        """
        A deadline that is moved comes at its new time and not at the old one.
        """
        item = self.add(1)
        self.wheel.remove(item)
        self.wheel.add(item, 5)
        self.clock.advance(2)
        self.assertEqual(item.asked, [])
        self.clock.advance(4)
        self.assertEqual(len(item.asked), 1)

    def test_movedWhileAsking(self) -> None:
        """
        One that is asked may move the deadline of one that is due with it, which then comes
        at its new time only.
        """
        items: list[Item] = []

        def moveAll() -> None:
            for each in items:
                each.then = None
                self.wheel.remove(each)
                self.wheel.add(each, 5)

        items += [self.add(1, then=moveAll) for _ in range(5)]
        self.clock.advance(2)
        self.assertEqual(sum(len(each.asked) for each in items), 1)
        self.clock.advance(6)
        self.assertEqual(sum(len(each.asked) for each in items), 1 + 5)

    def test_bug(self) -> None:
        """
        One that raises is logged, and the others get their turn.
        """
        items = [self.add(1, then=lambda: 1 / 0 and None) for _ in range(2)] + [self.add(1)]
        self.clock.advance(2)
        self.assertEqual([len(each.asked) for each in items], [1, 1, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_coarse(self) -> None:
        """
        Ten thousand deadlines of about the same time cost a few calls of the clock.
        """
        items = [self.add(30 + number / 10_000) for number in range(10_000)]
        self.assertEqual(self.clock.made, 1)
        self.clock.advance(31 + GRAIN)
        self.assertEqual(sum(len(each.asked) for each in items), 10_000)
        self.assertLessEqual(self.clock.made, 1 + 1 / GRAIN)

    def test_stop(self) -> None:
        """
        A wheel that is stopped asks nobody, and leaves nothing at the clock.
        """
        item = self.add(1)
        self.wheel.stop()
        self.wheel.stop()
        self.assertEqual((len(self.wheel), self.clock.getDelayedCalls()), (0, []))
        self.clock.advance(10)
        self.assertEqual(item.asked, [])

    def test_nothingRetained(self) -> None:
        """
        What has no deadline any more is not kept.
        """
        done, removed = weakref.ref(self.add(1)), self.add(60)
        gone = weakref.ref(removed)
        self.wheel.remove(removed)
        del removed
        self.clock.advance(2)
        gc.collect()
        self.assertEqual((done(), gone()), (None, None))
