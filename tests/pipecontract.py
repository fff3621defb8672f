"""
What connected transports do, and what dialling does, as tests: the fake and the real ones
go through the same.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import ClientFactory, Protocol
from zope.interface import implementer

from connectproxy.sockets import plainSocket, unsent, writeNow
from tests.fakes import Peer

__all__ = ["BUFFERS", "DialContract", "PipeContract"]

BUFFERS = 16384
"""Octets for each kernel buffer, where a test wants them to be filled."""


@implementer(IPushProducer)
class Valve:
    """
    A streaming producer that remembers what it was told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Deaf(Protocol):
    """
    A protocol without half-close.

    @ivar lost: why the connection was lost.
    """

    lost: Any = None

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class PipeContract:
    """
    What two connected transports do, real or not.

    @ivar first: the protocol of the end that dialled.
    @ivar second: the other's.
    @ivar connect: connects two protocols, with kernel buffers that are soon full.
    @ivar until: gives a Deferred that fires when a condition holds.
    @ivar turns: gives a Deferred that fires when nothing happens any more.
    """

    first: Any
    second: Any
    connect: Callable[[Any, Any], None]
    until: Callable[[Callable[[], Any]], Deferred[None]]
    turns: Callable[[], Deferred[None]]

    def begin(self, second: Any = None) -> tuple[Any, Any]:
        """
        Connect two peers.

        @return: their transports.
        """
        self.first, self.second = Peer(), Peer() if second is None else second
        self.connect(self.first, self.second)
        return self.first.transport, self.second.transport

    async def fill(self: Any, transport: Any) -> Valve:
        """
        Write more than every buffer takes, as the consumer of a producer.
        """
        valve = Valve()
        transport.registerProducer(valve, True)
        transport.write(bytes(1 << 20))
        await self.turns()
        return valve

    async def test_bytes(self: Any) -> None:
        """
        Octets arrive in both directions, in order, also more of them than fit into all
        buffers together.
        """
        one, two = self.begin()
        sent = bytes(range(256)) * 4096
        one.write(b"up")
        one.write(sent)
        two.writeSequence([b"do", b"wn"])
        await self.until(lambda: len(self.second.received) == len(sent) + 2 and len(self.first.received) == 4)
        self.assertEqual(self.second.received, b"up" + sent)
        self.assertEqual(self.first.received, b"down")

    async def test_interfaces(self: Any) -> None:
        """
        It is a TCP transport of Twisted's, without TLS; both ends agree on the addresses.
        """
        one, two = self.begin()
        for interface in (ITCPTransport, IHalfCloseableDescriptor, IPushProducer, IConsumer):
            self.assertTrue(interface.providedBy(one), interface)
        self.assertFalse(ISSLTransport.providedBy(one))
        self.assertEqual((one.getHost(), one.getPeer()), (two.getPeer(), two.getHost()))
        one.setTcpNoDelay(True)
        self.assertTrue(one.getTcpNoDelay())
        self.assertGreater(one.fileno(), 0)

    async def test_backPressure(self: Any) -> None:
        """
        A peer that does not read makes the producer pause when a bounded number of octets
        is on its way, and resume when it reads.
        """
        one, two = self.begin()
        two.pauseProducing()
        valve = await self.fill(one)
        self.assertEqual(valve.told, ["pause"])
        self.assertGreater(unsent(one), (1 << 20) - 16 * BUFFERS)
        self.assertLess(unsent(one), 1 << 20)
        self.assertEqual(self.second.received, b"")
        two.resumeProducing()
        await self.until(lambda: len(self.second.received) == 1 << 20)
        self.assertEqual(valve.told, ["pause", "resume"])
        self.assertEqual(unsent(one), 0)

    async def test_writeNow(self: Any) -> None:
        """
        A socket can be written past the reactor; what does not fit waits in order.
        """
        one, two = self.begin()
        writeNow(one, b"now")
        self.assertEqual(unsent(one), 0)
        two.pauseProducing()
        writeNow(one, bytes(1 << 20))
        self.assertGreater(unsent(one), 0)
        writeNow(one, b"end")
        two.resumeProducing()
        await self.until(lambda: len(self.second.received) == (1 << 20) + 6)
        self.assertEqual(self.second.received, b"now" + bytes(1 << 20) + b"end")

    async def test_halfClose(self: Any) -> None:
        """
        A half-close follows what was written; the other direction stays open.
        """
        one, two = self.begin()
        one.write(bytes(1 << 20))
        one.loseWriteConnection()
        one.write(b"still")
        await self.until(lambda: self.second.ended)
        self.assertEqual(len(self.second.received), (1 << 20) + 5)
        self.assertTrue(self.first.halfClosed)
        one.write(b"never")
        two.write(b"open")
        await self.until(lambda: self.first.received == b"open")
        self.assertIs(self.first.lost, None)
        two.loseConnection()
        await self.until(lambda: self.first.ended and self.second.lost)
        self.assertTrue(self.second.lost.check(error.ConnectionDone))
        one.loseConnection()
        self.assertTrue(self.first.lost.check(error.ConnectionDone))
        self.assertNotIn(b"never", self.second.received)

    async def test_noHalfClose(self: Any) -> None:
        """
        To a protocol that does not know half-close, an end of stream is the end.
        """
        one, _ = self.begin(Deaf())
        one.loseWriteConnection()
        await self.until(lambda: self.second.lost and self.first.ended)
        self.assertTrue(self.second.lost.check(error.ConnectionDone))

    async def test_close(self: Any) -> None:
        """
        A connection closes when all is written, and not before.
        """
        one, two = self.begin()
        two.pauseProducing()
        one.write(bytes(1 << 20))
        one.loseConnection()
        await self.turns()
        self.assertIs(self.first.lost, None)
        two.resumeProducing()
        await self.until(lambda: self.second.ended and self.first.lost)
        self.assertEqual(len(self.second.received), 1 << 20)
        self.assertTrue(self.first.lost.check(error.ConnectionDone))

    async def test_pausedProducerHoldsTheClose(self: Any) -> None:
        """
        Where a producer is registered that was paused and has nothing left to give,
        neither a half-close nor a close happens, though all is written.  Both do once it
        is unregistered.
        """
        for method in ("loseWriteConnection", "loseConnection"):
            one, two = self.begin()
            two.pauseProducing()
            valve = await self.fill(one)
            getattr(one, method)()
            two.resumeProducing()
            await self.until(lambda: len(self.second.received) == 1 << 20)
            await self.turns()
            self.assertEqual(valve.told, ["pause", "resume"])
            self.assertEqual((self.second.ended, self.first.lost), (False, None))
            one.unregisterProducer()
            getattr(one, method)()
            await self.until(lambda: self.second.ended)
            two.loseConnection()

    async def test_abort(self: Any) -> None:
        """
        A reset drops what is not written; the peer hears of it when it reads.
        """
        one, two = self.begin()
        two.pauseProducing()
        valve = await self.fill(one)
        two.resumeProducing()
        one.write(bytes(1 << 20))
        one.abortConnection()
        self.assertIs(self.first.lost, None)
        await self.until(lambda: self.first.lost and self.second.lost)
        self.assertTrue(self.first.lost.check(error.ConnectionAborted))
        self.assertTrue(self.second.lost.check(error.ConnectionLost))
        self.assertLess(len(self.second.received), 2 << 20)
        self.assertEqual(valve.told[-1], "stop")

    async def test_pausedHearsNothing(self: Any) -> None:
        """
        A paused transport hears neither octets nor the end nor a reset; resumed, it gets
        what had arrived before the reset, and then the reset.
        """
        for method in ("loseWriteConnection", "abortConnection"):
            one, two = self.begin()
            two.pauseProducing()
            one.write(b"something")
            await self.turns()
            getattr(one, method)()
            await self.turns()
            self.assertEqual((self.second.received, self.second.ended, self.second.lost), (b"", False, None))
            two.resumeProducing()
            await self.until(lambda: self.second.ended or self.second.lost)
            self.assertEqual(self.second.received, b"something")
            self.assertEqual(self.second.lost is not None, method == "abortConnection")

    async def test_writeToClosed(self: Any) -> None:
        """
        Who has closed answers octets with a reset.
        """
        one, two = self.begin()
        two.loseConnection()
        await self.until(lambda: self.first.ended)
        one.write(b"too late")
        await self.turns()
        one.write(b"again")
        await self.until(lambda: self.first.lost)
        self.assertTrue(self.first.lost.check(error.ConnectionLost))

    async def test_closeUnread(self: Any) -> None:
        """
        A close with octets unread is an end of stream to who only reads, and a reset to
        who writes.
        """
        one, two = self.begin()
        two.pauseProducing()
        one.write(b"unread")
        await self.turns()
        two.loseConnection()
        await self.until(lambda: self.first.ended)
        self.assertIs(self.first.lost, None)
        one.write(b"again")
        await self.until(lambda: self.first.lost)
        self.assertTrue(self.first.lost.check(error.ConnectionLost))

    async def test_gone(self: Any) -> None:
        """
        What is closed has no socket, holds nothing and takes nothing.
        """
        one, two = self.begin()
        self.assertIsNot(plainSocket(one), None)
        one.loseConnection()
        two.loseConnection()
        await self.until(lambda: self.first.lost and self.second.lost)
        self.assertIs(plainSocket(one), None)
        one.write(b"nothing")
        self.assertEqual(unsent(one), 0)
        valve = Valve()
        one.registerProducer(valve, True)
        self.assertEqual(valve.told, ["stop"])


