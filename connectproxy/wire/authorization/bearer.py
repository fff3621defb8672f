"""
The scheme Bearer (RFC 6750).

What a token says, and whether it is good, is not known here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectproxy.wire.authorization.parameters import quoted

__all__ = ["Bearer", "bearerChallenge", "readBearer"]

_B64TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]++=*+")
"""RFC 6750 section 2.1, which is token68 of RFC 9110 section 11.2."""

_NOT_DESCRIPTION = re.compile(r"[^ !#-\[\]-~]")
"""RFC 6750 section 3: no quotes and no backslashes, not even escaped."""


class Bearer(NamedTuple):
    """
    What a client brings.

    @ivar token: as it came.
    """

    token: bytes

    def __repr__(self) -> str:
        """It is all that somebody else would need."""
        return "Bearer(...)"


def readBearer(token: bytes) -> Bearer | str:
    """
    Read what stands behind the scheme.

    @return: the credentials, or in words what is wrong, of which nothing is shown.
    """
    if not _B64TOKEN.fullmatch(token):
        return "the token of the Proxy-Authorization has characters that no token has, or is missing"
    return Bearer(token)


def bearerChallenge(realm: str, error: str = "", description: str = "") -> str:
    """
    The value of a C{Proxy-Authenticate} that asks for a token (RFC 6750 section 3).

    @param realm: printable ASCII.
    @param error: C{"invalid_token"} where one came that is expired, revoked or wrong in
        any other way; empty where none came (section 3.1).
    @param description: what is wrong with it; what has no place there becomes C{'}.
    """
    value = f"Bearer realm={quoted(realm)}"
    if error:
        value += f', error="{error}"'
        if description:
            value += f', error_description="{_NOT_DESCRIPTION.sub(chr(39), description)}"'
    return value
