"""
The switchboard: the one place where a request becomes a tunnel.

Whatever a client speaks and whatever way leads to the destination, the order is
the same and it stands here: admit, decide, dial, answer, relay, record.  It
knows listeners, upstreams and relays by their interfaces only.

A call moves forward through L{Phase} and never back.  The client's going away is
one path in any phase: cancel what is outstanding, record, done.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Action,
    Attempt,
    Established,
    IInboundTunnel,
    IRelay,
    ISwitchboard,
    ITunnel,
    IUpstream,
    Outcome,
    Phase,
    TunnelRequest,
    Verdict,
)
from connectproxy.ledger import Ledger
from connectproxy.leg import Leg
from connectproxy.limits import Admission
from connectproxy.policy import Policy
from connectproxy.wheel import Wheel

__all__ = ["Switchboard"]

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


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _field(request: Optional[TunnelRequest], name: bytes) -> Optional[str]:
    """
    The first header field of that name, as text.
    """
    if request is not None:
        for each, value in request.fields:
            if each == name:
                return value[:FIELD_LIMIT].decode("latin-1")
    return None


class _Call:
    """
    One request, from its arrival to its event.

    @ivar slot: the wheel's, for the deadline of everything before the answer.
    """

    __slots__ = (
        "_began", "_board", "_connecting", "_dialled", "_established", "_inbound", "_leg", "_tunnel", "_upstream",
        "_verdict", "_gone", "_instead", "_relay", "phase", "request", "slot",
    )  # fmt: skip

    _log = Logger()

    def __init__(self, board: Switchboard, inbound: IInboundTunnel) -> None:
        self._board = board
        self._inbound: Any = inbound
        self.request = inbound.request
        self.phase = Phase.ARRIVED
        self.slot = 0
        self._began = board.clock.seconds()
        self._dialled = 0.0
        self._gone = False
        self._instead: Optional[Refusal] = None
        self._relay = ""
        self._upstream: Optional[str] = None
        self._verdict: Optional[Verdict] = None
        self._connecting: Optional[Deferred[Established]] = None
        self._established: Optional[Established] = None
        self._tunnel: Optional[ITunnel] = None

    def begin(self) -> None:
        """
        Admit, decide and dial.
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
        self.phase = Phase.DECIDING
        self._verdict = verdict = board.policy.decideRequest(self.request)
        if verdict.action is Action.DENY:
            self.refuse(verdict.refusal())
            return
        self.phase = Phase.DIALLING
        self._upstream = verdict.upstream or board.defaultUpstream
        self._inbound.whenLost(self.clientGone)
        board.wheel.add(self, board.connectTimeout)
        self._connecting = connecting = board.upstreams[self._upstream].connect(self.request, board.legs)
        connecting.addCallbacks(self._connected, self._failed)
        connecting.addErrback(self._broken)

    def expired(self, now: float) -> Optional[float]:
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
        self._established = established
        self._dialled = board.clock.seconds()
        self.phase = Phase.ANSWERING
        leg: Leg = self._inbound.accept(established)
        origin = established.protocol
        if leg.lost or origin.lost:
            for each in (leg, origin):
                if not each.lost:
                    each.transport.abortConnection()  # type: ignore[union-attr]
            who = "client" if leg.lost else "origin"
            self._ended(Outcome(who, Phase.ANSWERING, "reset", 0, 0, 0.0))
            return
        self.phase = Phase.RELAYING
        relay = next(each for each in board.relays if each.canJoin(leg, origin))
        self._relay = relay.relayName
        self._tunnel = tunnel = relay.join(leg, origin)
        # Neither is needed while the tunnel is up, and there may be thousands.
        self._inbound = None
        self._established = established._replace(protocol=None)  # type: ignore[arg-type]
        tunnel.finished.addCallback(self._ended)
        tunnel.finished.addErrback(self._broken)

    def _failed(self, failure: Failure) -> None:
        """
        There is no connection: say so, if anybody is still there to hear it.
        """
        self._board.wheel.remove(self)
        self._connecting = None
        self._dialled = self._board.clock.seconds()
        if not failure.check(Refused):
            self._broken(failure)
            return
        refused: Any = failure.value
        if refused.refusal.kind == "proxy_exhausted":
            self._board.admission.exhausted()
        if self._gone:
            self._finish(refused.tried, None, Outcome("client", self.phase, "client_gone", 0, 0, 0.0))
        else:
            self.refuse(self._instead or refused.refusal, refused.tried)

    def _broken(self, failure: Failure) -> None:
        """
        A bug of ours: log it, and leave nobody waiting.
        """
        self._log.failure("a request for {target} failed", failure, target=str(self.request.destination))
        self._board.wheel.remove(self)
        if self.phase in (Phase.DECIDING, Phase.DIALLING):
            self.refuse(Refusal("proxy_internal_error", "the proxy failed; its log has more"))
        elif self.phase is not Phase.DONE:
            self._ended(Outcome("proxy", self.phase, "aborted", 0, 0, 0.0))

    def refuse(self, refusal: Refusal, tried: tuple[Attempt, ...] = ()) -> None:
        """
        Answer that there will be no tunnel.
        """
        phase, inbound = self.phase, self._inbound
        self._finish(tried, refusal, Outcome("proxy", phase, "refused", 0, 0, 0.0))
        inbound.refuse(refusal)

    def _ended(self, outcome: Outcome) -> None:
        """
        The relay is done with it, and both sockets are closed.
        """
        established = self._established
        assert established is not None
        if self._board.draining and outcome.phase is Phase.RELAYING:
            outcome = outcome._replace(phase=Phase.DRAINING)
        self._finish(established.tried, None, outcome)
        self._board.connectionClosed()

    def _finish(self, tried: tuple[Attempt, ...], refusal: Optional[Refusal], outcome: Outcome) -> None:
        """
        Write the event and forget the call.
        """
        board, request = self._board, self.request
        established = self._established
        now = board.clock.seconds()
        resolved = established.resolved if established is not None else 0.0
        verdict = self._verdict
        denied = refusal is not None and bool(refusal.rule)
        event = "tunnel" if established is not None else "refusal" if refusal is not None else "abandoned"
        self.phase = Phase.DONE
        self._inbound = self._tunnel = None
        board.release(self)
        board.record(
            now - request.arrived, event, request.listener, request.client, request.protocol, request.method,
            str(request.destination), request,
            decision=("deny" if denied else "allow" if verdict is not None else None),
            rule=(refusal.rule if refusal is not None and denied else verdict.rule if verdict is not None else None),
            reason=(refusal.detail if refusal is not None else verdict.reason if verdict is not None else None),
            status=(200 if established is not None else refusal.row.status if refusal is not None else None),
            error=(refusal.kind if refusal is not None else None),
            upstream=self._upstream,
            address=(established.address if established is not None else None),
            tried=tried, relay=self._relay or None, outcome=outcome,
            head=self._began - request.arrived,
            resolve=(resolved - self._began if resolved else None),
            connect=(self._dialled - (resolved or self._began) if self._dialled else None),
            total=now - request.arrived,
        )  # fmt: skip
        self._established = None


