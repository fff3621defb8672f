"""
One C{[[rule]]} as a value, its lists read: the conditions, and what happens if they hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectproxy.address import Networks
from connectproxy.interfaces import Action, Bounds
from connectproxy.policy.hours import Schedule
from connectproxy.policy.lists import Items, Lists

__all__ = ["Rule", "readItems", "readRule"]

Sources = tuple[Items, ...]


class Rule(NamedTuple):
    """
    A rule.  A condition that is L{None} or empty is none: every request meets it.

    @ivar name: what answers and events call it.
    @ivar where: what messages call the place that it stands in.
    @ivar action: what is done with what it matches.
    @ivar users: who asks.
    @ivar groups: groups, one of which who asks is in.
    @ivar clients: networks of the client's address.
    @ivar listeners: names of listening ports.
    @ivar protocols: what the client speaks.
    @ivar destinations: names; an address matches none of them.
    @ivar networks: networks of the destination's address.
    @ivar ports: ranges of ports, both ends included; L{None} for any.
    @ivar methods: methods.
    @ivar schemes: kinds of traffic; see L{connectproxy.interfaces.TunnelRequest.scheme}.
    @ivar schedule: when.
    @ivar serverNames: TLS server names.
    @ivar relation: what such a name has to be beside the destination: C{same},
        C{other} or C{none}; empty for anything.
    @ivar message: the operator's words for a client that is denied.
    @ivar upstream: the way for what is allowed; empty for the default one.
    @ivar report: it only reports what it would have denied.
    @ivar bounds: deadlines of what is allowed.
    @ivar literal: it matches an address that the client has named, and none that a name leads to.
    """

    name: str
    where: str = ""
    action: Action = Action.DENY
    users: Sources = ()
    groups: Sequence[str] = ()
    clients: Sources = ()
    listeners: Sequence[str] = ()
    protocols: Sequence[str] = ()
    destinations: Sources = ()
    networks: Sources = ()
    ports: Sequence[tuple[int, int]] | None = None
    methods: Sequence[str] = ()
    schemes: Sequence[str] = ()
    schedule: Schedule | None = None
    serverNames: Sources = ()
    relation: str = ""
    message: str = ""
    upstream: str = ""
    report: bool = False
    bounds: Bounds | None = None
    literal: bool = False

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Everything that a request is compared with."""
        return (
            *(self.users, self.groups, self.clients, self.listeners, self.protocols, self.destinations),
            *(self.networks, self.methods, self.schemes, self.serverNames, self.relation),
        )

    @property
    def unconditional(self) -> bool:
        """Whether every request matches, at any time."""
        return not any(self.conditions) and self.ports is None and self.schedule is None


def readRule(options: Mapping[str, Any], where: str, lists: Lists) -> Rule:
    """
    Read the options of a row.

    @param lists: reads the files that it names.
    """
    deadlines = [options[f"{name}_timeout"] for name in ("connect", "idle")] + [options["lifetime"]]
    days, hours = tuple(options["days"]), tuple(options["hours"])

    def items(key: str, sort: str) -> Sources:
        return readItems(options[key], sort, f"rule.{key}", where, lists)

    return Rule(
        name=options["name"],
        where=where,
        action=Action(options["action"]),
        users=items("users", "users"),
        groups=tuple(options["groups"]),
        clients=items("clients", "networks"),
        listeners=tuple(options["listeners"]),
        protocols=tuple(options["protocols"]),
        destinations=items("destinations", "names"),
        networks=items("networks", "networks"),
        ports=options["ports"],
        methods=tuple(options["methods"]),
        schemes=tuple(options["schemes"]),
        schedule=Schedule(days, hours, options["zone"]) if days or hours else None,
        serverNames=items("server_names", "names"),
        relation=options["server_name"],
        message=options["message"],
        upstream=options["upstream"],
        report=options["report"],
        bounds=Bounds(*deadlines) if any(each is not None for each in deadlines) else None,
    )


def readItems(texts: Sequence[str], sort: str, key: str, where: str, lists: Lists) -> Sources:
    """
    Read items, of which some may name files.

    @param sort: what they are: C{names}, C{networks} or C{users}.
    @param key: the setting that they are of.
    """
    plain = [text for text in texts if not text.startswith("@")]
    sources = [lists.read(text[1:], sort, key, where) for text in texts if text.startswith("@")]
    if plain:
        own = Items()
        if sort == "names":
            own.names.extend(plain)
        elif sort == "networks":
            own.networks += Networks.parse(*plain)
        else:
            own.users += plain
        sources.insert(0, own)
    return tuple(sources)
