"""
Tests for L{connectproxy.limits.store}, and what holds for every store.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.config.secret import Secret
from connectproxy.limits.sqlitestore import SQLiteStore
from connectproxy.limits.store import TIDY, Batch, Entry, IStore, MemoryStore, StoreError, openStore, placeOf

A = Entry("cp:quota:ci:user:a:2100", 4_000_000_000)
B = Entry("cp:quota:ci:user:b:2100", 4_000_000_000)


class StoreContract:
    """
    What every store does.
    """

    def store(self) -> Any:
        """
        A store that is empty.
        """
        return MemoryStore()

    def test_interface(self: Any) -> None:
        """
        It is one.
        """
        self.assertTrue(verifyObject(IStore, self.store()))

    def test_adds(self: Any) -> None:
        """
        Octets add up, whoever adds them; what nobody has added to is 0.
        """
        store = self.store()
        self.assertEqual(store.add(Batch("x", 1, {A: 5, B: 7})), {A: 5, B: 7})
        self.assertEqual(store.add(Batch("y", 1, {A: 10**15})), {A: 10**15 + 5})
        self.assertEqual(store.add(Batch("x", 2, {B: 1})), {B: 8})
        other = Entry("cp:quota:ci:user:c:2100", 4_000_000_000)
        self.assertEqual(store.get((B, A, other)), {A: 10**15 + 5, B: 8, other: 0})
        self.assertEqual(store.get(()), {})

    def test_once(self: Any) -> None:
        """
        A batch that comes again is not added again, and has its answer.
        """
        store = self.store()
        for _ in range(3):
            self.assertEqual(store.add(Batch("x", 1, {A: 5})), {A: 5})
        self.assertEqual(store.add(Batch("x", 2, {A: 5})), {A: 10})

    def test_closed(self: Any) -> None:
        """
        It can be closed again and again.
        """
        store = self.store()
        store.add(Batch("x", 1, {A: 5}))
        store.close()
        store.close()


class MemoryStoreTests(StoreContract, SynchronousTestCase):
    """
    The one in memory.
    """

    def test_forgets(self) -> None:
        """
        What is past is forgotten in time.
        """
        now = 1000.0
        store = MemoryStore(lambda: now)
        soon = Entry("x", 2000)
        store.add(Batch("x", 1, {soon: 5, A: 1}))
        now += 1 + TIDY
        self.assertEqual(store.add(Batch("x", 2, {A: 1})), {A: 2})
        self.assertEqual(store.get((soon, A)), {soon: 0, A: 2})


class OpenTests(SynchronousTestCase):
    """
    Stores by their names.
    """

    def test_known(self) -> None:
        """
        In memory, in a file, in Redis; nothing is opened yet.
        """
        self.assertIsInstance(openStore("memory"), MemoryStore)
        self.assertIsInstance(openStore("sqlite:/nowhere/at/all"), SQLiteStore)
        self.assertTrue(verifyObject(IStore, openStore("redis://127.0.0.1:1/0")))

    def test_unknown(self) -> None:
        """
        Of others it is said what there is, and not what was said.
        """
        for where in ("", "sqlite:", "mysql://u:secret@h/x", "nonsense"):
            error = self.assertRaises(StoreError, openStore, where)
            self.assertIn("name memory, sqlite:PATH or redis:", str(error))
            self.assertNotIn("secret", str(error))

    def test_place(self) -> None:
        """
        Messages have no password.
        """
        for where, shown in (
            ("memory", "memory"),
            ("sqlite:/var/x.db", "sqlite:/var/x.db"),
            ("redis://h:6379/0", "redis:h:6379/0"),
            ("rediss://u:se@cret@h:6379/0?password=secret", "rediss:h:6379/0"),
            ("unix://:secret@/run/redis.sock", "unix:/run/redis.sock"),
        ):
            self.assertEqual(placeOf(where), shown)
            self.assertEqual(placeOf(Secret(where)), shown)