class Dialler(ClientFactory):
    """
    Remembers what became of a connection attempt.
    """

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.given = protocol
        self.heard: list[str] = []
        self.reason: Any = None

    def doStart(self) -> None:
        self.heard.append("start")

    def startedConnecting(self, connector: Any) -> None:
        self.heard.append("connecting")

    def buildProtocol(self, addr: Any) -> Any:
        self.heard.append("build")
        return self.given

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self.heard.append("failed")
        self.reason = reason

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        self.heard.append("lost")
        self.reason = reason

    def doStop(self) -> None:
        self.heard.append("stop")


class DialContract:
    """
    What C{connectTCP} and C{listenTCP} do, real or not.

    @ivar dial: connects a factory to a listening port that makes L{Peer}s.
    @ivar dialNobody: connects a factory to where nobody listens.
    @ivar until: as in L{PipeContract}.
    """

    dial: Callable[[Any], Any]
    dialNobody: Callable[[Any], Any]
    until: Callable[[Callable[[], Any]], Deferred[None]]

    async def test_connected(self: Any) -> None:
        """
        The factory builds the protocol, and hears of the connection's end.
        """
        peer = Peer()
        factory = Dialler(peer)
        connector = self.dial(factory)
        self.assertEqual((factory.heard, connector.state), (["start", "connecting"], "connecting"))
        await self.until(lambda: peer.transport)
        self.assertEqual(connector.state, "connected")
        connector.disconnect()
        await self.until(lambda: peer.lost)
        self.assertEqual(factory.heard, ["start", "connecting", "build", "lost", "stop"])
        self.assertEqual(connector.state, "disconnected")

    async def test_unwanted(self: Any) -> None:
        """
        Where the factory builds no protocol, the connection is closed.
        """
        factory = Dialler(None)
        self.dial(factory)
        await self.until(lambda: factory.reason)
        self.assertEqual(factory.heard, ["start", "connecting", "build", "lost", "stop"])
        self.assertTrue(factory.reason.check(error.ConnectionDone))

    async def test_refused(self: Any) -> None:
        """
        A failure has the system's number.
        """
        factory = Dialler(None)
        self.dialNobody(factory)
        await self.until(lambda: factory.reason)
        self.assertEqual(factory.heard, ["start", "connecting", "failed", "stop"])
        self.assertTrue(factory.reason.check(error.ConnectionRefusedError))
        self.assertEqual(factory.reason.value.osError, errno.ECONNREFUSED)

    async def test_givenUp(self: Any) -> None:
        """
        Who gives up an attempt is told so within the call.
        """
        factory = Dialler(None)
        self.dial(factory).disconnect()
        self.assertEqual(factory.heard, ["start", "connecting", "failed", "stop"])
        self.assertTrue(factory.reason.check(error.UserError))
