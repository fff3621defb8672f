"""
One request, from its arrival to its event.

The order of things stands here: admit, authenticate, decide, dial, answer, relay,
record.  A call moves forward through L{Phase} and never back, but for one that is
begun again (L{connectproxy.exchange}).  The client's going away is one path in any
phase: cancel what is outstanding, record, done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Action,
    Arrival,
    Attempt,
    Established,
    IInbound,
    ITunnel,
    Outcome,
    Phase,
    TunnelRequest,
    Verdict,
)
from connectproxy.leg import Leg, adopt

if TYPE_CHECKING:
    from connectproxy.limits import Admission
    from connectproxy.switchboard import Switchboard

__all__ = ["Call", "enter", "settled", "showAddress", "showCertificate"]

FIELD_LIMIT = 128
"""Characters of a header field that an event keeps."""


def showAddress(address: IAddress) -> str:
    """
    An address in one string, as events have it.
    """
    if isinstance(address, UNIXAddress):
        return "unix"
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None:
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def showCertificate(arrival: Arrival | None) -> str | None:
    """
    Whose certificate a client has shown, as events have it: its subject, or what tells
    it from all others where it has none.
    """
    if arrival is None or arrival.certificate is None:
        return None
    return arrival.certificate.subject or f"sha256:{arrival.certificate.fingerprint}"


def _field(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> str | None:
    """
    The first header field of that name, as text.
    """
    for each, value in fields:
        if each == name:
            return value[:FIELD_LIMIT].decode("latin-1")
    return None


def settled(request: TunnelRequest, user: str) -> TunnelRequest:
    """
    A request whose user is known, without what has proved it.
    """
    fields = tuple(each for each in request.fields if each[0] != b"proxy-authorization")
    return request._replace(user=user, fields=fields)


def enter(admission: Admission, request: TunnelRequest) -> tuple[str, str | None] | Refusal:
    """
    Count a request as one of its client's: of the user's, or of the address's where
    nobody is asked.

    @return: what L{Admission.leave} is given when it is over; or why it is one too many.
    """
    user = request.user
    share = ("user", user) if user is not None else ("host", getattr(request.client, "host", None))
    if admission.enter(share):
        return share
    detail = f"the client has {admission.perClient} tunnels open, which is the limit for one"
    return Refusal("client_limit_reached", detail)


_NO_ARRIVAL = Arrival(UNIXAddress(None), "", 0.0)
"""For requests of whose connection nothing is known."""


class Call:
    """
    One request, from its arrival to its event.

    @ivar slot: the wheel's, for the deadline of everything before the answer.
    """

    __slots__ = (
        "_address", "_began", "_board", "_connecting", "_dialled", "_gone", "_inbound", "_instead", "_relay",
        "_resolved", "_share", "_tried", "_tunnel", "_upstream", "_verdict", "phase", "request", "slot",
    )  # fmt: skip

    _log = Logger()

    def __init__(self, board: Switchboard, inbound: IInbound) -> None:
        self._board = board
        self._inbound: Any = inbound
        self.request = inbound.request
        self.phase = Phase.ARRIVED
        self.slot = 0
        self._began = board.clock.seconds()
        self._resolved = self._dialled = 0.0
        self._share: tuple[str, str | None] | None = None
        self._gone = False
        self._instead: Refusal | None = None
        self._relay: str | None = None
        self._upstream: str | None = None
        self._verdict: Verdict | None = None
        self._connecting: Deferred[Established] | None = None
        self._address: str | None = None
        self._tried: tuple[Attempt, ...] = ()
        self._tunnel: ITunnel | None = None

    def begin(self) -> None:
        """
        Admit, authenticate, decide and dial.
        """
        board = self._board
        if board.draining:
            self.refuse(Refusal("proxy_draining", "the proxy is being stopped"))
            return
        if board.admission.full:
            limit = board.admission.limit
            self.refuse(Refusal("connection_limit_reached", f"{limit} tunnels are open, which is the limit"))
            return
        board.admit(self)
        try:
            if board.authenticator is not None and self.request.user is None:
                self.phase = Phase.AUTHENTICATING
                user = board.authenticator.identify(self.request.fields)
                if isinstance(user, Refusal):
                    self.refuse(user)
                    return
                self.request = self._inbound.request = settled(self.request, user)
            if board.admission.perClient:
                share = enter(board.admission, self.request)
                if isinstance(share, Refusal):
                    self.refuse(share)
                    return
                self._share = share
            self.phase = Phase.DECIDING
            self._verdict = verdict = board.policy.decideRequest(self.request)
            if verdict.action is Action.DENY:
                self.refuse(verdict.refusal())
                return
            self._upstream = verdict.upstream or board.defaultUpstream
            self._inbound.whenLost(self.clientGone)
            self.phase = Phase.DIALLING
            self._dial()
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure())

    def _dial(self) -> None:
        """
        Have a connection made.
        """
        board = self._board
        upstream: Any = self._upstream  # which has been settled by now
        connecting = board.upstreams[upstream].connect(self.request, board.legs)
        board.wheel.add(self, board.connectTimeout)
        self._connecting = connecting
        connecting.addCallbacks(self._connected, self._failed)

    def expired(self, now: float) -> float | None:
        """
        There is no answer yet, and the time is up.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if self._connecting is not None:
            self._connecting.cancel()
        return None

    def clientGone(self) -> None:
        """
        The client has closed before it had its answer.
        """
        self._gone = True
        if self._connecting is not None:
            self._connecting.cancel()

    def abort(self, kind: str) -> None:
        """
        End it, in whatever phase it is.
        """
        if self._tunnel is not None:
            self._tunnel.abort(kind)
        elif self._connecting is not None:
            self._instead = Refusal("proxy_draining", "the proxy is being stopped")
            self._connecting.cancel()

    def _connected(self, established: Established) -> None:
        """
        Answer, and let a relay take over.
        """
        board = self._board
        board.wheel.remove(self)
        self._connecting = None
        origin, self._address, self._tried, self._resolved = established
        self._dialled = board.clock.seconds()
        self.phase = Phase.ANSWERING
        leg: Leg | None = None
        try:
            leg = self._inbound.accept(established)
            # It is not needed while the tunnel is up, and there may be thousands.
            self._inbound = None
            relay = board.relayFor(leg, origin)
            self.phase = Phase.RELAYING
            self._relay = relay.relayName
            self._tunnel = tunnel = relay.join(leg, origin)
            tunnel.finished.addCallback(self._ended)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure(), leg, origin)

    def _failed(self, failure: Failure) -> None:
        """
        There is no connection: say so, if anybody is still there to hear it.
        """
        self._board.wheel.remove(self)
        self._connecting = None
        if not failure.check(Refused):
            self._broken(failure)
            return
        refused: Any = failure.value
        self._tried, self._resolved = refused.tried, refused.resolved
        if any(each.seconds for each in self._tried):
            self._dialled = self._board.clock.seconds()
        if refused.refusal.kind == "proxy_exhausted":
            self._board.admission.exhausted()
        if self._gone:
            self._finish("abandoned", Outcome("client", self.phase, "client_gone", 0, 0, 0.0, None))
        else:
            self.refuse(self._instead or refused.refusal)

    def _broken(self, failure: Failure, leg: Leg | None = None, origin: Leg | None = None) -> None:
        """
        A bug of ours: log it, and leave nobody waiting.

        @param leg: the client's, if it has been told that there is a tunnel.
        @param origin: the other one, if there is a connection.
        """
        self._log.failure("a request for {target} failed", failure, target=str(self.request.destination))
        for each in (leg, origin):
            if each is not None:
                # Whatever had begun to take the transport over hears no more of it.
                adopt(each.transport, _Remains(self._board if each is leg else None))
                each.transport.abortConnection()  # type: ignore[union-attr]
        if leg is not None:
            self._finish("tunnel", Outcome("proxy", self.phase, "aborted", 0, 0, 0.0))
        elif self._gone:
            self._finish("abandoned", Outcome("client", self.phase, "client_gone", 0, 0, 0.0, None))
        else:
            self.refuse(Refusal("proxy_internal_error", "the proxy failed; its log has more"))

    def refuse(self, refusal: Refusal) -> None:
        """
        Answer that there will be no tunnel.
        """
        inbound = self._inbound
        status = refusal.row.status
        self._finish("refusal", Outcome("proxy", self.phase, "refused", 0, 0, 0.0, status), refusal)
        inbound.refuse(refusal)

    def _ended(self, outcome: Outcome) -> None:
        """
        The relay is done with it, and both sockets are closed.
        """
        if self._board.draining:
            outcome = outcome._replace(phase=Phase.DRAINING)
        self._finish("tunnel", outcome)
        self._board.connectionClosed()

    def _finish(self, event: str, outcome: Outcome, refusal: Refusal | None = None) -> None:
        """
        Write the event and forget the call.
        """
        board, request, verdict = self._board, self.request, self._verdict
        began, resolved, dialled = self._began, self._resolved, self._dialled
        now = board.clock.seconds()
        self.phase = Phase.DONE
        self._inbound = self._tunnel = None
        board.release(self)
        if self._share is not None:
            board.admission.leave(self._share)
            self._share = None
        decision = rule = reason = error = None
        status = outcome.status
        if verdict is not None:
            decision, rule, reason = verdict.action.value, verdict.rule, verdict.reason
        if refusal is not None:
            if refusal.rule:
                decision, rule = "deny", refusal.rule
            reason, error = refusal.detail, refusal.kind
        arrival = request.arrival or _NO_ARRIVAL
        arrived = request.arrived
        target, host = str(request.destination), _field(request.fields, b"host")
        if host is not None and host.lower() in (target, request.destination.uriHost):
            host = None
        known = {
            "timestamp": board.ledger.stamp(now - arrived),
            "event": event,
            "listener": request.listener,
            "client": showAddress(request.client),
            "sender": showAddress(arrival.sender) if arrival.sender else None,
            "user": request.user,
            "tls": arrival.tls,
            "certificate": showCertificate(arrival),
            "protocol": request.protocol,
            "method": request.method,
            "target": target,
            "host": host,
            "user_agent": _field(request.fields, b"user-agent"),
            "alpn": _field(request.fields, b"alpn"),
            "decision": decision,
            "rule": rule,
            "reason": reason,
            "status": status,
            "error": error,
            "upstream": self._upstream,
            "address": self._address,
            "tried": [
                {"address": each.address, "result": each.result, "ms": int(each.seconds * 1e6) / 1e3}
                for each in self._tried
            ],
            "relay": self._relay,
            "bytes_up": outcome.bytesUp,
            "bytes_down": outcome.bytesDown,
            "ended_by": outcome.endedBy,
            "phase": outcome.phase.value,
            "end": outcome.kind,
            "head_ms": int((began - arrived) * 1e6) / 1e3,
            "resolve_ms": int((resolved - began) * 1e6) / 1e3 if resolved else None,
            "connect_ms": int((dialled - (resolved or began)) * 1e6) / 1e3 if dialled else None,
            "relay_ms": int(outcome.seconds * 1e6) / 1e3 if self._relay else None,
            "total_ms": int((now - arrived) * 1e6) / 1e3,
        }
        try:
            board.ledger.write(known)
        except Exception:  # noqa: BLE001 - it is over all the same, and somebody may wait to be told
            self._log.failure("an event was lost")


class _Remains(Protocol):
    """
    What a transport delivers to when joining it has failed: its last word is that
    it is closed.
    """

    def __init__(self, board: Switchboard | None) -> None:
        """
        @param board: is told that the client's connection is closed; L{None} for
            the other one.
        """
        self._board = board

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{ISwitchboard.connectionClosed}.
        """
        if self._board is not None:
            self._board.connectionClosed()
