"""
Tests for L{connectproxy.commands.streams}, on real descriptors.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.commands.descriptor import Descriptor
from connectproxy.commands.streams import StandardStreams
from tests.commands.test_descriptor import MUCH, DescriptorCase
from tests.fakes import Peer
from tests.loopback import REACTOR

pytestmark = pytest.mark.integration


@implementer(IHalfCloseableProtocol)
class Producing(Peer):
    """
    Keeps what it hears, and is a producer that notes what it is told.
    """

    paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.paused = True


class StreamsCase(DescriptorCase):
    """
    Has standard streams, by whatever descriptors.
    """

    def join(self, source: int, sink: int, *, tellsEnd: bool = True) -> tuple[StandardStreams, Producing]:
        """
        Make them a transport.

        @return: it, and its protocol.
        """
        streams = StandardStreams(REACTOR, Descriptor(source), Descriptor(sink))
        streams.tellsEnd = tellsEnd
        self.lost = 0
        streams.whenLost = self.hearLost
        protocol = streams.protocol = Producing()
        protocol.makeConnection(streams)
        self.adopted.append(streams)
        streams.resumeProducing()
        return streams, protocol

    def hearLost(self) -> None:
        """
        Both descriptors are closed.
        """
        self.lost += 1

    def assertOver(self, streams: StandardStreams, protocol: Producing, reason: type[Exception]) -> None:
        """
        Nothing is left, and everybody has heard it once.
        """
        self.assertIsNotNone(protocol.lost)
        assert protocol.lost is not None
        protocol.lost.trap(reason)
        self.assertEqual((self.lost, streams.connected, streams.fileno()), (1, 0, -1))
        watched = [*REACTOR.getReaders(), *REACTOR.getWriters()]
        self.assertFalse(
            [each for each in watched if each is streams or getattr(each, "_streams", None) is streams]
        )

    async def drain(self, number: int, size: int) -> bytes:
        """
        Read so much, while the reactor runs.
        """
        os.set_blocking(number, False)
        found = bytearray()

        def enough() -> bool:
            try:
                more = os.read(number, 1 << 20)
            except BlockingIOError:
                return False
            found.extend(more)
            return not more or len(found) >= size

        await self.until(enough)
        return bytes(found)


class PipeTests(StreamsCase):
    """
    Two pipes, as ssh gives to its C{ProxyCommand}.
    """

    def pipes(self, **more: Any) -> tuple[StandardStreams, Producing]:
        """
        Standard streams that are pipes.

        @ivar fed: where to write what they read.
        @ivar read: where to read what they write.
        """
        source, self.fed = self.pipe()
        self.read, sink = self.pipe()
        return self.join(source, sink, **more)

    async def test_bothWays(self) -> None:
        """
        Octets go in and out.
        """
        streams, protocol = self.pipes()
        os.write(self.fed, b"in")
        await self.until(lambda: protocol.received == b"in")
        streams.write(b"out")
        self.assertEqual(os.read(self.read, 9), b"out")
        self.assertEqual(streams.getPeer(), streams.getHost())

    async def test_halfClose(self) -> None:
        """
        The ends of both directions are told one by one, and the connection is closed when
        that is asked for.
        """
        streams, protocol = self.pipes()
        os.write(self.fed, b"last")
        self.shut(self.fed)
        await self.until(lambda: protocol.ended)
        self.assertEqual(protocol.received, b"last")
        streams.write(b"out")
        streams.loseWriteConnection()
        await self.until(lambda: protocol.halfClosed)
        self.assertEqual(os.read(self.read, 9) + os.read(self.read, 9), b"out")
        self.assertIsNone(protocol.lost)
        streams.loseConnection()
        self.assertOver(streams, protocol, ConnectionDone)

    async def test_outputEndsFirst(self) -> None:
        """
        With the output ended the input goes on; what is written then goes nowhere.
        """
        streams, protocol = self.pipes()
        streams.loseWriteConnection()
        await self.until(lambda: protocol.halfClosed)
        self.assertEqual(os.read(self.read, 9), b"")
        streams.write(b"too late")
        os.write(self.fed, b"more")
        await self.until(lambda: protocol.received == b"more")
        self.shut(self.fed)
        await self.until(lambda: protocol.ended)
        self.assertIsNone(protocol.lost)

    async def test_keptBack(self) -> None:
        """
        The end of the input can be kept back; the output goes on.
        """
        streams, protocol = self.pipes(tellsEnd=False)
        self.shut(self.fed)
        await self.turns()
        self.assertFalse(protocol.ended)
        streams.write(b"out")
        self.assertEqual(os.read(self.read, 9), b"out")

    async def test_nobodyLeft(self) -> None:
        """
        When the input has ended and nobody reads the output there is nobody left, and that
        is an orderly end.
        """
        for tellsEnd in (True, False):
            streams, protocol = self.pipes(tellsEnd=tellsEnd)
            self.shut(self.read)
            await self.turns()
            self.assertIsNone(protocol.lost)  # who only sends may never read
            self.shut(self.fed)
            await self.until(lambda: protocol.lost)  # noqa: B023 - awaited at once
            self.assertOver(streams, protocol, ConnectionDone)

    async def test_nobodyLeftToRead(self) -> None:
        """
        Unless there is something that has not been written.
        """
        streams, protocol = self.pipes()
        streams.write(MUCH)
        self.shut(self.fed)
        await self.until(lambda: protocol.ended)
        self.shut(self.read)
        await self.until(lambda: protocol.lost)
        self.assertOver(streams, protocol, ConnectionLost)

    async def test_select(self) -> None:
        """
        By select a pipe that nobody reads is one that can be read.
        """
        streams, protocol = self.pipes()
        self.shut(self.fed)
        await self.until(lambda: protocol.ended)
        why = streams.doRead()
        self.assertIsInstance(why, ConnectionDone)
        streams.readConnectionLost(Failure(why))
        self.assertOver(streams, protocol, ConnectionDone)

    async def test_broken(self) -> None:
        """
        Writing to who does not read ends it all, and it is kept why.
        """
        streams, protocol = self.pipes()
        self.shut(self.read)
        streams.write(b"x")
        await self.until(lambda: protocol.lost)
        self.assertIsInstance(streams.trouble, BrokenPipeError)
        self.assertOver(streams, protocol, ConnectionLost)

    async def test_brokenInTheMiddle(self) -> None:
        """
        So does who stops reading.
        """
        streams, protocol = self.pipes()
        streams.write(MUCH)
        os.read(self.read, 9)
        self.shut(self.read)
        await self.until(lambda: protocol.lost)
        self.assertOver(streams, protocol, ConnectionLost)
        streams.connectionLost(Failure(ConnectionDone()))  # which is the second time
        self.assertEqual(self.lost, 1)

    async def test_pressureOut(self) -> None:
        """
        Who reads the output slowly pauses the producer, and nothing is lost.
        """
        streams, protocol = self.pipes()
        streams.registerProducer(protocol, True)
        streams.write(MUCH)
        self.assertTrue(protocol.paused)
        streams.write(b"end")
        found = await self.drain(self.read, len(MUCH) + 3)
        self.assertEqual(found, MUCH + b"end")
        await self.until(lambda: not protocol.paused)

    async def test_pressureIn(self) -> None:
        """
        While it is paused nothing is read but what has been read already.
        """
        streams, protocol = self.pipes()
        streams.pauseProducing()
        os.write(self.fed, b"in")
        await self.turns()
        self.assertEqual(protocol.received, b"")
        streams.resumeProducing()
        await self.until(lambda: protocol.received == b"in")

    async def test_nothingToRead(self) -> None:
        """
        A reactor that is mistaken, or somebody else who was faster, is no end; and after the
        end there is nothing to be resumed.
        """
        streams, protocol = self.pipes()
        assert streams._input is not None
        self.assertIsNone(streams._input.doRead())
        self.assertEqual(streams._input.logPrefix(), "stdin")
        self.shut(self.fed)
        await self.until(lambda: protocol.ended)
        streams.resumeProducing()
        streams.whenLost = None
        streams.loseConnection()
        await self.until(lambda: protocol.lost)
        self.assertEqual(self.lost, 0)

    async def test_abort(self) -> None:
        """
        What has come is written, even if the far side has broken the connection.
        """
        for lose in ("abortConnection", "loseConnection"):
            streams, protocol = self.pipes()
            streams.write(MUCH)
            getattr(streams, lose)()
            self.assertEqual(await self.drain(self.read, len(MUCH) + 1), MUCH)
            await self.until(lambda: protocol.lost)  # noqa: B023 - awaited at once
            self.assertOver(streams, protocol, ConnectionDone)

    async def test_afterAll(self) -> None:
        """
        Nothing that comes too late does any harm.
        """
        streams, protocol = self.pipes()
        streams.loseConnection()
        await self.until(lambda: protocol.lost)
        streams.write(b"x")
        streams.loseConnection()
        streams.pauseProducing()
        streams.resumeProducing()
        self.assertIsInstance(streams.writeSomeData(b"x"), ConnectionLost)
        self.assertOver(streams, protocol, ConnectionDone)


class OtherKindsTests(StreamsCase):
    """
    Files, sockets and terminals.
    """

    async def test_files(self) -> None:
        """
        Files, which epoll does not know, are read to their end and written at once.
        """
        _, source = self.file(MUCH, os.O_RDONLY)
        path, sink = self.file()
        streams, protocol = self.join(source, sink)
        await self.until(lambda: protocol.ended)
        self.assertEqual(protocol.received, MUCH)
        streams.write(MUCH)
        streams.loseWriteConnection()
        await self.until(lambda: protocol.halfClosed)
        self.assertEqual(path.read_bytes(), MUCH)

    async def test_full(self) -> None:
        """
        Where there is no room on the disk, it is kept why.
        """
        source, _ = self.pipe()
        self.open.append(os.open("/dev/full", os.O_WRONLY))
        streams, protocol = self.join(source, self.open[-1])
        streams.write(b"x")
        await self.until(lambda: protocol.lost)
        self.assertEqual(streams.trouble and streams.trouble.strerror, "No space left on device")

    async def test_socket(self) -> None:
        """
        A single socket is both, and its two directions end one by one.
        """
        one, number = self.socketPair()
        self.open.append(os.dup(number))
        streams, protocol = self.join(number, self.open[-1])
        one.send(b"in")
        one.shutdown(socket.SHUT_WR)
        await self.until(lambda: protocol.ended)
        self.assertEqual(protocol.received, b"in")
        streams.write(b"out")
        streams.loseWriteConnection()
        await self.until(lambda: protocol.halfClosed)
        self.assertEqual(one.recv(9) + one.recv(9), b"out")

    async def test_socketReset(self) -> None:
        """
        A socket that is reset ends it all.
        """
        one, two = self.sockets()
        number = two.detach()
        self.open += [number, os.dup(number)]
        streams, protocol = self.join(*self.open[-2:])
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.close()
        await self.until(lambda: protocol.lost)
        self.assertOver(streams, protocol, ConnectionLost)

    async def test_terminal(self) -> None:
        """
        At a terminal the end of the output is the end of all: nobody there would know that
        there is still somebody who listens.
        """
        far, near = self.terminal()
        self.open.append(os.dup(near))
        streams, protocol = self.join(near, self.open[-1])
        os.write(far, b"in")
        await self.until(lambda: protocol.received == b"in")
        streams.write(b"out")
        self.assertEqual(os.read(far, 9), b"out")
        streams.loseWriteConnection()
        await self.until(lambda: protocol.lost)
        self.assertOver(streams, protocol, ConnectionDone)

    async def test_terminalGone(self) -> None:
        """
        A terminal that is closed ends the input, and is broken for whoever writes to it.
        """
        far, near = self.terminal()
        self.open.append(os.dup(near))
        streams, protocol = self.join(near, self.open[-1])
        self.shut(far)
        await self.until(lambda: protocol.ended)
        streams.write(b"x")
        await self.until(lambda: protocol.lost)
        self.assertOver(streams, protocol, ConnectionLost)
