"""
The periods of quotas: hours, days, weeks and months in UTC.

They are the calendar's and do not begin with anybody's first octet, so that several
proxies agree on them without asking each other.  A week begins on Monday (ISO 8601).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

__all__ = ["PERIODS", "Period", "periodAt"]

PERIODS = ("hour", "day", "week", "month")
"""Their names in the configuration."""

_LABELS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


class Period(NamedTuple):
    """
    One of them.

    @ivar label: its start, as ISO 8601 writes it, no more exactly than needed.
    @ivar end: the first second that is none of its, since the epoch.
    """

    label: str
    end: int


def periodAt(name: str, now: float) -> Period:
    """
    The period that a moment is in.

    @param name: one of L{PERIODS}.
    @param now: seconds since the epoch.
    """
    return _periodOf(name, int(now // 3600))


@lru_cache(16)
def _periodOf(name: str, hour: int) -> Period:
    """
    The period that an hour is in.

    @param hour: its number since the epoch.
    """
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    label = moment.strftime(_LABELS[name])
    if name == "hour":
        return Period(label, int((moment + timedelta(hours=1)).timestamp()))
    moment = moment.replace(hour=0)
    if name == "day":
        end = moment + timedelta(days=1)
    elif name == "week":
        end = moment + timedelta(days=7 - moment.weekday())
    else:
        # 31 days from the first of any month are in the next one, or its first day.
        end = (moment.replace(day=1) + timedelta(days=31)).replace(day=1)
    return Period(label, int(end.timestamp()))
