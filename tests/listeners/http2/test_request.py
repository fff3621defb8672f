"""
What requests ask for, and who gets them; conformance 1 to 5, 38, 45 and 47.
"""

from __future__ import annotations

from connectproxy.listeners.http2 import port
from connectproxy.wire.http2 import ErrorCode
from tests.listeners.http2.case import HTTP2Case
from tests.listeners.http2.client import connectFields


def http(
    method: str = "GET", path: str = "/", authority: str = "a.example", scheme: str = "http"
) -> list[tuple[str, str]]:
    """
    The pseudo-fields of a request.
    """
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]


class RequestTests(HTTP2Case):
    """
    Tunnels, messages, and what is neither.
    """

    def status(self, fields: list[tuple[str, str]], *, raw: bool = False) -> int | None:
        """
        What a request is answered.
        """
        client = self.client()
        client.h2.config.validate_outbound_headers = not raw
        number = client.ask(fields, end=True)
        self.flush()
        self.heard = client.heard(number)
        return self.heard.status

    def test_authorities(self) -> None:
        """
        The authority of a CONNECT is host and port, by the same rules as in HTTP/1; what is
        not is answered 400 with the reason (conformance 38).
        """
        for target in ("a.example", "a.example:", "a.example:0", "a.example:65536", "user@a.example:443", "127.1:443",
                       "2001:db8::1:443", "[v1.x]:443", "[fe80::1%25eth0]:443", "a%41.example:443"):  # fmt: skip
            self.assertEqual(self.status(connectFields(target)), 400, target)
            self.assertEqual(self.heard.fields["proxy-status"], "connectproxy; error=http_request_error")
            self.assertEqual(self.events[-1]["error"], "http_request_error")
        self.assertEqual(self.dials, [])

    def test_noSecretsInEvents(self) -> None:
        """
        A target with a password in it is in no event.
        """
        self.status(connectFields("user:secret@a.example:443"))
        self.assertNotIn("secret", repr(self.events))
        self.assertNotIn(b"secret", self.heard.octets)

    def test_host(self) -> None:
        """
        A Host that differs from the target of a CONNECT is recorded, and nothing is routed by
        it; conformance 13.
        """
        client = self.client()
        client.h2.config.validate_outbound_headers = False
        client.ask([*connectFields("a.example:443"), ("host", "b.example")])
        self.flush()
        self.assertEqual(str(self.dials[0].request.destination), "a.example:443")
        self.dials[0].fail()
        self.assertEqual(self.events[0]["host"], "b.example")

    def test_content(self) -> None:
        """
        A CONNECT that announces content is refused; conformance 9.
        """
        self.assertEqual(self.status([*connectFields("a.example:443"), ("content-length", "5")]), 400)
        client = self.client()
        client.connect("a.example:443", ("content-length", "0"))
        self.flush()
        self.assertEqual(len(self.dials), 1)

    def test_tooManyFields(self) -> None:
        """
        More fields, or larger ones, than in HTTP/1 are refused as there.
        """
        many = [("x", str(index)) for index in range(101)]
        self.assertEqual(self.status([*connectFields("a.example:443"), *many]), 431)
        large = [("x", "y" * 16000) for _ in range(5)]
        self.assertEqual(self.status([*connectFields("a.example:443"), *large]), 431)
        self.assertEqual(self.dials, [])

    def test_schemes(self) -> None:
        """
        Only http is forwarded; for https the answer says what to do (conformance 47).
        """
        for scheme in ("https", "ftp"):
            self.assertEqual(self.status(http(scheme=scheme)), 501)
            self.assertIn(b"CONNECT", self.heard.octets)
        self.assertEqual(self.status(http("HEAD", scheme="https")), 501)
        self.assertEqual(self.heard.octets, b"")

    def test_protocols(self) -> None:
        """
        An extended CONNECT for a protocol that nobody knows here, or within TLS, is 501, and
        its authority is nobody's target (conformance 45).
        """
        for protocol, scheme in (("connect-udp", "https"), ("websocket", "https"), ("nothing", "http")):
            fields = [*http("CONNECT", scheme=scheme), (":protocol", protocol)]
            self.assertEqual(self.status(fields), 501, protocol)
        self.assertEqual(self.dials, [])

    def test_enabled(self) -> None:
        """
        The proxy says that it knows extended CONNECT, from the beginning (conformance 45).
        """
        client = self.client()
        self.assertEqual(client.h2.remote_settings.enable_connect_protocol, 1)
        self.assertEqual(client.h2.remote_settings.max_concurrent_streams, 256)
        self.assertEqual(client.h2.remote_settings.max_header_list_size, 65536)
        self.assertTrue(port.kind)

    def test_malformedLength(self) -> None:
        """
        A request that ends without the content that it announces is malformed.
        """
        client = self.raw()
        client.ask(1, [*http("POST"), ("content-length", "5")], end=True)
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.PROTOCOL_ERROR)])

    def test_httpAuthorities(self) -> None:
        """
        The authority of a request needs no port; userinfo is refused (conformance 26).
        """
        for authority, destination in (("a.example", "a.example:80"), ("a.example:8080", "a.example:8080")):
            client = self.client()
            client.ask(http(authority=authority), end=True)
            self.flush()
            self.assertEqual(str(self.dials[-1].request.destination), destination)
        self.assertEqual(self.status(http(authority="user:secret@a.example")), 400)
        self.assertNotIn("secret", repr(self.events))

    def test_trace(self) -> None:
        """
        TRACE is not served: it would show fields that the client did not write (conformance 30).
        """
        self.assertEqual(self.status(http("TRACE")), 405)
        self.assertIn("CONNECT", self.heard.fields["allow"])

    def test_loops(self) -> None:
        """
        A request that has been here before is refused; conformance 29.
        """
        via = ("via", "1.1 elsewhere, 2.0 " + self.board.via.decode("ascii"))
        self.assertEqual(self.status([*http(), via]), 502)
        self.assertEqual(self.events[-1]["error"], "proxy_loop_detected")

    def test_tunnelLoops(self) -> None:
        """
        So is a CONNECT, which another proxy has led back here; what came by others goes on
        (conformance 29).
        """
        for name in ("via", "cdn-loop"):
            value = (
                self.board.via.decode("ascii")
                if name == "cdn-loop"
                else f"1.1 a, 2.0 {self.board.via.decode()}"
            )
            self.assertEqual(self.status([*connectFields("example.com:443"), (name, value)]), 502)
            self.assertEqual(self.events[-1]["error"], "proxy_loop_detected")
        client = self.client()
        client.ask([*connectFields("example.com:443"), ("via", "1.1 a")])
        self.flush()
        self.assertEqual(len(self.dials), 1)

    def test_maxForwards(self) -> None:
        """
        OPTIONS that may go no further are answered here; what is no number is refused;
        conformance 30.
        """
        self.assertEqual(self.status([*http("OPTIONS"), ("max-forwards", "0")]), 200)
        self.assertIn("CONNECT", self.heard.fields["allow"])
        self.assertEqual(self.status([*http("OPTIONS"), ("max-forwards", "x")]), 400)
        self.assertEqual(self.dials, [])
