"""
One member of the C{Proxy-Status} field: who refused, and why.

Owns the notation of the member (RFC 9209 section 2, an item with parameters of
RFC 9651 section 3.3) for whatever version of HTTP carries it.  It knows the
error types from L{connectproxy.errors} and neither fields nor messages.  Left
out: parsing, and every parameter but C{error} and C{details}.
"""

from __future__ import annotations

import re

from connectproxy.errors import Kind

__all__ = ["proxyStatus"]

_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
"""RFC 9651 section 3.3.4: sf-token = ( ALPHA / "*" ) *( tchar / ":" / "/" )"""

_UNPRINTABLE = re.compile(r"[^ -~]")
"""What RFC 9651 section 3.3.3 keeps out of an sf-string."""


def proxyStatus(identifier: str, kind: Kind, details: str | None = None) -> str:
    """
    Format the member that tells of one refusal.

    @param identifier: the name that this proxy goes by; not empty.
    @param kind: the row of L{connectproxy.errors.KINDS}; the member carries its
        C{proxyStatus} as the error type.
    @param details: what in particular was wrong; left away if empty.
    @return: ASCII that is fit for a field value.
    @raise ValueError: the identifier is empty, and names nobody.
    """
    if not identifier:
        raise ValueError("the identifier of a Proxy-Status member is empty; give the proxy a name")
    member = identifier if _TOKEN.fullmatch(identifier) else _string(identifier)
    member += f"; error={kind.proxyStatus}"
    if details:
        member += f"; details={_string(details)}"
    return member


def _string(text: str) -> str:
    """
    RFC 9651 section 3.3.3: an sf-string holds printable ASCII only.  All else is
    written as Python writes it, C{\\xe9}, rather than dropped: a reader may need it.
    """
    printable = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
