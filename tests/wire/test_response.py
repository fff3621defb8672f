"""
Tests of L{connectproxy.wire.response}, and of what L{connectproxy.wire.section} does for
every reader: whatever is read is read in every way it can come.
"""

from __future__ import annotations

import tracemalloc

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.grammar import Limits
from connectproxy.wire.response import ResponseHead, ResponseReader
from tests.wire.feeding import examples, parts
from tests.wire.test_http1 import cuts
from tests.wire.test_http1_oracles import mutate

BAD = "http_protocol_error"
LARGE = "http_response_header_section_size"
START = b"HTTP/1.1 200 OK\r\n"

Verdict = ResponseHead | Refusal | None


def read(pieces: list[bytes], limits: Limits | None = None) -> tuple[Verdict, bytes]:
    """Feed pieces until there is a verdict; give it, with all that was not part of the head."""
    reader = ResponseReader("GET") if limits is None else ResponseReader("GET", limits)
    verdict: Verdict = None
    rest = b""
    for piece in pieces:
        if verdict is None:
            verdict = reader.receive(piece)
        else:
            rest += piece
    return verdict, reader.leftover + rest


class Reading(SynchronousTestCase):
    """
    What the cases below assert.
    """

    def assertHead(self, octets: bytes, expected: ResponseHead, limits: Limits | None = None) -> None:
        """The head is read, however it is cut, and what is behind it is left over to the octet."""
        for behind in (b"", b"\r\nbody", START):
            for pieces in cuts(octets + behind):
                self.assertEqual(read(pieces, limits), (expected, behind))

    def assertRefused(self, octets: bytes, kind: str, words: str, limits: Limits | None = None) -> None:
        """The last octet settles that the head is refused, however it is cut and whatever is behind it."""
        for pieces in cuts(octets[:-1]) if octets[:-1] else ():
            self.assertIsNone(read(pieces, limits)[0])
        for behind in (b"", b"\r\n\r\n", START + b"\r\n", b"\0\xff"):
            for pieces in cuts(octets + behind):
                verdict, _ = read(pieces, limits)
                assert isinstance(verdict, Refusal), (verdict, pieces)
                self.assertEqual(verdict.kind, kind, pieces)
                self.assertIn(words, verdict.detail)
                self.assertTrue(verdict.detail.isascii() and verdict.detail.isprintable(), verdict.detail)
        self.assertIn(kind, KINDS)


