"""
A connection's deadlines, and its end; conformance 44.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder
from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from connectproxy.wire.http2 import (
    PREFACE,
    ErrorCode,
    FrameType,
    formatData,
    formatFrame,
    formatHeaders,
    formatSettings,
)
from tests.fakes import SETTINGS
from tests.listeners.http2.case import HTTP2Case, Raw
from tests.listeners.http2.client import connectFields

HEAD = SETTINGS["timeouts.head"]
IDLE = SETTINGS["timeouts.keep_alive"]
LINGER = SETTINGS["timeouts.linger"]


class DeadlineTests(HTTP2Case):
    """
    No state lasts for ever.
    """

    def pass_(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.flush()
        self.reactor.advance(seconds)
        self.flush()

    def test_noRequest(self) -> None:
        """
        A client that asks for nothing is closed, however far it has come; there is an event
        only where something had begun.
        """
        whole = formatHeaders(1, Raw().encoder.encode(connectFields("a.example:1")), 16384)
        for octets, events in (
            (b"", 0),
            (PREFACE, 0),
            (PREFACE + formatSettings({}), 0),
            (PREFACE[:9], 1),
            (PREFACE + formatSettings({}) + whole[:-1], 1),
        ):
            self.events.clear()
            client = self.port.connect(Raw())
            client.transport.write(octets)
            self.pass_(HEAD - 1)
            self.assertFalse(client.ended)
            self.pass_(1.5)
            self.assertTrue(client.ended)
            self.assertEqual([event["error"] for event in self.events], ["http_request_timeout"] * events)
            self.pass_(LINGER + 0.5)
            self.assertNothingLeft()

    def test_headInTheMiddle(self) -> None:
        """
        A field block that does not end ends the connection, since nothing can come before the
        rest of it; whatever else goes on.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[0].succeed()
        client.transport.write(formatFrame(FrameType.HEADERS, 0, 3, b"\x82"))
        slowly = formatFrame(FrameType.CONTINUATION, 0, 3, b"")
        for index in range(10):
            self.pass_(HEAD / 10)
            origin.transport.write(b"down")
            client.transport.write(slowly[index : index + 1])
        self.pass_(1)
        self.assertTrue(client.ended)
        self.assertTrue(origin.lost)

    def test_busyIsNotSlow(self) -> None:
        """
        Octets of which each piece happens to end in the middle of a frame's head are no head
        that does not end.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[0].succeed()
        frame = formatData(1, b"some", 16384)
        client.transport.write(frame[:5])
        for _ in range(100):
            self.pass_(1)
            client.transport.write(frame[5:] + frame[:5])
        self.pass_(1)
        client.transport.write(frame[5:])
        self.pass_(HEAD + 1)
        self.assertEqual((bytes(origin.received), client.ended), (b"some" * 101, False))

    def test_settings(self) -> None:
        """
        A client that does not acknowledge the SETTINGS is closed.
        """
        client = self.port.connect(Raw())
        client.transport.write(PREFACE + formatSettings({}))
        client.connect(1)
        self.flush()
        self.dials[0].succeed()
        self.pass_(HEAD + 0.5)
        self.assertEqual(client.goodbyes, [(1, ErrorCode.SETTINGS_TIMEOUT)])

    def test_idle(self) -> None:
        """
        A connection without streams is kept for its time, which begins with the end of the last
        one; one with a tunnel for as long as that.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        self.pass_(IDLE * 3)
        self.assertEqual(client.goodbyes, [])
        client.put(number, b"", end=True)
        origin.transport.loseConnection()
        self.pass_(IDLE - 1)
        self.tunnel(client)
        self.pass_(IDLE)
        self.assertEqual(client.goodbyes, [])
        client.cancel(3)
        self.pass_(IDLE + 0.5)
        self.assertEqual(client.goodbyes, [(3, ErrorCode.NO_ERROR)])
        self.pass_(LINGER + 0.5)
        self.assertNothingLeft()

    def test_linger(self) -> None:
        """
        A client that does not close behind the goodbye is closed; what it sends is thrown away.
        """
        client = self.raw()
        client.transport.write(formatFrame(FrameType.PING, 0, 0, b""))
        self.flush()
        self.assertEqual((client.ended, client.lost), (True, None))
        client.connect(1)
        client.transport.write(bytes(100000))
        self.flush()
        self.assertEqual(self.dials, [])
        self.pass_(LINGER + 0.5)
        self.assertEqual(self.board.admission.connections, 0)
        client.transport.abortConnection()
        self.assertNothingLeft()

    def test_withTLS(self) -> None:
        """
        TLS has no half-close: there the connection is closed behind the goodbye.
        """
        client = self.raw()
        connection: Any = next(iter(self.port.factory.connections))
        alsoProvides(connection.transport, ISSLTransport)
        client.transport.write(formatFrame(FrameType.PING, 0, 0, b""))
        self.flush()
        self.assertEqual(client.goodbyes, [(0, ErrorCode.FRAME_SIZE_ERROR)])
        self.assertNothingLeft()

    def test_vanishes(self) -> None:
        """
        A client that goes in the middle of its first request is an event; one that has just
        said hello is none.
        """
        for octets, events in ((PREFACE + formatSettings({}), []), (PREFACE[:5], ["abandoned"])):
            client = self.port.connect(Raw())
            client.transport.write(octets)
            self.flush()
            client.transport.loseConnection()
            self.assertNothingLeft()
            self.assertEqual([event["event"] for event in self.events], events)


