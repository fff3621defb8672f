"""
Tests for L{connectproxy.listeners.http.carriage}: how an exchange ends, and what becomes of
both connections.
"""

from __future__ import annotations

from tests.listeners.http.forwarding import GET, OK, ForwardCase, get, responses
from tests.listeners.http.test_connection import HEAD

POST = b"POST http://origin.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


class CompleteTests(ForwardCase):
    """
    The response is complete.
    """

    def test_event(self) -> None:
        """
        There is one event of it, with its status and what was carried.
        """
        _client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc")
        event = self.event()
        self.assertEqual((event["event"], event["end"], event["status"]), ("request", "complete", 404))
        self.assertEqual((event["bytes_up"], event["bytes_down"], event["relay"]), (0, 3, "forward"))
        self.assertEqual((event["error"], event["method"]), (None, "GET"))
        self.assertEqual(self.board.admission.tunnels, 0)

    def test_kept(self) -> None:
        """
        Both connections are kept, and used by the next request.
        """
        client, origin = self.exchange()
        self.reply(origin)
        for _ in range(3):
            origin.received.clear()
            client.received.clear()
            self.send(client, GET)
            self.assertTrue(origin.received.startswith(b"GET /path?query "))
            self.reply(origin)
            self.assertEqual(self.response(client).body, b"hello")
        self.assertEqual(len(self.upstream.dials), 1)
        self.assertEqual(len(self.events()), 4)
        self.assertEqual(self.end()["tried"], [])
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertTrue(origin.ended)
        self.checkQuiet()

    def test_manyAtRest(self) -> None:
        """
        Requests for several origins leave a connection to each, and no more than the bound.
        """
        client = self.connect()
        origins = []
        for number in range(10):
            self.send(client, get(target=b"http://o%d.example/" % number))
            origins.append(self.upstream.dials[-1].succeed())
            self.reactor.flush()
            self.reply(origins[-1])
        self.assertEqual([origin.ended for origin in origins], [True] * 2 + [False] * 8)
        self.send(client, get(target=b"http://o5.example/"))
        self.assertEqual(len(self.upstream.dials), 10)

    def test_pipelined(self) -> None:
        """
        Requests that come together are answered in order, and the next goes out when the
        response before it has been written.
        """
        requests = b"".join(get(target=b"http://origin.example/%d" % number) for number in range(3))
        client, origin = self.exchange(requests)
        for number in range(3):
            self.assertEqual(origin.received.count(b"GET /"), number + 1)
            self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        found = responses(client.received, "GET", "GET", "GET")
        self.assertEqual([each.body for each in found], [b"0", b"1", b"2"])
        self.assertEqual(len(self.events()), 3)

    def test_pipelinedBehindBody(self) -> None:
        """
        What comes behind a body is the next request.
        """
        client, origin = self.exchange(POST + b"hello" + GET)
        self.assertTrue(origin.received.endswith(b"hello"))
        self.reply(origin)
        self.assertIn(b"GET /path", origin.received)
        self.reply(origin)
        self.assertEqual(len(responses(client.received, "POST", "GET")), 2)

    def test_closes(self) -> None:
        """
        The connection ends with the response if the client wants it so, or the proxy is being
        stopped; the client is told.
        """
        client, origin = self.exchange(get(b"Connection: close"))
        self.reply(origin)
        self.assertEqual(self.response(client).fields[b"connection"], b"close")
        self.assertTrue(client.ended)
        client, origin = self.exchange()
        self.board.draining = True
        self.reply(origin)
        self.assertEqual(self.response(client).fields[b"connection"], b"close")
        self.assertTrue(client.ended and origin.ended)

    def test_originCloses(self) -> None:
        """
        That the origin closes is no reason to close the client's connection; the next
        request has another made.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.assertNotIn(b"connection", self.response(client).fields)
        self.assertTrue(origin.ended)
        self.send(client, GET)
        self.assertEqual(len(self.upstream.dials), 2)

    def test_leftOver(self) -> None:
        """
        An origin that says more than its response is not spoken to again, and the client gets
        nothing of it.
        """
        for octets, method in ((OK + b"HTTP/1.1 200 OK", "GET"), (OK, "HEAD")):
            client, origin = self.exchange(get(method=method.encode()))
            self.reply(origin, octets)
            self.assertTrue(self.response(client, method).whole)
            self.assertTrue(origin.ended or origin.lost)
            self.send(client, GET)
            self.assertIn(len(self.upstream.dials), (2, 4))

    def test_connectAfterwards(self) -> None:
        """
        A CONNECT on a connection that was kept opens a tunnel, and what was left open for
        requests is closed.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.reply(origin, b"0\r\n\r\n")
        client.received.clear()
        self.send(client, HEAD + b"early")
        other = self.upstream.dials[1].succeed()
        self.reactor.flush()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 Connection established"))
        self.assertEqual((bytes(other.received), origin.ended), (b"early", True))
        client.transport.loseConnection()
        other.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual([each["event"] for each in self.events()], ["request", "tunnel"])
        self.checkQuiet()

    def test_halfClose(self) -> None:
        """
        A client that has said all it has to say gets its responses.
        """
        client, origin = self.exchange(GET + GET)
        client.transport.loseWriteConnection()
        self.reply(origin)
        self.reply(origin)
        self.assertEqual(len(responses(client.received, "GET", "GET")), 2)
        self.reactor.flush()
        self.assertTrue(client.ended)
        self.checkQuiet()

    def test_halfCloseInResponse(self) -> None:
        """
        One that ends while its response is coming gets the rest of it.
        """
        client, origin = self.exchange()
        self.reply(origin, OK[:-1])
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.reply(origin, OK[-1:])
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended and origin.ended)
        self.checkQuiet()

    def test_halfCloseInRequest(self) -> None:
        """
        One that ends in its second request has asked for no more than one.
        """
        client, origin = self.exchange(GET + GET[:-1])
        client.transport.loseWriteConnection()
        self.reply(origin)
        self.reactor.flush()
        self.assertEqual(len(responses(client.received, "GET")), 1)
        self.assertEqual([each["event"] for each in self.events()], ["request", "abandoned"])
        self.checkQuiet()


class StoppedTests(ForwardCase):
    """
    The proxy is being stopped.
    """

    def test_stop(self) -> None:
        """
        Connections that are kept are closed at once; those with a response under way end with
        it (conformance 16).
        """
        idle, first = self.exchange()
        self.reply(first)
        busy, second = self.exchange()
        quiet = self.board.drain()
        self.board.draining = True
        self.port.stopListening()
        self.reactor.flush()
        self.assertTrue(idle.ended and first.ended)
        self.assertFalse(busy.ended)
        self.reply(second)
        self.assertEqual(self.response(busy).fields[b"connection"], b"close")
        self.assertTrue(busy.ended)
        self.reactor.flush()
        self.successResultOf(quiet)
