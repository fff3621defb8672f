"""
Files that lines are appended to, by whoever has events to keep.

Knows no event: what a line says is L{connectproxy.ledger}'s and L{connectproxy.audit}'s.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

__all__ = ["AccessFile", "Sink"]

CHECK_PATH = 1.0
"""Seconds after which it is looked whether the file was moved away."""


class Sink(Protocol):
    """
    Where lines of JSON go.
    """

    def write(self, lines: bytes) -> None:
        """
        Keep lines, each with its newline; never raise.
        """

    def close(self) -> None:
        """
        No more lines come.
        """


class AccessFile:
    """
    Lines of JSON in a file, appended whole, so that several processes can share it.

    When the file has been moved or removed (log rotation), it is opened anew
    within a second; where that fails, the old one is written on.  A failure to write
    is logged once until it works again, and the lines that were lost are counted.

    @cvar what: what the lines are, for messages.
    @ivar dropped: how many were lost since it was opened.
    """

    _log = Logger()

    what = "access events"

    def __init__(self, path: str | None, clock: Callable[[], float]) -> None:
        """
        @param path: the file, made if it isn't there (readable by its owner and
            group); L{None} for standard output.
        @param clock: tells the time, in seconds.
        @raise OSError: it can't be opened.
        """
        self._path = path
        self._clock = clock
        self._lost = self.dropped = 0
        self._stuck = False
        self._torn = False
        self._checked = clock()
        self._fd = 1
        if path is not None:
            self._open()

    def _open(self) -> None:
        assert self._path is not None
        flags = (
            os.O_WRONLY
            | os.O_CREAT
            | os.O_APPEND
            | getattr(os, "O_CLOEXEC", 0)
            | getattr(os, "O_NOCTTY", 0)
            | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not stop the reactor, at the start or later
        )
        self._fd = os.open(self._path, flags, 0o640)

    def write(self, lines: bytes) -> None:
        """
        See L{Sink.write}.
        """
        try:
            if self._path is not None and self._clock() - self._checked >= CHECK_PATH:
                self._checked = self._clock()
                self._reopen()
            if self._torn:  # the last line has no end
                lines = b"\n" + lines
            written = os.write(self._fd, lines)
            self._torn = False
            while written < len(lines):  # a pipe, or a disk that is nearly full
                lines = lines[written:]
                self._torn = True
                written = os.write(self._fd, lines)
            self._torn = False
        except OSError as error:
            if not self._lost:
                self._log.error(
                    "{what} are being lost: {path}: {error}",
                    what=self.what,
                    path=self._path,
                    error=str(error),
                )
            lost = lines.count(b"\n")
            self._lost += lost
            self.dropped += lost
        else:
            if self._lost:
                self._log.warn(
                    "{path} is writable again; {n} {what} were lost",
                    path=self._path,
                    n=self._lost,
                    what=self.what,
                )
                self._lost = 0

    def _reopen(self) -> None:
        """
        Open the file anew if its name leads elsewhere by now.
        """
        assert self._path is not None
        ours = os.fstat(self._fd)
        if not stat.S_ISREG(ours.st_mode):
            return
        try:
            there = os.stat(self._path)
            same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            same = False
        if not same:
            old = self._fd
            try:
                self._open()
            except OSError as error:
                if not self._stuck:
                    self._log.error(
                        "{path} can't be opened anew, so the old file is written on: {error}",
                        path=self._path,
                        error=str(error),
                    )
                self._stuck = True
                return
            self._stuck = False
            os.close(old)

    def close(self) -> None:
        """
        See L{Sink.close}.
        """
        if self._path is not None:
            os.close(self._fd)
