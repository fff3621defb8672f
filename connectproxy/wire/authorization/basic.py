"""
The scheme Basic (RFC 7617).
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import NamedTuple
from unicodedata import normalize

from connectproxy.wire.authorization.parameters import quoted

__all__ = ["Basic", "challenge", "normalForm", "readBasic"]

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


def readBasic(encoded: bytes) -> Basic | str:
    """
    Read what stands behind the scheme: Base64 or wrong, which is stricter than token68.

    @return: the credentials, or in words what is wrong, of which nothing is shown.
    """
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
    The value of the C{Proxy-Authenticate} that asks for Basic (RFC 7617 section 2.1).

    @param realm: printable ASCII.
    """
    return f'Basic realm={quoted(realm)}, charset="UTF-8"'
