"""
Tests for L{connectproxy.limits.bucket}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits.bucket import Bucket


class BucketTests(SynchronousTestCase):
    """
    The arithmetic.
    """

    def setUp(self) -> None:
        """
        Ten per second, five at once.
        """
        self.clock = Clock()
        self.bucket = Bucket(10, self.clock, 5)

    def test_take(self) -> None:
        """
        It gives what there is, never more, and gets new ones as time passes.
        """
        self.assertEqual([self.bucket.take(3), self.bucket.take(3), self.bucket.take(3)], [3, 2, 0])
        self.clock.advance(0.25)
        self.assertEqual(self.bucket.take(5), 2)
        self.clock.advance(0.05)
        self.assertEqual(self.bucket.take(5), 1)  # the half of before is not lost
        self.clock.advance(100)
        self.assertEqual(self.bucket.take(100), 5)

    def test_wait(self) -> None:
        """
        It says when it is worth coming back, and that is true to the moment.
        """
        self.assertEqual(self.bucket.wait(), 0.0)
        self.bucket.take(5)
        self.assertAlmostEqual(self.bucket.wait(), 0.1)
        self.assertAlmostEqual(self.bucket.wait(5), 0.5)
        self.assertAlmostEqual(self.bucket.wait(500), 0.5)
        self.clock.advance(self.bucket.wait(3))
        self.assertEqual((self.bucket.wait(3), self.bucket.take(3)), (0.0, 3))

    def test_charge(self) -> None:
        """
        What is taken without being there has to come first.
        """
        self.bucket.charge(15)
        self.assertEqual(self.bucket.take(1), 0)
        self.assertAlmostEqual(self.bucket.wait(), 1.1)
        self.clock.advance(1.1)
        self.assertEqual(self.bucket.take(5), 1)

    def test_give(self) -> None:
        """
        What is put back can be taken again; what does not fit is lost.
        """
        self.bucket.take(5)
        self.bucket.give(2)
        self.assertEqual(self.bucket.take(5), 2)
        self.bucket.give(99)
        self.assertEqual(self.bucket.take(99), 5)

    def test_setBack(self) -> None:
        """
        A clock that is set back costs nothing and brings nothing.
        """
        self.bucket.take(3)
        self.clock.rightNow -= 1000
        self.assertEqual(self.bucket.take(5), 2)
        self.clock.advance(0.1)
        self.assertEqual(self.bucket.take(5), 1)

    def test_change(self) -> None:
        """
        Another rate holds from now on: what has come by then came at the old one.
        """
        self.bucket.take(5)
        self.clock.advance(0.2)
        self.bucket.change(100, 50)
        self.assertEqual(self.bucket.take(99), 2)
        self.clock.advance(0.1)
        self.assertEqual(self.bucket.take(99), 10)
        self.clock.advance(10)
        self.bucket.change(1)
        self.assertEqual((self.bucket.burst, self.bucket.take(99)), (1, 1))

    def test_burst(self) -> None:
        """
        Unless it is said, a tenth of a second's fits, and at least one.
        """
        self.assertEqual(Bucket(1000, self.clock).burst, 100)
        self.assertEqual(Bucket(0.1, self.clock).burst, 1)

    def test_full(self) -> None:
        """
        It is full at first, and again when it has had the time.
        """
        self.assertTrue(self.bucket.full)
        self.bucket.take(1)
        self.assertFalse(self.bucket.full)
        self.clock.advance(0.11)
        self.assertTrue(self.bucket.full)

    @given(
        st.floats(0.01, 1e8),
        st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10**9)), min_size=1, max_size=50),
    )
    def test_never(self, rate: float, steps: list[tuple[float, int]]) -> None:
        """
        Whatever is asked whenever, no more is given than the burst and the rate allow, nor
        less than there is.
        """
        clock = Clock()
        bucket = Bucket(rate, clock)
        given = 0
        for delay, want in steps:
            clock.advance(delay)
            got = bucket.take(want)
            given += got
            self.assertTrue(0 <= got <= want)
            self.assertTrue(got == want or bucket.wait() > 0)
            self.assertLessEqual(given, bucket.burst + rate * clock.seconds() + 1e-3)
