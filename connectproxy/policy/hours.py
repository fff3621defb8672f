"""
Days of the week and hours of the day, in a time zone.

A part of the day that passes midnight belongs to the day that it begins on: from Friday
22:00 to 06:00 is Friday's, until Saturday morning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

__all__ = ["DAYS", "Schedule"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days as rules name them, in the order of C{datetime.weekday}."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule(NamedTuple):
    """
    When a rule holds.

    @ivar days: some of L{DAYS}; none for all.
    @ivar hours: pairs of minutes of the day, the first one included and the second one
        not; none for the whole day.
    @ivar zone: the name of the time zone that they are of.
    """

    days: Sequence[str]
    hours: Sequence[tuple[int, int]]
    zone: str = "UTC"

    def holds(self, seconds: float) -> bool:
        """
        Whether a time is one of those that are meant.

        @param seconds: since 1970, as C{time.time()} has it.
        """
        local = self.local(seconds)
        minute = 60 * local.hour + local.minute
        today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        for first, last in self.hours or ((0, 24 * 60),):
            if first < last:
                if first <= minute < last and self._on(today):
                    return True
            elif (minute >= first and self._on(today)) or (minute < last and self._on(yesterday)):
                return True
        return False

    def _on(self, day: str) -> bool:
        """
        Whether a day is one of those that are meant.
        """
        return not self.days or day in self.days

    def local(self, seconds: float) -> datetime:
        """
        A time in the zone.  One that no calendar has is taken for the beginning of all.
        """
        try:
            return (_EPOCH + timedelta(seconds=seconds)).astimezone(self._zone())
        except (OverflowError, ValueError):
            return _EPOCH

    def _zone(self) -> tzinfo:
        """
        The zone itself, which the library keeps.
        """
        if self.zone == "UTC":
            return UTC
        import zoneinfo  # noqa: PLC0415 - few policies name a zone

        return zoneinfo.ZoneInfo(self.zone)

    def words(self, seconds: float) -> str:
        """
        A time in the zone, for people: C{Sat 12:30 (UTC)}.
        """
        local = self.local(seconds)
        day = DAYS[local.weekday()].capitalize()
        return f"{day} {local.hour:02}:{local.minute:02} ({self.zone})"
