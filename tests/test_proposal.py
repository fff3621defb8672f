"""
Tests for L{connectproxy.proposal}.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.proposal import propose
from connectproxy.testing import Decisions
from connectproxy.traffic import Traffic
from tests.test_traffic import event

CDN = [f"n{number}.cdn.example.com:443" for number in range(6)]


def traffic(*events: dict[str, Any], **more: Any) -> Traffic:
    """
    What has been counted of events.
    """
    found = Traffic(**more)
    found.read(enumerate((json.dumps(each).encode() for each in events), 1), "events")
    return found


class ProposeCase(SynchronousTestCase):
    """
    Proposes policies.
    """

    def rules(self, *events: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        """
        The rules that are proposed, without what they all have.
        """
        found = tomllib.loads(propose(traffic(*events), **more).text).get("rule", [])
        for number, rule in enumerate(found, 1):
            self.assertEqual((rule.pop("name"), rule.pop("action")), (f"learned-{number}", "allow"))
        return found


class RuleTests(ProposeCase):
    """
    What becomes one rule.
    """

    def test_together(self) -> None:
        """
        What the same users do on the same ports is one rule; the most used comes first, among
        rules and within.
        """
        events = [event("a:443"), event("b:443"), event("b:443"), event("b:80", user="bob")]
        self.assertEqual(
            self.rules(*events),
            [
                {"users": ["ci"], "ports": [443], "destinations": ["b", "a"]},
                {"users": ["bob"], "ports": [80], "destinations": ["b"]},
            ],
        )

    def test_users(self) -> None:
        """
        Who goes to the same place is named together; so are the ports of one place.
        """
        events = [event("a:443"), event("a:443", user="amy"), event("b:443"), event("b:80")]
        self.assertEqual(
            self.rules(*events),
            [
                {"users": ["amy", "ci"], "ports": [443], "destinations": ["a"]},
                {"users": ["ci"], "ports": [80, 443], "destinations": ["b"]},
            ],
        )

    def test_nobody(self) -> None:
        """
        Who is not known is named where others are; where nobody is, nobody is named.
        """
        nobody = event("a:443", user=None)
        self.assertEqual(self.rules(nobody), [{"ports": [443], "destinations": ["a"]}])
        self.assertEqual(self.rules(nobody, event("b:443"))[0]["users"], ["-"])
        self.assertEqual(
            self.rules(nobody, event("b:443"), by="all"), [{"ports": [443], "destinations": ["a", "b"]}]
        )

    def test_groups(self) -> None:
        """
        By group, of several groups it is the one that the fewest are in; who is in none is
        named.
        """
        events = [
            event("a:443", groups=["staff", "builders"]),
            event("b:443", user="amy", groups=["staff"]),
            event("a:443", user="bob"),
        ]
        self.assertEqual(
            self.rules(*events, by="group"),
            [
                {"groups": ["builders"], "ports": [443], "destinations": ["a"]},
                {"users": ["bob"], "ports": [443], "destinations": ["a"]},
                {"groups": ["staff"], "ports": [443], "destinations": ["b"]},
            ],
        )

    def test_networks(self) -> None:
        """
        An address is a network of its own, in a rule of its own.
        """
        self.assertEqual(
            self.rules(event("8.8.8.8:443"), event("[2001:4860::1]:443"), event("a:443")),
            [
                {"users": ["ci"], "ports": [443], "networks": ["2001:4860::1/128", "8.8.8.8/32"]},
                {"users": ["ci"], "ports": [443], "destinations": ["a"]},
            ],
        )

    def test_least(self) -> None:
        """
        What is used seldom is left out, and the policy says so; all users count together.
        """
        events = [event("a:443"), event("a:443", user="bob"), event("b:443")]
        proposal = propose(traffic(*events), least=2)
        self.assertEqual(proposal.rules, 1)
        self.assertIn("# Left out: 1 requests to destinations that are used too seldom.", proposal.text)
        self.assertEqual(propose(traffic(*events), least=3).rules, 0)


class PatternTests(ProposeCase):
    """
    Where a pattern stands for names.
    """

    def patterns(self, *targets: str, **more: Any) -> list[str]:
        """
        The destinations that are proposed, in the order of the alphabet.
        """
        return sorted(
            name for rule in self.rules(*map(event, targets), **more) for name in rule["destinations"]
        )

    def test_several(self) -> None:
        """
        As soon as there are so many below another name; a name itself is not below itself.
        """
        self.assertEqual(self.patterns(*CDN[:4]), [f"n{number}.cdn.example.com" for number in range(4)])
        self.assertEqual(self.patterns(*CDN[:5]), ["*.cdn.example.com"])
        self.assertEqual(
            self.patterns(*CDN[:5], "cdn.example.com:443"), ["*.cdn.example.com", "cdn.example.com"]
        )
        self.assertEqual(self.patterns(*CDN[:2], subdomains=2), ["*.cdn.example.com"])
        self.assertEqual(len(self.patterns(*CDN, subdomains=0)), 6)

    def test_deepest(self) -> None:
        """
        The deepest name that will do.
        """
        deep = [f"{number}.x.cdn.example.com:443" for number in "abcde"]
        self.assertEqual(
            self.patterns(*deep, *CDN[:2]),
            ["*.x.cdn.example.com", "n0.cdn.example.com", "n1.cdn.example.com"],
        )

    def test_suffixes(self) -> None:
        """
        Never below what may be a public suffix, or what is shared by strangers.
        """
        for base in (
            "com", "example.com", "co.uk", "example.co.uk", "github.io", "s3.amazonaws.com", "kawasaki.jp",
            "city.kawasaki.jp", "k12.ma.us", "x.eu-west-1.elasticbeanstalk.com", "blob.core.windows.net",
            "a.b.pages.dev", "uk.com", "internal",
        ):  # fmt: skip
            names = [f"{label}.{base}:443" for label in ("aa", "bb", "cc", "dd", "ee", "ff")]
            self.assertEqual(len(self.patterns(*names)), 6, base)
        for base in ("cdn.example.com", "cdn.example.co.uk", "eu.mirror.example.de"):
            names = [f"{label}.{base}:443" for label in ("aa", "bb", "cc", "dd", "ee", "ff")]
            self.assertEqual(self.patterns(*names), [f"*.{base}"])

    def test_ports(self) -> None:
        """
        Names count on each port by themselves: a pattern opens no port that was not used below
        it so often.
        """
        found = self.rules(*map(event, CDN), event("n0.cdn.example.com:8443"))
        self.assertEqual(
            [(rule["ports"], rule["destinations"]) for rule in found],
            [([443], ["*.cdn.example.com"]), ([8443], ["n0.cdn.example.com"])],
        )


class TextTests(ProposeCase):
    """
    The policy as people read it.
    """

    def test_text(self) -> None:
        """
        Counts, times and denials stand beside what they are about.
        """
        denied = event("a.example:443", decision="deny", error="http_request_denied", user='q"\\é')
        found = traffic(
            event("a.example:443", address="10.1.2.3:443"), denied, *map(event, CDN), denied=True, most=7
        )
        self.assertEqual(
            propose(found).text,
            """\
# Proposed from 8 events: 2 rules. Review it before it is used:
# whatever was done while events were recorded is allowed here, be it right or wrong.
# Left out: 1 requests to destinations that were too many to be counted.

[policy]
default = "deny"

[allow]
ports = [443]
# Not of the Internet, and open to nobody else unless they are listed here.
networks = [
    "10.1.2.3/32",
]

# 5 requests
[[rule]]
name = "learned-1"
action = "allow"
users = ["ci"]
ports = [443]
destinations = [
    "*.cdn.example.com",  # 5 requests, 5 names, last 2026-11-23T09:15:02.318Z
]

# 2 requests
[[rule]]
name = "learned-2"
action = "allow"
users = ["ci", "q\\"\\\\é"]
ports = [443]
destinations = [
    "a.example",  # 2 requests, 1 of them denied, last 2026-11-23T09:15:02.318Z
]
""",
        )

    def test_nothing(self) -> None:
        """
        Of nothing there is a policy without rules.
        """
        proposal = propose(traffic(), default="allow")
        self.assertEqual(proposal.rules, 0)
        self.assertEqual(tomllib.loads(proposal.text), {"policy": {"default": "allow"}})


LABELS = strategies.sampled_from(["a", "b", "cdn", "www", "example", "x-1"])
NAMES = strategies.builds(
    lambda labels, top: ".".join([*labels, top]),
    strategies.lists(LABELS, max_size=4),
    strategies.sampled_from(["com", "uk", "internal"]),
)
HOSTS = NAMES | strategies.sampled_from(["8.8.8.8", "10.0.0.1", "[2001:4860::1]", "[fd00::1]"])
EVENTS = strategies.lists(
    strategies.builds(
        lambda host, port, user, groups, address, when: event(
            f"{host}:{port}",
            user=user,
            groups=[] if user is None else sorted(groups),
            address=None if host[0] in "[18" else address,
            timestamp=when,
        ),
        HOSTS,
        strategies.sampled_from([80, 443, 22]),
        strategies.sampled_from([None, "ci", "amy", 'o"neil\\', "é"]),
        strategies.sets(strategies.sampled_from(["builders", "staff", "all"])),
        strategies.sampled_from([None, "8.8.4.4:1", "10.0.0.2:1", "[fd00::2]:1"]),
        strategies.sampled_from(["2026-11-23T09:15:02.318Z", None]),
    ),
    min_size=1,
    max_size=40,
)


class RoundTripTests(ProposeCase):
    """
    What is proposed allows what it was learned from.
    """

    @settings(deadline=None, max_examples=40)
    @given(EVENTS, strategies.sampled_from(["user", "group", "all"]), strategies.sampled_from([0, 2, 5]))
    def test_roundTrip(self, events: list[dict[str, Any]], by: str, subdomains: int) -> None:
        """
        Every event that was allowed is allowed by the proposal, whoever asked, and wherever
        the name led; and what nobody asked for is not.
        """
        text = propose(traffic(*events), by=by, subdomains=subdomains).text
        decisions = Decisions(configure(**tomllib.loads(text)))
        for each in events:
            address = each["address"]
            answer = decisions.ask(
                each["target"],
                user=each["user"],
                groups=each["groups"],
                addresses=None if address is None else [address.rpartition(":")[0].strip("[]")],
            )
            self.assertEqual(answer.decision, "allow", (each, text))
        stranger = decisions.ask("never.seen.example:443", user="ci", addresses=["8.8.4.4"])
        self.assertEqual(stranger.decision, "deny")
