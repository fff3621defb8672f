"""
What the tests of forwarding have in common: a port on a real switchboard, whose
connections to origins are made by the test, and h11 as the judge of what clients get.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import h11

from tests.fakes import KERNEL, Peer
from tests.listeners.http.test_connection_tunnel import TunnelCase

__all__ = ["GET", "OK", "URL", "ForwardCase", "Response", "get", "responses"]

URL = b"http://origin.example/path?query"

GET = b"GET http://origin.example/path?query HTTP/1.1\r\nHost: origin.example\r\n\r\n"

OK = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello"


def get(*fields: bytes, method: bytes = b"GET", target: bytes = URL, version: bytes = b"1.1") -> bytes:
    """
    A request without a body.
    """
    lines = b"".join(field + b"\r\n" for field in (b"Host: origin.example", *fields))
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version, lines)


class Response(NamedTuple):
    """
    What a client understands.

    @ivar whole: the body came to its end.
    """

    status: int
    fields: dict[bytes, bytes]
    body: bytes
    whole: bool


def responses(received: bytes, *methods: str, ended: bool = False) -> list[Response]:
    """
    Take what a client has received apart, as h11 understands it: interim responses too.

    @param methods: of the client's requests, in order; by default one GET.
    @param ended: the stream has come to its end.
    """
    found: list[Response] = []
    rest = bytes(received)
    for method in methods or ("GET",):
        if not rest:
            break
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("Host", "origin.example")]))
        client.send(h11.EndOfMessage())
        client.receive_data(rest)
        head: Any = None
        body, whole = bytearray(), False
        atEnd = False
        while True:
            try:
                event = client.next_event()
            except h11.RemoteProtocolError:
                if not atEnd:
                    raise
                break
            if event is h11.NEED_DATA:
                if not ended or atEnd:
                    break
                atEnd = True
                client.receive_data(b"")
            elif isinstance(event, h11.InformationalResponse):
                found.append(Response(event.status_code, dict(event.headers), b"", True))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                whole = True
                break
            else:
                break
        if head is None:
            break
        found.append(Response(head.status_code, dict(head.headers), bytes(body), whole))
        rest = bytes(client.trailing_data[0])
    return found


class ForwardCase(TunnelCase):
    """
    Requests that are forwarded.
    """

    def exchange(self, request: bytes = GET, *, capacity: int = KERNEL) -> tuple[Peer, Peer]:
        """
        Have a request reach its origin.

        @return: the client and the origin.
        """
        client = self.ask(request)
        origin = self.upstream.dials[-1].succeed(capacity=capacity)
        self.reactor.flush()
        return client, origin

    def reply(self, origin: Peer, octets: bytes = OK) -> None:
        """
        Have an origin respond.
        """
        origin.transport.write(octets)
        self.reactor.flush()

    def head(self, origin: Peer) -> dict[bytes, bytes]:
        """
        The fields of the last request that an origin has got.
        """
        _, _, section = bytes(origin.received).rpartition(b"HTTP/1.1\r\n")
        lines = section.partition(b"\r\n\r\n")[0].split(b"\r\n")
        names = [line.partition(b": ")[0].lower() for line in lines]
        assert len(names) == len(set(names)), names
        return {line.partition(b": ")[0].lower(): line.partition(b": ")[2] for line in lines}

    def response(self, client: Peer, *methods: str) -> Response:
        """
        The one response that a client has got.
        """
        self.reactor.flush()
        found = responses(client.received, *methods, ended=client.ended or client.lost is not None)
        assert len(found) == 1, client.received
        return found[0]

    def all(self, client: Peer, *methods: str) -> list[Response]:
        """
        Every response that a client has got.
        """
        return responses(client.received, *methods, ended=client.ended or client.lost is not None)

    def through(self, octets: bytes, request: bytes = GET) -> Response:
        """
        What a client gets of what an origin says.
        """
        client, origin = self.exchange(request)
        self.reply(origin, octets)
        return self.response(client, request.split()[0].decode())

    def events(self) -> list[dict[str, Any]]:
        """
        The events so far.
        """
        events: list[dict[str, Any]] = self.board.ledger.events
        return events

    def end(self) -> dict[str, Any]:
        """
        The last event.
        """
        return self.events()[-1]

    def wait(self, seconds: float) -> None:
        """
        Let time pass, and a little more.
        """
        self.reactor.advance(seconds + 0.5)
        self.reactor.flush()
