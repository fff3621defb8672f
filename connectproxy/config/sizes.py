"""
The forms of amounts: octets, things per second, and times that may be left out.
"""

from __future__ import annotations

import re
from typing import Any

from connectproxy.config.forms import Form, Seconds, Unfit, shown

__all__ = ["Bound", "Rate", "Size"]

_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
"""
Octets by unit, decimal (SI) and binary (IEC 80000-13).  They are spelt in this one way:
who writes C{"10 mb"} might mean bits.
"""

_SIZE = r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]{0,3})"

_MOST = 2**60


class Size(Form):
    """
    A number of octets; the value is an C{int}.
    """

    def __init__(self, low: int, zero: str = "") -> None:
        """
        @param low: the least that is accepted.
        @param zero: what 0 means; empty where it means nothing.
        """
        self._low = low
        self._zero = zero
        self.words = 'a size such as "10 MiB", "500 kB" or "1.5 GB", or a number of octets'
        if low > 1:
            self.words += f", at least {low}"
        if zero:
            self.words += f", or 0 for {zero}"

    def fromTOML(self, value: Any) -> int:
        """
        Read a number of octets, or a string of a number and a unit.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            return self._within(value, value)
        match = re.fullmatch(_SIZE, value.strip()) if isinstance(value, str) else None
        if match is None:
            raise Unfit((f"{shown(value)} is not a size", f"give {self.words}"))
        unit = match[2] or "B"
        if unit not in _UNITS:
            near = [known for known in _UNITS if known.lower() == unit.lower()]
            advice = f"do you mean {near[0]}?" if near else f"the units are {', '.join(_UNITS)}"
            raise Unfit((f"{shown(match[2])} is no unit of sizes", advice))
        return self._within(round(float(match[1]) * _UNITS[unit]), value)

    def _within(self, octets: int, said: object) -> int:
        """
        Hold a size to the range.
        """
        if not (self._low <= octets <= _MOST or (self._zero and octets == 0)):
            raise Unfit((f"{shown(said)} is out of range", f"give {self.words}"))
        return octets


class Rate(Seconds):
    """
    So many per second, and fractions: 0.1 is one in ten seconds.  The value is a C{float}.
    """

    unit = "a number"


class Bound(Seconds):
    """
    A time that may be left to the configuration as a whole; the value is a C{float}, or
    L{None} where it is.
    """

    def __init__(self, low: float, high: float, zero: str = "") -> None:
        Seconds.__init__(self, low, high, zero)
        self.words += ', or "" for that of the whole proxy'

    def fromTOML(self, value: Any) -> float | None:
        """
        Read a number, or nothing.
        """
        return None if value == "" else Seconds.fromTOML(self, value)
