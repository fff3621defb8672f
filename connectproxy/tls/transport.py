"""
TLS on a connected transport.

L{TLSTransport} does what L{twisted.protocols.tls.TLSMemoryBIOProtocol} does, for bulk.  That
one encrypts and writes record by record, 16 KiB at most, through a layer that waits for the
next turn of the reactor, and delivers record by record; here all records of a read are
delivered together, and all of a write go to the kernel together, at once where it takes them.

The end of a stream (RFC 8446 section 6.1): closing sends a close_notify and a FIN, then
waits for the peer to close, so that no reset takes away what it has not read yet; whoever
closes keeps a deadline.  A peer's close_notify ends both directions, after what has been
written to it is sent: there is no half-close.  A FIN without a close_notify is
L{Truncated}.

Left out: what only a client does, which is L{connectproxy.tls.client}'s; renegotiation
(OpenSSL is told to refuse it), early data.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHandshakeListener,
    INegotiated,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IPushProducer,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.leg import Truncated, adopt
from connectproxy.sockets import writeNow
from connectproxy.tls.layer import Layer

__all__ = ["ANSWERS", "TLSTransport", "secure"]

_RECORD = 1 << 14
"""Octets in a record, at most (RFC 8446 section 5.1)."""

_CHUNK = 1 << 15
"""
Octets that OpenSSL is given at once.  Its buffers never shrink: with 64 KiB a tunnel that has
once been busy keeps 202 KiB, with 32 KiB 112 KiB, at the same speed.
"""

_OVERHEAD = 64
"""Octets that a record has besides its content: TLS 1.2 and 1.3 have 22 to 29."""

_FLIGHT = 1 << 14
"""Octets of a handshake or an alert that are read out at once."""

_HEARD = 1 << 18
"""Octets that may come before somebody looks whether OpenSSL has answered any of them by itself."""

ANSWERS = 1 << 16
"""Octets that OpenSSL may answer by itself in all: to two thousand changes of keys."""


@implementer(INegotiated, IPushProducer, ISystemHandle)
class TLSTransport(Layer):
    """
    A side of a TLS connection, as it stands a server's: a protocol to the transport below, a
    transport to the protocol within.

    @ivar wrappedProtocol: the protocol within.  If it provides L{IHandshakeListener} it is
        told when the handshake is complete; what it writes before that is kept until then.
        What ends a handshake it is told as the reason of C{connectionLost}.
    @ivar negotiatedProtocol: what ALPN chose; L{None} before, and where it did not.
    @ivar disconnecting: it is being closed.
    """

    negotiatedProtocol: bytes | None = None
    disconnecting = False
    _connection: Any = None
    _established = False
    _finished = False
    _heard = _answered = 0
    _producer: tuple[Any, bool] | None = None
    _reason: Failure | None = None

    def __init__(self, creator: Any, wrapped: IProtocol) -> None:
        """
        @param creator: makes the OpenSSL connection; see L{connectproxy.tls.ServerTLS}.  Not
            declared, since Twisted's interface wants a transport of Twisted's own.
        @param wrapped: the protocol within.
        """
        self._creator = creator
        self.wrappedProtocol: Any = wrapped
        self._pending: list[bytes] = []

    def connectionMade(self) -> None:
        """
        The transport is connected: the handshake can begin.
        """
        self._connection = self._creator.serverConnectionForTLS(self)
        self.wrappedProtocol.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Go on with the handshake, or decrypt and deliver all of it together.
        """
        if self._finished:
            return  # it is thrown away until the peer closes
        if self._established:
            self._deliver(data)
            return
        self._connection.bio_write(data)
        if self._shake():
            self._deliver(b"")

    def _shake(self) -> bool:
        """
        Go on with the handshake.

        @return: it is complete, and the connection is still up.
        """
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return False
        except SSL.Error:
            self._fail(Failure())
            return False
        return self._complete()

    def _complete(self) -> bool:
        """
        The handshake is done: say so, and send what has waited for it.

        @return: as L{_shake}.
        """
        self._established = True
        self.negotiatedProtocol = self._connection.get_alpn_proto_negotiated() or None
        self._flush()
        pending, self._pending = self._pending, []
        if pending:
            self._encrypt(b"".join(pending))
        producer = self._producer
        if IHandshakeListener.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.handshakeCompleted()
        # One that is registered by now has gone straight to the transport.
        if producer is not None and producer is self._producer and not self._finished:
            self.transport.registerProducer(*producer)
            if pending and producer[1]:
                producer[0].resumeProducing()
        elif self.disconnecting and not self._finished:
            self._finish()
        return not self._finished

    def _deliver(self, octets: bytes) -> None:
        """
        Deliver what can be decrypted by now.

        @param octets: what came besides what OpenSSL has.
        """
        connection = self._connection
        put, recv = connection.bio_write, connection.recv
        view, done = memoryview(octets), 0
        pieces: list[bytes] = []
        failure = None
        ended = False
        try:
            while True:
                if octets:
                    put(view[done : done + _CHUNK])
                    done += _CHUNK
                try:
                    while True:
                        pieces.append(recv(_RECORD))
                except SSL.WantReadError:
                    if done >= len(octets):
                        break
            self._heard += len(octets)
            if not pieces or self._heard > _HEARD:
                self._answered += self._flush()  # there may have been what wants an answer
                if self._answered > ANSWERS:
                    self.abortConnection()
                    return
        except SSL.ZeroReturnError:
            ended = True
        except SSL.Error:
            failure = Failure()
        if pieces:
            self.wrappedProtocol.dataReceived(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if ended and not self._finished:
            self._reason = connectionDone
            self._finish(closed=True)
        elif failure is not None and not self._finished:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        """
        TLS cannot go on: let the peer know why, and close.
        """
        self._reason = failure
        self._flush()
        self._release()
        self.transport.loseConnection()

    def _finish(self, *, closed: bool = False) -> None:
        """
        Send a close_notify, then the FIN.

        @param closed: the peer has sent its own.
        """
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass  # it is closed in any case
        self._flush()
        self._release()
        if closed:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()

    def _release(self) -> None:
        """
        Nothing is going to be read or written any more.  The producer goes first: a
        transport that waits for a paused one would never close.
        """
        self._finished = True
        self.unregisterProducer()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is closed.
        """
        if self._reason is not None:
            reason = self._reason
        elif reason.check(ConnectionDone) and not self._finished:
            reason = Failure(Truncated() if self._established else ConnectionLost())
        self.connected = 0
        self._finished = True
        self._producer = self._connection = None
        self._pending.clear()
        self.wrappedProtocol.connectionLost(reason)

    def write(self, data: bytes) -> None:
        """
        Encrypt and send.  After L{loseConnection} only what a producer writes counts, until
        it is unregistered.
        """
        if self._finished or (self.disconnecting and self._producer is None) or not data:
            return
        if self._established:
            self._encrypt(data)
        else:
            self._pending.append(data)
            if self._producer is not None and self._producer[1]:
                self._producer[0].pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """Encrypt and send several pieces as one."""
        self.write(b"".join(data))

    def _encrypt(self, octets: bytes) -> None:
        """
        Encrypt, and hand all records to the transport together.
        """
        connection = self._connection
        send, take = connection.send, connection.bio_read
        view, done = memoryview(octets), 0
        records: list[bytes] = []
        try:
            while done < len(octets):
                sent = send(view[done : done + _CHUNK])
                done += sent
                records.append(take(most := sent + _OVERHEAD * (2 + sent // _RECORD)))
        except SSL.Error:
            self._fail(Failure())
        else:
            self._put(records[0] if len(records) == 1 else b"".join(records))
            if len(records[-1]) == most:
                self._flush()  # answers of OpenSSL's own stood in front

    def _flush(self) -> int:
        """
        Hand over what OpenSSL wants to be sent besides.

        @return: how many octets.
        """
        self._heard = flushed = 0
        try:
            while True:
                octets = self._connection.bio_read(_FLIGHT)
                self._put(octets)
                flushed += len(octets)
                if len(octets) < _FLIGHT:
                    break
        except SSL.WantReadError:
            pass  # that was all
        return flushed

    def _put(self, octets: bytes) -> None:
        """
        Hand octets to the transport: to its socket where that takes them, but not if a
        producer is to be asked for more when they are written.
        """
        if self._producer is None or self._producer[1]:
            writeNow(self.transport, octets)
        else:
            self.transport.write(octets)

    def loseConnection(self) -> None:
        """
        Close as soon as everything is written; see the module.  Before the handshake is
        complete there is nobody to be polite to, unless something is to be written.
        """
        if self.disconnecting or not self.connected:
            return
        self.disconnecting = True
        if not self._established:
            if not self._pending:
                self.abortConnection()
        elif self._producer is None and not self._finished:
            self._finish()

    def loseWriteConnection(self) -> None:
        """The same as L{loseConnection}: there is no half-close."""
        self.loseConnection()

    def abortConnection(self) -> None:
        """
        Close at once, by a reset.
        """
        if self.connected:
            self.disconnecting = True
            self._release()
            self.transport.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        The transport below tells the producer when it has enough.

        @raise RuntimeError: there is one already.
        """
        if self._producer is not None:
            raise RuntimeError(f"Cannot register producer {producer}: there is {self._producer[0]}")
        if self._finished:
            producer.stopProducing()
            return
        self._producer = (producer, streaming)
        if self._established:
            self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        There will be no more of the producer's.
        """
        if self._producer is not None:
            self._producer = None
            if self._established:
                self.transport.unregisterProducer()
            if self.disconnecting and self._established and not self._finished:
                self._finish()

    def stopProducing(self) -> None:
        """Deliver no more ever."""
        self.loseConnection()

    def getHandle(self) -> Any:
        """The OpenSSL connection; L{None} once the transport is closed."""
        return self._connection

    def getPeerCertificate(self) -> Any:
        """
        The peer's certificate, as OpenSSL has it, or L{None}.
        """
        return None if self._connection is None else self._connection.get_peer_certificate()


def secure(
    transport: Any, creator: IOpenSSLServerConnectionCreator, wrapped: IProtocol, first: bytes = b""
) -> TLSTransport:
    """
    Put TLS onto a connected transport.

    @param creator: see L{TLSTransport}.
    @param wrapped: the protocol within; it is connected when this returns.
    @param first: the beginning of the handshake that has been read already.
    """
    secured = TLSTransport(creator, wrapped)
    adopt(transport, secured)
    if first:
        secured.dataReceived(first)
    return secured
