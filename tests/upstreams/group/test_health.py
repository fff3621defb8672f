"""
Tests for L{connectproxy.upstreams.group.health}.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.upstreams.group.health import JITTER, Health, Tolerance

WHY = Refusal("connection_refused", "it refused")


class HealthCase(SynchronousTestCase):
    """
    One with a tolerance of three, five seconds, twelve at most, and no chance.
    """

    def setUp(self) -> None:
        """
        It is up.
        """
        self.clock = Clock()
        self.clock.advance(100.0)
        self.luck = 0.0
        self.health = Health(self.clock, Tolerance(3, 5.0, 12.0), lambda: self.luck)

    def fail(self, times: int = 1) -> list[bool]:  # type: ignore[override]
        """
        Have requests fail, one after the other.
        """
        return [self.health.failed(self.health.ask(), WHY) for _ in range(times)]


class FailingTests(HealthCase):
    """
    On the way out.
    """

    def test_up(self) -> None:
        """
        At first it is up, for any number of requests at once.
        """
        health = self.health
        self.assertEqual((health.state, health.ready, health.spare, health.wait), ("up", True, False, 0.0))
        health.ask()
        health.ask()
        self.assertTrue(health.ready)
        self.assertEqual(health.state, "up")

    def test_out(self) -> None:
        """
        The third failure in a row takes it out, and says so once.
        """
        self.assertEqual(self.fail(3), [False, False, True])
        self.assertEqual((self.health.state, self.health.ready), ("out", False))
        self.assertEqual((self.health.failures, self.health.last), (3, WHY))
        self.assertEqual((self.health.wait, self.health.tried), (5.0, 100.0))

    def test_notInARow(self) -> None:
        """
        An answer between them, and they don't count.
        """
        self.fail(2)
        self.assertFalse(self.health.answered(self.health.ask()))
        self.assertEqual(self.fail(2), [False, False])
        self.assertTrue(self.health.ready)

    def test_nothingLearned(self) -> None:
        """
        What says nothing changes nothing.
        """
        self.fail(2)
        self.health.released(self.health.ask())
        self.assertEqual(self.health.failures, 2)
        self.assertEqual(self.fail(1), [True])

    def test_burst(self) -> None:
        """
        A hundred that were under way fail at once: it is out for as long as after three.
        Nor does one that succeeds late bring it back.
        """
        tickets = [self.health.ask() for _ in range(100)]
        changes = [self.health.failed(ticket, WHY) for ticket in tickets[:99]]
        self.assertEqual(changes.count(True), 1)
        self.assertEqual((self.health.wait, self.health.failures), (5.0, 3))
        self.assertFalse(self.health.answered(tickets[99]))
        self.assertTrue(self.health.out)


class TryingTests(HealthCase):
    """
    On the way back.
    """

    def setUp(self) -> None:
        """
        It is out.
        """
        HealthCase.setUp(self)
        self.fail(3)

    def test_oneAtATime(self) -> None:
        """
        When its time is over one request tries it, and no other as long as that goes on.
        """
        self.clock.advance(4.9)
        self.assertFalse(self.health.ready)
        self.clock.advance(0.1)
        self.assertTrue(self.health.ready)
        self.health.ask()
        self.assertEqual((self.health.state, self.health.ready, self.health.spare), ("trying", False, False))
        self.clock.advance(1000.0)
        self.assertFalse(self.health.ready)

    def test_back(self) -> None:
        """
        It succeeds: everything begins anew.
        """
        self.clock.advance(5.0)
        self.assertTrue(self.health.answered(self.health.ask()))
        self.assertEqual((self.health.state, self.health.failures), ("up", 0))
        self.assertEqual(self.fail(3), [False, False, True])
        self.assertEqual(self.health.wait, 5.0)

    def test_doubles(self) -> None:
        """
        Each trial that fails doubles the time, up to the most.
        """
        waits = []
        for _ in range(4):
            self.clock.advance(self.health.wait)
            self.assertEqual(self.fail(), [False])
            waits.append(self.health.wait)
        self.assertEqual(waits, [10.0, 12.0, 12.0, 12.0])
        self.assertEqual(self.health.failures, 7)

    def test_jitter(self) -> None:
        """
        The time is up to a fifth shorter, by chance, and never longer.
        """
        self.luck = 1.0
        self.clock.advance(5.0)
        self.fail()
        self.assertAlmostEqual(self.health.wait, 10.0 * (1 - JITTER))

    def test_givenBack(self) -> None:
        """
        A trial from which nothing is learned is given back: the next request tries.
        """
        self.clock.advance(5.0)
        self.health.released(self.health.ask())
        self.assertTrue(self.health.ready)
        self.assertEqual(self.health.state, "out")

    def test_early(self) -> None:
        """
        A trial before its time does not double it if it fails, and brings back if not.
        """
        self.clock.advance(2.0)
        self.assertTrue(self.health.spare)
        self.assertEqual(self.fail(), [False])
        self.assertEqual((self.health.wait, self.health.tried), (3.0, 102.0))
        self.assertTrue(self.health.answered(self.health.ask()))
        self.assertEqual(self.health.state, "up")

    def test_late(self) -> None:
        """
        A trial that ends when its result is known by other means changes nothing.
        """
        self.clock.advance(5.0)
        ticket = self.health.ask()
        self.assertTrue(self.health.reached(whole=True))
        self.assertFalse(self.health.failed(ticket, WHY))
        self.health.released(ticket)
        self.assertEqual((self.health.state, self.health.failures), ("up", 0))


class ProbeTests(HealthCase):
    """
    By probes.
    """

    def test_out(self) -> None:
        """
        Three in a row take it out.
        """
        self.assertEqual([self.health.missed(WHY) for _ in range(4)], [False, False, True, False])
        self.assertEqual((self.health.state, self.health.misses, self.health.last), ("out", 4, WHY))

    def test_requestsKnowBetter(self) -> None:
        """
        A request that succeeds is worth more than a probe that fails.
        """
        self.health.missed(WHY)
        self.health.missed(WHY)
        self.health.answered(self.health.ask())
        self.assertFalse(self.health.missed(WHY))
        self.assertTrue(self.health.ready)

    def test_noTrial(self) -> None:
        """
        As long as probes fail no request is spent on a trial, whatever the time; but one may be
        where there is nothing better.
        """
        for _ in range(3):
            self.health.missed(WHY)
        self.clock.advance(1000.0)
        self.assertEqual((self.health.ready, self.health.spare), (False, True))
        self.assertEqual(self.fail(), [False])
        self.assertEqual(self.health.wait, 0.0)

    def test_back(self) -> None:
        """
        The next that succeeds brings it back, whatever it was that it did.
        """
        for whole in (False, True):
            self.setUp()
            self.fail(2)
            for _ in range(3):
                self.health.missed(WHY)
            self.assertTrue(self.health.reached(whole=whole))
            self.assertEqual((self.health.state, self.health.misses, self.health.failures), ("up", 0, 0))

    def test_connectIsLess(self) -> None:
        """
        Whom requests have taken out, a mere connection does not bring back, nor does it make
        failures of requests forgotten; a whole tunnel does.
        """
        self.fail(2)
        self.health.reached(whole=False)
        self.assertEqual(self.fail(), [True])
        self.assertFalse(self.health.reached(whole=False))
        self.assertTrue(self.health.out)
        self.assertTrue(self.health.reached(whole=True))
        self.fail(2)
        self.health.reached(whole=True)
        self.assertEqual(self.fail(2), [False, False])

    def test_nothingNew(self) -> None:
        """
        One that succeeds where all is well says nothing.
        """
        self.assertFalse(self.health.reached(whole=True))


class HealthMachine(RuleBasedStateMachine):
    """
    Any order of things.
    """

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.clock = Clock()
        self.health = Health(self.clock, Tolerance(3, 5.0, 40.0))
        self.up: list[int] = []
        self.trials: list[int] = []
        self.out = False

    def changed(self, to: bool, changes: bool) -> None:
        """
        What is told is what has changed.
        """
        assert changes == (self.health.out != self.out), (changes, self.health.out, self.out)
        if changes:
            assert self.health.out is to
        self.out = self.health.out

    @rule(seconds=st.floats(0.0, 60.0))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.health.ready or self.health.spare)
    @rule()
    def ask(self) -> None:
        (self.trials if self.health.out else self.up).append(self.health.ask())

    @precondition(lambda self: self.up or self.trials)
    @rule(data=st.data(), how=st.sampled_from(("answered", "failed", "released")))
    def end(self, data: st.DataObject, how: str) -> None:
        which = data.draw(st.sampled_from([each for each in (self.up, self.trials) if each]))
        ticket = which.pop(data.draw(st.integers(0, len(which) - 1)))
        if how == "answered":
            self.changed(False, self.health.answered(ticket))
        elif how == "failed":
            self.changed(True, self.health.failed(ticket, WHY))
        else:
            self.health.released(ticket)

    @rule(whole=st.booleans())
    def reached(self, whole: bool) -> None:
        self.changed(False, self.health.reached(whole=whole))

    @rule()
    def missed(self) -> None:
        self.changed(True, self.health.missed(WHY))

    @invariant()
    def sound(self) -> None:
        health = self.health
        assert not (health.trying and not health.out)
        assert not (health.trying and (health.ready or health.spare))
        assert health.ready or health.out
        assert 0.0 <= health.wait <= 40.0
        if not health.out:
            assert health.failures < 3 and health.misses < 3


HealthMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class AnyOrderTests(SynchronousTestCase):
    """
    Whatever happens, and in whatever order.
    """

    def test_machine(self) -> None:
        """
        One trial at a time, what is told is what changes, and the time has its bound.
        """
        HealthMachine.TestCase("runTest").runTest()
