"""
Tests for L{connectproxy.wire.date}.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire import date as module
from connectproxy.wire.date import date


class DateTests(SynchronousTestCase):
    """
    What C{Date} says.
    """

    def test_oncePerSecond(self) -> None:
        """
        It is IMF-fixdate (RFC 9110 section 5.6.7), and made once a second.
        """
        now = 1_700_000_000.0
        self.patch(module, "time", lambda: now)
        first = date()
        self.assertEqual(first, b"Tue, 14 Nov 2023 22:13:20 GMT")
        now += 0.9
        self.assertIs(date(), first)
        now += 0.2
        self.assertEqual(parsedate_to_datetime(date().decode()).timestamp(), 1_700_000_001.0)
