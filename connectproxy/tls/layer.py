"""
What a layer on a transport passes on to it unchanged.

Knows nothing of what the layer does.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

__all__ = ["Layer"]


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
