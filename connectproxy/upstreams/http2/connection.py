"""
A connection to a next hop that takes requests (RFC 9113): its streams, its end, and how it is
found out that nobody is there any more.

A next hop that has gone without a word is noticed by PING (section 6.7): after a while without
an octet, and together with a request behind a short one.  Whoever does not answer it soon gets
no more requests, and those that have no answer are asked elsewhere; tunnels that are up stay a
while longer, since it may be a slow line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from connectproxy.errors import Refusal
from connectproxy.http2.sending import LARGEST
from connectproxy.upstreams.http2.opening import Opening
from connectproxy.upstreams.http2.stream import HopStream
from connectproxy.wire.http2 import ErrorCode, Fault, FrameType, codeName, formatFrame

if TYPE_CHECKING:
    from connectproxy.upstreams.http2.asking import Asking

__all__ = ["DEAD", "IDLE", "LINGER", "QUIET", "SILENT", "SUSPECT", "HopConnection"]

IDLE = 60.0
"""Seconds without a tunnel after which a connection is closed."""

SILENT = 15.0
"""Seconds without an octet from the next hop after which it is asked for one."""

QUIET = 5.0
"""The same, for a connection on which a request is made."""

SUSPECT = 3.0
"""Seconds that an answer to PING may take before requests go elsewhere."""

DEAD = 15.0
"""Seconds that an answer to PING may take before tunnels are given up."""

LINGER = 5.0
"""Seconds that the next hop may take to close behind a goodbye."""


class HopConnection(Opening):
    """
    One connection.

    @ivar fault: the mistake of the next hop's that has ended it; L{None} for none.
    """

    fault: Refusal | None = None
    _idleSince: float | None = None
    _pinged: float | None = None
    _leaving = False
    _suspect = False
    _full = False
    _next = 1

    @property
    def resetCode(self) -> ErrorCode:
        """
        Whoever has the tunnel has no use for it any more.
        """
        return ErrorCode.CANCEL

    def opened(self) -> None:
        """
        See L{Opening.opened}.
        """
        self._idleSince = self.now()
        self.watch()
        self.pool.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Serve what has come.
        """
        if self.closing:
            return
        self.heard = self.now()
        if self._suspect:
            self._suspect = False
            if not self._leaving:
                self.pool.restore(self)
        incoming = self.incoming
        if not incoming.greeted and not incoming.reader.unfinished and data[:5] == b"HTTP/":
            self._end("answers as HTTP/1; it may be one for http", ErrorCode.HTTP_1_1_REQUIRED, "")
            return
        incoming.receive(data)

    # Requests.

    @property
    def room(self) -> int:
        """
        How many requests it takes now.
        """
        if not self.ready or self._full:
            return 0
        most: int = min(self.pool.tunnels, self.incoming.peer.streams)
        return most - len(self.streams)

    def carry(self, asking: Asking) -> None:
        """
        Have a request asked.
        """
        number = self._next
        self._next += 2
        if self._next > LARGEST:
            self._retire()  # there are no more numbers (section 5.1.1)
        if self._pinged is None and self.now() - self.heard > QUIET:
            self._ping()
        stream = HopStream(self, number, self.incoming.peer.window)
        self.incoming.highest = number
        self.streams[number] = stream
        self._idleSince = None
        asking.ask(self, stream)

    def streamOver(self, stream: Any, size: int) -> None:
        """
        See L{Connection.streamOver}.  Whoever refuses a stream takes no other before one of
        those that it has is over.
        """
        Opening.streamOver(self, stream, size)
        self._full = stream.code == ErrorCode.REFUSED_STREAM and bool(self.streams)
        if not self.closing and not self._full:
            self.pool.serve()

    def emptied(self) -> None:
        """
        See L{Connection.emptied}.
        """
        if self._leaving or self.pool.stopped:
            self.leave()
        else:
            self._idleSince = self.now()

    def _unanswered(self) -> list[Any]:
        """
        The streams that have no answer yet.
        """
        return [stream for stream in self.streams.values() if not stream.answered]

    # Deadlines.

    def times(self) -> list[float]:
        """
        See L{Connection.times}.
        """
        if not self.ready:
            return [self._since + self.pool.patience]
        pinged = self._pinged
        times = [self.heard + SILENT if pinged is None else pinged + (DEAD if self._suspect else SUSPECT)]
        times += [since + IDLE for since in (self._idleSince, self.deafSince) if since is not None]
        return times

    def expired(self, now: float) -> float | None:
        """
        See L{Connection.expired}.
        """
        if self.closing:
            self.transport.abortConnection()
        elif not self.ready:
            self.overdue()
        elif self._idleSince is not None and now >= self._idleSince + IDLE:
            self.leave()
        elif self.deafSince is not None and now >= self.deafSince + IDLE:
            self._vanished()
        elif self._pinged is None:
            if now >= self.heard + SILENT:
                self._ping()
        elif self.heard >= self._pinged:
            self._pinged = None
        else:
            self._doubt(now, self._pinged)
        if self.slot or self.closing:
            return None  # what was done has a deadline of its own, or none
        return max(0.0, min(self.times()) - now)

    def _ping(self) -> None:
        """
        Ask for a sign of life.
        """
        self._pinged = self.now()
        self.sender.control(formatFrame(FrameType.PING, 0, 0, b"anyone??"))
        self.watch()

    def _doubt(self, now: float, pinged: float) -> None:
        """
        There has been no sign of life.
        """
        if not self._suspect and now >= pinged + SUSPECT:
            self._suspect = True
            self.pool.retire(self)
            for stream in self._unanswered():
                if not stream.over:
                    stream.protocol.withdraw()
            self.pool.serve()
        if self._suspect and (now >= pinged + DEAD or not self.streams):
            self._vanished()

    def _vanished(self) -> None:
        """
        Nobody is there.
        """
        refusal = Refusal("next_hop_gone", f"{self.called} gives no sign of life")
        self.pool.tell("a connection to the next hop {hop} is given up: {detail}", refusal)
        self._retire()
        self.closing = True
        self.transport.abortConnection()

    # The end.

    def _retire(self) -> None:
        """
        Take no more requests.
        """
        self._leaving = True
        self.pool.retire(self)

    def dismissed(self, last: int, code: int) -> None:
        """
        The next hop takes no more requests, and has not served those behind the last.
        """
        if code:
            words = f"{self.called} has said goodbye because of an error ({codeName(code)})"
            refusal = Refusal("next_hop_gone", words)
            self.pool.tell("a connection to the next hop {hop} ends: {detail}", refusal)
        self._retire()
        if not self.ready:
            self.fall(Refusal("next_hop_unavailable", f"{self.called} takes no requests on a new connection"))
        for stream in self._unanswered():
            if stream.number > last and not stream.over:
                stream.resetHere = True
                stream.wasReset(ErrorCode.REFUSED_STREAM)
        if not self.streams and not self.closing:
            self.leave()
        self.pool.serve()

    def leave(self) -> None:
        """
        Close in order: there is nothing more to ask for.
        """
        self._retire()
        self.goodbye(ErrorCode.NO_ERROR, "", LINGER)

    def fail(self, fault: Fault) -> None:
        """
        See L{Connection.fail}.
        """
        if not self.closing:
            words = f"breaks HTTP/2: {fault.detail} ({fault.code.name})"
            self._end(words, fault.code, fault.detail)

    def _end(self, words: str, code: ErrorCode, said: str) -> None:
        """
        Close because of what the next hop does.

        @param words: what that is, for people.
        @param said: the same for the next hop.
        """
        self.fault = Refusal("next_hop_protocol_error", f"{self.called} {words}")
        self.pool.tell("a connection to the next hop {hop} is given up: {detail}", self.fault)
        self._retire()
        if not self.ready:
            self.fall(self.fault)
        self.goodbye(code, said, LINGER)
        self.pool.serve()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Opening.connectionLost}.
        """
        Opening.connectionLost(self, reason)
        if self.ready:
            self.pool.serve()
