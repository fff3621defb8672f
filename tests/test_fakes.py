"""
Tests for L{tests.fakes}: the doubles of seams; those of connections are
L{connectproxy.testing}'s.
"""

from __future__ import annotations

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IInboundTunnel, ISwitchboard, IUpstream
from connectproxy.leg import Leg
from tests.fakes import (
    SETTINGS,
    FakeInbound,
    FakeReactor,
    FakeUpstream,
    RecordingLedger,
    RecordingSwitchboard,
    makeRequest,
    makeSwitchboard,
)


class SeamTests(SynchronousTestCase):
    """
    The other sides of seams.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def test_interfaces(self) -> None:
        """
        The fakes have what they claim to have.
        """
        self.assertTrue(verifyObject(IUpstream, FakeUpstream(self.reactor)))
        self.assertTrue(verifyObject(IInboundTunnel, FakeInbound(self.reactor)))
        self.assertTrue(verifyObject(ISwitchboard, RecordingSwitchboard(self.reactor)))

    def test_ledger(self) -> None:
        """
        A recording ledger keeps events and takes no field that is not declared.
        """
        ledger = RecordingLedger()
        ledger.write({"client": "x"})
        self.assertEqual(ledger.events, [{"client": "x"}])
        self.assertRaises(AssertionError, ledger.write, {"cleint": "x"})

    def test_upstream(self) -> None:
        """
        A dial succeeds or fails as the test says, and can be cancelled.
        """
        upstream = FakeUpstream(self.reactor)
        factory = Factory.forProtocol(Leg)
        connecting = upstream.connect(makeRequest(), factory)
        origin = upstream.dials[0].succeed(early=b"hello")
        self.assertEqual(self.successResultOf(connecting).protocol.held, b"hello")
        self.assertTrue(origin.transport.connected)
        failing = upstream.connect(makeRequest(), factory)
        upstream.dials[1].fail("dns_error")
        self.assertEqual(self.failureResultOf(failing, Refused).value.refusal.kind, "dns_error")
        cancelled = upstream.connect(makeRequest(), factory)
        cancelled.cancel()
        self.failureResultOf(cancelled, Refused)
        self.assertTrue(upstream.dials[2].cancelled)

    def test_inbound(self) -> None:
        """
        A request is answered once.
        """
        inbound = FakeInbound(self.reactor, early=b"early")
        established = Established(Leg(), "192.0.2.1:443")
        self.assertEqual(inbound.accept(established).held, b"early")
        self.assertRaises(AssertionError, inbound.refuse, Refusal("dns_error"))
        gone: list[bool] = []
        inbound = FakeInbound(self.reactor)
        inbound.whenLost(lambda: gone.append(True))
        inbound.vanish()
        self.assertEqual(gone, [True])

    def test_switchboard(self) -> None:
        """
        A real switchboard stands on the fakes, and a tunnel goes through all of them.
        """
        board = makeSwitchboard(self.reactor, settings={**SETTINGS, "timeouts.idle": 5})
        inbound = FakeInbound(self.reactor, early=b"ping")
        board.place(inbound)
        origin = board.upstreams["direct"].dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(origin.received, b"ping")
        self.reactor.advance(6)
        self.reactor.flush()
        (event,) = board.ledger.events
        self.assertEqual((event["end"], event["bytes_up"]), ("idle_timeout", 4))
