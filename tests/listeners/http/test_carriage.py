"""
Tests for L{connectproxy.listeners.http.carriage}: how an exchange ends, and what becomes of
both connections.
"""

from __future__ import annotations

from connectproxy.errors import KINDS
from connectproxy.interfaces import Action, Verdict
from connectproxy.origin.connection import INTERIM
from tests.fakes import SETTINGS, Peer, makeSwitchboard
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get, responses
from tests.listeners.http.test_connection import HEAD
from tests.test_switchboard import Says

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


class FailedTests(ForwardCase):
    """
    There is no response, or not all of it.
    """

    def refusedBy(self, octets: bytes, kind: str, request: bytes = GET) -> Peer:
        """
        What an origin says is answered with a refusal, after which the client's connection
        goes on if the request had no body.
        """
        client, origin = self.exchange(request)
        self.reply(origin, octets)
        response = self.response(client, request.split()[0].decode())
        row = KINDS[kind]
        self.assertEqual((response.status, response.whole), (row.status, True), octets)
        self.assertIn(b"error=" + row.proxyStatus.encode(), response.fields[b"proxy-status"])
        self.assertTrue(origin.ended or origin.lost)
        event = self.end()
        self.assertEqual((event["error"], event["status"], event["end"]), (kind, row.status, "refused"))
        return client

    def test_misbehaves(self) -> None:
        """
        What is no HTTP, or could be read in two ways, is answered 502 (conformance 33 and 35).
        """
        for octets, kind in (
            (b"SSH-2.0-OpenSSH_9\r\n", "http_protocol_error"),
            (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "http_protocol_error"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "http_protocol_error",
            ),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "http_response_transfer_coding"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000, "http_response_header_section_size"),
            (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "http_protocol_error"),
            (b"HTTP/1.1 102 Wait\r\n\r\n" * (INTERIM + 1), "http_protocol_error"),
        ):
            if b"102" not in octets:
                client = self.refusedBy(octets, kind)
                self.assertFalse(client.ended)
                client.transport.abortConnection()
            else:
                client, origin = self.exchange()
                self.reply(origin, octets)
                found = responses(client.received)
                self.assertEqual([each.status for each in found], [102] * INTERIM + [502])

    def test_keptAfterwards(self) -> None:
        """
        Behind a refusal of a request without a body the next one is served; with a body that
        has not all come, nothing more is read.
        """
        client = self.refusedBy(b"nonsense\r\n\r\n", "http_protocol_error")
        client.received.clear()
        self.send(client, GET)
        self.reply(self.upstream.dials[-1].succeed())
        self.assertEqual(self.response(client).body, b"hello")
        client = self.refusedBy(b"nonsense\r\n\r\n", "http_protocol_error", POST)
        self.assertTrue(client.ended)
        self.send(client, b"hello" + GET)
        self.assertEqual(len(self.upstream.dials), 3)

    def test_notDialled(self) -> None:
        """
        An origin that can't be reached is answered as with a CONNECT, but the connection goes on.
        """
        client = self.ask(GET)
        self.upstream.dials[0].fail("dns_error", "no such name")
        response = self.response(client)
        self.assertEqual(response.status, 502)
        self.assertNotIn(b"connection", response.fields)
        self.assertFalse(client.ended)
        client.received.clear()
        self.send(client, get(method=b"HEAD"))
        self.upstream.dials[1].fail("connection_refused")
        self.assertEqual(self.response(client, "HEAD").body, b"")

    def test_denied(self) -> None:
        """
        So is one that the policy denies; but with anything behind it the connection ends.
        """
        rule = Says(Verdict(Action.DENY, "because", "says"))
        self.listenWith(makeSwitchboard(self.reactor, rules=[rule]))
        client = self.ask(GET)
        self.assertEqual(self.response(client).status, 403)
        self.assertFalse(client.ended)
        client = self.ask(GET + GET)
        self.assertEqual(self.response(client).fields[b"connection"], b"close")
        self.assertTrue(client.ended)
        self.assertEqual(len(self.events()), 2)

    def test_closedWithout(self) -> None:
        """
        An origin that closes without a response, or in its head, is answered 502
        (conformance 37).
        """
        for octets, way in (
            (b"", "loseConnection"),
            (b"", "abortConnection"),
            (b"HTTP/1.1 200 OK\r\nX", "loseConnection"),
            (b"HTTP/1.1 200 OK\r\nX", "abortConnection"),
        ):
            client, origin = self.exchange()
            self.reply(origin, octets)
            getattr(origin.transport, way)()
            self.assertEqual(self.response(client).status, 502)
            self.assertEqual(self.end()["error"], "http_response_incomplete")
            self.assertFalse(client.ended)

    def test_stale(self) -> None:
        """
        A request on a connection that turns out closed goes out once more on another, if it is
        one that may; and there is one event.
        """
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            client, origin = self.exchange()
            self.reply(origin)
            client.received.clear()
            origin.transport.pauseProducing()
            dials, events = len(self.upstream.dials), len(self.events())
            client.transport.write(get(method=method))
            origin.transport.loseConnection()
            self.reactor.flush()
            self.assertEqual(len(self.upstream.dials), dials + 1)
            self.assertEqual(bytes(client.received), b"")
            again = self.upstream.dials[-1].succeed()
            self.reactor.flush()
            self.assertTrue(again.received.startswith(method))
            self.reply(again, b"HTTP/1.1 204 None\r\n\r\n")
            self.assertEqual(self.response(client, method.decode()).status, 204)
            self.assertEqual(len(self.events()), events + 1)

    def test_staleAndGone(self) -> None:
        """
        A client that goes while the connection is made anew stops that.
        """
        client, origin = self.exchange()
        self.reply(origin)
        origin.transport.pauseProducing()
        client.transport.write(GET)
        origin.transport.loseConnection()
        self.reactor.flush()
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.upstream.dials[1].cancelled)
        self.assertEqual(self.end()["event"], "abandoned")
        self.checkQuiet()

    def test_notTwice(self) -> None:
        """
        A request that may not go out twice is answered that it failed.
        """
        for request in (get(method=b"POST"), POST + b"hello", get(method=b"DELETE")):
            client, origin = self.exchange()
            self.reply(origin)
            client.received.clear()
            origin.transport.pauseProducing()
            client.transport.write(request)
            origin.transport.loseConnection()
            self.reactor.flush()
            self.assertEqual(self.response(client, "POST").status, 502)
            self.assertEqual(self.end()["error"], "connection_terminated")

    def test_truncated(self) -> None:
        """
        A response that is cut short never looks complete: without its last octets, without its
        last chunk, by a reset where there is nothing else to tell it (conformance 37).
        """
        for head, version in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"1.1"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"1.0"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", b"1.1"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"1.1"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", b"1.0"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nX", b"1.1"),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", b"1.1"),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", b"1.0"),
        ):
            for way in ("loseConnection", "abortConnection"):
                if way == "loseConnection" and head.endswith(b"\r\n\r\nabc") and b"Length" not in head:
                    continue  # which is how such a body ends
                client, origin = self.exchange(get(version=version))
                self.reply(origin, head)
                getattr(origin.transport, way)()
                self.reactor.flush()
                self.assertTrue(client.ended or client.lost, head)
                reset = client.lost is not None and not client.ended
                self.assertEqual(reset, version == b"1.0")
                if not reset:
                    self.assertFalse(self.response(client).whole, head)
                self.assertEqual((self.end()["end"], self.end()["status"]), ("truncated", 200))
                client.transport.abortConnection()
        self.reactor.flush()
        self.checkQuiet()

    def test_earlyResponse(self) -> None:
        """
        A response before the end of the request's body is passed on, and the connection ends
        behind it: what comes then is thrown away.
        """
        client, origin = self.exchange(POST + b"he")
        self.reply(origin, b"HTTP/1.1 413 Too much\r\nContent-Length: 3\r\n\r\nabc")
        origin.transport.loseConnection()
        response = self.response(client, "POST")
        self.assertEqual((response.status, response.body), (413, b"abc"))
        self.assertEqual(response.fields[b"connection"], b"close")
        self.assertTrue(client.ended)
        self.send(client, b"llo" + GET)
        self.assertEqual(len(self.upstream.dials), 1)
        self.wait(SETTINGS["timeouts.linger"])
        self.checkQuiet()

    def test_bodyGoesOn(self) -> None:
        """
        An origin that begins its response early still gets the body, as long as it takes it.
        """
        client, origin = self.exchange(POST + b"he")
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
        self.send(client, b"llo")
        self.assertTrue(origin.received.endswith(b"hello"))
        self.reply(origin, b"bc")
        self.assertEqual(self.response(client, "POST").body, b"abc")
        self.assertTrue(client.ended)

    def test_malformedBody(self) -> None:
        """
        A request whose body can't be read is answered 400, and its origin left with half of
        it (conformance 33).
        """
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client, origin = self.exchange(head + b"3\r\nabc\r\n")
        self.send(client, b"0x3\r\nabc\r\n" + GET)
        self.assertEqual(self.response(client, "POST").status, 400)
        self.assertTrue(client.ended)
        self.assertIsNotNone(origin.lost)
        self.assertEqual((self.end()["error"], self.end()["ended_by"]), ("http_request_error", "client"))
        client, origin = self.exchange(head + b"3\r\nabc\r\n")
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na")
        self.send(client, b"0x3\r\nabc\r\n")
        self.assertFalse(self.response(client, "POST").whole)
        self.assertEqual((self.end()["end"], self.end()["status"]), ("truncated", 200))

    def test_clientGone(self) -> None:
        """
        A client that goes is waited for no longer: not while its origin is dialled for, not
        before and not within the response.
        """
        client = self.ask(GET)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual(self.end()["event"], "abandoned")
        for octets, end in (
            (b"", "client_gone"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na", "reset"),
        ):
            client, origin = self.exchange()
            self.reply(origin, octets)
            client.transport.abortConnection()
            self.reactor.flush()
            self.assertIsNotNone(origin.lost)
            self.assertEqual((self.end()["end"], self.end()["ended_by"]), (end, "client"))
        self.checkQuiet()

    def test_clientGoneInBody(self) -> None:
        """
        Nor is one that ends in the middle of its body, whose origin must not take it for whole
        (conformance 37).
        """
        client, origin = self.exchange(POST + b"he")
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertIsNotNone(origin.lost)
        self.assertFalse(origin.ended)
        self.assertEqual(self.end()["end"], "client_gone")
        self.checkQuiet()

    def test_aborted(self) -> None:
        """
        When the time of draining is over, what is still under way is cut off.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na")
        quiet = self.board.drain()
        self.port.stopListening()
        self.board.abort("drain_timeout")
        self.reactor.flush()
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(origin.lost)
        self.assertEqual((self.end()["end"], self.end()["ended_by"]), ("drain_timeout", "proxy"))
        self.successResultOf(quiet)
        self.checkQuiet()


class LateTests(ForwardCase):
    """
    Somebody is too slow.
    """

    def test_noResponse(self) -> None:
        """
        An origin that does not respond is given up, and the client hears of it.
        """
        client, origin = self.exchange()
        self.wait(SETTINGS["timeouts.response"])
        self.assertEqual(self.response(client).status, 504)
        self.assertEqual(self.end()["error"], "http_response_timeout")
        self.assertIsNotNone(origin.lost)
        self.assertFalse(client.ended)

    def test_interimIsProgress(self) -> None:
        """
        An interim response gives it more time.
        """
        client, origin = self.exchange()
        for _ in range(3):
            self.wait(SETTINGS["timeouts.response"] - 10)
            self.reply(origin, b"HTTP/1.1 102 Wait\r\n\r\n")
        self.reply(origin)
        self.assertEqual(responses(client.received)[-1].status, 200)

    def test_silentInBody(self) -> None:
        """
        A response in which nothing moves any more is cut short.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na")
        self.wait(SETTINGS["timeouts.idle"] - 10)
        self.reply(origin, b"b")
        self.wait(SETTINGS["timeouts.idle"] - 10)
        self.assertFalse(client.ended)
        self.wait(10)
        self.assertTrue(client.ended)
        self.assertEqual((self.end()["end"], self.end()["ended_by"]), ("idle_timeout", "proxy"))

    def test_silentClient(self) -> None:
        """
        A client that does not go on with its body is told so.
        """
        client, origin = self.exchange(POST + b"he")
        self.wait(SETTINGS["timeouts.idle"])
        self.assertEqual(self.response(client, "POST").status, 408)
        self.assertIsNotNone(origin.lost)

    def test_slowOrigin(self) -> None:
        """
        An origin that takes nothing of a body is the one that is too slow.
        """
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
        client, origin = self.exchange(head, capacity=1000)
        origin.transport.pauseProducing()
        self.send(client, bytes(900000))
        self.wait(SETTINGS["timeouts.idle"])
        self.assertEqual(self.response(client, "POST").status, 504)

    def test_kept(self) -> None:
        """
        Connections that nobody uses are closed: the client's without a word, the origin's
        when its own time is over.
        """
        self.listen(**{"timeouts.keep_alive": 30.0})
        client, origin = self.exchange()
        self.reply(origin)
        self.wait(15)
        self.assertFalse(client.ended or origin.ended)
        self.wait(15)
        self.assertTrue(client.ended and origin.ended)
        self.assertEqual(len(self.events()), 1)
        self.checkQuiet()

    def test_originKept(self) -> None:
        """
        An origin's connection is kept for no more than a minute, whatever the client's is.
        """
        self.listen(**{"timeouts.keep_alive": 300.0})
        client, origin = self.exchange()
        self.reply(origin)
        self.wait(60)
        self.assertEqual((client.ended, origin.ended), (False, True))
        self.send(client, GET)
        self.assertEqual(len(self.upstream.dials), 2)

    def test_nextHead(self) -> None:
        """
        Each head has its deadline from its first octet on, and a request began with it.
        """
        client, origin = self.exchange()
        self.reply(origin)
        client.received.clear()
        self.wait(20)
        self.send(client, b"G")
        self.wait(SETTINGS["timeouts.head"] - 2)
        self.assertEqual(bytes(client.received), b"")
        self.wait(2)
        self.assertEqual(self.response(client).status, 408)
        self.assertTrue(client.ended)

    def test_slowReader(self) -> None:
        """
        A client that is slow to take a last response gets the time it needs.
        """
        client = self.connect(capacity=1000)
        self.send(client, get(b"Connection: close"))
        origin = self.upstream.dials[0].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
        self.wait(60)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended)


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
