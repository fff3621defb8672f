"""
One C{[[limit]]} table: whom it holds for, and who shares its count.

Counts nothing; L{connectproxy.limits.share} does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, Protocol
from unicodedata import normalize
from urllib.parse import quote

from connectproxy.address import Networks
from connectproxy.address.classes import canonical
from connectproxy.config import ConfigurationError, Problem
from connectproxy.config.listfile import readList
from connectproxy.interfaces import ProxyUser

__all__ = ["Limit", "Prefixes", "Row", "addressOf", "buildLimits"]

REMEMBERED = 16384
"""Names and addresses of which it is remembered how they are written: when the tables change,
those of all who are in are needed again, at once."""

_LISTS = ("users", "groups", "clients")

_LONGEST = 100
"""Characters of a user's name in a key, escapes included; of a longer one it is a hash."""


class Row(Protocol):
    """
    A table of the configuration, as L{connectproxy.config} gives it.
    """

    @property
    def options(self) -> Mapping[str, Any]:
        """The settings by their short names, with defaults."""

    @property
    def where(self) -> str:
        """What a message calls the table."""


class Prefixes(NamedTuple):
    """
    What a network of clients is.

    @ivar ipv4: bits of an IPv4 address that its clients have in common, 0 to 32.
    @ivar ipv6: of an IPv6 address, 0 to 128.
    """

    ipv4: int = 24
    ipv6: int = 64


class Limit(NamedTuple):
    """
    One table.

    @ivar name: what messages, events and stores call it.
    @ivar users: for whom it holds: names, C{"*"} for every user who is known, C{"-"}
        for those who are not; L{None} for anybody, while an empty set, of a list that has
        nothing in it, is nobody.
    @ivar groups: the same by groups.
    @ivar clients: the addresses of those for whom it holds; L{None} for any.
    @ivar per: who shares a count: C{"user"}, C{"client"}, C{"network"} or C{"all"}.
    @ivar tunnels: how many at once; 0 for any.
    @ivar pace: how many are opened per second; 0 for any.
    @ivar burst: how many may be opened at once after a pause, at least 1.
    @ivar rate: octets per second in each direction; 0 for any.
    @ivar quota: octets in both directions per period; 0 for any.
    @ivar period: see L{connectproxy.limits.period.PERIODS}.
    @ivar files: the lists that were read for it.
    """

    name: str
    users: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    clients: Networks | None = None
    per: str = "user"
    tunnels: int = 0
    pace: float = 0.0
    burst: float = 1.0
    rate: int = 0
    quota: int = 0
    period: str = "day"
    files: tuple[str, ...] = ()

    def holds(self, identity: ProxyUser | None, ip: IPv4Address | IPv6Address | None) -> bool:
        """
        Whether it holds for a client.

        @param identity: who it is, where that is known.
        @param ip: its address; L{None} where it has none.
        """
        if identity is not None and self.name in identity.limits:
            return True
        if self.users is not None and not (
            "-" in self.users if identity is None else identity.name in self.users or "*" in self.users
        ):
            return False
        if self.groups is not None and (identity is None or self.groups.isdisjoint(identity.groups)):
            return False
        return self.clients is None or (ip is not None and ip in self.clients)

    def key(
        self, identity: ProxyUser | None, ip: IPv4Address | IPv6Address | None, prefixes: Prefixes
    ) -> tuple[str, str]:
        """
        With whom a client shares the count.

        @return: a key of printable ASCII without white space, and how a message goes on:
            C{"for user bob"}.
        """
        if self.per == "all":
            return "all", "in all"
        if self.per == "user" and identity is not None:
            name = identity.name
            return f"user:{_escaped(name)}", f"for user {name if name.isprintable() else ascii(name)}"
        if ip is None:
            return "client:unix", "for clients at this machine's socket"
        if self.per == "network":
            prefix = prefixes.ipv4 if ip.version == 4 else prefixes.ipv6
            return f"network:{ip_network((ip.packed, prefix), strict=False)}", "for the client's network"
        return f"client:{quote(str(ip), safe=':')}", "for the client's address"


@lru_cache(REMEMBERED)
def _escaped(name: str) -> str:
    """
    A user's name as keys have it.
    """
    escaped = quote(name, safe="@")
    return escaped if len(escaped) <= _LONGEST else f"sha256:{sha256(name.encode()).hexdigest()}"


@lru_cache(REMEMBERED)
def addressOf(host: str | None) -> IPv4Address | IPv6Address | None:
    """
    The address of a client, if it has one.
    """
    try:
        return canonical(ip_address(host or ""))
    except ValueError:
        return None


def buildLimits(rows: Iterable[Row | Limit]) -> tuple[Limit, ...]:
    """
    Make the tables of a configuration ready for use.  Files that they name are read, so
    this may block.

    @raise ConfigurationError: all that is wrong with those.
    """
    problems: list[Problem] = []
    limits = tuple(row if isinstance(row, Limit) else _build(row, problems) for row in rows)
    if problems:
        raise ConfigurationError(list(dict.fromkeys(problems)))  # tables may name the same list
    return limits


def _build(row: Row, problems: list[Problem]) -> Limit:
    """
    Make one ready.

    @param problems: where everything is added that is wrong with it.
    """
    options = row.options
    pace = float(options["tunnels_per_second"])
    users: set[str] = set()
    groups: set[str] = set()
    clients: list[Networks] = []
    _items(row, "users", lambda item: users.add(normalize("NFC", item)), problems)
    _items(row, "groups", lambda item: groups.add(normalize("NFC", item)), problems)
    _items(row, "clients", lambda item: clients.append(Networks.parse(item)), problems)
    return Limit(
        name=options["name"],
        users=frozenset(users) if options["users"] else None,
        groups=frozenset(groups) if options["groups"] else None,
        clients=_together(clients) if options["clients"] else None,
        per=options["per"],
        tunnels=options["tunnels"],
        pace=pace,
        burst=float(options["burst"] or max(pace, 1.0)),
        rate=options["bytes_per_second"],
        quota=options["quota"],
        period=options["period"],
        files=tuple(item[1:] for name in _LISTS for item in options[name] if item[0] == "@"),
    )


def _items(row: Row, name: str, read: Callable[[str], object], problems: list[Problem]) -> None:
    """
    Have every item of one of a table's lists read, those of the files that it names included.

    @param name: the list's.
    @param read: takes an item, and raises L{ValueError} for one that is wrong.
    """
    key = f"limit.{name}"
    for item in row.options[name]:
        if item.startswith("@"):
            readList(item[1:], key, row.where, read, problems)
            continue
        try:
            read(item)
        except ValueError as error:
            problems.append(Problem(key, row.where, str(error), ""))


def _together(several: Sequence[Networks]) -> Networks:
    """
    All networks of several lists.
    """
    return Networks(
        tuple(net for each in several for net in each.ipv4),
        tuple(net for each in several for net in each.ipv6),
    )
