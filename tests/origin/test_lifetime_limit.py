"""
Tests for L{connectproxy.origin.lifetime}: a request and its response are held to limits of
rate.
"""

from __future__ import annotations

from typing import Any

from connectproxy.interfaces import Terms, Timeouts
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK
from tests.fakes import Peer
from tests.origin.case import OriginCase, Sink

RATE = 100_000

FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class LimitCase(OriginCase):
    """
    Requests with limits.
    """

    def setUp(self) -> None:
        """
        Have buckets, with next to nothing in them.
        """
        OriginCase.setUp(self)
        self.up, self.down = Bucket(RATE, self.reactor), Bucket(RATE, self.reactor)
        self.terms = Terms(None, ((self.up, self.down),))

    def empty(self, bucket: Bucket, seconds: float = 0.0) -> None:
        """
        Overdraw a bucket.

        @param seconds: for how long.
        """
        bucket.charge(int(bucket.burst + seconds * RATE))

    def pass_(self, seconds: float) -> None:
        """
        Let time go by, a round of the lanes at a time.
        """
        for _ in range(round(seconds / TICK)):
            self.reactor.advance(TICK)
            self.reactor.flush()

    def assertRest(self) -> None:
        """
        Nobody waits for a bucket any more.
        """
        for bucket in (self.up, self.down):
            self.assertEqual((len(bucket.lane), bucket.lane.busy), (0, False))


class ResponseTests(LimitCase):
    """
    What comes from the origin.
    """

    def test_rate(self) -> None:
        """
        A response comes as fast as it may, and the connection can be used again.
        """
        connection, origin, sink = self.ask(terms=self.terms)
        self.say(origin, FIRST % 500_000 + bytes(500_000))
        for seconds in (1, 2, 3):
            self.pass_(1)
            self.assertLess(abs(len(sink.body) - seconds * RATE - RATE / 10), 65536)
        self.pass_(2.5)
        self.assertEqual(
            (len(sink.body), sink.told[-1], connection.reusable), (500_000, ("content", True), True)
        )
        self.assertRest()

    def test_manySmallOnes(self) -> None:
        """
        Many responses in one read each are no way around a limit.
        """
        connection, origin = self.open()
        done = 0
        begun = self.reactor.seconds()
        for _ in range(20):
            sink = Sink()
            connection.begin(sink, "GET", b"the head", terms=self.terms)
            self.say(origin, FIRST % 50_000 + bytes(50_000))
            while not sink.told or not sink.told[-1][-1]:
                self.pass_(TICK)
            done += len(sink.body)
            self.assertTrue(connection.reusable)
            connection.keep(Pool())
        self.assertLess(done / (self.reactor.seconds() - begun), 1.1 * RATE)

    def test_consumer(self) -> None:
        """
        Who takes the response can stop it as before.
        """
        connection, origin, sink = self.ask(terms=self.terms)
        connection.pauseProducing()
        self.say(origin, FIRST % 100 + bytes(100))
        self.pass_(1)
        self.assertEqual(sink.told, [])
        connection.resumeProducing()
        self.reactor.flush()
        self.assertEqual(len(sink.body), 100)

    def test_abortWhileWaiting(self) -> None:
        """
        A request can be given up while its response waits.
        """
        self.empty(self.down, 10)
        connection, origin, sink = self.ask(terms=self.terms)
        self.say(origin, FIRST % 100 + bytes(100))
        self.assertEqual((sink.told, len(self.down.lane)), ([], 1))
        connection.abort()
        self.assertRest()
        self.assertClosed(origin)

    def test_lostWhileWaiting(self) -> None:
        """
        An origin's reset is heard when the response's turn comes.
        """
        self.empty(self.down, 1)
        _, origin, sink = self.ask(terms=self.terms)
        origin.transport.abortConnection()
        self.pass_(1.5)
        self.assertEqual(sink.names, ["failed"])
        self.assertRest()

    def test_waitingIsNotLate(self) -> None:
        """
        It is not the origin's fault that its response is not read: its time runs when it is.
        """
        self.empty(self.down, 50)
        _, origin, sink = self.ask(terms=self.terms)
        self.say(origin, FIRST % 100 + bytes(100))
        self.pass_(49)
        self.assertEqual(sink.told, [])
        self.pass_(2)
        self.assertEqual(len(sink.body), 100)
        _, origin, sink = self.ask(terms=self.terms)
        self.wait(10)
        self.assertEqual(sink.told, [("failed", "http_response_timeout", False, False)])

    def test_switched(self) -> None:
        """
        What comes behind a change of protocols is not the message's any more.
        """
        _, origin, sink = self.ask(upgrade=True, terms=self.terms)
        self.say(origin, b"HTTP/1.1 101 Other\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nmore")
        self.assertEqual((sink.names, sink.told[0][1].held), (["switched"], b"more"))
        self.assertRest()


