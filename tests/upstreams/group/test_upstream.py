"""
Tests for L{connectproxy.upstreams.group.upstream}.
"""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from connectproxy.address import Destination, parseHost
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import ProxyUser
from tests.upstreams.group.case import Call, ForwardingHop, GroupCase, ReachableHop

TARGET: Any = parseHost("probe.example", 443)


class SharingTests(GroupCase):
    """
    Which member is asked.
    """

    def served(self, count: int, **fields: Any) -> Counter[str]:
        """
        How many of so many requests each member has had.
        """
        for hop in self.hops.values():
            hop.does = Call.succeed
        return Counter(self.successResultOf(self.ask(**fields)).member for _ in range(count))

    def test_roundRobin(self) -> None:
        """
        In turn, by weight.
        """
        self.build(weights={"b": 3})
        self.assertEqual(self.served(50), {"a": 10, "b": 30, "c": 10})

    def test_leastTunnels(self) -> None:
        """
        Who has fewer tunnels gets more, and those that are being made count, too.
        """
        self.build(balance="least-tunnels")
        asking = [self.ask() for _ in range(3)]
        self.assertEqual(self.asked(), "abc")
        for call in self.pending()[:2]:
            call.succeed()
        self.pending()[0].fail("next_hop_denied", hop="", received=403)
        self.refused(asking[2])
        self.assertEqual([self.member(name).load for name in "abc"], [1, 1, 0])
        self.ask()
        self.assertEqual(self.asked(), "c")

    def test_leastTunnelsEnd(self) -> None:
        """
        A tunnel that has ended counts no more.
        """
        self.build(members=("a", "b"), balance="least-tunnels")
        tunnels = [self.ask() for _ in range(4)]
        peers = [(call.hop.name, call.succeed()) for call in self.pending()]
        self.assertEqual([self.stateOf(name)["tunnels"] for name in "ab"], [2, 2])
        for name, peer in peers:
            if name == "b":
                peer.transport.loseConnection()
        for tunnel in tunnels:
            established = self.successResultOf(tunnel)
            if established.member == "b":
                established.protocol.transport.loseConnection()
            tunnel.addCallback(lambda _: None)
        self.reactor.flush()
        del tunnels, peers, peer, established
        for hop in self.hops.values():
            hop.calls.clear()
        gc.collect()
        self.assertEqual([self.stateOf(name)["tunnels"] for name in "ab"], [2, 0])
        self.ask()
        self.ask()
        self.assertEqual(self.asked(), "bb")

    def test_hashUser(self) -> None:
        """
        A user always gets the same; another one, if that is out, and always that; and the first
        again, when it is back.
        """
        self.build(balance="hash-user")
        ann = {"identity": ProxyUser("ann")}
        (first,) = self.served(5, **ann)
        self.takeOut(first)
        (second,) = self.served(5, **ann)
        self.assertNotEqual(first, second)
        self.member(first).health.reached(whole=True)
        self.assertEqual(self.served(5, **ann), {first: 5})

    def test_hashDestination(self) -> None:
        """
        A destination always gets the same, and many are shared out.
        """
        self.build(balance="hash-destination")
        for number in range(5):
            self.assertEqual(len(self.served(3, target=f"host{number}.example:443")), 1)
        firsts = sum((self.served(1, target=f"host{number}.example:443") for number in range(300)), Counter())
        self.assertEqual(sorted(firsts), ["a", "b", "c"])
        self.assertGreater(min(firsts.values()), 70)


class TellingTests(GroupCase):
    """
    What the log and the operator hear.
    """

    def test_told(self) -> None:
        """
        Once when one goes out and once when it comes back, however much happens between.
        """
        self.takeOut("a")
        self.takeOut("a")
        (out,) = self.told
        self.assertRegex(
            out,
            r"^the next hop a of corp is out for [45]\.[0-9] s, after 3 failures in a row: the next hop a:"
            r" connection_refused$",
        )
        self.reactor.advance(5.0)
        self.hops["a"].does = Call.fail
        for _ in range(3):
            self.ask()
        self.assertEqual((len(self.hops["a"].calls), len(self.told)), (1, 1))
        self.reactor.advance(10.0)
        self.hops["a"].does = Call.succeed
        for _ in range(6):
            self.ask()
        self.assertEqual(self.told[1:], ["the next hop a of corp is back"])

    def test_state(self) -> None:
        """
        Every member, backups last.
        """
        self.build(members=("b", "a"), backups=("x",), weights={"a": 4})
        state = self.group.state()
        self.assertEqual(state["balance"], "round-robin")
        self.assertEqual(
            [(each["name"], each["weight"], each["backup"]) for each in state["members"]],
            [("b", 1, False), ("a", 4, False), ("x", 1, True)],
        )
        self.ask()
        self.assertEqual(self.stateOf("a")["asking"], 1)


