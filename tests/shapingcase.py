"""
What the tests of L{connectproxy.shaping} have in common.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK, Meter

__all__ = ["RATE", "Greedy", "Producer", "ShapingCase"]

RATE = 1 << 20


class Producer:
    """
    Notes what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


class Greedy:
    """
    Moves at once whatever it may.

    @ivar most: how much comes in one read; L{None} for as much as is allowed.
    @ivar moved: octets.
    """

    def __init__(self, case: ShapingCase, *buckets: Bucket, most: int | None = None) -> None:
        self.meter = Meter(buckets, case.clock, self)
        self.most = most
        self.moved = 0

    def resumeProducing(self) -> None:
        while size := self.meter.allowance():
            size = self.most or size
            self.meter.spend(size)
            self.moved += size


class ShapingCase(SynchronousTestCase):
    """
    Meters on a fake clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def bucket(self, rate: float = RATE) -> Bucket:
        """
        A bucket.
        """
        return Bucket(rate, self.clock)

    def wait(self, seconds: float) -> None:
        """
        Let time go by.
        """
        self.clock.pump([TICK] * round(seconds / TICK))
