"""
How a connection to an origin rests, waits and ends, whatever is said on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from connectproxy.interfaces import Established
from connectproxy.origin.deadline import Deadline
from connectproxy.origin.sink import Patience, Upload
from connectproxy.shaping import Valve
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
    _up: Valve | None = None
    _down: Valve | None = None
    _front: Valve | None = None
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

    @property
    def blocked(self) -> bool:
        """Whether no more of the request's body may come for now."""
        return self._upload is not None and self._upload.paused

    def _limit(self, shapers: Sequence[tuple[Any, Any]], head: int) -> None:
        """
        Hold a request and its response to limits of rate, whoever reads and writes them.

        The request is what L{_up} lets pass, the response what L{_down} does; and where
        the request has no body, or no more of it, nothing of the response is read as
        long as octets of the request have not been paid for: otherwise many requests
        would be as good as one without a limit.

        @param shapers: see L{connectproxy.interfaces.Terms}.
        @param head: octets of the request's head.
        """
        up, down = zip(*shapers, strict=True)
        self._down = self._front = response = Valve(down, self._clock, self.transport)
        self._up = request = Valve(up, self._clock, self._upload or response)
        if self._upload is None:
            self._front = request
        request.passed(head)
        if not response.full:
            response.start()

    def _lift(self) -> None:
        """
        There is no request any more, and so no limit.
        """
        up, down = self._up, self._down
        if up is not None and down is not None:
            self._up = self._down = self._front = None
            self._paused = down.full or down.waiting
            up.stop()
            down.stop()

    def close(self) -> None:
        """
        Close it, whatever is on it: in order if all that was written has been sent.
        """
        self._lift()
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
        self._lift()
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
        up, down = self._up, self._down
        if up is not None and down is not None:
            up.producer, up.full = down, down.full
            self._front = up
            if not up.allowance():
                down.pauseProducing()

    def pauseProducing(self) -> None:
        """
        Read no more of the response for now.
        """
        if self._front is not None:
            self._front.pauseProducing()
        elif not self._closed:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        if self._front is not None:
            self.active = self._clock.seconds()
            self._front.resumeProducing()
        elif not self._closed:
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
