"""
The direction of the arrows: which module may import what, held to a table.

The table mirrors the layers of C{docs/design.md}.  It also sees to it that every module
has a file of tests, and that every test says what it intends.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]
PACKAGE = "connectproxy"
REACTOR = "twisted.internet.reactor"
PROGRAMS = ("tap", "commands.connect")
"""Those that are programs of their own, and have a reactor."""


class Layer(NamedTuple):
    """
    What the modules of one row may import besides the standard library.

    @ivar level: the layer's number.  What only an annotation needs (below C{if
        TYPE_CHECKING}) may come from any module of this level or a lower one.
    @ivar modules: the modules that the row is for: names or patterns, relative to the
        package, separated by spaces.
    @ivar ours: those of our modules that they may import.
    @ivar others: the packages of others that they may import.
    """

    level: int
    modules: str
    ours: str
    others: str = ""


L0 = "errors address address.* wire wire.*"
L1 = f"{L0} interfaces interfaces.* leg wheel discovery sockets own pipes page port"

LAYERS = (
    # Names in Unicode become those that DNS has by a library that knows how.
    Layer(0, "address.patterns", L0, "idna"),
    Layer(0, L0, L0),
    # It is told what to look for, and imports it by name.
    Layer(0, "discovery", "", "twisted"),
    Layer(0, "config config.*", f"{L0} config config.* discovery", "twisted"),
    # A seam towards clients hands over a leg, and a leg knows nothing of ours.
    Layer(1, "interfaces interfaces.*", f"{L0} interfaces interfaces.* leg", "twisted zope"),
    Layer(1, "leg wheel sockets own pipes page port", L1, "twisted zope"),
    # The far side of a message that is forwarded: of the same standing as a leg, whoever dials.
    Layer(1, "origin origin.*", f"{L1} origin origin.* shaping", "twisted zope"),
    # What takes turns at a rate: asked by whatever moves octets.
    Layer(1, "shaping", L1, "twisted zope"),
    Layer(2, "tally accessfile rules rules.*", L1, "twisted zope"),
    Layer(2, "ledger", f"{L1} accessfile", "twisted zope"),
    Layer(2, "events", f"{L1} ledger", "twisted zope"),
    Layer(2, "audit", f"{L1} accessfile ledger", "twisted zope"),
    # What is wrong with a list, a file of users or a key is told as what is wrong with the file
    # that names them.
    Layer(2, "policy policy.*", f"{L1} config config.* policy policy.*", "twisted zope"),
    Layer(2, "limits.redisstore", f"{L1} limits.*", "twisted zope redis"),
    Layer(2, "limits limits.*", f"{L1} config config.* limits limits.*", "twisted zope"),
    Layer(2, "auth auth.*", f"{L1} config config.* auth auth.*", "twisted zope"),
    Layer(2, "regime", f"{L1} policy", "twisted zope"),
    Layer(2, "routes", L1, "twisted zope"),
    # For trying things out, and for tests; it makes octets and touches no file.
    Layer(0, "certificates", "", "cryptography"),
    # The only place that knows OpenSSL.
    Layer(2, "tls tls.*", f"{L1} tls tls.*", "twisted zope OpenSSL cryptography service_identity"),
    # What a server and a client of HTTP/2 have in common.
    Layer(3, "http2 http2.*", f"{L1} http2 http2.* shaping", "twisted zope hpack"),
    Layer(3, "relay side", f"{L1} relay shaping side", "twisted zope"),
    Layer(3, "splice spliced", f"{L1} relay side shaping splice spliced", "twisted zope"),
    # What speaks to a next hop before octets pass; endpoints of applications do, as well as upstreams.
    Layer(3, "handshake", L1, "twisted zope"),
    # What an application dials out with: the protocols of next hops, and nothing of the proxy.
    Layer(
        4,
        "endpoints endpoints.*",
        f"{L1} endpoints endpoints.* handshake tls tls.*",
        "twisted zope OpenSSL idna service_identity",
    ),
    Layer(4, "web web.*", f"{L1} endpoints endpoints.* web web.*", "twisted zope"),
    Layer(4, "dial names race introduction", L1, "twisted zope"),
    Layer(4, "way", f"{L1} handshake race", "twisted zope"),
    Layer(4, "vetted", f"{L1} names", "twisted zope"),
    Layer(4, "hop", f"{L1} handshake introduction race tls way", "twisted zope"),
    Layer(
        4,
        "upstreams upstreams.*",
        f"{L1} dial handshake hop http2 http2.* introduction names race tls way",
        "twisted zope hpack",
    ),
    # What a relay and an upstream are for octets, for datagrams.
    Layer(4, "datagrams datagrams.*", f"{L1} datagrams datagrams.* names shaping", "twisted zope"),
    Layer(5, "peek", L1, "twisted zope"),
    Layer(5, "entry", L1, "twisted zope"),
    Layer(5, "inspection", f"{L1} peek", "twisted zope"),
    Layer(5, "decision", f"{L1} events policy", "twisted zope"),
    Layer(5, "call", f"{L1} decision entry events inspection routes", "twisted zope"),
    # An exchange is a call that goes otherwise from the connection on; an association comes in as
    # a call does.
    Layer(5, "exchange", f"{L1} call decision", "twisted zope"),
    Layer(5, "association", f"{L1} decision entry events routes", "twisted zope"),
    Layer(
        5,
        "switchboard",
        f"{L1} call exchange association events ledger limits regime routes tally",
        "twisted zope",
    ),
    # Whoever has the first octets may have to end TLS before there are any.
    Layer(6, "listeners.auto listeners.auto.*", f"{L1} tls", "twisted zope"),
    # HPACK is HTTP/2's own compression, and nobody else's business.
    Layer(6, "listeners.http2 listeners.http2.*", f"{L1} http2 http2.* origin shaping", "twisted zope hpack"),
    # HTTP forwards messages, so that it has origins besides clients.
    Layer(6, "listeners listeners.*", f"{L1} origin shaping", "twisted zope"),
    Layer(7, "watch control", "", "twisted"),
    Layer(7, "ways", f"{L1} config dial names routes vetted watch", "twisted zope"),
    Layer(7, "prepare", f"{L1} auth config limits policy regime tls watch ways", "twisted zope"),
    Layer(7, "reload", f"{L1} prepare", "twisted zope"),
    Layer(
        7,
        "parts",
        f"{L1} accessfile audit config datagrams ledger limits regime relay routes splice switchboard ways",
        "twisted zope",
    ),
    Layer(7, "doors", f"{L1} config events limits switchboard tls", "twisted zope"),
    Layer(7, "status", f"{PACKAGE} {L1} events parts reload", "twisted zope"),
    Layer(7, "service", "*", "twisted zope"),
    Layer(7, "questions", f"{L1} config config.*", "twisted"),
    Layer(
        7,
        "rehearsal rehearsal.*",
        f"{L1} auth auth.* config config.* limits policy policy.* questions race rehearsal rehearsal.* routes",
    ),
    Layer(7, "cases", "config config.* questions rehearsal"),
    # Connections in memory, and those that go wrong, are for anybody's tests: they know nothing of the proxy.
    Layer(
        7,
        "testing.behind testing.faults testing.faulty testing.lookups testing.memory testing.pipe testing.scripted",
        "testing.*",
        "twisted zope",
    ),
    # The rest runs a whole proxy, or asks a policy.
    Layer(
        7,
        "testing testing.*",
        "cases config ledger questions rehearsal rehearsal.* service testing.*",
        "twisted pytest",
    ),
    Layer(
        7,
        "findings",
        f"{L1} auth auth.* config config.* names policy policy.users rehearsal tls ways",
        "twisted",
    ),
    Layer(7, "traffic", f"{L1} config.texts policy.users"),
    Layer(7, "proposal", "address traffic"),
    Layer(7, "commands.dialogue", ""),
    Layer(7, "commands.reload commands.status", "commands.dialogue"),
    Layer(7, "commands.cert", "certificates"),
    Layer(7, "commands.subject", "config config.*"),
    Layer(7, "commands.check", "commands.subject config findings rehearsal.words"),
    Layer(7, "commands.explain", "address commands.subject config names questions rehearsal rehearsal.words"),
    Layer(7, "commands.policy", "cases commands.subject config questions rehearsal rehearsal.words"),
    Layer(7, "commands.learn", "commands.subject proposal rehearsal.words traffic"),
    # It is a client of next hops, in a process of its own.
    Layer(
        7,
        "commands.connect commands.joining commands.streams commands.descriptor",
        f"{L1} commands.descriptor commands.joining commands.streams commands.subject config config.* names policy"
        " relay ways",
        "twisted zope",
    ),
    Layer(7, "commands commands.*", f"{L1} auth auth.* config config.*", "twisted zope"),
    Layer(7, "__main__", "", ""),
    Layer(7, "tap", f"{PACKAGE} config config.* service", "twisted zope"),
    Layer(7, PACKAGE, "config service", ""),
)
"""The first row that names a module is its row."""

SEPARATE = ("upstreams", "listeners", "rules")
"""Packages of kinds: modules, or packages of modules, that never import each other, and are imported by
nobody by name."""


class Import(NamedTuple):
    """
    One import of one module.

    @ivar name: the module, or what might be one: of C{from a import b}, both are asked.
    @ivar line: where.
    @ivar late: whether it is within a function.
    @ivar typing: whether only type checkers see it.
    """

    name: str
    line: int
    late: bool
    typing: bool


def modules(root: Path, package: str) -> dict[str, Path]:
    """
    The modules of a package, by their full names.
    """
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """
    Everything that a module imports, wherever in it.
    """

    def visit(node: ast.AST, late: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, late, typing)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                parts = here[: len(here) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                # `from package import module` depends on the module, not on the package
                yield Import(whole if whole in known or whole == REACTOR else base, node.lineno, late, typing)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from visit(child, late, True)
            for child in node.orelse:
                yield from visit(child, late, typing)
        else:
            late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from visit(child, late, typing)

    yield from visit(ast.parse(path.read_text()), False, False)


def names(pattern: str, module: str) -> bool:
    """
    Whether one of several patterns names a module.
    """
    return any(fnmatchcase(module, each) for each in pattern.split())


def layerOf(module: str, package: str) -> Layer | None:
    """
    The row of a module.
    """
    relative = module.removeprefix(f"{package}.")
    return next((layer for layer in LAYERS if names(layer.modules, relative)), None)


def violations(root: Path, package: str = PACKAGE) -> list[str]:
    """
    Whatever is against the table, one line each.
    """
    known = modules(root, package)
    found = []
    for module, path in known.items():
        layer = layerOf(module, package)
        if layer is None:
            found.append(f"{module} is in no row of the table")
            continue
        for each in imports(module, path, known):
            why = _against(each, module, layer, package, known)
            if why:
                found.append(f"{module}:{each.line} imports {each.name}: {why}")
    return list(dict.fromkeys(found))


def _against(each: Import, module: str, layer: Layer, package: str, known: dict[str, Path]) -> str:
    """
    What is wrong with one import; empty if nothing is.
    """
    if each.name == REACTOR:
        if module.removeprefix(f"{package}.") in PROGRAMS and each.late:
            return ""
        return "the reactor is handed down; only a program may look for it, within a function"
    top = each.name.partition(".")[0]
    if top != package:
        return "" if top in sys.stdlib_module_names or names(layer.others, top) else "not for this layer"
    target = each.name.removeprefix(f"{package}.")
    if each.name not in known:
        return "there is no such module"
    within, _, kind = target.partition(".")
    if kind and within in SEPARATE:
        own = ".".join((package, within, kind.partition(".")[0]))
        if module == own or module.startswith(f"{own}."):
            return ""
        if module != f"{package}.{within}":
            return f"kinds in {within} are found by discovery, never by name"
    other = layerOf(each.name, package)
    if each.typing and other is not None and other.level <= layer.level:
        return ""
    return "" if names(layer.ours, target) else "against the direction of the layers"


def isTrivial(path: Path) -> bool:
    """
    Whether a module has nothing to test: a docstring, imports and C{__all__} at most.
    """
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in ast.parse(path.read_text()).body
    )


def untested(root: Path, package: str = PACKAGE) -> list[str]:
    """
    The modules without a file of tests in the same place of C{tests/}.
    """
    missing = []
    for module, path in modules(root, package).items():
        *within, name = module.split(".")
        expected = root.joinpath("tests", *within[1:], f"test_{name}.py")
        if not expected.exists() and not (path.name == "__init__.py" and isTrivial(path)):
            missing.append(f"{module} has no {expected.relative_to(root)}")
    return missing


def unexplained(root: Path) -> list[str]:
    """
    The tests without a docstring.
    """
    return [
        f"{path.relative_to(root)}:{node.lineno} {node.name}"
        for path in sorted((root / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]


class TreeTests(SynchronousTestCase):
    """
    The project keeps to its own rules.
    """

    def test_layers(self) -> None:
        """
        Every module is in the table, and imports what its row permits.
        """
        found = violations(ROOT)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_everyModuleHasTests(self) -> None:
        """
        The tree of tests mirrors the one of modules.
        """
        found = untested(ROOT)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_everyTestSaysWhatItIntends(self) -> None:
        """
        In its docstring.
        """
        found = unexplained(ROOT)
        self.assertFalse(found, "\n" + "\n".join(found))


class CheckTests(SynchronousTestCase):
    """
    The checks above find what they look for, in a made-up tree.
    """

    def setUp(self) -> None:
        """
        An empty project.
        """
        self.root = Path(self.mktemp()).absolute()
        (self.root / "tests").mkdir(parents=True)
        self.put("connectproxy/__init__.py", '"""Nothing."""')
        for package in ("wire", *SEPARATE):
            self.put(f"connectproxy/{package}/__init__.py", '"""Nothing."""')

    def put(self, name: str, text: str = "") -> None:
        """
        Write a file.
        """
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def assertViolations(self, text: str, *expected: str, module: str = "errors") -> None:
        """
        A module with a text has certain violations: parts of their lines.
        """
        self.put("connectproxy/" + module.replace(".", "/") + ".py", text)
        found = [line for line in violations(self.root) if line.startswith(f"connectproxy.{module}")]
        self.assertEqual(len(found), len(expected), found)
        for line, part in zip(found, expected, strict=True):
            self.assertIn(part, line)

    def test_whatIsAllowed(self) -> None:
        """
        The standard library, the same layer, those below, Twisted from L1 on.
        """
        self.assertViolations("import os, re\nfrom collections.abc import Sequence\nfrom . import wire")
        self.assertViolations(
            """
            from zope.interface import Interface
            from twisted.internet.defer import Deferred
            from connectproxy.errors import Refusal
            from . import errors
            from .wire import x
            """,
            module="interfaces",
        )

    def test_foreignPackages(self) -> None:
        """
        The bottom layer knows no Twisted, and nobody knows what isn't a dependency.
        """
        self.assertViolations("import twisted", "connectproxy.errors:1 imports twisted: not for this layer")
        self.assertViolations("import zope.interface", "not for this layer", module="wire.http1")
        self.assertViolations("import requests", "not for this layer", module="service")

    def test_upwards(self) -> None:
        """
        Every way to write an import is seen, also within a function.
        """
        self.put("connectproxy/relay.py")
        self.put("connectproxy/interfaces.py")
        for text in (
            "from connectproxy import relay",
            "import connectproxy.relay",
            "from connectproxy.relay import Tunnel",
            "from . import relay",
            "from .relay import Tunnel",
            "def late():\n    from . import relay",
            "try:\n    pass\nfinally:\n    import connectproxy.relay",
        ):
            self.assertViolations(text, "against the direction of the layers", module="policy")
        self.assertViolations("from ..interfaces import x", "against the direction", module="wire.http1")

    def test_eachOther(self) -> None:
        """
        Kinds know no other kinds, and nobody else knows them by name.
        """
        self.put("connectproxy/listeners/http.py")
        self.put("connectproxy/rules/ports.py")
        self.assertViolations("from . import http", "by discovery", module="listeners.socks")
        self.assertViolations("from connectproxy.listeners import http", "by discovery", module="service")
        self.assertViolations("import connectproxy.rules.ports", "by discovery", module="policy")

    def test_kindsInPackages(self) -> None:
        """
        The modules of one kind know each other; those of two do not.
        """
        self.put("connectproxy/listeners/http/__init__.py", "from connectproxy.listeners.http.port import x")
        self.put("connectproxy/listeners/http/port.py")
        self.put("connectproxy/listeners/http2/__init__.py")
        text = "from connectproxy.listeners.http.port import x"
        self.assertViolations(text, module="listeners.http.connection")
        self.assertViolations("", module="listeners.http.port")
        self.assertViolations(text, "by discovery", module="listeners.http2.port")
        self.assertViolations(text, "by discovery", module="listeners.socks")
        self.assertViolations(text, "by discovery", module="call")
        self.assertFalse(
            [line for line in violations(self.root) if line.startswith("connectproxy.listeners.http:")]
        )

    def test_annotations(self) -> None:
        """
        What only annotations need may come from the same level, but from no higher one.
        """
        self.put("connectproxy/wheel.py")
        self.put("connectproxy/relay.py")
        text = "if TYPE_CHECKING:\n    from connectproxy.{0} import x\nelse:\n    import connectproxy.errors"
        self.put("connectproxy/errors.py")
        self.assertViolations(text.format("wheel"), module="interfaces")
        self.assertViolations(text.format("relay"), "against the direction", module="interfaces")
        self.assertViolations(
            "from connectproxy.wheel import x", "against the direction", module="interfaces"
        )

    def test_reactor(self) -> None:
        """
        Nobody imports the global reactor but tap, and tap not at once.
        """
        for text in ("from twisted.internet import reactor", "import twisted.internet.reactor"):
            self.assertViolations(text, "the reactor is handed down", module="service")
            self.assertViolations(text, "the reactor is handed down", module="tap")
            late = f"def late():\n    {text}"
            self.assertViolations(late, "the reactor is handed down", module="service")
            self.assertViolations(late, module="tap")

    def test_unknown(self) -> None:
        """
        A module that is in no row, and an import of one that doesn't exist.
        """
        self.assertViolations("", "is in no row of the table", module="helper")
        self.assertViolations("import connectproxy.nothing", "there is no such module")

    def test_missingTests(self) -> None:
        """
        A module without tests is found; a package that only has a docstring needs none.
        """
        self.put("connectproxy/errors.py")
        self.put("connectproxy/wire/http1.py")
        self.put("connectproxy/rules/__init__.py", '"""Has code."""\nx = 1')
        self.assertEqual(
            untested(self.root),
            [
                "connectproxy.errors has no tests/test_errors.py",
                "connectproxy.rules has no tests/test_rules.py",
                "connectproxy.wire.http1 has no tests/wire/test_http1.py",
            ],
        )
        for name in ("test_errors.py", "test_rules.py", "wire/test_http1.py"):
            self.put(f"tests/{name}")
        self.assertEqual(untested(self.root), [])

    def test_missingDocstrings(self) -> None:
        """
        A test that doesn't say what it intends is found.
        """
        self.put(
            "tests/test_x.py",
            'def test_a():\n    """A."""\nasync def test_b():\n    pass\ndef helper():\n    pass',
        )
        self.assertEqual(unexplained(self.root), ["tests/test_x.py:3 test_b"])
