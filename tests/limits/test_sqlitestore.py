"""
Tests for L{connectproxy.limits.sqlitestore}.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits import sqlitestore
from connectproxy.limits.sqlitestore import SQLiteStore
from connectproxy.limits.store import TIDY, Batch, Entry, StoreError
from tests.limits.test_store import A, B, StoreContract

ADD = """
import sys
from connectproxy.limits.sqlitestore import SQLiteStore
from connectproxy.limits.store import Batch, Entry
store = SQLiteStore(sys.argv[1], 30)
sys.stdin.readline()
for number in range(1, 101):
    store.add(Batch(sys.argv[2], number, {Entry("x", 4_000_000_000): 1}))
"""
"""Adds a hundred times, as soon as it is told to."""


class SQLiteStoreTests(StoreContract, SynchronousTestCase):
    """
    A file.
    """

    def setUp(self) -> None:
        """
        There is none yet.
        """
        self.path = Path(self.mktemp())

    def store(self) -> Any:
        """
        Open the file.
        """
        store = SQLiteStore(str(self.path), 0.05)
        self.addCleanup(store.close)
        return store

    def fails(self, *words: str) -> None:
        """
        The store does not answer, and says why.
        """
        store = self.store()
        for call in (
            lambda: store.add(Batch("x", 1, {A: 1})),
            lambda: store.get((A,)),
            lambda: store.get(()),
        ):
            error = str(self.assertRaises(StoreError, call))
            for each in (str(self.path), *words):
                self.assertIn(each, error)

    def test_lazy(self) -> None:
        """
        The file is made when it is needed, for its owner only, and so are those beside it.
        """
        store = self.store()
        self.assertFalse(self.path.exists())
        store.add(Batch("x", 1, {A: 1}))
        for suffix in ("", "-wal", "-shm"):
            mode = os.stat(f"{self.path}{suffix}").st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_restart(self) -> None:
        """
        Counts survive a restart; a new process numbers its batches anew under a name of
        its own.
        """
        store = self.store()
        store.add(Batch("x", 7, {A: 5}))
        store.close()
        self.assertEqual(self.store().get((A, B)), {A: 5, B: 0})
        self.assertEqual(self.store().add(Batch("y", 1, {A: 5})), {A: 10})
        self.assertEqual(self.store().add(Batch("x", 7, {A: 5})), {A: 10})

    def test_killed(self) -> None:
        """
        What was written is there though nobody has closed the file.
        """
        text = "import os, sys\n" + ADD.replace("100", "1").replace("101", "2") + "\nos._exit(0)"
        subprocess.run(
            [sys.executable, "-c", text, str(self.path), "x"], input="\n", text=True, check=True, timeout=30
        )
        self.assertEqual(self.store().get((Entry("x", 1),)), {Entry("x", 1): 1})

    def test_shared(self) -> None:
        """
        Several proxies at one file, from its making on: not one octet is lost.
        """
        processes = [
            subprocess.Popen([sys.executable, "-c", ADD, str(self.path), name], stdin=subprocess.PIPE)
            for name in "abc"
        ]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.close()
        self.assertEqual([process.wait(60) for process in processes], [0, 0, 0])
        self.assertEqual(self.store().get((Entry("x", 1),)), {Entry("x", 1): 300})

    def test_begunTogether(self) -> None:
        """
        Who makes the file at the same moment as others is not in their way.
        """
        failures: list[StoreError] = []

        def begin(store: SQLiteStore, origin: str, barrier: threading.Barrier) -> None:
            barrier.wait(30)
            try:
                store.add(Batch(origin, 1, {A: 1}))
            except StoreError as error:
                failures.append(error)

        for turn in range(10):
            stores = [SQLiteStore(f"{self.path}{turn}", 10) for _ in range(6)]
            barrier = threading.Barrier(len(stores))
            threads = [
                threading.Thread(target=begin, args=(store, str(number), barrier))
                for number, store in enumerate(stores)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            self.assertEqual((failures, stores[0].get((A,))), ([], {A: 6}))
            for store in stores:
                store.close()

    def test_lockedForGood(self) -> None:
        """
        A file that somebody else is making and does not finish fails in time.
        """
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        store = self.store()
        store.get((A,))
        store.close()
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN")
        other.execute("SELECT * FROM used").fetchall()
        self.assertIn("locked", str(self.assertRaises(StoreError, store.get, (A,))))
        other.execute("COMMIT")
        self.assertEqual(store.get((A,)), {A: 0})

    def test_lockedForAMoment(self) -> None:
        """
        What SQLite does not wait for is tried again.
        """
        answers: list[Exception | None] = [sqlite3.OperationalError("database is locked"), None]
        asked: list[str] = []

        class Connection:
            def execute(self, statement: str) -> None:
                asked.append(statement)
                answer = answers.pop(0)
                if answer is not None:
                    raise answer

        self.patch(sqlitestore, "_AGAIN", 0.0)
        SQLiteStore("x", 10)._useLog(Connection())  # type: ignore[arg-type]
        self.assertEqual(asked, ["PRAGMA journal_mode = WAL"] * 2)

    def test_fullDisk(self) -> None:
        """
        What else SQLite can't do is said in its words, and the file is opened anew.
        """
        store = self.store()
        store.add(Batch("x", 1, {A: 1}))
        store._connection.execute("PRAGMA max_page_count = 1")
        many = {Entry(f"x{number}", 4_000_000_000): 1 for number in range(2000)}
        error = self.assertRaises(StoreError, store.add, Batch("x", 2, many))
        self.assertEqual(str(error), f"{self.path}: database or disk is full")
        self.assertEqual(store.add(Batch("x", 2, {A: 1})), {A: 2})

    def test_locked(self) -> None:
        """
        Who keeps the file locked for too long makes it fail; afterwards it goes on.
        """
        store = self.store()
        store.add(Batch("x", 1, {A: 1}))
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        error = self.assertRaises(StoreError, store.add, Batch("x", 2, {A: 1}))
        self.assertIn("database is locked", str(error))
        self.assertEqual(store.get((A,)), {A: 1})  # who reads does not mind
        other.execute("ROLLBACK")
        self.assertEqual(store.add(Batch("x", 2, {A: 1})), {A: 2})

    def test_damaged(self) -> None:
        """
        A file that is no database is left as it is; the message says what to do.
        """
        self.path.write_bytes(b"user = root\n" * 100)
        self.fails("can't be used", "file is not a database", "move it away")
        self.assertEqual(self.path.read_bytes(), b"user = root\n" * 100)

    def test_movedAway(self) -> None:
        """
        When it has been moved away, the store goes on without a restart.
        """
        self.path.write_bytes(b"x" * 5000)
        store = self.store()
        self.assertRaises(StoreError, store.get, (A,))
        self.path.unlink()
        self.assertEqual(store.add(Batch("x", 1, {A: 3})), {A: 3})

    def test_damagedLater(self) -> None:
        """
        Damage that comes while it is in use is noticed, and survived.
        """
        store = self.store()
        many = {Entry(f"x{number}", 4_000_000_000): 1 for number in range(2000)}
        store.add(Batch("x", 1, many))
        store.close()
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (self.path.stat().st_size - 4096))
        error = self.assertRaises(StoreError, store.add, Batch("x", 2, many))
        self.assertIn("move it away", str(error))

    def test_others(self) -> None:
        """
        A database of another program is none of ours.
        """
        other = sqlite3.connect(self.path)
        other.execute("CREATE TABLE songs (name TEXT)")
        other.close()
        before = self.path.read_bytes()
        self.fails("database of something else")
        self.assertEqual(self.path.read_bytes(), before)

    def test_marked(self) -> None:
        """
        Nor is one that another program has only just begun.
        """
        other = sqlite3.connect(self.path)
        other.execute("PRAGMA application_id = 5")
        other.close()
        self.fails("database of something else")

    def test_nowhere(self) -> None:
        """
        What the system says is said.
        """
        self.path = self.path / "sub"
        self.fails("can't open", "No such file or directory")

    def test_forgets(self) -> None:
        """
        What is past is removed, once an hour.
        """
        now = 1_000_000.0
        self.patch(sqlitestore, "time", lambda: now)
        store, soon = self.store(), Entry("x", 1_000_100)
        store.add(Batch("x", 1, {soon: 5, A: 1}))
        now += 200
        store.add(Batch("x", 2, {A: 1}))
        self.assertEqual(store.get((soon,)), {soon: 5})
        now += TIDY
        self.assertEqual(store.add(Batch("x", 3, {A: 1})), {A: 3})
        self.assertEqual(store.get((soon,)), {soon: 0})

    def test_closeFails(self) -> None:
        """
        That a file can't be closed properly concerns nobody.
        """
        store = self.store()
        store.get((A,))

        class Broken:
            def close(self) -> None:
                raise sqlite3.OperationalError("disk I/O error")

        store._connection.close()
        store._connection = Broken()
        store.close()
        self.assertIsNone(store._connection)
