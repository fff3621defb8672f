"""
Smuggling: messages that two readers could take for different ones, at the client's side and at
the origin's, and what h11 and httptools make of what we take.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from tests.wire.feeding import Message, byH11, byHttptools, examples, request, response
from tests.wire.test_http1_oracles import mutate

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"

CODINGS = (
    b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
    b"Transfer-Encoding\x00: chunked", b"Transfer-Encoding\x0b: chunked", b"Transfer-Encoding\xa0: chunked",
    b"Transfer Encoding: chunked", b"Transfer-Encoding chunked", b"Transfer-Encoding\r\n : chunked",
    b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding:\x0cchunked", b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: 'chunked'", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding: chunked,", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding:", b"Transfer-Encoding: ,",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding: chunked\nX: y", b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
    b"X: \x00\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: \xa0chunked", b"Transfer-Encoding: chunked\x85",
    b"Transfer-Encoding: chu\tnked", b"Transfer-Encoding: gzip, chunked", b"\x0bTransfer-Encoding: chunked",
)  # fmt: skip
"""TE.TE: one reader sees the coding and another does not."""

LENGTHS = (
    b"Content-Length: 0\r\nContent-Length: 5", b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5, 5",
    b"Content-Length: 0, 5", b"Content-Length: +5", b"Content-Length: -5", b"Content-Length: 5_0",
    b"Content-Length: 0x5", b"Content-Length: 5 0", b"Content-Length:", b"Content-Length: 99999999999999999999",
    b"Content-Length : 5", b" Content-Length: 5", b"Content-Length\x00: 5", b"Content-Length: 5\x00",
    b"Content-Length: \x0b5", b"Content-Length:\r\n 5", b"Content-Length: 5\nX: y", b"Content-Length: 5\rX: y",
    b"Content-Length: 5;a", b"Content-Length: 5.0", b"Content-Length: \xb25", b"Content-Length: 18446744073709551621",
)  # fmt: skip
"""CL.CL: two readers see different lengths."""

CHUNKS = (
    b"0x5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello",
    b"5;\n\r\nhello\r\n0\r\n\r\n", b"5;\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n",
    b"5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n",
    b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\n \r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", b"5\r\nhello\r\n-0\r\n\r\n", b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"5\t\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0 \r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"5, 5\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n", b"5 ;a\r\nhello\r\n0\r\n\r\n", b"5\xa0\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n" + SMUGGLED,
)  # fmt: skip
"""Bodies whose chunks end elsewhere for another reader."""


class SmugglingTests(SynchronousTestCase):
    """
    What is on the lists is refused; what is like it and right is taken.
    """

    def assertRefused(self, head: bytes, rest: bytes) -> None:
        """A request and a response with this are refused, each as its sender's fault."""
        verdict = request(POST + head + rest)
        assert isinstance(verdict, Refusal), (head, rest, verdict)
        self.assertIn(verdict.row.status, (400, 501))
        for verdict in (response(OK + head + rest), response(OK + head + rest, ended=True)):
            assert isinstance(verdict, Refusal), (head, rest, verdict)
            self.assertEqual(verdict.row.status, 502)

    def test_codings(self) -> None:
        """TE.TE and, with a length before or behind, CL.TE and TE.CL (conformance 33)."""
        for coding in CODINGS:
            for head in (
                coding,
                coding + b"\r\nContent-Length: 5",
                b"Content-Length: 5\r\n" + coding,
            ):
                self.assertRefused(head + b"\r\n\r\n", b"0\r\n\r\n" + SMUGGLED)

    def test_lengths(self) -> None:
        """CL.CL (conformance 33)."""
        for length in LENGTHS:
            self.assertRefused(length + b"\r\n\r\n", b"hello" + SMUGGLED)

    def test_both(self) -> None:
        """CL.TE and TE.CL without any disguise (conformance 33)."""
        for fields in (
            b"Content-Length: 5\r\nTransfer-Encoding: chunked",
            b"transfer-encoding: CHUNKED\r\ncontent-length: 0",
        ):
            self.assertRefused(fields + b"\r\n\r\n", b"0\r\n\r\n" + SMUGGLED)

    def test_chunks(self) -> None:
        """Tricks with sizes and with what is around chunks (conformance 33)."""
        for chunks in CHUNKS:
            self.assertRefused(b"Transfer-Encoding: chunked\r\n\r\n", chunks)

    def test_right(self) -> None:
        """The same without the tricks is taken, and what is behind is the next message, to the octet."""
        for fields, octets in (
            (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
            (b"TRANSFER-ENCODING:\tChunked ", b'5;a="b"\r\nhello\r\n0\r\nX: y\r\n\r\n'),
            (b"Content-Length: 5", b"hello"),
            (b"X-Content-Length: 9\r\nContent-Length: 5", b"hello"),
        ):
            for start, read in ((POST, request), (OK, response)):
                found = read(start + fields + b"\r\n\r\n" + octets + SMUGGLED)
                assert isinstance(found, Message), found
                self.assertEqual((found.payload, found.rest), (b"hello", SMUGGLED))

    def test_noBody(self) -> None:
        """A response that has no body has none, whatever is behind its head (conformance 33)."""
        for start, method in (
            (b"HTTP/1.1 204 No Content\r\n", "GET"),
            (b"HTTP/1.1 304 Not Modified\r\n", "GET"),
            (OK, "HEAD"),
        ):
            for fields in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""):
                found = response(start + fields + b"\r\n" + SMUGGLED, method)
                assert isinstance(found, Message), found
                self.assertEqual((found.payload, found.rest), (b"", SMUGGLED))


