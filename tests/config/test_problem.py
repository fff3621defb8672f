"""
Tests for L{connectproxy.config.problem}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.problem import ConfigurationError, Problem


class ProblemTests(SynchronousTestCase):
    """
    What people read.
    """

    def test_problemsWithoutAdvice(self) -> None:
        """
        Where the message says it all, nothing is appended.
        """
        self.assertEqual(str(Problem("k", "P", "is wrong", "")), "P: is wrong")
        self.assertEqual(str(Problem("k", "P", "is wrong", "do right")), "P: is wrong; do right")

    def test_error(self) -> None:
        """
        The error is a line for each, in order, and keeps them.
        """
        problems = [Problem("k", "P", "is wrong", ""), Problem("l", "Q", "is, too", "do right")]
        error = ConfigurationError(problems)
        self.assertEqual(str(error), "P: is wrong\nQ: is, too; do right")
        self.assertEqual(error.problems, tuple(problems))
