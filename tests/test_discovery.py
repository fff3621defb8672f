"""
Tests for L{connectproxy.discovery}.
"""

from __future__ import annotations

import sys
from pathlib import Path

import twisted.plugins
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.discovery import kinds, plugins
from connectproxy.interfaces import IListenerKind, IRuleKind, IUpstreamKind

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
        self.assertEqual(list(kinds("connectproxy.upstreams", IUpstreamKind)), ["direct"])

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
                own = f"connectproxy.{package}.{name}"
                self.assertIn(type(kind).__module__, (own, f"{own}.port"))


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
