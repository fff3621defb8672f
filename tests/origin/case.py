"""
What the tests of connections to origins have in common.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import Attempt, Established
from connectproxy.leg import Leg
from connectproxy.origin import OriginConnection, Patience
from connectproxy.wheel import Wheel
from tests.fakes import KERNEL, FakeReactor, Peer, pipePair

__all__ = ["OriginCase", "Sink"]

PATIENCE = Patience(10.0, 20.0, 30.0)


class Sink:
    """
    Keeps what it is told.

    @ivar told: the calls, as tuples.
    @ivar body: the contents.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.body = b""
        self.also: Any = lambda: None

    @property
    def names(self) -> list[str]:
        """What has been called."""
        return [each[0] for each in self.told]

    def interim(self, head: Any) -> None:
        self.told.append(("interim", head.status))
        self.also()

    def respond(self, head: Any, framing: Any, octets: bytes, done: bool) -> None:
        self.told.append(("respond", head.status, framing, done))
        self.body += octets
        self.also()

    def content(self, octets: bytes, done: bool) -> None:
        self.told.append(("content", done))
        self.body += octets
        self.also()

    def switched(self, head: Any, leg: Any) -> None:
        self.told.append(("switched", leg))

    def failed(self, refusal: Any, begun: bool, stale: bool) -> None:
        self.told.append(("failed", refusal.kind, begun, stale))

    def pauseRequest(self) -> None:
        self.told.append(("pause",))

    def resumeRequest(self) -> None:
        self.told.append(("resume",))


class OriginCase(SynchronousTestCase):
    """
    Connections to an origin that is the test.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.wheel = Wheel(self.reactor)

    def open(self, held: bytes = b"", *, capacity: int = KERNEL) -> tuple[OriginConnection, Peer]:
        """
        Have a connection.

        @param held: what the origin has said already.
        """
        leg, origin = Leg(), Peer()
        pipePair(self.reactor, leg, origin, capacity=capacity)
        if held:
            leg.dataReceived(held)
        attempts = (Attempt("192.0.2.1", "connected", 0.1),)
        established = Established(leg, "192.0.2.1:80", attempts, 5.0)
        return OriginConnection(established, self.reactor, self.wheel, PATIENCE), origin

    def ask(self, method: str = "GET", **others: Any) -> tuple[OriginConnection, Peer, Sink]:
        """
        Have a connection with a request on it.
        """
        connection, origin = self.open()
        sink = Sink()
        connection.begin(sink, method, b"the head", **others)
        self.reactor.flush()
        return connection, origin, sink

    def say(self, origin: Peer, octets: bytes) -> None:
        """
        Have an origin say something.
        """
        origin.transport.write(octets)
        self.reactor.flush()

    def wait(self, seconds: float) -> None:
        """
        Let time pass, and a little more.
        """
        self.reactor.advance(seconds + 0.5)
        self.reactor.flush()

    def assertClosed(self, origin: Peer) -> None:
        """
        The connection is closed, and nothing is left of it.
        """
        self.reactor.flush()
        self.assertTrue(origin.ended or origin.lost)
        origin.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(len(self.wheel), 0)
