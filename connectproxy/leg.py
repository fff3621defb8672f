"""
One end of a tunnel, between the listener or the upstream that made it and the
relay that will take it.

A leg holds what arrives meanwhile and stops reading after the first piece, so
that what is held is bounded by one read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Leg", "Truncated", "adopt"]


class Truncated(ConnectionDone):
    """
    A TLS peer has closed its connection without a close_notify (RFC 8446 section 6.1):
    what it sent may not be all.  Most clients close like that.
    """


@implementer(IHalfCloseableProtocol)
class Leg(Protocol):
    """
    Holds a transport still.

    @ivar held: octets that arrived and have not been passed on.
    @ivar ended: the peer has sent its end of stream.
    @ivar lost: the connection is gone; nothing can be joined to it.
    @ivar whenLost: called, once, when the connection goes while the leg has it.
    """

    held = b""
    ended = False
    lost = False
    whenLost: Callable[[], None] | None = None

    @classmethod
    def of(cls, transport: Any, held: bytes, *, ended: bool) -> Leg:
        """
        The leg of a transport that a relay is going to take within the same call,
        so that nothing can arrive in between and it need not be adopted.
        """
        leg = cls()
        leg.transport = transport
        leg.held = held
        leg.ended = ended
        return leg

    def dataReceived(self, data: bytes) -> None:
        """
        Hold it, and read no more for now.
        """
        self.held += data
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def readConnectionLost(self) -> None:
        """
        The peer has ended its stream; the relay will see that again.
        """
        self.ended = True

    def writeConnectionLost(self) -> None:
        """
        Never ours to hear: a leg writes nothing.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self.lost = True
        if self.whenLost is not None:
            self.whenLost()


def adopt(transport: Any, protocol: Any) -> None:
    """
    Make an L{IProtocol} the one that a connected transport delivers to.

    A transport with a layer of its own (TLS, PROXY header) is a
    L{twisted.protocols.policies.ProtocolWrapper} and delivers to its
    C{wrappedProtocol}; every other delivers to its C{protocol}.
    """
    if hasattr(transport, "wrappedProtocol"):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
