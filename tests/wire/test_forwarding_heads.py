"""
Tests of the heads that L{connectproxy.wire.forwarding} writes: those that have been read are made
into others, and these read again.
"""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.forwarding import (
    HopForm,
    checkRequest,
    formatInterim,
    formatOriginHead,
    formatRequest,
    formatResponseHead,
    loops,
    parseTarget,
    persistent,
    upgradeOffered,
)
from connectproxy.wire.framing import (
    CHUNKED,
    CLOSE,
    NONE,
    Delimiter,
    Framing,
    requestFraming,
    responseFraming,
)
from connectproxy.wire.http1 import HeadReader, RequestHead
from connectproxy.wire.response import ResponseHead, ResponseReader
from connectproxy.wire.target import Target
from tests.wire.feeding import examples
from tests.wire.test_forwarding import HOST, VIA, request, response


class FormatRequestTests(SynchronousTestCase):
    """
    L{formatRequest} and L{formatOriginHead}.
    """

    def written(
        self, lines: bytes, target: bytes = b"http://a.example/", method: str = "GET", **more: object
    ) -> bytes:
        """What goes to the origin."""
        head = request(lines, target, method, 0 if more.pop("old", False) else 1)
        parsed = parseTarget(head)
        assert isinstance(parsed, Target), parsed
        more.setdefault("framing", NONE)
        return formatRequest(head, parsed, VIA, **more)  # type: ignore[arg-type]

    def test_request(self) -> None:
        """Host from the target, the fields in their order, and Via at the end (conformance 26, 28)."""
        lines = b"User-Agent: curl\r\nHost: b.example:81\r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\nCookie: a=b\r\n"
        self.assertEqual(
            self.written(lines, b"HTTP://A.example:8080/x?y"),
            b"GET /x?y HTTP/1.1\r\nHost: A.example:8080\r\nUser-Agent: curl\r\nAccept: */*\r\nCookie: a=b\r\n"
            b"Via: 1.1 proxy-a1b2c3\r\n\r\n",
        )

    def test_hop(self) -> None:
        """
        Another proxy gets the absolute-form and our credentials, and all the rest as an origin
        would: the client's own credentials stay here as ever (conformance 26, 27, 28, 30, 34).
        """
        lines = (
            HOST + b"Proxy-Authorization: Basic mine\r\nMax-Forwards: 5\r\nConnection: X\r\nX: 1\r\nY: 2\r\n"
        )
        form = HopForm(Authorizer("ann", "secret"), "corp")
        for old, version in ((False, b"1.1"), (True, b"1.0")):
            self.assertEqual(
                self.written(lines, b"HTTP://A.example/x", "OPTIONS", maxForwards=4, form=form, old=old),
                b"OPTIONS http://A.example/x HTTP/1.1\r\nHost: A.example\r\n"
                b"Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\nY: 2\r\nMax-Forwards: 4\r\n"
                b"Via: %b proxy-a1b2c3\r\n\r\n" % version,
            )

    def test_via(self) -> None:
        """Via is added behind what is there, with the version that came in; our own goes out (conformance 28, 34)."""
        self.assertEqual(
            self.written(b"Via: 1.0 fred, 1.1 p.example\r\n", old=True),
            b"GET / HTTP/1.1\r\nHost: a.example\r\nVia: 1.0 fred, 1.1 p.example\r\nVia: 1.0 proxy-a1b2c3\r\n\r\n",
        )

    def test_hopByHop(self) -> None:
        """What is about the client's connection stays here, the credentials for us with it (conformance 27, 69)."""
        lines = HOST + (
            b"Connection: keep-alive, X-Own\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"
            b"Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Authenticate: x\r\nHTTP2-Settings: x\r\nX-Other: 2\r\n"
        )
        self.assertEqual(
            self.written(lines),
            b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Other: 2\r\nVia: 1.1 proxy-a1b2c3\r\n\r\n",
        )

    def test_framing(self) -> None:
        """The length is written once and plainly, or chunked is; never both, whatever came in (conformance 33)."""
        for lines, framing, expected in (
            (b"Content-Length: 005\r\n", Framing(Delimiter.LENGTH, 5), b"Content-Length: 5\r\n"),
            (b"Content-Length: 0\r\n", Framing(Delimiter.LENGTH, 0), b"Content-Length: 0\r\n"),
            (b"Transfer-Encoding: Chunked\r\n", CHUNKED, b"Transfer-Encoding: chunked\r\n"),
            (b"", NONE, b""),
        ):
            self.assertEqual(requestFraming(request(lines)), framing)
            written = self.written(lines + b"X: y\r\n", method="POST", framing=framing)
            head = b"POST / HTTP/1.1\r\nHost: a.example\r\nX: y\r\n"
            self.assertEqual(written, head + expected + b"Via: 1.1 proxy-a1b2c3\r\n\r\n")
        self.assertRaises(ValueError, self.written, b"", framing=CLOSE)

    def test_upgrade(self) -> None:
        """An upgrade is offered as ours, and nothing but websocket (conformance 36)."""
        lines = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: x\r\nSec-WebSocket-Key: y\r\n"
        self.assertEqual(
            self.written(lines, upgrade=True),
            b"GET / HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Key: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Via: 1.1 proxy-a1b2c3\r\n\r\n",
        )

    def test_maxForwards(self) -> None:
        """The new number replaces the old one; none is invented for others (conformance 30)."""
        lines = b"Max-Forwards: 5\r\n"
        self.assertIn(b"\r\nMax-Forwards: 4\r\n", self.written(lines, method="OPTIONS", maxForwards=4))
        self.assertEqual(self.written(lines, method="OPTIONS", maxForwards=0).count(b"Max-Forwards"), 1)
        self.assertIn(b"\r\nMax-Forwards: 5\r\n", self.written(lines))
        self.assertNotIn(b"Max-Forwards", self.written(b""))

    def test_expect(self) -> None:
        """Expect goes on: it is the origin's to answer; but not from HTTP/1.0, to be ignored (conformance 34)."""
        self.assertIn(b"\r\nExpect: 100-continue\r\n", self.written(b"Expect: 100-continue\r\n"))
        self.assertNotIn(b"Expect", self.written(b"Expect: 100-continue\r\n", old=True))

    def test_optionsOfTheServer(self) -> None:
        """C{OPTIONS} with no path asks about the server as a whole (conformance 31)."""
        self.assertTrue(
            self.written(b"", b"http://a.example", "OPTIONS").startswith(
                b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n"
            )
        )

    def test_pathIsUnaltered(self) -> None:
        """Path and query go on as they came (conformance 32)."""
        path = b"/a//../%7e%7E?b=http://c/#"[:-1] + b'|"\\{}'
        self.assertTrue(
            self.written(b"", b"http://a.example" + path).startswith(b"GET " + path + b" HTTP/1.1\r\n")
        )

    def test_otherVersions(self) -> None:
        """HTTP/2 writes the same head, and says what it was (conformance 28)."""
        self.assertEqual(
            formatOriginHead(
                b"PUT", b"/a", b"b.example", [(b"accept", b"*/*"), (b"content-length", b"3")], VIA,
                received=b"2.0", framing=Framing(Delimiter.LENGTH, 3),
            ),
            b"PUT /a HTTP/1.1\r\nHost: b.example\r\nAccept: */*\r\nContent-Length: 3\r\nVia: 2.0 proxy-a1b2c3\r\n\r\n",
        )  # fmt: skip


