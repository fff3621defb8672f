"""
The page about SOCKS, held to what is so.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.association import REFUSALS
from connectproxy.datagrams import flow
from connectproxy.errors import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "socks.md").read_text()


class PageTests(SynchronousTestCase):
    """
    The table, and the figures.
    """

    def test_codes(self) -> None:
        """
        The table has every kind of refusal in the row of its reply, the general one for those
        that it does not name; conformance 72.
        """
        rows = re.findall(r"^\| ([1-8]) \| [^|]+ \| ([^|]*) \|$", PAGE, re.MULTILINE)
        self.assertEqual([int(number) for number, _ in rows], [2, 3, 4, 5, 6, 7, 8, 1])
        self.assertEqual(rows[-1], ("1", "every other kind"))
        shown = {kind: int(number) for number, kinds in rows for kind in re.findall(r"`(\w+)`", kinds)}
        self.assertEqual(shown, {name: row.socks5 for name, row in KINDS.items() if row.socks5 != 1})
        self.assertEqual({row.socks4 for row in KINDS.values()}, {91})

    def test_figures(self) -> None:
        """
        The bounds are those that the page names.
        """
        for words, number in (
            ("A decision holds for ten seconds", flow.VERDICT_TTL / 10),
            (f"the first {REFUSALS} of an association", 1),
            (f"the last {flow.DESTINATIONS}.", 1),
            (f"{flow.HELD_DATAGRAMS} of them or {flow.HELD_OCTETS >> 10} KiB", 1),
            ("eight names at once", flow.PENDING / 8),
        ):
            self.assertIn(words, " ".join(PAGE.split()))
            self.assertEqual(number, 1, words)
