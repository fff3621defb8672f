"""
Tests for L{connectproxy.limits.quotas}: octets, and the store that counts them.
"""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.python.threadpool import ThreadPool

from connectproxy.limits import Accounts, Limit, quotas
from connectproxy.limits.quotas import ANSWER, GOODBYE
from tests.limits.case import BOB, DAY, EVE, MINE, FakeStore, FakeTunnel, QuotasCase, ask


class WriteTests(QuotasCase):
    """
    What is written, and when.
    """

    def test_oneBatch(self) -> None:
        """
        All tunnels are written at once, and one deadline is enough for all of them.
        """
        accounts = self.accounts(self.LIMIT, Limit("all", per="all", quota=10**9, period="month"))
        tunnels = [self.up(accounts, 10)[1] for _ in range(5)]
        self.passed(accounts.enter(ask(EVE))).watch(FakeTunnel(7))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.store.calls.clear()
        self.pause()
        self.assertEqual(len(self.store.calls), 1, self.store.calls)
        batch = self.store.calls[0]
        self.assertEqual(
            {entry.name: octets for entry, octets in batch.octets.items()},
            {MINE: 50, f"cp:quota:ci:user:eve:{DAY}": 7, "cp:quota:all:all:2023-11": 57},
        )
        self.assertEqual([tunnel.aborted for tunnel in tunnels], [[]] * 5)

    def test_quiet(self) -> None:
        """
        Tunnels that move nothing have nothing written.
        """
        accounts = self.accounts(self.LIMIT)
        self.up(accounts)
        self.store.calls.clear()
        self.pause(5)
        self.assertEqual(self.store.calls, [])


class AskTests(QuotasCase):
    """
    Requests that wait for the store.
    """

    def setUp(self) -> None:
        """
        The thread does nothing until the test wants it to.
        """
        super().setUp()
        self.reactor.threads.held = True

    def ask(self, accounts: Accounts, who: Any = BOB) -> Deferred[Any]:
        """
        Ask to be let in, which takes its time.
        """
        result = accounts.enter(ask(who))
        assert isinstance(result, Deferred)
        self.assertNoResult(result)
        return result

    def test_waits(self) -> None:
        """
        What is not known has to be asked for; who waits counts as open; what is known
        then is known at once to those who come later.
        """
        accounts = self.accounts(self.LIMIT, Limit("n", tunnels=1))
        self.store.others(MINE, 10)
        first = self.ask(accounts)
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")
        self.reactor.threads.run()
        entered = self.passed(first)
        self.assertEqual(accounts._tables[0].shares["user:bob"].tally.total, 10)  # type: ignore[union-attr]
        entered.leave()
        self.passed(accounts.enter(ask(BOB)))

    def test_together(self) -> None:
        """
        However many wait, one question is under way, and the next one is for all that
        have come since.
        """
        accounts = self.accounts(Limit("ci", quota=1000, per="client"))
        waiting: list[Any] = [accounts.enter(ask(host=f"192.0.2.{number}")) for number in range(5)]
        self.reactor.threads.run()
        self.assertEqual([len(call) for call in self.store.calls], [1, 4])
        for each in waiting:
            self.passed(each)

    def test_cancelled(self) -> None:
        """
        Who gives up is refused, and counts for nothing any more; the others get theirs.
        """
        accounts = self.accounts(self.LIMIT)
        first, second = self.ask(accounts), self.ask(accounts)
        first.cancel()
        refusal = self.refused(first, "quota_unavailable")
        self.assertIn("nobody waits", refusal.detail)
        self.reactor.threads.run()
        self.passed(second)
        self.assertEqual(len(accounts.passes), 1)

    def test_tooLong(self) -> None:
        """
        Nobody waits for ever: the store is away after some seconds, and there again when
        it answers after all.
        """
        for whenAway in ("open", "closed"):
            accounts = self.accounts(self.LIMIT, whenAway=whenAway)
            waiting = self.ask(accounts)
            with capturedLogs() as events:
                self.pause(ANSWER)
            (event,) = events
            self.assertIn("no answer within 3 seconds", event["why"])
            if whenAway == "open":
                self.passed(waiting)
            else:
                refusal = self.refused(waiting, "quota_unavailable")
                self.assertEqual(refusal.detail, "limit ci: the store of quotas does not answer")
            with capturedLogs() as events:
                self.reactor.threads.run()
            self.assertIn("answers again", events[0]["log_format"])
            self.passed(accounts.enter(ask(BOB)))
            self.pause(13)
            self.reactor.threads.run()
            self.pause(13)

    def test_meanwhile(self) -> None:
        """
        Tables may change while somebody waits; it is held to those that are in force
        then.
        """
        accounts = self.accounts(self.LIMIT)
        self.store.others(f"cp:quota:new:user:bob:{DAY}", 1000)
        waiting = self.ask(accounts)
        accounts.configure((Limit("new", quota=1000),), "memory", "open")
        other = self.ask(accounts)
        self.reactor.threads.run()
        self.passed(waiting)  # it had asked before, and is ended as soon as it moves anything
        self.refused(other, "quota_exceeded")

    def test_stopped(self) -> None:
        """
        When the proxy stops nobody waits any longer.
        """
        accounts = self.accounts(self.LIMIT)
        waiting = self.ask(accounts)
        done = accounts.stop()
        self.refused(waiting, "quota_unavailable")
        self.assertNoResult(done)
        self.reactor.threads.run()
        self.successResultOf(done)
        self.assertEqual(self.store.calls[-1], "close")


