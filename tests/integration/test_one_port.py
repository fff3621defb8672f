"""
The one port from outside: TLS and its certificates while they change, PROXY headers, and
users.  What whole clients make of it stands in the files beside this one.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectproxy.certificates import Issued, makeAuthority, makeClient, makeServer
from connectproxy.wire.proxyheader import SIGNATURE
from tests.integration.case import ProxyTestCase
from tests.integration.origins import Web
from tests.integration.raw import head, listening, nameOf, readAnswer, readExactly, readToEnd, reset
from tests.integration.running import GUARD, LOCAL, STOPPED, Proxy, environment, waitFor

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


class CertificateTests(SecureCase):
    """
    Certificates that are renewed while the proxy is up.
    """

    def test_hangUp(self) -> None:
        """
        By SIGHUP the next handshake shows the new certificate, and a tunnel that is up goes
        on.
        """
        proxy = self.started()
        client = self.secured(proxy)
        name = nameOf(client)
        origin = self.throughTLS(proxy, client)
        self.assertEqual(self.shown(proxy), "proxy.example")
        self.put("proxy.pem", makeServer(self.ca, ["renewed.example"]))
        os.kill(proxy.process.pid, signal.SIGHUP)
        proxy.waitForLog("TLS for renewed.example")
        self.assertEqual(self.shown(proxy), "renewed.example")
        self.assertPings(client, origin)
        client.close()
        origin.close()
        event = proxy.event(name)
        self.assertEqual((event["tls"], event["relay"], event["event"]), ("TLSv1.3", "wired", "tunnel"))

    def test_byItself(self) -> None:
        """
        A file that changes is taken up without a signal.
        """
        proxy = self.started()
        self.put("proxy.pem", makeServer(self.ca, ["renewed.example"]))
        proxy.waitForLog("TLS for renewed.example")
        self.assertEqual(self.shown(proxy), "renewed.example")

    def test_broken(self) -> None:
        """
        One that can't be used stays out: the one before is shown on, and the log says why.
        """
        proxy = self.started()
        Path(self.file).write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
        os.kill(proxy.process.pid, signal.SIGHUP)
        waitFor(lambda: "those from before stay in use" in proxy.log(), "word of the failure")
        self.assertIn(f"{self.file}: a certificate in it is damaged", proxy.log())
        self.assertEqual(self.shown(proxy), "proxy.example")
        proxy._checked = len(proxy.log())  # the error that was wanted
        self.put("proxy.pem", makeServer(self.ca, ["mended.example"]))
        proxy.waitForLog("TLS for mended.example")
        self.assertEqual(self.shown(proxy), "mended.example")

    def test_names(self) -> None:
        """
        Of two certificates the one is shown that the client's server name asks for; without
        a name, the first.
        """
        other = self.put("other.pem", makeServer(self.ca, ["*.other.example"]))
        proxy = self.started("--tls-certificate", other)
        for asked, shown in (
            (("-servername", "proxy.example"), "proxy.example"),
            (("-servername", "a.other.example"), "*.other.example"),
            (("-servername", "unknown.example"), "proxy.example"),
            (("-noservername",), "proxy.example"),
        ):
            said = self.client(proxy, *asked)
            self.assertIn("Verify return code: 0 (ok)", said)
            self.assertRegex(said, rf"subject=\s*CN ?= ?{shown.replace('*', '[*]')}\n")


class HandshakeTests(SecureCase):
    """
    Handshakes that come to nothing.
    """

    def test_version(self) -> None:
        """
        TLS 1.1 is refused, and the event says so; the log has no traceback.
        """
        proxy = self.started()
        self.client(proxy, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        proxy.waitForEvents(1)
        (event,) = proxy.events()
        self.assertEqual((event["error"], event["protocol"]), ("tls_handshake_failed", "tls"))
        self.assertIn("TLS 1.1 or older", event["reason"])
        proxy.check()

    def test_untrusted(self) -> None:
        """
        A client that does not trust the proxy is told of, in words for who has to mend it.
        """
        proxy = self.started()
        with self.assertRaises(ssl.SSLError), self.connect(proxy) as sock:
            ssl.create_default_context().wrap_socket(sock, server_hostname="proxy.example")
        proxy.waitForEvents(1)
        self.assertIn("does not trust the proxy's certificate", proxy.events()[0]["reason"])

    def test_stops(self) -> None:
        """
        A client that stops in the midst of it is cut off.
        """
        proxy = self.listening("", "handshake = 0.5")
        for octets in (b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"):
            client = self.connect(proxy)
            name = nameOf(client)
            client.sendall(octets)
            self.assertEqual(readToEnd(client)[0], b"")
            event = proxy.event(name)
            self.assertEqual(event["error"], "tls_handshake_failed")
            self.assertIn("not over after 0.5 s", event["reason"])

    def test_clear(self) -> None:
        """
        Where TLS is required, HTTP in clear is told so; where it is not, both are served.
        """
        answer = self.ask("example.com:443", self.listening("require_tls = true"))
        self.assertEqual(answer.status, 400)
        self.assertIn("https://", answer.body)
        proxy = self.started()
        self.assertPings(*self.tunnel(proxy=proxy))

    def test_protocols(self) -> None:
        """
        What is switched off is closed, with an event.
        """
        proxy = self.listening('protocols = ["http/1.1"]')
        client = self.secured(proxy)
        name = nameOf(client)
        client.sendall(b"\x05\x01\x00")
        self.assertEqual(client.recv(100), b"")
        event = proxy.event(name)
        self.assertEqual((event["error"], event["tls"]), ("protocol_not_served", "TLSv1.3"))
        self.assertIn("SOCKS 5, which is switched off", event["reason"])


class LeavingTests(SecureCase):
    """
    Clients that go away.
    """

    def hello(self) -> bytes:
        """
        The first flight of a handshake.
        """
        context, sent = ssl.create_default_context(), ssl.MemoryBIO()
        tls = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="proxy.example")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        return sent.read()

    def test_balanced(self) -> None:
        """
        Whenever clients go, and however, none counts as open afterwards: the proxy stops at
        once, for it waits for nobody, and has no descriptor left over.
        """
        proxy = self.started("--proxy-protocol-from", "127.0.0.2")
        hello = self.hello()
        openings = (
            b"", b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x05", b"\x05\x01\x00", b"\x04\x01",
            b"\x16", hello[:100], hello, b"\xff", LINE, LINE[:9] + hello, b"CONNECT 127.0.0.1:9 HTTP/1.1\r\n\r\n",
        )  # fmt: skip
        directory = Path(f"/proc/{proxy.process.pid}/fd")
        with self.connect(proxy) as client:  # so that whatever is opened once is open
            client.sendall(b"\xff")
            readToEnd(client)
        before = len(list(directory.iterdir()))
        for source in ("127.0.0.1", "127.0.0.2"):
            for leave in (reset, socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)):
                for octets in openings:
                    sock = socket.create_connection(
                        ("127.0.0.1", proxy.port), GUARD, source_address=(source, 0)
                    )
                    sock.sendall(octets)
                    leave(sock)
                    if sock.fileno() >= 0:
                        readToEnd(sock)
                        sock.close()
                for _ in range(3):
                    if source == "127.0.0.1":
                        leave(self.secured(proxy))
        waitFor(lambda: len(list(directory.iterdir())) <= before, "the last socket to be closed")
        proxy.check()
        proxy.terminate()
        self.assertEqual(proxy.wait(), STOPPED)
        self.assertNotIn("tunnels are up", proxy.log())


class ClientCertificateTests(SecureCase):
    """
    Clients that show certificates.
    """

    def setUp(self) -> None:
        """
        One for a client, and one of somebody else's.
        """
        super().setUp()
        self.known = self.put("client.pem", makeClient(self.ca, "client.example"))
        self.stranger = self.put("stranger.pem", makeClient(makeAuthority("strangers"), "client.example"))

    def asking(self, how: str) -> Proxy:
        """
        A proxy that asks for them.
        """
        return self.listening(f'client_certificates = "{how}"\nclient_ca = "{self.trusted}"')

    def assertServed(self, proxy: Proxy, shows: str, certificate: str | None) -> None:
        """
        A client gets its tunnel, and the event says who it was.
        """
        client = self.secured(proxy, shows=shows)
        name = nameOf(client)
        origin = self.throughTLS(proxy, client)
        self.assertPings(client, origin)
        client.close()
        origin.close()
        self.assertEqual(proxy.event(name)["certificate"], certificate)

    def assertNotServed(self, proxy: Proxy, shows: str, words: str) -> None:
        """
        A client gets no further than the handshake, and the event says why.
        """
        proxy.mark()
        with self.assertRaises((ssl.SSLError, ConnectionError)), self.secured(proxy, shows=shows) as client:
            client.sendall(head("127.0.0.1:9"))
            client.recv(100)
            raise ConnectionError  # the end of the stream will do
        proxy.waitForEvents(1)
        (event,) = proxy.events()
        self.assertEqual(event["error"], "tls_handshake_failed")
        self.assertIn(words, event["reason"])

    def test_required(self) -> None:
        """
        Where they are required nobody comes in without one of the CA's, nor in clear.
        """
        proxy = self.asking("required")
        self.assertServed(proxy, self.known, "CN=client.example")
        self.assertNotServed(proxy, "", "no certificate, which is required")
        self.assertNotServed(proxy, self.stranger, "not of a CA in client_ca")
        self.assertEqual(self.ask("example.com:443", proxy).status, 400)

    def test_optional(self) -> None:
        """
        Where they are optional one comes in without; but not with one that nobody trusts.
        """
        proxy = self.asking("optional")
        self.assertServed(proxy, self.known, "CN=client.example")
        self.assertServed(proxy, "", None)
        self.assertNotServed(proxy, self.stranger, "not of a CA in client_ca")


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
        octet, in clear and before TLS.
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
        Others need none and are not believed one.
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
