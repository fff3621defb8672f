"""
How exchanges of messages end when something goes wrong; conformance 35 and 37.
"""

from __future__ import annotations

from typing import Any

from connectproxy.errors import KINDS, Refusal
from connectproxy.leg import Leg
from connectproxy.wire.http2 import ErrorCode
from tests.listeners.http2.exchanging import PLAIN, ExchangeCase, fields


class FailureTests(ExchangeCase):
    """
    Whatever goes wrong, nobody waits, and nothing that is not whole looks whole.
    """

    def test_noConnection(self) -> None:
        """
        An origin that can't be reached is told of as for a tunnel.
        """
        client = self.client()
        number = client.ask(fields(), end=True)
        self.flush()
        self.dials[0].fail("dns_error")
        self.flush()
        self.assertEqual((client.heard(number).status, client.heard(number).reset), (502, None))

    def test_badResponse(self) -> None:
        """
        What is no HTTP is a 502, to a HEAD without a body.
        """
        for method in ("GET", "HEAD"):
            client = self.client()
            number, origin = self.ask(client, fields(method))
            self.answer(origin, b"220 smtp.example\r\n")
            heard = client.heard(number)
            self.assertEqual((heard.status, heard.ended, bool(heard.octets)), (502, True, method == "GET"))
            self.assertEqual(self.events[-1]["error"], "http_protocol_error")
            self.assertTrue(origin.lost)

    def test_proxyAuthentication(self) -> None:
        """
        A 407 is for proxies to say: an origin's would be taken for ours (conformance 17).
        """
        client = self.client()
        for octets in (
            b"HTTP/1.1 407 Say\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 407 Say\r\nContent-Length: 5\r\n\r\n",
        ):
            number, origin = self.ask(client, fields())
            self.answer(origin, octets)
            heard = client.heard(number)
            self.assertEqual((heard.status, heard.ended), (502, True))
            self.assertNotIn("proxy-authenticate", heard.fields)
            self.assertIn(b"the status is 407", heard.octets)
            self.assertEqual(self.events[-1]["error"], "http_protocol_error")
            self.assertTrue(origin.ended or origin.lost)

    def test_everyKind(self) -> None:
        """
        What a stream past its response is reset with is what the table of refusals says.
        """
        codes = set()
        for kind, row in KINDS.items():
            client = self.client()
            number, origin = self.ask(client, fields())
            self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            (connection,) = self.port.factory.connections
            exchange = connection.streams[number].protocol
            exchange._origin.abort()
            exchange.failed(Refusal(kind), True, False)
            self.flush()
            self.assertEqual(client.heard(number).reset, ErrorCode[row.h2], kind)
            codes.add(row.h2)
            client.transport.loseConnection()
            self.flush()
        self.assertGreater(len(codes), 1)

    def test_truncated(self) -> None:
        """
        A body that is cut short resets the stream, and never ends it; conformance 37.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        origin.transport.loseConnection()
        self.flush()
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (200, False, ErrorCode.INTERNAL_ERROR))
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("truncated", "origin"))

    def test_tooSlow(self) -> None:
        """
        An origin that does not answer is a 504; one that stops in the middle is a reset.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        self.reactor.advance(121)
        self.flush()
        self.assertEqual(client.heard(number).status, 504)
        number, origin = self.ask(client, fields())
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        self.reactor.advance(3601)
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.INTERNAL_ERROR)
        self.assertEqual((self.events[-1]["end"], self.events[-1]["ended_by"]), ("idle_timeout", "proxy"))

    def test_stale(self) -> None:
        """
        A request on an idle connection that turns out closed goes out again, on a new one, if
        that does no harm; otherwise it is a 502.
        """
        for method, again in (("GET", True), ("POST", False)):
            client = self.client()
            _, origin = self.ask(client, fields())
            self.answer(origin, PLAIN)
            before = len(self.dials)
            number = client.ask(fields(method), end=method == "GET")
            self.flush()
            origin.transport.loseConnection()
            self.flush()
            self.assertEqual(len(self.dials) - before, int(again))
            if again:
                self.answer(self.dials[-1].succeed(), PLAIN)
            self.assertEqual(client.heard(number).status, 200 if again else 502)

    def test_staleAndGone(self) -> None:
        """
        A client that gives up while its request goes out again is one that is gone.
        """
        client = self.client()
        _, origin = self.ask(client, fields())
        self.answer(origin, PLAIN)
        number = client.ask(fields(), end=True)
        self.flush()
        origin.transport.loseConnection()
        self.flush()
        client.cancel(number)
        self.flush()
        self.assertTrue(self.dials[1].cancelled)
        self.assertEqual(self.events[-1]["end"], "client_gone")

    def test_clientGivesUp(self) -> None:
        """
        A client that resets its stream resets the origin: before the connection, before the
        response, in the middle of it, and behind its end as far as it was not sent.
        """
        client = self.client()
        number = client.ask(fields(), end=True)
        self.flush()
        client.cancel(number)
        self.flush()
        self.assertTrue(self.dials[0].cancelled)
        ends = []
        for octets in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"):
            number, origin = self.ask(client, fields())
            self.answer(origin, octets)
            client.cancel(number)
            self.flush()
            self.assertTrue(origin.lost)
            ends.append(self.events[-1]["end"])
        stalled = self.client(window=10, reading=False)
        number, origin = self.ask(stalled, fields())
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000))
        stalled.cancel(number)
        self.flush()
        ends.append(self.events[-1]["end"])
        self.assertEqual(ends, ["client_gone", "reset", "reset"])

    def test_notRead(self) -> None:
        """
        A client that never takes the end of its response is given up in the end.
        """
        client = self.client(window=10, reading=False)
        number, origin = self.ask(client, fields())
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000))
        self.assertEqual(self.events, [])
        self.reactor.advance(3601)
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.CANCEL)
        self.assertEqual((self.events[0]["end"], self.events[0]["bytes_down"]), ("idle_timeout", 10))

    def exchange(self, client: Any) -> Any:
        """
        What carries the request of a client's only stream.
        """
        connection: Any = next(iter(self.port.factory.connections))
        (stream,) = connection.streams.values()
        return stream.protocol

    def test_abortedTwice(self) -> None:
        """
        To give up what has been given up is nothing; what was carried until then is known.
        """
        client = self.client()
        number, _ = self.ask(client, fields("POST"), end=False)
        client.put(number, b"up")
        self.flush()
        exchange = self.exchange(client)
        self.assertEqual((exchange.bytesUp, exchange.bytesDown), (2, 0))
        exchange.abort("drain_timeout")
        exchange.abort("drain_timeout")
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.CANCEL)
        self.assertEqual(len(self.events), 1)

    def test_switchedByMistake(self) -> None:
        """
        Were an exchange told that the protocol has changed, it would be a failure too.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        leg = Leg()
        exchange = self.exchange(client)
        leg.transport = exchange._origin.transport
        exchange._origin._sink = None  # it has handed its transport over
        exchange.switched(None, leg)
        self.flush()
        self.assertEqual(client.heard(number).status, 502)
        self.assertTrue(origin.lost)

    def test_switchedUnasked(self) -> None:
        """
        An origin that switches protocols unasked is a bad one.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        self.answer(origin, b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        self.assertEqual(client.heard(number).status, 502)

    def test_drained(self) -> None:
        """
        Exchanges that are left at the deadline of draining are reset.
        """
        client = self.raw()
        client.ask(1, fields(), end=True)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        self.board.drain()
        self.board.abort("drain_timeout")
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.CANCEL)])
        self.assertTrue(origin.lost)
        self.assertEqual(self.events[0]["end"], "drain_timeout")
