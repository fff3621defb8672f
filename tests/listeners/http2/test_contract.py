"""
L{connectproxy.listeners.http2} goes through the kit for listeners, as one stream after the
other: where the kit has a connection end, a stream does.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder, Encoder
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.listeners import http2
from connectproxy.wire.http2 import (
    PREFACE,
    Flag,
    FrameReader,
    FrameType,
    formatData,
    formatFrame,
    formatHeaders,
    formatReset,
    formatSettings,
    formatWindowUpdate,
)
from tests.conformance import Answer, ListenerContract
from tests.fakes import SETTINGS, makeSwitchboard
from tests.listenercontract import ESTABLISHED, TARGET

STREAM = 1


def framed(octets: bytes) -> bytes:
    """
    Octets as a client sends them on the stream, no more than its first window lets it.
    """
    return formatData(STREAM, octets[:65535], 16384)


class Frames(bytes):
    """
    Octets that are frames already.  What is put behind them, or sent after them, is what
    the kit takes for octets of the tunnel: it goes into a frame of DATA.
    """

    def __add__(self, other: Any) -> Frames:
        return Frames(bytes(self) + framed(other))

    def __getitem__(self, key: Any) -> Any:
        return Frames(bytes.__getitem__(self, key))


class HTTP2ContractTests(ListenerContract, SynchronousTestCase):
    """
    CONNECT over HTTP/2.
    """

    kind = http2.kind
    success = 200
    greeting = (
        formatSettings({3: SETTINGS["limits.streams"], 6: 65536, 8: 1})
        + formatWindowUpdate(0, (1 << 30) - 65535)
        + formatFrame(FrameType.SETTINGS, Flag.ACK, 0)
    )

    def ask(self, target: str) -> bytes:
        block = Encoder().encode([(":method", "CONNECT"), (":authority", target)])
        acknowledged = formatFrame(FrameType.SETTINGS, Flag.ACK, 0)
        return Frames(PREFACE + formatSettings({}) + acknowledged + formatHeaders(STREAM, block, 16384))

    def send(self, client: Any, octets: bytes) -> None:
        ListenerContract.send(self, client, octets if isinstance(octets, Frames) else framed(octets))

    def read(self, received: bytes) -> Answer | None:
        code: Any = None
        rest = b""
        length = 0
        decoder = Decoder()
        for kind, _, number, payload, _ in FrameReader(b"").receive(received):
            if kind == FrameType.HEADERS:
                fields: Any = dict(decoder.decode(payload, raw=True))
                code = int(fields[b":status"])
                length = int(fields.get(b"content-length", b"0"))
            elif kind == FrameType.DATA and number == STREAM:
                rest += payload
        if code is None or len(rest) < length:
            return None
        return Answer(code, rest[length:])

    def codeOf(self, kind: str) -> Any:
        return KINDS[kind].status

    def closing(self, client: Any) -> bool:
        """
        Whether a client knows that its stream is over: END_STREAM, and then a reset that is
        no error.
        """
        frames = list(FrameReader(b"").receive(bytes(client.received)))
        ended = any(not kind and flags & Flag.END_STREAM for kind, flags, *_ in frames)
        return ended and bytes(client.received).endswith(formatReset(STREAM, 0))

    def test_refusals(self) -> None:
        """
        Every kind of refusal is answered once with the status for it, and then the stream is
        closed; the connection is not.
        """
        for kind in KINDS:
            self.board.placed.clear()
            client = self.connect(self.ask(TARGET))
            self.placed().refuse(Refusal(kind, "the detail", "the-rule"))
            answer = self.answer(client)
            self.assertEqual((answer.code, answer.rest), (self.codeOf(kind), b""), kind)
            self.assertTrue(self.closing(client), kind)
            self.assertFalse(client.ended or client.lost, kind)
            client.transport.loseConnection()
            self.assertNothingLeft()

    def test_refusedAndStays(self) -> None:
        """
        A client that asks for nothing after its refusal is closed when its time is up.
        """
        client = self.connect(self.ask(TARGET))
        self.placed().refuse(Refusal("dns_error"))
        self.reactor.advance(SETTINGS["timeouts.keep_alive"] - 1)
        self.reactor.flush()
        self.assertFalse(client.ended or client.lost)
        self.reactor.advance(1.5)
        self.reactor.flush()
        self.assertTrue(client.ended)
        self.reactor.advance(SETTINGS["timeouts.linger"] + 0.5)
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_vanishesAfterAnswer(self) -> None:
        """
        Once there is an answer, a client's going is no longer the switchboard's: it hears of
        the connection, and of the tunnel from whoever has that.
        """
        calls: list[str] = []
        client = self.connect(self.ask(TARGET))
        inbound = self.placed()
        inbound.whenLost(lambda: calls.append("lost"))
        inbound.refuse(Refusal("dns_error"))
        client.transport.abortConnection()
        self.reactor.flush()
        self.board.placed.clear()
        client = self.connect(self.ask(TARGET))
        inbound = self.placed()
        inbound.whenLost(lambda: calls.append("lost"))
        leg = inbound.accept(ESTABLISHED)
        leg.transport.protocol = leg
        self.assertEqual(self.board.opened, 3)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((calls, self.board.closed, leg.lost), ([], 2, True))

    def test_tunnel(self) -> None:
        """
        With the real switchboard and the real relay: what was early comes first, octets go
        both ways, each end of stream is passed on as END_STREAM, and there is one event.
        Conformance 11 and 40.
        """
        board = makeSwitchboard(self.reactor)
        self.port = self.listen(board)
        client = self.connect(self.ask(TARGET) + b"early, ")
        origin = board.upstreams["direct"].dials[0].succeed(early=b"banner, ")
        self.send(client, b"late")
        self.send(client, Frames(formatData(STREAM, b"", 16384, end=True)))
        self.assertEqual((bytes(origin.received), origin.ended), (b"early, late", True))
        origin.transport.write(b"answer")
        origin.transport.loseConnection()
        self.assertEqual(self.answer(client), Answer(self.success, b"banner, answer"))
        self.assertTrue(bytes(client.received).endswith(formatData(STREAM, b"", 16384, end=True)))
        (event,) = board.ledger.events
        counts = event["bytes_up"], event["bytes_down"]
        self.assertEqual((event["event"], event["end"], counts), ("tunnel", "eof", (11, 14)))
        self.assertEqual((board.admission.tunnels, board.admission.connections), (0, 1))
