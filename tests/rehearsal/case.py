"""
What the tests of rehearsals have in common: configurations of a few tables, and questions.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.questions import readQuestion
from connectproxy.rehearsal import Answer, Rehearsal

NOON = 1_700_481_600.0
"""Monday 2023-11-20 12:00 UTC."""


class RehearsalCase(SynchronousTestCase):
    """
    Rehearses configurations, at one moment.
    """

    def rehearse(self, *rules: dict[str, Any], default: str = "deny", **tables: Any) -> Rehearsal:
        """
        A rehearsal of rules.
        """
        named = [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules)]
        said = {"default": default, **tables.pop("policy", {})}
        return Rehearsal(configure(policy=said, rule=named, **tables), lambda: NOON)

    def ask(self, rehearsal: Rehearsal, dest: str, **more: Any) -> Answer:
        """
        Ask it.
        """
        return rehearsal.answer(readQuestion({"dest": dest, **more}))
