"""
Tests for L{connectproxy.sockets}, against whatever Twisted is installed: what is relied on
is not documented there.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.sockets import (
    EXHAUSTED,
    hasArrived,
    inheritNoDelay,
    pendingError,
    plainSocket,
    readNow,
    setNoDelay,
    unsent,
    writeNow,
)
from tests.fakes import Peer
from tests.loopback import REACTOR, LoopbackTestCase


class OneNoDelayTests(SynchronousTestCase):
    """
    TCP_NODELAY for one transport.
    """

    def test_anyTransport(self) -> None:
        """
        It is set where it can be, and nothing happens elsewhere: older Twisted has the
        method for UNIX sockets too, where it raises.
        """
        asked: list[bool] = []

        class UNIX(StringTransport):
            def setTcpNoDelay(self, enabled: bool) -> None:
                asked.append(enabled)
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        setNoDelay(UNIX())
        self.assertEqual(asked, [True])
        setNoDelay(StringTransport())


@pytest.mark.integration
class TransportTests(LoopbackTestCase):
    """
    Real transports.
    """

    def begin(self) -> tuple[Any, Peer]:
        """
        @return: a transport with small buffers, and its far end.
        """
        far = Peer()
        near, _ = self.pair(Peer(), far, 16384)
        return near, far

    async def test_plainSocket(self) -> None:
        """
        A plain transport shows its socket, until it is closed.
        """
        near, far = self.begin()
        found = plainSocket(near)
        assert found is not None
        self.assertEqual(found.getpeername(), far.transport.socket.getsockname())
        near.TLS = True
        self.assertIs(plainSocket(near), None)
        near.TLS = False
        near.abortConnection()
        await self.until(lambda: far.lost)
        self.assertIs(plainSocket(near), None)

    async def test_pendingError(self) -> None:
        """
        A reset that the transport has not been told of is known, once.
        """
        near, far = self.begin()
        self.assertEqual(pendingError(near), 0)
        near.pauseProducing()
        far.transport.abortConnection()
        seen: list[int] = []
        await self.until(lambda: seen.append(pendingError(near)) or seen[-1])
        self.assertEqual((seen[-1], pendingError(near)), (errno.ECONNRESET, 0))
        self.assertEqual(pendingError(StringTransport()), 0)
        near.abortConnection()

    async def test_hasArrived(self) -> None:
        """
        What has come and was not read yet is known, and stays there; an end and a reset are
        known as well.
        """
        near, far = self.begin()
        near.pauseProducing()
        self.assertFalse(hasArrived(near))
        far.transport.write(b"x")
        await self.until(lambda: hasArrived(near))
        self.assertEqual((near.socket.recv(9), hasArrived(near)), (b"x", False))
        far.transport.loseConnection()
        await self.until(lambda: hasArrived(near))
        self.assertFalse(hasArrived(StringTransport()))
        near.abortConnection()
        near, far = self.begin()
        near.pauseProducing()
        far.transport.abortConnection()
        await self.until(lambda: hasArrived(near))
        near.abortConnection()

    async def test_unsent(self) -> None:
        """
        What waits in user space is counted to the octet, however much of it has been
        written already.
        """
        near, far = self.begin()
        self.assertEqual(unsent(near), 0)
        near.write(bytes(700_000))
        near.write(bytes(300_000))
        self.assertEqual(unsent(near), 1_000_000)
        far.transport.pauseProducing()
        await self.turns()
        waiting = unsent(near)
        self.assertTrue(0 < waiting < 1_000_000)
        near.write(bytes(5))
        self.assertEqual(unsent(near), waiting + 5)
        self.assertEqual(near.socket.send(b""), 0)
        far.transport.resumeProducing()
        while unsent(near):
            left = unsent(near)
            await self.until(lambda: unsent(near) < left)  # noqa: B023
        await self.until(lambda: len(far.received) == 1_000_005)

    async def test_unsentOfClosed(self) -> None:
        """
        What a transport had not written when it was closed can still be told.
        """
        near, far = self.begin()
        far.transport.pauseProducing()
        near.write(bytes(1_000_000))
        await self.turns()
        waiting = unsent(near)
        near.abortConnection()
        await self.until(lambda: not near.connected)
        self.assertEqual(unsent(near), waiting)

    async def test_writeNow(self) -> None:
        """
        What fits is in the kernel when the call returns; the rest follows in order.
        """
        near, far = self.begin()
        writeNow(near, b"now")
        self.assertEqual((unsent(near), near in REACTOR.getWriters()), (0, False))
        self.assertEqual(far.transport.socket.recv(10, socket.MSG_PEEK), b"now")
        octets = bytes(range(250)) * 4000
        writeNow(near, octets)
        self.assertTrue(0 < unsent(near) < len(octets))
        writeNow(near, b"end")
        await self.until(lambda: len(far.received) == len(octets) + 6)
        self.assertEqual(far.received, b"now" + octets + b"end")

    async def test_writeNowInOrder(self) -> None:
        """
        Nothing overtakes what waits for the next turn of the reactor.
        """
        near, far = self.begin()
        near.write(b"first, ")
        writeNow(near, b"second")
        await self.until(lambda: len(far.received) == 13)
        self.assertEqual(far.received, b"first, second")

    async def test_readNow(self) -> None:
        """
        What has arrived is read; where there is nothing, or no telling, nothing is.
        """
        near, far = self.begin()
        near.pauseProducing()
        self.assertEqual(readNow(near), b"")
        writeNow(far.transport, b"a request")
        self.assertEqual(readNow(near), b"a request")
        self.assertEqual(readNow(near), b"")
        near.TLS = True
        writeNow(far.transport, b"a handshake")
        self.assertEqual(readNow(near), b"")
        near.TLS = False

    async def test_readNowAtTheEnd(self) -> None:
        """
        An end of stream and a reset are left for the reactor to find.
        """
        for leave in ("loseWriteConnection", "abortConnection"):
            near, far = self.begin()
            near.pauseProducing()
            getattr(far.transport, leave)()
            await self.turns()
            self.assertEqual(readNow(near), b"")
            self.assertTrue(near.connected)
            near.resumeProducing()
            await self.until(lambda: near.protocol.ended if near.connected else True)  # noqa: B023

    async def test_writeNowToBroken(self) -> None:
        """
        A connection that is broken is found out by the transport, not by the caller.
        """
        near, far = self.begin()
        near.pauseProducing()
        far.transport.abortConnection()
        await self.until(lambda: far.lost)
        writeNow(near, b"x")
        await self.until(lambda: near.protocol.lost if near.connected else True)
        self.assertFalse(near.connected)

    async def test_writeNowToClosed(self) -> None:
        """
        What is closed takes nothing and says nothing.
        """
        near, far = self.begin()
        near.abortConnection()
        await self.until(lambda: far.lost)
        self.assertTrue(far.lost.check(ConnectionLost))  # type: ignore[union-attr]
        writeNow(near, b"x")
        self.assertEqual(unsent(near), 0)


@pytest.mark.integration
class NoDelayTests(LoopbackTestCase):
    """
    What a listening port is told, its connections have.
    """

    async def test_inherited(self) -> None:
        """
        Every accepted connection has TCP_NODELAY without being told.
        """
        accepted: list[Peer] = []
        factory = Factory()
        factory.noisy = False

        def build(addr: Any) -> Peer:
            accepted.append(Peer())
            return accepted[-1]

        factory.buildProtocol = build  # type: ignore[method-assign]
        port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.assertTrue(inheritNoDelay(port))
        with socket.create_connection(("127.0.0.1", port.getHost().port)):
            await self.until(lambda: accepted)
            self.adopted.append(accepted[0].transport)
            self.assertTrue(accepted[0].transport.getTcpNoDelay())

    def test_notTCP(self) -> None:
        """
        A port that is no TCP socket is left alone.
        """
        port = REACTOR.listenUNIX("\0connectproxy-" + self.mktemp(), Factory())
        self.addCleanup(port.stopListening)
        self.assertFalse(inheritNoDelay(port))
        self.assertFalse(inheritNoDelay(object()))


class OtherTests(SynchronousTestCase):
    """
    What is no plain transport is left to its own devices.
    """

    def test_transport(self) -> None:
        """
        It has no socket, need not tell what waits, and is written to as usual.
        """
        transport = StringTransport()
        self.assertTrue(ITransport.providedBy(transport))
        self.assertIs(plainSocket(transport), None)
        self.assertEqual(readNow(transport), b"")
        writeNow(transport, b"x")
        self.assertEqual((transport.value(), unsent(transport)), (b"x", 0))

    def test_queued(self) -> None:
        """
        One that shares a connection with others says what it holds back.
        """
        transport: Any = StringTransport()
        transport.queued = 5
        self.assertEqual(unsent(transport), 5)

    def test_exhausted(self) -> None:
        """
        The numbers by which the system says that it has no more.
        """
        self.assertIn(errno.EMFILE, EXHAUSTED)
        self.assertIn(errno.ENFILE, EXHAUSTED)
        self.assertNotIn(errno.ECONNREFUSED, EXHAUSTED)
