"""
Which header sections are requests, and which are malformed; conformance 38, 41 and 45.
"""

from __future__ import annotations

from typing import Any

from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.http2 import RequestFields, ResponseFields, readRequest, readResponse, readTrailers

CONNECT = [(b":method", b"CONNECT"), (b":authority", b"a.example:443")]
GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.example"), (b":path", b"/")]
SOCKET = [(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")]


class RequestTests(SynchronousTestCase):
    """
    Requests, and what makes them malformed.
    """

    def good(self, section: Any) -> RequestFields:
        """
        A section that is a request.
        """
        found = readRequest(section)
        assert isinstance(found, RequestFields), found
        return found

    def bad(self, section: Any) -> str:
        """
        A section that is malformed.

        @return: why.
        """
        found = readRequest(section)
        assert isinstance(found, Refusal), found
        self.assertEqual(found.kind, "http_request_error")
        return found.detail

    def test_connect(self) -> None:
        """
        A CONNECT has a method and an authority, and fields (conformance 38).
        """
        found = self.good([*CONNECT, (b"user-agent", b"x"), (b"host", b"other")])
        self.assertEqual((found.method, found.authority, found.protocol), (b"CONNECT", b"a.example:443", b""))
        self.assertEqual(found.fields, ((b"user-agent", b"x"), (b"host", b"other")))

    def test_connectMalformed(self) -> None:
        """
        A CONNECT with a scheme or a path, or without an authority (conformance 38).
        """
        self.bad([*CONNECT, (b":scheme", b"http")])
        self.bad([*CONNECT, (b":path", b"/")])
        self.bad(CONNECT[:1])
        self.bad([*CONNECT[:1], (b"host", b"a.example:443")])
        self.bad([*CONNECT[:1], (b":authority", b"")])

    def test_message(self) -> None:
        """
        Other requests have all four; the authority may be in Host.
        """
        found = self.good(GET)
        self.assertEqual(
            (found.scheme, found.authority, found.path, found.length), (b"http", b"a.example", b"/", None)
        )
        self.assertEqual(self.good([*GET[:2], GET[3], (b"host", b"b.example")]).authority, b"b.example")
        self.assertEqual(self.good([*GET, (b"host", b"A.Example")]).authority, b"a.example")
        self.assertEqual(self.good([GET[0], (b":scheme", b"HTTP"), *GET[2:]]).scheme, b"http")
        self.good([(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")])
        self.good([GET[0], (b":scheme", b"ftp"), GET[2], (b":path", b"x")])

    def test_messageMalformed(self) -> None:
        """
        Something is missing, is empty, or differs from Host.
        """
        for index in range(4):
            self.bad(GET[:index] + GET[index + 1 :])
            self.bad([*GET[:index], (GET[index][0], b""), *GET[index + 1 :]])
        self.bad([*GET, (b"host", b"b.example")])
        self.bad([*GET, (b"host", b"a.example"), (b"host", b"a.example")])
        for path in (b"*", b"x", b"http://a.example/", b"/ ", b"/\x7f", b"/\xe9", b"/a#b"):
            self.bad([*GET[:3], (b":path", path)])
        self.bad([*GET[:2], (b":authority", b"a b"), GET[3]])
        self.bad([(b":method", b"G T"), *GET[1:]])
        self.bad([GET[0], (b":scheme", b"h ttp"), *GET[2:]])

    def test_extended(self) -> None:
        """
        An extended CONNECT has everything, and is a CONNECT (conformance 45).
        """
        found = self.good(SOCKET)
        self.assertEqual((found.method, found.protocol, found.path), (b"CONNECT", b"websocket", b"/"))
        for index in range(1, 4):
            self.bad(SOCKET[:index] + SOCKET[index + 1 :])
        self.bad([*GET, (b":protocol", b"websocket")])
        self.bad([*SOCKET[:-1], (b":protocol", b"")])

    def test_pseudoFields(self) -> None:
        """
        Pseudo-fields that nobody knows, that come twice, or too late.
        """
        self.bad([*CONNECT, (b":status", b"200")])
        self.bad([*CONNECT, (b":", b"x")])
        self.bad([*CONNECT, CONNECT[1]])
        self.bad([*CONNECT[:1], (b"x", b"y"), *CONNECT[1:]])
        self.bad([*CONNECT[:1], (b"cookie", b"y"), *CONNECT[1:]])

    def test_connectionFields(self) -> None:
        """
        Fields of one connection, of which HTTP/2 has none (conformance 41).
        """
        for name in (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"):
            self.assertIn(name.decode("ascii"), self.bad([*GET, (name, b"x")]))
        self.bad([*GET, (b"te", b"gzip")])
        self.good([*GET, (b"te", b"Trailers")])

    def test_names(self) -> None:
        """
        Names are tokens in lower case, without a colon.
        """
        for name in (b"", b"X", b"a b", b"a:b", b"a\0", b"\xe9", b"a\r\nb", b"a\x7f"):
            self.bad([*GET, (name, b"x")])

    def test_values(self) -> None:
        """
        Values have no control characters, and no white space around them.
        """
        for value in (b"a\rb", b"a\nb", b"a\0b", b" a", b"a ", b"\ta", b"a\t", b" ", b"\x7f", b"\x01"):
            self.bad([*GET, (b"x", value)])
        for value in (b"", b"a", b"a b", b"a\tb", b"\xe9", b"a" * 10000):
            self.good([*GET, (b"x", value)])

    def test_cookies(self) -> None:
        """
        The crumbs of a cookie are one field.
        """
        found = self.good([*GET, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")])
        self.assertEqual(found.fields, ((b"x", b"y"), (b"cookie", b"a=1; b=2")))

    def test_length(self) -> None:
        """
        A length is a number, and one.
        """
        self.assertEqual(self.good([*GET, (b"content-length", b"12")]).length, 12)
        self.assertEqual(self.good([*GET, (b"content-length", b"1"), (b"content-length", b"1")]).length, 1)
        for value in (b"", b"-1", b"+1", b"1, 1", b"0x1", b"\xb2", b"9" * 19):
            self.bad([*GET, (b"content-length", value)])
        self.bad([*GET, (b"content-length", b"1"), (b"content-length", b"2")])

    def test_noSecrets(self) -> None:
        """
        What is wrong with a value is told without the value.
        """
        self.assertNotIn("secret", self.bad([*GET, (b"proxy-authorization", b"secret\n")]))

    def test_trailers(self) -> None:
        """
        Trailers are fields, by the same rules, and no pseudo-fields.
        """
        self.assertEqual(readTrailers([(b"x", b"y")]), ((b"x", b"y"),))
        for field in ((b":status", b"200"), (b"X", b"y"), (b"x", b"a\nb"), (b"connection", b"close")):
            self.assertIsInstance(readTrailers([field]), Refusal)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        b":method",
                        b":scheme",
                        b":authority",
                        b":path",
                        b":protocol",
                        b":status",
                        b"host",
                        b"te",
                        b"x",
                        b"X",
                    ]
                ),
                st.sampled_from(
                    [
                        b"CONNECT",
                        b"GET",
                        b"http",
                        b"a.example",
                        b"/",
                        b"trailers",
                        b"websocket",
                        b"",
                        b" x",
                        b"a\n",
                    ]
                ),
            ),
            max_size=7,
        )
    )
    def test_againstH2(self, section: Any) -> None:
        """
        Nothing is taken that the h2 package finds malformed, but for a Host that differs from
        the target of a CONNECT.
        """
        found = readRequest(section)
        if isinstance(found, Refusal):
            return
        flags = HeaderValidationFlags(
            is_client=False, is_trailer=False, is_response_header=False, is_push_promise=False
        )
        try:
            list(validate_headers(section, flags))
        except ProtocolError as error:
            self.assertIn("mismatched", str(error))


class ResponseTests(SynchronousTestCase):
    """
    Responses (RFC 9113 section 8.3.2).
    """

    def test_good(self) -> None:
        """
        A status, and fields in the order of arrival.
        """
        fields = ((b"via", b"2.0 far"), (b"via", b"1.1 near"))
        self.assertEqual(readResponse([(b":status", b"200"), *fields]), ResponseFields(200, fields))
        for status in (b"100", b"103", b"299", b"599"):
            self.assertEqual(readResponse([(b":status", status)]), ResponseFields(int(status), ()))

    def test_malformed(self) -> None:
        """
        What is none is told as a mistake of the next hop's, without its octets as they are.
        """
        status = (b":status", b"200")
        for section in (
            [],
            [(b"via", b"x")],
            [(b"via", b"x"), status],
            [status, status],
            [status, (b":path", b"/")],
            [(b":path", b"/"), status],
            [status, (b":\x1b", b"")],
            [(b":status", b"")],
            [(b":status", b"20")],
            [(b":status", b"0200")],
            [(b":status", b"099")],
            [(b":status", b"600")],
            [(b":status", b"101")],
            [(b":status", b" 200")],
            [status, (b"Via", b"x")],
            [status, (b"via", b" x")],
            [status, (b"via", b"x\r\n")],
            [status, (b"", b"x")],
            [status, (b"connection", b"close")],
            [status, (b"transfer-encoding", b"chunked")],
        ):
            found = readResponse(section)
            assert isinstance(found, Refusal), section
            self.assertEqual(found.kind, "next_hop_protocol_error")
            self.assertTrue(found.detail.isprintable() and found.detail.isascii())

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b":status", b":path", b"via", b"te", b"X", b"x", b"connection"]),
                st.sampled_from([b"200", b"404", b"99", b"", b" x", b"trailers", b"a\n"]),
            ),
            max_size=5,
        )
    )
    def test_againstH2(self, section: Any) -> None:
        """
        Nothing is taken that the h2 package finds malformed.
        """
        if not isinstance(readResponse(section), Refusal):
            flags = HeaderValidationFlags(
                is_client=True, is_trailer=False, is_response_header=True, is_push_promise=False
            )
            list(validate_headers(section, flags))
