"""
Counts of quotas in a file of SQLite.

They survive a restart, and several proxies of one machine share them: the file is in WAL
mode, every batch is one transaction, and who finds it locked waits a second.  WAL needs
shared memory, so the file must not be on a network's file system.

What is there and is no database of ours, or is damaged, is never touched: somebody may
have named the wrong file.  The store fails until it is moved away, and then begins a new
one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from time import monotonic, sleep, time

from zope.interface import implementer

from connectproxy.limits.store import TIDY, Batch, Entry, IStore, StoreError

__all__ = ["SQLiteStore"]

LOCKED = 1.0
"""Seconds to wait for others that write."""

MARK = 24 * 3600
"""Seconds that the number of a proxy's last batch is remembered."""

_AGAIN = 0.01
"""Seconds until something that is locked is tried again; only this store's thread waits."""

_OURS = 0x63707174
"""The application_id of SQLite's header: "cpqt"."""

_TABLES = """
CREATE TABLE IF NOT EXISTS used (name TEXT PRIMARY KEY, until INTEGER NOT NULL, octets INTEGER NOT NULL) WITHOUT ROWID
"""

_SET = "INSERT OR REPLACE INTO used (name, until, octets) VALUES (?, ?, ?)"

_ADD = """
INSERT INTO used (name, until, octets) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET octets = octets + excluded.octets
"""


@implementer(IStore)
class SQLiteStore:
    """
    A file of counts.
    """

    def __init__(self, path: str, wait: float = LOCKED) -> None:
        """
        @param path: the file; it is made, readable for its owner only, with the first
            call that needs it.
        @param wait: seconds to wait for others that write.
        """
        self._path = path
        self._wait = wait
        self._connection: sqlite3.Connection | None = None
        self._tidied = 0

    def add(self, batch: Batch) -> dict[Entry, int]:
        """
        See L{IStore.add}.
        """
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                now = int(time())
                mark = Entry(f"cp:quota-batch:{batch.origin}", now + MARK)
                if _read(connection, (mark,))[mark] < batch.number:
                    self._tidy(connection, now)
                    connection.executemany(_ADD, [(*entry, octets) for entry, octets in batch.octets.items()])
                    connection.execute(_SET, (*mark, batch.number))
                totals = _read(connection, batch.octets)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        return totals

    def get(self, entries: Iterable[Entry]) -> dict[Entry, int]:
        """
        See L{IStore.get}.
        """
        try:
            connection = self._open()
            connection.execute("SELECT 1 FROM used LIMIT 1")
            return _read(connection, entries)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """
        See L{IStore.close}.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                pass  # it could not write the log back, which whoever opens the file does

    def _open(self) -> sqlite3.Connection:
        """
        The connection, opened if there is none.
        """
        if self._connection is not None:
            return self._connection
        # The files beside it get its mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        # Only one thread at a time is here, but not always the same.
        connection = sqlite3.connect(
            self._path, timeout=self._wait, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """
        Make sure that the file is one of ours, though others may do so at the same time.
        """
        if not _isOurs(connection, "BEGIN"):
            connection.execute("COMMIT")
            if not _isOurs(connection, "BEGIN IMMEDIATE"):
                connection.execute(f"PRAGMA application_id = {_OURS}")
                connection.execute(_TABLES)
        connection.execute("COMMIT")
        self._useLog(connection)
        # What a crash of the machine, not of the process, may cost are the last seconds.
        connection.execute("PRAGMA synchronous = NORMAL")

    def _useLog(self, connection: sqlite3.Connection) -> None:
        """
        Have the file in WAL mode.  SQLite does not wait for others here: of two that want
        this at once it tells one that the file is locked.
        """
        until = monotonic() + self._wait
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if monotonic() >= until:
                    raise
                sleep(_AGAIN)

    def _tidy(self, connection: sqlite3.Connection, now: int) -> None:
        """
        Remove what is of no use any more, now and then.
        """
        if now - self._tidied >= TIDY or now < self._tidied:
            connection.execute("DELETE FROM used WHERE until <= ?", (now,))
            self._tidied = now

    def _failed(self, error: Exception) -> StoreError:
        """
        What a failure means.
        """
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return StoreError(f"{self._path}: {error}")  # nothing is wrong but the moment
        self.close()
        if isinstance(error, OSError):
            return StoreError(f"can't open {self._path}: {error.strerror}")
        if isinstance(error, sqlite3.OperationalError):
            return StoreError(f"{self._path}: {error}")
        return StoreError(
            f"{self._path} can't be used: {error}; move it away together with its -wal and -shm, and a new one is begun"
        )


def _isOurs(connection: sqlite3.Connection, begin: str) -> bool:
    """
    Look whether a file is one of ours, in a transaction of which it is the beginning: or
    another process could make its table between two looks.

    @return: C{False} if there is nothing in it at all.
    @raise sqlite3.DatabaseError: it is something else.
    """
    connection.execute(begin)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark != _OURS and (mark or tables):
        raise sqlite3.DatabaseError("it is a database of something else")
    return bool(mark)


def _read(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[Entry, int]:
    """
    Read counts.
    """
    totals = {}
    for entry in entries:
        row = connection.execute("SELECT octets FROM used WHERE name = ?", (entry.name,)).fetchone()
        totals[entry] = row[0] if row else 0
    return totals
