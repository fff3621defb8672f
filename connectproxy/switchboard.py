"""
The switchboard: the one place where a request becomes a tunnel.

Whatever a client speaks and whatever way leads to the destination, the order is
the same; it is a L{Call}'s (L{connectproxy.call}).  What all calls share stands
here.  Listeners, upstreams and relays are known by their interfaces only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from zope.interface import implementer

from connectproxy.association import Association
from connectproxy.call import Call
from connectproxy.errors import Refusal
from connectproxy.events import milliseconds, showAddress, showCertificate
from connectproxy.exchange import ExchangeCall
from connectproxy.interfaces import (
    Arrival,
    IAuthenticator,
    IInboundExchange,
    IInboundTunnel,
    IRelay,
    ISwitchboard,
    ITunnel,
    IUpstream,
    Phase,
    Terms,
)
from connectproxy.interfaces.datagrams import IDatagramUpstream, IInboundDatagrams
from connectproxy.ledger import Ledger
from connectproxy.leg import Leg
from connectproxy.limits import Admission
from connectproxy.regime import Regime
from connectproxy.routes import Routes
from connectproxy.tally import Tally
from connectproxy.wheel import Wheel

__all__ = ["Switchboard", "pseudonym"]


def pseudonym(settings: Mapping[str, Any]) -> bytes:
    """
    What a proxy calls itself in C{Via} fields: as C{proxy.via} says, or another name each
    time that it is started.
    """
    name: str = settings["proxy.via"] or f"{settings['proxy.name']}-{token_hex(4)}"
    return name.encode("ascii")


@implementer(ISwitchboard)
class Switchboard:
    """
    Takes requests and makes tunnels of them.

    @ivar regime: what decides, as a whole; see L{adopt}.
    @ivar routes: the ways to destinations; see L{adopt}.
    @ivar relays: what can join two legs; the first that can does.
    @ivar ledger: takes the events.
    @ivar admission: how many there may be at once.
    @ivar accounts: the limits of users and clients; L{None} where there are none.
    @ivar audit: takes the decisions; L{None} where nobody wants them.
    @ivar tally: counts them.
    @ivar draining: no new tunnels are made.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wheel: Wheel,
        regime: Regime,
        routes: Routes | Mapping[str, IUpstream],
        relays: Sequence[IRelay],
        ledger: Ledger,
        admission: Admission,
        *,
        accounts: Any = None,
        audit: Any = None,
        via: bytes = b"",
        datagrams: IDatagramUpstream | None = None,
    ) -> None:
        """
        @param routes: the ways to destinations; of a mapping, that of the name C{direct} is
            for requests of which the policy names none.
        @param via: what the proxy calls itself in C{Via} fields; by default L{pseudonym}.
        @param datagrams: the way for datagrams; L{None} where no listener asks for one.
        """
        self.clock = clock
        self.wheel = wheel
        self.regime = regime
        self.routes = routes if isinstance(routes, Routes) else Routes(routes)
        self.relays = tuple(relays)
        self.admission = admission
        self.accounts = accounts
        self.audit = audit
        self.tally = Tally()
        self.datagrams: Any = datagrams
        self.associations: set[Association] = set()
        self.via = via or pseudonym(regime.config)
        self.legs = Factory.forProtocol(Leg)
        self.legs.noisy = False
        self.draining = False
        self.ledger = ledger
        self._calls: set[Call] = set()
        self._quiet: list[Deferred[None]] = []

    @property
    def upstreams(self) -> Mapping[str, IUpstream]:
        """
        The ways to destinations, by name.
        """
        return self.routes.upstreams

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        See L{ISwitchboard}.
        """
        return self.regime.config

    @property
    def authenticator(self) -> IAuthenticator | None:
        """
        See L{ISwitchboard}.
        """
        return self.regime.authenticator

    def place(self, inbound: IInboundTunnel) -> None:
        """
        See L{ISwitchboard.place}.
        """
        Call(self, inbound).begin()

    def forward(self, exchange: IInboundExchange) -> None:
        """
        See L{ISwitchboard.forward}.
        """
        ExchangeCall(self, exchange).begin()

    def associate(self, inbound: IInboundDatagrams) -> None:
        """
        See L{ISwitchboard.associate}.
        """
        Association(self, inbound).begin()

    def relayFor(self, client: Leg, origin: Leg) -> IRelay:
        """
        The best relay that can join two legs.
        """
        for relay in self.relays:
            if relay.canJoin(client, origin):
                return relay
        raise RuntimeError("no relay can join these two")

    def join(self, client: Leg, origin: Leg, terms: Terms | None = None) -> tuple[str, ITunnel]:
        """
        See L{ISwitchboard.join}.
        """
        relay = self.relayFor(client, origin)
        return relay.relayName, relay.join(client, origin, terms)

    def admit(self, call: Call) -> None:
        """
        A call counts from now on.
        """
        self._calls.add(call)
        self.admission.tunnels += 1

    def release(self, call: Call) -> None:
        """
        A call is over; nothing happens if it never counted.
        """
        if call in self._calls:
            self._calls.remove(call)
            self.admission.tunnels -= 1

    def connectionOpened(self, descriptor: int) -> None:
        """
        See L{ISwitchboard.connectionOpened}.
        """
        self.admission.opened(descriptor)

    def connectionClosed(self) -> None:
        """
        See L{ISwitchboard.connectionClosed}.
        """
        self.admission.connections -= 1
        if self._quiet and not self.admission.connections:
            quiet, self._quiet = self._quiet, []
            for each in quiet:
                each.callback(None)

    def rejected(
        self, refusal: Refusal | None, client: IAddress, listener: str, protocol: str, arrived: float,
        method: str | None, target: str | None, arrival: Arrival | None = None,
    ) -> None:  # fmt: skip
        """
        See L{ISwitchboard.rejected}.
        """
        gone = refusal is None
        known = arrival or Arrival(client, listener, arrived)
        self._record(
            known._replace(client=client, listener=listener, arrived=arrived),
            event="abandoned" if gone else "refusal",
            protocol=protocol,
            method=method,
            target=target,
            reason=refusal.detail if refusal else "the client closed before its request was whole",
            status=refusal.row.status if refusal else None,
            error=refusal.kind if refusal else None,
            ended_by="client" if gone else "proxy",
            end="client_gone" if gone else "refused",
        )

    def answered(self, arrival: Arrival, protocol: str, method: str, target: str, status: int) -> None:
        """
        See L{ISwitchboard.answered}.
        """
        self._record(
            arrival,
            event="request",
            protocol=protocol,
            method=method,
            target=target,
            reason="the proxy itself was asked",
            status=status,
            ended_by="proxy",
            end="complete",
        )

    def _record(self, arrival: Arrival, **known: Any) -> None:
        """
        Write the event of what no call was made of.

        @param known: what its fields say besides where it came from and how long it took.
        """
        seconds = self.clock.seconds() - arrival.arrived
        took = milliseconds(seconds)
        self.ledger.write(
            {
                "timestamp": self.ledger.stamp(seconds),
                "listener": arrival.listener,
                "config": self.regime.id,
                "client": showAddress(arrival.client),
                "sender": showAddress(arrival.sender) if arrival.sender else None,
                "tls": arrival.tls,
                "certificate": showCertificate(arrival),
                "phase": Phase.ARRIVED.value,
                "head_ms": took,
                "total_ms": took,
                **known,
            }
        )

    def drain(self) -> Deferred[None]:
        """
        Make no new tunnels.

        @return: a Deferred that fires when the last client's connection is
            closed; cancelled, it just stops waiting.
        """
        self.draining = True
        if not self.admission.connections:
            return succeed(None)
        quiet: Deferred[None] = Deferred(lambda d: self._quiet.remove(d))  # noqa: PLW0108 - the list is another by then
        self._quiet.append(quiet)
        return quiet

    def adopt(self, regime: Regime, routes: Routes | None = None) -> None:
        """
        Let something else decide from now on, and other ways lead to destinations.  What is
        carried already keeps the name and the settings of what it was decided by, and nothing
        else of it: lists may be long, and a tunnel may be up for weeks.
        """
        former, self.regime = self.regime, regime
        if routes is not None:
            self.routes = routes
        rest = former.rest()
        both: tuple[Any, ...] = (*self._calls, *self.associations)
        for each in both:
            each.forget(former, rest)

    def judgeAgain(self) -> None:
        """
        End what is up and the policy in force denies: it may have been allowed by
        another one.
        """
        both: tuple[Any, ...] = (*self._calls, *self.associations)
        for each in both:
            each.judgeAgain(self.regime)

    def abort(self, kind: str) -> None:
        """
        End every call: refuse what has no answer yet, reset what is up.
        """
        both: tuple[Any, ...] = (*self._calls, *self.associations)
        for each in both:
            each.abort(kind)
