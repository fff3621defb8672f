"""
Tests for L{connectproxy.listeners.http.exchange}: messages that become a tunnel.
"""

from __future__ import annotations

from tests.listeners.http.forwarding import GET, ForwardCase, get, responses

OFFER = get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: y\r\n\r\n"
)


class UpgradeTests(ForwardCase):
    """
    The client offers WebSocket (conformance 36).
    """

    def test_switched(self) -> None:
        """
        When the origin agrees there is a tunnel, whose first octets are those that came
        behind the request and behind the 101; and one event when it ends (conformance 36).
        """
        client, origin = self.exchange(OFFER)
        fields = self.head(origin)
        self.assertEqual((fields[b"connection"], fields[b"upgrade"]), (b"Upgrade", b"websocket"))
        self.send(client, b"early")
        self.reply(origin, SWITCH + b"behind")
        head, _, rest = bytes(client.received).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        for line in (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: y"):
            self.assertIn(line, head.split(b"\r\n"))
        self.assertEqual(rest, b"behind")
        self.assertTrue(origin.received.endswith(b"\r\n\r\nearly"))
        self.send(client, b" late")
        self.reply(origin, b" more")
        self.assertTrue(origin.received.endswith(b"early late"))
        self.assertTrue(client.received.endswith(b"behind more"))
        self.assertEqual(self.events(), [])
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(origin.ended)
        origin.transport.loseConnection()
        self.reactor.flush()
        event = self.event()
        self.assertEqual((event["event"], event["status"], event["relay"]), ("request", 101, "wired"))
        self.assertEqual((event["bytes_up"], event["bytes_down"], event["end"]), (10, 11, "eof"))
        self.checkQuiet()

    def test_underWay(self) -> None:
        """
        While the tunnel is up, the exchange tells its figures and can be aborted.
        """
        client, origin = self.exchange(OFFER)
        (proxy,) = self.port.factory.connections
        carriage = proxy.exchange
        self.reply(origin, SWITCH + b"abc")
        self.send(client, b"de")
        self.assertEqual((carriage.bytesUp, carriage.bytesDown), (2, 3))
        self.board.abort("drain_timeout")
        self.reactor.flush()
        self.assertIsNotNone(client.lost)
        self.assertEqual(self.event()["end"], "drain_timeout")
        self.checkQuiet()

    def test_afterOthers(self) -> None:
        """
        It works behind other requests, on a connection that was kept.
        """
        client, origin = self.exchange(GET)
        self.reply(origin)
        client.received.clear()
        self.send(client, OFFER)
        self.reply(origin, SWITCH)
        self.assertTrue(client.received.startswith(b"HTTP/1.1 101 "))
        self.send(client, b"frame")
        self.assertTrue(origin.received.endswith(b"\r\n\r\nframe"))

    def test_declined(self) -> None:
        """
        An origin that does not agree responds as to any request, and the connection goes on;
        unless something came early, which might be of either protocol.
        """
        client, origin = self.exchange(OFFER)
        self.reply(origin)
        self.assertEqual(self.response(client).body, b"hello")
        self.assertFalse(client.ended)
        client, origin = self.exchange(OFFER)
        self.send(client, GET)
        self.reply(origin)
        self.assertEqual(self.response(client).fields[b"connection"], b"close")
        self.assertTrue(client.ended)
        client, origin = self.exchange(OFFER)
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        self.send(client, GET)
        self.reply(origin, b"a")
        self.assertEqual(len(responses(client.received, "GET", "GET")), 1)
        self.assertTrue(client.ended)
        self.assertEqual(len(self.upstream.dials), 3)

    def test_anotherProtocol(self) -> None:
        """
        Other offers go no further, and an origin that changes to something else has failed
        (conformance 36).
        """
        for offer in (b"h2c", b"TLS/1.0"):
            _, origin = self.exchange(get(b"Connection: Upgrade", b"Upgrade: " + offer))
            self.assertNotIn(b"upgrade", self.head(origin))
        for answer in (b"Upgrade: h2c\r\n", b"Upgrade: websocket, h2c\r\n", b""):
            client, origin = self.exchange(OFFER)
            self.reply(origin, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n%b\r\n" % answer)
            self.assertEqual(self.response(client).status, 502)
            self.assertEqual(self.end()["error"], "http_upgrade_failed")
            self.assertIsNotNone(origin.lost)

    def test_notOffered(self) -> None:
        """
        A 101 that nobody has asked for is none; nor is one to a request with a body, or of
        HTTP/1.0.
        """
        for request in (
            GET,
            get(b"Upgrade: websocket"),
            get(b"Connection: Upgrade", b"Upgrade: websocket", version=b"1.0"),
            get(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1") + b"x",
        ):
            client, origin = self.exchange(request)
            self.assertNotIn(b"upgrade", self.head(origin))
            self.reply(origin, SWITCH)
            self.assertEqual(self.response(client).status, 502)

    def test_broken(self) -> None:
        """
        If no tunnel can be made of it, which is our own bug, it is logged and nobody is left
        waiting.
        """
        client, origin = self.exchange(OFFER)
        self.board.relays = ()
        self.reply(origin, SWITCH)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(origin.lost)
        self.assertEqual((self.event()["end"], self.event()["ended_by"]), ("aborted", "proxy"))
        self.checkQuiet()

    def test_interimBefore(self) -> None:
        """
        An interim response comes before the 101 as before any other.
        """
        client, origin = self.exchange(OFFER)
        self.reply(origin, b"HTTP/1.1 103 Hint\r\n\r\n" + SWITCH)
        self.assertIn(b"\r\n\r\nHTTP/1.1 101 ", client.received)
