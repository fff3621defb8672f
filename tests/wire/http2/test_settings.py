"""
What the other side asks for.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.http2 import ErrorCode, Fault, PeerSettings, Setting, formatSettings, readSettings

BEFORE = PeerSettings()


def payload(values: dict[int, int]) -> bytes:
    """
    The payload of a SETTINGS frame.
    """
    return formatSettings(values)[9:]


class SettingsTests(SynchronousTestCase):
    """
    Values, and their ranges.
    """

    def test_values(self) -> None:
        """
        What is not named stays; what nobody knows is ignored; the last of several counts.
        """
        self.assertEqual(readSettings(b"", BEFORE), BEFORE)
        self.assertEqual(readSettings(payload({0xFA: 5, 6: 1, 2: 0, 8: 1}), BEFORE), BEFORE)
        every = payload(
            {Setting.HEADER_TABLE_SIZE: 0, Setting.INITIAL_WINDOW_SIZE: 1, Setting.MAX_FRAME_SIZE: 16385}
        )
        self.assertEqual(readSettings(every, BEFORE), PeerSettings(1, 16385))
        twice = payload({4: 5}) + payload({4: 6})
        self.assertEqual(readSettings(twice, BEFORE), PeerSettings(window=6))

    def test_ranges(self) -> None:
        """
        The ends of each range, and what is beyond.
        """
        for key, good, bad, code in (
            (Setting.ENABLE_PUSH, (0, 1), (2,), ErrorCode.PROTOCOL_ERROR),
            (Setting.ENABLE_CONNECT_PROTOCOL, (0, 1), (2,), ErrorCode.PROTOCOL_ERROR),
            (Setting.INITIAL_WINDOW_SIZE, (0, 2**31 - 1), (2**31, 2**32 - 1), ErrorCode.FLOW_CONTROL_ERROR),
            (Setting.MAX_FRAME_SIZE, (16384, 2**24 - 1), (0, 16383, 2**24), ErrorCode.PROTOCOL_ERROR),
        ):
            for value in good:
                self.assertIsInstance(readSettings(payload({key: value}), BEFORE), PeerSettings)
            for value in bad:
                fault = readSettings(payload({key: value}), BEFORE)
                assert isinstance(fault, Fault)
                self.assertEqual(fault.code, code)

    def test_streams(self) -> None:
        """
        How many streams may be open is whatever 32 bits can say, none included.
        """
        self.assertGreater(BEFORE.streams, 2**31)
        for value in (0, 1, 2**32 - 1):
            read = readSettings(payload({Setting.MAX_CONCURRENT_STREAMS: value}), BEFORE)
            self.assertEqual(read, BEFORE._replace(streams=value))

    def test_serversPush(self) -> None:
        """
        A server may not allow pushes, since it would get none (RFC 9113 section 6.5.2).
        """
        self.assertEqual(readSettings(payload({Setting.ENABLE_PUSH: 0}), BEFORE, fromServer=True), BEFORE)
        fault = readSettings(payload({Setting.ENABLE_PUSH: 1}), BEFORE, fromServer=True)
        assert isinstance(fault, Fault)
        self.assertEqual(fault.code, ErrorCode.PROTOCOL_ERROR)

    @given(st.binary(max_size=60))
    def test_anything(self, octets: bytes) -> None:
        """
        Nothing raises; what does not end with a setting is a fault.
        """
        found = readSettings(octets, BEFORE)
        if len(octets) % 6:
            assert isinstance(found, Fault)
            self.assertEqual(found.code, ErrorCode.FRAME_SIZE_ERROR)
