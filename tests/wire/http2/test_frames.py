"""
Frames as they are written, against hyperframe's idea of them.
"""

from __future__ import annotations

from typing import Any

from hyperframe.frame import Frame
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.http2 import (
    ErrorCode,
    Flag,
    FrameType,
    codeName,
    formatData,
    formatFrame,
    formatGoAway,
    formatHeaders,
    formatReset,
    formatSettings,
    formatWindowUpdate,
)


def parse(octets: bytes) -> list[Any]:
    """
    The frames in something, as hyperframe reads them.
    """
    found = []
    while octets:
        frame, length = Frame.parse_frame_header(memoryview(octets[:9]))
        frame.parse_body(memoryview(octets[9 : 9 + length]))
        found.append(frame)
        octets = octets[9 + length :]
    return found


class CodeTests(SynchronousTestCase):
    """
    L{codeName}.
    """

    def test_names(self) -> None:
        """
        A code has its name, and one that nobody knows its number.
        """
        self.assertEqual(
            [codeName(code) for code in (0, 11, 14)], ["NO_ERROR", "ENHANCE_YOUR_CALM", "code 14"]
        )


class FrameTests(SynchronousTestCase):
    """
    Each sort of frame.
    """

    def test_any(self) -> None:
        """
        A frame is its head and its payload.
        """
        self.assertEqual(formatFrame(6, 1, 0, b"8 octets"), b"\0\0\x08\x06\x01\0\0\0\08 octets")
        self.assertEqual(formatFrame(4, 1, 0), b"\0\0\0\x04\x01\0\0\0\0")
        self.assertEqual(formatFrame(0, 0, 5, bytes(70000))[:3], (70000).to_bytes(3))

    @given(st.binary(max_size=100), st.integers(1, 40), st.booleans(), st.integers(1, 2**31 - 1))
    def test_data(self, octets: bytes, size: int, end: bool, stream: int) -> None:
        """
        Octets are spread over as many frames as it takes, none too large, and only the last
        ends the stream.
        """
        for given_ in (octets, memoryview(octets)):
            frames = parse(formatData(stream, given_, size, end=end))
            self.assertEqual(b"".join(frame.data for frame in frames), octets)
            self.assertEqual(len(frames), max(1, -(-len(octets) // size)))
            self.assertTrue(all(len(frame.data) <= size and frame.stream_id == stream for frame in frames))
            self.assertEqual(
                ["END_STREAM" in frame.flags for frame in frames], [False] * (len(frames) - 1) + [end]
            )

    @given(st.binary(max_size=100), st.integers(1, 40), st.booleans())
    def test_headers(self, block: bytes, size: int, end: bool) -> None:
        """
        A field block is spread likewise; the first frame ends the stream, the last the block.
        """
        frames = parse(formatHeaders(7, block, size, end=end))
        self.assertEqual(b"".join(frame.data for frame in frames), block)
        kinds = [frame.type for frame in frames]
        self.assertEqual(kinds, [FrameType.HEADERS] + [FrameType.CONTINUATION] * (len(frames) - 1))
        self.assertEqual(
            ["END_HEADERS" in frame.flags for frame in frames], [False] * (len(frames) - 1) + [True]
        )
        self.assertEqual("END_STREAM" in frames[0].flags, end)

    def test_control(self) -> None:
        """
        The others, whose payloads are numbers.
        """
        (reset,) = parse(formatReset(5, ErrorCode.CANCEL))
        self.assertEqual((reset.stream_id, reset.error_code), (5, 8))
        (update,) = parse(formatWindowUpdate(5, 2**31 - 1))
        self.assertEqual((update.stream_id, update.window_increment), (5, 2**31 - 1))
        (settings,) = parse(formatSettings({3: 100, 8: 1}))
        self.assertEqual((settings.settings, settings.flags), ({3: 100, 8: 1}, set()))
        (goAway,) = parse(formatGoAway(7, ErrorCode.PROTOCOL_ERROR, "é"))
        self.assertEqual((goAway.last_stream_id, goAway.error_code, goAway.additional_data), (7, 1, b"\\xe9"))
        self.assertEqual(Flag.ACK, 1)
