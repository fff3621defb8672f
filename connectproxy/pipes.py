"""
Pipes for C{splice(2)}, and the pool of those that are empty.

A pipe that may hold bytes never goes into the pool: the next tunnel would
deliver another's.
"""

from __future__ import annotations

import array
import fcntl
import os
import termios
from collections import deque

from twisted.logger import Logger

__all__ = ["PIPE_SIZE", "SPARE_PIPES", "Pipe", "PipePool"]

PIPE_SIZE = 1 << 20
"""Octets that are asked for as a pipe's capacity; /proc/sys/fs/pipe-max-size caps
it at this for ordinary users.  Reading a quarter of it at a time cost about three quarters
more CPU per octet in the run that decided it."""

SPARE_PIPES = 64
"""Empty pipes that are kept for the next one that needs any."""

F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)

Pipe = tuple[int, int]
"""The descriptors of a pipe: to read from, to write to."""


class PipePool:
    """
    Empty pipes, the last one used first: its pages are warm.

    @ivar discarded: pipes that came back with bytes in them although they were
        said to be empty.  It stays 0; anything else is a bug of the relay's.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._spare: deque[Pipe] = deque()
        self._waiting = array.array("i", [0])
        self.discarded = 0

    def __len__(self) -> int:
        return len(self._spare)

    def take(self) -> Pipe:
        """
        @return: the ends of an empty pipe, to read from and to write to.
        @raise OSError: the system has no more descriptors.
        """
        if self._spare:
            return self._spare.pop()
        pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(pipe[1], F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # over the user's share of pipe pages: the default size works too
        return pipe

    def give(self, pipe: Pipe) -> None:
        """
        Take back a pipe that has been emptied.
        """
        fcntl.ioctl(pipe[0], termios.FIONREAD, self._waiting, True)
        if self._waiting[0]:
            self.discarded += 1
            self._log.critical("a pipe with {n} octets in it was given back as empty", n=self._waiting[0])
            self.discard(pipe)
        elif len(self._spare) < SPARE_PIPES:
            self._spare.append(pipe)
        else:
            self.discard(pipe)

    def discard(self, pipe: Pipe) -> None:
        """
        Close a pipe, whatever is in it.
        """
        os.close(pipe[0])
        os.close(pipe[1])

    def stop(self) -> None:
        """
        Close every spare pipe.
        """
        while self._spare:
            self.discard(self._spare.pop())