class EndTests(QuotasCase):
    """
    The end of the proxy.
    """

    def test_written(self) -> None:
        """
        What tunnels have moved to the last is written, in as many batches as it takes,
        and the store closed.
        """
        self.patch(quotas, "CHUNK", 1)
        accounts = self.accounts(self.LIMIT, Limit("all", per="all", quota=9999))
        _, tunnel = self.up(accounts, 10)
        tunnel.bytesUp += 3
        self.successResultOf(accounts.stop())
        self.assertEqual(self.store.count(MINE), 13)
        self.assertEqual(self.store.count(f"cp:quota:all:all:{DAY}"), 13)
        self.assertEqual(self.store.calls[-1], "close")
        self.wheel.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_neverAsked(self) -> None:
        """
        A store that nobody has needed is not opened in order to be closed.
        """
        accounts = self.accounts(self.LIMIT, threads=None)
        self.successResultOf(accounts.stop())
        self.assertEqual(self.opened, [])

    def test_away(self) -> None:
        """
        A store that is away, or goes away then, is not waited for.
        """
        for before in (True, False):
            self.store = FakeStore()
            accounts = self.accounts(self.LIMIT)
            self.up(accounts, 10)
            self.store.away = "gone"
            if before:
                self.pause(1)
            with capturedLogs() as events:
                self.successResultOf(accounts.stop())
            self.assertEqual(len(events), 0 if before else 1)
            self.assertEqual(self.store.calls[-1], "close")

    def test_hangs(self) -> None:
        """
        One that does nothing at all holds the end up for some seconds only.
        """
        accounts = self.accounts(self.LIMIT)
        self.up(accounts, 10)
        self.reactor.threads.held = True
        done = accounts.stop()
        self.reactor.advance(GOODBYE - 0.1)
        self.assertNoResult(done)
        self.reactor.advance(0.1)
        self.successResultOf(done)
        self.reactor.threads.run()  # as late as it is, it is done
        self.assertEqual((self.store.count(MINE), self.store.calls[-1]), (10, "close"))


class ThreadTests(QuotasCase):
    """
    The thread that is made where none is given.
    """

    def test_thread(self) -> None:
        """
        There is one, which does not keep the process from ending, from the first need to
        the end.
        """
        made: list[ThreadPool] = []

        class Pool(ThreadPool):
            def __init__(self, *arguments: Any) -> None:
                ThreadPool.__init__(self, *arguments)
                made.append(self)

        self.patch(quotas, "ThreadPool", Pool)
        called = threading.Event()
        self.reactor.callFromThread = lambda f, *a, **k: (f(*a, **k), called.set())  # type: ignore[method-assign]
        accounts = self.accounts(self.LIMIT, threads=None)
        self.assertEqual(made, [])
        result: Any = accounts.enter(ask(BOB))
        self.assertTrue(called.wait(10))
        self.passed(result)
        (pool,) = made
        self.assertEqual((pool.max, [thread.daemon for thread in pool.threads]), (1, [True]))
        self.reactor.callFromThread = lambda f, *a, **k: calls.append(lambda: f(*a, **k)) or called.set()  # type: ignore[method-assign,func-returns-value]
        calls: list[Any] = []
        called.clear()
        done = accounts.stop()
        self.assertTrue(called.wait(10))
        calls.pop()()  # in this thread, as a reactor would: it stops the other one
        self.successResultOf(done)
        self.assertFalse(any(thread.is_alive() for thread in pool.threads))
