"""
One connection to an origin, with one request on it at a time (RFC 9112 section 9).

Owns the order of things: a request out, interim responses and one final response
in; when a response is complete, cut short or late; and whether another request may
follow.  What the messages look like is L{connectproxy.wire}'s.

An origin is not trusted: what it sends unasked ends the connection, and so does
what is no HTTP.

Left out: requests that do not wait for the response of the one before.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import Established, Terms
from connectproxy.leg import Leg, adopt
from connectproxy.origin.lifetime import Lifetime
from connectproxy.origin.sink import Patience, ResponseSink, Upload
from connectproxy.sockets import pendingError, writeNow
from connectproxy.wire.forwarding import persistent
from connectproxy.wire.framing import BodyReader, Delimiter, Framing, responseFraming
from connectproxy.wire.response import ResponseHead, ResponseReader

__all__ = ["INTERIM", "OriginConnection"]

INTERIM = 32
"""How many interim responses may come before the final one."""

LONGEST = 4096
"""Octets of a head that is known again: within a second, an origin says the same over and over."""


@implementer(IHalfCloseableProtocol)
class OriginConnection(Lifetime):
    """
    A connection to an origin.

    @ivar trailers: of the response that is done, those that may be passed on.
    """

    trailers: tuple[tuple[bytes, bytes], ...] = ()
    _method = ""
    _reader: ResponseReader | None = None
    _body: BodyReader | None = None
    _served = 0
    _interim = 0
    _heard = False
    _passing = False
    _upgrade = False
    _persistent = False
    _known: tuple[bytes, str, ResponseHead, Framing] | None = None
    _silence = 0.0

    def __init__(self, established: Established, clock: Any, wheel: Any, patience: Patience) -> None:
        """
        Take the connection over.

        @param established: its leg is not lost.
        @param clock: tells the time.
        @param wheel: keeps the deadlines, on the same clock.
        """
        self.established = established
        self._clock = clock
        self._wheel = wheel
        self._patience = patience
        leg = established.protocol
        self._early = leg.held
        self._ended = leg.ended
        adopt(leg.transport, self)
        if leg.held:
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def begin(
        self,
        sink: ResponseSink,
        method: str,
        head: bytes,
        *,
        more: bool = False,
        passing: bool = False,
        upgrade: bool = False,
        terms: Terms | None = None,
    ) -> None:
        """
        Send a request.  There is none on the connection.

        Nothing is told before this returns, unless the origin has said something
        before it was asked, or no more of the body may come for now.

        @param method: the request's.
        @param head: its head, as it goes over the connection.
        @param more: whether a body follows, by L{write} and L{finish}.
        @param passing: whether a chunked body of the response is wanted with its
            framing, to be passed on chunked.
        @param upgrade: whether the head offers another protocol.
        @param terms: the limits of its rate, and how long it may be silent, where that
            is not what all are.
        """
        self._sink = sink
        self._method = method
        self._reader = self._body = None
        self._interim = 0
        self._heard = False
        self._passing = passing
        self._upgrade = upgrade
        self.reusable = False
        self._served += 1
        writeNow(self.transport, head)  # type: ignore[arg-type]
        self.active = self._clock.seconds()
        self._silence = self._patience.silence
        producer: Any = None
        if more:
            producer = self._upload = Upload(sink)
        if terms is not None:
            if terms.timeouts is not None:
                self._silence = terms.timeouts.idle
            if terms.shapers:
                self._limit(terms.shapers, len(head))
                producer = self._up
        if more:
            self.transport.registerProducer(producer, True)  # type: ignore[union-attr]
            self._listen()
        else:
            self.within(self._patience.response)
        if self._early:
            early, self._early = self._early, b""
            self.dataReceived(early)
        if self._ended and self._sink is sink:
            self.readConnectionLost()

    def write(self, octets: bytes) -> None:
        """
        Send more of the request's body.  Nothing happens once the response is
        done or has failed.
        """
        if self._upload is not None:
            self.active = self._clock.seconds()
            writeNow(self.transport, octets)  # type: ignore[arg-type]
            if self._up is not None:
                self._up.passed(len(octets))

    def finish(self) -> None:
        """
        All of the request's body has been given to L{write}.
        """
        if self._upload is not None:
            self._stopUpload()
            if self._body is None:
                self.within(self._patience.response)

    def dataReceived(self, data: bytes) -> None:
        """
        Part of a response; or something that nobody has asked for.
        """
        sink = self._sink
        if sink is None:
            self._drop()
            return
        if self._down is not None:
            self._down.passed(len(data))
        self._heard = True
        self.active = self._clock.seconds()
        body = self._body
        if body is None:
            self._readHead(data)
            return
        octets = body.receive(data)
        if not isinstance(octets, bytes):
            self._fail(octets)
        elif body.done:
            self.trailers = body.trailers
            self._done(body.leftover)
            sink.content(octets, True)
        elif octets:
            sink.content(octets, False)

    def _readHead(self, data: bytes) -> None:
        """
        Read heads until one is final.
        """
        while True:
            reader = self._reader
            if reader is None:
                known = self._known
                if known is not None and data.startswith(known[0]) and self._method == known[1]:
                    self._persistent = True
                    self._respond(known[2], data[len(known[0]) :], known[3])
                    return
                reader = self._reader = ResponseReader(self._method)
            whole = not reader.started
            head = reader.receive(data)
            if head is None:
                return
            self._reader = None
            if isinstance(head, Refusal):
                self._fail(head)
                return
            octets, data = data, reader.leftover
            if head.status >= 200:
                framing = responseFraming(self._method, head)
                if isinstance(framing, Refusal):
                    self._fail(framing)
                    return
                self._persistent = persistent(head)
                size = len(octets) - len(data)
                if whole and self._served > 1 and self._persistent and size <= LONGEST:
                    self._known = (octets[:size], self._method, head, framing)
                self._respond(head, data, framing)
                return
            if head.status == 101:
                self._switch(head, data)
                return
            self._interim += 1
            if self._interim > INTERIM:
                self._fail(
                    Refusal("http_protocol_error", f"there were more than {INTERIM} interim responses")
                )
                return
            sink = self._sink
            sink.interim(head)
            if self._sink is not sink:
                return
            if self._upload is None:
                self.within(self._patience.response)
            if not data:
                return

    def _respond(self, head: ResponseHead, data: bytes, framing: Framing) -> None:
        """
        The final head is there.

        @param data: what has come behind it.
        """
        sink = self._sink
        kind = framing.kind
        if kind is Delimiter.LENGTH and len(data) == framing.length:
            self._done(b"")
            sink.respond(head, framing, data, True)
            return
        if kind is Delimiter.NONE or (kind is Delimiter.LENGTH and not framing.length):
            self._done(data)
            sink.respond(head, framing, b"", True)
            return
        self._body = body = BodyReader(framing, response=True, passing=self._passing)
        self._listen()
        taken = body.receive(data) if data else b""
        if isinstance(taken, Refusal):
            sink.respond(head, framing, b"", False)
            if self._sink is sink:
                self._fail(taken)
            return
        if body.done:
            self.trailers = body.trailers
            self._done(body.leftover)
            sink.respond(head, framing, taken, True)
        else:
            sink.respond(head, framing, taken, False)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        """
        The origin says that it speaks another protocol from here on.
        """
        if not self._upgrade or self._upload is not None:
            self._fail(Refusal("http_protocol_error", "the protocol was changed and nobody had asked for it"))
            return
        sink, self._sink = self._sink, None
        self._lift()
        self._closed = True
        self.forget()
        sink.switched(head, Leg.of(self.transport, data, ended=self._ended))

    def _done(self, left: bytes) -> None:
        """
        The response is complete: settle what becomes of the connection.
        """
        self._body = self._sink = None
        self._lift()
        if self._upload is not None or left or self._ended or not self._persistent:
            self.close()
        else:
            self.reusable = True

    def _fail(self, refusal: Refusal, stale: bool = False) -> None:
        """
        The request is over, and the connection too.
        """
        sink, begun = self._sink, self._body is not None
        form = self.established.form
        if form is not None and not begun:
            refusal = form.failure(refusal)
        self._body = None
        self.abort()
        sink.failed(refusal, begun, stale)

    def _listen(self) -> None:
        """
        Something has to move from time to time.
        """
        if self._silence:
            self.within(self._silence)
        else:
            self.whenever()

    def overdue(self, now: float) -> None:
        """
        See L{Deadline.overdue}.
        """
        if self._sink is None:
            if self.pool is not None:
                self.pool.remove(self)
            else:
                self.abort()
            return
        if (self._up is not None and self._up.waiting) or (self._down is not None and self._down.waiting):
            self.active = now  # it is a limit that it waits for, and nobody's fault
            self.within(self._patience.response)
            return
        upload = self._upload
        if self._body is None and upload is None:
            seconds = self._patience.response
            self._fail(Refusal("http_response_timeout", f"there was no response after {seconds:g} s"))
            return
        seconds = self._silence
        left = self.active + seconds - now
        if left > 0:
            self.within(left)
        elif self._body is None and upload is not None and not upload.paused:
            self._fail(Refusal("http_request_timeout", f"nothing of the body came for {seconds:g} s"))
        else:
            self._fail(Refusal("http_response_timeout", f"nothing moved for {seconds:g} s"))

    def readConnectionLost(self) -> None:
        """
        The origin has ended its stream.
        """
        self._ended = True
        if self._sink is None:
            self._drop()
        elif pendingError(self.transport):
            self._cut("reset")
        else:
            self._cut("ended")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        self._closed = True
        self._upload = None
        self._lift()
        self.forget()
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.forget(self)
        if self._sink is not None:
            self._cut("ended" if reason.check(ConnectionDone) else "reset")

    def _cut(self, how: str) -> None:
        """
        The origin has closed with a request on the connection.

        @param how: C{"ended"} in order, or C{"reset"}.
        """
        body, sink = self._body, self._sink
        if body is not None:
            wrong = body.ended() if how == "ended" else None
            if wrong is None and how == "ended":
                self._done(b"")
                sink.content(b"", True)
                return
            self._fail(wrong or Refusal("http_response_incomplete", "the connection was reset in the body"))
        elif self._heard:
            self._fail(
                Refusal("http_response_incomplete", f"the connection {_WORDS[how]} in the response's head")
            )
        else:
            kind = "connection_terminated" if self._served > 1 else "http_response_incomplete"
            what = f"the connection {_WORDS[how]} before there was a response"
            self._fail(Refusal(kind, what), stale=self._served > 1)


_WORDS = {"ended": "ended", "reset": "was reset"}
