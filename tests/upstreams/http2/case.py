"""
What the tests of HTTP/2 towards a next hop have in common: an upstream on fakes, and next hops.
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from hpack import Encoder
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.upstreams import http2
from connectproxy.wire.http2 import (
    PREFACE,
    Flag,
    FrameReader,
    FrameType,
    formatFrame,
    formatHeaders,
    formatSettings,
)
from tests.fakes import FakeReactor, FakeUpstream, Peer, makeRequest, makeSurroundings

__all__ = ["ACK", "HopCase", "RawHop", "Serving"]

ACK = formatFrame(FrameType.SETTINGS, Flag.ACK, 0)


class Far(Peer):
    """
    A next hop that knows what it was sent, to the octet.
    """

    def frames(self, kind: int) -> list[tuple[int, int, bytes]]:
        """The frames of one type that have come: flags, stream, payload."""
        assert self.received.startswith(PREFACE)
        reader = FrameReader(b"", 1 << 24)
        every = list(reader.receive(bytes(self.received[len(PREFACE) :])))
        assert reader.fault is None, reader.fault
        return [(flags, number, payload) for type_, flags, number, payload, _ in every if type_ == kind]

    @property
    def resetFrames(self) -> list[tuple[int, int]]:
        """The RST_STREAM frames that have come: stream and code."""
        return [(number, int.from_bytes(payload)) for _, number, payload in self.frames(FrameType.RST_STREAM)]


class Serving(Far):
    """
    A next hop, held by the h2 package: another's idea of the protocol.

    @ivar asked: the fields of each request, by the number of its stream; those of one name are
        joined.
    @ivar octets: what has come on each stream.
    @ivar answered: the streams that have an answer.
    @ivar endings: the streams that have ended.
    @ivar resets: the code of each stream that was reset.
    @ivar goodbyes: the codes of the GOAWAY frames that came.
    @ivar reading: credit is given back for what comes.
    """

    def __init__(self, *, streams: int = 0, window: int = 0, greeting: bool = True) -> None:
        """
        @param streams: how many it takes at once; 0 for no limit of its own.
        @param window: octets that it takes on a stream; 0 for what HTTP/2 begins with.
        @param greeting: whether it begins by itself.
        """
        Peer.__init__(self)
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        if streams:
            self.h2.local_settings.update({SettingCodes.MAX_CONCURRENT_STREAMS: streams})
            self.h2.local_settings.acknowledge()
        if window:
            self.h2.local_settings.update({SettingCodes.INITIAL_WINDOW_SIZE: window})
            self.h2.local_settings.acknowledge()
        self.asked: dict[int, dict[str, Any]] = {}
        self.answered: set[int] = set()
        self.octets: dict[int, bytearray] = {}
        self.endings: list[int] = []
        self.resets: dict[int, int] = {}
        self.goodbyes: list[int] = []
        self.reading = True
        self._greeting = greeting

    def connectionMade(self) -> None:
        if self._greeting:
            self.greet()

    def greet(self) -> None:
        """
        Say what holds here.
        """
        self.h2.initiate_connection()
        self.send()

    def send(self) -> None:
        """
        Send what h2 has to send.
        """
        self.transport.write(self.h2.data_to_send())

    def answer(self, number: int, status: int = 200, *fields: tuple[str, str], end: bool = False) -> None:
        """
        Answer a request.
        """
        self.answered.add(number)
        self.h2.send_headers(number, [(":status", str(status)), *fields], end_stream=end)
        self.send()

    def put(self, number: int, octets: bytes, *, end: bool = False) -> None:
        """
        Send octets on a stream, as far as the windows allow.
        """
        for at in range(0, max(1, len(octets)), 16384):
            piece = octets[at : at + 16384]
            self.h2.send_data(number, piece, end_stream=end and at + 16384 >= len(octets))
        self.send()

    def reset(self, number: int, code: int) -> None:
        """
        Reset a stream.
        """
        self.h2.reset_stream(number, code)
        self.send()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for event in self.h2.receive_data(data):
            number: Any = getattr(event, "stream_id", None)
            if isinstance(event, RequestReceived):
                self.asked[number] = fields = {}
                for name, value in event.headers:
                    fields[name] = f"{fields[name]}, {value}" if name in fields else value
            elif isinstance(event, DataReceived):
                self.octets.setdefault(number, bytearray()).extend(event.data or b"")
                if self.reading and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            elif isinstance(event, StreamEnded):
                self.endings.append(number)
            elif isinstance(event, StreamReset):
                self.resets[number] = int(event.error_code or 0)
            elif isinstance(event, ConnectionTerminated):
                self.goodbyes.append(int(event.error_code or 0))
        if self.transport.connected:
            self.send()


class RawHop(Far):
    """
    A next hop that sends what no library would.
    """

    def __init__(self) -> None:
        Peer.__init__(self)
        self.encoder = Encoder()

    def greet(self, settings: dict[int, int] | None = None) -> None:
        """Send SETTINGS, and acknowledge the proxy's."""
        self.transport.write(formatSettings(settings or {}) + ACK)

    def block(self, *fields: tuple[str, str]) -> bytes:
        """Compress fields."""
        octets: bytes = self.encoder.encode(fields)
        return octets

    def answer(self, number: int, *fields: tuple[str, str], end: bool = False) -> None:
        """Send a field section, by default C{200}."""
        block = self.block(*(fields or ((":status", "200"),)))
        self.transport.write(formatHeaders(number, block, 16384, end=end))

    @property
    def goodbyes(self) -> list[int]:
        """The codes of the GOAWAY frames that have come."""
        return [int.from_bytes(payload[4:8]) for _, _, payload in self.frames(FrameType.GOAWAY)]


