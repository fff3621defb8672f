"""
Tests for L{connectproxy.shaping}; how relays keep to it is in L{tests.relayrate}.
"""

from __future__ import annotations

from connectproxy.shaping import FLOOR, LEAST, TICK, Lane, Meter
from tests.shapingcase import RATE, Greedy, Producer, ShapingCase


class RateTests(ShapingCase):
    """
    How much may be moved.
    """

    def test_exact(self) -> None:
        """
        Over time it is what the bucket gives, to one portion, whatever the size of the reads.
        """
        for most in (None, 1, 1460, 65536, 300_000):
            for rate in (20_000, RATE, 100 << 20):
                if most == 1 and rate > 20_000:
                    continue
                bucket = self.bucket(rate)
                greedy = Greedy(self, bucket, most=most)
                greedy.resumeProducing()
                self.wait(20)
                expected = bucket.burst + 20 * rate
                slack = max(rate * TICK * 2, FLOOR, 2 * (most or 0))
                self.assertLess(abs(greedy.moved - expected), slack, (most, rate))
                greedy.meter.stop()

    def test_late(self) -> None:
        """
        Nothing of the rate is lost where rounds come late, while somebody waits; and nothing
        is won by it where nobody does.
        """
        bucket = self.bucket()
        greedy = Greedy(self, bucket)
        greedy.resumeProducing()
        for _ in range(20):
            self.clock.advance(0.5)
        self.assertLess(abs(greedy.moved - bucket.burst - 10 * RATE), RATE * 0.05)
        self.clock.advance(10)
        self.assertLess(abs(greedy.moved - bucket.burst * 2 - 11 * RATE), RATE * 0.1)
        greedy.meter.stop()
        self.clock.advance(10)
        greedy = Greedy(self, bucket)
        greedy.resumeProducing()
        self.assertLess(greedy.moved, bucket.burst + RATE * 0.05)
        greedy.meter.stop()

    def test_debtIsPaid(self) -> None:
        """
        What was moved beyond the portions is taken from the bucket at the end: nobody else
        moves anything before it is paid.
        """
        bucket = self.bucket(10_000)
        first = Greedy(self, bucket, most=65536)
        first.resumeProducing()
        self.wait(1)
        self.assertEqual(first.moved, 65536)
        first.meter.stop()
        second = Greedy(self, bucket, most=100)
        second.resumeProducing()
        self.wait(5)
        self.assertEqual(second.moved, 0)
        self.wait(1)
        self.assertGreater(second.moved, 0)

    def test_restIsGivenBack(self) -> None:
        """
        What was got and not moved is given back: at the end, or by the next round.
        """
        bucket = self.bucket()
        bucket.charge(int(bucket.burst))
        for stop in (True, False):
            bucket.charge(1)
            meter = Meter([bucket], self.clock, Producer())
            self.assertEqual(meter.allowance(), 0)
            while meter.waiting:
                self.wait(TICK)
            self.assertTrue(bucket.wait())  # it has been given to the meter
            self.assertEqual(meter.allowance(), int(RATE * TICK))
            if stop:
                meter.stop()
            else:
                self.wait(TICK)
                self.assertEqual(meter.producer.told, ["resume"])
            self.assertEqual((bucket.wait(), bucket.lane.busy), (0.0, False))
            bucket.charge(int(bucket.burst))
            self.wait(0.2)
            self.assertTrue(bucket.full)
            bucket.charge(int(bucket.burst))

    def test_none(self) -> None:
        """
        Without a bucket, and after its end, a meter allows everything and counts nothing.
        """
        bucket = self.bucket()
        for meter in (Meter([], self.clock), Meter([bucket], self.clock)):
            meter.stop()
            meter.stop()
            self.assertGreater(meter.allowance(), 1 << 60)
            meter.spend(1 << 40)
        self.assertTrue(bucket.full)

    def test_nobodyTold(self) -> None:
        """
        A meter without a producer, as that of datagrams, gets its portions all the same.
        """
        bucket = self.bucket(100_000)
        meter = Meter([bucket], self.clock)
        passed = 0
        for _ in range(1000):
            self.clock.advance(0.01)
            if meter.allowance():
                meter.spend(1500)
                passed += 1500
        self.assertLess(abs(passed - 10 * 100_000), 0.03 * 10 * 100_000)

    def test_otherRate(self) -> None:
        """
        A rate that is changed holds at once, also for those who wait for a low one.
        """
        bucket = self.bucket(1000)
        bucket.charge(100_000)
        greedy = Greedy(self, bucket)
        greedy.resumeProducing()
        self.wait(1)
        bucket.change(RATE)
        self.wait(1)
        self.assertGreater(greedy.moved, RATE / 2)


