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
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.decision import settle, terms
from connectproxy.entry import Entry
from connectproxy.errors import Refusal
from connectproxy.events import describeClient, milliseconds, showAddress
from connectproxy.interfaces import Action, IPAddress, Phase, TunnelRequest, Verdict
from connectproxy.interfaces.datagrams import IAssociation, IDatagramFlow, IInboundDatagrams
from connectproxy.routes import noDatagrams

if TYPE_CHECKING:
    from connectproxy.regime import Regime
    from connectproxy.switchboard import Switchboard

__all__ = ["Association"]

REFUSALS = 32
"""Events that an association may cause by destinations that are refused; the others are
only counted, for a client can name thousands of them in a second."""

DECISIONS = 256
"""Destinations of which it is remembered what was decided last; as many as a flow knows."""


@implementer(IAssociation)
class Association(Entry):
    """
    One client's datagrams.

    @ivar slot: the wheel's, for the answer, then for the idle time and the lifetime.
    """

    __slots__ = ("__weakref__", "_decided", "_flow", "_reported")

    _log = Logger()

    def __init__(self, board: Switchboard, inbound: IInboundDatagrams) -> None:
        Entry.__init__(self, board, inbound)
        self._flow: IDatagramFlow | None = None
        self._reported: set[str] = set()
        self._decided: dict[tuple[str, int], tuple[bool, str]] = {}

    def begin(self) -> None:
        """
        Admit, authenticate and open.
        """
        board = self._board
        limit = board.settings["limits.udp_associations"]
        if board.draining:
            self.refuse(Refusal("proxy_draining", "the proxy is being stopped"))
            return
        if len(board.associations) >= limit:
            self.refuse(
                Refusal("connection_limit_reached", f"{limit} UDP associations are open, which is the limit")
            )
            return
        board.associations.add(self)
        try:
            self.enter()
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._broken(Failure())

    def _entered(self) -> None:
        """
        Open, and answer.
        """
        board, shapers = self._board, self._pass.shapers if self._pass is not None else ()
        if self.slot:
            board.wheel.remove(self)
        self.phase = Phase.ANSWERING
        ways = terms(None, shapers, self._regime.config)
        self._flow = flow = board.datagrams.open(self.request, self._inbound, self, ways)
        refusal = self._inbound.accept(flow)
        if refusal is not None:
            if refusal.kind == "proxy_exhausted":
                board.admission.exhausted()
            self._finish("refusal", "proxy", "refused", refusal)
            return
        if self.phase is Phase.ANSWERING:
            self.phase = Phase.RELAYING
            if self._pass is not None:
                self._pass.watch(self)
            self._watch(board.clock.seconds())

    @property
    def bytesUp(self) -> int:
        """Octets that have gone to destinations."""
        return self._flow.bytesUp if self._flow is not None else 0

    @property
    def bytesDown(self) -> int:
        """Octets that have come from them."""
        return self._flow.bytesDown if self._flow is not None else 0

    def _broken(self, failure: Failure) -> None:
        """
        See L{Entry._broken}.
        """
        self._log.failure(
            "a UDP association of {client} failed", failure, client=showAddress(self.request.client)
        )
        if self._gone:
            self._abandoned()
        else:
            self.refuse(Refusal("proxy_internal_error", "the proxy failed; its log has more"))

    def _abandoned(self) -> None:
        """
        See L{Entry._abandoned}.
        """
        self._finish("abandoned", "client", "client_gone")

    def judgeAgain(self, regime: Regime) -> None:
        """
        Nothing to do: each destination is judged again every few seconds.
        """

    def forget(self, former: Regime, rest: Regime) -> None:
        """
        See L{connectproxy.call.Call.forget}.
        """
        if self._regime is former and self._flow is not None:
            self._regime = rest

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
        settings, flow = self._regime.config, self._flow
        idle, lifetime = settings["timeouts.idle"], settings["timeouts.lifetime"]
        due = flow.active + idle - now if idle and flow is not None else None
        if lifetime:
            left = self._began + lifetime - now
            due = left if due is None else min(due, left)
        return due

    def expired(self, now: float) -> float | None:
        """
        Nothing has been passed on for too long, or it has lasted too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if self._waiting is not None:
            return Entry.expired(self, now)
        due = self._due(now)
        if due is None or due > 0:
            return due
        lifetime = self._regime.config["timeouts.lifetime"]
        over = lifetime and now - self._began >= lifetime
        self.abort("lifetime_exceeded" if over else "idle_timeout")
        return None

    def abort(self, kind: str) -> None:
        """
        End it.

        @param kind: as for L{connectproxy.interfaces.ITunnel.abort}.
        """
        inbound = self._inbound
        if self._waiting is not None:
            self._instead = Refusal("proxy_draining", "the proxy is being stopped")
            self._waiting.cancel()
        elif inbound is not None:
            self._finish("tunnel", "proxy", kind)
            inbound.close()

    def broken(self) -> None:
        """
        See L{IAssociation.broken}.
        """
        self.abort("aborted")

    def clientGone(self) -> None:
        """
        The client's connection is closed.
        """
        if self._waiting is not None:
            Entry.clientGone(self)
        elif self.phase is not Phase.DONE:
            self._finish("tunnel", "client", "eof")

    def decide(self, request: TunnelRequest) -> Refusal | None:
        """
        See L{IAssociation.decide}.
        """
        board, policy, ip = self._board, self._board.regime.policy, request.destination.ip
        verdict = policy.decideRequest(request)
        if ip is not None and verdict.action is Action.ALLOW:
            # All that there is to know is known, so that nothing is said that may change.
            denial = policy.decideAddress(request, ip)
            if denial is not None or verdict.provisional:
                verdict = denial or policy.judge(request, ip)
        if verdict.action is Action.DENY:
            return verdict.refusal()
        way = verdict.upstream or board.routes.wayOf(request)
        if way != board.datagrams.upstreamName:
            return noDatagrams(request, way, verdict.rule).refusal()
        if ip is not None:
            self._settle(request, verdict, None, ip)
        return None

    def _settle(
        self, request: TunnelRequest, verdict: Verdict, refusal: Refusal | None, address: IPAddress | None
    ) -> None:
        """
        Have a decision counted and audited, unless it is what was decided there before: it is
        made again every few seconds, for as long as datagrams go there.
        """
        where, decided = request.destination[:2], self._decided
        what = (True, verdict.rule) if refusal is None else (not refusal.rule, refusal.rule)
        if decided.get(where) == what:
            return
        if len(decided) >= DECISIONS:
            decided.clear()
        decided[where] = what
        board = self._board
        settle(board, board.regime, request, verdict, refusal, (address, None), board.datagrams.upstreamName)

    def allowed(self, request: TunnelRequest, address: IPAddress) -> None:
        """
        See L{IAssociation.allowed}: of a name, nothing is said before.
        """
        if request.destination.ip is None:
            self._settle(request, self._board.regime.policy.judge(request, address), None, address)

    def refused(self, request: TunnelRequest, refusal: Refusal, address: IPAddress | None = None) -> None:
        """
        See L{IAssociation.refused}: one event for each destination, and no more than
        L{REFUSALS} in all.
        """
        wasAllowed, _ = self._decided.get(request.destination[:2], (False, ""))
        if refusal.rule or not wasAllowed:
            # What is allowed and then fails was allowed all the same, and is said once.
            policy, judged = self._board.regime.policy, address or request.destination.ip
            verdict = policy.decideRequest(request) if judged is None else policy.judge(request, judged)
            self._settle(request, verdict, refusal, judged)
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

    def refuse(self, refusal: Refusal) -> None:
        """
        Answer that no datagrams will be relayed.
        """
        inbound = self._inbound
        settle(self._board, self._regime, self.request, None, refusal, (None, None), None)
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
        self.leave(self.bytesUp, self.bytesDown)
        known: dict[str, Any] = {
            "event": event,
            "status": 200,
            "ended_by": endedBy,
            "phase": phase.value,
            "end": end,
        }
        if flow is not None:
            flow.close()
        if refusal is not None:
            known |= {"reason": refusal.detail, "status": refusal.row.status, "error": refusal.kind}
        elif flow is None:
            known |= {"status": None}
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
                "relay_ms": milliseconds(board.clock.seconds() - self._began),
            }
        self._write(known)

    def _write(self, known: dict[str, Any]) -> None:
        """
        Write an event, with what all of them say of the client.
        """
        board, request = self._board, self.request
        now = board.clock.seconds()
        common = describeClient(request) | {
            "timestamp": board.ledger.stamp(now - request.arrived),
            "config": self._regime.id,
            "head_ms": milliseconds(self._began - request.arrived),
            "total_ms": milliseconds(now - request.arrived),
        }
        try:
            board.ledger.write(common | known)
        except Exception:  # noqa: BLE001 - the datagrams go on, or are over all the same
            self._log.failure("an event was lost")
