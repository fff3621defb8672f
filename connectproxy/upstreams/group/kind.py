"""
Makes a group of an C{[[upstream]]} with C{members}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zope.interface import implementer

from connectproxy.interfaces import IForwardingUpstream, IUpstream, IUpstreamKind, Surroundings
from connectproxy.upstreams.group.health import Health, Tolerance
from connectproxy.upstreams.group.member import Member
from connectproxy.upstreams.group.upstream import ForwardingGroup, Group, Manner

__all__ = ["kind"]


@implementer(IUpstreamKind)
class _Kind:
    """
    The one that has no URL, but members.
    """

    kindName = "group"
    schemes = ()

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        See L{IUpstreamKind.build}; the members have been built before.
        """
        names, backups, weights = options["members"], options["backups"], options["weights"]
        everyone = (*names, *backups)
        for name in everyone:
            if everyone.count(name) > 1:
                raise ValueError(f"{name} is there twice; name each upstream once, in members or in backups")
        clock = surroundings.reactor
        tolerance = Tolerance(options["failures"], options["retry_after"], options["retry_after_most"])
        members = [
            Member(
                name,
                surroundings.reach(name),
                Health(clock, tolerance),
                weights.get(name, 1),
                backup=name in backups,
            )
            for name in everyone
        ]
        manner = Manner(
            options["balance"],
            options["attempt_timeout"],
            options["probe"],
            options["probe_interval"],
        )
        forwards = any(IForwardingUpstream.providedBy(member.upstream) for member in members)
        made = ForwardingGroup if forwards else Group
        return made(clock, surroundings.name, members, manner, surroundings.tell)


kind = _Kind()
