"""
The scheme Digest (RFC 7616): its parameters, its challenge, and its arithmetic.

A proxy knows H(user:realm:password) of its users and no password: the first half of what
RFC 7616 section 3.4.2 calls A1 is all that is needed here.

Left out: C{auth-int}, since the content of a request is not there yet when it is decided
on; a missing C{qop}, which leaves out the count of requests that replays are known by;
and the session key that C{-sess} keeps over several requests, which would have to be
kept for each client: it is computed with the C{cnonce} of each, as clients do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from connectproxy.wire.authorization.basic import normalForm
from connectproxy.wire.authorization.parameters import quoted

__all__ = [
    "ALGORITHMS",
    "Digest",
    "authenticationInformation",
    "digestChallenge",
    "nameHash",
    "readDigest",
    "secretHash",
]

ALGORITHMS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(
    {
        "SHA-256": hashlib.sha256,
        **(
            {"SHA-512-256": partial(hashlib.new, "sha512_256")}
            if "sha512_256" in hashlib.algorithms_available
            else {}
        ),
        "MD5": partial(hashlib.md5, usedforsecurity=False),
    }
)
"""The hashes of RFC 7616 section 6.1 by the names that they have there; OpenSSL may lack one."""

_DIGITS = {name: digest(b"").digest_size * 2 for name, digest in ALGORITHMS.items()}
_KNOWN = {name.lower().encode("ascii"): name for each in ALGORITHMS for name in (each, f"{each}-sess")}

_REQUIRED = (b"realm", b"nonce", b"uri", b"response", b"qop", b"nc", b"cnonce")
"""RFC 7616 section 3.4; who it is has forms of its own, and C{qop} makes the last two required."""

_HEX = re.compile(rb"[0-9a-f]+")
"""Section 3.1.3: hashes are written in lower case."""

_COUNT = re.compile(rb"[0-9a-fA-F]{8}")
"""Section 3.4: nc-value = 8LHEX; its capitals are hashed as they came."""

_VISIBLE = re.compile(rb"[!-~]+")

_EXTENDED = re.compile(rb"(?i:utf-8)'[A-Za-z0-9-]*'((?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-Fa-f]{2})+)")
"""RFC 8187 section 3.2.1: ext-value = charset "'" [ language ] "'" value-chars; RFC 7616 has UTF-8 only."""


class Digest(NamedTuple):
    """
    What a client says of itself.

    @ivar user: the user's name in UTF-8, normal form C; or its hash.
    @ivar hashed: whether it is the hash (section 3.4.4).
    @ivar algorithm: a name of L{ALGORITHMS}, or one with C{-sess} behind it.
    @ivar realm: the realm, as it stands in the challenge.
    @ivar nonce: likewise.
    @ivar uri: the request's target, as the client has sent it or would have.
    @ivar response: the proof: a hash in hexadecimal digits of lower case.
    @ivar nc: how many requests there were with this nonce: eight hexadecimal digits.
    @ivar cnonce: what the client has added.
    @ivar opaque: what the challenge has for the client to say again; mostly empty.
    """

    user: bytes
    hashed: bool
    algorithm: str
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes
    nc: bytes
    cnonce: bytes
    opaque: bytes = b""

    def __repr__(self) -> str:
        """The name may be hashed for a reason, and the proof can be guessed at."""
        return f"Digest({self.algorithm}, ...)"

    @property
    def base(self) -> str:
        """The algorithm without C{-sess}: that of L{secretHash}."""
        return self.algorithm.removesuffix("-sess")

    def expected(self, secret: bytes, method: bytes) -> bytes:
        """
        What L{response} has to be (section 3.4.1).

        @param secret: H(user:realm:password), as L{secretHash} has it.
        @param method: of the request; empty for the C{rspauth} of an answer (section 3.5).
        """
        base = self.base
        if self.algorithm != base:
            secret = _hash(base, b"%b:%b:%b" % (secret, self.nonce, self.cnonce))
        asked = _hash(base, b"%b:%b" % (method, self.uri))
        return _hash(base, b"%b:%b:%b:%b:auth:%b" % (secret, self.nonce, self.nc, self.cnonce, asked))


def _hash(algorithm: str, octets: bytes) -> bytes:
    """H(octets), in hexadecimal digits of lower case (RFC 7616 section 3.1.3)."""
    digits: str = ALGORITHMS[algorithm](octets).hexdigest()
    return digits.encode("ascii")


def secretHash(algorithm: str, user: bytes, realm: bytes, password: bytes) -> bytes:
    """
    H(user:realm:password), in hexadecimal digits (RFC 7616 section 3.4.2).

    @param algorithm: a name of L{ALGORITHMS}.
    """
    return _hash(algorithm, b"%b:%b:%b" % (user, realm, password))


def nameHash(algorithm: str, user: bytes, realm: bytes) -> bytes:
    """
    H(user:realm), in hexadecimal digits (RFC 7616 section 3.4.4).

    @param algorithm: a name of L{ALGORITHMS}.
    """
    return _hash(algorithm, b"%b:%b" % (user, realm))


def readDigest(parameters: Mapping[bytes, bytes]) -> Digest | str:
    """
    Judge the parameters behind the scheme (RFC 7616 section 3.4).

    Whether a value came in quotes says nothing (RFC 9110 section 11.2), and clients differ.

    @return: the credentials, or in words what is wrong, of which nothing is shown.
    """
    missing = [name.decode("ascii") for name in _REQUIRED if name not in parameters]
    if missing:
        return f"the Digest credentials have no {missing[0]}"
    get = parameters.get
    algorithm = _KNOWN.get(get(b"algorithm", b"MD5").lower())
    if algorithm is None:
        return "the algorithm of the Digest credentials is not known"
    hashed = get(b"userhash", b"false").lower()
    if hashed not in (b"true", b"false"):
        return "the userhash of the Digest credentials is neither true nor false"
    if parameters[b"qop"].lower() != b"auth":
        return "the qop of the Digest credentials is not auth"
    size = _DIGITS[algorithm.removesuffix("-sess")]
    if len(parameters[b"response"]) != size or not _HEX.fullmatch(parameters[b"response"]):
        return f"the response of the Digest credentials is not {size} hexadecimal digits in lower case"
    if not _COUNT.fullmatch(parameters[b"nc"]) or parameters[b"nc"] == b"00000000":
        return "the nc of the Digest credentials is not eight hexadecimal digits from 00000001 on"
    for name in (b"nonce", b"uri", b"cnonce"):
        if not _VISIBLE.fullmatch(parameters[name]):
            return f"the {name.decode('ascii')} of the Digest credentials is empty, or not visible ASCII"
    user = _user(parameters, size if hashed == b"true" else 0)
    if isinstance(user, str):
        return user
    return Digest(
        user,
        hashed == b"true",
        algorithm,
        parameters[b"realm"],
        parameters[b"nonce"],
        parameters[b"uri"],
        parameters[b"response"],
        parameters[b"nc"],
        parameters[b"cnonce"],
        get(b"opaque", b""),
    )


def _user(parameters: Mapping[bytes, bytes], size: int) -> bytes | str:
    """
    Who it is: in one of two ways, of which one must be there (RFC 7616 section 3.4).

    @param size: of a name's hash in digits; 0 for a name.
    """
    name, extended = parameters.get(b"username"), parameters.get(b"username*")
    if (name is None) == (extended is None):
        return "the Digest credentials need one of username and username*"
    if size:
        if name is None:
            return "the userhash of the Digest credentials is for a username, not for a username*"
        if len(name) != size or not _HEX.fullmatch(name):
            return f"the username of the Digest credentials is no hash of {size} digits in lower case"
        return name
    if extended is not None:
        found = _EXTENDED.fullmatch(extended)
        if found is None:
            return "the username* of the Digest credentials is not UTF-8'', and percent-encoding behind it"
        name = unquote_to_bytes(found[1])
    normal = normalForm(name or b"")
    if not normal or b":" in normal:
        words = "is empty, has a colon, or is not UTF-8 without control characters"
        return f"the username of the Digest credentials {words}"
    return normal


def digestChallenge(
    realm: str,
    nonce: str,
    algorithm: str = "SHA-256",
    *,
    opaque: str = "",
    userhash: bool = True,
    stale: bool = False,
) -> str:
    """
    The value of a C{Proxy-Authenticate} that asks for Digest (RFC 7616 section 3.3).

    @param realm: printable ASCII.
    @param nonce: likewise.
    @param algorithm: a name of L{ALGORITHMS}.
    @param opaque: printable ASCII for the client to say again; empty for none.
    @param userhash: whether the hash of a name will do.
    @param stale: the password was right, and only the nonce is too old.
    """
    value = f'Digest realm={quoted(realm)}, qop="auth", algorithm={algorithm}, nonce={quoted(nonce)}'
    if opaque:
        value += f", opaque={quoted(opaque)}"
    value += ", charset=UTF-8"
    if userhash:
        value += ", userhash=true"
    return value + ", stale=true" if stale else value


def authenticationInformation(credentials: Digest, secret: bytes, nextNonce: str = "") -> str:
    """
    The value of the C{Proxy-Authentication-Info} that an answer may have (RFC 9110
    section 11.7.3, RFC 7616 section 3.5): that we know the password's hash, too.

    @param credentials: right ones.
    @param secret: as for L{Digest.expected}.
    @param nextNonce: the nonce for the next request; empty for any.
    """
    cnonce = quoted(credentials.cnonce.decode("ascii"))
    proof = credentials.expected(secret, b"").decode("ascii")
    value = f'qop=auth, rspauth="{proof}", cnonce={cnonce}, nc={credentials.nc.decode("ascii")}'
    return value + f", nextnonce={quoted(nextNonce)}" if nextNonce else value
