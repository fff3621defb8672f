"""
Counts of quotas in Redis, which several machines share.

Each entry is one key that Redis adds to (C{INCRBY}) and that expires with its period
(C{EXPIREAT}).  An answer that does not come leaves open whether the batch was added.  So
each transaction also writes the batch's number to a key of the proxy's own, and watches
it: a batch that is sent again finds that number, and a lost one that Redis gets to after
all finds that the key has changed, and does nothing.

Redis Cluster is not served: a transaction there has to stay within one slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from connectproxy.limits.store import Batch, Entry, IStore, StoreError

__all__ = ["RedisStore"]

TIMEOUT = 1.0
"""Seconds to connect, and to wait for each answer."""

MARK = 24 * 3600
"""Seconds that Redis remembers the number of a proxy's last batch."""

_CHUNK = 5000
"""Keys that are read at once."""

_CHARACTERS = 200
"""Of what Redis says is wrong."""


@implementer(IStore)
class RedisStore:
    """
    A database of Redis.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        """
        @param url: of the database, as redis-py reads it.
        @param timeout: seconds to connect, and to wait for each answer.
        @raise StoreError: redis-py is not installed, or can't read the URL.
        """
        try:
            import redis  # noqa: PLC0415 - an extra, which few need
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        except ImportError:
            raise StoreError(
                "the library for Redis is not installed; pip install 'connectproxy[redis]'"
            ) from None
        self._failures: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._changed: type[Exception] = redis.WatchError
        try:
            self._client: Any = redis.Redis.from_url(
                url[:],
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                # Whoever calls tries again later: a call of this must not take long.
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, redis.RedisError):  # what it says may have the password in it
            raise StoreError(
                "the URL of Redis can't be read; write redis://USER:PASSWORD@HOST:PORT/NUMBER"
            ) from None
        self._password: str = self._client.get_connection_kwargs().get("password") or ""

    def add(self, batch: Batch) -> dict[Entry, int]:
        """
        See L{IStore.add}.
        """
        mark = f"cp:quota-batch:{batch.origin}"
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.watch(mark)
                last = pipeline.get(mark)
                if _count(last) >= batch.number:
                    pipeline.unwatch()
                    return self._read(batch.octets)
                pipeline.multi()
                for entry, octets in batch.octets.items():
                    pipeline.incrby(entry.name, octets)
                pipeline.set(mark, batch.number, ex=MARK)
                for entry in batch.octets:
                    pipeline.expireat(entry.name, entry.until)
                counts = pipeline.execute()
        except self._changed:
            # Redis has got to the one that was lost.
            return self.get(batch.octets)
        except self._failures as error:
            raise self._failed(error) from error
        return dict(zip(batch.octets, map(int, counts), strict=False))

    def get(self, entries: Iterable[Entry]) -> dict[Entry, int]:
        """
        See L{IStore.get}.
        """
        try:
            return self._read(entries)
        except self._failures as error:
            raise self._failed(error) from error

    def _read(self, entries: Iterable[Entry]) -> dict[Entry, int]:
        """
        Read counts.
        """
        wanted, totals = tuple(entries), {}
        if not wanted:
            self._client.ping()
        for at in range(0, len(wanted), _CHUNK):
            chunk = wanted[at : at + _CHUNK]
            counts = self._client.mget([entry.name for entry in chunk])
            totals.update({entry: _count(count) for entry, count in zip(chunk, counts, strict=True)})
        return totals

    def close(self) -> None:
        """
        See L{IStore.close}.
        """
        try:
            self._client.close()
        except self._failures:
            pass  # there is nobody to say goodbye to

    def _failed(self, error: Exception) -> StoreError:
        """
        What a failure means.
        """
        text = str(error) or type(error).__name__
        if self._password:
            text = text.replace(self._password, "***")
        return StoreError(text[:_CHARACTERS] if text.isprintable() else ascii(text[:_CHARACTERS]))


def _count(value: bytes | None) -> int:
    """
    What stands in a key, 0 if there is none.

    @raise StoreError: it is something else than a count, and not ours.
    """
    try:
        return int(value or 0)
    except ValueError:
        raise StoreError("a key that begins with cp:quota has what is no count; remove it") from None
