"""
Tests for L{connectproxy.limits.period}.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits.period import PERIODS, periodAt


def at(text: str) -> float:
    """
    Seconds since the epoch of a moment in UTC.
    """
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class PeriodTests(SynchronousTestCase):
    """
    The calendar, in UTC.
    """

    def assertPeriod(self, name: str, moment: str, label: str, end: str) -> None:
        """
        A moment is in a period.
        """
        self.assertEqual(periodAt(name, at(moment)), (label, at(end)))

    def test_hour(self) -> None:
        """
        From minute 0 to minute 60.
        """
        self.assertPeriod("hour", "2026-03-29T01:30:00", "2026-03-29T01", "2026-03-29T02:00:00")
        self.assertPeriod("hour", "2026-12-31T23:59:59", "2026-12-31T23", "2027-01-01T00:00:00")

    def test_day(self) -> None:
        """
        From midnight to midnight, that of 29 February included.
        """
        self.assertPeriod("day", "2028-02-28T00:00:00", "2028-02-28", "2028-02-29T00:00:00")
        self.assertPeriod("day", "2028-02-29T23:59:59", "2028-02-29", "2028-03-01T00:00:00")

    def test_week(self) -> None:
        """
        From Monday on; the first of a year may begin in the year before.
        """
        self.assertPeriod("week", "2026-11-23T00:00:00", "2026-W48", "2026-11-30T00:00:00")
        self.assertPeriod("week", "2026-11-22T23:59:59", "2026-W47", "2026-11-23T00:00:00")
        self.assertPeriod("week", "2024-12-31T12:00:00", "2025-W01", "2025-01-06T00:00:00")

    def test_month(self) -> None:
        """
        Of 28 to 31 days.
        """
        for moment, end in (
            ("2026-01-31T23:59:59", "2026-02-01T00:00:00"),
            ("2026-02-01T00:00:00", "2026-03-01T00:00:00"),
            ("2028-02-29T00:00:00", "2028-03-01T00:00:00"),
            ("2026-12-15T00:00:00", "2027-01-01T00:00:00"),
        ):
            self.assertPeriod("month", moment, moment[:7], end)

    @given(st.sampled_from(PERIODS), st.integers(0, 4_000_000_000))
    def test_oneAfterTheOther(self, name: str, now: int) -> None:
        """
        A moment is before the end of its period; up to the last second it is the same one,
        and then another.
        """
        period = periodAt(name, now)
        self.assertGreater(period.end, now)
        self.assertEqual(periodAt(name, period.end - 1), period)
        self.assertNotEqual(periodAt(name, period.end).label, period.label)
