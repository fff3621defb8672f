"""
Tests for L{connectproxy.splice}; what it declines and its pool of pipes have files of their
own.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
from typing import Any

import pytest
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Protocol
from zope.interface.verify import verifyObject

from connectproxy import splice
from connectproxy.leg import Leg
from tests.loopback import REACTOR, descriptors
from tests.relaycase import Rig
from tests.relaycontract import BulkContract, BytesContract, EndContract
from tests.relaystorm import StormContract
from tests.relaytime import TimeContract
from tests.splicecase import Spliced


@pytest.mark.integration
class SplicedTests(BulkContract, BytesContract, EndContract, TimeContract, StormContract, Spliced):
    """
    The contract.
    """


@pytest.mark.integration
class HundredSplicedTests(BulkContract, Spliced):
    """
    A hundred mebibytes each way.
    """

    bulk = 100 << 20


@pytest.mark.integration
class NoPipeTests(BulkContract, BytesContract, EndContract, StormContract, Spliced):
    """
    The contract where there is no pipe to be had, so that everything is copied.
    """

    bulk = 4 << 20
    tunnels = 100

    async def setUp(self) -> None:  # type: ignore[override]
        await Spliced.setUp(self)
        self.patch(os, "pipe2", self.refuse)

    def refuse(self, flags: int) -> Any:
        """
        The process has as many descriptors as it may.
        """
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def test_pipesLater(self) -> None:
        """
        A tunnel that had to copy for a while goes on with pipes when there are any.
        """
        rig = self.open()
        rig.client.transport.write(b"copied")
        await self.until(lambda: rig.origin.received == b"copied")
        self.assertEqual(len(self.relay.pipes), 0)
        self.patch(os, "pipe2", lambda flags: os.pipe())
        rig.client.transport.write(b", spliced")
        await self.until(lambda: rig.origin.received == b"copied, spliced")
        self.assertEqual(rig.tunnel.bytesUp, 15)


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


@pytest.mark.integration
class SpliceTests(Spliced):
    """
    How the relay stands between the sockets and the reactor.
    """

    async def test_watched(self) -> None:
        """
        The reactor watches one descriptor, whatever the number of tunnels, and none of
        their sockets.
        """
        self.assertNotIn(self.relay, REACTOR.getReaders())
        rigs = [self.open() for _ in range(10)]
        await self.turns()
        watched = [*REACTOR.getReaders(), *REACTOR.getWriters()]
        self.assertEqual(watched.count(self.relay), 1)
        for rig in rigs:
            self.assertFalse(set(rig.near) & set(watched))
        self.assertTrue(verifyObject(IReadDescriptor, self.relay))
        self.assertEqual(self.relay.logPrefix(), "splice")

    async def test_descriptors(self) -> None:
        """
        A tunnel that carries nothing costs two sockets and no pipe.
        """
        first = self.open()
        first.client.transport.write(b"x")
        await self.until(lambda: first.origin.received)
        before = len(descriptors())
        rigs = [self.open() for _ in range(20)]
        for rig in rigs:
            rig.client.transport.write(b"x")
            rig.origin.transport.write(b"y")
        await self.until(lambda: all(rig.origin.received and rig.client.received for rig in rigs))
        self.assertEqual(len(descriptors()) - before, 20 * 4)

    async def test_fullPipeIsClosed(self) -> None:
        """
        A pipe in which octets wait is closed with its tunnel, and not given back.
        """
        rig = await self.blocked()
        pipe = rig.tunnel.origin.pipe
        spare = len(self.relay.pipes)
        rig.tunnel.abort("aborted")
        for fd in pipe:
            self.assertRaises(OSError, os.fstat, fd)
        self.assertEqual(len(self.relay.pipes), spare)

    async def test_resetWhileOctetsWait(self) -> None:
        """
        A reset is noticed even while nothing is read from who sends it, whether or not the
        other side has ended.
        """
        for ended in (False, True):
            rig = self.open(small=True)
            if ended:
                rig.origin.transport.loseWriteConnection()
                await self.until(lambda: rig.client.ended)  # noqa: B023
            rig.origin.transport.pauseProducing()
            rig.client.transport.write(bytes(1 << 20))
            await self.until(lambda: rig.tunnel.client.held)  # noqa: B023
            rig.client.transport.abortConnection()
            await self.until(lambda: rig.outcomes)  # noqa: B023
            self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("client", "reset"))

    async def test_noCycles(self) -> None:
        """
        What is over is gone at once, and not when the garbage collector comes by.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        async def by(end: str) -> list[Any]:
            rig = self.open()
            if end == "eof":
                await self.close(rig)
            else:
                rig.client.transport.abortConnection()
                await self.until(lambda: rig.outcomes)
            return rig.remains()

        remains = [*await by("eof"), *await by("reset")]
        self.adopted = [each for each in self.adopted if each.connected]
        await self.turns(2)
        self.assertEqual([each() for each in remains], [None] * 6)

    async def test_batches(self) -> None:
        """
        More events than fit into a batch are served in the next ones.
        """
        self.patch(splice, "BATCH", 3)
        rigs = [self.open() for _ in range(20)]
        for rig in rigs:
            rig.client.transport.write(b"x")
        await self.until(lambda: all(rig.origin.received for rig in rigs))
        self.assertGreaterEqual(self.relay.calls, 20 / 3)

    async def test_resumedByOthers(self) -> None:
        """
        Nothing may read a transport whose socket is spliced.
        """
        rig = self.open()
        self.assertRaises(AssertionError, rig.near[0].protocol.dataReceived, b"x")
