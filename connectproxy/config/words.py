"""
The forms of settings whose values are words out of a few, or names of files.

They know no key, no file and no default: what a file has in it, and whether it is there,
is found out by whoever opens it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from connectproxy.config.forms import Form, Unfit, shown

__all__ = ["Choice", "Choices", "File", "FileList"]


def _listed(words: Sequence[str], last: str) -> str:
    """
    Words in a sentence.
    """
    quoted = [shown(word) for word in words]
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


class Choice(Form):
    """
    One word out of several.
    """

    def __init__(self, *choices: str) -> None:
        """
        @param choices: all the words, two at least.
        """
        self.choices = choices
        self.words = _listed(choices, "or")

    def fromTOML(self, value: Any) -> str:
        """
        Read a word as it stands.
        """
        if value not in self.choices:  # what is no string is in no tuple of strings
            near = difflib.get_close_matches(value, self.choices, 1) if isinstance(value, str) else []
            advice = f"do you mean {near[0]}?" if near else f"give {self.words}"
            raise Unfit((f"{shown(value)} is none of the words that can stand here", advice))
        return str(value)


class Choices(Form):
    """
    Some of several words, at least one.  The value is a tuple of them in the order of the
    form, each once, however they were written.
    """

    def __init__(self, *choices: str) -> None:
        """
        @param choices: all the words, two at least.
        """
        self._choice = Choice(*choices)
        self.words = f"an array of some of {_listed(choices, 'and')}"

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of words, or a single one.
        """
        items = value if isinstance(value, list | tuple) else [value]
        complaints: list[tuple[str, str]] = []
        for item in items:
            try:
                self._choice.fromTOML(item)
            except Unfit as unfit:
                complaints += unfit.complaints
        if not items:
            complaints.append(("nothing is left", f"give {self.words}"))
        if complaints:
            raise Unfit(*complaints)
        return tuple(word for word in self._choice.choices if word in items)


class File(Form):
    """
    The name of a file, as it stands; the empty string is no file.
    """

    words = 'the name of a file, or "" for none'

    def fromTOML(self, value: Any) -> str:
        """
        Read a name.
        """
        if not isinstance(value, str) or "\0" in value:
            raise Unfit((f"{shown(value)} is not the name of a file", f"give {self.words}"))
        return value


class FileList(Form):
    """
    Names of files; the value is a tuple of them in the order in which they were given.
    """

    words = "the name of a file, or an array of several"

    def fromTexts(self, texts: Sequence[str]) -> tuple[str, ...]:
        """
        Read one name each time that the option was given.
        """
        return self.fromTOML(tuple(texts))

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of names, or a single one.
        """
        items = tuple(value) if isinstance(value, list | tuple) else (value,)
        wrong = [item for item in items if not isinstance(item, str) or not item or "\0" in item]
        if wrong:
            raise Unfit(
                *((f"{shown(item)} is not the name of a file", f"give {self.words}") for item in wrong)
            )
        return items
