"""
The README and the pages of C{docs/}, held to what they are about.

Tables are compared with what they describe, examples are read as what they claim to be, and
every file, option, key and test that a page names must exist.  C{docs/options.md} is held
to the schema in C{tests/test_config.py}.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from configparser import ConfigParser
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from benchmarks.modes import parseMode
from connectproxy import audit
from connectproxy.address import Destination, parseAuthority
from connectproxy.config import SCHEMA, configure, load
from connectproxy.config.endpoint import BACKLOG
from connectproxy.discovery import kinds
from connectproxy.endpoints import CONNECTClientEndpoint
from connectproxy.errors import KINDS
from connectproxy.interfaces import Action, IRule, IRuleKind, TunnelRequest
from connectproxy.ledger import FIELDS
from connectproxy.names import PENDING
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy
from connectproxy.service import ProxyService
from connectproxy.web import ProxyingAgent
from connectproxy.wire.http1 import Limits
from connectproxy.wire.refusal import formatRefusal
from tests.fakes import FakeReactor

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^][]|\[[^]]*\])*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:\.(?:py|md|cfg|toml|svg|txt)|/)|tap-config\.example")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")

STRANGERS = {
    "config": "ours, and in no file",
    "rundir": "twistd's",
    "proxy-server": "Chromium's",
    "proxy-cacert": "curl's",
    **dict.fromkeys(
        "proxy-anyauth proxy-basic proxy-cert proxy-digest proxy-header proxy-key proxy-user".split(),
        "curl's",
    ),
    "global": "git's",
    "help-auth": "twistd's",
    "modes": "of python -m benchmarks",
    "json": "of connectproxy status",
}
"""Options that are none of the schema's, and whose they are."""

CONFORMANCE = (*range(1, 48), *range(62, 81))
"""The lines of the checklist that apply to what there is."""


def between(page: Path, begin: str = "<!-- begin: ", end: str = "<!-- end -->") -> list[str]:
    """
    The rows of the table between two comments, without its head.
    """
    text = page.read_text()
    start = text.index("\n", text.index(begin))
    return [line for line in text[start : text.index(end, start)].split("\n") if line.startswith("|")][2:]


def fences(page: Path, language: str) -> list[str]:
    """
    The blocks of one language.
    """
    return [text for named, text in FENCE.findall(page.read_text()) if named == language]


def cells(row: str) -> list[str]:
    """
    A row of a table, taken apart.
    """
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def anchor(heading: str) -> str:
    """
    What GitHub calls a heading in an address.
    """
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def numbers(docstring: str) -> set[int]:
    """
    The lines of the checklist that a docstring cites: C{conformance 1 to 3, 5 and 9}.
    """
    found = set()
    for listed in re.findall(r"[Cc]onformance\s+(\d+(?:(?:\s*,\s*|\s+and\s+|\s+to\s+)\d+)*)", docstring):
        for first, last in re.findall(r"(\d+)(?:\s+to\s+(\d+))?", listed):
            found |= set(range(int(first), int(last or first) + 1))
    return found


@cache
def documented(path: Path) -> dict[str, str]:
    """
    The tests in a file as C{Class.test}, with their docstrings.
    """
    return {
        f"{node.name}.{each.name}": ast.get_docstring(each) or ""
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test")
    }


def request(authority: bytes) -> TunnelRequest:
    """
    What a client on this machine asks for.
    """
    destination = parseAuthority(authority)
    assert isinstance(destination, Destination)
    return TunnelRequest(destination, IPv4Address("TCP", "127.0.0.1", 50000), "tcp:8080", "http/1.1")


class Reactor(FakeReactor):
    """
    A reactor that a program would run.

    @ivar ran: how often it was run.
    @ivar triggers: what is to be called when.
    """

    def __init__(self) -> None:
        FakeReactor.__init__(self)
        self.ran = 0
        self.triggers: list[tuple[Any, ...]] = []

    def addSystemEventTrigger(self, *trigger: Any) -> None:
        self.triggers.append(trigger)

    def run(self) -> None:
        self.ran += 1


