"""
Reads the server name in a client's first flight without taking the flight away.

What has been looked at stays in the leg, whose relay passes it on as if nothing had been;
while a peek is under way nothing else has the leg's transport.  What the octets mean is
L{connectproxy.wire.clienthello}'s to say, and what follows from the name the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.leg import Leg, adopt
from connectproxy.wire.clienthello import DENIED, Found, HelloReader

if TYPE_CHECKING:
    from connectproxy.wheel import Wheel

__all__ = ["DENIED", "Peek"]


@implementer(IHalfCloseableProtocol)
class Peek(Protocol):
    """
    Looks at what a leg holds, and has it hold more until the name is known: at most what
    L{HelloReader} looks at, and one read more.

    @ivar found: what the client has begun with, as far as that has come out: L{None}
        where it has said nothing, or too little in the time, or has ended before.
    @ivar slot: the wheel's, for the time that the client has.
    """

    slot = 0
    found: Found | None = None

    def __init__(self, wheel: Wheel, leg: Leg, done: Callable[[str], None], seconds: float) -> None:
        """
        @param leg: the client's.  It need not have been adopted by its transport; when
            C{done} is called it has been, unless the connection is lost, and its
            transport is paused.
        @param done: called once, perhaps before L{begin} returns, with the name in lower
            case; with an empty string where there is no valid one, where the client does
            not speak TLS, does not go on in time, or has ended its stream or lost its
            connection: then the leg says so.
        @param seconds: for the whole first flight.  A client that waits for the server
            to speak first waits as long as this.
        """
        self._wheel = wheel
        self._leg = leg
        self._done: Any = done  # None when it has been called, or is not to be
        self._seconds = seconds
        self._reader = HelloReader()

    def begin(self) -> None:
        """
        Look.
        """
        leg = self._leg
        if leg.held:
            self.found = self._reader.receive(leg.held)
        if self.found is not None or leg.ended or leg.lost:
            self._finish()
            return
        self._wheel.add(self, self._seconds)
        adopt(leg.transport, self)
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def stop(self) -> None:
        """
        Look no more, and call nobody.  The leg is as C{done} would have found it; nothing
        happens if that has been called.
        """
        if self._done is not None:
            self._done = None
            self._giveBack()

    def dataReceived(self, data: bytes) -> None:
        """
        More of the first flight.
        """
        self._leg.held += data
        self.found = self._reader.receive(data)
        if self.found is not None:
            self._finish()

    def readConnectionLost(self) -> None:
        """
        The client has ended its stream.
        """
        self._leg.readConnectionLost()
        self._finish()

    def writeConnectionLost(self) -> None:
        """Never heard: nothing is written here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client is gone.
        """
        self._leg.connectionLost(reason)
        self._finish()

    def expired(self, now: float) -> None:
        """
        The client has had its time.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        self._finish()

    def _giveBack(self) -> None:
        """
        The transport is the leg's again.
        """
        self._wheel.remove(self)
        leg = self._leg
        if not leg.lost:
            transport: Any = leg.transport
            transport.pauseProducing()
            adopt(transport, leg)

    def _finish(self) -> None:
        """
        Tell what there is to tell.
        """
        done, self._done = self._done, None
        self._giveBack()
        done(self._reader.name)
