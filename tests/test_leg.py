"""
Tests for L{connectproxy.leg}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.leg import Leg, adopt
from tests.fakes import FakeReactor, Peer, pipePair


class LegTests(SynchronousTestCase):
    """
    L{Leg} holds a transport still.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.leg = Leg()
        self.far = Peer()
        pipePair(self.reactor, self.far, self.leg)

    def test_interfaces(self) -> None:
        """
        It is a protocol that knows half-close.
        """
        for interface in (IProtocol, IHalfCloseableProtocol):
            self.assertTrue(verifyObject(interface, self.leg))

    def test_holds(self) -> None:
        """
        What arrives is held, and nothing is read after the first piece: what is held is
        bounded by one read.  Conformance 11.
        """
        self.far.transport.write(bytes(1 << 20))
        self.reactor.flush()
        self.assertTrue(0 < len(self.leg.held) <= 65536)
        held = self.leg.held
        self.reactor.flush()
        self.assertEqual(self.leg.held, held)
        self.assertNotIn(self.leg.transport, self.reactor.getReaders())

    def test_inOrder(self) -> None:
        """
        Pieces that a transport with layers delivers in one go are held in order.
        """
        self.leg.dataReceived(b"one ")
        self.leg.dataReceived(b"two")
        self.assertEqual(self.leg.held, b"one two")

    def test_ended(self) -> None:
        """
        An end of stream is remembered, and the connection stays.
        """
        self.assertFalse(self.leg.ended)
        self.far.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(self.leg.ended)
        self.assertFalse(self.leg.lost)
        self.assertEqual(self.far.lost, None)
        self.leg.writeConnectionLost()

    def test_lost(self) -> None:
        """
        A connection that goes is remembered, whether or not anybody wants to know.
        """
        self.far.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.leg.lost)

    def test_whenLost(self) -> None:
        """
        Who wants to know is called, once.
        """
        calls: list[bool] = []
        self.leg.whenLost = lambda: calls.append(self.leg.lost)
        self.far.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(calls, [True])

    def test_of(self) -> None:
        """
        A leg can be made of a transport without a hand-over.
        """
        transport: Any = self.far.transport
        leg = Leg.of(transport, b"early", ended=True)
        self.assertIs(leg.transport, transport)
        self.assertEqual((leg.held, leg.ended, leg.lost), (b"early", True, False))
        self.assertIs(transport.protocol, self.far)


class AdoptTests(SynchronousTestCase):
    """
    L{adopt} changes whom a transport delivers to.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.far = Peer()

    def check(self, transport: Any) -> None:
        """
        A protocol that adopts a transport gets what arrives, and the end.
        """
        adopted = Peer()
        adopt(transport, adopted)
        self.assertIs(adopted.transport, transport)
        self.far.transport.write(b"x")
        self.reactor.flush()
        self.assertEqual(adopted.received, b"x")
        self.far.transport.abortConnection()
        self.reactor.flush()
        self.assertIsNot(adopted.lost, None)

    def test_plain(self) -> None:
        """
        A plain transport.
        """
        before = Peer()
        pipePair(self.reactor, self.far, before)
        self.check(before.transport)
        self.assertEqual((before.received, before.lost), (b"", None))

    def test_wrapped(self) -> None:
        """
        A transport with a layer of its own, which stays.
        """
        before = Protocol()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: before  # type: ignore[method-assign]
        wrapping = WrappingFactory(factory)
        wrapping.noisy = False
        wrapper: Any = wrapping.buildProtocol(None)
        pipePair(self.reactor, self.far, wrapper)
        self.assertIs(before.transport, wrapper)
        beneath = wrapper.transport
        self.assertIs(beneath.protocol, wrapper)
        self.check(wrapper)
