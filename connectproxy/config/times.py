"""
The forms of when: hours of the day, and the zone that they are of.
"""

from __future__ import annotations

import re
from typing import Any

from connectproxy.config.forms import Form, Unfit, nearest, shown

__all__ = ["DAYS", "Hours", "Zone"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, in the order of C{datetime.weekday}."""

_HOURS = r"([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})"

_DAY = 24 * 60


class Hours(Form):
    """
    Parts of the day.  The value is a tuple of pairs: the minute of the day with which a
    part begins, and that before which it ends; where it passes midnight, the second is
    the smaller one.
    """

    words = 'an array of parts of the day such as "08:00-18:00" or "22:00-06:00"'

    def fromTOML(self, value: Any) -> tuple[tuple[int, int], ...]:
        """
        Read an array of strings, or a single one.
        """
        complaints: list[tuple[str, str]] = []
        parts: list[tuple[int, int]] = []
        for item in value if isinstance(value, list | tuple) else [value]:
            try:
                parts.append(self._part(item))
            except Unfit as unfit:
                complaints += unfit.complaints
        if complaints:
            raise Unfit(*complaints)
        return tuple(sorted(set(parts)))

    def _part(self, item: object) -> tuple[int, int]:
        """
        Read one part.
        """
        match = re.fullmatch(_HOURS, item.strip()) if isinstance(item, str) else None
        if match is None:
            raise Unfit((f"{shown(item)} is not a part of the day", f"give {self.words}"))
        first, last = (60 * int(match[at]) + int(match[at + 1]) for at in (1, 3))
        if max(int(match[2]), int(match[4])) > 59 or first >= _DAY or last > _DAY:
            advice = "they go from 00:00 to 24:00, which can only be an end"
            raise Unfit((f"{shown(item)} has a time that no clock shows", advice))
        if first == last:
            raise Unfit((f"{shown(item)} has no minute in it", 'write "00:00-24:00" for the whole day'))
        return first, last


class Zone(Form):
    """
    A time zone of the IANA database; the value is its name.
    """

    words = 'a time zone of the IANA database, such as "Europe/Berlin"'

    def fromTOML(self, value: Any) -> str:
        """
        Read a name, and see that the zone is there.
        """
        if not isinstance(value, str) or not value:
            raise Unfit((f"{shown(value)} is not the name of a time zone", f"give {self.words}"))
        if value != "UTC":
            self._look(value)
        return value

    def _look(self, name: str) -> None:
        """
        Find a zone that is not the one that everybody has.
        """
        import zoneinfo  # noqa: PLC0415 - few configurations name one, and start-up is to be quick

        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a directory
            known = zoneinfo.available_timezones()
            if not known:
                advice = "this system has no zones at all: install its package tzdata, or pip install tzdata"
            else:
                near = nearest(name, known)
                advice = f"do you mean {near}?" if near else f"give {self.words}; or install a newer tzdata"
            raise Unfit((f"there is no time zone {shown(name)}", advice)) from None
