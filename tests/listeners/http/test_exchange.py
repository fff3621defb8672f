"""
Tests for L{connectproxy.listeners.http.exchange}: what reaches an origin, and what of its
response reaches the client.
"""

from __future__ import annotations

from types import SimpleNamespace

from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal
from connectproxy.interfaces import ICarriage, IInboundExchange
from tests.fakes import SETTINGS, addressOf
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get, responses
from tests.listeners.http.test_connection import ListenerCase

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


class SeamTests(ListenerCase):
    """
    What the switchboard is handed.
    """

    def test_exchange(self) -> None:
        """
        The exchange is what it claims to be, and says who asks for what.
        """
        client = self.ask(GET)
        (exchange,) = self.board.forwarded
        verifyObject(IInboundExchange, exchange)
        request = exchange.request
        self.assertEqual(str(request.destination), "origin.example:80")
        self.assertEqual((request.method, request.protocol, request.user), ("GET", "http/1.1", None))
        self.assertEqual((request.client, request.arrived), (addressOf("192.0.2.7", 51000), 1000.0))
        self.assertEqual(request.fields, ((b"host", b"origin.example"),))
        self.assertEqual(request.arrival.client, request.client)
        self.assertEqual((self.board.placed, self.board.rejections), ([], []))
        self.assertEqual(bytes(client.received), b"")

    def test_oldClient(self) -> None:
        """
        A request says what its client speaks (conformance 25).
        """
        self.ask(get(version=b"1.0"))
        self.assertEqual(self.board.forwarded[0].request.protocol, "http/1.0")

    def test_nothingIdle(self) -> None:
        """
        At first there is no connection to use again.
        """
        self.ask(GET)
        self.assertIsNone(self.board.forwarded[0].idle("direct"))

    def test_refusedAfterIdle(self) -> None:
        """
        A connection that was used again, and must not be, is closed with the refusal.
        """
        self.ask(GET)
        (exchange,) = self.board.forwarded
        closed: list[str] = []
        exchange._origin = SimpleNamespace(abort=lambda: closed.append("aborted"))
        exchange.refuse(Refusal("destination_ip_prohibited"))
        self.assertEqual(closed, ["aborted"])

    def test_nobodyWaits(self) -> None:
        """
        Before there is a connection there is nothing to pause and nothing to abort; a client
        that goes then need not be told of.
        """
        client = self.ask(GET + GET)
        (exchange,) = self.board.forwarded
        exchange.pauseResponse()
        exchange.resumeResponse()
        exchange.abort("drain_timeout")
        exchange.resumeRequest()
        self.assertEqual(bytes(client.received), b"")
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((self.board.closed, self.board.rejections), (1, []))


