"""
Tests for L{connectproxy.commands.descriptor}, on real descriptors.
"""

from __future__ import annotations

import os
import socket
import tty
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from connectproxy.commands.descriptor import READ_SIZE, Descriptor
from tests.loopback import LoopbackTestCase

pytestmark = pytest.mark.integration

MUCH = bytes(range(256)) * 4096
"""More than pipes and sockets hold."""


class DescriptorCase(LoopbackTestCase):
    """
    Has descriptors that are closed when the test is over.
    """

    def setUp(self) -> None:
        """
        None yet.
        """
        LoopbackTestCase.setUp(self)
        self.open: list[int] = []
        self.addCleanup(self.closeThem)

    def closeThem(self) -> None:
        """
        Close what is open still.
        """
        for number in self.open:
            os.close(number)

    def shut(self, number: int) -> None:
        """
        Close one.
        """
        self.open.remove(number)
        os.close(number)

    def pipe(self) -> tuple[int, int]:
        """
        A pipe: the end to read from, and the end to write to.
        """
        ends = os.pipe()
        self.open += ends
        return ends

    def file(self, octets: bytes = b"", flags: int = os.O_RDWR) -> tuple[Path, int]:
        """
        A file with some octets.
        """
        path = Path(self.mktemp())
        path.write_bytes(octets)
        self.open.append(os.open(path, flags))
        return path, self.open[-1]

    def socketPair(self) -> tuple[socket.socket, int]:
        """
        Two sockets, the second by its number only.
        """
        one, two = socket.socketpair()
        self.addCleanup(one.close)
        one.setblocking(False)
        self.open.append(two.detach())
        return one, self.open[-1]

    def terminal(self) -> tuple[int, int]:
        """
        A terminal's far end, and the terminal.
        """
        ends = os.openpty()
        self.open += ends
        tty.setraw(ends[1])
        return ends


class DescriptorTests(DescriptorCase):
    """
    One descriptor.
    """

    def taken(self, number: int) -> Descriptor:
        """
        Take one over.
        """
        descriptor = Descriptor(number)
        self.addCleanup(descriptor.close)
        return descriptor

    def test_vacated(self) -> None:
        """
        Whatever else writes to the number from now on is thrown away, and reading from it
        ends at once.
        """
        source, sink = self.pipe()
        taken = [self.taken(number) for number in (source, sink)]
        os.write(sink, b"lost")
        self.assertEqual(os.read(source, 9), b"")
        self.assertEqual(taken[1].write(b"kept"), 4)
        self.assertEqual(taken[0].read(), b"kept")
        self.assertFalse(any(os.get_inheritable(each.number) for each in taken))

    def test_missing(self) -> None:
        """
        A number that nothing has is an error.
        """
        source, _ = self.pipe()
        self.shut(source)
        self.assertRaises(OSError, Descriptor, source)

    def test_shared(self) -> None:
        """
        What other processes have of the same pipe or terminal goes on to block.
        """
        for ends in (self.pipe(), self.terminal()):
            for number in ends:
                other = os.dup(number)
                self.open.append(other)
                descriptor = self.taken(number)
                self.assertTrue(os.get_blocking(other))
                self.assertFalse(os.get_blocking(descriptor.number))
                self.assertNotEqual(descriptor.number, number)

    def test_notAgain(self) -> None:
        """
        What can't be opened once more, since it is another user's, is made not to block, and
        is again as it was when it is closed.
        """
        for ends in (self.pipe(), self.terminal()):
            other = os.dup(ends[1])
            self.open.append(other)
            with mock.patch("os.open", self.failing(os.open)):
                descriptor = Descriptor(ends[1])
            self.assertFalse(os.get_blocking(other))
            descriptor.close()
            self.assertTrue(os.get_blocking(other))

    def failing(self, real: Any) -> Any:
        """
        Opens nothing that is open already.
        """

        def opened(path: str, *more: Any) -> int:
            if path.startswith("/dev/fd/"):
                raise PermissionError(path)
            return real(path, *more)  # type: ignore[no-any-return]

        return opened

    def test_broken(self) -> None:
        """
        A pipe that nobody reads any more is found out by writing.
        """
        source, sink = self.pipe()
        self.shut(source)
        self.assertRaises(BrokenPipeError, self.taken(sink).write, b"x")

    def test_nothingYet(self) -> None:
        """
        Nothing waits: there is nothing to be read yet, or no more room.
        """
        source, sink = (self.taken(number) for number in self.pipe())
        self.assertIsNone(source.read())
        while sink.write(MUCH):
            pass
        self.assertEqual(source.read(), MUCH[:READ_SIZE])
        one, number = self.socketPair()
        ours = self.taken(number)
        self.assertIsNone(ours.read())
        while ours.write(MUCH):
            pass
        self.assertTrue(one.recv(9))

    def test_kinds(self) -> None:
        """
        What it is.
        """
        self.assertEqual([each.isPipe for each in map(self.taken, self.pipe())], [True, True])
        terminal = self.taken(self.terminal()[1])
        self.assertEqual((terminal.isPipe, terminal.isTerminal), (False, True))
        file = self.taken(self.file()[1])
        self.assertEqual((file.isPipe, file.isTerminal), (False, False))

    def test_file(self) -> None:
        """
        A file is written to where whoever opened it stopped.
        """
        path, number = self.file(b"before ", os.O_WRONLY | os.O_APPEND)
        self.assertEqual(self.taken(number).write(b"and after"), 9)
        self.assertEqual(path.read_bytes(), b"before and after")
        path, number = self.file(b"before and after", os.O_RDONLY)
        os.lseek(number, 7, os.SEEK_SET)
        self.assertEqual(self.taken(number).read(), b"and after")

    def test_endOfSocket(self) -> None:
        """
        The stream of a socket ends, even if somebody else has the socket, too; the other
        direction goes on.
        """
        one, number = self.socketPair()
        self.open.append(os.dup(number))
        Descriptor(self.open[-1]).end()
        self.assertEqual(one.recv(9), b"")
        one.send(b"on")
        self.assertEqual(os.read(self.taken(number).number, 9), b"on")

    def test_endOfBrokenSocket(self) -> None:
        """
        One that is broken is only closed.
        """
        sock = socket.socket()
        Descriptor(number := sock.detach()).end()
        os.close(number)
