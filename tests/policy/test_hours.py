"""
Tests for L{connectproxy.policy.hours}.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.policy.hours import DAYS, Schedule


def at(text: str, zone: str = "UTC") -> float:
    """
    The seconds of a time in a zone.
    """
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class ScheduleTests(SynchronousTestCase):
    """
    When a rule holds.
    """

    def assertHolds(self, schedule: Schedule, yes: str, no: str, zone: str = "UTC") -> None:
        """
        It holds at some times and not at others: between commas.
        """
        for texts, expected in ((yes, True), (no, False)):
            for text in filter(None, texts.split(", ")):
                self.assertIs(schedule.holds(at(text, zone)), expected, text)

    def test_hours(self) -> None:
        """
        The first minute belongs to a part of the day, the last one does not.
        """
        self.assertHolds(
            Schedule((), ((480, 1080), (1200, 1201))),
            "2023-11-20 08:00:00, 2023-11-20 17:59:59, 2023-11-25 12:00, 2023-11-20 20:00:30",
            "2023-11-20 07:59:59, 2023-11-20 18:00, 2023-11-20 20:01, 2023-11-20 00:00",
        )

    def test_days(self) -> None:
        """
        Without hours, a day is all of it.
        """
        self.assertHolds(
            Schedule(("mon", "sun"), ()),
            "2023-11-20 00:00, 2023-11-20 23:59:59, 2023-11-26 12:00",
            "2023-11-21 00:00, 2023-11-25 23:59:59",
        )

    def test_midnight(self) -> None:
        """
        What passes midnight belongs to the day that it begins on.
        """
        self.assertHolds(
            Schedule(("fri",), ((1320, 360),)),
            "2023-11-24 22:00, 2023-11-24 23:59, 2023-11-25 00:00, 2023-11-25 05:59",
            "2023-11-24 05:00, 2023-11-24 21:59, 2023-11-25 06:00, 2023-11-25 22:00, 2023-11-23 23:00",
        )

    def test_sundayToMonday(self) -> None:
        """
        The week is a circle.
        """
        self.assertHolds(Schedule(("sun",), ((1320, 360),)), "2023-11-20 01:00", "2023-11-21 01:00")

    def test_wholeDay(self) -> None:
        """
        To midnight is to the end of the day.
        """
        self.assertHolds(Schedule(("mon",), ((0, 1440),)), "2023-11-20 23:59", "2023-11-21 00:00")

    def test_zone(self) -> None:
        """
        Days and hours are those of the zone, in summer and in winter.
        """
        schedule = Schedule(("mon",), ((480, 1080),), "Europe/Berlin")
        self.assertHolds(
            schedule,
            "2023-11-20 08:00, 2023-07-17 08:00",
            "2023-11-20 18:00, 2023-07-17 07:59",
            "Europe/Berlin",
        )
        self.assertHolds(schedule, "2023-11-20 07:00, 2023-07-17 06:00", "2023-11-20 06:59, 2023-07-17 05:59")
        self.assertHolds(
            Schedule(("mon",), (), "Asia/Tokyo"), "2023-11-19 15:00", "2023-11-19 14:59, 2023-11-20 15:00"
        )

    def test_everyMinuteOfAWeek(self) -> None:
        """
        Two schedules that complete each other never hold at the same time, and one of them
        always does: also through the night in which the clock is put back.
        """
        first = Schedule((), ((480, 1200),), "Europe/Berlin")
        second = Schedule((), ((1200, 480),), "Europe/Berlin")
        begin = at("2023-10-26 00:00")
        for minute in range(0, 7 * 1440, 13):
            self.assertNotEqual(first.holds(begin + 60 * minute), second.holds(begin + 60 * minute))

    def test_clocksThatAreWrong(self) -> None:
        """
        A time that no calendar has is no reason to fail.
        """
        for seconds in (1e18, -1e18):
            Schedule(("mon",), ((480, 1080),), "Asia/Tokyo").holds(seconds)

    def test_words(self) -> None:
        """
        A time is told with its day and zone.
        """
        self.assertEqual(Schedule((), ()).words(at("2023-11-25 07:05")), "Sat 07:05 (UTC)")
        local = Schedule((), (), "Asia/Tokyo").words(at("2023-11-25 07:05"))
        self.assertEqual(local, "Sat 16:05 (Asia/Tokyo)")

    def test_dayNames(self) -> None:
        """
        The days are those of the configuration, in the order of the calendar.
        """
        monday = datetime.fromisoformat("2023-11-20")
        names = [(monday + timedelta(days=n)).strftime("%a").lower() for n in range(7)]
        self.assertEqual(list(DAYS), names)
