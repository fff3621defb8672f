"""
The way that leads straight to the destination: look up, then race.

Both families are looked up at once; IPv6 need not wait for IPv4, and IPv4 waits
50 ms for IPv6 (RFC 8305 section 3).  What follows is L{connectproxy.race}.

Where the operator wants it, a PROXY header tells the destination who the client is,
as if no proxy stood between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.dial import connectTCPFor
from connectproxy.errors import Refusal
from connectproxy.interfaces import (
    Established,
    IPAddress,
    IUpstream,
    IUpstreamKind,
    Surroundings,
    TunnelRequest,
    Verdict,
)
from connectproxy.introduction import INTRODUCTIONS
from connectproxy.names import Names, TooManyLookups
from connectproxy.race import Race

__all__ = ["DirectUpstream", "kind"]

RESOLUTION_DELAY = 0.05
"""Seconds that IPv4 waits for an answer about IPv6 (RFC 8305 section 8)."""


class _Lookup:
    """
    Both look-ups of one name, feeding a race.
    """

    _log = Logger()

    def __init__(self, reactor: Any, race: Race) -> None:
        self._reactor = reactor
        self._race = race
        self._early: tuple[IPAddress, ...] = ()
        self._left = 2
        self._timer: IDelayedCall | None = None
        self._lookups: list[Deferred[tuple[IPAddress, ...]]] = []

    def begin(self, names: Names, name: str) -> None:
        """
        Ask for both families.
        """
        for version in (6, 4):
            lookup = names.lookup(name, version)
            self._lookups.append(lookup)
            lookup.addCallbacks(self._found, self._failed, callbackArgs=(version,))
            lookup.addErrback(lambda failure: self._log.failure("dialling failed", failure))

    def stop(self) -> None:
        """
        Wait for the answers no more.
        """
        self._left = 0
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for each in self._lookups:
            each.cancel()

    def _found(self, addresses: tuple[IPAddress, ...], version: int) -> None:
        """
        One of the two has been answered.
        """
        if not self._left or self._race.done:
            return
        self._left -= 1
        if version == 4 and self._left and addresses:
            self._early = addresses
            self._timer = self._reactor.callLater(RESOLUTION_DELAY, self._release)
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        early, self._early = self._early, ()
        self._offer(addresses + early)

    def _release(self) -> None:
        """
        IPv6 has had its time.
        """
        early, self._early = self._early, ()
        self._offer(early)

    def _offer(self, addresses: tuple[IPAddress, ...]) -> None:
        race = self._race
        if addresses and not race.resolved:
            race.resolved = self._reactor.seconds()
        race.offer(addresses, complete=not self._left)

    def _failed(self, failure: Failure) -> None:
        """
        It could not be asked, or nobody wants to know any more.
        """
        if self._left and not self._race.done and failure.check(TooManyLookups):
            self._left = 0
            self._race.fail(Refusal("connection_limit_reached", "too many names are being looked up"))


@implementer(IUpstream)
class DirectUpstream:
    """
    Connects to destinations over TCP.
    """

    def __init__(
        self,
        reactor: Any,
        judge: Callable[[TunnelRequest, IPAddress], Verdict | None],
        names: Names,
        connectTCP: Any = None,
        introduce: Callable[[TunnelRequest, str], bytes] | None = None,
    ) -> None:
        """
        @param reactor: provides the time, and C{connectTCP}.
        @param judge: gives the denial of an address, or L{None}.
        @param names: looks up.
        @param connectTCP: stands in for the reactor's.
        @param introduce: gives what every connection begins with; see L{Race}.
        """
        self._introduce = introduce
        self._reactor = reactor
        self._judge = judge
        self._connectTCP = connectTCP
        self._names = names

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """

        def cancel(result: Deferred[Established]) -> None:
            if lookup is not None:
                lookup.stop()
            race.fail(race.timeout())

        lookup: _Lookup | None = None
        result: Deferred[Established] = Deferred(cancel)
        race = Race(self._reactor, request, factory, self._judge, result, self._connectTCP, self._introduce)
        destination = request.destination
        if destination.ip is not None:
            race.offer((destination.ip,), complete=True)
        else:
            lookup = _Lookup(self._reactor, race)
            lookup.begin(self._names, destination.dnsName)
        return result


@implementer(IUpstreamKind)
class _Kind:
    """
    The one for destinations that can be reached from here.
    """

    kindName = "direct"
    schemes = ()

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        @see: L{IUpstreamKind.build}
        """
        reactor = surroundings.reactor
        return DirectUpstream(
            reactor,
            surroundings.policy.decideAddress,
            surroundings.names,
            connectTCPFor(reactor),
            INTRODUCTIONS[surroundings.settings["direct.proxy_protocol"]],
        )


kind = _Kind()
