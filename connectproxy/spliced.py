"""
A tunnel whose bytes the kernel moves: its two ends, and how it is closed.

What moves them is L{connectproxy.splice}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from connectproxy.leg import Leg
from connectproxy.pipes import Pipe
from connectproxy.relay import Tunnel

__all__ = ["End", "SplicedTunnel"]

_DONE = Failure(ConnectionDone())
_ABORTED = Failure(ConnectionAborted())


class End:
    """
    One side of a spliced tunnel; its transport's protocol while it lasts.

    @ivar held: octets from this side that are in C{pipe}.
    @ivar early: octets from this side that are in user space: what came before
        the relay, or what had to be copied.
    @ivar count: octets from this side that the other side's socket has taken.
    @ivar mask: what is asked of epoll for this side's socket.
    @ivar ended: this side has sent its end of stream.
    """

    __slots__ = (
        "count", "early", "ended", "fd", "held", "mask", "name", "peer", "pipe", "sock", "transport", "tunnel",
    )  # fmt: skip

    peer: End
    pipe: Pipe | None

    def __init__(self, tunnel: SplicedTunnel, name: str, leg: Leg, sock: socket.socket) -> None:
        self.tunnel: Any = tunnel  # None once it has ended
        self.name = name
        self.transport: Any = leg.transport
        self.sock = sock
        self.fd = sock.fileno()
        self.early = leg.held
        self.held = 0
        self.count = 0
        self.mask = 0
        self.ended = False
        self.pipe = None

    def makeConnection(self, transport: Any) -> None:
        """
        Part of L{twisted.internet.interfaces.IProtocol}: the transport is known.
        """

    connectionMade = makeConnection

    def dataReceived(self, data: bytes) -> None:
        """
        Part of L{twisted.internet.interfaces.IProtocol}: a paused transport
        delivers nothing.
        """
        raise AssertionError("a transport that is spliced was resumed by somebody else")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is closed: by the tunnel, or over its head.
        """
        if self.tunnel is not None and not self.tunnel.kind:
            self.tunnel.end("proxy", "aborted")


class SplicedTunnel(Tunnel):
    """
    Two sockets in the relay's epoll set.
    """

    __slots__ = ("_relay", "client", "origin")

    def __init__(
        self, relay: Any, client: Leg, origin: Leg, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        Tunnel.__init__(self, relay.clock, relay.wheel, relay.timeouts)
        self._relay = relay
        self.client = End(self, "client", client, sockets[0])
        self.origin = End(self, "origin", origin, sockets[1])
        self.client.peer = self.origin
        self.origin.peer = self.client

    @property
    def bytesUp(self) -> int:
        """Octets that the origin's socket has taken."""
        return self.client.count

    @property
    def bytesDown(self) -> int:
        """Octets that the client's socket has taken."""
        return self.origin.count

    def end(self, endedBy: str, kind: str, *, orderly: bool = False) -> None:
        """
        See L{Tunnel.end}.  An end with octets still on their way to a peer that
        takes none is not orderly, whatever was asked for.
        """
        self.endedBy = endedBy
        self.kind = kind
        client, origin = self.client, self.origin
        if client.held or origin.held or client.early or origin.early:
            orderly = False
        relay = self._relay
        for each in (client, origin):
            relay.forget(each)
        reason = _DONE if orderly else _ABORTED
        for each in (client, origin):
            transport, each.transport = each.transport, None
            transport.connectionLost(reason)
        self.conclude()
        for each in (client, origin):  # no cycle is left for the collector
            each.tunnel = None
            del each.peer, each.sock
