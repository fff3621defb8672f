"""
The one connection of C{connectproxy connect}: from the request to the exit status.

Knows the ways, as L{connectproxy.ways} has built them, and what it joins to the connection; the
relay is that of the proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from connectproxy.address import Destination
from connectproxy.commands.streams import StandardStreams
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, Outcome, Timeouts, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.relay import WiredRelay
from connectproxy.sockets import unsent
from connectproxy.ways import Ways
from connectproxy.wheel import Wheel

__all__ = ["LINGER", "REFUSED", "RESET", "UNWRITTEN", "Joining"]

REFUSED = 1
"""The status to exit with where there is no connection."""

RESET = 3
"""Where the far side has broken the connection."""

UNWRITTEN = 4
"""Where standard input or output is broken before the end."""

LINGER = 60.0
"""
Seconds that the far side has to take its leave when there is nobody here any more, once it
has taken all octets.
"""

_FOREVER = Timeouts(0, 0, 0)


class Joining:
    """
    The one connection.

    @ivar status: the status to exit with, when it is over.
    @ivar words: what is to be said of it; empty where nothing is.
    @ivar failure: what has failed on our own side; L{None} where nothing has.
    """

    status = 0
    words = ""
    failure: Failure | None = None

    def __init__(
        self, reactor: Any, ways: Ways, streams: Callable[[], StandardStreams], over: Callable[[], None]
    ) -> None:
        """
        @param streams: gives standard input and output, once there is a connection to join them
            to.
        @param over: called, once, when all is over.
        """
        self._reactor = reactor
        self._ways = ways
        self._streams = streams
        self._over: Callable[[], None] | None = over
        self._timer: IDelayedCall | None = None

    def begin(self, destination: Destination, seconds: float) -> None:
        """
        Connect.

        @param seconds: how long that may take; 0 for ever.
        """
        self._ways.replace(None)
        request = TunnelRequest(
            destination,
            UNIXAddress(None),
            "",
            "stdio",
            arrived=self._reactor.seconds(),
        )
        routes = self._ways.routes
        factory = Factory.forProtocol(Leg)
        factory.noisy = False
        connecting: Deferred[Established] = routes.upstreams[routes.wayOf(request)].connect(request, factory)
        if seconds:
            self._timer = self._reactor.callLater(seconds, connecting.cancel)
        connecting.addCallbacks(self._connected, self._refused, errbackArgs=(destination,))
        connecting.addErrback(self._failed)

    def _connected(self, established: Established) -> None:
        """
        Join them.
        """
        self._stopTimer()
        leg = established.protocol
        streams = self._streams()
        if leg.lost:  # it has said something and gone, all at once
            streams.protocol = Leg()
            streams.whenLost = lambda: self._finish(RESET, "the connection was lost at once")
            streams.write(leg.held)
            streams.loseConnection()
            return
        # Twisted's TLS has no half-close: the end of our input would end what the far side has
        # still to say.
        streams.tellsEnd = not ISSLTransport.providedBy(leg.transport)
        streams.whenLost = lambda: self._linger(leg.transport)
        relay = WiredRelay(self._reactor, Wheel(self._reactor), _FOREVER)
        tunnel = relay.join(Leg.of(streams, b"", ended=False), leg)
        tunnel.finished.addCallback(self._ended, streams).addErrback(self._failed)

    def _ended(self, outcome: Outcome, streams: StandardStreams) -> None:
        """
        Both sides are closed.
        """
        if outcome.kind != "reset":
            self._finish(0)
        elif outcome.endedBy == "origin":
            self._finish(RESET, "the connection was reset by the far side")
        else:
            # Whoever stops reading, as head does, means that; and a signal would have ended us.
            trouble = streams.trouble
            silent = trouble is None or isinstance(trouble, BrokenPipeError)
            self._finish(UNWRITTEN, "" if silent else f"cannot write to standard output: {trouble}")

    def _linger(self, transport: Any) -> None:
        """
        There is nobody here any more; wait for the far side, but not for ever.
        """

        def expired() -> None:
            if unsent(transport):
                self._linger(transport)
            else:
                self._finish(0)

        if self._over is not None:
            self._timer = self._reactor.callLater(LINGER, expired)

    def _refused(self, failure: Failure, destination: Destination) -> None:
        """
        There is no connection.
        """
        failure.trap(Refused)
        refused: Any = failure.value
        refusal: Refusal = refused.refusal
        why = refusal.detail or refusal.row.cause.removesuffix(".")
        words = f"cannot connect to {destination}: {why} ({refusal.kind})\n{refusal.message or refusal.row.remedy}"
        self._finish(REFUSED, words)

    def _failed(self, failure: Failure) -> None:
        """
        Something is wrong here.
        """
        self.failure = failure
        self._finish(REFUSED)

    def _stopTimer(self) -> None:
        """
        Wait no more.
        """
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _finish(self, status: int, words: str = "") -> None:
        """
        It is over.
        """
        over, self._over = self._over, None
        if over is not None:  # or it has not been waited for any more
            self._stopTimer()
            self.status, self.words = status, words
            self._ways.stop()
            over()