class FormatResponseHeadTests(SynchronousTestCase):
    """
    L{formatResponseHead} and L{formatInterim}.
    """

    def written(self, lines: bytes, status: int = 200, framing: Framing = NONE, **more: object) -> bytes:
        """What goes to the client."""
        head = response(lines, status, 0 if more.pop("old", False) else 1)
        more.setdefault("close", False)
        return formatResponseHead(head, VIA, framing=framing, **more)  # type: ignore[arg-type]

    def test_response(self) -> None:
        """The fields in their order, and Via at the end; our version (conformance 28, 34)."""
        lines = b"Server: a\r\nset-cookie: b\r\nSet-Cookie: c\r\nContent-Length: 5\r\nVia: 1.0 fred\r\n"
        self.assertEqual(
            self.written(lines, 404, Framing(Delimiter.LENGTH, 5), old=True),
            b"HTTP/1.1 404 So\r\nServer: a\r\nSet-Cookie: b\r\nSet-Cookie: c\r\nVia: 1.0 fred\r\nContent-Length: 5\r\n"
            b"Via: 1.0 proxy-a1b2c3\r\n\r\n",
        )
        bare = formatResponseHead(ResponseHead(200, b"", 1, ()), VIA, framing=NONE, close=False)
        self.assertEqual(bare, b"HTTP/1.1 200 \r\nVia: 1.1 proxy-a1b2c3\r\n\r\n")

    def test_hopByHop(self) -> None:
        """What is about the origin's connection stays here (conformance 27)."""
        lines = (
            b"Connection: close, X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n"
            b"Proxy-Connection: close\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
        )
        self.assertEqual(
            self.written(lines, framing=CHUNKED),
            b"HTTP/1.1 200 So\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\nVia: 1.1 proxy-a1b2c3\r\n\r\n",
        )

    def test_framing(self) -> None:
        """What the client is to go by stands there once; until the end means that we close (conformance 33, 37)."""
        for lines, framing, expected in (
            (b"Content-Length: 05\r\n", Framing(Delimiter.LENGTH, 5), b"Content-Length: 5\r\n"),
            (b"Transfer-Encoding: chunked\r\n", CHUNKED, b"Transfer-Encoding: chunked\r\n"),
            (b"", CHUNKED, b"Transfer-Encoding: chunked\r\n"),
            (b"", CLOSE, b"Connection: close\r\n"),
            (b"Transfer-Encoding: chunked\r\n", CLOSE, b"Connection: close\r\n"),
        ):
            written = self.written(lines, framing=framing)
            self.assertEqual(written, b"HTTP/1.1 200 So\r\n" + expected + b"Via: 1.1 proxy-a1b2c3\r\n\r\n")

    def test_oldClient(self) -> None:
        """A client of HTTP/1.0 knows no chunks: the body goes on until the end (conformance 25)."""
        written = self.written(b"Transfer-Encoding: chunked\r\n", framing=CHUNKED, clientMinor=0)
        self.assertEqual(written, b"HTTP/1.1 200 So\r\nConnection: close\r\nVia: 1.1 proxy-a1b2c3\r\n\r\n")

    def test_noBody(self) -> None:
        """Where there is no body, a length is what a GET would get; but a 204 has none (conformance 33)."""
        for status, expected in (
            (200, b"Content-Length: 5\r\n"),
            (304, b"Content-Length: 5\r\n"),
            (204, b""),
        ):
            written = self.written(b"Content-Length: 5\r\nTransfer-Encoding: x\r\n", status)
            self.assertEqual(
                written, b"HTTP/1.1 %d So\r\n%bVia: 1.1 proxy-a1b2c3\r\n\r\n" % (status, expected)
            )

    def test_close(self) -> None:
        """The connection ends when we say so, not when the origin did."""
        self.assertNotIn(b"close", self.written(b"Connection: close\r\n"))
        self.assertIn(b"\r\nConnection: close\r\n", self.written(b"Connection: keep-alive\r\n", close=True))

    def test_date(self) -> None:
        """A response without a Date gets the time of its arrival; no other does."""
        now = b"Sun, 22 Nov 2026 23:05:00 GMT"
        self.assertIn(b"\r\nDate: " + now + b"\r\n", self.written(b"", date=now))
        self.assertEqual(self.written(b"Date: x\r\n", date=now).count(b"Date"), 1)
        self.assertIn(b"\r\nDate: x\r\n", self.written(b"Date: x\r\n", date=now))
        self.assertNotIn(b"Date", self.written(b""))
        self.assertIn(now, self.written(b"Connection: date\r\nDate: x\r\n", date=now))

    def test_switching(self) -> None:
        """The 101 that both agreed on goes on with an Upgrade of ours (conformance 36)."""
        lines = (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nContent-Length: 5\r\n"
        )
        self.assertEqual(
            self.written(lines, 101, upgrade=True, close=True),
            b"HTTP/1.1 101 So\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Via: 1.1 proxy-a1b2c3\r\n\r\n",
        )

    def test_interim(self) -> None:
        """Interim responses go on with their fields, and without any about a body (conformance 34)."""
        head = response(
            b"Link: </a>; rel=preload\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nConnection: close\r\n",
            103,
        )
        expected = b"HTTP/1.1 103 So\r\nLink: </a>; rel=preload\r\nVia: 1.1 proxy-a1b2c3\r\n\r\n"
        self.assertEqual(formatInterim(head, VIA), expected)
        self.assertEqual(
            formatInterim(response(b"", 100), VIA), b"HTTP/1.1 100 So\r\nVia: 1.1 proxy-a1b2c3\r\n\r\n"
        )
        for status in (101, 200, 304):
            self.assertRaises(ValueError, formatInterim, response(b"", status), VIA)


