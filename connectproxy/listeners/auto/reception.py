"""
A connection of which it is not known yet what it speaks.

Before its first octets may come a PROXY header, demanded from listed senders and
taken from nobody else, and TLS, which is ended here; within it the same is done
again, unless ALPN has settled it.

Every stage has its deadline, which octets that drip do not move.  Whoever gets the
connection gets it with every octet that was read, and nothing of this is left.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival
from connectproxy.leg import adopt
from connectproxy.sockets import LINGER_OCTETS, readNow, setNoDelay
from connectproxy.tls import clientIdentity, handshakeFailure, secure
from connectproxy.wire.proxyheader import HeaderReader, ProxyHeader
from connectproxy.wire.refusal import formatRefusal

if TYPE_CHECKING:
    from connectproxy.listeners.auto.port import AutoFactory

__all__ = ["MOST_OCTETS", "MOST_TLVS", "TLS_RECORD", "Reception"]

TLS_RECORD = 0x16
"""The first octet of TLS: a record of the type handshake (RFC 8446 section 5.1)."""

MOST_OCTETS = 64
"""Octets after which it must be clear what a client speaks; the longest opening is HTTP/2's, with 24."""

MOST_TLVS = 32
"""
TLVs of a PROXY header that are kept, the first ones; a dozen types are registered.  How
many octets they may have is the header's bound.
"""


class Stage(Enum):
    """
    What a connection waits for.
    """

    HEADER = "a PROXY header"
    HANDSHAKE = "the end of the TLS handshake"
    OPENING = "the first octets"
    PLACED = "nothing; something else has it"
    CLOSING = "its end"


