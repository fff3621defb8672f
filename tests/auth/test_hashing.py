"""
Tests for L{connectproxy.auth.hashing}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from connectproxy.auth.hashing import Busy, Hashing, Wasted
from tests.auth.case import SECRET, Threads
from tests.fakes import FakeReactor


class HashingTests(SynchronousTestCase):
    """
    Few threads, and few who may wait for them.
    """

    def setUp(self) -> None:
        """
        Two threads, for which three may wait.
        """
        self.threads = Threads()
        self.made: list[Any] = []
        self.hashing = Hashing(FakeReactor(), threads=2, waiting=3, executor=self.threads)

    def ask(self, what: Any = "x") -> Deferred[Any]:
        """
        Ask for a call that only notes that it was made.
        """

        def call(what: Any) -> Any:
            self.made.append(what)
            return what

        return self.hashing.ask(call, what)

    def test_order(self) -> None:
        """
        As many calls are made at once as there are threads, and then the next that waited.
        """
        asked = [self.ask(each) for each in range(5)]
        self.assertEqual((len(self.threads.calls), self.hashing.waiting), (2, 3))
        self.threads.run(1)
        self.assertEqual((len(self.threads.calls), self.hashing.waiting), (2, 2))
        self.assertEqual(self.successResultOf(asked[0]), 0)
        self.assertNoResult(asked[1])
        self.threads.run()
        self.assertEqual([self.successResultOf(each) for each in asked[1:]], [1, 2, 3, 4])
        self.assertEqual(self.made, [0, 1, 2, 3, 4])

    def test_full(self) -> None:
        """
        Who comes when the queue is full is told so at once, and has a place again later.
        """
        for each in range(5):
            self.ask(each)
        self.failureResultOf(self.ask(), Busy)
        self.threads.run(1)
        again = self.ask("again")
        self.failureResultOf(self.ask(), Busy)
        self.threads.run()
        self.assertEqual(self.successResultOf(again), "again")

    def test_noQueue(self) -> None:
        """
        Without a queue there are as many calls as threads.
        """
        hashing = Hashing(FakeReactor(), threads=1, waiting=0, executor=self.threads)
        first = hashing.ask(len, "four")
        self.failureResultOf(hashing.ask(len, ""), Busy)
        self.threads.run()
        self.assertEqual(self.successResultOf(first), 4)

    def test_cancelWaiting(self) -> None:
        """
        A call that waits is never made if nobody wants it, and makes room.
        """
        asked = [self.ask(each) for each in range(5)]
        asked[3].cancel()
        self.failureResultOf(asked[3], CancelledError)
        self.ask("instead")
        self.threads.run()
        self.assertEqual(self.made, [0, 1, 2, 4, "instead"])

    def test_cancelBegun(self) -> None:
        """
        Of a call that has begun nobody hears any more; its thread stays taken until it is
        over.
        """
        asked = [self.ask(each) for each in range(3)]
        asked[0].cancel()
        self.failureResultOf(asked[0], Wasted)
        self.assertEqual(len(self.threads.calls), 2)
        self.threads.run()
        self.assertEqual([self.successResultOf(each) for each in asked[1:]], [1, 2])

    def test_raises(self) -> None:
        """
        What a call raises arrives, without the frames, in which the password is
        (conformance 69).
        """

        def call(password: str) -> None:
            raise RuntimeError("no luck")

        failure = self.asked(self.hashing.ask(call, SECRET))
        self.assertEqual(str(failure.value), "no luck")
        self.assertIs(failure.value.__traceback__, None)
        self.assertNotIn(SECRET, failure.getTraceback(detail="verbose"))

    def asked(self, result: Deferred[Any]) -> Failure:
        """
        How a call fails.
        """
        self.threads.run()
        return self.failureResultOf(result, RuntimeError)

    def test_close(self) -> None:
        """
        After the end nothing more is begun, and nobody is left waiting.
        """
        asked = [self.ask(each) for each in range(4)]
        asked[0].cancel()
        self.failureResultOf(asked[0])
        self.hashing.close()
        self.assertTrue(self.threads.closed)
        for each in asked[1:]:
            self.failureResultOf(each, CancelledError)
        self.failureResultOf(self.ask(), Busy)
        self.assertEqual(self.threads.run(), 2)
        self.assertEqual(self.made, [0, 1])


class ThreadsTests(TestCase):
    """
    With real threads.
    """

    def test_thread(self) -> None:
        """
        A call is made in another thread, and its result arrives in the reactor's.
        """
        import threading

        hashing = Hashing(reactor)
        self.addCleanup(hashing.close)
        here = threading.get_ident()

        def arrived(there: int) -> None:
            self.assertNotEqual(there, here)
            self.assertEqual(threading.get_ident(), here)

        return hashing.ask(threading.get_ident).addCallback(arrived)  # type: ignore[return-value]
