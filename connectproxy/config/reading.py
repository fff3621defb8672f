"""
Reads tables by the schema, key by key, and gathers all that is wrong with them.

A value is taken from an option, else from the tables, else from the profile, else from
the schema; what is overridden is checked all the same.  What only several keys together
can be wrong about is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from connectproxy.config.access import ARRAYS
from connectproxy.config.forms import Form, Unfit, nearest, shown
from connectproxy.config.problem import Problem
from connectproxy.config.schema import LISTEN, SCHEMA
from connectproxy.config.setting import Setting
from connectproxy.config.source import Source

if TYPE_CHECKING:
    from connectproxy.config.places import Path

__all__ = ["TABLES", "Reading", "header"]

TABLES: Mapping[str, Mapping[str, Setting]] = {
    table: {setting.name: setting for setting in SCHEMA if setting.table == table}
    for table in dict.fromkeys(setting.table for setting in SCHEMA)
}
"""The settings by table and name."""


def header(table: str) -> str:
    """
    How a file begins a table.
    """
    return f"[[{table}]]" if table == LISTEN or table in ARRAYS else f"[{table}]"


class Reading:
    """
    A configuration on its way to be one.

    @ivar source: what is written.
    @ivar given: what options say, by key.
    @ivar problems: what is wrong.
    @ivar profile: defaults that go before the schema's, by key.
    @ivar files: the complete names of files that were read: that of the configuration, and
        those that values of options and keys are read from.
    @ivar faulty: the ways to rows of arrays in which something is wrong.
    @ivar places: where each key was said, that of an array's for the last of its rows.
    """

    def __init__(
        self, source: Source, given: Mapping[str, Any], problems: list[Problem], directory: str = ""
    ) -> None:
        """
        @param directory: what relative names of files are relative to where options say
            them; empty for the directory that the process is in.
        """
        self.source = source
        self.given = given
        self.problems = problems
        self.profile: Mapping[str, Any] = MappingProxyType({})
        self.files = [source.origin] if source.origin else []
        self.faulty: set[Path] = set()
        self.places: dict[str, str] = {}
        self._directory = directory

    def table(
        self, path: Path, said: Any, settings: Mapping[str, Setting], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """
        Read one table, and the options that override it.

        @return: a value for every setting, by its key: where something is wrong, the
            default.
        """
        if not isinstance(said, Mapping):
            table = str(path[0])
            value = "a value" if any(setting.form.secret for setting in settings.values()) else shown(said)
            message = f"{table} is {value} and not a table"
            self.complain(table, self.source.place(path), message, f"write it as {header(table)}")
            said = {}
        for name in said:
            if name not in settings:
                self.unknown((*path, str(name)), settings)
        return {
            setting.key: self._value(setting, (*path, name), said, given)
            for name, setting in settings.items()
        }

    def _value(self, setting: Setting, path: Path, said: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
        """
        Read one key of a table, and the option that overrides it.
        """
        form = setting.form
        value = form.fromTOML(self.profile.get(setting.key, setting.default))
        if setting.name in said:
            self.places[setting.key] = self.source.place(path)
            written = form.beside(said[setting.name], self._base(form, self.source.directory))
            self._note(form, written)
            value = self._try(setting, self.source.place(path), form.fromTOML, written, value)
        if setting.key in given:
            self.places[setting.key] = f"--{setting.option}"
            argument = given[setting.key]
            if argument is True:
                return self._try(setting, f"--{setting.option}", form.fromTOML, argument, value)
            texts = (argument,) if isinstance(argument, str) else argument
            base = self._base(form, self._directory or _here())
            texts = [form.beside(text, base) for text in texts]
            for text in texts[-1:]:  # the one that counts, where there can be one only
                self._note(form, text)
            value = self._try(setting, f"--{setting.option}", form.fromTexts, texts, value)
        return value

    def _note(self, form: Form, said: Any) -> None:
        """
        Keep in mind which files are read.
        """
        self.files += (os.path.join(_here(), name) for name in form.reads(said))

    def _base(self, form: Form, directory: str) -> str:
        """
        What a form's relative names are relative to.
        """
        return self._directory if form.running else directory

    def place(self, path: Path) -> str:
        """
        What a message calls a place: the option, where one says it.
        """
        setting = TABLES.get(str(path[0]), {}).get(str(path[-1]))
        if len(path) == 2 and setting is not None and setting.key in self.given:
            return f"--{setting.option}"
        return self.source.place(path)

    def _try(
        self, setting: Setting, place: str, read: Callable[[Any], Any], said: Any, otherwise: Any
    ) -> Any:
        """
        Read a value; what is wrong with it becomes problems.
        """
        try:
            return read(said)
        except Unfit as unfit:
            for complaint in unfit.complaints:
                self.complain(setting.key, place, *complaint)
            return otherwise

    def items(self, table: str) -> Sequence[Any] | None:
        """
        What stands in an array of tables.

        @return: L{None} if there is none, or it is another thing.
        """
        tables = self.source.tables.get(table)
        if isinstance(tables, Mapping):
            message = (
                f"there can be several of {table}" if table != LISTEN else "there can be several listeners"
            )
            self.complain(table, self.source.place((table,)), message, f"write {header(table)}")
            return None
        if tables is None or (isinstance(tables, Sequence) and not isinstance(tables, str)):
            return tables
        return (tables,)

    def unknown(self, path: Path, known: Mapping[str, Any]) -> None:
        """
        Complain of a name that means nothing where it stands.
        """
        name = str(path[-1])
        near = nearest(name, known)
        elsewhere = [setting for setting in SCHEMA if setting.name == name and setting.table != path[0]]
        if near:
            advice = f"do you mean {near}?"
        elif elsewhere:
            advice = f"it belongs below {' or '.join(header(setting.table) for setting in elsewhere)}"
        else:
            advice = f"here can be {', '.join(known)}"
        key = ".".join(str(part) for part in path if not isinstance(part, int))
        what = "table" if len(path) == 1 and isinstance(self.source.tables[name], Mapping | list) else "key"
        self.complain(key, self.source.place(path), f"there is no {what} {shown(name)} here", advice)

    def complain(self, key: str, place: str, message: str, advice: str) -> None:
        """
        Add a problem, once.
        """
        problem = Problem(key, place, message, advice)
        if problem not in self.problems:
            self.problems.append(problem)


def _here() -> str:
    """
    The directory that the process is in; empty if it has been removed.
    """
    try:
        return os.getcwd()
    except OSError:
        return ""
