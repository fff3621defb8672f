"""
An endpoint whose name is looked up here, for proxies that are to be asked for addresses.

That is what the URLs C{socks5:} and C{socks4:} mean to most programs, and what C{socks5h:}
and C{socks4a:} do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["LookedUpEndpoint"]

Through = Callable[[str], IStreamClientEndpoint]
"""Gives the endpoint of an address."""


@implementer(IStreamClientEndpoint)
class LookedUpEndpoint:
    """
    A destination whose name the reactor looks up.
    """

    def __init__(
        self, reactor: Any, host: str, port: int, types: tuple[type[IAddress], ...], through: Through
    ) -> None:
        """
        @param reactor: provides L{IReactorPluggableNameResolver}.
        @param types: of addresses, those that will do, the best first.
        @param through: gives the endpoint for one of them.
        """
        self._reactor = reactor
        self._host = host
        self._port = port
        self._types = types
        self._through = through

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the first address of the best type.

        @return: as of the endpoint of that address; it fails with L{DNSLookupError} where
            there is none.  Cancelled while the name is being looked up, it fails with
            L{ConnectingCancelledError}.
        """
        return _LookUp(self, protocolFactory).begin()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._host}:{self._port}>"


@implementer(IResolutionReceiver)
class _LookUp:
    """
    One connection, at first without an address.
    """

    def __init__(self, endpoint: LookedUpEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._found: list[Any] = []
        self._resolution: IHostResolution | None = None
        self._connecting: Deferred[IProtocol] | None = None
        self._over = False
        self._result: Deferred[IProtocol] = Deferred(self._cancelled)

    def begin(self) -> Deferred[IProtocol]:
        """
        Look the name up.
        """
        endpoint = self._endpoint
        resolver = endpoint._reactor.nameResolver
        resolver.resolveHostName(
            self, endpoint._host, endpoint._port, endpoint._types, transportSemantics="TCP"
        )
        return self._result

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """See L{IResolutionReceiver}."""
        self._resolution = resolutionInProgress

    def addressResolved(self, address: IAddress) -> None:
        """See L{IResolutionReceiver}."""
        self._found.append(address)

    def resolutionComplete(self) -> None:
        """
        See L{IResolutionReceiver}: connect.
        """
        if self._over:
            return
        endpoint = self._endpoint
        usable: list[Any] = [
            each for kind in endpoint._types for each in self._found if isinstance(each, kind)
        ]
        if not usable:
            self._end(
                Failure(DNSLookupError(f"{endpoint._host} has no address that the proxy can be asked for"))
            )
            return
        try:
            connecting = endpoint._through(usable[0].host).connect(self._factory)
        except ValueError:  # an address that can't be asked for, such as one with a zone
            self._end(Failure())
            return
        self._connecting = connecting
        connecting.addCallbacks(self._connected, self._end)

    def _connected(self, protocol: IProtocol) -> None:
        """
        The way is open.
        """
        self._over = True
        self._result.callback(protocol)

    def _end(self, failure: Failure) -> None:
        """
        It is not, and won't be.
        """
        self._over = True
        self._result.errback(failure)

    def _cancelled(self, result: Deferred[IProtocol]) -> None:
        """
        Nobody waits any more.
        """
        if self._connecting is not None:
            self._connecting.cancel()  # fails, and is passed on
            return
        if self._resolution is not None:
            self._resolution.cancel()
        endpoint = self._endpoint
        self._end(
            Failure(ConnectingCancelledError(HostnameAddress(endpoint._host.encode("ascii"), endpoint._port)))
        )
