"""
Tests for L{connectproxy.upstreams.group.asking}: members that are out.
"""

from __future__ import annotations

from tests.fakes import makeRequest
from tests.upstreams.group.case import Call, GroupCase


class OutTests(GroupCase):
    """
    Some are out.
    """

    def test_skipped(self) -> None:
        """
        Who is out is not asked, and comes back when a request that tries it succeeds.
        """
        self.takeOut("a")
        for _ in range(4):
            self.ask()
        self.assertEqual(self.counts(), [0, 2, 2])
        self.reactor.advance(2.5)
        for call in self.pending():
            call.succeed()
        self.reactor.advance(2.5)
        for _ in range(8):
            self.ask()
        (trial,) = self.hops["a"].calls
        self.assertEqual(self.stateOf("a")["state"], "trying")
        trial.succeed()
        self.assertEqual(self.stateOf("a")["state"], "up")
        for _ in range(9):
            self.ask()
        self.assertIn(len(self.hops["a"].calls), (3, 4))

    def test_trialFails(self) -> None:
        """
        Whoever tries it and fails is served by the next.
        """
        self.takeOut("a")
        self.reactor.advance(5.0)
        asking = self.ask()
        self.assertEqual(self.asked(), "a")
        self.pending()[0].fail()
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")
        self.assertEqual(self.stateOf("a")["state"], "out")

    def test_trialInDoubt(self) -> None:
        """
        A trial that ends in doubt is settled like any other: by another one that gets there, or
        given back for the next request.
        """
        self.takeOut("a")
        self.reactor.advance(5.0)
        asking = self.ask()
        self.pending()[0].fail("next_hop_gone")
        self.assertEqual(self.stateOf("a")["state"], "trying")
        self.pending()[0].succeed()
        self.successResultOf(asking)
        self.assertEqual((self.stateOf("a")["state"], self.stateOf("a")["failures"]), ("out", 4))
        self.takeOut("b", "c")
        self.reactor.advance(600.0)
        asking = self.ask()
        for _ in range(3):
            self.pending()[0].fail("next_hop_gone")
        self.refused(asking)
        self.assertTrue(all(member.health.ready for member in self.group.members))

    def test_trialAnswered(self) -> None:
        """
        A refusal that is not the hop's fault proves that it is up.
        """
        self.takeOut("a")
        self.reactor.advance(5.0)
        asking = self.ask()
        self.pending()[0].fail("next_hop_denied", hop="", received=403)
        self.refused(asking)
        self.assertEqual(self.stateOf("a")["state"], "up")

    def test_trialUnanswered(self) -> None:
        """
        What never got to the hop proves nothing: the next request tries.
        """
        self.takeOut("a")
        self.reactor.advance(5.0)
        asking = self.ask()
        self.pending()[0].fail("proxy_exhausted")
        self.refused(asking)
        self.assertEqual(self.stateOf("a")["state"], "out")
        self.assertTrue(self.member("a").health.ready)


class BackupTests(GroupCase):
    """
    Those for when no other can be used.
    """

    options = {"members": ("a", "b"), "backups": ("x", "y")}

    def test_unused(self) -> None:
        """
        As long as one of the others can be, they are not asked.
        """
        self.takeOut("a")
        for _ in range(5):
            self.ask()
        self.assertEqual(self.counts(), [0, 5, 0, 0])

    def test_used(self) -> None:
        """
        When none can they are, shared out as the others are; and no longer than that.
        """
        self.takeOut("a", "b")
        for hop in self.hops.values():
            hop.does = Call.succeed
        for _ in range(4):
            self.ask()
        self.assertEqual(self.counts(), [0, 0, 2, 2])
        self.reactor.advance(5.0)
        for _ in range(4):
            self.ask()
        self.assertEqual(self.counts(), [2, 2, 2, 2])

    def test_sameRequest(self) -> None:
        """
        A request that has been through all others goes there, too.
        """
        asking = self.ask()
        self.pending()[0].fail()
        self.pending()[0].fail()
        self.assertEqual(self.asked(), "x")
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "x")


