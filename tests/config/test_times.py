"""
Tests for L{connectproxy.config.times}.
"""

from __future__ import annotations

from unittest import mock

from connectproxy.config.times import Hours, Zone
from tests.config.formcase import FormCase


class HoursTests(FormCase):
    """
    Parts of the day.
    """

    def test_read(self) -> None:
        """
        Minutes of the day, in ascending order, each part once; one may pass midnight.
        """
        for value, parts in (
            ("08:00-18:00", ((480, 1080),)),
            (["13:00-18:30", "8:00 - 12:00", "08:00-12:00"], ((480, 720), (780, 1110))),
            (["22:00-06:00"], ((1320, 360),)),
            ("00:00-24:00", ((0, 1440),)),
            ("23:59-00:00", ((1439, 0),)),
            ([], ()),
        ):
            self.assertEqual(Hours().fromTOML(value), parts, value)

    def test_refused(self) -> None:
        """
        What no clock shows, and what is no part of a day at all.
        """
        self.assertRefuses(
            Hours(),
            ["", "8-18", "08:00", "08:00-18:00:00", "8h-9h", 8, None, {}, "08:00\N{EN DASH}18:00"],
            "not a part",
        )
        self.assertRefuses(
            Hours(), ["24:00-06:00", "08:60-09:00", "08:00-09:60", "08:00-24:01", "99:99-99:99"], "no clock"
        )
        self.assertRefuses(Hours(), ["08:00-08:00"], "00:00-24:00")

    def test_allAtOnce(self) -> None:
        """
        Every item that is wrong is told.
        """
        self.assertEqual(len(self.refused(Hours(), ["x", "08:00-09:00", "y"])), 2)


class ZoneTests(FormCase):
    """
    Time zones.
    """

    def test_read(self) -> None:
        """
        A name is kept as it is.
        """
        for name in ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"):
            self.assertEqual(Zone().fromTOML(name), name)

    def test_refused(self) -> None:
        """
        What is no zone, among it what the library would look for outside of its place.
        """
        self.assertRefuses(Zone(), ["", 5, None, []], "is not the name of a time zone")
        self.assertRefuses(
            Zone(),
            ["Europe", "../../etc/passwd", "/etc/passwd", "CET-1CEST", "a\0b", "x" * 5000],
            "no time zone",
        )
        self.assertEqual(
            self.refused(Zone(), "Europe/Berln"),
            [('there is no time zone "Europe/Berln"', "do you mean Europe/Berlin?")],
        )

    def test_noZonesAtAll(self) -> None:
        """
        Where the system has none, the advice says what is missing.
        """
        with mock.patch("zoneinfo.available_timezones", return_value=set()):
            self.assertRefuses(Zone(), ["Europe/Nowhere"], "tzdata")
