"""
Quotas in a real Redis, which is stopped, slow, and flushed in the middle.
"""

from __future__ import annotations

import atexit
import functools
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits import Accounts, Limit
from connectproxy.limits.redisstore import MARK, RedisStore
from connectproxy.limits.store import Batch, Entry, StoreError, openStore
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor
from tests.limits.case import BOB, AccountsCase, FakeTunnel, ask
from tests.limits.test_store import A, B, StoreContract

pytestmark = pytest.mark.integration

PASSWORD = "open-sesame"


class Redis:
    """
    A server at a port of its own, which keeps nothing on disk and wants a password.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="connectproxy-redis-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self.client: Any = redis.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        """
        Start it, and wait until it answers.
        """
        settings = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD)
        log = Path(self._directory.name) / "log"
        self._process = subprocess.Popen(
            ["redis-server", *settings, "--dir", self._directory.name, "--logfile", str(log)]
        )
        give_up = time.monotonic() + 20
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    self.close()
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """
        Kill it.
        """
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """
        Have it do nothing, though the system accepts connections for it.
        """
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """
        Let it go on.
        """
        self._process.send_signal(signal.SIGCONT)
        self.client.ping()

    def close(self) -> None:
        """
        Remove every trace.
        """
        self.stop()
        self.client.close()
        self._directory.cleanup()


@functools.cache
def server() -> Redis:
    """
    The server of all tests, which ends with them.
    """
    started = Redis()
    atexit.register(started.close)
    return started


class RedisCase(SynchronousTestCase):
    """
    Tests at the server, which is empty at first.
    """

    def setUp(self) -> None:
        """
        Have it empty.
        """
        self.server = server()
        self.server.client.flushall()

    def store(self) -> Any:
        """
        A store that does not wait for long.
        """
        store = RedisStore(self.server.url, 0.3)
        self.addCleanup(store.close)
        return store


class StoreTests(RedisCase, StoreContract):
    """
    The store alone.
    """

    def test_shared(self) -> None:
        """
        Two stores count together.
        """
        one, two = self.store(), self.store()
        one.add(Batch("one", 1, {A: 5}))
        self.assertEqual(two.add(Batch("two", 1, {A: 7, B: 1})), {A: 12, B: 1})
        self.assertEqual(one.get((A, B)), {A: 12, B: 1})

    def test_expires(self) -> None:
        """
        Every key has an end: the period's, or a day for what tells batches apart.
        """
        soon, past = Entry("cp:soon", int(time.time()) + 1000), Entry("cp:past", int(time.time()) - 5)
        self.store().add(Batch("x", 1, {soon: 1, past: 1}))
        self.assertTrue(990 < self.server.client.ttl("cp:soon") <= 1000)
        self.assertTrue(MARK - 10 < self.server.client.ttl("cp:quota-batch:x") <= MARK)
        self.assertEqual(self.server.client.dbsize(), 2)

    def test_stopped(self) -> None:
        """
        A server that is gone fails at once; when it is back the store goes on.
        """
        store = self.store()
        store.add(Batch("x", 1, {A: 5}))
        self.server.stop()
        try:
            for _ in range(2):
                self.assertRaises(StoreError, store.add, Batch("x", 2, {A: 5}))
                self.assertRaises(StoreError, store.get, ())
        finally:
            self.server.start()
        self.assertEqual(store.add(Batch("x", 2, {A: 5})), {A: 5})  # it had kept nothing

    @pytest.mark.quiet
    def test_slow(self) -> None:
        """
        A server that does not answer fails in time.  What it gets to later is not lost, and
        what is sent again is not added again: neither before it has got to the first,
        nor after.
        """
        store = self.store()
        store.add(Batch("x", 1, {A: 5}))
        self.server.freeze()
        try:
            began = time.monotonic()
            self.assertRaises(StoreError, store.add, Batch("x", 2, {A: 7}))
            self.assertLess(time.monotonic() - began, 3)
            self.assertRaises(StoreError, store.get, (A,))
        finally:
            self.server.thaw()
        for _ in range(2):
            self.assertEqual(store.add(Batch("x", 2, {A: 7})), {A: 12})

    def test_slowInTheMiddle(self) -> None:
        """
        So it is when the transaction itself has been sent and its answer does not come: of
        the two that Redis finds when it goes on, it does one.
        """
        store, slow = self.store(), self.store()
        pipeline = slow._client.pipeline(transaction=True)
        execute = pipeline.execute

        def frozen() -> Any:
            self.server.freeze()
            return execute()

        pipeline.execute = frozen
        slow._client.pipeline = lambda **more: pipeline
        try:
            self.assertRaises(StoreError, slow.add, Batch("x", 1, {A: 7}))
        finally:
            self.server.thaw()
        for _ in range(2):
            self.assertEqual(store.add(Batch("x", 1, {A: 7})), {A: 7})

    def test_overtaken(self) -> None:
        """
        A transaction that was begun before the same batch came by another way does
        nothing.
        """
        store, other = self.store(), self.store()
        pipeline = store._client.pipeline(transaction=True)
        execute = pipeline.execute

        def late() -> Any:
            other.add(Batch("x", 1, {A: 7}))
            return execute()

        pipeline.execute = late
        store._client.pipeline = lambda **more: pipeline
        self.assertEqual(store.add(Batch("x", 1, {A: 7})), {A: 7})

    def test_foreign(self) -> None:
        """
        A key that somebody else has made something of is a failure like others, and the
        password is not in it; nor is it in that of a wrong one.
        """
        self.server.client.rpush(A.name, "x")
        store = self.store()
        error = self.assertRaises(StoreError, store.add, Batch("x", 1, {A: 1}))
        self.assertIn("WRONGTYPE", str(error))
        wrong = RedisStore(f"redis://:wrong-word@127.0.0.1:{self.server.port}/0")
        error = self.assertRaises(StoreError, wrong.get, ())
        wrong.close()
        self.assertIn("invalid username-password pair", str(error))
        self.assertNotIn("wrong-word", str(error))


class QuotaTests(RedisCase):
    """
    Accounts of two proxies that count together.
    """

    pause = AccountsCase.pause
    passed: Any = AccountsCase.passed
    refused: Any = AccountsCase.refused

    def setUp(self) -> None:
        """
        No proxies yet; what a thread would do is done at once.
        """
        super().setUp()
        self.reactor = FakeReactor()
        self.reactor.advance(time.time())

    def accounts(self, whenAway: str = "open") -> Accounts:
        """
        A proxy's.
        """
        self.stores: list[Any] = []

        def opener(where: str) -> Any:
            store: Any = RedisStore(where, 0.3)
            self.stores.append(store)
            self.addCleanup(store.close)
            return store

        return Accounts(
            Wheel(self.reactor), self.reactor, (Limit("ci", quota=1000, period="month"),), self.server.url,
            whenAway, threads=self.reactor.threads, opener=opener, wallTime=self.reactor.seconds,
        )  # fmt: skip

    def up(self, accounts: Accounts, octets: int = 0) -> FakeTunnel:
        """
        Let bob in.
        """
        tunnel = FakeTunnel(octets)
        self.passed(accounts.enter(ask(BOB))).watch(tunnel)
        return tunnel

    def total(self) -> int:
        """
        What Redis has of bob.
        """
        keys = self.server.client.keys("cp:quota:ci:user:bob:*")
        return sum(int(self.server.client.get(key)) for key in keys)

    def test_together(self) -> None:
        """
        What is used at one is used at the other, whose tunnels end, too.
        """
        one, two = self.accounts(), self.accounts()
        first, second = self.up(one, 600), self.up(two)
        self.pause()
        self.assertEqual((first.aborted, second.aborted), ([], []))
        second.bytesDown = 400
        self.pause()
        self.assertEqual((self.total(), second.aborted), (1000, ["quota_exceeded"]))
        self.refused(two.enter(ask(BOB)), "quota_exceeded")
        first.bytesUp += 1
        self.pause()
        self.assertEqual(first.aborted, ["quota_exceeded"])

    def test_stopped(self) -> None:
        """
        While it is gone both go on and count for themselves; when it is back they write
        what it has missed, once.
        """
        one, two = self.accounts(), self.accounts()
        first, second = self.up(one, 10), self.up(two, 10)
        self.pause()
        self.server.stop()
        try:
            with capturedLogs() as events:
                for _ in range(4):
                    first.bytesUp += 10
                    second.bytesUp += 20
                    self.pause()
                self.up(one)
        finally:
            self.server.start()
        errors = [event for event in events if event["log_level"].name == "error"]
        self.assertEqual([event["where"] for event in errors], [f"redis:127.0.0.1:{self.server.port}/0"] * 2)
        self.assertNotIn(PASSWORD, repr(events))
        with capturedLogs() as events:
            self.pause(20)
        self.assertEqual([event["log_level"].name for event in events], ["info"] * 2)
        self.assertEqual(self.total(), 4 * 30)  # what it had before went with it

    def test_closed(self) -> None:
        """
        With when_away = closed nobody is let in while it is gone, and what is up goes on.
        """
        accounts = self.accounts("closed")
        tunnel = self.up(accounts, 10)
        self.server.stop()
        try:
            self.pause()
            self.refused(accounts.enter(ask(BOB)), "quota_unavailable")
        finally:
            self.server.start()
        self.assertEqual(tunnel.aborted, [])
        self.pause(4)
        self.up(accounts)
        self.assertEqual(self.total(), 10)

    def test_slow(self) -> None:
        """
        While it hangs nothing is lost, and nothing counts twice when it goes on.
        """
        accounts = self.accounts()
        tunnel = self.up(accounts, 10)
        self.pause()
        self.server.freeze()
        try:
            tunnel.bytesUp += 20
            self.pause()
            tunnel.bytesUp += 30
            self.pause(2)
            assert accounts.quotas is not None
            self.assertTrue(accounts.quotas.away)
        finally:
            self.server.thaw()
        self.pause(10)
        self.assertEqual((self.total(), accounts.quotas.away), (60, False))

    def test_flushed(self) -> None:
        """
        When somebody empties it, what is used is what is counted from then on.
        """
        accounts = self.accounts()
        tunnel = self.up(accounts, 900)
        self.pause()
        self.server.client.flushall()
        tunnel.bytesUp += 200
        self.pause()
        # It went by what Redis had said last, and ended the tunnel with 1100.
        self.assertEqual((self.total(), tunnel.aborted), (200, ["quota_exceeded"]))
        self.up(accounts)

    def test_found(self) -> None:
        """
        The store that the configuration names is this one.
        """
        store = openStore(self.server.url)
        self.addCleanup(store.close)
        self.assertEqual(store.add(Batch("x", 1, {A: 5})), {A: 5})
        self.assertEqual(self.server.client.get(A.name), b"5")
