"""
A relay under test: a tunnel with both of its far ends, over fakes or over loopback sockets.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from connectproxy.interfaces import Outcome, Terms
from connectproxy.leg import Leg
from connectproxy.relay import Timeouts
from connectproxy.sockets import unsent
from connectproxy.wheel import Wheel
from tests.fakes import KERNEL, FakeReactor, Peer, pipePair
from tests.loopback import REACTOR, LoopbackTestCase, descriptors

__all__ = ["SMALL", "TIMEOUTS", "Case", "FakeCase", "Feeder", "LoopbackCase", "Rig", "Sink", "pieces"]

TIMEOUTS = Timeouts(idle=60.0, halfOpen=20.0, lifetime=0.0)

SMALL = 16384
"""Octets for each kernel buffer, where a test wants them to be full soon."""


class Sink(Peer):
    """
    A far end that keeps no octets but their number and their digest.
    """

    def __init__(self) -> None:
        Peer.__init__(self)
        self.digest = sha256()
        self.count = 0

    def dataReceived(self, data: bytes) -> None:
        self.digest.update(data)
        self.count += len(data)


@implementer(IPushProducer)
class Feeder:
    """
    Writes pieces to a far end's transport as fast as that takes them, then half-closes.

    @ivar count: how many octets it has written.
    @ivar digest: of what it has written.
    """

    def __init__(self, transport: Any, source: Iterator[bytes]) -> None:
        self.digest = sha256()
        self.count = 0
        self._transport = transport
        self._source = source
        self._paused = False
        transport.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused:
            piece = next(self._source, None)
            if piece is None:
                self._transport.unregisterProducer()
                self._transport.loseWriteConnection()
                return
            self.count += len(piece)
            self.digest.update(piece)
            self._transport.write(piece)

    @property
    def accepted(self) -> int:
        """How many octets the far end's kernel has taken."""
        return self.count - unsent(self._transport)


def pieces(random: Any, total: int, largest: int = 200_000) -> Iterator[bytes]:
    """
    Octets that tell where they belong, in pieces of any size, the smallest of them often.
    """
    block = random.randbytes(2 * largest)
    while total:
        size = min(total, random.choice((1, random.randint(1, 2000), random.randint(1, largest))))
        start = random.randrange(largest)
        yield block[start : start + size]
        total -= size


class Rig:
    """
    One tunnel.

    @ivar client: the far end that asked for it.
    @ivar origin: the far end that it leads to.
    @ivar near: the two transports that the relay was given.
    @ivar tunnel: what the relay made of them.
    @ivar outcomes: what C{tunnel.finished} fired with, once it has.
    """

    def __init__(self, client: Any, origin: Any, near: tuple[Any, Any], tunnel: Any) -> None:
        self.client = client
        self.origin = origin
        self.near = near
        self.tunnel = tunnel
        self.outcomes: list[Outcome] = []
        tunnel.finished.addCallback(self.outcomes.append)

    @property
    def over(self) -> bool:
        """Whether everybody knows that it is over."""
        return bool(self.outcomes and self.client.lost and self.origin.lost)

    def far(self, name: str) -> tuple[Any, Any]:
        """
        @return: the far end of that name, and the other.
        """
        return (self.client, self.origin) if name == "client" else (self.origin, self.client)

    def remains(self) -> list[Any]:
        """
        @return: weak references to what the relay had to do with.
        """
        return [weakref.ref(each) for each in (self.tunnel, *self.near)]


