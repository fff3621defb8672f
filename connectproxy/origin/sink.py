"""
Who sends requests to origins: how long it waits, and what it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from typing import Protocol as Shape

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.leg import Leg
from connectproxy.wire.framing import Framing
from connectproxy.wire.response import ResponseHead

__all__ = ["KEPT", "Patience", "ResponseSink", "Upload"]

KEPT = 60.0
"""Seconds that a connection is kept without a request, at most."""


class Patience(NamedTuple):
    """
    Seconds that an origin may take.

    @ivar response: from the end of the request to the head of the response, and
        from each interim response to the next.
    @ivar silence: without an octet in either direction, while a body is under way.
    @ivar kept: without a request.
    """

    response: float = 120.0
    silence: float = 3600.0
    kept: float = KEPT

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Patience:
        """
        As the settings have it: C{timeouts.response}, C{timeouts.idle} and
        C{timeouts.keep_alive}.
        """
        kept = min(KEPT, settings["timeouts.keep_alive"])
        return cls(settings["timeouts.response"], settings["timeouts.idle"], kept)


class ResponseSink(Shape):
    """
    Who has sent a request, and takes what comes of it.
    """

    def interim(self, head: ResponseHead) -> None:
        """
        An interim response has come (RFC 9110 section 15.2), other than 101.
        """

    def respond(self, head: ResponseHead, framing: Framing, octets: bytes, done: bool) -> None:
        """
        The final response has come.

        @param framing: of its body, which C{octets} begins: what came with the head.
        @param done: whether that is all of it.
        """

    def content(self, octets: bytes, done: bool) -> None:
        """
        More of the body.

        @param octets: perhaps none.
        @param done: whether that is all of it.
        """

    def switched(self, head: ResponseHead, leg: Leg) -> None:
        """
        The origin has changed the protocol (RFC 9110 section 15.2.2), which
        C{begin} had said it may.

        @param head: the 101.
        @param leg: what is left of the connection, with what came behind the
            head.  It is the sink's from now on, and nothing has looked whether the
            protocol is the right one.
        """

    def failed(self, refusal: Refusal, begun: bool, stale: bool) -> None:
        """
        There will be no more: the origin has closed too early, or was too slow, or
        what it sends is no HTTP.  The connection is closed.

        @param begun: whether the final head had been told.
        @param stale: whether it was an idle connection that has turned out closed
            before any octet of a response: the request may go out once more if that
            is harmless (RFC 9112 section 9.3.1).
        """

    def pauseRequest(self) -> None:
        """
        The origin takes no more of the request's body for now.
        """

    def resumeRequest(self) -> None:
        """
        It does again.
        """


@implementer(IPushProducer)
class Upload:
    """
    The producer of the request's body, as the origin's transport sees it.
    """

    __slots__ = ("_sink", "paused")

    def __init__(self, sink: ResponseSink) -> None:
        self._sink = sink
        self.paused = False

    def pauseProducing(self) -> None:
        """The transport has enough for now."""
        self.paused = True
        self._sink.pauseRequest()

    def resumeProducing(self) -> None:
        """The transport has written what it had."""
        self.paused = False
        self._sink.resumeRequest()

    def stopProducing(self) -> None:
        """The transport is lost, and says so next."""
