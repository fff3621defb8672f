"""
The forms that a setting's value may take.

A form reads a value as TOML gives it and as a command line gives it, and says in
words what it accepts.  It knows no key, no file and no default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from connectproxy.address import Networks

__all__ = [
    "AccessLog",
    "Count",
    "Flag",
    "Form",
    "Name",
    "NetworkList",
    "PortList",
    "Seconds",
    "Unfit",
    "nearest",
    "shown",
]

_SHOWN = 60
"""How many characters of a wrong value a message repeats."""

_MAX_PORT = 65535


class Unfit(ValueError):
    """
    A value does not have the form that it should have.

    @ivar complaints: for each thing that is wrong, what it is and what would be
        right: two parts of a sentence, the second one may be empty.
    """

    def __init__(self, *complaints: tuple[str, str]) -> None:
        ValueError.__init__(self, "; ".join("; ".join(filter(None, each)) for each in complaints))
        self.complaints = complaints


def shown(value: object) -> str:
    """
    A value as a message repeats it: as TOML writes it, in printable ASCII, cut short.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, int):
        # Not repr: of a number with thousands of digits Python refuses it.
        return "a huge number" if abs(value) >= 10**_SHOWN else repr(value)
    text = str(value)
    if len(text) > _SHOWN:
        text = text[:_SHOWN] + "..."
    text = text.encode("unicode_escape").decode("ascii")
    return f'"{text}"' if isinstance(value, str) else text


def nearest(word: str, known: Iterable[str]) -> str:
    """
    The word that was probably meant; empty if none is like it.
    """
    import difflib  # noqa: PLC0415 - only mistakes need it, and start-up is to be quick

    return next(iter(difflib.get_close_matches(word, known, 1)), "")


class Form:
    """
    What the forms have in common.

    @ivar words: what is accepted, for the documentation and for hints.
    @ivar secret: no message may repeat the value.
    @ivar running: relative names of files are relative to the directory that the proxy was
        started in, wherever they stand.
    """

    words: str
    secret = False
    running = False

    def beside(self, said: Any, directory: str) -> Any:
        """
        Complete relative names of files in what has not been read yet; most forms have
        none.

        @param said: what the TOML parser made of it, of any form.
        @param directory: what such names are relative to.
        @return: the same, with the names completed.
        """
        return said

    def reads(self, said: Any) -> tuple[str, ...]:
        """
        The names of files that are read along with a value; most forms read none.

        @param said: as for L{beside}.
        """
        return ()

    def fromTexts(self, texts: Sequence[str]) -> Any:
        """
        Read what a command line says.

        @param texts: the argument of each time that the option was given, at least
            one.  Where there can be one value only, the last one counts, as is usual
            for options.
        @return: the value.
        @raise Unfit: the value has another form.
        """
        return self.fromTOML(texts[-1])

    def fromTOML(self, value: Any) -> Any:
        """
        Read what a file says.

        @param value: what the TOML parser made of it.
        @return: the value.
        @raise Unfit: the value has another form.
        """
        raise NotImplementedError


class _Number(Form):
    """
    A number with a range.

    @ivar low: the least that is accepted.
    @ivar high: the most that is accepted.
    @ivar zero: what 0 means where it stands outside of the range; empty where it has
        no such meaning.
    """

    unit: ClassVar[str]
    _digits: ClassVar[re.Pattern[str]]
    _types: ClassVar[tuple[type, ...]]
    _convert: ClassVar[type[int | float]]

    def __init__(self, low: float, high: float, zero: str = "") -> None:
        self.low = low
        self.high = high
        self.zero = zero
        self.words = f"{self.unit} from {low:.12g} to {high:.12g}"
        if zero:
            self.words += f", or 0 for {zero}"

    def fromTexts(self, texts: Sequence[str]) -> Any:
        """
        Read decimal digits; no sign, no exponent, no unit.
        """
        if not self._digits.fullmatch(texts[-1]):
            raise Unfit((f"{shown(texts[-1])} is not a number", f"give {self.words}"))
        return self._within(self._convert(texts[-1]))

    def fromTOML(self, value: Any) -> Any:
        """
        Read a number.  In Python, and nowhere else, true is one as well.
        """
        if isinstance(value, bool) or not isinstance(value, self._types):
            raise Unfit((f"{shown(value)} is not a number", f"give {self.words}, without quotes"))
        return self._within(value)

    def _within(self, number: Any) -> Any:
        """
        Hold a number to the range; neither infinity nor what is no number is in one.
        """
        if not (self.low <= number <= self.high or (self.zero and number == 0)):
            raise Unfit((f"{shown(number)} is out of range", f"give {self.words}"))
        return self._convert(number)


class Seconds(_Number):
    """
    A time, in seconds and fractions; the value is a C{float}.
    """

    unit = "seconds"
    _digits = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
    _types = (int, float)
    _convert = float


