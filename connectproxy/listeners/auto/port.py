"""
One port for every protocol, and the kind of listener that opens it.

What a protocol begins with is for its own listener to say (L{IDialect}); they are
found by discovery and known by their interface.  A first octet that only one
protocol can begin with is enough, since a greeting of SOCKS 5 may have no more than
three and the client waits for its answer then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from zope.interface import classImplements, implementer

from connectproxy.address import Networks
from connectproxy.discovery import Unloadable, kinds
from connectproxy.discovery import protocols as spoken
from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, IDialect, IListenerKind, ISwitchboard
from connectproxy.listeners.auto.reception import TLS_RECORD, Reception
from connectproxy.port import listenAt
from connectproxy.sockets import answersALPN
from connectproxy.tls import ServerTLS, TLSOptions
from connectproxy.wire.http1 import escape
from connectproxy.wire.proxyheader import SIGNATURE

__all__ = ["HEADERS", "AutoFactory", "PortOptions", "kind"]

HEADERS = (b"PROXY ", SIGNATURE)
"""How a PROXY header begins, in either version."""


class PortOptions(NamedTuple):
    """
    What a port is to serve, and how.

    @ivar protocols: the names of the protocols, as L{IDialect.protocolNames} has them.
    @ivar tls: ends TLS; L{None} where it is not spoken.
    @ivar requireTLS: what comes in clear is closed.
    @ivar senders: those who must begin with a PROXY header.
    @ivar authentication: whether clients say who they are, as L{Arrival} has it.
    @ivar name: what rules and events call the port; empty for its endpoint.
    """

    protocols: tuple[str, ...]
    tls: ServerTLS | None = None
    requireTLS: bool = False
    senders: Networks | None = None
    authentication: str = ""
    name: str = ""


def _preference(asked: tuple[bytes, str]) -> bool:
    """The order in which protocols are offered by ALPN: HTTP/2 first."""
    return asked[1] != "h2"


class AutoFactory(Factory):
    """
    The connections of one port that serves several protocols.

    @ivar name: what rules and events call the port.
    @ivar undecided: connections of which it is not known yet what they speak.
    @ivar receivers: what takes a connection, by the protocol's name.
    @ivar openings: for each first octet the protocol that alone can begin so; C{""}
        where it takes more octets to tell; L{None} where nothing begins so.
    @ivar alpn: the protocols that can be asked for within TLS, with their names.
    @ivar noDelay: the port's connections have TCP_NODELAY from the start.
    """

    noisy = False
    noDelay = False

    def __init__(
        self, switchboard: ISwitchboard, description: str, options: PortOptions, dialects: Mapping[str, Any]
    ) -> None:
        """
        @param description: the listening endpoint, for events.
        @param dialects: L{IDialect} providers by the names of their kinds.
        """
        settings: Mapping[str, Any] = switchboard.settings
        self.switchboard: Any = switchboard
        self.description = description
        self.options = options
        self.name = options.name or description
        self.identifier: str = settings["proxy.name"]
        self.headTimeout: float = settings["timeouts.head"]
        self.handshakeTimeout: float = settings["timeouts.handshake"]
        self.lingerTimeout: float = settings["timeouts.linger"]
        self.undecided: set[Reception] = set()
        served = [
            each
            for each in dialects.values()
            if any(name in options.protocols for name in each.protocolNames)
        ]
        self._dialects = served
        self.receivers: dict[str, Any] = {}
        self.alpn: dict[bytes, str] = {}
        for each in served:
            receiver = each.buildReceiver(switchboard)
            self.receivers |= {name: receiver for name in each.protocolNames if name in options.protocols}
            self.alpn |= {asked: name for asked, name in each.alpn.items() if name in options.protocols}
        self.alpn = dict(sorted(self.alpn.items(), key=_preference))
        self.openings = tuple(self.recognise(bytes([first])) for first in range(256))

    def recognise(self, octets: bytes) -> str | None:
        """
        The protocol that begins so, as L{IDialect.recognise} has it, over all that
        the port serves: while one of them needs more octets, nothing is decided.

        Of two that begin so, the one that had to see more than the first octet is
        meant: HTTP/2's preface looks like a request to HTTP/1.1.
        """
        for header in HEADERS:
            if octets.startswith(header):
                return None
            if header.startswith(octets):
                return ""
        found = None
        for each in self._dialects:
            name: str | None = each.recognise(octets)
            if name == "":
                return name
            if name in self.receivers and (found is None or each.recognise(octets[:1]) == ""):
                found = name
        return found

    def strange(self, octets: bytes, *, inside: bool) -> tuple[Refusal, str]:
        """
        Say what is wrong with how a connection has begun.

        @return: why it is closed, and what it spoke.
        """
        if octets.startswith(HEADERS):
            what = (
                "the client sent a PROXY header, which is taken only once, and only from proxy_protocol_from"
            )
            return Refusal("proxy_header_error", what), "proxy"
        spoken = "the port speaks " + ", ".join(self.options.protocols)
        first = octets[0]
        if first == TLS_RECORD:
            what = (
                "the client began TLS within TLS"
                if inside
                else "the client began TLS, for which there is no certificate"
            )
        elif first in (4, 5):
            what = f"the client began SOCKS {first}, which is switched off"
        elif octets[:1].isalpha():
            what = "the client began HTTP, which is switched off"
        else:
            what = f"nothing begins with {escape(octets[:8])}"
        return Refusal("protocol_not_served", f"{what}; {spoken}"), "unknown"

    def expectsHeader(self, client: Any) -> bool:
        """
        Whether a client is one of those who send PROXY headers; there are some.
        """
        try:
            return ip_address(client.host) in self.options.senders  # type: ignore[operator]
        except (AttributeError, ValueError):
            return False  # a UNIX socket

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A client has connected."""
        arrival = Arrival(
            addr,  # type: ignore[arg-type]
            self.name,
            self.switchboard.clock.seconds(),
            authentication=self.options.authentication,
        )
        return Reception(self, arrival)

    def acceptableProtocols(self) -> list[bytes]:
        """
        What can be asked for by ALPN behind an C{ssl:} endpoint (RFC 7301).
        """
        return list(self.alpn)

    def stopFactory(self) -> None:
        """The port is closed."""
        for each in tuple(self.undecided):
            each.stop()
        for receiver in {id(each): each for each in self.receivers.values()}.values():
            receiver.stop()