class AllOutTests(GroupCase):
    """
    None can be used.
    """

    options = {"retry_after": 60.0}

    def setUp(self) -> None:
        """
        They went out one after the other.
        """
        GroupCase.setUp(self)
        for name in "bca":
            self.takeOut(name)
            self.reactor.advance(0.5)

    def test_oneTries(self) -> None:
        """
        A request tries the one that has been left alone for longest, before its time; the next
        request another one; and when each is being tried, a request is refused at once.
        """
        first = self.ask()
        self.assertEqual(self.asked(), "b")
        self.ask()
        self.ask()
        self.assertEqual(self.asked(), "abc")
        refused = self.refused(self.ask())
        self.assertEqual(refused.refusal.kind, "upstream_unavailable")
        self.assertEqual(
            refused.refusal.detail,
            "none of the next hops of corp can be used: a refused the connection; b refused the connection;"
            " c refused the connection",
        )
        self.hops["b"].calls[0].succeed()
        self.assertEqual(self.successResultOf(first).member, "b")
        self.assertEqual(self.stateOf("b")["state"], "up")
        self.ask()
        self.assertEqual(len(self.hops["b"].calls), 2)

    def test_backAtOnce(self) -> None:
        """
        As soon as one of them can be used again it is found, by the third request at the latest,
        however long it was to be left alone.
        """
        for hop in self.hops.values():
            hop.does = Call.fail
        for _ in range(20):
            self.reactor.advance(200.0)
            for _ in range(3):
                self.refused(self.ask())
        self.assertGreater(min(self.stateOf(name)["retry_in"] for name in "abc"), 30.0)
        self.hops["c"].does = Call.succeed
        results = []
        for _ in range(3):
            self.reactor.advance(0.1)
            asking = self.ask()
            asking.addCallbacks(lambda established: established.member, lambda failure: "")
            results.append(self.successResultOf(asking))
        self.assertEqual(results[2], "c")
        self.assertEqual(self.stateOf("c")["state"], "up")

    def test_oneForEach(self) -> None:
        """
        A request tries one of them, and is refused if that fails; that costs the hop nothing,
        and the request after it tries another one.
        """
        wait = self.stateOf("b")["retry_in"]
        asking = self.ask()
        self.pending()[0].fail("tls_protocol_error")
        self.assertEqual(self.refused(asking).refusal.kind, "upstream_unavailable")
        self.assertEqual(self.stateOf("b")["retry_in"], wait)
        self.reactor.advance(0.1)
        self.ask()
        self.assertEqual(self.asked(), "c")

    def test_inTime(self) -> None:
        """
        One that is tried like that and does not answer is given up after C{attempt_timeout}:
        there is reason to believe that it won't.
        """
        asking = self.ask()
        self.reactor.advance(3.3)
        self.reactor.flush()
        self.assertEqual(self.refused(asking).refusal.kind, "upstream_unavailable")
        self.assertEqual(self.stateOf("b")["error"], "next_hop_silent")

    def test_afterAFailure(self) -> None:
        """
        The last one that was up fails, and those who are out are tried for the same request.
        """
        self.build()
        self.takeOut("b", "c")
        asking = self.ask()
        self.pending()[0].fail()
        self.assertEqual(self.asked(), "b")
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")

    def test_afterTheTrial(self) -> None:
        """
        Who comes back while another one is tried is asked like any other: what he leaves in
        doubt is in doubt.
        """
        asking = self.ask()
        self.member("c").health.reached(whole=True)
        self.pending()[0].fail()
        self.assertEqual(self.asked(), "c")
        self.pending()[0].fail("next_hop_gone")
        self.assertEqual(self.refused(asking).refusal.kind, "next_hop_gone")
        self.assertEqual(self.stateOf("c")["failures"], 0)

    def test_notForADoubt(self) -> None:
        """
        But not where it may be the destination that is at fault.
        """
        self.build()
        self.takeOut("b", "c")
        asking = self.ask()
        self.pending()[0].fail("next_hop_gone")
        self.assertEqual(self.refused(asking).refusal.kind, "next_hop_gone")
        self.assertEqual((self.asked(), self.stateOf("a")["failures"]), ("", 0))


class DyingTests(GroupCase):
    """
    Under load, one after the other.
    """

    options = {"members": ("a", "b", "c", "d"), "weights": {"a": 3}}

    def test_noneLost(self) -> None:
        """
        Of two thousand requests, sixty of which are under way at any moment, each gets its
        tunnel, although three of four members die meanwhile, with what they have taken: one
        refuses, one falls silent, one closes.  Each of them is found out and left alone.
        """
        ways = {
            "b": lambda call: call.fail("connection_refused"),
            "c": lambda call: None,  # silent
            "a": lambda call: call.fail("next_hop_gone"),
        }
        deaths = {500: "b", 1000: "c", 1500: "a"}
        dead: set[str] = set()
        askings = []
        under: list[Call] = []
        for hop in self.hops.values():
            hop.does = under.append
        for number in range(2000):
            if number in deaths:
                name = deaths[number]
                dead.add(name)
                self.hops[name].does = way = ways[name]
                for call in [call for call in under if call.hop.name == name]:
                    under.remove(call)
                    way(call)
            askings.append(self.ask(f"host{number}.example:443"))
            while len(under) > 60:
                under.pop(0).succeed()
            self.reactor.advance(0.02)
            self.reactor.flush()
        for _ in range(20):
            while under:
                under.pop(0).succeed()
            self.reactor.advance(1.0)
            self.reactor.flush()
        members = [self.successResultOf(asking).member for asking in askings]
        self.assertEqual(len(members), 2000)
        self.assertEqual(set(members), set("abcd"))
        self.assertEqual(set(members[-100:]), {"d"})
        states = [self.stateOf(name)["state"] for name in "abcd"]
        self.assertEqual(states[3], "up")
        self.assertNotIn("up", states[:3])
        # How many were told to be out, and none of them back.
        self.assertEqual(len(self.told), 3)

    def test_request(self) -> None:
        """
        What the next one is asked for is what the first was.
        """
        self.ask("one.example:443")
        self.pending()[0].fail()
        self.assertEqual(self.pending()[0].request, makeRequest("one.example:443"))
