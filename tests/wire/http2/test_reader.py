"""
Frames as they are read: whole, at every split, mutated, and against hyperframe.
"""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.http2 import (
    PREFACE,
    ErrorCode,
    Fault,
    Flag,
    FrameReader,
    FrameType,
    formatData,
    formatFrame,
)
from connectproxy.wire.http2.reader import BLOCK, CONTINUATIONS, SIZE

Read = tuple[list[tuple[int, int, int, bytes, int]], Fault | None]


def read(*pieces: bytes, preface: bytes = b"") -> Read:
    """
    What is read of some pieces, with the DATA of one stream that stand behind each other put
    together, as far as none of them ends it.
    """
    reader = FrameReader(preface)
    return together([frame for piece in pieces for frame in reader.receive(piece)]), reader.fault


def together(frames: Iterable[tuple[int, int, int, bytes, int]]) -> list[tuple[int, int, int, bytes, int]]:
    """
    Put DATA of one stream together.
    """
    found: list[tuple[int, int, int, bytes, int]] = []
    for kind, flags, stream, payload, weight in frames:
        if kind == 0 and found and found[-1][:3] == (0, 0, stream):
            _, _, _, before, counted = found.pop()
            found.append((kind, flags, stream, before + payload, counted + weight))
        else:
            found.append((kind, flags, stream, payload, weight))
    return found


SAMPLES = (
    formatFrame(FrameType.SETTINGS, 0, 0, b"\0\x03\0\0\0d"),
    formatFrame(FrameType.HEADERS, Flag.END_HEADERS, 1, b"block"),
    formatFrame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, b""),
    formatFrame(
        FrameType.HEADERS, Flag.END_HEADERS | Flag.PADDED | Flag.PRIORITY, 5, b"\x02\0\0\0\x01\x10block\0\0"
    ),
    formatFrame(FrameType.HEADERS, 0, 7, b"one ")
    + formatFrame(FrameType.CONTINUATION, 0, 7, b"two ")
    + formatFrame(FrameType.CONTINUATION, Flag.END_HEADERS, 7, b"three"),
    formatData(1, b"some octets", 100),
    formatData(1, b"", 100),
    formatData(1, b"the last", 100, end=True),
    formatFrame(FrameType.DATA, Flag.PADDED | Flag.END_STREAM, 3, b"\x03octets\0\0\0"),
    formatFrame(FrameType.DATA, Flag.PADDED, 3, b"\x00"),
    formatFrame(FrameType.DATA, Flag.PADDED, 3, b"\x02\0\0"),
    formatFrame(FrameType.DATA, Flag.PADDED | Flag.END_STREAM, 3, b"\0"),
    formatFrame(FrameType.PING, 0, 0, b"anyone??"),
    formatFrame(FrameType.WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"),
    formatFrame(0xFA, 0xFF, 9, b"an extension"),
)

EXPECTED = [
    (4, 0, 0, b"\0\x03\0\0\0d", 0),
    (1, 4, 1, b"block", 0),
    (1, 5, 3, b"", 0),
    (1, 0x2C, 5, b"block", 0),
    (1, 4, 7, b"one two three", 0),
    (0, 0, 1, b"some octets", 11),
    (0, 0, 1, b"", 0),
    (0, 1, 1, b"the last", 8),
    (0, 1, 3, b"octets", 10),
    (0, 0, 3, b"", 1),
    (0, 0, 3, b"", 3),
    (0, 1, 3, b"", 1),
    (6, 0, 0, b"anyone??", 0),
    (8, 0, 1, b"\0\0\0\x01", 0),
    (0xFA, 0xFF, 9, b"an extension", 0),
]


