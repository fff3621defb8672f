"""
Web servers for clients that speak HTTPS, with certificates of an authority made for them.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import ipaddress
import ssl
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Web", "authority", "readBody"]

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Authority(NamedTuple):
    """
    Files in PEM.

    @ivar certificate: the authority's own, for clients to trust.
    @ivar chain: a certificate for C{localhost} and 127.0.0.1.
    @ivar key: the key of that one.
    """

    certificate: Path
    chain: Path
    key: Path


def _builder(subject: str, issuer: str, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """
    What both certificates have.
    """
    names = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (subject, issuer))
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(next(names))
        .issuer_name(next(names))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """
    What a key is for.
    """
    uses = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    none = dict.fromkeys((*uses, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **none)


@functools.cache
def authority() -> Authority:
    """
    An authority, made anew for this run.
    """
    temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
    atexit.register(temporary.cleanup)
    root, leaf = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    us = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    certificate = (
        _builder("connectproxy tests", "connectproxy tests", root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(us, critical=False)
        .sign(root, SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    chain = (
        _builder("localhost", "connectproxy tests", leaf)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(us), critical=False)
        .sign(root, SHA256())
    )
    made = Authority(*(Path(temporary.name) / name for name in ("ca.pem", "chain.pem", "key.pem")))
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.chain.write_bytes(chain.public_bytes(Encoding.PEM))
    made.key.write_bytes(leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def readBody(request: BaseHTTPRequestHandler) -> bytes:
    """
    Read the body of a request, by its length or in chunks.
    """
    if request.headers["Transfer-Encoding"] is None:
        return request.rfile.read(int(request.headers["Content-Length"] or 0))
    body = []
    while size := int(request.rfile.readline(), 16):
        body.append(request.rfile.read(size))
        assert request.rfile.readline() == b"\r\n"
    assert request.rfile.readline() == b"\r\n"
    return b"".join(body)


class _Request(BaseHTTPRequestHandler):
    """
    Answers with a page of its server's, or sends a body back, its last octet first.
    """

    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.server.page(path)
        self.send_response(404 if body is None else 200)
        body = b"there is no such page\n" if body is None else body
        self.send_header("Content-Type", TYPES.get(Path(path).suffix, "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = readBody(self)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_request(self, *args: Any) -> None:
        """
        Nothing is written.
        """

    log_error = log_request


class _Server(ThreadingHTTPServer):
    """
    A thread for each connection.
    """

    request_queue_size = 128
    pages: Mapping[str, bytes] | Path
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        """
        Accept; the handshake waits for the connection's own thread.

        What has been reset before it was accepted is closed here: Python's ssl would raise and
        leave its socket open.
        """
        sock, address = self.socket.accept()
        try:
            sock.getpeername()
        except OSError:
            sock.close()
            raise
        if self.context is None:
            return sock, address
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    def page(self, path: str) -> bytes | None:
        """
        The body for a path.
        """
        if not isinstance(self.pages, Path):
            return self.pages.get(path)
        file = self.pages / path.lstrip("/")
        return file.read_bytes() if file.is_file() and ".." not in path else None

    def shutdown_request(self, request: Any) -> None:
        """
        Say goodbye as TLS wants it.
        """
        if isinstance(request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                request.unwrap()
        ThreadingHTTPServer.shutdown_request(self, request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Clients may vanish.
        """


class Web:
    """
    A web server in threads of its own.

    @ivar address: its host, by name, and port.
    @ivar url: where its pages are, without a slash at the end.
    """

    def __init__(
        self, pages: Mapping[str, bytes] | Path, *, tls: bool = True, made: Authority | None = None
    ) -> None:
        """
        @param pages: the body of each path, or the directory that they are in.
        @param made: other certificates than for C{localhost}.
        """
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.pages = pages
        if tls:
            made = made or authority()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(made.chain, made.key)
            self._server.context = context
        self.port: int = self._server.server_address[1]
        self.address = f"localhost:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """
        Serve no more.
        """
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
