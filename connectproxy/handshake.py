"""
Leads a negotiation over a connection, and hands the connection on when the way is open.

L{Handshake} owns the transport meanwhile.  Which octets are said is a
L{connectproxy.wire.negotiation.Negotiation}'s; when to give up, and what comes of a failure,
is for whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from connectproxy.errors import Refusal
from connectproxy.leg import adopt
from connectproxy.sockets import writeNow
from connectproxy.wire.negotiation import Again, Negotiation, Passage

__all__ = ["Ended", "Handshake", "Landing", "Opening"]

Ended = Passage | Refusal | Again | Failure
"""How a handshake ends; a L{Failure} is why the connection was lost before that."""


class _Facade:
    """
    A transport for one that can't be told to deliver to another protocol, as that of a channel
    within SSH: it is what that one is, and can be told.

    @ivar wrappedProtocol: what is delivered to.
    """

    def __init__(self, transport: Any, protocol: Any) -> None:
        self._transport = transport
        self.wrappedProtocol = protocol
        directlyProvides(self, providedBy(transport))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@implementer(IHalfCloseableProtocol)
class Landing(Protocol):
    """
    Has a connected transport until it is handed on.
    """

    _facade: _Facade | None = None

    def handOn(self, protocol: Any, leftover: bytes = b"") -> None:
        """
        Let another protocol have the transport.

        @param protocol: an L{IProtocol}; it is connected when this returns.
        @param leftover: what it receives first.
        """
        transport: Any = self.transport
        if (
            isinstance(transport, FileDescriptor)
            or hasattr(transport, "wrappedProtocol")
            or getattr(transport, "protocol", None) is self
        ):
            adopt(transport, protocol)
        else:
            self._facade = _Facade(transport, protocol)
            protocol.makeConnection(self._facade)
        if leftover:
            protocol.dataReceived(leftover)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on.
        """
        if self._facade is not None:
            self._facade.wrappedProtocol.dataReceived(data)

    def readConnectionLost(self) -> None:
        """
        The peer has ended its stream: pass it on to who knows what that is.
        """
        half = None if self._facade is None else IHalfCloseableProtocol(self._facade.wrappedProtocol, None)
        if half is not None:
            half.readConnectionLost()
        else:
            self.transport.loseConnection()  # type: ignore[union-attr]

    def writeConnectionLost(self) -> None:
        """
        Our stream has been ended: likewise.
        """
        half = None if self._facade is None else IHalfCloseableProtocol(self._facade.wrappedProtocol, None)
        if half is not None:
            half.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        facade, self._facade = self._facade, None
        if facade is not None:
            facade.wrappedProtocol.connectionLost(reason)


class Handshake(Landing):
    """
    One negotiation on one connection.
    """

    def __init__(self, negotiation: Negotiation | None, done: Callable[[Handshake, Ended], None]) -> None:
        """
        @param negotiation: what is said; L{Opening} has none.
        @param done: is called once, with the handshake and how it has ended, unless
            L{abandon} is called before.  After a L{Passage} the transport waits for
            L{handOn}, which has to be called before C{done} returns; after anything else it
            is closed.
        """
        self._negotiation: Any = negotiation
        self._done: Callable[[Handshake, Ended], None] | None = done

    def connectionMade(self) -> None:
        """
        Begin to speak.
        """
        octets = self._negotiation.begin()
        if octets:
            writeNow(self.transport, octets)  # type: ignore[arg-type]

    def dataReceived(self, data: bytes) -> None:
        """
        Go on; or pass it on, where that can't be done without us.
        """
        if self._done is None:
            Landing.dataReceived(self, data)
            return
        said = self._negotiation.receive(data)
        if not isinstance(said, bytes):
            self._end(said)
        elif said:
            writeNow(self.transport, said)  # type: ignore[arg-type]

    def readConnectionLost(self) -> None:
        """
        The next hop has ended its stream; whoever does that in a handshake will not go on.
        """
        if self._done is not None:
            self._end(connectionDone)
        elif self._facade is not None:
            Landing.readConnectionLost(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        if self._done is not None:
            self._end(reason)
        else:
            Landing.connectionLost(self, reason)

    def abandon(self) -> None:
        """
        Give up: close the connection and say nothing.
        """
        self._done = self._negotiation = None
        if self.transport is not None:
            self._abort()

    def _end(self, how: Ended) -> None:
        """
        It is over.
        """
        done, self._done, self._negotiation = self._done, None, None
        if not isinstance(how, Passage):
            self._abort()
        done(self, how)  # type: ignore[misc]

    def _abort(self) -> None:
        """
        Close the connection at once, where its transport knows how; a process's does not.
        """
        transport: Any = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()


@implementer(IHandshakeListener)
class Opening(Handshake):
    """
    One in which nothing is said: the way is open as soon as the connection is there, with TLS on
    it where that is spoken.
    """

    def __init__(self, done: Callable[[Handshake, Ended], None], *, secured: bool) -> None:
        """
        @param done: see L{Handshake}.
        @param secured: whether there is TLS to wait for.
        """
        Handshake.__init__(self, None, done)
        self._secured = secured

    def connectionMade(self) -> None:
        """
        There is a connection.
        """
        if not self._secured:
            self._end(Passage())

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        self._end(Passage())
