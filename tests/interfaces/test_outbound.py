"""
Tests for L{connectproxy.interfaces.outbound}: everything of ours on the destinations' side
provides what it claims.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from connectproxy.config import configure
from connectproxy.discovery import kinds
from connectproxy.interfaces import ICarriage, IRelay, IRule, IRuleKind, ITunnel, IUpstream, IUpstreamKind
from connectproxy.leg import Leg
from connectproxy.own import OwnPorts
from connectproxy.relay import Timeouts, WiredRelay, WiredTunnel
from connectproxy.splice import SpliceRelay
from connectproxy.spliced import SplicedTunnel
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, makeSurroundings


class OutboundTests(SynchronousTestCase):
    """
    The destinations' side.
    """

    def setUp(self) -> None:
        """
        One proxy's worth of parts, none of which is started.
        """
        self.clock = FakeReactor()
        self.wheel = Wheel(self.clock)
        self.config = configure()

    def test_rules(self) -> None:
        """
        Every kind of rule that is found, and every rule that it builds.
        """
        for kind in kinds("connectproxy.rules", IRuleKind).values():
            verifyObject(IRuleKind, kind)
            verifyObject(IRule, kind.build(self.config, OwnPorts()))

    def test_upstreams(self) -> None:
        """
        Every kind of upstream that is found, and every upstream that it builds.
        """
        for kind in kinds("connectproxy.upstreams", IUpstreamKind).values():
            verifyObject(IUpstreamKind, kind)
            if not kind.schemes and kind.kindName != "group":
                verifyObject(IUpstream, kind.build(makeSurroundings(FakeReactor(), settings=self.config), {}))

    def test_relays(self) -> None:
        """
        Both relays and what they make; those of the one relay hold sockets, so that
        their class is looked at.
        """
        verifyObject(IRelay, WiredRelay(self.clock, self.wheel))
        verifyObject(ITunnel, WiredTunnel(self.clock, self.wheel, Timeouts()))
        reactor: Any = self.clock
        verifyObject(IRelay, SpliceRelay(reactor, self.clock, self.wheel))
        verifyClass(ITunnel, SplicedTunnel)

    def test_carriage(self) -> None:
        """
        An exchange under way can be asked and aborted as a tunnel can.
        """
        self.assertTrue(ICarriage.isOrExtends(ITunnel))

    def test_leg(self) -> None:
        """
        L{Leg}.
        """
        verifyObject(IHalfCloseableProtocol, Leg())
        verifyObject(IProtocol, Leg())
