"""
Tests for L{connectproxy.policy.force}.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import Action, Verdict
from connectproxy.policy import DEFAULT, InForce, Policy, difference
from tests.policy.case import request

ADDRESS = ip_address("192.0.2.1")


class InForceTests(SynchronousTestCase):
    """
    Whatever policy there is at the moment.
    """

    def test_everyQuestion(self) -> None:
        """
        Each question goes to the policy of the moment, and gets its answer.
        """
        asked = request()
        inForce = InForce(Policy())
        for default in (Action.ALLOW, Action.DENY):
            policy = inForce.policy = Policy(default=default)
            for answer, expected in (
                (inForce.decideRequest(asked), policy.decideRequest(asked)),
                (inForce.decideAddress(asked, ADDRESS), policy.decideAddress(asked, ADDRESS)),
                (inForce.judge(asked, ADDRESS), policy.judge(asked, ADDRESS)),
                (inForce.judge(asked, None, "a.b"), policy.judge(asked, None, "a.b")),
                (inForce.wantsServerName(asked), False),
                (inForce.decideServerName(asked, None, ""), policy.decideServerName(asked, None, "")),
                (inForce.trace(asked, ADDRESS, ""), policy.trace(asked, ADDRESS, "")),
            ):
                self.assertEqual(answer, expected)
        self.assertIs(inForce.decideRequest(asked).action, Action.DENY)


class DifferenceTests(SynchronousTestCase):
    """
    What another policy would have done.
    """

    def test_words(self) -> None:
        """
        A difference is told by what would have been done and by which rule; the same action
        by another rule is none, and neither is what did not come to a decision.
        """
        deny = Verdict(Action.DENY, "so", "strict")
        self.assertEqual(difference("allow", deny), "deny by rule strict")
        self.assertEqual(difference("deny", DEFAULT), "allow by rule default")
        self.assertIsNone(difference("deny", deny))
        self.assertIsNone(difference("allow", DEFAULT))
        self.assertIsNone(difference(None, deny))
