"""
Tests for L{connectproxy.origin.lifetime}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface.verify import verifyObject

from tests.origin.case import OriginCase

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class LifetimeTests(OriginCase):
    """
    Between requests, and at the end.
    """

    def test_close(self) -> None:
        """
        To close is in order, and can be done twice; who does not close in turn is not waited
        for.
        """
        connection, origin, _ = self.ask()
        self.say(origin, OK)
        connection.close()
        connection.close()
        self.assertClosed(origin)
        connection.close()
        connection.abort()
        self.assertTrue(connection.lost)

    def test_closeSlowly(self) -> None:
        """
        A transport whose closing takes its time (one with TLS) gets little of it.
        """
        connection, origin, _ = self.ask()
        self.say(origin, OK)
        transport: Any = connection.transport
        transport.loseConnection = lambda: None
        connection.close()
        self.wait(2.0)
        self.assertClosed(origin)

    def test_pausedProducer(self) -> None:
        """
        What it is paused by does not matter once it is closed.
        """
        connection, origin, _ = self.ask()
        connection.abort()
        self.reactor.flush()
        connection.pauseProducing()
        connection.resumeProducing()
        connection.stopProducing()
        self.assertClosed(origin)

    def test_unasked(self) -> None:
        """
        What an origin says between requests ends the connection.
        """
        connection, origin, sink = self.ask()
        self.say(origin, OK)
        self.say(origin, b"x")
        self.assertTrue(connection.lost)
        self.assertEqual(sink.names, ["respond"])
        self.assertClosed(origin)

    def test_interfaces(self) -> None:
        """
        It can be the producer of what the response is written to.
        """
        connection, _ = self.open()
        verifyObject(IPushProducer, connection)
        verifyObject(IHalfCloseableProtocol, connection)


class ResponsePauseTests(OriginCase):
    """
    A response that is not taken as fast as it comes.
    """

    def test_paused(self) -> None:
        """
        While it is paused nothing is read.
        """
        connection, origin, sink = self.ask()
        self.say(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        connection.pauseProducing()
        self.say(origin, b"hello")
        self.assertEqual(sink.body, b"")
        connection.resumeProducing()
        self.reactor.flush()
        self.assertEqual(sink.body, b"hello")
