"""
TLS between the load and a proxy: a socket that is used like a plain one, and a
certificate to serve it with.

It knows neither tunnels nor modes.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["CERTIFICATE", "SecureSocket", "clientContext", "writeCertificate"]

CERTIFICATE = "certificate.pem"
"""The name of the file with certificate and key."""

_PIT = memoryview(bytearray(256 * 1024))


def writeCertificate(folder: Path) -> Path:
    """
    Write a certificate for 127.0.0.1 that has signed itself, with its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / CERTIFICATE
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o644)  # a proxy may change its user before it reads it
    return path


@cache
def clientContext() -> ssl.SSLContext:
    """
    How the load speaks TLS: 1.3 where the proxy can, each time with a whole
    handshake, and whoever answers is believed.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SecureSocket:
    """
    TLS over a connected socket that does not block, with the calls that the load
    makes of a plain one.  What is not possible yet raises C{BlockingIOError}.
    """

    __slots__ = ("_tls",)

    def __init__(self, sock: socket.socket) -> None:
        """
        @param sock: is not used by anybody else from here on.
        """
        self._tls = clientContext().wrap_socket(
            sock, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )

    def handshake(self) -> None:
        """
        Go on with the handshake.

        @raise BlockingIOError: it is not over yet, and waits for the proxy.
        """
        try:
            self._tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error

    def fileno(self) -> int:
        """The descriptor, -1 when it is closed."""
        return self._tls.fileno()

    def recv(self, size: int) -> bytes:
        """Octets that have arrived; none at the end of the stream."""
        try:
            return self._tls.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error

    def send(self, octets: bytes) -> int:
        """Send what fits, as one record at most."""
        try:
            return self._tls.send(octets[:16384])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error

    def discard(self) -> int:
        """
        Decrypt and drop what has arrived, as far as 256 KiB.

        @return: octets dropped; 0 at the end of the stream.
        """
        total = 0
        try:
            while total < len(_PIT):
                got = self._tls.recv_into(_PIT[total:])
                if not got:
                    break
                total += got
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if not total:
                raise BlockingIOError from error
        return total

    def setsockopt(self, *option: int | bytes) -> None:
        """As the socket's."""
        self._tls.setsockopt(*option)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the socket, without a word of TLS, as most clients do."""
        self._tls.close()
