"""
Tests for L{connectproxy.splice}; its pool of pipes has L{tests.test_splice_pipes}.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import splice
from connectproxy.leg import Leg
from connectproxy.relay import Timeouts
from connectproxy.splice import SpliceRelay
from connectproxy.wheel import Wheel
from tests.fakes import Peer
from tests.loopback import REACTOR, descriptors
from tests.relaycase import LoopbackCase, Rig
from tests.relaycontract import BulkContract, BytesContract, EndContract
from tests.relaystorm import StormContract
from tests.relaytime import TimeContract


class CountingRelay(SpliceRelay):
    """
    Counts how often the reactor calls.
    """

    calls = 0

    def doRead(self) -> None:
        self.calls += 1
        SpliceRelay.doRead(self)


class Spliced(LoopbackCase):
    """
    The relay under test.
    """

    def makeRelay(self, timeouts: Timeouts) -> CountingRelay:
        return CountingRelay(REACTOR, self.clock, self.wheel, timeouts)

    def userSpace(self, rig: Rig) -> int:
        return len(rig.tunnel.client.early) + len(rig.tunnel.origin.early)

    async def closeAll(self) -> None:
        """
        No pipe has come back with octets in it, whatever a test did.
        """
        await LoopbackCase.closeAll(self)
        self.assertEqual(self.relay.pipes.discarded, 0)


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
        await self.assertAtRest()
        rig.origin.transport.loseWriteConnection()
        await self.assertAtRest()

    async def parked(self) -> Rig:
        """
        @return: a tunnel of which both sides have ended, but what the client sent before
            waits for an origin that does not read.
        """
        rig = self.open(small=True)
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.client.ended)
        rig.origin.transport.pauseProducing()
        rig.client.transport.write(bytes(range(256)) * 1024)
        rig.client.transport.loseWriteConnection()
        await self.turns()
        return rig

    async def test_bothEndedButOctetsWait(self) -> None:
        """
        A tunnel of which both sides have ended, where octets wait for the slow one.  The
        kernel reports that of the other without being asked.  No octet is lost.
        """
        rig = await self.parked()
        self.assertEqual(rig.outcomes, [])
        await self.assertAtRest()
        rig.origin.transport.resumeProducing()
        await self.until(lambda: rig.outcomes and rig.origin.ended)
        self.assertEqual(rig.origin.received, bytes(range(256)) * 1024)
        self.assertEqual(rig.outcomes[0][2:5], ("eof", 256 * 1024, 0))

    async def test_bothEndedAndNobodyReads(self) -> None:
        """
        Such a tunnel has its deadline, and the slow side may reset it.
        """
        rig = await self.parked()
        self.clock.advance(20.5)
        self.assertEqual(rig.outcomes[0].kind, "half_open_timeout")
        rig = await self.parked()
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

    async def test_unixSocket(self) -> None:
        """
        A client may come by a UNIX socket.
        """
        far, near = socket.socketpair()
        client, listening, leg, origin = Peer(), Protocol(), Leg(), Peer()
        self.adopt(far, client)
        self.adopt(near, listening)
        self.pair(leg, origin)
        legs = Leg.of(listening.transport, b"early", ended=False), leg
        self.assertTrue(self.relay.canJoin(*legs))
        rig = Rig(client, origin, (), self.relay.join(*legs))
        client.transport.write(b"x")
        await self.until(lambda: origin.received == b"earlyx")
        await self.close(rig)
        self.assertEqual(rig.outcomes[0].kind, "eof")

    async def test_resumedByOthers(self) -> None:
        """
        Nothing may read a transport whose socket is spliced.
        """
        rig = self.open()
        self.assertRaises(AssertionError, rig.near[0].protocol.dataReceived, b"x")


@pytest.mark.integration
class DeclineTests(Spliced):
    """
    What the relay leaves to the other one.
    """

    def legs(self) -> tuple[Leg, Leg]:
        """
        @return: two legs that could be joined.
        """
        legs = Leg(), Leg()
        for leg in legs:
            self.pair(leg, Peer())
        self.assertTrue(self.relay.canJoin(*legs))
        return legs

    def assertDeclined(self, first: Leg, second: Leg) -> None:
        """
        Neither way round can they be joined.
        """
        self.assertFalse(self.relay.canJoin(first, second))
        self.assertFalse(self.relay.canJoin(second, first))

    def test_noSocket(self) -> None:
        """
        A transport that is no socket.
        """
        one, _ = self.legs()
        self.assertDeclined(one, Leg.of(StringTransport(), b"", ended=False))

    def test_layers(self) -> None:
        """
        A socket with a layer on it, as TLS is in an endpoint, or with TLS begun on it.
        """
        one, two = self.legs()
        wrapper = ProtocolWrapper(WrappingFactory(None), Leg())
        self.pair(wrapper, Peer())
        self.assertDeclined(one, Leg.of(wrapper, b"", ended=False))
        two.transport.TLS = True  # type: ignore[union-attr]
        self.assertDeclined(one, two)
        two.transport.TLS = False  # type: ignore[union-attr]

    async def test_userSpace(self) -> None:
        """
        A transport that has not written all it was given; once it has, it is served.
        """
        one, two = self.legs()
        two.transport.write(b"an answer")  # type: ignore[union-attr]
        self.assertDeclined(one, two)
        await self.turns()
        self.assertTrue(self.relay.canJoin(one, two))

    async def test_closed(self) -> None:
        """
        A transport that is closed.
        """
        one, two = self.legs()
        two.transport.abortConnection()  # type: ignore[union-attr]
        await self.until(lambda: two.lost)
        self.assertDeclined(one, two)

    def test_noEpoll(self) -> None:
        """
        A process that has no descriptor left for the epoll set; when it has one again, all
        is well.
        """
        legs = Leg(), Leg()
        for leg in legs:
            self.pair(leg, Peer())

        def refuse() -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        refusing = self.patch(select, "epoll", refuse)
        self.assertFalse(self.relay.canJoin(*legs))
        refusing.restore()
        self.assertTrue(self.relay.canJoin(*legs))

    def test_noWatch(self) -> None:
        """
        A user who may watch no more descriptors: the tunnel is aborted, and the log says
        why.
        """

        class Epoll:
            def __init__(self) -> None:
                self._real = real()

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

            def register(self, fd: int, mask: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        real = select.epoll
        self.patch(select, "epoll", Epoll)
        with capturedLogs() as events:
            rig = self.open()
        self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("proxy", "aborted"))
        self.assertIn(LogLevel.error, [event["log_level"] for event in events])


class SystemTests(SynchronousTestCase):
    """
    Where the relay can be.
    """

    def test_supported(self) -> None:
        """
        It needs splice(2) and epoll(7).
        """
        self.assertTrue(SpliceRelay.isSupported())
        for module, name in ((os, "splice"), (select, "epoll")):
            kept = getattr(module, name)
            delattr(module, name)
            try:
                self.assertFalse(SpliceRelay.isSupported())
            finally:
                setattr(module, name, kept)

    def test_unused(self) -> None:
        """
        A relay that never had a tunnel has nothing to let go of, and says what it is.
        """
        clock = Clock()
        relay = SpliceRelay(reactor, clock, Wheel(clock))  # type: ignore[arg-type]
        self.assertEqual((relay.relayName, relay.fileno()), ("splice", -1))
        before = descriptors()
        relay.stop()
        relay.stop()
        self.assertEqual(descriptors(), before)
