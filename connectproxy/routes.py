"""
Which way a request goes that no rule sends by one: the default, and what is excepted from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectproxy.address import Networks, parsePattern
from connectproxy.interfaces import Action, IUpstream, TunnelRequest, Verdict

__all__ = ["DIRECT", "Routes", "chained", "defaultWay", "judges", "judgesHere", "noDatagrams"]

DIRECT = "direct"
"""The name of the way that leads straight to destinations."""


class Routes:
    """
    The ways to destinations.

    @ivar upstreams: all of them, by name.
    @ivar default: the name of the one for requests of which no rule says another.
    @ivar exceptions: the names and networks that are reached without it.
    """

    __slots__ = ("_names", "_networks", "default", "exceptions", "upstreams")

    def __init__(
        self, upstreams: Mapping[str, IUpstream], default: str = DIRECT, exceptions: Iterable[str] = ()
    ) -> None:
        """
        @param exceptions: patterns of names, as L{parsePattern} reads them, and networks.  A
            network is for those who name an address, since names are not looked up for this.
        @raise ValueError: one of them is neither.
        """
        self.upstreams = upstreams
        self.default = default
        self.exceptions = tuple(exceptions)
        networks, names = [], []
        for item in self.exceptions:
            if isNetwork(item):
                networks.append(item)
            else:
                names.append(parsePattern(item))
        self._names = tuple(names)
        self._networks = Networks.parse(*networks) if networks else None

    def wayOf(self, request: TunnelRequest) -> str:
        """
        The name of the way that a request takes where no rule says one.
        """
        if self.exceptions and self.default != DIRECT:
            destination = request.destination
            if destination.ip is not None:
                if self._networks is not None and destination.ip in self._networks:
                    return DIRECT
            elif any(pattern.matches(destination.host) for pattern in self._names):
                return DIRECT
        return self.default


def noDatagrams(request: TunnelRequest, way: str, rule: str) -> Verdict:
    """
    The denial of datagrams to what a way leads to that is not straight.

    @param rule: the name of the rule that has allowed them.
    """
    detail = f"{request.destination} is reached by way of {way}, which carries no datagrams"
    return Verdict(Action.DENY, detail, rule)


def defaultWay(said: Sequence[Any]) -> str:
    """
    What the way is called that C{route.upstream} says.
    """
    if not said:
        return DIRECT
    return said[0] if isinstance(said[0], str) else chained(len(said), len(said))


def chained(position: int, length: int) -> str:
    """
    What an upstream is called that is a URL in C{route.upstream}.

    @param position: where it stands, from 1.
    @param length: how many there are.
    """
    return "upstream" if length == 1 else f"upstream-{position}"


def judges(config: Any, name: str) -> bool:
    """
    Whether the addresses of destinations are seen and judged here, where a way leads.

    @param config: a L{connectproxy.config.Config}.
    """
    if name == DIRECT:
        return True
    for row in config.rows["upstream"]:
        if row.options["name"] == name:
            return judgesHere(row.options)
    return all(
        judgesHere({"url": url, "addresses": config["route.addresses"]})
        for url in config["route.upstream"][-1:]
    )


def judgesHere(options: Mapping[str, Any]) -> bool:
    """
    Whether names are looked up here for an upstream: as it says, or as these schemes say
    where others understand them.
    """
    url = options["url"]
    return options["addresses"] == "judged" or (
        not options["addresses"] and url is not None and url.scheme in ("socks4", "socks5")
    )


def isNetwork(item: str) -> bool:
    """
    Whether an exception is a network, or an address, and not a name.
    """
    return ":" in item or "/" in item or item.replace(".", "").isdecimal()
