"""
A refusal for programs: a problem document (RFC 9457), for those who ask for one.

Owns the members of the document, and who it is for: a client whose C{Accept} (RFC 9110
section 12.5.1) prefers JSON to plain text.  The status, the fields and the words for
people are L{connectproxy.wire.refusal}'s.

Left out: a type of its own for every kind of refusal.  The type is C{about:blank}, which
says no more than the status does; what tells kinds apart is the member C{kind}, a name in
L{connectproxy.errors.KINDS}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from connectproxy.errors import Refusal

__all__ = ["MEDIA_TYPE", "MOST", "problem", "wantsProblem"]

MEDIA_TYPE = "application/problem+json"

MOST = 1024
"""Octets of C{Accept} that are looked at; more are too much to ask for."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*+"'
_OWS = rb"[ \t]*+"

_VALUE = rb"=(?:%b|%b)" % (_TOKEN, _QUOTED)
_PARAMETER = rb"%b;%b(?![Qq]=)(?:%b%b)?" % (_OWS, _OWS, _TOKEN, _VALUE)
_EXTENSION = rb"%b;%b(?:%b(?:%b)?)?" % (_OWS, _OWS, _TOKEN, _VALUE)
_QVALUE = rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"

_RANGE = re.compile(
    rb"(%b)/(%b)(?:%b)*+(?:%b;%b[Qq]=(%b)(?:%b)*+)?%b(?:,|\Z)"
    % (_TOKEN, _TOKEN, _PARAMETER, _OWS, _OWS, _QVALUE, _EXTENSION, _OWS)
)
"""
RFC 9110 section 12.5.1: media-range [ weight ], up to the comma behind it; and what older
clients put behind the weight.  Parameters other than that make no difference here.
"""

_EMPTY = re.compile(rb"[ \t,]*+")
"""What may stand between the elements of a list (RFC 9110 section 5.6.1.2)."""

_JSON = ((b"application", b"problem+json"), (b"application", b"json"))
_TEXT = ((b"text", b"plain"),)


def _ranges(accept: bytes) -> dict[tuple[bytes, bytes], float] | None:
    """
    Read the ranges with their weights; the highest counts, where one comes twice.

    @return: L{None} for what is malformed.
    """
    found: dict[tuple[bytes, bytes], float] = {}
    at = 0
    while (at := _EMPTY.match(accept, at).end()) < len(accept):  # type: ignore[union-attr]
        element = _RANGE.match(accept, at)
        if element is None:
            return None
        main, sub, weight = element.groups()
        range_ = main.lower(), sub.lower()
        found[range_] = max(found.get(range_, 0.0), float(weight or 1))
        at = element.end()
    return found


def _preference(
    ranges: dict[tuple[bytes, bytes], float], types: Iterable[tuple[bytes, bytes]]
) -> tuple[float, int]:
    """
    How much one of some types is wanted: its weight, and how precisely it is named, by
    which of two ranges with one weight the better is told.
    """
    best = (0.0, 0)
    for main, sub in types:
        for precision, range_ in ((3, (main, sub)), (2, (main, b"*")), (1, (b"*", b"*"))):
            if range_ in ranges:
                best = max(best, (ranges[range_], precision))
                break
    return best


def wantsProblem(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """
    Whether a client prefers a problem document to plain text.

    @param fields: those of its request, names in lower case.  What is malformed, or too
        long, asks for nothing.
    """
    values = [value for name, value in fields if name == b"accept"]
    if not values:
        return False
    accept = b",".join(values)
    if accept == b"*/*" or len(accept) > MOST:
        return False
    ranges = _ranges(accept)
    if ranges is None:
        return False
    wanted = _preference(ranges, _JSON)
    return wanted[0] > 0 and wanted > _preference(ranges, _TEXT)


def problem(refusal: Refusal, identifier: str, target: str = "") -> bytes:
    """
    Write the document (RFC 9457 section 3), in ASCII, one line.

    @param identifier: what the proxy calls itself.
    @param target: where the client wanted to go to, in its own words; empty where that is
        not known.
    """
    row = refusal.row
    members: dict[str, str | int] = {"type": "about:blank", "title": row.reason, "status": row.status}
    if refusal.detail:
        members["detail"] = f"{refusal.detail}."
    members |= {"kind": refusal.kind, "cause": row.cause, "remedy": refusal.message or row.remedy}
    if refusal.rule:
        members["rule"] = refusal.rule
    if target:
        members["destination"] = target
    members |= {"proxy": identifier, "proxy_status": row.proxyStatus}
    if refusal.received:
        members["received_status"] = refusal.received
    return json.dumps(members).encode("ascii") + b"\n"
