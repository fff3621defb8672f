"""
What a layer on a transport passes on to it unchanged, and what it can't do without.

Knows nothing of what the layer does.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

__all__ = ["Layer", "complete"]


class Layer(Protocol):
    """
    A protocol to the transport below that is a transport to a protocol above.
    """

    transport: Any

    def pauseProducing(self) -> None:
        """
        Deliver no more for now.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Deliver again.
        """
        self.transport.resumeProducing()

    def fileno(self) -> int:
        """The descriptor of the socket below."""
        number: int = self.transport.fileno()
        return number

    def getHost(self) -> Any:
        """This end's address."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """The other end's address."""
        return self.transport.getPeer()

    def getTcpNoDelay(self) -> Any:
        """See L{twisted.internet.interfaces.ITCPTransport.getTcpNoDelay}."""
        return self.transport.getTcpNoDelay()

    def setTcpNoDelay(self, enabled: Any) -> None:
        """See L{twisted.internet.interfaces.ITCPTransport.setTcpNoDelay}."""
        self.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> Any:
        """See L{twisted.internet.interfaces.ITCPTransport.getTcpKeepAlive}."""
        return self.transport.getTcpKeepAlive()

    def setTcpKeepAlive(self, enabled: Any) -> None:
        """See L{twisted.internet.interfaces.ITCPTransport.setTcpKeepAlive}."""
        self.transport.setTcpKeepAlive(enabled)


_ENDS = frozenset({"loseWriteConnection", "abortConnection"})
_FLOW = frozenset({"registerProducer", "unregisterProducer", "pauseProducing", "resumeProducing"})


def complete(transport: Any) -> Any:
    """
    A transport with all that a layer needs.

    @return: the transport itself, if it has it; else what closes it whole where it can't be
        closed otherwise, and does nothing where it can't be stopped.
    """
    if all(hasattr(transport, name) for name in _ENDS | _FLOW):
        return transport
    return _Completed(transport)


class _Completed:
    """
    Supplies what a transport may be without, as that of a channel within SSH is.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        transport = self._transport
        if name in _FLOW and not hasattr(transport, name):
            return _ignore
        if name in _ENDS and not hasattr(transport, name):
            name = "loseConnection"
        return getattr(transport, name)


def _ignore(*arguments: Any) -> None:
    """
    Do nothing.
    """
