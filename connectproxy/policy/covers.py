"""
Which rules can never match, since an earlier one takes all that they would.

For each rule, the earlier ones that take all of it are what is left when those that mind
one of its values have been struck out, value by value; most of the time none is left
after the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectproxy.interfaces import Action
from connectproxy.policy.axes import Lists, Ports, free
from connectproxy.policy.rule import Rule
from connectproxy.policy.users import ANYBODY, NOBODY

__all__ = ["Covers"]

_WORDS = ("groups", "listeners", "protocols", "methods", "schemes")


class Covers:
    """
    Rules that stand together.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._final = sum(1 << i for i, rule in enumerate(rules) if not rule.report)
        self._allows = sum(1 << i for i, rule in enumerate(rules) if rule.action is Action.ALLOW)
        self._ports = Ports(rules)
        self._names = {key: Lists(rules, key).names() for key in ("destinations", "serverNames")}
        self._networks = {key: Lists(rules, key).networks() for key in ("clients", "networks")}
        self._values: dict[str, dict[object, int]] = {}
        self._free: dict[str, int] = {}
        for key in (*_WORDS, "users", "schedule", "relation"):
            table: dict[object, int] = {}
            self._values[key] = table
            for index, rule in enumerate(rules):
                for value in _values(rule, key):
                    table[value] = table.get(value, 0) | 1 << index
        for key in (*self._values, *self._names, *self._networks):
            self._free[key] = free(rules, key)

    def earlier(self, index: int) -> int | None:
        """
        The first rule before one that takes all that this one would; L{None} if there is no
        such rule, as far as can be said.
        """
        rule = self._rules[index]
        left = ((1 << index) - 1) & self._final
        left &= self._ports.throughout(((0, 65535),) if rule.ports is None else rule.ports)
        for key, free_ in self._free.items():
            if not getattr(rule, key):
                left &= free_
            for bits in self._found(key, rule):
                if not left:
                    return None
                left &= free_ | bits
        if rule.networks and rule.action is Action.DENY:
            # It also sees what hides in an address, and a permission does not.
            left &= ~self._allows | self._free["networks"]
        return (left & -left).bit_length() - 1 if left else None

    def _found(self, key: str, rule: Rule) -> Iterator[int]:
        """
        For each value of a condition, the rules that have it, or what it is part of.
        """
        if key in self._networks:
            for items in getattr(rule, key):
                yield from map(self._networks[key].findAround, items.networks)
        elif key in self._names:
            index = self._names[key]
            for items in getattr(rule, key):
                yield from map(index.find, items.names.exact)
                yield from map(index.findBelow, items.names.below)
                yield from map(index.findAround, items.names.wild)
                yield from map(index.findBelow, ("",) * items.names.every)
        else:
            table = self._values[key]
            anybody = table.get(ANYBODY, 0) if key == "users" else 0
            for value in _values(rule, key):
                yield table.get(value, 0) | (0 if value == NOBODY else anybody)


def _values(rule: Rule, key: str) -> Iterable[object]:
    """
    The values of a condition that has to be one of some words.
    """
    value = getattr(rule, key)
    if key == "users":
        return [name for items in value for name in items.users]
    if key in ("schedule", "relation"):
        return [value] if value else []
    found: Iterable[object] = value
    return found
