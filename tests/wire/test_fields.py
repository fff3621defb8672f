"""
Tests of L{connectproxy.wire.fields}: what goes on, and how it is written.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire import fields as module
from connectproxy.wire.fields import (
    HOP_BY_HOP,
    KEPT_NAMES,
    connectionOptions,
    elements,
    endToEnd,
    writeFields,
)
from tests.wire.feeding import examples

Field = tuple[bytes, bytes]


def write(fields: list[Field], *dropped: bytes) -> bytes:
    """What is written."""
    parts = [b"start"]
    writeFields(fields, dropped, parts)
    return b"".join(parts)


class ElementsTests(SynchronousTestCase):
    """
    L{elements} and L{connectionOptions}.
    """

    def test_elements(self) -> None:
        """Lists may be spread over lines and have empty elements and whitespace (RFC 9110 section 5.6.1)."""
        for values, expected in (
            ([], []), ([b""], []), ([b" ,\t, "], []), ([b"a"], [b"a"]), ([b"A,b", b" c\t,,D "], [b"a", b"b", b"c", b"d"]),
            ([b"a b"], [b"a b"]),
        ):  # fmt: skip
            self.assertEqual(elements(values), expected)

    def test_options(self) -> None:
        """Every Connection field counts, and no other (conformance 27)."""
        fields = [
            (b"connection", b"Close, X-A"),
            (b"proxy-connection", b"x-b"),
            (b"connection", b"x-c" + b" " * 99),
        ]
        for _ in range(2):
            self.assertEqual(connectionOptions(fields), {b"close", b"x-a", b"x-c"})
        self.assertEqual(connectionOptions([]), frozenset())


class EndToEndTests(SynchronousTestCase):
    """
    L{endToEnd}.
    """

    def test_hopByHop(self) -> None:
        """Fields about one connection go no further, whether Connection names them or not (conformance 27)."""
        for name in (
            b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
            b"proxy-authorization", b"proxy-authenticate", b"proxy-authentication-info", b"http2-settings",
        ):  # fmt: skip
            self.assertIn(name, HOP_BY_HOP)
            self.assertEqual(
                endToEnd([(b"a", b"1"), (name, b"x"), (b"b", b"2")]), [(b"a", b"1"), (b"b", b"2")]
            )

    def test_named(self) -> None:
        """Every field that Connection names goes, before it and behind it (conformance 27)."""
        fields = [
            (b"x-a", b"1"),
            (b"connection", b"X-A, x-b"),
            (b"x-b", b"2"),
            (b"x-c", b"3"),
            (b"x-a", b"4"),
        ]
        self.assertEqual(endToEnd(fields), [(b"x-c", b"3")])

    def test_order(self) -> None:
        """The rest keep their order, repeated ones included."""
        fields = [(b"set-cookie", b"a"), (b"x", b"b"), (b"set-cookie", b"c"), (b"via", b"1.1 p")]
        self.assertEqual(endToEnd(fields), fields)


class WriteFieldsTests(SynchronousTestCase):
    """
    L{writeFields}.
    """

    def setUp(self) -> None:
        """Begin with no unusual name in the table, and leave none."""
        module._unusual.clear()
        self.addCleanup(module._unusual.clear)

    def test_spelling(self) -> None:
        """Names are written as the RFCs write them, unknown ones in their manner; again as the first time."""
        for name, spelt in (
            (b"content-type", b"Content-Type"), (b"etag", b"ETag"), (b"www-authenticate", b"WWW-Authenticate"),
            (b"sec-websocket-key", b"Sec-WebSocket-Key"), (b"dnt", b"DNT"), (b"x-xss-protection", b"X-XSS-Protection"),
            (b"x-own-thing", b"X-Own-Thing"), (b"foo", b"Foo"), (b"a--b-", b"A--B-"), (b"x_y.z", b"X_y.z"), (b"1a", b"1a"),
        ):  # fmt: skip
            self.assertEqual(spelt.lower(), name)
            for _ in range(2):
                self.assertEqual(write([(name, b"v")]), b"start\r\n" + spelt + b": v")

    def test_drops(self) -> None:
        """What is dropped by name, about one connection, or named by Connection is not there (conformance 27)."""
        fields = [
            (b"host", b"a"), (b"x-a", b"1"), (b"connection", b"keep-alive"), (b"te", b"trailers"), (b"accept", b"*/*"),
            (b"x-b", b"2"),
        ]  # fmt: skip
        self.assertEqual(write(fields, b"host", b"x-b"), b"start\r\nX-A: 1\r\nAccept: */*")
        named = [*fields, (b"connection", b"x-a, accept")]
        self.assertEqual(write(named, b"host"), b"start\r\nX-B: 2")
        self.assertEqual(write([]), b"start")

    def test_isBounded(self) -> None:
        """A flood of names does not let the table grow, nor does a long one get in."""
        for number in range(2 * KEPT_NAMES):
            write([(b"x-%d" % number, b"")])
            self.assertLessEqual(len(module._unusual), KEPT_NAMES)
        module._unusual.clear()
        long = b"x" * 101
        self.assertEqual(write([(long, b"")]), b"start\r\nX" + long[1:] + b": ")
        self.assertEqual(module._unusual, {})

    names = st.sampled_from(
        [
            b"host",
            b"x-a",
            b"x-b",
            b"connection",
            b"te",
            b"cookie",
            b"upgrade",
            b"content-length",
            b"keep-alive",
        ]
    )
    values = st.sampled_from([b"", b"close", b"x-a", b"X-A, te", b"keep-alive, x-b", b"upgrade", b"cookie"])

    @examples
    @given(st.lists(st.tuples(names, values), max_size=6), st.sets(names))
    def test_sameAsEndToEnd(self, fields: list[Field], dropped: set[bytes]) -> None:
        """However fields are mixed, what is written is what L{endToEnd} leaves of them, less what is dropped."""
        lines = write(fields, *dropped).split(b"\r\n")[1:]
        found = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
        self.assertEqual(found, [field for field in endToEnd(fields) if field[0] not in dropped])
