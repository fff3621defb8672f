"""
Tests for C{benchmarks}: the command works, and its arithmetic is right.

Integration: real processes and real sockets on loopback, for some seconds.
Nothing here looks at how fast anything was.
"""

from __future__ import annotations

import json
import mmap
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.meter import Meter, userMemory
from benchmarks.modes import DEFAULT, Mode, parseMode
from benchmarks.peers import BUILT_IN, Peer, parsePeer
from benchmarks.report import Record, fromJSON, oneLine, tables

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 60.0


def _bulk(peer: str, number: int, rate: float, cost: float, **errors: int) -> Record:
    """A record of one measurement of C{bulk-16-down}."""
    return Record("bulk-16-down", peer, number, {"gib_per_s": rate, "cpu_s_per_gib": cost}, errors)


class ModeTests(TestCase):
    """Names of modes."""

    def test_anyCountWillDo(self) -> None:
        """A count that is in no list is as good as one that is."""
        self.assertEqual(parseMode("bulk-7-both"), Mode("bulk-7-both", "bulk", 7, "both"))
        self.assertEqual(parseMode("idle-123"), Mode("idle-123", "idle", 123))
        self.assertEqual(parseMode("start"), Mode("start", "start"))
        self.assertEqual(parseMode("get-3"), Mode("get-3", "get", 3, dialect="get"))

    def test_theDialectStandsInFront(self) -> None:
        """How the proxy is spoken to is a word before the family."""
        self.assertEqual(parseMode("tls-bulk-2-up"), Mode("tls-bulk-2-up", "bulk", 2, "up", "tls"))
        self.assertEqual(parseMode("socks5-open-4"), Mode("socks5-open-4", "open", 4, dialect="socks5"))

    def test_everyDefaultIsAMode(self) -> None:
        """What runs without options is what can be asked for."""
        self.assertEqual([parseMode(name).name for name in DEFAULT], list(DEFAULT))

    def test_refusesWhatCannotBeMeasured(self) -> None:
        """A wrong name is refused, and the message says which there are."""
        for name in (
            "",
            "bulk",
            "bulk-16",
            "bulk-0-down",
            "bulk-x-down",
            "open-1-down",
            "ping--1",
            "start-1",
            "tls-start",
            "socks5-get-1",
            "tls",
            "gopher-open-1",
        ):
            with self.subTest(name), self.assertRaisesRegex(ValueError, "there are: bulk-N-down"):
                parseMode(name)


class PeerTests(TestCase):
    """Which proxies there are."""

    def test_takesAnotherProxy(self) -> None:
        """A name, a port and a command with quotes make a peer."""
        peer = parsePeer("mine=3128:/bin/mine --title 'a proxy'")
        self.assertEqual((peer.name, peer.port, peer.program), ("mine", 3128, "/bin/mine"))
        self.assertEqual(peer.arguments(1, Path("/"), "connect"), ["--title", "a proxy"])

    def test_refusesAnotherForm(self) -> None:
        """Missing parts, impossible ports and names that are taken are refused."""
        for text in ("", "mine", "mine=x:true", "mine=0:true", "mine=65536:true", "mine=1:", "plain=1:true"):
            with self.subTest(text), self.assertRaises(ValueError):
                parsePeer(text)

    def test_missingProgramIsNotFound(self) -> None:
        """What is not installed is not found, and a folder that has it is looked into first."""
        peer = Peer("absent", "no-such-proxy-program", lambda port, folder, dialect: [])
        self.assertIsNone(peer.find([]))
        with tempfile.TemporaryDirectory() as name:
            program = Path(name) / peer.program
            program.touch(0o755)
            self.assertEqual(peer.find([Path(name)]), str(program))

    def test_missingDistributionIsNotFound(self) -> None:
        """A peer of this interpreter has to be installed in it."""
        peer = Peer(
            "absent", sys.executable, lambda port, folder, dialect: [], distribution="no-such-distribution"
        )
        self.assertIsNone(peer.find([]))

    def test_everybodyCanBeToldHowToGetIt(self) -> None:
        """Each peer that may be missing says what would install it."""
        self.assertEqual([name for name, peer in BUILT_IN.items() if not peer.remedy], ["direct"])


