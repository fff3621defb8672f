"""
Tests at a proxy with certificates of their own.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
from typing import Any

from connectproxy.certificates import Issued, makeAuthority, makeServer
from tests.integration.case import ProxyTestCase
from tests.integration.raw import head, readAnswer
from tests.integration.running import GUARD, LOCAL, Proxy, environment

__all__ = ["SecureCase"]


class SecureCase(ProxyTestCase):
    """
    Tests with certificates of their own.
    """

    def setUp(self) -> None:
        """
        A CA, and a certificate in a file that can be replaced.
        """
        self.directory = self.temporary()
        self.ca = makeAuthority("connectproxy tests")
        self.trusted = self.put("ca.pem", self.ca)
        self.file = self.put("proxy.pem", makeServer(self.ca, ["proxy.example"]))

    def put(self, name: str, issued: Issued) -> str:
        """
        Write a certificate and its key into one file, at once.
        """
        path, fresh = self.directory / name, self.directory / "fresh"
        fresh.write_bytes(issued.certificatePEM + issued.keyPEM)
        fresh.replace(path)
        return str(path)

    def started(self, *arguments: str, **more: Any) -> Proxy:
        """
        Start a proxy that has the certificate.
        """
        return self.launch(*LOCAL, "--tls-certificate", self.file, *arguments, **more)

    def listening(self, table: str, timeouts: str = "") -> Proxy:
        """
        Start one with a C{[[listen]]} table.
        """
        config = (
            f'[[listen]]\nendpoint = "tcp:0:interface=127.0.0.1"\ntls_certificate = "{self.file}"\n{table}\n'
            f"[timeouts]\n{timeouts}\n"
        )
        return self.launch(*LOCAL, config=config, listen=())

    def secured(
        self,
        proxy: Proxy,
        first: bytes = b"",
        *,
        shows: str = "",
        name: str = "proxy.example",
    ) -> ssl.SSLSocket:
        """
        Connect by TLS.

        @param first: octets that go out before.
        """
        context = ssl.create_default_context(cafile=self.trusted)
        context.check_hostname = False
        if shows:
            context.load_cert_chain(shows)
        sock = self.connect(proxy)
        sock.sendall(first)
        return self.closing(context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False))

    def client(self, proxy: Proxy, *options: str) -> str:
        """
        Connect by openssl's client, which says all that it sees.
        """
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-CAfile", self.trusted, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=GUARD,
            check=False,
        ).stdout.decode()

    def shown(self, proxy: Proxy) -> str:
        """
        The name in the certificate that the proxy shows.
        """
        with self.secured(proxy) as client:
            certificate: Any = client.getpeercert()
        ((_, name),) = certificate["subjectAltName"]
        return str(name)

    def throughTLS(self, proxy: Proxy, client: Any) -> socket.socket:
        """
        Make a tunnel by a connection that is there.

        @return: the origin's end.
        """
        origin = self.origin()
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        self.assertEqual(readAnswer(client).status, 200)
        return self.accept(origin)
