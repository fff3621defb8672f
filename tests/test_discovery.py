"""
Tests for L{connectproxy.discovery}.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import twisted.plugins
from twisted.cred.strcred import ICheckerFactory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.discovery import Unloadable, checkers, kinds, plugins, protocols, rules, schemes
from connectproxy.interfaces import IDialect, IListenerKind, IRuleKind, IUpstreamKind
from tests.installed import install

KIND = """
from zope.interface import implementer
from connectproxy.interfaces import IUpstreamKind

@implementer(IUpstreamKind)
class Kind:
    kindName = {!r}

kind = Kind()
"""


class OwnTests(SynchronousTestCase):
    """
    What the package itself has.
    """

    def test_listeners(self) -> None:
        """
        Every protocol for clients.
        """
        self.assertEqual(
            list(kinds("connectproxy.listeners", IListenerKind)), ["auto", "http", "http2", "socks"]
        )

    def test_rules(self) -> None:
        """
        Every rule, each with an order of its own, so that there is but one: the cheapest
        question first, and what is called a loop before it is called private.
        """
        found = kinds("connectproxy.rules", IRuleKind)
        self.assertEqual(list(found), ["loop", "ports", "private"])
        self.assertEqual(
            {kind.order: name for name, kind in found.items()}, {10: "ports", 20: "loop", 30: "private"}
        )

    def test_upstreams(self) -> None:
        """
        Every way to a destination.
        """
        self.assertEqual(
            list(kinds("connectproxy.upstreams", IUpstreamKind)),
            ["direct", "endpoint", "group", "http", "http2", "socks"],
        )

    def test_names(self) -> None:
        """
        A kind is called as its module.
        """
        for package, interface in (
            ("listeners", IListenerKind),
            ("rules", IRuleKind),
            ("upstreams", IUpstreamKind),
        ):
            for name, kind in kinds(f"connectproxy.{package}", interface).items():
                own = f"connectproxy.{package}.{name}."
                self.assertTrue(f"{type(kind).__module__}.".startswith(own), kind)


class ForeignTests(SynchronousTestCase):
    """
    A package that is written for the test.
    """

    package = "connectproxy_discovery_tests"

    def write(self, **modules: str) -> None:
        """
        Make the package.
        """
        root = Path(self.mktemp())
        home = root / self.package
        home.mkdir(parents=True)
        for name, text in {"__init__": "", **modules}.items():
            (home / f"{name}.py").write_text(text)
        sys.path.insert(0, str(root))
        self.addCleanup(self.forget)
        self.addCleanup(sys.path.remove, str(root))

    def forget(self) -> None:
        """
        Leave nothing imported.
        """
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]

    def test_oneFileIsEnough(self) -> None:
        """
        A new kind is a new file; a file without a kind is none, and the order is that of
        the names and not of the files.
        """
        self.write(a=KIND.format("second"), b=KIND.format("first"), helper="value = 1")
        found = kinds(self.package, IUpstreamKind)
        self.assertEqual(list(found), ["first", "second"])
        self.assertEqual(type(found["second"]).__module__, f"{self.package}.a")

    def test_nothing(self) -> None:
        """
        An empty package has none.
        """
        self.write()
        self.assertEqual(kinds(self.package, IUpstreamKind), {})

    def test_wrongInterface(self) -> None:
        """
        A kind of another sort is a mistake, and the message names it and what is missing.
        """
        self.write(odd=KIND.format("odd"))
        with self.assertRaises(TypeError) as caught:
            kinds(self.package, IRuleKind)
        self.assertEqual(str(caught.exception), f"{self.package}.odd.kind does not provide IRuleKind")

    def test_broken(self) -> None:
        """
        A module that cannot be imported is not passed over in silence.
        """
        self.write(broken="1 / 0")
        with self.assertRaises(ZeroDivisionError):
            kinds(self.package, IUpstreamKind)


class PluginTests(SynchronousTestCase):
    """
    Kinds of others.
    """

    def test_nothing(self) -> None:
        """
        Where nobody has installed any, there are none; ours are no plugins.
        """
        self.assertEqual(plugins(IRuleKind), {})

    def test_found(self) -> None:
        """
        What provides the interface is found by its name, in the order of the names, and the
        first of two with one name counts.
        """
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        text = KIND.replace("implementer(I", "implementer(IPlugin, I").removesuffix("kind = Kind()\n")
        text = "from twisted.plugin import IPlugin\n" + text
        more = "zed = Kind()\nzed.kindName = 'a'\nagain = Kind()\n"
        (home / "connectproxy_test_kinds.py").write_text(text.format("b") + "kind = Kind()\n" + more)
        twisted.plugins.__path__.append(str(home))
        self.addCleanup(twisted.plugins.__path__.remove, str(home))
        self.addCleanup(sys.modules.pop, "twisted.plugins.connectproxy_test_kinds", None)
        found = plugins(IUpstreamKind)
        self.assertEqual(list(found), ["a", "b"])
        self.assertEqual(type(found["a"]).__module__, "twisted.plugins.connectproxy_test_kinds")
        self.assertEqual(plugins(IRuleKind), {})


RULES = """
from zope.interface import implementer
from connectproxy.interfaces import IRuleKind

@implementer(IRuleKind)
class Kind:
    def __init__(self, name):
        self.kindName = name