class PageTests(SynchronousTestCase):
    """
    What holds for every page.
    """

    def test_links(self) -> None:
        """
        What a relative link leads to is there, the heading too.
        """
        for page in PAGES:
            for link in LINK.findall(FENCE.sub("", page.read_text())):
                if re.match(r"https?://", link):
                    continue
                name, _, fragment = link.partition("#")
                target = page.parent / name if name else page
                self.assertTrue(target.exists(), f"{page.name} links to {link}")
                if fragment:
                    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                    self.assertIn(fragment, map(anchor, headings), f"{page.name} links to {link}")

    def test_files(self) -> None:
        """
        A file that is named like one of ours is one, or the page's own, which it shows.
        """
        for page in PAGES:
            shown = "\n".join(text for _, text in FENCE.findall(page.read_text()))
            for code in CODE.findall(FENCE.sub("", page.read_text())):
                if FILE.fullmatch(code) and code not in (".cache/", "proxy.py") and code not in shown:
                    found = any((base / code).exists() for base in (ROOT, DOCS, ROOT / "connectproxy"))
                    self.assertTrue(found, f"{page.name} names {code}")

    def test_options(self) -> None:
        """
        An option that a page names is in the schema or a command's, or known to be somebody
        else's.
        """
        ours = {setting.option for setting in SCHEMA}
        for path in (*(ROOT / "connectproxy" / "commands").glob("*.py"), *(ROOT / "examples").glob("*/run")):
            ours |= set(re.findall(r'"--([a-z-]+)"', path.read_text()))
        for page in PAGES:
            named = set(OPTION.findall(page.read_text()))
            self.assertEqual(named - ours - set(STRANGERS), set(), page.name)

    def test_keys(self) -> None:
        """
        So with a key, also in the advice that a refusal gives.
        """
        ours = {setting.key for setting in SCHEMA}
        tables = "|".join({setting.table for setting in SCHEMA})
        texts = {page.name: " ".join(CODE.findall(page.read_text())) for page in PAGES}
        texts |= {kind.name: kind.remedy for kind in KINDS.values()}
        for name, text in texts.items():
            named = set(
                re.findall(rf"(?<![\w./-])((?:{tables})\.(?!py\b|md\b|toml\b|txt\b|example\b)\w+)", text)
            )
            self.assertEqual(named - ours, set(), name)

    def test_commands(self) -> None:
        """
        A command line of ours is one that the options take, C{FILE} aside; files that it
        names behind an C{@} have something in them.
        """
        found = 0
        secret = Path(self.mktemp())
        secret.write_text("user:password")
        for page in PAGES:
            for line in re.findall(r"twistd -n connectproxy( --.*)$", page.read_text(), re.MULTILINE):
                if "--config" in line:
                    continue
                words = [f"@{secret}" if word.startswith("@") else word for word in line.split()]
                given: dict[str, Any] = {}
                repeatable = {setting.option for setting in SCHEMA if setting.repeatable}
                for name, value in zip(words[::2], words[1::2], strict=True):
                    option = name.removeprefix("--")
                    given[option] = (*given.get(option, ()), value) if option in repeatable else value
                load(None, given)
                found += 1
        self.assertTrue(found)


