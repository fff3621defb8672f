"""
What the tests of L{connectproxy.listeners.auto} have in common: dialects that only
keep what they are given, and clients on fake pipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.address import Networks
from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, IDialect, IReceiver
from connectproxy.listeners.auto import AutoFactory, PortOptions
from connectproxy.tls import ServerTLS, TLSOptions
from tests.fakes import SETTINGS, FakeReactor, Peer, RecordingSwitchboard
from tests.listeners.auto.tlspeer import TLSPeer, authority, certified

__all__ = ["GREETING", "HEAD", "OPENINGS", "PREFACE", "SENDER", "AutoCase", "Dialect", "Taken"]

HEAD = b"CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GREETING = b"\x05\x01\x00"
SENDER = "10.0.0.1"
"""Who must send a PROXY header, where anybody must."""


OPENINGS = (
    (HEAD, "http/1.1"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http/1.1"),
    (b"POST http://host.example/ HTTP/1.1\r\n", "http/1.1"),
    (b"PUT", "http/1.1"),
    (b"\r\nGET / HTTP/1.1\r\n", "http/1.1"),
    (b"\r\n\r\nGET / HTTP/1.1\r\n", "http/1.1"),
    (PREFACE, "h2"),
    (PREFACE + b"\0\0\0\4\0\0\0\0\0", "h2"),
    (b"PRI * HTTP/1.1\r\n", "http/1.1"),
    (b"PROPFIND / HTTP/1.1\r\n", "http/1.1"),
    (b"PROXYS / HTTP/1.1\r\n", "http/1.1"),
    (GREETING, "socks5"),
    (b"\x05", "socks5"),
    (b"\x04\x01\x00\x50\x01\x02\x03\x04user\0", "socks4"),
)
"""How connections begin, and what they are."""


@implementer(IHalfCloseableProtocol)
class Taken(Protocol):
    """
    What a connection was handed to.

    @ivar order: C{"made"}, C{"octets"} and C{"lost"}, in the order of the calls.
    """

    transport: Any
    lost: Failure | None = None
    ended = False

    def __init__(self, board: RecordingSwitchboard, arrival: Arrival, protocol: str) -> None:
        self.board = board
        self.arrival = arrival
        self.protocol = protocol
        self.received = b""
        self.order: list[str] = []

    def connectionMade(self) -> None:
        self.order.append("made")

    def dataReceived(self, data: bytes) -> None:
        assert data
        self.order.append("octets")
        self.received += data

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        """Nothing of it matters here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.order.append("lost")
        self.lost = reason
        self.board.connectionClosed()


@implementer(IReceiver)
class Receiver:
    """
    What a dialect has for a port.
    """

    def __init__(self, board: Any) -> None:
        self.board = board
        self.taken: list[Taken] = []
        self.stopped = 0
        self.broken: Exception | None = None

    def receive(self, arrival: Arrival, protocol: str) -> Any:
        if self.broken is not None:
            raise self.broken
        taken = Taken(self.board, arrival, protocol)
        self.taken.append(taken)
        return taken

    def stop(self) -> None:
        self.stopped += 1


@implementer(IDialect)
class Dialect:
    """
    A dialect that is known by prefixes.
    """

    def __init__(
        self, kindName: str, openings: Mapping[bytes, str], alpn: Mapping[bytes, str] | None = None
    ) -> None:
        self.kindName = kindName
        self.openings = openings
        self.protocolNames = tuple(dict.fromkeys(openings.values()))
        self.alpn = alpn or {}
        self.receivers: list[Receiver] = []
        self._firsts = {opening[0] for opening in openings}

    def recognise(self, octets: bytes) -> str | None:
        if octets[:1] in self.openings:
            return self.openings[octets[:1]]
        if self._firsts and octets[0] not in self._firsts:
            return None
        for opening, name in self.openings.items():
            if octets.startswith(opening):
                return name
            if opening.startswith(octets):
                return ""
        return None

    def buildReceiver(self, switchboard: Any) -> Receiver:
        self.receivers.append(Receiver(switchboard))
        return self.receivers[-1]

    def parseOptions(self, mapping: Any, where: str) -> Any:
        """Nobody asks."""

    def listen(self, reactor: Any, description: str, options: Any, switchboard: Any) -> Any:
        """Nobody asks."""


def dialects() -> dict[str, Dialect]:
    """
    As many as there are, with the same names and openings.
    """
    letters = [bytes([octet]) for octet in (*range(65, 91), *range(97, 123), 13, 10)]
    found = (
        Dialect("http", dict.fromkeys(letters, "http/1.1"), {b"http/1.1": "http/1.1"}),
        Dialect("http2", {PREFACE: "h2"}, {b"h2": "h2"}),
        Dialect("socks", {b"\x05": "socks5", b"\x04": "socks4"}),
    )
    return {each.kindName: each for each in found}


