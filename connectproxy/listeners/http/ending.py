"""
How a client's connection ends that is no tunnel's.

The last answer is followed by a half-close, and what comes is thrown away until the
client closes too or a short time is over, so that a reset does not take the answer
with it (RFC 9112 section 9.6).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol

from connectproxy.origin import Deadline
from connectproxy.sockets import LINGER_OCTETS, unsent

if TYPE_CHECKING:
    from connectproxy.listeners.http.port import HTTPProxyFactory

__all__ = ["Ending", "State"]

SECURE = 30.0
"""
Seconds that the closing of a connection with TLS may take behind a response: how much of
it is still on its way, its transport does not say.
"""


class State(Enum):
    """
    What a client's connection is doing.
    """

    READING = "reading a head"
    WAITING = "waiting for the switchboard, with a CONNECT"
    EXCHANGING = "carrying messages"
    LINGERING = "answered for the last time, and not yet closed"
    GONE = "closed, or a relay's"


class Ending(Deadline, Protocol):
    """
    What a connection does at its end.

    @ivar state: the L{State}.
    """

    factory: HTTPProxyFactory
    state = State.READING
    _ended = False
    _discarded = 0

    def ending(self) -> None:
        """
        No request follows: let go of what was kept for one.
        """
        raise NotImplementedError

    def endWith(self, octets: bytes) -> None:
        """
        Write the last answer and linger.  TLS has no half-close, so there the
        closing is asked for at once and lingering is the time it may take.
        """
        transport: Any = self.transport
        transport.write(octets)
        self.end()

    def end(self) -> None:
        """
        Linger behind what has been written.
        """
        self.state = State.LINGERING
        self.ending()
        transport: Any = self.transport
        if ISSLTransport.providedBy(transport) or self._ended:
            transport.loseConnection()
        else:
            transport.loseWriteConnection()
            transport.resumeProducing()
        self.within(self.factory.lingerTimeout)

    def finish(self, *, unread: bool) -> None:
        """
        Close behind a response.

        @param unread: whether there may be octets that nobody has read, for which the
            system would answer with a reset.
        """
        if unread:
            self.end()
        else:
            self.leave()
        transport: Any = self.transport
        if unsent(transport):
            self.within(self._time())
        elif ISSLTransport.providedBy(transport):
            self.within(min(self._time(), SECURE))

    def _time(self) -> float:
        """
        Seconds that a client has for what is still on its way to it: as many as for
        silence in a body, but not more than the proxy has for stopping.
        """
        factory = self.factory
        seconds = factory.patience.silence
        return min(seconds, factory.drainTimeout) if factory.switchboard.draining else seconds

    def hurry(self) -> None:
        """
        The proxy is being stopped: what is on its way has as long as everything else.
        """
        left = self.factory.drainTimeout
        if self._due > self._clock.seconds() + left:
            self.within(left)

    def reset(self) -> None:
        """
        Close at once; the client is to know that something is missing.
        """
        self.transport.abortConnection()  # type: ignore[union-attr]

    def leave(self) -> None:
        """
        Close: there is nothing that an answer would be for, and nothing unread.
        With TLS that takes as long as the client likes, so that lingering has its
        time here as well.
        """
        self.state = State.LINGERING
        self.ending()
        transport: Any = self.transport
        self.within(self._time() if unsent(transport) else self.factory.lingerTimeout)
        transport.loseConnection()

    def _discard(self, data: bytes) -> None:
        """
        Throw away what comes behind the last answer.
        """
        self._discarded += len(data)
        if self._discarded > LINGER_OCTETS:
            self.transport.abortConnection()  # type: ignore[union-attr]

    def _lingered(self) -> None:
        """
        The client's closing has taken too long.
        """
        transport: Any = self.transport
        if unsent(transport) or ISSLTransport.providedBy(transport):
            transport.abortConnection()
        else:
            transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        The half-close behind the last answer has been done: all of it has been sent.
        """
        self.within(self.factory.lingerTimeout)
