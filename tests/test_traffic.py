"""
Tests for L{connectproxy.traffic}.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import audit, ledger
from connectproxy.traffic import LONGEST, NAMED, Count, Traffic, Who, canBeNamed, lines


def event(target: object = "a.example:443", **more: Any) -> dict[str, Any]:
    """
    An event of an audit file.
    """
    known = {"decision": "allow", "rule": "x", "user": "ci", "timestamp": "2026-11-23T09:15:02.318Z"}
    return dict.fromkeys(audit.FIELDS) | known | {"target": target} | more


class TrafficTests(SynchronousTestCase):
    """
    L{Traffic}.
    """

    def read(self, *events: object, **more: Any) -> Traffic:
        """
        Read events, or lines.
        """
        traffic = Traffic(**more)
        octets = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in events]
        traffic.read(enumerate(octets, 1), "events")
        return traffic

    def flows(self, traffic: Traffic) -> dict[tuple[str | None, str], tuple[int, int]]:
        """
        What has been counted.
        """
        return {
            (flow.who.user, str(flow.destination)): (count.allowed, count.denied)
            for flow, count in traffic.flows.items()
        }

    def test_counts(self) -> None:
        """
        Permissions are counted by user, groups and destination, the last time kept.
        """
        traffic = self.read(
            event(groups=["b", "a", "b"], timestamp="2026-11-23T09:15:02.318Z"),
            event(groups=["a", "b"], timestamp="2026-11-22T09:15:02.318Z"),
            event("B.example:80", user=None),
            event(user="bob"),
        )
        self.assertEqual(
            self.flows(traffic),
            {
                ("ci", "a.example:443"): (2, 0),
                (None, "b.example:80"): (1, 0),
                ("bob", "a.example:443"): (1, 0),
            },
        )
        flow = next(iter(traffic.flows))
        self.assertEqual(flow.who, Who("ci", ("a", "b")))
        self.assertEqual(traffic.flows[flow].last, "2026-11-23T09:15:02.318Z")
        self.assertEqual((traffic.events, traffic.bad), (4, 0))

    def test_accessLog(self) -> None:
        """
        Lines of an access log are events, too.
        """
        known = {"decision": "allow", "target": "a.example:443", "groups": [], "user": "ci"}
        traffic = self.read(dict.fromkeys(ledger.FIELDS) | known)
        self.assertEqual(self.flows(traffic), {("ci", "a.example:443"): (1, 0)})

    def test_users(self) -> None:
        """
        Others than those who are wanted are left out.
        """
        traffic = self.read(event(), event(user="bob"), event(user=None), users=["bob"])
        self.assertEqual(list(self.flows(traffic)), [("bob", "a.example:443")])
        traffic.forget("bob")
        self.assertEqual(traffic.flows, {})

    def test_denied(self) -> None:
        """
        Denials by rules are counted where that is wanted, and not those of logins, limits and
        guards of addresses.
        """
        denied = event(decision="deny", error="http_request_denied")
        events = (
            event(),
            denied,
            event(decision="deny", error="http_request_denied", rule=None),
            event(decision="deny", error="destination_ip_prohibited"),
            event(decision=None),
            denied | {"target": "not valid"},
        )
        self.assertEqual(self.flows(self.read(*events)), {("ci", "a.example:443"): (1, 0)})
        traffic = self.read(*events, denied=True)
        self.assertEqual(self.flows(traffic), {("ci", "a.example:443"): (1, 1)})
        self.assertEqual(traffic.bad, 0)

    def test_inside(self) -> None:
        """
        Addresses that are not of the Internet are kept, from either form, and from targets.
        """
        traffic = self.read(
            event(address="10.0.0.1:443"),
            event(address="[fd00::1]:443"),
            event(address="10.0.0.2"),
            event(address="fd00::2"),
            event("10.0.0.3:443"),
            event(address="8.8.8.8:443"),
            event(address="nonsense"),
            event(address=5),
            event(decision="deny", error="http_request_denied", address="10.0.0.9"),
            denied=True,
        )
        self.assertEqual(
            sorted(map(str, traffic.inside)), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]
        )

    def test_bad(self) -> None:
        """
        What is no event is counted, and the first few named; empty lines are nothing.
        """
        for line, words in (
            (b"{", "is not JSON"),
            (b"\xff", "is not JSON"),
            (b"[" * 100_000, "is not JSON"),
            (b" " * (LONGEST + 1) + b"1", "is longer"),
            (b"[]", "is no event"),
            (b'{"a": 1}', "is no event"),
            (json.dumps(event(user=5)).encode(), "has a user"),
            (json.dumps(event(groups=[5])).encode(), "has a user or groups"),
            (json.dumps(event(groups="x")).encode(), "has a user or groups"),
            (json.dumps(event("x")).encode(), "allows a target that is no destination"),
        ):
            traffic = self.read(b"\n", line)
            self.assertEqual(traffic.bad, 1, line[:50])
            self.assertEqual(len(traffic.complaints), 1)
            self.assertTrue(traffic.complaints[0].startswith(f"events:2: {words}"), traffic.complaints)
            self.assertEqual(traffic.flows, {})
        traffic = self.read(*[b"{"] * 100)
        self.assertEqual((traffic.bad, len(traffic.complaints)), (100, NAMED))

    def test_oddValues(self) -> None:
        """
        A target or a time that is none is no reason to give up.
        """
        traffic = self.read(
            event(None), event(timestamp=5), event(timestamp="x\n"), event(timestamp="9" * 99)
        )
        self.assertEqual(self.flows(traffic), {("ci", "a.example:443"): (3, 0)})
        (count,) = traffic.flows.values()
        self.assertEqual(count.last, "")

    def test_most(self) -> None:
        """
        No more destinations are kept than there may be; what is known is counted on.
        """
        traffic = self.read(event("a:1"), event("b:1"), event("c:1"), event("a:1"), most=2)
        self.assertEqual(self.flows(traffic), {("ci", "a:1"): (2, 0), ("ci", "b:1"): (1, 0)})
        self.assertEqual(traffic.dropped, 1)

    def test_names(self) -> None:
        """
        Groups that no rule could name are as if they were not.
        """
        (flow,) = self.read(event(groups=["a", "@b", "*", "-", "", "\x00", "c" * 256])).flows
        self.assertEqual(flow.who.groups, ("a",))
        self.assertTrue(canBeNamed("ci"))

    def test_add(self) -> None:
        """
        Counts add up.
        """
        one, other = Count(), Count()
        one.allowed, one.last = 1, "2026"
        other.allowed, other.denied, other.last = 2, 3, "2027"
        one.add(other)
        self.assertEqual((one.allowed, one.denied, one.last, one.requests), (3, 3, "2027", 6))


class LinesTests(SynchronousTestCase):
    """
    L{lines}.
    """

    def test_numbered(self) -> None:
        """
        Lines have their numbers, and of one that is too long there is a beginning only.
        """
        long = b"x" * (3 * LONGEST)
        for end in (b"", b"\n", b"\nlast"):
            found = list(lines(io.BytesIO(b"one\n" + long + end)))
            self.assertEqual(found[0], (1, b"one\n"))
            self.assertEqual((found[1][0], len(found[1][1])), (2, LONGEST + 1))
            self.assertEqual(found[2:], [(3, b"last")] if end == b"\nlast" else [])
