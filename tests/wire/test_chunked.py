"""
Tests of L{connectproxy.wire.chunked}: every body is fed whole, cut in two at every place, octet
by octet, and with more behind it, to be decoded and to be passed on as it came.

What mutation finds, and what a body costs, is in L{tests.wire.test_chunked_hostile}.
"""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.chunked import (
    CHUNK_LINE,
    EXTENSIONS,
    LAST_CHUNK,
    ChunkedReader,
    formatChunk,
    formatTrailers,
)
from connectproxy.wire.grammar import Limits
from tests.wire.feeding import examples, parts
from tests.wire.test_http1 import cuts

SIZE = "the line in front of a chunk is not a size"


def feed(
    pieces: Iterable[bytes], passing: bool = False, response: bool = False, limits: Limits | None = None
) -> tuple[bytes, Refusal | None, bytes, ChunkedReader]:
    """Feed pieces; give what may be passed on, the refusal, what is behind, and the reader."""
    reader = ChunkedReader(response, passing, limits or Limits())
    passed = rest = b""
    for piece in pieces:
        if reader.done:
            rest += piece
            continue
        taken = reader.receive(piece)
        if isinstance(taken, Refusal):
            return passed, taken, b"", reader
        passed += taken
        rest += reader.leftover
    return passed, None, rest, reader


