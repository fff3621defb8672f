"""
What the tests of TLS towards a next hop have in common: servers that are the standard
library's, and certificates that are wrong in every way.
"""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from connectproxy.certificates import Issued, makeAuthority, makeServer
from connectproxy.tls import ClientOptions, ClientTLS, handshakeRefusal
from tests.fakes import FakePipe, FakeReactor, pipePair
from tests.tls.case import Speaker, TLSCase, Within, authority, issued


def days(number: float) -> datetime:
    """
    When that is, from now.
    """
    return datetime.now(UTC) + timedelta(days=number)


def pin(of: Issued) -> bytes:
    """
    The SHA-256 of its key.
    """
    key = of.key.public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


@cache
def expired(*names: str) -> Issued:
    """
    A certificate that was good for a year, some time ago.
    """
    return makeServer(authority(), names, now=days(-500))


@cache
def early(*names: str) -> Issued:
    """
    A certificate that is going to be good.
    """
    return makeServer(authority(), names, now=days(30))


@cache
def selfSigned(name: str) -> Issued:
    """
    A certificate that nobody else has signed.
    """
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(days(-1))
        .not_valid_after(days(30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return Issued(builder.sign(key, SHA256()), key)


@cache
def expiredAuthority() -> Issued:
    """
    A CA whose time is over.
    """
    return makeAuthority("over", now=days(-4000))


@cache
def loaded(certificate: bytes, key: bytes) -> tuple[str, str]:
    """
    Files with these, since the standard library reads nothing else.
    """
    directory = Path(tempfile.mkdtemp())
    names = directory / "certificate.pem", directory / "key.pem"
    for name, octets in zip(names, (certificate, key), strict=True):
        name.write_bytes(octets)
    return str(names[0]), str(names[1])


def serverContext(
    shown: Issued | None = None,
    version: ssl.TLSVersion | None = None,
    alpn: tuple[str, ...] = (),
    clients: Issued | None = None,
) -> ssl.SSLContext:
    """
    What a server speaks.

    @param shown: its certificate; by default one for localhost.
    @param version: the one version of TLS.
    @param clients: the CA of the certificates that clients have to show.
    """
    shown = shown or issued("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*loaded(shown.certificatePEM, shown.keyPEM))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.certificatePEM.decode())
    return context


class Answerer(Speaker):
    """
    A server that speaks TLS over a transport.

    @ivar asked: the server name that it was asked for.
    """

    asked: str | None = None

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received = bytearray()
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or serverContext()
        context.sni_callback = self._asked
        self.tls = context.wrap_bio(self.inward, self.outward, server_side=True)

    def _asked(self, tls: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        self.asked = name


class Eager(Within):
    """
    Writes before the handshake, and when it is complete.
    """

    def connectionMade(self) -> None:
        Within.connectionMade(self)
        self.transport.write(b"one ")
        self.transport.writeSequence([b"t", b"wo "])

    def handshakeCompleted(self) -> None:
        Within.handshakeCompleted(self)
        self.transport.write(b"three")


class ClientCase(TLSCase):
    """
    Tests with servers.
    """

    def tls(self, name: str = "localhost", trusted: Issued | None = None, **options: Any) -> ClientTLS:
        """
        What trusts the CA of the tests, or another.
        """
        ca = self.write((trusted or authority()).certificatePEM)
        return ClientTLS(ClientOptions(ca=ca, serverName=name, **options))

    def reached(
        self,
        within: Any,
        answerer: Any = None,
        tls: ClientTLS | None = None,
        capacity: int = 1 << 16,
    ) -> tuple[FakeReactor, FakePipe, Any]:
        """
        A protocol within TLS that is connected to a server; whatever happens has happened.

        @return: the reactor, the pipe, and the server.
        """
        reactor = FakeReactor()
        answerer = answerer or Answerer()
        pipe = pipePair(reactor, (tls or self.tls()).secure(within), answerer, capacity=capacity)
        reactor.flush()
        return reactor, pipe, answerer

    def refusal(
        self, answerer: Any, tls: ClientTLS | None = None, *, within: Within | None = None
    ) -> tuple[str, str]:
        """
        Why a protocol that has something to say gets nowhere with a server, which hears none of
        it.

        @return: kind and detail.
        """
        within = within or Eager()
        _, pipe, _ = self.reached(within, answerer, tls)
        assert within.lost is not None
        self.assertEqual(bytes(getattr(answerer, "received", b"")), b"")
        self.assertFalse(pipe.first.connected)
        found = handshakeRefusal(within.lost, "the next hop corp")
        assert found is not None
        self.assertTrue(found.detail.isprintable())
        return found.kind, found.detail