@implementer(ISwitchboard)
class Switchboard:
    """
    Takes requests and makes tunnels of them.

    @ivar policy: judges requests.
    @ivar upstreams: the ways to destinations, by name.
    @ivar relays: what can join two legs; the first that can does.
    @ivar draining: no new tunnels are made.
    @ivar connectTimeout: seconds from a request's arrival here to its answer.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wheel: Wheel,
        policy: Policy,
        upstreams: Mapping[str, IUpstream],
        relays: Sequence[IRelay],
        ledger: Ledger,
        admission: Admission,
        settings: Mapping[str, Any],
        defaultUpstream: str = "direct",
    ) -> None:
        """
        @param settings: every setting of the configuration by its key.
        @param defaultUpstream: the way for requests of which the policy names none.
        """
        self.clock = clock
        self.wheel = wheel
        self.policy = policy
        self.upstreams = upstreams
        self.relays = tuple(relays)
        self.admission = admission
        self.settings = settings
        self.connectTimeout: float = settings["timeouts.connect"]
        self.defaultUpstream = defaultUpstream
        self.legs = Factory.forProtocol(Leg)
        self.legs.noisy = False
        self.draining = False
        self._ledger = ledger
        self._calls: set[_Call] = set()
        self._quiet: list[Deferred[None]] = []

    def place(self, inbound: IInboundTunnel) -> None:
        """
        See L{ISwitchboard.place}.
        """
        _Call(self, inbound).begin()

    def admit(self, call: _Call) -> None:
        """
        A call counts from now on.
        """
        self._calls.add(call)
        self.admission.tunnels += 1

    def release(self, call: _Call) -> None:
        """
        A call is over; nothing happens if it never counted.
        """
        if call in self._calls:
            self._calls.remove(call)
            self.admission.tunnels -= 1

    def connectionOpened(self, descriptor: int) -> None:
        """
        See L{ISwitchboard.connectionOpened}.
        """
        self.admission.opened(descriptor)

    def connectionClosed(self) -> None:
        """
        See L{ISwitchboard.connectionClosed}.
        """
        self.admission.connections -= 1
        if self._quiet and not self.admission.connections:
            quiet, self._quiet = self._quiet, []
            for each in quiet:
                each.callback(None)

    def rejected(
        self, refusal: Optional[Refusal], client: IAddress, listener: str, protocol: str, arrived: float,
        method: Optional[str], target: Optional[str],
    ) -> None:  # fmt: skip
        """
        See L{ISwitchboard.rejected}.
        """
        now = self.clock.seconds()
        gone = refusal is None
        self.record(
            now - arrived, "abandoned" if gone else "refusal", listener, client, protocol, method, target, None,
            reason=("the client closed before its request was whole" if refusal is None else refusal.detail),
            status=(None if refusal is None else refusal.row.status),
            error=(None if refusal is None else refusal.kind),
            outcome=Outcome("client" if gone else "proxy", Phase.ARRIVED, "client_gone" if gone else "refused", 0, 0, 0.0),
            head=now - arrived, total=now - arrived,
        )  # fmt: skip

    def record(
        self, ago: float, event: str, listener: str, client: IAddress, protocol: str, method: Optional[str],
        target: Optional[str], request: Optional[TunnelRequest], *, outcome: Outcome, head: float, total: float,
        decision: Optional[str] = None, rule: Optional[str] = None, reason: Optional[str] = None,
        status: Optional[int] = None, error: Optional[str] = None, upstream: Optional[str] = None,
        address: Optional[str] = None, tried: tuple[Attempt, ...] = (), relay: Optional[str] = None,
        resolve: Optional[float] = None, connect: Optional[float] = None,
    ) -> None:  # fmt: skip
        """
        Write one event, with the fields of L{connectproxy.ledger.FIELDS}.
        """
        self._ledger.write(
            {
                "timestamp": self._ledger.stamp(ago),
                "event": event,
                "id": "",
                "config": "",
                "listener": listener,
                "client": showAddress(client),
                "protocol": protocol,
                "method": method,
                "target": target,
                "user_agent": _field(request, b"user-agent"),
                "alpn": _field(request, b"alpn"),
                "decision": decision,
                "rule": rule,
                "reason": reason,
                "status": status,
                "error": error,
                "upstream": upstream,
                "address": address,
                "tried": [
                    {"address": each.address, "result": each.result, "ms": _milliseconds(each.seconds)}
                    for each in tried
                ],
                "relay": relay,
                "bytes_up": outcome.bytesUp,
                "bytes_down": outcome.bytesDown,
                "ended_by": outcome.endedBy,
                "phase": outcome.phase.value,
                "end": outcome.kind,
                "head_ms": _milliseconds(head),
                "resolve_ms": None if resolve is None else _milliseconds(resolve),
                "connect_ms": None if connect is None else _milliseconds(connect),
                "relay_ms": _milliseconds(outcome.seconds) if relay is not None else None,
                "total_ms": _milliseconds(total),
            }
        )

    def drain(self) -> Deferred[None]:
        """
        Make no new tunnels.

        @return: a Deferred that fires when the last client's connection is
            closed; cancelled, it just stops waiting.
        """
        self.draining = True
        if not self.admission.connections:
            return succeed(None)
        quiet: Deferred[None] = Deferred(lambda d: self._quiet.remove(d))
        self._quiet.append(quiet)
        return quiet

    def abort(self, kind: str) -> None:
        """
        End every call: refuse what has no answer yet, reset what is up.
        """
        for call in tuple(self._calls):
            call.abort(kind)
