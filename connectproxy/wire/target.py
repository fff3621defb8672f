"""
The target of a request that is to be forwarded: an absolute URI.

Owns what RFC 9112 section 3.2.2 and RFC 9110 section 4.2 make of it: the scheme,
the authority, and the path and query, which are not looked into and go on as they
came (RFC 9110 section 7.7).  What a host may be is L{connectproxy.address}'s.

Left out: fragments and userinfo, which are refused; every scheme but C{http},
and C{ws}, which is another name for it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from connectproxy.address import Destination, parseAuthority
from connectproxy.errors import Refusal
from connectproxy.wire.grammar import escape
from connectproxy.wire.http1 import RequestHead

__all__ = ["Target", "parseTarget", "readAuthority", "targetForm"]

_HTTP = re.compile(rb"(?:[Hh][Tt][Tt][Pp]|[Ww][Ss])://([^/?#]*+)([^#]*+)")
"""RFC 9110 section 4.2.1.  A C{ws} URI means an http request that asks for an upgrade (RFC
6455 section 4.1), and some clients ask a proxy for it by its own name."""

_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*+)://")
"""RFC 3986 section 3.1, with what a URI with an authority has behind it."""

_AUTHORITY = re.compile(rb"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
"""RFC 3986 section 3.2, without userinfo."""

_LONGEST = 300
"""As in L{connectproxy.address}: what is longer is no valid authority, and gets no place in the cache."""

_KEPT = 1024


class Target(NamedTuple):
    """
    What a request is to be sent for.

    @ivar destination: where to.
    @ivar path: the origin form, or C{b"*"} (RFC 9112 sections 3.2.1 and 3.2.4):
        path and query as they came.
    @ivar hostField: the value of the Host field that goes with it: the authority
        as it came.
    """

    destination: Destination
    path: bytes
    hostField: bytes


def targetForm(head: RequestHead) -> str:
    """
    Tell the four forms of RFC 9112 section 3.2 apart.

    @return: C{"absolute"}, C{"origin"}, C{"asterisk"}, or C{"authority"} for every
        target of a CONNECT and for what is nothing else.
    """
    target = head.target
    if head.method == "CONNECT":
        return "authority"
    if target[:1] == b"/":
        return "origin"
    if target[:7] == b"http://" or _SCHEME.match(target):
        return "absolute"
    return "asterisk" if target == b"*" else "authority"


def parseTarget(head: RequestHead) -> Target | Refusal:
    """
    Read the absolute form.

    @return: the target; or a refusal of kind C{http_scheme_not_supported} for
        another scheme than C{http}, of kind C{http_request_error} for all that is
        wrong.
    """
    target = head.target
    found = _HTTP.match(target)
    if found is None:
        scheme = _SCHEME.match(target)
        if scheme is None:
            return Refusal("http_request_error", "the target is no absolute URI; write http://host/path")
        return Refusal("http_scheme_not_supported", f"the scheme is {escape(scheme[1].lower(), 20)}")
    if found.end() != len(target):
        return Refusal("http_request_error", "the target has a fragment; leave out the # and what follows it")
    authority, path = found.groups()
    where = _read(authority) if len(authority) <= _LONGEST else _parse(authority)
    if isinstance(where, Refusal):
        return where
    if path[:1] != b"/":
        path = b"*" if not path and head.method == "OPTIONS" else b"/" + path
    return Target(where[0], path, where[1])


def readAuthority(authority: bytes) -> tuple[Destination, bytes] | Refusal:
    """
    Read the authority of an C{http} URI, whose port may be missing and is 80 then.
    HTTP/2 has it in a field of its own.

    @return: where to, and the value of the Host field that goes with it.
    """
    return _read(authority) if len(authority) <= _LONGEST else _parse(authority)


def _parse(authority: bytes) -> tuple[Destination, bytes] | Refusal:
    """Do what L{readAuthority} says."""
    if not authority:
        return Refusal("http_request_error", "the target has no host; write http://host/path")
    found = _AUTHORITY.fullmatch(authority)
    if found is None or found[2]:
        destination = parseAuthority(authority)
        hostField = authority
    else:
        destination = parseAuthority(found[1] + b":80")
        hostField = found[1]
    return destination if isinstance(destination, Refusal) else (destination, hostField)


_read = lru_cache(_KEPT)(_parse)
