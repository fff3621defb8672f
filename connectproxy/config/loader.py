"""
From a file and options to one frozen L{Config}, or to all the problems at once.

An option overrides the file key by key: C{--allow-network} replaces the file's whole
C{allow.networks}, and C{--listen} replaces all of its C{[[listen]]} tables.  What is
overridden is checked all the same.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from connectproxy.config.endpoint import Endpoint, Listener
from connectproxy.config.forms import Unfit, shown
from connectproxy.config.places import Path, Places
from connectproxy.config.schema import LISTEN, SCHEMA, Setting
from connectproxy.config.together import disagreements, isGuarded, settled

__all__ = ["Config", "ConfigurationError", "Problem", "configure", "load"]

_AT = re.compile(r"\(at line ([0-9]+), column [0-9]+\)")
"""Where L{tomllib} says that something is wrong; not at the end of a document."""

_TABLES: Mapping[str, Mapping[str, Setting]] = {
    table: {setting.name: setting for setting in SCHEMA if setting.table == table}
    for table in dict.fromkeys(setting.table for setting in SCHEMA)
}
"""The settings by table and name."""


class Problem(NamedTuple):
    """
    One thing that is wrong with a configuration.

    @ivar key: the setting's key, or as much of it as is known.
    @ivar place: where it was said: C{--option}, or file, line, table and key.
    @ivar message: what is wrong.
    @ivar advice: what would be right; may be empty.
    """

    key: str
    place: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.advice}" if self.advice else "")


class ConfigurationError(Exception):
    """
    A configuration cannot be used.  As a string, one line for each problem.

    @ivar problems: everything that is wrong with it, at least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        Exception.__init__(self, *problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Config(Mapping[str, Any]):
    """
    A configuration: complete, checked, and never changed afterwards.

    As a mapping it has the value of every setting by its key, but for those of the
    C{[[listen]]} tables, which are in C{listeners}.

    @ivar listeners: where to listen, in the order of the configuration, at least one.
    @ivar origin: the file that it was read from; empty if there was none.
    @ivar id: eight hexadecimal digits that are the same for two configurations with
        the same effect, and else differ; but for passwords, since it is logged, and
        would tell who guesses one that it is right.
    """

    __slots__ = ("_values", "id", "listeners", "origin")

    _values: Mapping[str, Any]
    listeners: tuple[Listener, ...]
    origin: str
    id: str

    def __init__(self, values: Mapping[str, Any], listeners: Sequence[Listener], origin: str = "") -> None:
        """
        For L{load} and L{configure}; nothing is checked here.
        """
        effect = [f"{key}={value}" for key, value in sorted(values.items())]
        effect += [f"{listener.endpoint} {sorted(listener.options.items())}" for listener in listeners]
        put = object.__setattr__  # the way past __setattr__
        put(self, "_values", dict(values))
        put(self, "listeners", tuple(listeners))
        put(self, "origin", origin)
        put(self, "id", hashlib.sha256("\n".join(effect).encode()).hexdigest()[:8])

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


def load(path: str | None = None, options: Mapping[str, Any] = MappingProxyType({})) -> Config:
    """
    Read a configuration from a file and from options.  Blocks while it reads the file.

    @param path: the name of a TOML file; L{None} for no file.
    @param options: by name, without dashes: for a flag C{True}, for an option that may
        be repeated a sequence of its arguments, for any other its argument, all of
        them strings.  What is L{None} or false was not given.
    @raise ConfigurationError: all that is wrong with it.
    @raise KeyError: there is no such option.
    """
    problems: list[Problem] = []
    tables, place = ({}, _bare) if path is None else _read(path, problems)
    given: dict[str, Any] = {}
    named = {setting.option: setting for setting in SCHEMA if setting.option}
    for name, said in options.items():
        if said is not None and said is not False:
            given[named[name].key] = said
    return _Reading(tables, place, given, problems).config(path or "")


def configure(**tables: Any) -> Config:
    """
    Make a configuration within a program.

    The arguments are the tables of the file as its parser would give them::

        configure(listen=[{"endpoint": "tcp:0:interface=127.0.0.1"}], timeouts={"idle": 60})

    @raise ConfigurationError: all that is wrong with it.
    """
    return _Reading(tables, _bare, {}, []).config("")


def _bare(path: Path) -> str:
    """
    What a message calls a place in no file.
    """
    table, *rest = path
    if not rest:
        return str(table)
    if isinstance(rest[0], int):
        return " ".join([f"[[{table}]]", *map(str, rest[1:])])
    return " ".join([f"[{table}]", *map(str, rest)])


def _read(path: str, problems: list[Problem]) -> tuple[dict[str, Any], Callable[[Path], str]]:
    """
    Parse a file.

    @return: its tables, none if it could not be parsed, and what a message calls a
        place in it.
    """
    import tomllib  # noqa: PLC0415 - half of the starts have no file, and start-up is to be quick

    try:
        with open(path, "rb") as file:
            octets = file.read()
    except OSError as error:
        why = error.strerror or str(error)
        problems.append(Problem("", "--config", f"cannot read {path}: {why}", "name a file that can be read"))
        return {}, _bare
    try:
        text = octets.decode()
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = 1 + octets.count(b"\n", 0, error.start)
        problems.append(Problem("", f"{path}:{line}", "is not UTF-8", "save the file as UTF-8"))
    except ValueError as error:  # tomllib.TOMLDecodeError, and int() of too many digits
        message = str(error)
        match = _AT.search(message)
        place = f"{path}:{match[1]}" if match else path
        problems.append(Problem("", place, f"is not TOML: {message}", "see tap-config.example"))
    except RecursionError:
        problems.append(Problem("", path, "is nested too deeply", "see tap-config.example"))
    else:
        places = Places(text)
        return tables, lambda where: f"{path}:{places.line(where)} {_bare(where)}"
    return {}, _bare


class _Reading:
    """
    One configuration on its way to be one.
    """

    def __init__(
        self,
        tables: Mapping[str, Any],
        place: Callable[[Path], str],
        given: Mapping[str, Any],
        problems: list[Problem],
    ) -> None:
        """
        @param place: what a message calls a place in the tables.
        @param given: what options say, by key.
        @param problems: what is known to be wrong already.
        """
        self._tables = tables
        self._place = place
        self._given = given
        self._problems = problems

    def config(self, origin: str) -> Config:
        """
        Check everything, then make the configuration or raise.
        """
        values: dict[str, Any] = {}
        for table in self._tables:
            if table not in _TABLES:
                self._unknown((table,), _TABLES)
        for table, settings in _TABLES.items():
            if table != LISTEN:
                values |= self._table((table,), self._tables.get(table, {}), settings, self._given)
        listeners = self._listeners()
        for listener, local in listeners:
            if not local and not values["proxy.open"] and not isGuarded(listener.options, values):
                self._complain(
                    "proxy.open",
                    listener.where,
                    f"{listener.endpoint} can be reached from other machines, and nobody is asked who they"
                    " are: whoever reaches it could use the proxy, for anything (an open proxy)",
                    "listen on 127.0.0.1, on [::1] or on a unix: socket, or ask for a password (--auth) or for"
                    " certificates (client_certificates); or if something else keeps strangers away, say"
                    " --open (in the file: open = true below [proxy])",
                )
        if self._problems:
            raise ConfigurationError(self._problems)
        return Config(values, [listener for listener, _ in listeners], origin)

    def _table(
        self, path: Path, said: Any, settings: Mapping[str, Setting], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """
        Read one table, and the options that override it.

        @return: a value for every setting, by its key: where something is wrong, the
            default.
        """
        if not isinstance(said, Mapping):
            header = f"[[{path[0]}]]" if path[0] == LISTEN else f"[{path[0]}]"
            value = "a value" if any(setting.form.secret for setting in settings.values()) else shown(said)
            message = f"{path[0]} is {value} and not a table"
            self._complain(str(path[0]), self._place(path), message, f"write it as {header}")
            said = {}
        for name in said:
            if name not in settings:
                self._unknown((*path, name), settings)
        values = {}
        for name, setting in settings.items():
            form = setting.form
            value = form.fromTOML(setting.default)
            if name in said:
                value = self._try(setting, self._place((*path, name)), form.fromTOML, said[name], value)
            if setting.key in given:
                argument = given[setting.key]
                texts = (argument,) if isinstance(argument, str) else argument
                read = form.fromTOML if argument is True else form.fromTexts
                value = self._try(setting, f"--{setting.option}", read, texts, value)
            values[setting.key] = value
        return values

    def _listeners(self) -> list[tuple[Listener, bool]]:
        """
        The listeners, each with whether it is local.
        """
        listeners = []
        key = f"{LISTEN}.endpoint"
        tables = self._tables.get(LISTEN)
        if isinstance(tables, Mapping):
            self._complain(
                LISTEN, self._place((LISTEN,)), "there can be several listeners", f"write [[{LISTEN}]]"
            )
        elif tables is not None:
            items = tables if isinstance(tables, Sequence) and not isinstance(tables, str) else (tables,)
            for position, said in enumerate(items):
                path = (LISTEN, position)
                if isinstance(said, Mapping) and "endpoint" not in said:
                    advice = f"add one, as in endpoint = {shown(_TABLES[LISTEN]['endpoint'].default)}"
                    self._complain(key, self._place(path), "the listener has no endpoint", advice)
                listeners.append(self._listener(path, said, {}, self._place(path)))
            if not items:
                self._complain(
                    LISTEN, self._place((LISTEN,)), "there is no listener", f"add a [[{LISTEN}]] table"
                )
        if key in self._given:
            argument = self._given[key]
            listeners = [
                self._listener((LISTEN,), {}, {**self._given, key: text}, "--listen")
                for text in ((argument,) if isinstance(argument, str) else argument)
            ]
        elif tables is None:
            listeners = [self._listener((LISTEN,), {}, self._given, "the default")]
        else:
            self._idle()
        return listeners

    def _idle(self) -> None:
        """
        Complain of options for listeners where all listeners are the file's.
        """
        for name, setting in _TABLES[LISTEN].items():
            if setting.key in self._given:
                self._complain(
                    setting.key,
                    f"--{setting.option}",
                    "is for listeners that are given as options, and all are in the file",
                    f"write {name} in its [[{LISTEN}]] tables, or add --listen",
                )

    def _listener(self, path: Path, said: Any, given: Mapping[str, Any], where: str) -> tuple[Listener, bool]:
        """
        Read one listener.
        """
        values = self._table(path, said, _TABLES[LISTEN], given)
        endpoint: Endpoint = values.pop(f"{LISTEN}.endpoint")
        others = {key.partition(".")[2]: value for key, value in values.items()}
        for name, message, advice in disagreements(endpoint.text, others):
            setting = _TABLES[LISTEN][name]
            place = f"--{setting.option}" if setting.key in given else self._place((*path, name))
            self._complain(setting.key, place, message, advice)
        return Listener(endpoint.text, MappingProxyType(settled(others)), where), endpoint.local

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
                self._complain(setting.key, place, *complaint)
            return otherwise

    def _unknown(self, path: Path, known: Mapping[str, Any]) -> None:
        """
        Complain of a name that means nothing where it stands.
        """
        name = str(path[-1])
        near = difflib.get_close_matches(name, known, 1)
        elsewhere = [setting for setting in SCHEMA if setting.name == name]
        if near:
            advice = f"do you mean {near[0]}?"
        elif elsewhere:
            table = elsewhere[0].table
            advice = f"it belongs below {f'[[{table}]]' if table == LISTEN else f'[{table}]'}"
        else:
            advice = f"here can be {', '.join(known)}"
        key = ".".join(part for part in path if isinstance(part, str))
        what = "table" if len(path) == 1 and isinstance(self._tables[name], Mapping | list) else "key"
        self._complain(key, self._place(path), f"there is no {what} {shown(name)} here", advice)

    def _complain(self, key: str, place: str, message: str, advice: str) -> None:
        """
        Add a problem, once.
        """
        problem = Problem(key, place, message, advice)
        if problem not in self._problems:
            self._problems.append(problem)