class FairnessTests(ShapingCase):
    """
    Who gets what.
    """

    def test_equal(self) -> None:
        """
        Those who wait get equal shares, whatever the size of their reads.
        """
        for count, seconds in ((2, 5), (20, 10), (500, 10)):
            bucket = self.bucket()
            all_ = [
                Greedy(self, bucket, most=(None, 100, 1460, 16384)[number % 4]) for number in range(count)
            ]
            for each in all_:
                each.resumeProducing()
            self.wait(1)
            before = [each.moved for each in all_]
            self.wait(seconds)
            share = seconds * RATE / count
            for each, moved in zip(all_, before, strict=True):
                self.assertLess(abs(each.moved - moved - share), 0.05 * share + 16384, each.most)
            for each in all_:
                each.meter.stop()

    def test_portions(self) -> None:
        """
        A round is shared out evenly among all who wait, but not in pieces that cost more
        than they move: then some of them wait for the next round.
        """
        for rate, waiting, first in (
            (RATE, 1, [RATE * TICK]),
            (RATE, 2, [RATE * TICK / 2] * 2),
            (RATE, 4, [LEAST] * 3 + [0]),
            (100_000, 3, [2000, 0, 0]),
            (10_000, 2, [FLOOR, 0]),
        ):
            bucket = self.bucket(rate)
            bucket.charge(int(bucket.burst))
            meters = [Meter([bucket], self.clock, Producer()) for _ in range(waiting)]
            for each in meters:
                each.allowance()
            self.assertEqual(len(bucket.lane), waiting)
            self.wait(TICK)
            got = [each.allowance() for each in meters]
            for one, other in zip(got, first, strict=True):
                self.assertLess(abs(one - other), 3, got)
            for each in meters:
                each.stop()
        self.assertEqual(Lane.of(self.bucket(RATE), self.clock).portion, int(RATE * TICK))
        self.assertEqual(Lane.of(self.bucket(10), self.clock).portion, FLOOR)

    def test_twoBuckets(self) -> None:
        """
        Who needs octets of two buckets holds those of the first while it waits for the
        second; and gets what the scarcer has for it.
        """
        own, shared = self.bucket(RATE), self.bucket(RATE / 4)
        one, other = Greedy(self, own, shared), Greedy(self, shared)
        alone = Greedy(self, own)
        for each in (one, other, alone):
            each.resumeProducing()
        self.wait(10)
        self.assertLess(abs(one.moved - 10 * RATE / 8), 0.1 * RATE)
        self.assertLess(abs(other.moved - 10 * RATE / 8), 0.1 * RATE)
        self.assertLess(abs(alone.moved - 10 * RATE * 7 / 8), 0.3 * RATE)
        for each in (one, other, alone):
            each.meter.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaving(self) -> None:
        """
        Who stops while it waits is waited for no more, by whom it is done: also in the
        middle of a round.
        """
        bucket = self.bucket()
        bucket.charge(int(bucket.burst))
        meters: list[Meter] = []

        class Stopping(Producer):
            def resumeProducing(self) -> None:
                Producer.resumeProducing(self)
                for each in meters:
                    each.stop()

        producers = [Stopping() for _ in range(3)]
        meters += [Meter([bucket], self.clock, each) for each in producers]
        for each in meters:
            self.assertEqual(each.allowance(), 0)
        self.wait(1)
        self.assertEqual([each.told for each in producers], [["resume"], [], []])
        self.assertEqual((len(bucket.lane), self.clock.getDelayedCalls()), (0, []))
        self.assertTrue(bucket.full)

    def test_bugOfOne(self) -> None:
        """
        A producer that raises does not stop the others' turns.
        """
        bucket = self.bucket()
        bucket.charge(int(bucket.burst) + 1)
        broken, fine = Meter([bucket], self.clock, object()), Greedy(self, bucket)
        broken.allowance()
        fine.resumeProducing()
        self.assertRaises(AttributeError, self.wait, 1)
        self.wait(1)
        self.assertGreater(fine.moved, RATE / 2)


class TimerTests(ShapingCase):
    """
    What is asked of the clock.
    """

    def test_oneForAll(self) -> None:
        """
        There is one timer for a bucket, whoever waits, and none when nobody does.
        """
        bucket = self.bucket()
        all_ = [Greedy(self, bucket) for _ in range(100)]
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for each in all_:
            each.resumeProducing()
        for _ in range(50):
            self.wait(TICK)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for each in all_:
            each.meter.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_enough(self) -> None:
        """
        Who stays below the rate never waits, and no timer is set.
        """
        bucket = self.bucket()
        meter = Meter([bucket], self.clock, Producer())
        for _ in range(1000):
            self.assertTrue(meter.allowance())
            meter.spend(int(RATE * 0.009))
            self.clock.advance(0.01)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_seldom(self) -> None:
        """
        A bucket that is far overdrawn is looked at a few times a second only.
        """
        bucket = self.bucket(1000)
        bucket.charge(1_000_000)
        Meter([bucket], self.clock, Producer()).allowance()
        calls = 0
        while self.clock.seconds() < 10:
            due = min(call.getTime() for call in self.clock.getDelayedCalls())
            self.clock.advance(due - self.clock.seconds())
            calls += 1
        self.assertLess(calls, 50)
