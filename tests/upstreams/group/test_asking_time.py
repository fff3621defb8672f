"""
Tests for L{connectproxy.upstreams.group.asking}: members that do not answer, or in a way that
leaves a doubt.
"""

from __future__ import annotations

from tests.upstreams.group.case import GroupCase


class TimeTests(GroupCase):
    """
    One that does not answer.
    """

    def wait(self, seconds: float = 3.25) -> None:
        """
        Let time pass; the wheel is up to a quarter of a second late.
        """
        self.reactor.advance(seconds)
        self.reactor.flush()

    def test_next(self) -> None:
        """
        After C{attempt_timeout} it is cancelled, and then the next is asked.
        """
        asking = self.ask()
        self.wait(2.9)
        self.assertEqual(self.asked(), "a")
        self.wait(0.35)
        self.assertTrue(self.hops["a"].calls[0].cancelled)
        self.assertEqual(self.asked(), "b")
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")
        self.wait(10.0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lastHasTime(self) -> None:
        """
        The last one is not given up: who is slow is better than nobody.
        """
        asking = self.ask()
        self.wait()
        self.wait()
        self.assertEqual(self.asked(), "c")
        self.wait(600.0)
        self.assertEqual(self.asked(), "c")
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "c")

    def test_somebodyComesBack(self) -> None:
        """
        But it is, when another one can be asked meanwhile.
        """
        self.takeOut("b", "c")
        asking = self.ask()
        self.wait()
        self.assertEqual(self.asked(), "a")
        self.wait()
        self.assertEqual(self.counts(), [1, 1, 0])
        self.pending()[0].succeed()
        self.assertEqual(self.successResultOf(asking).member, "b")

    def test_silence(self) -> None:
        """
        Who was silent is at fault when another one gets there; when none does it may have been
        the destination, and nobody is.
        """
        asking = self.ask()
        self.wait()
        self.assertEqual(self.stateOf("a")["failures"], 0)
        self.pending()[0].succeed()
        self.successResultOf(asking)
        self.assertEqual(self.stateOf("a")["failures"], 1)
        self.assertEqual(self.stateOf("a")["error"], "next_hop_silent")
        for _ in range(9):
            asking = self.ask("dead.example:443")
            self.wait()
            self.wait()
            asking.cancel()
            self.assertEqual(self.refused(asking).refusal.kind, "next_hop_silent")
        self.assertEqual([self.stateOf(name)["failures"] for name in "abc"], [1, 0, 0])
        self.assertEqual(self.told, [])

    def test_notReached(self) -> None:
        """
        Who can't even be connected to in that time is at fault, whatever comes of the request.
        """
        self.hops["a"].silence = "connection_timeout"
        asking = self.ask()
        self.wait()
        self.assertEqual((self.asked(), self.stateOf("a")["failures"]), ("b", 1))
        asking.cancel()
        self.refused(asking)

    def test_once(self) -> None:
        """
        That one was too slow says nothing of the next: what that one answers is the answer.
        """
        asking = self.ask()
        self.wait()
        self.pending()[0].fail("proxy_exhausted")
        self.assertEqual(self.refused(asking).refusal.kind, "proxy_exhausted")
        self.assertEqual(self.asked(), "")

    def test_noHop(self) -> None:
        """
        A member that is no hop, as the way straight to the destination, is given up as well,
        and nobody is at fault.
        """
        self.hops["a"].silence, self.hops["a"].blamed = "connection_timeout", ""
        asking = self.ask()
        self.wait()
        self.assertEqual((self.asked(), self.stateOf("a")["failures"]), ("b", 0))
        self.pending()[0].fail()
        self.pending()[0].fail()
        refused = self.refused(asking)
        self.assertEqual((refused.refusal.kind, refused.member), ("connection_timeout", "a"))

    def test_doubts(self) -> None:
        """
        A 503 and a closed connection are in doubt like silence: others are asked; if none does
        better the last one's word is passed on, and if one does they were at fault.
        """
        asking = self.ask()
        self.pending()[0].fail("next_hop_unavailable", received=503)
        self.pending()[0].fail("next_hop_gone")
        self.pending()[0].fail("connection_refused")
        refused = self.refused(asking)
        self.assertEqual((refused.refusal.kind, refused.member, refused.hop), ("next_hop_gone", "b", "b"))
        self.assertEqual(len(refused.tried), 3)
        self.assertEqual([self.stateOf(name)["failures"] for name in "abc"], [0, 0, 1])
        self.build()
        asking = self.ask()
        self.pending()[0].fail("next_hop_unavailable", received=503)
        self.pending()[0].fail("next_hop_gone")
        self.pending()[0].succeed()
        self.successResultOf(asking)
        self.assertEqual([self.stateOf(name)["failures"] for name in "abc"], [1, 1, 0])

    def test_deadDestinations(self) -> None:
        """
        Whoever asks for destinations that nobody can reach takes no next hop out, however often.
        """
        for hop in self.hops.values():
            hop.does = lambda call: call.fail("next_hop_unavailable", received=503)
        for number in range(50):
            refused = self.refused(self.ask(f"dead{number}.example:443"))
            self.assertEqual(refused.refusal.kind, "next_hop_unavailable")
        self.assertEqual([self.stateOf(name)["state"] for name in "abc"], ["up", "up", "up"])
