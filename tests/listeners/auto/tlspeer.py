"""
Certificates for tests, and a client that speaks TLS over a fake pipe.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from OpenSSL import SSL

from connectproxy.certificates import Issued, makeAuthority, makeClient, makeServer
from tests.fakes import Peer

__all__ = ["Filed", "TLSPeer", "authority", "certified", "known"]


@cache
def _directory() -> Any:
    """
    A place for files that goes with the process.
    """
    return tempfile.TemporaryDirectory(prefix="connectproxy-")


class Filed(NamedTuple):
    """
    A certificate, and the file that has it with its key.
    """

    issued: Issued
    file: str


def filed(issued: Issued, name: str) -> Filed:
    """
    Write one into a file.
    """
    path = Path(_directory().name) / f"{name}.pem"
    path.write_bytes(issued.certificatePEM + issued.keyPEM)
    return Filed(issued, str(path))


@cache
def _authority(name: str) -> Filed:
    return filed(makeAuthority(name), name)


def authority(name: str = "ca.example") -> Filed:
    """
    A CA for all tests.
    """
    return _authority(name)


@cache
def certified(name: str = "proxy.example") -> Filed:
    """
    A server's certificate of the CA's.
    """
    return filed(makeServer(authority().issued, [name]), name)


@cache
def known(name: str = "client.example", by: str = "ca.example") -> Filed:
    """
    A client's certificate.
    """
    return filed(makeClient(authority(by).issued, name), name)


class TLSPeer(Peer):
    """
    A client that speaks TLS, at its own end of a fake pipe.

    @ivar plain: what it has been told, decrypted.
    @ivar handshaken: its side of the handshake is over.
    @ivar error: what went wrong with it.
    @ivar first: octets that go out before TLS.
    """

    def __init__(
        self,
        *,
        alpn: tuple[bytes, ...] = (),
        client: Filed | None = None,
        newest: int | None = None,
        name: bytes = b"proxy.example",
        first: bytes = b"",
    ) -> None:
        Peer.__init__(self)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if alpn:
            context.set_alpn_protos(list(alpn))
        if client is not None:
            context.use_certificate_file(client.file)
            context.use_privatekey_file(client.file)
        if newest is not None:
            context.set_max_proto_version(newest)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
        self.tls = SSL.Connection(context, None)
        self.tls.set_tlsext_host_name(name)
        self.tls.set_connect_state()
        self.plain = bytearray()
        self.first = first
        self.handshaken = False
        self.closed = False
        self.error: Exception | None = None

    def hello(self) -> bytes:
        """
        The first octets of its handshake.
        """
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            pass
        return self.first + self.tls.bio_read(1 << 16)

    def begin(self) -> None:
        """
        Begin the handshake.
        """
        self.transport.write(self.hello())

    def say(self, octets: bytes) -> None:
        """
        Send octets within TLS, if there is any.
        """
        if self.error is None:
            self.tls.send(octets)
            self._flush()

    def dataReceived(self, data: bytes) -> None:
        Peer.dataReceived(self, data)
        if self.error is not None:
            return
        self.tls.bio_write(data)
        try:
            if not self.handshaken:
                self.tls.do_handshake()
                self.handshaken = True
            while True:
                self.plain += self.tls.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            self.error = error
        self._flush()

    def _flush(self) -> None:
        try:
            while True:
                self.transport.write(self.tls.bio_read(1 << 16))
        except SSL.WantReadError:
            pass
