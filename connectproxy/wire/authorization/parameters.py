"""
What the schemes of HTTP authentication have in common: a scheme's name, and behind it one
C{token68} or parameters.

Implements RFC 9110 sections 11.2 to 11.4, with the list of section 5.6.1 (empty elements
are passed over) and quoted strings of section 5.6.4.  What a parameter means is not
known here; that one stands twice is refused (section 11.2: names occur once).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["MOST", "quoted", "readParameters", "splitCredentials"]

MOST = 8192
"""
Octets of a field that are looked at.  Names and passwords have 255 each in RFC 1929; a
signed token has up to 4096, and Base64 around it makes 5464 of them.
"""

_MOST_PARAMETERS = 32
"""RFC 7616 has 12; what is not known has to be passed over, but not for ever."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"

_CREDENTIALS = re.compile(rb"(%b)(?: +(.*))?" % _TOKEN, re.DOTALL)
"""RFC 9110 section 11.4: credentials = auth-scheme [ 1*SP ( token68 / [ auth-params ] ) ]"""

_PARAMETER = re.compile(
    rb"(%b)[ \t]*+=[ \t]*+(?:(%b)|\"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+)\")" % (_TOKEN, _TOKEN)
)
"""RFC 9110 section 11.2: auth-param = token BWS "=" BWS ( token / quoted-string )"""

_BETWEEN = re.compile(rb"[ \t]*+(?:,[ \t]*+)+")
_EMPTY = re.compile(rb"[ \t,]*+")

_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def splitCredentials(values: Sequence[bytes]) -> tuple[bytes, bytes] | str:
    """
    Tell the scheme from what stands behind it.

    @param values: of all C{Proxy-Authorization} fields of a request.
    @return: the scheme in lower case, since its case says nothing (section 11.1), and
        what is behind the spaces; or in words what is missing or wrong.
    """
    if not values:
        return "the request has no Proxy-Authorization"
    if len(values) > 1:
        return f"there are {len(values)} Proxy-Authorization fields; there must be one"
    found = _CREDENTIALS.fullmatch(values[0]) if len(values[0]) <= MOST else None
    if found is None:
        return "the Proxy-Authorization is not a scheme and credentials"
    return found[1].lower(), found[2] or b""


def readParameters(octets: bytes) -> dict[bytes, bytes] | str:
    """
    Read the parameters behind a scheme.

    @param octets: not more than L{MOST}.
    @return: the values, without quotes and backslashes, by name in lower case; or in
        words what is wrong, of which nothing is shown.
    """
    found: dict[bytes, bytes] = {}
    position, end = _EMPTY.match(octets).end(), len(octets)  # type: ignore[union-attr]  # it matches nothing, too
    while position < end:
        parameter = _PARAMETER.match(octets, position)
        if parameter is None:
            return "the credentials of the Proxy-Authorization are no list of names and values"
        name, token, string = parameter.groups()
        name = name.lower()
        if name in found:
            return "a parameter of the Proxy-Authorization stands twice"
        if len(found) == _MOST_PARAMETERS:
            return f"the Proxy-Authorization has more than {_MOST_PARAMETERS} parameters"
        if token is None:
            token = _PAIR.sub(rb"\1", string) if b"\\" in string else string
        found[name] = token
        position = parameter.end()
        between = _BETWEEN.match(octets, position)
        if between is not None:
            position = between.end()
        elif octets[position:].strip(b" \t"):
            return "the parameters of the Proxy-Authorization are not separated by commas"
        else:
            break
    return found


def quoted(text: str) -> str:
    """
    A quoted string (RFC 9110 section 5.6.4).

    @param text: printable ASCII.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
