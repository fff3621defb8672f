"""
A UDP socket in the reactor.

Twisted's own UDP port takes datagrams until it has so many octets of them, of which
an empty one has none, so that a flood of small ones would keep the reactor from
everything else; and it asks more questions for each.  Hence this one.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.interfaces.datagrams import IDatagramPort

if TYPE_CHECKING:
    from connectproxy.datagrams.direct import DirectDatagrams

__all__ = ["BUSY", "DatagramPort"]

TURN = 64
"""Datagrams that are taken in one turn of the reactor."""

LARGEST = 65536
"""Octets that are read at once; no datagram has more."""

BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})
"""What the system answers when there is no datagram, or no room for one."""


@implementer(IDatagramPort, IReadDescriptor)
class DatagramPort:
    """
    A UDP socket in the reactor.

    @ivar host: the address that it is bound to.
    @ivar socket: the socket; L{None} when it is closed.
    """

    __slots__ = (
        "__weakref__", "_connected", "_lost", "_owner", "_reactor", "_received", "host", "port", "socket",
    )  # fmt: skip

    def __init__(
        self,
        owner: DirectDatagrams,
        host: str,
        received: Callable[[bytes, str, int], None],
        lost: Callable[[], None],
    ) -> None:
        """
        @param host: the address to bind.
        @param received: is called for each datagram, with where it came from.
        @param lost: is called if the reactor gives the socket up.
        @raise OSError: it can't be opened.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._reactor = owner.reactor
        self._owner = owner
        self._received = received
        self._lost = lost
        self._connected = False
        self.socket: Any = owner.makeSocket(family, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            if family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.bind((host, 0))
            self.host, self.port = self.socket.getsockname()[:2]
        except BaseException:
            self.socket.close()
            raise
        owner.opened(self.port)
        self._reactor.addReader(self)

    def fileno(self) -> int:
        """The number of the descriptor; -1 when it is closed."""
        return -1 if self.socket is None else self.socket.fileno()

    def logPrefix(self) -> str:
        """The name in the reactor's messages."""
        return "datagrams"

    def doRead(self) -> None:
        """
        Take what has arrived, but not so much that others have to wait.

        An error is that of a datagram sent earlier (an ICMP message), or none that
        anything could be done about.
        """
        for _ in range(TURN):
            if self.socket is None:
                return
            try:
                octets, source = self.socket.recvfrom(LARGEST)
            except OSError as error:
                if error.errno in BUSY:
                    return
                continue
            self._received(octets, source[0], source[1])

    def connect(self, host: str, port: int) -> bool:
        """
        See L{IDatagramPort.connect}.
        """
        try:
            self.socket.connect((host, port))
        except OSError:
            return False
        self._connected = True
        return True

    def send(self, octets: bytes, host: str, port: int) -> int:
        """
        See L{IDatagramPort.send}.
        """
        try:
            if self._connected:  # and some systems want no address then
                self.socket.send(octets)
            else:
                self.socket.sendto(octets, (host, port))
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def close(self) -> None:
        """
        Close it; nothing happens if it is closed.
        """
        if self.socket is not None:
            self._reactor.removeReader(self)
            self.socket.close()
            self.socket = None
            self._owner.closed(self.port)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor has found out that the socket is of no use any more.
        """
        if self.socket is not None:
            self.close()
            self._lost()
