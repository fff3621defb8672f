"""
The grammar that requests, responses and trailers of HTTP/1.x share.

Owns tokens, field values and field lines (RFC 9110 sections 5.1, 5.5 and 5.6.2,
RFC 9112 section 5), the limits on a section of fields, and how a peer's octets
are shown to people.  It knows octets only, and no kind of refusal: whose mistake
it is, the readers know.

Field lines that come again and again, with every request of a browser the same,
are read once: a table keeps what they say.  Only fields by names that are known
to bear no secret get in there, and not many.

Left out: folded fields (RFC 9112 section 5.2), which are refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TCHAR", "VALUE_OCTET", "Limits", "escape", "firstBad", "readFields", "whyNoField"]

TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""RFC 9110 section 5.6.2: token = 1*tchar"""

VALUE_OCTET = rb"[\t -~\x80-\xff]"
"""RFC 9110 section 5.5: VCHAR, obs-text, SP and HTAB"""

NOT_TCHAR = re.compile(TCHAR.replace(b"[", b"[^", 1))
NOT_VALUE_OCTET = re.compile(VALUE_OCTET.replace(b"[", b"[^", 1))

FIELD = re.compile(rb"(%b+):(%b*)" % (TCHAR, VALUE_OCTET))
"""RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS"""

KEPT_LINES = 1024
"""How many field lines are kept read; each of at most L{KEPT_OCTETS}, which makes 0.5 MiB."""

KEPT_OCTETS = 160

_HARMLESS = frozenset(
    b"""
    accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
    access-control-allow-headers access-control-allow-methods access-control-allow-origin age allow
    alt-svc cache-control connection content-encoding content-language content-length content-type date
    dnt expect host keep-alive last-modified origin pragma priority proxy-connection
    referrer-policy sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode
    sec-fetch-site sec-fetch-user server strict-transport-security te transfer-encoding upgrade
    upgrade-insecure-requests user-agent vary via x-content-type-options x-frame-options x-powered-by
    x-xss-protection
    """.split()
)
"""Names of fields whose values are no secret and tend to come again."""

_kept: dict[bytes, tuple[bytes, bytes]] = {}


class Limits(NamedTuple):
    """
    How much a head may hold; what goes beyond is refused as soon as it has come.

    @ivar line: octets of the first line without its CRLF.  RFC 9112 section 3
        recommends at least 8000.
    @ivar fieldLine: octets of a field line without its CRLF; tickets can be long.
    @ivar section: octets of the header section with every CRLF, the blank line's too.
    @ivar fields: how many field lines.
    """

    line: int = 8192
    fieldLine: int = 16384
    section: int = 65536
    fields: int = 100


def readFields(section: bytes) -> list[tuple[bytes, bytes]]:
    """
    Read the field lines of a section that is known to match the grammar.

    @param section: the lines, each with its CRLF; without the blank line.
    @return: names in lower case, and values without the whitespace around them.
    """
    kept = _kept.get
    return [kept(line) or _readField(line) for line in section.split(b"\r\n")[:-1]]


def _readField(line: bytes) -> tuple[bytes, bytes]:
    """The name and the value of a field line that is valid; keep it if it is likely to come again."""
    name, value = line.split(b":", 1)
    # strip takes more than OWS, but of that nothing is left in a valid value.
    field = (name.lower(), value.strip())
    if len(line) <= KEPT_OCTETS and field[0] in _HARMLESS:
        if len(_kept) >= KEPT_LINES:
            _kept.clear()
        _kept[line] = field
    return field


def whyNoField(line: bytes, first: bool) -> str:
    """
    Say what is wrong with a field line that does not match L{FIELD}.

    The line is not shown: who forgets a colon may do so in front of a password.

    @param line: the line without its CRLF; not empty.
    @param first: whether it is the first of its section.
    """
    name, colon, value = line.partition(b":")
    bare = name.rstrip(b" \t")
    if line[0] in b" \t":
        return "there is whitespace before the field" if first else "there is a folded field"
    if wrong := firstBad(NOT_TCHAR, bare, 0, "the name of the field has"):
        return wrong
    if not colon or not name:
        return "there is no name before the colon" if colon else "there is no colon"
    if name != bare:
        return "there is whitespace before the colon"
    return firstBad(NOT_VALUE_OCTET, value, len(name) + 1, f"the value of {escape(name)} has")


def firstBad(wrong: re.Pattern[bytes], part: bytes, before: int, whose: str) -> str:
    """Name the first octet that has no place in a part, and its column after C{before} others."""
    found = wrong.search(part)
    return f"{whose} the octet {found[0][0]:#04x} at column {before + found.start() + 1}" if found else ""


def escape(octets: bytes, most: int = 60) -> str:
    """
    Make a peer's octets fit for a person and for a log: printable ASCII, with the
    rest as Python writes it, and dots for what is behind the first C{most} octets.
    """
    text = octets[:most].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text if len(octets) <= most else f"{text}..."
