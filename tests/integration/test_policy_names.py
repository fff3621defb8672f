"""
Rules about the server name of the client's TLS, with real clients; and what a client that is
denied is told, in the form that it asks for.
"""

from __future__ import annotations

import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.origins import Web, authority
from tests.integration.program import NEAR, PAGE, ProgramTestCase
from tests.integration.raw import head, nameOf, readAnswer, readExactly
from tests.integration.running import GUARD, environment

pytestmark = pytest.mark.integration

RULES = """
[policy]
default = "allow"
contact = "Ask ops@example.com."

[[rule]]
name = "hidden"
action = "deny"
server_names = [".secret.test", "other.example"]

[[rule]]
name = "fronted"
action = "deny"
destinations = ["localhost"]
server_name = "other"

[[rule]]
name = "nameless"
action = "deny"
networks = ["127.0.0.9/32"]
server_name = "none"

[[rule]]
name = "teapots"
action = "deny"
destinations = ["teapot.test"]
message = "Tea is served at 5 o'clock \\u2615; see https://tea.example/ and {not a format}."
"""


class ServerNameTests(ProgramTestCase):
    """
    By the relay that splices.
    """

    arguments = NEAR
    config = RULES
    relay = "splice"

    def curl(self, *words: str | Path, status: int = 0) -> bytes:
        """
        Run curl with the proxy.
        """
        options = ("--noproxy", "", "--cacert", authority().certificate, "-x", self.proxy.url, "-k")
        return self.command("curl", "-q", "-sS", *options, *words, status=status)

    def named(
        self, name: str, web: Web, host: str = "127.0.0.1", *, scheme: str = "", status: int = 0
    ) -> bytes:
        """
        Fetch a page of a server by a name that the tunnel is not asked for.

        @param host: what it is asked for.
        """
        way = ("--connect-to", f"{name}:{web.port}:{host}:{web.port}")
        other = ("-x", f"{scheme}://127.0.0.1:{self.proxy.port}") if scheme else ()
        return self.curl(*way, *other, f"https://{name}:{web.port}/", status=status)

    def only(self) -> dict[str, Any]:
        """
        The one event.
        """
        self.proxy.waitForEvents(1)
        (event,) = self.proxy.events()
        self.proxy.mark()
        return event

    def assertDenied(self, rule: str, name: str | None) -> None:
        """
        The tunnel was up and ended before anything came through it.
        """
        event = self.only()
        found = event["event"], event["decision"], event["rule"], event["server_name"], event["bytes_up"]
        self.assertEqual(found, ("refusal", "deny", rule, name, 0), event)

    def assertAllowed(self, name: str | None) -> None:
        """
        The tunnel was carried.
        """
        event = self.only()
        found = event["event"], event["decision"], event["server_name"], event["relay"]
        self.assertEqual(found, ("tunnel", "allow", name, self.relay), event)

    def test_curl(self) -> None:
        """
        A tunnel to an address does not hide the name from a rule; another name passes, and its
        first flight arrives whole.
        """
        web = self.web()
        for scheme in ("http", "socks5h"):
            for name in ("secret.test", "a.b.secret.test", "SECRET.test", "other.example"):
                self.named(name, web, scheme=scheme, status=35)
                self.assertDenied("hidden", name.lower())
            for name in ("open.test", "notsecret.test", "localhost"):
                self.assertEqual(self.named(name, web, scheme=scheme), PAGE)
                self.assertAllowed(name)

    def test_other(self) -> None:
        """
        A tunnel that is asked for by one name does not lead to another.
        """
        web = self.web()
        self.named("front.example", web, "localhost", status=35)
        self.assertDenied("fronted", "front.example")
        self.assertEqual(self.curl(f"{web.url}/"), PAGE)
        self.assertAllowed("localhost")

    def test_none(self) -> None:
        """
        Where a name is demanded, TLS without one is denied, and so is what is no TLS.
        """
        origin = self.origin("127.0.0.9")
        target = f"127.0.0.9:{origin.getsockname()[1]}"
        for octets in (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n"):
            client = self.connect()
            client.sendall(head(target) + octets)
            self.assertEqual(readAnswer(client).status, 200)
            with self.accept(origin) as peer:
                self.assertEqual(self.came(peer), b"")
            self.assertDenied("nameless", None)

    def came(self, sock: Any) -> bytes:
        """
        What comes before the end, however that comes.
        """
        try:
            return readExactly(sock, 1)
        except ConnectionError:
            return b""

    def openssl(self, web: Web, *options: str) -> str:
        """
        Make a handshake through a tunnel to an address.
        """
        proxy = f"127.0.0.1:{self.proxy.port}"
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{web.port}", "-proxy", proxy, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=GUARD,
            check=False,
        ).stdout.decode()

    def test_openssl(self) -> None:
        """
        C{openssl s_client}, by either version of TLS, with a name and with none.
        """
        web = self.web()
        for version in ("-tls1_2", "-tls1_3"):
            self.assertNotIn("BEGIN CERTIFICATE", self.openssl(web, version, "-servername", "x.secret.test"))
            self.assertDenied("hidden", "x.secret.test")
            for options, name in ((("-servername", "x.test"), "x.test"), (("-noservername",), None)):
                self.assertIn("BEGIN CERTIFICATE", self.openssl(web, version, *options))
                self.assertAllowed(name)

    def test_pieces(self) -> None:
        """
        In pieces of one octet, or behind the request at once, the name is found all the same.
        """
        hello = self.hello("a.secret.test")
        origin = self.origin()
        target = f"127.0.0.1:{origin.getsockname()[1]}"
        for pieces in ([hello], [bytes([octet]) for octet in hello]):
            client = self.connect()
            name = nameOf(client)
            client.sendall(head(target) + (hello if len(pieces) == 1 else b""))
            self.assertEqual(readAnswer(client).status, 200)
            peer = self.accept(origin)
            for piece in pieces if len(pieces) > 1 else ():
                client.sendall(piece)
            self.assertEqual(self.came(peer), b"")
            self.assertEqual(self.proxy.event(name)["server_name"], "a.secret.test")

    def hello(self, name: str) -> bytes:
        """
        What a client sends first.
        """
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
        self.assertRaises(ssl.SSLWantReadError, connection.do_handshake)
        return outgoing.read()


