"""
Websockets by extended CONNECT, over fakes; conformance 36 and 45.
"""

from __future__ import annotations

import re
from typing import Any

from connectproxy.listeners.http2.websocket import acceptance
from connectproxy.wire.http2 import ErrorCode, formatData
from tests.listeners.http2.case import HTTP2Case

ASKED = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "chat.example"),
    (":path", "/room?1"),
    ("sec-websocket-protocol", "chat"),
    ("sec-websocket-key", "the client's"),
    ("origin", "http://a.example"),
]


class WebSocketTests(HTTP2Case):
    """
    The handshake that the origin sees, and the tunnel.
    """

    def ask(self) -> tuple[Any, Any]:
        """
        A client that has asked, and its origin.
        """
        client = self.raw()
        client.ask(1, ASKED)
        self.flush()
        origin = self.dials[-1].succeed()
        self.flush()
        return client, origin

    def accept(
        self, origin: Any, *, upgrade: bytes = b"websocket", wrong: bytes = b"", more: bytes = b""
    ) -> None:
        """
        Have the origin answer the handshake.
        """
        (key,) = re.findall(rb"\r\nSec-WebSocket-Key: (.*)\r\n", bytes(origin.received))
        origin.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n"
            b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: %b\r\n\r\n%b"
            % (upgrade, wrong or acceptance(key), more)
        )
        self.flush()

    def fields(self, client: Any) -> dict[str, str]:
        """
        The fields of the answer.
        """
        from hpack import Decoder

        (block,) = [payload for _, _, payload in client.frames(1)]
        return dict(Decoder().decode(block))  # type: ignore[arg-type]

    def test_acceptance(self) -> None:
        """
        The example of RFC 6455 section 1.3.
        """
        self.assertEqual(acceptance(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_handshake(self) -> None:
        """
        The origin is the authority, and sees a handshake of HTTP/1.1, whose key is not the
        client's (conformance 36 and 45).
        """
        _, origin = self.ask()
        self.assertEqual(str(self.dials[0].request.destination), "chat.example:80")
        self.assertEqual(self.dials[0].request.method, "CONNECT")
        head = bytes(origin.received)
        self.assertTrue(head.startswith(b"GET /room?1 HTTP/1.1\r\nHost: chat.example\r\n"))
        for line in (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                     b"Sec-WebSocket-Protocol: chat", b"Origin: http://a.example"):  # fmt: skip
            self.assertIn(b"\r\n%b\r\n" % line, head)
        self.assertEqual(head.count(b"Sec-WebSocket-Key"), 1)
        self.assertNotIn(b"the client's", head)

    def test_version(self) -> None:
        """
        A version that the client names is passed on.
        """
        client = self.raw()
        client.ask(1, [*ASKED, ("sec-websocket-version", "14")])
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        self.assertEqual(re.findall(rb"Sec-WebSocket-Version: (.*)\r\n", bytes(origin.received)), [b"14"])

    def test_tunnel(self) -> None:
        """
        Success is 200 without what was the handshake's; then octets go both ways, those that
        came early first, and the ends of streams (conformance 45).
        """
        client, origin = self.ask()
        client.transport.write(formatData(1, b"early, ", 16384))
        self.flush()
        self.accept(origin, more=b"banner, ")
        fields = self.fields(client)
        self.assertEqual((fields[":status"], fields["sec-websocket-protocol"]), ("200", "chat"))
        self.assertFalse({"sec-websocket-accept", "upgrade", "connection"} & set(fields))
        origin.received.clear()
        client.transport.write(formatData(1, b"up", 16384, end=True))
        origin.transport.write(b"down")
        self.flush()
        self.assertTrue(origin.ended)
        self.assertEqual(bytes(origin.received), b"up")
        origin.transport.loseConnection()
        self.flush()
        octets = b"".join(payload for _, _, payload in client.frames(0))
        self.assertEqual(octets, b"banner, down")
        self.assertEqual(client.resets, [])
        (event,) = self.events
        self.assertEqual(
            (event["event"], event["status"], event["relay"], event["end"]), ("request", 200, "wired", "eof")
        )
        self.assertEqual((event["bytes_up"], event["bytes_down"]), (9, 12))
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_reset(self) -> None:
        """
        A reset ends the tunnel as any other.
        """
        client, origin = self.ask()
        self.accept(origin)
        origin.transport.abortConnection()
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.CONNECT_ERROR)])

    def test_drained(self) -> None:
        """
        It is cut off at the deadline of draining.
        """
        client, origin = self.ask()
        self.accept(origin)
        self.board.drain()
        self.board.abort("drain_timeout")
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.CANCEL)])
        self.assertEqual(self.events[0]["end"], "drain_timeout")

    def test_wrongAnswers(self) -> None:
        """
        An origin that switches to something else, or does not prove that it has understood,
        has failed (conformance 36).
        """
        for options in ({"upgrade": b"other"}, {"wrong": b"x"}, {"upgrade": b"websocket, other"}):
            client, origin = self.ask()
            self.accept(origin, **options)
            self.assertEqual(self.fields(client)[":status"], "502")
            self.assertEqual(self.events[-1]["error"], "http_upgrade_failed")
            self.assertTrue(origin.lost)

    def test_joinFails(self) -> None:
        """
        If there is no relay to be had for the two, neither side is left waiting, and the bug
        in us is logged.
        """

        def fails(client: Any, origin: Any, terms: Any) -> Any:
            raise RuntimeError("no relay")

        client, origin = self.ask()
        self.patch(self.board, "join", fails)
        self.accept(origin)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(client.resets, [(1, ErrorCode.INTERNAL_ERROR)])
        self.assertTrue(origin.lost)
        (event,) = self.events
        self.assertEqual((event["end"], event["ended_by"], event["status"]), ("aborted", "proxy", 200))
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_refused(self) -> None:
        """
        What the origin says instead is passed on; but no success, which would be taken for
        the websocket.
        """
        for status, answered in ((b"403 No", "403"), (b"200 OK", "502"), (b"407 Say", "502")):
            client, origin = self.ask()
            origin.transport.write(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status)
            self.flush()
            self.assertEqual(self.fields(client)[":status"], answered)