names = st.sampled_from(
    [
        b"Accept",
        b"x-own",
        b"Connection",
        b"TE",
        b"Cookie",
        b"Upgrade",
        b"Via",
        b"Keep-Alive",
        b"Host",
        b"Expect",
        b"Date",
    ]
)
values = st.sampled_from(
    [b"", b"close", b"x-own", b"a b", b"keep-alive, TE", b"upgrade", b"1.1 p", b"\xe9", b"date"]
)
lengths = st.sampled_from(
    [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n"]
)
sections = st.builds(
    lambda fields, length: b"".join(b"%b: %b\r\n" % field for field in fields) + length,
    st.lists(st.tuples(names, values), max_size=5),
    lengths,
)


class ReadBackTests(SynchronousTestCase):
    """
    What is written is what the next hop reads, whatever it was made from.
    """

    @examples
    @given(sections, st.booleans())
    def test_requests(self, lines: bytes, upgrade: bool) -> None:
        """A request that goes out has one Host, one framing and ours alone about the connection; h11 takes it."""
        head = request(lines)
        framing = requestFraming(head)
        assert not isinstance(framing, Refusal)
        target = parseTarget(head)
        assert isinstance(target, Target)
        written = formatRequest(head, target, VIA, framing=framing, upgrade=upgrade)
        again = HeadReader().receive(written)
        assert isinstance(again, RequestHead), (written, again)
        self.assertEqual(requestFraming(again), framing)
        self.assertIsNone(checkRequest(again))
        self.assertEqual(again.values(b"host"), [b"a.example"])
        self.assertEqual(again.values(b"connection"), [b"Upgrade"] if upgrade else [])
        self.assertEqual(upgradeOffered(again), (b"websocket",) if upgrade else ())
        self.assertTrue(loops(again, VIA))
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(written)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        self.assertEqual(tuple(event.headers), again.fields)

    @examples
    @given(
        sections,
        st.sampled_from([100, 103, 200, 204, 304, 404]),
        st.sampled_from(["GET", "HEAD"]),
        st.booleans(),
    )
    def test_responses(self, lines: bytes, status: int, method: str, close: bool) -> None:
        """A response that goes out has the same framing, and closes when it should."""
        head = response(lines, status)
        framing = responseFraming(method, head)
        assert not isinstance(framing, Refusal)
        if status < 200:
            written = formatInterim(head, VIA)
        else:
            written = formatResponseHead(head, VIA, framing=framing, close=close)
        again = ResponseReader(method).receive(written)
        assert isinstance(again, ResponseHead), (written, again)
        self.assertEqual(responseFraming(method, again), framing)
        self.assertEqual(again.status, status)
        if status >= 200:
            self.assertEqual(persistent(again), not close and framing != CLOSE)
        self.assertEqual(again.values(b"via")[-1], b"1.1 " + VIA)
