"""
What the other side asks for in SETTINGS (RFC 9113 section 6.5, RFC 8441 section 3).

Owns the numbers of settings and the ranges of their values.  What follows from a
change is for whoever has the connection.
"""

from __future__ import annotations

from typing import NamedTuple

from connectproxy.wire.http2.frames import ErrorCode
from connectproxy.wire.http2.reader import Fault

__all__ = ["PeerSettings", "Setting", "readSettings"]


class Setting:
    """
    The numbers of settings.
    """

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6
    ENABLE_CONNECT_PROTOCOL = 8


class PeerSettings(NamedTuple):
    """
    Those that matter to who sends requests or responses.

    @ivar window: octets that may be sent on a new stream.
    @ivar frameSize: octets that a frame's payload may have.
    @ivar streams: how many streams may be open at once; no limit is more than there are
        numbers for.
    """

    window: int = 65535
    frameSize: int = 16384
    streams: int = 0xFFFFFFFF


def readSettings(payload: bytes, known: PeerSettings, *, fromServer: bool = False) -> PeerSettings | Fault:
    """
    Read the payload of a SETTINGS frame that is no acknowledgement.  Settings that
    nobody knows are ignored, as section 6.5.2 wants.

    @param known: what held so far.
    @param fromServer: whether it is a server that has sent it, which may not allow pushes.
    """
    if len(payload) % 6:
        return Fault(ErrorCode.FRAME_SIZE_ERROR, "a SETTINGS frame ends in the middle of a setting")
    window, frameSize, streams = known
    for at in range(0, len(payload), 6):
        key = int.from_bytes(payload[at : at + 2])
        value = int.from_bytes(payload[at + 2 : at + 6])
        if key == Setting.INITIAL_WINDOW_SIZE:
            if value > 0x7FFFFFFF:
                return Fault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is above 2**31 - 1")
            window = value
        elif key == Setting.MAX_FRAME_SIZE:
            if not 16384 <= value <= 16777215:
                return Fault(ErrorCode.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is not 2**14 to 2**24 - 1")
            frameSize = value
        elif key == Setting.MAX_CONCURRENT_STREAMS:
            streams = value
        elif key == Setting.ENABLE_PUSH and value and fromServer:
            return Fault(ErrorCode.PROTOCOL_ERROR, "a server set SETTINGS_ENABLE_PUSH")
        elif key in (Setting.ENABLE_PUSH, Setting.ENABLE_CONNECT_PROTOCOL) and value > 1:
            return Fault(ErrorCode.PROTOCOL_ERROR, f"the setting {key} is neither 0 nor 1")
    return PeerSettings(window, frameSize, streams)
