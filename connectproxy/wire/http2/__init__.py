"""
HTTP/2 on the wire (RFC 9113), as octets: frames in and out, and what a header
section must look like.

  - L{connectproxy.wire.http2.frames}: types, flags, codes, and the writing of frames.
  - L{connectproxy.wire.http2.reader}: frames out of octets that come in pieces.
  - L{connectproxy.wire.http2.settings}: what the other side asks for in SETTINGS.
  - L{connectproxy.wire.http2.head}: requests and responses out of, and into, fields.

HPACK (RFC 7541) is not here: it needs a table that lives as long as a connection,
and whoever has the connection has that.
"""

from connectproxy.wire.http2.frames import (
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
from connectproxy.wire.http2.head import (
    RequestFields,
    ResponseFields,
    readRequest,
    readResponse,
    readTrailers,
)
from connectproxy.wire.http2.reader import PREFACE, Fault, FrameReader
from connectproxy.wire.http2.settings import PeerSettings, Setting, readSettings

__all__ = [
    "PREFACE",
    "ErrorCode",
    "Fault",
    "Flag",
    "FrameReader",
    "FrameType",
    "PeerSettings",
    "RequestFields",
    "ResponseFields",
    "Setting",
    "codeName",
    "formatData",
    "formatFrame",
    "formatGoAway",
    "formatHeaders",
    "formatReset",
    "formatSettings",
    "formatWindowUpdate",
    "readRequest",
    "readResponse",
    "readSettings",
    "readTrailers",
]
