"""
What the tests of TLS have in common: certificates, and clients that are the standard
library's, so that another hand than ours holds the other end.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.certificates import Issued, makeAuthority, makeClient, makeServer
from connectproxy.tls import ServerTLS, TLSOptions
from tests.fakes import FakePipe, FakeReactor, Peer, pipePair

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


_authority = cache(makeAuthority)


def authority(name: str = "tests") -> Issued:
    """
    A CA, the same for all tests.
    """
    return _authority(name)


@cache
def issued(*names: str) -> Issued:
    """
    A server's certificate.
    """
    return makeServer(authority(), names)


@cache
def client(name: str, of: str = "tests") -> Issued:
    """
    A client's certificate.
    """
    return makeClient(authority(of), name)


def clientContext(
    version: ssl.TLSVersion | None = None,
    alpn: Sequence[str] = (),
    shows: tuple[str, str] | None = None,
    trusts: Issued | None = None,
) -> ssl.SSLContext:
    """
    What a client speaks.

    @param version: the one version of TLS.
    @param shows: the files of its certificate and key.
    @param trusts: a CA; by default that of the tests.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=(trusts or authority()).certificatePEM.decode())
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if shows is not None:
        context.load_cert_chain(*shows)
    return context


def oldContext() -> ssl.SSLContext:
    """
    What a client speaks that is older than TLS 1.2.
    """
    context = clientContext()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these are old is the point
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class Handshake:
    """
    A client's and a server's side, connected in memory.

    @ivar client: the client's, of the standard library.
    @ivar server: the server's, of pyOpenSSL.
    @ivar refused: what the client's side failed with, or L{None}.
    @ivar failed: what the server's side failed with, or L{None}.
    """

    refused: ssl.SSLError | None = None
    failed: SSL.Error | None = None

    def __init__(
        self,
        tls: ServerTLS,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = (context or clientContext()).wrap_bio(
            self.inward, self.outward, server_hostname=name, session=session
        )
        self.server: Any = tls.serverConnectionForTLS(None)
        for _ in range(4):
            self._turn()

    def _turn(self) -> None:
        try:
            self.client.do_handshake()
            self.client.read(1)  # where the tickets of TLS 1.3 are noticed, and refusals of certificates
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.refused = self.refused or error
        octets = self.outward.read()
        if octets:
            self.server.bio_write(octets)
        try:
            self.server.do_handshake()
            self.server.recv(1)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.failed = self.failed or error
        try:
            self.inward.write(self.server.bio_read(1 << 16))
        except SSL.WantReadError:
            pass

    @property
    def succeeded(self) -> bool:
        """Neither side has failed."""
        return self.refused is None and self.failed is None


@implementer(IHandshakeListener)
class Within(Peer):
    """
    The protocol within TLS, at the proxy's side.

    @ivar happened: C{"made"}, C{"complete"}, C{"lost"}.
    """

    def __init__(self) -> None:
        Peer.__init__(self)
        self.happened: list[str] = []
        self.pieces: list[bytes] = []

    def connectionMade(self) -> None:
        self.happened.append("made")

    def handshakeCompleted(self) -> None:
        self.happened.append("complete")

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)
        Peer.dataReceived(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.happened.append("lost")
        Peer.connectionLost(self, reason)


class Speaker(Protocol):
    """
    A client that speaks TLS over a transport.

    @ivar received: what came through TLS.
    @ivar error: what TLS failed with.
    @ivar notified: a close_notify has come.
    @ivar lost: the transport was closed, and why.
    """

    transport: Any
    error: ssl.SSLError | None = None
    notified = False
    established = False
    ended = False
    lost: Failure | None = None

    def __init__(self, context: ssl.SSLContext | None = None, name: str = "localhost") -> None:
        self.received = bytearray()
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or clientContext()).wrap_bio(self.inward, self.outward, server_hostname=name)

    def connectionMade(self) -> None:
        self._go()

    def dataReceived(self, data: bytes) -> None:
        self.inward.write(data)
        self._go()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason

    def _go(self) -> None:
        try:
            if not self.established:
                self.tls.do_handshake()
                self.established = True
            while True:
                octets = self.tls.read(1 << 16)
                if not octets:
                    self.notified = True
                    break
                self.received += octets
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.notified = True
        except ssl.SSLError as error:
            self.error = error
        self.send()

    def send(self) -> None:
        """Send what TLS wants to be sent."""
        octets = self.outward.read()
        if octets:
            self.transport.write(octets)

    def say(self, octets: bytes) -> None:
        """Send through TLS."""
        self.tls.write(octets)
        self.send()

    def notify(self) -> None:
        """Send a close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error
        self.send()


class TLSCase(SynchronousTestCase):
    """
    Tests with certificates.
    """

    def write(self, octets: bytes, path: str | None = None) -> str:
        """
        Write a file.

        @return: its name, a new one by default.
        """
        path = path or self.mktemp()
        Path(path).write_bytes(octets)
        return path

    def pair(self, which: Issued) -> tuple[str, str]:
        """
        Write a certificate and its key.
        """
        return self.write(which.certificatePEM), self.write(which.keyPEM)

    def server(self, *names: str, **options: Any) -> ServerTLS:
        """
        What speaks TLS with a certificate for some names, by default localhost.
        """
        return ServerTLS(TLSOptions((self.pair(issued(*(names or ("localhost",)))),), **options))

    def connected(
        self, within: Any, speaker: Any = None, tls: ServerTLS | None = None, capacity: int = 1 << 16
    ) -> tuple[FakeReactor, FakePipe, Any]:
        """
        A client that is connected to a protocol within TLS; the handshake is done.

        @return: the reactor, the pipe, and the client.
        """
        from connectproxy.tls import TLSTransport

        reactor = FakeReactor()
        speaker = speaker or Speaker()
        pipe = pipePair(reactor, speaker, TLSTransport(tls or self.server(), within), capacity=capacity)
        reactor.flush()
        return reactor, pipe, speaker


class Producer:
    """
    Keeps what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")
