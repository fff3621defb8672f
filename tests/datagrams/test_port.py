"""
Tests for L{connectproxy.datagrams.port}.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.datagrams import DatagramPort, DirectDatagrams
from connectproxy.datagrams.port import TURN
from connectproxy.interfaces.datagrams import IDatagramPort
from connectproxy.names import Names
from tests.datagrams.network import Network
from tests.fakes import FakeReactor


class PortCase(SynchronousTestCase):
    """
    A socket on a fake network.
    """

    def setUp(self) -> None:
        """
        Open one.
        """
        self.reactor, self.network = FakeReactor(), Network()
        self.owner = DirectDatagrams(
            self.reactor, lambda request, address: None, Names(self.reactor), self.network.socket
        )
        self.received: list[tuple[bytes, str, int]] = []
        self.lost: list[str] = []
        self.port = self.open()
        self.fake = self.network.sockets[0]

    def open(self, host: str = "127.0.0.1") -> DatagramPort:
        """
        Open another.
        """

        def received(octets: bytes, host: str, port: int) -> None:
            self.received.append((octets, host, port))

        return DatagramPort(self.owner, host, received, lambda: self.lost.append("lost"))


class DatagramPortTests(PortCase):
    """
    Opening, taking, sending, closing.
    """

    def test_interfaces(self) -> None:
        """
        It is what it claims to be, for the reactor and for its users.
        """
        self.assertTrue(verifyObject(IDatagramPort, self.port))
        self.assertTrue(verifyObject(IReadDescriptor, self.port))
        self.assertEqual(self.port.logPrefix(), "datagrams")

    def test_open(self) -> None:
        """
        It is bound to the address with a port of the system's choice, does not block, and is
        watched; one of IPv6 leaves IPv4 to the other.
        """
        self.assertEqual((self.port.host, self.port.port), self.fake.bound)
        self.assertEqual((self.fake.family, self.fake.blocking), (socket.AF_INET, False))
        self.assertEqual(self.port.fileno(), self.fake.number)
        self.assertEqual(self.reactor.getReaders(), [self.port])
        port = self.open("::1")
        fake = self.network.sockets[1]
        self.assertEqual((port.host, port.port), fake.bound)
        self.assertEqual(fake.family, socket.AF_INET6)
        self.assertEqual(fake.options, {(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY): 1})

    def test_cannotOpen(self) -> None:
        """
        What can't be bound is closed, raises, and is not watched.
        """
        self.network.failing["bind"] = errno.EADDRNOTAVAIL
        self.assertRaises(OSError, self.open)
        self.assertTrue(self.network.sockets[1].closed)
        self.assertEqual(self.reactor.getReaders(), [self.port])
        self.assertEqual(self.owner._own, {self.port.port: 1})

    def test_receive(self) -> None:
        """
        What arrives is passed on with where it came from, empty ones too; a scope or a flow
        is not.
        """
        self.fake.inbox.append((b"one", ("192.0.2.7", 5000)))
        self.fake.inbox.append((b"", ("::1", 5001, 0, 3)))
        self.reactor.flush()
        self.assertEqual(self.received, [(b"one", "192.0.2.7", 5000), (b"", "::1", 5001)])

    def test_turn(self) -> None:
        """
        Of a flood only so many are taken in one turn, be they empty: others have theirs.
        """
        for _ in range(TURN * 2 + 1):
            self.fake.inbox.append((b"", ("192.0.2.7", 5000)))
        for count in (TURN, 2 * TURN, 2 * TURN + 1):
            self.reactor.turn()
            self.assertEqual(len(self.received), count)

    def test_errors(self) -> None:
        """
        An error is that of an earlier datagram: what comes behind it is taken all the same.
        """
        self.fake.inbox.extend((errno.ECONNREFUSED, errno.EHOSTUNREACH, (b"x", ("192.0.2.7", 5))))
        self.reactor.flush()
        self.assertEqual(self.received, [(b"x", "192.0.2.7", 5)])
        self.assertEqual(self.lost, [])

    def test_send(self) -> None:
        """
        A datagram is sent, or the system's error is told.
        """
        self.assertEqual(self.port.send(b"x", "192.0.2.9", 53), 0)
        self.assertEqual(self.network.take(), [(("192.0.2.9", 53), b"x")])
        self.fake.failing[""] = errno.EAGAIN
        self.assertEqual(self.port.send(b"x", "192.0.2.9", 53), errno.EAGAIN)

        def broken(octets: bytes, address: Any) -> None:
            raise OSError("without a number")

        self.fake.sendto = broken  # type: ignore[method-assign]
        self.assertEqual(self.port.send(b"x", "192.0.2.9", 53), errno.EIO)

    def test_connect(self) -> None:
        """
        Connected, it sends without an address, since some systems want it so; where that
        fails it sends as before.
        """
        self.network.failing["connect"] = errno.ENETUNREACH
        self.assertFalse(self.port.connect("192.0.2.7", 5000))
        self.assertEqual(self.port.send(b"a", "192.0.2.7", 5000), 0)
        del self.network.failing["connect"]
        self.assertTrue(self.port.connect("192.0.2.7", 5000))
        self.assertEqual(self.port.send(b"b", "192.0.2.7", 5000), 0)
        self.assertEqual(self.network.take(), [(("192.0.2.7", 5000), b"a"), (("192.0.2.7", 5000), b"b")])

    def test_close(self) -> None:
        """
        Closed, it is not watched any more, and to close it again is nothing.
        """
        for _ in range(2):
            self.port.close()
            self.assertEqual((self.fake.closed, self.port.fileno()), (True, -1))
            self.assertEqual(self.reactor.getReaders(), [])
        self.port.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.lost, [])

    def test_closedMeanwhile(self) -> None:
        """
        Who closes it while it takes datagrams gets no more of them.
        """
        self.port._received = lambda octets, host, port: self.port.close()
        for _ in range(3):
            self.fake.inbox.append((b"", ("192.0.2.7", 5000)))
        self.reactor.flush()
        self.assertEqual(len(self.fake.inbox), 2)

    def test_lost(self) -> None:
        """
        The reactor's giving it up is told, once.
        """
        self.port.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((self.lost, self.fake.closed), (["lost"], True))
