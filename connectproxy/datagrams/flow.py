"""
What one association sends into the world, and what comes back.

There is one socket for each family, opened when something is to be sent.  What
comes back is passed on only from an address and port that something was sent to.
Where a destination is a name, it is looked up, each of its addresses is judged, and
the first is taken that is allowed and that there is a route to, IPv4 before IPv6:
unlike connections, datagrams can't race, and IPv6 that leads nowhere would not be
noticed.

What is over a limit of rate is dropped, not delayed.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.datagrams.port import BUSY, DatagramPort
from connectproxy.datagrams.route import Lookup, Route
from connectproxy.errors import Refusal
from connectproxy.interfaces import IPAddress, Terms, TunnelRequest
from connectproxy.interfaces.datagrams import IDatagramFlow
from connectproxy.shaping import Meter
from connectproxy.sockets import EXHAUSTED

if TYPE_CHECKING:
    from connectproxy.datagrams.direct import DirectDatagrams

__all__ = ["Flow"]

DESTINATIONS = 256
"""Destinations that are remembered, and as many peers that may answer."""

ADDRESSES = 8
"""Addresses of one name that are considered."""

VERDICT_TTL = 10.0
"""Seconds for which it holds what has been decided on a destination, and after which a
look-up without an answer counts as lost."""

NO_ADDRESS_TTL = 3.0
"""Seconds for which a name without an address is not asked for again: as long as
L{Names} remembers that."""

PENDING = 8
"""Names that are looked up at once."""

HELD_OCTETS = 65536
"""Octets that wait for look-ups: one of the largest datagrams, or many small ones."""

HELD_DATAGRAMS = 64
"""Datagrams that wait for look-ups."""


@implementer(IDatagramFlow)
class Flow:
    """
    The sockets of one association.
    """

    __slots__ = (
        "_association", "_clients", "_closed", "_down", "_held", "_heldOctets", "_inbound", "_last", "_owner",
        "_peers", "_pending", "_ports", "_request", "_routes", "_up", "active", "bytesDown", "bytesUp", "dropped", "target",
    )  # fmt: skip

    def __init__(
        self,
        owner: DirectDatagrams,
        request: TunnelRequest,
        inbound: Any,
        association: Any,
        terms: Terms | None = None,
    ) -> None:
        up, down = zip(*terms.shapers, strict=True) if terms is not None and terms.shapers else ((), ())
        self._up = Meter(up, owner.reactor)
        self._down = Meter(down, owner.reactor)
        self._owner = owner
        self._request = request
        self._inbound = inbound
        self._association = association
        self._routes: OrderedDict[tuple[str, int], Route] = OrderedDict()
        self._peers: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._ports: dict[int, DatagramPort] = {}
        self._clients: list[DatagramPort] = []
        self._pending: dict[tuple[str, int], Route] = {}
        self._held = self._heldOctets = 0
        self._closed = False
        self.bytesUp = self.bytesDown = 0
        self.active = owner.reactor.seconds()
        self.target: Destination | None = None
        self._last: tuple[str, int] | None = None
        self.dropped: dict[str, int] = {}

    @property
    def address(self) -> str | None:
        """Where the last datagram was sent to, as events have it."""
        if self._last is None:
            return None
        host, port = self._last
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def listen(self, host: str, received: Callable[[bytes, str, int], None]) -> DatagramPort:
        """
        See L{IDatagramFlow.listen}.
        """
        port = DatagramPort(self._owner, host, received, self._association.broken)
        self._clients.append(port)
        return port

    def drop(self, reason: str, count: int = 1) -> None:
        """
        See L{IDatagramFlow.drop}.
        """
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def send(self, destination: Destination, payload: bytes) -> None:
        """
        See L{IDatagramFlow.send}.
        """
        if self._closed:
            return
        key = destination[:2]
        route = self._routes.get(key)
        if route is None or route.expires <= self._owner.reactor.seconds():
            route = self._find(key, destination)
        else:
            self._routes.move_to_end(key)
        if route is None:
            self.drop("to too many names at once")
        elif route.lookup is not None:
            self._hold(route.lookup, payload)
        else:
            self._transmit(route, payload)

    def _find(self, key: tuple[str, int], destination: Destination) -> Route | None:
        """
        Decide on a destination that is new, or has not been decided on for a while.

        @return: L{None} if too many names are being looked up already.
        """
        owner, routes = self._owner, self._routes
        now = owner.reactor.seconds()
        if key in routes:
            self._forget(key)
        if destination.ip is None and len(self._pending) >= PENDING and not self._dropLost(now):
            return None
        if len(routes) >= DESTINATIONS:
            self._forget(next(iter(routes)))
        routes[key] = route = Route(destination, now + VERDICT_TTL)
        request = self._request._replace(destination=destination, method="UDP")
        refusal = self._association.decide(request)
        if refusal is not None:
            self._association.refused(request, refusal)
        elif destination.ip is not None:
            self._found(route, request, (destination.ip,), asked=True)
        else:
            self._pending[key] = route
            route.lookup = Lookup(partial(self._lookedUp, route, request))
            route.lookup.begin(owner.names, destination.dnsName)
        return route

    def _dropLost(self, now: float) -> bool:
        """
        Give up the look-ups that count as lost.

        @return: whether there is room for another now.
        """
        for key, route in tuple(self._pending.items()):
            if route.expires <= now:
                self._forget(key)
        return len(self._pending) < PENDING

    def _forget(self, key: tuple[str, int]) -> None:
        """
        Know nothing of a destination any more.
        """
        lookup = self._routes.pop(key).lookup
        if lookup is not None:
            lookup.stop()
            self._release(key, lookup)
            if lookup.waiting:
                self.drop("to names that were not found in time", len(lookup.waiting))

    def _lookedUp(
        self, route: Route, request: TunnelRequest, addresses: tuple[IPAddress, ...], asked: bool
    ) -> None:
        """
        A name has its addresses: send what has waited for them.
        """
        lookup, route.lookup = route.lookup, None
        assert lookup is not None
        self._release(route.destination[:2], lookup)
        route.expires = self._owner.reactor.seconds() + (VERDICT_TTL if addresses else NO_ADDRESS_TTL)
        self._found(route, request, addresses, asked=asked)
        for payload in lookup.waiting:
            self._transmit(route, payload)

    def _hold(self, lookup: Lookup, payload: bytes) -> None:
        """
        Keep a datagram until its destination is known, if there is room.
        """
        if self._held >= HELD_DATAGRAMS or self._heldOctets + len(payload) > HELD_OCTETS:
            self.drop("that came while names were looked up")
            return
        self._held += 1
        self._heldOctets += len(payload)
        lookup.waiting.append(payload)

    def _release(self, key: tuple[str, int], lookup: Lookup) -> None:
        """
        A look-up is over: what has waited for it waits no more.
        """
        del self._pending[key]
        self._held -= len(lookup.waiting)
        self._heldOctets -= sum(map(len, lookup.waiting))

    def _found(
        self, route: Route, request: TunnelRequest, addresses: tuple[IPAddress, ...], *, asked: bool
    ) -> None:
        """
        Judge the addresses of a destination.
        """
        targets: list[tuple[DatagramPort, str, int]] = []
        taken: IPAddress | None = None
        judged: IPAddress | None = None
        refusal: Refusal | None = None
        for address in addresses[:ADDRESSES]:
            found = self._reach(request, address)
            if not isinstance(found, Refusal):
                targets.append((found, str(address), route.destination.port))
                taken = taken or address
            elif refusal is None:
                refusal, judged = found, address
        route.targets = tuple(targets)
        if taken is not None:
            self._association.allowed(request, taken)
            return
        if not asked:
            refusal = refusal or Refusal("connection_limit_reached", "too many names are being looked up")
        refusal = refusal or Refusal("dns_error", f"{route.destination.host} has no address")
        self._association.refused(request, refusal, judged)

    def _reach(self, request: TunnelRequest, address: IPAddress) -> DatagramPort | Refusal:
        """
        @return: the socket for one address of a destination; or why nothing is sent there.
        """
        owner, destination = self._owner, request.destination
        denial = owner.judge(request, address)
        if denial is not None:
            return denial.refusal()
        if owner.isOwn(address, destination.port):
            return Refusal("proxy_loop_detected", f"{destination} is this proxy itself")
        try:
            return self._portFor(address.version)
        except OSError as error:
            kind = "proxy_exhausted" if error.errno in EXHAUSTED else "destination_ip_unroutable"
            return Refusal(kind, f"no UDP socket could be opened: {error.strerror}")

    def _portFor(self, version: int) -> DatagramPort:
        """
        The socket for one family, opened if it isn't open.
        """
        port = self._ports.get(version)
        if port is None:
            host = "0.0.0.0" if version == 4 else "::"
            port = self._ports[version] = DatagramPort(
                self._owner, host, self._received, self._association.broken
            )
        return port

    def _transmit(self, route: Route, payload: bytes) -> None:
        """
        Send a datagram to the best address, if there is one.
        """
        if route.targets and not self._up.allowance():
            self.drop("over the rate limit")
            return
        for index, (port, host, number) in enumerate(route.targets):
            error = port.send(payload, host, number)
            if not error:
                self._sent(route, (host, number), len(payload))
                if index:
                    route.targets = route.targets[index:]
                return
            if error in BUSY or error == errno.EMSGSIZE:
                self.drop("too large" if error == errno.EMSGSIZE else "for which there was no room")
                return
            if index == len(route.targets) - 1:
                route.targets = ()
                request = self._request._replace(destination=route.destination, method="UDP")
                detail = f"there is no way to {route.destination}: {os.strerror(error)}"
                self._association.refused(request, Refusal("destination_ip_unroutable", detail))
        self.drop("to destinations that were refused")

    def _sent(self, route: Route, peer: tuple[str, int], size: int) -> None:
        """
        A datagram is on its way, and there may be an answer.
        """
        peers = self._peers
        if peer in peers:
            peers.move_to_end(peer)
        else:
            peers[peer] = None
            if len(peers) > DESTINATIONS:
                peers.popitem(last=False)
        self._up.spend(size)
        self.bytesUp += size
        self.active = self._owner.reactor.seconds()
        self.target, self._last = route.destination, peer

    def _received(self, octets: bytes, host: str, port: int) -> None:
        """
        A datagram has come out of the world, from whomever.
        """
        if (host, port) not in self._peers:
            self.drop("that nobody had asked for")
        elif not self._down.allowance():
            self.drop("over the rate limit")
        elif self._inbound.deliver(host, port, octets):
            self._down.spend(len(octets))
            self.bytesDown += len(octets)
            self.active = self._owner.reactor.seconds()
        else:
            self.drop("for which there was no room")

    def close(self) -> None:
        """
        See L{IDatagramFlow.close}.
        """
        self._closed = True
        self._up.stop()
        self._down.stop()
        for key in tuple(self._routes):
            self._forget(key)
        for port in (*self._ports.values(), *self._clients):
            port.close()
