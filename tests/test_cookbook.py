"""
C{docs/cookbook.md}: every recipe is checked as C{connectproxy check} does it, and every case
of it is decided.
"""

from __future__ import annotations

import re
from typing import Any

from connectproxy.address import Networks
from connectproxy.auth.connection import Identities, Identity
from connectproxy.auth.realm import ProxyRealm
from connectproxy.cases import untouched
from connectproxy.commands import check, policy
from connectproxy.config import load
from connectproxy.findings import examine
from connectproxy.interfaces import Arrival
from connectproxy.rehearsal import Rehearsal
from connectproxy.testing import Decisions, readCases
from connectproxy.tls.identity import ClientCertificate
from tests.pagecase import CODE, DOCS, PageCase, Recipe, recipes

WORDS = re.compile(r"(?!connectproxy |deny by rule )\w+ \w+ \w+ ")
"""What a warning says, and no command or key."""


class CookbookTests(PageCase):
    """
    The recipes.
    """

    def each(self) -> list[Recipe]:
        """
        All of them; whoever goes on to the next one is in its directory.
        """
        return list(recipes("cookbook.md").values())

    def test_enough(self) -> None:
        """
        There are ten at least, each for somebody, and the table at the top has all of them
        in their order.
        """
        found = self.each()
        self.assertGreaterEqual(len(found), 10)
        for recipe in found:
            self.assertTrue(recipe.prose.startswith("For "), recipe.title)
            self.assertLessEqual({"proxy.toml", "cases.toml"}, set(recipe.files), recipe.title)
        listed = re.findall(r"^\| \[(.*?)\]\(#", (DOCS / "cookbook.md").read_text(), re.MULTILINE)
        self.assertEqual(listed, [recipe.title for recipe in found])

    def test_checked(self) -> None:
        """
        Each configuration can be used, and there are no warnings but those that the text
        names.
        """
        for recipe in self.each():
            self.make(recipe)
            for name in recipe.files:
                if not name.endswith(".toml") or name.endswith("cases.toml"):
                    continue
                if name != "proxy.toml":  # a shadow's file is a policy and nothing else
                    Rehearsal(load(name))
                    continue
                findings = examine(lambda: load("proxy.toml"))
                self.assertEqual(findings.errors, (), recipe.title)
                meant = [code for code in CODE.findall(recipe.prose) if WORDS.match(code)]
                for warning in findings.warnings:
                    self.assertTrue(
                        any(code in warning.message for code in meant), f"{recipe.title}: {warning}"
                    )
                for code in meant:
                    told = any(code in warning.message for warning in findings.warnings)
                    self.assertTrue(told, f"{recipe.title}: {code}")
                status, printed = self.ran(check.main, name)
                self.assertEqual(status, 0, printed)
                self.assertIn("proxy.toml can be used: ", printed)

    def test_decided(self) -> None:
        """
        Each case is decided as the page says, something is allowed and something denied,
        and no rule is left that no case is about.
        """
        for recipe in self.each():
            self.make(recipe)
            for name in recipe.files:
                if not name.endswith("cases.toml"):
                    continue
                of = "proxy.toml" if name == "cases.toml" else name.replace("-cases", "")
                decisions, cases = Decisions.load(of), readCases(name)
                for case in cases:
                    decisions.verify(case)
                self.assertEqual({case.expect for case in cases}, {"allow", "deny"}, recipe.title)
                rehearsal = Rehearsal(decisions.config)
                answers = [rehearsal.answer(case.question) for case in cases]
                self.assertEqual(untouched(rehearsal, answers), [], recipe.title)
                status, printed = self.ran(policy.main, "test", of, name)
                self.assertEqual(status, 0, printed)

    def answer(self, title: str, dest: str, **more: Any) -> Any:
        """
        What a recipe decides.
        """
        self.make(recipes("cookbook.md")[title])
        return Decisions.load("proxy.toml").ask(dest, **more)

    def test_reported(self) -> None:
        """
        What the text says of reports and of the shadow is so.
        """
        answer = self.answer(
            "From allow to deny, by reports",
            "example.net:443",
            client="10.0.7.7",
            addresses=["93.184.216.34"],
        )
        (report,) = answer.reports
        self.assertTrue(report.startswith("not-on-the-list: "), report)
        answer = self.answer(
            "A stricter policy in the shadow", "example.net:443", user="carl", addresses=["93.184.216.34"]
        )
        self.assertEqual((answer.decision, answer.shadow), ("allow", "deny by rule default"))

    def test_bounds(self) -> None:
        """
        The limits and deadlines are for whom the text says.
        """
        title = "Teams that share a line"
        for user, limits, dest, idle in (
            ("ann", ("fair", "data-rate", "data-volume"), "eu.warehouse.example:443", 600),
            ("ann", ("fair", "data-rate", "data-volume"), "example.com:443", 60),
            ("carl", ("fair",), "eu.warehouse.example:443", 60),
        ):
            answer = self.answer(title, dest, user=user, addresses=["93.184.216.34"])
            self.assertEqual((answer.limits, answer.idleTimeout), (limits, idle))
        answer = self.answer(
            "Staff and guests",
            "example.com:443",
            listener="guests",
            client="192.168.50.23",
            addresses=["93.184.216.34"],
        )
        self.assertEqual(answer.limits, ("guests",))

    def test_certificate(self) -> None:
        """
        A certificate with a SPIFFE ID is the user that the text says.
        """
        self.make(recipes("cookbook.md")["A partner with a certificate"])
        (row,) = load("proxy.toml").rows["identity"]
        options = row.options
        identities = Identities(
            [Identity(options["user"], frozenset(options["groups"]), (), options["certificate"], Networks())],
            ProxyRealm({}),
        )

        def known(uri: str) -> Any:
            certificate = ClientCertificate("", (), (), (uri,), uri)
            found = identities.known(Arrival(None, "", 0.0, certificate=certificate))  # type: ignore[arg-type]
            return None if found is None else (found.name, found.groups)

        self.assertEqual(known("spiffe://partner.example/shop"), ("partner-shop", {"partner"}))
        self.assertIsNone(known("spiffe://partner.example/shop/admin"))
        self.assertIsNone(known("spiffe://other.example/shop"))
