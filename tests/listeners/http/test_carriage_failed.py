"""
Tests for L{connectproxy.listeners.http.carriage}: exchanges that fail.
"""

from __future__ import annotations

from connectproxy.errors import KINDS
from connectproxy.interfaces import Action, Verdict
from connectproxy.origin.connection import INTERIM
from tests.fakes import SETTINGS, Peer, makeSwitchboard
from tests.listeners.http.forwarding import GET, ForwardCase, get, responses
from tests.test_switchboard import Says

POST = b"POST http://origin.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


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
            self.send(client, request)
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
