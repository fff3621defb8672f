"""
What the tests of endpoints have in common: a proxy in the hands of the test, and an
application's protocol that keeps what it hears, in its order.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.endpoints import CONNECTClientEndpoint
from tests.fakes import FakeReactor

OPEN = b"HTTP/1.1 200 OK\r\n\r\n"
"""What opens a tunnel."""


@implementer(IHalfCloseableProtocol)
class Application(Protocol):
    """
    @ivar heard: what it was told, in order.
    """

    transport: Any

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connectionMade(self) -> None:
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def readConnectionLost(self) -> None:
        self.heard.append("ended")

    def writeConnectionLost(self) -> None:
        self.heard.append("half-closed")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.heard.append(reason.type)


class Applications(Factory):
    """
    @ivar turns: of C{doStart} and C{doStop}, those that counted.
    @ivar addresses: what C{buildProtocol} was given.
    """

    noisy = False

    def __init__(self, protocol: Any = Application) -> None:
        self.make = protocol
        self.turns: list[str] = []
        self.addresses: list[Any] = []

    def startFactory(self) -> None:
        self.turns.append("start")

    def stopFactory(self) -> None:
        self.turns.append("stop")

    def buildProtocol(self, addr: Any) -> Any:
        self.addresses.append(addr)
        return self.make()


class EndpointCase(SynchronousTestCase):
    """
    @ivar reactor: makes connections when the test says so.
    @ivar proxy: leads to the proxy.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.proxy = TCP4ClientEndpoint(self.reactor, "192.0.2.8", 3128)
        self.applications = Applications()

    def connect(self, endpoint: Any, factory: Any = None) -> list[Any]:
        """
        Begin.

        @return: what the Deferred is going to fire with, once it has.
        """
        results: list[Any] = []
        self.connecting = endpoint.connect(factory or self.applications)
        self.connecting.addBoth(results.append)
        return results

    def accept(self, number: int = 0) -> Any:
        """
        Have one of the connections succeed.

        @return: the proxy's side.
        """
        peer = self.reactor.attempts[number].succeed()
        self.reactor.flush()
        return peer

    def say(self, peer: Any, octets: bytes) -> None:
        """
        Have a peer say something.
        """
        peer.transport.write(octets)
        self.reactor.flush()

    def failed(self, results: list[Any], kind: type[BaseException]) -> Any:
        """
        @return: the exception that there is in place of a protocol.
        """
        (failure,) = results
        self.assertIsInstance(failure, Failure)
        self.assertIs(failure.type, kind, failure)
        return failure.value

    def assertAtRest(self) -> None:
        """
        There is nothing left to be done, nor anybody who waits.
        """
        self.reactor.flush()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getWriters(), [])


class TunnelCase(EndpointCase):
    """
    A destination beyond one proxy.
    """

    def endpoint(self, **parameters: Any) -> CONNECTClientEndpoint:
        return CONNECTClientEndpoint(self.proxy, "origin.example", 443, **parameters)
