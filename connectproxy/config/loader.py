"""
From a file and options to one frozen L{Config}, or to all the problems at once.

An option overrides the file key by key: C{--allow-network} replaces the file's whole
C{allow.networks}, and C{--listen} replaces all of its C{[[listen]]} tables.  What is
overridden is checked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from connectproxy.config.access import ARRAYS
from connectproxy.config.arrays import readListeners, readRows
from connectproxy.config.problem import ConfigurationError, Problem
from connectproxy.config.reading import TABLES, Reading
from connectproxy.config.schema import LISTEN, PROFILES, SCHEMA
from connectproxy.config.source import Source, bare, read
from connectproxy.config.value import Config
from connectproxy.config.whole import byName, conflicts, isGuarded

if TYPE_CHECKING:
    from connectproxy.config.places import Path

__all__ = ["configure", "load", "loadShadow"]

_SHADOW = ("policy", "group", "rule")
"""The tables that the file of a second policy may have."""


def load(
    path: str | None = None, options: Mapping[str, Any] = MappingProxyType({}), directory: str = ""
) -> Config:
    """
    Read a configuration from a file and from options.  Blocks while it reads the file.

    @param path: the name of a TOML file; L{None} for no file.
    @param options: by name, without dashes: for a flag C{True}, for an option that may
        be repeated a sequence of its arguments, for any other its argument, all of
        them strings.  What is L{None} or false was not given.
    @param directory: what relative names of files are relative to, that of the
        configuration and those that options say; empty for the directory that the process
        is in.  Who reads a configuration again may be in another one by then.
    @raise ConfigurationError: all that is wrong with it.
    @raise KeyError: there is no such option.
    """
    problems: list[Problem] = []
    source = Source({}, bare) if path is None else read(path, directory, problems)
    given: dict[str, Any] = {}
    named = {setting.option: setting for setting in SCHEMA if setting.option}
    for name, said in options.items():
        if said is not None and said is not False:
            given[named[name].key] = said
    return _config(Reading(source, given, problems, directory))


def configure(**tables: Any) -> Config:
    """
    Make a configuration within a program.

    The arguments are the tables of the file as its parser would give them::

        configure(listen=[{"endpoint": "tcp:0:interface=127.0.0.1"}], timeouts={"idle": 60})

    @raise ConfigurationError: all that is wrong with it.
    """
    return _config(Reading(Source(tables, bare), {}, []))


def loadShadow(config: Config) -> Config:
    """
    Read the second policy that a configuration names in C{policy.shadow}: its
    C{[[rule]]}s, its C{[[group]]}s and its C{policy.default}.  Blocks while it reads the
    file.

    @return: the configuration with those in the place of its own; where the file has no
        C{[[group]]}, with its own.
    @raise ConfigurationError: all that is wrong with the file.
    """
    path: str = config["policy.shadow"]
    problems: list[Problem] = []
    source = read(path, "", problems, "policy.shadow")
    reading = Reading(source, {}, problems)
    _unknownTables(reading, _SHADOW)
    settings = {"default": TABLES["policy"]["default"]}
    default = reading.table(("policy",), source.tables.get("policy", {}), settings, {})["policy.default"]
    rows = {table: [row for row, _ in found] for table, found in readRows(reading).items()}
    if not default and not problems:
        advice = 'write default = "deny" or default = "allow" below [policy]'
        reading.complain("policy.default", path, "nothing says what happens to what no rule decides", advice)
    if problems:
        raise ConfigurationError(problems)
    for table in ARRAYS:
        rows[table] = rows[table] or (list(config.rows[table]) if table != "rule" else [])
    values = {**config, "policy.default": default, "policy.shadow": ""}
    rows["rule"] = byName(rows["rule"], config.listeners)
    return Config(values, config.listeners, source.origin, rows, reading.files)


def _unknownTables(reading: Reading, known: tuple[str, ...]) -> None:
    """
    Complain of tables that mean nothing.
    """
    for table in reading.source.tables:
        if table not in known:
            reading.unknown((table,), dict.fromkeys(known))


def _config(reading: Reading) -> Config:
    """
    Check everything, then make the configuration or raise.
    """
    _unknownTables(reading, tuple(TABLES))
    tables = reading.source.tables
    values = reading.table(("proxy",), tables.get("proxy", {}), TABLES["proxy"], reading.given)
    reading.profile = PROFILES.get(values["proxy.profile"], {})
    for table, settings in TABLES.items():
        if table not in (LISTEN, *ARRAYS):
            values |= reading.table((table,), tables.get(table, {}), settings, reading.given)
    listeners = readListeners(reading)
    rows = readRows(reading)
    overridden = f"{LISTEN}.endpoint" in reading.given
    placed: list[tuple[Any, Path]] = [
        (listener, (LISTEN,) if overridden or LISTEN not in tables else (LISTEN, position))
        for position, (listener, _) in enumerate(listeners)
    ]
    for path, message, advice in conflicts(values, placed, rows, overridden=overridden):
        key = ".".join(part for part in path if isinstance(part, str))
        reading.complain(key, reading.place(path), message, advice)
    for listener, local in listeners:
        if not local and not values["proxy.open"] and not isGuarded(listener, values, rows):
            reading.complain(
                "proxy.open",
                listener.where,
                f"{listener.endpoint} can be reached from other machines, and nobody is asked who they"
                " are: whoever reaches it could use the proxy, for anything (an open proxy)",
                "listen on 127.0.0.1, on [::1] or on a unix: socket, or ask for a password (--auth, --users), for a"
                " token (--token-key) or for certificates (client_certificates); or if something else keeps"
                " strangers away, say --open (in the file: open = true below [proxy])",
            )
    plain = {
        table: [row for row, path in found if path not in reading.faulty] for table, found in rows.items()
    }
    doors = [listener for listener, _ in listeners]
    if reading.problems:
        rest = Config(values, doors, reading.source.origin, plain, reading.files, reading.places)
        raise ConfigurationError(reading.problems, rest)
    plain["rule"] = byName(plain["rule"], doors)
    return Config(values, doors, reading.source.origin, plain, reading.files, reading.places)
