"""
Many rules as one: which of them decides, found without asking each.

Every property of a request has the rules that do not mind it, as bits (see
L{connectproxy.policy.axes}); what is left of all these is what matches, and the lowest
bit is the first rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from connectproxy.address import embedded
from connectproxy.interfaces import Action, IPAddress, TunnelRequest, Verdict
from connectproxy.policy.asked import NOTHING, Asked, Found
from connectproxy.policy.axes import Clients, Hours, Lists, Ports, Shapes, Users, free
from connectproxy.policy.lists import Items
from connectproxy.policy.reasons import Known, reason
from connectproxy.policy.rule import Rule

__all__ = ["Table"]

_LONGEST_NAME = 253
_ADDRESS = re.compile(
    r".*:.*|(?:.*\.)?[0-9]+", re.DOTALL
)  # which no server name should be, and no pattern matches


class Table:
    """
    Rules in their order.

    @ivar rules: the rules, without what is in their lists.
    @ivar named: whether one of them looks at server names.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        groups: Sequence[tuple[str, Sequence[Items]]],
        seconds: Callable[[], float],
    ) -> None:
        """
        @param groups: names of groups, and the users in them.
        @param seconds: tells the time, since 1970.
        """
        self._seconds = seconds
        self._all = (1 << len(rules)) - 1
        self._users = Users(rules, groups)
        self._clients = Clients(rules)
        self._shapes = Shapes(rules)
        self._ports = Ports(rules)
        self._hours = Hours(rules)
        named = Lists(rules, "destinations")
        self._names, self._nameless = named.names(), free(rules, "destinations")
        self._unnamed = self._nameless & ~sum(1 << i for i, rule in enumerate(rules) if rule.literal)
        placed = Lists(rules, "networks")
        self._networks, self._placeless = placed.networks(), free(rules, "networks")
        greeted = Lists(rules, "serverNames")
        self._serverNames, self._greetless = greeted.names(), free(rules, "serverNames")
        self._relations = {
            relation: sum(1 << i for i, rule in enumerate(rules) if rule.relation in ("", relation))
            for relation in ("same", "other", "none")
        }
        self._marks = named.marks, placed.marks, greeted.marks
        self._onName = self._all & ~free(rules, "serverNames", "relation")
        self.named = bool(self._onName)
        self._allows = sum(1 << i for i, rule in enumerate(rules) if rule.action is Action.ALLOW)
        self._reports = sum(1 << i for i, rule in enumerate(rules) if rule.report)
        self._places = self._all & ~self._placeless
        self._timeless = free(rules, "schedule") == self._all
        self._last: tuple[Any, ...] = (None, None, None, False, NOTHING)
        # What is in the lists is in the indexes, and need not be there twice.
        light = (Items(),)
        self.rules = tuple(
            rule._replace(
                destinations=light if rule.destinations else (),
                networks=light if rule.networks else (),
                serverNames=light if rule.serverNames else (),
                users=light if rule.users else (),
                clients=light if rule.clients else (),
            )
            for rule in rules
        )

    def find(self, asked: Asked) -> Found:
        """
        Find what decides.

        A request that leads to an address at once is asked about twice in a row, and the
        second time nothing can be otherwise: what is known of an address literal was known
        before, and where no rule looks at addresses one makes no difference.
        """
        last = self._last
        address = asked.address if self._places else None
        later = asked.later if self._places else False
        if (
            asked.request is last[0]
            and address == last[1]
            and asked.serverName == last[2]
            and later is last[3]
        ):
            found: Found = last[4]
            return found
        found = self._find(asked)
        if self._timeless:
            self._last = asked.request, address, asked.serverName, later, found
        return found

    def _find(self, asked: Asked) -> Found:
        """
        Find it anew.
        """
        matching, unsure = self._match(asked)
        if not matching:
            return NOTHING
        reporting = self._reports
        sure = matching & ~unsure & ~reporting
        first = sure & -sure
        if first:
            matching &= first - 1
        if not matching:
            return Found(self._verdict(first, asked)) if first else NOTHING
        unsure &= matching & (self._allows | reporting)
        maybe = unsure & ~reporting
        return Found(
            self._verdict(first, asked) if first else None,
            # What is allowed anyway does not need it.
            self._verdict(maybe & -maybe, asked, True) if maybe and not first & self._allows else None,
            tuple(self._report(matching & reporting & ~unsure, asked)) if matching & reporting else (),
            bool(unsure),
        )

    def wantsServerName(self, request: TunnelRequest) -> tuple[bool, bool]:
        """
        @return: whether a rule's verdict may depend on the server name, and whether one
            decides whatever that is, so that nobody behind this table need be asked.
        """
        matching, unsure = self._match(Asked(request, request.destination.ip, None, True))
        sure = matching & ~unsure & ~self._reports
        first = sure & -sure
        if first:
            matching &= first - 1
        return bool(matching & self._onName), bool(first)

    def _match(self, asked: Asked) -> tuple[int, int]:
        """
        The rules that match as far as is known, and those for which it is not all known.
        """
        request, address, serverName, _ = asked
        destination = request.destination
        matching = (
            self._users.find(request.identity)
            & self._shapes.find(request)
            & self._ports.find(destination.port)
            & self._hours.find(self._seconds())
            & self._clients.find(request.client)
            & (
                self._nameless
                if destination.ip is not None
                else self._unnamed | self._names.find(destination.host)
            )
        )
        unsure = 0
        if address is not None:
            matching &= self._placed(address)
        elif asked.later:
            unsure = self._all & ~self._placeless
        else:
            matching &= self._placeless
        if serverName is None:
            unsure |= self._onName
        elif self._onName:
            matching &= self._greeted(asked)
        return matching, unsure

    def _placed(self, address: IPAddress) -> int:
        """
        The rules that do not mind an address.  A denial also sees an IPv4 address that
        hides in an IPv6 one; to a permission, that is another way to another place.
        """
        bits = self._networks.find(address)
        inner = embedded(address)
        if inner is not None:
            bits |= self._networks.find(inner) & ~self._allows
        return bits | self._placeless

    def _greeted(self, asked: Asked) -> int:
        """
        The rules that do not mind the server name.
        """
        name = asked.serverName or ""
        bits = self._greetless
        if name and len(name) <= _LONGEST_NAME and not _ADDRESS.fullmatch(name):
            bits |= self._serverNames.find(name)
        return bits & self._relations[asked.relation]

    def _verdict(self, bit: int, asked: Asked, provisional: bool = False) -> Verdict:
        """
        What a rule says.
        """
        index = bit.bit_length() - 1
        rule = self.rules[index]
        why = self._reason(index, asked)
        if rule.action is Action.DENY:
            return Verdict(Action.DENY, why, rule.name, message=rule.message)
        upstream = rule.upstream or None
        return Verdict(
            Action.ALLOW, why, rule.name, upstream=upstream, provisional=provisional, bounds=rule.bounds
        )

    def _reason(self, index: int, asked: Asked) -> str:
        """
        Why a rule that matches does, as far as is known.
        """
        rule = self.rules[index]
        names, networks, serverNames = (marks[index] for marks in self._marks)
        host, address, name = asked.request.destination.host, asked.address, asked.serverName
        return reason(
            rule,
            asked.request,
            Known(
                _onList(names, self._names.find(host)) if names else "",
                _onList(networks, self._placedOn(address)) if networks and address is not None else "",
                _onList(serverNames, self._serverNames.find(name)) if serverNames and name else "",
                address,
                name,
            ),
        )

    def _placedOn(self, address: IPAddress) -> int:
        """
        The bits of an address, and of what hides in it.
        """
        inner = embedded(address)
        return self._networks.find(address) | (0 if inner is None else self._networks.find(inner))

    def _report(self, bits: int, asked: Asked) -> Iterator[str]:
        """
        What rules that only report have to say.
        """
        while bits:
            bit = bits & -bits
            bits ^= bit
            index = bit.bit_length() - 1
            yield f"{self.rules[index].name}: {self._reason(index, asked)}"

    def conditions(self, asked: Asked) -> Iterator[tuple[str, int | None]]:
        """
        For each kind of condition, the rules that do not mind: for explanations.  L{None}
        stands for what is not known.
        """
        request, address, serverName, _ = asked
        ip = request.destination.ip
        yield "users", self._users.byName(request.identity)
        yield "groups", self._users.byGroup(request.identity)
        yield "clients", self._clients.find(request.client)
        for key, value in zip(
            Shapes.KEYS, (request.listener, request.protocol, request.method, request.scheme), strict=True
        ):
            yield key, self._shapes.by(key, value)
        named = self._unnamed | self._names.find(request.destination.host)
        yield "destinations", self._nameless if ip is not None else named
        yield "ports", self._ports.find(request.destination.port)
        yield "schedule", self._hours.find(self._seconds())
        if address is not None:
            yield "networks", self._placed(address)
        else:
            yield "networks", None if asked.later else self._placeless
        if serverName is None:
            yield "serverNames", None
        else:
            yield "serverNames", self._greeted(asked)

    def now(self) -> float:
        """
        The time, since 1970.
        """
        return self._seconds()

    def explain(self, index: int, asked: Asked) -> str:
        """
        Why a rule that matches does.
        """
        return self._reason(index, asked)


def _onList(marks: tuple[tuple[int, str], ...], bits: int) -> str:
    """
    The name of the list that something is on.
    """
    return next((name for bit, name in marks if bits & bit), "")
