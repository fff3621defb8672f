"""
What there is to know of a proxy that is up, as C{connectproxy status} asks it.

Reads and shows; the counts themselves are L{connectproxy.tally}'s.  Nothing in it can prove
who somebody is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IAddress

from connectproxy import __version__
from connectproxy.events import showAddress
from connectproxy.parts import Parts
from connectproxy.reload import Reloader

__all__ = ["LOGINS", "describe"]

LOGINS = ("proxy_authentication_required", "login_limit_reached")
"""The kinds of refusal of who has not shown who it is."""


def describe(parts: Parts, addresses: Sequence[IAddress], since: float, reloader: Reloader) -> dict[str, Any]:
    """
    Describe a proxy, as JSON has it.

    @param since: when the configuration in force came into it, in seconds since 1970.
    """
    board, admission, last = parts.board, parts.admission, reloader.last
    config: Any = board.regime.config
    tally = board.tally
    audit = parts.audit
    return {
        "version": __version__,
        "pid": os.getpid(),
        "configuration": board.regime.id,
        "file": config.origin or None,
        "since": _moment(since),
        "reload": None
        if last is None
        else {
            "at": _moment(reloader.at),
            "done": not last.problems,
            "problems": list(last.problems),
            "notes": list(last.notes),
        },
        "listeners": [showAddress(each) for each in addresses],
        "draining": board.draining,
        "tunnels": admission.tunnels,
        "connections": admission.connections,
        "upstreams": parts.ways.state(),
        "logins_refused": sum(tally.refusals[kind] for kind in LOGINS),
        **tally.asJSON(),
        "audit": None if audit is None else {"file": audit.path, "dropped": audit.dropped},
    }


def _moment(seconds: float) -> str:
    """
    A time of day as RFC 3339 writes it.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
