"""
Tests for L{connectproxy.audit}.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import accessfile
from connectproxy import audit as module
from connectproxy.accessfile import CHECK_PATH
from connectproxy.audit import FIELDS, Audit, AuditFile
from connectproxy.ledger import GATHER
from tests.test_accessfile import FaultySystem

KNOWN = {
    "listener": "tcp:8080",
    "client": "192.0.2.7:51000",
    "user": "ci",
    "groups": ["builders"],
    "means": "token",
    "protocol": "http/1.1",
    "method": "CONNECT",
    "target": "example.com:443",
    "decision": "deny",
    "rule": "default",
    "reason": "no rule allows it",
    "error": "http_request_denied",
    "config": "01234567",
}
"""A decision."""


class AuditTests(SynchronousTestCase):
    """
    Lines.
    """

    def setUp(self) -> None:
        """
        Time is the test's.
        """
        self.clock = Clock()
        self.wall = 1_700_000_000.25
        self.path = Path(self.mktemp())
        self.audit = self.open()

    def open(self, rotate: int = 0, keep: int = 3) -> Audit:
        audit = Audit(
            str(self.path), rotate, keep, self.clock.seconds, self.clock.callLater, lambda: self.wall
        )
        self.addCleanup(audit.close)
        return audit

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_everyField(self) -> None:
        """
        A line has every field in its order, null where nothing is known, and the time.
        """
        self.audit.write(KNOWN)
        self.clock.advance(0)
        (line,) = self.lines()
        self.assertEqual(list(line), list(FIELDS))
        self.assertEqual(line["timestamp"], "2023-11-14T22:13:20.250Z")
        self.assertEqual({name: line[name] for name in KNOWN}, KNOWN)
        self.assertIsNone(line["shadow"])
        self.audit.write({})
        self.clock.advance(0)
        self.assertEqual(self.lines()[1]["groups"], [])

    def test_time(self) -> None:
        """
        Each line has its own.
        """
        for self.wall in (1_700_000_000.999, 1_700_000_001.0):
            self.audit.write(KNOWN)
        self.clock.advance(0)
        self.assertEqual(
            [line["timestamp"] for line in self.lines()],
            ["2023-11-14T22:13:20.999Z", "2023-11-14T22:13:21.000Z"],
        )

    def test_oneTurn(self) -> None:
        """
        What is decided in one turn of the reactor is written together at the next, or as
        soon as it is much.
        """
        with mock.patch.object(AuditFile, "write", autospec=True, side_effect=AuditFile.write) as write:
            self.audit.write(KNOWN)
            self.audit.write(KNOWN)
            self.assertEqual(self.path.read_bytes(), b"")
            self.clock.advance(0)
            self.assertEqual(len(self.lines()), 2)
            self.clock.advance(1)
            self.assertEqual(write.call_count, 1)
            for _ in range(GATHER):
                self.audit.write(KNOWN)
            self.assertEqual((write.call_count, len(self.lines())), (2, GATHER + 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """
        What is gathered is not lost when the proxy stops.
        """
        audit = Audit(str(self.path), 0, 1, self.clock.seconds, self.clock.callLater)
        audit.write(KNOWN)
        audit.close()
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hostile(self) -> None:
        """
        Whatever a client is called, a line stays a line, and ASCII.
        """
        self.audit.write(KNOWN | {"user": 'ev\n"il\u2028\ud800\x1b[2J', "target": "\r\n"})
        self.clock.advance(0)
        octets = self.path.read_bytes()
        self.assertEqual(octets.count(b"\n"), 1)
        self.assertTrue(all(32 <= octet < 127 for octet in octets[:-1]))
        self.assertEqual(self.lines()[0]["user"], 'ev\n"il\u2028\ud800\x1b[2J')

    def test_cannotBeOpened(self) -> None:
        """
        It raises at once, and not at the first decision.
        """
        self.path = self.path / "missing" / "file"
        self.assertRaises(OSError, self.open)

    def test_full(self) -> None:
        """
        A disk that is full is told once, and what is lost is counted; the proxy goes on, and
        so does the file when there is room again.
        """
        system = FaultySystem()
        self.patch(accessfile, "os", system)
        with capturedLogs() as events:
            system.error = OSError(errno.ENOSPC, "No space left on device")
            for _ in range(3):
                self.audit.write(KNOWN)
                self.clock.advance(0)
            system.error = None
            self.audit.write(KNOWN)
            self.clock.advance(0)
        self.assertEqual(self.audit.dropped, 3)
        self.assertEqual(len(self.lines()), 1)
        said = [formatEvent(event) for event in events]
        self.assertEqual(len(said), 2)
        self.assertIn("audit lines are being lost", said[0])
        self.assertIn("3 audit lines were lost", said[1])


class RotationTests(SynchronousTestCase):
    """
    Files that are set aside.
    """

    def setUp(self) -> None:
        """
        A directory for them.
        """
        self.now = 0.0
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "audit"

    def open(self, rotate: int = 10, keep: int = 2) -> AuditFile:
        file = AuditFile(str(self.path), rotate, keep, lambda: self.now)
        self.addCleanup(file.close)
        return file

    def content(self) -> dict[str, str]:
        return {each.name: each.read_text() for each in sorted(self.directory.iterdir())}

    def test_bySize(self) -> None:
        """
        Before it would become larger than it may it gets a number, the newest the first; the
        oldest goes.  No line is torn, and one that is too long by itself has a file alone.
        """
        file = self.open()
        for line in (b"one\n", b"two\n", b"three\n", b"four\n", b"a long line\n", b"five\n"):
            file.write(line)
        self.assertEqual(self.content(), {"audit": "five\n", "audit.1": "a long line\n", "audit.2": "four\n"})

    def test_never(self) -> None:
        """
        Without a size it grows on.
        """
        file = self.open(rotate=0)
        file.write(b"x" * 99 + b"\n")
        file.write(b"y\n")
        self.assertEqual(list(self.content()), ["audit"])

    def test_all(self) -> None:
        """
        Where all are kept none goes.
        """
        file = self.open(keep=0)
        for number in range(5):
            file.write(b"line %d \n" % number)
        self.assertEqual(
            self.content(),
            {"audit": "line 4 \n", **{f"audit.{4 - number}": f"line {number} \n" for number in range(4)}},
        )

    def test_movedAway(self) -> None:
        """
        One that somebody else has moved is opened anew within a second, and not set aside
        a second time.
        """
        file = self.open()
        file.write(b"before \n")
        self.path.rename(self.directory / "moved")
        self.now += CHECK_PATH
        file.write(b"after \n")
        self.assertEqual(self.content(), {"audit": "after \n", "moved": "before \n"})

    def test_movedAtItsSize(self) -> None:
        """
        So is one that has been moved, or replaced, when it has its full size.
        """
        file = self.open()
        file.write(b"before \n")
        self.path.rename(self.directory / "moved")
        file.write(b"after \n")
        self.assertEqual(self.content(), {"audit": "after \n", "moved": "before \n"})
        self.path.rename(self.directory / "again")
        self.path.write_text("new\n")
        file.write(b"line\n")
        self.assertEqual(self.content()["audit"], "new\nline\n")

    def test_shared(self) -> None:
        """
        Of two processes that share it one sets it aside, and the other follows; no line is
        lost, whoever comes first.
        """
        first, second = self.open(keep=0), self.open(keep=0)
        for number in range(8):
            (first, second)[number % 3 % 2].write(b"line %d\n" % number)
        lines = sorted(line for text in self.content().values() for line in text.splitlines())
        self.assertEqual(lines, [f"line {number}" for number in range(8)])
        self.assertTrue(all(len(text) <= 14 for text in self.content().values()))

    def test_beingMoved(self) -> None:
        """
        While another process is about it, lines go where they went.
        """
        file = self.open()
        file.write(b"before \n")
        with self.path.open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            file.write(b"meanwhile\n")
        self.assertEqual(self.content(), {"audit": "before \nmeanwhile\n"})
        file.write(b"after\n")
        self.assertEqual(self.content(), {"audit": "after\n", "audit.1": "before \nmeanwhile\n"})

    def test_cannotBeMoved(self) -> None:
        """
        Where it can't be set aside that is told once, and it is written on; and again when
        it has worked in between.
        """
        file = self.open()
        failing = mock.patch.object(
            module.os, "replace", side_effect=OSError(errno.EPERM, "Operation not permitted")
        )
        file.write(b"line one\n")
        with capturedLogs() as events:
            with failing:
                file.write(b"two\n")
                file.write(b"three\n")
            file.write(b"four\n")
            with failing:
                file.write(b"six seven\n")
        self.assertEqual(self.content(), {"audit": "four\nsix seven\n", "audit.1": "line one\ntwo\nthree\n"})
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error] * 2)
        self.assertIn("can't be set aside: [Errno 1] Operation not permitted", formatEvent(events[0]))

    def test_noFile(self) -> None:
        """
        What is no file is never set aside.
        """
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        file = self.open(rotate=1)
        file.write(b"one\n")
        file.write(b"two\n")
        self.assertEqual(os.read(reader, 100), b"one\ntwo\n")
        self.assertEqual(os.listdir(self.directory), ["audit"])
