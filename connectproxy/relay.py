"""
The ordinary relay: two transports wired to each other by Twisted's own flow
control, each the streaming producer of the other.

It serves every pair of transports.  What it shares with the other relay stands
here too: L{Tunnel} has the deadlines and the outcome, and knows nothing of how
bytes move.

Ends of stream are passed on one by one (the half-close of RFC 9113 section 8.5;
RFC 9110 section 9.3.6 would allow to close both at the first).  A transport with
TLS on it has no half-close in Twisted, though it claims to; there the end of one
direction ends both, after what is outstanding has been written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime, ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.interfaces import IRelay, ITunnel, Outcome, Phase, Terms, Timeouts
from connectproxy.leg import Leg, Truncated, adopt
from connectproxy.shaping import Meter
from connectproxy.side import MeteredSide, Side
from connectproxy.wheel import Wheel

__all__ = ["Timeouts", "Tunnel", "WiredRelay"]

_USUAL = Timeouts()
_ORDINARY = Terms()


@implementer(ITunnel)
class Tunnel:
    """
    What both relays know of a tunnel.

    Whoever moves bytes sets C{active}; nothing else is done per read.

    @ivar clock: tells the time.
    @ivar active: when the last octet moved, in seconds of the clock.
    @ivar halfOpen: one of the two sides has ended its stream.
    @ivar kind: how it ended; empty while it is up.
    @ivar meters: of its directions, where there is a limit to its rate.
    """

    __slots__ = (
        "__weakref__", "_started", "_timeouts", "_wheel", "active", "clock", "endedBy", "finished",
        "halfOpen", "kind", "meters", "slot",
    )  # fmt: skip

    def __init__(self, clock: IReactorTime, wheel: Wheel, timeouts: Timeouts) -> None:
        self.clock = clock
        self._wheel = wheel
        self._timeouts = timeouts
        self._started = self.active = clock.seconds()
        self.halfOpen = False
        self.kind = ""
        self.endedBy = ""
        self.slot = 0
        self.meters: tuple[Meter, ...] = ()
        self.finished: Deferred[Outcome] = Deferred()

    @property
    def bytesUp(self) -> int:
        """Octets that the origin's socket has taken."""
        raise NotImplementedError

    @property
    def bytesDown(self) -> int:
        """Octets that the client's socket has taken."""
        raise NotImplementedError

    def abort(self, kind: str) -> None:
        """
        See L{ITunnel.abort}.
        """
        if not self.kind:
            self.end("proxy", kind)

    def end(self, endedBy: str, kind: str, *, orderly: bool = False) -> None:
        """
        Close both legs: flushed where C{orderly}, and by a reset otherwise.
        """
        raise NotImplementedError

    def watch(self) -> None:
        """
        Set the deadline that comes first.
        """
        due = self._due(self.clock.seconds())
        if due is not None:
            self._wheel.add(self, due)

    def halfClosed(self, endedBy: str) -> None:
        """
        The first of the two sides has ended its stream: the shorter deadline
        holds from now on.
        """
        self.halfOpen = True
        self.endedBy = endedBy
        self.active = self.clock.seconds()
        self._wheel.remove(self)
        self.watch()

    def _due(self, now: float) -> float | None:
        """
        @return: the seconds until the first deadline, negative if it is past,
            or L{None} if there is none.
        """
        limits = self._timeouts
        silence = limits.halfOpen if self.halfOpen or self.kind else limits.idle
        due = self.active + silence - now if silence else None
        if limits.lifetime and not self.kind:
            life = self._started + limits.lifetime - now
            due = life if due is None else min(due, life)
        return due

    def expired(self, now: float) -> float | None:
        """
        Asked by the wheel.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if any(meter.waiting for meter in self.meters):
            self.active = now  # it would move octets, and may not
        due = self._due(now)
        if due is None or due > 0:
            return due
        limits = self._timeouts
        if self.kind:
            self.end(self.endedBy, self.kind)  # it was to close in order, and did not
        elif limits.lifetime and now >= self._started + limits.lifetime:
            self.end("proxy", "lifetime_exceeded", orderly=True)
        else:
            self.end("proxy", "half_open_timeout" if self.halfOpen else "idle_timeout", orderly=True)
        return None  # whoever ends sets the deadline of the closing

    def conclude(self) -> None:
        """
        Both sockets are closed.
        """
        self._wheel.remove(self)
        seconds = self.clock.seconds() - self._started
        self.finished.callback(
            Outcome(self.endedBy, Phase.RELAYING, self.kind, self.bytesUp, self.bytesDown, seconds)
        )


class WiredTunnel(Tunnel):
    """
    Two transports, each the producer of the other.
    """

    __slots__ = ("client", "origin")

    def __init__(
        self,
        clock: IReactorTime,
        wheel: Wheel,
        timeouts: Timeouts,
        shapers: Sequence[tuple[Any, Any]] = (),
    ) -> None:
        """
        @param shapers: see L{Terms}.
        """
        Tunnel.__init__(self, clock, wheel, timeouts)
        self.client: Side
        self.origin: Side
        if shapers:
            up, down = zip(*shapers, strict=True)
            self.client = client = MeteredSide(self, "client", up)
            self.origin = origin = MeteredSide(self, "origin", down)
            self.meters = (client.valve, origin.valve)
        else:
            self.client = Side(self, "client")
            self.origin = Side(self, "origin")
        self.client.peer = self.origin
        self.origin.peer = self.client

    @property
    def bytesUp(self) -> int:
        """Octets that the origin's socket has taken."""
        return self.client.taken

    @property
    def bytesDown(self) -> int:
        """Octets that the client's socket has taken."""
        return self.origin.taken

    def begin(self, client: Leg, origin: Leg) -> None:
        """
        Take the transports over and wire them.
        """
        pairs = ((client, self.client), (origin, self.origin))
        for leg, side in pairs:
            adopt(leg.transport, side)
        for _, side in pairs:
            transport: Any = side.transport
            transport.registerProducer(side.peer.producer, True)
        self.watch()
        for leg, side in pairs:
            if leg.held and not self.kind:
                side.begin(leg.held)
        for leg, side in pairs:
            if not self.kind:
                side.start(leg.ended)

    def sideEnded(self, side: Side) -> None:
        """
        Pass an end of stream on, after what came before it.

        The producer is unregistered first: a transport that waits for a paused
        producer which has nothing left would never send its FIN.
        """
        peer: Any = side.peer.transport
        if side.peer.ended:
            self.end(self.endedBy, "eof", orderly=True)
        elif ISSLTransport.providedBy(peer):
            self.end(side.name, "eof", orderly=True)
        else:
            peer.unregisterProducer()
            peer.loseWriteConnection()
            self.halfClosed(side.name)

    def sideLost(self, side: Side, reason: Failure) -> None:
        """
        One transport is closed: the other follows, and the last one concludes.
        """
        if not self.kind:
            if reason.check(ConnectionDone):
                # In order even so: nearly all who close TLS like that have said all they had to say.
                self.end(side.name, "truncated" if reason.check(Truncated) else "eof", orderly=True)
            else:
                self.end(side.name, "reset")
        if not side.peer.open:
            if not self.finished.called:
                self.conclude()
            # Or they would be there until the collector finds the two sides.  Not before both are
            # lost: what was ready in the same turn of the reactor still comes to the other one.
            for each in (self.client, self.origin):
                each.transport = None

    def end(self, endedBy: str, kind: str, *, orderly: bool = False) -> None:
        """
        See L{Tunnel.end}.
        """
        self.endedBy = endedBy
        self.kind = kind
        for meter in self.meters:
            meter.stop()
        for side in (self.client, self.origin):
            if side.open:
                transport: Any = side.transport
                transport.unregisterProducer()
                if orderly:
                    transport.loseConnection()
                else:
                    transport.abortConnection()
        if not self.finished.called:
            self._wheel.remove(self)
            self.active = self.clock.seconds()
            self.watch()


@implementer(IRelay)
class WiredRelay:
    """
    Joins any two transports by producer and consumer.
    """

    relayName = "wired"

    def __init__(self, clock: IReactorTime, wheel: Wheel, timeouts: Timeouts = _USUAL) -> None:
        """
        @param clock: tells the time.
        @param wheel: keeps the deadlines, on the same clock.
        @param timeouts: for every tunnel.
        """
        self._clock = clock
        self._wheel = wheel
        self._timeouts = timeouts

    def canJoin(self, client: Leg, origin: Leg) -> bool:
        """
        See L{IRelay.canJoin}: it serves everything.
        """
        return True

    def join(self, client: Leg, origin: Leg, terms: Terms | None = None) -> WiredTunnel:
        """
        See L{IRelay.join}.
        """
        timeouts, shapers = terms or _ORDINARY
        tunnel = WiredTunnel(self._clock, self._wheel, timeouts or self._timeouts, shapers)
        tunnel.begin(client, origin)
        return tunnel

    def stop(self) -> None:
        """
        Nothing is kept between tunnels.
        """
