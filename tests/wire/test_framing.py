"""
Tests of L{connectproxy.wire.framing}: what heads say of the length of bodies, and reading by it.

The attempts at smuggling are in L{tests.wire.test_framing_hostile}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.framing import (
    CHUNKED,
    CLOSE,
    LAST_CHUNK,
    NONE,
    BodyReader,
    Delimiter,
    Framing,
    formatChunk,
    requestFraming,
    responseFraming,
)
from connectproxy.wire.grammar import Limits
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.response import ResponseHead
from tests.wire.feeding import body, examples, parts
from tests.wire.test_http1 import cuts

BAD = "http_request_error"
CODING = "http_transfer_coding_unsupported"
WRONG = "http_protocol_error"
RESPONSE_CODING = "http_response_transfer_coding"

TE = b"transfer-encoding"
CL = b"content-length"


def length(octets: int) -> Framing:
    """The framing of so many octets."""
    return Framing(Delimiter.LENGTH, octets)


class RequestFramingTests(SynchronousTestCase):
    """
    L{requestFraming}.
    """

    def assertFraming(self, expected: Framing | str, *fields: tuple[bytes, bytes], minor: int = 1) -> None:
        """The fields say this, among others and in any order; or are refused with this kind."""
        for before in ((), ((b"host", b"a"), (b"x-content-length", b"9"))):
            for order in (fields, fields[::-1]):
                found = requestFraming(RequestHead("POST", b"/", minor, (*before, *order)))
                if isinstance(expected, str):
                    assert isinstance(found, Refusal), (found, fields)
                    self.assertEqual(found.kind, expected, fields)
                    self.assertTrue(found.detail.isascii() and found.detail.isprintable())
                    self.assertIn(found.kind, KINDS)
                else:
                    self.assertEqual(found, expected)

    def test_none(self) -> None:
        """A request that says nothing of a body has none, whatever its method."""
        self.assertFraming(NONE)
        self.assertFraming(NONE, minor=0)

    def test_length(self) -> None:
        """One field of digits is a length, zero included, up to what fits a signed integer of 64 bits."""
        for value, octets in ((b"0", 0), (b"5", 5), (b"0005", 5), (b"9223372036854775807", 2**63 - 1)):
            for minor in (0, 1):
                self.assertFraming(length(octets), (CL, value), minor=minor)

    def test_noLength(self) -> None:
        """What is no plain number is refused, never repaired (conformance 33)."""
        for value in (
            b"", b"+5", b"-5", b"-0", b"5, 5", b"5,5", b"5 5", b"5_0", b"0x5", b"5.0", b"5e1", b"5;", b"\xb2", b"five",
            b"9223372036854775808", b"9" * 19, b"9" * 20, b"0" * 20, b"18446744073709551621",
        ):  # fmt: skip
            self.assertFraming(BAD, (CL, value))

    def test_severalLengths(self) -> None:
        """More than one field is refused, even if they agree (conformance 33)."""
        for one, other in ((b"5", b"5"), (b"0", b"5"), (b"5", b""), (b"5", b"x")):
            self.assertFraming(BAD, (CL, one), (CL, other))

    def test_chunked(self) -> None:
        """The coding's name is case-insensitive."""
        for value in (b"chunked", b"Chunked", b"CHUNKED"):
            self.assertFraming(CHUNKED, (TE, value))

    def test_both(self) -> None:
        """Transfer-Encoding and Content-Length together are refused, whatever they say (conformance 33)."""
        for coding in (b"chunked", b"identity", b"x", b""):
            for value in (b"0", b"5", b"x"):
                self.assertFraming(BAD, (TE, coding), (CL, value))

    def test_notLast(self) -> None:
        """Where chunked isn't the last coding nobody knows where the body ends (conformance 33)."""
        for value in (
            b"identity", b"gzip", b"chunked, gzip", b"chunked, identity", b"chunked,", b"xchunked", b"chunkedx",
            b"chunked;a=b", b"chunked foo", b'"chunked"', b"chunked\xa0", b"chunked\x85", b"", b",",
        ):  # fmt: skip
            self.assertFraming(BAD, (TE, value))
        self.assertFraming(BAD, (b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"identity"))

    def test_twice(self) -> None:
        """Chunked twice is chunked no more than once, for some (conformance 33)."""
        for value in (b"chunked, chunked", b"chunked;a, chunked", b",chunked", b"gzip,,chunked"):
            self.assertFraming(BAD, (TE, value))
        self.assertFraming(BAD, (TE, b"chunked"), (TE, b"chunked"))

    def test_unknown(self) -> None:
        """A coding in front of chunked can be told from a mistake: it is not served (conformance 33)."""
        for value in (b"gzip, chunked", b"x-foo;a=b ,\tchunked", b"identity,chunked"):
            self.assertFraming(CODING, (TE, value))

    def test_oldVersion(self) -> None:
        """HTTP/1.0 has no transfer codings: who sends one may be read in two ways (conformance 33)."""
        self.assertFraming(BAD, (TE, b"chunked"), minor=0)


