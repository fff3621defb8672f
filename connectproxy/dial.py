"""
A lighter C{connectTCP} for addresses.

Twisted's own serves names, bindings and time limits; for an address alone it
still makes a connector beside the transport, waits a turn of the reactor before
it begins, asks the kernel twice whether it is done, and tells epoll six times
what to watch.  The one here has the same contract (a C{ClientFactory} in, an C{IConnector} out) and the
same tests; it asks once, and tells epoll twice.

What it makes is a L{twisted.internet.tcp.Connection}, so everything that holds
for those holds for it: half-close, producers, C{abortConnection}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import UserError, getConnectError
from twisted.internet.interfaces import IConnector
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Outgoing", "connectTCPFor"]

_TYPE = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0)
_BEGUN = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


@implementer(IConnector)
class Outgoing(Connection):
    """
    A connection that is being made or has been made, and its own connector.

    @ivar state: as a connector has it: C{"connecting"}, C{"connected"} or
        C{"disconnected"}.
    """

    state = "connecting"
    logstr = "connectproxy,client"
    _paused = False

    def __init__(self, reactor: Any, host: str, port: int, factory: ClientFactory) -> None:
        """
        Begin.

        @param host: an IPv4 or IPv6 address.
        @raise OSError: there is no socket to be had.
        """
        self.factory: Any = factory
        self._destination = (host, port)
        if ":" in host:
            sock = socket.socket(socket.AF_INET6, _TYPE)
            target: tuple[Any, ...] = (host, port, 0, 0)
        else:
            sock = socket.socket(socket.AF_INET, _TYPE)
            target = (host, port)
        protocol: Any = None
        Connection.__init__(self, sock, protocol, reactor)
        code = sock.connect_ex(target)
        if code in _BEGUN:
            self.startWriting()
        else:
            reactor.callLater(0, self._failed, code)

    def getDestination(self) -> IPv4Address | IPv6Address:
        """
        See L{IConnector.getDestination}.
        """
        kind = IPv6Address if ":" in self._destination[0] else IPv4Address
        return kind("TCP", *self._destination)

    getPeer = getDestination

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        The address that the connection was made from.
        """
        name = self.socket.getsockname()
        return (IPv6Address if len(name) == 4 else IPv4Address)("TCP", *name[:2])

    def connect(self) -> None:
        """
        Part of L{IConnector}: one of these connects once.
        """
        raise RuntimeError("can't connect in this state")

    def stopConnecting(self) -> None:
        """
        See L{IConnector.stopConnecting}.
        """
        if self.state == "connecting":
            self._over(Failure(UserError()))

    def disconnect(self) -> None:
        """
        See L{IConnector.disconnect}.
        """
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self.loseConnection()

    def doWrite(self) -> Any:
        """
        The reactor says that the socket is writable, which it first becomes when
        the connection is made or is not going to be.
        """
        if self.state == "connected":
            return Connection.doWrite(self)
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(code)
            return None
        self.stopWriting()
        self.state = "connected"
        self.connected = 1
        protocol = self.factory.buildProtocol(self.getPeer())
        if protocol is None:
            self.protocol = _Nobody()  # type: ignore[assignment]
            self.loseConnection()
            return None
        self.protocol = protocol
        protocol.makeConnection(self)
        # Who has taken the transport over or closed it has no use for reading.
        if self.connected and not self.disconnecting and not self._paused:
            self.startReading()
        return None

    def pauseProducing(self) -> None:
        """
        Read no more for now; it may be said before reading has begun.
        """
        self._paused = True
        Connection.pauseProducing(self)

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self._paused = False
        Connection.resumeProducing(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed; or the reactor has found that it is not going
        to be made, and has not said why.
        """
        if self.state == "connecting":
            self._failed(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            return
        if self.state == "connected":
            self.state = "disconnected"
            Connection.connectionLost(self, reason)
            self.factory.clientConnectionLost(self, reason)

    def _failed(self, code: int) -> None:
        """
        It was not made.

        @param code: the system's error number; 0 if it has none to give.
        """
        if self.state == "connecting":
            self._over(
                Failure(
                    getConnectError((code or errno.ECONNABORTED, os.strerror(code or errno.ECONNABORTED)))
                )
            )

    def _over(self, reason: Failure) -> None:
        """
        Close what has been begun, and tell.
        """
        self.state = "disconnected"
        self.stopWriting()
        self.socket.close()
        del self.socket, self.fileno
        self.factory.clientConnectionFailed(self, reason)


class _Nobody:
    """
    The protocol of a connection that nobody wants any more.
    """

    def connectionLost(self, reason: Failure) -> None:
        """
        Part of L{twisted.internet.interfaces.IProtocol}.
        """


def connectTCPFor(reactor: Any) -> Any:
    """
    What to connect with in a reactor.

    @return: takes a host, a port, a C{ClientFactory} and C{timeout}, which is
        L{None}, and gives an C{IConnector}: L{Outgoing} where the reactor watches
        sockets, and the reactor's own C{connectTCP} elsewhere.
    """
    plain: Any = reactor.connectTCP
    if not isinstance(reactor, PosixReactorBase):
        return plain

    def connectTCP(host: str, port: int, factory: ClientFactory, timeout: None = None) -> Any:
        try:
            return Outgoing(reactor, host, port, factory)
        except OSError:
            # No descriptor is left.  Twisted's own has a connector to fail with.
            return plain(host, port, factory, timeout=timeout)

    return connectTCP
