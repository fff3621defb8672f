"""
Tests for L{connectproxy.testing.pipe}: the fake pipe does what loopback sockets do, by the
same tests.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from connectproxy.testing import FakeReactor, Peer, pipePair
from connectproxy.testing.pipe import ABORT, FakeSocket, addressOf
from tests.loopback import LoopbackTestCase
from tests.pipecontract import BUFFERS, PipeContract


class FakePipeTests(PipeContract, TestCase):
    """
    The fake pipe.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def connect(self, first: Any, second: Any) -> None:
        pipePair(self.reactor, first, second, capacity=2 * BUFFERS)

    def until(self, condition: Any) -> Deferred[None]:
        self.reactor.flush()
        self.assertTrue(condition())
        return succeed(None)

    def turns(self) -> Deferred[None]:
        self.reactor.flush()
        return succeed(None)


class LoopbackPipeTests(PipeContract, LoopbackTestCase):
    """
    Real sockets: integration.
    """

    def connect(self, first: Any, second: Any) -> None:
        self.pair(first, second, BUFFERS)


class SocketTests(SynchronousTestCase):
    """
    The fake kernel, by itself.
    """

    def pair(self, capacity: int = 10) -> tuple[FakeSocket, FakeSocket]:
        """
        @return: two sockets that are connected.
        """
        one, two = FakeSocket(3, capacity), FakeSocket(4, capacity)
        one.other, two.other = two, one
        return one, two

    def assertErrno(self, number: int, function: Any, *arguments: Any) -> None:
        """
        A call fails with an error of the system's.
        """
        with self.assertRaises(OSError) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.errno, number)

    def test_full(self) -> None:
        """
        What does not fit waits, and so does who reads nothing.
        """
        one, two = self.pair()
        self.assertErrno(errno.EWOULDBLOCK, two.recv, 5)
        self.assertEqual((one.send(b"0123456789abc"), one.writable, two.readable), (10, False, True))
        self.assertErrno(errno.EWOULDBLOCK, one.send, b"abc")
        self.assertEqual(two.recv(4, socket.MSG_PEEK), b"0123")
        self.assertEqual((two.recv(4), one.writable, one.send(b"abcde")), (b"0123", True, 4))

    def test_closed(self) -> None:
        """
        A closed socket can do nothing, and a second close does nothing.
        """
        one, two = self.pair()
        one.close()
        one.close()
        self.assertEqual((one.fileno(), two.recv(5)), (-1, b""))
        self.assertErrno(errno.EBADF, one.send, b"x")
        self.assertErrno(errno.EBADF, one.recv, 1)
        self.assertEqual(two.send(b"x"), 1)  # it is answered by a reset
        self.assertErrno(errno.EPIPE, two.send, b"x")

    def test_shut(self) -> None:
        """
        Behind one's own end of stream nothing can be sent; only reading can be shut, too,
        which sends none.
        """
        one, two = self.pair()
        one.shutdown(socket.SHUT_RD)
        self.assertFalse(two.readable)
        one.shutdown(socket.SHUT_WR)
        one.shutdown(socket.SHUT_RDWR)
        self.assertErrno(errno.EPIPE, one.send, b"x")
        self.assertEqual(two.recv(1), b"")
        two.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.assertEqual(two.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER), ABORT)
        two.setblocking(False)
        two.close()
        self.assertErrno(errno.ECONNRESET, one.recv, 1)
        self.assertErrno(errno.ENOTCONN, one.shutdown, socket.SHUT_WR)
        one.close()

    def test_address(self) -> None:
        """
        An address has the class of its family.
        """
        self.assertIsInstance(addressOf("::1", 1), IPv6Address)
        self.assertIsInstance(addressOf("192.0.2.1", 1), IPv4Address)

    def test_closeAtEnd(self) -> None:
        """
        A peer can be told to close when the other end has.
        """
        reactor = FakeReactor()
        peer = Peer(closeAtEnd=True)
        pipePair(reactor, Peer(), peer).first.loseWriteConnection()
        reactor.flush()
        self.assertIsNot(peer.lost, None)
