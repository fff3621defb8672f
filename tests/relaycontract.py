"""
What every relay keeps to, whatever it moves bytes by: one test for each invariant.
"""

# ruff: noqa: B023  -- a condition is awaited before its loop goes on

from __future__ import annotations

import gc
from random import Random
from typing import Any

from twisted.internet.error import ConnectionLost
from zope.interface.verify import verifyObject

from connectproxy.interfaces import IRelay, ITunnel, Phase
from tests.relaycase import Feeder, Sink, pieces

__all__ = ["BulkContract", "BytesContract", "EndContract"]

SIDES = ("client", "origin")


class BulkContract:
    """
    Many bytes.

    @cvar bulk: octets each way.
    """

    bulk = 16 << 20

    async def test_bytesPreserved(self: Any) -> None:
        """
        Many octets in pieces of all sizes go both ways at once and arrive as they were
        sent; conformance 8.
        """
        random = Random(8)
        rig = self.open(Sink(), Sink())
        up = Feeder(rig.client.transport, pieces(random, self.bulk))
        down = Feeder(rig.origin.transport, pieces(random, self.bulk))
        await self.until(lambda: rig.outcomes and rig.client.ended and rig.origin.ended)
        self.assertEqual((rig.origin.count, rig.client.count), (self.bulk, self.bulk))
        self.assertEqual(rig.origin.digest.digest(), up.digest.digest())
        self.assertEqual(rig.client.digest.digest(), down.digest.digest())
        self.assertEqual(rig.outcomes[0][3:5], (self.bulk, self.bulk))


