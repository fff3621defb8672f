"""
Tests for L{connectproxy.policy.users}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import ProxyUser
from connectproxy.policy.users import UserIndex


class UserIndexTests(SynchronousTestCase):
    """
    Who asks.
    """

    def setUp(self) -> None:
        """
        An index with each kind of name.
        """
        self.index = UserIndex()
        self.index.add(["ann", "bob"], 1)
        self.index.add(["*"], 2)
        self.index.add(["-"], 4)
        self.index.add(["ann", "-"], 8)

    def test_known(self) -> None:
        """
        Who is known is himself, and anybody.
        """
        self.assertEqual(self.index.find(ProxyUser("ann")), 1 | 2 | 8)
        self.assertEqual(self.index.find(ProxyUser("eve")), 2)

    def test_unknown(self) -> None:
        """
        Who is not known is not anybody.
        """
        self.assertEqual(self.index.find(None), 4 | 8)

    def test_nobodyIsCalledBySigns(self) -> None:
        """
        A user whose name is one of the signs is anybody, and gains nothing by that name.
        """
        self.assertEqual(self.index.find(ProxyUser("-")), 2)
        self.assertEqual(self.index.find(ProxyUser("*")), 2)
