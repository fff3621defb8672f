"""
What a request asks for, and what becomes of it: a CONNECT, or any other.

Of the others a target in absolute form is forwarded (RFC 9112 section 3.2.2), one in origin form
is for the proxy itself, and what could be read in two ways is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from connectproxy.address import Destination, parseAuthority
from connectproxy.errors import Refusal
from connectproxy.listeners.http.exchange import Exchange
from connectproxy.page import ALLOW, page
from connectproxy.wire.date import date
from connectproxy.wire.forwarding import checkRequest, loops, maxForwards, parseTarget, targetForm
from connectproxy.wire.framing import NONE, requestFraming
from connectproxy.wire.grammar import escape
from connectproxy.wire.http1 import RequestHead, checkConnect, formatResponse

if TYPE_CHECKING:
    from connectproxy.listeners.http.connection import HTTPProxy

__all__ = ["Answer", "take", "tunnelTo"]

_LOOP = Refusal("proxy_loop_detected", "the request has been here before, as its Via or CDN-Loop says")


class Answer(NamedTuple):
    """
    A response of the proxy's own that is no refusal.

    @ivar fields: those that are this answer's own.
    @ivar body: as the answer to a GET has it.
    @ivar bare: the body is left out, but its length is told: it was a HEAD.
    @ivar close: the connection ends in any case.
    """

    status: int
    reason: str
    fields: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    bare: bool = False
    close: bool = False

    def format(self, *, close: bool) -> bytes:
        """
        The response.

        @param close: whether the connection ends with it.
        """
        length = str(len(self.body))
        fields = [("Date", date().decode("ascii")), *self.fields, ("Content-Length", length)]
        if close:
            fields.append(("Connection", "close"))
        return formatResponse(self.status, self.reason, fields, b"" if self.bare else self.body)


def tunnelTo(proxy: HTTPProxy, head: RequestHead) -> Destination | Refusal:
    """
    Find out where a CONNECT wants to go.

    @return: that; or why it gets no tunnel.
    """
    refusal = checkConnect(head)
    if refusal is None and loops(head, proxy.factory.switchboard.via):
        refusal = _LOOP
    return parseAuthority(head.target) if refusal is None else refusal


def take(proxy: HTTPProxy, head: RequestHead) -> Exchange | Answer | Refusal:
    """
    Find out what a request asks for.

    @param head: not a CONNECT's.
    @return: what is going to forward it; or the answer; or why there is none, and
        then nothing behind the request may be read.
    """
    refusal = checkRequest(head)
    if refusal is not None:
        return refusal
    framing = requestFraming(head)
    if isinstance(framing, Refusal):
        return framing
    form = targetForm(head)
    if form == "origin":
        host = b"".join(head.values(b"host"))  # one, or none in HTTP/1.0
        reached = proxy.transport.getHost()  # type: ignore[union-attr]
        secure = proxy.arrival.tls is not None
        answer = page(head.method, head.target, host, reached, secure, proxy.factory.identifier)
        return Answer(*answer, bare=head.method == "HEAD", close=framing is not NONE)
    if form == "asterisk" and head.method == "OPTIONS":
        return Answer(200, "OK", [("Allow", ALLOW)], close=framing is not NONE)
    if form != "absolute":
        shown = escape(head.method.encode("ascii"))
        return Refusal("http_request_error", f"the target of {shown} is no http URL; write http://host/path")
    target = parseTarget(head)
    if isinstance(target, Refusal):
        return target
    if head.method == "TRACE":
        # It would show the fields that the client did not write itself.
        return Answer(405, "Method Not Allowed", [("Allow", ALLOW)], close=framing is not NONE)
    if loops(head, proxy.factory.switchboard.via):
        return _LOOP
    forwards = maxForwards(head)
    if isinstance(forwards, Refusal):
        return forwards
    if forwards == 0:
        return Answer(200, "OK", [("Allow", ALLOW)], close=framing is not NONE)
    return Exchange(proxy, head, target, framing, None if forwards is None else forwards - 1)
