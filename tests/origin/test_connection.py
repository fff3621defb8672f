"""
Tests for L{connectproxy.origin.connection}.
"""

from __future__ import annotations

from typing import Any

from connectproxy.origin.connection import INTERIM
from connectproxy.wire.framing import CHUNKED, CLOSE, NONE, Delimiter, Framing
from tests.origin.case import OriginCase, Sink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"


class RespondTests(OriginCase):
    """
    What is told of a response.
    """

    def test_atOnce(self) -> None:
        """
        A response that comes in one piece is told in one call, when the connection is ready
        for the next already.
        """
        connection, origin, sink = self.ask()
        ready: list[bool] = []
        sink.also = lambda: ready.append(connection.reusable)
        self.say(origin, OK)
        self.assertEqual(bytes(origin.received), b"the head")
        self.assertEqual(sink.told, [("respond", 200, Framing(Delimiter.LENGTH, 5), True)])
        self.assertEqual((sink.body, ready), (b"hello", [True]))

    def test_everySplit(self) -> None:
        """
        Wherever it is cut, the same is told, and content in order.
        """
        for octets, body in ((OK, b"hello"), (CHUNKS, b"abc")):
            for index in range(1, len(octets)):
                connection, origin, sink = self.ask()
                self.say(origin, octets[:index])
                self.say(origin, octets[index:])
                self.assertEqual(sink.body, body, octets[:index])
                self.assertEqual(sink.told[-1][-1], True)
                self.assertTrue(connection.reusable)

    def test_passing(self) -> None:
        """
        A chunked body is given with its framing where that is wanted, and without it
        otherwise; its trailers are there in both cases.
        """
        for passing in (True, False):
            connection, origin, sink = self.ask(passing=passing)
            self.say(origin, CHUNKS)
            self.assertEqual(sink.told, [("respond", 200, CHUNKED, True)])
            self.assertEqual(sink.body.startswith(b"3\r\nabc\r\n0\r\n"), passing)
            self.assertEqual(connection.trailers, ((b"x", b"y"),))
            self.assertTrue(connection.reusable)

    def test_nothingToTell(self) -> None:
        """
        A piece that has no content is not told of.
        """
        _, origin, sink = self.ask()
        for octets in (CHUNKS[:-13], CHUNKS[-13:-11], CHUNKS[-11:]):
            self.say(origin, octets)
        self.assertEqual(sink.told, [("respond", 200, CHUNKED, False), ("content", True)])

    def test_trailersLater(self) -> None:
        """
        So it is where they come with a later piece.
        """
        connection, origin, _sink = self.ask()
        self.say(origin, CHUNKS[:-6])
        self.say(origin, CHUNKS[-6:])
        self.assertEqual(connection.trailers, ((b"x", b"y"),))

    def test_noBody(self) -> None:
        """
        Where there is no body, the head is all.
        """
        for method, octets, framing in (
            ("HEAD", OK[:-5], NONE),
            ("GET", b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", NONE),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Framing(Delimiter.LENGTH, 0)),
        ):
            connection, origin, sink = self.ask(method)
            self.say(origin, octets)
            self.assertEqual(sink.told[0][2:], (framing, True))
            self.assertTrue(connection.reusable)

    def test_untilEnd(self) -> None:
        """
        A body that goes on until the end ends with the connection.
        """
        connection, origin, sink = self.ask()
        self.say(origin, b"HTTP/1.1 200 OK\r\n\r\nab")
        self.say(origin, b"c")
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(sink.told, [("respond", 200, CLOSE, False), ("content", False), ("content", True)])
        self.assertEqual((sink.body, connection.reusable), (b"abc", False))
        self.assertClosed(origin)

    def test_interim(self) -> None:
        """
        Interim responses are told one by one, in whatever pieces they come, up to a bound.
        """
        octets = b"HTTP/1.1 103 Hint\r\n\r\n" * 2 + OK
        for index in range(1, len(octets)):
            _, origin, sink = self.ask()
            self.say(origin, octets[:index])
            self.say(origin, octets[index:])
            self.assertEqual(sink.names[:3], ["interim", "interim", "respond"], octets[:index])
        for count, last in ((INTERIM, "respond"), (INTERIM + 1, "failed")):
            _, origin, sink = self.ask()
            self.say(origin, b"HTTP/1.1 103 Hint\r\n\r\n" * count + OK)
            self.assertEqual(sink.names, ["interim"] * INTERIM + [last])

    def test_givenUpInInterim(self) -> None:
        """
        A request can be given up while an interim response is told.
        """
        connection, origin, sink = self.ask()
        sink.also = connection.abort
        self.say(origin, b"HTTP/1.1 103 Hint\r\n\r\n" * 2 + OK)
        self.assertEqual(sink.names, ["interim"])
        self.assertClosed(origin)

    def test_givenUpInResponse(self) -> None:
        """
        Nor is anything told of what comes behind a head on which it was given up.
        """
        connection, origin, sink = self.ask()
        sink.also = connection.abort
        self.say(origin, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        self.assertEqual(sink.names, ["respond"])

    def test_saidBefore(self) -> None:
        """
        What an origin has said before it was asked counts as its response, as with one that
        is too busy to listen; even if it has closed by then.
        """
        connection, _ = self.open(OK)
        sink = self.sinkOn(connection)
        self.assertEqual((sink.names, sink.body), (["respond"], b"hello"))
        connection, _origin = self.open(b"HTTP/1.1 200 OK\r\n\r\nabc")
        connection._ended = True
        sink = self.sinkOn(connection)
        self.assertEqual((sink.names, sink.body), (["respond", "content"], b"abc"))
        self.assertFalse(connection.reusable)

    def sinkOn(self, connection: Any) -> Any:
        """
        Send a request.
        """

        sink = Sink()
        connection.begin(sink, "GET", b"the head")
        return sink

    def test_ended(self) -> None:
        """
        One that had closed before it was asked has failed.
        """
        connection, origin = self.open()
        connection._ended = True
        self.assertEqual(self.sinkOn(connection).told, [("failed", "http_response_incomplete", False, False)])
        self.assertClosed(origin)

    def test_switched(self) -> None:
        """
        With a 101 that may be, the connection is a leg with what came behind.
        """
        connection, origin, sink = self.ask(upgrade=True)
        self.say(origin, b"HTTP/1.1 101 X\r\n\r\nbehind")
        ((name, leg),) = sink.told
        self.assertEqual((name, leg.held, leg.ended, connection.lost), ("switched", b"behind", False, True))
        self.assertEqual(len(self.wheel), 0)
        leg.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(len(sink.told), 1)

    def test_notSwitched(self) -> None:
        """
        One that may not be is no response.
        """
        for others in ({}, {"upgrade": True, "more": True}):
            _, origin, sink = self.ask(**others)
            self.say(origin, b"HTTP/1.1 101 X\r\n\r\nbehind")
            self.assertEqual(sink.told, [("failed", "http_protocol_error", False, False)])


class ReuseTests(OriginCase):
    """
    Whether another request may follow.
    """

    def test_again(self) -> None:
        """
        One after the other.
        """
        connection, origin, sink = self.ask()
        for _number in range(3):
            self.say(origin, OK)
            self.assertTrue(connection.reusable)
            connection.begin(sink, "GET", b"another")
            self.assertFalse(connection.reusable)
            self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"the head" + b"another" * 3)

    def test_not(self) -> None:
        """
        Not where either side wants to close, not with HTTP/1.0, not behind octets that
        nobody has asked for, and not before the whole request is sent: then it closes.
        """
        for octets in (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
            OK + b"H",
            OK[:-5] + b"hello!",
            b"HTTP/1.1 204 None\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx",
            CHUNKS + b"x",
        ):
            connection, origin, sink = self.ask()
            self.say(origin, octets)
            self.assertTrue(sink.told[-1][-1], octets)
            self.assertFalse(connection.reusable, octets)
            self.assertClosed(origin)
        connection, origin, sink = self.ask("POST", more=True)
        self.say(origin, OK)
        self.assertTrue(sink.told[-1][-1])
        self.assertFalse(connection.reusable)
        self.assertClosed(origin)


class RequestTests(OriginCase):
    """
    A request with a body.
    """

    def test_body(self) -> None:
        """
        It goes out as it is given.
        """
        connection, origin, _sink = self.ask("POST", more=True)
        connection.write(b"ab")
        connection.write(b"c")
        connection.finish()
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"the headabc")
        self.say(origin, OK)
        self.assertTrue(connection.reusable)
        connection.write(b"late")
        connection.finish()
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"the headabc")

    def test_backPressure(self) -> None:
        """
        With an origin that does not take it, the sink is told to wait, and to go on.
        """
        connection, origin = self.open(capacity=1000)

        sink = Sink()
        connection.begin(sink, "POST", b"h", more=True)
        origin.transport.pauseProducing()
        for _ in range(2):
            connection.write(bytes(65536))
        self.assertEqual(sink.names, ["pause"])
        origin.transport.resumeProducing()
        self.reactor.flush()
        self.assertEqual(sink.names, ["pause", "resume"])
        connection.finish()
        self.say(origin, OK)
        self.assertTrue(connection.reusable)

    def test_earlyEnd(self) -> None:
        """
        A response before its end closes the connection, by a reset if the origin has not
        taken what there is.
        """
        connection, origin = self.open(capacity=1000)

        sink = Sink()
        connection.begin(sink, "POST", b"h", more=True)
        origin.transport.pauseProducing()
        connection.write(bytes(65536))
        self.say(origin, OK)
        self.assertEqual(sink.told[-1][-1], True)
        self.assertTrue(connection.lost)
        origin.transport.resumeProducing()
        self.assertClosed(origin)

    def test_lost(self) -> None:
        """
        An origin that goes in the middle of it has failed, once.
        """
        connection, origin, sink = self.ask("POST", more=True)
        origin.transport.abortConnection()
        self.reactor.flush()
        connection.write(b"abc")
        connection.finish()
        self.assertEqual(sink.told, [("failed", "http_response_incomplete", False, False)])
        self.assertEqual(len(self.wheel), 0)