class BytesContract:
    """
    How bytes are moved.
    """

    def test_interfaces(self: Any) -> None:
        """
        The relay and its tunnels are what they say.
        """
        self.assertTrue(verifyObject(IRelay, self.relay))
        self.assertTrue(verifyObject(ITunnel, self.open().tunnel))

    async def test_boundedMemory(self: Any) -> None:
        """
        Where one side does not read, the other is soon not read either, and what waits in
        this process is bounded; when it reads again it gets everything.
        """
        for name in SIDES:
            rig = self.open(Sink(), Sink(), small=True)
            sender, reader = rig.far(name)
            reader.transport.pauseProducing()
            stop = False
            feeder = Feeder(sender.transport, iter(lambda: None if stop else bytes(50_000), None))
            await self.turns()
            accepted, waiting = feeder.accepted, self.userSpace(rig)
            self.assertLess(accepted, 2 << 20)
            self.assertLessEqual(waiting, 2 * 65536)
            await self.turns()
            self.assertEqual((feeder.accepted, self.userSpace(rig)), (accepted, waiting))
            stop = True
            reader.transport.resumeProducing()
            await self.until(lambda: reader.ended)
            self.assertEqual(reader.count, feeder.count)

    async def test_earlyBytes(self: Any) -> None:
        """
        What the legs hold goes first, in both directions, also where it is more than a
        socket takes at once; conformance 11.
        """
        for size in (1, 1000, 1 << 20):
            early = (Random(1).randbytes(size), Random(2).randbytes(size))
            rig = self.open(early=early, small=True)
            rig.client.transport.write(b"later up")
            rig.origin.transport.write(b"later down")
            await self.until(lambda: len(rig.origin.received) >= size + 8)
            await self.until(lambda: len(rig.client.received) >= size + 10)
            self.assertEqual(rig.origin.received, early[0] + b"later up")
            self.assertEqual(rig.client.received, early[1] + b"later down")
            await self.close(rig)
            self.assertEqual(rig.outcomes[0][3:5], (size + 8, size + 10))

    async def test_earlyBytesForSlowPeer(self: Any) -> None:
        """
        While a peer does not take what the legs hold, nothing more is read; and nothing is
        lost when more comes, and the end behind it.
        """
        early = Random(3).randbytes(1 << 20)
        rig = self.open(early=(early, b""), small=True)
        rig.origin.transport.pauseProducing()
        rig.client.transport.write(b"later")
        rig.client.transport.loseWriteConnection()
        await self.turns()
        self.assertEqual(self.userSpace(rig), len(early) - rig.tunnel.bytesUp)
        rig.origin.transport.resumeProducing()
        await self.until(lambda: rig.origin.ended)
        self.assertEqual(rig.origin.received, early + b"later")

    async def test_endedBefore(self: Any) -> None:
        """
        An end of stream that came before the relay is passed on after the early bytes,
        however many there are.
        """
        for size in (0, 17, 1 << 20):
            rig = self.open(early=(bytes(size), b""), ended=(True, False), small=True)
            rig.client.transport.loseWriteConnection()
            await self.until(lambda: rig.origin.ended)
            self.assertEqual(rig.origin.received, bytes(size))
            rig.origin.transport.write(b"answer")
            rig.origin.transport.loseConnection()
            await self.until(lambda: rig.outcomes and rig.client.ended)
            self.assertEqual(rig.client.received, b"answer")
            self.assertEqual(rig.outcomes[0][:5], ("client", Phase.RELAYING, "eof", size, 6))

    async def test_bothEndedBefore(self: Any) -> None:
        """
        Two legs that have both come to their end still get what the other holds.
        """
        rig = self.open(early=(b"up", b"down"), ended=(True, True))
        rig.client.transport.loseWriteConnection()
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.outcomes and rig.origin.ended and rig.client.ended)
        self.assertEqual((rig.origin.received, rig.client.received), (b"up", b"down"))
        self.assertEqual(rig.outcomes[0].kind, "eof")

    async def test_counters(self: Any) -> None:
        """
        The counts are of what the sockets took: exact while the tunnel is up, while a peer
        is slow, and when it is over, by a reset too.
        """
        rig = self.open(small=True)
        rig.client.transport.write(bytes(1000))
        rig.origin.transport.write(bytes(3000))
        await self.until(lambda: (len(rig.origin.received), len(rig.client.received)) == (1000, 3000))
        self.assertEqual((rig.tunnel.bytesUp, rig.tunnel.bytesDown), (1000, 3000))
        rig.origin.transport.pauseProducing()
        rig.client.transport.write(bytes(1 << 20))
        await self.turns()
        taken = rig.tunnel.bytesUp
        self.assertTrue(1000 < taken < 1 << 20, taken)
        rig.origin.transport.resumeProducing()
        await self.until(lambda: len(rig.origin.received) == 1000 + (1 << 20))
        self.assertEqual(rig.tunnel.bytesUp, 1000 + (1 << 20))
        rig.origin.transport.pauseProducing()
        rig.client.transport.write(bytes(1 << 20))
        await self.turns()
        taken = rig.tunnel.bytesUp
        rig.tunnel.abort("aborted")
        await self.until(lambda: rig.outcomes)
        self.assertEqual(rig.outcomes[0][3:5], (taken, 3000))
        self.assertEqual((rig.tunnel.bytesUp, rig.tunnel.bytesDown), (taken, 3000))


