"""
TLS towards a next hop: the client's side.

Owns what is spoken: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446), the server name (RFC 6066 section
3, which has none for addresses), what is offered by ALPN (RFC 7301), the certificate that is
shown where one is asked for.  Whether the server is who it should be is
L{connectproxy.tls.trust}'s to say, and nothing that the protocol within writes leaves before.

How a connection ends is as on a server's side; see L{connectproxy.tls.transport}.  With
TLS 1.3 a server looks at our certificate only after the handshake is complete for us: its
alert may come instead of its first answer.

Left out: resumption of sessions, early data, certificates that are asked for after the
handshake (RFC 8446 section 4.6.2), OCSP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from OpenSSL import SSL, crypto
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.tls.context import makeContext
from connectproxy.tls.files import readAuthorities, readCertified
from connectproxy.tls.layer import complete
from connectproxy.tls.transport import TLSTransport
from connectproxy.tls.trust import Distrusted, Trust

__all__ = ["ClientOptions", "ClientTLS", "ClientTLSTransport", "HandshakeLost"]


class HandshakeLost(ConnectionLost):
    """
    The connection was closed, or lost, before the handshake was complete.
    """


class ClientOptions(NamedTuple):
    """
    What TLS is to be spoken with.

    @ivar ca: the name of a file with the authorities that may have signed the server's
        certificate; each is trusted, whoever has signed it itself.  Empty for those that the
        system trusts: OpenSSL's default paths, or what C{SSL_CERT_FILE} and C{SSL_CERT_DIR}
        say.
    @ivar certificate: the name of a file with our own certificate and its chain; or empty.
    @ivar key: the name of the file with its private key; empty where it is in the same one.
    @ivar serverName: the name or address that the server's certificate has to be for.
    @ivar pins: SHA-256 of the SubjectPublicKeyInfo that the certificate may have, 32 octets
        each (RFC 7469 section 2.4); any, if there is none.  Chain and name are verified
        besides.
    @ivar protocols: what ALPN offers, the best first; with none it is not spoken.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    serverName: str = ""
    pins: tuple[bytes, ...] = ()
    protocols: tuple[bytes, ...] = (b"http/1.1",)


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """
    Makes the client's side of TLS connections.
    """

    def __init__(self, options: ClientOptions) -> None:
        """
        Read the files.  Blocks.

        @raise ValueError: a file or the name cannot be used: which, why, and what to do.
        """
        self.options = options
        if not options.serverName:
            raise ValueError(
                "there is no name to hold the certificate of the server against; say server_name"
            )
        if options.key and not options.certificate:
            raise ValueError(f"{options.key}: there is a private key and no certificate; say certificate")
        self._trust = Trust(options.serverName, options.pins, bool(options.ca))
        self._context = self._makeContext()

    @classmethod
    def of(cls, options: Mapping[str, Any], protocols: tuple[bytes, ...] = (b"http/1.1",)) -> ClientTLS:
        """
        Read the files that an C{[[upstream]]} names.  Blocks.

        @param options: its keys; C{server_name} goes before the host of C{url}.
        @param protocols: see L{ClientOptions}.
        @raise ValueError: one of them cannot be used.
        """
        place = options["url"].destination
        name = options["server_name"] or (place.host if place is not None else "")
        files = options["ca"], options["certificate"], options["key"]
        return cls(ClientOptions(*files, name, tuple(options["pins"]), protocols))

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files."""
        options = self.options
        return tuple(dict.fromkeys(file for file in (options.ca, options.certificate, options.key) if file))

    def secure(self, wrapped: IProtocol) -> ClientTLSTransport:
        """
        Make TLS for one connection.

        @param wrapped: the protocol within.
        @return: what is to be put onto a connected transport, be it one of TLS itself.
        """
        return ClientTLSTransport(self, wrapped)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLClientConnectionCreator}.
        """
        connection = SSL.Connection(self._context, None)
        connection.set_connect_state()
        if self._trust.isName:
            connection.set_tlsext_host_name(self._trust.name.encode("ascii"))
        return connection

    def trusts(self, connection: SSL.Connection) -> bool:
        """
        Whether the server of a connection whose handshake is complete has shown who it is.
        Where it has not, the handshake has failed before; this is for whoever wants to be sure.
        """
        return self._trust.vouched(connection)

    def _makeContext(self) -> SSL.Context:
        """
        Read the files, and make a context of them.
        """
        options = self.options
        shown = None
        if options.certificate:
            shown = readCertified(options.certificate, options.key or options.certificate)
        context = makeContext(SSL.TLS_CLIENT_METHOD, shown)
        context.set_options(SSL.OP_NO_TICKET)
        if options.protocols:
            context.set_alpn_protos(list(options.protocols))
        if options.ca:
            store: Any = context.get_cert_store()
            for each in readAuthorities(options.ca):
                store.add_cert(crypto.X509.from_cryptography(each))
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        else:
            context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER, self._trust.judge)
        return context


class ClientTLSTransport(TLSTransport):
    """
    The client's side of a TLS connection.

    It goes onto anything that provides L{twisted.internet.interfaces.ITransport}; if that can't
    be paused, nor say when it has enough, neither can this.

    @ivar wrappedProtocol: the protocol within, as a server's side has it; but if the transport
        is lost before the handshake is complete, the reason is a L{HandshakeLost}.
    """

    def connectionMade(self) -> None:
        """
        The transport is connected: begin the handshake.
        """
        self.transport = complete(self.transport)
        self._connection = self._creator.clientConnectionForTLS(self)
        self.wrappedProtocol.makeConnection(self)
        if not self._finished:
            self._shake()

    def _complete(self) -> bool:
        """
        The handshake is done; see L{TLSTransport}.
        """
        if not self._creator.trusts(self._connection):
            self._fail(Failure(Distrusted("has not been shown")))
            return False
        return TLSTransport._complete(self)

    def _fail(self, failure: Failure) -> None:
        """
        TLS cannot go on; see L{TLSTransport}.  A layer below would wait for its own peer, who is
        not at fault, before it were lost and anybody told why.
        """
        TLSTransport._fail(self, failure)
        if hasattr(self.transport, "wrappedProtocol"):
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is closed.
        """
        if not self._established and not self._finished and not reason.check(ConnectionAborted):
            reason = Failure(HandshakeLost())
        elif reason.check(SSL.Error):
            reason = Failure(ConnectionLost())  # it is that of a layer below
        TLSTransport.connectionLost(self, reason)
