"""
One C{[[limit]]} table: whom it holds for, and who shares its count.

Counts nothing; L{connectproxy.limits.share} does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, Protocol
from unicodedata import normalize
from urllib.parse import quote

from connectproxy.address import Networks
from connectproxy.address.classes import canonical
from connectproxy.interfaces import ProxyUser

__all__ = ["Limit", "ListError", "Prefixes", "Row", "addressOf", "buildLimits"]

REMEMBERED = 16384
"""Names and addresses of which it is remembered how they are written: when the tables change,
those of all who are in are needed again, at once."""

_COMMENT = re.compile(r"(?:^|\s)#.*")

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


class ListError(ValueError):
    """
    A file with users or networks can't be used; as a string, which, where and why.
    """


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

    @raise ListError: one of those can't be read, or has something in it that is none of
        what it should have.
    """
    return tuple(row if isinstance(row, Limit) else _build(row.options) for row in rows)


def _build(options: Mapping[str, Any]) -> Limit:
    """
    Make one ready.
    """
    pace = float(options["tunnels_per_second"])
    lists = (options["users"], options["groups"], options["clients"])
    users, groups, clients = (list(_items(items)) for items in lists)
    return Limit(
        name=options["name"],
        users=frozenset(normalize("NFC", item) for item, where in users) if lists[0] else None,
        groups=frozenset(normalize("NFC", item) for item, where in groups) if lists[1] else None,
        clients=_networks(clients) if lists[2] else None,
        per=options["per"],
        tunnels=options["tunnels"],
        pace=pace,
        burst=float(options["burst"] or max(pace, 1.0)),
        rate=options["bytes_per_second"],
        quota=options["quota"],
        period=options["period"],
        files=tuple(item[1:] for items in lists for item in items if item[0] == "@"),
    )


def _networks(items: Iterable[tuple[str, str]]) -> Networks:
    """
    Read networks.
    """
    found = []
    for item, where in items:
        try:
            found.append(Networks.parse(item))
        except ValueError as wrong:
            raise ListError(f"{where}: {wrong}") from None
    return Networks(
        tuple(net for each in found for net in each.ipv4), tuple(net for each in found for net in each.ipv6)
    )


def _items(items: Iterable[str]) -> Iterator[tuple[str, str]]:
    """
    Put the lines of files in the place of their names.

    @return: items, each with where it stands.
    """
    for item in items:
        if not item.startswith("@"):
            yield item, item
            continue
        path = item[1:]
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines = file.read().splitlines()
        except UnicodeDecodeError:
            raise ListError(f"{path} is not UTF-8; save it so") from None
        except OSError as error:
            raise ListError(f"cannot read {path}: {error.strerror}; name a file that can be read") from None
        for number, line in enumerate(lines, 1):
            word = _COMMENT.sub("", line).strip()
            if word:
                yield word, f"{path}:{number}"