class ReadmeTests(SynchronousTestCase):
    """
    C{README.md}.
    """

    page = ROOT / "README.md"

    def test_commands(self) -> None:
        """
        The command that runs the proxy begins as the one that runs the suite, which
        C{.ci/run} runs word for word; each is one line in a block of its own.
        """
        (suite,) = re.findall(r"^(python3 -m venv .*)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
        begin = suite.partition("-e ")[0]
        self.assertEqual(
            [text.strip() for text in fences(self.page, "sh") if text.startswith("python3")],
            [f"{begin}. && .venv/bin/twistd -n connectproxy", suite],
        )

    def test_refusal(self) -> None:
        """
        The refusal that is shown, here and on the page of refusals, is the one that the
        rules and the listener make, but for the date.
        """
        asked = request(b"169.254.169.254:80")
        config = load()
        found = sorted(kinds("connectproxy.rules", IRuleKind).values(), key=lambda kind: kind.order)
        denial = Policy(kind.build(config, OwnPorts()) for kind in found).decideAddress(
            asked, ip_address("169.254.169.254")
        )
        assert denial is not None
        expected = formatRefusal(denial.refusal(), config["proxy.name"]).decode().replace("\r\n", "\n")
        for page in (self.page, DOCS / "refusals.md"):
            command, shown = re.findall(
                r"^    \$ (.*)\n((?:    .*\n|\n(?=    ))+)", page.read_text(), re.MULTILINE
            )[0]
            self.assertIn("CONNECT 169.254.169.254:80 HTTP/1.1", command)
            answer = re.sub(r"^    ", "", shown, flags=re.MULTILINE)
            date = re.search(r"^Date: (.*)$", answer, re.MULTILINE)
            assert date is not None
            parsedate_to_datetime(date[1])
            self.assertEqual(
                re.sub(r"Date: .*", "", answer).strip(), re.sub(r"Date: .*", "", expected).strip(), page.name
            )
        (event,) = map(json.loads, fences(self.page, "json"))
        self.assertEqual((event["rule"], event["reason"]), (denial.rule, denial.reason))
        self.assertEqual((event["error"], event["status"]), (denial.kind, KINDS[denial.kind].status))
        self.assertEqual([name for name in FIELDS if name in event], list(event))

    def test_defaults(self) -> None:
        """
        What it says of the defaults is so.
        """
        config = load()
        self.assertEqual(str(config["allow.ports"]), "((80, 80), (443, 443))")
        self.assertFalse(config["allow.networks"])
        self.assertFalse(config["proxy.open"])
        self.assertEqual(config["timeouts.drain"], 10)
        self.assertTrue(config.listeners[0].endpoint.startswith("tcp:8080:interface=127.0.0.1"))

    def test_embedding(self) -> None:
        """
        What it shows of embedding takes ten lines at most and works: it listens where the
        paragraphs above say, runs the reactor, and stops the proxy before that stops.
        """
        _, shown = fences(self.page, "python")
        self.assertLessEqual(len(shown.splitlines()), 10)
        reactor = Reactor()
        with mock.patch("twisted.internet.reactor", reactor, create=True):
            exec(compile(shown, "README.md", "exec"), {})
        (port,) = reactor.ports
        self.assertEqual(port.getHost(), IPv4Address("TCP", "127.0.0.1", 8080))
        self.assertTrue(reactor.ran)
        ((phase, event, stop),) = reactor.triggers
        self.assertEqual((phase, event), ("before", "shutdown"))
        stopped = stop()
        self.assertFalse(port.listening)
        reactor.flush()
        self.successResultOf(stopped)

    def test_dialling(self) -> None:
        """
        What it shows of dialling out gives an endpoint of ours and an agent.
        """
        shown, _ = fences(self.page, "python")
        found: dict[str, Any] = {}
        with mock.patch("twisted.internet.reactor", Reactor(), create=True):
            exec(compile(shown, "README.md", "exec"), found)
        self.assertIsInstance(found["endpoint"], CONNECTClientEndpoint)
        self.assertIsInstance(found["agent"], ProxyingAgent)

    def test_figures(self) -> None:
        """
        The commands that make the figures name modes that there are.
        """
        lists = re.findall(r"python -m benchmarks --modes ([\w,-]+)", self.page.read_text())
        self.assertEqual(len(lists), 2)
        for mode in ",".join(lists).split(","):
            parseMode(mode)
        (streams,) = re.findall(r"python -m benchmarks\.h2 --modes ([\w,-]+)", self.page.read_text())
        for mode in streams.split(","):
            parseMode(mode.replace("stalled-", "ping-"))


class RefusalsTests(SynchronousTestCase):
    """
    C{docs/refusals.md}.
    """

    page = DOCS / "refusals.md"

    def test_tableIsTheKinds(self) -> None:
        """
        The table has a row for every kind, in the order and the words of the code.  If it
        has not, the right one is in the failure's message.
        """
        expected = [
            f"| `{kind.name}` | {kind.status} {kind.reason} | `{kind.proxyStatus}` | {kind.cause} | {kind.remedy} |"
            for kind in KINDS.values()
        ]
        self.assertEqual(between(self.page), expected, "\n" + "\n".join(expected))

    def test_kindsInProse(self) -> None:
        """
        A kind that a paragraph is about is one, and so is every rule that is named.
        """
        text = self.page.read_text()
        heads = " ".join(re.findall(r"^\*\*(`.*?`)\*\*", text, re.MULTILINE))
        self.assertEqual(set(CODE.findall(heads)) - set(KINDS), set())
        rules = {
            kind.build(load(), OwnPorts()).ruleName
            for kind in kinds("connectproxy.rules", IRuleKind).values()
        }
        self.assertEqual(set(re.findall(r"the rule `([^`]+)`", text)), rules)

    def test_figuresInProse(self) -> None:
        """
        Numbers that stand in the prose are the code's.
        """
        text = " ".join(self.page.read_text().split())
        for words in (
            f"{Limits().line:,} octets of request line",
            f"{Limits().fieldLine:,} of one field line",
            f"{Limits().section:,} of all",
            f"{Limits().fields} field lines",
            f"while {PENDING} names are being looked up",
        ):
            self.assertIn(words, text)


class LogTests(SynchronousTestCase):
    """
    C{docs/log.md}.
    """

    page = DOCS / "log.md"

    def test_tableIsTheFields(self) -> None:
        """
        The table has a row for every field, in the order and the words of the code.
        """
        rows = [cells(row) for row in between(self.page)]
        self.assertEqual(
            [(name, meaning) for name, _, meaning in rows],
            [(f"`{name}`", meaning) for name, meaning in FIELDS.items()],
        )

    def test_examples(self) -> None:
        """
        There is an example of each kind of event; it has every field, in order, and each
        value is of the type that the table says.
        """
        types = {name.strip("`"): said for name, said, _ in map(cells, between(self.page))}
        classes: dict[str, tuple[type, ...]] = {
            "string": (str,),
            "integer": (int,),
            "number": (int, float),
            "array of objects": (list,),
            "array of strings": (list,),
            "null": (type(None),),
        }
        events = [json.loads(text) for text in fences(self.page, "json")]
        self.assertEqual([event["event"] for event in events], ["tunnel", "request", "refusal", "abandoned"])
        for event in events:
            self.assertEqual(list(event), list(FIELDS))
            for name, value in event.items():
                allowed = [each for said in types[name].split(" or ") for each in classes[said]]
                self.assertIsInstance(value, tuple(allowed), name)
                if value is None:
                    self.assertIn("null", types[name])

    def test_ends(self) -> None:
        """
        Every way for a tunnel to end is explained.
        """
        text = self.page.read_text()
        rows = re.findall(r"^\| (`[^|]*`) \| ", text[text.index("| `end` | |") :], re.MULTILINE)
        named = re.findall(r"`(\w+)`", FIELDS["end"])
        self.assertEqual(sorted(CODE.findall(" ".join(rows[1:]))), sorted(named))


class AuditTests(SynchronousTestCase):
    """
    C{docs/audit.md}.
    """

    page = DOCS / "audit.md"

    def test_tableIsTheFields(self) -> None:
        """
        The table has a row for every field, in the order and the words of the code.
        """
        rows = [cells(row) for row in between(self.page)]
        self.assertEqual(
            [(name, meaning) for name, _, meaning in rows],
            [(f"`{name}`", meaning) for name, meaning in audit.FIELDS.items()],
        )

    def test_examples(self) -> None:
        """
        The examples have every field, in order, of the type that the table says.
        """
        types = {name.strip("`"): said for name, said, _ in map(cells, between(self.page))}
        examples = [json.loads(text) for text in fences(self.page, "json")]
        self.assertEqual([each["decision"] for each in examples], ["deny", "allow"])
        for example in examples:
            self.assertEqual(list(example), list(audit.FIELDS))
            for name, value in example.items():
                kind = {str: "string", list: "array of strings", type(None): "null"}[type(value)]
                self.assertIn(kind, types[name].split(" or "), name)

    def test_settings(self) -> None:
        """
        The settings that are shown are ones that there are.
        """
        (shown,) = fences(self.page, "toml")
        self.assertEqual(configure(**tomllib.loads(shown))["audit.keep"], 10)


class OperatingTests(SynchronousTestCase):
    """
    C{docs/operating.md}.
    """

    page = DOCS / "operating.md"

    def test_status(self) -> None:
        """
        Everything that the status has is in the table, in its order.
        """
        service = ProxyService(FakeReactor(), configure(relay={"splice": False}))
        service.startService()
        rows = [cells(row) for row in re.findall(r"^\| `.*$", self.page.read_text(), re.MULTILINE)]
        named = [name for first, _ in rows for name in CODE.findall(first)]
        self.assertEqual([name for name in named if name in service.status()], list(service.status()))

    def test_settings(self) -> None:
        """
        The settings that are shown are ones that there are.
        """
        (shown,) = fences(self.page, "toml")
        self.assertTrue(configure(**tomllib.loads(shown))["control.socket"])


class DependenciesTests(SynchronousTestCase):
    """
    C{docs/dependencies.md}.
    """

    page = DOCS / "dependencies.md"

    def setUp(self) -> None:
        """
        Read the page, section by section, and what it is about.
        """
        self.sections = {
            part.partition("\n")[0]: {cells(row)[0].strip("`") for row in re.findall(r"^\| `.*$", part, re.M)}
            for part in re.split(r"^## ", self.page.read_text(), flags=re.MULTILINE)[1:]
        }
        self.setup = ConfigParser()
        self.setup.read(ROOT / "setup.cfg")

    def listed(self, section: str, option: str) -> set[str]:
        """
        The requirements of one list in C{setup.cfg}.
        """
        lines = self.setup[section][option].splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    def packages(self) -> set[str]:
        """
        The system's packages that the tests need, which C{.ci/run} installs in any case.
        """
        return set((ROOT / "tests" / "integration" / "packages.txt").read_text().split())

    def test_requirements(self) -> None:
        """
        Every requirement has a row in its section, with its reason, and nothing else has.
        """
        optional = {
            name: self.listed("options.extras_require", name)
            for name in self.setup["options.extras_require"]
            if name not in ("test", "dev")
        }
        self.assertEqual(
            self.sections["To run"], self.listed("options", "install_requires").union(*optional.values())
        )
        for name, listed in optional.items():
            for each in listed:
                self.assertIn(f"| `{each}` | `{name}` |", self.page.read_text())
        self.assertEqual(
            self.sections["To test"], self.listed("options.extras_require", "test") | self.packages()
        )
        self.assertEqual(self.sections["To change it"], self.listed("options.extras_require", "dev"))

    def test_packagesAreInstalled(self) -> None:
        """
        C{.ci/run} installs every package of the system's that the tests need.
        """
        script = (ROOT / ".ci" / "run").read_text()
        if "packages.txt" not in script:
            self.assertEqual(self.packages() - set(script.split()), set())

    def test_build(self) -> None:
        """
        The build system is named as it is demanded.
        """
        text = self.page.read_text()
        for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]:
            self.assertIn(f"`{each}`", text)

    def test_oldest(self) -> None:
        """
        The oldest Python and the oldest Twisted are those of the metadata.
        """
        text = self.page.read_text()
        python = self.setup["options"]["python_requires"].removeprefix(">= ")
        self.assertIn(f"Python {python} or later", text)
        (twisted,) = re.findall(r"^Twisted\S* >= ([\d.]+)$", self.setup["options"]["install_requires"], re.M)
        self.assertIn(f"{twisted} is the oldest Twisted", text)


