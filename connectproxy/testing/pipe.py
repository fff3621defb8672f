"""
The fake pipe: two connected TCP transports without a system beneath them.

Only the kernel is faked: L{FakeSocket} is a socket with a bounded buffer, a FIN, a reset
and an error for each.  What stands on it is Twisted's own
L{twisted.internet.tcp.Connection}, so that producers, half-close, flushing, aborting and
all their traps are Twisted's by construction; the same tests hold it against two sockets of
the loopback interface.

Nothing moves by itself: L{connectproxy.testing.FakeReactor.flush} makes turns until nothing
happens any more.  Left out: urgent data, TLS, and whatever else needs a system.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["KERNEL", "FakePipe", "FakeSocket", "FakeTransport", "Peer", "addressOf"]

KERNEL = 65536
"""Octets that a fake kernel takes for one direction before a sender has to wait."""

ABORT = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that makes a close a reset."""


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class FakeSocket:
    """
    One end of a connection, as the kernel has it.

    @ivar other: the other end.
    @ivar inbox: octets that have arrived and not been read.
    @ivar capacity: how many of those there may be.
    @ivar ended: the other end has sent its FIN; it comes behind what is in C{inbox}.
    @ivar broken: the errno that a reset has left, or 0.
    @ivar shut: this end has sent its FIN.
    @ivar closed: the descriptor is closed.
    @ivar options: what C{setsockopt} was told.
    """

    other: FakeSocket

    def __init__(self, number: int, capacity: int) -> None:
        self.number = number
        self.capacity = capacity
        self.inbox = bytearray()
        self.ended = False
        self.broken = 0
        self.shut = False
        self.closed = False
        self.options: dict[tuple[int, int], Any] = {}

    def fileno(self) -> int:
        """-1 as soon as it is closed."""
        return -1 if self.closed else self.number

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.options[level, option] = value

    def getsockopt(self, level: int, option: int) -> Any:
        return self.options.get((level, option), 0)

    @property
    def readable(self) -> bool:
        """Whether C{recv} has something to say."""
        return bool(self.inbox or self.ended or self.broken)

    @property
    def writable(self) -> bool:
        """Whether C{send} has something to say."""
        return bool(self.shut or self.broken or self.other.closed or self._room() > 0)

    def _room(self) -> int:
        return self.other.capacity - len(self.other.inbox)

    def send(self, octets: bytes | memoryview) -> int:
        """
        Put octets into the other end's buffer, as many as fit.
        """
        if self.closed:
            raise _error(errno.EBADF)
        if self.shut or self.broken:
            raise _error(errno.EPIPE if self.shut or self.ended else self.broken)
        if self.other.closed:  # which answers with a reset
            self.broken = errno.ECONNRESET
            return len(octets)
        room = self._room()
        if octets and room <= 0:
            raise _error(errno.EWOULDBLOCK)
        self.other.inbox += octets[:room]
        return min(room, len(octets))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """
        Take octets out of the buffer; then comes the end, in one way or the other.

        @param flags: C{MSG_PEEK} leaves the octets where they are.
        """
        if self.closed:
            raise _error(errno.EBADF)
        if self.inbox:
            octets = bytes(self.inbox[:size])
            if not flags & socket.MSG_PEEK:
                del self.inbox[:size]
            return octets
        if self.ended:
            return b""
        if self.broken:
            raise _error(self.broken)
        raise _error(errno.EWOULDBLOCK)

    def shutdown(self, how: int) -> None:
        """
        Send a FIN, unless it is only reading that is shut.
        """
        if self.broken:
            raise _error(errno.ENOTCONN)
        if how in (socket.SHUT_WR, socket.SHUT_RDWR) and not self.shut:
            self.shut = True
            self.other.ended = True

    def close(self) -> None:
        """
        Send a FIN; or a reset if that is asked for, or if octets were not read.
        """
        if self.closed:
            return
        lingering = self.options.get((socket.SOL_SOCKET, socket.SO_LINGER))
        if (lingering == ABORT or self.inbox) and not self.broken:
            self.other.broken = self.other.broken or errno.ECONNRESET
        elif not self.broken:
            self.other.ended = True
        self.closed = True
        self.inbox.clear()


class FakeTransport(Connection):
    """
    Twisted's TCP transport on a L{FakeSocket}.

    @ivar connector: what is told that the connection is lost, if it was dialled.
    """

    connector: Any = None

    def __init__(self, sock: FakeSocket, protocol: Any, reactor: Any, host: IAddress, peer: IAddress) -> None:
        Connection.__init__(self, sock, protocol, reactor)  # type: ignore[arg-type]
        self.logstr = f"{protocol.__class__.__name__},fake"
        self.connected = 1
        self._host = host
        self._peer = peer

    def getHost(self) -> IAddress:
        return self._host

    def getPeer(self) -> IAddress:
        return self._peer

    def connectionLost(self, reason: Failure) -> None:
        known = hasattr(self, "socket")
        Connection.connectionLost(self, reason)
        if known and self.connector is not None:
            connector, self.connector = self.connector, None
            connector.connectionLost(reason)


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    The far end of something under test: keeps what it hears.

    @ivar received: every octet.
    @ivar ended: the other side has sent its end of stream.
    @ivar halfClosed: our own half-close has been done.
    @ivar lost: why the connection was lost, or L{None} while it is not.
    @ivar closeAtEnd: close when the other side has ended.
    """

    transport: Any
    lost: Failure | None = None
    ended = False
    halfClosed = False

    def __init__(self, *, closeAtEnd: bool = False) -> None:
        self.received = bytearray()
        self.closeAtEnd = closeAtEnd

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.ended = True
        if self.closeAtEnd:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        self.halfClosed = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class FakePipe(NamedTuple):
    """
    Two transports that are connected to each other, each with its protocol.

    @ivar first: one end; by convention the one that was dialled.
    @ivar second: the other end.
    """

    first: FakeTransport
    second: FakeTransport


def addressOf(host: str, port: int) -> IPv4Address | IPv6Address:
    """
    Twisted's address of a numeric host and a port.
    """
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
