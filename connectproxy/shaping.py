"""
So many octets per second: who may move some now, and who waits.

How much there is says a bucket (L{connectproxy.limits.Bucket}); here it is shared out.
Each direction of a tunnel, of an exchange of messages or of an association has a
L{Meter}, with as many buckets as limits hold for it; it gets what the scarcest has for
it.  While there is enough, a meter only counts.  When there is not, its direction is
not read, so that the sender is slowed down by flow control and nothing piles up here,
and it takes its place in the bucket's L{Lane}: there all who wait get equal portions in
turn, some fifty times a second, by one timer for each lane in which anybody waits.
Who does not wait takes no portion and needs no timer.

What has been read is not split.  Who has read more than its portion pays for it with
its next ones; and what is owed at the end is taken from the bucket, which may be
overdrawn.  So the rate is kept over time to the octet, however much comes in one read.

It knows neither what moves octets nor what they are.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

__all__ = ["TICK", "Lane", "Meter", "Tokens", "Valve"]

TICK = 0.02
"""Seconds between two rounds of a lane; a bucket must hold more than this brings."""

LEAST = 8192
"""Octets of a portion, at least, where a round brings as many: smaller ones would cost
more than they move."""

FLOOR = 1024
"""Octets of a portion, at least, however long it takes to get them together."""

LATE = 1.0
"""Seconds that a round may be late, in a process that has much else to do, and those who
wait get all the same what a bucket that was full meanwhile could not hold."""

LOOK_AGAIN = 0.25
"""Seconds until a lane that is overdrawn is looked at again, at most: its rate may
have been changed."""


class Tokens(Protocol):
    """
    How much there is: what is used of L{connectproxy.limits.Bucket}.

    @ivar rate: octets per second.
    @ivar lane: the L{Lane} of those that wait; L{None} at first.
    """

    rate: float
    lane: Any

    def take(self, want: int) -> int:
        """
        Take octets, as many as there are.

        @return: how many, 0 to C{want}.
        """

    def charge(self, count: int) -> None:
        """
        Take octets, whether they are there or not.
        """

    def give(self, count: int) -> None:
        """
        Put octets back.
        """

    def wait(self, want: int = 1) -> float:
        """
        The seconds until so many are there, 0.0 if they are.
        """


class _Place:
    """
    What one lane knows of one meter.

    @ivar credit: octets that it has got from the lane and not moved; negative for what
        it has moved and not got yet.
    """

    __slots__ = ("credit", "lane", "meter")

    def __init__(self, lane: Lane, meter: Meter) -> None:
        self.lane = lane
        self.meter = meter
        self.credit = 0


class Lane:
    """
    Those who wait for one bucket.
    """

    __slots__ = ("_bucket", "_call", "_clock", "_full", "_served", "_waiting")

    def __init__(self, bucket: Tokens, clock: IReactorTime) -> None:
        """
        @param clock: calls later.
        """
        self._bucket = bucket
        self._clock = clock
        self._waiting: OrderedDict[_Place, None] = OrderedDict()
        self._served: list[_Place] = []
        self._call: IDelayedCall | None = None
        self._full = 0.0  # when the bucket can hold no more, in seconds of the clock

    @classmethod
    def of(cls, bucket: Tokens, clock: IReactorTime) -> Lane:
        """
        The lane of a bucket.
        """
        lane: Lane | None = bucket.lane
        if lane is None:
            lane = bucket.lane = cls(bucket, clock)
        return lane

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether there is going to be another round."""
        return self._call is not None

    @property
    def free(self) -> bool:
        """Whether nobody waits, and there is something."""
        return not self._waiting and not self._bucket.wait()

    @property
    def portion(self) -> int:
        """How many octets may be moved at once where nobody waits."""
        return max(int(self._bucket.rate * TICK), FLOOR)

    def enter(self, place: _Place) -> None:
        """
        Wait for a turn, behind all others.
        """
        if not self._waiting:
            self._full = self._clock.seconds() + self._bucket.wait(sys.maxsize)
        self._waiting[place] = None
        self._schedule()

    def settle(self, place: _Place, count: int) -> None:
        """
        Octets have been moved.
        """
        if place.credit or not self.free:
            place.credit -= count
        else:
            self._bucket.charge(count)

    def leave(self, place: _Place) -> None:
        """
        Wait no more, give back what is left, and pay what is owed.
        """
        self._waiting.pop(place, None)
        credit, place.credit = place.credit, 0
        if credit > 0:
            self._bucket.give(credit)
        elif credit:
            self._bucket.charge(-credit)
        self._served = [each for each in self._served if each.credit > 0]
        if self._call is not None and not self._waiting and not self._served:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        """
        See to it that there is another round.
        """
        if self._call is None:
            delay = TICK if self._served else max(TICK, min(self._bucket.wait(), LOOK_AGAIN))
            self._call = self._clock.callLater(delay, self._round)

    def _round(self) -> None:
        """
        Take back what the last round's have had no use for, and share out what there is.
        """
        self._call = None
        bucket, waiting = self._bucket, self._waiting
        served, self._served = self._served, []
        for place in served:
            if place.credit > 0:
                if place.meter.waiting:  # in another lane, so that it could not use it
                    self._served.append(place)
                else:
                    bucket.give(place.credit)
                    place.credit = 0
        there = self._lost() + bucket.take(sys.maxsize)
        least = max(FLOOR, min(LEAST, int(bucket.rate * TICK)))
        portion = max(there // (len(waiting) or 1), least)
        try:
            # Nobody has two: that would go to those who are back in the lane first.
            for _ in range(len(waiting)):
                if there <= 0 or not waiting:
                    break
                there -= portion
                place = waiting.popitem(last=False)[0]
                place.credit += portion
                if place.credit > 0:
                    self._served.append(place)
                    place.meter.served()
                else:
                    waiting[place] = None
        finally:
            if there > 0:
                bucket.give(there)
            else:
                bucket.charge(-there)
            self._served = [each for each in self._served if each.credit > 0]
            if waiting or self._served:
                self._full = self._clock.seconds() + bucket.wait(sys.maxsize)
                self._schedule()

    def _lost(self) -> int:
        """
        How many octets the bucket did not get, for it was full, although somebody waited.
        """
        if not self._waiting or self._bucket.wait(sys.maxsize):
            return 0
        late = min(max(0.0, self._clock.seconds() - self._full), LATE)
        return int(late * self._bucket.rate)


class Meter:
    """
    What one direction may move.

    @ivar waiting: it may move nothing now, and is going to be told when it may.
    """

    __slots__ = ("_places", "producer", "waiting")

    def __init__(self, buckets: Sequence[Tokens], clock: IReactorTime, producer: Any = None) -> None:
        """
        @param buckets: what it takes octets from: all of them from each.
        @param clock: calls later.
        @param producer: its C{resumeProducing} is called when it may move octets again;
            L{None} where nobody wants to know.
        """
        self._places = tuple(_Place(Lane.of(bucket, clock), self) for bucket in buckets)
        self.producer = producer
        self.waiting = False

    def allowance(self) -> int:
        """
        How many octets may be moved now.

        @return: 0 if none, and C{waiting} is true from now on.
        """
        if self.waiting:
            return 0
        most = sys.maxsize
        for place in self._places:
            credit, lane = place.credit, place.lane
            if credit <= 0:
                if credit or not lane.free:
                    self.waiting = True
                    lane.enter(place)
                    return 0
                credit = lane.portion
            if credit < most:
                most = credit
        return most

    def spend(self, count: int) -> None:
        """
        Octets have been moved, perhaps more than were allowed.
        """
        for place in self._places:
            place.lane.settle(place, count)

    def served(self) -> None:
        """
        The lane has given a portion: go on, or wait for the next bucket.
        """
        self.waiting = False
        if self.allowance() and self.producer is not None:
            self.resume()

    def resume(self) -> None:
        """
        Have octets moved.
        """
        self.producer.resumeProducing()

    def stop(self) -> None:
        """
        There will be no more octets.  Whatever is asked afterwards is allowed, and
        counts nowhere.
        """
        places, self._places = self._places, ()
        self.waiting = False
        self.producer = None
        for place in places:
            place.lane.leave(place)


@implementer(IPushProducer)
class Valve(Meter):
    """
    A meter between a producer and its consumer: whichever of the two has enough pauses
    the producer, and it goes on when neither has.

    @ivar full: the consumer takes no more for now.
    """

    __slots__ = ("full",)

    def __init__(self, buckets: Sequence[Tokens], clock: IReactorTime, producer: Any) -> None:
        Meter.__init__(self, buckets, clock, producer)
        self.full = False

    def start(self) -> None:
        """
        Have the producer deliver, or not, as it may; whatever it did before.
        """
        if self.allowance():
            self.resume()
        else:
            self.producer.pauseProducing()

    def passed(self, count: int) -> None:
        """
        The producer has delivered octets.
        """
        self.spend(count)
        if not self.full and not self.waiting and not self.allowance():
            self.producer.pauseProducing()

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}: the consumer has enough.
        """
        self.full = True
        self.producer.pauseProducing()

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}: the consumer takes more.
        """
        self.full = False
        if self.allowance():
            self.resume()

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}: the consumer is lost, and says so next.
        """

    def resume(self) -> None:
        """
        Have octets delivered, if they are wanted.
        """
        if not self.full:
            self.producer.resumeProducing()
