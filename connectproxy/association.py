"""
One client's datagrams, from the request to the event.

The sibling of L{connectproxy.call}: admit, authenticate, open, relay, record.  What
a call does once, decide, is done here for each destination, and each of the first
that are refused has an event of its own, since nobody is answered.

An association ends with its client's connection, when nothing has been passed on for
as long as a tunnel may be idle, or when the proxy stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from connectproxy.call import enter, settled, showAddress, showCertificate
from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, Phase, TunnelRequest
from connectproxy.interfaces.datagrams import IAssociation, IDatagramFlow, IInboundDatagrams

if TYPE_CHECKING:
    from connectproxy.switchboard import Switchboard

__all__ = ["Association"]

REFUSALS = 32
"""Events that an association may cause by destinations that are refused; the others are
only counted, for a client can name thousands of them in a second."""


@implementer(IAssociation)
class Association:
    """
    One client's datagrams.

    @ivar phase: how far it has come.
    @ivar slot: the wheel's, for the idle time and the lifetime.
    """

    __slots__ = (
        "__weakref__", "_board", "_flow", "_inbound", "_reported", "_share", "_started", "phase", "request", "slot",
    )  # fmt: skip

    _log = Logger()

    def __init__(self, board: Switchboard, inbound: IInboundDatagrams) -> None:
        self._board = board
        self._inbound: Any = inbound
        self._flow: IDatagramFlow | None = None
        self._share: tuple[str, str | None] | None = None
        self._reported: set[str] = set()
        self._started = board.clock.seconds()
        self.request: TunnelRequest = inbound.request
        self.phase = Phase.ARRIVED
        self.slot = 0

    def begin(self) -> None:
        """
        Admit, authenticate and open.
        """
        board, request = self._board, self.request
        limit = board.settings["limits.udp_associations"]
        if board.draining:
            self._refuse(Refusal("proxy_draining", "the proxy is being stopped"))
            return
        if len(board.associations) >= limit:
            self._refuse(
                Refusal("connection_limit_reached", f"{limit} UDP associations are open, which is the limit")
            )
            return
        board.associations.add(self)
        try:
            if board.authenticator is not None and request.user is None:
                self.phase = Phase.AUTHENTICATING
                user = board.authenticator.identify(request.fields)
                if isinstance(user, Refusal):
                    self._refuse(user)
                    return
                self.request = settled(request, user)
            if board.admission.perClient:
                share = enter(board.admission, self.request)
                if isinstance(share, Refusal):
                    self._refuse(share)
                    return
                self._share = share
            self.phase = Phase.ANSWERING
            self._flow = flow = board.datagrams.open(self.request, self._inbound, self)
            self._inbound.whenLost(self._clientGone)
            refusal = self._inbound.accept(flow)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._log.failure("a UDP association of {client} failed", client=showAddress(request.client))
            self._refuse(Refusal("proxy_internal_error", "the proxy failed; its log has more"))
            return
        if refusal is not None:
            if refusal.kind == "proxy_exhausted":
                board.admission.exhausted()
            self._finish("refusal", "proxy", "refused", refusal)
            return
        if self.phase is Phase.ANSWERING:
            self.phase = Phase.RELAYING
            self._watch(board.clock.seconds())

    def _watch(self, now: float) -> None:
        """
        Set the deadline that comes first.
        """
        due = self._due(now)
        if due is not None:
            self._board.wheel.add(self, due)

    def _due(self, now: float) -> float | None:
        """
        @return: the seconds until the first deadline, not positive if it is past.
        """
        settings, flow = self._board.settings, self._flow
        idle, lifetime = settings["timeouts.idle"], settings["timeouts.lifetime"]
        due = flow.active + idle - now if idle and flow is not None else None
        if lifetime:
            left = self._started + lifetime - now
            due = left if due is None else min(due, left)
        return due

    def expired(self, now: float) -> float | None:
        """
        Nothing has been passed on for too long, or it has lasted too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        due = self._due(now)
        if due is None or due > 0:
            return due
        lifetime = self._board.settings["timeouts.lifetime"]
        over = lifetime and now - self._started >= lifetime
        self.abort("lifetime_exceeded" if over else "idle_timeout")
        return None

    def abort(self, kind: str) -> None:
        """
        End it.

        @param kind: as for L{connectproxy.interfaces.ITunnel.abort}.
        """
        inbound = self._inbound
        if inbound is not None:
            self._finish("tunnel", "proxy", kind)
            inbound.close()

    def broken(self) -> None:
        """
        See L{IAssociation.broken}.
        """
        self.abort("aborted")

    def _clientGone(self) -> None:
        """
        The client's connection is closed.
        """
        self._finish("tunnel", "client", "eof")

    def decide(self, request: TunnelRequest) -> Refusal | None:
        """
        See L{IAssociation.decide}.
        """
        board = self._board
        verdict = board.policy.decideRequest(request)
        if verdict.action is Action.DENY:
            return verdict.refusal()
        way = verdict.upstream or board.defaultUpstream
        if way != board.datagrams.upstreamName:
            detail = f"{request.destination} is reached by way of {way}, which carries no datagrams"
            return Refusal("http_request_denied", detail, verdict.rule)
        return None

    def refused(self, request: TunnelRequest, refusal: Refusal) -> None:
        """
        See L{IAssociation.refused}: one event for each destination, and no more than
        L{REFUSALS} in all.
        """
        target, reported = str(request.destination), self._reported
        if target in reported or len(reported) >= REFUSALS:
            return
        reported.add(target)
        self._write(
            {
                "event": "refusal",
                "method": request.method,
                "target": target,
                "decision": "deny" if refusal.rule else None,
                "rule": refusal.rule or None,
                "reason": refusal.detail,
                "error": refusal.kind,
                "ended_by": "proxy",
                "phase": Phase.DECIDING.value,
                "end": "refused",
            }
        )

    def _refuse(self, refusal: Refusal) -> None:
        """
        Answer that no datagrams will be relayed.
        """
        inbound = self._inbound
        self._finish("refusal", "proxy", "refused", refusal)
        inbound.refuse(refusal)

    def _finish(self, event: str, endedBy: str, end: str, refusal: Refusal | None = None) -> None:
        """
        Close the sockets, write the event, and forget it all.
        """
        board = self._board
        flow: Any = self._flow
        phase = Phase.DRAINING if board.draining and event == "tunnel" else self.phase
        self.phase = Phase.DONE
        self._inbound = None
        board.associations.discard(self)
        board.wheel.remove(self)
        if self._share is not None:
            board.admission.leave(self._share)
            self._share = None
        known: dict[str, Any] = {
            "event": event,
            "method": self.request.method,
            "status": 200,
            "ended_by": endedBy,
            "phase": phase.value,
            "end": end,
        }
        if flow is not None:
            flow.close()
        if refusal is not None:
            known |= {"reason": refusal.detail, "status": refusal.row.status, "error": refusal.kind}
        else:
            dropped = ", ".join(f"{count} {why}" for why, count in flow.dropped.items())
            known |= {
                "target": str(flow.target) if flow.target else None,
                "address": flow.address,
                "upstream": board.datagrams.upstreamName,
                "relay": "datagrams",
                "reason": f"datagrams were dropped: {dropped}" if dropped else None,
                "bytes_up": flow.bytesUp,
                "bytes_down": flow.bytesDown,
                "relay_ms": int((board.clock.seconds() - self._started) * 1e6) / 1e3,
            }
        self._write(known)

    def _write(self, known: dict[str, Any]) -> None:
        """
        Write an event, with what all of them say of the client.
        """
        board, request = self._board, self.request
        arrival, now = request.arrival, board.clock.seconds()
        common: dict[str, Any] = {
            "timestamp": board.ledger.stamp(now - request.arrived),
            "listener": request.listener,
            "client": showAddress(request.client),
            "sender": showAddress(arrival.sender) if arrival and arrival.sender else None,
            "user": request.user,
            "tls": arrival.tls if arrival else None,
            "certificate": showCertificate(arrival),
            "protocol": request.protocol,
            "head_ms": int((self._started - request.arrived) * 1e6) / 1e3,
            "total_ms": int((now - request.arrived) * 1e6) / 1e3,
        }
        try:
            board.ledger.write(common | known)
        except Exception:  # noqa: BLE001 - the datagrams go on, or are over all the same
            self._log.failure("an event was lost")