class WiredServerNameTests(ServerNameTests):
    """
    By the relay that goes through Twisted.
    """

    config = RULES + "\n[relay]\nsplice = false\n"
    relay = "wired"


class ProblemTests(ProgramTestCase):
    """
    What a client that is denied reads.
    """

    arguments = NEAR
    config = RULES

    def curl(self, *words: str | Path, status: int = 0) -> bytes:
        """
        Run curl with the proxy.
        """
        return self.command("curl", "-q", "-sS", "--noproxy", "", "-x", self.proxy.url, *words, status=status)

    def test_tunnel(self) -> None:
        """
        For a CONNECT the client's fields for the proxy say what it wants.
        """
        for wanted, kind in (
            ("application/problem+json", "application/problem+json"),
            ("application/json, text/plain;q=0.5", "application/problem+json"),
            ("text/plain", "text/plain; charset=utf-8"),
            ("*/*", "text/plain; charset=utf-8"),
        ):
            said = self.curl(
                "-D", "-", "--proxy-header", f"Accept: {wanted}", "https://teapot.test:4430/", status=56
            )
            head = said.decode()
            self.assertIn(" 403 ", head.partition("\r\n")[0])
            self.assertIn(f"Content-Type: {kind}\r\n", head)
            self.assertIn("Proxy-Status: connectproxy; error=http_request_denied\r\n", head)

    def test_body(self) -> None:
        """
        The body names the rule, and says in the operator's words what to do.
        """
        found = json.loads(self.curl("-H", "Accept: application/problem+json", "http://teapot.test:4430/"))
        self.assertEqual(
            (found["status"], found["kind"], found["rule"]), (403, "http_request_denied", "teapots")
        )
        self.assertEqual(
            found["remedy"], "Tea is served at 5 o'clock \u2615; see https://tea.example/ and {not a format}."
        )
        self.assertEqual(found["destination"], "teapot.test:4430")
        text = self.curl("http://teapot.test:4430/").decode()
        self.assertIn("Rule: teapots.\n", text)
        self.assertIn("\u2615; see https://tea.example/ and {not a format}.\n", text)

    def test_contact(self) -> None:
        """
        Where a rule has no words of its own, it is the operator's for all.
        """
        for port, rule in ((80, "allow-ports"), (4430, "private-addresses")):
            found = json.loads(
                self.curl("-H", "Accept: application/problem+json", f"http://10.0.0.1:{port}/")
            )
            self.assertEqual(
                (found["status"], found["rule"], found["remedy"]), (403, rule, "Ask ops@example.com.")
            )

    def test_http2(self) -> None:
        """
        Over HTTP/2 just as well.
        """
        way = ("--http2-prior-knowledge", "--connect-to", f"teapot.test:4430:127.0.0.1:{self.proxy.port}")
        curl = ("curl", "-q", "-sS", "--noproxy", "*", *way, "-H", "Accept: application/problem+json")
        found = json.loads(self.command(*curl, "http://teapot.test:4430/"))
        self.assertEqual((found["status"], found["rule"]), (403, "teapots"))
