"""
The far side of a connection that goes wrong: the target's, and what flows between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from connectproxy.testing.scripted import FaultyConnection

__all__ = ["Flow", "Target", "endStream"]


@implementer(IPushProducer)
class Flow:
    """
    What one end is told of how much the other takes.

    @ivar full: it takes no more for now.
    """

    def __init__(self, connection: FaultyConnection, source: Any) -> None:
        self._connection = connection
        self._source = source
        self.full = False

    def pauseProducing(self) -> None:
        """The other end is full."""
        self.full = True
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        """It is not any more."""
        self.full = False
        self._connection.go()

    def stopProducing(self) -> None:
        """It is gone."""


@implementer(IHalfCloseableProtocol)
class Target(Protocol):
    """
    The connection to the target.
    """

    transport: Any
    ended = False
    lost: Failure | None = None

    def __init__(self, connection: FaultyConnection) -> None:
        self._connection = connection

    def connectionMade(self) -> None:
        """
        It is there.
        """
        self._connection.begin()

    def dataReceived(self, data: bytes) -> None:
        """
        Hand it over.
        """
        self._connection.targetSaid(data)

    def readConnectionLost(self) -> None:
        """
        The target has ended its stream.
        """
        self.ended = True
        self._connection.refill()

    def writeConnectionLost(self) -> None:
        """
        The client's end of stream has been passed on.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        self.lost, self.ended = reason, True
        self._connection.targetLost(reason)


def endStream(transport: Any) -> None:
    """
    End a stream, once.  As long as a producer is registered that has nothing to give, Twisted
    would not do it.
    """
    transport.unregisterProducer()
    transport.loseWriteConnection()