class EndContract:
    """
    How tunnels end.
    """

    async def test_halfClose(self: Any) -> None:
        """
        An end of stream is passed on behind what came before it, and the other direction
        stays open; when both have ended both close.  Conformance 14.
        """
        for name in SIDES:
            rig = self.open()
            one, other = rig.far(name)
            one.transport.write(b"before the end")
            one.transport.loseWriteConnection()
            await self.until(lambda: other.ended)
            self.assertEqual(other.received, b"before the end")
            await self.turns()
            self.assertEqual((rig.outcomes, one.ended), ([], False))
            other.transport.write(b"an answer")
            await self.until(lambda: one.received == b"an answer")
            other.transport.write(b", and its end")
            other.transport.loseWriteConnection()
            await self.until(lambda: one.ended and rig.outcomes)
            self.assertEqual(one.received, b"an answer, and its end")
            counts = (14, 22) if name == "client" else (22, 14)
            self.assertEqual(rig.outcomes[0][:5], (name, Phase.RELAYING, "eof", *counts))
            self.assertFalse(rig.near[0].connected or rig.near[1].connected)

    async def test_halfCloseAfterFlush(self: Any) -> None:
        """
        An end of stream waits for a slow peer to take what came before it.
        """
        for name in SIDES:
            rig = self.open(small=True)
            one, other = rig.far(name)
            other.transport.pauseProducing()
            one.transport.write(bytes(1 << 20))
            one.transport.loseWriteConnection()
            await self.turns()
            other.transport.resumeProducing()
            await self.until(lambda: other.ended)
            self.assertEqual(len(other.received), 1 << 20)
            other.transport.loseWriteConnection()
            await self.until(lambda: rig.outcomes)
            self.assertEqual(rig.outcomes[0][:3], (name, Phase.RELAYING, "eof"))

    async def test_bothEndWhileOneIsSlow(self: Any) -> None:
        """
        Who has ended and reads slowly still gets everything that the other sent before its
        own end.
        """
        for name in SIDES:
            rig = self.open(small=True)
            slow, other = rig.far(name)
            slow.transport.loseWriteConnection()
            await self.until(lambda: other.ended)
            slow.transport.pauseProducing()
            other.transport.write(bytes(300_000))
            other.transport.loseWriteConnection()
            await self.turns()
            self.assertEqual(rig.outcomes, [])
            slow.transport.resumeProducing()
            await self.until(lambda: slow.ended and rig.outcomes)
            self.assertEqual(len(slow.received), 300_000)
            self.assertEqual(rig.outcomes[0].kind, "eof")

    async def test_reset(self: Any) -> None:
        """
        A reset is passed on as a reset, at once; conformance 14.
        """
        for name in SIDES:
            rig = self.open()
            one, other = rig.far(name)
            one.transport.write(b"x")
            await self.until(lambda: other.received)
            one.transport.abortConnection()
            await self.until(lambda: rig.over)
            self.assertTrue(other.lost.check(ConnectionLost))
            counts = (1, 0) if name == "client" else (0, 1)
            self.assertEqual(rig.outcomes[0][:5], (name, Phase.RELAYING, "reset", *counts))

    async def test_resetAfterEnd(self: Any) -> None:
        """
        A reset by one who had sent its end is passed on as well, at the latest when there
        is something for it.
        """
        for name in SIDES:
            rig = self.open()
            one, other = rig.far(name)
            one.transport.loseWriteConnection()
            await self.until(lambda: other.ended)
            one.transport.abortConnection()
            for _ in range(3):  # who has heard an end of stream hears a reset when it writes
                other.transport.write(b"x")
                await self.turns()
            await self.until(lambda: rig.over)
            self.assertTrue(other.lost.check(ConnectionLost))
            self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), (name, "reset"))

    async def test_abortWhilePaused(self: Any) -> None:
        """
        A tunnel in which octets wait can be aborted: both sides are reset; and to abort it
        again does nothing.
        """
        rig = await self.blocked()
        rig.tunnel.abort("drain_timeout")
        rig.tunnel.abort("aborted")
        await self.until(lambda: rig.outcomes)
        rig.client.transport.resumeProducing()
        await self.until(lambda: rig.over)
        for each in (rig.client, rig.origin):
            self.assertTrue(each.lost.check(ConnectionLost))
        rig.tunnel.abort("aborted")
        (outcome,) = rig.outcomes
        self.assertEqual(outcome[:3], ("proxy", Phase.RELAYING, "drain_timeout"))

    async def test_closedByOthers(self: Any) -> None:
        """
        Where something else closes one of the transports, the other follows.
        """
        for near in (0, 1):
            rig = self.open()
            rig.near[near].abortConnection()
            await self.until(lambda: rig.over)
            self.assertEqual(len(rig.outcomes), 1)

    async def test_nothingRetained(self: Any) -> None:
        """
        When a tunnel is over, nobody knows it any more, however it ended.
        """

        async def by(end: str) -> list[Any]:
            rig = self.open()
            rig.client.transport.write(b"x")
            await self.until(lambda: rig.origin.received)
            if end == "eof":
                await self.close(rig)
            elif end == "reset":
                rig.client.transport.abortConnection()
            else:
                rig.tunnel.abort("aborted")
            await self.until(lambda: rig.over)
            return rig.remains()

        remains = [each for end in ("eof", "reset", "abort") for each in await by(end)]
        getattr(self, "adopted", []).clear()
        await self.turns()
        self.assertEqual(len(self.wheel), 0)
        gc.collect()
        self.assertEqual([each() for each in remains], [None] * 9)
