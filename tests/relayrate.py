"""
What a relay keeps to where a tunnel has terms of its own: limits of rate, which it may
share with others, and deadlines.
"""

# ruff: noqa: B023  -- a condition is awaited before its loop goes on

from __future__ import annotations

import gc
from random import Random
from typing import Any

from twisted.internet.error import ConnectionLost

from connectproxy.interfaces import Phase, Terms, Timeouts
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK
from tests.relaycase import Feeder, Rig, Sink

__all__ = ["RateContract"]

READ = 65536
"""Octets that a transport reads at once."""


class RateContract:
    """
    How fast tunnels are, and how long they last.
    """

    def limit(self: Any, *rates: int) -> Terms:
        """
        @param rates: octets per second in each direction, all of which hold.
        """
        return Terms(None, tuple((Bucket(rate, self.clock), Bucket(rate, self.clock)) for rate in rates))

    async def pass_(self: Any, seconds: float) -> None:
        """
        Let time go by, a round of the lanes at a time.
        """
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            await self.turns()

    def flood(self: Any, name: str, terms: Terms, **options: Any) -> tuple[Rig, Sink]:
        """
        A tunnel in which one end sends as much as it can.

        @param name: which.
        @return: the tunnel, and the far end that receives it.
        """
        rig = self.open(Sink(), Sink(), terms=terms, **options)
        sender, reader = rig.far(name)
        Feeder(sender.transport, iter(lambda: bytes(50_000), None))
        return rig, reader

    async def finish(self: Any, rig: Rig) -> None:
        """
        End a tunnel in order, from both sides, which may take its time.
        """
        for end in (rig.client, rig.origin):
            if not end.halfClosed:
                end.transport.loseWriteConnection()
        while not rig.outcomes:
            await self.pass_(TICK)
        await self.until(lambda: rig.client.ended and rig.origin.ended)
        rig.client.transport.loseConnection()
        rig.origin.transport.loseConnection()

    def assertIdle(self: Any, terms: Terms) -> None:
        """
        Nobody waits for a bucket, and no time is kept for any.
        """
        for pair in terms.shapers:
            for bucket in pair:
                self.assertEqual(len(bucket.lane), 0)
                self.assertFalse(bucket.lane.busy)

    async def test_rate(self: Any) -> None:
        """
        What one tunnel moves is what the bucket had at first and what it has got since, but
        for one read and one portion; in either direction, and the other is not held up.
        """
        for name in ("client", "origin"):
            terms = self.limit(1 << 20)
            rig, reader = self.flood(name, terms)
            await self.turns()
            burst = terms.shapers[0][0].burst
            for seconds in (1, 2, 3):
                await self.pass_(1)
                expected = burst + seconds * (1 << 20)
                self.assertLess(abs(reader.count - expected), READ + TICK * (1 << 20), (name, seconds))
            self.assertEqual(rig.tunnel.bytesUp + rig.tunnel.bytesDown, reader.count)
            reader.transport.write(b"at once")
            await self.until(lambda: rig.far(name)[0].count == 7)
            rig.tunnel.abort("aborted")
            await self.until(lambda: rig.over)
            self.assertIdle(terms)

    async def test_shares(self: Any) -> None:
        """
        Those who share a bucket get equal shares of it, and all of it, whatever else they
        are; who comes later has the same, and who goes leaves its share to the others.
        """
        terms = self.limit(4 << 20)
        rigs = [self.flood("origin", terms, small=index % 2 == 0) for index in range(10)]
        await self.pass_(1)
        before = [reader.count for _, reader in rigs]
        rigs += [self.flood("origin", terms) for _ in range(10)]
        before += [0] * 10
        await self.pass_(4)
        counts = [reader.count - count for (_, reader), count in zip(rigs, before, strict=True)]
        self.assertLess(abs(sum(counts) - (16 << 20)), 0.03 * (16 << 20))
        share = (16 << 20) / 20
        for count in counts:
            self.assertLess(abs(count - share), READ + 0.05 * share, counts)
        for rig, _ in rigs[1:]:
            rig.tunnel.abort("aborted")
        await self.pass_(0.5)  # what they had got in advance is paid by then
        reader = rigs[0][1]
        count = reader.count
        await self.pass_(1)
        self.assertLess(abs(reader.count - count - (4 << 20)), 0.05 * (4 << 20))

    async def test_scarcest(self: Any) -> None:
        """
        Of several limits the lowest counts, and of two tunnels that share one of them, one
        that has another limit besides does not keep the other from what it leaves.
        """
        shared, own = self.limit(1 << 20), self.limit(1 << 18)
        both = Terms(None, shared.shapers + own.shapers)
        (first, slow), (second, fast) = self.flood("origin", both), self.flood("origin", shared)
        await self.pass_(4)
        self.assertLess(abs(slow.count - 4.1 * (1 << 18)), 2 * READ)
        self.assertLess(abs(slow.count + fast.count - 4.1 * (1 << 20)), 3 * READ)
        for rig in (first, second):
            rig.tunnel.abort("aborted")
        await self.until(lambda: first.over and second.over)
        self.assertIdle(both)

    async def test_idleTunnels(self: Any) -> None:
        """
        Tunnels that carry nothing take no share, and need no time kept; and one that says
        something now and then is not kept waiting longer than for the others' turns.
        """
        terms = self.limit(1 << 20)
        idle = [self.open(terms=terms) for _ in range(10)]
        await self.pass_(1)
        self.assertIdle(terms)
        _, reader = self.flood("origin", terms)
        await self.pass_(2)
        self.assertLess(abs(reader.count - 2.1 * (1 << 20)), READ)
        for rig in idle:
            rig.origin.transport.write(b"x")
        await self.pass_(0.3)
        for rig in idle:
            self.assertEqual(bytes(rig.client.received), b"x")

    async def test_bounded(self: Any) -> None:
        """
        Who may not be read is not read: what waits, waits at the sender.
        """
        terms = self.limit(10_000)
        rig = self.open(Sink(), Sink(), terms=terms, small=True)
        feeder = Feeder(rig.client.transport, iter(lambda: bytes(50_000), None))
        await self.turns()
        accepted = feeder.accepted
        self.assertLess(accepted, 1 << 20)
        self.assertLessEqual(self.userSpace(rig), READ)
        await self.turns()
        self.assertEqual(feeder.accepted, accepted)

    async def test_bytes(self: Any) -> None:
        """
        Nothing is lost, changed or delivered in another order, the early octets are first,
        and the end is passed on behind all of it, though there is always somebody who waits.
        """
        random = Random(4)
        terms = self.limit(100_000)
        early = (random.randbytes(30_000), random.randbytes(40_000))
        up, down = random.randbytes(150_000), random.randbytes(100_000)
        rig = self.open(early=early, terms=terms)
        rig.client.transport.write(up)
        rig.client.transport.loseWriteConnection()
        rig.origin.transport.write(down)
        await self.turns()
        self.assertFalse(rig.origin.ended)
        while not rig.origin.ended:
            await self.pass_(TICK)
        self.assertEqual(bytes(rig.origin.received), early[0] + up)
        self.assertLess(abs(self.clock.seconds() - self.begun - 1.7), 0.5)
        self.assertEqual(rig.outcomes, [])
        await self.finish(rig)
        self.assertEqual(bytes(rig.client.received), early[1] + down)
        self.assertEqual(rig.outcomes[0][:5], ("client", Phase.RELAYING, "eof", 180_000, 140_000))
        self.assertIdle(terms)

    async def test_earlyWaits(self: Any) -> None:
        """
        While a bucket is overdrawn, what a leg holds waits as well, and the end behind it:
        or one tunnel after the other would be good for some octets.
        """
        terms = self.limit(10_000)
        for bucket in terms.shapers[0]:
            bucket.charge(21_000)
        rig = self.open(early=(b"early", b"down"), ended=(True, False), terms=terms)
        rig.client.transport.loseWriteConnection()
        rig.origin.transport.write(b", later")
        await self.pass_(1.9)
        self.assertEqual((bytes(rig.origin.received), bytes(rig.client.received)), (b"", b""))
        self.assertFalse(rig.origin.ended)
        await self.pass_(0.5)
        self.assertEqual((bytes(rig.origin.received), rig.origin.ended), (b"early", True))
        self.assertEqual(bytes(rig.client.received), b"down, later")
        await self.finish(rig)
        self.assertEqual(rig.outcomes[0][:5], ("client", Phase.RELAYING, "eof", 5, 11))

    async def test_earlyForSlowPeer(self: Any) -> None:
        """
        So it is where there is more than the other side takes at once.
        """
        terms = self.limit(1 << 20)
        rig = self.open(early=(bytes(1 << 18), b""), small=True, terms=terms)
        rig.origin.transport.pauseProducing()
        await self.pass_(0.5)
        self.assertLess(rig.tunnel.bytesUp, 1 << 18)
        rig.client.transport.write(b"later")
        rig.origin.transport.resumeProducing()
        await self.pass_(0.5)
        self.assertEqual(bytes(rig.origin.received), bytes(1 << 18) + b"later")

    async def test_resetWhileWaiting(self: Any) -> None:
        """
        A reset by one who waits is passed on as a reset, at the latest when its turn comes.
        """
        for name in ("client", "origin"):
            terms = self.limit(10_000)
            rig, other = self.flood(name, terms)
            await self.turns()
            self.assertTrue(any(meter.waiting for meter in rig.tunnel.meters))
            one = rig.far(name)[0]
            one.transport.unregisterProducer()
            one.transport.abortConnection()
            while not rig.outcomes:
                await self.pass_(TICK)
            await self.until(lambda: rig.over)
            self.assertTrue(other.lost.check(ConnectionLost))
            self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), (name, "reset"))
            self.assertIdle(terms)

    async def test_resetOfOther(self: Any) -> None:
        """
        A reset by the one who receives is passed on at once to one who waits.
        """
        terms = self.limit(10_000)
        rig, reader = self.flood("origin", terms)
        await self.turns()
        reader.transport.abortConnection()
        await self.until(lambda: rig.outcomes)
        self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("client", "reset"))
        self.assertIdle(terms)

    async def test_abortWhileWaiting(self: Any) -> None:
        """
        Who waits can be aborted, at once.
        """
        terms = self.limit(10_000)
        rig, _ = self.flood("origin", terms)
        await self.turns()
        rig.tunnel.abort("drain_timeout")
        await self.until(lambda: rig.over)
        self.assertEqual(rig.outcomes[0].kind, "drain_timeout")
        self.assertEqual(rig.outcomes[0].bytesDown, rig.tunnel.bytesDown)
        self.assertIdle(terms)

    async def test_retained(self: Any) -> None:
        """
        Nothing is left of limited tunnels, however they ended: nobody knows them, and the
        buckets know no time.
        """
        terms = self.limit(100_000, 200_000)

        async def by(end: str) -> list[Any]:
            rig = self.open(terms=terms)
            rig.client.transport.write(bytes(50_000))
            await self.turns()
            if end == "eof":
                while len(rig.origin.received) < 50_000:
                    await self.pass_(TICK)
                await self.finish(rig)
            elif end == "reset":
                rig.client.transport.abortConnection()
            else:
                rig.tunnel.abort("aborted")
            while not rig.over:
                await self.pass_(TICK)
            return rig.remains()

        remains = [each for end in ("eof", "reset", "abort") for each in await by(end)]
        getattr(self, "adopted", []).clear()
        await self.turns()
        self.assertEqual(len(self.wheel), 0)
        self.assertIdle(terms)
        gc.collect()
        self.assertEqual([each() for each in remains], [None] * 9)

    async def test_ownDeadlines(self: Any) -> None:
        """
        A tunnel has the deadlines that it was given, and not those of the others; 0 is none.
        """
        for own, seconds, kind in (
            (Timeouts(5.0, 20.0, 0.0), 5.5, "idle_timeout"),
            (Timeouts(60.0, 20.0, 7.0), 7.5, "lifetime_exceeded"),
            (Timeouts(0.0, 20.0, 0.0), 1e6, ""),
            (None, 60.5, "idle_timeout"),
        ):
            rig = self.open(terms=Terms(own))
            self.clock.advance(seconds - 1)
            await self.turns()
            self.assertEqual(rig.outcomes, [])
            self.clock.advance(1)
            await self.turns()
            self.assertEqual([each.kind for each in rig.outcomes], [kind] if kind else [])
            rig.tunnel.abort("aborted")

    async def test_waitingIsNotIdle(self: Any) -> None:
        """
        A tunnel that would move octets and may not has its idle time ahead of it; but not
        for longer than its lifetime.
        """
        shapers = self.limit(1000).shapers
        shapers[0][1].charge(20_000)
        rig = self.open(terms=Terms(Timeouts(5.0, 2.0, 60.0), shapers))
        rig.origin.transport.write(b"x")
        await self.pass_(15)
        self.assertEqual((rig.outcomes, bytes(rig.client.received)), ([], b""))
        await self.pass_(6)
        self.assertEqual(bytes(rig.client.received), b"x")
        self.clock.advance(5.5)
        await self.turns()
        self.assertEqual(rig.outcomes[0].kind, "idle_timeout")
        rig = self.open(terms=Terms(Timeouts(5.0, 2.0, 10.0), self.limit(1000).shapers))
        Feeder(rig.origin.transport, iter(lambda: bytes(50_000), None))
        await self.pass_(10.5)
        self.clock.advance(2.5)  # what the client has not taken is given up then
        await self.turns()
        self.assertEqual(rig.outcomes[0].kind, "lifetime_exceeded")
