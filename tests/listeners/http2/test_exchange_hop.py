"""
Requests on streams that another proxy forwards, over fakes; conformance 26 to 36.
"""

from __future__ import annotations

from typing import Any

from connectproxy.listeners import http2
from connectproxy.wire.authorization.client import Authorizer
from tests.fakes import makeSwitchboard
from tests.listeners.hop import CHALLENGE, FakeHop, challenge
from tests.listeners.http2.exchanging import PLAIN, ExchangeCase, fields
from tests.listeners.http2.test_websocket import ASKED


class HopCase(ExchangeCase):
    """
    A listener whose requests go through another proxy.
    """

    def setUp(self) -> None:
        super().setUp()
        self.listen()

    def listen(self, authorizer: Authorizer | None = None) -> None:
        """
        Open a port.
        """
        self.hop = FakeHop(self.reactor, authorizer)
        self.board = makeSwitchboard(self.reactor, upstreams={"direct": self.hop})
        self.port = self.successResultOf(http2.kind.listen(self.reactor, "tcp:8080", {}, self.board))

    def again(self) -> Any:
        """
        Have the second connection for a request.
        """
        self.assertEqual(len(self.dials), 2)
        hop = self.dials[1].succeed()
        self.flush()
        return hop


class HopTests(HopCase):
    """
    What the next hop gets, and what becomes of its response.
    """

    def test_head(self) -> None:
        """
        The request is one of HTTP/1.1 in absolute-form, with a Host from the authority, our own
        credentials and not the client's, and a Via that says 2.0 (conformance 26, 27, 28).
        """
        self.listen(Authorizer("ann", "secret"))
        more = (("accept", "*/*"), ("proxy-authorization", "Basic mine"))
        _, hop = self.ask(self.client(), fields("GET", "/page?x=y", *more))
        self.assertEqual(
            bytes(hop.received),
            b"GET http://a.example/page?x=y HTTP/1.1\r\nHost: a.example\r\n"
            b"Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\nAccept: */*\r\nVia: 2.0 %b\r\n\r\n"
            % self.board.via,
        )
        self.assertEqual(len(self.hop.forwarded), 1)

    def test_everybody(self) -> None:
        """
        OPTIONS for the server as a whole has an empty path there, and Max-Forwards counts us
        (conformance 30 and 31).
        """
        _, hop = self.ask(self.client(), fields("OPTIONS", "*", ("max-forwards", "3")))
        self.assertTrue(hop.received.startswith(b"OPTIONS http://a.example HTTP/1.1\r\n"))
        self.assertIn(b"\r\nMax-Forwards: 2\r\n", hop.received)

    def test_response(self) -> None:
        """
        A response goes on with the Proxy-Status of who made it, and with our Via.
        """
        client = self.client()
        number, hop = self.ask(client, fields())
        self.answer(
            hop, b"HTTP/1.1 504 X\r\nContent-Length: 2\r\nProxy-Status: corp; error=dns_timeout\r\n\r\nno"
        )
        heard = client.heard(number)
        self.assertEqual((heard.status, bytes(heard.octets), heard.ended), (504, b"no", True))
        self.assertEqual(heard.fields["proxy-status"], "corp; error=dns_timeout")
        self.assertEqual(heard.fields["via"], "1.1 " + self.board.via.decode("ascii"))

    def test_kept(self) -> None:
        """
        One connection serves the requests of its client one after the other, whatever they are
        for; two at once need two.
        """
        client = self.client()
        hop: Any = None
        for number in range(3):
            asked = client.ask(
                [*fields()[:2], (":authority", f"o{number}.example"), (":path", "/")], end=True
            )
            self.flush()
            hop = hop or self.dials[0].succeed()
            self.flush()
            self.assertIn(b"GET http://o%d.example/ HTTP/1.1\r\n" % number, hop.received)
            self.answer(hop, PLAIN)
            self.assertEqual(client.heard(asked).status, 200)
        for _ in range(2):
            client.ask(fields(), end=True)
        self.flush()
        self.assertEqual(len(self.dials), 2)

    def test_websocket(self) -> None:
        """
        A websocket goes through a tunnel, to the origin itself, and not by a connection that is
        for messages (conformance 36).
        """
        client = self.client()
        _, hop = self.ask(client, fields())
        self.answer(hop, PLAIN)
        raw = self.raw()
        raw.ask(1, ASKED)
        self.flush()
        origin = self.again()
        self.assertTrue(origin.received.startswith(b"GET /room?1 HTTP/1.1\r\n"))
        self.assertEqual(len(self.hop.forwarded), 1)
        self.answer(origin, CHALLENGE)
        self.assertEqual(self.events[-1]["error"], "http_protocol_error")


