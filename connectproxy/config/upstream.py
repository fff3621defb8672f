"""
The settings that say which ways lead to destinations.

They are rows of L{connectproxy.config.schema.SCHEMA}, in a module of their own for their
number.
"""

from __future__ import annotations

from connectproxy.config.forms import Count, Seconds
from connectproxy.config.items import Users
from connectproxy.config.nexthop import (
    Elsewhere,
    Endpoint,
    Exceptions,
    Pins,
    Probe,
    URLForm,
    Ways,
    Weights,
)
from connectproxy.config.setting import Setting
from connectproxy.config.texts import Label, Table
from connectproxy.config.words import Choice, File

__all__ = ["ROUTE", "UPSTREAM"]

_SECONDS = 24 * 3600

ROUTE = (
    Setting(
        "route.upstream", "upstream", [], Ways(), "NAME|URL",
        "the way for all that no rule sends by another one; empty is straight to the destination. Several URLs"
        " are a chain, each reached through those before it",
        repeatable=True,
    ),
    Setting(
        "route.addresses", "upstream-addresses", "", Choice("", "judged", "unseen"), "judged|unseen",
        'of a URL in upstream: as addresses of an [[upstream]]',
    ),
    Setting(
        "route.credentials", "upstream-credentials", "",
        Elsewhere("user:password", pair=True, plain=False), "@FILE|$NAME",
        "of a URL in upstream, the last of several: what it is shown",
    ),
    Setting(
        "route.direct", "no-proxy", [], Exceptions(), "NAMES",
        "what is reached straight all the same, where no rule says how: names, and networks for clients that"
        " name an address",
        repeatable=True,
    ),
)  # fmt: skip

UPSTREAM = (
    Setting(
        "upstream.name", "", "unnamed", Label(), "",
        "what rules, other upstreams, events and clients call it",
        required=True,
    ),
    Setting(
        "upstream.url", "", "", URLForm(), "",
        "where it is and what it speaks: http, https, h2 (HTTP/2 within TLS), h2c (in clear), socks5, socks5h, socks4,"
        " socks4a; +tls behind a scheme puts TLS below it, +unix has the path of a UNIX socket in place of a host;"
        " endpoint: is the endpoint alone",
    ),
    Setting(
        "upstream.endpoint", "", "", Endpoint(), "",
        "the Twisted client endpoint that it is reached by, in place of url's host; with url = \"endpoint:\" it leads to"
        " destinations itself, and has {host} and {port} in it",
    ),
    Setting(
        "upstream.via", "", "", Label("straight"), "",
        "the upstream that it is reached through",
    ),
    Setting(
        "upstream.addresses", "", "", Choice("", "judged", "unseen"), "",
        "judged: names are looked up here, rules judge each address, and the next hop is asked for the address;"
        " unseen: the next hop looks names up, nobody here sees the address, and only rules about names apply."
        " It has to be said of what a rule or the route leads to",
    ),
    Setting(
        "upstream.credentials", "", "", Elsewhere("user:password", pair=True, plain=True), "",
        "what it is shown",
    ),
    Setting(
        "upstream.token", "", "", Elsewhere("a token", pair=False, plain=True), "",
        "the bearer token that it is shown",
    ),
    Setting(
        "upstream.authentication", "", "", Choice("", "basic", "digest", "bearer"), "",
        "how; \"\" is bearer for a token and basic for credentials. Digest waits for the next hop's challenge",
    ),
    Setting(
        "upstream.ca", "", "", File(beside=True, none="those of the system"), "",
        "certificates (PEM) of the authorities that may have signed its own",
    ),
    Setting(
        "upstream.certificate", "", "", File(beside=True), "",
        "the certificate (PEM) that it is shown, followed by those that lead to its CA",
    ),
    Setting(
        "upstream.key", "", "", File(beside=True, none="that in the certificate's file"), "",
        "the private key (PEM) of that certificate",
    ),
    Setting(
        "upstream.server_name", "", "", Label("the host of url"), "",
        "the name that its certificate has to have, and that it is asked for",
    ),
    Setting(
        "upstream.pins", "", [], Pins(), "",
        "hashes of public keys, one of which its certificate has to have besides all else",
    ),
    Setting(
        "upstream.proxy_protocol", "", "none", Choice("none", "v1", "v2"), "",
        "the PROXY protocol header that it is sent before anything else",
    ),
    Setting(
        "upstream.connections", "", 4, Count(1, 1000), "",
        "of HTTP/2, how many connections to it there may be",
    ),
    Setting(
        "upstream.tunnels", "", 100, Count(1, 10_000), "",
        "of HTTP/2, how many tunnels each of them may have",
    ),
    Setting(
        "upstream.members", "", [], Users("names of upstreams", files=False), "",
        "makes it a group: the upstreams that share its requests; direct may be one",
    ),
    Setting(
        "upstream.balance", "", "round-robin",
        Choice("round-robin", "least-tunnels", "hash-user", "hash-destination"), "",
        "of a group, which member is asked first: in turn, the one with the fewest tunnels, always the same for a"
        " user, or for a destination",
    ),
    Setting(
        "upstream.weights", "", {}, Weights(), "",
        "of a group, the shares of members that are not to have one like all others",
    ),
    Setting(
        "upstream.backups", "", [], Users("names of upstreams", files=False), "",
        "of a group, those that are asked when no member can be",
    ),
    Setting(
        "upstream.failures", "", 3, Count(1, 1000), "",
        "of a group, how many failures in a row take a member out",
    ),
    Setting(
        "upstream.retry_after", "", 5, Seconds(0.1, _SECONDS), "",
        "of a group, how long a member is out at first; each further failure doubles it",
    ),
    Setting(
        "upstream.retry_after_most", "", 300, Seconds(0.1, _SECONDS), "",
        "of a group, how long a member is out at most before it is tried again",
    ),
    Setting(
        "upstream.attempt_timeout", "", 3, Seconds(0.1, 3600), "",
        "of a group, how long one member may take for a request before the next is asked",
    ),
    Setting(
        "upstream.probe", "", "", Probe(), "",
        "of a group, how its members are tried out, used or not",
    ),
    Setting(
        "upstream.probe_interval", "", 10, Seconds(0.1, _SECONDS), "",
        "of a group, how often",
    ),
    Setting(
        "upstream.options", "", {}, Table(), "",
        "of a scheme that is not ours, whatever it takes",
    ),
)  # fmt: skip