class HopCase(SynchronousTestCase):
    """
    An upstream through a next hop at 192.0.2.1:3128 that is reached by a way of the test's.

    @cvar keys: of its C{[[upstream]]}.
    """

    keys: Any = {"url": "h2c://192.0.2.1:3128"}

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.way = FakeUpstream(self.reactor)
        self.told: list[str] = []
        (row,) = configure(upstream=[{"name": "corp", **self.keys}]).rows["upstream"]
        surroundings = makeSurroundings(self.reactor, reach=lambda name: self.way, tell=self.tell)
        self.upstream: Any = http2.kind.build(surroundings, row.options)
        self.pool = self.upstream.pool
        self.built: list[Peer] = []
        self.upstream.start()

    def tell(self, text: str, **fields: Any) -> None:
        """Note an event."""
        self.told.append(text.format(**fields))

    def buildProtocol(self, addr: Any) -> Peer:
        """Build what is to have a tunnel."""
        self.built.append(Peer())
        return self.built[-1]

    def connect(self, target: str = "example.com:443", **fields: Any) -> Deferred[Any]:
        """
        Ask for a tunnel.
        """
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = self.buildProtocol  # type: ignore[method-assign,assignment]
        connecting: Deferred[Any] = self.upstream.connect(makeRequest(target, **fields), factory)
        return connecting

    def flush(self) -> None:
        """
        Let everything happen.
        """
        self.reactor.flush()

    def pass_(self, seconds: float) -> None:
        """
        Let time pass, in steps, so that whatever is to be answered meanwhile is.
        """
        for _ in range(round(seconds * 4)):
            self.reactor.advance(0.25)
            self.flush()

    def hop(self, peer: Any = None, **options: Any) -> Any:
        """
        Be the next hop of the connection that is being made.
        """
        found = self.way.dials[-1].succeed(Serving(**options) if peer is None else peer)
        self.flush()
        return found

    def raw(self, settings: dict[int, int] | None = None) -> Any:
        """
        The same, held by no library.
        """
        hop = self.hop(RawHop())
        hop.greet(settings)
        self.flush()
        return hop

    def tunnel(self, hop: Any, target: str = "example.com:443") -> tuple[int, Any]:
        """
        Have a tunnel.

        @return: its number, and the protocol at our end.
        """
        connecting = self.connect(target)
        self.flush()
        number = max(hop.asked)
        hop.answer(number)
        self.flush()
        return number, self.successResultOf(connecting).protocol

    def refused(self, connecting: Deferred[Any], kind: str) -> Any:
        """
        A request has been refused.
        """
        refused: Any = self.failureResultOf(connecting, Refused).value
        self.assertEqual(refused.refusal.kind, kind, refused.refusal)
        return refused

    def assertNothingLeft(self) -> None:
        """
        Nothing is watched, and there is no deadline.
        """
        self.flush()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        state = self.upstream.state()
        self.assertEqual(
            [state[key] for key in ("connections", "connecting", "tunnels", "waiting")], [0, 0, 0, 0]
        )
