"""
How a connection to an origin rests, waits and ends, whatever is said on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from connectproxy.interfaces import Established
from connectproxy.origin.deadline import Deadline
from connectproxy.origin.sink import Patience, Upload
from connectproxy.sockets import unsent

if TYPE_CHECKING:
    from connectproxy.origin.pool import OriginPool

__all__ = ["LINGER", "Lifetime"]

LINGER = 2.0
"""Seconds that the closing of a connection may take."""


@implementer(IPushProducer)
class Lifetime(Deadline, Protocol):
    """
    What is the same between requests and with one.

    @ivar established: what it was made from.
    @ivar reusable: whether another request may follow the one that is done.
    @ivar active: when the last octet went over it, in seconds of the clock.
    @ivar pool: where it is idle; L{None} while it is not.
    """

    established: Established
    reusable = False
    active = 0.0
    pool: OriginPool | None = None
    _sink: Any = None
    _upload: Upload | None = None
    _ended = False
    _closed = False
    _paused = False
    _patience: Patience

    @property
    def lost(self) -> bool:
        """Whether the connection is closed."""
        return self._closed

    def keep(self, pool: OriginPool) -> None:
        """
        It is idle in a pool from now on.
        """
        self.pool = pool
        if self._paused:
            self.resumeProducing()
        self.within(self._patience.kept)

    def close(self) -> None:
        """
        Close it, whatever is on it: in order if all that was written has been sent.
        """
        self._sink = None
        if self._closed:
            return
        transport: Any = self.transport
        self.reusable = False
        if self._upload is not None:
            self._stopUpload()
        if unsent(transport):
            transport.abortConnection()
        else:
            self.within(LINGER)
            transport.loseConnection()

    def abort(self) -> None:
        """
        Give up the request that is on it, and reset the connection.
        """
        self._sink = None
        if not self._closed:
            if self._upload is not None:
                self._stopUpload()
            self.transport.abortConnection()  # type: ignore[union-attr]

    def _drop(self) -> None:
        """
        The origin speaks, or ends, while it has not been asked.
        """
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.forget(self)
        if self._ended:
            self.close()
        else:
            self.abort()

    def _stopUpload(self) -> None:
        """The origin's transport has no producer any more: with one that is paused it would never close."""
        self._upload = None
        self.transport.unregisterProducer()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """
        Read no more of the response for now.
        """
        if not self._closed:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        if not self._closed:
            self._paused = False
            self.active = self._clock.seconds()
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def stopProducing(self) -> None:
        """
        Part of L{IPushProducer}: what is written to is lost.
        """
        self.abort()

    def writeConnectionLost(self) -> None:
        """
        Never ours to hear: the stream to an origin is not half-closed.
        """
