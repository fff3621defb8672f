"""
What the policy has to say of an address, where a next hop makes the connection.

Which address a name leads to is the next hop's to find out, and nothing here gets to see
it.  So there are two ways.  Either the names are looked up here, each address is judged, and
the next hop is asked for the address; or the operator accepts that only rules about names
apply, and the next hop is asked for the name.  A destination that is named by its address is
judged in both, and so is C{localhost}, which is an address by definition (RFC 6761 section
6.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Action,
    Attempt,
    Established,
    IForwardingUpstream,
    IPAddress,
    IStandingUpstream,
    IUpstream,
    TunnelRequest,
    Verdict,
)
from connectproxy.names import Names, TooManyLookups
from connectproxy.own import OwnPorts

__all__ = ["Known", "VettedForwarding", "VettedUpstream", "vetted"]

ADDRESSES = 3
"""How many addresses of a name the next hop is asked for, one after the other."""

Judge = Callable[[TunnelRequest, IPAddress | None], Verdict | None]


@implementer(IUpstream, IStandingUpstream)
class VettedUpstream:
    """
    Another upstream, which does not judge addresses itself.

    @ivar inner: that upstream.
    @ivar names: see C{__init__}.
    """

    def __init__(self, inner: Any, judge: Judge, names: Names | None = None) -> None:
        """
        @param inner: that upstream.
        @param judge: gives the denial of an address, or L{None}; that of an address that nobody
            here is going to see if it is given L{None}.
        @param names: looks names up, if that is to be done here; L{None} where only names
            are judged.
        """
        self.inner = inner
        self._judge = judge
        self.names = names

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """
        return self._vet(request, factory, self.inner.connect)

    def _vet(self, request: TunnelRequest, factory: IProtocolFactory, connect: Any) -> Deferred[Established]:
        """
        Judge what there is to judge, and connect.
        """
        destination = request.destination
        address = destination.fixed
        denial = None if address is None else self._judge(request, address)
        tried = () if denial is None else (Attempt(str(address), denial.kind, 0.0),)
        if denial is None and destination.ip is None and self.names is None:
            # Before the next hop is asked: what it says of a name, and when, would tell of it.
            denial = self._judge(request, None)
        if denial is not None:
            return fail(Refused(denial.refusal(), tried))
        if destination.ip is not None:
            return _seen(connect(request, factory), str(destination))
        if self.names is None:
            return connect(request, factory)  # type: ignore[no-any-return]
        return _Resolving(self.names, self._judge, request, factory, self.inner.connect).begin()

    def start(self) -> None:
        """
        See L{IStandingUpstream.start}.
        """
        if IStandingUpstream.providedBy(self.inner):
            self.inner.start()

    def stop(self) -> None:
        """
        See L{IStandingUpstream.stop}.
        """
        if IStandingUpstream.providedBy(self.inner):
            self.inner.stop()

    def state(self) -> Any:
        """
        See L{IStandingUpstream.state}.
        """
        return self.inner.state() if IStandingUpstream.providedBy(self.inner) else {}


@implementer(IForwardingUpstream)
class VettedForwarding(VettedUpstream):
    """
    The same of an upstream that takes whole messages.
    """

    def forward(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IForwardingUpstream.forward}.  A message names its destination, so one whose
        address is to be judged here goes through a tunnel to that address.
        """
        if self.names is not None and request.destination.ip is None:
            return self.connect(request, factory)
        return self._vet(request, factory, self.inner.forward)


def vetted(inner: Any, judge: Judge, names: Names | None = None) -> VettedUpstream:
    """
    Have the policy judge what an upstream is asked for.

    @param inner: as L{VettedUpstream} takes it, and the others likewise.
    """
    kind = VettedForwarding if IForwardingUpstream.providedBy(inner) else VettedUpstream
    return kind(inner, judge, names)


def _seen(connecting: Deferred[Established], address: str) -> Deferred[Established]:
    """
    Add to a connection what its address is.
    """
    return connecting.addCallback(lambda established: established._replace(seen=address))


class Known:
    """
    What judges the addresses of the way that is straight, where it leads to a next hop, or is one
    of several behind L{VettedUpstream}: what has been judged, or named by the operator, may be
    anything but the proxy itself, and is not held to rules about what clients name.
    """

    def __init__(self, policy: Any, own: OwnPorts) -> None:
        """
        @param policy: judges all else; see L{connectproxy.policy.Policy}.
        @param own: where the proxy itself listens.
        """
        self._policy = policy
        self._own = own

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        See L{connectproxy.policy.Policy.decideAddress}.
        """
        if not request.judged:
            denial: Verdict | None = self._policy.decideAddress(request, address)
            return denial
        if not self._own.includes(address, request.destination.port):
            return None
        return Verdict(Action.DENY, "the address is this proxy's own", "own-addresses", "proxy_loop_detected")


