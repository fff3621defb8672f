"""
The active probe of one member: connects to it, or through it, every now and then, and lets go.

A probe is no client's request: no policy is asked about it, no event is written of it, and it
counts as no tunnel.  What it finds is the group's to judge.

To connect to a next hop and say nothing is for those that can be asked for it: by a method
C{reach} as that of L{connectproxy.hop.Hop}, or as if a message were to be forwarded.  What has
neither, as the way straight to destinations, is not probed like that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IHandshakeListener, IProtocolFactory, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IHopUpstream, TunnelRequest
from connectproxy.tls import handshakeRefusal
from connectproxy.upstreams.group.member import Member
from connectproxy.wheel import Wheel

__all__ = ["NOWHERE", "Probing", "reaching"]

NOWHERE = Destination("probe.invalid", 443, None, "probe.invalid.")
"""Where a probe that only connects to the next hop would lead (RFC 6761 section 6.4)."""

CLIENT = IPv4Address("TCP", "127.0.0.1", 0)
"""Who asks, for the PROXY header of a next hop that gets one."""

JITTER = 0.1
"""By what part of it the time between two probes is shorter or longer, so that those of many
proxies don't meet."""


@implementer(IHandshakeListener)
class _Visitor(Protocol):
    """
    Has the connection of a probe: hears of TLS and of the end, and of nothing else.

    @ivar lost: why the connection is closed; L{None} while it is not.
    @ivar secured: the TLS handshake is complete.
    @ivar told: called once, when either of the two changes.
    """

    transport: Any
    lost: Failure | None = None
    secured = False
    told: Callable[[], None] | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        It is none of our business.
        """

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        self.secured = True
        self._tell()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        self.lost = reason
        self._tell()

    def _tell(self) -> None:
        """
        Say that something has changed, if anybody waits for that.
        """
        told, self.told = self.told, None
        if told is not None:
            told()


@implementer(IProtocolFactory)
class Probing:
    """
    Probes one member again and again; a deadline on the group's wheel, and the factory of what it
    connects.

    @ivar member: it.
    @ivar slot: the wheel's.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        wheel: Wheel,
        member: Member,
        target: Destination | None,
        interval: float,
        patience: float,
        found: Callable[[Member, Refused | None], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        @param target: where to, through the member; L{None} for the member itself, which is one
            that L{reaching} has something for.
        @param interval: seconds between two probes.
        @param patience: seconds that one may take.
        @param found: is told of each: the member, and how it has failed if it has.
        @param chance: gives a number from 0 to 1.
        """
        self.member = member
        self.slot = 0
        self._clock = clock
        self._wheel = wheel
        self._probe: Any = reaching(member.upstream) if target is None else member.upstream.connect
        self._target = target
        self._interval = interval
        self._patience = patience
        self._found = found
        self._chance = chance
        self._running = False
        self._connecting: Deferred[Established] | None = None
        self._visitor: _Visitor | None = None

    def start(self) -> None:
        """
        Begin, each at another moment.
        """
        self._running = True
        self._wheel.add(self, self._interval * self._chance())

    def stop(self) -> None:
        """
        Probe no more, and leave nothing open.
        """
        self._running = False
        self._wheel.remove(self)
        if self._connecting is not None:
            self._connecting.cancel()
        self._drop()

    def doStart(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def doStop(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def buildProtocol(self, addr: IAddress | None) -> _Visitor:
        """
        There is a connection.
        """
        self._visitor = visitor = _Visitor()
        return visitor

    def expired(self, now: float) -> float | None:
        """
        It is time for the next one, or over for this one.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if self._connecting is not None:
            self._connecting.cancel()  # fails, and that is what it has found
        elif self._visitor is not None and self._visitor.told is not None:
            self._drop()
            self._over(self._refused("next_hop_silent", "did not complete the TLS handshake in time"))
        else:
            self._begin()
        return None

    def _begin(self) -> None:
        """
        Connect.
        """
        self._drop()
        now = self._clock.seconds()
        request = TunnelRequest(self._target or NOWHERE, CLIENT, "probe", "probe", arrived=now)
        self._wheel.add(self, self._patience)
        self._connecting = connecting = maybeDeferred(self._probe, request, self)
        connecting.addCallbacks(self._connected, self._failed)

    def _connected(self, established: Established) -> None:
        """
        There is a connection; with TLS on it, perhaps not yet.
        """
        self._connecting = None
        visitor: Any = self._visitor
        if self._target is not None or visitor.secured or not ISSLTransport.providedBy(visitor.transport):
            self._over(None)
        elif visitor.lost is not None:
            self._shaken()
        else:
            visitor.told = self._shaken

    def _shaken(self) -> None:
        """
        The TLS handshake is over.
        """
        visitor: Any = self._visitor
        refused = None
        if not visitor.secured:
            refusal = handshakeRefusal(visitor.lost, f"the next hop {self.member.name}")
            refused = self._refused("tls_protocol_error", "ended the TLS handshake")
            if refusal is not None:
                refused.refusal = refusal
        self._over(refused)

    def _failed(self, failure: Failure) -> None:
        """
        There is no connection.
        """
        self._connecting = None
        if not self._running:
            return
        if failure.check(Refused):
            self._over(failure.value)  # type: ignore[arg-type]
            return
        self._log.failure("a probe of {member} failed", failure, member=self.member.name)
        self._wheel.remove(self)
        self._again()

    def _refused(self, kind: str, words: str) -> Refused:
        """
        What the next hop itself has not done.
        """
        name = self.member.name
        return Refused(Refusal(kind, f"the next hop {name} {words}"), hop=name)

    def _over(self, refused: Refused | None) -> None:
        """
        Tell, and see to the next one.
        """
        self._wheel.remove(self)
        if self._visitor is not None and self._visitor.lost is None:
            self._visitor.transport.loseConnection()
        self._found(self.member, refused)
        self._again()

    def _again(self) -> None:
        """
        Wait for the next one.
        """
        self._wheel.add(self, self._interval * (1.0 - JITTER + 2 * JITTER * self._chance()))

    def _drop(self) -> None:
        """
        Close what is still open of the last one, without waiting for the far side.
        """
        visitor, self._visitor = self._visitor, None
        if visitor is not None:
            visitor.told = None
            if visitor.lost is None:
                visitor.transport.abortConnection()


def reaching(upstream: Any) -> Any:
    """
    What connects to a next hop and says nothing.

    @return: takes what L{connectproxy.interfaces.IUpstream.connect} does; L{None} where there
        is none.
    """
    return upstream.reach if IHopUpstream.providedBy(upstream) else None
