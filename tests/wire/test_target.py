"""
Tests of L{connectproxy.wire.target}.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import parseAuthority
from connectproxy.errors import Refusal
from connectproxy.wire import target as module
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.target import Target, parseTarget, readAuthority, targetForm
from tests.wire.feeding import examples


def head(target: bytes, method: str = "GET") -> RequestHead:
    """A head with a target."""
    return RequestHead(method, target, 1, ((b"host", b"other.example"),))


class TargetFormTests(SynchronousTestCase):
    """
    L{targetForm}.
    """

    def test_forms(self) -> None:
        """The four forms of RFC 9112 section 3.2."""
        for octets, form in (
            (b"/", "origin"), (b"/a?b", "origin"), (b"//a/b", "origin"), (b"/http://a/", "origin"), (b"*", "asterisk"),
            (b"http://a/", "absolute"), (b"HTTP://a", "absolute"), (b"https://a/", "absolute"), (b"ftp://a", "absolute"),
            (b"a+b-c.1://", "absolute"), (b"a.example:80", "authority"), (b"a", "authority"), (b"**", "authority"),
            (b"1a://b", "authority"), (b"://b", "authority"), (b"http:/a", "authority"), (b"?", "authority"),
        ):  # fmt: skip
            self.assertEqual(targetForm(head(octets)), form, octets)
            self.assertEqual(targetForm(head(octets, "CONNECT")), "authority")


class ParseTargetTests(SynchronousTestCase):
    """
    L{parseTarget} and L{readAuthority}.
    """

    def assertTarget(
        self, octets: bytes, authority: bytes, path: bytes, hostField: bytes, method: str = "GET"
    ) -> None:
        """The target leads there, with this path and this Host."""
        destination = parseAuthority(authority)
        assert not isinstance(destination, Refusal)
        for _ in range(2):
            self.assertEqual(parseTarget(head(octets, method)), Target(destination, path, hostField))

    def assertRefused(self, octets: bytes, words: str, kind: str = "http_request_error") -> None:
        """The target is refused, without its secrets."""
        for _ in range(2):
            refusal = parseTarget(head(octets))
            assert isinstance(refusal, Refusal), refusal
            self.assertEqual(refusal.kind, kind)
            self.assertIn(words, refusal.detail)
            self.assertNotIn("secret", refusal.detail)
            self.assertTrue(refusal.detail.isascii() and refusal.detail.isprintable())

    def test_authority(self) -> None:
        """Host comes from the target, not from the Host field; 80 is the default port (conformance 26)."""
        for authority, where in (
            (b"a.example", b"a.example:80"), (b"a.example:80", b"a.example:80"), (b"a.example:8080", b"a.example:8080"),
            (b"A.Example.", b"A.Example.:80"), (b"192.0.2.1:1", b"192.0.2.1:1"), (b"[2001:db8::1]", b"[2001:db8::1]:80"),
            (b"[2001:DB8::1]:81", b"[2001:DB8::1]:81"), (b"a.example:0080", b"a.example:80"),
        ):  # fmt: skip
            self.assertTarget(b"http://" + authority + b"/", where, b"/", authority)
        for authority in (b"a.example:", b"[2001:db8::1]:"):
            self.assertTarget(b"http://" + authority + b"/", authority + b"80", b"/", authority[:-1])

    def test_scheme(self) -> None:
        """Schemes are case-insensitive, and ws is http that wants an upgrade (RFC 6455 section 3)."""
        for scheme in (b"http", b"HTTP", b"hTtP", b"ws", b"WS"):
            self.assertTarget(scheme + b"://a/b", b"a:80", b"/b", b"a")

    def test_pathAndQuery(self) -> None:
        """Not an octet of path and query is altered (conformance 32)."""
        for path in (
            b"/", b"/a/../b/./c", b"/%7euser/%2E%2e/%zz", b"//a//", b"/a?b=c&d", b"/?", b"/??a", b"/a?/b?c",
            b"/http://b:81/", b"/a@b:c", b"/a;b=c", b"/\\|{}^`\"<>", b"/" + b"a" * 5000, b"/a?u=http://b@c/",
        ):  # fmt: skip
            for method in ("GET", "OPTIONS", "get"):
                self.assertTarget(b"http://a.example" + path, b"a.example:80", path, b"a.example", method)
        every = bytes(octet for octet in range(0x21, 0x7F) if octet != 0x23)
        self.assertTarget(b"http://a/" + every, b"a:80", b"/" + every, b"a")

    def test_emptyPath(self) -> None:
        """No path is C{/}, and for OPTIONS without a query C{*} (conformance 31)."""
        for method, octets, path in (
            ("GET", b"http://a", b"/"), ("GET", b"http://a?b", b"/?b"), ("GET", b"http://a?", b"/?"),
            ("OPTIONS", b"http://a", b"*"), ("OPTIONS", b"http://a:", b"*"), ("OPTIONS", b"http://a/", b"/"),
            ("OPTIONS", b"http://a?b", b"/?b"), ("OPTIONS", b"http://a?", b"/?"), ("options", b"http://a", b"/"),
        ):  # fmt: skip
            self.assertTarget(octets, b"a:80", path, b"a", method)

    def test_userinfo(self) -> None:
        """User information is refused and not shown (conformance 26)."""
        for authority in (
            b"me:secret@a",
            b"secret@a:80",
            b"@a",
            b"me:secret@",
            b"a:80@secret:81",
            b"a\\@secret",
        ):
            self.assertRefused(
                b"http://" + authority + b"/", "user information" if b"\\" not in authority else "has"
            )

    def test_fragment(self) -> None:
        """A target has no fragment."""
        for octets in (b"http://a/#secret", b"http://a#", b"http://a/?b#secret", b"http://#"):
            self.assertRefused(octets, "fragment")

    def test_hosts(self) -> None:
        """Hosts and ports are what they are for CONNECT (conformance 1 to 5)."""
        for octets, words in (
            (b"http://", "no host"), (b"http:///secret", "no host"), (b"http://?secret", "no host"), (b"http://:80/", "no host"),
            (b"http://a:0/", "port 0"), (b"http://a:65536/", "port 65536"), (b"http://a:+80/", "no valid port"),
            (b"http://a:80:81/", "colon"), (b"http://2001:db8::1/", "colon"), (b"http://[v1.a]/", "future version"),
            (b"http://[fe80::1%25eth0]/", "zone"), (b"http://a%2eb/", "percent"), (b"http://127.1/", "number"),
            (b"http://0x7f000001/", "number"), (b"http://a..b/", "empty label"), (b"http://a\\b/", "scheme, a path"),
            (b"http://" + b"a" * 400 + b"/", "longer"), (b"http://[::1/", "colon or a bracket"), (b"http://[]/", "IPv6"),
            (b"http://a:123456/", "no valid port"),
        ):  # fmt: skip
            self.assertRefused(octets, words)

    def test_schemes(self) -> None:
        """Another scheme is not served, which is told apart from a mistake (conformance 47)."""
        for octets, scheme in (
            (b"https://a/", "https"),
            (b"HTTPS://u:secret@a", "https"),
            (b"wss://a/secret", "wss"),
        ):
            self.assertRefused(octets, f"the scheme is {scheme}", "http_scheme_not_supported")
        self.assertRefused(b"x" * 99 + b"://a", "x" * 20 + "...", "http_scheme_not_supported")
        for octets in (b"/a", b"*", b"a:80", b"http:a", b"http:/a", b"://a", b"1http://a"):
            self.assertRefused(octets, "no absolute URI")

    def test_readAuthority(self) -> None:
        """HTTP/2 has the authority by itself, and it is read alike."""
        expected = parseAuthority(b"a.example:80")
        self.assertEqual(readAuthority(b"a.example"), (expected, b"a.example"))
        for authority in (b"", b"me@a", b"a/b", b"a" * 301):
            self.assertIsInstance(readAuthority(authority), Refusal)

    def test_isBounded(self) -> None:
        """A flood of targets does not let the cache grow, and a long one does not get in."""
        module._read.cache_clear()
        parseTarget(head(b"http://" + b"a" * 301 + b"/"))
        self.assertEqual(module._read.cache_info().currsize, 0)
        self.assertIsNotNone(module._read.cache_info().maxsize)

    @examples
    @given(st.text("ab.:/?@#[]\\1%-", max_size=12), st.text("ab/?#@:", max_size=9))
    def test_noOtherReaderSeesAnotherHost(self, authority: str, path: str) -> None:
        """Where a target is taken, the standard library sees the same host, port, path and query in it."""
        url = f"http://{authority}{path}"
        found = parseTarget(head(url.encode()))
        if isinstance(found, Refusal):
            return
        split = urlsplit(url)
        self.assertEqual((split.username, split.fragment), (None, ""))
        assert split.hostname is not None
        self.assertEqual(
            (split.hostname.rstrip("."), split.port or 80), (found.destination.host, found.destination.port)
        )
        origin = re.sub(r"^[^/?]*", "", url.removeprefix("http://"))
        self.assertEqual(found.path.decode(), origin if origin.startswith("/") else "/" + origin)
        self.assertEqual(found.hostField.decode().rstrip(":"), split.netloc.rstrip(":"))