first, second, ports = Kind("first"), Kind("second"), Kind("ports")
"""

GROUP = "connectproxy.rules"


class CatalogueTests(SynchronousTestCase):
    """
    Kinds of others, by entry points.
    """

    def test_ours(self) -> None:
        """
        Ours are found by what a configuration calls them, and nothing else is looked at.
        """
        self.assertEqual(rules(IRuleKind)["ports"].kindName, "ports")
        self.assertEqual(protocols(IDialect)["socks4"].kindName, "socks")
        self.assertEqual(protocols()["h2"].kindName, "http2")
        found = schemes(IUpstreamKind)
        for scheme in found:
            self.assertIn(scheme, found[scheme].schemes)
        self.assertNotIn("direct", found)
        self.assertEqual(list(checkers(ICheckerFactory)), [])

    def test_startUp(self) -> None:
        """
        Whoever names nothing that is not ours pays nothing for what others could have
        installed.
        """
        script = (
            "import sys, connectproxy.service\n"
            "from connectproxy import configure\n"
            "from connectproxy.discovery import rules\n"
            "from connectproxy.interfaces import IRuleKind\n"
            "configure(listen=[{'endpoint': '1', 'protocols': ['http/1.1', 'socks5']}], policy={'default': 'deny'})\n"
            "rules(IRuleKind)['ports']\n"
            "class Finder:\n"
            "    def find_distributions(self, context):\n"
            "        looked.append(context)\n"
            "        return ()\n"
            "    find_spec = staticmethod(lambda *a: None)\n"
            "looked = []\n"
            "sys.meta_path.append(Finder())\n"
            "rules(IRuleKind)['ports']\n"
            "print(looked, 'twisted.plugins' in sys.modules)\n"
            "rules(IRuleKind).get('nothing')\n"
            "print(len(looked) > 0)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
        self.assertEqual((done.stderr, done.stdout), ("", "[] False\nTrue\n"))

    def test_installed(self) -> None:
        """
        An entry point's name is the kind's, and only the one that is asked for is imported.
        """
        install(
            self,
            {GROUP: {"second": "toys_of_tests:second", "broken": "toys_broken:kind"}},
            {"toys_of_tests": RULES, "toys_broken": "1 / 0"},
        )
        found = rules(IRuleKind)
        self.assertEqual(list(found), ["broken", "loop", "ports", "private", "second"])
        self.assertEqual(len(found), 5)
        self.assertIn("second", found)
        self.assertNotIn("third", found)
        self.assertNotIn("toys_of_tests", sys.modules)
        self.assertEqual(found["second"].kindName, "second")
        self.assertIs(found["second"], found["second"])
        self.assertNotIn("toys_broken", sys.modules)
        self.assertRaises(KeyError, found.__getitem__, "third")

    def test_notOurs(self) -> None:
        """
        Nobody takes the place of a kind of ours by calling another so, neither by an entry
        point nor by a plugin.
        """
        install(self, {GROUP: {"ports": "toys_of_tests:ports"}}, {"toys_of_tests": RULES})
        self.assertEqual(rules(IRuleKind)["ports"], kinds(GROUP, IRuleKind)["ports"])
        self.assertNotIn("toys_of_tests", sys.modules)

    def test_twoOfOneName(self) -> None:
        """
        The one that comes first on Python's path counts.
        """
        for name in ("later", "earlier"):
            install(
                self,
                {GROUP: {"first": f"toys_{name}:first"}},
                {f"toys_{name}": RULES},
                name=name,
            )
        self.assertEqual(type(rules(IRuleKind)["first"]).__module__, "toys_earlier")

    def test_unloadable(self) -> None:
        """
        What can't be used is told with the entry point, its distribution, and why.
        """
        install(
            self,
            {
                GROUP: {
                    "absent": "toys_absent:kind",
                    "broken": "toys_broken:kind",
                    "odd": "toys_of_tests:Kind",
                    "other": "toys_of_tests:first",
                }
            },
            {"toys_of_tests": RULES, "toys_broken": "1 / 0"},
        )
        found = rules(IRuleKind)
        for name, words in {
            "absent": "absent = toys_absent:kind of toys 1.0 can't be loaded: ModuleNotFoundError: No module named"
            " 'toys_absent'",
            "broken": "broken = toys_broken:kind of toys 1.0 can't be loaded: ZeroDivisionError: division by zero",
            "odd": "odd = toys_of_tests:Kind of toys 1.0 leads to what does not provide IRuleKind",
            "other": "other = toys_of_tests:first of toys 1.0 leads to what is called first; call the entry point so",
        }.items():
            with self.assertRaises(Unloadable) as caught:
                found.get(name)
            self.assertEqual(str(caught.exception), f"the entry point {words}")

    def test_advice(self) -> None:
        """
        Of all that there is, what was probably meant; or all of it.
        """
        install(self, {GROUP: {"daytime": "toys_absent:kind"}})
        found = rules(IRuleKind)
        self.assertEqual(found.advice("daytimes"), "do you mean daytime?")
        self.assertEqual(
            found.advice("zzz"),
            "there are daytime, loop, ports, private; others are found by entry points in the group"
            " connectproxy.rules",
        )
        self.assertNotIn("toys_absent", sys.modules)

    def test_checkers(self) -> None:
        """
        A factory of checkers is called as what stands before the colon.
        """
        text = """
from zope.interface import implementer
from twisted.cred.strcred import ICheckerFactory

@implementer(ICheckerFactory)
class Factory:
    authType = "table"

factory = Factory()
"""
        install(self, {"connectproxy.checkers": {"table": "toys_checker:factory"}}, {"toys_checker": text})
        self.assertEqual(checkers(ICheckerFactory)["table"].authType, "table")
