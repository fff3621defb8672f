"""
The settings that say who a client is and where it may go, and how much of it.

They are rows of L{connectproxy.config.schema.SCHEMA}, in a module of their own for their
number.  Those of the tables C{identity}, C{group}, C{rule} and C{limit} are the keys of
arrays of tables, of which there may be any number.
"""

from __future__ import annotations

from connectproxy.config.forms import Count, Flag, Name, NetworkList, PortList
from connectproxy.config.items import Names, Subnets, Users
from connectproxy.config.marks import CertificateMarks, HeaderMarks
from connectproxy.config.setting import Setting
from connectproxy.config.sizes import Bound, Rate, Size
from connectproxy.config.texts import Label, Methods, Table, Text
from connectproxy.config.times import DAYS, Hours, Zone
from connectproxy.config.words import Choice, Choices, Versions

__all__ = ["ARRAYS", "GROUP", "IDENTITY", "LIMIT", "RULE"]

ARRAYS = ("identity", "group", "rule", "limit", "upstream")
"""The arrays of tables besides C{listen}, by the names that they have in a file."""

_WEEK = 7 * 24 * 3600
_YEAR = 365 * 24 * 3600

_USERS = 'names of users ("*" for anybody who is known, "-" for who is not)'
_PATTERNS = (
    'names such as "example.com", ".example.com" (and all below) or "*.example.com" (only those below)'
)
_NETWORKS = "networks and addresses such as 10.0.0.0/8 or fd00::1"

IDENTITY = (
    Setting(
        "identity.user", "", "unnamed", Label(), "",
        "the name of who is known by all of the keys below that are given; a * in it is what the first * of the pattern stood for",
        required=True,
    ),
    Setting(
        "identity.groups", "", [], Users("names of groups", files=False), "",
        "groups that the user is in besides those that name the user",
    ),
    Setting(
        "identity.limits", "", [], Users("names of limits", files=False), "",
        "names of [[limit]] tables that hold for the user besides those that say so themselves",
    ),
    Setting(
        "identity.certificate", "", [], CertificateMarks(), "",
        "patterns, one of which a client's certificate has to have; * is any characters, in a URI none of them a /",
    ),
    Setting(
        "identity.networks", "", [], NetworkList(), "",
        "networks, one of which the client's address has to be in",
    ),
    Setting(
        "identity.proxy_header", "", [], HeaderMarks(), "",
        "patterns, one of which a PROXY protocol header has to have",
    ),
)  # fmt: skip
"""The keys of each C{[[identity]]}."""

GROUP = (
    Setting(
        "group.name", "", "unnamed", Label(), "",
        "what rules, limits and events call the group",
        required=True,
    ),
    Setting(
        "group.users", "", [], Users("names of users"), "",
        "who is in it",
    ),
)  # fmt: skip
"""The keys of each C{[[group]]}."""

