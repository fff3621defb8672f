"""
Receiving windows, as numbers.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.http2.credit import ALLOWANCE, CONNECTION, FIRST, Credit


class CreditTests(SynchronousTestCase):
    """
    The connection's window, and the allowance that streams grow by.
    """

    def test_connection(self) -> None:
        """
        The connection's window is filled again when half of it is used, to the octet.
        """
        credit = Credit()
        half = CONNECTION // 2
        self.assertEqual(credit.received(half - 1), 0)
        self.assertEqual(credit.received(1), half)
        self.assertEqual(credit.received(half + 7), half + 7)

    def test_allowance(self) -> None:
        """
        Streams grow until the allowance is used, and again when one is over.
        """
        credit = Credit()
        grown = 0
        while credit.grow(1 << 20):
            grown += 1
        self.assertEqual(grown << 20, ALLOWANCE)
        credit.closed(FIRST + (1 << 20))
        self.assertTrue(credit.grow(1 << 20))
        self.assertFalse(credit.grow(1))
