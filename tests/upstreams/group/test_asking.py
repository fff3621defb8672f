"""
Tests for L{connectproxy.upstreams.group.asking}: on to the next member.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Attempt, Established, IForwardingUpstream
from connectproxy.leg import Leg
from tests.fakes import Peer, makeRequest
from tests.upstreams.group.case import Call, ForwardingHop, GroupCase


class AskingTests(GroupCase):
    """
    One request.
    """

    def test_first(self) -> None:
        """
        The first that is asked leads there: the result is what it gives, and its name.
        """
        asking = self.ask()
        (call,) = self.pending()
        self.assertEqual(call.request, makeRequest())
        call.succeed()
        established = self.successResultOf(asking)
        self.assertIsInstance(established, Established)
        self.assertEqual((established.member, established.address), ("a", "a:3128"))
        self.assertEqual(established.tried, (Attempt("of a", "connected", 0.1),))
        self.assertEqual(established.resolved, 1.0)
        self.assertIsInstance(established.protocol, Leg)
        self.assertEqual(self.stateOf("a")["tunnels"], 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_next(self) -> None:
        """
        One that is at fault is told of, and the next is asked; each once.
        """
        asking = self.ask()
        self.pending()[0].fail("next_hop_protocol_error")
        self.assertEqual(self.asked(), "b")
        self.pending()[0].fail("connection_refused")
        self.assertEqual(self.asked(), "c")
        self.assertNoResult(asking)
        self.pending()[0].succeed()
        established = self.successResultOf(asking)
        self.assertEqual(established.member, "c")
        self.assertEqual(
            [(each.address, each.result) for each in established.tried],
            [("of a", "next_hop_protocol_error"), ("of b", "connection_refused"), ("of c", "connected")],
        )
        self.assertEqual([self.stateOf(name)["failures"] for name in "abc"], [1, 1, 0])

    def test_allAtFault(self) -> None:
        """
        When all are, that is what is told: each by name, and nothing of what others have asked
        for; the group is at fault for whoever has the choice among groups.
        """
        asking = self.ask()
        for kind in ("connection_refused", "tls_certificate_error", "next_hop_authentication_failed"):
            self.pending()[0].fail(kind)
        refused = self.refused(asking)
        self.assertEqual(refused.refusal.kind, "upstream_unavailable")
        self.assertEqual(
            refused.refusal.detail,
            "none of the next hops of corp can be used: a refused the connection; b has not the certificate"
            " that it should have; c does not accept the credentials",
        )
        self.assertEqual((refused.hop, refused.member, refused.resolved), ("corp", "", 2.0))
        self.assertEqual([each.address for each in refused.tried], ["of a", "of b", "of c"])
        self.assertEqual([len(hop.calls) for hop in self.hops.values()], [1, 1, 1])

    def test_many(self) -> None:
        """
        Of very many, the first are named.
        """
        self.build(members=tuple(f"hop{number}" for number in range(11)))
        asking = self.ask()
        for _ in range(11):
            self.pending()[0].fail()
        detail = self.refused(asking).refusal.detail
        self.assertIn("; hop7 refused the connection; and 3 more", detail)
        self.assertNotIn("hop8", detail)

    def test_destination(self) -> None:
        """
        What is the destination's fault, or a rule of the hop's, is the answer: nobody else is
        asked, and the hop is well.
        """
        for kind in ("next_hop_denied", "next_hop_limit_reached", "next_hop_timeout", "next_hop_failed"):
            self.build()
            self.member("a").health.failures = 2
            asking = self.ask()
            self.pending()[0].fail(kind, hop="", received=502)
            refused = self.refused(asking)
            self.assertEqual((refused.refusal.kind, refused.member, refused.hop), (kind, "a", ""))
            self.assertEqual(self.asked(), "")
            self.assertEqual(self.stateOf("a")["failures"], 0)

    def test_ours(self) -> None:
        """
        What this proxy lacks the next hop would lack, too; and it says nothing of this one.
        """
        self.member("a").health.failures = 2
        asking = self.ask()
        self.pending()[0].fail("proxy_exhausted")
        self.assertEqual(self.refused(asking).refusal.kind, "proxy_exhausted")
        self.assertEqual((self.asked(), self.stateOf("a")["failures"]), ("", 2))

    def test_synchronous(self) -> None:
        """
        Those who answer at once may do so.
        """
        self.hops["a"].does = self.hops["b"].does = Call.fail
        self.hops["c"].does = Call.succeed
        self.assertEqual(self.successResultOf(self.ask()).member, "c")
        self.hops["c"].does = Call.fail
        self.assertEqual(self.refused(self.ask()).refusal.kind, "upstream_unavailable")

    def test_bug(self) -> None:
        """
        A member that raises, or fails with what is no refusal, is a bug: whoever has asked gets
        to know, whichever member it was, and nobody waits.
        """

        def raising(call: Call) -> None:
            raise ZeroDivisionError

        for name in "ab":
            self.build()
            self.hops["a"].does = Call.fail
            self.hops[name].does = raising
            self.failureResultOf(self.ask(), ZeroDivisionError)
            self.assertEqual([member.asking for member in self.group.members], [0, 0, 0])
        self.build()
        asking = self.ask()
        self.pending()[0].result.errback(ZeroDivisionError())
        self.failureResultOf(asking, ZeroDivisionError)
        self.assertEqual([member.asking for member in self.group.members], [0, 0, 0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_withinGroups(self) -> None:
        """
        A member may be a group: the name is that of the one that is gone through in the end, and
        what it has asked is told of as well.
        """
        hops, inner = self.hops, self.group
        self.build(members=("outer",))
        outer = self.member("outer")
        outer.connect = inner.connect
        asking = self.ask()
        hops["a"].calls[0].fail()
        hops["b"].calls[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")
        asking = self.ask()
        hops["c"].calls[0].fail("next_hop_denied", hop="", received=403)
        self.assertEqual(self.refused(asking).member, "c")
        self.assertEqual(outer.health.failures, 0)
        for hop in hops.values():
            hop.does = Call.fail
        self.assertIn("outer has no next hop that can be used", self.refused(self.ask()).refusal.detail)
        self.assertEqual(outer.health.failures, 1)


class CancelTests(GroupCase):
    """
    Nobody waits any more.
    """

    def test_all(self) -> None:
        """
        The one that is being asked is cancelled, nobody else is asked, and its refusal is
        passed on with all that was tried.
        """
        asking = self.ask()
        self.pending()[0].fail()
        asking.cancel()
        refused = self.refused(asking)
        self.assertEqual((refused.refusal.kind, refused.member), ("next_hop_silent", "b"))
        self.assertEqual([each.address for each in refused.tried], ["of a", "of b"])
        self.assertTrue(self.hops["b"].calls[0].cancelled)
        self.assertEqual(self.hops["c"].calls, [])
        self.assertEqual(self.stateOf("b")["failures"], 0)
        self.assertEqual([member.asking for member in self.group.members], [0, 0, 0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_clientGone(self) -> None:
        """
        A client that goes away says nothing of whom it had not waited for.
        """
        self.build(members=("a",))
        self.hops["a"].silence = "connection_timeout"
        for _ in range(5):
            asking = self.ask()
            self.reactor.advance(1.0)
            asking.cancel()
            self.refused(asking)
        self.assertEqual(self.stateOf("a")["failures"], 0)

    def test_unreachable(self) -> None:
        """
        But one that could not be connected to for as long as another would have been given is
        at fault, although there was none to ask.
        """
        self.build(members=("a",))
        self.hops["a"].silence = "connection_timeout"
        for _ in range(3):
            asking = self.ask()
            self.reactor.advance(10.0)
            asking.cancel()
            self.refused(asking)
        self.assertEqual(self.stateOf("a")["state"], "out")

    def test_tooLate(self) -> None:
        """
        Once there is an answer there is nothing to cancel.
        """
        asking = self.ask()
        self.pending()[0].succeed()
        asking.cancel()
        self.assertEqual(self.successResultOf(asking).member, "a")


class ForwardingTests(GroupCase):
    """
    Whole messages.
    """

    hop = ForwardingHop

    def forward(self) -> Deferred[Any]:
        """
        Ask for a connection for one.
        """
        factory = Factory.forProtocol(Leg)
        factory.noisy = False
        return self.group.forward(makeRequest("example.com:80", method="GET"), factory)  # type: ignore[no-any-return]

    def test_forward(self) -> None:
        """
        The members are asked for that, one after the other, and the form is passed on.
        """
        self.assertTrue(verifyObject(IForwardingUpstream, self.group))
        asking = self.forward()
        self.assertEqual(self.pending()[0].how, "forward")
        self.pending()[0].fail()
        self.pending()[0].succeed(Peer(), form="form")
        established = self.successResultOf(asking)
        self.assertEqual((established.member, established.form), ("b", "form"))

    def test_mixed(self) -> None:
        """
        One that takes no messages is asked for a tunnel to the destination.
        """
        member = self.member("a")
        member.forward = member.connect
        asking = self.forward()
        self.assertEqual(self.pending()[0].how, "connect")
        self.pending()[0].succeed()
        self.assertIsNone(self.successResultOf(asking).form)

    def test_tunnels(self) -> None:
        """
        And tunnels are what they are.
        """
        self.ask()
        self.assertEqual(self.pending()[0].how, "connect")


class RefusedTests(GroupCase):
    """
    What a failure has with it.
    """

    def test_resolved(self) -> None:
        """
        When the name had been looked up is that of the last who has looked.
        """
        asking = self.ask()
        self.pending()[0].fail()
        self.pending()[0].result.errback(Refused(Refusal("next_hop_denied", received=403)))
        self.assertEqual(self.refused(asking).resolved, 2.0)
