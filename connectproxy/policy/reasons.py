"""
Why a rule matches, or does not, in words.

What matches is for the client to read: one sentence without its full stop, with no
address that the client did not name itself, no network of the rule, and no more of a list
than its name.  What does not match is for the operator's eyes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectproxy.interfaces import IPAddress, TunnelRequest
from connectproxy.policy.hours import Schedule
from connectproxy.policy.rule import Rule

__all__ = ["Known", "allowedByNone", "mismatch", "reason"]

_PLAIN = re.compile(r"[a-z0-9_.-]{1,253}")

_RELATIONS = {
    "same": "is the destination's",
    "other": "is not the destination's",
}


class Known(NamedTuple):
    """
    What is known besides the request.

    @ivar nameList: the list that the destination's name is on; empty for none.
    @ivar networkList: the list that its address is on.
    @ivar serverNameList: the list that the TLS server name is on.
    @ivar address: the destination's address.
    @ivar serverName: the TLS server name; L{None} where that is not known.
    """

    nameList: str = ""
    networkList: str = ""
    serverNameList: str = ""
    address: IPAddress | None = None
    serverName: str | None = None


def reason(rule: Rule, request: TunnelRequest, known: Known) -> str:
    """
    What of a rule matches: the most telling of its conditions.
    """
    destination = request.destination
    host, user = destination.host, request.user
    if rule.serverNames or rule.relation:
        return _greeted(rule, host, known)
    if rule.networks and known.address is None:
        return f"it depends on the address of {host}"
    if rule.destinations:
        if known.nameList:
            return f"{host} is on the list {known.nameList}"
        return f"{host} is among the names of the rule"
    if rule.networks:
        what = "is" if destination.ip is not None else "resolves to an address"
        if known.networkList:
            return f"{host} {what} on the list {known.networkList}"
        return f"{host} {what} in a network of the rule"
    if rule.ports is not None:
        return f"port {destination.port} is among the ports of the rule"
    if rule.users or rule.groups:
        return "nobody has said who asks" if user is None else f"the rule is for user {user}"
    if rule.clients:
        return "the client's address is in a network of the rule"
    for key, value in (
        ("schemes", request.scheme),
        ("methods", request.method),
        ("protocols", request.protocol),
        ("listeners", request.listener),
    ):
        if getattr(rule, key):
            return f"the rule is for the {key[:-1]} {value}"
    if rule.schedule is not None:
        return "the rule holds at this time"
    return "the rule is for every request"


def _greeted(rule: Rule, host: str, known: Known) -> str:
    """
    What of the TLS server name matches.
    """
    name = known.serverName
    if name is None:
        return f"it depends on the TLS server name that is sent to {host}"
    if not name:
        return "there is no TLS server name"
    shown = name if _PLAIN.fullmatch(name) else ascii(name[:64])
    if known.serverNameList:
        return f"the TLS server name {shown} is on the list {known.serverNameList}"
    if rule.serverNames:
        return f"the TLS server name {shown} is among the server names of the rule"
    return f"the TLS server name {shown} {_RELATIONS[rule.relation]}"


def allowedByNone(request: TunnelRequest) -> str:
    """
    Why nothing decided, where what is not decided is denied.
    """
    user = "" if request.user is None else f" for user {request.user}"
    return f"no rule allows {request.destination}{user}"


def mismatch(key: str, rule: Rule, request: TunnelRequest, known: Known, seconds: float) -> str:
    """
    Why a rule does not match: in words for one condition that does not hold.

    @param key: the condition, as a rule's attribute.
    """
    user = "who is not known" if request.user is None else f"user {request.user}"
    host = request.destination.host
    if key == "users":
        return f"{user} is not among its users"
    if key == "groups":
        return f"{user} is in none of its groups ({', '.join(rule.groups)})"
    if key == "clients":
        return f"the client {getattr(request.client, 'host', None) or 'of a UNIX socket'} is in none of its networks"
    if key == "destinations" and rule.literal:
        return f"{host} is a name, and it is for addresses that clients name"
    if key == "destinations":
        return f"{host} is {'an address and no name' if request.destination.ip is not None else 'none of its names'}"
    if key == "ports":
        return f"port {request.destination.port} is none of its ports"
    if key == "schedule":
        schedule = rule.schedule or Schedule((), ())
        return f"{schedule.words(seconds)} is not within its hours"
    if key == "networks":
        if known.address is None:
            return f"the address of {host} is not known here"
        return f"{known.address} is in none of its networks"
    if key == "serverNames":
        return f"the TLS server name {ascii(known.serverName)[:80]} does not fit"
    value = {
        "listeners": request.listener,
        "protocols": request.protocol,
        "methods": request.method,
        "schemes": request.scheme,
    }[key]
    return f"the {key[:-1]} is {value}, and it is for {', '.join(getattr(rule, key))}"
