"""
Reads the arrays of tables: listeners, and the rows of all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from connectproxy.config.access import ARRAYS
from connectproxy.config.endpoint import Endpoint, Listener
from connectproxy.config.forms import shown
from connectproxy.config.reading import TABLES, Reading
from connectproxy.config.row import faults
from connectproxy.config.schema import LISTEN
from connectproxy.config.together import disagreements, settled
from connectproxy.config.value import Row

if TYPE_CHECKING:
    from connectproxy.config.places import Path

__all__ = ["Placed", "readListeners", "readRows"]

_ENDPOINT = f"{LISTEN}.endpoint"


Placed = tuple[Row, "Path"]
"""A row, and the way to its table."""


def readRows(reading: Reading) -> dict[str, list[Placed]]:
    """
    Read the tables of every array but that of the listeners.
    """
    return {table: _rows(reading, table) for table in ARRAYS}


def _rows(reading: Reading, table: str) -> list[Placed]:
    """
    Read the tables of one array.
    """
    rows = []
    names: dict[str, str] = {}
    for position, said in enumerate(reading.items(table) or ()):
        path: Path = (table, position)
        sound = len(reading.problems)
        row = _row(reading, path, said)
        if len(reading.problems) > sound:
            reading.faulty.add(path)
        rows.append((row, path))
        name = row.options.get("name")
        if name is None or not isinstance(said, Mapping) or "name" not in said:
            continue
        if name == TABLES[table]["name"].default != said["name"]:
            continue  # it stands in for one that is wrong
        place = reading.source.place((*path, "name"))
        if name in names:
            message = f"there is a {table} {shown(name)} already, at {names[name]}"
            reading.complain(f"{table}.name", place, message, "give each a name of its own")
        else:
            names[name] = place
    return rows


def _row(reading: Reading, path: Path, said: Any) -> Row:
    """
    Read one table.
    """
    table = str(path[0])
    settings = TABLES[table]
    values = reading.table(path, said, settings, {})
    options = {key.partition(".")[2]: value for key, value in values.items()}
    where = reading.source.place(path)
    if isinstance(said, Mapping):
        for name, setting in settings.items():
            if setting.required and name not in said:
                message = f"the {table} has no {name}"
                reading.complain(
                    setting.key, where, message, f'add one, as in {name} = "{_AS_IN[setting.key]}"'
                )
        for name, message, advice in faults(table, said, options):
            place = reading.source.place((*path, name)) if name in said else where
            reading.complain(f"{table}.{name}", place, message, advice)
        name = said.get("name", said.get("user"))
        if isinstance(name, str):
            where = f"{where} {shown(name)}"
    return Row(MappingProxyType(options), where)


_AS_IN = {
    "rule.name": "mirror",
    "limit.name": "fair-share",
    "identity.user": "ci",
    "group.name": "developers",
    "upstream.name": "corp",
}
"""What required keys could be, for hints."""


def readListeners(reading: Reading) -> list[tuple[Listener, bool]]:
    """
    Read the listeners.

    @return: each with whether it is local.
    """
    said, given = reading.source.tables.get(LISTEN), reading.given
    listeners = []
    items = reading.items(LISTEN)
    for position, item in enumerate(items or ()):
        path: Path = (LISTEN, position)
        if isinstance(item, Mapping) and "endpoint" not in item:
            advice = f"add one, as in endpoint = {shown(TABLES[LISTEN]['endpoint'].default)}"
            reading.complain(_ENDPOINT, reading.source.place(path), "the listener has no endpoint", advice)
        listeners.append(_listener(reading, path, item, {}, reading.source.place(path)))
    if items is not None and not items:
        place = reading.source.place((LISTEN,))
        reading.complain(LISTEN, place, "there is no listener", f"add a [[{LISTEN}]] table")
    if _ENDPOINT in given:
        return _givenListeners(reading)
    if said is None:
        return [_listener(reading, (LISTEN,), {}, given, "the default")]
    _idle(reading)
    return listeners


def _givenListeners(reading: Reading) -> list[tuple[Listener, bool]]:
    """
    The listeners that are options.
    """
    argument: str | Sequence[str] = reading.given[_ENDPOINT]
    return [
        _listener(reading, (LISTEN,), {}, {**reading.given, _ENDPOINT: text}, "--listen")
        for text in ((argument,) if isinstance(argument, str) else argument)
    ]


def _idle(reading: Reading) -> None:
    """
    Complain of options for listeners where all listeners are the file's.
    """
    for name, setting in TABLES[LISTEN].items():
        if setting.key in reading.given:
            reading.complain(
                setting.key,
                f"--{setting.option}",
                "is for listeners that are given as options, and all are in the file",
                f"write {name} in its [[{LISTEN}]] tables, or add --listen",
            )


def _listener(
    reading: Reading, path: Path, said: Any, given: Mapping[str, Any], where: str
) -> tuple[Listener, bool]:
    """
    Read one listener.
    """
    values = reading.table(path, said, TABLES[LISTEN], given)
    endpoint: Endpoint = values.pop(_ENDPOINT)
    others = {key.partition(".")[2]: value for key, value in values.items()}
    for name, message, advice in disagreements(endpoint.text, others):
        setting = TABLES[LISTEN][name]
        place = f"--{setting.option}" if setting.key in given else reading.source.place((*path, name))
        reading.complain(setting.key, place, message, advice)
    return Listener(endpoint.text, MappingProxyType(settled(endpoint.text, others)), where), endpoint.local