class ConformanceTests(SynchronousTestCase):
    """
    C{docs/conformance.md}.
    """

    page = DOCS / "conformance.md"

    def setUp(self) -> None:
        """
        Read the lines: each begins with its number, and names its tests at the end.
        """
        parts = re.split(r"^\*\*(\d+)\*\* ", self.page.read_text(), flags=re.MULTILINE)
        self.order = [int(number) for number in parts[1::2]]
        self.lines = dict(zip(self.order, parts[2::2], strict=True))

    def test_numbers(self) -> None:
        """
        The lines that apply are there, each once, in order.
        """
        self.assertEqual(self.order, list(CONFORMANCE))

    def test_everyLineIsShown(self) -> None:
        """
        Each line names at least one test; each is there, and cites the line.
        """
        for number, text in self.lines.items():
            named = re.findall(r"`(tests/[\w/]+\.py)::(\w+\.\w+)`", text)
            self.assertTrue(named, f"{number} names no test")
            for name, test in named:
                self.assertTrue((ROOT / name).exists(), f"{number}: {name}")
                docstrings = documented(ROOT / name)
                self.assertIn(test, docstrings, f"{number}: {name}")
                self.assertIn(number, numbers(docstrings[test]), f"{name}::{test}")

    def test_numbersAreUnderstood(self) -> None:
        """
        The ways in which docstrings cite lines.
        """
        self.assertEqual(numbers("As in conformance 1 to 3, 5, 9\n and 20; not 21."), {1, 2, 3, 5, 9, 20})
        self.assertEqual(numbers("conformance 25. 13 octets (conformance 7). Conformance 9."), {7, 9, 25})


