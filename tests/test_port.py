"""
Tests for L{connectproxy.port}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.port import listenAt, noOptions
from tests.fakes import FakeReactor
from tests.loopback import REACTOR, LoopbackTestCase


class NoOptionsTests(SynchronousTestCase):
    """
    Kinds without keys of their own.
    """

    def test_none(self) -> None:
        """
        Nothing is right; everything else is named, and so is where it stands.
        """
        self.assertEqual(noOptions({}, "here"), {})
        error = self.assertRaises(ValueError, noOptions, {"b": 1, "a": 2}, "[[listen]] 1")
        self.assertEqual(str(error), "[[listen]] 1: unknown keys: a, b")


class FakePortTests(SynchronousTestCase):
    """
    Listening in a reactor without sockets.
    """

    def test_listens(self) -> None:
        """
        The port is given, with the factory on it; what has no socket passes no option on.
        """
        reactor: Any = FakeReactor()
        factory: Any = Factory.forProtocol(Protocol)
        factory.noDelay = True
        port = self.successResultOf(listenAt(reactor, "tcp:8080", factory))
        self.assertIs(port, reactor.ports[0])
        self.assertFalse(factory.noDelay)

    def test_wrong(self) -> None:
        """
        What is no endpoint's description raises at once.
        """
        factory: Any = Factory.forProtocol(Protocol)
        self.assertRaises(ValueError, listenAt, FakeReactor(), "nonsense", factory)


class LoopbackPortTests(LoopbackTestCase):
    """
    Listening for real.
    """

    async def test_noDelay(self) -> None:
        """
        Where connections inherit TCP_NODELAY, as on Linux, the factory knows it.
        """
        factory: Any = Factory.forProtocol(Protocol)
        factory.noDelay = False
        port = await listenAt(REACTOR, "tcp:0:interface=127.0.0.1", factory)
        self.addCleanup(port.stopListening)
        self.assertTrue(factory.noDelay)
