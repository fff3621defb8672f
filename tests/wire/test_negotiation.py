"""
Tests for L{connectproxy.wire.negotiation}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.negotiation import Again, Passage


class ValueTests(SynchronousTestCase):
    """
    How a negotiation ends.
    """

    def test_passage(self) -> None:
        """
        A passage need say nothing, and is no bytes: those are for going on.
        """
        self.assertEqual(Passage(), (b"", 0, (), "", ""))
        self.assertNotIsInstance(Passage(), bytes)

    def test_again(self) -> None:
        """
        What is asked anew has the refusal for when it is not.
        """
        self.assertEqual(Again(Refusal("next_hop_denied")).refusal.row.status, 403)