class Reading(SynchronousTestCase):
    """
    What the cases below assert.
    """

    def assertBody(
        self, octets: bytes, payload: bytes, passed: bytes, trailers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        """The body is read, however it is cut, as this payload, and passed on as that."""
        for behind in (b"", b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n"):
            for pieces in cuts(octets + behind):
                for passing, expected in ((False, payload), (True, passed)):
                    taken, refusal, rest, reader = feed(pieces, passing)
                    self.assertEqual((taken, refusal, rest), (expected, None, behind), pieces)
                    self.assertTrue(reader.done)
                    self.assertEqual(reader.trailers, trailers)
                    self.assertIsNot(None, reader.leftover)
        for piece in cuts(octets[:-1]):
            self.assertFalse(feed(piece)[3].done)

    def assertRefused(self, octets: bytes, words: str, kind: str = "http_request_error") -> None:
        """
        The body is refused, however it is cut and whatever is behind it; what was passed on before says
        nothing of an end, and the verdict stays.
        """
        others = {"http_request_error": "http_protocol_error"}
        for behind in (b"", b"\r\n0\r\n\r\n", b"x"):
            for pieces in cuts(octets + behind):
                for passing in (False, True):
                    for response in (False, True):
                        passed, refusal, _, reader = feed(pieces, passing, response)
                        assert refusal is not None, (pieces, passed)
                        self.assertEqual(refusal.kind, others.get(kind, kind) if response else kind)
                        self.assertIn(words, refusal.detail)
                        self.assertFalse(passed.endswith(b"0\r\n\r\n"))
                        self.assertFalse(reader.done)
                        self.assertIs(reader.receive(LAST_CHUNK), refusal)


class ReadingTests(Reading):
    """
    What L{ChunkedReader} takes.
    """

    def test_chunks(self) -> None:
        """Chunks are joined to the payload, and passed on as they are."""
        for octets, payload in (
            (b"0\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5\r\nhello\r\n1\r\n \r\n0\r\n\r\n", b"hello "),
            (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
            (b"A\r\n\r\n0\r\n\r\n\r\n\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\n\n"),
            (b"10\r\n0123456789abcdef\r\n0\r\n\r\n", b"0123456789abcdef"),
        ):
            self.assertBody(octets, payload, octets)

    def test_paddedSizes(self) -> None:
        """Leading zeros within sixteen digits are read, and not passed on."""
        self.assertBody(b"05\r\nhello\r\n00\r\n\r\n", b"hello", b"5\r\nhello\r\n0\r\n\r\n")
        padded = b"0" * 15 + b"1\r\na\r\n" + b"0" * 16 + b"\r\n\r\n"
        self.assertBody(padded, b"a", b"1\r\na\r\n0\r\n\r\n")

    def test_extensions(self) -> None:
        """Extensions are read by their grammar, and not passed on."""
        for extension in (
            b";a", b";a=b", b";a=b;c", b';a=";\\" \t\xe9"', b';a=""', b";" + b"a" * (CHUNK_LINE - 2),
        ):  # fmt: skip
            octets = b"2%b\r\nhi\r\n1\r\n!\r\n0%b\r\n\r\n" % (extension, extension)
            self.assertBody(octets, b"hi!", b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n")
            first = b"2%b\r\nhi\r\n1\r\n!\r\n0\r\n\r\n" % extension
            self.assertBody(first, b"hi!", b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n")

    def test_trailers(self) -> None:
        """Trailers come out with the end, names in lower case; the end goes on in one piece."""
        octets = b"2\r\nhi\r\n0;x\r\nX-Sum: 1 \r\ny:\r\n\r\n"
        fields = ((b"x-sum", b"1"), (b"y", b""))
        self.assertBody(octets, b"hi", b"2\r\nhi\r\n0\r\nx-sum: 1\r\ny: \r\n\r\n", fields)
        for at in range(7, len(octets)):
            self.assertEqual(feed([octets[:at]], True)[0], b"2\r\nhi\r\n")

    def test_forbiddenTrailers(self) -> None:
        """Fields about framing, routing and authentication don't become trailers (conformance 27 and 64)."""
        for name in (
            b"Transfer-Encoding", b"content-length", b"HOST", b"Trailer", b"Connection", b"TE", b"Cookie",
            b"Proxy-Authorization", b"Proxy-Anything", b"Authorization", b"Set-Cookie", b"If-Match", b"Via",
        ):  # fmt: skip
            octets = b"0\r\n%b: x\r\nA: b\r\n\r\n" % name
            self.assertBody(octets, b"", b"0\r\na: b\r\n\r\n", ((b"a", b"b"),))
            self.assertBody(b"0\r\n%b: x\r\n\r\n" % name, b"", LAST_CHUNK)

    def test_sameObject(self) -> None:
        """What can be passed on as it came is the object that came: no octet is copied."""
        reader = ChunkedReader(False, True)
        for octets in (b"8\r\n01234567\r\n10\r\n", b"0123456789", b"abcdef\r\n5\r\nhello", b"\r\n0\r\n\r\n"):
            self.assertIs(reader.receive(octets), octets)
        self.assertTrue(reader.done)
        reader = ChunkedReader(False, False)
        self.assertEqual(reader.receive(b"8\r\n"), b"")
        payload = b"0123456"
        self.assertIs(reader.receive(payload), payload)

    def test_latency(self) -> None:
        """A chunk goes on with its CRLF as soon as it has come: nobody has to wait for the next one."""
        for passing, expected in ((True, b"5\r\nhello\r\n"), (False, b"hello")):
            self.assertEqual(feed([b"5\r\nhello\r\n"], passing)[0], expected)

    def test_greatestSize(self) -> None:
        """A size up to 2**63 - 1 is one."""
        for digits in (b"7" + b"f" * 15, b"7FFFFFFFFFFFFFFF"):
            self.assertEqual(feed([digits + b"\r\nabc"])[:2], (b"abc", None))


class RefusedTests(Reading):
    """
    What L{ChunkedReader} refuses: the tricks with sizes (conformance 33).
    """

    def test_sizes(self) -> None:
        """A size is one to sixteen hexadecimal digits, with nothing around them (conformance 33)."""
        for size in (
            b"", b"0x5", b"5 ", b" 5", b"\t5", b"5\t", b"+5", b"-1", b"-0", b"5_0", b"5,5", b"5.0", b"g", b"5h",
            b"ffffffffffffffff1", b"00000000000000005", b"\xb25", b"5\0", b"\x0b5", b"5\x0b", b"5\x85",
        ):  # fmt: skip
            self.assertRefused(size + b"\r\nhello\r\n0\r\n\r\n", SIZE)
        for size in (b"8000000000000000", b"ffffffffffffffff"):
            self.assertRefused(size + b"\r\n", "beyond any measure")
            self.assertRefused(b"1\r\na\r\n" + size + b"\r\n", "beyond any measure")

    def test_laterSizes(self) -> None:
        """So with every chunk, and with the last (conformance 33)."""
        for size in (
            b"0x5",
            b"5 ",
            b" 5",
            b"+5",
            b"-1",
            b"",
            b"0x0",
            b"0 ",
            b" 0",
            b"-0",
            b"00000000000000000",
        ):
            self.assertRefused(b"1\r\na\r\n" + size + b"\r\n\r\n", SIZE)

    def test_bareCRAndLF(self) -> None:
        """Lines end with CRLF (conformance 20, 33)."""
        for octets in (b"5\nhello\r\n0\r\n\r\n", b"5;\nhello", b"5;a\nhello", b"1\r\na\r\n0\n\n", b"\n"):
            self.assertRefused(octets, "bare LF")
        for octets in (b"5\rhello\r\n", b"5\r\r\nhello\r\n", b"5;a\r;b\r\n", b"\r\n"):
            self.assertRefused(octets, SIZE)

    def test_behindAChunk(self) -> None:
        """A chunk is as long as it says, and CRLF is behind it (conformance 33)."""
        for octets in (
            b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello \r\n0\r\n\r\n",
            b"4\r\nhello\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\n\r\n0\r\n\r\n",
        ):  # fmt: skip
            self.assertRefused(octets, "there is no CRLF behind a chunk")

    def test_extensions(self) -> None:
        """Extensions by the letter of their grammar, without whitespace (conformance 33)."""
        for extension in (
            b";", b" ;a", b"; a", b";a ", b";a =b", b";a= b", b";a=", b";=b", b';a="', b';a="b', b';a="b"c', b';a="\\"',
            b";a=b=c", b";a\0", b';a="\0"', b';a="\x7f"', b";\xe9", b";a;", b";;a",
        ):  # fmt: skip
            self.assertRefused(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n", SIZE)
            self.assertRefused(b"0" + extension + b"\r\n\r\n", SIZE)

    def test_longLines(self) -> None:
        """A line is cut off at its limit, with an end or without (conformance 22)."""
        for octets in (b"1;" + b"a" * CHUNK_LINE, b"1;" + b"a" * (CHUNK_LINE - 1) + b"\r\n"):
            for way in ([octets], [octets[at : at + 1] for at in range(len(octets))]):
                refusal = feed(way)[1]
                assert refusal is not None
                self.assertIn("longer than 256 octets", refusal.detail)

    def test_manyExtensions(self) -> None:
        """Who pads every octet of a body with extensions is stopped (conformance 22)."""
        chunk = b"1;" + b"a" * 127 + b"\r\nx\r\n"
        most = EXTENSIONS // 128
        self.assertIsNone(feed([chunk * most])[1])
        refusal = feed([chunk * (most + 1)])[1]
        assert refusal is not None
        self.assertIn("chunk extensions", refusal.detail)
        many = b"1;" + b"a" * 15 + b"\r\nx\r\n"
        self.assertIsNotNone(feed([many] * (EXTENSIONS // 16 + 1))[1])

    def test_trailers(self) -> None:
        """Trailers are read as strictly as fields (conformance 20, 21)."""
        for lines, words in (
            (b"A : b\r\n", "trailer line 1: there is whitespace before the colon"),
            (b" A: b\r\n", "trailer line 1: there is whitespace before the field"),
            (b"A: b\r\n c\r\n", "trailer line 2: there is a folded field"),
            (b"A: b\n", "trailer line 1 ends with a bare LF"),
            (b"\n", "trailer line 1 ends with a bare LF"),
            (b"A: b\r\nC: d\re", "trailer line 2 has a bare CR"),
            (b"GET / HTTP/1.1\r\n", "trailer line 1: the name of the field has the octet 0x20"),
            (b"A: \0\r\n", "trailer line 1: the value of A has the octet 0x00"),
        ):
            self.assertRefused(b"1\r\na\r\n0\r\n" + lines, words)

    def test_manyTrailers(self) -> None:
        """They are limited as fields are (conformance 22)."""
        limits = Limits(10, 12, 30, 3)
        for lines, words in (
            (b"A: 4567890123", "trailer line 1 is longer than 12 octets"),
            (b"A:\r\n" * 4, "more than 3 trailer fields"),
            (b"A: 4567890\r\n" * 2 + b"C: 456789", "the trailer section is longer than 30 octets"),
        ):
            for pieces in cuts(b"0\r\n" + lines + b"\r\n\r\n"):
                for response, kind in (
                    (False, "http_request_fields_too_large"),
                    (True, "http_response_header_section_size"),
                ):
                    refusal = feed(pieces, False, response, limits)[1]
                    assert refusal is not None
                    self.assertEqual(refusal.kind, kind)
                    self.assertIn(words, refusal.detail)


class WritingTests(SynchronousTestCase):
    """
    L{formatChunk} and L{formatTrailers}.
    """

    def test_chunk(self) -> None:
        """A size, CRLF, the payload, CRLF; no payload makes no chunk, which would be the end."""
        self.assertEqual(formatChunk(b"a" * 26), b"1a\r\n" + b"a" * 26 + b"\r\n")
        self.assertEqual(formatChunk(b""), b"")

    def test_end(self) -> None:
        """The end has the trailers that are permitted."""
        self.assertEqual(formatTrailers([]), LAST_CHUNK)
        fields = [(b"x-sum", b"1"), (b"content-length", b"5"), (b"proxy-status", b"a"), (b"y", b"")]
        self.assertEqual(formatTrailers(fields), b"0\r\nx-sum: 1\r\ny: \r\n\r\n")

    def test_neverSplits(self) -> None:
        """A trailer that would end its line early is our bug."""
        for field in (
            (b"a", b"b\r\nc: d"),
            (b"a", b"b\nc"),
            (b"a\r\nb", b"c"),
            (b"", b"c"),
            (b"a b", b"c"),
            (b"a", b"\0"),
        ):
            self.assertRaises(ValueError, formatTrailers, [field])

    @examples
    @given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 400)))
    def test_roundTrip(self, pieces: list[bytes], places: list[int]) -> None:
        """What is written is read back, and passes as it is."""
        octets = b"".join(map(formatChunk, pieces)) + LAST_CHUNK
        for passing, expected in ((False, b"".join(pieces)), (True, octets)):
            passed, refusal, rest, reader = feed(parts(octets, places), passing)
            self.assertEqual((passed, refusal, rest, reader.done), (expected, None, b"", True))
