"""
Tests for L{connectproxy.limits.passes}: what is charged.
"""

from __future__ import annotations

from tests.limits.case import BOB, MINE, FakeTunnel, QuotasCase, ask


class CountTests(QuotasCase):
    """
    What is counted, and when.
    """

    def test_charged(self) -> None:
        """
        Once a second, in both directions, and the rest at the end; nothing twice.
        """
        accounts = self.accounts(self.LIMIT)
        entered, tunnel = self.up(accounts, 100, 50)
        self.pause()
        self.assertEqual(self.store.count(MINE), 150)
        tunnel.bytesDown += 30
        self.pause()
        self.assertEqual(self.store.count(MINE), 180)
        entered.leave(100, 85)
        entered.leave(100, 85)
        self.pause()
        self.assertEqual(self.store.count(MINE), 185)
        self.pause(12)
        self.assertEqual((self.kept(accounts), len(self.wheel)), ([[]], 0))

    def test_unwatched(self) -> None:
        """
        What is over before anybody has looked at it is charged at the end.
        """
        accounts = self.accounts(self.LIMIT)
        self.passed(accounts.enter(ask(BOB))).leave(3, 4)
        self.pause()
        self.assertEqual(self.store.count(MINE), 7)

    def test_begunAgain(self) -> None:
        """
        What is begun again is charged besides what was before; the end is the last one's.
        """
        accounts = self.accounts(self.LIMIT)
        entered, _ = self.up(accounts, 100)
        entered.watch(FakeTunnel(20))
        entered.leave(25, 0)
        self.pause()
        self.assertEqual(self.store.count(MINE), 125)

    def test_late(self) -> None:
        """
        To watch what has left already changes nothing.
        """
        accounts = self.accounts(self.LIMIT)
        entered = self.passed(accounts.enter(ask(BOB)))
        entered.leave()
        entered.watch(FakeTunnel(99))
        self.assertEqual(accounts._watched, set())
