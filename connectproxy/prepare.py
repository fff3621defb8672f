"""
What a reload takes up, read and checked before anything changes.

All of it is read together, and again where a file has changed meanwhile, so that no half of
one that is being written comes into force.  Everything here blocks, and is called in a
thread but at the start; nothing here has an effect on a proxy that is up.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import sleep
from types import MappingProxyType
from typing import Any, NamedTuple

from connectproxy.auth import buildAuthenticator
from connectproxy.config import Config, ConfigurationError, Problem
from connectproxy.limits import Limit, buildLimits
from connectproxy.policy import buildPolicy, buildShadow
from connectproxy.regime import Regime
from connectproxy.tls import ServerTLS
from connectproxy.watch import Stamps, stamps
from connectproxy.ways import Base, Ways, buildWays

__all__ = ["LIVE", "Prepared", "Unusable", "certificates", "discard", "prepare", "unchanged"]

ATTEMPTS = 3
"""How often it is read, while files change."""

GRAIN = 100_000_000
"""Nanoseconds by which the times in a file system may lag behind the clock."""

QUIET = 100_000_000
"""Nanoseconds for which a file has not changed, before a reload begins to read."""

LOOKS = 20
"""How often that is waited for; a file that is always changing is read all the same."""

LIVE = (
    "allow.", "auth.", "direct.", "group.", "identity.", "limit.", "policy.", "route.", "rule.", "upstream.",
    "limits.ipv", "limits.store", "limits.tunnels",
    "limits.udp_associations", "limits.when_away", "timeouts.connect",
    # They are about what a configuration may say, and have their effect when it is read.
    "proxy.open", "proxy.profile",
)  # fmt: skip
"""How the keys begin that a reload takes up; all others need a restart."""

LIVE_LISTEN = ("client_ca", "tls_certificate", "tls_key")
"""Likewise of a listener that speaks TLS, the keys themselves."""

WRONG = (ConfigurationError, ValueError, OSError)
"""What is raised where a file, or what is in it, can't be used."""

Servers = Mapping[tuple[int, str], ServerTLS]
"""What speaks TLS, by the number of the listener and its endpoint."""


class Prepared(NamedTuple):
    """
    What can come into force.

    @ivar limits: the tables of limits.
    @ivar ways: the ways to destinations, not yet started.
    @ivar certificates: what speaks TLS by now, each with what it is to become.
    @ivar seen: what the files looked like before they were read.
    @ivar notes: what has changed and needs a restart, each in a sentence.
    """

    regime: Regime
    limits: tuple[Limit, ...]
    ways: Ways
    certificates: tuple[tuple[ServerTLS, ServerTLS], ...]
    seen: Stamps
    notes: tuple[str, ...]


class Unusable(Exception):
    """
    What was read can't be used.

    @ivar problems: why, one line each.
    @ivar seen: what the files looked like.
    """

    def __init__(self, problems: Sequence[str], seen: Stamps) -> None:
        Exception.__init__(self, *problems)
        self.problems = tuple(problems)
        self.seen = seen


def prepare(
    base: Base,
    again: Callable[[], Config],
    known: Iterable[str],
    started: Config | None = None,
    servers: Servers = MappingProxyType({}),
    ways: Ways | None = None,
) -> Prepared:
    """
    Read everything.

    @param base: what ways are built on.
    @param again: reads the configuration.
    @param known: the files that may be read, as far as that is known.
    @param started: the configuration that the proxy was started with; L{None} if this is
        the start.
    @param servers: what speaks TLS by now.
    @param ways: the ways by now.
    @raise Unusable: nothing of it can be used.
    """
    names, moving = list(known), list[str]()
    if started is not None:
        _settle(names)
    for _ in range(ATTEMPTS):
        began = time.time_ns() - GRAIN
        before = stamps(names)
        config: Config | None = None
        try:
            config = again()
            regime, limits, fresh, renewed = _everything(base, config, servers, ways)
        except (*WRONG, ExceptionGroup) as error:
            seen = stamps(names)
            moving = [name for name in names if seen[name] != before[name]]
            if not moving:
                raise Unusable(_lines(error, config), before) from error
            continue
        new = dict(renewed)
        names = _files(regime, fresh, [new.get(each, each) for each in servers.values()])
        seen = stamps(names)
        moving = [name for name in names if not _steady(before.get(name), seen[name], began)]
        if not moving:
            notes = () if started is None else tuple(unchanged(started, config))
            return Prepared(regime, limits, fresh, renewed, seen, notes)
        discard(regime)
    why = "changes again and again while it is read; write it elsewhere, then move it there in one step (mv)"
    raise Unusable([f"{name}: {why}" for name in moving], stamps(names))


def _settle(names: Sequence[str]) -> None:
    """
    Give whoever is writing a file in place, which shows as a part of it, the time to be done.
    """
    for _ in range(LOOKS):
        now = time.time_ns()
        if not any(seen and 0 <= now - seen[1] < QUIET for seen in stamps(names).values()):
            return
        sleep(QUIET / 1e9)


def _steady(before: tuple[int, ...] | None, seen: tuple[int, ...], began: int) -> bool:
    """
    Whether a file has been the same while it was read.

    @param before: what it looked like before; L{None} if that is not known.
    @param seen: what it looked like afterwards.
    @param began: when reading began, in nanoseconds since 1970.
    """
    if before is not None:
        return before == seen
    return not seen or seen[1] < began


