"""
The conditions of many rules, laid out by what they compare: for each property of a
request, the rules that do not mind it, as the bits of one number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from connectproxy.interfaces import IPAddress, ProxyUser, TunnelRequest
from connectproxy.policy.hours import Schedule
from connectproxy.policy.lists import Items
from connectproxy.policy.names import NameIndex
from connectproxy.policy.networks import NetworkIndex
from connectproxy.policy.rule import Rule
from connectproxy.policy.users import UserIndex

__all__ = ["Clients", "Hours", "Lists", "Ports", "Shapes", "Users", "free"]

_KEPT = 4096
"""Answers that are kept of one kind; all are forgotten when there are more."""


def free(rules: Sequence[Rule], *keys: str) -> int:
    """
    The rules that have no condition on any of some keys.
    """
    return sum(1 << index for index, rule in enumerate(rules) if not any(getattr(rule, key) for key in keys))


class Lists:
    """
    Who names which list, so that each is gone through once.

    Besides the bit of each rule that names it, a list in a file has one of its own,
    beyond those of the rules: by these a reason can say which it was.

    @ivar bits: the items and their bits.
    @ivar marks: for each rule, the bit and the name of each of its files.
    """

    def __init__(self, rules: Sequence[Rule], key: str) -> None:
        found: dict[int, list[Any]] = {}
        self.marks: list[tuple[tuple[int, str], ...]] = []
        files = 0
        for index, rule in enumerate(rules):
            marks = []
            for items in getattr(rule, key):
                entry = found.get(id(items))
                if entry is None:
                    own = 1 << (len(rules) + files) if items.path else 0
                    files += bool(own)
                    entry = found[id(items)] = [items, own, own]
                entry[1] |= 1 << index
                if entry[2]:
                    marks.append((entry[2], items.name))
            self.marks.append(tuple(marks))
        self.bits: list[tuple[Items, int]] = [(items, bits) for items, bits, _ in found.values()]

    def names(self) -> NameIndex:
        """
        An index of the names.
        """
        index = NameIndex()
        for items, bits in self.bits:
            index.add(items.names, bits)
        return index

    def networks(self) -> NetworkIndex:
        """
        An index of the networks.
        """
        index = NetworkIndex()
        for items, bits in self.bits:
            index.add(items.networks, bits)
        return index


class Users:
    """
    Rules by user, and by the groups of users.
    """

    def __init__(self, rules: Sequence[Rule], groups: Iterable[tuple[str, Sequence[Items]]]) -> None:
        """
        @param groups: names of groups, and the users in them.
        """
        self._free = free(rules, "users")
        self._groupless = free(rules, "groups")
        self._users = UserIndex()
        for items, bits in Lists(rules, "users").bits:
            self._users.add(items.users, bits)
        self._groups: dict[str, int] = {}
        for index, rule in enumerate(rules):
            for group in rule.groups:
                self._groups[group] = self._groups.get(group, 0) | 1 << index
        self._members = UserIndex()
        for group, sources in groups:
            if group in self._groups:
                for items in sources:
                    self._members.add(items.users, self._groups[group])
        self._kept: dict[ProxyUser | None, int] = {}

    def find(self, identity: ProxyUser | None) -> int:
        """
        The rules for who asks.
        """
        bits = self._kept.get(identity)
        if bits is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            bits = self._kept[identity] = self.byName(identity) & self.byGroup(identity)
        return bits

    def byName(self, identity: ProxyUser | None) -> int:
        """
        The rules that do not mind the name.
        """
        return self._free | self._users.find(identity)

    def byGroup(self, identity: ProxyUser | None) -> int:
        """
        The rules that do not mind the groups.
        """
        bits = self._groupless | self._members.find(identity)
        for group in identity.groups if identity is not None else ():
            bits |= self._groups.get(group, 0)
        return bits


class Clients:
    """
    Rules by the client's address.  A client without one, of a UNIX socket, is in no network.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._free = free(rules, "clients")
        self._networks = Lists(rules, "clients").networks()
        self._kept: dict[str | None, int] = {}

    def find(self, client: Any) -> int:
        """
        @param client: an L{twisted.internet.interfaces.IAddress}.
        """
        host: str | None = getattr(client, "host", None)
        bits = self._kept.get(host)
        if bits is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            bits = self._kept[host] = self._free | self._look(host)
        return bits

    def _look(self, host: str | None) -> int:
        """
        The rules that name a network of the address.
        """
        if host is None:
            return 0
        try:
            address: IPAddress = ip_address(host)
        except ValueError:
            return 0
        return self._networks.find(address)


class Shapes:
    """
    Rules by what there are few of: listener, protocol, method and scheme.
    """

    KEYS = ("listeners", "protocols", "methods", "schemes")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._bits: dict[str, dict[str, int]] = {}
        self._free = {key: free(rules, key) for key in self.KEYS}
        for key in self.KEYS:
            table = self._bits[key] = {}
            for index, rule in enumerate(rules):
                for value in getattr(rule, key):
                    table[value] = table.get(value, 0) | 1 << index
        self._kept: dict[tuple[str, str, str], int] = {}

    def find(self, request: TunnelRequest) -> int:
        """
        The rules that mind none of them.
        """
        shape = (request.listener, request.protocol, request.method)
        bits = self._kept.get(shape)
        if bits is None:
            if len(self._kept) >= _KEPT:  # methods are of the clients' making
                self._kept.clear()
            bits = -1
            for key, value in zip(self.KEYS, (*shape, request.scheme), strict=True):
                bits &= self.by(key, value)
            self._kept[shape] = bits
        return bits

    def by(self, key: str, value: str) -> int:
        """
        The rules that do not mind one of them.
        """
        return self._free[key] | self._bits[key].get(value, 0)


class Ports:
    """
    Rules by port: stretches of ports that are the same to all rules.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        changes: dict[int, int] = {0: 0}
        always = 0
        for index, rule in enumerate(rules):
            bit = 1 << index
            if rule.ports is None:
                always |= bit
                continue
            for first, last in rule.ports:
                for edge in (first, last + 1):
                    changes[edge] = changes.get(edge, 0) ^ bit
        self._starts = sorted(changes)
        self._bits = []
        bits = 0
        for start in self._starts:
            bits ^= changes[start]
            self._bits.append(bits | always)

    def find(self, port: int) -> int:
        """
        The rules that do not mind a port.
        """
        return self._bits[bisect_right(self._starts, port) - 1]

    def throughout(self, ranges: Sequence[tuple[int, int]]) -> int:
        """
        The rules that mind no port of some ranges.
        """
        bits = -1
        for first, last in ranges:
            for at in range(bisect_right(self._starts, first) - 1, bisect_right(self._starts, last)):
                bits &= self._bits[at]
        return bits


class Hours:
    """
    Rules by the time, for which no more is done than once a minute.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._free = free(rules, "schedule")
        self._schedules: dict[Schedule, int] = {}
        for index, rule in enumerate(rules):
            if rule.schedule is not None:
                self._schedules[rule.schedule] = self._schedules.get(rule.schedule, 0) | 1 << index
        self._minute = -1
        self._bits = self._free

    def find(self, seconds: float) -> int:
        """
        The rules that hold at a time, in seconds since 1970.
        """
        if not self._schedules:
            return self._free
        minute = int(seconds // 60)
        if minute != self._minute:
            bits = self._free
            for schedule, each in self._schedules.items():
                if schedule.holds(seconds):
                    bits |= each
            self._minute, self._bits = minute, bits
        return self._bits
