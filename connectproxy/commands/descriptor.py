"""
A descriptor that this process was given, such as that of standard input, taken over: read
from and written to without ever waiting, and left as it was found.

Owns what is done to it; what is read and written is not known here.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from contextlib import suppress

__all__ = ["READ_SIZE", "Descriptor"]

READ_SIZE = 65536
"""Octets read at once: what a pipe holds."""


class Descriptor:
    """
    A descriptor of this process, taken from whoever else here could write to it.

    What is shared with other processes stays as it is: pipes and terminals are opened anew,
    if the system permits that, so that not blocking is this process's own business.

    @ivar number: the number that it has now.
    @ivar isPipe: it is a pipe.
    @ivar isTerminal: it is a terminal.
    """

    def __init__(self, number: int) -> None:
        """
        @param number: what has it so far; F</dev/null> has it from now on.
        @raise OSError: there is no such descriptor.
        """
        mode = os.fstat(number).st_mode
        self._flags = fcntl.fcntl(number, fcntl.F_GETFL)
        self.isPipe = stat.S_ISFIFO(mode)
        self.isTerminal = os.isatty(number)
        self._socket: socket.socket | None = None
        if self.isPipe or self.isTerminal:
            self.number = self._opened(number)
            os.set_blocking(self.number, False)
        else:
            self.number = os.dup(number)
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=self.number)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, number)
        os.close(null)

    def _opened(self, number: int) -> int:
        """
        Open what a number has once more, or at least give it another number.
        """
        flags = self._flags & os.O_ACCMODE | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            return os.open(f"/dev/fd/{number}", flags)
        except OSError:  # it is another user's, or a pipe that nobody reads
            return os.dup(number)

    def read(self) -> bytes | None:
        """
        Take what has come.

        @return: none at the end of the stream; L{None} where there is nothing yet.
        @raise OSError: it is broken.
        """
        try:
            if self._socket is not None:
                return self._socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
            return os.read(self.number, READ_SIZE)
        except BlockingIOError:
            return None

    def write(self, octets: bytes | memoryview) -> int:
        """
        Put as much as there is room for.

        @return: how many octets that is.
        @raise OSError: it is broken.
        """
        try:
            if self._socket is not None:
                return self._socket.send(octets, socket.MSG_DONTWAIT)
            return os.write(self.number, octets)
        except BlockingIOError:
            return 0

    def end(self) -> None:
        """
        Say that nothing more comes, and close.
        """
        if self._socket is not None:
            with suppress(OSError):  # it is not connected any more
                self._socket.shutdown(socket.SHUT_WR)
        self.close()

    def close(self) -> None:
        """
        Close; what it is stays as it was found.
        """
        with suppress(OSError):  # a terminal that is gone
            fcntl.fcntl(self.number, fcntl.F_SETFL, self._flags)
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self.number)
