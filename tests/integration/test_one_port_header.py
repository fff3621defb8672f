"""
The one port from outside: PROXY headers, and users.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectproxy.certificates import makeServer
from connectproxy.wire.proxyheader import SIGNATURE
from tests.integration.origins import Web
from tests.integration.raw import head, listening, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import GUARD, Proxy, environment
from tests.integration.secured import SecureCase

pytestmark = pytest.mark.integration

LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 8080\r\n"
BLOCK = SIGNATURE + b"\x21\x11\x00\x0c" + bytes((203, 0, 113, 9, 198, 51, 100, 1)) + b"\x12\x67\x1f\x90"
CLIENT = "203.0.113.9:4711"

HAPROXY = """\
defaults
    mode tcp
    timeout client 60s
    timeout connect 60s
    timeout server 60s
frontend clients
    bind fd@{number}
    default_backend proxies
backend proxies
    server one 127.0.0.1:{port} send-proxy-v2
"""


class HeaderTests(SecureCase):
    """
    PROXY headers (conformance 78).
    """

    def balanced(self, *arguments: str) -> Proxy:
        """
        A proxy that has 127.0.0.1 for a load balancer.
        """
        return self.started("--proxy-protocol-from", "127.0.0.1/32", *arguments)

    def from2(self, proxy: Proxy) -> socket.socket:
        """
        Connect from another address.
        """
        return self.closing(
            socket.create_connection(("127.0.0.1", proxy.port), GUARD, source_address=("127.0.0.2", 0))
        )

    def test_introduced(self) -> None:
        """
        The client is the one that the header names, in either version, whole or octet by
        octet, in clear and before TLS (conformance 78).
        """
        proxy = self.balanced()
        for header in (LINE, BLOCK):
            for pieces in ([header], [bytes([octet]) for octet in header]):
                for tls in (False, True):
                    proxy.mark()
                    if tls and len(pieces) == 1:
                        client: Any = self.secured(proxy, header)
                    elif tls:
                        continue
                    else:
                        client = self.connect(proxy)
                        for piece in pieces:
                            client.sendall(piece)
                    name = nameOf(client)
                    origin = self.throughTLS(proxy, client)
                    self.assertPings(client, origin)
                    client.close()
                    origin.close()
                    event = proxy.event(CLIENT)
                    self.assertEqual((event["sender"], event["tls"] is not None), (name, tls))

    def test_missing(self) -> None:
        """
        Without one a listed sender is closed at once, without an answer.
        """
        proxy = self.balanced()
        with self.connect(proxy) as client:
            name = nameOf(client)
            client.sendall(head("example.com:443"))
            self.assertEqual(readToEnd(client)[0], b"")
        event = proxy.event(name)
        self.assertEqual((event["error"], event["protocol"]), ("proxy_header_error", "proxy"))

    def test_strangers(self) -> None:
        """
        Others need none and are not believed one (conformance 78).
        """
        proxy = self.balanced()
        with self.from2(proxy) as client:
            self.assertPings(client, self.throughTLS(proxy, client))
        for header in (LINE, BLOCK):
            with self.from2(proxy) as client:
                name = nameOf(client)
                client.sendall(header + head("example.com:443"))
                answer = readAnswer(client)
            self.assertEqual(answer.status, 400)
            event = proxy.event(name)
            self.assertIn(event["reason"], answer.body)
            self.assertEqual((event["error"], event["sender"]), ("proxy_header_error", None))
            self.assertIn("proxy_protocol_from", event["reason"])

    def test_slow(self) -> None:
        """
        One that does not come in time is not waited for.
        """
        proxy = self.listening('proxy_protocol_from = ["127.0.0.1"]', "handshake = 0.5")
        for octets in (b"", LINE[:20], BLOCK[:14]):
            client = self.connect(proxy)
            name = nameOf(client)
            client.sendall(octets)
            self.assertEqual(readToEnd(client)[0], b"")
            self.assertIn("no whole PROXY header after 0.5 s", proxy.event(name)["reason"])

    @contextmanager
    def haproxy(self, proxy: Proxy) -> Iterator[int]:
        """
        Have HAProxy stand before the proxy.

        @return: its port.
        """
        program = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        assert program is not None, "haproxy is not installed; see tests/integration/packages.txt"
        config = self.directory / "haproxy.cfg"
        with listening() as port:
            config.write_text(HAPROXY.format(number=port.fileno(), port=proxy.port))
            process = subprocess.Popen(
                [program, "-db", "-q", "-f", str(config)],
                pass_fds=[port.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            number = port.getsockname()[1]
        try:
            yield number
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=GUARD)

    def test_haproxy(self) -> None:
        """
        Behind HAProxy, which passes TLS on, the event names the client that connected to
        it; curl does not notice.
        """
        proxy = self.balanced()
        web = self.closing(Web({"/": b"a page"}, tls=False))
        with self.haproxy(proxy) as port:
            for scheme in ("http", "https", "socks5h"):
                proxy.mark()
                said = subprocess.run(
                    [
                        "curl", "-q", "-sS", "--noproxy", "", "-w", "\n%{local_ip}:%{local_port}", "--proxy-insecure",
                        "-x", f"{scheme}://127.0.0.1:{port}", f"{web.url}/",
                    ],
                    capture_output=True,
                    env=environment(),
                    timeout=GUARD,
                    check=True,
                ).stdout.decode()  # fmt: skip
                page, _, name = said.rpartition("\n")
                self.assertEqual(page, "a page")
                event = proxy.event(name)
                self.assertEqual(event["tls"] is not None, scheme == "https")
                self.assertTrue(event["sender"].startswith("127.0.0.1:"))


class UserTests(SecureCase):
    """
    Users.
    """

    def test_secrets(self) -> None:
        """
        Wrong credentials are refused in every protocol, right ones are not, and neither are
        in the proxy's log or its events, in clear or encoded (conformance 65 and 69).
        """
        self.put("other.pem", makeServer(self.ca, ["x.example"]))
        secret = self.directory / "secret"
        secret.write_text("ann:Sesame-1\n")
        proxy = self.started("--auth", f"@{secret}")
        origin = self.origin()
        target = f"127.0.0.1:{origin.getsockname()[1]}"
        encoded = [
            base64.b64encode(pair).decode() for pair in (b"ann:Sesame-1", b"ann:Sesame-2", b"Sesame-3")
        ]
        for word, status in (*zip(encoded, (200, 407, 407), strict=True), ("Sesame-4!", 407), ("", 407)):
            for connect in (self.connect, self.secured):
                with connect(proxy) as client:
                    field = f"Proxy-Authorization: Basic {word}\r\n\r\n".encode() if word else b"\r\n"
                    client.sendall(head(target)[:-2] + field)
                    answer = readAnswer(client)
                self.assertEqual(answer.status, status)
                challenge = answer.fields.get("proxy-authenticate")
                self.assertEqual(
                    challenge, 'Basic realm="connectproxy", charset="UTF-8"' if status == 407 else None
                )
                self.assertNotIn("Sesame", answer.body)
        for password, verdict in ((b"Sesame-1", 0), (b"Sesame-5", 1)):
            with self.secured(proxy) as client:
                client.sendall(b"\x05\x01\x02\x01\x03ann" + bytes([len(password)]) + password)
                self.assertEqual(readExactly(client, 3), b"\x05\x02\x01")
                self.assertEqual(bool(readExactly(client, 1)[0]), bool(verdict))
        with self.connect(proxy) as client:  # a head that breaks off, and one that is malformed
            client.sendall(head(target)[:-2] + b"Proxy-Authorization: Basic Sesame-6")
        with self.connect(proxy) as client:
            client.sendall(head(target)[:-2] + b"Proxy-Authorization : Basic Sesame-7\r\n\r\n")
            readAnswer(client)
        proxy.waitForEvents(12)
        said = proxy.log() + proxy.access.read_text()
        for each in ("Sesame", *encoded):
            self.assertNotIn(each, said)
        self.assertIn('"user":"ann"', said)
        command = Path(f"/proc/{proxy.process.pid}/cmdline").read_bytes()
        self.assertNotIn(b"Sesame", command)
