"""
What only the whole of a configuration can be right or wrong about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from connectproxy.config.endpoint import Listener, parseEndpoint
from connectproxy.config.forms import Unfit, nearest, shown
from connectproxy.config.value import Row

if TYPE_CHECKING:
    from connectproxy.config.arrays import Placed
    from connectproxy.config.places import Path

__all__ = ["asks", "byName", "conflicts", "identifies", "isGuarded"]

_WAYS = ("auth.basic", "auth.users", "auth.digest_users", "auth.token_keys", "auth.checkers")
"""Settings by which clients can prove who they are."""

Rows = Mapping[str, Sequence["Placed"]]


Conflict = tuple["Path", str, str]
"""
One thing that is wrong with the whole: the way to the key that a message points at, what is
wrong, and what would be right.
"""


def identifies(values: Mapping[str, Any], rows: Rows) -> bool:
    """
    Whether there is any way to find out who a client is.
    """
    return any(values[key] for key in _WAYS) or bool(rows["identity"])


def asks(listener: Listener, values: Mapping[str, Any], rows: Rows) -> str:
    """
    Whether a listener asks its clients who they are: C{"required"}, C{"optional"} or
    C{"off"}.
    """
    said: str = listener.options["authentication"]
    return said or ("required" if identifies(values, rows) else "off")


def isGuarded(listener: Listener, values: Mapping[str, Any], rows: Rows) -> bool:
    """
    Whether nobody gets past a listener without having shown who it is, so that other
    machines may be let near.
    """
    if listener.options["client_certificates"] == "required":
        return True
    known = any(_isAnybody(row.options) for row, _ in rows["identity"])
    return asks(listener, values, rows) == "required" and identifies(values, rows) and not known


def _isAnybody(identity: Mapping[str, Any]) -> bool:
    """
    Whether an C{[[identity]]} is a name for any address at all, which shows nothing.
    """
    if identity["certificate"] or identity["proxy_header"]:
        return False
    return any(network.prefixlen == 0 for network in identity["networks"])


def conflicts(
    values: Mapping[str, Any], listeners: Sequence[tuple[Listener, Path]], rows: Rows, *, overridden: bool
) -> Iterator[Conflict]:
    """
    Find what does not go together.

    @param values: the value of every setting of a table that there is one of.
    @param listeners: each with the way to its table.
    @param rows: all others.
    @param overridden: whether the listeners are other ones than those of the file.
    """
    yield from _authentication(values, listeners, rows)
    yield from _identities([listener for listener, _ in listeners], rows)
    yield from _default(values, rows)
    if not overridden:
        yield from _listenersOfRules([listener for listener, _ in listeners], rows)


def _authentication(
    values: Mapping[str, Any], listeners: Sequence[tuple[Listener, Path]], rows: Rows
) -> Iterator[Conflict]:
    """
    Find who is asked and cannot answer.
    """
    if not identifies(values, rows):
        for listener, path in listeners:
            if listener.options["authentication"] == "required":
                yield (
                    (*path, "authentication"),
                    "clients have to say who they are, and there is no way to",
                    "say auth.users, auth.token_keys or another key of [auth], or add an [[identity]] table",
                )
    if values["auth.require_tls"] and not any(_speaksTLS(listener) for listener, _ in listeners):
        yield (
            ("auth", "require_tls"),
            "no listener speaks TLS, so all credentials would be refused",
            "add tls_certificate to a listener",
        )


def _speaksTLS(listener: Listener) -> bool:
    """
    Whether clients can speak TLS to a listener.
    """
    return bool(listener.options["tls_certificate"]) or listener.endpoint.startswith("ssl:")


def _identities(listeners: Sequence[Listener], rows: Rows) -> Iterator[Conflict]:
    """
    Find what nobody can be known by.
    """
    asked = any(listener.options["client_certificates"] != "none" for listener in listeners)
    headed = any(listener.options["proxy_protocol_from"] for listener in listeners)
    limits = [row.options["name"] for row, _ in rows["limit"]]
    for row, path in rows["identity"]:
        if row.options["certificate"] and not asked:
            message = "no listener asks clients for a certificate"
            yield ((*path, "certificate"), message, "say client_certificates in a [[listen]] table")
        if row.options["proxy_header"] and not headed:
            message = "no listener understands a PROXY protocol header"
            yield ((*path, "proxy_header"), message, "say proxy_protocol_from in a [[listen]] table")
        for name in row.options["limits"]:
            if name not in limits:
                yield (
                    (*path, "limits"),
                    f"there is no limit {shown(name)}",
                    _near(name, limits, "a [[limit]]"),
                )


def _default(values: Mapping[str, Any], rows: Rows) -> Iterator[Conflict]:
    """
    Find a policy that does not say how it ends.
    """
    if values["policy.default"]:
        return
    advice = 'write default = "deny" or default = "allow" below [policy]'
    if rows["rule"]:
        message = "nothing says what happens to what none of the rules decides"
        yield (rows["rule"][0][1], message, advice)
    elif values["policy.shadow"]:
        message = "nothing says what the policy is that this one is a shadow of"
        yield (("policy", "shadow"), message, advice)
    elif values["allow.list"]:
        message = "without a default all is allowed, be it on the list or not"
        yield (("allow", "list"), message, 'write default = "deny" below [policy], or say --profile sandbox')


def _listenersOfRules(listeners: Sequence[Listener], rows: Rows) -> Iterator[Conflict]:
    """
    Find rules for listeners that there are not.
    """
    names = _names(listeners)
    for row, path in rows["rule"]:
        for name in row.options["listeners"]:
            if _endpoint(name) not in names and name not in names:
                message = f"there is no listener {shown(name)}"
                yield ((*path, "listeners"), message, _near(name, list(names), "a [[listen]] table"))


def byName(rules: Sequence[Row], listeners: Sequence[Listener]) -> list[Row]:
    """
    Put names in the place of the endpoints that rules have, since requests tell by name
    where they came in.
    """
    names = _names(listeners)
    found = []
    for row in rules:
        said = row.options["listeners"]
        known = [name if name in names else _endpoint(name) for name in said]
        meant = tuple(dict.fromkeys(names.get(name, name) for name in known))
        changed = said != meant
        options = MappingProxyType({**row.options, "listeners": meant}) if changed else row.options
        found.append(row._replace(options=options))
    return found


def _names(listeners: Sequence[Listener]) -> dict[str, str]:
    """
    The names of listeners, by themselves and by their endpoints.
    """
    names = {listener.endpoint: listener.options["name"] for listener in listeners}
    return names | {listener.options["name"]: listener.options["name"] for listener in listeners}


def _endpoint(name: str) -> str:
    """
    The endpoint that a rule may have in the place of a listener's name; itself if it has
    none.
    """
    try:
        return parseEndpoint(name).text
    except Unfit:
        return name


def _near(name: str, known: Sequence[str], what: str) -> str:
    """
    What could have been meant.
    """
    near = nearest(name, known)
    return f"do you mean {near}?" if near else f"add {what} of that name"