class ResponseFramingTests(SynchronousTestCase):
    """
    L{responseFraming}.
    """

    def framing(
        self, *fields: tuple[bytes, bytes], status: int = 200, method: str = "GET", minor: int = 1
    ) -> Framing | str:
        """What the fields say, or the kind of the refusal."""
        found = responseFraming(method, ResponseHead(status, b"", minor, ((b"server", b"a"), *fields)))
        if isinstance(found, Refusal):
            self.assertTrue(found.detail.isascii() and found.detail.isprintable())
            self.assertEqual(KINDS[found.kind].status, 502)
            return found.kind
        return found

    def test_body(self) -> None:
        """A length, chunks, or the end of the connection."""
        self.assertEqual(self.framing((CL, b"5")), length(5))
        self.assertEqual(self.framing((CL, b"0"), minor=0), length(0))
        self.assertEqual(self.framing((TE, b"Chunked")), CHUNKED)
        self.assertEqual(self.framing(), CLOSE)
        self.assertEqual(self.framing(minor=0), CLOSE)

    def test_none(self) -> None:
        """Responses to HEAD, interim ones, 204 and 304 have no body, whatever they say of a length."""
        for fields in ((), ((CL, b"5"),), ((TE, b"chunked"),)):
            self.assertEqual(self.framing(*fields, method="HEAD"), NONE)
            for status in (100, 101, 103, 199, 204, 304):
                self.assertEqual(self.framing(*fields, status=status), NONE)
            for status in (200, 205, 404):
                self.assertNotEqual(self.framing(*fields, status=status), NONE)

    def test_connect(self) -> None:
        """A success of CONNECT has no body, and the fields that say so are ignored (conformance 7)."""
        for fields in (((CL, b"5"),), ((CL, b"x"), (TE, b"y"))):
            self.assertEqual(self.framing(*fields, method="CONNECT"), NONE)
        self.assertEqual(self.framing((CL, b"5"), method="CONNECT", status=407), length(5))

    def test_wrong(self) -> None:
        """Bad lengths, and both fields together, are refused, without a body as well (conformance 33)."""
        for fields in (
            ((CL, b"5"), (CL, b"5")), ((CL, b"5, 5"),), ((CL, b"+5"),), ((CL, b""),), ((CL, b"9" * 20),),
            ((TE, b"chunked"), (CL, b"5")), ((CL, b"0"), (TE, b"identity")),
        ):  # fmt: skip
            for method, status in (("GET", 200), ("HEAD", 200), ("GET", 304), ("GET", 204), ("CONNECT", 502)):
                self.assertEqual(self.framing(*fields, method=method, status=status), WRONG)
        self.assertEqual(self.framing((TE, b"chunked"), minor=0), WRONG)

    def test_codings(self) -> None:
        """No coding but chunked was asked for (conformance 33)."""
        for value in (
            b"gzip",
            b"gzip, chunked",
            b"chunked, chunked",
            b"chunked, identity",
            b"xchunked",
            b"identity",
            b"",
        ):
            self.assertEqual(self.framing((TE, value)), RESPONSE_CODING)
        self.assertEqual(self.framing((TE, b"chunked"), (TE, b"chunked")), RESPONSE_CODING)


