"""
Budgets; what is charged to them is tested with each side.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.http2.floods import Budget


class BudgetTests(SynchronousTestCase):
    """
    A bucket of tokens.
    """

    def test_spend(self) -> None:
        """
        There are as many as there were at first, and then as many as time brings.
        """
        budget = Budget(10, 2, 100.0)
        self.assertTrue(all(budget.spend(1, 100.0) for _ in range(10)))
        self.assertFalse(budget.spend(1, 100.0))
        self.assertEqual([budget.spend(1, 101.5) for _ in range(3)], [True, True, False])
        self.assertTrue(budget.spend(9, 1000.0))

    def test_earn(self) -> None:
        """
        What is earned can be spent, but not saved without bound.
        """
        budget = Budget(10, 0, 0.0)
        budget.earn(1000)
        self.assertEqual(budget.left, 10)
        budget.spend(5, 0.0)
        budget.earn(1)
        self.assertEqual(budget.left, 6)
