"""
Our member of the C{Proxy-Status} field, which says who refused and why; and where it stands
among those of others.

Owns the notation of the member (RFC 9209 section 2, an item with parameters of
RFC 9651 section 3.3) for whatever version of HTTP carries it.  It knows the
error types from L{connectproxy.errors} and neither fields nor messages.  Left
out: parsing, which is L{connectproxy.wire.hopstatus}'s, and every parameter but C{error},
C{details} and C{received-status}.
"""

from __future__ import annotations

import re

from connectproxy.errors import Kind

__all__ = ["proxyStatus", "withOurs"]

_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
"""RFC 9651 section 3.3.4: sf-token = ( ALPHA / "*" ) *( tchar / ":" / "/" )"""

_UNPRINTABLE = re.compile(r"[^ -~]")
"""What RFC 9651 section 3.3.3 keeps out of an sf-string."""


def proxyStatus(identifier: str, kind: Kind, details: str | None = None, received: int = 0) -> str:
    """
    Format the member that tells of one refusal.

    @param identifier: the name that this proxy goes by; not empty.
    @param kind: the row of L{connectproxy.errors.KINDS}; the member carries its
        C{proxyStatus} as the error type.
    @param details: what in particular was wrong; left away if empty.
    @param received: the status that the next hop has answered (RFC 9209 section 2.1.4); 0
        for none.
    @return: ASCII that is fit for a field value.
    @raise ValueError: the identifier is empty, and names nobody.
    """
    member = f"{_who(identifier)}; error={kind.proxyStatus}"
    if received:
        member += f"; received-status={received}"
    if details:
        member += f"; details={_string(details)}"
    return member


def withOurs(members: str, identifier: str) -> str:
    """
    The value of the field on a success that others have had a part in: their members, and
    ours last, which has nothing to add (RFC 9209 section 2).

    @param members: as L{connectproxy.errors.Refusal.members}; not empty.
    @param identifier: as L{proxyStatus} takes it.
    @raise ValueError: likewise.
    """
    return f"{members}, {_who(identifier)}"


def _who(identifier: str) -> str:
    """
    The name that a member begins with: a token, or else a string.
    """
    if not identifier:
        raise ValueError("the identifier of a Proxy-Status member is empty; give the proxy a name")
    return identifier if _TOKEN.fullmatch(identifier) else _string(identifier)


def _string(text: str) -> str:
    """
    RFC 9651 section 3.3.3: an sf-string holds printable ASCII only.  All else is
    written as Python writes it, C{\\xe9}, rather than dropped: a reader may need it.
    """
    printable = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
