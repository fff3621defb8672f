"""
A next hop: another proxy, which is reached by one way and leads to destinations by its own.

What all of them have in common stands here: the connection to it, by TCP, by a UNIX socket,
by whatever Twisted has an endpoint for, or through another hop; the PROXY header and TLS on
that; a negotiation, once more where it is asked for; and what becomes of a failure in each of
these.  What is said in a negotiation is known to the modules of L{connectproxy.upstreams}
only.

An address of a destination is never seen here, and none is judged: see
L{connectproxy.vetted}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, ip_address
from types import MappingProxyType
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.errors import Refusal, Refused
from connectproxy.handshake import Ended, Handshake, Landing, Opening
from connectproxy.interfaces import Established, IUpstream, Surroundings, TunnelRequest
from connectproxy.introduction import INTRODUCTIONS
from connectproxy.race import WORDS
from connectproxy.sockets import writeNow
from connectproxy.tls import ClientTLS, handshakeRefusal
from connectproxy.way import wayTo
from connectproxy.wire.negotiation import Again, Negotiation, Passage

__all__ = ["BLAMED", "Hop", "Talk", "missed", "viaLines"]

BLAMED = frozenset(
    {
        "next_hop_protocol_error", "next_hop_authentication_failed", "next_hop_unavailable",
        "next_hop_gone", "next_hop_silent", "tls_protocol_error", "tls_certificate_error",
        "tls_alert_received",
    }
)  # fmt: skip
"""What a hop itself is at fault for: another one could do better."""


class Talk(Protocol):
    """
    Makes what is said to a hop about one request; it is asked again after L{Again}.
    """

    def __call__(self, request: TunnelRequest) -> Negotiation | Refusal:
        """
        @return: a refusal where the hop's protocol has no way to say what is wanted.
        """


class Hop:
    """
    One next hop.

    @ivar name: what the configuration calls it.
    @ivar place: where it is; L{None} for one that is no host with a port, which is reached by a
        UNIX socket or an endpoint.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        options: Mapping[str, Any],
        protocols: tuple[bytes, ...] = (b"http/1.1",),
    ) -> None:
        """
        Read what TLS needs.  Blocks.

        @param options: of the C{[[upstream]]}.
        @param protocols: what ALPN offers where TLS is spoken (RFC 7301); none for nothing.
        @raise ValueError: a file can't be used, or an endpoint can't be understood.
        """
        self.name = surroundings.name
        url = options["url"]
        self.place: Destination | None = url.destination
        if self.place is None and not options["endpoint"] and not url.path:
            # What the client names would be dialled in its place, and judged by nobody.
            raise ValueError(f"{url.text} has no host; add host and port")
        self._way: IUpstream = wayTo(surroundings, options)
        self._introduce = INTRODUCTIONS[options["proxy_protocol"]]
        self.tls: ClientTLS | None = ClientTLS.of(options, protocols) if url.secure else None

    def reach(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        Connect to the hop itself, with the PROXY header and with TLS begun.

        @param factory: builds what has the connection; with TLS it is told of the handshake
            as L{connectproxy.tls.TLSTransport} tells.
        @return: a Deferred as that of L{IUpstream.connect}; what fails is the hop's fault.
        """
        there = request
        if self.place is not None:
            there = request._replace(destination=self.place, judged=True)
        connecting = self._way.connect(there, _Layers(self, there, factory))
        return connecting.addErrback(self._missed)

    def through(self, request: TunnelRequest, factory: IProtocolFactory, talk: Talk) -> Deferred[Established]:
        """
        Connect to the hop, and negotiate.

        @return: as L{IUpstream.connect}.  Cancelled, it fails with what the hop, or the way
            to it, has not done in time.
        """
        return _Passing(self, request, factory, talk).begin()

    def open(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        Connect to the hop, and say nothing.

        @return: as L{through}; with TLS it fires when the hop has shown who it is.
        """
        return _Passing(self, request, factory, None).begin()

    def _missed(self, failure: Failure) -> Failure:
        """
        It could not be connected to.
        """
        return missed(failure, self.name)


def viaLines(request: TunnelRequest, name: bytes) -> list[bytes]:
    """
    The values of the C{Via} fields that go on with a request (RFC 9110 section 7.6.3): those that
    it has come with, and this proxy's own with the version of HTTP that it has come in.

    @param name: what this proxy calls itself.
    """
    lines = [value for field, value in request.fields if field == b"via"]
    lines.append(_RECEIVED.get(request.protocol, b"1.1") + b" " + name)
    return lines


_RECEIVED: Mapping[str, bytes] = MappingProxyType({"http/1.0": b"1.0", "h2": b"2.0"})
"""The version of HTTP that a request has come in, by its protocol; where it is none, ours counts."""


def missed(failure: Failure, name: str) -> Failure:
    """
    Tell a failure to connect to a hop as what it is for a request that should have gone
    through it.

    @param name: the hop's.
    """
    if failure.check(Refused):
        refused: Any = failure.value
        if not refused.hop:  # else it is one before it that is at fault, and has been named
            kind = refused.refusal.kind
            words = "has a name without an address" if kind == "dns_error" else WORDS.get(kind)
            if words is None:
                words = f"could not be connected to: {refused.refusal.detail}"
            refusal = refused.refusal._replace(detail=f"the next hop {name} {words}", rule="")
            return Failure(Refused(refusal, refused.tried, refused.resolved, name))
    return failure


@implementer(IProtocolFactory)
class _Layers:
    """
    Puts what belongs below a negotiation onto a connection to a hop.
    """

    def __init__(self, hop: Hop, request: TunnelRequest, factory: IProtocolFactory) -> None:
        self._hop = hop
        self._request = request
        self._factory: Any = factory

    def doStart(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def doStop(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Build from above to below.
        """
        hop = self._hop
        protocol = self._factory.buildProtocol(addr)
        if hop.tls is not None:
            protocol = hop.tls.secure(protocol)
        if hop._introduce is not None:
            protocol = _Introducing(hop._introduce, self._request, protocol)
        return protocol


class _Introducing(Landing):
    """
    Says who the client is, and is gone.
    """

    def __init__(
        self, introduce: Callable[[TunnelRequest, str], bytes], request: TunnelRequest, protocol: Any
    ) -> None:
        self._introduce = introduce
        self._request = request
        self._next = protocol

    def connectionMade(self) -> None:
        """
        The header goes before anything else.
        """
        transport: Any = self.transport
        peer = getattr(transport.getPeer(), "host", "")
        try:
            host = str(ip_address(peer))
        except (TypeError, ValueError):  # a UNIX socket, or a stream within something else
            host = str(IPv4Address(0))
        writeNow(transport, self._introduce(self._request, host))
        self.handOn(self._next)


@implementer(IProtocolFactory)
class _Passing:
    """
    One request on its way through a hop.
    """

    def __init__(
        self, hop: Hop, request: TunnelRequest, factory: IProtocolFactory, talk: Talk | None
    ) -> None:
        self._hop = hop
        self._request = request
        self._factory: Any = factory
        self._talk = talk
        self._again = False
        self._over = False
        self._peer: IAddress | None = None
        self._handshake: Handshake | None = None
        self._connecting: Deferred[Established] | None = None
        self._established: Established | None = None
        self._ended: Ended | None = None
        self._bug: Failure | None = None
        self._protocol: Any = None
        self._result: Deferred[Established] = Deferred(self._cancelled)

    def begin(self) -> Deferred[Established]:
        """
        Connect.

        @return: see L{Hop.through}.
        """
        if self._talk is None:
            self._handshake = Opening(self._negotiated, secured=self._hop.tls is not None)
        else:
            negotiation = self._talk(self._request)
            if isinstance(negotiation, Refusal):
                self._result.errback(Refused(negotiation))
                return self._result
            self._handshake = Handshake(negotiation, self._negotiated)
        self._connecting = connecting = self._hop.reach(self._request, self)
        connecting.addCallbacks(self._reached, self._failed)
        return self._result

    def doStart(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def doStop(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def buildProtocol(self, addr: IAddress | None) -> Handshake | None:
        """
        There is a connection to the hop.
        """
        self._peer = addr
        return self._handshake

    def _reached(self, established: Established) -> None:
        """
        The connection is up, and perhaps everything has been said by now.
        """
        self._connecting = None
        self._established = established
        if self._ended is not None:
            self._settle()

    def _failed(self, failure: Failure) -> None:
        """
        There is none, or something of ours is broken.
        """
        self._connecting = None
        self._over = True
        self._result.errback(failure)

    def _negotiated(self, handshake: Handshake, ended: Ended) -> None:
        """
        The hop has had its say.
        """
        if isinstance(ended, Passage):
            try:
                self._protocol = self._factory.buildProtocol(self._peer)
                handshake.handOn(self._protocol, ended.leftover)
            except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
                self._bug = Failure()
                handshake.transport.abortConnection()  # type: ignore[union-attr]
        self._ended = ended
        if self._established is not None:
            self._settle()

    def _settle(self) -> None:
        """
        Tell how it went.
        """
        established: Any = self._established
        ended = self._ended
        self._handshake = self._established = self._ended = None
        if self._bug is not None:
            self._failed(self._bug)
            return
        if isinstance(ended, Passage):
            self._over = True
            protocol, self._protocol = self._protocol, None
            self._result.callback(established._replace(protocol=protocol, seen="", members=ended.members))
            return
        if isinstance(ended, Again):
            if not self._again:
                self._again = True
                try:
                    self.begin()
                except Exception:  # noqa: BLE001 - as above
                    self._failed(Failure())
                return
            ended = ended.refusal
        if isinstance(ended, Failure):
            ended = self._lost(ended)
        self._refuse(ended, established)  # type: ignore[arg-type]

    def _lost(self, reason: Failure) -> Refusal:
        """
        The connection went before it was over.
        """
        name = self._hop.name
        if self._hop.tls is not None:
            refusal = handshakeRefusal(reason, f"the next hop {name}")
            if refusal is not None:
                return refusal
        return Refusal("next_hop_gone", f"the next hop {name} closed the connection before it had answered")

    def _refuse(self, refusal: Refusal, established: Established | None) -> None:
        """
        Fail.
        """
        self._over = True
        tried, resolved = (established.tried, established.resolved) if established else ((), 0.0)
        blamed = self._hop.name if refusal.kind in BLAMED else ""
        self._result.errback(Refused(refusal, tried, resolved, blamed))

    def _cancelled(self, result: Deferred[Established]) -> None:
        """
        Nobody waits any more.
        """
        if self._over:
            return
        handshake, self._handshake = self._handshake, None
        if self._connecting is not None:
            self._connecting.cancel()  # fails, and is passed on
        elif handshake is not None:
            handshake.abandon()
            name = self._hop.name
            words = f"the next hop {name} took the request for {self._request.destination} and did not answer"
            self._refuse(Refusal("next_hop_silent", f"{words} in time"), self._established)
