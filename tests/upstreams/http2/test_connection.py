"""
A connection that takes requests: its limits, its end, and a next hop that is gone.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionLost

from connectproxy.http2.sending import LARGEST
from connectproxy.upstreams.http2.asking import TRIES
from connectproxy.upstreams.http2.connection import DEAD, IDLE, LINGER, QUIET, SILENT, SUSPECT
from connectproxy.wire.http2 import (
    ErrorCode,
    FrameType,
    formatData,
    formatFrame,
    formatGoAway,
    formatReset,
    formatSettings,
    formatWindowUpdate,
)
from tests.upstreams.http2.case import HopCase, RawHop, Serving


class EndTests(HopCase):
    """
    How it ends in order.
    """

    def test_idle(self) -> None:
        """
        A connection without a tunnel is closed after a while, with a goodbye; a tunnel keeps it.
        """
        connecting = self.connect()
        hop = self.hop()
        hop.answer(1)
        self.flush()
        protocol = self.successResultOf(connecting).protocol
        self.pass_(2 * IDLE)
        protocol.transport.loseConnection()
        hop.put(1, b"", end=True)
        self.flush()
        self.pass_(IDLE - 1)
        self.assertEqual(hop.goodbyes, [])
        self.pass_(2)
        self.assertEqual((hop.goodbyes, hop.ended), ([ErrorCode.NO_ERROR], True))
        hop.transport.loseConnection()
        self.assertNothingLeft()

    def test_usedAgain(self) -> None:
        """
        A request within that time has the connection, and the time begins anew behind it.
        """
        hop = self.first()
        self.pass_(IDLE - 1)
        number, protocol = self.tunnel(hop)
        self.pass_(IDLE)
        self.assertEqual((number, hop.goodbyes), (3, []))
        protocol.transport.abortConnection()
        self.pass_(IDLE + 1)
        self.assertEqual(hop.goodbyes, [ErrorCode.NO_ERROR])

    def first(self, **options: Any) -> Any:
        """
        Have a connection without a tunnel.
        """
        connecting = self.connect()
        hop = self.hop(**options)
        hop.answer(1)
        self.flush()
        self.successResultOf(connecting).protocol.transport.abortConnection()
        self.flush()
        return hop

    def test_doesNotClose(self) -> None:
        """
        A next hop that does not close behind the goodbye is closed.
        """
        hop = self.first()
        self.pass_(IDLE + 1)
        self.assertEqual((hop.ended, self.upstream.state()["connections"]), (True, 1))
        self.pass_(LINGER + 1)
        self.assertNothingLeft()

    def test_stop(self) -> None:
        """
        When the upstream is stopped, connections at rest are closed, and the others when they come
        to rest; what waits for an answer still gets it.
        """
        hop = self.first()
        number, protocol = self.tunnel(hop)
        late = self.connect()
        self.flush()
        self.upstream.stop()
        self.flush()
        self.assertFalse(hop.ended)
        hop.answer(max(hop.asked))
        self.flush()
        self.successResultOf(late).protocol.transport.abortConnection()
        protocol.transport.write(b"on")
        self.flush()
        self.assertEqual(bytes(hop.octets[number]), b"on")
        protocol.transport.abortConnection()
        self.flush()
        self.assertTrue(hop.ended)
        hop.transport.loseConnection()
        self.assertNothingLeft()

    def test_stopAtRest(self) -> None:
        """
        One at rest is closed at once.
        """
        hop = self.first()
        self.upstream.stop()
        self.upstream.stop()
        self.flush()
        self.assertEqual(hop.goodbyes, [ErrorCode.NO_ERROR])
        hop.transport.loseConnection()
        self.assertNothingLeft()

    def test_goneAwayAtRest(self) -> None:
        """
        A connection at rest is closed behind a GOAWAY, and the next request makes another.
        """
        hop = self.first()
        hop.h2.close_connection()
        hop.send()
        self.flush()
        self.assertTrue(hop.ended)
        self.assertEqual(self.told, [])
        self.connect()
        self.assertEqual(len(self.way.dials), 2)
        self.assertEqual(self.hop().asked[1][":authority"], "example.com:443")

    def test_goneAwayInTwoSteps(self) -> None:
        """
        A GOAWAY that names no stream yet takes nothing away, but for what is to come; the one that
        does, and an error, are told.
        """
        connecting = self.connect()
        hop = self.raw()
        hop.transport.write(formatGoAway(LARGEST, 0))
        self.flush()
        late = self.connect("late:1")
        other = self.way.dials[1].succeed(Serving())
        self.flush()
        self.assertEqual(other.asked[1][":authority"], "late:1")
        hop.transport.write(formatGoAway(1, ErrorCode.ENHANCE_YOUR_CALM))
        hop.answer(1)
        self.flush()
        self.successResultOf(connecting)
        self.assertNoResult(late)
        (event,) = self.told
        self.assertIn("ENHANCE_YOUR_CALM", event)
        self.assertEqual(self.upstream.state()["error"], "next_hop_gone")

    def test_numbersRunOut(self) -> None:
        """
        A connection that has no more numbers for streams (section 5.1.1) takes no more requests,
        and is closed behind the last.
        """
        hop = self.first()
        (connection,) = self.pool._open
        connection._next = LARGEST
        connecting = self.connect()
        self.flush()
        (asked,) = (number for number in hop.asked if number > 1)
        self.assertEqual(asked, LARGEST)
        self.connect("next:1")
        self.assertEqual(self.hop().asked[1][":authority"], "next:1")
        hop.answer(LARGEST)
        self.flush()
        self.successResultOf(connecting).protocol.transport.abortConnection()
        self.flush()
        self.assertTrue(hop.ended)


class GoneTests(HopCase):
    """
    A next hop that has gone without a word.
    """

    def first(self) -> tuple[Any, Any]:
        """
        Have a connection with a tunnel, whose hop says nothing any more.
        """
        connecting = self.connect()
        hop = self.raw()
        hop.answer(1)
        self.flush()
        return hop, self.successResultOf(connecting).protocol

    def pong(self, hop: Any) -> None:
        """
        Answer the last PING.
        """
        hop.transport.write(formatFrame(FrameType.PING, 1, 0, hop.frames(FrameType.PING)[-1][2]))
        self.flush()

    def test_askedForASign(self) -> None:
        """
        After a while without an octet it is asked for one; who answers is asked again after as
        long, and is left alone while octets come.
        """
        hop, _ = self.first()
        self.pass_(SILENT - 1)
        self.assertEqual(hop.frames(FrameType.PING), [])
        self.pass_(1.5)
        self.assertEqual(len(hop.frames(FrameType.PING)), 1)
        self.pong(hop)
        self.pass_(SILENT - 1)
        for _ in range(5):
            hop.transport.write(formatData(1, b"x", 9))
            self.pass_(SILENT / 2)
        self.assertEqual(len(hop.frames(FrameType.PING)), 1)
        self.pass_(SILENT)
        self.assertEqual(len(hop.frames(FrameType.PING)), 2)

    def test_vanished(self) -> None:
        """
        A hop that gives no sign is given up with its tunnels.
        """
        hop, protocol = self.first()
        self.pass_(SILENT + DEAD - 1)
        self.assertIs(protocol.lost, None)
        self.pass_(2)
        self.assertTrue(protocol.lost.check(ConnectionLost))
        self.assertIn("no sign of life", self.told[0])
        self.assertTrue(hop.lost)
        self.assertNothingLeft()

    def test_vanishedAtRest(self) -> None:
        """
        One without tunnels is given up as soon as it is doubted.
        """
        hop, protocol = self.first()
        protocol.transport.abortConnection()
        self.pass_(SILENT + SUSPECT + 1)
        self.assertTrue(hop.lost)
        self.assertNothingLeft()

    def test_requestsGoElsewhere(self) -> None:
        """
        A request on a connection that has been quiet is sent together with a PING.  Without an
        answer to that it is asked on another, and so are those that come later; the tunnels that
        are up stay, since it may be a slow line; and when it answers, it is used again.
        """
        hop, protocol = self.first()
        self.pass_(QUIET + 1)
        connecting = self.connect("a:1")
        self.flush()
        self.assertEqual(len(hop.frames(FrameType.PING)), 1)
        self.assertEqual(len(hop.frames(FrameType.HEADERS)), 2)
        self.pass_(SUSPECT + 0.5)
        self.assertEqual(hop.resetFrames, [(3, ErrorCode.CANCEL)])
        later = self.connect("b:1")
        other = self.hop()
        self.assertEqual([fields[":authority"] for fields in other.asked.values()], ["a:1", "b:1"])
        other.answer(1)
        self.flush()
        self.successResultOf(connecting)
        self.assertIs(protocol.lost, None)
        self.pong(hop)
        self.pass_(DEAD)
        self.assertIs(protocol.lost, None)
        other.transport.abortConnection()
        self.connect("c:1")
        self.flush()
        self.refused(later, "next_hop_gone")
        self.assertEqual(len(hop.frames(FrameType.HEADERS)), 3)

    def test_requestsThatCannot(self) -> None:
        """
        A request that finds nobody on any connection is refused in the end.
        """
        _, protocol = self.first()
        self.pass_(QUIET + 1)
        connecting = self.connect()
        self.pass_(SUSPECT + 0.5)
        self.way.dials[-1].fail("connection_refused")
        self.refused(connecting, "connection_refused")
        self.assertIs(protocol.lost, None)

    def test_cancelsAnother(self) -> None:
        """
        Whoever is refused in the midst of that, or of a GOAWAY, may give up another request.
        """
        for goAway in (False, True):
            self.setUp()
            hop, _ = self.first()
            self.pass_(QUIET + 1)
            first, second = self.connect("a:1"), self.connect("b:1")
            self.flush()
            (connection,) = self.pool._open
            connection.streams[3].protocol._tries = TRIES
            first.addErrback(lambda failure, second=second: second.cancel())
            if goAway:
                hop.transport.write(formatGoAway(1, 0))
                self.flush()
            else:
                self.pass_(SUSPECT + 0.5)
            self.successResultOf(first)
            self.refused(second, "next_hop_silent")
            self.assertEqual(len(self.way.dials), 1)

    def test_doubtedAndGoingAway(self) -> None:
        """
        One that is doubted, and says goodbye when it answers, is not used again.
        """
        hop, _ = self.first()
        self.pass_(SILENT + SUSPECT + 0.5)
        hop.transport.write(formatGoAway(1, 0))
        self.flush()
        hop.transport.write(formatData(1, b"x", 9))
        self.flush()
        self.connect()
        self.assertEqual(len(self.way.dials), 2)
        (connection,) = self.pool._retired
        connection._suspect = True
        hop.transport.write(formatData(1, b"x", 9))
        self.flush()
        self.assertNotIn(connection, self.pool._open)

    def test_doesNotRead(self) -> None:
        """
        A hop that asks for answers and reads none is not read any more, and given up when its time
        is over; what it made the proxy hold is bounded.
        """
        hop, protocol = self.first()
        hop.transport.write(formatSettings({4: 1 << 20}) + formatWindowUpdate(0, 1 << 20))
        self.flush()
        hop.transport.pauseProducing()
        protocol.transport.write(bytes(300000))
        for _ in range(39):
            hop.transport.write(formatFrame(FrameType.PING, 0, 0, b"anyone??") * 100)
            self.flush()
        connection: Any = next(iter(self.pool._open))
        self.assertIsNot(connection.deafSince, None)
        held = len(connection.transport.dataBuffer) + connection.transport._tempDataLen
        self.assertLess(held, 400000)
        with mock.patch.object(connection, "heard", 1e9):
            self.pass_(IDLE + 1)
        self.assertTrue(protocol.lost)


class FaultTests(HopCase):
    """
    What a next hop must not do ends the connection, with a clear event, and holds nothing.
    """

    def broken(self, octets: bytes, words: str, code: int) -> None:
        """
        A connection with a tunnel and a request is given up for what comes.
        """
        self.setUp()
        first = self.connect()
        hop = self.raw()
        hop.answer(1)
        waiting = self.connect("waits:1")
        self.flush()
        hop.transport.write(octets)
        self.flush()
        self.assertEqual(hop.goodbyes, [code], words)
        refused = self.refused(waiting, "next_hop_protocol_error")
        self.assertIn(words, refused.refusal.detail)
        self.assertEqual(refused.hop, "corp")
        self.assertTrue(self.successResultOf(first).protocol.lost.check(ConnectionLost))
        (event,) = self.told
        self.assertIn(words, event)
        self.assertIn("corp", event)
        hop.transport.loseConnection()
        self.assertNothingLeft()
        again = self.connect()
        self.assertEqual(len(self.way.dials), 2)
        self.way.dials[-1].fail()
        self.refused(again, "connection_refused")

    def test_floods(self) -> None:
        """
        Floods of what moves nothing.
        """
        calm = ErrorCode.ENHANCE_YOUR_CALM
        for octets in (
            formatFrame(FrameType.PING, 0, 0, bytes(8)),
            formatFrame(FrameType.PING, 1, 0, bytes(8)),
            formatSettings({}),
            formatSettings({3: 100}),
            formatReset(1, 8),
            formatData(1, b"", 9),
            formatFrame(FrameType.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
            formatFrame(FrameType.PRIORITY, 0, 1, bytes(5)),
            formatFrame(0xBB, 0, 0, b""),
            formatGoAway(LARGEST, 0),
        ):
            self.broken2(octets * 4100, "too many frames", calm)

    def broken2(self, octets: bytes, words: str, code: int) -> None:
        """
        The same for a flood, whatever it does to a request before it is too much.
        """
        self.setUp()
        first = self.connect()
        hop = self.raw()
        hop.answer(1)
        self.flush()
        protocol = self.successResultOf(first).protocol
        hop.transport.write(octets)
        self.flush()
        self.assertTrue(protocol.lost, octets[:20])
        self.assertEqual(hop.goodbyes, [code])
        self.assertIn(words, self.told[-1])
        hop.transport.loseConnection()
        self.assertNothingLeft()

    def test_fieldBlocks(self) -> None:
        """
        Fields without end, and fields that become far more than they were.
        """
        hop = RawHop()
        block = hop.block((":status", "200"), ("x", "y" * 4000))
        bomb = block + b"\xbe" * 200  # the latest entry of the table, again and again
        continued = formatFrame(FrameType.HEADERS, 0, 3, b"") + formatFrame(FrameType.CONTINUATION, 0, 3) * 20
        for octets, words, code in (
            (formatFrame(FrameType.HEADERS, 4, 3, bomb), "far larger than allowed", 11),
            (formatFrame(FrameType.HEADERS, 4, 3, b"\xff\xff\xff\xff"), "can't be decompressed", 9),
            (continued, "spread over too many", 11),
        ):
            self.broken(octets, words, code)

    def test_mistakes(self) -> None:
        """
        What leaves both sides with different ideas of the connection.
        """
        protocol, flow, size = ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR, 6
        for octets, words, code in (
            (formatFrame(FrameType.PUSH_PROMISE, 4, 1, bytes(8)), "PUSH_PROMISE", protocol),
            (formatFrame(FrameType.HEADERS, 4, 2, b"\x88"), "was not begun", protocol),
            (formatFrame(FrameType.HEADERS, 4, 9, b"\x88"), "was not begun", protocol),
            (formatData(5, b"x", 9), "was not begun", protocol),
            (formatReset(5, 0), "was not begun", protocol),
            (formatSettings({2: 1}), "ENABLE_PUSH", protocol),
            (formatSettings({4: 1 << 31}), "INITIAL_WINDOW_SIZE", flow),
            (formatSettings({5: 1}), "MAX_FRAME_SIZE", protocol),
            (formatWindowUpdate(0, LARGEST), "window is made too large", flow),
            (formatFrame(FrameType.PING, 0, 0, b"short"), "eight octets", size),
            (formatFrame(FrameType.GOAWAY, 0, 0, b"short"), "too short", size),
            (formatFrame(0, 0, 1, bytes(16385)), "16384 are allowed", size),
        ):
            self.broken(octets, words, code)

    def test_streamsOnly(self) -> None:
        """
        What is wrong with one tunnel resets that one.
        """
        for octets, code in (
            (formatData(1, bytes(65536), 16384), ErrorCode.FLOW_CONTROL_ERROR),
            (formatFrame(FrameType.HEADERS, 5, 1, b"\x88"), ErrorCode.PROTOCOL_ERROR),
            (formatWindowUpdate(1, LARGEST), ErrorCode.FLOW_CONTROL_ERROR),
            (formatFrame(FrameType.WINDOW_UPDATE, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
            (formatData(1, b"", 9, end=True) + formatData(1, b"x", 9), ErrorCode.STREAM_CLOSED),
            (formatData(1, b"", 9, end=True) + formatFrame(1, 4, 1, b"\x88"), ErrorCode.STREAM_CLOSED),
        ):
            self.setUp()
            first, second = self.connect("a:1"), self.connect("b:1")
            hop = self.raw()
            hop.answer(1)
            hop.answer(3)
            self.flush()
            broken, whole = (self.successResultOf(each).protocol for each in (first, second))
            broken.transport.pauseProducing()
            hop.transport.write(octets)
            hop.transport.write(formatData(3, b"unharmed", 9))
            self.flush()
            self.assertEqual(hop.resetFrames, [(1, code)])
            self.assertTrue(broken.lost)
            self.assertEqual(bytes(whole.received), b"unharmed")
            self.assertEqual(self.told, [])

    def test_lateFrames(self) -> None:
        """
        What was on its way when a stream was reset is passed over.
        """
        connecting = self.connect()
        hop = self.raw()
        connecting.cancel()
        self.refused(connecting, "next_hop_silent")
        hop.answer(1)
        hop.transport.write(formatData(1, b"late", 9, end=True))
        self.flush()
        self.assertEqual((self.told, hop.resetFrames), ([], [(1, ErrorCode.CANCEL)]))

    def test_oneGoodbye(self) -> None:
        """
        What is wrong twice is told once.
        """
        connecting = self.connect()
        hop = self.raw()
        (connection,) = self.pool._open
        connection.incoming._cheap.left = -1e6
        hop.transport.write(formatWindowUpdate(0, 0))
        self.flush()
        self.refused(connecting, "next_hop_protocol_error")
        self.assertEqual(len(self.told), 1)
        self.assertEqual(hop.goodbyes, [ErrorCode.ENHANCE_YOUR_CALM])

    def test_afterTheGoodbye(self) -> None:
        """
        What comes behind our goodbye is thrown away.
        """
        connecting = self.connect()
        hop = self.raw()
        hop.transport.write(b"\0" * 9 + b"more of that")
        self.flush()
        hop.transport.write(b"\0" * 9)
        self.flush()
        self.refused(connecting, "next_hop_protocol_error")
        self.assertEqual(len(self.told), 1)
        self.assertEqual(len(hop.goodbyes), 1)
