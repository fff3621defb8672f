"""
Names of destinations: the authority form of a CONNECT, the bare host of other
dialects, and the value of a Host field.

Implements RFC 9110 section 9.3.6 and RFC 9112 section 3.2.3 for the target, and
RFC 3986 section 3.2.2 for the host in it, narrowed where leniency would let two
readers see two destinations:

 - letters, digits, C{-}, C{_} and C{.} make a name; no percent-encoding and
   nothing but ASCII, hence internationalised names as A-labels only;
 - no IPvFuture and no zone identifier;
 - a name whose last label is a number is an IPv4 address or refused, since the
   system's resolver would read C{127.1} and C{0x7f000001} as addresses.

What it leaves out: no name is looked up, no A-label decoded, no port forbidden.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from connectproxy.address.classes import canonical
from connectproxy.errors import Refusal

__all__ = ["Destination", "parseAuthority", "parseHost", "validHostField"]


class Destination(NamedTuple):
    """
    Where a tunnel is to lead.  One destination has one spelling, so that rules
    and logs can compare it.

    @ivar host: a name in lower case without its trailing dot, an IPv4 address
        in dotted form, or an IPv6 address as RFC 5952 section 4 writes it,
        without brackets.  An IPv4-mapped address is given as the IPv4 address.
    @ivar port: 1 to 65535.
    @ivar ip: the address, if the host is one.
    @ivar dnsName: what DNS is to be asked: the host with one trailing dot, hence
        absolute and beyond any search list.  C{""} if the host is an address.
    """

    host: str
    port: int
    ip: IPv4Address | IPv6Address | None
    dnsName: str

    @property
    def fixed(self) -> IPv4Address | IPv6Address | None:
        """
        The address that it has whatever a resolver says: the one that it is named by, and that of
        loopback for C{localhost} and all below (RFC 6761 section 6.3).
        """
        if self.ip is None and (self.host == "localhost" or self.host.endswith(".localhost")):
            return _LOOPBACK
        return self.ip

    @property
    def uriHost(self) -> str:
        """The host as it stands in a URI or a Host field: IPv6 in brackets (RFC 9110 section 4.1)."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        """The authority: host and port, IPv6 in brackets.  L{parseAuthority} reads it back."""
        return f"{self.uriHost}:{self.port}"


_LOOPBACK = IPv4Address("127.0.0.1")

# No valid target has more than 260 octets: 253 of name, a dot, a colon and five digits.  What is
# longer than this gets no place in the cache, so that the cache stays below 2 MiB, and no search
# for its fault beyond this, which could cost more than linear time.
_LONGEST = 300
_CACHED_TARGETS = 1024
_SHOWN_CHARACTERS = 64
_SECRETIVE = frozenset("@/?#\\")  # signs of a URL, which may have a password or a token in it

_LABEL = r"[A-Za-z0-9_-]{1,63}"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NAME_CHARACTERS = 253  # without the trailing dot; RFC 1035 section 2.3.4 has 255 octets on the wire
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what inet_aton() and browsers take for one, in lower case
_PORT = re.compile(r"[0-9]{1,5}")

# RFC 3986 appendix A, under the names it has there.

_dec_octet = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPv4address = rf"{_dec_octet}(?:\.{_dec_octet}){{3}}"
_h16 = r"[0-9A-Fa-f]{1,4}"
_ls32 = rf"(?:{_h16}:{_h16}|{_IPv4address})"
_IPv6address = "|".join(
    [
        rf"(?:{_h16}:){{6}}{_ls32}",
        rf"::(?:{_h16}:){{5}}{_ls32}",
        rf"(?:{_h16})?::(?:{_h16}:){{4}}{_ls32}",
        rf"(?:(?:{_h16}:){{0,1}}{_h16})?::(?:{_h16}:){{3}}{_ls32}",
        rf"(?:(?:{_h16}:){{0,2}}{_h16})?::(?:{_h16}:){{2}}{_ls32}",
        rf"(?:(?:{_h16}:){{0,3}}{_h16})?::{_h16}:{_ls32}",
        rf"(?:(?:{_h16}:){{0,4}}{_h16})?::{_ls32}",
        rf"(?:(?:{_h16}:){{0,5}}{_h16})?::{_h16}",
        rf"(?:(?:{_h16}:){{0,6}}{_h16})?::",
    ]
)
_unreserved = r"A-Za-z0-9\-._~"
_pct_encoded = r"%[0-9A-Fa-f]{2}"
_sub_delims = r"!$&'()*+;="  # and the comma, which is left out: two Host fields joined have one
_IPvFuture = rf"[vV][0-9A-Fa-f]+\.[{_unreserved}{_sub_delims}:]+"
_IP_literal = rf"\[(?:{_IPv6address}|{_IPvFuture})\]"
# Not empty, since RFC 9110 section 4.2.1 has no empty host; an IPv4address is a reg-name, too.
_reg_name = rf"(?:[{_unreserved}{_sub_delims}]|{_pct_encoded})+"
_Host = rf"(?:(?:{_IP_literal}|{_reg_name})(?::[0-9]*)?)?"  # RFC 9110 section 7.2

_HOST_FIELD = re.compile(_Host.encode("ascii"))
_DOTTED_QUAD = re.compile(_IPv4address)
_BRACKETED = re.compile(rf"\[({_IPv6address})\]")

# What can be wrong and what would be right.  The first that holds is named, so that a pattern may
# rely on those above it.  These are searched for:
_FAULTS = (
    (r"[/?#\\]", "has a scheme, a path or a query; write host:port and nothing else"),
    (r"@", "has user information before an @; write host:port, and credentials in a field of their own"),
    (r"[\x00-\x20\x7f]", "has white space or a control character in it; leave it out"),
    (r"[^\x00-\x7f]", "is not in ASCII; write an internationalised name as A-labels (xn--...)"),
    (r"^\[[^\]]*%", "has a zone identifier in the IPv6 address; leave out the % and what follows it"),
    (r"%", "has percent-encoding; write the name plainly, an internationalised one as A-labels (xn--...)"),
    (r"^\[[vV]", "has an address of a future version of IP; write an IPv6 address in the brackets"),
)
# These must match the whole, and the last of them always does.
_PORT_FAULTS = (
    (r"", "is empty; write host:port"),
    (r"\[[^\]]*\]|[^:\[\]]*", "has no port, and there is no default; write host:port"),
    (r":.*", "has no host; write host:port"),
    (r"(?:\[[^\]]*\]|[^:]*):", "has nothing behind the colon; write a port there, 1 to 65535"),
    (r"(?:\[[^\]]*\]|[^:]*):[^:]*", "has no valid port; write up to five decimal digits for 1 to 65535"),
    (r".*", "has a colon or a bracket out of place; write host:port, and IPv6 as in [2001:db8::1]:443"),
)
_HOST_FAULTS = (
    (r"", "is an empty host; write a name or an address"),
    (r"\[[^\[\]]*\]", "is no IPv6 address; write one in full or with one :: in it, as in [2001:db8::1]"),
    (r".*[:\[\]].*", "has a colon or a bracket out of place; write IPv6 in brackets, as in [2001:db8::1]"),
    (r".*[^A-Za-z0-9_.-].*", "has a character that no name has; write letters, digits, -, _ and . only"),
    (r"\..*|.*\.\..*", "has an empty label; write single dots, and none at the beginning"),
    (r".{253,}[^.]|.{254,}\.", "is longer than the 253 characters that a name can have; shorten it"),
    (r".*[^.]{64}.*", "has a label longer than the 63 characters that DNS has room for; shorten it"),
    (
        r".*",
        "ends in a number and is no IPv4 address; write four decimal numbers as in 192.0.2.1, none padded",
    ),
)


def parseAuthority(octets: bytes) -> Destination | Refusal:
    """
    Read the target of a CONNECT: C{uri-host ":" port} and nothing else.

    The port must be there; leading zeros are read as such as long as it has no
    more than five digits.  Asked for the same target again, the answer comes
    from a cache of the latest 1024.

    @param octets: the target as it stands in the request line.
    @return: the destination, or a L{Refusal} of kind C{http_request_error}.
    """
    if len(octets) > _LONGEST:
        return _parse(octets)
    return _parseCached(octets)


def _parse(octets: bytes) -> Destination | Refusal:
    """
    Do what L{parseAuthority} says.
    """
    text = octets.decode("latin-1")  # which can't fail; nothing below matches what is not ASCII
    host, _, port = text.rpartition(":")
    if not host or not _PORT.fullmatch(port):
        return _refuse(text, _PORT_FAULTS)
    return parseHost(host, int(port))


_parseCached = lru_cache(_CACHED_TARGETS)(_parse)


def parseHost(text: str, port: int) -> Destination | Refusal:
    """
    Read a host that came without a colon and a port, as SOCKS sends it.

    @param text: a name, an IPv4 address, or an IPv6 address in brackets; octets
        beyond ASCII decoded by any single-byte encoding.
    @param port: the port, any integer; what is not 1 to 65535 is refused.
    @return: the destination, or a L{Refusal} of kind C{http_request_error}.
    """
    if not 1 <= port <= 65535:
        return Refusal("http_request_error", f"port {port} is out of range; write one from 1 to 65535")
    if _NAME.fullmatch(text):
        name = text.removesuffix(".").lower()
        last = name[name.rfind(".") + 1 :]
        if last[0] not in "0123456789" or not _NUMBER.fullmatch(last):
            if len(name) <= _NAME_CHARACTERS:
                return Destination(name, port, None, name + ".")
        elif _DOTTED_QUAD.fullmatch(text):
            return Destination(text, port, IPv4Address(text), "")
    elif (bracketed := _BRACKETED.fullmatch(text)) is not None:
        ip = canonical(IPv6Address(bracketed[1]))
        return Destination(str(ip), port, ip, "")
    return _refuse(text, _HOST_FAULTS)


def _refuse(text: str, faults: tuple[tuple[str, str], ...]) -> Refusal:
    """
    Find out what is wrong with a target or a host that has been found wanting.

    It is shown, escaped and cut, unless it may hold a password or a token.

    @param faults: what to look for behind L{_FAULTS}.
    """
    fault = next((words for pattern, words in _FAULTS if re.search(pattern, text[:_LONGEST])), "")
    if not fault and len(text) > _LONGEST:
        fault = "is longer than any valid one, of at most 260 characters; shorten it"
    if not fault:
        fault = next(words for pattern, words in faults if re.fullmatch(pattern, text))
    if not text or not _SECRETIVE.isdisjoint(text):
        shown = "the target"
    elif len(text) > _SHOWN_CHARACTERS:
        shown = f"{text[:_SHOWN_CHARACTERS]!a}..."
    else:
        shown = ascii(text)
    return Refusal("http_request_error", f"{shown} {fault}")


def validHostField(value: bytes) -> bool:
    """
    Whether a value is one that a Host field may have (RFC 9112 section 3.2).

    This is the grammar of RFC 9110 section 7.2 and wider than what
    L{parseHost} takes, since nothing is routed by it.  The empty value is
    valid: it is sent for a target without an authority.

    @param value: the field's value without white space around it.
    """
    return _HOST_FIELD.fullmatch(value) is not None