def _everything(
    base: Base, config: Config, servers: Servers, former: Ways | None
) -> tuple[Regime, tuple[Limit, ...], Ways, tuple[tuple[ServerTLS, ServerTLS], ...]]:
    """
    Build all that a configuration is about, each part whatever is wrong with the others.

    @raise ExceptionGroup: all that is wrong, of L{WRONG}.
    """
    errors: list[Exception] = []

    def attempt(build: Callable[[], Any]) -> Any:
        try:
            return build()
        except WRONG as error:
            errors.append(error)
        return None

    policy = attempt(lambda: buildPolicy(config, base.own))
    shadow = attempt(lambda: buildShadow(config, base.own))
    name = attempt(lambda: _id(config, policy, shadow))
    authenticator = attempt(lambda: buildAuthenticator(base.reactor, config))
    limits = attempt(lambda: buildLimits(config.rows["limit"]))
    ways = attempt(lambda: buildWays(base, config, former))
    renewed = attempt(lambda: certificates(config, servers))
    regime = Regime(config, policy, shadow, authenticator, name)
    if errors:
        discard(regime)
        raise ExceptionGroup("what the configuration names can't be used", errors)
    return regime, limits, ways, renewed


def _id(config: Config, *policies: Any) -> str:
    """
    What events call it: the configuration's own id, but another one for each state of the
    lists, by which requests are decided as well.
    """
    files = [name for each in policies if each is not None for name in each.files]
    if not files:
        return config.id
    digest = hashlib.sha256(config.id.encode())
    for name in files:
        with open(name, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]


def discard(regime: Regime) -> None:
    """
    Let go of what is not going to be in force.
    """
    authenticator: Any = regime.authenticator
    if authenticator is not None:
        authenticator.close()


def _files(regime: Any, ways: Ways, servers: Iterable[ServerTLS]) -> list[str]:
    """
    All files that were read.
    """
    config = regime.config
    found = [config.origin] if config.origin else []
    for table in config.rows.values():
        found += [item[1:] for row in table for item in _items(row.options) if item.startswith("@")]
    for each in (config, regime.policy, regime.shadow, regime.authenticator, ways):
        found += getattr(each, "files", ())
    for server in servers:
        found += server.files
    return list(dict.fromkeys(found))


def _items(options: Mapping[str, Any]) -> Iterator[str]:
    """
    The items of all lists in a table.
    """
    for value in options.values():
        if isinstance(value, tuple | list):
            yield from (item for item in value if isinstance(item, str))


def _lines(error: Exception, config: Config | None) -> list[str]:
    """
    What is wrong, a line each.

    @param config: the configuration, which knows where its keys stand; L{None} where there is none.
    """
    lines: dict[str, None] = {}
    told: set[tuple[str, str]] = set()
    for each in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
        if not isinstance(each, ConfigurationError):
            lines[str(each)] = None
            continue
        # The policy, its shadow and what knows the users read the same groups.
        fresh = [problem for problem in each.problems if (problem.key, problem.place) not in told]
        told.update((problem.key, problem.place) for problem in fresh)
        placed = fresh if config is None else map(config.placed, fresh)
        lines |= dict.fromkeys(map(str, placed))
    return list(lines)


def certificates(config: Config, servers: Servers) -> tuple[tuple[ServerTLS, ServerTLS], ...]:
    """
    Read the certificates of listeners that are up, where these are others by now.  (Not all:
    new contexts end the resumption of sessions.)

    @return: what speaks TLS, with what it is to become.
    @raise ConfigurationError: some of them can't be used.
    """
    renewed, problems = [], list[Problem]()
    for (number, endpoint), server in servers.items():
        wanted = server.options
        listener = config.listeners[number] if number < len(config.listeners) else None
        if listener is not None and listener.endpoint == endpoint and listener.options["tls_certificate"]:
            options = listener.options
            pairs = tuple(zip(options["tls_certificate"], options["tls_key"], strict=True))
            wanted = wanted._replace(certificates=pairs)
            if options["client_ca"] and wanted.clientCA:
                wanted = wanted._replace(clientCA=options["client_ca"])
        if wanted != server.options or server.changed():
            try:
                renewed.append((server, ServerTLS(wanted)))
            except ValueError as error:
                place = endpoint if listener is None else listener.where
                problems.append(Problem("listen.tls_certificate", place, str(error), ""))
    if problems:
        raise ConfigurationError(problems)
    return tuple(renewed)


def unchanged(started: Config, config: Config) -> Iterator[str]:
    """
    What two configurations differ in and a reload does not take up.

    @param started: the configuration that the proxy was started with.
    @return: a sentence for each.
    """
    for key, value in config.items():
        if value != started[key] and not key.startswith(LIVE):
            yield f"{key} has changed: that takes a restart"
    ours, theirs = started.listeners, config.listeners
    if [each.endpoint for each in ours] != [each.endpoint for each in theirs]:
        yield "listen.endpoint has changed: to listen elsewhere takes a restart"
        return
    for one, other in zip(ours, theirs, strict=True):
        for key, value in other.options.items():
            live = key in LIVE_LISTEN and bool(value) == bool(one.options[key])
            if value != one.options[key] and not live:
                yield f"listen.{key} of {one.endpoint} has changed: that takes a restart"
