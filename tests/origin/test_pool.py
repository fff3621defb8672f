"""
Tests for L{connectproxy.origin.pool}.
"""

from __future__ import annotations

from connectproxy.origin import OriginConnection, OriginPool
from connectproxy.origin.pool import MOST
from connectproxy.sockets import writeNow
from tests.fakes import Peer
from tests.origin.case import PATIENCE, OriginCase, Sink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class PoolTests(OriginCase):
    """
    Connections at rest.
    """

    def setUp(self) -> None:
        """
        Have a pool.
        """
        super().setUp()
        self.pool = OriginPool()

    def kept(self, key: str = "key") -> tuple[OriginConnection, Peer]:
        """
        Have a connection in it.
        """
        connection, origin, _ = self.ask()
        self.say(origin, OK)
        self.pool.put(key, connection)
        return connection, origin

    def test_take(self) -> None:
        """
        A connection is given for the key that it was put in with, the latest first, and only
        once.
        """
        first, _ = self.kept()
        second, _ = self.kept()
        self.kept("other")
        self.assertEqual(len(self.pool), 3)
        self.assertIsNone(self.pool.take("third"))
        self.assertIs(self.pool.take("key"), second)
        self.assertIs(self.pool.take("key"), first)
        self.assertIsNone(self.pool.take("key"))
        self.assertEqual((len(self.pool), first.pool), (1, None))

    def test_established(self) -> None:
        """
        What it was made from is known as long as it is open.
        """
        connection, _ = self.kept()
        before = connection.established
        self.assertEqual((before.resolved, before.address), (5.0, "192.0.2.1:80"))
        self.assertIs(self.pool.take("key"), connection)
        self.pool.put("key", connection)
        self.assertIs(connection.established, before)

    def test_bounded(self) -> None:
        """
        Of too many, the one that has rested for longest is closed.
        """
        origins = [self.kept(str(number))[1] for number in range(MOST + 2)]
        self.reactor.flush()
        self.assertEqual(len(self.pool), MOST)
        self.assertEqual([origin.ended for origin in origins[:3]], [True, True, False])

    def test_speaks(self) -> None:
        """
        An origin that says anything meanwhile is not spoken to again.
        """
        _connection, origin = self.kept()
        self.say(origin, b"x")
        self.assertIsNone(self.pool.take("key"))
        self.assertClosed(origin)

    def test_hasSpoken(self) -> None:
        """
        Nor is one whose octets have come and are not read yet: they would be taken for the
        response to the next request (conformance 33).
        """
        _connection, origin = self.kept()
        other, _ = self.kept("other")
        writeNow(origin.transport, OK)
        self.assertIsNone(self.pool.take("key"))
        self.assertEqual(len(self.pool), 1)
        self.assertIs(self.pool.take("other"), other)
        other.close()
        self.assertClosed(origin)

    def test_closes(self) -> None:
        """
        Nor is one that closes, in whatever way.
        """
        for way in ("loseConnection", "abortConnection"):
            connection, origin = self.kept()
            getattr(origin.transport, way)()
            self.reactor.flush()
            self.assertIsNone(self.pool.take("key"))
            self.assertTrue(connection.lost)
        self.assertEqual(len(self.wheel), 0)

    def test_time(self) -> None:
        """
        Nobody rests for ever; and each rest has its time anew.
        """
        connection, origin = self.kept()
        self.wait(PATIENCE.kept - 5)
        self.assertIs(self.pool.take("key"), connection)
        connection.begin(Sink(), "GET", b"again")
        self.say(origin, OK)
        self.pool.put("key", connection)
        self.wait(PATIENCE.kept - 5)
        self.assertEqual(len(self.pool), 1)
        self.wait(5)
        self.assertEqual(len(self.pool), 0)
        self.assertClosed(origin)

    def test_readsAgain(self) -> None:
        """
        One that was paused when its response came to its end hears again what its origin does.
        """
        connection, origin, _ = self.ask()
        self.say(origin, OK)
        connection.pauseProducing()
        self.pool.put("key", connection)
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(len(self.pool), 0)

    def test_close(self) -> None:
        """
        All are closed together.
        """
        origins = [self.kept()[1], self.kept("other")[1]]
        self.pool.close()
        self.assertEqual(len(self.pool), 0)
        for origin in origins:
            self.reactor.flush()
            self.assertTrue(origin.ended)
        self.reactor.flush()
        self.assertEqual(len(self.wheel), 0)
