"""
Plain Twisted wiring: what anybody writes first, and what everything is compared with.

C{python plain.py PORT} takes C{CONNECT} on 127.0.0.1 and ties two transports
together by producer and consumer, with the epoll reactor.  It has no policy,
no limits, no timers and no log, and dials whatever address it is told.  It
stands alone and imports nothing of this project.  Not for use.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.main import installReactor
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

__all__: list[str] = []

# Twisted has no annotations for these.
reactor = cast(Any, EPollReactor)()
cast(Any, installReactor)(reactor)

# Twisted's default of 50 is fewer than the load opens at once.
_BACKLOG = 1024


class Leg(Protocol):
    """
    One half of a tunnel.

    @ivar other: the other half, once there is one.
    """

    # ITCPTransport, IPushProducer and IConsumer; no one interface is all three.
    transport: Any
    other: Leg | None = None

    def join(self, other: Leg) -> None:
        """Write to the other half what arrives here, no faster than it takes it."""
        self.other = other
        other.transport.registerProducer(self.transport, True)

    def dataReceived(self, octets: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(octets)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        other, self.other = self.other, None
        if other is not None:
            # A transport with a paused producer would never close.
            other.transport.unregisterProducer()
            other.transport.loseConnection()


class Client(Leg):
    """The half towards the client, which begins with a request."""

    def __init__(self) -> None:
        self._head = b""

    def dataReceived(self, octets: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(octets)
            return
        self._head += octets
        head, end, _ = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        words = head.partition(b"\r\n")[0].decode("ascii").split(" ")
        if words[0] != "CONNECT":
            self.transport.write(b"HTTP/1.1 501 Not Implemented\r\n\r\n")
            self.transport.loseConnection()
            return
        host, _, port = words[1].rpartition(":")
        self.transport.pauseProducing()
        reactor.connectTCP(host, int(port), Dial(self))

    def dialled(self, origin: Leg) -> None:
        """The origin is there: tie both halves together and say so."""
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        early = self._head.partition(b"\r\n\r\n")[2]
        self._head = b""
        if early:
            origin.transport.write(early)
        self.join(origin)
        origin.join(self)
        self.transport.resumeProducing()


class Server(Leg):
    """The half towards the origin."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        if self._client.connected:
            self._client.dialled(self)
        else:
            self.transport.loseConnection()


class Dial(ClientFactory):
    """One attempt to reach an origin for one client."""

    noisy = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return Server(self._client)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._client.transport.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        self._client.transport.loseConnection()


class Listen(ServerFactory):
    """Takes clients."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return Client()


if __name__ == "__main__":
    reactor.listenTCP(int(sys.argv[1]), Listen(), backlog=_BACKLOG, interface="127.0.0.1")
    reactor.run()
