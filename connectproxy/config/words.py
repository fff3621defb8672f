"""
The forms of settings whose values are words out of a few, or names of files.

They know no key, no file and no default: what a file has in it, and whether it is there,
is found out by whoever opens it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectproxy.config.forms import Form, Unfit, nearest, shown

__all__ = ["Choice", "Choices", "File", "FileList", "Protocols", "Versions"]


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
            near = nearest(value, self.choices) if isinstance(value, str) else ""
            advice = f"do you mean {near}?" if near else f"give {self.words}"
            raise Unfit((f"{shown(value)} is none of the words that can stand here", advice))
        return str(value)


class Choices(Form):
    """
    Some of several words, at least one.  The value is a tuple of them in the order of the
    form, each once, however they were written.
    """

    def __init__(self, *choices: str, none: bool = False) -> None:
        """
        @param choices: all the words, two at least.
        @param none: whether there may also be none of them.
        """
        self._choice = Choice(*choices)
        self._none = none
        self.words = f"an array of some of {_listed(choices, 'and')}"

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of words, or a single one.
        """
        items = value if isinstance(value, list | tuple) else [value]
        complaints: list[tuple[str, str]] = []
        for item in items:
            try:
                self._check(item)
            except Unfit as unfit:
                complaints += unfit.complaints
        if not items and not self._none:
            complaints.append(("nothing is left", f"give {self.words}"))
        if complaints:
            raise Unfit(*complaints)
        choices = self._choice.choices
        return (
            *(word for word in choices if word in items),
            *(word for word in dict.fromkeys(items) if word not in choices),
        )

    def _check(self, item: Any) -> None:
        """
        See that a word is one of them.

        @raise Unfit: it is none.
        """
        self._choice.fromTOML(item)


class File(Form):
    """
    The name of a file, as it stands; the empty string is no file.
    """

    def __init__(self, *, beside: bool = False, none: str = "none") -> None:
        """
        @param beside: whether a relative name is relative to the file that it stands in.
        @param none: what the empty string is for.
        """
        self._beside = beside
        self.words = f'the name of a file, or "" for {none}'

    def beside(self, said: Any, directory: str) -> Any:
        """
        Complete a relative name.
        """
        if self._beside and isinstance(said, str) and said:
            return os.path.join(directory, said)
        return said

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

    def __init__(self, *, beside: bool = False) -> None:
        """
        @param beside: whether relative names are relative to the file that they stand in.
        """
        self._file = File(beside=beside)

    def beside(self, said: Any, directory: str) -> Any:
        """
        Complete relative names.
        """
        if isinstance(said, list | tuple):
            return [self._file.beside(item, directory) for item in said]
        return self._file.beside(said, directory)

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


class Protocols(Choices):
    """
    Some of the protocols of clients: our own, and those of listeners that somebody else has
    installed, which are looked for only where one is named.
    """

    def __init__(self, *choices: str, none: bool = False) -> None:
        """
        @param choices: our own, two at least.
        """
        Choices.__init__(self, *choices, none=none)
        self.words += ", and of those of other listeners that are installed"

    def _check(self, item: Any) -> None:
        """
        See that somebody speaks a protocol.
        """
        if item in self._choice.choices:
            return
        from connectproxy.discovery import protocols  # noqa: PLC0415 - most have no need of it

        known = protocols()
        if not isinstance(item, str) or item not in known:
            advice = known.advice(item) if isinstance(item, str) else f"give {self.words}"
            raise Unfit((f"{shown(item)} is no protocol that a listener speaks", advice))


class Versions(Protocols):
    """
    The same for those who tell clients apart: the value also has the older versions of each,
    which events name apart.
    """

    _OLDER: ClassVar[Mapping[str, tuple[str, ...]]] = {"http/1.1": ("http/1.0",), "socks4": ("socks4a",)}

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of protocols, or a single one.
        """
        found = Protocols.fromTOML(self, value)
        return tuple(each for word in found for each in (word, *self._OLDER.get(word, ())))
