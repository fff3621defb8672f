"""
What a next hop's refusal over HTTP is for the client: its status, and its C{Proxy-Status}.

Owns the reading of that field (RFC 9209 section 2, a List of RFC 9651), and which row of
L{connectproxy.errors} stands for what a next hop says.  HTTP/1 and HTTP/2 share it.

A next hop is believed where it tells what has become of the destination, which nobody knows
better.  It is not where it would speak of this proxy, or of the client's own credentials:
its 407 is never ours.  What it says of others goes on only as long as it is valid: a field
that does not parse is left away as a whole (RFC 9651 section 4.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import escape
from connectproxy.wire.response import ResponseHead

__all__ = ["MOST", "membersOf", "refusalOf"]

MOST = 1024
"""Octets of C{Proxy-Status} that go on; a longer one is left away."""

_Fields = Iterable[tuple[bytes, bytes]]

_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*+"'
_TOKEN = r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+"
_BARE = (
    r"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}"  # Decimal, Integer
    rf"|{_STRING}|{_TOKEN}"
    r"|:[A-Za-z0-9+/=]*+:"  # Byte Sequence
    r"|\?[01]|@-?[0-9]{1,15}"  # Boolean, Date
    r'|%"(?:[ !#$&-~]|%[0-9a-f]{2})*+")'  # Display String
)
"""RFC 9651 section 3.3."""

_PARAMETER = re.compile(rf"; *+([a-z*][a-z0-9_\-.*]*+)(?:=({_BARE}))?")
_NAME = re.compile(rf"{_STRING}|{_TOKEN}")
_MEMBER = re.compile(rf"(?:{_NAME.pattern})(?:{_PARAMETER.pattern})*+")
"""RFC 9209 section 2: an intermediary is a String or a Token, with parameters."""

_BETWEEN = re.compile(r"[ \t]*+,[ \t]*+")

_RETRY_AFTER = re.compile(
    rb"[0-9]{1,9}|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
"""RFC 9110 section 10.2.3: delay-seconds or HTTP-date, of which IMF-fixdate alone is generated."""

_BELIEVED = frozenset(
    {
        "connection_refused", "connection_terminated", "connection_timeout", "destination_ip_unroutable",
        "destination_unavailable", "dns_error", "dns_timeout", "proxy_loop_detected",
    }
)  # fmt: skip
"""Error types that say of the destination, or the way there, what the row of that name says."""

_KINDS: Mapping[int, str] = MappingProxyType(
    {
        401: "next_hop_authentication_failed",  # what tinyproxy says to wrong credentials
        403: "next_hop_denied",
        407: "next_hop_authentication_failed",
        429: "next_hop_limit_reached",
        451: "next_hop_denied",
        503: "next_hop_unavailable",
        504: "next_hop_timeout",
        508: "proxy_loop_detected",
    }
)

_SETTLED = frozenset({407, 429})
"""Statuses that say more than any error type does."""


def _members(fields: _Fields) -> list[str]:
    """
    The members of the field as they came, in their order; none where one of them is not valid.
    """
    values = [value for name, value in fields if name == b"proxy-status" and value]
    whole = b", ".join(values)
    if not whole or len(whole) > MOST or not whole.isascii():
        return []
    text = whole.decode("ascii")
    found: list[str] = []
    at = 0
    while (member := _MEMBER.match(text, at)) is not None:
        found.append(member[0])
        if member.end() == len(text):
            return found
        between = _BETWEEN.match(text, member.end())
        if between is None:
            break
        at = between.end()
    return []


def membersOf(fields: _Fields) -> str:
    """
    The members of C{Proxy-Status} fields, as they go on.

    @param fields: those of an answer, with names in lower case.
    @return: printable ASCII of at most L{MOST} octets; empty where there is none, or what
        there is can't go on.
    """
    joined = ", ".join(_members(fields))
    return joined if len(joined) <= MOST else ""


def _error(fields: _Fields) -> str:
    """
    The error type to be believed: the last one, which is the nearest proxy's; it may be one
    that says little, where another proxy behind it has said more.
    """
    for member in reversed(_members(fields)):
        behind = _NAME.match(member).end()  # type: ignore[union-attr]  # it begins with one
        # Of parameters with one name the last counts (RFC 9651 section 4.2.3.2).
        said: dict[str, str] = dict(_PARAMETER.findall(member, behind))
        error = said.get("error", "")
        if error in _BELIEVED:
            return error
    return ""


def refusalOf(head: ResponseHead, name: str, target: str) -> Refusal:
    """
    What the refusal of a next hop is for the client.

    @param head: its final answer, of any status that opens nothing.  Its body is not needed.
    @param name: what the next hop is called.
    @param target: what it was asked for.
    @return: a row by its error type or else its status; for 407 that of failed
        authentication, whatever there is to say of a challenge.  A valid C{Retry-After} goes
        on with 429 and 503.
    """
    status = head.status
    kind = _KINDS.get(status, "next_hop_failed")
    if status >= 400 and status not in _SETTLED:
        kind = _error(head.fields) or kind
    said = escape(head.reason).strip().rstrip(".")
    detail = f"{named(name)} answered the request for {target} with {status}{said and ' '}{said}"
    later: tuple[tuple[str, str], ...] = ()
    if status in (429, 503):
        values = head.values(b"retry-after")
        if len(values) == 1 and _RETRY_AFTER.fullmatch(values[0]):
            later = (("Retry-After", values[0].decode("ascii")),)
    return Refusal(kind, detail, fields=later, received=status, members=membersOf(head.fields))


def named(name: str) -> str:
    """
    What a next hop is called in details.
    """
    return f"the next hop {name}" if name else "the next hop"
