"""
Tests for L{connectproxy.origin.connection}: requests that get no whole response.
"""

from __future__ import annotations

from connectproxy.origin import connection as module
from tests.origin.case import PATIENCE, OriginCase, Sink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"


class FailTests(OriginCase):
    """
    There is no response, or not the whole of it.
    """

    def test_malformed(self) -> None:
        """
        What is no HTTP, in the head or in a body.
        """
        for octets, kind, begun in (
            (b"nonsense\r\n\r\n", "http_protocol_error", False),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000, "http_response_header_section_size", False),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "http_response_transfer_coding", False),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
                "http_protocol_error",
                True,
            ),
        ):
            _, origin, sink = self.ask()
            self.say(origin, octets)
            self.assertEqual(sink.told[-1], ("failed", kind, begun, False))
            self.assertEqual(len(sink.told), 1 + begun)
            self.assertClosed(origin)
        _connection, origin, sink = self.ask()
        self.say(origin, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.say(origin, b"-1\r\n")
        self.assertEqual(sink.told[-1], ("failed", "http_protocol_error", True, False))

    def test_cut(self) -> None:
        """
        What ends too early, by an end or by a reset.
        """
        for octets, begun in (
            (b"", False),
            (b"HTTP/1.1 200 OK\r\n", False),
            (b"HTTP/1.1 103 Hint\r\n\r\n", False),
            (OK[:-1], True),
            (CHUNKS[:-1], True),
        ):
            for way in ("loseConnection", "abortConnection"):
                _connection, origin, sink = self.ask()
                self.say(origin, octets)
                getattr(origin.transport, way)()
                self.reactor.flush()
                self.assertEqual(sink.told[-1], ("failed", "http_response_incomplete", begun, False))
                self.assertClosed(origin)

    def test_resetInTheEnd(self) -> None:
        """
        A body that goes on until the end is cut short by a reset, even one that the reactor
        takes for an end.
        """

        for disguised in (False, True):
            _connection, origin, sink = self.ask()
            self.say(origin, b"HTTP/1.1 200 OK\r\n\r\nabc")
            if disguised:
                self.patch(module, "pendingError", lambda transport: 104)
                origin.transport.loseConnection()
            else:
                origin.transport.abortConnection()
            self.reactor.flush()
            self.assertEqual(sink.told[-1], ("failed", "http_response_incomplete", True, False))

    def test_lostWithoutHalfClose(self) -> None:
        """
        A transport that knows no half-close tells the end with the loss.
        """
        connection, origin, sink = self.ask()
        self.say(origin, b"HTTP/1.1 200 OK\r\n\r\nabc")
        connection.connectionLost()
        self.assertEqual(sink.told[-1], ("content", True))

    def test_stale(self) -> None:
        """
        A connection that had served before and is closed without any octet of a response was
        stale; with an octet it was not.
        """
        for octets, kind, stale in (
            (b"", "connection_terminated", True),
            (b"H", "http_response_incomplete", False),
        ):
            for way in ("loseConnection", "abortConnection"):
                connection, origin, sink = self.ask()
                self.say(origin, OK)
                connection.begin(sink, "GET", b"another")
                self.say(origin, octets)
                getattr(origin.transport, way)()
                self.reactor.flush()
                self.assertEqual(sink.told[-1], ("failed", kind, False, stale))


class LateTests(OriginCase):
    """
    Deadlines.
    """

    def test_noResponse(self) -> None:
        """
        The time for the head begins with the end of the request, and with each interim
        response anew.
        """
        connection, origin, sink = self.ask("POST", more=True)
        self.wait(PATIENCE.response)
        connection.finish()
        self.wait(PATIENCE.response - 1)
        self.say(origin, b"HTTP/1.1 102 Wait\r\n\r\n")
        self.wait(PATIENCE.response - 1)
        self.assertEqual(sink.names, ["interim"])
        self.wait(1)
        self.assertEqual(sink.told[-1], ("failed", "http_response_timeout", False, False))
        self.assertClosed(origin)

    def test_interimInBody(self) -> None:
        """
        An interim response does not hurry the request's body.
        """
        _connection, origin, sink = self.ask("POST", more=True)
        self.say(origin, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wait(PATIENCE.response + 1)
        self.assertEqual(sink.names, ["interim"])

    def test_silence(self) -> None:
        """
        In a body it counts from the last octet, in either direction.
        """
        _connection, origin, sink = self.ask()
        self.say(origin, OK[:-4])
        self.wait(PATIENCE.silence - 1)
        self.say(origin, b"e")
        self.wait(PATIENCE.silence - 1)
        self.assertEqual(sink.names, ["respond", "content"])
        self.wait(1)
        self.assertEqual(sink.told[-1], ("failed", "http_response_timeout", True, False))
        self.assertClosed(origin)

    def test_slowClient(self) -> None:
        """
        Where nothing of the request's body comes, it is the client who is late.
        """
        connection, _origin, sink = self.ask("POST", more=True)
        self.wait(PATIENCE.silence - 1)
        connection.write(b"a")
        self.wait(PATIENCE.silence - 1)
        self.assertEqual(sink.names, [])
        self.wait(1)
        self.assertEqual(sink.told[-1], ("failed", "http_request_timeout", False, False))

    def test_slowOrigin(self) -> None:
        """
        Where the origin does not take it, it is the origin.
        """
        connection, origin = self.open(capacity=1000)

        sink = Sink()
        connection.begin(sink, "POST", b"h", more=True)
        origin.transport.pauseProducing()
        connection.write(bytes(90000))
        self.wait(PATIENCE.silence)
        self.assertEqual(sink.told, [("pause",), ("failed", "http_response_timeout", False, False)])

    def test_finishedInBody(self) -> None:
        """
        The end of the request does not hurry a response that has begun.
        """
        connection, origin, sink = self.ask("POST", more=True)
        self.say(origin, OK[:-1])
        connection.finish()
        self.wait(PATIENCE.response + 1)
        self.assertEqual(sink.names, ["respond"])