class BodyReaderTests(SynchronousTestCase):
    """
    L{BodyReader}.
    """

    def test_none(self) -> None:
        """No body is complete at once, and so is one of no octets; to feed it would be our bug."""
        for framing in (NONE, length(0)):
            reader = BodyReader(framing)
            self.assertTrue(reader.done)
            self.assertIsNone(reader.ended())
            self.assertRaises(RuntimeError, reader.receive, b"a")

    def test_length(self) -> None:
        """A body is as long as it says, however it is cut, and what is behind is left over."""
        for behind in (b"", b"GET / HTTP/1.1\r\n"):
            for pieces in cuts(b"hello" + behind):
                for response in (False, True):
                    passed, reader, refusal, rest = body(pieces, length(5), response=response)
                    self.assertEqual((passed, refusal, rest), (b"hello", None, behind))
                    self.assertTrue(reader.done)
                    self.assertIsNone(reader.ended())
                    self.assertEqual(reader.trailers, ())

    def test_copiesNothing(self) -> None:
        """What is no more than the body is handed out as it came."""
        reader = BodyReader(length(1000))
        first, second = b"a" * 600, b"b" * 400
        self.assertIs(reader.receive(first), first)
        self.assertFalse(reader.done)
        self.assertIs(reader.receive(second), second)
        self.assertTrue(reader.done)

    def test_close(self) -> None:
        """A body until the end is complete when the stream ends (conformance 37)."""
        reader = BodyReader(CLOSE, response=True)
        octets = b"0\r\n\r\n"
        self.assertIs(reader.receive(octets), octets)
        self.assertFalse(reader.done)
        self.assertIsNone(reader.ended())
        self.assertTrue(reader.done)

    def test_chunked(self) -> None:
        """A chunked body comes out of its chunks or goes on in them, and has its trailers at the end."""
        octets = b"5;x\r\nhello\r\n0\r\nA: b\r\nTE: c\r\n\r\n"
        for passing, expected in ((False, b"hello"), (True, b"5\r\nhello\r\n0\r\na: b\r\n\r\n")):
            for pieces in cuts(octets + b"GET"):
                passed, reader, refusal, rest = body(pieces, CHUNKED, passing=passing)
                self.assertEqual((passed, refusal, rest), (expected, None, b"GET"))
                self.assertEqual(reader.trailers, ((b"a", b"b"),))
                self.assertIsNone(reader.ended())

    def test_kinds(self) -> None:
        """Who sent the body is at fault for it."""
        for octets, limits, kind, responseKind in (
            (b"x\r\n", Limits(), BAD, WRONG),
            (b"0\r\nA : b\r\n", Limits(), BAD, WRONG),
            (
                b"0\r\nA: b\r\n",
                Limits(fieldLine=2),
                "http_request_fields_too_large",
                "http_response_header_section_size",
            ),
        ):
            for response, expected in ((False, kind), (True, responseKind)):
                _, reader, refusal, _ = body([octets], CHUNKED, response=response, limits=limits)
                assert refusal is not None
                self.assertEqual(refusal.kind, expected)
                self.assertFalse(reader.done)

    def test_truncated(self) -> None:
        """A stream that ends in the body is never taken for the end of the body (conformance 37)."""
        for framing, octets, words in (
            (length(5), b"", "5 octets did not come"), (length(5), b"hell", "1 octets did not come"),
            (CHUNKED, b"", "the last chunk"), (CHUNKED, b"5\r\nhel", "the last chunk"),
            (CHUNKED, b"5\r\nhello\r\n", "the last chunk"), (CHUNKED, b"5\r\nhello\r\n0\r\n", "the last chunk"),
            (CHUNKED, b"5\r\nhello\r\n0\r\nA: b\r\n\r", "the last chunk"),
        ):  # fmt: skip
            for response, kind in ((False, BAD), (True, "http_response_incomplete")):
                for passing in (False, True):
                    passed, reader, refusal, _ = body([octets], framing, response=response, passing=passing)
                    self.assertIsNone(refusal)
                    self.assertNotIn(LAST_CHUNK[:3], passed)
                    refusal = reader.ended()
                    assert refusal is not None
                    self.assertEqual(refusal.kind, kind)
                    self.assertIn(words, refusal.detail)

    @examples
    @given(st.binary(max_size=60), st.lists(st.integers(0, 99)), st.binary(max_size=9), st.booleans())
    def test_roundTrip(self, octets: bytes, places: list[int], behind: bytes, passing: bool) -> None:
        """However a body is framed and cut, it comes out whole, and what is behind it, too."""
        chunks = b"".join(map(formatChunk, parts(octets, places))) + LAST_CHUNK
        for framing, sent, expected in (
            (length(len(octets)), octets, octets),
            (CHUNKED, chunks, chunks if passing else octets),
        ):
            passed, reader, refusal, rest = body(parts(sent + behind, places), framing, passing=passing)
            self.assertEqual((passed, refusal, reader.done, rest), (expected, None, True, behind))
