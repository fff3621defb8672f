"""
The forms of what rules compare with: names, networks and users, of which some may stand
in files of their own.

An item C{"@file"} names such a file, one item a line, which is read by whoever has a use
for the items.  It stays as it is, but for a relative name, which is relative to the file
that it stands in.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from typing import Any

from connectproxy.address import Networks, parsePattern
from connectproxy.config.forms import Form, Unfit, shown
from connectproxy.config.texts import isLabel

__all__ = ["Items", "Names", "Subnets", "Users"]


class Items(Form):
    """
    What the forms have in common.  The value is a tuple of strings in their normal form,
    each once, in the order in which they were given.
    """

    def __init__(self, words: str, *, files: bool = True) -> None:
        """
        @param words: what is accepted.
        @param files: whether an item may name a file.
        """
        self._files = files
        self.words = f"an array of {words}" + (', and of "@file" for a file with one of them a line' * files)

    def beside(self, said: Any, directory: str) -> Any:
        """
        Complete the names of files.
        """
        if isinstance(said, list | tuple):
            return [self._beside(item, directory) for item in said]
        return self._beside(said, directory)

    def _beside(self, item: Any, directory: str) -> Any:
        """
        Complete the name of one file.
        """
        if self._files and isinstance(item, str) and len(item) > 1 and item[0] == "@":
            return "@" + os.path.join(directory, item[1:])
        return item

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of items, or a single one.
        """
        complaints: list[tuple[str, str]] = []
        found: dict[str, None] = {}
        for item in value if isinstance(value, list | tuple) else [value]:
            try:
                found[self._item(item)] = None
            except Unfit as unfit:
                complaints += unfit.complaints
        if complaints:
            raise Unfit(*complaints)
        return tuple(found)

    def _item(self, item: object) -> str:
        """
        Read one item.
        """
        if not isinstance(item, str):
            raise Unfit((f"{shown(item)} is not a string", f"give {self.words}"))
        if not item.startswith("@"):
            return self._plain(item)
        if not self._files:
            raise Unfit(
                (f"{shown(item)} begins with an @, and no file can be named here", f"give {self.words}")
            )
        if len(item) == 1 or "\0" in item:
            raise Unfit((f"{shown(item)} names no file", "put the name of a file behind the @"))
        return item

    def _plain(self, item: str) -> str:
        """
        Read one item that names no file.
        """
        raise NotImplementedError


class Users(Items):
    """
    Names of users or groups, in Normalization Form C.
    """

    def _plain(self, item: str) -> str:
        name = unicodedata.normalize("NFC", item)
        if not isLabel(name):
            raise Unfit((f"{shown(item)} is not a name", "give printable characters, at most 255 octets"))
        return name


def _translated(read: Callable[[str], Any], item: str) -> Any:
    """
    Read an item with a reader that says in one sentence what is wrong.
    """
    try:
        return read(item)
    except ValueError as wrong:
        raise Unfit((str(wrong), "")) from None  # the advice is in it


class Names(Items):
    """
    Patterns of the names of destinations; see L{connectproxy.address.patterns}.
    """

    def _plain(self, item: str) -> str:
        return str(_translated(parsePattern, item))


class Subnets(Items):
    """
    Networks, one an item, as L{Networks} writes them.
    """

    def _plain(self, item: str) -> str:
        networks = tuple(_translated(Networks.parse, item))
        if len(networks) != 1:
            raise Unfit((f"{shown(item)} is not one network", "give one a string, such as 10.0.0.0/8"))
        return str(networks[0])
