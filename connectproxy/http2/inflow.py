"""
The receiving direction of a stream: what is delivered, what is held, and what is
credited (RFC 9113 section 5.2).

Credit is given back for what the protocol has taken while it was not paused; what
comes while it is paused is held, and the window bounds that.  The window begins small
and grows as long as the protocol keeps up, so that a stream that never moves holds
little: see L{connectproxy.http2.credit}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectproxy.http2.credit import FIRST, LARGEST_STREAM
from connectproxy.leg import Leg
from connectproxy.wire.http2 import formatWindowUpdate

if TYPE_CHECKING:
    from connectproxy.http2.connection import Connection

__all__ = ["Inflow"]

PIECE = 65536
"""Octets that are delivered at once of what was held."""


class Inflow:
    """
    What the peer sends on one stream.

    @ivar number: the stream's identifier.
    @ivar protocol: what it delivers to.
    @ivar takesTrailers: there may be fields behind the peer's octets;
        C{trailers} are those.
    @ivar over: it is closed, or everything about it has been given up.
    @ivar answered: the request has got its answer.
    @ivar readEnded: the peer has ended its direction.
    """

    __slots__ = (
        "_closing", "_connection", "_endTold", "_held", "_heldWeight", "_owed", "_paused", "_room", "_size", "answered",
        "number", "over", "protocol", "readEnded", "takesTrailers", "trailers",
    )  # fmt: skip

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self.number = number
        self.protocol: Any = None
        self.takesTrailers = False
        self.trailers: list[tuple[bytes, bytes]] = []
        self._room = self._size = FIRST
        self._owed = 0
        self._paused = True
        self._held = bytearray()
        self._heldWeight = 0
        self._endTold = self._closing = self.answered = self.readEnded = self.over = False

    def received(self, octets: bytes, weight: int) -> bool:
        """
        The peer has sent octets.

        @param weight: how many of the window they take, padding included.
        @return: C{False} if that is more than the window had.
        """
        self._room -= weight
        if self._room < 0:
            return False
        if self._closing:
            if octets:
                self._unwanted()
            return True
        if self._paused:
            self._held += octets
            self._heldWeight += weight
        else:
            self._owed += weight
            if octets:
                self.protocol.dataReceived(octets)
            if self._owed * 2 >= self._size and not self._paused:
                self._giveCredit()
        return True

    def _unwanted(self) -> None:
        """
        Octets have come that nobody wants any more: they are thrown away, without credit.
        """

    def ended(self, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """
        The peer has ended its direction.

        @param trailers: the fields behind its octets.
        """
        self.readEnded = True
        if trailers:
            self.trailers = trailers
        if not self._paused:
            self._tellEnd()

    def handOver(self) -> Leg:
        """
        Let a relay have the stream: what has come until now is the leg's.  Its credit is
        given back when the stream is read again.
        """
        self.answered = True
        held = bytes(self._held)
        self._held.clear()
        self._owed += self._heldWeight
        self._heldWeight = 0
        self._endTold = self.readEnded
        return Leg.of(self, held, ended=self.readEnded)

    def _giveCredit(self) -> None:
        """
        Let the peer send as much again, or more.
        """
        if self.readEnded or self.over:
            return
        increment, self._owed = self._owed, 0
        if self._size < LARGEST_STREAM and self._connection.credit.grow(self._size):
            increment += self._size
            self._size *= 2
        self._room += increment
        self._connection.sender.control(formatWindowUpdate(self.number, increment))

    def _tellEnd(self) -> None:
        """
        Tell the protocol of the end, behind everything that came before it.
        """
        if not self._endTold and not self._closing:
            self._endTold = True
            self.protocol.readConnectionLost()

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}: deliver no more for now.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}: deliver what is held, and then what comes.
        """
        if self.over or self._closing or not self._paused:
            return
        self._paused = False
        while self._held:
            octets = bytes(self._held[:PIECE])
            del self._held[:PIECE]
            self._owed += len(octets)
            self._heldWeight -= len(octets)
            self.protocol.dataReceived(octets)
            if self._paused or self._closing or self.over:
                return
        self._owed += self._heldWeight  # of padding
        self._heldWeight = 0
        if self._owed * 2 >= self._size:
            self._giveCredit()
        if self.readEnded:
            self._tellEnd()
