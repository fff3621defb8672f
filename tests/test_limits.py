"""
Tests for L{connectproxy.limits} as a whole: its names.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import limits


class NamesTests(SynchronousTestCase):
    """
    What the package offers.
    """

    def test_public(self) -> None:
        """
        These names, and all of them exist.
        """
        self.assertEqual(
            limits.__all__,
            [
                "LOOK_AGAIN",
                "Accounts",
                "Admission",
                "Bucket",
                "Limit",
                "Pass",
                "Prefixes",
                "buildLimits",
                "openFiles",
            ],
        )
        for name in limits.__all__:
            self.assertTrue(hasattr(limits, name), name)
