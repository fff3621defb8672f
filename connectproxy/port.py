"""
What every kind of listener does with a stream endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString

from connectproxy.sockets import inheritNoDelay

__all__ = ["PortFactory", "listenAt", "noOptions"]


class PortFactory(Protocol):
    """
    A factory that knows whether its connections have TCP_NODELAY from the start.

    @ivar noDelay: they have.
    """

    noDelay: bool


def listenAt(reactor: Any, description: str, factory: PortFactory) -> Deferred[Any]:
    """
    Listen at an endpoint, and tell the factory about TCP_NODELAY.

    @param description: a Twisted server endpoint string.
    @return: a Deferred of L{twisted.internet.interfaces.IListeningPort}; it fails, and
        is cancelled, as the endpoint's C{listen}.
    @raise ValueError: the description is no endpoint's.
    """

    def listening(port: Any) -> Any:
        factory.noDelay = inheritNoDelay(port)
        return port

    opening: Deferred[Any] = serverFromString(reactor, description).listen(factory)
    return opening.addCallback(listening)


def noOptions(mapping: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """
    Check the options of a kind that has none of its own.

    @param where: what a message calls the table.
    @raise ValueError: there are some.
    """
    if mapping:
        raise ValueError(f"{where}: unknown keys: {', '.join(sorted(mapping))}")
    return {}