class ResponseReaderTests(Reading):
    """
    L{ResponseReader}.
    """

    def test_readsAResponse(self) -> None:
        """A head like nginx's, with everything in it and in its order."""
        octets = (
            START + b"Server: nginx\r\nContent-Type:text/html \r\nSet-Cookie: a=b\r\nset-cookie: c\r\n\r\n"
        )
        fields = (
            (b"server", b"nginx"),
            (b"content-type", b"text/html"),
            (b"set-cookie", b"a=b"),
            (b"set-cookie", b"c"),
        )
        head = ResponseHead(200, b"OK", 1, fields)
        self.assertHead(octets, head)
        self.assertEqual(head.values(b"set-cookie"), [b"a=b", b"c"])
        self.assertEqual(head.values(b"date"), [])

    def test_everyStatus(self) -> None:
        """Three digits from 100 to 599, those of interim responses and of a change of protocol included."""
        for status in (100, 101, 103, 200, 204, 304, 404, 451, 599):
            self.assertHead(b"HTTP/1.1 %d x\r\n\r\n" % status, ResponseHead(status, b"x", 1, ()))
        for status in (b"099", b"600", b"999", b"20", b"2000", b"-20", b"2 0", b"0x1", b"2\xb20", b""):
            self.assertRefused(b"HTTP/1.1 " + status + b" OK\r\n", BAD, "line 1 is not")

    def test_reasons(self) -> None:
        """A reason may be empty, missing with its space, or hold spaces and obs-text."""
        for line, reason in (
            (b"200", b""),
            (b"200 ", b""),
            (b"200  ", b" "),
            (b"200 a b\t\xe9", b"a b\t\xe9"),
        ):
            self.assertHead(b"HTTP/1.1 " + line + b"\r\n\r\n", ResponseHead(200, reason, 1, ()))
        for control in (0, 8, 0x0B, 0x1B, 0x7F):
            octets = b"HTTP/1.1 200 O" + bytes([control]) + b"\r\n"
            self.assertRefused(octets, BAD, f"line 1 has the octet {control:#04x} at column 15")

    def test_versions(self) -> None:
        """HTTP/1.0 is told from all others of HTTP/1; what isn't HTTP/1 is refused at once (conformance 35)."""
        for minor, told in ((b"0", 0), (b"1", 1), (b"2", 1), (b"9", 1)):
            self.assertHead(b"HTTP/1." + minor + b" 200\r\n\r\n", ResponseHead(200, b"", told, ()))
        for octets in (
            b"HTTP/2",
            b"HTTP/0",
            b"HTTP/1,",
            b"I",
            b"<",
            b"\x00",
            b"\r",
            b"\n",
            b" ",
            b"h",
            b"\x15",
        ):
            self.assertRefused(octets, BAD, "does not begin with HTTP/1")
        for line in (
            b"HTTP/1.x 200 OK",
            b"HTTP/1.10 200 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1. 200",
        ):
            self.assertRefused(line + b"\r\n", BAD, "line 1 ")

    def test_lines(self) -> None:
        """Lines end with CRLF and nothing else (conformance 35)."""
        for octets, words in (
            (b"HTTP/1.1 200 OK\n", "line 1 ends with a bare LF"), (b"HTTP/1.1 200 OK\r\r", "line 1 has a bare CR"),
            (START + b"A: b\n", "line 2 ends with a bare LF"), (START + b"A: b\rc", "line 2 has a bare CR"),
            (START + b"A: b\r\n\n", "line 3 ends with a bare LF"), (START + b"\rX", "line 2 has a bare CR"),
        ):  # fmt: skip
            self.assertRefused(octets, BAD, words)

    def test_fields(self) -> None:
        """Folded fields, whitespace before the colon and the rest are not repaired (conformance 35)."""
        for line, words in (
            (b" A: b\r\n", "line 2: there is whitespace before the field"),
            (b"A: b\r\n c: d\r\n", "line 3: there is a folded field"),
            (b"A: b\r\n\t\r\n", "line 3: there is a folded field"),
            (b"Content-Length : 5\r\n", "line 2: there is whitespace before the colon"),
            (b"Content-Length\t: 5\r\n", "line 2: there is whitespace before the colon"),
            (b"Content Length: 5\r\n", "line 2: the name of the field has the octet 0x20"),
            (b": a\r\n", "line 2: there is no name before the colon"),
            (b"A\r\n", "line 2: there is no colon"),
            (b"A: b\0c\r\n", "line 2: the value of A has the octet 0x00 at column 5"),
            (
                b"Transfer-Encoding: \x0bchunked\r\n",
                "line 2: the value of Transfer-Encoding has the octet 0x0b",
            ),
        ):
            self.assertRefused(START + line, BAD, words)

    def test_limits(self) -> None:
        """What goes beyond a limit is refused as soon as it has come (conformance 22)."""
        small = Limits(line=20, fieldLine=12, section=30, fields=3)
        good = b"HTTP/1.1 200 3456789\r\n"
        self.assertHead(
            good + b"X: 456789012\r\n\r\n", ResponseHead(200, b"3456789", 1, ((b"x", b"456789012"),)), small
        )
        for octets, words in (
            (good[:-2] + b"0", "line 1 is longer than 20 octets"),
            (good + b"X: 4567890123", "line 2 is longer than 12 octets"),
            (good + b"X: 4567890\r\nY: 4567890\r\nZ: 4567", "the header section is longer than 30 octets"),
            (good + b"X:\r\n" * 4, "there are more than 3 header fields"),
        ):
            self.assertRefused(octets, LARGE, words, small)
        self.assertIsInstance(read([START + b"X:\r\n" * 100 + b"\r\n"])[0], ResponseHead)
        refusal = Refusal(LARGE, "there are more than 100 header fields")
        self.assertEqual(read([START + b"X:\r\n" * 101 + b"\r\n"])[0], refusal)

    def test_holdsNoMoreThanTheLimits(self) -> None:
        """However much comes at once, no more is kept or copied than a head may have (conformance 22)."""
        flood = 4 * 1024 * 1024
        for octets in (
            b"HTTP/1.1 200 " + b"a" * flood,
            START + b"X" * flood,
            START + b"X: y\r\n" * (flood // 6),
        ):
            reader = ResponseReader("GET")
            tracemalloc.start()
            self.assertIsInstance(reader.receive(octets[:3]) or reader.receive(octets[3:]), Refusal)
            kept, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(kept, 16 * 1024)
            self.assertLess(peak, flood + 256 * 1024)

    def test_started(self) -> None:
        """An origin that closes without an octet may be asked again elsewhere; C{started} tells."""
        reader = ResponseReader("HEAD")
        self.assertEqual(reader.method, "HEAD")
        self.assertIsNone(reader.receive(b""))
        self.assertFalse(reader.started)
        self.assertIsNone(reader.receive(b"H"))
        self.assertTrue(reader.started)

    def test_isUsedUpByItsVerdict(self) -> None:
        """Octets behind a verdict are somebody else's: to feed them is our bug."""
        for octets in (START + b"\r\n", b"x"):
            reader = ResponseReader("GET")
            self.assertIsNotNone(reader.receive(octets))
            self.assertRaises(RuntimeError, reader.receive, b"")


heads = st.sampled_from(
    [
        START + b"Server: a\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.0 404\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 \xe9 b\r\nTransfer-Encoding:\tchunked \r\nX:\r\nx: y\r\n\r\n",
    ]
)
morsels = st.sampled_from(
    [
        *(bytes([octet]) for octet in b"\r\n \t:\0\x7f\x80\xff\x0b129/HX"),
        b"\r\n\r\n",
        b"\r\n ",
        b"X: y\r\n",
        b"a" * 50,
    ]
)
mutants = st.builds(
    mutate,
    heads,
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 3), st.one_of(morsels, st.binary(max_size=3))),
        max_size=3,
    ),
)
various = [Limits(), Limits(40, 30, 60, 3), Limits(200, 20, 200, 9), Limits(200, 200, 30, 9)]