class AutoCase(SynchronousTestCase):
    """
    A port for everything, with fake dialects and a fake clock.
    """

    description = "tcp:8080"

    def setUp(self) -> None:
        """
        Make a port that speaks all in clear.  The time is not 0, which stands for nothing.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000.0)
        self.make()

    def make(
        self,
        *,
        protocols: tuple[str, ...] = ("http/1.1", "h2", "socks5", "socks4"),
        tls: bool = False,
        requireTLS: bool = False,
        senders: str = "",
        client: str = "none",
        certificates: tuple[str, ...] = ("proxy.example",),
        authentication: str = "",
        name: str = "",
    ) -> None:
        """
        Make another port.
        """
        self.board = RecordingSwitchboard(self.reactor)
        self.dialects = dialects()
        secured = None
        if tls:
            files = tuple((certified(name).file, certified(name).file) for name in certificates)
            ca = authority().file if client != "none" else ""
            served = tuple(name.encode() for name in ("h2", "http/1.1") if name in protocols)
            secured = ServerTLS(TLSOptions(files, client, ca, served))
        known = Networks.parse(senders) if senders else None
        options = PortOptions(protocols, secured, requireTLS, known, authentication, name)
        self.factory = AutoFactory(self.board, self.description, options, self.dialects)
        self.port: Any = self.reactor.listenTCP(8080, self.wrapped())

    def wrapped(self) -> Any:
        """
        What listens.
        """
        return self.factory

    def connect(self, peer: Any = None, first: bytes = b"", **others: Any) -> Any:
        """
        Have a client connect.

        @param first: what it has sent by the time that it is accepted.
        """
        peer = Peer() if peer is None else peer
        self.port.pauseProducing()
        self.port.connect(peer, **others)
        if first:
            peer.transport.write(first)
            self.reactor.flush()
        self.port.resumeProducing()
        self.reactor.flush()
        return peer

    def send(self, peer: Any, *pieces: bytes) -> None:
        """
        Have a client send pieces, each in a turn of its own.
        """
        for piece in pieces:
            peer.transport.write(piece)
            self.reactor.flush()

    def secure(self, peer: TLSPeer | None = None, **others: Any) -> TLSPeer:
        """
        Have a client connect and finish its handshake.
        """
        peer = self.connect(peer or TLSPeer(), **others)
        peer.begin()
        self.reactor.flush()
        return peer

    def taken(self) -> list[Taken]:
        """
        The connections that were handed over.
        """
        return [
            each
            for dialect in self.dialects.values()
            for receiver in dialect.receivers
            for each in receiver.taken
        ]

    def assertTaken(self, protocol: str, received: bytes) -> Taken:
        """
        The only connection so far was handed over as one of a protocol, connected first,
        with all its octets.
        """
        (taken,) = self.taken()
        self.assertEqual((taken.protocol, taken.received), (protocol, received))
        self.assertEqual(taken.order[0], "made")
        self.assertIs(self.factory.receivers[protocol].taken[0], taken)
        self.assertEqual(self.board.rejections, [])
        self.assertNothingWaits()
        return taken

    def assertNothingWaits(self) -> None:
        """
        The port has no connections of its own, nor deadlines.
        """
        self.assertEqual(self.factory.undecided, set())
        self.assertEqual(len(self.board.wheel), 0)

    def assertRejected(self, kind: str, *words: str, protocol: str = "unknown") -> Refusal:
        """
        The only event so far is a refusal.
        """
        ((refusal, _, listener, spoken, _, method, target),) = self.board.rejections
        self.assertEqual((refusal.kind, spoken, method, target), (kind, protocol, None, None))
        self.assertEqual(listener, self.description)
        for word in words:
            self.assertIn(word, refusal.detail)
        self.assertFalse(refusal.detail.endswith("."))
        self.assertEqual(self.taken(), [])
        return refusal  # type: ignore[no-any-return]

    def assertClosed(self, peer: Any) -> None:
        """
        A client's connection is closed at both ends, and nothing is left of it.
        """
        self.reactor.flush()
        if peer.lost is None:
            self.assertTrue(peer.ended)
            peer.transport.loseConnection()
            self.reactor.flush()
        self.assertBalanced()

    def assertBalanced(self) -> None:
        """
        Each connection that was told to be opened was told to be closed, once.
        """
        self.assertEqual(self.board.opened, self.board.closed)
        self.assertNothingWaits()


assert SETTINGS["timeouts.head"] != SETTINGS["timeouts.handshake"], "tests tell them apart"