RULE = (
    Setting(
        "rule.name", "", "unnamed", Name(), "",
        "what answers and events call the rule",
        required=True,
    ),
    Setting(
        "rule.action", "", "deny", Choice("allow", "deny"), "",
        "what happens to what the rule matches; needed unless there is a kind",
    ),
    Setting("rule.users", "", [], Users(_USERS), "", "who asks"),
    Setting(
        "rule.groups", "", [], Users("names of groups", files=False), "",
        "a group that who asks is in",
    ),
    Setting("rule.clients", "", [], Subnets(_NETWORKS), "", "where the client's address is"),
    Setting(
        "rule.listeners", "", [], Users("names of listeners, or their endpoints", files=False), "",
        "where the client came in",
    ),
    Setting(
        "rule.protocols", "", [], Versions("http/1.1", "h2", "socks5", "socks4", none=True), "",
        "what the client speaks",
    ),
    Setting(
        "rule.destinations", "", [], Names(_PATTERNS), "",
        "the name that the client asks for; no address is one",
    ),
    Setting(
        "rule.networks", "", [], Subnets(_NETWORKS), "",
        "where the destination's address is, also behind a name",
    ),
    Setting("rule.ports", "", "any", PortList(), "", "the destination's port"),
    Setting("rule.methods", "", [], Methods(), "", "the request's method"),
    Setting(
        "rule.schemes", "", [], Choices("tcp", "udp", "http", none=True), "",
        "what is asked for: a tunnel, datagrams, or a request that the proxy forwards itself",
    ),
    Setting("rule.days", "", [], Choices(*DAYS, none=True), "", "the day of the week"),
    Setting("rule.hours", "", [], Hours(), "", "the time of day; it may pass midnight"),
    Setting("rule.zone", "", "UTC", Zone(), "", "the time zone of days and hours"),
    Setting(
        "rule.server_names", "", [], Names(_PATTERNS), "",
        "the server name (SNI) with which the client begins TLS within the tunnel",
    ),
    Setting(
        "rule.server_name", "", "", Choice("", "same", "other", "none"), "",
        "whether that is the name that was asked for, another one, or missing",
    ),
    Setting(
        "rule.message", "", "", Text(), "",
        "what a client that is denied is told to do about it",
    ),
    Setting(
        "rule.upstream", "", "", Label("the default one"), "",
        "the upstream that what is allowed goes through",
    ),
    Setting(
        "rule.report", "", False, Flag(), "",
        "only report what the rule would have denied, and go on to the next",
    ),
    Setting(
        "rule.connect_timeout", "", "", Bound(0.1, 3600), "",
        "timeouts.connect for what is allowed",
    ),
    Setting("rule.idle_timeout", "", "", Bound(0.1, _WEEK), "", "timeouts.idle for what is allowed"),
    Setting(
        "rule.lifetime", "", "", Bound(0.1, _YEAR, "no limit"), "",
        "timeouts.lifetime for what is allowed",
    ),
    Setting(
        "rule.kind", "", "", Label("a rule of the keys above"), "",
        "the rule kind, in Python, that takes the place; also that of a guard, which is moved here",
    ),
    Setting("rule.options", "", {}, Table(), "", "what that kind is told"),
)  # fmt: skip
"""The keys of each C{[[rule]]}."""

LIMIT = (
    Setting(
        "limit.name", "", "unnamed", Name(), "",
        "what answers and events call the limit",
        required=True,
    ),
    Setting("limit.users", "", [], Users(_USERS), "", "who is limited"),
    Setting(
        "limit.groups", "", [], Users("names of groups", files=False), "",
        "a group that who is limited is in",
    ),
    Setting("limit.clients", "", [], Subnets(_NETWORKS), "", "where the client's address is"),
    Setting(
        "limit.per", "", "user", Choice("user", "client", "network", "all"), "",
        "what has a count of its own: each user (or address, where nobody is known), address, network, or all as one",
    ),
    Setting(
        "limit.tunnels", "", 0, Count(1, 1_000_000, "no limit"), "",
        "how many tunnels there may be at once",
    ),
    Setting(
        "limit.tunnels_per_second", "", 0, Rate(0.001, 1_000_000, "no limit"), "",
        "how many tunnels may be opened in a second, in the mean",
    ),
    Setting(
        "limit.burst", "", 0, Count(1, 1_000_000, "those of one second"), "",
        "how many of them may be opened at once after a time of rest",
    ),
    Setting(
        "limit.bytes_per_second", "", 0, Size(1024, "no limit"), "",
        "how fast tunnels may carry octets, all of them together, in each direction",
    ),
    Setting(
        "limit.quota", "", 0, Size(1, "no limit"), "",
        "how many octets may be carried within a period, in both directions together",
    ),
    Setting(
        "limit.period", "", "day", Choice("hour", "day", "week", "month"), "",
        "the period, of UTC: a week begins on Monday",
    ),
)  # fmt: skip
"""The keys of each C{[[limit]]}."""
