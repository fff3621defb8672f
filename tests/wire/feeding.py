"""
How the tests feed what reads bodies and heads of responses, and what others make of the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import h11
import httptools
from hypothesis import settings

from connectproxy.errors import Refusal
from connectproxy.wire.framing import BodyReader, Framing, requestFraming, responseFraming
from connectproxy.wire.grammar import Limits
from connectproxy.wire.http1 import HeadReader, RequestHead
from connectproxy.wire.response import ResponseHead, ResponseReader

__all__ = ["Message", "body", "byH11", "byHttptools", "examples", "parts", "request", "response"]

# The same cases in every run: what is found here is found everywhere.
examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)

Fields = tuple[tuple[bytes, bytes], ...]


class Message(NamedTuple):
    """
    A message that has been read to its end.

    @ivar start: method and target, or the status.
    @ivar fields: the fields.
    @ivar payload: the body, out of its chunks.
    @ivar rest: what is behind it.
    """

    start: tuple[bytes, ...]
    fields: Fields
    payload: bytes
    rest: bytes


def body(
    pieces: Iterable[bytes],
    framing: Framing,
    *,
    response: bool = False,
    passing: bool = False,
    limits: Limits | None = None,
) -> tuple[bytes, BodyReader, Refusal | None, bytes]:
    """Feed pieces; give what may be passed on, the reader, a refusal if there is one, and what is behind."""
    reader = BodyReader(framing, response=response, passing=passing, limits=limits or Limits())
    passed = rest = b""
    refusal = None
    for piece in pieces:
        if refusal is not None:
            continue
        if reader.done:
            rest += piece
            continue
        taken = reader.receive(piece)
        if isinstance(taken, Refusal):
            refusal = taken
        else:
            passed += taken
            rest += reader.leftover
    return passed, reader, refusal, rest


def parts(octets: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut octets at some places."""
    ends = sorted(cut % (len(octets) + 1) for cut in cuts)
    return [octets[start:end] for start, end in zip([0, *ends], [*ends, len(octets)], strict=True)]


def request(octets: bytes) -> Message | Refusal | None:
    """Read a whole request; L{None} if it is not complete."""
    head = HeadReader()
    verdict = head.receive(octets)
    if not isinstance(verdict, RequestHead):
        return verdict
    framing = requestFraming(verdict)
    start = (verdict.method.encode(), verdict.target)
    return _read(start, verdict.fields, framing, head.leftover, False)


def response(octets: bytes, method: str = "GET", ended: bool = False) -> Message | Refusal | None:
    """Read a whole final response; L{None} if it is not complete."""
    head = ResponseReader(method)
    verdict = head.receive(octets)
    if not isinstance(verdict, ResponseHead):
        return verdict
    framing = responseFraming(method, verdict)
    return _read((b"%d" % verdict.status,), verdict.fields, framing, head.leftover, True, ended)


def _read(
    start: tuple[bytes, ...],
    fields: Fields,
    framing: Framing | Refusal,
    octets: bytes,
    response: bool,
    ended: bool = False,
) -> Message | Refusal | None:
    if isinstance(framing, Refusal):
        return framing
    passed, reader, refusal, rest = body([octets] if octets else [], framing, response=response)
    if BodyReader(framing).done:
        rest = octets
    if refusal is None and ended:
        refusal = reader.ended()
    if refusal is not None:
        return refusal
    return Message(start, fields, passed, rest) if reader.done else None


def byH11(octets: bytes, method: str = "") -> Message | None:
    """What h11 reads, as a response if there is a method; L{None} where it reads no whole message."""
    connection = h11.Connection(h11.CLIENT if method else h11.SERVER)
    fields: Fields = ()
    start: tuple[bytes, ...] = ()
    payload = b""
    try:
        if method:
            connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
            connection.send(h11.EndOfMessage())
        connection.receive_data(octets)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                start, fields = (event.method, event.target), tuple(event.headers)
            elif isinstance(event, h11.Response):
                start, fields = (b"%d" % event.status_code,), tuple(event.headers)
            elif isinstance(event, h11.Data):
                payload += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return Message(start, fields, payload, connection.trailing_data[0])
            else:
                return None
    except h11.RemoteProtocolError:
        return None


class Heard:
    """
    What httptools calls back with.
    """

    def __init__(self) -> None:
        self.target = self.payload = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.inBody = self.complete = False

    def on_url(self, octets: bytes) -> None:
        if not self.complete:
            self.target += octets

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.inBody and not self.complete:
            self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.inBody = True

    def on_body(self, octets: bytes) -> None:
        if not self.complete:
            self.payload += octets

    def on_message_complete(self) -> None:
        self.complete = True


def byHttptools(octets: bytes, response: bool = False) -> tuple[tuple[bytes, ...], Fields, bytes] | None:
    """What httptools reads of the first message; L{None} where it reads no whole one."""
    heard = Heard()
    parser = (httptools.HttpResponseParser if response else httptools.HttpRequestParser)(heard)
    try:
        parser.feed_data(octets)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        if not heard.complete:
            return None
    if not heard.complete:
        return None
    start = (b"%d" % parser.get_status_code(),) if response else (parser.get_method(), heard.target)
    return start, tuple(heard.fields), heard.payload
