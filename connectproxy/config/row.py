"""
What only several keys of one row together can be right or wrong about.

A key that a row leaves out is no condition.  So an array that is written and has nothing in
it would be none either, and a rule whose list somebody has emptied would match everything;
that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectproxy.config.forms import shown

__all__ = ["RESERVED", "faults"]

Faults = Iterator[tuple[str, str, str]]

RESERVED = ("allow-list", "default")
"""Names that events have for what is decided by none of the rules."""


def faults(table: str, said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    Find what is wrong with a row.

    @param table: the name of its array.
    @param said: what is written.
    @param options: the values of all its keys, by name.
    @return: for each problem the name of a key, what is wrong, what would be right.
    """
    return _CHECKS[table](said, options)


def _empty(said: Mapping[str, Any]) -> Faults:
    """
    Find conditions that are none.
    """
    for name, value in said.items():
        if isinstance(value, list | tuple) and not value and name != "ports":
            yield (
                name,
                "an empty array would be no condition at all",
                "leave the key out if anything will do; else say what it is to be",
            )


def _rule(said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    Find what is wrong with a C{[[rule]]}.
    """
    yield from _empty(said)
    if options["name"] in RESERVED:
        message = f"{shown(options['name'])} is what events call what no rule decides"
        yield "name", message, "give the rule another name"
    if "action" not in said and not options["kind"]:
        yield "action", "the rule has no action", 'add action = "allow" or action = "deny"'
    if said.get("action") == "allow" and options["report"]:
        yield (
            "report",
            "only a denial can be reported in place of being done",
            'say action = "deny", or leave it out',
        )
    if options["options"] and not options["kind"]:
        yield "options", "they are for a rule kind, and none is named", "add kind"
    if options["server_names"] and options["server_name"] == "none":
        message = "where there is no server name, none of server_names can match"
        yield "server_name", message, "make two rules of it"


def _limit(said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    Find what is wrong with a C{[[limit]]}.
    """
    yield from _empty(said)
    amounts = ("tunnels", "tunnels_per_second", "bytes_per_second", "quota")
    if not any(options[name] for name in amounts) and not any(said.get(name) for name in amounts):
        yield "name", "it limits nothing", f"add one of {', '.join(amounts)}"
    if options["burst"] and not options["tunnels_per_second"]:
        yield "burst", "it goes with tunnels_per_second, which is not said", "add tunnels_per_second"
    if "period" in said and not options["quota"]:
        yield "period", "it goes with quota, which is not said", "add quota"


def _identity(said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    Find what is wrong with an C{[[identity]]}.
    """
    marks = ("certificate", "networks", "proxy_header")
    if not any(said.get(name) for name in marks):
        yield "user", "nothing says how the user is known", f"add one of {', '.join(marks)}"
    if "*" not in options["user"]:
        return
    name = "certificate" if options["certificate"] else "proxy_header"
    if not options[name] and said.get("networks"):
        yield "user", "an address has nothing for the * to stand for", "give a name without *"
    for mark in options[name]:
        if "*" not in mark:
            message = f"{shown(mark)} has no * that could say what the one in user stands for"
            yield name, message, "put a * into the pattern, or give a name without one"


def _group(said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    There is nothing to be wrong about.
    """
    return iter(())


def _upstream(said: Mapping[str, Any], options: Mapping[str, Any]) -> Faults:
    """
    Find what is wrong with an C{[[upstream]]}.
    """
    if options["name"] in _TAKEN:
        yield "name", f"{shown(options['name'])} is the way without any upstream", "give it another name"
    members, url, endpoint = options["members"], options["url"], options["endpoint"]
    if members:
        for name in _OF_HOPS:
            if said.get(name):
                message = f"{name} is for a next hop, and members make a group of upstreams"
                yield name, message, "give each member a table of its own, and leave it out here"
    elif not said.get("url") and not endpoint:
        yield (
            "url",
            "nothing says where it is",
            'add url, as in url = "http://proxy.example:3128", or members',
        )
    else:
        for name in _OF_GROUPS:
            if name in said:
                yield name, f"{name} is for a group, and this is none", "add members, or leave it out"
    if url is not None and not endpoint and url.destination is None and not url.path and not url.foreign:
        yield "url", f"{url.text} has no host", "add host and port, or endpoint"
    if endpoint and options["via"]:
        yield "via", "it is reached by its endpoint already", "leave out one of the two"
    if url is not None and url.path and options["via"]:
        yield "via", "a UNIX socket is on this machine, and nothing leads to it", "leave out one of the two"
    tls = url is not None and url.secure
    for name in ("ca", "certificate", "key", "server_name", "pins"):
        if said.get(name) and not tls:
            message = f"{name} is for TLS, which is not spoken to it"
            yield name, message, "say https or h2 in url, or add +tls to its scheme"
    if options["key"] and not options["certificate"]:
        yield "key", "there is no certificate that it belongs to", "add certificate"
    if options["credentials"] and options["token"]:
        yield "token", "there are credentials as well", "say one of the two"
    if options["authentication"] == "bearer" and not options["token"]:
        yield "authentication", "there is no token", "add token"
    if options["authentication"] in ("basic", "digest") and not options["credentials"]:
        yield "authentication", "there are no credentials", "add credentials"
    for name in options["weights"]:
        if name not in (*members, *options["backups"]):
            yield "weights", f"{shown(name)} is none of its members", "name those that are"


_TAKEN = ("direct",)
"""Names that no upstream can have, since something else has them."""

_OF_HOPS = (
    "url", "endpoint", "via", "credentials", "token", "authentication", "ca", "certificate", "key", "server_name",
    "pins", "proxy_protocol",
)  # fmt: skip

_OF_GROUPS = (
    "members", "balance", "weights", "backups", "failures", "retry_after", "retry_after_most",
    "attempt_timeout", "probe", "probe_interval",
)  # fmt: skip

_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Faults]] = {
    "rule": _rule,
    "limit": _limit,
    "identity": _identity,
    "group": _group,
    "upstream": _upstream,
}
