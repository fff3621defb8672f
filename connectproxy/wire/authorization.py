"""
The Proxy-Authorization field with the scheme Basic, and the challenge that asks for
it (RFC 9110 sections 11.4 to 11.7, RFC 7617).

Owns the grammar; who may come in is not known here.  Left out: every other scheme.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import normalize

__all__ = ["Basic", "challenge", "normalForm", "parseBasic"]

MOST = 4096
"""Octets of a field that are looked at; RFC 1929 has names and passwords of 255."""

_CREDENTIALS = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +(.*))?", re.DOTALL)
"""
RFC 9110 section 11.4: credentials = auth-scheme [ 1*SP ( token68 / [ auth-params ] ) ].
What stands behind Basic is Base64 or wrong, which is stricter than token68.
"""

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
"""RFC 4648 section 4.  Of strictness Python has several kinds, by its release."""

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
"""RFC 7617 section 2: neither the user-id nor the password has control characters."""


class Basic(NamedTuple):
    """
    What a client says of itself.

    @ivar user: the user-id in UTF-8, normal form C; without a colon.
    @ivar password: likewise; it may have colons.
    """

    user: bytes
    password: bytes

    def __repr__(self) -> str:
        """Neither belongs into a traceback."""
        return "Basic(...)"


def normalForm(text: bytes) -> bytes | None:
    """
    Bring a user-id or a password into the form in which they are compared
    (RFC 7617 section 2.1: UTF-8, normal form C).

    @return: L{None} for what is not UTF-8 or has control characters.
    """
    if text.isascii():
        return None if _CONTROL.search(text) else text
    try:
        normal = normalize("NFC", text.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(normal) else normal


def parseBasic(values: Sequence[bytes]) -> Basic | str:
    """
    Read the credentials of a request.

    @param values: of its C{Proxy-Authorization} fields.
    @return: them, or in words what is missing or wrong, of which nothing is shown.
    """
    if not values:
        return "the request has no Proxy-Authorization"
    if len(values) > 1:
        return f"there are {len(values)} Proxy-Authorization fields; there must be one"
    found = _CREDENTIALS.fullmatch(values[0]) if len(values[0]) <= MOST else None
    if found is None:
        return "the Proxy-Authorization is not a scheme and credentials"
    if found[1].lower() != b"basic":
        return "the scheme of the Proxy-Authorization is not Basic"
    encoded = found[2] or b""
    if not _BASE64.fullmatch(encoded):
        return "the credentials of the Proxy-Authorization are not Base64"
    user, colon, password = a2b_base64(encoded).partition(b":")
    if not colon:
        return "the credentials of the Proxy-Authorization have no colon"
    normalUser, normalPassword = normalForm(user), normalForm(password)
    if normalUser is None or normalPassword is None:
        return "the credentials of the Proxy-Authorization are not UTF-8 without control characters"
    return Basic(normalUser, normalPassword)


def challenge(realm: str) -> str:
    """
    The value of the C{Proxy-Authenticate} that a 407 has (RFC 7617 section 2.1).

    @param realm: printable ASCII.
    """
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'
