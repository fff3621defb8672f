"""
Tests for L{connectproxy.testing.scripted}: what a client sees of each step.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import error
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.testing import (
    Close,
    FakeReactor,
    FaultyServer,
    HalfClose,
    Peer,
    Read,
    Reset,
    Say,
    Stall,
)


class ScriptCase(SynchronousTestCase):
    """
    A server in memory.
    """

    target: tuple[str, int] | None = None

    def setUp(self) -> None:
        """
        A reactor whose turns are ours.
        """
        self.reactor = FakeReactor()

    def play(self, *script: Any, capacity: int = 65536) -> Any:
        """
        Connect to a server with a script.

        @return: the client's protocol.
        """
        self.server = FaultyServer(self.reactor, script, target=self.target).start()
        client = self.reactor.ports[-1].connect(capacity=capacity)
        self.reactor.flush()
        self.addCleanup(self.stop)
        return client

    def stop(self) -> None:
        """
        Nothing is left when it is stopped.
        """
        stopped = self.server.stop()
        self.reactor.flush()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        for each in self.server.connections:
            self.assertIsNot(each.lost, None)

    def pass_(self, seconds: float, times: int = 1) -> None:
        """
        Let time pass, and everything happen that happens then.
        """
        for _ in range(times):
            self.reactor.advance(seconds)
            self.reactor.flush()


class AloneTests(ScriptCase):
    """
    Without a target.
    """

    def test_nothing(self) -> None:
        """
        It never answers; what it is told is kept.
        """
        client = self.play()
        client.transport.write(b"hello?")
        client.transport.loseWriteConnection()
        self.reactor.flush()
        (connection,) = self.server.connections
        self.assertEqual((connection.received, connection.ended, connection.sent), (b"hello?", True, 0))
        self.assertEqual(
            (client.received, client.ended, client.lost, connection.step), (b"", False, None, None)
        )

    def test_say(self) -> None:
        """
        All at once, nothing, and one thing after the other.
        """
        client = self.play(Say(b"gar"), Say(b""), Say(b"bage"))
        self.assertEqual((client.received, self.server.connections[0].sent), (b"garbage", 7))

    def test_slow(self) -> None:
        """
        So many octets a second, from the first moment on.
        """
        client = self.play(Say(bytes(100), rate=40), Say(b"end"))
        self.assertEqual(len(client.received), 2)
        self.pass_(0.05, 19)
        self.assertEqual(len(client.received), 40)
        self.pass_(0.05, 29)
        self.assertEqual(len(client.received), 98)
        self.pass_(0.05)
        self.assertEqual((len(client.received), client.received[-1:]), (100, b"\0"))
        self.pass_(0.05)
        self.assertEqual(client.received[100:], b"end")

    def test_slowest(self) -> None:
        """
        Below one octet a beat, it is one octet after the other.
        """
        client = self.play(Say(b"abc", rate=0.5))
        self.assertEqual(client.received, b"a")
        self.pass_(1.9)
        self.assertEqual(client.received, b"a")
        self.pass_(0.1)
        self.assertEqual(client.received, b"ab")
        self.pass_(2)
        self.assertEqual(client.received, b"abc")

    def test_read(self) -> None:
        """
        It waits for so many octets, or for some, in whatever pieces they come; what one step
        has waited for is not the next one's.
        """
        client = self.play(Read(b"\r\n\r\n"), Say(b"1"), Read(4), Say(b"2"), Read(b"ab"), Say(b"3"))
        for octets, told in (
            (b"GET\r", b""),
            (b"\n\r", b""),
            (b"\nabc", b"1"),
            (b"d", b"12"),
            (b"xab", b"123"),
        ):
            client.transport.write(octets)
            self.reactor.flush()
            self.assertEqual(client.received, told)

    def test_readTogether(self) -> None:
        """
        What has come early counts.
        """
        client = self.play(Say(b"0", rate=1), Read(2), Read(2), Say(b"1"))
        client.transport.write(b"abcd")
        self.reactor.flush()
        self.pass_(1)
        self.assertEqual(client.received, b"01")

    def test_stall(self) -> None:
        """
        It says nothing and reads nothing: the client's buffers fill.  Then it goes on.
        """
        client = self.play(Say(b"a"), Stall(5), Say(b"b"), capacity=1000)
        client.transport.write(bytes(5000))
        self.pass_(4.9)
        (connection,) = self.server.connections
        self.assertEqual((client.received, len(connection.received)), (b"a", 0))
        self.assertEqual(client.transport.dataBuffer[client.transport.offset :], bytes(4000))
        self.pass_(0.1)
        self.assertEqual((client.received, len(connection.received)), (b"ab", 5000))

    def test_stallForever(self) -> None:
        """
        It can be for ever.
        """
        client = self.play(Stall(), Say(b"b"))
        client.transport.write(b"x")
        self.pass_(1e6)
        self.assertEqual((client.received, client.lost, self.reactor.getDelayedCalls()), (b"", None, []))

    def test_halfClose(self) -> None:
        """
        The end of the stream comes behind what was said, and the rest is read; when the
        client ends as well the connection is closed.
        """
        client = self.play(Say(b"bye"), HalfClose())
        self.assertEqual((client.received, client.ended, client.lost), (b"bye", True, None))
        client.transport.write(b"more")
        client.transport.loseConnection()
        self.reactor.flush()
        (connection,) = self.server.connections
        self.assertEqual(connection.received, b"more")
        self.assertTrue(connection.lost.check(error.ConnectionDone))

    def test_halfCloseLast(self) -> None:
        """
        Where the client has ended before, that is the end.
        """
        client = self.play(Stall(1), HalfClose())
        client.transport.loseWriteConnection()
        self.pass_(1)
        self.assertTrue(client.ended)
        self.assertTrue(self.server.connections[0].lost.check(error.ConnectionDone))

    def test_close(self) -> None:
        """
        It closes when all has been said, and the rest of the script is void.
        """
        client = self.play(Say(b"bye"), Close(), Say(b"never"))
        self.assertEqual((client.received, client.ended), (b"bye", True))
        self.assertTrue(self.server.connections[0].lost.check(error.ConnectionDone))

    def test_reset(self) -> None:
        """
        After so many octets of the client's.
        """
        client = self.play(Read(4), Reset(), Say(b"never"))
        client.transport.write(b"abc")
        self.reactor.flush()
        self.assertIs(client.lost, None)
        client.transport.write(b"d")
        self.reactor.flush()
        self.assertTrue(client.lost.check(error.ConnectionLost))
        self.assertEqual(client.received, b"")

    def test_clientGone(self) -> None:
        """
        Nothing of the script is left when the client is gone.
        """
        client = self.play(Say(bytes(1000), rate=10), Stall(1000))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual((self.server.connections[0].sent, client.received), (1, b"\0"))


class PeerTests(SynchronousTestCase):
    """
    What scripts are told by.
    """

    def test_noMore(self) -> None:
        """
        A connection that is reset within its first step has no other.
        """
        reactor = FakeReactor()
        server = FaultyServer(reactor, [Reset(), Say(b"never")]).start()
        client = reactor.ports[0].connect(Peer())
        reactor.flush()
        self.assertTrue(client.lost.check(error.ConnectionLost))
        self.assertEqual(server.connections[0].sent, 0)