tails = st.sampled_from(
    [
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"X: y\r\ntransfer-encoding: chunked\r\n\r\n1;a=b\r\n!\r\n0a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 10\r\nX:\r\n\r\n5\r\nhello\r\n",
        b"Content-Length: 0\r\n\r\n",
    ]
)
morsels = st.sampled_from(
    [
        *(bytes([octet]) for octet in b"\r\n \t:;,\0\x7f\xff\x0b0159aA+-_="), b"\r\n", b"0\r\n\r\n", b"0x",
        b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"chunked", b", ", b"\r\n ",
    ]
)  # fmt: skip
mutants = st.builds(
    mutate,
    tails,
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 3), st.one_of(morsels, st.binary(max_size=3))),
        max_size=3,
    ),
)


class OracleTests(SynchronousTestCase):
    """
    Who reads the same message otherwise can be played off against us.
    """

    @examples
    @given(mutants)
    def test_requests(self, octets: bytes) -> None:
        """
        A request that we take whole is taken by h11 and httptools, with the same payload and the same octets
        behind it.

        Known and justified: httptools does not take every valid chunk extension.
        """
        found = request(POST + octets)
        if not isinstance(found, Message) or sum(name == b"host" for name, _ in found.fields) != 1:
            return
        other = byH11(POST + octets)
        assert other is not None
        self.assertEqual(other, found)
        if b";" not in octets:
            self.assertEqual(byHttptools(POST + octets), found[:3])

    @examples
    @given(mutants)
    def test_responses(self, octets: bytes) -> None:
        """So with a response."""
        found = response(OK + octets)
        if not isinstance(found, Message):
            return
        self.assertEqual(byH11(OK + octets, "GET"), found)
        if b";" not in octets:
            self.assertEqual(byHttptools(OK + octets, True), found[:3])

    def test_oraclesAreAsked(self) -> None:
        """The messages that mutation begins with are such that we and both others take whole."""
        for tail in (
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"Content-Length: 5\r\n\r\nhello",
        ):
            for start, read, method in ((POST, request, ""), (OK, response, "GET")):
                found = read(start + tail)
                assert isinstance(found, Message)
                self.assertEqual(byH11(start + tail, method), found)
                self.assertEqual(byHttptools(start + tail, bool(method)), found[:3])

    def test_whatOthersTakeAndWeDoNot(self) -> None:
        """Leniency of others that is refused here; where one of them learns to refuse, the table says too much."""
        for octets, takers in (
            (b"Content-Length: 5, 5\r\n\r\nhello", {"h11"}),
            (b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {"h11"}),
            (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {"h11"}),
            (b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", {"h11"}),
            (b"Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n", {"h11"}),
        ):
            self.assertIsInstance(request(POST + octets), Refusal)
            found = {"h11"} if byH11(POST + octets) else set()
            found |= {"httptools"} if byHttptools(POST + octets) else set()
            self.assertEqual(found, takers, octets)
