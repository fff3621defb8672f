"""
Frames: what there are, and how they are written (RFC 9113 sections 4 and 6).

A frame is

  - length, 24 bits: octets of the payload;
  - type, 8 bits;
  - flags, 8 bits;
  - reserved, 1 bit, and stream identifier, 31 bits;
  - the payload.

Owns the notation only.  Left out: PUSH_PROMISE, which a proxy has no use for, and
padding and priorities in what is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct

__all__ = [
    "HEAD",
    "ErrorCode",
    "Flag",
    "FrameType",
    "codeName",
    "formatData",
    "formatFrame",
    "formatGoAway",
    "formatHeaders",
    "formatReset",
    "formatSettings",
    "formatWindowUpdate",
]

HEAD = Struct(">HBBBL")
"""The nine octets before a payload; the length comes in its upper 16 and its lower 8 bits."""

_CONTROL = Struct(">HBBBLL")
"""A whole frame of a payload with 32 bits: RST_STREAM and WINDOW_UPDATE."""


class FrameType:
    """
    The types of frames.  Plain numbers: they are compared for every frame.
    """

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag:
    """
    The flags of frames; what one means depends on the type.
    """

    ACK = 0x1
    END_STREAM = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITY = 0x20


class ErrorCode(IntEnum):
    """
    RFC 9113 section 7.
    """

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


def codeName(code: int) -> str:
    """
    What an error code is called, for people.

    @param code: as the other side has sent it; there may be no such code.
    """
    return _CODES.get(code, f"code {code}")


_CODES = {int(code): code.name for code in ErrorCode}


def formatFrame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """
    Any frame.

    @param stream: the stream's number, 0 for the connection.
    @param payload: at most 2**24 - 1 octets.
    """
    length = len(payload)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def formatData(stream: int, octets: bytes | memoryview, size: int, *, end: bool = False) -> bytes:
    """
    One DATA frame or as many as are needed (section 6.1).

    @param octets: what is to be carried; with C{end}, it may be nothing.
    @param size: the most octets of one payload.
    @param end: whether the last frame ends the stream.
    """
    length = len(octets)
    pack = HEAD.pack
    if length <= size:
        return b"".join((pack(length >> 8, length & 0xFF, 0, end, stream), octets))
    parts: list[bytes | memoryview] = []
    view = memoryview(octets)
    whole = pack(size >> 8, size & 0xFF, 0, 0, stream)
    last = (length - 1) // size * size
    for at in range(0, last, size):
        parts += (whole, view[at : at + size])
    length -= last
    parts += (pack(length >> 8, length & 0xFF, 0, end, stream), view[last:])
    return b"".join(parts)


def formatHeaders(stream: int, block: bytes, size: int, *, end: bool = False) -> bytes:
    """
    A HEADERS frame, and what CONTINUATION frames it takes (sections 6.2 and 6.10).

    @param block: the field block, compressed.
    @param size: the most octets of one payload.
    """
    flags = Flag.END_STREAM if end else 0
    if len(block) <= size:
        return formatFrame(FrameType.HEADERS, flags | Flag.END_HEADERS, stream, block)
    parts = [formatFrame(FrameType.HEADERS, flags, stream, block[:size])]
    for at in range(size, len(block), size):
        last = Flag.END_HEADERS if at + size >= len(block) else 0
        parts.append(formatFrame(FrameType.CONTINUATION, last, stream, block[at : at + size]))
    return b"".join(parts)


def formatReset(stream: int, code: int) -> bytes:
    """A RST_STREAM frame (section 6.4)."""
    return _CONTROL.pack(0, 4, FrameType.RST_STREAM, 0, stream, code)


def formatWindowUpdate(stream: int, increment: int) -> bytes:
    """
    A WINDOW_UPDATE frame (section 6.9).

    @param increment: 1 to 2**31 - 1.
    """
    return _CONTROL.pack(0, 4, FrameType.WINDOW_UPDATE, 0, stream, increment)


def formatSettings(values: Mapping[int, int]) -> bytes:
    """A SETTINGS frame (section 6.5)."""
    payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in values.items())
    return formatFrame(FrameType.SETTINGS, 0, 0, payload)


def formatGoAway(last: int, code: int, words: str = "") -> bytes:
    """
    A GOAWAY frame (section 6.8).

    @param last: the number of the last stream that was, or may yet be, served.
    @param words: for people who look at the other side's log, in ASCII.
    """
    payload = last.to_bytes(4) + code.to_bytes(4) + words.encode("ascii", "backslashreplace")
    return formatFrame(FrameType.GOAWAY, 0, 0, payload)
