"""
A client of HTTP/2 for tests: the h2 package on a fake transport, so that what is tested is
held against another's idea of the protocol.

What h2 would not send, a test writes itself, with L{connectproxy.wire.http2}'s formats.
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tests.fakes import Peer

__all__ = ["Client", "Heard", "connectFields"]

WINDOW = 1 << 20
"""What the client takes on a stream, and on the connection, unless a test says otherwise."""


def connectFields(target: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """
    The fields of a CONNECT.
    """
    return [(":method", "CONNECT"), (":authority", target), *more]


class Heard:
    """
    What a client has heard on one stream.

    @ivar status: of the response, or L{None}.
    @ivar fields: of the response.
    @ivar interim: the status codes of those before it.
    @ivar octets: of DATA.
    @ivar trailers: the fields behind those, or L{None}.
    @ivar ended: END_STREAM has come.
    @ivar reset: the code of RST_STREAM, or L{None}.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.fields: dict[str, str] = {}
        self.interim: list[int] = []
        self.octets = bytearray()
        self.trailers: dict[str, str] | None = None
        self.ended = False
        self.reset: int | None = None


class Client(Peer):
    """
    The client's end of a connection.

    @ivar h2: the other's idea of HTTP/2.
    @ivar streams: what was heard, by number.
    @ivar goodbyes: the GOAWAY frames that came: each its last stream and its code.
    @ivar reading: credit is given back for what comes; otherwise the windows run out.
    """

    def __init__(self, *, window: int = WINDOW, reading: bool = True, automatic: bool = True) -> None:
        """
        @param window: octets that it takes on a stream, and on the connection.
        @param automatic: begin with the preface and SETTINGS.
        """
        Peer.__init__(self)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings.update({SettingCodes.INITIAL_WINDOW_SIZE: window, SettingCodes.ENABLE_PUSH: 0})
        self.h2.local_settings.acknowledge()
        self.streams: dict[int, Heard] = {}
        self.goodbyes: list[tuple[int, int]] = []
        self.events: list[Any] = []
        self.reading = reading
        self._automatic = automatic
        self._window = window

    def connectionMade(self) -> None:
        if self._automatic:
            self.h2.initiate_connection()
            if self._window > 65535:
                self.h2.increment_flow_control_window(self._window - 65535)
            self.send()

    def send(self) -> None:
        """
        Send what h2 has to send.
        """
        self.transport.write(self.h2.data_to_send())

    def heard(self, number: int) -> Heard:
        """
        What was heard on a stream.
        """
        return self.streams.setdefault(number, Heard())

    def ask(self, fields: list[tuple[str, str]], *, end: bool = False, body: bytes = b"") -> int:
        """
        Send a request.

        @return: the number of its stream.
        """
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, fields, end_stream=end)
        if body:
            self.h2.send_data(number, body)
        self.send()
        return number

    def connect(self, target: str, *more: tuple[str, str]) -> int:
        """
        Ask for a tunnel.
        """
        return self.ask(connectFields(target, *more))

    def put(self, number: int, octets: bytes, *, end: bool = False) -> None:
        """
        Send octets on a stream, as far as the windows allow.
        """
        size = min(self.h2.max_outbound_frame_size, 16384)
        for at in range(0, max(1, len(octets)), size):
            piece = octets[at : at + size]
            self.h2.send_data(number, piece, end_stream=end and at + size >= len(octets))
        self.send()

    def cancel(self, number: int, code: int = 8) -> None:
        """
        Reset a stream.
        """
        self.h2.reset_stream(number, code)
        self.send()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, ConnectionTerminated):
                self.goodbyes.append((event.last_stream_id, int(event.error_code)))
                continue
            number = getattr(event, "stream_id", None)
            heard = self.heard(number) if number else Heard()
            if isinstance(event, InformationalResponseReceived):
                heard.interim.append(int(dict(event.headers)[":status"]))  # type: ignore[arg-type]
            elif isinstance(event, ResponseReceived):
                heard.fields = dict(event.headers)  # type: ignore[arg-type]
                heard.status = int(heard.fields[":status"])
            elif isinstance(event, TrailersReceived):
                heard.trailers = dict(event.headers)  # type: ignore[arg-type]
            elif isinstance(event, DataReceived):
                heard.octets += event.data
                if self.reading and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                heard.ended = True
            elif isinstance(event, StreamReset):
                heard.reset = int(event.error_code)
        if not self.goodbyes:
            self.send()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason
