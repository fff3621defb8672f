"""
Tests for L{connectproxy.testing.behind}: a server that goes wrong in front of another one.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet import error
from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from connectproxy.testing import Close, Forward, Read, Reset, Say, Stall
from connectproxy.testing.behind import Flow
from tests.testing.test_scripted import ScriptCase


class InFrontTests(ScriptCase):
    """
    In front of a server.
    """

    target = ("127.0.0.9", 443)

    def play(self, *script: Any, capacity: int = 65536) -> Any:
        """
        Be connected to the target as well.
        """
        client = ScriptCase.play(self, *script, capacity=capacity)
        (attempt,) = self.reactor.attempts
        self.assertEqual((attempt.host, attempt.port), self.target)
        self.there = attempt.succeed(capacity=capacity)
        self.reactor.flush()
        return client

    def say(self, octets: bytes) -> None:
        """
        Have the target say something.
        """
        self.there.transport.write(octets)
        self.reactor.flush()

    def test_nothing(self) -> None:
        """
        Without a script everything is passed on, both ways, with the ends of both streams.
        """
        client = self.play()
        client.transport.write(b"up")
        self.say(b"down")
        self.assertEqual((client.received, self.there.received), (b"down", b"up"))
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((self.there.ended, client.ended), (True, False))
        self.there.transport.write(b"last")
        self.there.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((client.received, client.ended), (b"downlast", True))
        self.assertTrue(self.there.lost.check(error.ConnectionDone))
        self.assertTrue(self.server.connections[0].lost.check(error.ConnectionDone))

    def test_targetEndsFirst(self) -> None:
        """
        The same the other way round.
        """
        client = self.play(Forward())
        self.there.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((client.ended, self.there.ended), (True, False))
        client.transport.write(b"still")
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((self.there.received, self.there.ended), (b"still", True))
        self.assertTrue(self.server.connections[0].lost.check(error.ConnectionDone))

    def test_early(self) -> None:
        """
        What the client says before there is a connection to the target waits for it.
        """
        client = ScriptCase.play(self)
        client.transport.write(b"early")
        self.reactor.flush()
        there = self.reactor.attempts[0].succeed()
        self.reactor.flush()
        self.assertEqual(there.received, b"early")

    def test_noTarget(self) -> None:
        """
        Where there is none, the client is reset.
        """
        client = ScriptCase.play(self)
        self.reactor.attempts[0].fail(errno.ECONNREFUSED)
        self.reactor.flush()
        self.assertTrue(client.lost.check(error.ConnectionLost))

    def test_goneBefore(self) -> None:
        """
        A client that goes away before the target is there takes the attempt with it.
        """
        client = ScriptCase.play(self)
        self.reactor.flush()
        stopped = self.server.stop()
        self.reactor.flush()
        self.successResultOf(stopped)
        self.assertTrue(self.reactor.attempts[0].stopped)
        self.assertTrue(client.lost.check(error.ConnectionLost))

    def test_resetAfter(self) -> None:
        """
        A reset comes after so many octets of the target's, and no more of them.
        """
        client = self.play(Forward(10), Reset())
        self.say(b"12345")
        self.assertEqual((client.received, client.lost), (b"12345", None))
        self.say(b"67890abc")
        self.assertEqual(client.received[:10], b"1234567890"[: len(client.received)])
        self.assertTrue(client.lost.check(error.ConnectionLost))
        self.assertTrue(self.there.lost.check(error.ConnectionLost))

    def test_garbageFirst(self) -> None:
        """
        Something is said before what the target says, which waits for it.
        """
        client = self.play(Say(b"garbage", rate=20))
        self.say(b"HTTP/1.1 200 OK")
        self.assertEqual(client.received, b"g")
        self.pass_(0.05, 7)
        self.assertEqual(client.received, b"garbageHTTP/1.1 200 OK")

    def test_slow(self) -> None:
        """
        A rate holds however much the target has to say at once, and the end of its stream
        comes last.
        """
        client = self.play(Forward(rate=100))
        self.say(bytes(10))
        self.there.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(len(client.received), 5)
        self.pass_(0.05)
        self.assertEqual((len(client.received), client.ended), (10, False))
        self.pass_(0.05)
        self.assertTrue(client.ended)

    def test_slowLater(self) -> None:
        """
        A target that says nothing for a while has not saved anything up.
        """
        client = self.play(Forward(15, rate=100), Say(b"!"))
        self.pass_(10)
        self.say(bytes(20))
        self.assertEqual(len(client.received), 5)
        self.pass_(0.05, 3)
        self.assertEqual(client.received, bytes(15) + b"!" + bytes(5))

    def test_stall(self) -> None:
        """
        Neither direction goes on, and neither end can go on writing for long.
        """
        client = self.play(Forward(3), Stall(5), capacity=1000)
        self.say(b"abc" + bytes(200_000))
        client.transport.write(bytes(5000))
        self.pass_(4)
        self.assertEqual((client.received, self.there.received), (b"abc", b""))
        self.assertGreater(len(self.there.transport.dataBuffer), 60_000)
        self.pass_(1)
        self.assertEqual((len(client.received), len(self.there.received)), (200_003, 5000))

    def test_backPressure(self) -> None:
        """
        An end that does not read makes the other one wait, in both directions.
        """
        client = self.play(Forward(), capacity=1000)
        client.transport.pauseProducing()
        self.say(bytes(1_000_000))
        self.assertGreater(len(self.there.transport.dataBuffer), 800_000)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertEqual(len(client.received), 1_000_000)
        self.there.transport.pauseProducing()
        client.transport.write(bytes(1_000_000))
        self.reactor.flush()
        self.assertGreater(len(client.transport.dataBuffer), 800_000)
        self.there.transport.resumeProducing()
        self.reactor.flush()
        self.assertEqual(len(self.there.received), 1_000_000)

    def test_heldWhileReading(self) -> None:
        """
        While the script waits for the client, what the target says is held, up to a bound.
        """
        client = self.play(Read(1), Forward(), capacity=1000)
        self.say(bytes(200_000))
        self.assertGreater(len(self.there.transport.dataBuffer), 60_000)
        self.assertEqual(client.received, b"")
        client.transport.write(b"x")
        self.reactor.flush()
        self.assertEqual((len(client.received), self.there.received), (200_000, b"x"))

    def test_stallAndFull(self) -> None:
        """
        That an end can be written to again is no reason to go on while it stalls.
        """
        client = self.play(Forward(100_000), Stall(5), capacity=1000)
        client.transport.pauseProducing()
        self.there.transport.pauseProducing()
        self.there.transport.write(bytes(150_000))
        client.transport.write(bytes(150_000))
        self.reactor.flush()
        client.transport.resumeProducing()
        self.there.transport.resumeProducing()
        self.reactor.flush()
        received = len(self.there.received)
        self.assertEqual(len(client.received), 100_000)
        self.pass_(4.9)
        self.assertEqual((len(client.received), len(self.there.received)), (100_000, received))
        self.pass_(0.1)
        self.assertEqual((len(client.received), len(self.there.received)), (150_000, 150_000))

    def test_targetResets(self) -> None:
        """
        A reset of the target's is passed on.
        """
        client = self.play()
        self.there.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(client.lost.check(error.ConnectionLost))

    def test_clientResets(self) -> None:
        """
        So is one of the client's.
        """
        client = self.play()
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.there.lost.check(error.ConnectionLost))

    def test_close(self) -> None:
        """
        A close takes the target along.
        """
        client = self.play(Forward(3), Close())
        self.say(b"abcd")
        self.assertEqual((client.received, client.ended), (b"abc", True))
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertIsNot(self.there.lost, None)

    def test_interface(self) -> None:
        """
        What flows can be paused as Twisted wants it.
        """
        client = self.play()
        flow = Flow(self.server.connections[0], client.transport)
        self.assertTrue(verifyObject(IPushProducer, flow))
        flow.stopProducing()