class _Resolving:
    """
    One request whose name is looked up here.
    """

    def __init__(
        self, names: Names, judge: Judge, request: TunnelRequest, factory: IProtocolFactory, connect: Any
    ) -> None:
        self._names = names
        self._judge = judge
        self._request = request
        self._factory = factory
        self._connect = connect
        self._waiting: list[Deferred[Any]] = []
        self._found: dict[int, tuple[IPAddress, ...]] = {}
        self._tried: tuple[Attempt, ...] = ()
        self._busy = False
        self._over = False
        self._unwanted = False
        self._result: Deferred[Established] = Deferred(self._cancelled)

    def begin(self) -> Deferred[Established]:
        """
        Ask for both families.
        """
        for version in (4, 6):
            lookup = self._names.lookup(self._request.destination.dnsName, version)
            self._waiting.append(lookup)
            lookup.addCallbacks(
                self._answered, self._unasked, callbackArgs=(version,), errbackArgs=(version,)
            )
        return self._result

    def _cancelled(self, result: Deferred[Established]) -> None:
        """
        Nobody waits any more.
        """
        self._unwanted = True
        if not self._over and len(self._found) < 2:
            name = self._request.destination.host
            self._fail(Refusal("dns_timeout", f"the look-up of {name} took too long"))
        for each in self._waiting:
            each.cancel()

    def _unasked(self, failure: Failure, version: int) -> None:
        """
        One family could not be asked for.
        """
        self._busy = self._busy or failure.check(TooManyLookups) is not None
        self._answered((), version)

    def _answered(self, addresses: tuple[IPAddress, ...], version: int) -> None:
        """
        One of the two has been answered.
        """
        self._found[version] = addresses
        if len(self._found) < 2 or self._over:
            return
        self._waiting = []
        allowed = []
        denied: Verdict | None = None
        # What the next hop can reach is not known here, and IPv4 is what most can.
        try:
            for address in self._found[4] + self._found[6]:
                denial = self._judge(self._request, address)
                if denial is None:
                    allowed.append(address)
                else:
                    denied = denied or denial
                    self._tried += (Attempt(str(address), denial.kind, 0.0),)
        except Exception:  # noqa: BLE001 - a rule with a bug fails the requests that it is asked about
            self._over = True
            self._result.errback(Failure())
            return
        if allowed:
            self._ask(allowed[:ADDRESSES])
        elif denied is not None:
            self._fail(denied.refusal())
        elif self._busy:
            self._fail(Refusal("connection_limit_reached", "too many names are being looked up"))
        else:
            name = self._request.destination.host
            advice = "which is looked up here, as addresses = judged says, and not by the next hop"
            self._fail(Refusal("dns_error", f"the name {name}, {advice}, has no address"))

    def _ask(self, addresses: list[IPAddress]) -> None:
        """
        Ask the next hop for the first of some addresses.
        """
        address, *others = addresses
        destination = Destination(str(address), self._request.destination.port, address, "")
        asked = self._request._replace(destination=destination, judged=True)
        try:
            connecting = self._connect(asked, self._factory)
        except Exception:  # noqa: BLE001 - it may be a kind of somebody else's, and nobody may be left waiting
            self._over = True
            self._result.errback(Failure())
            return
        self._waiting = [connecting]
        connecting.addCallbacks(
            self._connected, self._missed, callbackArgs=(destination,), errbackArgs=(others,)
        )

    def _connected(self, established: Established, destination: Destination) -> None:
        """
        There is a connection.
        """
        self._over = True
        self._waiting = []
        self._result.callback(
            established._replace(seen=str(destination), tried=self._tried + established.tried)
        )

    def _missed(self, failure: Failure, others: list[IPAddress]) -> None:
        """
        There is none to this address.
        """
        self._waiting = []
        if failure.check(Refused):
            refused: Any = failure.value
            if others and not refused.hop and refused.refusal.kind not in _FINAL and not self._unwanted:
                self._tried += refused.tried
                self._ask(others)
                return
            refused.tried = (*self._tried, *refused.tried)
        self._over = True
        self._result.errback(failure)

    def _fail(self, refusal: Refusal) -> None:
        """
        Give up.
        """
        self._over = True
        self._result.errback(Refused(refusal, self._tried))


_FINAL = frozenset({"next_hop_denied", "http_request_denied", "next_hop_limit_reached", "next_hop_silent"})
"""What the next hop would say of the other addresses too, or when there is no time for them."""
