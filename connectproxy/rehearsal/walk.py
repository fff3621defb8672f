"""
The way of one request through the policy, as L{connectproxy.call} and L{connectproxy.race}
take it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectproxy.interfaces import Action, IPAddress, TunnelRequest, Verdict
from connectproxy.policy import Policy, difference
from connectproxy.questions import Question
from connectproxy.race import ADDRESSES
from connectproxy.rehearsal.answer import Answer, refused
from connectproxy.routes import DIRECT, Routes, defaultWay, judges

__all__ = ["Asked", "Walk", "order"]

Asked = tuple[str, Policy, TunnelRequest, IPAddress | None, str | None]
"""What rules were asked: a title, which rules, and the arguments of L{Policy.trace}."""


class Walk:
    """
    One request on its way.
    """

    def __init__(
        self,
        config: Any,
        policy: Policy,
        shadow: Policy | None,
        question: Question,
        request: TunnelRequest,
        notes: tuple[str, ...],
        asked: list[Asked],
    ) -> None:
        """
        @param config: every setting by its key.
        @param shadow: the policy beside; L{None} if there is none.
        @param notes: what has been taken for granted so far.
        @param asked: is told what the rules are asked.
        """
        self._config = config
        self._routes = Routes({}, defaultWay(config["route.upstream"]), config["route.direct"])
        self._policy = policy
        self._shadow = shadow
        self._question = question
        self._request = request
        self._notes = list(notes)
        self._asked = asked
        self._address: IPAddress | None = None
        self._name: str | None = None

    def answer(self) -> Answer:
        """
        Go all the way.
        """
        found = self._decide()
        answer = self._told(found) if isinstance(found, Verdict) else found
        if self._shadow is not None and answer.decision != "depends":
            answer = answer._replace(shadow=self._compare(self._shadow, answer.decision) or "")
        address = "" if self._address is None else str(self._address)
        return answer._replace(notes=tuple(self._notes), address=address)

    def _ask(self, title: str, address: IPAddress | None = None, name: str | None = None) -> None:
        """
        Keep in mind that the rules are asked.
        """
        self._asked.append((title, self._policy, self._request, address, name))

    def _decide(self) -> Verdict | Answer:
        """
        Decide as the switchboard does.
        """
        request, policy = self._request, self._policy
        self._ask("the request")
        verdict = policy.decideRequest(request)
        if verdict.action is Action.DENY:
            return verdict
        ip, fixed, way = request.destination.ip, request.destination.fixed, self._way(verdict)
        addresses = self._question.addresses if ip is None else (ip,)
        if ip is None and fixed is not None and way != DIRECT:
            self._ask(f"the address {fixed}", fixed)
            denial = policy.decideAddress(request, fixed)
            if denial is not None:
                return denial
        if ip is None and not judges(self._config, way):
            self._notes.append(f"by way of {way} nobody here sees the address: only rules about names apply")
            if verdict.provisional:
                verdict = policy.judge(request, None)
        elif addresses is not None:
            # What a next hop can reach is not known here: see L{connectproxy.vetted}.
            known = order(addresses) if way == DIRECT else sorted(addresses, key=lambda each: each.version)
            verdict = self._dial(known, verdict)
        elif verdict.provisional and policy.judge(request, None).action is Action.DENY:
            return Answer("depends", verdict.rule, verdict.reason, reports=verdict.reports)
        else:
            self._notes.append("the address is not known: rules may still deny it, as a private one")
        if verdict.action is Action.DENY or request.scheme != "tcp" or not policy.wantsServerName(request):
            return verdict
        name = self._question.serverName
        if name is None:
            if ip is not None:
                return Answer("depends", verdict.rule, "it depends on the TLS server name that is sent")
            name = request.destination.host
            self._notes.append(f"the client is taken to send the TLS server name {name}")
        self._name = name
        self._ask(f"the TLS server name {name}" if name else "no TLS server name", self._address, name)
        return policy.decideServerName(request, self._address, name)

    def _way(self, verdict: Verdict) -> str:
        """
        The name of the way that what is allowed takes.
        """
        return verdict.upstream or self._routes.wayOf(self._request)

    def _dial(self, addresses: Sequence[IPAddress], verdict: Verdict) -> Verdict:
        """
        Judge addresses until one may be dialled; the first denial counts where none may.

        @param verdict: that on the request.
        """
        denial: Verdict | None = None
        for address in addresses:
            self._ask(f"the address {address}", address)
            found = self._policy.decideAddress(self._request, address)
            if found is None:
                if denial is not None:
                    self._notes.append("of several addresses, those that are denied are not dialled")
                self._address = address
                return self._policy.judge(self._request, address) if verdict.provisional else verdict
            denial = denial or found
        if denial is None:
            host = self._request.destination.host
            denial = Verdict(Action.DENY, f"the name {host} has no address", "", "dns_error")
        return denial

    def _told(self, verdict: Verdict) -> Answer:
        """
        What the client is told.
        """
        if verdict.action is Action.DENY:
            return refused(verdict.refusal())._replace(reports=verdict.reports)
        config, bounds = self._config, verdict.bounds or (None, None, None)
        connect, idle, lifetime = (
            config[f"timeouts.{name}"] if bound is None else bound
            for name, bound in zip(("connect", "idle", "lifetime"), bounds, strict=True)
        )
        return Answer(
            "allow",
            verdict.rule,
            verdict.reason,
            upstream=self._way(verdict),
            connectTimeout=connect,
            idleTimeout=idle,
            lifetime=lifetime,
            reports=verdict.reports,
        )

    def _compare(self, shadow: Policy, decision: str) -> str | None:
        """
        What the shadow policy would do otherwise.
        """
        request, address = self._request, self._address
        self._asked.append(("the request, by the shadow policy", shadow, request, None, None))
        other = shadow.decideRequest(request)
        if address is not None and (other.action is Action.ALLOW or other.provisional):
            title = f"the address {address}, by the shadow policy"
            self._asked.append((title, shadow, request, address, self._name))
            other = shadow.judge(request, address, self._name)
        elif other.provisional:
            return None  # it would have had to know what is not known here either
        return difference(decision, other)


def order(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    """
    Addresses in the order in which they are dialled.

    @see: L{connectproxy.race.Race}
    """
    waiting: Mapping[int, deque[IPAddress]] = {6: deque(), 4: deque()}
    for address in list(dict.fromkeys(addresses))[:ADDRESSES]:
        waiting[address.version].append(address)
    ordered: list[IPAddress] = []
    version = 6
    while waiting[4] or waiting[6]:
        if not waiting[version]:
            version = 10 - version
        ordered.append(waiting[version].popleft())
        version = 10 - version
    return ordered
