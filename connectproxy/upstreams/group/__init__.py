"""
Several next hops as one: which of them a request goes through, which of them can be used, and
what is done when one fails.

  - L{connectproxy.upstreams.group.balance}: which one, of those that can be used.
  - L{connectproxy.upstreams.group.health}: whether one can be used.
  - L{connectproxy.upstreams.group.blame}: what a refusal says of the one that it came by.
  - L{connectproxy.upstreams.group.member}: one of them.
  - L{connectproxy.upstreams.group.asking}: one request, from member to member.
  - L{connectproxy.upstreams.group.probing}: the active probes.
  - L{connectproxy.upstreams.group.upstream}: the group.

The first three know time as seconds of a clock, and neither Deferreds nor connections.
"""

from __future__ import annotations

from connectproxy.upstreams.group.kind import kind

__all__ = ["kind"]
