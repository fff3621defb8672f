"""
The connections to one next hop, and the requests that wait for one of them.

The first request opens a connection, and whoever comes while it is being made waits for the
same one.  There is another only when all that there are carry as many tunnels as they may,
by the next hop's SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 section 5.1.2) and by ours.
Requests go to the oldest that has room, so that the others can come to rest and be closed.

Whoever finds no room waits, in order of arrival.  As many may wait as there may be tunnels;
each has a deadline of its own, which is not kept here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from connectproxy.errors import Refusal, Refused
from connectproxy.hop import Hop
from connectproxy.upstreams.http2.asking import Asking
from connectproxy.upstreams.http2.connection import HopConnection
from connectproxy.wheel import Wheel
from connectproxy.wire.hopstatus import named

__all__ = ["PAUSE", "Pool"]

PAUSE = 1.0
"""Seconds until another connection is tried beside those that there are, after one that failed."""


class Pool:
    """
    What leads to one next hop.

    @ivar clock: tells the time.
    @ivar wheel: keeps the deadlines of the connections.
    @ivar hop: the next hop.
    @ivar name: what it is called.
    @ivar tunnels: how many one connection may carry.
    @ivar patience: seconds that a connection may take to be made.
    @ivar stopped: no more requests come.
    @ivar failure: what has gone wrong last; L{None} for nothing.
    """

    def __init__(
        self,
        clock: IReactorTime,
        hop: Hop,
        tell: Callable[..., None],
        *,
        connections: int,
        tunnels: int,
        patience: float,
    ) -> None:
        """
        @param tell: see L{Surroundings.tell<connectproxy.interfaces.Surroundings>}.
        @param connections: how many connections there may be.
        """
        self.clock = clock
        self.wheel = Wheel(clock)
        self.hop = hop
        self.name = hop.name
        self.tunnels = tunnels
        self.patience = patience
        self.stopped = False
        self.failure: Refusal | None = None
        self._tell = tell
        self._most = connections
        self._open: dict[HopConnection, None] = {}
        self._retired: set[HopConnection] = set()
        self._waiting: OrderedDict[Asking, None] = OrderedDict()
        self._serving = False
        self._notBefore = 0.0

    # What requests ask for.

    def place(self, asking: Asking) -> None:
        """
        Have a request asked, as soon as there is room.
        """
        if len(self._waiting) >= self._most * self.tunnels:
            asking.refuse(self._full(), self.name)
            return
        self._waiting[asking] = None
        self.serve()

    def again(self, asking: Asking) -> None:
        """
        Have a request asked once more, before those that came after it.
        """
        self._waiting[asking] = None
        self._waiting.move_to_end(asking, last=False)
        self.serve()

    def leave(self, asking: Asking) -> None:
        """
        A request that waits is cancelled: refuse it for what it has waited for.  A connection
        that is being made is given up with the last one that waits for it.
        """
        del self._waiting[asking]
        coming = [connection for connection in self._open if not connection.ready]
        if not coming:
            asking.refuse(self._full(), self.name)
            return
        refusal, hop = coming[0].delay(), self.name
        if not self._waiting:
            for connection in reversed(coming):
                refused = connection.abandon()
                asking.waited(refused.tried, refused.resolved, None)
                refusal, hop = refused.refusal, refused.hop
        asking.refuse(refusal, hop)

    def serve(self) -> None:
        """
        Let those that wait have what room there is, and see to more.
        """
        if self._serving:
            return
        self._serving = True
        try:
            while self._waiting:
                for connection in self._open:
                    if connection.room > 0:
                        asking, _ = self._waiting.popitem(last=False)
                        connection.carry(asking)
                        break
                else:
                    if not self._more():
                        break
        finally:
            self._serving = False

    def _more(self) -> bool:
        """
        Open another connection, if that is of use.

        @return: whether one was begun.
        """
        coming = sum([not connection.ready for connection in self._open])
        if len(self._open) >= self._most or len(self._waiting) <= coming * self.tunnels:
            return False
        if self._open and self.clock.seconds() < self._notBefore:
            return False
        connection = HopConnection(self)
        self._open[connection] = None
        connection.open(next(iter(self._waiting)).request)
        return True

    def _full(self) -> Refusal:
        """
        Why there is no room.
        """
        words = f"has no room for another tunnel on any of its {len(self._open)} connections"
        return Refusal("next_hop_unavailable", f"{named(self.name)} {words}")

    # What connections tell.

    def opened(self, connection: HopConnection) -> None:
        """
        A connection takes requests.
        """
        established: Any = connection.established
        for asking in self._waiting:
            asking.waited(established.tried, established.resolved, connection)
        self.serve()

    def retire(self, connection: HopConnection) -> None:
        """
        A connection takes no requests, at least for now.
        """
        if connection in self._open:
            del self._open[connection]
            self._retired.add(connection)

    def restore(self, connection: HopConnection) -> None:
        """
        A connection takes requests after all.
        """
        self._retired.discard(connection)
        self._open[connection] = None
        self.serve()

    def failed(self, connection: HopConnection, failure: Failure) -> None:
        """
        A connection has come to nothing.  Those that wait go on waiting for others, and where
        there is none, they wait no more.
        """
        self.retire(connection)
        refused: Any = failure.value if failure.check(Refused) else None
        if refused is not None:
            self.failure = refused.refusal
            for asking in self._waiting:
                asking.waited(refused.tried, refused.resolved, None)
        if self._open:
            self._notBefore = self.clock.seconds() + PAUSE
            return
        waiting = list(self._waiting)
        self._waiting.clear()
        for asking in waiting:
            if refused is not None:
                asking.refuse(refused.refusal, refused.hop)
            else:
                asking.fail(failure)

    def gone(self, connection: HopConnection) -> None:
        """
        Nothing is left of a connection.
        """
        self._open.pop(connection, None)
        self._retired.discard(connection)
        if not self._open and not self._retired:
            self.wheel.stop()

    def tell(self, text: str, refusal: Refusal) -> None:
        """
        Have an event written of what has become of a connection.

        @param text: a format with C{hop} and C{detail} in it.
        """
        self.failure = refusal
        self._tell(text, hop=self.name, detail=refusal.detail, error=refusal.kind)

    # What the operator asks for.

    def stop(self) -> None:
        """
        No more requests come: close what rests, and the others when they come to rest.
        """
        self.stopped = True
        for connection in list(self._open):
            if connection.ready and not connection.streams:
                connection.leave()

    def state(self) -> Mapping[str, Any]:
        """
        How many there are of what, as JSON has it.
        """
        every = [*self._open, *self._retired]
        failure = self.failure
        return {
            "connections": sum([connection.ready for connection in every]),
            "connecting": sum([not connection.ready for connection in self._open]),
            "tunnels": sum([len(connection.streams) for connection in every]),
            "waiting": len(self._waiting),
            "last_failure": None if failure is None else failure.detail,
            "error": None if failure is None else failure.kind,
        }
