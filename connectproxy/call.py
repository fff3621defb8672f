"""
One request, from its arrival to its event.

The order of things stands here: admit, authenticate, decide, dial, answer, relay,
record.  A call moves forward through L{Phase} and never back, but for one that is
begun again (L{connectproxy.exchange}).  The client's going away is one path in any
phase: cancel what is outstanding, record, done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.decision import UNDECIDED, addressOf, lastTried, settle, terms
from connectproxy.entry import Entry
from connectproxy.errors import Refusal, Refused
from connectproxy.events import describeClient, describeOutcome, describeRequest, milliseconds, showAttempts
from connectproxy.inspection import Inspection, discard
from connectproxy.interfaces import (
    Action,
    Attempt,
    Established,
    IInbound,
    ITunnel,
    Outcome,
    Phase,
    Terms,
    Verdict,
)
from connectproxy.leg import Leg
from connectproxy.routes import DIRECT

if TYPE_CHECKING:
    from connectproxy.regime import Regime
    from connectproxy.switchboard import Switchboard

__all__ = ["UNREADABLE", "Call"]

UNREADABLE = "tls-client-hello"
"""What stands for a rule where the server name that rules ask for can't be read."""


class Call(Entry):
    """
    One request, from its arrival to its event.
    """

    __slots__ = (
        "_address", "_decision", "_dialled", "_member", "_relay", "_resolved", "_routes", "_seen", "_serverName",
        "_settled", "_tried", "_tunnel", "_upstream", "_verdict", "_way",
    )  # fmt: skip

    _log = Logger()

    def __init__(self, board: Switchboard, inbound: IInbound) -> None:
        Entry.__init__(self, board, inbound)
        self._resolved = self._dialled = 0.0
        self._relay: str | None = None
        self._upstream: str | None = None
        self._verdict: Verdict | None = None
        self._settled = False
        self._decision = UNDECIDED
        self._serverName: str | None = None
        self._address: str | None = None
        self._seen = self._member = ""
        self._routes: Any = board.routes
        self._way: Any = None
        self._tried: tuple[Attempt, ...] = ()
        self._tunnel: ITunnel | Inspection | None = None

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
            self.enter()
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure())

    def _entered(self) -> None:
        """
        Decide, and dial.
        """
        self.phase = Phase.DECIDING
        self._verdict = verdict = self._regime.policy.decideRequest(self.request)
        if verdict.action is Action.DENY:
            self.refuse(verdict.refusal())
            return
        routes = self._routes
        self._upstream = verdict.upstream or routes.wayOf(self.request)
        self.phase = Phase.DIALLING
        self._way = routes.upstreams[self._upstream]
        self._dial()

    def _dial(self) -> None:
        """
        Have a connection made.
        """
        board, verdict = self._board, self._verdict
        connecting = self._connect()
        seconds = self._regime.config["timeouts.connect"]
        if verdict is not None and verdict.bounds is not None and verdict.bounds.connect is not None:
            seconds = verdict.bounds.connect
        if self.slot:  # there is one deadline for everything before the answer
            board.wheel.remove(self)
            seconds -= board.clock.seconds() - self._began
        board.wheel.add(self, max(0.0, seconds))
        self._waiting = connecting
        connecting.addCallbacks(self._connected, self._failed)

    def _connect(self) -> Deferred[Established]:
        """
        Ask the way for a connection.
        """
        connecting: Deferred[Established] = self._way.connect(self.request, self._board.legs)
        return connecting

    def abort(self, kind: str) -> None:
        """
        End it, in whatever phase it is.
        """
        if self._tunnel is not None:
            self._tunnel.abort(kind)
        elif self._waiting is not None:
            self._instead = Refusal("proxy_draining", "the proxy is being stopped")
            self._waiting.cancel()

    def judgeAgain(self, regime: Regime) -> None:
        """
        End it if what has come into force since denies it.  What is not up yet is decided by
        that from here on, or it would slip in between.
        """
        policy = regime.policy
        if self.phase is not Phase.RELAYING:
            self._regime = regime
            if self._way is None:
                self._routes = self._board.routes
        if self._tunnel is not None:
            verdict = policy.judge(self.request, addressOf(self._seen), self._serverName)
            if verdict.action is Action.DENY:
                self._tunnel.abort("policy_changed")
        elif self.phase is Phase.DIALLING and self._waiting is not None:
            self._verdict = verdict = policy.decideRequest(self.request)
            if verdict.action is Action.DENY:
                self._instead = verdict.refusal()
                self._waiting.cancel()

    def forget(self, former: Regime, rest: Regime) -> None:
        """
        Keep no more of what has decided than there is going to be asked for.

        @param former: what was in force until now.
        @param rest: its name and its settings, and nothing else of it.
        """
        if self._regime is former and self.phase is Phase.RELAYING:
            self._regime = rest

    def _connected(self, established: Established) -> None:
        """
        Answer, and let a relay take over.
        """
        board = self._board
        board.wheel.remove(self)
        self._waiting = None
        origin, self._address, self._tried, self._resolved, self._seen, self._member, _, _ = established
        self._dialled = board.clock.seconds()
        leg: Leg | None = None
        try:
            verdict = self._verdict
            if verdict is not None and verdict.provisional and self._denied(origin):
                return
            self.phase = Phase.ANSWERING
            leg = self._inbound.accept(established)
            # They are not needed while the tunnel is up, and there may be thousands.
            self._inbound = self._routes = self._way = None
            if self._regime.policy.wantsServerName(self.request):
                self._tunnel = inspection = Inspection(board, self._regime.config, leg, origin, self)
                inspection.begin()
            else:
                self._join(leg, origin)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure(), leg, origin)

    def _denied(self, origin: Leg) -> bool:
        """
        Know what the policy says of the address that has been reached.

        @return: the request has been refused.
        """
        verdict = self._verdict
        if verdict is not None and verdict.provisional:
            # An address that is not ours to see is None: what depends on it is not allowed then.
            self._verdict = verdict = self._regime.policy.judge(self.request, addressOf(self._seen))
            way = verdict.upstream or self._routes.wayOf(self.request)
            if verdict.action is Action.ALLOW and way != self._upstream:
                detail = f"{self.request.destination} is reached by another way than its name had let expect"
                verdict = Verdict(Action.DENY, detail, verdict.rule)
                self._verdict = verdict
            if verdict.action is Action.DENY:
                origin.transport.abortConnection()  # type: ignore[union-attr]
                self.refuse(verdict.refusal())
                return True
        return False

    def named(self, inspection: Inspection, name: str) -> None:
        """
        The client's first flight has been seen, or there won't be one.

        @param name: the server name in it; empty where there is none.
        """
        self._serverName = name
        leg, origin = inspection.leg, inspection.origin
        try:
            address = addressOf(self._seen)
            self._verdict = verdict = self._regime.policy.decideServerName(self.request, address, name)
            if verdict.action is Action.DENY:
                inspection.drop(alert=True)
                outcome = Outcome("proxy", self.phase, "refused", 0, 0, 0.0)
                self._finish("refusal", outcome, verdict.refusal())
            else:
                self._join(leg, origin)
        except Exception:  # noqa: BLE001 - as above
            self._broken(Failure(), leg, origin)

    def unreadable(self) -> None:
        """
        There may be a server name, and nobody can tell which: no rule can be held to it.
        """
        detail = (
            "the TLS ClientHello is malformed, or not whole in time, and a rule has to know its server name"
        )
        outcome = Outcome("proxy", self.phase, "refused", 0, 0, 0.0)
        self._finish("refusal", outcome, Refusal("http_request_denied", detail, UNREADABLE))

    def unnamed(self, endedBy: str, kind: str) -> None:
        """
        It has ended before its first flight had been seen.
        """
        self._finish("tunnel", Outcome(endedBy, self.phase, kind, 0, 0, 0.0))

    def _join(self, leg: Leg, origin: Leg) -> None:
        """
        Let a relay have them.
        """
        relay = self._board.relayFor(leg, origin)
        self._settle()
        self.phase = Phase.RELAYING
        self._relay = relay.relayName
        self._carried(relay.join(leg, origin, self._terms()))

    def _carried(self, tunnel: ITunnel) -> None:
        """
        Octets are moving.
        """
        self._tunnel = tunnel
        if self._pass is not None:
            self._pass.watch(tunnel)
        tunnel.finished.addCallback(self._ended)

    def _terms(self) -> Terms | None:
        """
        What it is carried by, where that is not what all are.
        """
        bounds = self._verdict.bounds if self._verdict is not None else None
        shapers = self._pass.shapers if self._pass is not None else ()
        return terms(bounds, shapers, self._regime.config)

    def _failed(self, failure: Failure) -> None:
        """
        There is no connection: say so, if anybody is still there to hear it.
        """
        self._board.wheel.remove(self)
        self._waiting = None
        if not failure.check(Refused):
            self._broken(failure)
            return
        refused: Any = failure.value
        self._tried, self._resolved, self._member = refused.tried, refused.resolved, refused.member
        if any(each.seconds for each in self._tried):
            self._dialled = self._board.clock.seconds()
        if refused.refusal.kind == "proxy_exhausted":
            self._board.admission.exhausted()
        if not self._over():
            self.refuse(refused.refusal)

    def _abandoned(self) -> None:
        """
        See L{Entry._abandoned}.
        """
        self._finish("abandoned", Outcome("client", self.phase, "client_gone", 0, 0, 0.0, None))

    def _broken(self, failure: Failure, leg: Leg | None = None, origin: Leg | None = None) -> None:
        """
        A bug of ours: log it, and leave nobody waiting.

        @param leg: the client's, if it has been told that there is a tunnel.
        @param origin: the other one, if there is a connection.
        """
        self._log.failure("a request for {target} failed", failure, target=str(self.request.destination))
        for each in (leg, origin):
            if each is not None:
                discard(self._board, each, told=each is leg)
        if leg is not None:
            self._finish("tunnel", Outcome("proxy", self.phase, "aborted", 0, 0, 0.0))
        elif self._gone:
            self._abandoned()
        else:
            self.refuse(Refusal("proxy_internal_error", "the proxy failed; its log has more"))

    def refuse(self, refusal: Refusal) -> None:
        """
        Answer that there will be no tunnel.
        """
        inbound = self._inbound
        if inbound is None:
            return  # it was refused before, and that went wrong
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

    def _settle(self, refusal: Refusal | None = None) -> None:
        """
        What is decided on the request is final: count it, and have it audited, once.
        """
        board, verdict = self._board, self._verdict
        if self._settled:
            return
        self._settled = True
        address = addressOf(self._seen)
        if self._address is None:  # nothing is connected
            address = lastTried(self._tried, refusal, straight=self._upstream in (None, DIRECT))
        known = address, self._serverName
        self._decision = settle(board, self._regime, self.request, verdict, refusal, known, self._upstream)

    def _finish(self, event: str, outcome: Outcome, refusal: Refusal | None = None) -> None:
        """
        Write the event and forget the call.
        """
        board, request = self._board, self.request
        began, resolved, dialled = self._began, self._resolved, self._dialled
        now = board.clock.seconds()
        if not self._settled:
            self._settle(refusal)
        self.phase = Phase.DONE
        self._inbound = self._tunnel = None
        board.release(self)
        self.leave(outcome.bytesUp, outcome.bytesDown)
        arrived = request.arrived
        decision = self._decision
        known = describeClient(request) | describeRequest(request) | describeOutcome(outcome, refusal)
        known |= {
            "timestamp": board.ledger.stamp(now - arrived),
            "event": event,
            "config": self._regime.id,
            "server_name": self._serverName or None,
            "decision": decision.action,
            "rule": decision.rule,
            "reason": refusal.detail if refusal is not None else decision.reason,
            "report": decision.report,
            "shadow": decision.shadow,
            "upstream": self._upstream,
            "member": self._member or None,
            "address": self._address,
            "tried": showAttempts(self._tried),
            "relay": self._relay,
            "head_ms": milliseconds(began - arrived),
            "resolve_ms": milliseconds(resolved - began) if resolved else None,
            "connect_ms": milliseconds(dialled - (resolved or began)) if dialled else None,
            "relay_ms": milliseconds(outcome.seconds) if self._relay else None,
            "total_ms": milliseconds(now - arrived),
        }
        try:
            board.ledger.write(known)
        except Exception:  # noqa: BLE001 - it is over all the same, and somebody may wait to be told
            self._log.failure("an event was lost")