class Count(_Number):
    """
    A number of things; the value is an C{int}.
    """

    unit = "a whole number"
    _digits = re.compile(r"[0-9]{1,18}")
    _types = (int,)
    _convert = int


class Flag(Form):
    """
    Yes or no.  As an option it is given or not and takes no argument.
    """

    words = "true or false"

    def fromTOML(self, value: Any) -> bool:
        """
        Read a truth value, and no number or word that could be taken for one.
        """
        if not isinstance(value, bool):
            raise Unfit((f"{shown(value)} is not a truth value", "give true or false, without quotes"))
        return value


class Name(Form):
    """
    A word that protocols can carry as it stands: in C{Proxy-Status} as a token (RFC
    9651 section 3.3.4), in C{Via} as a pseudonym (RFC 9110 section 7.6.3).
    """

    _word = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")

    def __init__(self, empty: str = "") -> None:
        """
        @param empty: what the empty string means; without it, nothing.
        """
        self._empty = bool(empty)
        self.words = "a word of letters, digits, '.', '-' and '_' that begins with a letter, at most 64 long"
        if empty:
            self.words += f', or "" for {empty}'

    def fromTOML(self, value: Any) -> str:
        """
        Read a word.
        """
        if value == "" and self._empty:
            return ""
        if not isinstance(value, str) or not self._word.fullmatch(value):
            raise Unfit((f"{shown(value)} is not a name", f"give {self.words}"))
        return value


class AccessLog(Form):
    """
    Where access events go; the value is the text as it stands.
    """

    words = "a file to add JSON lines to, '-' for JSON lines on standard output, 'log' for lines in twistd's log, or 'none'"

    def fromTOML(self, value: Any) -> str:
        """
        Read a word or a file's name.  The file is not touched here.
        """
        if not isinstance(value, str) or not value or "\0" in value:
            raise Unfit((f"{shown(value)} names no place for a log", f"give {self.words}"))
        return value


class PortList(Form):
    """
    Ports and ranges of ports.

    The value is a tuple of ranges, each the first and the last port, ascending, none
    touching another; or L{None} for every port.
    """

    words = "ports and ranges such as 8000-8999, or 'any'"
    _range = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")

    def fromTexts(self, texts: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
        """
        Read ports between commas.
        """
        text = texts[-1].strip()
        return None if text == "any" else self._merged(text.split(","))

    def fromTOML(self, value: Any) -> tuple[tuple[int, int], ...] | None:
        """
        Read an array of numbers and strings, one number, or a string like an option's.
        """
        if isinstance(value, str):
            return self.fromTexts((value,))
        return self._merged(value if isinstance(value, list | tuple) else [value])

    def _merged(self, items: Sequence[Any]) -> tuple[tuple[int, int], ...]:
        """
        Read every item, then join the ranges that touch.
        """
        if not items:
            raise Unfit(("no port is allowed, so no tunnel could be opened", f"give {self.words}"))
        complaints: list[tuple[str, str]] = []
        ranges: list[tuple[int, int]] = []
        for item in items:
            try:
                ranges.append(self._ports(item))
            except Unfit as unfit:
                complaints += unfit.complaints
        if complaints:
            raise Unfit(*complaints)
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return tuple(merged)

    def _ports(self, item: object) -> tuple[int, int]:
        """
        Read one port or range.
        """
        isNumber = isinstance(item, int) and not isinstance(item, bool)
        text = item.strip() if isinstance(item, str) else shown(item) if isNumber else ""
        match = self._range.fullmatch(text)
        if match is None:
            raise Unfit((f"{shown(item)} is not a port or a range of ports", f"give {self.words}"))
        first = int(match[1])
        last = int(match[2] or match[1])
        if not 1 <= first <= last <= _MAX_PORT:
            raise Unfit(
                (f"{shown(item)} is not within 1 to {_MAX_PORT}, the lower end first", f"give {self.words}")
            )
        return first, last


class NetworkList(Form):
    """
    Networks; the value is a L{Networks}.
    """

    words = "networks such as 10.0.0.0/8 or fd00::/8, and single addresses"

    def fromTexts(self, texts: Sequence[str]) -> Networks:
        """
        Read one or several networks each time that the option was given.
        """
        complaints: list[tuple[str, str]] = []
        for text in texts:
            try:
                if not isinstance(text, str) or not Networks.parse(text):
                    complaints.append((f"{shown(text)} is not a network", f"give {self.words}"))
            except ValueError as wrong:
                complaints.append((str(wrong), ""))  # the advice is in it
        if complaints:
            raise Unfit(*complaints)
        return Networks.parse(*texts)

    def fromTOML(self, value: Any) -> Networks:
        """
        Read an array of strings, or one string like an option's.
        """
        if isinstance(value, str):
            return self.fromTexts((value,))
        if not isinstance(value, list | tuple):
            raise Unfit((f"{shown(value)} is not a list of networks", f"give an array of {self.words}"))
        return self.fromTexts(value)