class DesignTests(SynchronousTestCase):
    """
    C{docs/design.md} and the picture.
    """

    page = DOCS / "design.md"

    def test_everyModuleIsNamed(self) -> None:
        """
        The table of layers has every module, or the package that it is in.
        """
        package = ROOT / "connectproxy"
        table = self.page.read_text()
        table = table[table.index("## Layers") : table.index("## To add a kind")]
        named = set(CODE.findall(table))
        for path in package.rglob("*.py"):
            name = path.relative_to(package).as_posix()
            if path.name != "__init__.py":
                self.assertTrue(named & {name, name.rpartition("/")[0] + "/"}, name)

    def test_example(self) -> None:
        """
        The rule that it shows is one, and does what it says.
        """
        (source,) = fences(self.page, "python")
        module: dict[str, Any] = {"__name__": "connectproxy.rules.domain"}
        exec(compile(source, "docs/design.md", "exec"), module)
        verifyObject(IRuleKind, module["kind"])
        rule = module["kind"].build(load(), OwnPorts())
        verifyObject(IRule, rule)
        policy = Policy([rule])
        self.assertIs(policy.decideRequest(request(b"www.example.com:443")).action, Action.ALLOW)
        verdict = policy.decideRequest(request(b"example.net:443"))
        self.assertEqual((verdict.action, verdict.rule), (Action.DENY, "one-domain"))

    def test_figuresInProse(self) -> None:
        """
        Numbers that stand in the prose are the code's.
        """
        from connectproxy import ledger, limits, names, pipes, race, sockets, splice, tap, wheel
        from connectproxy.upstreams import direct

        text = " ".join(self.page.read_text().split())
        for words in (
            f"kept for {names.TTL:g} seconds ({names.NEGATIVE_TTL:g} for",
            f"without an answer after {names.PATIENCE:g} seconds",
            f"and `twistd connectproxy` {tap.LOOKUP_THREADS};",
            f"IPv4 waits {direct.RESOLUTION_DELAY * 1000:g} ms for IPv6",
            f"after {race.ATTEMPT_DELAY * 1000:g} ms",
            f"At most {race.ADDRESSES} addresses",
            f"a batch of events, at most {splice.BATCH}",
            f"of at most {ledger.GATHER} events",
            f"a pipe's {pipes.PIPE_SIZE >> 20} MiB",
            f"{splice.COPY_SIZE >> 10} KiB at a time",
            f"up to {wheel.GRAIN * 1000:g} ms late",
            f"or {sockets.LINGER_OCTETS >> 20} MiB",
            f"Here it is {BACKLOG} where the endpoint does not say",
        ):
            self.assertIn(words, text)
        self.assertEqual(limits.LOOK_AGAIN, 1.0)  # "once a second"

    def test_picture(self) -> None:
        """
        Each is well-formed, has a white ground of its own and words for those who can't see
        it, and the files that it names exist.
        """
        svg = "{http://www.w3.org/2000/svg}"
        for path in DOCS.glob("*.svg"):
            picture = ElementTree.parse(path).getroot()
            self.assertEqual(picture.tag, f"{svg}svg")
            for name in ("title", "desc"):
                self.assertTrue(picture.findtext(f"{svg}{name}"))
            ground = picture.find(f"{svg}rect")
            assert ground is not None
            self.assertEqual(ground.get("fill"), "#ffffff")
            named = [text.text or "" for text in picture.iter(f"{svg}text") if text.get("class") == "code"]
            for name in re.findall(r"[\w/]+(?:\.py|/)(?![\w.])", ", ".join(named)):
                self.assertTrue((ROOT / "connectproxy" / name).exists(), name)
