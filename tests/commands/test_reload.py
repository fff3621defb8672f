"""
Tests for L{connectproxy.commands.reload}.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from connectproxy.commands.reload import main
from tests.commands.test_dialogue import DialogueCase

pytestmark = pytest.mark.integration


class ReloadTests(DialogueCase):
    """
    C{connectproxy reload}.
    """

    def run_(self, answer: Any = None) -> tuple[int, str, str]:
        """
        Run it at a proxy that answers so.

        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        served = self.answering(answer) if answer is not None else None
        status = main(["--control", str(self.path)])
        if served is not None:
            self.assertEqual(json.loads(served.asked), {"command": "reload"})
        return status, out.getvalue(), err.getvalue()

    def test_done(self) -> None:
        """
        In force: what takes a restart is told, and the id.
        """
        status, out, err = self.run_({"id": "01234567", "problems": [], "notes": ["x takes a restart"]})
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, "x takes a restart\nthe configuration 01234567 is in force\n")

    def test_failed(self) -> None:
        """
        Not in force: a line for each problem.
        """
        status, out, err = self.run_({"id": "01234567", "problems": ["a:1: one", "b:2: two"], "notes": []})
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(
            err.splitlines(),
            [
                "a:1: one",
                "b:2: two",
                "connectproxy reload: the configuration 01234567 from before stays in force",
            ],
        )

    def test_unreachable(self) -> None:
        """
        Nobody there.
        """
        status, out, err = self.run_()
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f"connectproxy reload: {self.path}: No such file", err)
