"""
Tests for L{connectproxy.origin.pool}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from connectproxy.address import Destination, parseAuthority
from connectproxy.origin import OriginConnection, OriginPool
from connectproxy.origin.pool import MOST, Key
from connectproxy.sockets import writeNow
from connectproxy.vetted import vetted
from connectproxy.wire.hopform import HopForm
from tests.fakes import Peer, makeRequest
from tests.origin.case import PATIENCE, OriginCase, Sink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FORM = HopForm(None, "corp")


def keyOf(host: str = "a.example", way: str = "corp", user: str | None = None) -> Key:
    """
    What a connection is made for.
    """
    destination = parseAuthority(f"{host}:80".encode("ascii"))
    assert isinstance(destination, Destination)
    return way, destination, user


KEY = keyOf()
OTHER = keyOf("other.example")


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

    def kept(self, key: Key = KEY, **established: Any) -> tuple[OriginConnection, Peer]:
        """
        Have a connection in it.

        @param established: what is known of it besides.
        """
        connection, origin, _ = self.ask()
        self.say(origin, OK)
        connection.established = connection.established._replace(**established)
        self.pool.put(key, connection)
        return connection, origin

    def test_take(self) -> None:
        """
        A connection is given for the key that it was put in with, the latest first, and only
        once.
        """
        first, _ = self.kept()
        second, _ = self.kept()
        self.kept(OTHER)
        self.assertEqual(len(self.pool), 3)
        self.assertIsNone(self.pool.take(keyOf("third.example")))
        self.assertIs(self.pool.take(KEY), second)
        self.assertIs(self.pool.take(KEY), first)
        self.assertIsNone(self.pool.take(KEY))
        self.assertEqual((len(self.pool), first.pool), (1, None))

    def test_established(self) -> None:
        """
        What it was made from is known as long as it is open.
        """
        connection, _ = self.kept()
        before = connection.established
        self.assertEqual((before.resolved, before.address), (5.0, "192.0.2.1:80"))
        self.assertIs(self.pool.take(KEY), connection)
        self.pool.put(KEY, connection)
        self.assertIs(connection.established, before)

    def test_bounded(self) -> None:
        """
        Of too many, the one that has rested for longest is closed.
        """
        origins = [self.kept(keyOf(f"o{number}.example"))[1] for number in range(MOST + 2)]
        self.reactor.flush()
        self.assertEqual(len(self.pool), MOST)
        self.assertEqual([origin.ended for origin in origins[:3]], [True, True, False])

    def test_speaks(self) -> None:
        """
        An origin that says anything meanwhile is not spoken to again.
        """
        _connection, origin = self.kept()
        self.say(origin, b"x")
        self.assertIsNone(self.pool.take(KEY))
        self.assertClosed(origin)

    def test_hasSpoken(self) -> None:
        """
        Nor is one whose octets have come and are not read yet: they would be taken for the
        response to the next request (conformance 33).
        """
        _connection, origin = self.kept()
        other, _ = self.kept(OTHER)
        writeNow(origin.transport, OK)
        self.assertIsNone(self.pool.take(KEY))
        self.assertEqual(len(self.pool), 1)
        self.assertIs(self.pool.take(OTHER), other)
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
            self.assertIsNone(self.pool.take(KEY))
            self.assertTrue(connection.lost)
        self.assertEqual(len(self.wheel), 0)

    def test_time(self) -> None:
        """
        Nobody rests for ever; and each rest has its time anew.
        """
        connection, origin = self.kept()
        self.wait(PATIENCE.kept - 5)
        self.assertIs(self.pool.take(KEY), connection)
        connection.begin(Sink(), "GET", b"again")
        self.say(origin, OK)
        self.pool.put(KEY, connection)
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
        self.pool.put(KEY, connection)
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(len(self.pool), 0)

    def test_close(self) -> None:
        """
        All are closed together.
        """
        origins = [self.kept()[1], self.kept(OTHER)[1]]
        self.pool.close()
        self.assertEqual(len(self.pool), 0)
        for origin in origins:
            self.reactor.flush()
            self.assertTrue(origin.ended)
        self.reactor.flush()
        self.assertEqual(len(self.wheel), 0)


class HopTests(PoolTests):
    """
    Connections to a next hop that forwards messages itself.
    """

    def kept(self, key: Key = KEY, **established: Any) -> tuple[OriginConnection, Peer]:
        """
        Have a connection in it.
        """
        return super().kept(key, **{"form": FORM, "member": "first", **established})

    def hop(self, host: str = "a.example", **established: Any) -> OriginConnection:
        """
        Have the only connection.
        """
        self.pool.close()
        return self.kept(keyOf(host), **{"member": "", **established})[0]

    def test_others(self) -> None:
        """
        It serves every destination that has a name, of the same way and the same user.
        """
        hop = self.hop()
        for host in ("other.example", "localhost.example", "notlocalhost", "a.example"):
            self.assertIs(self.pool.take(keyOf(host)), hop, host)
            self.pool.put(KEY, hop)
        for key in (keyOf(way="direct"), keyOf(user="ann"), keyOf("other.example", user="ann")):
            self.assertIsNone(self.pool.take(key))

    def test_users(self) -> None:
        """
        It does so for its own user, where there is one.
        """
        self.pool.close()
        hop, _ = self.kept(keyOf(user="ann"), member="")
        for user in (None, "bob"):
            self.assertIsNone(self.pool.take(keyOf("other.example", user=user)))
        self.assertIs(self.pool.take(keyOf("other.example", user="ann")), hop)

    def test_addresses(self) -> None:
        """
        What is an address is not taken for granted: what has to be judged, before a next hop is
        asked for it, is what is not asked for on a connection that was made for something else.
        """
        judged: list[Any] = []

        def judge(request: Any, address: Any) -> None:
            if address is not None:  # that of a name, which nobody here is going to see
                judged.append(address)

        class Way:
            """Leads nowhere."""

            def connect(self, request: Any, factory: Any) -> Any:
                return Deferred()

        hosts = ("127.0.0.1", "198.51.100.1", "[::1]", "localhost", "a.localhost", "a.example", "localhost.a")
        for host in hosts:
            judged.clear()
            vetted(Way(), judge).connect(makeRequest(f"{host}:80"), None)
            self.hop()
            self.assertEqual(self.pool.take(keyOf(host)) is None, bool(judged), host)

    def test_judged(self) -> None:
        """
        One behind an address that was judged is for its destination only.
        """
        hop = self.hop("198.51.100.1", seen="198.51.100.1:80")
        for host in ("198.51.100.2", "a.example", "localhost"):
            self.assertIsNone(self.pool.take(keyOf(host)), host)
        self.assertIs(self.pool.take(keyOf("198.51.100.1")), hop)

    def test_member(self) -> None:
        """
        One that a group has chosen for a destination is for that only.
        """
        hop = self.hop(member="first")
        self.assertIsNone(self.pool.take(OTHER))
        self.assertIs(self.pool.take(KEY), hop)

    def test_message(self) -> None:
        """
        It is nothing for who offers another protocol; what leads to the origin is.
        """
        for more in ({}, {"member": "first"}, {"seen": "198.51.100.1:80"}):
            self.hop(**more)
            self.assertIsNone(self.pool.take(KEY, False))
        origin = self.hop(form=None)
        self.assertIs(self.pool.take(KEY, False), origin)

    def test_originFirst(self) -> None:
        """
        Where there are both kinds, what leads to the origin is taken first.
        """
        hop = self.hop()
        origin, _ = PoolTests.kept(self)
        self.kept(OTHER, member="")
        self.assertIs(self.pool.take(KEY), origin)
        self.assertIsNot(self.pool.take(KEY), hop)  # the latest
        self.assertIs(self.pool.take(KEY), hop)
        self.assertIsNone(self.pool.take(KEY))