class MeterTests(TestCase):
    """Clocks and memory of processes."""

    def test_agreesWithTheProcessesOwnClock(self) -> None:
        """What a process has used, seen from outside and from inside, is the same."""
        meter = Meter(os.getpid(), (0, 0))
        before = meter.begin()
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        took = meter.end() - before
        self.assertGreaterEqual(took.proxy, 0.05)
        self.assertAlmostEqual(took.proxy, took.load, delta=0.02)

    def test_childrenCount(self) -> None:
        """A child that came and went since the window began is part of it."""
        meter = Meter(os.getpid(), (0, 0))
        before = meter.begin()
        burn = "import time\nwhile time.process_time() < 0.2: pass"
        subprocess.run([sys.executable, "-c", burn], check=True, timeout=_PATIENCE)
        took = meter.end() - before
        self.assertGreater(took.proxy - took.load, 0.15)

    def test_memoryGrowsByWhatIsUsed(self) -> None:
        """Memory that was written to is seen; a process that has gone has none."""
        before = userMemory(os.getpid())
        # Mapped anew: what the process had and freed before would not count.
        held = mmap.mmap(-1, 8 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        held.write(b"x" * len(held))
        self.assertGreater(userMemory(os.getpid()) - before, len(held) * 3 // 4)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait(_PATIENCE)
        self.assertEqual(userMemory(gone.pid), 0)


class ReportTests(TestCase):
    """From records to tables."""

    def test_ratiosAreTakenWithinARound(self) -> None:
        """A round that was slow for both changes neither's ratio."""
        records = [_bulk("plain", 1, 1.0, 1.0), _bulk("mine", 1, 2.0, 0.5)]
        records += [_bulk("plain", 2, 0.2, 5.0), _bulk("mine", 2, 0.4, 2.5)]
        text = tables({}, records, ["plain"], [])
        self.assertIn(
            "| mine | 1.20 (0.40 to 2.00) | 1.500 (0.500 to 2.500) "
            "| 2.00 (2.00 to 2.00) | 0.50 (0.50 to 0.50) | 2 of 2 |",
            text,
        )

    def test_theCheapestInCIsAReference(self) -> None:
        """Of the peers in C the one that costs least is compared with, even if another is faster."""
        records = [_bulk("plain", 1, 1.0, 1.0), _bulk("one", 1, 4.0, 0.8), _bulk("other", 1, 2.0, 0.4)]
        text = tables({}, records, ["plain"], ["one", "other"])
        self.assertIn("CPU ÷ other (best in C)", text)
        self.assertNotIn("÷ one", text)

    def test_errorsDoNotCount(self) -> None:
        """A measurement with errors is told and in no figure; nor is one that was skipped."""
        records = [_bulk("plain", 1, 1.0, 1.0), _bulk("plain", 2, 9.0, 9.0, refused=3)]
        records += [Record("bulk-16-down", "mine", 1, skipped="too few cores")]
        text = tables({}, records, ["plain"], [])
        self.assertIn("| plain | 1.00 | 1.000 | 1.00 | 1.00 | 1 of 2 |", text)
        self.assertIn("| mine | — | — | — | — | 0 of 1 |", text)
        self.assertIn("- plain, round 2: does not count: refused (3)", text)
        self.assertIn("- mine, round 1: too few cores", text)
        self.assertEqual(oneLine(records[1]), "ERRORS: refused (3)")

    def test_linesCanBeReadBack(self) -> None:
        """What is written is what is read; anything else is refused."""
        records = [_bulk("plain", 1, 1.0, 1.0), _bulk("mine", 1, 2.0, 0.5, refused=1)]
        lines = [json.dumps({"machine": {"cores": "two"}}), *(record.toJSON() for record in records)]
        self.assertEqual(fromJSON(lines), ({"cores": "two"}, records))
        for line in ("", "[]", '{"mode": "start"}', '{"surprise": 1}'):
            with self.subTest(line), self.assertRaises(ValueError):
                fromJSON([line])


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measuresPlainWiring(self) -> None:
        """One short round of each family gives figures without errors, on paper and as JSON."""
        modes = ["bulk-2-down", "bulk-2-both", "open-2", "ping-2", "idle-20", "start"]
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "run.jsonl"
            ends = ["--peers", "plain", "--rounds", "1", "--seconds", "0.2", "--json", str(output)]
            done = self.run_("--modes", ",".join(modes), *ends)
            self.assertEqual(done.returncode, 0, done.stderr)
            machine, records = fromJSON(output.read_text("utf-8").splitlines())
            again = self.run_("--read", str(output))
        self.assertEqual([record.mode for record in records], modes)
        self.assertTrue(machine["plain"].startswith("Twisted "))
        for record in records:
            with self.subTest(record.mode):
                self.assertEqual(
                    (record.peer, record.round, record.errors, record.skipped), ("plain", 1, {}, "")
                )
                own = [
                    key for key in record.figures if key.startswith(("gib", "cpu", "per", "mess", "start"))
                ]
                self.assertEqual([key for key in own if not record.figures[key] > 0], [])
                self.assertEqual(record.figures["left_open"], 0)
        self.assertIn("kib_per_tunnel", records[-2].figures)
        self.assertIn("### bulk-2-down", done.stdout)
        self.assertEqual(again.stdout, done.stdout)

    def test_measuresEveryDialect(self) -> None:
        """One short round of each way to speak to this proxy gives figures without errors."""
        modes = ["get-2", "socks5-open-2", "tls-open-2", "tls-ping-2", "tls-bulk-2-down", "tls-bulk-1-up"]
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "run.jsonl"
            ends = [
                "--peers",
                "connectproxy,plain",
                "--rounds",
                "1",
                "--seconds",
                "0.2",
                "--json",
                str(output),
            ]
            done = self.run_("--modes", ",".join(modes), *ends)
            self.assertEqual(done.returncode, 0, done.stderr)
            _, records = fromJSON(output.read_text("utf-8").splitlines())
        self.assertEqual([record.mode for record in records if record.peer == "connectproxy"], modes)
        for record in records:
            with self.subTest(record.mode, peer=record.peer):
                if record.peer == "plain":
                    self.assertRegex(record.skipped, "does not speak")
                else:
                    self.assertEqual((record.errors, record.skipped), ({}, ""))
                    costs = [value for key, value in record.figures.items() if key.startswith("cpu")]
                    self.assertTrue(costs and all(cost > 0 for cost in costs), record.figures)

    def test_aProxyThatEndsIsAnError(self) -> None:
        """A proxy that does not work is told with its last words, and the exit code says so."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        broken = f"{shlex.quote(sys.executable)} -c 'raise SystemExit(\"no licence\")'"
        ends = ["--modes", "start", "--rounds", "1", "--seconds", "0.1"]
        done = self.run_("--peers", "direct", "--peer", f"broken={port}:{broken}", *ends)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("ended with code 1", done.stdout)
        self.assertIn("no licence", done.stdout)

    def test_wrongOptionsAreRefused(self) -> None:
        """Nothing is started for options that make no sense."""
        wrong = [["--modes", "warp-9"], ["--peers", "nobody"], ["--rounds", "0"], ["--cores", "0,9999"]]
        for options in wrong:
            with self.subTest(options):
                done = self.run_(*options)
                self.assertEqual(done.returncode, 2)
                self.assertIn("error:", done.stderr)
