"""
The configuration as a value, and what it is made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from connectproxy.config.access import ARRAYS
from connectproxy.config.endpoint import Listener
from connectproxy.config.problem import Problem

__all__ = ["Config", "Row"]


class Row(NamedTuple):
    """
    One table of an array of tables.

    @ivar options: the value of each of its keys, without the name of the table; those
        that it leaves out have their defaults.
    @ivar where: what a message calls the table, as in C{proxy.toml:12 [[rule]] "mirror"}.
    """

    options: Mapping[str, Any]
    where: str


class Config(Mapping[str, Any]):
    """
    A configuration: complete, checked, and never changed afterwards.

    As a mapping it has the value of every setting by its key, but for those of arrays of
    tables: the C{[[listen]]} tables are in C{listeners}, all others in C{rows}.

    @ivar listeners: where to listen, in the order of the configuration, at least one.
    @ivar rows: the tables of each of L{connectproxy.config.access.ARRAYS}, in the order of
        the configuration.
    @ivar origin: the complete name of the file that it was read from; empty if there was
        none.
    @ivar files: the complete names of all files that were read for it, that one included,
        but not of those that its values name.
    @ivar id: eight hexadecimal digits that are the same for two configurations with
        the same effect, and else differ; but for passwords, since it is logged, and
        would tell who guesses one that it is right.
    """

    __slots__ = ("_places", "_values", "files", "id", "listeners", "origin", "rows")

    _values: Mapping[str, Any]
    _places: Mapping[str, str]
    listeners: tuple[Listener, ...]
    rows: Mapping[str, tuple[Row, ...]]
    origin: str
    files: tuple[str, ...]
    id: str

    def __init__(
        self,
        values: Mapping[str, Any],
        listeners: Sequence[Listener],
        origin: str = "",
        rows: Mapping[str, Sequence[Row]] = MappingProxyType({}),
        files: Sequence[str] = (),
        places: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """
        For the loader; nothing is checked here.

        @param places: where keys were said.
        """
        effect = [f"{key}={value}" for key, value in sorted(values.items())]
        effect += [f"{listener.endpoint} {sorted(listener.options.items())}" for listener in listeners]
        effect += [f"{table} {dict(row.options)}" for table in ARRAYS for row in rows.get(table, ())]
        put = object.__setattr__  # the way past __setattr__
        put(self, "_values", dict(values))
        put(self, "listeners", tuple(listeners))
        put(self, "rows", MappingProxyType({table: tuple(rows.get(table, ())) for table in ARRAYS}))
        put(self, "origin", origin)
        put(self, "files", tuple(files))
        put(self, "_places", dict(places))
        put(self, "id", hashlib.sha256("\n".join(effect).encode()).hexdigest()[:8])

    def placed(self, problem: Problem) -> Problem:
        """
        A problem whose place is only the key of a setting, with the place where that was said,
        if it was.
        """
        key, place = problem.key, problem.place
        said = self._places.get(key)
        if said is None or key.partition(".")[0] in ARRAYS or not place.startswith(key):
            return problem
        return problem._replace(place=said + place.removeprefix(key))

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.origin or 'of no file'}>"
