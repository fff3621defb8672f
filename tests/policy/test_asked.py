"""
Tests for L{connectproxy.policy.asked}; what a policy makes of the answers of rules in
Python is in L{tests.policy.test_judge}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import Action, Verdict
from connectproxy.policy.asked import NOTHING, Asked, Found, Single
from tests.policy.case import request
from tests.policy.test_judge import Greeted, Says

ADDRESS = ip_address("192.0.2.1")
ALLOW = Verdict(Action.ALLOW, "yes", "r")
DENY = Verdict(Action.DENY, "no", "r")


class AskedTests(SynchronousTestCase):
    """
    A question.
    """

    def test_later(self) -> None:
        """
        Only before the first look-up an address that is not known is going to be.
        """
        asked = Asked(request(), None, None, True)
        self.assertTrue(asked.later)
        self.assertFalse(asked._replace(first=False).later)
        self.assertFalse(asked._replace(address=ADDRESS).later)

    def test_relation(self) -> None:
        """
        A name is the destination's, or another, or there is none; beside an address every
        name is another, also one that looks like that address.
        """
        for target, name, expected in (
            ("a.example:443", "a.example", "same"),
            ("a.example:443", "b.a.example", "other"),
            ("a.example:443", "", "none"),
            ("a.example:443", None, "none"),
            ("8.8.8.8:443", "a.example", "other"),
            ("8.8.8.8:443", "8.8.8.8", "other"),
            ("8.8.8.8:443", "", "none"),
        ):
            self.assertEqual(Asked(request(target), None, name, False).relation, expected)


class SingleTests(SynchronousTestCase):
    """
    One rule in Python.
    """

    def test_answers(self) -> None:
        """
        Each verdict is put where the policy looks for it.
        """
        asked = Asked(request(), None, None, True)
        maybe = ALLOW._replace(provisional=True)
        for verdict, found in (
            (None, NOTHING),
            (ALLOW, Found(ALLOW)),
            (DENY, Found(DENY)),
            (maybe, Found(None, maybe, (), True)),
            (DENY._replace(provisional=True), NOTHING),
            (DENY._replace(reportOnly=True), Found(None, None, ("r: no",))),
            (ALLOW._replace(reportOnly=True), NOTHING),
        ):
            self.assertEqual(Single(Says(verdict)).find(asked), found, verdict)

    def test_renamed(self) -> None:
        """
        It is called as the operator calls it, in reports as well.
        """
        asked = Asked(request(), None, None, True)
        self.assertEqual(Single(Says(DENY), "mine").find(asked), Found(DENY._replace(rule="mine")))
        report = Single(Says(DENY._replace(reportOnly=True)), "mine").find(asked)
        self.assertEqual(report.reports, ("mine: no",))
        self.assertEqual((Single(Says(None)).name, Single(Says(None), "mine").name), ("says", "mine"))

    def test_named(self) -> None:
        """
        Only a rule that says so is asked for server names.
        """
        self.assertTrue(Single(Greeted()).named)
        self.assertFalse(Single(Says(None)).named)
        asked = Asked(request(), ADDRESS, "a.test", False)
        self.assertEqual(Single(Greeted()).find(asked).final.rule, "otherlist")  # type: ignore[union-attr]
        self.assertIs(Single(Says(None)).find(asked), NOTHING)

    def test_nothingMoreToLearn(self) -> None:
        """
        A rule that has been told everything and still does not know denies what it would
        deny, and allows nothing.
        """

        class Undecided(Greeted):
            def decideServerName(self, request: Any, address: Any, name: str) -> Verdict | None:
                return self.verdict

        denial, permission = (each._replace(provisional=True) for each in (DENY, ALLOW))
        for address in (ADDRESS, None):
            asked = Asked(request(), address, "a.test", False)
            self.assertEqual(Single(Undecided(denial)).find(asked), Found(denial))
            self.assertIs(Single(Undecided(permission)).find(asked), NOTHING)

    def test_wantsServerName(self) -> None:
        """
        What it wants, and whether it decides anyway.
        """
        self.assertEqual(Single(Greeted()).wantsServerName(request()), (True, False))
        self.assertEqual(Single(Greeted(DENY, wants=False)).wantsServerName(request()), (False, True))
        for verdict in (None, DENY._replace(reportOnly=True), ALLOW._replace(provisional=True)):
            self.assertEqual(Single(Says(verdict)).wantsServerName(request()), (False, False))
