"""
Tests for L{connectproxy.page}.
"""

from __future__ import annotations

import html.parser
import re
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseAuthority
from connectproxy.page import PAC, isOwn, page, readHost
from tests.fakes import addressOf

_WAYS = re.compile(r'return "([^"]*)"')

HERE = addressOf("127.0.0.1", 8080)

UNIX = SimpleNamespace(name=b"/run/proxy")


class PageTests(SynchronousTestCase):
    """
    What is answered.
    """

    def page(
        self,
        path: bytes = b"/",
        *,
        method: str = "GET",
        host: bytes = b"proxy.example:3128",
        reached: Any = HERE,
        secure: bool = False,
        identifier: str = "connectproxy",
    ) -> str:
        """
        What a client gets; the rest is in C{status}, C{reason} and C{fields}.
        """
        self.status, self.reason, fields, body = page(method, path, host, reached, secure, identifier)
        self.fields = dict(fields)
        self.assertEqual(len(self.fields), len(fields))
        return body.decode("utf-8")

    def test_page(self) -> None:
        """
        There is a page that says what this is and how to use it, and that nobody may keep.
        """
        for secure, scheme in ((False, "http"), (True, "https")):
            text = self.page(b"/?query", secure=secure)
            self.assertEqual((self.status, self.reason), (200, "OK"))
            self.assertEqual(self.fields["Content-Type"], "text/html; charset=utf-8")
            self.assertEqual(self.fields["Cache-Control"], "no-store")
            for words in (
                f"curl -x {scheme}://proxy.example:3128 https://example.com/",
                f"export http_proxy={scheme}://proxy.example:3128",
                f"{scheme}://proxy.example:3128/proxy.pac",
                "<h1>connectproxy</h1>",
            ):
                self.assertIn(words, text)
            parser = html.parser.HTMLParser()
            parser.feed(text)
            parser.close()

    def test_pac(self) -> None:
        """
        The PAC file names each way that there is: by TLS, only that.
        """
        for secure, ways in (
            (False, "PROXY proxy.example:3128; SOCKS5 proxy.example:3128"),
            (True, "HTTPS proxy.example:3128"),
        ):
            script = self.page(PAC + b"?x=y", secure=secure)
            self.assertEqual(self.status, 200)
            self.assertEqual(self.fields["Content-Type"], "application/x-ns-proxy-autoconfig")
            self.assertEqual(_WAYS.findall(script), ["DIRECT", ways])

    def test_others(self) -> None:
        """
        There is nothing else, and nothing can be changed; the body of the answer to HEAD is for
        the listener to leave out.
        """
        self.assertIn("<strong>404 Not Found</strong>", self.page(b"/other"))
        self.assertEqual(self.status, 404)
        for path in (b"/", PAC, b"/other"):
            self.assertIn("<strong>405 Method Not Allowed</strong>", self.page(path, method="DELETE"))
            self.assertEqual((self.status, self.fields["Allow"]), (405, "GET, HEAD"))
            self.assertEqual(self.page(path, method="HEAD"), self.page(path))

    def test_reached(self) -> None:
        """
        Where the client does not name the proxy, the connection does; a UNIX socket has no name
        that would help.
        """
        for reached, shown in (
            (addressOf("2001:db8::1", 3128), "http://[2001:db8::1]:3128"),
            (addressOf("192.0.2.1", 3128), "http://192.0.2.1:3128"),
            (UNIX, "http://localhost:8080"),
        ):
            self.assertIn(f"curl -x {shown} ", self.page(host=b"", reached=reached))

    def test_escaped(self) -> None:
        """
        What the proxy calls itself can't break the page.
        """
        text = self.page(identifier="<script>alert(1)</script>")
        self.assertNotIn("<script>", text)
        self.assertIn("&lt;script&gt;", text)


class ReadHostTests(SynchronousTestCase):
    """
    What a client calls the proxy.
    """

    def test_read(self) -> None:
        """
        The port may be missing; what nobody could dial is nothing.
        """
        for host, secure, read in (
            (b"Proxy.example", False, "proxy.example:80"),
            (b"proxy.example", True, "proxy.example:443"),
            (b"[2001:DB8::1]", True, "[2001:db8::1]:443"),
            (b"192.0.2.5:8080", True, "192.0.2.5:8080"),
        ):
            self.assertEqual(str(readHost(host, secure)), read)
        for host in (b"", b"a..b", b"proxy.example:0", b"user@proxy.example", b"proxy.example:"):
            self.assertIs(readHost(host, secure=False), None, host)


class IsOwnTests(SynchronousTestCase):
    """
    What is the proxy itself.
    """

    def own(self, authority: bytes, reached: Any = HERE, serverName: bytes | None = None) -> bool:
        """
        What is said of an authority.
        """
        destination = parseAuthority(authority)
        assert isinstance(destination, Destination), destination
        return isOwn(destination, reached, serverName)

    def test_addresses(self) -> None:
        """
        It is the address and the port that the client has connected to, however either writes
        it; of another, be it this machine's, it is not known who is there.
        """
        for authority, reached, expected in (
            (b"127.0.0.1:8080", HERE, True),
            (b"127.0.0.1:8081", HERE, False),
            (b"127.0.0.2:8080", HERE, False),
            (b"[::1]:8080", HERE, False),
            (b"[0:0::1]:8080", addressOf("::1", 8080), True),
            (b"127.0.0.1:8080", addressOf("::ffff:127.0.0.1", 8080), True),
            (b"[::ffff:127.0.0.1]:8080", HERE, True),
            (b"192.0.2.1:80", addressOf("192.0.2.1", 80), True),
            (b"127.0.0.1:80", addressOf("192.0.2.1", 80), False),
            (b"127.0.0.1:8080", UNIX, False),
        ):
            self.assertIs(self.own(authority, reached), expected, (authority, reached))

    def test_localhost(self) -> None:
        """
        C{localhost} is a loopback address, and no other.
        """
        self.assertTrue(self.own(b"LocalHost:8080"))
        self.assertTrue(self.own(b"localhost:8080", addressOf("::1", 8080)))
        self.assertFalse(self.own(b"localhost:8081"))
        self.assertFalse(self.own(b"localhost:8080", addressOf("192.0.2.1", 8080)))

    def test_names(self) -> None:
        """
        Of all other names it is only the one that the client has asked for in TLS.
        """
        self.assertFalse(self.own(b"proxy.example:8080"))
        self.assertTrue(self.own(b"proxy.example:8080", serverName=b"Proxy.Example"))
        self.assertFalse(self.own(b"proxy.example:443", serverName=b"proxy.example"))
        self.assertFalse(self.own(b"other.example:8080", serverName=b"proxy.example"))
        self.assertFalse(self.own(b"other.example:8080", serverName=b"\xff"))
        self.assertTrue(self.own(b"127.0.0.1:8080", serverName=b"proxy.example"))
