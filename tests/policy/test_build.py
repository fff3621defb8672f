"""
Tests for L{connectproxy.policy.build}.
"""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import twisted.plugins

from connectproxy.config import configure
from connectproxy.interfaces import Action
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy, buildPolicy, buildShadow
from tests.installed import install
from tests.policy.case import PolicyCase, request

INSIDE = ip_address("10.0.0.1")
GLOBAL = ip_address("8.8.8.8")

PLUGIN = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from connectproxy.interfaces import Action, IRule, IRuleKind, Verdict

@implementer(IRule)
class Even:
    ruleName = "even"

    def __init__(self, what):
        self.what = what

    def decideRequest(self, request):
        if request.destination.port % 2:
            return None
        return Verdict(Action.DENY, f"port {request.destination.port} is even, {self.what}", self.ruleName)

    def decideAddress(self, request, address):
        return self.decideRequest(request)

@implementer(IPlugin, IRuleKind)
class Kind:
    kindName = "even"
    order = 0

    def build(self, settings, own, options={}):
        if "what" not in options:
            raise ValueError("what is missing; write options = { what = ... }")
        return Even(options["what"])

connectproxy_even = Kind()
"""


class GuardTests(PolicyCase):
    """
    Guards, in front of the rules and elsewhere.
    """

    def test_inFront(self) -> None:
        """
        Without a word about them they stand in front of everything, in their order.
        """
        names = [rule.ruleName for rule in self.policy({"action": "allow"}).rules]
        self.assertEqual(names, ["allow-ports", "own-addresses", "private-addresses"])
        own = OwnPorts()
        own.add(ip_address("127.0.0.1"), 8080)
        config = configure(policy={"default": "allow"}, allow={"networks": ["127.0.0.0/8"], "ports": "any"})
        denial = buildPolicy(config, own).decideAddress(request("me.example:8080"), ip_address("127.0.0.1"))
        assert denial is not None
        self.assertEqual(denial.rule, "own-addresses")

    def test_moved(self) -> None:
        """
        A rule that names a guard puts it in its own place, and nowhere else.
        """
        policy = self.policy(
            {"action": "allow", "networks": ["10.0.0.0/24"], "users": ["ann"]},
            {"kind": "private"},
            {"action": "allow"},
        )
        self.assertEqual(
            [step.rule for step in policy.trace(request())],
            ["allow-ports", "own-addresses", "rule-0", "rule-1", "rule-2", "default"],
        )
        self.assertIsNone(policy.decideAddress(request("a.b:443", "ann"), INSIDE))
        denial = policy.decideAddress(request("a.b:443", "bob"), INSIDE)
        assert denial is not None
        self.assertEqual(denial.rule, "rule-1")  # as the operator calls it
        self.assertIsNone(policy.decideAddress(request("a.b:443", "bob"), GLOBAL))

    def test_movedTooFar(self) -> None:
        """
        Behind a rule that allows names the guard of private addresses is no guard for those,
        and that is told.
        """
        policy = self.policy({"action": "allow", "destinations": [".a.b"]}, {"kind": "private"})
        (warning,) = policy.warnings
        self.assertIn("stands behind the rule rule-0, which allows names whatever", warning.message)
        self.assertIsNone(policy.decideAddress(request("x.a.b:443"), INSIDE))

    def test_movedPorts(self) -> None:
        """
        Rules before the guard of ports are for any port.
        """
        policy = self.policy(
            {"action": "allow", "destinations": ["git.a.b"], "ports": [22]},
            {"kind": "ports"},
            {"action": "allow", "users": ["*"]},
            allow={"ports": [443]},
        )
        self.assertIs(policy.decideRequest(request("git.a.b:22")).action, Action.ALLOW)
        self.assertEqual(policy.decideRequest(request("x.b:22", "ann")).rule, "rule-1")
        self.assertEqual(policy.warnings, ())

    def test_exempt(self) -> None:
        """
        Networks are opened by one setting for all, and by the options besides.
        """
        policy = self.policy(
            {"kind": "private", "options": {"exempt": ["10.0.0.0/24"]}},
            default="allow",
            allow={"networks": ["10.1.0.0/24"]},
        )
        for text, allowed in {
            "10.0.0.1": True,
            "10.1.0.1": True,
            "10.2.0.1": False,
            "127.0.0.1": False,
        }.items():
            self.assertIs(policy.decideAddress(request(), ip_address(text)) is None, allowed, text)

    def test_neverAsAWhole(self) -> None:
        """
        A whole family is not opened, be it in one network or in two, by whatever key.
        """
        for text in ("0.0.0.0/0", "::/0", "0.0.0.0/1, 128.0.0.0/1"):
            (found,) = self.problems(allow={"networks": [text]})
            self.assertIn("would open every private and special address", found)
            row = {"kind": "private", "options": {"exempt": text.split(", ")}}
            (found,) = self.problems(row)
            self.assertTrue(found.startswith('[[rule]] 1 "rule-0": '), found)
            self.assertIn("would open every private and special address", found)

    def test_wrongOptions(self) -> None:
        """
        Options that a guard does not know, or can't read, are told with the rule.
        """
        for row, part in (
            ({"kind": "private", "options": {"exmpt": ["10.0.0.0/8"]}}, "has no option 'exmpt'"),
            ({"kind": "private", "options": {"exempt": 7}}, "is no array of networks"),
            ({"kind": "private", "options": {"exempt": [7]}}, "is no array of networks"),
            ({"kind": "private", "options": {"exempt": ["10.0.0.1/8"]}}, "bits set"),
            ({"kind": "loop", "options": {"x": 1}}, "has no options"),
            ({"kind": "ports", "options": {"x": 1}}, "has no options"),
        ):
            (found,) = self.problems(row)
            self.assertIn('"rule-0": ', found)
            self.assertIn(part, found)


class KindTests(PolicyCase):
    """
    Rules in Python that are not ours.
    """

    def setUp(self) -> None:
        """
        A plugin is installed.
        """
        home = Path(self.mktemp()).absolute() / "twisted" / "plugins"
        home.mkdir(parents=True)
        (home / "connectproxy_even_rule.py").write_text(PLUGIN)
        twisted.plugins.__path__.append(str(home))
        self.addCleanup(twisted.plugins.__path__.remove, str(home))
        self.addCleanup(sys.modules.pop, "twisted.plugins.connectproxy_even_rule", None)

    def test_plugin(self) -> None:
        """
        A rule kind among Twisted's plugins is found by its name, and told its options.
        """
        policy = self.policy(
            {"action": "allow", "destinations": ["a.b"]},
            {"kind": "even", "options": {"what": "so there"}},
            {"action": "allow"},
        )
        self.assertIs(policy.decideRequest(request("a.b:80")).action, Action.ALLOW)
        verdict = policy.decideRequest(request("c.b:80"))
        self.assertEqual((verdict.rule, verdict.reason), ("rule-1", "port 80 is even, so there"))
        self.assertEqual(policy.decideRequest(request("c.b:443")).rule, "rule-2")

    def test_itsProblem(self) -> None:
        """
        What is wrong with its options is told as everything else is.
        """
        found = self.problems({"kind": "even"}, {"action": "allow", "destinations": ["@/nowhere"]})
        self.assertEqual(len(found), 2, found)
        self.assertIn('[[rule]] 1 "rule-0": what is missing', found[0])

    def test_unknown(self) -> None:
        """
        A kind that nobody has is told with those that there are.
        """
        (found,) = self.problems({"kind": "evn"})
        self.assertIn("there is no rule kind 'evn'; do you mean even?", found)
        (found,) = self.problems({"kind": "zzz"})
        self.assertIn("there are even, loop, ports, private; others are found by entry points", found)


class EntryPointTests(PolicyCase):
    """
    Rule kinds of distributions.
    """

    def test_found(self) -> None:
        """
        One is found by the name of its entry point.
        """
        text = PLUGIN.replace("IPlugin, ", "").replace("from twisted.plugin import IPlugin\n", "")
        install(self, {"connectproxy.rules": {"even": "toys_even:connectproxy_even"}}, {"toys_even": text})
        policy = self.policy({"kind": "even", "options": {"what": "so there"}})
        self.assertEqual(policy.decideRequest(request("c.b:80")).reason, "port 80 is even, so there")

    def test_unloadable(self) -> None:
        """
        Why one can't be loaded is told with where it is named, and with everything else.
        """
        install(self, {"connectproxy.rules": {"even": "toys_even:kind"}})
        found = self.problems({"kind": "even"}, {"kind": "odd"})
        self.assertEqual(len(found), 2, found)
        self.assertIn(
            '[[rule]] 1 "rule-0": the entry point even = toys_even:kind of toys 1.0 can\'t be loaded:',
            found[0],
        )


class AllowListTests(PolicyCase):
    """
    The files of C{allow.list}.
    """

    def test_sandboxWithoutList(self) -> None:
        """
        A profile that denies by default, and nothing to allow: that can't be meant.
        """
        for others, warned in (({}, True), ({"allow": {"list": [self.write("a.example\n")]}}, False)):
            policy = buildPolicy(configure(proxy={"profile": "sandbox"}, **others), OwnPorts())
            self.assertEqual(any("nothing is allowed" in str(each) for each in policy.warnings), warned)

    def test_everySort(self) -> None:
        """
        Names, names with a port and networks are allowed behind the rules and before the
        default.
        """
        path = self.write("pypi.org\n.b.example\ngit.example:22\n8.8.8.0/24\n")
        other = self.write("c.example\nhub.example:22\n1.1.1.1\n", "other.txt")
        policy = self.policy(
            {"action": "deny", "destinations": ["x.b.example"]}, allow={"list": [path, other], "ports": "any"}
        )
        for target, rule, reason in (
            ("pypi.org:443", "allow-list", "pypi.org is on the list list.txt"),
            ("y.b.example:443", "allow-list", "y.b.example is on the list list.txt"),
            ("x.b.example:443", "rule-0", "x.b.example is among the names of the rule"),
            ("git.example:22", "allow-list", "git.example is on the list list.txt"),
            ("hub.example:22", "allow-list", "hub.example is on the list other.txt"),
            ("8.8.8.8:80", "allow-list", "8.8.8.8 is on the list list.txt"),
            ("c.example:80", "allow-list", "c.example is on the list other.txt"),
            ("1.1.1.1:80", "allow-list", "1.1.1.1 is on the list other.txt"),
            ("8.8.9.8:80", "default", "no rule allows 8.8.9.8:80"),
        ):
            verdict = policy.decideRequest(request(target))
            self.assertEqual((verdict.rule, verdict.reason), (rule, reason), target)
        # A name that is on no list is denied before it is looked up, wherever it may lead: asking
        # name servers can carry secrets out.
        verdict = policy.decideRequest(request("git.example:443"))
        self.assertEqual((verdict.rule, verdict.provisional), ("default", False))
        whys = [step.why for step in policy.trace(request("git.example:443"))]
        self.assertIn("git.example is a name, and it is for addresses that clients name", whys)
        denial = policy.decideAddress(request("git.example:443"), ip_address("8.8.8.9"))
        assert denial is not None
        self.assertEqual(denial.rule, "default")
        self.assertEqual(policy.files, (path, other))
        self.assertEqual(policy.warnings, ())

    def test_empty(self) -> None:
        """
        An empty list allows nothing, and that is told.
        """
        path = self.write("# nothing yet\n")
        policy = self.policy(allow={"list": [path]})
        self.assertIs(policy.decideRequest(request()).action, Action.DENY)
        self.assertEqual(
            [str(each) for each in policy.warnings],
            [f"{path}: the list list.txt is empty; put names on it, one a line"],
        )

    def test_withoutEffect(self) -> None:
        """
        A list of what is allowed changes nothing where all is allowed.
        """
        policy = self.policy(default="allow", allow={"list": [self.write("a.b\n")]})
        self.assertIn("has no effect", policy.warnings[0].message)

    def test_wrong(self) -> None:
        """
        Every line that is wrong is told, of all lists, with those of rules.
        """
        first, second = self.write("a b\n"), self.write("c.d\n10.0.0.1\n", "second.txt")
        found = self.problems(
            {"action": "deny", "destinations": [f"@{second}"]}, allow={"list": [first, "/nowhere"]}
        )
        self.assertEqual(
            [line.partition(": ")[0] for line in found], [f"{second}:2", f"{first}:1", "allow.list"]
        )


class RowTests(PolicyCase):
    """
    Tables of rules and groups.
    """

    def test_groups(self) -> None:
        """
        Members of a group are named in its table, or in a file.
        """
        path = self.write("ann\nbob\n")
        policy = self.policy(
            {"action": "allow", "groups": ["dev"]},
            group=[{"name": "dev", "users": [f"@{path}", "eve"]}, {"name": "ops", "users": ["zoe"]}],
        )
        for user, action in {
            "ann": "allow",
            "bob": "allow",
            "eve": "allow",
            "zoe": "deny",
            None: "deny",
        }.items():
            self.assertEqual(policy.decideRequest(request("a.b:443", user)).action.value, action, user)
        self.assertIs(policy.decideRequest(request("a.b:443", "zoe", "dev")).action, Action.ALLOW)
        self.assertEqual(policy.files, (path,))

    def test_upstreams(self) -> None:
        """
        A rule that names a way which is not there is an error, with the ways that there are.
        """
        row = {"action": "allow", "destinations": ["a.b"]}
        (found,) = self.problems({**row, "upstream": "dirct"})
        self.assertEqual(found, "[[rule]] 1 \"rule-0\": there is no upstream 'dirct'; do you mean direct?")
        self.assertIn("there are: direct", self.problems({**row, "upstream": "zzz"})[0])

    def test_everythingAtOnce(self) -> None:
        """
        What is wrong is told at once, whatever it is.
        """
        found = self.problems(
            {"action": "allow", "users": ["@/nowhere"], "upstream": "zzz"},
            {"kind": "zzz"},
            {"action": "deny", "networks": [f"@{self.write('a.b')}"]},
            allow={"networks": ["::/0"]},
        )
        self.assertEqual(len(found), 5, found)

    def test_other(self) -> None:
        """
        Rows can come from elsewhere than the configuration.
        """
        config = configure(policy={"default": "deny"}, rule=[{"name": "a", "action": "allow"}])
        policy = buildPolicy(config, OwnPorts(), rows={"rule": ()}, origin="other.toml")
        self.assertEqual(policy.decideRequest(request()).rule, "default")
        self.assertEqual(policy.files, ("other.toml",))

    def test_default(self) -> None:
        """
        Without a word about it, what no rule decides is allowed.
        """
        self.assertIs(buildPolicy(configure(), OwnPorts()).decideRequest(request()).action, Action.ALLOW)


class ShadowTests(PolicyCase):
    """
    The policy beside.
    """

    def shadow(self, text: str) -> tuple[Policy | None, str]:
        """
        The policy in a file of its own.
        """
        path = self.write(text, "shadow.toml") if text else ""
        tables: dict[str, Any] = {"policy": {"default": "allow", "shadow": path}}
        return buildShadow(configure(**tables), OwnPorts()), path

    def test_none(self) -> None:
        """
        Where none is named, there is none.
        """
        self.assertIsNone(self.shadow("")[0])

    def test_itsOwnRules(self) -> None:
        """
        It has its own rules and default; its file, and its lists, are told.
        """
        names = self.write("a.b\n")
        text = f'[policy]\ndefault = "deny"\n[[rule]]\nname = "s"\naction = "allow"\ndestinations = ["@{names}"]\n'
        policy, path = self.shadow(text)
        assert policy is not None
        self.assertEqual(policy.decideRequest(request("a.b:443")).rule, "s")
        self.assertEqual(policy.decideRequest(request("c.b:443")).rule, "default")
        self.assertEqual(policy.files, (path, names))
