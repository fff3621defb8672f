"""
What recorded events say of who goes where: read line by line, and counted.

Reads the lines of an access log (L{connectproxy.ledger}) or of an audit file
(L{connectproxy.audit}).  Memory is bounded by the number of different destinations, of
which no more than L{MOST} are kept; what is no event is counted, and the first few of it
named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, BinaryIO, NamedTuple

from connectproxy.address import AddressClass, Destination, canonical, classify, parseAuthority
from connectproxy.config.texts import isLabel
from connectproxy.interfaces import IPAddress
from connectproxy.policy.users import ANYBODY, NOBODY

__all__ = ["MOST", "Count", "Flow", "Traffic", "Who", "canBeNamed", "lines"]

MOST = 200_000
"""Different destinations, each by who goes there, that are kept."""

LONGEST = 1 << 20
"""Octets of a line that are read."""

NAMED = 5
"""Lines that are wrong that are named; all others are only counted."""

_POLICY = "http_request_denied"
"""The kind of refusal that is a rule's, and no guard's of addresses."""


class Who(NamedTuple):
    """
    Who asks.

    @ivar user: the name; L{None} for who is not known.
    @ivar groups: the groups that the user is in, in the order of the alphabet.
    """

    user: str | None
    groups: tuple[str, ...] = ()


class Flow(NamedTuple):
    """
    Who goes where.
    """

    who: Who
    destination: Destination


class Count:
    """
    How often, and when.

    @ivar allowed: how many requests were allowed.
    @ivar denied: how many were not.
    @ivar last: when the last one came, as the event has it; empty if none says so.
    """

    __slots__ = ("allowed", "denied", "last")

    def __init__(self) -> None:
        self.allowed = self.denied = 0
        self.last = ""

    def add(self, other: Count) -> None:
        """
        Count what another one has counted as well.
        """
        self.allowed += other.allowed
        self.denied += other.denied
        self.last = max(self.last, other.last)

    @property
    def requests(self) -> int:
        """How many there were, whatever became of them."""
        return self.allowed + self.denied


class Traffic:
    """
    All that has been read.

    @ivar flows: who goes where, and how often.
    @ivar inside: addresses that are not of the Internet and were connected to all the same.
    @ivar events: how many events there were.
    @ivar bad: how many lines were none.
    @ivar complaints: what was wrong with the first of these, a sentence each.
    @ivar dropped: requests to destinations that were too many to be kept.
    """

    def __init__(self, users: Iterable[str] = (), *, denied: bool = False, most: int = MOST) -> None:
        """
        @param users: of whom to count; of all where there are none.
        @param denied: count what rules have denied as well.
        @param most: how many flows are kept.
        """
        self._users = frozenset(users)
        self._denied = denied
        self._most = most
        self.flows: dict[Flow, Count] = {}
        self.inside: set[IPAddress] = set()
        self.events = self.bad = self.dropped = 0
        self.complaints: list[str] = []

    def read(self, numbered: Iterable[tuple[int, bytes]], name: str) -> None:
        """
        Count events.

        @param numbered: lines with their numbers.
        @param name: what messages call the file.
        """
        for number, line in numbered:
            if not line.strip():
                continue
            wrong = self._line(line)
            if wrong:
                self.bad += 1
                if len(self.complaints) < NAMED:
                    self.complaints.append(f"{name}:{number}: {wrong}")

    def _line(self, line: bytes) -> str:
        """
        Count one event.

        @return: what is wrong with it.
        """
        if len(line) > LONGEST:
            return "is longer than any event"
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return "is not JSON"
        if not isinstance(event, dict) or "decision" not in event or "target" not in event:
            return "is no event of an access log or audit file"
        self.events += 1
        user, groups = event.get("user"), event.get("groups") or ()
        if not isinstance(user, str | None) or not _areStrings(groups):
            return "has a user or groups that are none"
        if self._users and user not in self._users:
            return ""
        decision, target = event["decision"], event["target"]
        counted = decision == "allow" or (
            self._denied
            and decision == "deny"
            and event.get("error") in (None, _POLICY)
            and event.get("rule")
        )
        if not counted or not isinstance(target, str):
            return ""
        destination = parseAuthority(target.encode("utf-8", "surrogateescape"))
        if not isinstance(destination, Destination):
            return "allows a target that is no destination" if decision == "allow" else ""
        known = tuple(sorted({group for group in groups if canBeNamed(group)}))
        self._count(Flow(Who(user, known), destination), decision, event)
        return ""

    def _count(self, flow: Flow, decision: str, event: dict[str, Any]) -> None:
        """
        Count one request.
        """
        count = self.flows.get(flow)
        if count is None:
            if len(self.flows) >= self._most:
                self.dropped += 1
                return
            count = self.flows[flow] = Count()
        if decision == "allow":
            count.allowed += 1
            self._inside(flow.destination, event.get("address"))
        else:
            count.denied += 1
        last = event.get("timestamp")
        if (
            isinstance(last, str)
            and last.isprintable()
            and len(last) <= len("2026-01-31T12:00:00.000000+00:00")
        ):
            count.last = max(count.last, last)

    def forget(self, user: str | None) -> None:
        """
        Leave a user out.
        """
        self.flows = {flow: count for flow, count in self.flows.items() if flow.who.user != user}

    def _inside(self, destination: Destination, dialled: object) -> None:
        """
        Keep an address in mind that the guard of private ones would deny.

        @param dialled: as the event has it: with the port in an access log, without it in an
            audit file; L{None} where nothing was dialled.
        """
        address = destination.ip or _address(dialled)
        if address is not None and classify(address) is not AddressClass.GLOBAL:
            self.inside.add(canonical(address))


def canBeNamed(name: str) -> bool:
    """
    Whether a rule can name a user or a group: some signs stand for something else there.
    """
    return isLabel(name) and name not in (ANYBODY, NOBODY) and not name.startswith("@")


def _areStrings(groups: object) -> bool:
    """
    Whether these can be groups.
    """
    return isinstance(groups, list | tuple) and all(isinstance(group, str) for group in groups)


def _address(dialled: object) -> IPAddress | None:
    """
    The address in what an event says was dialled.
    """
    if not isinstance(dialled, str):
        return None
    for text in (dialled, dialled.rpartition(":")[0].strip("[]")):
        try:
            return ip_address(text)
        except ValueError:
            continue
    return None


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """
    The lines of a file, with their numbers; of one that is too long the beginning, a little
    longer than L{LONGEST}.

    @raise OSError: it can't be read on.
    @raise EOFError: what is compressed in it ends too soon.
    """
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        yield number, line
        while len(line) > LONGEST and not line.endswith(b"\n"):  # the rest of it, which nobody wants
            line = file.readline(LONGEST + 1)