class ReaderTests(SynchronousTestCase):
    """
    What is right.
    """

    def test_whole(self) -> None:
        """
        Everything at once, behind the preface.
        """
        self.assertEqual(read(PREFACE + b"".join(SAMPLES), preface=PREFACE), (together(EXPECTED), None))

    def test_everySplit(self) -> None:
        """
        In two pieces, wherever they are cut.
        """
        octets = PREFACE + b"".join(SAMPLES)
        for index in range(1, len(octets)):
            self.assertEqual(
                read(octets[:index], octets[index:], preface=PREFACE), (together(EXPECTED), None), index
            )

    def test_byteByByte(self) -> None:
        """
        Octet by octet.
        """
        octets = PREFACE + b"".join(SAMPLES)
        pieces = [octets[index : index + 1] for index in range(len(octets))]
        self.assertEqual(read(*pieces, preface=PREFACE), (together(EXPECTED), None))

    def test_asItComes(self) -> None:
        """
        The octets of a DATA frame do not wait for the rest of it.
        """
        reader = FrameReader(b"")
        frame = formatData(1, b"0123456789", 100, end=True)
        self.assertEqual(list(reader.receive(frame[:12])), [(0, 0, 1, b"012", 3)])
        self.assertFalse(reader.unfinished)
        self.assertEqual(list(reader.receive(frame[12:])), [(0, 1, 1, b"3456789", 7)])

    def test_together(self) -> None:
        """
        What stands behind each other is one piece; another stream, another frame and the end of
        the stream are in between.
        """
        one, other, empty = formatData(1, b"a", 9), formatData(3, b"b", 9), formatData(1, b"", 9)
        end, ping = formatData(1, b"c", 9, end=True), formatFrame(FrameType.PING, 0, 0, bytes(8))
        for octets, expected in (
            (one + one + one, [(b"aaa", 0)]),
            (one + other + one, [(b"a", 0), (b"b", 0), (b"a", 0)]),
            (one + empty + one, [(b"a", 0), (b"", 0), (b"a", 0)]),
            (one + ping + one, [(b"a", 0), (bytes(8), 0), (b"a", 0)]),
            (one + end + one, [(b"ac", 1), (b"a", 0)]),
            (one + one[:5], [(b"a", 0)]),
            (one + formatFrame(FrameType.PING, 0, 1, bytes(8)), [(b"a", 0)]),
        ):
            found = FrameReader(b"").receive(octets)
            self.assertEqual([(payload, flags) for _, flags, _, payload, _ in found], expected)

    def test_unfinished(self) -> None:
        """
        It is known whether something has begun that has to go on.
        """
        reader = FrameReader()
        self.assertEqual((reader.started, reader.unfinished), (False, True))
        list(reader.receive(PREFACE[:5]))
        self.assertEqual((reader.started, reader.unfinished), (True, True))
        list(reader.receive(PREFACE[5:]))
        self.assertFalse(reader.unfinished)
        list(reader.receive(SAMPLES[0][:4]))
        self.assertTrue(reader.unfinished)
        list(reader.receive(SAMPLES[0][4:]))
        self.assertFalse(reader.unfinished)
        list(reader.receive(SAMPLES[4][:13]))
        self.assertTrue(reader.unfinished)

    @given(
        st.lists(st.sampled_from(range(len(SAMPLES))), max_size=8), st.lists(st.integers(1, 30), max_size=40)
    )
    def test_anyOrder(self, order: list[int], sizes: list[int]) -> None:
        """
        Any frames in any pieces.
        """
        octets = b"".join(SAMPLES[index] for index in order)
        pieces = []
        for size in sizes:
            pieces.append(octets[:size])
            octets = octets[size:]
        self.assertEqual(read(*pieces, octets), (together(EXPECTED[index] for index in order), None))

    @given(st.integers(0, len(b"".join(SAMPLES)) - 1), st.integers(0, 255), st.integers(1, 100))
    def test_mutated(self, at: int, octet: int, size: int) -> None:
        """
        With one octet changed, what is read does not depend on the pieces, and nothing raises.
        """
        octets = bytearray(b"".join(SAMPLES))
        octets[at] = octet
        mutated = bytes(octets)
        pieces = [mutated[index : index + size] for index in range(0, len(mutated), size)]
        whole, inPieces = read(mutated), read(*pieces)
        self.assertEqual(whole[1], inPieces[1])
        if whole[1] is None:
            self.assertEqual(whole[0], inPieces[0])

    @given(st.binary(max_size=200))
    def test_anything(self, octets: bytes) -> None:
        """
        Nothing raises, whatever comes.
        """
        read(octets)
        read(octets, preface=PREFACE)