@implementer(IHandshakeListener)
class Reception(Protocol):
    """
    A connection of which it is not known yet what it speaks.

    @ivar slot: the wheel's, for the deadlines of the header, the handshake and the
        first octets.
    """

    slot = 0
    _held = b""
    _header: HeaderReader | None = None
    _discarded = 0

    _log = Logger()

    def __init__(self, factory: AutoFactory, arrival: Arrival, *, inside: bool = False) -> None:
        """
        @param arrival: what is known of the connection so far.
        @param inside: it is within TLS that another reception has begun.
        """
        self.factory: AutoFactory = factory
        self._arrival = arrival
        self._inside = inside
        self._stage = Stage.HANDSHAKE if inside else Stage.OPENING

    def connectionMade(self) -> None:
        """
        The clock starts, and what the client has sent by now is read.
        """
        factory, transport = self.factory, self.transport
        if not self._inside:
            factory.switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)  # type: ignore[union-attr]
            if not factory.noDelay:
                setNoDelay(transport)
            if factory.options.senders and factory.expectsHeader(self._arrival.client):
                self._header = HeaderReader((1, 2))
                self._stage = Stage.HEADER
            data = readNow(transport)
            if data:  # so it is a plain transport
                try:
                    self.dataReceived(data)
                except Exception:  # noqa: BLE001 - who calls this would leave the client waiting
                    self._log.failure("a connection by {listener} failed", listener=factory.description)
                    transport.abortConnection()  # type: ignore[union-attr]
                    return
                if self._stage is Stage.PLACED:
                    return
            elif ISSLTransport.providedBy(transport):
                self._inside = True
                self._stage = Stage.HANDSHAKE
        if not self.slot and self._stage is not Stage.CLOSING:
            self._wait()

    def _wait(self) -> None:
        """
        Set the deadline of the stage.
        """
        factory = self.factory
        factory.undecided.add(self)
        wheel = factory.switchboard.wheel
        wheel.remove(self)
        opening = self._stage is Stage.OPENING
        wheel.add(self, factory.headTimeout if opening else factory.handshakeTimeout)

    def _leave(self, stage: Stage) -> None:
        """
        There is nothing to wait for here any more.
        """
        self._stage = stage
        if self.slot:
            self.factory.undecided.discard(self)
            self.factory.switchboard.wheel.remove(self)

    def dataReceived(self, data: bytes) -> None:
        """
        The header, or the first octets, or a part of them.
        """
        if self._stage is Stage.OPENING:
            self._opening(self._held + data if self._held else data)
        elif self._stage is Stage.HEADER:
            self._readHeader(data)
        else:
            self._discarded += len(data)
            if self._discarded > LINGER_OCTETS:
                self.transport.abortConnection()  # type: ignore[union-attr]

    def _readHeader(self, data: bytes) -> None:
        """
        Read the PROXY header; what it says of the client holds from now on.
        """
        reader: Any = self._header
        header = reader.receive(data)
        if isinstance(header, Refusal):
            self._reject(header, "proxy")
        elif isinstance(header, ProxyHeader):
            self._header = None
            arrival = self._arrival
            arrival = arrival._replace(sender=arrival.client, tlvs=header.tlvs[:MOST_TLVS])
            if header.source is not None:
                host, port = str(header.source.ip), header.source.port
                make = IPv4Address if header.source.ip.version == 4 else IPv6Address
                arrival = arrival._replace(client=make("TCP", host, port))
            self._arrival = arrival
            self._stage = Stage.OPENING
            if reader.leftover:
                self._opening(reader.leftover)
            if self._stage is Stage.OPENING:
                self._wait()

    def _opening(self, octets: bytes) -> None:
        """
        Find out what is spoken, and let that have the connection.
        """
        factory = self.factory
        if octets[0] == TLS_RECORD and factory.options.tls is not None and not self._inside:
            self._beginTLS(octets)
            return
        if factory.options.requireTLS and not self._inside:
            refusal = Refusal("protocol_not_served", "this port wants TLS: name the proxy with https://")
            self._reject(refusal, answer=octets[:1].isalpha())
            return
        name = factory.openings[octets[0]] or factory.recognise(octets)
        if name:
            self._place(name, octets)
        elif name is None or len(octets) > MOST_OCTETS:
            refusal, spoken = factory.strange(octets, inside=self._inside)
            # Behind a PROXY header there is most likely somebody who speaks HTTP.
            self._reject(refusal, spoken, answer=spoken == "proxy" and "http/1.1" in factory.receivers)
        else:
            self._held = octets
            if not self.slot:
                self._wait()

    def _place(self, name: str, octets: bytes) -> None:
        """
        Hand the connection over.
        """
        self._leave(Stage.PLACED)
        protocol: Any = self.factory.receivers[name].receive(self._arrival, name)
        adopt(self.transport, protocol)
        if octets:
            protocol.dataReceived(octets)

    def _beginTLS(self, octets: bytes) -> None:
        """
        End TLS here, and begin again within it.
        """
        self._leave(Stage.PLACED)
        tls: Any = self.factory.options.tls
        secure(self.transport, tls, Reception(self.factory, self._arrival, inside=True), octets)

    def handshakeCompleted(self) -> None:
        """
        There is TLS now.

        @see: L{IHandshakeListener.handshakeCompleted}
        """
        transport: Any = self.transport
        connection = transport.getHandle()
        self._arrival = self._arrival._replace(
            tls=connection.get_protocol_version_name(), certificate=clientIdentity(connection)
        )
        if self._stage is Stage.HANDSHAKE:
            name = self.factory.alpn.get(transport.negotiatedProtocol or b"")
            if name == "h2" and self._header is None:
                self._place(name, b"")  # it need not wait for the client's preface to send its own
                return
            self._stage = Stage.OPENING if self._header is None else Stage.HEADER
            self._wait()

    def _reject(self, refusal: Refusal, protocol: str = "unknown", *, answer: bool = False) -> None:
        """
        Record why the connection is closed, and close it.

        @param answer: the client seems to speak HTTP and can be told.
        """
        self._leave(Stage.CLOSING)
        factory, arrival, transport = self.factory, self._arrival, self.transport
        factory.switchboard.rejected(
            refusal, arrival.client, arrival.listener, protocol, arrival.arrived, None, None, arrival
        )
        if answer:
            transport.write(formatRefusal(refusal, factory.identifier))  # type: ignore[union-attr]
        self._close(linger=answer)

    def _close(self, *, linger: bool = False) -> None:
        """
        Close; behind TLS, or with an answer on its way, that may take a while.
        """
        transport: Any = self.transport
        self._held = b""
        self.factory.switchboard.wheel.add(self, self.factory.lingerTimeout)
        if linger:
            transport.loseWriteConnection()  # a reset could overtake the answer (RFC 9112 section 9.6)
        else:
            transport.loseConnection()

    def expired(self, now: float) -> None:
        """
        It has taken too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        stage, seconds = self._stage, self.factory.handshakeTimeout
        self.factory.undecided.discard(self)
        if stage is Stage.HEADER:
            self._reject(
                Refusal("proxy_header_error", f"there was no whole PROXY header after {seconds:g} s"), "proxy"
            )
        elif stage is Stage.HANDSHAKE:
            self._reject(
                Refusal("tls_handshake_failed", f"the handshake was not over after {seconds:g} s"), "tls"
            )
            self.transport.abortConnection()  # type: ignore[union-attr]
        elif stage is Stage.CLOSING:
            self.transport.abortConnection()  # type: ignore[union-attr]
        elif self._held:
            seconds = self.factory.headTimeout
            self._reject(
                Refusal("http_request_timeout", f"it was not clear after {seconds:g} s what is spoken")
            )
        else:
            self.stop()

    def stop(self) -> None:
        """
        Close without a word: nothing was asked.
        """
        self._leave(Stage.CLOSING)
        self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed, and nothing has it but this.
        """
        stage = self._stage
        started = self._held or (self._header is not None and self._header.started)
        self._leave(Stage.CLOSING)
        switchboard, arrival = self.factory.switchboard, self._arrival
        refusal: Refusal | None = None
        if stage is Stage.HANDSHAKE:
            refusal = Refusal("tls_handshake_failed", handshakeFailure(reason))
        if refusal is not None or (started and stage in (Stage.HEADER, Stage.OPENING)):
            protocol = {Stage.HANDSHAKE: "tls", Stage.HEADER: "proxy"}.get(stage, "unknown")
            switchboard.rejected(
                refusal, arrival.client, arrival.listener, protocol, arrival.arrived, None, None, arrival
            )
        switchboard.connectionClosed()
