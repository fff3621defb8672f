"""
Tests of what L{connectproxy.wire.forwarding} finds in heads.

What it writes is in L{tests.wire.test_forwarding_heads}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire import forwarding
from connectproxy.wire.forwarding import (
    checkRequest,
    loops,
    maxForwards,
    persistent,
    switching,
    upgradeOffered,
)
from connectproxy.wire.http1 import HeadReader, RequestHead
from connectproxy.wire.response import ResponseHead, ResponseReader

BAD = "http_request_error"
VIA = b"proxy-a1b2c3"
HOST = b"Host: b.example\r\n"


def request(
    lines: bytes, target: bytes = b"http://a.example/", method: str = "GET", minor: int = 1
) -> RequestHead:
    """The head with these field lines."""
    octets = b"%b %b HTTP/1.%d\r\n%b\r\n" % (method.encode(), target, minor, lines)
    head = HeadReader().receive(octets)
    assert isinstance(head, RequestHead), head
    return head


def response(lines: bytes, status: int = 200, minor: int = 1) -> ResponseHead:
    """The head with these field lines."""
    head = ResponseReader("GET").receive(b"HTTP/1.%d %d So\r\n%b\r\n" % (minor, status, lines))
    assert isinstance(head, ResponseHead), head
    return head


class CheckRequestTests(SynchronousTestCase):
    """
    L{checkRequest}.
    """

    def check(self, lines: bytes, minor: int = 1) -> str:
        """The detail of the refusal, or C{""}."""
        refusal = checkRequest(request(lines, minor=minor))
        self.assertEqual(refusal.kind if refusal else BAD, BAD)
        return refusal.detail if refusal else ""

    def test_host(self) -> None:
        """One valid Host field, whatever it names (conformance 12, 26)."""
        self.assertEqual(self.check(HOST), "")
        self.assertEqual(self.check(b"Host:\r\n"), "")
        self.assertEqual(self.check(b"X: y\r\n"), "there is no Host field; HTTP/1.1 demands one")
        self.assertEqual(self.check(b"", minor=0), "")
        self.assertEqual(self.check(HOST + b"X: y\r\n" + HOST), "there are 2 Host fields; there must be one")
        for value in (b"a b", b"a/b", b"me:secret@a", b"a, b", b"\xe9", b"a" * 400 + b"/"):
            for _ in range(2):
                detail = self.check(b"Host: " + value + b"\r\n")
                self.assertIn("the Host field is not host or host:port", detail)
                self.assertNotIn("secret", detail)

    def test_longHost(self) -> None:
        """A long value is judged like any other, and the rest of the head with it, but not kept."""
        forwarding._validHost.cache_clear()
        long = b"Host: " + b"a" * 400 + b"\r\n"
        self.assertEqual(self.check(long), "")
        self.assertIn("names cookie", self.check(long + b"Connection: cookie\r\n"))
        self.assertEqual(forwarding._validHost.cache_info().currsize, 0)

    def test_connectionNamesFieldsForTheOrigin(self) -> None:
        """Who has fields for the origin taken away on the way is up to no good (conformance 27)."""
        for name in (
            b"Host", b"authorization", b"Cookie", b"Content-Length", b"content-type", b"X-Forwarded-For", b"Via", b"Expect",
            b"Cache-Control", b"Range", b"CDN-Loop", b"Max-Forwards",
        ):  # fmt: skip
            words = f"the Connection field names {name.decode().lower()}, which is for the origin"
            for value in (name, b"close, " + name, b"x ,\t" + name + b","):
                self.assertEqual(self.check(HOST + b"Connection: " + value + b"\r\n"), words)
                self.assertEqual(self.check(b"Connection: x\r\nConnection: " + value + b"\r\n" + HOST), words)

    def test_connection(self) -> None:
        """What is about the connection, or about nothing known, may be named (conformance 27)."""
        for value in (b"close", b"keep-alive, Upgrade", b"TE, transfer-encoding", b"X-Own", b"", b"foo bar"):
            self.assertEqual(self.check(HOST + b"Connection: " + value + b"\r\n"), "")


class LoopsTests(SynchronousTestCase):
    """
    L{loops}.
    """

    def test_via(self) -> None:
        """Our pseudonym in Via means that it has been here (conformance 29)."""
        for value in (VIA, VIA.upper(), VIA + b" (a comment)", VIA + b"\t(b)"):
            for before, behind in ((b"", b""), (b"1.0 fred, ", b""), (b"", b", 1.1 nowhere.com")):
                line = before + b"1.1 " + value + behind
                self.assertTrue(loops(request(b"Via: 1.0 a\r\nVia: " + line + b"\r\n"), VIA), line)
        self.assertTrue(loops(request(b"Via: HTTP/2.0   " + VIA + b"\r\n"), VIA))

    def test_cdnLoop(self) -> None:
        """So with CDN-Loop (RFC 8586) (conformance 29)."""
        for value in (VIA, VIA + b"; a=b", b"foo.cdn.example, " + VIA.upper() + b" ;c"):
            self.assertTrue(loops(request(b"CDN-Loop: " + value + b"\r\n"), VIA), value)

    def test_others(self) -> None:
        """Names that only have ours in them, and ours elsewhere, are no loop."""
        for line in (
            b"Via: 1.1 " + VIA + b"x", b"Via: 1.1 x" + VIA, b"Via: 1.1 a (" + VIA + b")", b"Via: " + VIA + b" a",
            b"Via: " + VIA, b"Via:", b"CDN-Loop: x" + VIA, b"CDN-Loop: a; b=" + VIA, b"X-Via: 1.1 " + VIA,
        ):  # fmt: skip
            self.assertFalse(loops(request(line + b"\r\n"), VIA), line)


class MaxForwardsTests(SynchronousTestCase):
    """
    L{maxForwards}.
    """

    def test_counts(self) -> None:
        """A number for TRACE and OPTIONS, however great (conformance 30)."""
        for method in ("TRACE", "OPTIONS"):
            for value, expected in (
                (b"0", 0),
                (b"10", 10),
                (b"007", 7),
                (b"9" * 9, 10**9 - 1),
                (b"9" * 5000, 10**9),
            ):
                self.assertEqual(
                    maxForwards(request(b"Max-Forwards: " + value + b"\r\n", method=method)), expected
                )
            self.assertIsNone(maxForwards(request(b"", method=method)))

    def test_otherMethods(self) -> None:
        """For other methods it has no meaning, valid or not (conformance 30)."""
        for method in ("GET", "POST", "trace"):
            self.assertIsNone(maxForwards(request(b"Max-Forwards: x\r\n", method=method)))

    def test_invalid(self) -> None:
        """What is no number, or there twice, is refused (conformance 30)."""
        for lines in (
            b"Max-Forwards: -1\r\n",
            b"Max-Forwards:\r\n",
            b"Max-Forwards: 1, 1\r\n",
            b"Max-Forwards: 1\r\n" * 2,
        ):
            refusal = maxForwards(request(lines, method="TRACE"))
            assert isinstance(refusal, Refusal)
            self.assertEqual(refusal.kind, BAD)


class ConnectionTests(SynchronousTestCase):
    """
    L{persistent}, L{upgradeOffered} and L{switching}.
    """

    def test_persistent(self) -> None:
        """HTTP/1.1 goes on unless somebody says close; HTTP/1.0 never does (conformance 25)."""
        for make in (request, response):
            for lines, goesOn in (
                (b"", True), (b"Connection: keep-alive\r\n", True), (b"Connection: Close\r\n", False),
                (b"Connection: x\r\nConnection: y, close\r\n", False), (b"Proxy-Connection: close\r\n", True),
            ):  # fmt: skip
                self.assertEqual(persistent(make(lines)), goesOn, lines)
                self.assertFalse(persistent(make(lines, minor=0)))
        self.assertFalse(persistent(response(b"Connection: keep-alive\r\n", minor=0)))

    def test_upgradeOffered(self) -> None:
        """Upgrade counts where Connection says so, and not in HTTP/1.0 (conformance 36)."""
        both = b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket, h2c\r\n"
        self.assertEqual(upgradeOffered(request(both)), (b"websocket", b"h2c"))
        self.assertEqual(
            upgradeOffered(request(b"Upgrade: a\r\nConnection: UPGRADE\r\nUpgrade: b\r\n")), (b"a", b"b")
        )
        for head in (
            request(both, minor=0), request(b"Upgrade: websocket\r\n"), request(b"Connection: upgrade\r\n"),
            request(b"Connection: close\r\nUpgrade: websocket\r\n"),
        ):  # fmt: skip
            self.assertEqual(upgradeOffered(head), ())

    def test_switching(self) -> None:
        """A 101 has to say that it is websocket it changes to, and nothing else (conformance 36)."""
        both = b"Connection: upgrade\r\nUpgrade: WebSocket\r\n"
        self.assertTrue(switching(response(both, 101)))
        for head in (
            response(both, 200), response(both, 100), response(both, 101, minor=0), response(b"", 101),
            response(b"Upgrade: websocket\r\n", 101), response(b"Connection: upgrade\r\nUpgrade: h2c\r\n", 101),
            response(b"Connection: upgrade\r\nUpgrade: websocket, x\r\n", 101),
        ):  # fmt: skip
            self.assertFalse(switching(head))
