"""
Tests of what L{connectproxy.wire.http1} writes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.http1 import CONNECTED, escape, formatResponse


class FormatResponseTests(SynchronousTestCase):
    """
    What L{formatResponse} writes, and what it does not.
    """

    def test_success(self) -> None:
        """A tunnel has no length: the answer that opens it says nothing of one (conformance 7)."""
        self.assertEqual(CONNECTED, b"HTTP/1.1 200 Connection established\r\n\r\n")
        written = formatResponse(200, "OK", [("Via", "1.1 p")])
        self.assertEqual(written, b"HTTP/1.1 200 OK\r\nVia: 1.1 p\r\n\r\n")

    def test_refusal(self) -> None:
        """A refusal has its fields in their order, a length and the body; the version is ours (conformance 25, 34)."""
        written = formatResponse(403, "Forbidden", [("Connection", "close"), ("X", "\xe9")], b"no\r\n")
        head = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nX: \xe9\r\nContent-Length: 4\r\n\r\n"
        self.assertEqual(written, head + b"no\r\n")
        self.assertIn(b"\r\nContent-Length: 0\r\n\r\n", formatResponse(502, "", ()))

    def test_lengthIsSaidOnce(self) -> None:
        """Who frames the response does so alone."""
        for name, value in (("content-length", "2"), ("Transfer-Encoding", "chunked")):
            written = formatResponse(200, "OK", [(name, value)], b"ab")
            self.assertEqual(written, f"HTTP/1.1 200 OK\r\n{name}: {value}\r\n\r\nab".encode())
        self.assertEqual(
            formatResponse(200, "OK", (), b"ab"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
        )

    def test_neverSplits(self) -> None:
        """A field that would end its line early is our bug, and is not sent; the value is not told."""
        for name, value in (
            ("X", "a\rb"), ("X", "a\nb"), ("X", "a\0b"), ("X", "a\x7f"), ("X\r\nY", "a"), ("X ", "a"), ("X:Y", "a"),
            ("", "a"), ("\xe9", "a"), ("X", "\u2603"),
        ):  # fmt: skip
            self.assertRaises(ValueError, formatResponse, 200, "OK", [(name, value)])

    def test_statusLine(self) -> None:
        """So with a status that is none and a reason that ends the line; 1xx and 204 have no body."""
        for status, reason in ((99, "x"), (600, "x"), (20, "x"), (2000, "x"), (200, "a\r\nb"), (200, "\0")):
            self.assertRaises(ValueError, formatResponse, status, reason, ())
        self.assertRaises(ValueError, formatResponse, 204, "No Content", (), b"x")
        self.assertRaises(ValueError, formatResponse, 101, "Switching Protocols", (), b"x")
        self.assertEqual(formatResponse(204, "No Content", ()), b"HTTP/1.1 204 No Content\r\n\r\n")


class EscapeTests(SynchronousTestCase):
    """
    What L{escape} makes of a peer's octets.
    """

    def test_everyOctet(self) -> None:
        """The result is printable ASCII, and different octets stay different."""
        escaped = [escape(bytes([octet])) for octet in range(256)]
        self.assertTrue(all(text.isascii() and text.isprintable() for text in escaped))
        self.assertEqual(len(set(escaped)), 256)

    def test_cuts(self) -> None:
        """What is long is cut between two octets, and the cut is shown."""
        self.assertEqual(escape(b"a" * 60), "a" * 60)
        self.assertEqual(escape(b"\0" * 61), "\\x00" * 60 + "...")
        self.assertEqual(escape(b"abc", 2), "ab...")
