"""
Frames out of octets (RFC 9113 sections 3.4, 4.1 to 4.3, 6.1, 6.2 and 6.10).

Owns the client's preface, where frames begin and end, padding, and the putting
together of field blocks.  It knows no streams and their states, and no HPACK.

The payload of a DATA frame is given out as it comes, without waiting for the whole
frame: a proxy has nothing to gain by holding it.  So nothing but a frame of another
type, of at most L{SIZE} octets, or a field block of at most L{BLOCK}, is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connectproxy.wire.http2.frames import HEAD, ErrorCode, Flag, FrameType

__all__ = ["BLOCK", "CONTINUATIONS", "PREFACE", "SIZE", "Fault", "Frame", "FrameReader"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113 section 3.4: what a client sends before anything else."""

SIZE = 16384
"""Octets of a payload that have to be taken (section 4.2), and no more are unless more are asked for."""

BLOCK = 131072
"""Octets of one field block, compressed."""

CONTINUATIONS = 16
"""Frames that a field block may be spread over besides the first; eight full ones are as much as L{BLOCK} holds."""

Frame = tuple[int, int, int, bytes, int]
"""Type, flags, stream, payload, and for DATA how many octets of flow control it counts for."""

_TO_THE_STREAM = frozenset(
    {FrameType.DATA, FrameType.HEADERS, FrameType.PRIORITY, FrameType.RST_STREAM, FrameType.CONTINUATION}
)
_TO_THE_CONNECTION = frozenset({FrameType.SETTINGS, FrameType.PING, FrameType.GOAWAY})


class Fault(NamedTuple):
    """
    A mistake of the peer's that ends the connection (RFC 9113 section 5.4.1).

    @ivar code: for GOAWAY.
    @ivar detail: for people: what is wrong, one phrase.
    """

    code: ErrorCode
    detail: str


