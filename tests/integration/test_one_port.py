"""
The one port from outside: TLS, and certificates that change.  What whole clients make of it
stands in the files beside this one.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from connectproxy.certificates import makeAuthority, makeClient, makeServer
from tests.integration.raw import head, nameOf, readToEnd, reset
from tests.integration.running import GUARD, STOPPED, Proxy, waitFor
from tests.integration.secured import SecureCase
from tests.integration.test_hostile import clientHello

pytestmark = pytest.mark.integration

LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 8080\r\n"


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
        waitFor(lambda: "from before stays in force" in proxy.log(), "word of the failure")
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

    def test_balanced(self) -> None:
        """
        Whenever clients go, and however, none counts as open afterwards: the proxy stops at
        once, for it waits for nobody, and has no descriptor left over.
        """
        proxy = self.started("--proxy-protocol-from", "127.0.0.2")
        hello = clientHello()
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
