"""
Tests for L{connectproxy.splice}; what it declines and its pool of pipes have files of their
own.
"""

from __future__ import annotations

import errno
import gc
import os
from typing import Any

import pytest
from twisted.internet.interfaces import IReadDescriptor
from zope.interface.verify import verifyObject

from connectproxy import splice
from tests.loopback import REACTOR, descriptors
from tests.relaycontract import BulkContract, BytesContract, EndContract
from tests.relayrate import RateContract
from tests.relaystorm import StormContract
from tests.relaytime import TimeContract
from tests.splicecase import Spliced


@pytest.mark.integration
class SplicedTests(
    BulkContract, BytesContract, EndContract, TimeContract, RateContract, StormContract, Spliced
):
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
class NoPipeTests(BulkContract, BytesContract, EndContract, RateContract, StormContract, Spliced):
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
