"""
Tests for the nonces of L{connectproxy.auth.digest}.
"""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from connectproxy.auth import digest as module
from connectproxy.auth.digest import WINDOW, DigestScheme
from tests.auth.digestcase import REALM, USER, DigestCase


class NonceTests(DigestCase):
    """
    How long a nonce is good (conformance 68).
    """

    def test_unique(self) -> None:
        """
        No two challenges have the same, and one that is made in the same microsecond, or
        after the clock was put back, is a later one.
        """
        nonces = [self.nonce() for _ in range(50)]
        self.assertEqual(len(set(nonces)), 50)
        self.clock.rightNow -= 10
        self.assertEqual(sorted([*nonces, last := self.nonce()])[-1], last)

    def test_noTrace(self) -> None:
        """
        A challenge leaves nothing behind, and neither does a wrong answer.
        """
        for _ in range(20):
            self.verify(self.answer(self.nonce(), password=b"other"))
        self.assertEqual((self.scheme._counts, self.scheme._oldest), ({}, []))

    def test_lifetime(self) -> None:
        """
        At the end of its life it is too old, which is told only to who knows the password;
        the new challenge says so.
        """
        nonce = self.nonce()
        self.clock.advance(299.9)
        self.assertEqual(self.verify(self.answer(nonce)), USER)
        self.clock.advance(0.2)
        self.assertRefused(self.verify(self.answer(nonce, 2)), "too old", stale=True)
        self.assertRefused(self.verify(self.answer(nonce, 2, password=b"other")), "wrong")
        self.assertTrue(all(each.endswith(", stale=true") for each in self.scheme.challenges(stale=True)))
        self.assertNotIn("stale", "".join(self.scheme.challenges()))

    def test_forged(self) -> None:
        """
        What we have not made: another process' or anybody's.
        """
        ours = self.nonce()
        theirs = self.nonce(DigestScheme(self.clock, REALM))
        flipped = (b"B" if ours[:1] != b"B" else b"C") + ours[1:]
        for nonce in (theirs, flipped, ours[:-1], ours + b"A", ours[:-4] + b"====", b"x", ours[:-1] + b"+"):
            self.assertRefused(self.verify(self.answer(nonce)), "not one of this proxy", stale=True)

    def test_replay(self) -> None:
        """
        A count is good once.
        """
        nonce = self.nonce()
        for count in (1, 2, 5, 3, 0xFFFFFFFF):
            self.assertEqual(self.verify(self.answer(nonce, count)), USER)
            self.assertRefused(self.verify(self.answer(nonce, count)), "count of the nonce", stale=True)

    def test_window(self) -> None:
        """
        Requests come in any order, but not from any time: what is too far behind might have
        been there.
        """
        nonce = self.nonce()
        for count, good in (
            (WINDOW + 10, True),
            (11, True),
            (11, False),
            (10, False),
            (WINDOW + 9, True),
            (WINDOW + 9, False),
            (2 * WINDOW + 9, True),  # as far ahead as can be without forgetting all
            (WINDOW + 10, False),
            (WINDOW + 11, True),
            (WINDOW + 9, False),
        ):
            found = self.verify(self.answer(nonce, count))
            self.assertEqual(isinstance(found, str), good, count)

    @given(st.lists(st.integers(1, 600) | st.integers(1, 0xFFFFFFFF), max_size=60))
    def test_counts(self, counts: list[int]) -> None:
        """
        Whatever the order: no count is taken twice, each one within the window is taken
        once, and what is kept stays small.
        """
        state = [0, 0]
        seen: set[int] = set()
        for count in counts:
            expected = count not in seen and count > max(seen, default=0) - WINDOW
            self.assertEqual(module._mark(state, count), expected)
            if expected:
                seen.add(count)
            self.assertLessEqual(state[1].bit_length(), WINDOW)

    def test_full(self) -> None:
        """
        When there are counts of too many nonces, the oldest are given up, and are never good
        again: neither they, nor older ones that nobody had used.
        """
        scheme = DigestScheme(self.clock, REALM, nonces=3)
        nonces = [self.nonce(scheme) for _ in range(6)]
        for index in (1, 4, 2):
            self.assertEqual(self.verify(self.answer(nonces[index]), scheme=scheme), USER)
        # Older than all in the table: there is no room for it, and they stay.
        self.assertRefused(self.verify(self.answer(nonces[0]), scheme=scheme), "too old", stale=True)
        self.assertEqual(self.verify(self.answer(nonces[1], 2), scheme=scheme), USER)
        self.assertEqual(self.verify(self.answer(nonces[5]), scheme=scheme), USER)
        for index in (0, 1):
            for count in (1, 3):
                found = self.verify(self.answer(nonces[index], count), scheme=scheme)
                self.assertRefused(found, "too old", stale=True)
        self.assertEqual(self.verify(self.answer(nonces[3]), scheme=scheme), USER)
        self.assertRefused(self.verify(self.answer(nonces[2], 9), scheme=scheme), "too old", stale=True)
        self.assertEqual(len(scheme._counts), 3)
        self.assertEqual(sorted(scheme._counts), sorted(scheme._oldest))

    def test_forgets(self) -> None:
        """
        Nonces that are too old are forgotten when there are others.
        """
        for _ in range(5):
            self.verify(self.answer(self.nonce()))
        self.clock.advance(301)
        self.assertEqual(self.verify(self.answer(self.nonce())), USER)
        self.assertEqual((len(self.scheme._counts), len(self.scheme._oldest)), (1, 1))

    def test_clockPutBack(self) -> None:
        """
        What has been forgotten is not good again when the clock is put back, or its counts
        would be, too.
        """
        first = self.nonce()
        self.assertEqual(self.verify(self.answer(first)), USER)
        self.clock.advance(301)
        self.assertEqual(self.verify(self.answer(self.nonce())), USER)
        self.clock.rightNow -= 301
        self.assertRefused(self.verify(self.answer(first)), "too old", stale=True)

    def test_size(self) -> None:
        """
        What an entry takes, so that the table's size is known.
        """
        self.verify(self.answer(self.nonce(), 0xFFFFFFFF))
        ((issued, counts),) = self.scheme._counts.items()
        counts[1] = (1 << WINDOW) - 1
        size = sys.getsizeof(issued) + sys.getsizeof(counts) + sum(map(sys.getsizeof, counts))
        self.assertLess(size + 8 + 100, 400)  # the list of times, and a share of the dictionary
