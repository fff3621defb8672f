"""
Tests for L{connectproxy.upstreams.group.member}.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.leg import Leg
from connectproxy.relay import WiredRelay
from connectproxy.upstreams.group.health import Health, Tolerance
from connectproxy.upstreams.group.member import Member
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.upstreams.group.case import FakeHop, ForwardingHop


class Transport:
    """
    One that can be referred to weakly.
    """


class Heavy:
    """
    One that can't.
    """

    __slots__ = ()


class MemberTests(SynchronousTestCase):
    """
    One member.
    """

    def member(self, kind: Any = FakeHop) -> Member:
        """
        A new one, called a.
        """
        self.clock = Clock()
        return Member(
            "a", kind(FakeReactor(), "a"), Health(self.clock, Tolerance(1, 5.0, 300.0), lambda: 0.0)
        )

    def test_tunnels(self) -> None:
        """
        A tunnel counts as long as anybody has its transport, and not a moment longer.
        """
        member = self.member()
        one, two = Transport(), Transport()
        member.opened(one)
        member.opened(two)
        member.asking = 3
        self.assertEqual((member.tunnels, member.load), (2, 5))
        del one
        self.assertEqual(member.tunnels, 1)
        del two
        self.assertEqual((member.tunnels, member.load), (0, 3))

    def test_cycle(self) -> None:
        """
        One that is left in a cycle counts until the collector comes, and then not any more.
        """
        member = self.member()
        transport: Any = Transport()
        transport.itself = transport
        member.opened(transport)
        del transport
        gc.collect()
        self.assertEqual(member.tunnels, 0)

    def test_afterwards(self) -> None:
        """
        A tunnel may outlive the group that it was made by.
        """
        member = self.member()
        transport = Transport()
        member.opened(transport)
        del member
        del transport

    def test_unreferable(self) -> None:
        """
        What can't be referred to does not count, and does no harm.
        """
        member = self.member()
        member.opened(Heavy())
        self.assertEqual(member.tunnels, 0)

    def test_relay(self) -> None:
        """
        It is the relay that has the transport, and the tunnel counts until that has ended.
        """
        member, reactor = self.member(), FakeReactor()
        relay = WiredRelay(reactor, Wheel(reactor))
        client, origin = Peer(), Peer()
        legs = Leg(), Leg()
        pipePair(reactor, legs[0], client)
        pipePair(reactor, legs[1], origin)
        member.opened(legs[1].transport)
        ended: list[Any] = []
        relay.join(*legs).finished.addCallback(ended.append)
        del legs
        client.transport.write(b"hello")
        reactor.flush()
        gc.collect()
        self.assertEqual((bytes(origin.received), member.tunnels), (b"hello", 1))
        client.transport.abortConnection()
        reactor.flush()
        gc.collect()
        self.assertEqual((len(ended), member.tunnels), (1, 0))

    def test_forward(self) -> None:
        """
        One that takes messages is asked for that; one that does not, for a tunnel.
        """
        taking, other = self.member(ForwardingHop), self.member()
        self.assertEqual(taking.forward, taking.upstream.forward)
        self.assertEqual(other.forward, other.upstream.connect)

    def test_state(self) -> None:
        """
        Everything that an operator can know.
        """
        member = self.member()
        self.assertEqual(
            member.state(),
            {
                "name": "a", "backup": False, "weight": 1, "state": "up", "failures": 0, "tunnels": 0,
                "asking": 0, "last_failure": None, "error": None, "retry_in": None, "probe": None,
                "probe_failures": 0,
            },
        )  # fmt: skip
        member.health.failed(member.health.ask(), Refusal("connection_refused", "it refused"))
        member.probe = True
        self.clock.advance(2.0)
        state = member.state()
        self.assertEqual(
            [state[key] for key in ("state", "failures", "last_failure", "error", "retry_in", "probe")],
            ["out", 1, "it refused", "connection_refused", 3.0, "passed"],
        )
        member.probe = False
        member.health.ask()
        self.assertEqual((member.state()["state"], member.state()["probe"]), ("trying", "failed"))

    def test_words(self) -> None:
        """
        What is wrong with it.
        """
        member = self.member()
        self.assertEqual(member.words, "a is being tried")
        member.health.failed(member.health.ask(), Refusal("connection_refused", "it refused"))
        self.assertEqual(member.words, "a refused the connection")