class DrainTests(HTTP2Case):
    """
    The proxy is being stopped.
    """

    def test_nothingOpen(self) -> None:
        """
        A connection without streams is told the last of them, and closed (conformance 44).
        """
        client = self.client()
        number, _ = self.tunnel(client)
        client.cancel(number)
        self.flush()
        self.port.factory.stop()
        self.port.factory.stop()
        self.flush()
        self.assertEqual((client.goodbyes, client.ended), ([(1, ErrorCode.NO_ERROR)], True))

    def test_tunnelsGoOn(self) -> None:
        """
        Tunnels go on until they end.  The first GOAWAY names no last stream, so that what was
        asked meanwhile is answered; the second does, once the client has seen the first
        (conformance 44).
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        self.board.draining = True
        self.port.factory.stop()
        client.connect(3)
        self.flush()
        self.assertEqual(client.goodbyes, [(0x7FFFFFFF, ErrorCode.NO_ERROR)])
        headers = [number for _, number, _ in client.frames(FrameType.HEADERS)]
        self.assertEqual(headers, [1, 3])
        ((_, _, payload),) = client.frames(FrameType.PING)
        client.transport.write(formatFrame(FrameType.PING, 1, 0, payload))
        client.connect(5)
        self.flush()
        self.assertEqual(client.goodbyes[1:], [(3, ErrorCode.NO_ERROR)])
        self.assertEqual(client.resets[-1], (5, ErrorCode.REFUSED_STREAM))
        client.transport.write(formatData(1, b"still here", 16384, end=True))
        self.flush()
        self.assertEqual(bytes(origin.received), b"still here")
        origin.transport.loseConnection()
        self.flush()
        self.assertTrue(client.ended)

    def test_noAnswer(self) -> None:
        """
        A client that does not answer the PING is told the last stream all the same (conformance 44).
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        self.dials[0].succeed()
        self.port.factory.stop()
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        self.reactor.advance(LINGER + 0.5)
        self.flush()
        self.assertEqual(connection.incoming.last, 1)
        connection.ponged()
        self.assertFalse(connection.closing)

    def test_aborted(self) -> None:
        """
        Tunnels that are left at the deadline are reset, as no fault of the origin's, and the
        connection is closed behind them.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        drained = self.board.drain()
        self.port.factory.stop()
        self.board.abort("drain_timeout")
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.CANCEL)])
        self.assertTrue(client.ended)
        self.assertTrue(origin.lost)
        client.transport.loseConnection()
        self.flush()
        self.successResultOf(drained)
        self.assertNothingLeft()

    def test_dialling(self) -> None:
        """
        A request without an answer is refused.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        self.board.draining = True
        self.port.factory.stop()
        self.board.abort("drain_timeout")
        self.flush()
        (block,) = [payload for _, _, payload in client.frames(FrameType.HEADERS)]
        self.assertEqual(Decoder().decode(block)[0], (":status", "503"))
