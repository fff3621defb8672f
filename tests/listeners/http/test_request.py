"""
Tests for L{connectproxy.listeners.http.request}: what becomes of a request.
"""

from __future__ import annotations

from connectproxy.listeners.http.request import Answer
from connectproxy.page import ALLOW
from tests.listeners.http.forwarding import GET, ForwardCase, get, responses
from tests.listeners.http.test_connection import HEAD, ListenerCase, parse


class RefusedTests(ListenerCase):
    """
    Requests that come to nothing; each answer is seen on the wire, and nothing is read
    behind it.
    """

    def test_userinfo(self) -> None:
        """
        A target has no userinfo (conformance 26).
        """
        self.refusalOf(get(target=b"http://user:secret@a.example/"))

    def test_host(self) -> None:
        """
        One valid Host, whatever the target says (conformance 12).
        """
        for fields in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n"):
            self.refusalOf(b"GET http://a.example/ HTTP/1.1\r\n%b\r\n" % fields)

    def test_connectionOptions(self) -> None:
        """
        C{Connection} names no field that is meant for the origin (conformance 27).
        """
        for name in (b"Host", b"Authorization", b"cookie", b"Content-Length"):
            self.refusalOf(get(b"Connection: close, " + name))

    def test_framing(self) -> None:
        """
        Where a body ends must be clear to everybody (conformance 33).
        """
        for fields in (
            (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
            (b"Content-Length: 5", b"Content-Length: 6"),
            (b"Content-Length: 5", b"Content-Length: 5"),
            (b"Content-Length: +5",),
            (b"Content-Length: 5, 5",),
            (b"Transfer-Encoding: chunked, gzip",),
            (b"Transfer-Encoding: xchunked",),
            (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        ):
            self.refusalOf(get(*fields, method=b"POST"))
        self.refusalOf(get(b"Transfer-Encoding: chunked", method=b"POST", version=b"1.0"))
        self.refusalOf(
            get(b"Transfer-Encoding: gzip, chunked", method=b"POST"), "http_transfer_coding_unsupported"
        )

    def test_smuggled(self) -> None:
        """
        What comes behind a malformed request is never read as one (conformance 33).
        """
        client = self.ask(
            get(b"Content-Length: 5", b"Transfer-Encoding: chunked", method=b"POST") + b"0\r\n\r\n" + GET
        )
        self.send(client, GET)
        self.assertEqual(parse(client.received).status, 400)
        self.assertEqual((self.board.forwarded, len(self.board.rejections)), ([], 1))

    def test_schemes(self) -> None:
        """
        Another scheme than http gets a 501 with advice.
        """
        answer = self.refusalOf(get(target=b"https://a.example/"), "http_scheme_not_supported")
        self.assertIn("CONNECT", answer.body)
        self.refusalOf(get(target=b"ftp://a.example/"), "http_scheme_not_supported")

    def test_asterisk(self) -> None:
        """
        The asterisk form is for OPTIONS alone.
        """
        self.refusalOf(get(target=b"*"))

    def test_loop(self) -> None:
        """
        What names us in C{Via} or C{CDN-Loop} has been here before (conformance 29).
        """
        for field in (b"Via: 1.1 other, 1.1 fake-via", b"CDN-Loop: fake-via; x=y"):
            self.refusalOf(get(field), "proxy_loop_detected")
        self.ask(get(b"Via: 1.1 not-fake-via"))
        self.assertEqual(len(self.board.forwarded), 1)

    def test_tunnelLoop(self) -> None:
        """
        So has a CONNECT, which another proxy has led back here (conformance 29).
        """
        for field in (
            b"Via: 1.1 fake-via",
            b"Via: 1.0 a\r\nvia: 1.1 b, HTTP/1.1 FAKE-VIA (c)",
            b"CDN-Loop: fake-via",
        ):
            answer = self.refusalOf(HEAD[:-2] + field + b"\r\n\r\n", "proxy_loop_detected")
            self.assertEqual(answer.status, 502)

    def test_tunnelVia(self) -> None:
        """
        What has come by others, and not by us, goes on.
        """
        for field in (b"Via: 1.1 other, 1.1 fake-vi", b"Via: 1.1 a (fake-via)", b"X: 1.1 fake-via", b"Via:"):
            inbound = self.placedBy(HEAD[:-2] + field + b"\r\n\r\n")
            self.assertEqual(str(inbound.request.destination), "host.example:443")

    def test_tunnelMistakes(self) -> None:
        """
        What is wrong with a CONNECT counts before where it has been.
        """
        for octets in (HEAD.replace(b"Host: host", b"Host: ho st"), HEAD[:-2] + b"Content-Length: 5\r\n\r\n"):
            self.refusalOf(octets[:-2] + b"Via: 1.1 fake-via\r\n\r\n")

    def test_maxForwards(self) -> None:
        """
        C{Max-Forwards} is a number or nothing (conformance 30).
        """
        self.refusalOf(get(b"Max-Forwards: x", method=b"OPTIONS"))


class AnswerTests(ForwardCase):
    """
    Requests that the proxy answers itself.
    """

    def test_traceIsOff(self) -> None:
        """
        TRACE gets a 405 that says what there is (conformance 30).
        """
        for fields in ((), (b"Max-Forwards: 0",)):
            client = self.ask(get(*fields, method=b"TRACE"))
            response = self.response(client, "TRACE")
            self.assertEqual((response.status, response.fields[b"allow"]), (405, ALLOW.encode()))
            self.assertFalse(client.ended)
        self.assertEqual(self.upstream.dials, [])

    def test_lastHop(self) -> None:
        """
        OPTIONS that goes no further is answered here; one that does loses one hop, and nobody
        else gets the field (conformance 30).
        """
        client = self.ask(get(b"Max-Forwards: 0", method=b"OPTIONS"))
        self.assertEqual(self.response(client, "OPTIONS").fields[b"allow"], ALLOW.encode())
        _, origin = self.exchange(get(b"Max-Forwards: 7", method=b"OPTIONS"))
        self.assertEqual(self.head(origin)[b"max-forwards"], b"6")
        _, origin = self.exchange(get(b"Max-Forwards: 7"))
        self.assertEqual(self.head(origin)[b"max-forwards"], b"7")
        _, origin = self.exchange(get(method=b"OPTIONS"))
        self.assertNotIn(b"max-forwards", self.head(origin))

    def test_asterisk(self) -> None:
        """
        C{OPTIONS *} is for the proxy itself; what is for an origin with an empty path
        becomes one there (conformance 31).
        """
        client = self.ask(get(method=b"OPTIONS", target=b"*"))
        self.assertEqual(self.response(client, "OPTIONS").status, 200)
        _, origin = self.exchange(get(method=b"OPTIONS", target=b"http://a.example"))
        self.assertTrue(origin.received.startswith(b"OPTIONS * HTTP/1.1\r\n"))

    def test_goesOn(self) -> None:
        """
        Behind such an answer the next request is served.
        """
        client = self.ask(get(method=b"OPTIONS", target=b"*"))
        client.received.clear()
        self.send(client, GET)
        self.reply(self.upstream.dials[0].succeed())
        self.assertEqual(self.response(client).body, b"hello")

    def test_ends(self) -> None:
        """
        With something behind the request, or a client that wants so, or one of HTTP/1.0, the
        connection ends: nobody gets to have many answers out of one read.
        """
        for request in (
            get(method=b"OPTIONS", target=b"*") * 2,
            get(b"Connection: close", method=b"OPTIONS", target=b"*"),
            get(method=b"OPTIONS", target=b"*", version=b"1.0"),
            get(b"Content-Length: 1", method=b"OPTIONS", target=b"*"),
        ):
            client = self.ask(request)
            found = responses(client.received, "OPTIONS", "OPTIONS")
            self.assertEqual([each.fields[b"connection"] for each in found], [b"close"])
            self.assertTrue(client.ended)

    def test_recorded(self) -> None:
        """
        Such an answer is an event, too.
        """
        self.ask(get(method=b"TRACE"))
        event = self.event()
        self.assertEqual((event["method"], event["status"]), ("TRACE", 405))

    def test_format(self) -> None:
        """
        The length is told in any case, the body only where there is one to come.
        """
        answer = Answer(200, "OK", [("X", "y")], b"abc")
        octets = answer.format(close=False)
        self.assertTrue(octets.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(octets.endswith(b"\r\nX: y\r\nContent-Length: 3\r\n\r\nabc"))
        bare = answer._replace(bare=True).format(close=True)
        self.assertTrue(bare.endswith(b"Content-Length: 3\r\nConnection: close\r\n\r\n"))
