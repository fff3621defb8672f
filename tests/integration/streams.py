"""
HTTP/2 as tests speak it over a real socket: the h2 package, and octets of one's own.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes

from tests.integration.origins import authority
from tests.integration.raw import connect

__all__ = ["Session", "Stream"]


class Stream:
    """
    What has been heard on one stream.

    @ivar reading: credit is given for what comes.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.octets = bytearray()
        self.ended = False
        self.reset: int | None = None
        self.reading = True

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.ended or self.reset is not None


class Session:
    """
    One connection, which only reads while it waits for something.

    @ivar streams: by number.
    @ivar goodbye: the code of a GOAWAY, or L{None}.
    @ivar closed: the proxy has closed.
    """

    def __init__(self, port: int, *, tls: bool = False, window: int = 1 << 20) -> None:
        self.sock: Any = connect(port)
        if tls:
            context = ssl.create_default_context(cafile=str(authority().certificate))
            context.set_alpn_protocols(["h2", "http/1.1"])
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
            assert self.sock.selected_alpn_protocol() == "h2"
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings.update({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 29)
        self.streams: dict[int, Stream] = {}
        self.goodbye: int | None = None
        self.closed = False
        self.send()
        self.until(lambda: self.h2.remote_settings.enable_connect_protocol)

    def send(self) -> None:
        """
        Send what h2 has to send.
        """
        octets = self.h2.data_to_send()
        if octets and not self.closed:
            self.sock.sendall(octets)

    def ask(self, *fields: tuple[str, str], end: bool = False) -> int:
        """
        Send a request.
        """
        number = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream()
        self.h2.send_headers(number, fields, end_stream=end)
        self.send()
        return number

    def connect(self, target: str) -> int:
        """
        Ask for a tunnel.
        """
        return self.ask((":method", "CONNECT"), (":authority", target))

    def tunnel(self, listener: socket.socket) -> tuple[int, socket.socket]:
        """
        Make a tunnel.

        @return: its stream, and the origin's end.
        """
        number = self.connect(f"127.0.0.1:{listener.getsockname()[1]}")
        stream = self.streams[number]
        self.until(lambda: stream.status or stream.over)
        assert stream.status == 200, (stream.status, stream.reset, bytes(stream.octets))
        origin, _ = listener.accept()
        origin.settimeout(listener.gettimeout())
        return number, origin

    def put(self, number: int, octets: bytes, *, end: bool = False) -> int:
        """
        Send octets, as far as the windows go.

        @return: how many those were.
        """
        sent = 0
        while sent < len(octets):
            room = min(self.h2.local_flow_control_window(number), 16384)
            piece = octets[sent : sent + room]
            if not piece:
                break
            sent += len(piece)
            self.h2.send_data(number, piece, end_stream=end and sent == len(octets))
            self.send()
        if end and not octets:
            self.h2.end_stream(number)
            self.send()
        return sent

    def receive(self) -> None:
        """
        Read once, and note what it is.
        """
        try:
            octets = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            octets = b""
        if not octets:
            self.closed = True
            return
        for event in self.h2.receive_data(octets):
            if isinstance(event, ConnectionTerminated):
                self.goodbye = int(event.error_code)
                continue
            stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
            if stream is None:
                continue
            if isinstance(event, ResponseReceived):
                stream.status = int(dict(event.headers)[":status"])  # type: ignore[arg-type]
            elif isinstance(event, DataReceived):
                stream.octets += event.data
                self.h2.increment_flow_control_window(max(1, event.flow_controlled_length))
                if stream.reading and event.flow_controlled_length and not event.stream_ended:
                    with contextlib.suppress(StreamClosedError):
                        self.h2.increment_flow_control_window(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                stream.ended = True
            elif isinstance(event, StreamReset):
                stream.reset = int(event.error_code)
        if self.goodbye is None:
            self.send()

    def until(self, ready: Callable[[], Any]) -> None:
        """
        Read until something is so, or the connection is closed.
        """
        while not ready() and not self.closed:
            self.receive()

    def close(self) -> None:
        """
        Close the connection.
        """
        self.sock.close()
