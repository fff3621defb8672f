"""
Tests for L{connectproxy.policy.table}: what only shows in certain cases.  That compiled
rules decide as others is in L{tests.policy.test_table_oracle}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from connectproxy.interfaces import Action, Bounds
from connectproxy.policy.table import Table
from tests.policy.case import NOON, PolicyCase, request

GLOBAL = ip_address("8.8.8.8")


class AgainTests(PolicyCase):
    """
    The same request, asked about once more.
    """

    def asked(self, target: str, *rules: dict[str, Any]) -> int:
        """
        How often rules are walked for a request and the address that it leads to.
        """
        policy = self.policy(*rules)
        (table,) = (part for part in policy._parts if isinstance(part, Table))
        walked: list[Any] = []
        find = table._find

        def count(asked: Any) -> Any:
            walked.append(asked)
            return find(asked)

        table._find = count  # type: ignore[method-assign]
        one = request(target)
        for _ in range(2):
            policy.decideRequest(one)
            policy.decideAddress(one, GLOBAL)
        policy.decideRequest(request(target))
        return len(walked)

    def test_asOften(self) -> None:
        """
        They are walked again where something more is known that they look at, where the time
        matters, and for every other request.
        """
        name, network = {"destinations": ["a.b"]}, {"networks": ["8.0.0.0/8"]}
        self.assertEqual(self.asked("a.b:443", {"action": "allow", **name}), 2)
        self.assertEqual(self.asked("8.8.8.8:443", {"action": "allow", **network}), 2)
        self.assertEqual(self.asked("a.b:443", {"action": "allow", **network}), 5)
        self.assertEqual(self.asked("a.b:443", {"action": "allow", "hours": ["08:00-18:00"], **name}), 5)


class ActionTests(PolicyCase):
    """
    What a rule says besides yes or no.
    """

    def test_allow(self) -> None:
        """
        A permission carries the upstream and the deadlines that the rule names.
        """
        policy = self.policy(
            {
                "action": "allow",
                "destinations": ["a.b"],
                "upstream": "direct",
                "idle_timeout": 60,
                "lifetime": 0,
            },
            {"action": "allow"},
        )
        verdict = policy.decideRequest(request("a.b:443"))
        self.assertEqual((verdict.upstream, verdict.bounds), ("direct", Bounds(None, 60.0, 0.0)))
        other = policy.decideRequest(request("b.b:443"))
        self.assertEqual((other.upstream, other.bounds, other.message), (None, None, ""))

    def test_message(self) -> None:
        """
        A denial carries the rule's words for the client, or those of the policy.
        """
        policy = self.policy(
            {"action": "deny", "destinations": ["a.b"], "message": "use c.b"},
            {"action": "deny"},
            policy={"contact": "ask us"},
        )
        self.assertEqual(policy.decideRequest(request("a.b:443")).message, "use c.b")
        verdict = policy.judge(request("b.b:443"), GLOBAL)
        self.assertEqual(verdict.message, "ask us")
        self.assertEqual((verdict.kind, verdict.refusal().row.status), ("http_request_denied", 403))

    def test_report(self) -> None:
        """
        What only reports is collected from all rules before the one that decides, in every
        stage, and none behind it.
        """
        policy = self.policy(
            {"action": "deny", "ports": [443], "report": True},
            {"action": "deny", "networks": ["8.8.8.0/24"], "report": True},
            {"action": "deny", "server_name": "none", "report": True},
            {"action": "allow", "destinations": ["a.b"]},
            {"action": "deny", "report": True},
        )
        asked = request("a.b:443")
        port = "rule-0: port 443 is among the ports of the rule"
        network = "rule-1: a.b resolves to an address in a network of the rule"
        verdict = policy.decideRequest(asked)
        self.assertEqual(verdict[:3], (Action.ALLOW, "a.b is among the names of the rule", "rule-3"))
        self.assertEqual((verdict.reports, verdict.provisional), ((port,), True))
        self.assertEqual(policy.judge(asked, GLOBAL).reports, (port, network))
        self.assertEqual(policy.judge(asked, ip_address("1.1.1.1")).reports, (port,))
        name = "rule-2: there is no TLS server name"
        self.assertEqual(policy.judge(asked, GLOBAL, "").reports, (port, network, name))
        self.assertIsNone(policy.decideAddress(asked, GLOBAL))


class AddressTests(PolicyCase):
    """
    Rules with networks.
    """

    def test_lookAndSee(self) -> None:
        """
        A name is looked up where a network could allow it, and each address is judged.
        """
        policy = self.policy({"action": "allow", "networks": ["8.8.8.0/24"]})
        asked = request("a.b:443")
        verdict = policy.decideRequest(asked)
        self.assertEqual(verdict[:3], (Action.ALLOW, "it depends on the address of a.b", "rule-0"))
        self.assertTrue(verdict.provisional)
        self.assertIsNone(policy.decideAddress(asked, GLOBAL))
        denial = policy.decideAddress(asked, ip_address("1.1.1.1"))
        assert denial is not None
        self.assertEqual(denial.reason, "no rule allows a.b:443")

    def test_literal(self) -> None:
        """
        With an address for a destination it is known at once.
        """
        policy = self.policy({"action": "allow", "networks": ["8.8.8.0/24"]})
        self.assertFalse(policy.decideRequest(request("8.8.8.8:443")).provisional)
        self.assertIs(policy.decideRequest(request("1.1.1.1:443")).action, Action.DENY)

    def test_addressOfOthers(self) -> None:
        """
        Where nobody here sees the address, a network allows nothing.
        """
        policy = self.policy({"action": "allow", "networks": ["0.0.0.0/0", "::/0"]})
        self.assertIs(policy.judge(request("a.b:443"), None).action, Action.DENY)

    def test_hiddenIPv4(self) -> None:
        """
        A denial finds an IPv4 address in whatever it hides, and a permission does not let
        through by what hides.
        """
        denies = self.policy({"action": "deny", "networks": ["8.8.8.0/24"]}, default="allow")
        allows = self.policy({"action": "allow", "networks": ["8.8.8.0/24"]})
        asked = request("a.b:443")
        for text in ("64:ff9b::808:808", "::ffff:8.8.8.8", "8.8.8.8"):
            self.assertIsNotNone(denies.decideAddress(asked, ip_address(text)), text)
        self.assertIsNone(denies.decideAddress(asked, ip_address("64:ff9b::909:909")))
        self.assertIsNotNone(allows.decideAddress(asked, ip_address("64:ff9b::808:808")))
        self.assertIsNone(allows.decideAddress(asked, ip_address("::ffff:8.8.8.8")))

    def test_guardComesFirst(self) -> None:
        """
        No network of a rule opens what the guards close: that takes allow.networks.
        """
        row = {"action": "allow", "networks": ["10.0.0.0/8"]}
        asked, address = request("10.1.2.3:443"), ip_address("10.1.2.3")
        self.assertIs(self.policy(row).decideRequest(asked).action, Action.ALLOW)
        denial = self.policy(row).decideAddress(asked, address)
        assert denial is not None
        self.assertEqual((denial.rule, denial.kind), ("private-addresses", "destination_ip_prohibited"))
        opened = self.policy(row, allow={"networks": ["10.0.0.0/8"]})
        self.assertIsNone(opened.decideAddress(asked, address))


class OddFormTests(PolicyCase):
    """
    The same place, written otherwise.
    """

    def test_oneDestination(self) -> None:
        """
        Forms that mean one destination are judged as that; what the resolver would read as
        an address, and a rule as a name, is no destination at all.
        """
        policy = self.policy(
            {"action": "deny", "networks": ["8.8.8.8"]},
            {"action": "deny", "destinations": [".bad.example"]},
            default="allow",
        )
        for target in (
            *("8.8.8.8:443", "[::ffff:8.8.8.8]:443", "[::FFFF:808:808]:443", "[64:ff9b::8.8.8.8]:443"),
            *(
                "[64:FF9B::808:0808]:443",
                "[0:0:0:0:0:ffff:808:808]:443",
                "bad.example:443",
                "BAD.Example:443",
            ),
            *("bad.example.:443", "x.bad.example.:443", "X.Y.BAD.EXAMPLE:00443"),
        ):
            asked = request(target)
            verdict = policy.decideRequest(asked)
            self.assertIs(verdict.action, Action.DENY, target)
            self.assertIs(policy.judge(asked, GLOBAL).action, Action.DENY, target)

    def test_noDestination(self) -> None:
        """
        Numbers in other bases, short addresses, zones, percent-encoding and what is not in
        ASCII never get as far as a rule.
        """
        for target in (
            *("134744072:443", "0x08080808:443", "010.010.010.010:443", "8.8.2056:443", "0x8.8.8.8:443"),
            *(
                "8.8.8.8.:443",
                "[fe80::1%eth0]:443",
                "[fe80::1%25eth0]:443",
                "8%2e8.8.8:443",
                "b%61d.example:443",
            ),
            *("bad\u3002example:443", "b\u0430d.example:443", "bad..example:443", "user@bad.example:443"),
        ):
            self.assertRaises(ValueError, request, target)

    def test_lookAlikes(self) -> None:
        """
        A name that looks like one on a list is not that name, neither allowed nor denied by
        it.
        """
        policy = self.policy({"action": "allow", "destinations": [".apple.example", ".b\u00fccher.example"]})
        for target, action in {
            "xn--pple-43d.example:443": Action.DENY,
            "apple.example:443": Action.ALLOW,
            "XN--BCHER-KVA.example:443": Action.ALLOW,
            "bucher.example:443": Action.DENY,
            "notapple.example:443": Action.DENY,
            "apple.example.evil.test:443": Action.DENY,
        }.items():
            self.assertIs(policy.decideRequest(request(target)).action, action, target)

    def test_addressesAreNoNames(self) -> None:
        """
        Every name is not every address.
        """
        policy = self.policy({"action": "allow", "destinations": ["*"]})
        self.assertIs(policy.decideRequest(request("a.b:443")).action, Action.ALLOW)
        for target in ("8.8.8.8:443", "[2606:4700::1]:443", "[::ffff:8.8.8.8]:443"):
            self.assertIs(policy.decideRequest(request(target)).action, Action.DENY, target)

    def test_longestName(self) -> None:
        """
        A name of as many labels as there can be costs no more than its length.
        """
        policy = self.policy({"action": "allow", "destinations": [".a", "a*.b", "*"]})
        self.assertIs(policy.decideRequest(request(".".join("a" * 127) + ":443")).action, Action.ALLOW)


class ServerNameTests(PolicyCase):
    """
    Rules with TLS server names.
    """

    def said(self, policy: Any, target: str, name: str) -> tuple[str, str]:
        """
        Action and reason once the name is known.
        """
        verdict = policy.decideServerName(request(target), GLOBAL, name)
        return verdict.action.value, verdict.reason

    def test_hiddenName(self) -> None:
        """
        CONNECT to an address, or to a name that is allowed, can't hide another one.
        """
        policy = self.policy({"action": "deny", "server_name": "other"}, default="allow")
        for target, name, action in (
            ("a.b:443", "a.b", "allow"),
            ("a.b:443", "A.B.", "allow"),
            ("a.b:443", "x.b", "deny"),
            ("a.b:443", "", "allow"),
            ("8.8.8.8:443", "a.b", "deny"),
            ("8.8.8.8:443", "8.8.8.8", "deny"),
            ("8.8.8.8:443", "", "allow"),
        ):
            self.assertEqual(self.said(policy, target, name)[0], action, (target, name))

    def test_names(self) -> None:
        """
        Server names are compared as destinations are; what is no name matches none.
        """
        policy = self.policy({"action": "allow", "networks": ["8.8.8.8"], "server_names": ["*", ".a.b"]})
        for name, action in {
            "x.a.b": "allow",
            "X.A.B": "allow",
            "": "deny",
            "8.8.8.8": "deny",
            "::1": "deny",
            "a" * 300: "deny",
            ".": "deny",
        }.items():
            self.assertEqual(self.said(policy, "8.8.8.8:443", name)[0], action, name)

    def test_wanted(self) -> None:
        """
        The name is only asked for where it can matter: not behind what decides, and not for
        requests that the rule is not for.
        """
        policy = self.policy(
            {"action": "allow", "destinations": ["sure.b"]},
            {"action": "deny", "server_name": "other", "ports": [443]},
            default="allow",
        )
        self.assertTrue(policy.wantsServerName(request("a.b:443")))
        self.assertFalse(policy.wantsServerName(request("sure.b:443")))
        self.assertFalse(policy.wantsServerName(request("a.b:80")))
        self.assertFalse(self.policy({"action": "allow"}).wantsServerName(request("a.b:443")))

    def test_noTunnel(self) -> None:
        """
        A message that is forwarded, and datagrams, have no server name and never will: what
        is allowed for a name is not for them, and what is denied for want of one is.
        """
        allowed = self.policy({"action": "allow", "server_names": [".a.b"]})
        denied = self.policy({"action": "deny", "server_name": "none"}, default="allow")
        for method in ("GET", "UDP ASSOCIATE"):
            asked = request("x.a.b:80", method=method)
            for policy in (allowed, denied):
                self.assertFalse(policy.wantsServerName(asked))
                self.assertEqual(policy.decideRequest(asked).action, Action.DENY, method)
                self.assertIsNotNone(policy.decideAddress(asked, GLOBAL))
                self.assertEqual(policy.judge(asked, GLOBAL).action, Action.DENY, method)
            self.assertEqual([step.outcome for step in allowed.trace(asked)][-2:], ["pass", "deny"])
        self.assertTrue(allowed.decideRequest(request("x.a.b:443")).provisional)

    def test_reasons(self) -> None:
        """
        The reason shows the name, escaped and cut where it is strange.
        """
        policy = self.policy({"action": "deny", "server_name": "other"}, default="allow")
        self.assertEqual(
            self.said(policy, "a.b:443", "x.y")[1], "the TLS server name x.y is not the destination's"
        )
        reason = self.said(policy, "a.b:443", "\x1b[0m\n" + "z" * 5000)[1]
        self.assertTrue(reason.isprintable() and reason.isascii() and len(reason) < 150, reason)


class TimeTests(PolicyCase):
    """
    Rules that hold at some times.
    """

    def test_clock(self) -> None:
        """
        The policy goes by its clock, and not by what it was when it was built.
        """
        policy = self.policy({"action": "allow", "days": ["mon"], "hours": ["12:00-12:01"]})
        asked = request()
        found = []
        for offset in (-1, 0, 30, 60, 86400):
            self.now = NOON + offset
            found.append(policy.decideRequest(asked).action is Action.ALLOW)
        self.assertEqual(found, [False, True, True, False, False])


class SecrecyTests(PolicyCase):
    """
    What a reason must not tell.
    """

    def test_noAddress(self) -> None:
        """
        What a name resolves to, and which networks a rule has, is in no reason; nor is a
        list's directory, nor the client's own address.
        """
        path = self.write("8.8.8.0/24\n", "inside.txt")
        names = self.write("a.b\n", "names.txt")
        for row in (
            {"networks": ["8.8.8.0/24"]},
            {"networks": [f"@{path}"]},
            {"destinations": [f"@{names}"]},
            {"clients": ["192.0.2.0/24"]},
            {"networks": ["8.8.8.0/24"], "server_name": "same"},
        ):
            policy = self.policy({"action": "deny", **row}, default="allow")
            reason = policy.judge(request("a.b:443"), GLOBAL, "a.b").reason
            for secret in ("8.8", "192.0", "/", "24"):
                self.assertNotIn(secret, reason)