class Case:
    """
    What both ways of testing a relay have.  The clock is always a fake one.

    @ivar reactor: the one of the sockets.
    @ivar clock: the one of the deadlines.
    @ivar begun: what it said when the relay was made.
    @ivar until: gives a Deferred that fires when a condition holds.
    @ivar turns: gives a Deferred that fires when nothing happens any more.
    @ivar connect: connects two protocols; with small kernel buffers if that is asked for.
    """

    reactor: Any
    clock: Any
    begun: float
    wheel: Wheel
    relay: Any
    until: Callable[[Callable[[], Any]], Deferred[None]]
    turns: Callable[[], Deferred[None]]
    connect: Callable[[Any, Any, bool], None]

    def makeRelay(self, timeouts: Timeouts) -> Any:
        """
        The relay under test.
        """
        raise NotImplementedError

    def userSpace(self, rig: Rig) -> int:
        """
        How many octets of a tunnel are in this process's memory.
        """
        raise NotImplementedError

    def begin(self, timeouts: Timeouts = TIMEOUTS) -> None:
        """
        Have a relay.
        """
        self.begun = self.clock.seconds()
        self.wheel = Wheel(self.clock)
        self.relay = self.makeRelay(timeouts)

    def open(
        self,
        client: Any = None,
        origin: Any = None,
        *,
        early: tuple[bytes, bytes] = (b"", b""),
        ended: tuple[bool, bool] = (False, False),
        small: bool = False,
        terms: Terms | None = None,
    ) -> Rig:
        """
        Have a tunnel: the client's leg as listeners make it, the origin's as upstreams do.

        @param early: what the legs hold, the client's first.
        @param ended: whether they have come to their end, likewise.
        @param small: have small kernel buffers.
        @param terms: what the tunnel is carried by, where that is not what all are.
        """
        client, origin = client or Peer(), origin or Peer()
        listening, dialled = Protocol(), Leg()
        self.connect(client, listening, small)
        self.connect(dialled, origin, small)
        near = (listening.transport, dialled.transport)
        if early[1]:
            dialled.dataReceived(early[1])
        if ended[1]:
            dialled.readConnectionLost()
        tunnel = self.relay.join(Leg.of(near[0], early[0], ended=ended[0]), dialled, terms)
        return Rig(client, origin, near, tunnel)

    async def blocked(self) -> Rig:
        """
        @return: a tunnel in which octets wait for a client that does not read.
        """
        rig = self.open(small=True)
        rig.client.transport.pauseProducing()
        rig.origin.transport.write(bytes(1 << 20))
        await self.turns()
        return rig

    async def close(self, rig: Rig) -> None:
        """
        End a tunnel in order, from both sides.
        """
        rig.client.transport.loseWriteConnection()
        rig.origin.transport.loseWriteConnection()
        await self.until(lambda: rig.outcomes and rig.client.ended and rig.origin.ended)
        rig.client.transport.loseConnection()
        rig.origin.transport.loseConnection()


class FakeCase(Case, TestCase):
    """
    Over fakes.
    """

    def setUp(self) -> None:
        self.reactor = self.clock = FakeReactor()
        self.begin()

    def connect(self, first: Any, second: Any, small: bool) -> None:
        pipePair(self.reactor, first, second, capacity=2 * SMALL if small else KERNEL)

    def until(self, condition: Any) -> Deferred[None]:
        self.reactor.flush()
        self.assertTrue(condition())
        return succeed(None)

    def turns(self) -> Deferred[None]:
        self.reactor.flush()
        return succeed(None)


class LoopbackCase(Case, LoopbackTestCase):
    """
    Over loopback sockets.  Whatever a test does, nothing is left of its tunnels.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        LoopbackTestCase.setUp(self)
        await self.turns(1)  # the reactor has descriptors of its own while it runs
        self.reactor = REACTOR
        self.clock = Clock()
        self.before = (descriptors(), set(REACTOR.getReaders()), set(REACTOR.getWriters()))
        self.begin()

    def connect(self, first: Any, second: Any, small: bool) -> None:
        self.pair(first, second, SMALL if small else None)

    async def closeAll(self) -> None:
        """
        Reset whatever is open; then there are no deadlines and no descriptors left.
        """
        await LoopbackTestCase.closeAll(self)
        self.relay.stop()
        self.assertEqual(len(self.wheel), 0)
        self.adopted.clear()
        gc.collect()
        after = (descriptors(), set(REACTOR.getReaders()), set(REACTOR.getWriters()))
        self.assertEqual(after, self.before)
