"""
A configuration with everything that decides, ready to be asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from connectproxy.address import canonical
from connectproxy.auth.connection import Identities, Identity
from connectproxy.auth.realm import ProxyRealm
from connectproxy.config import Config, ConfigurationError, Listener, Problem
from connectproxy.config.endpoint import parseEndpoint
from connectproxy.config.forms import Unfit, nearest, shown
from connectproxy.config.whole import asks, identifies
from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, ProxyUser, TunnelRequest
from connectproxy.limits import Limit, buildLimits
from connectproxy.policy import Policy, buildPolicy, buildShadow
from connectproxy.policy.lists import Lists
from connectproxy.policy.rule import readItems
from connectproxy.questions import Question, Unclear
from connectproxy.rehearsal.answer import Answer, Stage, refused
from connectproxy.rehearsal.ports import ConfiguredPorts
from connectproxy.rehearsal.walk import Asked, Walk

__all__ = ["Rehearsal"]


class Rehearsal:
    """
    A configuration with everything that decides.

    @ivar config: the configuration.
    @ivar policy: its policy.
    @ivar shadow: its shadow policy; L{None} if it has none.
    """

    def __init__(self, config: Config, seconds: Callable[[], float] = time.time) -> None:
        """
        Read everything that the configuration names and that decides.  Blocks.

        @param seconds: tells the time since 1970, for questions that do not say when.
        @raise ConfigurationError: all that is wrong with it.
        """
        self.config = config
        self._clock = seconds
        self._at: float | None = None
        problems: list[Problem] = []

        def attempt(build: Callable[[], Any]) -> Any:
            try:
                return build()
            except ConfigurationError as error:
                problems.extend(error.problems)
            return None

        own = ConfiguredPorts(config.listeners)
        policy = attempt(lambda: buildPolicy(config, own, seconds=self.seconds))
        self.shadow: Policy | None = attempt(lambda: buildShadow(config, own, seconds=self.seconds))
        self._limits: tuple[Limit, ...] = attempt(lambda: buildLimits(config.rows["limit"])) or ()
        if problems:
            raise ConfigurationError(problems)
        self.policy: Policy = policy
        self._realm = _realm(config)
        self._identities = Identities(
            [Identity.of(row.options) for row in config.rows["identity"]], self._realm
        )
        # The reading of a configuration has their places beside the rows, and nobody needs them here.
        self._rows: Any = {table: [(row, ()) for row in rows] for table, rows in config.rows.items()}

    def seconds(self) -> float:
        """
        The time of the question that is being answered, in seconds since 1970.
        """
        return self._clock() if self._at is None else self._at

    def answer(self, question: Question) -> Answer:
        """
        Answer a question.

        @raise Unclear: there is no such listener.
        """
        return self._answer(question, [])

    def way(self, question: Question) -> tuple[Stage, ...]:
        """
        The way of a question through the rules, up to what decides.

        @raise Unclear: there is no such listener.
        """
        asked: list[Asked] = []
        self._answer(question, asked)
        return tuple(
            Stage(title, tuple(policy.trace(request, address, name)))
            for title, policy, request, address, name in asked
        )

    def describe(self, question: Question) -> str:
        """
        Who asks for what, in one line for people.

        @raise Unclear: there is no such listener.
        """
        listener = self._listener(question)
        found, _ = self._identify(question, listener)
        who = "nobody that is known"
        if isinstance(found, ProxyUser):
            groups = f" ({', '.join(sorted(found.groups))})" if found.groups else ""
            who = f"user {found.name}{groups}"
        client = getattr(question.client, "host", None) or "a UNIX socket"
        return (
            f"{who} from {client} at {listener.options['name']}:"
            f" {question.method} {_shownDest(question)} ({question.protocol})"
        )

    def _answer(self, question: Question, asked: list[Asked]) -> Answer:
        """
        Answer, and keep in mind what the rules were asked.
        """
        self._at = question.at
        listener = self._listener(question)
        if isinstance(question.destination, Refusal):
            return refused(question.destination)
        found, notes = self._identify(question, listener)
        if isinstance(found, Refusal):
            return refused(found, notes)
        request = TunnelRequest(
            question.destination,
            question.client,
            listener.options["name"],
            question.protocol,
            question.method,
            identity=found,
        )
        answer = Walk(self.config, self.policy, self.shadow, question, request, notes, asked).answer()
        return answer._replace(limits=self._holding(request))

    def _listener(self, question: Question) -> Listener:
        """
        The listener that the question is about.
        """
        name, listeners = question.listener, self.config.listeners
        if not name:
            return listeners[0]
        try:
            endpoint = parseEndpoint(name).text
        except Unfit:
            endpoint = name
        for listener in listeners:
            if name == listener.options["name"] or endpoint == listener.endpoint:
                return listener
        names = [listener.options["name"] for listener in listeners]
        near = nearest(name, names)
        advice = f"do you mean {near}?" if near else f"there are: {', '.join(names)}"
        raise Unclear(("listener", f"there is no listener {shown(name)}", advice))

    def _identify(
        self, question: Question, listener: Listener
    ) -> tuple[ProxyUser | Refusal | None, tuple[str, ...]]:
        """
        Who asks, and what has been taken for granted of it.
        """
        if question.user is not None:
            notes: tuple[str, ...] = ()
            if not identifies(self.config, self._rows) or asks(listener, self.config, self._rows) == "off":
                notes = (f"the configuration asks nobody who they are: {question.user} is taken as known",)
            return self._realm.avatar(ProxyUser(question.user, question.groups)), notes
        name = listener.options["name"]
        known = self._identities.known(Arrival(question.client, name, 0.0))
        if known is not None:
            return known, (f"{known.name} is known by the client's address",)
        if asks(listener, self.config, self._rows) == "required":
            detail = f"the listener {name} serves those who say who they are, and nobody is named"
            return Refusal("proxy_authentication_required", detail), ()
        return None, ()

    def _holding(self, request: TunnelRequest) -> tuple[str, ...]:
        """
        The names of the limits that hold for a request.
        """
        host = getattr(request.client, "host", None)
        ip = None if host is None else canonical(ip_address(host))
        return tuple(limit.name for limit in self._limits if limit.holds(request.identity, ip))


def _shownDest(question: Question) -> str:
    """
    The destination, in a form that can be printed.
    """
    if isinstance(question.destination, Refusal):
        return ascii(question.dest)
    return str(question.destination)


def _realm(config: Config) -> ProxyRealm:
    """
    What knows the groups of users, of a configuration whose lists have been read once.
    """
    lists = Lists()
    members = {
        row.options["name"]: [
            user
            for items in readItems(row.options["users"], "users", "group.users", row.where, lists)
            for user in items.users
        ]
        for row in config.rows["group"]
    }
    return ProxyRealm(members)
