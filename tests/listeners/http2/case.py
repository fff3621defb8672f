"""
What the tests of HTTP/2 have in common: a listener on a real switchboard, and clients.
"""

from __future__ import annotations

from typing import Any

from hpack import Encoder
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.listeners import http2
from connectproxy.wire.http2 import (
    PREFACE,
    Flag,
    FrameReader,
    FrameType,
    formatFrame,
    formatHeaders,
    formatSettings,
)
from tests.fakes import SETTINGS, FakeReactor, Peer, makeSwitchboard
from tests.listeners.http2.client import Client

__all__ = ["ACK", "HTTP2Case", "Raw"]

ACK = formatFrame(FrameType.SETTINGS, Flag.ACK, 0)


class Raw(Peer):
    """
    A client that sends what no library would.
    """

    def __init__(self) -> None:
        Peer.__init__(self)
        self.encoder = Encoder()

    def greet(self, *, settings: dict[int, int] | None = None) -> None:
        """Send the preface and SETTINGS, and acknowledge the proxy's."""
        self.transport.write(PREFACE + formatSettings(settings or {}) + ACK)

    def ask(self, number: int, fields: Any, *, end: bool = False) -> None:
        """Send a request."""
        self.transport.write(formatHeaders(number, self.encoder.encode(fields), 16384, end=end))

    def connect(self, number: int, target: str = "example.com:443") -> None:
        """Ask for a tunnel."""
        self.ask(number, [(":method", "CONNECT"), (":authority", target)])

    def frames(self, kind: int) -> list[tuple[int, int, bytes]]:
        """The frames of one type that have come: flags, stream, payload."""
        reader = FrameReader(b"", 1 << 24)
        every = list(reader.receive(bytes(self.received)))
        assert reader.fault is None, reader.fault
        return [(flags, number, payload) for type_, flags, number, payload, _ in every if type_ == kind]

    @property
    def goodbyes(self) -> list[tuple[int, int]]:
        """The GOAWAY frames that have come: last stream and code."""
        return [
            (int.from_bytes(payload[:4]), int.from_bytes(payload[4:8]))
            for _, _, payload in self.frames(FrameType.GOAWAY)
        ]

    @property
    def resets(self) -> list[tuple[int, int]]:
        """The RST_STREAM frames that have come: stream and code."""
        return [(number, int.from_bytes(payload)) for _, number, payload in self.frames(FrameType.RST_STREAM)]


class HTTP2Case(SynchronousTestCase):
    """
    A listener on fakes.

    @cvar settings: those that differ from the defaults.
    """

    settings: dict[str, Any] = {}

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.board: Any = makeSwitchboard(self.reactor, settings={**SETTINGS, **self.settings})
        self.port = self.successResultOf(http2.kind.listen(self.reactor, "tcp:8080", {}, self.board))

    def client(self, **options: Any) -> Any:
        """
        A client that has been greeted.
        """
        client = self.port.connect(Client(**options))
        self.reactor.flush()
        return client

    def raw(self, **options: Any) -> Any:
        """
        A client that is held by no library.
        """
        client = self.port.connect(Raw())
        client.greet(**options)
        self.reactor.flush()
        return client

    def flush(self, *clients: Any) -> None:
        """
        Let everything happen.
        """
        self.reactor.flush()

    @property
    def dials(self) -> list[Any]:
        """What the upstream has been asked for."""
        dials: list[Any] = self.board.upstreams["direct"].dials
        return dials

    @property
    def events(self) -> list[dict[str, Any]]:
        """The access events."""
        events: list[dict[str, Any]] = self.board.ledger.events
        return events

    def tunnel(self, client: Any, target: str = "example.com:443", **options: Any) -> tuple[int, Any]:
        """
        Have a tunnel.

        @return: the stream's number, and the origin.
        """
        number = client.connect(target)
        self.flush()
        origin = self.dials[-1].succeed(**options)
        self.flush()
        self.assertEqual(client.heard(number).status, 200)
        return number, origin

    def assertNothingLeft(self) -> None:
        """
        Nothing is watched, and nothing counts, and there is no deadline.
        """
        self.flush()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual(len(self.board.wheel), 0)
        self.assertEqual((self.board.admission.tunnels, self.board.admission.connections), (0, 0))
