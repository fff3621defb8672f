"""
Tests of L{connectproxy.wire.section}: what its subclasses rely on.

How lines and limits are judged is tested with each of the subclasses, most of it with
requests (L{tests.wire.test_http1}).
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import Limits
from connectproxy.wire.section import SectionReader
from tests.wire.test_http1 import cuts

Read = tuple[bytes, list[tuple[bytes, bytes]]]


class Letter(SectionReader[Read]):
    """
    A first line that is anything but C{no}, and fields.
    """

    __slots__ = ()

    _BAD = "http_request_error"
    _LONG = "http_request_line_too_long"
    _LARGE = "http_request_fields_too_large"

    def receive(self, octets: bytes) -> Read | Refusal | None:
        self._unread()
        return self._receive(octets)

    def _begins(self) -> Refusal | None:
        return self._bad("a digit") if self._held[:1].isdigit() else None

    def _open(self, line: bytes) -> bytes | Refusal:
        return self._bad("it says no") if line == b"no" else line

    def _build(self) -> Read:
        return self._first, self._fields


class SectionReaderTests(SynchronousTestCase):
    """
    L{SectionReader}.
    """

    def assertRead(self, octets: bytes, expected: Read | Refusal | None, leftover: bytes = b"") -> None:
        """However it is cut, this comes of it, with this left over."""
        for pieces in cuts(octets):
            reader = Letter(Limits(10, 10, 40, 3))
            verdict, rest = None, b""
            for piece in pieces:
                if verdict is None:
                    verdict = reader.receive(piece)
                else:
                    rest += piece
            self.assertEqual(verdict, expected)
            if not isinstance(expected, Refusal):
                self.assertEqual(reader.leftover + rest, leftover)

    def test_reads(self) -> None:
        """The first line is the subclass's, even if it is empty; the blank line is the end."""
        self.assertRead(b"Dear\r\nA: b\r\n\r\nrest", (b"Dear", [(b"a", b"b")]), b"rest")
        self.assertRead(b"\r\n\r\n", (b"", []))
        self.assertRead(b"Dear\r\nA: b\r\n", None)

    def test_refuses(self) -> None:
        """The subclass may refuse the first line as soon as it begins, and when it is there."""
        self.assertRead(b"1x\r\n", Refusal("http_request_error", "a digit"))
        self.assertRead(b"no\r\n\r\nX", Refusal("http_request_error", "it says no"))
        self.assertRead(b"Dear\r\n1\r\n", Refusal("http_request_error", "line 2: there is no colon"))

    def test_kinds(self) -> None:
        """A long first line and too much of fields are of the kinds that the subclass names."""
        self.assertRead(b"a" * 11, Refusal("http_request_line_too_long", "line 1 is longer than 10 octets"))
        large = Refusal("http_request_fields_too_large", "line 2 is longer than 10 octets")
        self.assertRead(b"a\r\n" + b"b" * 11, large)

    def test_verdictIsTheEnd(self) -> None:
        """To go on after the verdict is our own bug."""
        reader = Letter()
        self.assertIsNotNone(reader.receive(b"Dear\r\n\r\n"))
        self.assertRaises(RuntimeError, reader.receive, b"")
