"""
The forms of texts: names that people give, sentences for clients, methods, and tables
that belong to somebody else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any

from connectproxy.config.forms import Form, Unfit, shown
from connectproxy.config.secret import Secret

__all__ = ["Label", "Methods", "Strings", "Table", "Text", "isLabel"]

_OCTETS = 255
"""How long the name of a user or a group may be: RFC 1929 section 2 has room for that."""

_SENTENCE = 500
"""How many characters a text for clients may have: it goes into a field of a head."""

_DEEP = 8
"""How many tables and arrays may be within one another."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"
"""A token, RFC 9110 section 5.6.2."""

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


def isLabel(text: str) -> bool:
    """
    Whether a text can be the name of a user or a group: not empty, of bounded length,
    and all of it can be seen.
    """
    return text.isprintable() and 0 < len(text.encode()) <= _OCTETS and text == text.strip()


class Label(Form):
    """
    The name of a user or a group, or what else people make up; the value is in
    Normalization Form C.
    """

    def __init__(self, empty: str = "") -> None:
        """
        @param empty: what the empty string means; without it, nothing.
        """
        self._empty = bool(empty)
        self.words = f"a name of printable characters, at most {_OCTETS} octets of UTF-8"
        if empty:
            self.words += f', or "" for {empty}'

    def fromTOML(self, value: Any) -> str:
        """
        Read a name.
        """
        if value == "" and self._empty:
            return ""
        name = unicodedata.normalize("NFC", value) if isinstance(value, str) else ""
        if not isLabel(name):
            raise Unfit((f"{shown(value)} is not a name", f"give {self.words}"))
        return name


class Text(Form):
    """
    A sentence for clients, on one line.
    """

    words = f"a text on one line, of at most {_SENTENCE} printable characters"

    def fromTOML(self, value: Any) -> str:
        """
        Read a text; what would end a line, or turn its direction, is none.
        """
        if not isinstance(value, str) or not value.isprintable() or len(value) > _SENTENCE:
            raise Unfit((f"{shown(value)} is not a text that clients can be told", f"give {self.words}"))
        return value.strip()


class Strings(Form):
    """
    Strings that somebody else understands; the value is a tuple of them as they stand.
    They may have passwords in them, as C{memory:user:password} of Twisted's has: each is a
    L{Secret}, and no message repeats one.
    """

    secret = True

    def __init__(self, words: str) -> None:
        """
        @param words: what they are.
        """
        self.words = words

    def fromTexts(self, texts: Sequence[str]) -> tuple[str, ...]:
        """
        Read one string each time that the option was given.
        """
        return self.fromTOML(tuple(texts))

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of strings, or a single one.
        """
        items = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not all(isinstance(item, str) and item and item.isprintable() for item in items):
            raise Unfit(("something here is not a string, or has nothing in it", f"give {self.words}"))
        return tuple(map(Secret, items))


class Methods(Form):
    """
    Methods of HTTP; the value is a tuple of them, each once, in the order of the alphabet.
    """

    words = 'an array of methods such as "CONNECT" or "GET"; capitals count'

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of methods, or a single one.
        """
        items = value if isinstance(value, list | tuple) else [value]
        complaints = []
        for item in items:
            if not isinstance(item, str) or not re.fullmatch(_TOKEN, item):
                complaints.append((f"{shown(item)} is not a method", f"give {self.words}"))
            elif item not in _METHODS and item.upper() in _METHODS:
                complaints.append((f"{shown(item)} is another method than {item.upper()}", "use capitals"))
        if complaints:
            raise Unfit(*complaints)
        return tuple(sorted(set(items)))


class Table(Form):
    """
    A table whose keys somebody else knows.  The value is a mapping in the order of the
    alphabet, that does not change, and neither does what is in it.
    """

    words = "a table"

    def fromTOML(self, value: Any) -> Mapping[str, Any]:
        """
        Read a table.
        """
        if not isinstance(value, Mapping):
            raise Unfit((f"{shown(value)} is not a table", "give one, as in { key = 1 }"))
        frozen = _frozen(value, _DEEP)
        assert isinstance(frozen, Mapping)
        return frozen


def _frozen(value: Any, depth: int) -> Any:
    """
    A value that cannot be changed any more, equal to another one however that was written.
    """
    if not depth:
        raise Unfit(("it is nested too deeply", f"put at most {_DEEP} tables and arrays into one another"))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise Unfit(("a key is not a string", "give strings for keys"))
        return MappingProxyType({key: _frozen(value[key], depth - 1) for key in sorted(value)})
    if isinstance(value, list | tuple):
        return tuple(_frozen(item, depth - 1) for item in value)
    if not isinstance(value, str | int | float | datetime | date | time):
        advice = "give strings, numbers, truth values, times, arrays and tables"
        raise Unfit((f"a {type(value).__name__} is nothing that TOML could say", advice))
    return value
