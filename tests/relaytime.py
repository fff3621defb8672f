"""
How long a relay's tunnels last: one test for each of the deadlines, on a fake clock.
"""

# ruff: noqa: B023  -- a condition is awaited before its loop goes on

from __future__ import annotations

import itertools
from typing import Any

from connectproxy.interfaces import Phase
from connectproxy.relay import Timeouts
from tests.relaycase import Rig, Sink

__all__ = ["TimeContract"]


class TimeContract:
    """
    How long tunnels last.
    """

    async def wait(self: Any, seconds: float) -> None:
        """
        Let time go by, in steps in which deadlines may be set anew.
        """
        self.clock.advance(seconds)
        await self.turns()

    async def assertGraceful(self: Any, rig: Rig, kind: str) -> None:
        """
        The proxy has closed both sides, and not by a reset.
        """
        await self.until(lambda: rig.outcomes and rig.client.ended and rig.origin.ended)
        self.assertEqual((rig.client.lost, rig.origin.lost), (None, None))
        self.assertEqual(rig.outcomes[0][:3], ("proxy", Phase.RELAYING, kind))

    async def test_idle(self: Any) -> None:
        """
        A tunnel without an octet is closed in order when the time is up, counted from the
        last octet in either direction; conformance 16.
        """
        rig = self.open()
        await self.wait(59.5)
        for each, other in ((rig.client, rig.origin), (rig.origin, rig.client)):
            each.transport.write(b"x")
            await self.until(lambda: other.received)
            await self.wait(59.5)
            self.assertEqual(rig.outcomes, [])
        await self.wait(0.75)
        await self.assertGraceful(rig, "idle_timeout")
        self.assertEqual(rig.outcomes[0].seconds, 3 * 59.5 + 0.75)

    async def test_halfOpen(self: Any) -> None:
        """
        A tunnel of which one side has ended is closed when the other is silent for the
        shorter time; conformance 14.
        """
        for name in ("client", "origin"):
            rig = self.open()
            one, other = rig.far(name)
            await self.wait(30)
            one.transport.loseWriteConnection()
            await self.until(lambda: other.ended)
            await self.wait(19.5)
            other.transport.write(b"x")
            await self.until(lambda: one.received)
            await self.wait(19.5)
            self.assertEqual(rig.outcomes, [])
            await self.wait(0.75)
            await self.assertGraceful(rig, "half_open_timeout")

    async def test_lifetime(self: Any) -> None:
        """
        A tunnel has its time, whatever it carries.
        """
        self.begin(Timeouts(idle=60.0, halfOpen=20.0, lifetime=100.0))
        rig = self.open()
        for number in range(1, 10):
            await self.wait(11)
            rig.client.transport.write(b"x")
            await self.until(lambda: len(rig.origin.received) == number)
        self.assertEqual(rig.outcomes, [])
        await self.wait(1.25)
        await self.assertGraceful(rig, "lifetime_exceeded")

    async def test_noLimits(self: Any) -> None:
        """
        Where every limit is 0, there is no deadline at all.
        """
        self.begin(Timeouts(0.0, 0.0, 0.0))
        rig = self.open()
        self.assertEqual(len(self.wheel), 0)
        rig.client.transport.loseWriteConnection()
        await self.until(lambda: rig.origin.ended)
        await self.wait(1e9)
        self.assertEqual((rig.outcomes, len(self.wheel)), ([], 0))

    async def test_timersWhilePaused(self: Any) -> None:
        """
        A tunnel in which octets wait for somebody who never reads ends as well: who is to
        be closed in order and does not take what is left is reset, so that what it got does
        not look whole.
        """
        rig = await self.blocked()
        await self.wait(60.5)
        await self.wait(20.5)
        await self.until(lambda: rig.outcomes)
        self.assertEqual(rig.outcomes[0][:3], ("proxy", Phase.RELAYING, "idle_timeout"))
        self.assertEqual(len(self.wheel), 0)
        rig.client.transport.resumeProducing()
        await self.until(lambda: rig.client.lost)
        self.assertFalse(rig.client.ended)

    async def test_timersAreLazy(self: Any) -> None:
        """
        Octets that move set no timer: what is asked of the clock depends on time alone.
        """
        made = itertools.count()
        callLater = self.clock.callLater

        def counting(*arguments: Any) -> Any:
            next(made)
            return callLater(*arguments)

        self.patch(self.clock, "callLater", counting)
        rig = self.open(client=Sink(), origin=Sink())
        for number in range(1, 101):
            rig.client.transport.write(b"x")
            rig.origin.transport.write(b"y")
            await self.until(lambda: rig.client.count == rig.origin.count == number)
            self.clock.advance(0.5)
        self.assertEqual(rig.outcomes, [])
        self.assertEqual(next(made), 1)
