"""
Tests for L{connectproxy.endpoints.tunnel}: over endpoints that are not TCP's.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from connectproxy.endpoints import CONNECTClientEndpoint, ProxyConnectError, ProxyTimeoutError
from tests.endpoints.case import OPEN, TunnelCase


class Narrow:
    """
    A transport that can do little, as that of a process; what it is given it answers at once.
    """

    def __init__(self, protocol: Any, answers: list[bytes]) -> None:
        self.protocol = self
        self._to = protocol
        self._answers = answers
        self.closed = False

    def write(self, octets: bytes) -> None:
        if self._answers:
            self._to.dataReceived(self._answers.pop(0))

    def loseConnection(self) -> None:
        self.closed = True


@implementer(IStreamClientEndpoint)
class Immediate:
    """
    An endpoint whose every answer is there before it has returned.
    """

    def __init__(self, *answers: bytes, fails: bool = False) -> None:
        self.answers = [[each] if each else [] for each in answers]
        self.transports: list[Narrow] = []
        self.fails = fails

    def connect(self, protocolFactory: Any) -> Any:
        protocol = protocolFactory.buildProtocol(None)
        transport = Narrow(protocol, self.answers.pop(0))
        self.transports.append(transport)
        protocol.makeConnection(transport)
        return fail(ConnectionLost()) if self.fails else succeed(protocol)


class OtherEndpointTests(TunnelCase):
    """
    Endpoints that are not TCP's.
    """

    def test_narrow(self) -> None:
        """
        A transport that can't be told to deliver elsewhere passes on what comes.
        """
        endpoint = Immediate(OPEN + b"early")
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        application = results[0]
        endpoint.transports[0]._to.dataReceived(b"late")
        self.assertEqual(application.heard, ["made", b"early", b"late"])
        endpoint.transports[0]._to.connectionLost()
        self.assertEqual(application.heard[3:], [ConnectionDone])

    def test_closed(self) -> None:
        """
        One that can't be reset is closed.
        """
        endpoint = Immediate(b"HTTP/1.1 500 Oh\r\n\r\n")
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        self.assertEqual(self.failed(results, ProxyConnectError).status, 500)
        self.assertTrue(endpoint.transports[0].closed)

    def test_again(self) -> None:
        """
        Where all is said at once there is still one connection after the other.
        """
        challenge = b'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n'
        endpoint = Immediate(b"HTTP/1.1 407 Who\r\n" + challenge, OPEN)
        beyond = CONNECTClientEndpoint(
            endpoint, "origin.example", 443, credentials=("ann", "x"), authentication="digest"
        )
        results = self.connect(beyond)
        self.assertEqual(results[0].heard, ["made"])
        self.assertEqual(len(endpoint.transports), 2)

    def test_clock(self) -> None:
        """
        Where the connection knows no time, a clock can be given; without any there is no
        deadline.
        """
        results = self.connect(CONNECTClientEndpoint(Immediate(b""), "origin.example", 443, timeout=3))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        clocked = CONNECTClientEndpoint(Immediate(b""), "origin.example", 443, timeout=3, clock=self.reactor)
        results = self.connect(clocked)
        self.reactor.advance(3)
        self.failed(results, ProxyTimeoutError)

    def test_failsLate(self) -> None:
        """
        An endpoint that connects and fails all the same has failed.
        """
        endpoint = Immediate(b"", fails=True)
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        self.failed(results, ConnectionLost)
        self.assertTrue(endpoint.transports[0].closed)