class FaultTests(SynchronousTestCase):
    """
    What is wrong.
    """

    def fault(self, *octets: bytes) -> ErrorCode:
        """
        The code of the fault in something, at every split.
        """
        whole = b"".join(octets)
        codes = set()
        for index in range(len(whole)):
            fault = read(whole[:index], whole[index:])[1]
            assert fault is not None, octets
            self.assertTrue(fault.detail)
            codes.add(fault.code)
        self.assertEqual(len(codes), 1)
        return codes.pop()

    def test_preface(self) -> None:
        """
        A preface that is not HTTP/2's is known at the first octet that differs.
        """
        for index in range(len(PREFACE)):
            for octets in (PREFACE[:index] + b"\xff", PREFACE[:index] + b"\xff" * 100):
                fault = read(octets, preface=PREFACE)[1]
                self.assertEqual(fault and fault.code, ErrorCode.PROTOCOL_ERROR)
            self.assertEqual(read(PREFACE[:index], preface=PREFACE), ([], None))

    def test_nothingBehind(self) -> None:
        """
        After a fault nothing is read.
        """
        reader = FrameReader(b"")
        list(reader.receive(formatFrame(FrameType.PING, 0, 1, bytes(8))))
        first = reader.fault
        self.assertEqual(list(reader.receive(SAMPLES[0])), [])
        self.assertIs(reader.fault, first)

    def test_size(self) -> None:
        """
        A frame that is too large is known by its head.
        """
        for kind in (FrameType.DATA, FrameType.HEADERS, 0xFA):
            head = formatFrame(kind, 0, 1, bytes(SIZE + 1))[:9]
            self.assertEqual(self.fault(head), ErrorCode.FRAME_SIZE_ERROR)
            self.assertIs(read(formatFrame(kind, 4, 1, bytes(SIZE)))[1], None)

    def test_interrupted(self) -> None:
        """
        A field block is interrupted, or continued where there is none.
        """
        begun = formatFrame(FrameType.HEADERS, 0, 1, b"x")
        for other in (SAMPLES[5], SAMPLES[12], SAMPLES[1], formatFrame(FrameType.CONTINUATION, 4, 3, b"")):
            self.assertEqual(self.fault(begun, other), ErrorCode.PROTOCOL_ERROR)
        self.assertEqual(self.fault(formatFrame(FrameType.CONTINUATION, 4, 1, b"")), ErrorCode.PROTOCOL_ERROR)

    def test_blockLimits(self) -> None:
        """
        A field block over too many frames, or with too many octets; just below it is fine.
        """
        begun = formatFrame(FrameType.HEADERS, 0, 1, b"")
        more = formatFrame(FrameType.CONTINUATION, 0, 1, b"")
        end = formatFrame(FrameType.CONTINUATION, 4, 1, b"")
        self.assertIs(read(begun, *[more] * (CONTINUATIONS - 1), end)[1], None)
        fault = read(begun, *[more] * CONTINUATIONS, end)[1]
        self.assertEqual(fault and fault.code, ErrorCode.ENHANCE_YOUR_CALM)
        full = formatFrame(FrameType.CONTINUATION, 0, 1, bytes(SIZE))
        self.assertIs(read(begun, *[full] * (BLOCK // SIZE), end)[1], None)
        fault = read(begun, *[full] * (BLOCK // SIZE), formatFrame(FrameType.CONTINUATION, 4, 1, b"x"))[1]
        self.assertEqual(fault and fault.code, ErrorCode.ENHANCE_YOUR_CALM)

    def test_padding(self) -> None:
        """
        Padding that is longer than the frame, and flags that it is too short for.
        """
        for frame, code in (
            (formatFrame(FrameType.DATA, 8, 1, b""), ErrorCode.PROTOCOL_ERROR),
            (formatFrame(FrameType.DATA, 8, 1, b"\x03ab"), ErrorCode.PROTOCOL_ERROR),
            (formatFrame(FrameType.HEADERS, 0xC, 1, b"\x03ab"), ErrorCode.PROTOCOL_ERROR),
            (formatFrame(FrameType.HEADERS, 0xC, 1, b""), ErrorCode.FRAME_SIZE_ERROR),
            (formatFrame(FrameType.HEADERS, 0x24, 1, b"1234"), ErrorCode.FRAME_SIZE_ERROR),
        ):
            self.assertEqual(self.fault(frame), code)

    def test_streams(self) -> None:
        """
        Frames for the connection on a stream, and the other way round.
        """
        for kind in (FrameType.SETTINGS, FrameType.PING, FrameType.GOAWAY):
            self.assertEqual(self.fault(formatFrame(kind, 0, 1, bytes(8))), ErrorCode.PROTOCOL_ERROR)
        for kind in (FrameType.DATA, FrameType.HEADERS, FrameType.PRIORITY, FrameType.RST_STREAM):
            self.assertEqual(self.fault(formatFrame(kind, 4, 0, bytes(5))), ErrorCode.PROTOCOL_ERROR)

    def test_reserved(self) -> None:
        """
        The reserved bit of a stream's number is ignored (RFC 9113 section 4.1).
        """
        frame = bytearray(SAMPLES[5])
        frame[5] |= 0x80
        self.assertEqual(read(bytes(frame)), ([EXPECTED[5]], None))
