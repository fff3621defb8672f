"""
Makes a policy of a configuration: guards, C{[[rule]]}s, the allow-list, the default.

It reads the files that rules name, which may take a while with long lists: where others
have to go on meanwhile, it is for a thread.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectproxy.address import Networks
from connectproxy.config import ConfigurationError, Problem, loadShadow
from connectproxy.discovery import Unloadable, kinds, rules
from connectproxy.interfaces import Action, IRuleKind
from connectproxy.policy.advice import advise
from connectproxy.policy.asked import Single
from connectproxy.policy.judge import Policy
from connectproxy.policy.lists import Items, Lists
from connectproxy.policy.rule import Rule, Sources, readItems, readRule
from connectproxy.policy.table import Table

__all__ = ["ALLOW_LIST", "buildPolicy", "buildShadow"]

ALLOW_LIST = "allow-list"
"""The name of the rule that the files of C{allow.list} are."""

_PORTS = "ports"
_PRIVATE = "private"


def buildPolicy(
    config: Any,
    own: Any,
    *,
    rows: Mapping[str, Sequence[Any]] | None = None,
    origin: str = "",
    seconds: Callable[[], float] = time.time,
) -> Policy:
    """
    Build the policy that a configuration asks for.  It blocks.

    @param config: a L{connectproxy.config.Config}.
    @param own: tells the proxy's own listening addresses; see
        L{connectproxy.own.OwnPorts}.
    @param rows: tables to take in the place of the configuration's C{rows}.
    @param origin: a file besides the configuration that they are from.
    @param seconds: tells the time since 1970, for rules that hold at some times.
    @raise ConfigurationError: all that is wrong with it and with its lists.
    """
    return _Building(config, own, config.rows if rows is None else rows, seconds).policy(origin)


def buildShadow(config: Any, own: Any, *, seconds: Callable[[], float] = time.time) -> Policy | None:
    """
    Build the policy that is only asked beside the one in force.  It blocks.

    @return: L{None} if the configuration names none.
    @raise ConfigurationError: all that is wrong with it and with its lists.
    """
    if not config["policy.shadow"]:
        return None
    other = loadShadow(config)
    return buildPolicy(other, own, origin=other.origin, seconds=seconds)


class _Building:
    """
    A policy on its way to be one.
    """

    def __init__(
        self, config: Any, own: Any, rows: Mapping[str, Sequence[Any]], seconds: Callable[[], float]
    ) -> None:
        self._config = config
        self._own = own
        self._rows = rows
        self._seconds = seconds
        self._lists = Lists()
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._kinds = kinds("connectproxy.rules", IRuleKind)
        self._catalogue = rules(IRuleKind)
        self._parts: list[Single | Table] = []
        self._rules: list[Rule] = []
        self._named: list[Rule] = []  # all so far that allow by name whatever the address is
        self._groups: list[tuple[str, Sources]] = []
        self._ports: Sequence[tuple[int, int]] | None = None
        self._exempt: Networks | None = None

    def policy(self, origin: str) -> Policy:
        """
        Build it, or raise.
        """
        rows = self._rows.get("rule", ())
        for row in self._rows.get("group", ()):
            users = readItems(row.options["users"], "users", "group.users", row.where, self._lists)
            self._groups.append((row.options["name"], users))
        moved = {row.options["kind"] for row in rows}
        for name, kind in sorted(self._kinds.items(), key=lambda item: item[1].order):
            if name not in moved:
                self._guard(kind, f"the guard {name}")
        for row in rows:
            if row.options["kind"]:
                self._moved(row)
            else:
                self._rule(row)
        self._rules += self._allowList()
        self._flush()
        problems = self._problems + self._lists.problems
        if problems:
            raise ConfigurationError(problems)
        if self._config["proxy.profile"] and not self._config["allow.list"] and not rows:
            message = "nothing is allowed: the profile denies what no rule and no list allows"
            advice = "name a list of what may be reached (--allow), or add a [[rule]]"
            self._warnings.append(Problem("allow.list", "proxy.profile", message, advice))
        return Policy(
            self._parts,
            default=Action(self._config["policy.default"] or "allow"),
            contact=self._config["policy.contact"],
            files=[*([origin] if origin else []), *self._lists.files],
            warnings=self._warnings,
        )

    def _guard(
        self, kind: Any, where: str, options: tuple[Mapping[str, Any], ...] = (), name: str = ""
    ) -> None:
        """
        Add a rule in Python.

        @param options: those of the C{[[rule]]} that names the kind; none where none does.
        @param name: what that calls it.
        """
        try:
            rule = kind.build(self._config, self._own, *options)
        except ValueError as error:
            self._problems.append(Problem("rule.options", where, str(error), ""))
            return
        self._parts.append(Single(rule, name))
        if kind.kindName == _PORTS:
            self._ports = self._config["allow.ports"]
        elif kind.kindName == _PRIVATE:
            self._exempt = rule.exempt

    def _moved(self, row: Any) -> None:
        """
        Add a rule in Python where a C{[[rule]]} says that it is to be.
        """
        name, where = row.options["kind"], row.where
        try:
            kind = self._catalogue.get(name)
        except Unloadable as error:
            self._problems.append(Problem("rule.kind", where, str(error), ""))
            return
        if kind is None:
            advice = self._catalogue.advice(name)
            self._problems.append(Problem("rule.kind", where, f"there is no rule kind {name!a}", advice))
            return
        self._flush()
        if name == _PRIVATE and self._named:
            message = (
                f"stands behind the rule {self._named[0].name}, which allows names whatever their addresses are:"
                " whoever rules one of these names can make it lead to a private address"
            )
            self._warnings.append(
                Problem("rule.kind", where, message, "add networks to that rule, or move this one up")
            )
        self._guard(kind, where, (row.options["options"],), row.options["name"])

    def _rule(self, row: Any) -> None:
        """
        Add a rule of conditions.
        """
        rule = readRule(row.options, row.where, self._lists)
        self._rules.append(rule)
        if rule.action is Action.ALLOW and not rule.networks:
            self._named.append(rule)
        if rule.upstream:
            known = ["direct", *(row.options["name"] for row in self._config.rows["upstream"])]
            if rule.upstream not in known:
                near = difflib.get_close_matches(rule.upstream, known, 1)
                advice = f"do you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
                message = f"there is no upstream {rule.upstream!a}"
                self._problems.append(Problem("rule.upstream", row.where, message, advice))

    def _flush(self) -> None:
        """
        Compile the rules that have come together.
        """
        if self._rules:
            if not self._problems and not self._lists.problems:
                self._warnings += advise(self._rules, self._ports, self._exempt)
                self._parts.append(Table(self._rules, self._groups, self._seconds))
            self._rules = []

    def _allowList(self) -> Iterator[Rule]:
        """
        The rules that stand for the files of C{allow.list}.
        """
        paths = self._config["allow.list"]
        found = [self._lists.read(path, "mixed", "allow.list", "allow.list") for path in paths]
        rule = Rule(ALLOW_LIST, ALLOW_LIST, Action.ALLOW)
        names = tuple(items for items in found if items.names)
        if names:
            yield rule._replace(destinations=names)
        for port in sorted({port for items in found for port in items.ports}):
            sources = tuple(items.atPort(port) for items in found if port in items.ports)
            yield rule._replace(destinations=sources, ports=((port, port),))
        networks = tuple(items for items in found if items.networks)
        if networks:
            # For addresses that clients name. Were it for names, too, each would have to be looked up
            # before it is denied, and a look-up alone can carry secrets out.
            yield rule._replace(networks=networks, literal=True)
        for items in found:
            if not items:
                self._warn(items, "is empty", "put names on it, one a line")
        if found and self._config["policy.default"] != "deny":
            advice = 'say default = "deny" below [policy]'
            self._warn(found[0], "has no effect: what is on no list is allowed as well", advice)

    def _warn(self, items: Items, what: str, advice: str) -> None:
        """
        A warning about one of these files.
        """
        self._warnings.append(Problem("allow.list", items.path, f"the list {items.name} {what}", advice))
