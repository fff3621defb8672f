"""
Who a client is by its connection: a certificate, a PROXY header, an address.

Owns the tables C{[[identity]]} and what their patterns match.  What is in a certificate
or in a header has been checked by whoever read it; that a header comes from a trusted
sender, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from connectproxy.address import Networks
from connectproxy.auth.realm import ProxyRealm, avatarName
from connectproxy.interfaces import Arrival, ProxyUser
from connectproxy.wire.proxyheader import TLVs, TLVType
from connectproxy.wire.proxyheader.tlv import ClientTLS, understood

__all__ = ["Identities", "Identity", "compilePattern"]

MOST = 10_000
"""How many answers are kept."""

_ANY = {"uri": "[^/]", "subject": r"(?:[^\\]|\\.)"}
"""
What C{*} stands for one or more of: in a URI no slash; in a subject what RFC 4514 escapes
stays one thing, or C{CN=a,O=b} as a name could be taken for two.
"""


def compilePattern(kind: str, text: str) -> Callable[[str], re.Match[str] | None]:
    """
    Make what a pattern matches with; the first group is what the first C{*} stood for.

    @param kind: what it is compared with, as in C{"uri"}.
    """
    one = _ANY.get(kind, ".")
    first, *parts = map(re.escape, text.split("*"))
    # Each * but the last takes what it takes first, or many of them could be tried for ever.
    middle = "".join(f"(?>({one}+?){part})" for part in parts[:-1])
    last = f"({one}+){parts[-1]}" if parts else ""
    return re.compile(first + middle + last, re.DOTALL).fullmatch


class Identity(NamedTuple):
    """
    One table, as a configuration has it that was found to be right.

    @ivar user: the name; a C{*} in it is what the first one of the pattern stands for.
    @ivar certificate: patterns with their kinds in front, none if it does not matter.
    @ivar networks: likewise.
    @ivar header: patterns for values of a PROXY header, likewise.
    """

    user: str
    groups: frozenset[str] = frozenset()
    limits: tuple[str, ...] = ()
    certificate: Sequence[str] = ()
    networks: Networks = Networks()
    header: Sequence[str] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Identity:
        """
        That of a C{[[identity]]}.

        @param options: its keys.
        """
        return cls(
            options["user"],
            frozenset(options["groups"]),
            tuple(options["limits"]),
            options["certificate"],
            options["networks"],
            options["proxy_header"],
        )

    @property
    def means(self) -> str:
        """What it finds a client by: the strongest of what it looks at."""
        if self.certificate:
            return "certificate"
        return "proxy_header" if self.header else "network"


class _Row:
    """
    One table, ready to be used.
    """

    __slots__ = ("_certificate", "_header", "_identity")

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._certificate = [_compiled(each) for each in identity.certificate]
        self._header = [_compiled(each) for each in identity.header]

    def user(self, names: Mapping[str, Sequence[str]], ip: Any) -> ProxyUser | None:
        """
        Whom the table finds.

        @param names: what is known of the connection, by kind.
        @param ip: the client's address; L{None} if it has none.
        """
        identity = self._identity
        if identity.networks and (ip is None or ip not in identity.networks):
            return None
        found = None
        for patterns in (self._header, self._certificate):
            if not patterns:
                continue
            found = next(
                (match for kind, fits in patterns for name in names.get(kind, ()) if (match := fits(name))),
                None,
            )
            if found is None:
                return None
        name = identity.user
        if "*" in name and found is not None:
            name = name.replace("*", found[1])
        valid = avatarName(name)
        return None if valid is None else ProxyUser(valid, identity.groups, identity.limits, identity.means)


def _compiled(pattern: str) -> tuple[str, Callable[[str], re.Match[str] | None]]:
    kind, _, text = pattern.partition(":")
    return kind, compilePattern(kind, text.lower() if kind in ("dns", "authority") else text)


class Identities:
    """
    All tables, of which the first that matches decides.
    """

    def __init__(self, identities: Sequence[Identity], realm: ProxyRealm) -> None:
        self._rows = [_Row(each) for each in identities]
        self._header = any(each.header for each in identities)
        self._realm = realm
        self._known: dict[tuple[str | None, str | None], ProxyUser | None] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def known(self, arrival: Arrival) -> ProxyUser | None:
        """
        Who a client is.
        """
        if not self._rows:
            return None
        certificate, host = arrival.certificate, getattr(arrival.client, "host", None)
        if arrival.tlvs and self._header:
            return self._find(arrival, host)  # with an ID that is unique, none comes twice
        key = (None if certificate is None else certificate.fingerprint, host)
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = self._find(arrival, host)
            if len(self._known) > MOST:
                del self._known[next(iter(self._known))]
            return found

    def _find(self, arrival: Arrival, host: str | None) -> ProxyUser | None:
        """
        Ask one table after another.
        """
        names: dict[str, Sequence[str]] = {}
        certificate = arrival.certificate
        if certificate is not None:
            names = {
                "subject": (certificate.subject,) if certificate.subject else (),
                "dns": certificate.dns,
                "email": certificate.emails,
                "uri": certificate.uris,
                "fingerprint": (certificate.fingerprint,),
            }
        if self._header:
            names |= _headerNames(arrival.tlvs)
        try:
            ip = ip_address(str(host).partition("%")[0])
        except ValueError:
            ip = None
        for row in self._rows:
            user = row.user(names, ip)
            if user is not None:
                return self._realm.avatar(user)
        return None


def _headerNames(tlvs: TLVs) -> dict[str, Sequence[str]]:
    """
    The values of a PROXY header that are text, by what patterns call them.
    """
    names: dict[str, Sequence[str]] = {}

    def add(kind: str, text: str) -> None:
        if text and text.isprintable():
            names[kind] = (*names.get(kind, ()), text)

    for kind, value in tlvs:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            continue
        add(f"0x{kind:02X}", text)
        if kind == TLVType.AUTHORITY:
            add("authority", text.lower())
        elif kind == TLVType.UNIQUE_ID:
            add("unique_id", text)
    tls = understood(tlvs)
    if isinstance(tls, ClientTLS) and tls.verified:
        add("ssl_cn", tls.commonName)
    return names
