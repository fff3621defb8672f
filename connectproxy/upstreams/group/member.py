"""
One next hop of a group: how it is, and what goes through it.

How many tunnels are open is what there are transports of: a tunnel's transport goes from hand
to hand, from the upstream to the relay or to whoever forwards messages, and when the last one
has let go of it the tunnel is over.  So a weak reference to it counts, which costs one object
and nothing per octet, and leaves the transport the plain socket that C{splice} wants.  What
would hear of the end itself was rejected: a protocol or a producer of ours on the way would be
asked for every octet, and a call from every relay would have to be kept by each of them.  A
transport that is left in a cycle counts until the collector finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import ref

from connectproxy.interfaces import IForwardingUpstream
from connectproxy.upstreams.group.blame import wordsOf
from connectproxy.upstreams.group.health import Health

__all__ = ["Member"]


class Member:
    """
    One of a group.

    @ivar name: what the configuration calls it.
    @ivar upstream: it itself.
    @ivar weight: its share, 1 or more.
    @ivar backup: it is for when no other can be used.
    @ivar health: whether it can be used.
    @ivar connect: asks it for a tunnel; see L{connectproxy.interfaces.IUpstream.connect}.
    @ivar forward: asks it for a connection for messages: by a tunnel to the destination where it
        does not take them itself.
    @ivar turn: see L{connectproxy.upstreams.group.balance.Seat}.
    @ivar asking: requests that it has not answered yet.
    @ivar probe: whether the last probe has succeeded; L{None} before the first.
    """

    __slots__ = (
        "_open", "asking", "backup", "connect", "forward", "health", "name", "probe", "turn",
        "upstream", "weight",
    )  # fmt: skip

    def __init__(
        self, name: str, upstream: Any, health: Health, weight: int = 1, *, backup: bool = False
    ) -> None:
        self.name = name
        self.upstream = upstream
        self.weight = weight
        self.backup = backup
        self.health = health
        self.connect = upstream.connect
        self.forward = upstream.forward if IForwardingUpstream.providedBy(upstream) else upstream.connect
        self.turn = 0
        self.asking = 0
        self.probe: bool | None = None
        self._open: dict[int, ref[Any]] = {}

    @property
    def tunnels(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def load(self) -> int:
        """How many tunnels are open or being made."""
        return len(self._open) + self.asking

    @property
    def words(self) -> str:
        """What is wrong with it, in words that any client may have."""
        last = self.health.last
        return f"{self.name} {wordsOf(last) if last is not None else 'is being tried'}"

    def opened(self, transport: Any) -> None:
        """
        A tunnel is open, and counts for as long as there is its transport.  One that can't be
        referred to weakly does not count.
        """
        try:
            held = ref(transport, self._closed)
        except TypeError:
            return
        self._open[id(held)] = held

    def _closed(self, held: ref[Any]) -> None:
        """
        Nobody has the transport any more.  The collector may say so in any thread.
        """
        self._open.pop(id(held), None)

    def state(self) -> Mapping[str, Any]:
        """
        What there is to know of it, as JSON has it.
        """
        health = self.health
        return {
            "name": self.name,
            "backup": self.backup,
            "weight": self.weight,
            "state": health.state,
            "failures": health.failures,
            "tunnels": self.tunnels,
            "asking": self.asking,
            "last_failure": health.last.detail if health.last is not None else None,
            "error": health.last.kind if health.last is not None else None,
            "retry_in": round(health.wait, 3) if health.out else None,
            "probe": None if self.probe is None else "passed" if self.probe else "failed",
            "probe_failures": health.misses,
        }
