"""
What is probably not as meant in a policy that can be used: rules that never match, rules
that allow everything, lists with nothing in them, rules that still only report.

What is said here is so; what is not said may be so all the same: that a rule is never
reached is found where one earlier rule takes all of it, and not where several do so
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network

from connectproxy.address import AddressClass, Networks, classify
from connectproxy.config import Problem
from connectproxy.interfaces import Action
from connectproxy.policy.covers import Covers
from connectproxy.policy.lists import Items
from connectproxy.policy.rule import Rule

__all__ = ["advise"]

_SOURCES = ("users", "clients", "destinations", "networks", "serverNames")

_INSIDE = (
    AddressClass.LOOPBACK,
    AddressClass.PRIVATE,
    AddressClass.LINK_LOCAL,
    AddressClass.SHARED,
    AddressClass.UNIQUE_LOCAL,
)
"""Classes of which no two are side by side, so that both ends of a network tell of all of it."""


def advise(
    rules: Sequence[Rule], ports: Sequence[tuple[int, int]] | None, exempt: Networks | None = None
) -> Iterator[Problem]:
    """
    Look at rules that stand together.

    @param ports: the ranges that a guard in front of them allows; L{None} for all.
    @param exempt: the networks that a guard of private addresses in front of them leaves
        open; L{None} if there is no such guard.
    """
    covers = Covers(rules)
    told: set[str] = set()
    for index, rule in enumerate(rules):
        never = False
        for key in _SOURCES:
            sources: Sequence[Items] = getattr(rule, key)
            for items in sources:
                if not items and items.path not in told:
                    told.add(items.path)
                    yield _problem(
                        rule, f"the list {items.path} is empty", "put something on it, or leave it out"
                    )
            never = never or (bool(sources) and not any(sources))
        earlier = covers.earlier(index)
        if never:
            yield _problem(rule, "can never match, since there is nothing on its list", "")
        elif earlier is not None:
            yield _problem(
                rule,
                f"can never match: the rule {rules[earlier].name} before it takes all that it would",
                "move it up, or leave it out",
            )
        elif rule.action is Action.ALLOW and _closed(rule, ports):
            yield _problem(
                rule,
                "can never match, since none of its ports is among allow.ports",
                "add them to allow.ports (--allow-ports)",
            )
        elif rule.action is Action.ALLOW and _inside(rule, exempt):
            yield _problem(
                rule,
                "can never match, since the guard of private addresses before it keeps its networks closed",
                'add them to allow.networks (--allow-network), or put a rule of kind = "private" behind it',
            )
        if rule.report:
            yield _problem(
                rule, "only reports what it would deny", "leave report out when it is to be in force"
            )
        elif rule.action is Action.ALLOW and _boundless(rule):
            yield _problem(
                rule, "allows everything to everybody", "say who may, or where to, if that is not meant"
            )


def _problem(rule: Rule, message: str, advice: str) -> Problem:
    """
    A warning about a rule.
    """
    return Problem("rule", rule.where, message, advice)


def _closed(rule: Rule, ports: Sequence[tuple[int, int]] | None) -> bool:
    """
    Whether a guard closes all ports of a rule.
    """
    if ports is None or rule.ports is None:
        return False
    return not any(first <= last_ and first_ <= last for first, last in rule.ports for first_, last_ in ports)


def _inside(rule: Rule, exempt: Networks | None) -> bool:
    """
    Whether a guard closes all networks of a rule.
    """
    if exempt is None or not rule.networks:
        return False
    networks = (network for items in rule.networks for network in items.networks)
    return all(_private(each) and not any(each.overlaps(other) for other in exempt) for each in networks)


def _private(network: IPv4Network | IPv6Network) -> bool:
    """
    Whether no address of a network is a public one, as far as can be said.
    """
    found = classify(network[0])
    return found in _INSIDE and classify(network[-1]) is found


def _boundless(rule: Rule) -> bool:
    """
    Whether a rule is for everything and everybody, or for every name, or every address.
    """
    if any(
        getattr(rule, key) for key in ("users", "groups", "clients", "listeners", "serverNames", "relation")
    ):
        return False
    if rule.destinations and not any(items.names.every for items in rule.destinations):
        return False
    return not rule.networks or any(
        not network.prefixlen for items in rule.networks for network in items.networks
    )
