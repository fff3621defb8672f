"""
Tests for L{connectproxy.pipes}.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import pipes
from connectproxy.pipes import PIPE_SIZE, SPARE_PIPES, PipePool


class PipePoolTests(SynchronousTestCase):
    """
    Only empty pipes are ever in the pool.
    """

    def setUp(self) -> None:
        self.pool = PipePool()
        self.addCleanup(self.pool.stop)

    def assertClosed(self, pipe: tuple[int, int]) -> None:
        """
        Both ends of a pipe are closed.
        """
        for fd in pipe:
            self.assertRaises(OSError, os.fstat, fd)

    def test_take(self) -> None:
        """
        A new pipe is large, does not block, and is not inherited.
        """
        pipe = self.pool.take()
        self.addCleanup(self.pool.discard, pipe)
        self.assertEqual(fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ), PIPE_SIZE)  # type: ignore[attr-defined]
        for fd in pipe:
            self.assertFalse(os.get_blocking(fd))
            self.assertFalse(os.get_inheritable(fd))

    def test_lastInFirstOut(self) -> None:
        """
        The pipe that was used last is the next, and none is made while there is one.
        """
        first, second = self.pool.take(), self.pool.take()
        self.pool.give(first)
        self.pool.give(second)
        self.assertEqual(len(self.pool), 2)
        self.assertEqual((self.pool.take(), self.pool.take()), (second, first))
        self.assertEqual(len(self.pool), 0)
        self.pool.give(first)
        self.pool.give(second)

    def test_bytesInside(self) -> None:
        """
        A pipe with octets in it is closed and counted, and the log says so: the next tunnel
        would get them.
        """
        for octets in (b"x", bytes(PIPE_SIZE)):
            pipe = self.pool.take()
            os.write(pipe[1], octets)
            with capturedLogs() as events:
                self.pool.give(pipe)
            self.assertClosed(pipe)
            (event,) = events
            self.assertEqual((event["log_level"], event["n"]), (LogLevel.critical, len(octets)))
        self.assertEqual((self.pool.discarded, len(self.pool)), (2, 0))

    def test_emptied(self) -> None:
        """
        A pipe that had octets in it, and has none any more, is as good as a new one.
        """
        pipe = self.pool.take()
        os.write(pipe[1], b"xyz")
        os.read(pipe[0], 3)
        self.pool.give(pipe)
        self.assertEqual((self.pool.discarded, self.pool.take()), (0, pipe))
        self.pool.discard(pipe)
        self.assertClosed(pipe)

    def test_bounded(self) -> None:
        """
        More pipes than are likely to be needed again are not kept.
        """
        self.patch(pipes, "SPARE_PIPES", 2)
        taken = [self.pool.take() for _ in range(3)]
        for pipe in taken:
            self.pool.give(pipe)
        self.assertEqual(len(self.pool), 2)
        self.assertClosed(taken[2])
        self.assertEqual(self.pool.discarded, 0)
        self.assertGreater(SPARE_PIPES, 2)

    def test_stop(self) -> None:
        """
        Every pipe that is spare is closed.
        """
        taken = [self.pool.take() for _ in range(3)]
        for pipe in taken:
            self.pool.give(pipe)
        self.pool.stop()
        for pipe in taken:
            self.assertClosed(pipe)
        self.assertEqual(len(self.pool), 0)

    def test_sizeRefused(self) -> None:
        """
        Where the kernel grants no large pipe, one of the usual size does.
        """
        asked: list[Any] = []

        def refuse(*arguments: Any) -> int:
            asked.append(arguments)
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        refusing = self.patch(fcntl, "fcntl", refuse)
        pipe = self.pool.take()
        refusing.restore()
        self.addCleanup(self.pool.discard, pipe)
        self.assertEqual([each[1:] for each in asked], [(pipes.F_SETPIPE_SZ, PIPE_SIZE)])
        self.assertLess(fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ), PIPE_SIZE)  # type: ignore[attr-defined]

    def test_none(self) -> None:
        """
        Where there are no descriptors, whoever asks is told.
        """

        def refuse(flags: int) -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(os, "pipe2", refuse)
        self.assertRaises(OSError, self.pool.take)