class RequestTests(LimitCase):
    """
    What goes to the origin.
    """

    def upload(self, total: int) -> tuple[Any, Peer, Sink]:
        """
        Have a request with a body, of which as much is written as is wanted.
        """
        connection, origin = self.open()
        sink = Sink()
        left = total

        def more() -> None:
            nonlocal left
            while left and not connection.blocked:
                size = min(left, 10_000)
                left -= size
                connection.write(bytes(size))
                if not left:
                    connection.finish()

        sink.resumeRequest = lambda: (sink.told.append(("resume",)), more())  # type: ignore[method-assign]
        connection.begin(sink, "POST", b"the head", more=True, terms=self.terms)
        more()
        self.reactor.flush()
        return connection, origin, sink

    def test_rate(self) -> None:
        """
        A request's body goes as fast as it may.
        """
        connection, origin, sink = self.upload(300_000)
        for seconds in (1, 2):
            self.pass_(1)
            self.assertLess(abs(len(origin.received) - seconds * RATE - RATE / 10), 20_000)
        self.pass_(1.5)
        self.assertEqual(len(origin.received), 300_008)
        self.say(origin, FIRST % 2 + b"ok")
        self.pass_(1)
        self.assertEqual((sink.body, connection.reusable), (b"ok", True))
        self.assertRest()

    def test_within(self) -> None:
        """
        A request that stays below the limit is held up nowhere.
        """
        connection, origin, sink = self.upload(1000)
        self.say(origin, FIRST % 2 + b"ok")
        self.assertEqual((len(origin.received), sink.body, connection.reusable), (1008, b"ok", True))
        self.assertRest()

    def test_headIsPaid(self) -> None:
        """
        A head goes at once, and is paid before the response is read, with a body and without.
        """
        for more in (False, True):
            self.empty(self.up, 2)
            connection, origin = self.open()
            sink = Sink()
            connection.begin(sink, "POST", b"the head", more=more, terms=self.terms)
            self.reactor.flush()
            self.assertEqual(origin.received, b"the head")
            self.assertEqual(connection.blocked, more)
            if more:
                connection.finish()
            self.say(origin, FIRST % 2 + b"ok")
            connection.pauseProducing()
            self.pass_(1)
            connection.resumeProducing()
            self.pass_(0.5)
            self.assertEqual(sink.body, b"")
            self.pass_(1)
            self.assertEqual((sink.body, connection.reusable), (b"ok", True))
            self.assertRest()
            self.pass_(1)

    def test_manySmallOnes(self) -> None:
        """
        Many requests whose bodies come in one piece are no way around a limit.
        """
        connection, origin = self.open()
        sent = 0
        begun = self.reactor.seconds()
        for _ in range(20):
            sink = Sink()
            connection.begin(sink, "POST", b"the head", more=True, terms=self.terms)
            while connection.blocked:
                self.pass_(TICK)
            connection.write(bytes(50_000))
            connection.finish()
            sent += 50_000
            self.say(origin, FIRST % 2 + b"ok")
            while not sink.body:
                self.pass_(TICK)
            connection.keep(Pool())
        self.assertLess(sent / (self.reactor.seconds() - begun), 1.1 * RATE)

    def test_earlyResponse(self) -> None:
        """
        Where the response is complete before the request, the connection closes, and what the
        request owes is paid.
        """
        connection, origin, sink = self.upload(1_000_000)
        self.say(origin, FIRST % 2 + b"no")
        self.assertEqual((sink.body, connection.reusable), (b"no", False))
        self.assertRest()
        self.assertTrue(self.up.wait())
        self.assertClosed(origin)


class SilenceTests(LimitCase):
    """
    A rule's deadline.
    """

    def test_own(self) -> None:
        """
        Silence is as long as the rule has it, in both directions; 0 is no deadline.
        """
        for idle, seconds, last in ((5.0, 5.0, "failed"), (0.0, 1e6, "respond"), (None, 20.0, "failed")):
            terms = Terms(None if idle is None else Timeouts(idle, 1.0, 1.0))
            _, origin, sink = self.ask(terms=terms)
            self.say(origin, FIRST % 2)
            self.reactor.advance(seconds - 0.5)
            self.assertEqual(sink.names, ["respond"])
            self.wait(0.5)
            self.assertEqual(sink.names[-1], last)


class Pool:
    """
    A place for idle connections that forgets them.
    """

    def forget(self, connection: Any) -> None:
        """It is none of its own."""
