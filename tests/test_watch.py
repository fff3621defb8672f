"""
Tests for L{connectproxy.watch}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.watch import INTERVAL, RETRY, FileWatch, stamps
from tests.fakes import FakeReactor


class StampTests(SynchronousTestCase):
    """
    L{stamps}.
    """

    def test_differs(self) -> None:
        """
        Another content, another mode, another file of that name: each shows, and so does
        none at all.
        """
        path = Path(self.mktemp())
        name = str(path)
        seen = [stamps([name])]
        path.write_text("one")
        seen.append(stamps([name]))
        os.chmod(path, 0o600)
        os.utime(path, (1, 1))
        seen.append(stamps([name]))
        other = path.with_suffix(".new")
        other.write_text("two")
        os.utime(other, (1, 1))
        os.replace(other, path)
        seen.append(stamps([name]))
        self.assertEqual(seen[0], {name: ()})
        self.assertEqual(len({each[name] for each in seen}), len(seen))
        self.assertEqual(stamps([name]), seen[-1])

    def test_impossible(self) -> None:
        """
        A name that can't be one is that of no file.
        """
        self.assertEqual(stamps(["a\0b"]), {"a\0b": ()})


class WatchTests(SynchronousTestCase):
    """
    L{FileWatch} on a reactor whose threads and time are the test's.
    """

    def setUp(self) -> None:
        """
        Two files in force.
        """
        self.reactor = FakeReactor()
        self.paths = [Path(self.mktemp()), Path(self.mktemp())]
        for path in self.paths:
            path.write_text("first")
        self.changes = 0
        self.watch = FileWatch(self.reactor, self.changed)
        self.watch.used(self.seen())
        self.watch.start()

    def seen(self) -> Any:
        return stamps(map(str, self.paths))

    def changed(self) -> None:
        self.changes += 1

    def look(self, times: int = 1) -> int:
        """
        Let it look so many times.

        @return: how often it has said since that files have changed.
        """
        before = self.changes
        for _ in range(times):
            self.reactor.advance(INTERVAL)
            self.reactor.flush()
        return self.changes - before

    def test_unchanged(self) -> None:
        """
        As long as files stay what they are, nothing is said.
        """
        self.assertEqual(self.look(10), 0)

    def test_settled(self) -> None:
        """
        A change is told when it has stayed for a look, and not before: so while files are
        replaced one after the other, it waits.
        """
        self.paths[0].write_text("another")
        self.assertEqual(self.look(), 0)
        self.paths[1].write_text("another")
        self.assertEqual(self.look(), 0)
        self.assertEqual(self.look(), 1)
        self.watch.used(self.seen())
        self.assertEqual(self.look(5), 0)

    def test_gone(self) -> None:
        """
        A file that is no more has changed as well.
        """
        self.paths[0].unlink()
        self.assertEqual(self.look(2), 1)

    def test_failed(self) -> None:
        """
        What can't be used is not tried again before it changes, or a minute has passed: the
        reason may lie in another file.
        """
        self.paths[0].write_text("wrong")
        self.assertEqual(self.look(2), 1)
        self.watch.failed(self.seen())
        self.assertEqual(self.look(int(RETRY / INTERVAL) - 1), 0)
        self.assertEqual(self.look(), 1)
        self.watch.failed(self.seen())
        self.paths[0].write_text("right again")
        self.assertEqual(self.look(2), 1)

    def test_failedThenBack(self) -> None:
        """
        Where the very files from before are put back, there is nothing to do.
        """
        kept = self.paths[0].with_suffix(".kept")
        os.link(self.paths[0], kept)
        self.watch.used(self.seen())
        self.paths[0].unlink()
        self.assertEqual(self.look(2), 1)
        self.watch.failed(self.seen())
        self.paths[0].symlink_to(kept.name)
        seen = dict(self.seen())
        self.watch.used(seen)
        self.assertEqual(self.look(int(RETRY / INTERVAL) + 3), 0)

    def test_more(self) -> None:
        """
        Files that were tried are looked at besides those in force.
        """
        other = Path(self.mktemp())
        self.paths[0].write_text("names another")
        self.assertEqual(self.look(2), 1)
        self.watch.failed({**self.seen(), str(other): ()})
        other.write_text("there")
        self.assertEqual(self.look(2), 1)

    def test_neverBlocks(self) -> None:
        """
        Files are looked at in a thread; until it is done nothing is scheduled.
        """
        self.reactor.threads.held = True
        self.look()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.threads.run()
        self.reactor.flush()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_stop(self) -> None:
        """
        Nothing is left with the reactor, and what a thread sees then is of no consequence.
        """
        self.paths[0].write_text("another")
        self.look()
        self.reactor.threads.held = True
        self.look()
        self.watch.stop()
        self.reactor.threads.run()
        self.assertEqual((self.changes, self.reactor.getDelayedCalls()), (0, []))
        for _ in range(2):
            self.watch.start()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.watch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bugsDoNotEndIt(self) -> None:
        """
        A mistake of ours is logged, and the next look comes.
        """
        waiting: list[Deferred[Any]] = []

        def inThread(function: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        watch = FileWatch(self.reactor, self.changed, 1.0, inThread)
        watch.start()
        self.reactor.advance(1.0)
        waiting.pop().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.reactor.advance(1.0)
        self.assertEqual(len(waiting), 1)
        watch.stop()