class FrameReader:
    """
    Reads the frames that one side sends.

    @ivar fault: why nothing more is read; L{None} while all is well.
    """

    __slots__ = (
        "_block", "_blockFlags", "_blockStream", "_continuations", "_end", "_held", "_left", "_most", "_padding", "_preface",
        "_size", "_stream", "fault",
    )  # fmt: skip

    def __init__(self, preface: bytes = PREFACE, most: int = SIZE) -> None:
        """
        @param preface: what has to come before the first frame.
        @param most: octets that a payload may have: what was asked for in SETTINGS.
        """
        self._most = most
        self._preface = preface
        self._held = b""
        self._left = 0
        self._padding = 0
        self._stream = 0
        self._end = 0
        self._block: list[bytes] = []
        self._blockFlags = 0
        self._blockStream = 0
        self._size = 0
        self._continuations = 0
        self.fault: Fault | None = None

    @property
    def unfinished(self) -> bool:
        """Whether the preface, a field block or a frame other than DATA has begun and not ended."""
        return bool(self._held or self._block or self._preface)

    @property
    def started(self) -> bool:
        """Whether anything has come."""
        return len(self._preface) < len(PREFACE)

    def receive(self, octets: bytes) -> Iterator[Frame]:
        """
        Take what has come.

        @return: the frames in it, which are read while they are asked for: all of
            them have to be.  HEADERS come with their whole field block, without
            padding and priority; CONTINUATION never come.  DATA come in as many
            pieces as they arrive in, the last of them with END_STREAM if the frame
            has it; pieces of one stream that stand behind each other are one, since
            what becomes of them costs by the piece.  L{fault} is set where they end
            early.
        """
        parts: list[bytes] = []
        weight = of = 0
        if self._held:
            octets = self._held + octets
            self._held = b""
        at, length = 0, len(octets)
        if self._preface:
            at = min(len(self._preface), length)
            if octets[:at] != self._preface[:at]:
                self.fault = Fault(ErrorCode.PROTOCOL_ERROR, "the preface is not HTTP/2's")
                return
            self._preface = self._preface[at:]
        while self.fault is None:
            if self._left or self._padding:
                if at == length:
                    break
                if parts and of != self._stream:
                    yield 0, 0, of, b"".join(parts), weight
                    parts, weight = [], 0
                began = at
                piece = octets[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    skipped = min(self._padding, length - at)
                    self._padding -= skipped
                    at += skipped
                of = self._stream
                weight += at - began
                parts.append(piece)
                if self._end and not self._left and not self._padding:
                    yield 0, 1, of, b"".join(parts), weight
                    parts, weight = [], 0
                continue
            if length - at < 9:
                break
            upper, lower, kind, flags, stream = HEAD.unpack_from(octets, at)
            size = upper << 8 | lower
            stream &= 0x7FFFFFFF
            if (
                kind or not stream or size > self._most or self._block
            ):  # nearly every frame is a good one of DATA
                self.fault = self._check(kind, size, stream)
                if self.fault is not None:
                    break
            if parts and (kind or flags & 0x8 or not size):
                yield 0, 0, of, b"".join(parts), weight
                parts, weight = [], 0
            if kind == 0:
                padded = flags & 0x8
                if padded and length - at < 10:
                    if not size:
                        self._overpadded()
                    break
                at += 9
                self._stream = stream
                self._end = flags & 1
                if padded:
                    if octets[at] >= size:
                        self._overpadded()
                        break
                    self._padding = octets[at]
                    self._left = size - 1 - self._padding
                    at += 1
                    yield 0, 0 if size > 1 else self._end, stream, b"", 1
                elif size:
                    self._left = size
                else:
                    yield 0, self._end, stream, b"", 0
                continue
            if length - at < 9 + size:
                break
            payload = octets[at + 9 : at + 9 + size]
            at += 9 + size
            if kind == FrameType.HEADERS or kind == FrameType.CONTINUATION:
                frame = self._collect(kind, flags, stream, payload)
                if frame is not None:
                    yield frame
            else:
                yield kind, flags, stream, payload, 0
        if parts:
            yield 0, 0, of, b"".join(parts), weight
        if self.fault is None:
            self._held = octets[at:]

    def _check(self, kind: int, size: int, stream: int) -> Fault | None:
        """
        What is wrong with the head of a frame.
        """
        if size > self._most:
            return Fault(
                ErrorCode.FRAME_SIZE_ERROR, f"a frame has {size} octets, of which {self._most} are allowed"
            )
        if self._block and (kind != FrameType.CONTINUATION or stream != self._blockStream):
            return Fault(ErrorCode.PROTOCOL_ERROR, "a field block is interrupted by another frame")
        if kind == FrameType.CONTINUATION and not self._block:
            return Fault(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION continues nothing")
        if stream:
            if kind in _TO_THE_CONNECTION:
                return Fault(ErrorCode.PROTOCOL_ERROR, "a frame for the connection names a stream")
        elif kind in _TO_THE_STREAM:
            return Fault(ErrorCode.PROTOCOL_ERROR, "a frame for a stream names none")
        return None

    def _overpadded(self) -> None:
        """The padding is said to be longer than the frame."""
        self.fault = Fault(ErrorCode.PROTOCOL_ERROR, "a frame has more padding than octets")

    def _collect(self, kind: int, flags: int, stream: int, payload: bytes) -> Frame | None:
        """
        Put a field block together.

        @return: the frame with all of it, when it is whole.
        """
        if kind == FrameType.HEADERS:
            end = len(payload)
            start = 0
            if flags & Flag.PADDED:
                start = 1
                if not payload:
                    self.fault = Fault(
                        ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame is too short for its flags"
                    )
                    return None
                end -= payload[0]
            if flags & Flag.PRIORITY:
                start += 5
            if start > end:
                if len(payload) < start:
                    self.fault = Fault(
                        ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame is too short for its flags"
                    )
                else:
                    self._overpadded()
                return None
            payload = payload[start:end]
            if flags & Flag.END_HEADERS:
                return kind, flags, stream, payload, 0
            self._blockStream, self._blockFlags = stream, flags
            self._block.append(payload)
            self._size = len(payload)
            self._continuations = 0
            return None
        self._continuations += 1
        self._size += len(payload)
        if self._continuations > CONTINUATIONS or self._size > BLOCK:
            self.fault = Fault(
                ErrorCode.ENHANCE_YOUR_CALM, "a field block is spread over too many octets or frames"
            )
            return None
        self._block.append(payload)
        if not flags & Flag.END_HEADERS:
            return None
        block = b"".join(self._block)
        self._block.clear()
        return FrameType.HEADERS, self._blockFlags | Flag.END_HEADERS, stream, block, 0
