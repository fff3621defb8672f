"""
Which rules are for a user, by name and by group.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectproxy.interfaces import ProxyUser

__all__ = ["ANYBODY", "NOBODY", "UserIndex"]

ANYBODY = "*"
"""In the place of a name: whoever is known."""

NOBODY = "-"
"""In the place of a name: who is not known."""


class UserIndex:
    """
    Bits by user; the bits of who asks are those of all that stands for him.
    """

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, int] = {}

    def add(self, names: Iterable[str], bits: int) -> None:
        """
        Give bits to users, besides those that they have.
        """
        table = self._names
        merged: dict[int, int] = {0: bits}
        for name in names:
            had = table.get(name, 0)
            if had not in merged:
                merged[had] = had | bits
            table[name] = merged[had]

    def find(self, identity: ProxyUser | None) -> int:
        """
        The bits of who asks.
        """
        if identity is None:
            return self._names.get(NOBODY, 0)
        if identity.name in (ANYBODY, NOBODY):  # a name like any other, and not what the sign stands for
            return self._names.get(ANYBODY, 0)
        return self._names.get(ANYBODY, 0) | self._names.get(identity.name, 0)