class ChallengedTests(HopCase):
    """
    A next hop that says 407.
    """

    def setUp(self) -> None:
        super().setUp()
        self.listen(Authorizer("ann", "secret", "digest"))

    def assertRefused(self, client: Any, number: int) -> None:
        """
        The client is told that it is none of its business.
        """
        heard = client.heard(number)
        self.assertEqual(heard.status, 502)
        self.assertNotIn("proxy-authenticate", heard.fields)
        event = self.events[-1]
        self.assertEqual((event["error"], event["received_status"]), ("next_hop_authentication_failed", 407))

    def test_nothingToShow(self) -> None:
        """
        Where there is nothing to show, or nothing else, the request is refused.
        """
        for authorizer in (None, Authorizer("ann", "secret")):
            self.listen(authorizer)
            client = self.client()
            number, hop = self.ask(client, fields())
            self.answer(hop, challenge(length=5))
            self.assertRefused(client, number)
            self.assertIsNotNone(hop.lost)
            self.assertEqual(len(self.dials), 1)

    def test_again(self) -> None:
        """
        A request without a body, or whose body has not begun to go out, is asked for once
        more, with the proof; and its body goes behind that.
        """
        for method, body in (("GET", b""), ("DELETE", b""), ("POST", b"hello")):
            self.listen(Authorizer("ann", "secret", "digest"))
            client = self.client()
            number, hop = self.ask(client, fields(method), end=not body)
            self.answer(hop, CHALLENGE)
            if body:
                client.put(number, b"he")
                self.flush()
            hop = self.again()
            self.assertIn(b'uri="http://a.example/"', hop.received)
            if body:
                client.put(number, b"llo", end=True)
                self.flush()
                self.assertTrue(hop.received.endswith(b"\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
            self.answer(hop, PLAIN)
            heard = client.heard(number)
            self.assertEqual((heard.status, bytes(heard.octets), heard.ended), (200, b"hello", True))
            (event,) = self.events
            self.assertEqual((event["status"], event["end"]), (200, "complete"))

    def test_once(self) -> None:
        """
        It is not asked for a third time.
        """
        client = self.client()
        number, hop = self.ask(client, fields())
        self.answer(hop, CHALLENGE)
        self.answer(self.again(), challenge(b"n2", b"X: y").replace(b'"n2"', b'"n2", stale=true'))
        self.assertRefused(client, number)
        self.assertEqual(len(self.dials), 2)

    def test_sent(self) -> None:
        """
        A body that has gone out, or has come to its end, does not go out again.
        """
        for octets, end in ((b"h", False), (b"hello", True), (b"", True)):
            self.listen(Authorizer("ann", "secret", "digest"))
            client = self.client()
            number, hop = self.ask(client, fields("POST"), end=False)
            client.put(number, octets, end=end)
            self.flush()
            self.answer(hop, CHALLENGE)
            self.assertRefused(client, number)
            self.assertEqual(len(self.dials), 1)

    def test_gone(self) -> None:
        """
        A client that gives up meanwhile is one that is gone.
        """
        client = self.client()
        number, hop = self.ask(client, fields())
        self.answer(hop, CHALLENGE)
        client.cancel(number)
        self.flush()
        self.assertTrue(self.dials[1].cancelled)
        self.assertEqual(self.events[-1]["end"], "client_gone")
