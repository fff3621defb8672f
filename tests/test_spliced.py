"""
Tests for L{connectproxy.spliced}: what a tunnel of the relay by splice does at its ends.
"""

from __future__ import annotations

import gc
import socket
from typing import Any

import pytest
from twisted.internet.protocol import Protocol

from connectproxy import splice
from connectproxy.interfaces import Phase, Terms
from connectproxy.leg import Leg
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK
from tests.relaycase import Rig
from tests.splicecase import Spliced


@pytest.mark.integration
class RestTests(Spliced):
    """
    The reactor is not kept busy by tunnels in which nothing happens.
    """

    async def assertAtRest(self) -> None:
        """
        The reactor does not call the relay.
        """
        await self.turns()
        before = self.relay.calls
        await self.turns(50)
        self.assertEqual(self.relay.calls, before)

    async def test_idle(self) -> None:
        """
        A tunnel that carries nothing, before and after it has carried something.
        """
        rig = self.open()
        await self.assertAtRest()
        rig.client.transport.write(b"x")
        await self.until(lambda: rig.origin.received)
        await self.assertAtRest()

    async def test_ended(self) -> None:
        """
        A tunnel of which one side has ended.
        """
        for name in ("client", "origin"):
            rig = self.open()
            one, other = rig.far(name)
            one.transport.write(b"x")
            one.transport.loseWriteConnection()
            await self.until(lambda: other.ended)  # noqa: B023
            await self.assertAtRest()
        self.assertGreater(self.relay.calls, 0)

    async def test_blocked(self) -> None:
        """
        A tunnel in which octets wait for somebody who does not read, while more arrive;
        also when the sender has ended.
        """
        rig = await self.blocked()
        self.assertGreater(rig.tunnel.origin.held, 0)
        await self.assertAtRest()
        rig.origin.transport.loseWriteConnection()
        await self.assertAtRest()

    async def parked(self) -> tuple[Rig, int]:
        """
        @return: a tunnel of which both sides have ended, but what the client sent before
            waits for an origin that does not read; and how many octets the client sent.
        """
        rig = self.open(small=True)
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.client.ended)
        rig.origin.transport.pauseProducing()
        sent = 0
        while not rig.tunnel.client.held:
            rig.client.transport.write(bytes(4096))
            sent += 4096
            await self.turns(3)
        rig.client.transport.write(b"the end")
        rig.client.transport.loseWriteConnection()
        await self.turns()
        self.assertEqual((rig.tunnel.client.mask, rig.outcomes), (splice.PARKED, []))
        return rig, sent + 7

    async def test_bothEndedButOctetsWait(self) -> None:
        """
        A tunnel of which both sides have ended, where octets wait for the slow one.  The
        kernel reports that of the other without being asked.  No octet is lost.
        """
        rig, sent = await self.parked()
        await self.assertAtRest()
        rig.origin.transport.resumeProducing()
        await self.until(lambda: rig.outcomes and rig.origin.ended)
        self.assertEqual(len(rig.origin.received), sent)
        self.assertTrue(rig.origin.received.endswith(b"the end"))
        self.assertEqual(rig.outcomes[0][2:5], ("eof", sent, 0))

    async def test_bothEndedAndNobodyReads(self) -> None:
        """
        Such a tunnel has its deadline, and the slow side may reset it.
        """
        rig, _ = await self.parked()
        self.clock.advance(20.5)
        self.assertEqual(rig.outcomes[0].kind, "half_open_timeout")
        rig, _ = await self.parked()
        rig.origin.transport.abortConnection()
        await self.until(lambda: rig.outcomes)
        self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("origin", "reset"))

    def limited(self) -> Terms:
        """
        Terms whose buckets are overdrawn by what ten seconds bring.
        """
        terms = Terms(None, ((Bucket(10_000, self.clock), Bucket(10_000, self.clock)),))
        for bucket in terms.shapers[0]:
            bucket.charge(101_000)
        return terms

    async def test_limited(self) -> None:
        """
        A tunnel whose octets wait for a limit, while more arrive; also when the sender has
        ended, and when both have, which the kernel reports without being asked.  No octet is
        lost.
        """
        for both in (False, True):
            rig = self.open(small=True, terms=self.limited())
            rig.client.transport.write(b"x" * 5000)
            await self.until(lambda: rig.tunnel.client.meter.waiting)  # noqa: B023
            self.assertEqual(rig.tunnel.client.mask, 0)
            await self.assertAtRest()
            rig.client.transport.write(b"y" * 5000)
            if both:
                rig.origin.transport.loseWriteConnection()
                await self.until(lambda: rig.tunnel.origin.meter.waiting)  # noqa: B023
            rig.client.transport.loseWriteConnection()
            await self.assertAtRest()
            self.assertEqual((rig.outcomes, rig.tunnel.bytesUp), ([], 0))
            while not rig.origin.ended:
                self.clock.advance(TICK)
                await self.turns(5)
            self.assertEqual(bytes(rig.origin.received), b"x" * 5000 + b"y" * 5000)
            self.assertEqual(len(rig.outcomes), both)

    async def test_parkedByLimit(self) -> None:
        """
        So it is where the other side has ended, and been heard, long before.
        """
        terms = self.limited()
        rig = self.open(terms=Terms(None, ((terms.shapers[0][0], Bucket(10_000, self.clock)),)))
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.client.ended)
        rig.client.transport.write(b"x" * 5000)
        rig.client.transport.loseWriteConnection()
        await self.assertAtRest()
        self.assertEqual((rig.tunnel.client.mask, rig.outcomes), (splice.PARKED, []))
        while not rig.outcomes:
            self.clock.advance(TICK)
            await self.turns(5)
        await self.until(lambda: rig.origin.ended)
        self.assertEqual(bytes(rig.origin.received), b"x" * 5000)
        self.assertEqual(rig.outcomes[0][2:5], ("eof", 5000, 0))

    async def test_endWaitsForLimit(self) -> None:
        """
        An end behind which nothing comes may have to wait as well, and is the tunnel's when
        the other side has ended before.
        """
        terms = self.limited()
        rig = self.open(terms=Terms(None, ((terms.shapers[0][0], Bucket(10_000, self.clock)),)))
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.client.ended)
        rig.client.transport.loseWriteConnection()
        await self.assertAtRest()
        self.assertEqual((rig.tunnel.client.mask, rig.outcomes), (splice.PARKED, []))
        while not rig.outcomes:
            self.clock.advance(TICK)
            await self.turns(5)
        self.assertEqual(rig.outcomes[0][:5], ("origin", Phase.RELAYING, "eof", 0, 0))

    async def test_limitedWithoutCycles(self) -> None:
        """
        What is over is gone at once, and not when the garbage collector comes by.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        async def by() -> list[Any]:
            rig = self.open(terms=self.limited())
            rig.client.transport.write(b"x")
            await self.until(lambda: rig.tunnel.client.meter.waiting)
            rig.client.transport.abortConnection()
            await self.until(lambda: rig.outcomes)
            return rig.remains()

        remains = await by()
        self.adopted = [each for each in self.adopted if each.connected]
        await self.turns(2)
        self.assertEqual([each() for each in remains], [None] * 3)

    async def test_endAndRoomInOneBatch(self) -> None:
        """
        The end of one side is reported together with room for its octets at the other: it
        is still read to its end.
        """
        for order in (0, 1):
            client, listening = self.sockets(16384)
            dialled, origin = self.sockets(16384)
            protocol, leg = Protocol(), Leg()
            self.adopt(listening, protocol)
            self.adopt(dialled, leg)
            tunnel = self.relay.join(Leg.of(protocol.transport, b"", ended=False), leg)
            for far in (client, origin):
                far.setblocking(False)
            origin.shutdown(socket.SHUT_WR)
            await self.until(lambda: tunnel.client.peer.ended)  # noqa: B023
            sent = 0
            for _ in range(5):  # until every buffer is full, and the client is not read
                try:
                    while True:
                        sent += client.send(bytes(50_000))
                except BlockingIOError:
                    await self.turns()
            steps = [lambda: self.drain(origin), lambda: client.shutdown(socket.SHUT_WR) or 0]  # noqa: B023
            received = sum(step() for step in (steps if order else steps[::-1]))
            while not tunnel.finished.called:
                await self.turns(1)
                received += self.drain(origin)
            self.assertEqual(received + self.drain(origin), sent)
            self.assertEqual(self.successResultOf(tunnel.finished).kind, "eof")
            client.close()
            origin.close()

    def drain(self, sock: socket.socket) -> int:
        """
        @return: how many octets a socket had.
        """
        count = 0
        try:
            while octets := sock.recv(1 << 20):
                count += len(octets)
        except BlockingIOError:
            pass
        return count