if answersALPN():
    classImplements(AutoFactory, IProtocolNegotiationFactory)


@implementer(IListenerKind)
class _Kind:
    """
    Listens on any Twisted stream endpoint, for everything.
    """

    kindName = "auto"

    def parseOptions(self, mapping: Mapping[str, Any], where: str) -> PortOptions:
        """
        See L{IListenerKind.parseOptions}; the keys are those of the schema's table
        C{listen}, and one that is missing has the schema's default.

        @raise ValueError: a certificate can't be used.
        @raise Unloadable: a protocol is not spoken, or whoever speaks it can't be loaded.
        """
        own = self.dialects()
        every = tuple(name for each in own.values() for name in each.protocolNames)
        protocols = tuple(mapping.get("protocols", every))
        try:
            dialects = self.dialects(protocols)
        except Unloadable as error:
            raise Unloadable(f"{where}: {error}") from error
        tls = None
        if mapping.get("tls_certificate"):
            certificates = tuple(mapping["tls_certificate"])
            keys = tuple(mapping.get("tls_key") or certificates)
            asked = {each: name for dialect in dialects.values() for each, name in dialect.alpn.items()}
            order = [each for each, _ in sorted(asked.items(), key=_preference) if asked[each] in protocols]
            try:
                tls = ServerTLS(
                    TLSOptions(
                        tuple(zip(certificates, keys, strict=True)),
                        mapping.get("client_certificates", "none"),
                        mapping.get("client_ca", ""),
                        tuple(order),
                    )
                )
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
        required = mapping.get("client_certificates") == "required"
        requireTLS = bool(mapping.get("require_tls")) or required
        return PortOptions(
            protocols,
            tls,
            requireTLS,
            mapping.get("proxy_protocol_from") or None,
            mapping.get("authentication", ""),
            mapping.get("name", ""),
        )

    def dialects(self, protocols: Sequence[str] = ()) -> dict[str, Any]:
        """
        Every protocol of ours that can share a port, by the name of its kind, and whatever
        else speaks one of some protocols.

        @raise Unloadable: nothing speaks one of them.
        """
        found = kinds("connectproxy.listeners", IListenerKind)
        dialects = {name: each for name, each in found.items() if IDialect.providedBy(each)}
        known = {name for each in dialects.values() for name in each.protocolNames}
        others = spoken(IDialect) if set(protocols) - known else {}
        for name in protocols:
            if name not in known:
                kind = others.get(name)
                if kind is None:
                    raise Unloadable(f"no listener speaks {name!a}")
                if kind not in dialects.values():
                    dialects[f"{kind.kindName} for {name}"] = kind  # no name that one of ours has
        return dialects

    def listen(
        self, reactor: Any, description: str, options: PortOptions, switchboard: ISwitchboard
    ) -> Deferred[Any]:
        """See L{IListenerKind.listen}."""
        return listenAt(
            reactor,
            description,
            AutoFactory(switchboard, description, options, self.dialects(options.protocols)),
        )


kind = _Kind()
