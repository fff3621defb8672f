"""
A tunnel whose bytes the kernel moves: its two ends, what is asked of epoll for them,
and how it is closed.

What moves them is L{connectproxy.splice}.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from connectproxy.interfaces import Timeouts
from connectproxy.leg import Leg
from connectproxy.pipes import Pipe, PipePool
from connectproxy.relay import Tunnel
from connectproxy.shaping import Meter

__all__ = ["FLAGS", "IN", "OUT", "PARKED", "End", "SplicedTunnel", "isSupported"]

IN, OUT = getattr(select, "EPOLLIN", 1), getattr(select, "EPOLLOUT", 4)
PARKED = -1
"""A mask: the socket is not in the epoll set at all."""

FLAGS = getattr(os, "SPLICE_F_MOVE", 1) | getattr(os, "SPLICE_F_NONBLOCK", 2)

_DONE = Failure(ConnectionDone())
_ABORTED = Failure(ConnectionAborted())


def isSupported() -> bool:
    """
    Whether this system has what it takes.  A sandbox may have the call and
    refuse it.
    """
    if not hasattr(os, "splice") or not hasattr(select, "epoll"):
        return False
    pool = PipePool()
    try:
        pipes = pool.take(), pool.take()
    except OSError:
        return False
    try:
        os.write(pipes[0][1], b"x")
        return os.splice(pipes[0][0], pipes[1][1], 1, flags=FLAGS) == 1
    except OSError:
        return False
    finally:
        for pipe in pipes:
            pool.discard(pipe)


class End:
    """
    One side of a spliced tunnel; its transport's protocol while it lasts.

    @ivar held: octets from this side that are in C{pipe}.
    @ivar early: octets from this side that are in user space: what came before
        the relay, or what had to be copied.
    @ivar count: octets from this side that the other side's socket has taken.
    @ivar mask: what is asked of epoll for this side's socket.
    @ivar ended: this side has sent its end of stream.
    @ivar meter: says how much may be read from it, where there is a limit.
    """

    __slots__ = (
        "count", "early", "ended", "fd", "held", "mask", "meter", "name", "peer", "pipe", "sock", "transport", "tunnel",
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
        self.meter: Meter | None = None

    def rearm(self, epoll: Any) -> None:
        """
        Poll this side for reading while nothing from it waits and more of it is
        allowed, and its peer for writing while something does.
        """
        peer, meter = self.peer, self.meter
        rests = meter is not None and meter.waiting
        waits = (self.held or self.early) and not rests
        idle = rests or waits or self.ended
        self._ask(epoll, (self.mask & OUT if self.mask != PARKED else 0) | (0 if idle else IN))
        peer._ask(epoll, (peer.mask & IN if peer.mask != PARKED else 0) | (OUT if waits else 0))

    def _ask(self, epoll: Any, mask: int) -> None:
        """
        Have the socket polled for what C{mask} says, and make no call that changes
        nothing.
        """
        if self.mask == PARKED:
            if mask & IN:
                self.mask = mask
                epoll.register(self.fd, mask)
        elif mask != self.mask:
            self.mask = mask
            epoll.modify(self.fd, mask)

    def resumeProducing(self) -> None:
        """
        What the meter calls: more of this side is allowed.
        """
        self.tunnel.goOn(self)

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
        self,
        relay: Any,
        client: Leg,
        origin: Leg,
        sockets: tuple[socket.socket, socket.socket],
        timeouts: Timeouts,
        shapers: Sequence[tuple[Any, Any]] = (),
    ) -> None:
        """
        @param shapers: see L{connectproxy.interfaces.Terms}.
        """
        Tunnel.__init__(self, relay.clock, relay.wheel, timeouts)
        self._relay = relay
        self.client = End(self, "client", client, sockets[0])
        self.origin = End(self, "origin", origin, sockets[1])
        self.client.peer = self.origin
        self.origin.peer = self.client
        if shapers:
            up, down = zip(*shapers, strict=True)
            self.client.meter = Meter(up, relay.clock, self.client)
            self.origin.meter = Meter(down, relay.clock, self.origin)
            self.meters = (self.client.meter, self.origin.meter)

    def goOn(self, end: End) -> None:
        """
        More of one side is allowed than a moment ago.
        """
        self._relay.goOn(end)

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
        See L{Tunnel.end}.  An end with octets still on their way, to a peer that
        takes none or for want of an allowance, is not orderly, whatever was asked for.
        """
        self.endedBy = endedBy
        self.kind = kind
        client, origin = self.client, self.origin
        if client.held or origin.held or client.early or origin.early:
            orderly = False
        for meter in self.meters:
            if meter.waiting:
                orderly = False
            meter.stop()
        relay = self._relay
        for each in (client, origin):
            relay.forget(each)
        reason = _DONE if orderly else _ABORTED
        for each in (client, origin):
            transport, each.transport = each.transport, None
            transport.connectionLost(reason)
        self.conclude()
        for each in (client, origin):  # no cycle is left for the collector
            each.tunnel = each.meter = None
            del each.peer, each.sock