class RequestTests(ForwardCase):
    """
    What the origin gets.
    """

    def test_carriage(self) -> None:
        """
        What carries the messages is what it claims to be, and tells how far it is.
        """
        self.exchange(b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello")
        (proxy,) = self.port.factory.connections
        carriage = proxy.exchange
        verifyObject(ICarriage, carriage)
        self.assertEqual((carriage.relayName, carriage.bytesUp, carriage.bytesDown), ("forward", 5, 0))

    def test_head(self) -> None:
        """
        The origin gets the request in origin form, in our own version, with a Host made from
        the target and a Via (conformance 26, 28, 32 and 34).
        """
        _, origin = self.exchange(
            b"GET http://Origin.example:80/a%20b?c=%2F HTTP/1.1\r\nHost: other.example\r\nAccept: */*\r\n\r\n"
        )
        self.assertTrue(origin.received.startswith(b"GET /a%20b?c=%2F HTTP/1.1\r\n"), origin.received)
        fields = self.head(origin)
        self.assertEqual(fields[b"host"], b"Origin.example:80")
        self.assertEqual(fields[b"accept"], b"*/*")
        self.assertEqual(fields[b"via"], b"1.1 " + self.board.via)
        self.assertNotIn(b"connection", fields)

    def test_oldClient(self) -> None:
        """
        A client of HTTP/1.0 is named as one in Via, and its origin is spoken to in 1.1
        (conformance 28 and 34).
        """
        _, origin = self.exchange(get(version=b"1.0"))
        self.assertEqual(self.head(origin)[b"via"], b"1.0 " + self.board.via)

    def test_hopByHop(self) -> None:
        """
        What is about the client's connection, and what is for the proxy, stays here
        (conformance 27 and 69).
        """
        _, origin = self.exchange(
            get(
                b"Connection: close, X-Mine",
                b"X-Mine: 1",
                b"Keep-Alive: 5",
                b"Proxy-Connection: keep-alive",
                b"Proxy-Authorization: Basic c2VjcmV0",
                b"TE: trailers",
                b"Upgrade: h2c",
                b"X-Other: 2",
            )
        )
        self.assertEqual(set(self.head(origin)), {b"host", b"x-other", b"via"})

    def test_length(self) -> None:
        """
        A body with a length reaches the origin as it is, in whatever pieces it comes.
        """
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        client, origin = self.exchange(head + b"0123")
        self.assertEqual(self.head(origin)[b"content-length"], b"10")
        self.send(client, b"45")
        self.send(client, b"6789")
        self.assertTrue(origin.received.endswith(b"\r\n\r\n0123456789"))
        self.reply(origin)
        self.assertEqual(self.response(client, "POST").body, b"hello")
        self.assertEqual((self.end()["bytes_up"], self.end()["bytes_down"]), (10, 5))

    def test_chunked(self) -> None:
        """
        A chunked body goes on chunked, and trailers with it.
        """
        body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"
        client, origin = self.exchange(
            b"PUT http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for index in range(len(body)):
            self.send(client, body[index : index + 1])
        self.assertEqual(self.head(origin)[b"transfer-encoding"], b"chunked")
        self.assertIn(b"abc", origin.received)
        self.assertTrue(origin.received.lower().endswith(b"0\r\nx-sum: 1\r\n\r\n"))
        self.reply(origin)
        self.assertTrue(self.response(client, "PUT").whole)

    def test_expect(self) -> None:
        """
        An expectation is passed on, and the origin's 100 too; the body is not waited for
        (conformance 34).
        """
        client, origin = self.exchange(
            b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        self.assertEqual(self.head(origin)[b"expect"], b"100-continue")
        self.reply(origin, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(client.received.startswith(b"HTTP/1.1 100 Continue\r\n"))
        self.send(client, b"ab")
        self.reply(origin)
        found = responses(client.received, "POST")
        self.assertEqual([each.status for each in found], [100, 200])

    def test_expectationFails(self) -> None:
        """
        A final response to an expectation ends the connection: whether the body comes, nobody
        knows (conformance 34 and 35).
        """
        client, origin = self.exchange(
            b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        self.reply(origin, b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        response = self.response(client, "POST")
        self.assertEqual((response.status, response.fields[b"connection"]), (417, b"close"))
        self.assertTrue(client.ended)
        self.assertTrue(origin.ended)


class ResponseTests(ForwardCase):
    """
    What the client gets.
    """

    def test_length(self) -> None:
        """
        A response with a length stays one, with a Via of the origin's version (conformance 28
        and 34).
        """
        response = self.through(b"HTTP/1.0 200 Fine\r\nContent-Length: 3\r\nServer: s\r\n\r\nabc")
        self.assertEqual((response.status, response.body, response.whole), (200, b"abc", True))
        self.assertEqual(response.fields[b"content-length"], b"3")
        self.assertEqual(response.fields[b"server"], b"s")
        self.assertEqual(response.fields[b"via"], b"1.0 " + self.board.via)
        self.assertIn(b"date", response.fields)

    def test_fields(self) -> None:
        """
        What is about the origin's connection stays there (conformance 27).
        """
        response = self.through(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n"
            b"Proxy-Authenticate: Basic\r\nSet-Cookie: a=b\r\n\r\n"
        )
        self.assertEqual(set(response.fields), {b"content-length", b"set-cookie", b"via", b"date"})

    def test_everySplit(self) -> None:
        """
        Wherever a response is cut, the client gets the same.
        """
        for whole, body in (
            (OK, b"hello"),
            (CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
            (b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n" + OK, b"hello"),
            (b"HTTP/1.1 204 None\r\n\r\n", b""),
        ):
            for index in range(1, len(whole)):
                client, origin = self.exchange()
                self.reply(origin, whole[:index])
                self.reply(origin, whole[index:])
                response = responses(client.received)[-1]
                self.assertEqual((response.body, response.whole), (body, True), whole[:index])
                self.assertEqual(self.end()["end"], "complete")
                client.transport.abortConnection()

    def test_chunked(self) -> None:
        """
        A chunked response stays chunked, with its trailers.
        """
        client, origin = self.exchange()
        self.reply(origin, CHUNKED + b"3\r\nabc\r\n")
        self.assertTrue(client.received.endswith(b"\r\n\r\n3\r\nabc\r\n"), client.received)
        self.reply(origin, b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertTrue(client.received.lower().endswith(b"0\r\nx-sum: 1\r\n\r\n"))
        self.assertEqual(self.response(client).body, b"abc")

    def test_chunkedForOldClient(self) -> None:
        """
        A client of HTTP/1.0 gets it out of its chunks, until the end (conformance 25).
        """
        client, origin = self.exchange(get(version=b"1.0"))
        self.reply(origin, CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        response = self.response(client)
        self.assertEqual((response.body, response.fields[b"connection"]), (b"abcde", b"close"))
        self.assertNotIn(b"transfer-encoding", response.fields)
        self.assertTrue(client.ended)

    def test_untilEnd(self) -> None:
        """
        A body that goes on until the origin's end becomes chunked, so that its end is one
        (conformance 37).
        """
        client, origin = self.exchange()
        self.reply(origin, UNTIL_END + b"abc")
        self.reply(origin, b"de")
        self.assertFalse(self.response(client).whole)
        origin.transport.loseConnection()
        response = self.response(client)
        self.assertEqual((response.body, response.whole), (b"abcde", True))
        self.assertEqual(response.fields[b"transfer-encoding"], b"chunked")
        self.assertFalse(client.ended)
        self.assertEqual(self.end()["end"], "complete")

    def test_untilEndForOldClient(self) -> None:
        """
        For a client of HTTP/1.0 it goes on until the end.
        """
        client, origin = self.exchange(get(version=b"1.0"))
        self.reply(origin, UNTIL_END + b"abc")
        origin.transport.loseConnection()
        response = self.response(client)
        self.assertEqual((response.body, response.whole), (b"abc", True))
        self.assertTrue(client.ended)

    def test_untilEndAtOnce(self) -> None:
        """
        Such a body that is empty is empty.
        """
        client, origin = self.exchange()
        origin.transport.write(UNTIL_END)
        origin.transport.loseConnection()
        self.reactor.flush()
        response = self.response(client)
        self.assertEqual((response.body, response.whole), (b"", True))

    def test_noBody(self) -> None:
        """
        The responses to HEAD, and those of 204 and 304, have no body, whatever they say of
        its length.
        """
        for request, octets in (
            (get(method=b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            (get(method=b"HEAD"), CHUNKED),
            (GET, b"HTTP/1.1 204 None\r\n\r\n"),
            (GET, b"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n"),
            (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ):
            client, origin = self.exchange(request)
            self.reply(origin, octets)
            response = self.response(client, request.split()[0].decode())
            self.assertEqual((response.body, response.whole), (b"", True), octets)
            self.assertEqual(self.end()["end"], "complete")
            self.assertFalse(client.ended)

    def test_interim(self) -> None:
        """
        Interim responses are passed on in order, and not to clients of HTTP/1.0
        (conformance 25 and 34).
        """
        octets = b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hint\r\nLink: x\r\n\r\n" + OK
        client, origin = self.exchange()
        self.reply(origin, octets)
        found = responses(client.received)
        self.assertEqual([each.status for each in found], [102, 103, 200])
        self.assertEqual(found[1].fields[b"link"], b"x")
        client, origin = self.exchange(get(version=b"1.0"))
        self.reply(origin, octets)
        self.assertEqual(self.response(client).status, 200)

    def test_proxyAuthentication(self) -> None:
        """
        A 407 is for proxies to say: an origin's would be taken for ours (conformance 17).
        """
        for octets in (
            b"HTTP/1.1 407 Say\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 407 Say\r\nContent-Length: 5\r\n\r\n",
        ):
            client, origin = self.exchange()
            self.reply(origin, octets)
            response = self.response(client)
            self.assertEqual(response.status, 502)
            self.assertIn(b"the status is 407", response.body)
            self.assertEqual(self.end()["error"], "http_protocol_error")
            self.assertTrue(origin.ended or origin.lost)

    def test_noHTTP10Reuse(self) -> None:
        """
        What a client of HTTP/1.0 asks for ends with the response, whatever it says of
        keeping the connection (conformance 25).
        """
        client, origin = self.exchange(get(b"Connection: keep-alive", version=b"1.0"))
        self.reply(origin)
        response = self.response(client)
        self.assertEqual(response.fields[b"connection"], b"close")
        self.assertTrue(client.ended)
        client.transport.loseConnection()
        self.wait(SETTINGS["timeouts.linger"])
        self.checkQuiet()
