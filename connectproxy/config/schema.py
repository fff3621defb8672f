"""
Every setting there is, declared once.

The options, the file, the documentation and the checks all come from L{SCHEMA}; a new
setting is one new row.  A key is C{table.name} in the file.  The rows of the table
C{listen} are the keys of each C{[[listen]]} table; those besides C{endpoint} reach the
listener's kind in L{connectproxy.config.Listener.options}.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectproxy.config.endpoint import EndpointForm
from connectproxy.config.forms import (
    AccessLog,
    Count,
    Flag,
    Form,
    Name,
    NetworkList,
    PortList,
    Seconds,
)

__all__ = ["LISTEN", "SCHEMA", "Setting"]

LISTEN = "listen"
"""The table that there may be several of."""

_WEEK = 7 * 24 * 3600
_YEAR = 365 * 24 * 3600


class Setting(NamedTuple):
    """
    One setting.

    @ivar key: the name in the file, C{table.name}.
    @ivar option: the long option without its dashes; empty where there is none.
    @ivar default: the value where nobody says anything, as the file would write it.
    @ivar form: reads values and says what is accepted.
    @ivar metavar: what the documentation calls the option's argument; empty for a flag.
    @ivar help: what it does: one phrase that begins in lower case, without a full stop.
    @ivar repeatable: whether the option may be given several times.
    """

    key: str
    option: str
    default: Any
    form: Form
    metavar: str
    help: str
    repeatable: bool = False

    @property
    def table(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """The second part of the key."""
        return self.key.partition(".")[2]


SCHEMA = (
    Setting(
        "listen.endpoint", "listen", "127.0.0.1:8080", EndpointForm(), "ENDPOINT",
        "where to listen",
        repeatable=True,
    ),
    Setting(
        "proxy.name", "", "connectproxy", Name(), "",
        "what the proxy calls itself in the Proxy-Status field of its answers",
    ),
    Setting(
        "proxy.open", "open", False, Flag(), "",
        "allow listening where others than this machine could connect, though nobody is asked who they are",
    ),
    Setting(
        "allow.ports", "allow-ports", [443, 80], PortList(), "PORTS",
        "the ports that tunnels may lead to",
    ),
    Setting(
        "allow.networks", "allow-network", [], NetworkList(), "CIDR",
        "networks that tunnels may lead to although their addresses are private or otherwise special",
        repeatable=True,
    ),
    Setting(
        "access_log.file", "access-log", "log", AccessLog(), "FILE|-|none",
        "where the event of each tunnel and of each refusal goes",
    ),
    Setting(
        "timeouts.head", "", 30, Seconds(0.1, 3600), "",
        "how long a client may take for the head of its request",
    ),
    Setting(
        "timeouts.connect", "connect-timeout", 10, Seconds(0.1, 3600), "SECONDS",
        "how long looking up and connecting to a destination may take, over all of its addresses",
    ),
    Setting(
        "timeouts.idle", "idle-timeout", 3600, Seconds(0.1, _WEEK), "SECONDS",
        "how long a tunnel may carry nothing in either direction",
    ),
    Setting(
        "timeouts.half_open", "", 120, Seconds(0.1, _WEEK), "",
        "how long a tunnel may carry nothing after one end has finished sending",
    ),
    Setting(
        "timeouts.lifetime", "", 0, Seconds(0.1, _YEAR, "no limit"), "",
        "how long a tunnel may last, whatever it carries",
    ),
    Setting(
        "timeouts.drain", "drain-timeout", 10, Seconds(0, _WEEK), "SECONDS",
        "how long tunnels may go on when the proxy is stopped, before they are cut off",
    ),
    Setting(
        "timeouts.linger", "", 2, Seconds(0, 60), "",
        "how long a refused client may take to close, so that it gets to read the answer",
    ),
    Setting(
        "limits.tunnels", "max-tunnels", 0, Count(1, 1_000_000, "as many as there are descriptors for"), "NUMBER",
        "how many tunnels there may be at once",
    ),
    Setting(
        "relay.splice", "", True, Flag(), "",
        "move bytes within the kernel by splice(2) where both ends are plain sockets; Linux only",
    ),
)  # fmt: skip
"""All settings, in the order of the documentation."""