class StandingTests(GroupCase):
    """
    Started and stopped.
    """

    hop = ReachableHop
    options = {"probe": "connect"}

    def test_probes(self) -> None:
        """
        As long as the group is started every member is probed, again and again; twice started is
        started once.
        """
        self.group.start()
        self.group.start()
        self.reactor.advance(10.5)
        self.assertEqual([len(hop.calls) for hop in self.hops.values()], [1, 1, 1])
        for call in self.pending():
            call.succeed()
        self.reactor.advance(12.0)
        self.assertEqual([len(hop.calls) for hop in self.hops.values()], [2, 2, 2])
        self.group.stop()
        self.reactor.flush()
        self.assertEqual(self.pending(), [])
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.getReaders()[3:]), ([], []))

    def test_stop(self) -> None:
        """
        It may be stopped without having been started, and again.
        """
        self.group.stop()
        self.group.start()
        self.group.stop()
        self.group.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_underWay(self) -> None:
        """
        Requests that are under way when it is stopped go on, with their deadlines; with the last
        of them nothing is left.
        """
        self.group.start()
        asking = self.ask()
        self.group.stop()
        self.reactor.advance(3.3)
        self.assertEqual(self.asked(), "b")
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_goesOn(self) -> None:
        """
        A request that is over ends no probes.
        """
        self.group.start()
        self.ask()
        self.pending()[0].succeed()
        self.reactor.advance(10.5)
        self.assertEqual([call.how for call in self.pending()], ["reach"] * 3)
        self.group.stop()

    def test_whom(self) -> None:
        """
        To connect and say nothing is for those that can do it, to go through for everybody.
        """
        self.hop = lambda reactor, name: {"a": ReachableHop, "b": ForwardingHop}.get(name, GroupCase.hop)(
            reactor, name
        )
        for probe, expected in (("connect", ["reach"]), (TARGET, ["connect"] * 3), ("", [])):
            self.build(probe=probe)
            self.group.start()
            self.reactor.advance(10.5)
            self.assertEqual([call.how for call in self.pending()], expected)
            self.group.stop()


class ProbedTests(GroupCase):
    """
    What comes of probes.
    """

    options = {"probe": TARGET, "failures": 2}

    def probed(self, name: str, kind: str = "", hop: str = "", received: int = 0) -> None:
        """
        A member has been probed.
        """
        refused = Refused(Refusal(kind, f"{name}: {kind}", received=received), hop=hop) if kind else None
        self.group.probed(self.member(name), refused)

    def states(self) -> list[str]:
        """
        How they are.
        """
        return [each["state"] for each in self.group.state()["members"]]

    def test_outAndBack(self) -> None:
        """
        They take out, and bring back, and that is told.
        """
        self.probed("a", "connection_refused", "a")
        self.assertEqual((self.states(), self.stateOf("a")["probe"]), (["up"] * 3, "failed"))
        self.probed("a", "connection_refused", "a")
        self.probed("a", "connection_refused", "a")
        self.assertEqual(self.states(), ["out", "up", "up"])
        self.probed("a")
        self.assertEqual((self.states(), self.stateOf("a")["probe"]), (["up"] * 3, "passed"))
        self.assertEqual(len(self.told), 2)
        self.assertIn("after 2 failures in a row: a: connection_refused", self.told[0])
        self.probed("a")
        self.assertEqual(len(self.told), 2)

    def test_destination(self) -> None:
        """
        Where the probes lead may be down: that takes nobody out.  But who can't get there while
        another can is.
        """
        for _ in range(5):
            for name in "abc":
                self.probed(name, "next_hop_failed", "", 502)
        self.assertEqual(self.states(), ["up"] * 3)
        self.probed("b")
        for _ in range(2):
            self.probed("a", "next_hop_failed", "", 502)
            self.probed("c", "next_hop_silent", "c")
        self.assertEqual(self.states(), ["out", "up", "out"])

    def test_ours(self) -> None:
        """
        What this proxy denies or lacks is no result.
        """
        self.probed("b")
        for _ in range(5):
            self.probed("a", "destination_ip_prohibited")
        self.assertEqual((self.states(), self.stateOf("a")["probe"]), (["up"] * 3, None))

    def test_connect(self) -> None:
        """
        Nobody but the hop is at fault where only it was to be connected to; and what that
        proves does not bring back whom requests have taken out.
        """
        self.build(probe="connect")
        for _ in range(2):
            self.probed("a", "next_hop_silent", "a")
        self.assertEqual(self.states(), ["out", "up", "up"])
        self.probed("a")
        self.takeOut("a")
        self.probed("a")
        self.assertEqual(self.states(), ["out", "up", "up"])

    def test_target(self) -> None:
        """
        It is a destination like any other.
        """
        self.assertIsInstance(TARGET, Destination)
