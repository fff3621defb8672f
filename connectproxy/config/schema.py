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
from connectproxy.config.secret import UserPassword
from connectproxy.config.words import Choice, Choices, File, FileList

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
        "listen.protocols", "", ["http/1.1", "h2", "socks5", "socks4"],
        Choices("http/1.1", "h2", "socks5", "socks4"), "",
        "the protocols that are spoken there",
    ),
    Setting(
        "listen.tls_certificate", "tls-certificate", [], FileList(), "FILE",
        "certificate to speak TLS with, followed by those that lead to its CA (PEM);"
        " of several, a client's server name picks one",
        repeatable=True,
    ),
    Setting(
        "listen.tls_key", "tls-key", [], FileList(), "FILE",
        "private key (PEM) of each certificate, in the same order; not needed where it is in the certificate's file",
        repeatable=True,
    ),
    Setting(
        "listen.require_tls", "", False, Flag(), "",
        "close what comes without TLS; always so where client certificates are required",
    ),
    Setting(
        "listen.client_certificates", "", "none", Choice("none", "optional", "required"), "",
        "whether clients are asked for a certificate within TLS, or have to have one",
    ),
    Setting(
        "listen.client_ca", "", "", File(), "",
        "certificates (PEM) of those who may have signed a client's",
    ),
    Setting(
        "listen.proxy_protocol_from", "proxy-protocol-from", [], NetworkList(), "CIDR",
        "load balancers and proxies that must begin each connection with a PROXY protocol header",
        repeatable=True,
    ),
    Setting(
        "proxy.name", "", "connectproxy", Name(), "",
        "what the proxy calls itself in the Proxy-Status field of its answers",
    ),
    Setting(
        "proxy.via", "", "", Name("the proxy's name with a random suffix"), "",
        "what the proxy calls itself in the Via field of what it forwards, by which it knows its own requests again",
    ),
    Setting(
        "proxy.open", "open", False, Flag(), "",
        "allow listening where others than this machine could connect, though nobody is asked who they are",
    ),
    Setting(
        "auth.basic", "auth", "", UserPassword(), "USER:PASSWORD|@FILE",
        "the name and password that every client has to give, by HTTP Basic or SOCKS; without it nobody is asked",
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
        "timeouts.handshake", "", 10, Seconds(0.1, 3600), "",
        "how long a client may take for its TLS handshake, and for a PROXY protocol header",
    ),
    Setting(
        "timeouts.connect", "connect-timeout", 10, Seconds(0.1, 3600), "SECONDS",
        "how long looking up and connecting to a destination may take, over all of its addresses",
    ),
    Setting(
        "timeouts.response", "", 120, Seconds(0.1, _WEEK), "",
        "how long an origin may take to begin its answer to a forwarded request",
    ),
    Setting(
        "timeouts.keep_alive", "", 60, Seconds(0.1, _WEEK), "",
        "how long a client's connection is kept while it asks for nothing",
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
        "limits.tunnels_per_client", "", 0, Count(1, 1_000_000, "no limit but that of all"), "",
        "how many tunnels one user may have at once, or one address where nobody is asked",
    ),
    Setting(
        "limits.streams", "", 256, Count(1, 10_000), "",
        "how many streams an HTTP/2 connection may have open at once",
    ),
    Setting(
        "limits.udp_associations", "", 1000, Count(1, 1_000_000), "",
        "how many UDP associations of SOCKS 5 there may be at once",
    ),
    Setting(
        "socks.udp", "", True, Flag(), "",
        "serve UDP ASSOCIATE of SOCKS 5",
    ),
    Setting(
        "upstream.proxy_protocol", "send-proxy-protocol", "none", Choice("none", "v1", "v2"), "none|v1|v2",
        "the PROXY protocol header that is sent to an origin before anything else",
    ),
    Setting(
        "relay.splice", "", True, Flag(), "",
        "move bytes within the kernel by splice(2) where both ends are plain sockets; Linux only",
    ),
)  # fmt: skip
"""All settings, in the order of the documentation."""
