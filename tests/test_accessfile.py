"""
Tests for L{connectproxy.accessfile.AccessFile}.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import accessfile
from connectproxy.accessfile import CHECK_PATH, AccessFile


class FaultySystem:
    """
    C{os} with a C{write} that the test can break.

    @ivar error: raised by the next writes.
    @ivar most: how many octets one write takes.
    @ivar stdout: what was written to descriptor 1.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.most: int | None = None
        self.stdout = b""
        self.writes = 0
        self.closed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, octets: bytes) -> int:
        self.writes += 1
        if self.error is not None:
            raise self.error
        octets = octets[: self.most]
        if descriptor == 1:
            self.stdout += octets
            return len(octets)
        return os.write(descriptor, octets)

    def close(self, descriptor: int) -> None:
        self.closed.append(descriptor)
        os.close(descriptor)


class AccessFileTests(SynchronousTestCase):
    """
    Lines in a file.
    """

    def setUp(self) -> None:
        """
        The time stands still, and the system can be made to fail.
        """
        self.now = 100.0
        self.system = FaultySystem()
        self.patch(accessfile, "os", self.system)
        self.path = Path(self.mktemp())

    def open(self, path: str | None = None) -> AccessFile:
        """
        Open the file, for the length of a test.
        """
        file = AccessFile(path or str(self.path), lambda: self.now)
        self.addCleanup(file.close)
        return file

    def logged(self, function: Callable[[], object]) -> list[Any]:
        """
        The level and the parameters of what a call logs.
        """
        with capturedLogs() as events:
            function()
        return [(event["log_level"], event.get("n", event.get("error"))) for event in events]

    def test_append(self) -> None:
        """
        What is written is appended to what there is, by one system call, so that processes
        can share a file.
        """
        self.path.write_bytes(b"before\n")
        first, second = self.open(), self.open()
        for file, line in ((first, b"one\n"), (second, b"two\n"), (first, b"three\n")):
            file.write(line)
        self.assertEqual(self.path.read_bytes(), b"before\none\ntwo\nthree\n")
        self.assertEqual(self.system.writes, 3)

    def test_made(self) -> None:
        """
        A file that isn't there is made, and others can't read it.
        """
        self.open()
        mode = self.path.stat().st_mode
        self.assertTrue(stat.S_ISREG(mode))
        self.assertEqual(mode & 0o137, 0)
        self.assertEqual(mode & 0o600, 0o600)

    def test_notInherited(self) -> None:
        """
        Programs that the process starts do not get it.
        """
        self.assertFalse(os.get_inheritable(self.open()._fd))

    def test_cannotBeOpened(self) -> None:
        """
        It raises at once where the file can't be made, and not at the first event.
        """
        with self.assertRaises(OSError):
            AccessFile(str(self.path / "missing" / "file"), lambda: self.now)

    def test_movedAway(self) -> None:
        """
        Within a second after the file was moved, the next line makes a new one and the
        old one is let go; nothing is lost on the way.
        """
        file = self.open()
        old = file._fd
        file.write(b"one\n")
        rotated = self.path.with_suffix(".1")
        self.path.rename(rotated)
        self.now += CHECK_PATH / 2
        file.write(b"two\n")
        self.assertEqual(rotated.read_bytes(), b"one\ntwo\n")
        self.now += CHECK_PATH / 2
        file.write(b"three\n")
        file.write(b"four\n")
        self.assertEqual(rotated.read_bytes(), b"one\ntwo\n")
        self.assertEqual(self.path.read_bytes(), b"three\nfour\n")
        self.assertEqual(self.system.closed, [old])

    def test_replaced(self) -> None:
        """
        A new file in its place is the one to write to, without emptying it.
        """
        file = self.open()
        self.path.unlink()
        self.path.write_bytes(b"new\n")
        self.now += CHECK_PATH
        file.write(b"one\n")
        self.assertEqual(self.path.read_bytes(), b"new\none\n")

    def test_lookedAtOnceASecond(self) -> None:
        """
        The file's name is looked at no more than once a second, and the same file is not
        opened anew.
        """
        self.assertEqual(CHECK_PATH, 1.0)
        file = self.open()
        before = file._fd
        looks: list[str] = []
        self.system.stat = lambda path: looks.append(path) or os.stat(path)  # type: ignore[attr-defined]
        for _ in range(3):
            file.write(b"line\n")
            self.now += CHECK_PATH
            file.write(b"line\n")
            file.write(b"line\n")
        self.assertEqual(looks, [str(self.path)] * 3)
        self.assertEqual(file._fd, before)
        self.assertEqual(self.path.read_bytes(), b"line\n" * 9)

    def test_device(self) -> None:
        """
        What is no regular file is never opened anew: its name says nothing.
        """
        file = self.open(os.devnull)
        before = file._fd
        self.now += CHECK_PATH
        file.write(b"line\n")
        self.assertEqual(file._fd, before)

    def test_failure(self) -> None:
        """
        A failure is logged once, with its cause, however many lines are lost; as soon as
        it works again that is logged with their number, once.
        """
        file = self.open()
        self.system.error = OSError(28, "No space left on device")

        def three() -> None:
            for _ in range(3):
                file.write(b"lost\n")

        self.assertEqual(self.logged(three), [(LogLevel.error, "[Errno 28] No space left on device")])
        self.system.error = None
        self.assertEqual(self.logged(lambda: file.write(b"back\n")), [(LogLevel.warn, 3)])
        self.assertEqual(self.logged(lambda: file.write(b"more\n")), [])
        self.assertEqual(self.path.read_bytes(), b"back\nmore\n")

    def test_severalAtOnce(self) -> None:
        """
        Where lines are written together each that is lost counts.
        """
        file = self.open()
        self.system.error = OSError(28, "No space left on device")
        file.write(b"one\ntwo\n")
        file.write(b"three\n")
        self.system.error = None
        self.assertEqual(self.logged(lambda: file.write(b"back\n")), [(LogLevel.warn, 3)])

    def test_failsAgain(self) -> None:
        """
        The next failure is news again, and counted from the beginning.
        """
        file = self.open()
        error = OSError(5, "Input/output error")
        levels = []
        for self.system.error in (error, None, error, None):
            levels += self.logged(lambda: file.write(b"line\n"))
        self.assertEqual([level for level, _ in levels], [LogLevel.error, LogLevel.warn] * 2)
        self.assertEqual([n for level, n in levels if level is LogLevel.warn], [1, 1])

    def test_fullDevice(self) -> None:
        """
        So it is with a device that is really full.
        """
        file = self.open("/dev/full")
        (event,) = self.logged(lambda: file.write(b"lost\n"))
        self.assertIs(event[0], LogLevel.error)

    def test_directoryIsGone(self) -> None:
        """
        Where the file was moved and no new one can be made, nothing is lost: the old one
        is written on, which is said once, and the new one is tried again a second later.
        """
        home = Path(self.mktemp())
        home.mkdir()
        file = self.open(str(home / "log"))
        moved = home.with_suffix(".old")
        home.rename(moved)
        for line in (b"one\n", b"two\n"):
            self.now += CHECK_PATH
            events = self.logged(lambda line=line: file.write(line))
            self.assertEqual([event[0] for event in events], [LogLevel.error] if line == b"one\n" else [])
        home.mkdir()
        self.now += CHECK_PATH
        self.assertEqual(self.logged(lambda: file.write(b"three\n")), [])
        self.assertEqual((moved / "log").read_bytes(), b"one\ntwo\n")
        self.assertEqual((home / "log").read_bytes(), b"three\n")

    def test_tornLine(self) -> None:
        """
        Where a line was cut by a failure, the next one does not go on in it.
        """
        file = self.open()
        self.system.most = 4
        write, left = self.system.write, iter((False, True))

        def failing(descriptor: int, octets: bytes) -> int:
            if next(left, False):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, octets)

        patched = self.patch(self.system, "write", failing)
        file.write(b"0123456789\n")
        patched.restore()
        file.write(b"whole\n")
        self.assertEqual(self.path.read_bytes(), b"0123\nwhole\n")

    def test_FIFO(self) -> None:
        """
        A FIFO that nobody reads stops neither the start nor, when it is full, the reactor.
        """
        os.mkfifo(self.path)
        self.assertEqual(self.assertRaises(OSError, self.open).errno, errno.ENXIO)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        file = self.open()
        events = self.logged(lambda: [file.write(b"x" * 1000 + b"\n") for _ in range(100)])
        self.assertIs(events[0][0], LogLevel.error)

    def test_partialWrites(self) -> None:
        """
        A line that is taken piece by piece is written whole.
        """
        file = self.open()
        self.system.most = 4
        file.write(b"0123456789\n")
        self.assertEqual(self.path.read_bytes(), b"0123456789\n")
        self.assertEqual(self.system.writes, 3)

    def test_stdout(self) -> None:
        """
        Without a path the lines go to descriptor 1, which is never looked at nor closed:
        it isn't ours.
        """
        file = AccessFile(None, lambda: self.now)
        self.now += 10 * CHECK_PATH
        file.write(b"one\n")
        self.system.most = 2
        file.write(b"two\n")
        file.close()
        self.assertEqual(self.system.stdout, b"one\ntwo\n")
        self.assertEqual(self.system.closed, [])

    def test_close(self) -> None:
        """
        The file is closed.
        """
        file = AccessFile(str(self.path), lambda: self.now)
        file.close()
        with self.assertRaises(OSError):
            os.fstat(file._fd)
