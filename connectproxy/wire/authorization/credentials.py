"""
Credentials of any scheme that is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectproxy.wire.authorization.basic import Basic, readBasic
from connectproxy.wire.authorization.bearer import Bearer, readBearer
from connectproxy.wire.authorization.digest import Digest, readDigest
from connectproxy.wire.authorization.parameters import readParameters, splitCredentials

__all__ = ["parseBasic", "parseCredentials"]


def parseBasic(values: Sequence[bytes]) -> Basic | str:
    """
    Read the credentials of a request where only Basic will do.

    @param values: of its C{Proxy-Authorization} fields.
    @return: them, or in words what is missing or wrong, of which nothing is shown.
    """
    found = splitCredentials(values)
    if isinstance(found, str):
        return found
    if found[0] != b"basic":
        return "the scheme of the Proxy-Authorization is not Basic"
    return readBasic(found[1])


def parseCredentials(values: Sequence[bytes]) -> Basic | Digest | Bearer | str:
    """
    Read the credentials of a request.

    @param values: of its C{Proxy-Authorization} fields.
    @return: them, or in words what is missing or wrong, of which nothing is shown.
    """
    found = splitCredentials(values)
    if isinstance(found, str):
        return found
    scheme, rest = found
    if scheme == b"basic":
        return readBasic(rest)
    if scheme == b"bearer":
        return readBearer(rest)
    if scheme == b"digest":
        parameters = readParameters(rest)
        return parameters if isinstance(parameters, str) else readDigest(parameters)
    return "the scheme of the Proxy-Authorization is none of Basic, Digest and Bearer"
