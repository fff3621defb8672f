"""
The time between the answer and the relay, where a rule wants to know the server name of
the client's TLS: a tunnel that was asked for by address can't hide a name from it.

The first flight is looked at and stays where it is, so that a relay passes it on as if
nothing had been.  What ends in that time is closed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from typing import Protocol as Callbacks

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from connectproxy.leg import Leg, adopt
from connectproxy.peek import DENIED, Peek
from connectproxy.wire.clienthello import Found

if TYPE_CHECKING:
    from connectproxy.switchboard import Switchboard

__all__ = ["Inspection", "discard"]

TLS_RECORDS = (b"\x14", b"\x15", b"\x16", b"\x17", b"\x18")
"""What a connection begins with that begins with a record of TLS (RFC 8446 section 5.1, RFC 6520)."""


class _Call(Callbacks):
    """
    Who wants to know.
    """

    def named(self, inspection: Inspection, name: str) -> None:
        """
        The name is known; the legs are the caller's again.
        """

    def unreadable(self) -> None:
        """
        The client has begun with TLS, and it is not known what it goes on with; both legs
        are being closed.
        """

    def unnamed(self, endedBy: str, kind: str) -> None:
        """
        It has ended before, and both legs are being closed.
        """


class Inspection:
    """
    Looks at one client's first flight.

    @ivar leg: the client's.
    @ivar origin: the other one.
    """

    __slots__ = ("_board", "_call", "_linger", "_peek", "leg", "origin")

    def __init__(
        self, board: Switchboard, settings: Mapping[str, Any], leg: Leg, origin: Leg, call: _Call
    ) -> None:
        self._board = board
        self._call = call
        self._linger = settings["timeouts.linger"]
        self._peek = Peek(board.wheel, leg, self._seen, settings["timeouts.first_flight"])
        self.leg = leg
        self.origin = origin

    def begin(self) -> None:
        """
        Look.
        """
        self._peek.begin()

    def _seen(self, name: str) -> None:
        """
        There is a name, or there will be none.
        """
        if self.leg.lost or self.origin.lost:
            endedBy = "client" if self.leg.lost else "origin"
            self.drop()
            self._call.unnamed(endedBy, "reset")
        elif self._unreadable():
            self.drop(alert=True)
            self._call.unreadable()
        else:
            self._call.named(self, name)

    def _unreadable(self) -> bool:
        """
        Whether the client may speak TLS in a way that hides its server name from us, and
        perhaps not from the origin: broken, with what is no name but could be read as one
        (C{host.example:443} is, by nginx), or so slowly that its ClientHello is not whole in
        time.  Who has said nothing by then could begin later, unless the origin has spoken
        first, which none of TLS does.
        """
        found, leg = self._peek.found, self.leg
        if found is not None:
            return found in (Found.BROKEN, Found.WRONG_NAME)
        return leg.held.startswith(TLS_RECORDS) or not (leg.held or leg.ended or self.origin.held)

    def abort(self, kind: str) -> None:
        """
        End it.

        @param kind: as for L{connectproxy.interfaces.ITunnel.abort}.
        """
        self.drop()
        self._call.unnamed("proxy", kind)

    def drop(self, *, alert: bool = False) -> None:
        """
        Close both legs.

        @param alert: tell the client, if it has spoken TLS, by an alert that this is meant
            (RFC 8446 section 6.2): it can read one before its handshake.
        """
        self._peek.stop()
        board, leg = self._board, self.leg
        if not self.origin.lost:
            discard(board, self.origin, told=False)
        if leg.lost:
            board.connectionClosed()
        elif alert and leg.held.startswith(TLS_RECORDS):
            transport: Any = leg.transport
            transport.write(DENIED)
            discard(board, leg, told=True, seconds=self._linger)
        else:
            discard(board, leg, told=True)


def discard(board: Switchboard, leg: Leg, *, told: bool, seconds: float = 0.0) -> None:
    """
    Close what no relay is going to have.  Whatever had begun to take the transport over
    hears no more of it.

    @param told: the switchboard is told when it is closed, because it is a client's.
    @param seconds: how long what has been written may take to arrive; 0 for a reset.
    """
    transport: Any = leg.transport
    remains = _Remains(board, told=told)
    adopt(transport, remains)
    if seconds:
        board.wheel.add(remains, seconds)
        transport.resumeProducing()
        transport.loseConnection()
    else:
        transport.abortConnection()


class _Remains(Protocol):
    """
    What a transport delivers to when it is only going to be closed: its last word is
    that it is.

    @ivar slot: the wheel's, for a close that takes its time.
    """

    slot = 0

    def __init__(self, board: Switchboard, *, told: bool) -> None:
        self._board = board
        self._told = told

    def expired(self, now: float) -> None:
        """
        It has taken too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{connectproxy.interfaces.ISwitchboard.connectionClosed}.
        """
        self._board.wheel.remove(self)
        if self._told:
            self._board.connectionClosed()
