"""
Requests that are forwarded as messages, over fakes; conformance 26 to 37 and 47.
"""

from __future__ import annotations

from connectproxy.wire.http2 import ErrorCode, formatData
from tests.listeners.http2.client import WINDOW
from tests.listeners.http2.exchanging import PLAIN, ExchangeCase, fields


class RequestTests(ExchangeCase):
    """
    What the origin gets.
    """

    def test_head(self) -> None:
        """
        The request is one of HTTP/1.1 with a Host from the authority, the fields that are
        for the origin, the cookie in one piece, and a Via that says 2.0 (conformance 26, 28 and 47).
        """
        client = self.client()
        more = (
            ("user-agent", "tests"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic secret"),
            ("accept", "*/*"),
        )
        _, origin = self.ask(client, fields("GET", "/page?x=y", *more))
        via = self.board.via
        expected = (
            b"GET /page?x=y HTTP/1.1\r\nHost: a.example\r\nUser-Agent: tests\r\nAccept: */*\r\n"
            b"Cookie: a=1; b=2\r\nVia: 2.0 %b\r\n\r\n" % via
        )
        self.assertEqual(bytes(origin.received), expected)

    def test_chunked(self) -> None:
        """
        A body of no known length goes out in chunks, as it comes, with its trailers.
        """
        client = self.client()
        number, origin = self.ask(client, fields("POST"), end=False)
        self.assertIn(b"Transfer-Encoding: chunked\r\n", origin.received)
        origin.received.clear()
        client.put(number, b"first")
        self.flush()
        self.assertEqual(bytes(origin.received), b"5\r\nfirst\r\n")
        client.h2.send_data(number, b"second")
        client.h2.send_headers(number, [("x-checksum", "1")], end_stream=True)
        client.send()
        self.flush()
        self.assertEqual(bytes(origin.received), b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\nx-checksum: 1\r\n\r\n")
        self.answer(origin, PLAIN)
        heard = client.heard(number)
        self.assertEqual(
            (heard.status, bytes(heard.octets), heard.ended, heard.reset), (200, b"hello", True, None)
        )
        event = self.events[0]
        self.assertEqual(
            (event["event"], event["end"], event["bytes_up"], event["bytes_down"]),
            ("request", "complete", 11, 5),
        )

    def test_length(self) -> None:
        """
        A body of a known length goes out with it; one that is sent before there is a
        connection is held, within its window.
        """
        client = self.client()
        number = client.ask(fields("PUT", "/", ("content-length", "40000")))
        client.put(number, bytes(40000), end=True)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        self.assertIn(b"Content-Length: 40000\r\n", origin.received)
        self.assertNotIn(b"chunked", origin.received)
        self.assertTrue(origin.received.endswith(bytes(40000)))
        self.answer(origin, PLAIN)
        self.assertTrue(client.heard(number).ended)

    def test_empty(self) -> None:
        """
        A body of no octets is one, where it is announced.
        """
        client = self.client()
        _, origin = self.ask(client, fields("POST", "/", ("content-length", "0")))
        self.assertIn(b"Content-Length: 0\r\n", origin.received)
        _, origin = self.ask(client, fields("POST"))
        self.assertNotIn(b"Content-Length", origin.received)

    def test_lengthLies(self) -> None:
        """
        A body that is longer or shorter than announced makes the request malformed: the stream
        is reset and the origin as well (RFC 9113 section 8.1.1).
        """
        for octets, end in ((b"far too long", False), (b"far too long", True), (b"sho", True)):
            client = self.raw()
            client.ask(1, fields("POST", "/", ("content-length", "5")))
            self.flush()
            origin = self.dials[-1].succeed()
            client.transport.write(formatData(1, octets, 16384, end=end))
            self.flush()
            self.assertEqual(client.resets, [(1, ErrorCode.PROTOCOL_ERROR)])
            self.assertTrue(origin.lost)
            self.assertEqual(
                (self.events[-1]["error"], self.events[-1]["ended_by"]), ("http_request_error", "client")
            )

    def test_badTrailers(self) -> None:
        """
        Trailers that are malformed are never written on.
        """
        client = self.client()
        client.h2.config.validate_outbound_headers = False
        number, origin = self.ask(client, fields("POST"), end=False)
        client.h2.send_headers(number, [("x", "a\nb")], end_stream=True)
        client.send()
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.PROTOCOL_ERROR)
        self.assertNotIn(b"a\nb", origin.received)

    def test_backPressure(self) -> None:
        """
        An origin that does not read stops the client's stream (conformance 35).
        """
        client = self.client()
        number, origin = self.ask(client, fields("POST"), end=False, capacity=4096)
        origin.transport.pauseProducing()
        sent = 0
        for _ in range(50):
            window = client.h2.local_flow_control_window(number)
            if not window:
                break
            client.put(number, bytes(window))
            sent += window
            self.flush()
        self.assertEqual(client.h2.local_flow_control_window(number), 0)
        self.assertLess(sent, 300000)
        origin.transport.resumeProducing()
        self.flush()
        client.put(number, b"", end=True)
        self.flush()
        self.assertTrue(origin.received.endswith(b"\r\n0\r\n\r\n"))

    def test_maxForwards(self) -> None:
        """
        What may still be forwarded goes on with one less.
        """
        client = self.client()
        _, origin = self.ask(client, fields("OPTIONS", "*", ("max-forwards", "3")))
        self.assertTrue(origin.received.startswith(b"OPTIONS * HTTP/1.1\r\n"))
        self.assertIn(b"Max-Forwards: 2\r\n", origin.received)


class ResponseTests(ExchangeCase):
    """
    What the client gets.
    """

    def test_fields(self) -> None:
        """
        The fields that are for the client, with a Via and a Date, and never one about the
        origin's connection; conformance 28 and 41.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        self.answer(
            origin,
            b"HTTP/1.1 404 Nothing\r\nServer: x\r\nConnection: close, x-secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\n"
            b"Transfer-Encoding: chunked\r\nSet-Cookie: a\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        )
        heard = client.heard(number)
        expected = {":status", "server", "set-cookie", "date", "via"}
        self.assertEqual((set(heard.fields), heard.status), (expected, 404))
        self.assertEqual(heard.fields["via"], "1.1 " + self.board.via.decode("ascii"))
        self.assertEqual((bytes(heard.octets), heard.ended), (b"body", True))

    def test_bodies(self) -> None:
        """
        Whatever delimits the body at the origin, the client gets its octets and its end.
        """
        for head, body in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"octets"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\noct\r\n3\r\nets\r\n0\r\n\r\n"),
            (b"HTTP/1.0 200 OK\r\n\r\n", b"octets"),
        ):
            for split in range(0, len(head + body), 7):
                client = self.client()
                number, origin = self.ask(client, fields())
                self.answer(origin, (head + body)[:split])
                self.answer(origin, (head + body)[split:])
                origin.transport.loseConnection()
                self.flush()
                heard = client.heard(number)
                self.assertEqual((bytes(heard.octets), heard.ended, heard.reset), (b"octets", True, None))

    def test_noBody(self) -> None:
        """
        A response without a body is one frame that ends the stream; the length that a HEAD is
        told is told.
        """
        client = self.client()
        number, origin = self.ask(client, fields("HEAD"))
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        heard = client.heard(number)
        self.assertEqual((heard.ended, heard.fields["content-length"]), (True, "500"))
        number = client.ask(fields(), end=True)
        self.flush()
        self.answer(origin, b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual((client.heard(number).status, client.heard(number).ended), (204, True))

    def test_trailers(self) -> None:
        """
        Trailers of the origin's come behind the body.
        """
        client = self.client()
        number, origin = self.ask(client, fields())
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.answer(origin, head + b"4\r\nbody\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n")
        heard = client.heard(number)
        self.assertEqual((bytes(heard.octets), heard.trailers, heard.ended), (b"body", {"x-sum": "1"}, True))
        number = client.ask(fields(), end=True)
        self.flush()
        self.answer(origin, head + b"0\r\nX-Sum: 2\r\n\r\n")
        heard = client.heard(number)
        self.assertEqual((bytes(heard.octets), heard.trailers, heard.ended), (b"", {"x-sum": "2"}, True))

    def test_interim(self) -> None:
        """
        Interim responses go on, before the final one; conformance 34.
        """
        client = self.client()
        number, origin = self.ask(client, fields("POST", "/", ("expect", "100-continue")), end=False)
        self.assertIn(b"Expect: 100-continue\r\n", origin.received)
        self.answer(origin, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.assertEqual(client.heard(number).interim, [100, 103])
        client.put(number, b"body", end=True)
        self.flush()
        self.answer(origin, PLAIN)
        self.assertEqual((client.heard(number).status, bytes(client.heard(number).octets)), (200, b"hello"))

    def test_beforeTheRequestEnds(self) -> None:
        """
        A response that is complete before its request ends the stream, and tells the client
        that it need not send the rest (RFC 9113 section 8.1).
        """
        client = self.client()
        number, origin = self.ask(client, fields("POST"), end=False)
        self.answer(origin, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (413, True, ErrorCode.NO_ERROR))
        self.assertEqual(self.events[0]["end"], "complete")

    def test_backPressure(self) -> None:
        """
        A client that does not read its stream stops the origin; what is not sent is not
        counted (conformance 35).
        """
        client = self.client(window=65535, reading=False)
        number, origin = self.ask(client, fields())
        self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000000))
        self.assertEqual(len(client.heard(number).octets), 65535)
        self.assertGreater(len(origin.transport.dataBuffer) + origin.transport._tempDataLen, 500000)
        client.reading = True
        client.h2.increment_flow_control_window(WINDOW, number)
        client.h2.increment_flow_control_window(WINDOW)
        client.send()
        self.flush()
        self.assertEqual((len(client.heard(number).octets), client.heard(number).ended), (1000000, True))
        self.assertEqual(self.events[0]["bytes_down"], 1000000)

    def test_reuse(self) -> None:
        """
        An origin's connection that is idle serves the next request for the same place; streams
        at the same time have their own.
        """
        client = self.client()
        first, origin = self.ask(client, fields())
        self.answer(origin, PLAIN)
        second = client.ask(fields(), end=True)
        self.flush()
        self.assertEqual(len(self.dials), 1)
        third = client.ask(fields(), end=True)
        self.flush()
        self.assertEqual(len(self.dials), 2)
        self.answer(origin, PLAIN)
        self.answer(self.dials[1].succeed(), PLAIN)
        for number in (first, second, third):
            self.assertEqual(bytes(client.heard(number).octets), b"hello")
        client.transport.loseConnection()
        self.flush()
        self.assertTrue(origin.ended)

    def test_otherClients(self) -> None:
        """
        No connection is used for another client.
        """
        _, origin = self.ask(self.client(), fields())
        self.answer(origin, PLAIN)
        self.client().ask(fields(), end=True)
        self.flush()
        self.assertEqual(len(self.dials), 2)
