"""
Where a body ends: what the head says of it, and reading up to there.

Owns the rules of RFC 9112 section 6.3: what the fields of a message say about the
length of its body, and which messages are refused because two readers could
disagree about it.  It knows heads and octets; the chunked coding is
L{connectproxy.wire.chunked}'s.

Stricter than the RFC where it leaves a choice: a message with both
C{Transfer-Encoding} and C{Content-Length} is refused, and so is one with several
C{Content-Length} fields, even if they agree.  No transfer coding but C{chunked}
is served, for none is ever asked for: no C{TE} is sent.

Left out: content codings, which are nobody's between the ends.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from connectproxy.errors import Refusal
from connectproxy.wire.chunked import LAST_CHUNK, ChunkedReader, formatChunk, formatTrailers
from connectproxy.wire.grammar import Limits, escape
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.response import ResponseHead

__all__ = [
    "CHUNKED",
    "CLOSE",
    "LAST_CHUNK",
    "NONE",
    "BodyReader",
    "Delimiter",
    "Framing",
    "formatChunk",
    "formatTrailers",
    "requestFraming",
    "responseFraming",
]

_MOST = 2**63 - 1
"""The greatest length: what is beyond is negative to many a reader."""

_LENGTH = re.compile(rb"[0-9]{1,19}")
"""RFC 9110 section 8.6: Content-Length = 1*DIGIT"""

_DEFAULT = Limits()


class Delimiter(Enum):
    """
    What can tell where a body ends.
    """

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class Framing(NamedTuple):
    """
    What tells where the body of one message ends.

    L{NONE}, L{CHUNKED} and L{CLOSE} are those that have no length.

    @ivar kind: there is no body; it has a length; it is chunked; it goes on until
        the connection ends.
    @ivar length: octets of the body, 0 to 2**63 - 1, for C{LENGTH}; 0 otherwise.
    """

    kind: Delimiter
    length: int = 0


NONE = Framing(Delimiter.NONE)
CHUNKED = Framing(Delimiter.CHUNKED)
CLOSE = Framing(Delimiter.CLOSE)

_FRAMERS = frozenset((b"transfer-encoding", b"content-length"))


def requestFraming(head: RequestHead) -> Framing | Refusal:
    """
    What delimits the body of a request (RFC 9112 section 6.3).

    @return: L{NONE}, L{CHUNKED} or a length; or a refusal: of kind
        C{http_transfer_coding_unsupported} for codings that nobody here knows with
        C{chunked} behind them, of kind C{http_request_error} for all that is wrong.
        The connection can't go on after a refusal: nobody knows where the next
        request begins.
    """
    codings, lengths = _framers(head.fields)
    if not codings:
        return _length(lengths, "http_request_error") if lengths else NONE
    if lengths:
        return _bad("there are both a Transfer-Encoding and a Content-Length; send one of them")
    if not head.minor:
        return _bad("there is a Transfer-Encoding, which HTTP/1.0 does not have")
    if len(codings) == 1 and codings[0].lower() == b"chunked":
        return CHUNKED
    *others, last = [coding.strip(b" \t").lower() for coding in b",".join(codings).split(b",")]
    # RFC 9112 section 6.3 demands 400 where chunked isn't last; section 6.1 wants 501 for unknown ones.
    if last != b"chunked":
        return _bad(f"the last transfer coding is not chunked: {escape(last)}")
    if b"" in others or any(coding.startswith(b"chunked") for coding in others):
        return _bad("the Transfer-Encoding has chunked in it twice, or an empty element")
    return Refusal(
        "http_transfer_coding_unsupported", f"the transfer coding {escape(others[0])} is not served"
    )


def responseFraming(method: str, head: ResponseHead) -> Framing | Refusal:
    """
    What delimits the body of a response (RFC 9112 section 6.3).

    @param method: the method of the request.
    @return: L{NONE}, L{CHUNKED}, a length or L{CLOSE}; or a refusal: of kind
        C{http_response_transfer_coding} for another transfer coding than
        C{chunked}, of kind C{http_protocol_error} for all that is wrong.
    """
    status = head.status
    codings, lengths = _framers(head.fields)
    if method == "CONNECT" and 200 <= status < 300:
        return NONE  # RFC 9110 section 9.3.6: both fields are to be ignored
    framing: Framing | Refusal = CLOSE
    if codings:
        if lengths:
            return _wrong("there are both a Transfer-Encoding and a Content-Length")
        if not head.minor:
            return _wrong("there is a Transfer-Encoding, which HTTP/1.0 does not have")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            shown = escape(b", ".join(codings))
            return Refusal("http_response_transfer_coding", f"the transfer coding is {shown}, not chunked")
        framing = CHUNKED
    elif lengths:
        framing = _length(lengths, "http_protocol_error")
    if status < 200 or status in (204, 304) or method == "HEAD":
        return framing if isinstance(framing, Refusal) else NONE
    return framing


def _framers(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[list[bytes], list[bytes]]:
    """The values of Transfer-Encoding and of Content-Length."""
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in fields:
        if name in _FRAMERS:
            (lengths if name == b"content-length" else codings).append(value)
    return codings, lengths


def _length(lengths: list[bytes], kind: str) -> Framing | Refusal:
    """What the values of Content-Length say."""
    if len(lengths) > 1:
        return Refusal(kind, f"there are {len(lengths)} Content-Length fields; there must be one")
    if _LENGTH.fullmatch(lengths[0]) is None or (length := int(lengths[0])) > _MOST:
        return Refusal(kind, f"the Content-Length is no number of octets: {escape(lengths[0])}")
    return Framing(Delimiter.LENGTH, length)


def _bad(detail: str) -> Refusal:
    return Refusal("http_request_error", detail)


def _wrong(detail: str) -> Refusal:
    return Refusal("http_protocol_error", detail)


class BodyReader:
    """
    Reads one body up to its end, in whatever pieces it comes, and holds none of it.

    @ivar done: whether the body is complete; at once if there is none.
    @ivar leftover: what came behind its end.
    """

    __slots__ = ("_chunks", "_kind", "_left", "_response", "done", "leftover")

    def __init__(
        self, framing: Framing, *, response: bool = False, passing: bool = False, limits: Limits = _DEFAULT
    ) -> None:
        """
        @param framing: what delimits it.
        @param response: whether it is the body of a response, and a mistake the
            origin's: this makes the kinds of refusals.
        @param passing: whether a chunked body goes on chunked: then what is given
            has its framing, without extensions, and the end with its trailers.
        @param limits: those on the trailers.
        """
        self._kind = framing.kind
        self._left = framing.length
        self._response = response
        chunked = framing.kind is Delimiter.CHUNKED
        self._chunks = ChunkedReader(response, passing, limits) if chunked else None
        self.done = framing.kind is Delimiter.NONE or (
            framing.kind is Delimiter.LENGTH and not framing.length
        )
        self.leftover = b""

    @property
    def trailers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The trailers that may be passed on, names in lower case; empty before the end."""
        return () if self._chunks is None else self._chunks.trailers

    def receive(self, octets: bytes) -> bytes | Refusal:
        """
        Take what has come.

        @return: what may be passed on now, which may be nothing; or a refusal of
            kind C{http_request_error}, C{http_protocol_error} or one of too many
            trailers, which stays.
        @raise RuntimeError: the body is complete, and these octets are no part of it.
        """
        if self.done:
            raise RuntimeError("this body is complete; what comes behind it is the next message's")
        chunks = self._chunks
        if chunks is not None:
            taken = chunks.receive(octets)
            if chunks.done:
                self.done = True
                self.leftover = chunks.leftover
            return taken
        if self._kind is Delimiter.CLOSE:
            return octets
        left = self._left - len(octets)
        if left > 0:
            self._left = left
            return octets
        self._left = 0
        self.done = True
        if not left:
            return octets
        self.leftover = octets[left:]
        return octets[:left]

    def ended(self) -> Refusal | None:
        """
        The stream has ended.

        @return: L{None} if the body is complete, as one that goes on until the end
            is now; or a refusal of kind C{http_response_incomplete} or
            C{http_request_error}: to whom it was passed on it must not look complete
            (RFC 9112 section 8).
        """
        if self.done or self._kind is Delimiter.CLOSE:
            self.done = True
            return None
        missing = "the last chunk" if self._chunks is not None else f"{self._left} octets"
        kind = "http_response_incomplete" if self._response else "http_request_error"
        return Refusal(kind, f"the stream ended in the body: {missing} did not come")
