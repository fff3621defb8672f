"""
Tests for L{connectproxy.regime}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from connectproxy.interfaces import Action, Verdict
from connectproxy.policy import Policy
from connectproxy.regime import Regime
from connectproxy.routes import Routes
from tests.fakes import SETTINGS, FakeAuthenticator, FakeUpstream
from tests.test_call_tunnel import TunnelCase
from tests.test_switchboard import Says

DENIAL = Verdict(Action.DENY, "why", "no")
NO = Says(DENIAL, DENIAL)
YES = Says(Verdict(Action.ALLOW, "why", "yes"))


class RegimeTests(TunnelCase):
    """
    A regime that takes another's place.
    """

    def swap(self, *rules: Says) -> None:
        """
        Have another policy in force.
        """
        self.board.adopt(Regime(SETTINGS, Policy(rules), None, None, "11111111"))

    def test_atOnce(self) -> None:
        """
        Requests that come from then on are decided by it, and say so.
        """
        self.swap(NO)
        inbound: Any = self.place()
        self.assertEqual(inbound.refused.rule, "no")
        self.event(config="11111111", rule="no")

    def test_begun(self) -> None:
        """
        One that began before is decided by the one that it began with: its policy, its
        users, its name in the event.
        """
        users = FakeAuthenticator(later=True)
        self.make(YES, authenticator=users)
        self.place(fields=((b"proxy-authorization", b"Basic " + users.right),))
        self.swap(NO)
        users.answer()
        self.upstream.dials[0].fail()
        self.event(config="00000000", rule="yes")

    def test_tunnelsStay(self) -> None:
        """
        A tunnel that is up stays up, whatever the new policy says.
        """
        self.open()
        self.swap(NO)
        self.assertEqual(self.ledger.events, [])

    def test_judgedAgain(self) -> None:
        """
        Where the operator wants it, it is judged again: by name, and by the address that
        it leads to.
        """
        for rule in (NO, Says(None, DENIAL)):
            self.setUp()
            self.open()
            self.board.judgeAgain()
            self.assertEqual(self.ledger.events, [])
            self.swap(rule)
            self.board.judgeAgain()
            self.reactor.flush()
            self.event(end="policy_changed", ended_by="proxy", config="00000000")

    def test_judgedUnseen(self) -> None:
        """
        One whose address nobody here has seen is held to what a new request would be: what only
        the address could allow is not allowed.
        """
        maybe = Says(Verdict(Action.ALLOW, "why", "maybe", provisional=True))
        self.place()
        dial = self.upstream.dials[0]
        self.patch(dial.result, "callback", lambda made, go=dial.result.callback: go(made._replace(seen="")))
        dial.succeed()
        self.swap(maybe, NO)
        self.board.judgeAgain()
        self.reactor.flush()
        self.event(end="policy_changed", ended_by="proxy")

    def test_begunWays(self) -> None:
        """
        One that began before takes the ways that there were then, unless it is judged again: its
        rule may name one that is there no more.
        """
        far = FakeUpstream(self.reactor)
        there = Says(Verdict(Action.ALLOW, "why", "there", upstream="far"))
        for again, dials in ((False, 1), (True, 0)):
            users = FakeAuthenticator(later=True)
            self.make(there, authenticator=users, upstreams={"far": far, "direct": self.upstream})
            self.place(fields=((b"proxy-authorization", b"Basic " + users.right),))
            regime = Regime(SETTINGS, Policy([YES]), None, None, "11111111")
            self.board.adopt(regime, Routes({"direct": self.upstream}))
            if again:
                self.board.judgeAgain()
            users.answer()
            self.assertEqual((len(far.dials), len(self.upstream.dials)), (dials, 1 - dials))
            far.dials.clear()

    def test_inBetween(self) -> None:
        """
        What has asked and is not up yet is decided by it then, whatever it waits for: who
        asks, or the connection.
        """
        users = FakeAuthenticator(later=True)
        self.make(YES, authenticator=users)
        inbound: Any = self.place(fields=((b"proxy-authorization", b"Basic " + users.right),))
        self.swap(NO)
        self.board.judgeAgain()
        users.answer()
        self.assertEqual((inbound.refused.rule, self.upstream.dials), ("no", []))
        self.event(config="11111111", rule="no", decision="deny")
        self.make(YES)
        inbound = self.place()
        self.swap(NO)
        self.board.judgeAgain()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual(inbound.refused.rule, "no")
        self.event(config="11111111", rule="no", decision="deny", error="http_request_denied")
        self.nothingIsLeft()

    def test_inBetweenAllowed(self) -> None:
        """
        If it allows that, too, that goes on, and is held to what it says of the address.
        """
        maybe = Says(Verdict(Action.ALLOW, "why", "maybe", provisional=True), DENIAL)
        for rule, expected in ((YES, None), (maybe, "no")):
            self.make(NO if expected is None else YES)
            self.swap(YES)
            inbound: Any = self.place()
            self.swap(rule)
            self.board.judgeAgain()
            self.upstream.dials[0].succeed()
            self.reactor.flush()
            self.assertEqual(inbound.refused and inbound.refused.rule, expected)

    def test_forgotten(self) -> None:
        """
        A tunnel that stays up does not keep the policy and the users that it was let in by:
        there may be long lists among them, and it may be up for weeks.
        """
        users = FakeAuthenticator()
        self.make(YES, authenticator=users)
        both = self.open(fields=((b"proxy-authorization", b"Basic " + users.right),))
        kept = [weakref.ref(each) for each in (self.board.regime.policy, users)]
        del users
        self.swap(NO)
        gc.collect()
        self.assertEqual([each() for each in kept], [None, None])
        for each in both:
            each.transport.loseConnection()
        self.reactor.flush()
        self.event(config="00000000", rule="yes", end="eof")
