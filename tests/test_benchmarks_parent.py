"""
Tests for C{benchmarks.parent}, C{benchmarks.chain} and C{benchmarks.nested}: the command works,
what it compares is what it says, and it notices what went another way.

Integration: real processes and real sockets on loopback, for some seconds.  Nothing here
looks at how fast anything was.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.chain import URLS, WAYS, carried, connections, makeConfig, parentOf, strayed
from connectproxy.config import configure

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 120.0

_RATIO = r"[\d.]+ \([\d.]+ to [\d.]+\)"
_SHORT = ("--rounds", "1", "--seconds", "0.3")
_LENIENT = ("--open-most", "1000", "--bulk-most", "1000")

_LIKE_THIS = shlex.join(
    [
        sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=",
        "connectproxy", "--listen", "tcp:{port}:interface=127.0.0.1", "--access-log", "none",
        "--allow-network", "127.0.0.0/8", "--allow-ports", "any",
    ]
)  # fmt: skip
"""A parent by a command."""


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks.parent", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measures(self) -> None:
        """One short round gives a line for each mode and way, and every tunnel went the way that was meant."""
        done = self.run_(*_SHORT, *_LENIENT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        ways = ("direct", "nested", "address", "name")
        names = [f"{mode} {way}" for mode in ("open", "down", "up") for way in ways]
        names.remove("open nested")
        self.assertEqual(list(lines), [*names, "others on the proxy's core"])
        for name in names:
            mode, way = name.split()
            unit = "ms per 1,000" if mode == "open" else "s per GiB"
            more = "" if way == "direct" else f", {_RATIO} of direct"
            if way in ("address", "name") and mode != "open":
                more += f", {_RATIO} of nested"
            self.assertRegex(lines[name], rf"^[\d.]+ {unit}{more}$")
            self.assertGreater(float(lines[name].split()[0]), 0, name)

    def test_measuresStreams(self) -> None:
        """A hundred tunnels and two that are stalled share one connection to the parent, and go on."""
        done = self.run_(*_SHORT, "--ways", "direct,h2", "--modes", "open,siblings")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        self.assertEqual(lines["connections to the parent by h2"], "1")
        self.assertRegex(lines["open h2"], rf"^[\d.]+ ms per 1,000, {_RATIO} of direct$")
        number = r"[\d.e+]+ us"
        for way in ("direct", "h2"):
            shown = [f"{key} {number}, beside stalled ones {number}, {_RATIO}" for key in ("p50", "p99")]
            self.assertRegex(lines[f"siblings {way}"], f"^{'; '.join(shown)}$")

    def test_measuresWithAnotherParent(self) -> None:
        """A command is run as the parent, on the port that it is given."""
        done = self.run_(
            *_SHORT, *_LENIENT, "--ways", "direct,socks", "--modes", "open", "--parent", _LIKE_THIS
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"(?m)^open socks: [\d.]+ ms per 1,000, {_RATIO} of direct$")

    def test_tooMuch(self) -> None:
        """What costs more than it may is said, and the exit code tells."""
        done = self.run_(*_SHORT, "--ways", "direct,address", "--modes", "open", "--open-most", "0.01")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^open address: .* of direct: MORE THAN 0\.01$")

    def test_noParent(self) -> None:
        """A parent that does not work is told with its last words, and nothing is measured."""
        broken = f"{shlex.quote(sys.executable)} -c 'raise SystemExit(\"no licence\")' {{port}}"
        for parent, words in ((broken, "no licence"), ("no-such-proxy {port}", "no-such-proxy is not there")):
            done = self.run_(*_SHORT, "--ways", "direct,address", "--parent", parent)
            self.assertEqual(done.returncode, 1, parent)
            self.assertRegex(done.stdout, rf"^ERRORS .*{words}")
            self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_unknown(self) -> None:
        """What there is not to measure is said."""
        for words, advice in (
            (
                ("--ways", "direct,other"),
                "--ways takes some of direct,nested,address,name,socks,h2, the first one first",
            ),
            (("--ways", "address"), "--ways takes some of"),
            (("--modes", "open,other"), "--modes takes some of open,down,up,siblings"),
            (("--rounds", "0"), "rounds are 1 at least"),
            (("--cores", "0"), "--cores takes two or three of"),
            (("--cores", "0,9999"), "--cores takes two or three of"),
            (("--cores", "0,x"), "--cores takes two or three of"),
            (
                ("--parent", "no-such-proxy"),
                "'no-such-proxy' is no proxy that is known, nor a command with {port}",
            ),
            (("--parent", "microsocks"), "microsocks does not speak what nested needs"),
            (("--parent", "squid", "--ways", "direct,socks"), "squid does not speak what socks needs"),
        ):
            done = self.run_(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(advice, re.sub(r"\s+", " ", done.stderr))


class ChainTests(TestCase):
    """What stands behind what."""

    def test_config(self) -> None:
        """Each proxy is one that can be, and goes by way of its parent for everything."""
        for way in WAYS:
            certificate = Path("/nowhere/h2.pem") if way == "h2" else None
            url = f"{URLS[way]}:3128" if way in URLS else ""
            tables = tomllib.loads(makeConfig(8080, Path("/nowhere/log"), url, certificate))
            self.assertNotIn("tls_certificate", tables["listen"][0])
            config = configure(**tables)
            self.assertEqual(config["route.upstream"], ("parent",) if url else ())
            for row in config.rows["upstream"]:
                self.assertEqual((row.options["addresses"], row.options["via"]), ("unseen", ""))
                self.assertEqual(row.options["ca"], str(certificate or ""))
                self.assertGreater(row.options["tunnels"], 99 if way != "h2" else 102)

    def test_configOfAParent(self) -> None:
        """A parent shows the certificate, and has none itself."""
        tables = tomllib.loads(makeConfig(8080, Path("/nowhere/log"), "", Path("/nowhere/h2.pem")))
        self.assertEqual(tables["listen"][0]["tls_certificate"], ["/nowhere/h2.pem"])
        self.assertFalse(tables.keys() & {"route", "upstream"})

    def test_parent(self) -> None:
        """A name is that of a proxy that can be measured, and anything else a command."""
        self.assertEqual(parentOf("squid", Path("/nowhere")).program, "squid")
        self.assertEqual(parentOf("connectproxy", Path("/nowhere")).name, "connectproxy")
        peer = parentOf("mine --at '127.0.0.1 {port}' {port}", Path("/nowhere"))
        self.assertEqual(peer.program, "mine")
        self.assertEqual(peer.arguments(3128, Path("/"), "connect"), ["--at", "127.0.0.1 3128", "3128"])
        for text in ("direct", "mine", ""):
            self.assertRaises(ValueError, parentOf, text, Path("/nowhere"))

    def test_events(self) -> None:
        """Tunnels are counted by their way and their relay, those that went astray are told, and connections of
        HTTP/2 are counted by who has made them.
        """
        tunnels = [
            ("parent", "splice", "http/1.1", "127.0.0.1:1"),
            ("parent", "wired", "h2", "127.0.0.1:2"),
            ("parent", "wired", "h2", "127.0.0.1:2"),
            ("direct", "splice", "h2", "127.0.0.1:3"),
        ]
        keys = ("upstream", "relay", "protocol", "client")
        events = [{"event": "tunnel", **dict(zip(keys, each, strict=True))} for each in tunnels]
        events.append(
            {"event": "refusal", "upstream": None, "relay": None, "protocol": "h2", "client": "127.0.0.1:4"}
        )
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_text("".join(f"{json.dumps(event)}\n" for event in events))
            counted, made = carried(log), connections(log)
            found = {way: strayed(way, log) for way in ("direct", "nested", "address", "h2")}
        self.assertEqual(counted, {("parent", "splice"): 1, ("parent", "wired"): 2, ("direct", "splice"): 1})
        self.assertEqual(made, 2)
        direct, spliced, wired = (
            ": tunnels by way of direct, relayed by splice",
            ": tunnels by way of parent, relayed by splice",
            ": tunnels by way of parent, relayed by wired",
        )
        for way in ("direct", "nested"):
            self.assertEqual(found[way], {way + spliced: 1, way + wired: 2})
        self.assertEqual(found["address"], {"address" + direct: 1, "address" + wired: 2})
        self.assertEqual(found["h2"], {"h2" + direct: 1, "h2" + spliced: 1})
