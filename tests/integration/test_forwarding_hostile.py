"""
Origins and clients that do not do as they should, where messages are forwarded.
"""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import nameOf, readExactly, readToEnd, reset

pytestmark = pytest.mark.integration


class HandCase(ProxyTestCase):
    """
    An origin in the test's hand.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        super().setUp()
        self.far = self.origin()

    def request(
        self, *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1", body: bytes = b""
    ) -> bytes:
        """
        A request for it.
        """
        lines = b"".join(field + b"\r\n" for field in fields)
        where = b"http://127.0.0.1:%d/" % self.far.getsockname()[1]
        return b"%b %b HTTP/%b\r\nHost: a\r\n%b\r\n%b" % (method, where, version, lines, body)

    def through(self, octets: bytes, *, end: str = "close", **request: bytes) -> tuple[bytes, str]:
        """
        What a client gets of an origin that says this and then closes, up to the end of a
        connection that it asks to be closed.
        """
        client = self.connect()
        client.sendall(self.request(b"Connection: close", **request))
        origin = self.accept(self.far)
        self.assertTrue(readExactly(origin, 4))
        origin.sendall(octets)
        if end == "reset":
            readExactly(client, 1) if octets.startswith(
                b"HTTP/1.1 200 OK\r\n"
            ) and b"\r\n\r\n" in octets else None
            reset(origin)
        elif end == "close":
            with contextlib.suppress(OSError):  # it may have been reset already
                origin.shutdown(socket.SHUT_WR)
        return readToEnd(client)


class OriginTests(HandCase):
    """
    An origin that does not do as it should.
    """

    def test_truncated(self) -> None:
        """
        What is cut short does not look whole (conformance 37).
        """
        said, _ = self.through(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.assertTrue(said.endswith(b"\r\n\r\nabc"), said)
        self.assertIn(b"Content-Length: 10\r\n", said)
        for tail in (b"5\r\nabc", b"3\r\nabc\r\n", b"3\r\nabc\r\n0\r\n", b"3\r\nabc\r\n0\r\nX: y\r\n"):
            said, _ = self.through(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail)
            self.assertIn(b"Transfer-Encoding: chunked", said)
            self.assertFalse(said.endswith(b"\r\n\r\n"), said)
            self.assertIn(b"abc", said)

    def test_truncatedUntilEnd(self) -> None:
        """
        A body until the end is whole when the stream ends, and not when it is reset: in chunks
        for a client of today, by a reset for one of HTTP/1.0 (conformance 37).
        """
        head = b"HTTP/1.1 200 OK\r\n\r\nabc"
        said, how = self.through(head)
        self.assertEqual((said[-13:], how), (b"3\r\nabc\r\n0\r\n\r\n"[-13:], "eof"))
        said, _ = self.through(head, end="reset")
        self.assertFalse(said.endswith(b"\r\n0\r\n\r\n"), said)
        said, how = self.through(head, version=b"1.0")
        self.assertEqual((said[-3:], how), (b"abc", "eof"))
        _, how = self.through(head, end="reset", version=b"1.0")
        self.assertEqual(how, "reset")

    def test_framing(self) -> None:
        """
        A response that two could read in two ways is nobody's (conformance 33).
        """
        for fields in (
            b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            b"Content-Length: 3\r\nContent-Length: 4\r\n",
            b"Content-Length: -3\r\n",
            b"Content-Length: 3, 3\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"X : y\r\n",
            b"X: y\n",
            b"X: y\r\n z\r\n",
            b"X: \x00\r\n",
        ):
            said, _ = self.through(b"HTTP/1.1 200 OK\r\n%b\r\nabc" % fields)
            self.assertTrue(said.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"), (fields, said))
            self.assertEqual(said.count(b"\r\nVia: ") + said.count(b"\r\nProxy-Status: "), 1)

    def test_chunks(self) -> None:
        """
        So are chunks that are none.
        """
        for chunk in (
            b"0x3\r\nabc\r\n",
            b"+3\r\nabc\r\n",
            b"3 \r\nabc\r\n",
            b"3\nabc\n",
            b"3\r\nabcd\r\n",
            b"-1\r\n",
        ):
            said, _ = self.through(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunk
            )
            self.assertFalse(said.endswith(b"\r\n0\r\n\r\n"), (chunk, said))

    def test_splitResponse(self) -> None:
        """
        What comes behind a response is no response to the next request.
        """
        client = self.connect()
        client.sendall(self.request())
        origin = self.accept(self.far)
        readExactly(origin, 4)
        origin.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        said = client.recv(1000)
        self.assertTrue(said.endswith(b"ok"), said)
        client.sendall(self.request())
        other = self.accept(self.far)
        readExactly(other, 4)
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        self.assertTrue(client.recv(1000).endswith(b"good"))

    def test_interimStorm(self) -> None:
        """
        Interim responses without end come to one.
        """
        client = self.connect()
        client.sendall(self.request())
        origin = self.accept(self.far)

        def storm() -> None:
            try:
                while True:
                    origin.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)
            except OSError:
                pass

        thread = threading.Thread(target=storm)
        thread.start()
        said = b""
        while b" 502 " not in said:
            more = client.recv(65536)
            self.assertTrue(more, said)
            said += more
        thread.join()
        self.assertLess(said.count(b" 102 "), 100)

    def test_hugeHead(self) -> None:
        """
        A head without end is given up.
        """
        said, _ = self.through(b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyyyyyy\r\n" * 2000, end="")
        self.assertTrue(said.startswith(b"HTTP/1.1 502 "))
        self.assertIn(b"http_response_header_section_size", said)

    def test_noHTTP(self) -> None:
        """
        What speaks something else is not passed on.
        """
        said, _ = self.through(b"220 mail.example ESMTP\r\n", end="")
        self.assertTrue(said.startswith(b"HTTP/1.1 502 "))
        self.assertNotIn(b"ESMTP", said)

    def test_closesAtOnce(self) -> None:
        """
        One that closes without a word is told of.
        """
        for end in ("close", "reset"):
            said, _ = self.through(b"", end=end)
            self.assertTrue(said.startswith(b"HTTP/1.1 502 "), said)

    def test_stale(self) -> None:
        """
        A connection that an origin closes in the moment of the next request costs nothing.
        """
        client = self.connect()
        for _ in range(20):
            client.sendall(self.request())
            origin = self.accept(self.far)
            readExactly(origin, 4)
            origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            origin.close()
            self.assertTrue(client.recv(1000).endswith(b"ok"))

    def test_clientGoes(self) -> None:
        """
        An origin hears of a client that has gone in the middle: at once of one that resets,
        and of one that has only closed when there is something to tell it.
        """
        for leave in (reset, socket.socket.close):
            client = self.connect()
            client.sendall(self.request())
            origin = self.accept(self.far)
            readExactly(origin, 4)
            leave(client)
            try:
                if leave is not reset:
                    origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + bytes(5000000))
                how = readToEnd(origin)[1]
            except ConnectionError:
                how = "reset"
            self.assertEqual(how, "reset")

    def test_webSocket(self) -> None:
        """
        An upgrade becomes a tunnel whose octets all arrive (conformance 36).
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(self.request(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x"))
        origin = self.accept(self.far)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += origin.recv(1000)
        self.assertIn(b"\r\nUpgrade: websocket\r\n", head)
        origin.sendall(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\nfirst")
        said = b""
        while not said.endswith(b"first"):
            said += client.recv(1000)
        self.assertTrue(said.startswith(b"HTTP/1.1 101 "))
        block = bytes(range(256)) * 4000
        for source, sink in ((client, origin), (origin, client)):
            thread = threading.Thread(target=source.sendall, args=(block,))
            thread.start()
            self.assertEqual(readExactly(sink, len(block)), block)
            thread.join()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(readToEnd(origin), (b"", "eof"))
        origin.close()
        self.assertEqual(readToEnd(client), (b"", "eof"))
        event = self.proxy.event(name)
        self.assertEqual((event["status"], event["bytes_up"], event["end"]), (101, len(block), "eof"))


class ClientTests(HandCase):
    """
    A client that does not do as it should.
    """

    def test_smuggling(self) -> None:
        """
        No request hides in another (conformance 33).
        """
        for fields in (
            (b"Content-Length: 3", b"Transfer-Encoding: chunked"),
            (b"Transfer-Encoding: chunked", b"Content-Length: 3"),
            (b"Content-Length: 3", b"Content-Length: 30"),
            (b"Transfer-Encoding: \x0bchunked",),
            (b"Transfer-Encoding: identity, chunked, identity",),
            (b"Content-Length: 0x3",),
            (b"Content-Length : 3",),
            (b"X: y\nTransfer-Encoding: chunked",),
            (b"X: y\rTransfer-Encoding: chunked",),
        ):
            client = self.connect()
            client.sendall(self.request(*fields, method=b"POST", body=b"0\r\n\r\n" + self.request()))
            said, _ = readToEnd(client)
            self.assertRegex(said, rb"HTTP/1.1 (400|501) ", fields)
            self.assertEqual(said.count(b"\r\nProxy-Status: "), 1)
        self.far.settimeout(0.2)
        self.assertRaises(TimeoutError, self.far.accept)

    def test_chunkTricks(self) -> None:
        """
        Nor in a chunk.
        """
        for chunk in (b"0x0\r\n\r\n", b"3;\nabc\r\n", b"3\r\nabc0\r\n\r\n", b"fffffffffffffffff\r\n"):
            client = self.connect()
            client.sendall(
                self.request(b"Transfer-Encoding: chunked", method=b"POST", body=chunk + self.request())
            )
            said, _ = readToEnd(client)
            self.assertTrue(said.startswith(b"HTTP/1.1 400 "), (chunk, said))
            self.assertEqual(said.count(b"\r\nProxy-Status: "), 1)

    def test_pipelined(self) -> None:
        """
        Many requests in one segment get their responses in order.
        """
        count = 200
        client = self.connect()
        client.sendall(self.request() * count)
        origin = self.accept(self.far)
        seen = b""
        for number in range(count):
            while seen.count(b"\r\n\r\n") <= number:
                seen += origin.recv(65536)
            self.assertEqual(seen.count(b"GET /"), number + 1)
            origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d" % number)
        said = b""
        while said.count(b"HTTP/1.1 200") < count or not said.endswith(b"%04d" % (count - 1)):
            said += client.recv(65536)
        self.assertEqual(
            [each[-4:] for each in said.split(b"HTTP/1.1 200")[1:]],
            [b"%04d" % number for number in range(count)],
        )

    def test_early(self) -> None:
        """
        An origin that has said no before the body was sent gets no more of it, and the client
        reads why.
        """
        client = self.connect()
        client.sendall(self.request(b"Content-Length: 100000000", method=b"POST", body=bytes(100000)))
        origin = self.accept(self.far)
        readExactly(origin, 4)
        origin.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        origin.shutdown(socket.SHUT_WR)
        said = b""
        while not said.endswith(b"\r\n\r\nno"):
            said += client.recv(1000)
        self.assertTrue(said.startswith(b"HTTP/1.1 413 "))
        self.assertIn(b"\r\nConnection: close\r\n", said)


class LateTests(ProxyTestCase):
    """
    Origins that are too slow.
    """

    config = "[timeouts]\nresponse = 1\n"

    def test_noResponse(self) -> None:
        """
        The client is told, and may go on.
        """
        origin = self.origin()
        client = self.connect()
        for _ in range(2):
            client.sendall(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % origin.getsockname()[1])
            far = self.accept(origin)
            said = client.recv(10000)
            self.assertTrue(said.startswith(b"HTTP/1.1 504 "), said)
            self.assertIn(b"there was no response after 1 s", said)
            readExactly(far, 1)
