"""
Tests for L{connectproxy.reload}.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.prepare import Prepared, Unusable
from connectproxy.regime import Regime
from connectproxy.reload import SWITCH, Reloaded, Reloader
from tests.fakes import FakeReactor


class Closing:
    """
    An authenticator that counts how often it is closed.
    """

    closed = 0

    def close(self) -> None:
        self.closed += 1


class ReloadTests(SynchronousTestCase):
    """
    L{Reloader} with parts that the test makes.
    """

    def setUp(self) -> None:
        """
        What is built next is in the hands of the test.
        """
        self.reactor = FakeReactor()
        self.id = "old"
        self.builds = 0
        self.problems: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.failures: list[Unusable] = []
        self.authenticator = Closing()
        self.reloader = Reloader(
            self.reactor,
            self.build,
            self.swap,
            self.failures.append,
            lambda: self.id,
            lambda: 1000.0 + self.builds,
        )

    def build(self) -> Prepared:
        self.builds += 1
        if self.error is not None:
            raise self.error
        if self.problems:
            raise Unusable(self.problems, {})
        policy: Any = None
        authenticator: Any = self.authenticator
        ways: Any = None
        regime = Regime({}, policy, None, authenticator, f"new{self.builds}")
        return Prepared(regime, (), ways, (), {}, self.notes)

    def swap(self, prepared: Prepared) -> None:
        self.id = prepared.regime.id

    def said(self, what: Any) -> list[str]:
        """
        What is logged meanwhile.
        """
        with capturedLogs() as events:
            what()
            self.reactor.flush()
        return [f"{event['log_level'].name}: {formatEvent(event)}" for event in events]

    def test_done(self) -> None:
        """
        What can be used is in force, and told of; what takes a restart is told besides.
        """
        self.notes = ("relay.splice has changed: that takes a restart",)
        results: list[Any] = []
        said = self.said(lambda: self.reloader.reload().addCallback(results.append))
        self.assertEqual(results, [Reloaded("new1", (), self.notes)])
        self.assertEqual(
            said, ["info: the configuration new1 is in force; before it was old", f"warn: {self.notes[0]}"]
        )
        self.assertEqual((self.reloader.last, self.reloader.at), (results[0], 1001.0))
        self.assertFalse(self.reloader.busy)

    def test_failed(self) -> None:
        """
        What can't be used changes nothing: each problem is a line of the log, and is told to
        who has asked, every time.
        """
        self.problems = ("proxy.toml:2: is wrong", "list:7: so is this")
        expected = [
            *(f"error: {each}" for each in self.problems),
            "error: nothing is read anew: the configuration old from before stays in force",
        ]
        for _ in range(2):
            self.assertEqual(self.said(self.reloader.reload), expected)
            self.assertEqual(self.reloader.last, Reloaded("old", self.problems))
        self.assertEqual((self.id, len(self.failures)), ("old", 2))

    def test_changedAndFailed(self) -> None:
        """
        Where nobody has asked, the same problems are told once; others are told, and the same
        ones once more when it has worked in between.
        """
        self.problems = ("one",)
        self.assertEqual(len(self.said(self.reloader.changed)), 2)
        self.assertEqual(self.said(self.reloader.changed), [])
        self.problems = ("another",)
        self.assertEqual(len(self.said(self.reloader.changed)), 2)
        self.problems = ()
        self.assertEqual(len(self.said(self.reloader.changed)), 1)
        self.problems = ("another",)
        self.assertEqual(len(self.said(self.reloader.changed)), 2)

    def test_merged(self) -> None:
        """
        One at a time: whoever asks while one is under way shares the next with all others
        who do; a change of files needs none of its own then.
        """
        self.reactor.threads.held = True
        results: list[Any] = []
        self.reloader.reload().addCallback(results.append)
        self.assertTrue(self.reloader.busy)
        for _ in range(3):
            self.reloader.reload().addCallback(results.append)
        self.reloader.changed()
        self.reactor.threads.run()
        self.assertEqual([each.id for each in results], ["new1", "new2", "new2", "new2"])
        self.assertEqual(self.builds, 2)

    def test_cancelled(self) -> None:
        """
        Who does not wait any more is not told; it is done all the same.
        """
        self.reactor.threads.held = True
        first, second = self.reloader.reload(), self.reloader.reload()
        for each in (first, second):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.reactor.threads.run()
        self.assertEqual((self.builds, self.id), (1, "new1"))

    def test_stopped(self) -> None:
        """
        When the proxy stops, what is under way comes to nothing, and whoever waits is told.
        """
        for problems in ((), ("wrong",)):
            self.setUp()
            self.problems = problems
            self.reactor.threads.held = True
            waiting = [self.reloader.reload(), self.reloader.reload()]
            self.reloader.stop()
            for each in waiting:
                self.assertEqual(self.successResultOf(each).problems, ("the proxy is being stopped",))
            self.assertEqual(self.said(self.reactor.threads.run), [])
            self.assertEqual(self.id, "old")
        self.assertEqual(self.builds, 1)

    def test_discarded(self) -> None:
        """
        What was built in vain is let go of.
        """
        self.reactor.threads.held = True
        self.reloader.reload()
        self.reloader.stop()
        self.reactor.threads.run()
        self.assertEqual(self.authenticator.closed, 1)

    def test_bugs(self) -> None:
        """
        A mistake of ours is logged, changes nothing, and keeps nobody waiting.
        """
        self.error = ZeroDivisionError("secret")
        done = self.successResultOf(self.reloader.reload())
        self.assertEqual(done, Reloaded("old", ("the proxy failed; its log has more",)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.error = None
        self.assertEqual(self.successResultOf(self.reloader.reload()).id, "new2")

    def test_turns(self) -> None:
        """
        While it computes, the reactor's thread has its turn more often; afterwards as before,
        also when it fails.
        """
        seen: list[float] = []
        build = self.build

        def measured() -> Prepared:
            seen.append(sys.getswitchinterval())
            return build()

        before = sys.getswitchinterval()
        self.reloader = Reloader(
            self.reactor, measured, self.swap, self.failures.append, lambda: self.id, lambda: 0.0
        )
        self.reloader.reload()
        self.problems = ("wrong",)
        self.said(self.reloader.reload)
        self.assertEqual([round(each, 6) for each in seen], [SWITCH] * 2)
        self.assertEqual(sys.getswitchinterval(), before)