class FuzzTests(SynchronousTestCase):
    """
    What mutation finds.
    """

    @examples
    @given(mutants, st.lists(st.integers(0, 200)), st.binary(max_size=9), st.sampled_from(various))
    def test_verdictDoesNotDependOnTheCut(
        self, octets: bytes, places: list[int], behind: bytes, limits: Limits
    ) -> None:
        """Nothing raises, and verdict, words and leftover are the same whatever the pieces."""
        octets += behind
        whole = read([octets], limits)
        for pieces in (parts(octets, places), [octets[at : at + 1] for at in range(len(octets))]):
            verdict, leftover = read(pieces, limits)
            self.assertEqual(verdict, whole[0])
            if isinstance(verdict, ResponseHead):
                self.assertEqual(leftover, whole[1])
                self.assertTrue(octets.endswith(leftover))

    @examples
    @given(mutants)
    def test_whatWeTakeH11TakesAlike(self, octets: bytes) -> None:
        """
        A final response that we take is taken by h11 with the same status, reason and fields.

        Known and justified: h11 refuses fields about the length that are L{connectproxy.wire.framing}'s
        to judge here.
        """
        head, _ = read([octets])
        if (
            not isinstance(head, ResponseHead)
            or head.status < 200
            or b"ontent-" in octets
            or b"ransfer-" in octets
        ):
            return
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.receive_data(octets)
        event = connection.next_event()
        assert isinstance(event, h11.Response), event
        self.assertEqual((event.status_code, event.reason), (head.status, head.reason))
        self.assertEqual(tuple(event.headers), head.fields)
