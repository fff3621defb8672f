"""
Tests for L{connectproxy.testing.faults}.
"""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.testing import Close, Forward, HalfClose, Read, Reset, Say, Stall
from connectproxy.testing.faults import Step


class StepTests(SynchronousTestCase):
    """
    The words of scripts.
    """

    def test_values(self) -> None:
        """
        They are values: equal if they say the same, and not if they are different words.
        """
        steps = [Say(b"x"), Say(b"x", 5), Read(3), Read(b"x"), Forward(), Forward(3), Stall(), Stall(3)]
        steps += [HalfClose(), Close(), Reset()]
        self.assertEqual(len(set(steps)), len(steps))
        self.assertEqual(Say(b"x"), Say(b"x"))
        self.assertEqual(repr(Forward(3)), "Forward(octets=3, rate=0.0)")
        with self.assertRaises(AttributeError):
            Stall().seconds = 3  # type: ignore[misc]

    def test_all(self) -> None:
        """
        They are all that a script may have.
        """
        self.assertEqual(set(get_args(Step)), {Say, Read, Forward, Stall, HalfClose, Close, Reset})
