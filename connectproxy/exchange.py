"""
One request that is forwarded as a message, from its arrival to its event.

What differs from a tunnel (L{connectproxy.call}) stands here: a connection that an
earlier request of the same client has left open is used again where the policy lets
it; the listener carries the messages itself; and a request whose used connection
turns out closed goes out once more on a new one (RFC 9112 section 9.3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connectproxy.call import Call
from connectproxy.decision import addressOf
from connectproxy.errors import Refusal
from connectproxy.interfaces import STALE, Established, Outcome, Phase

if TYPE_CHECKING:
    from connectproxy.regime import Regime

__all__ = ["ExchangeCall"]


class ExchangeCall(Call):
    """
    One exchange of messages.
    """

    __slots__ = ()

    def _dial(self) -> None:
        """
        Take a connection that is open, if that is allowed; otherwise have one made.
        """
        while established := self._inbound.idle(self._way):
            address = addressOf(established.seen)
            if address is None or self._regime.policy.decideAddress(self.request, address) is None:
                self._connected(established)
                return
            # It is as any other destination from here on: refused, or dialled elsewhere.
            established.protocol.transport.loseConnection()
        Call._dial(self)

    def _connect(self) -> Deferred[Established]:
        """
        See L{Call._connect}: a next hop that takes whole messages gets this one, unless it is
        going to change to another protocol.
        """
        way = self._way
        forward = getattr(way, "forward", None) if self._inbound.message else None
        connecting: Deferred[Established] = (forward or way.connect)(self.request, self._board.legs)
        return connecting

    def _connected(self, established: Established) -> None:
        """
        Let the listener carry the messages.
        """
        board = self._board
        board.wheel.remove(self)
        origin, self._address, tried, resolved, self._seen, self._member, _, _ = established
        if self._waiting is not None:  # what an idle one has cost was another request's
            self._waiting = None
            self._tried, self._resolved, self._dialled = tried, resolved, board.clock.seconds()
        try:
            if self._denied(origin):
                return
            self._settle()
            self.phase = Phase.RELAYING
            carriage = self._inbound.accept(established, self._terms())
            self._relay = carriage.relayName
            self._carried(carriage)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure(), origin=origin)

    def forget(self, former: Regime, rest: Regime) -> None:
        """
        See L{Call.forget}: not before it is a tunnel, behind a 101, since it may be begun again.
        """
        carriage: Any = self._tunnel
        if carriage is not None and carriage.relayName != self._relay:
            Call.forget(self, former, rest)
            self._routes = self._way = None

    def _ended(self, outcome: Outcome) -> None:
        """
        The exchange is over, unless it has to be begun again.
        """
        board = self._board
        if outcome.kind == STALE:
            self._tunnel = self._address = self._relay = None
            self._seen = ""
            if board.draining:
                self.refuse(Refusal("proxy_draining", "the proxy is being stopped"))
                return
            self.phase = Phase.DIALLING
            try:
                self._inbound.whenLost(self.clientGone)
                Call._dial(self)
            except Exception:  # noqa: BLE001 - as above
                self._broken(Failure())
            return
        carriage: Any = self._tunnel
        self._relay = carriage.relayName  # behind a 101 it is a relay that has carried
        if board.draining:
            outcome = outcome._replace(phase=Phase.DRAINING)
        event = "abandoned" if outcome.kind == "client_gone" else "request"
        self._finish(event, outcome, outcome.refusal)
