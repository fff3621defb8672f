"""
Tests for L{connectproxy.limits.redisstore} without a Redis: what can't be tried, and what
its failures become.  With a real one: C{tests/integration/test_redis.py}.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import redis
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.config.secret import Secret
from connectproxy.limits.redisstore import TIMEOUT, RedisStore
from connectproxy.limits.store import Batch, IStore, StoreError
from tests.limits.test_store import A, B

URL = "redis://u:sesame@127.0.0.1:1/3"


class FakeClient:
    """
    A client of Redis that fails, or answers.

    @ivar last: the number of the batch that was added last.
    @ivar calls: what was asked.
    """

    def __init__(self, failure: Exception | None = None, last: bytes | None = None) -> None:
        self.failure = failure
        self.last = last
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            self.calls.append((name, *arguments, *more.values()))
            if name == "execute" and self.failure is not None:
                raise self.failure
            if name == "mget":
                if self.failure is not None and not isinstance(self.failure, redis.WatchError):
                    raise self.failure
                return [b"7", None][: len(arguments[0])]
            return {"get": self.last, "execute": [5, 6, True, True, True], "pipeline": self}.get(name)

        return call

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *arguments: object) -> None:
        pass


class RedisStoreTests(SynchronousTestCase):
    """
    What is said to Redis, and what its failures become.
    """

    def store(self, *arguments: Any) -> Any:
        """
        A store with a fake client.
        """
        store: Any = RedisStore(URL)
        store._client = FakeClient(*arguments)
        return store

    def test_interface(self) -> None:
        """
        It is a store.
        """
        self.assertTrue(verifyObject(IStore, RedisStore(URL)))

    def test_timeouts(self) -> None:
        """
        Whatever it does has a timeout, and nothing is tried again below us; the password
        reaches Redis though nobody can see it.
        """
        store: Any = RedisStore(Secret(URL))
        settings = store._client.get_connection_kwargs()
        self.assertEqual((settings["socket_timeout"], settings["socket_connect_timeout"]), (TIMEOUT, TIMEOUT))
        self.assertEqual((settings["password"], settings["db"]), ("sesame", 3))
        self.assertEqual(settings["retry"].get_retries(), 0)

    def test_add(self) -> None:
        """
        One transaction adds, sets the end of each entry, and marks the batch.
        """
        store = self.store()
        self.assertEqual(store.add(Batch("x", 4, {A: 2, B: 3})), {A: 5, B: 6})
        self.assertEqual(
            store._client.calls[1:],
            [
                ("watch", "cp:quota-batch:x"),
                ("get", "cp:quota-batch:x"),
                ("multi",),
                ("incrby", A.name, 2),
                ("incrby", B.name, 3),
                ("set", "cp:quota-batch:x", 4, 86400),
                ("expireat", A.name, A.until),
                ("expireat", B.name, B.until),
                ("execute",),
            ],
        )

    def test_known(self) -> None:
        """
        A batch that Redis has got is not added again.
        """
        store = self.store(None, b"4")
        self.assertEqual(store.add(Batch("x", 4, {A: 2, B: 3})), {A: 7, B: 0})
        self.assertNotIn(("multi",), store._client.calls)

    def test_lateAfterAll(self) -> None:
        """
        Nor is one that Redis gets to in between.
        """
        store = self.store(redis.WatchError())
        self.assertEqual(store.add(Batch("x", 4, {A: 2, B: 3})), {A: 7, B: 0})

    def test_ping(self) -> None:
        """
        Without entries it is asked whether it is there.
        """
        store = self.store()
        self.assertEqual(store.get(()), {})
        self.assertEqual(store._client.calls, [("ping",)])

    def test_failures(self) -> None:
        """
        What Redis says is passed on, short, escaped and without the password.
        """
        for failure, expected in (
            (redis.TimeoutError("Timeout reading from socket"), "Timeout reading from socket"),
            (OSError(), "OSError"),
            (redis.ResponseError("not sesame\n\x1b[1m"), "'not ***\\n\\x1b[1m'"),
            (redis.ResponseError("x" * 999), "x" * 200),
        ):
            for call in (
                lambda store: store.add(Batch("x", 1, {A: 1})),
                lambda store: store.get((A,)),
            ):
                error = self.assertRaises(StoreError, call, self.store(failure))
                self.assertEqual(str(error), expected)

    def test_noCount(self) -> None:
        """
        What somebody else has put into a key of ours is no bug of the proxy's, and not shown.
        """
        store = self.store(None, b"sesame")
        error = self.assertRaises(StoreError, store.add, Batch("x", 1, {A: 1}))
        self.assertEqual(str(error), "a key that begins with cp:quota has what is no count; remove it")
        store._client.mget = lambda names: [b"open", None]
        self.assertRaises(StoreError, store.get, (A, B))

    def test_noPassword(self) -> None:
        """
        Without a password nothing is taken out.
        """
        store: Any = RedisStore("redis://127.0.0.1:1/0")
        store._client = FakeClient(redis.ConnectionError("Connection refused"))
        self.assertEqual(str(self.assertRaises(StoreError, store.get, (A,))), "Connection refused")

    def test_closeFails(self) -> None:
        """
        That it can't be closed properly concerns nobody.
        """
        store = self.store()

        class Broken:
            def close(self) -> None:
                raise redis.ConnectionError

        store._client = Broken()
        store.close()

    def test_badURL(self) -> None:
        """
        A URL that can't be read is not repeated.
        """
        for url in ("redis://u:sesame@h:port/0", "redis://u:sesame@[::1/0", "ftp://u:sesame@h"):
            error = self.assertRaises(StoreError, RedisStore, url)
            self.assertNotIn("sesame", str(error))
            self.assertIn("write redis://", str(error))

    def test_notInstalled(self) -> None:
        """
        Without the library it is said how to get it.
        """
        nothing: Any = None
        with mock.patch.dict(sys.modules, {"redis": nothing}):
            error = self.assertRaises(StoreError, RedisStore, URL)
        self.assertIn("connectproxy[redis]", str(error))
