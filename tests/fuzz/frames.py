"""
The targets for HTTP/2: frames, and what header sections say.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectproxy.errors import Refusal
from connectproxy.wire.forwarding import endToEnd, formatOriginHead
from connectproxy.wire.framing import CHUNKED, NONE, Delimiter, Framing, requestFraming
from connectproxy.wire.http1 import HeadReader
from connectproxy.wire.http2 import (
    PREFACE,
    Fault,
    FrameReader,
    FrameType,
    PeerSettings,
    RequestFields,
    readRequest,
    readSettings,
    readTrailers,
)
from connectproxy.wire.target import readAuthority
from tests.fuzz.feeding import Case, check, fit, steady
from tests.fuzz.messages import VIA, WIDE, reread

__all__ = ["fields", "frames"]


def read(pieces: Iterable[bytes], preface: bytes) -> tuple[object, ...]:
    """
    Feed pieces to a reader of frames.

    @return: the frames, in one piece all DATA that follow each other on a stream; why it
        ended; and whether something is unfinished.
    """
    reader = FrameReader(preface)
    found: list[tuple[int, int, int, bytes, int]] = []
    for piece in pieces:
        if reader.fault is not None:
            break
        for frame in reader.receive(piece):
            kind, flags, stream, payload, credit = frame
            check(kind != FrameType.CONTINUATION and 0 <= stream < 1 << 31 and len(payload) < 1 << 18, frame)
            check(credit >= len(payload) if kind == FrameType.DATA else not credit, frame)
            if kind == FrameType.DATA and found and found[-1][:3] == (kind, 0, stream):
                _, _, _, before, earlier = found.pop()
                payload, credit = before + payload, credit + earlier
            found.append((kind, flags, stream, payload, credit))
    fault = reader.fault
    if fault is not None:
        _fit(fault)
    return tuple(found), fault, None if fault else reader.unfinished


def _fit(fault: Fault) -> None:
    check(fault.detail.isascii() and fault.detail.isprintable() and len(fault.detail) < 200, fault)


def frames(octets: bytes) -> None:
    """
    What one side of HTTP/2 sends.
    """
    case = Case(octets)
    preface = PREFACE if case.choice & 1 else b""
    found, _, _ = steady(case, lambda pieces: read(pieces, preface))
    for kind, _, _, payload, _ in found:  # type: ignore[attr-defined]
        if kind == FrameType.SETTINGS:
            settings = readSettings(payload, PeerSettings())
            if isinstance(settings, Fault):
                _fit(settings)


def fields(octets: bytes) -> None:
    """
    A header section, each field with its name before 0x1f and 0x1e behind it: written as
    HTTP/1.1, it says there what it said here.
    """
    case = Case(octets)
    section = [
        (name, value) for name, _, value in (each.partition(b"\x1f") for each in case.octets.split(b"\x1e"))
    ]
    for refusal in (readTrailers(section), request := readRequest(section)):
        if isinstance(refusal, Refusal):
            fit(refusal)
    if not isinstance(request, RequestFields) or request.scheme != b"http" or request.protocol:
        return
    where = readAuthority(request.authority)
    if isinstance(where, Refusal):
        fit(where)
        return
    framing = CHUNKED if case.choice & 1 else NONE
    if request.length is not None:
        framing = Framing(Delimiter.LENGTH, request.length)
    written = formatOriginHead(
        request.method, request.path, where[1], request.fields, VIA, received=b"2.0", framing=framing
    )
    again = reread(HeadReader(WIDE), written)
    check((again.method.encode(), again.target) == (request.method, request.path), again, request)
    check(again.values(b"host") == [where[1]] and requestFraming(again) == framing, again, request)
    made = (b"host", b"content-length")
    # White space at the end of a value is none of it in HTTP/1.1; a cookie whose last crumb is empty has some.
    expected = [(name, value.strip()) for name, value in endToEnd(request.fields) if name not in made]
    left = [field for field in again.fields[:-1] if field[0] not in (*made, b"transfer-encoding")]
    check(left == expected, again, request)
