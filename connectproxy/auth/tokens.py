"""
Signed tokens with an expiry: JSON Web Tokens (RFC 7519) by HMAC with SHA-256 (RFC 7518
section 3.2), held to the advice of RFC 8725.

Owns the claims: what is made into a token, and what is checked of one.  The signature is
left to the library PyJWT, which is imported when the first key is there; files of keys
and of tokens that have been revoked are L{connectproxy.auth.tokenfiles}'.

The claims are C{sub}, the user; C{jti}, an id to revoke the token by; C{iat} and C{exp},
in seconds since 1970; C{aud}, which is always L{AUDIENCE}, so that a token that the same
key has signed for something else is no use here; and, where there are some, C{groups} and
C{limits}, arrays of names.

Left out: other algorithms, encrypted tokens, and keys that are fetched from somewhere.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from secrets import token_urlsafe
from types import MappingProxyType
from typing import Any, NamedTuple
from unicodedata import category, normalize

from connectproxy.interfaces.identity import ProxyUser

__all__ = [
    "AUDIENCE",
    "ID",
    "LONGEST",
    "Good",
    "Key",
    "Revoked",
    "TokenChecker",
    "fitName",
    "looksLikeToken",
    "mint",
    "missing",
    "readClaims",
]

AUDIENCE = "connectproxy"

LONGEST = 4096
"""Octets of a token that are looked at."""

LEEWAY = 5.0
"""By how many seconds the clock of whoever has made a token may be before ours."""

_ALGORITHM = "HS256"
_HEADER = 256
"""Octets of a token's first part, which is parsed before its signature has been verified."""

_EXTENSIONS = frozenset(("crit", "b64"))
"""What a header has that must be understood, and by which octets are another content (RFC 7797)."""

_FORM = re.compile(rb"eyJ[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++")
"""RFC 7515 section 7.1; C{eyJ} is how an object with a member begins in Base64."""

ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
"""What identifies a token."""

_NAME = 255
"""Octets of a name, as in RFC 1929."""
_MOST = 64
"""How many groups, and how many limits, a token may name."""

_END = 253402300800
"""The year 10000, which no date in Python has."""

_MISSING = "tokens need the library PyJWT; install it by: pip install 'connectproxy[tokens]'"


class Key(NamedTuple):
    """
    What tokens are signed with.

    @ivar octets: 32 at least (RFC 7518 section 3.2).
    """

    octets: bytes

    def __repr__(self) -> str:
        """Whoever has it can be anybody."""
        return "Key(...)"


class Revoked(NamedTuple):
    """
    Tokens that are not good any more.

    @ivar ids: the ids of single ones.
    @ivar before: for users, the time before which their tokens were made, in seconds
        since 1970.
    """

    ids: frozenset[str] = frozenset()
    before: Mapping[str, float] = MappingProxyType({})


class Good(NamedTuple):
    """
    What a token says that is good.

    @ivar user: who has it.
    @ivar expires: until when it may be believed, in seconds since 1970.
    @ivar id: its id.
    """

    user: ProxyUser
    expires: float
    id: str


def missing() -> str:
    """
    Why there can be no tokens: a sentence without its full stop, or empty if there can.
    """
    try:
        _library()
    except RuntimeError as error:
        return str(error)
    return ""


def _library() -> Any:
    """
    The library, which is optional.

    @raise RuntimeError: it is not there, or it is another one of the same name.
    """
    try:
        library = import_module("jwt")
    except ImportError:
        library = None
    if not hasattr(library, "PyJWS"):
        raise RuntimeError(_MISSING)
    return library


def looksLikeToken(password: bytes) -> bool:
    """
    Whether a password is likely to be a token.
    """
    return password.startswith(b"eyJ") and len(password) <= LONGEST and _FORM.fullmatch(password) is not None


def fitName(name: Any) -> str | None:
    """
    The normal form C of a name that can stand in a token.

    @return: L{None} if it is none: no string, empty, longer than RFC 1929 permits, or
        with control characters, ends of lines or what is no character.
    """
    if not isinstance(name, str):
        return None
    normal = normalize("NFC", name)
    if not normal or any(category(character) in ("Cc", "Cs", "Zl", "Zp") for character in normal):
        return None
    return normal if len(normal.encode("utf-8")) <= _NAME else None


def mint(
    key: Key,
    user: str,
    groups: Sequence[str] = (),
    limits: Sequence[str] = (),
    seconds: float = 8 * 3600.0,
    now: float | None = None,
) -> tuple[str, str]:
    """
    Make a token.

    @param user: a name, as L{fitName} takes it.
    @param groups: names of groups that the user is in.
    @param limits: names of C{[[limit]]} tables that hold for the user.
    @param seconds: how long it is good, 1 at least.
    @param now: in seconds since 1970; by default the system's clock.
    @return: the token and its id.
    @raise ValueError: something is no name, there are too many, or the token would be too
        long.
    @raise RuntimeError: PyJWT is missing.
    """
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {
        "sub": _fit(user, "the user"),
        "iat": issued,
        "exp": issued + max(int(seconds), 1),
        "jti": token_urlsafe(12),
        "aud": AUDIENCE,
    }
    for what, names in (("groups", groups), ("limits", limits)):
        if len(names) > _MOST:
            raise ValueError(f"there are more than {_MOST} {what}; name fewer")
        if names:
            claims[what] = [_fit(name, f"one of the {what}") for name in names]
    token: str = _library().encode(claims, key.octets, algorithm=_ALGORITHM)
    if len(token) > LONGEST:
        raise ValueError(f"the token would have more than {LONGEST} characters; name fewer groups or limits")
    return token, claims["jti"]


def _fit(name: str, what: str) -> str:
    """A name in its normal form, or a L{ValueError}."""
    fit = fitName(name)
    if fit is None:
        words = f"give a name of 1 to {_NAME} octets in UTF-8 without control characters"
        raise ValueError(f"{what} is no name: {words}")
    return fit


class TokenChecker:
    """
    Tells good tokens from others.
    """

    def __init__(
        self, keys: Iterable[Key], revoked: Revoked | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """
        @param keys: with any of which a token may be signed.
        @param now: the time in seconds since 1970.
        @raise RuntimeError: PyJWT is missing.
        """
        library = _library()
        self._keys = tuple(keys)
        self._revoked = revoked or Revoked()
        self.now = now
        self._decode = library.PyJWS(algorithms=[_ALGORITHM]).decode_complete
        self._unfit = (library.PyJWTError, ValueError, RecursionError)

    def check(self, token: bytes, user: bytes = b"") -> Good | str:
        """
        Judge a token.

        @param user: what stands in front of it where it came as a password (in UTF-8,
            normal form C): nothing, C{token}, or the name of who has it.
        @return: what it says, or in words why it is not good, of which nothing is its own.
        """
        claims = self.claims(token)
        if isinstance(claims, str):
            return claims
        good = readClaims(claims)
        if isinstance(good, str):
            return good
        issued, now = claims["iat"], self.now()
        # The leeway is for clocks that disagree, and makes no token live longer.
        if good.expires <= now:
            return "the token has expired"
        if max(issued, claims.get("nbf", 0)) > now + LEEWAY:
            return "the token is not good yet"
        if good.id in self._revoked.ids or issued < self._revoked.before.get(good.user.name, 0):
            return "the token has been revoked"
        if user not in (b"", b"token", good.user.name.encode("utf-8")):
            return "the token is another user's"
        return good

    def claims(self, token: bytes) -> dict[str, Any] | str:
        """
        What a token says that one of the keys has signed; whether it still holds, and makes
        sense, is not looked at.

        @return: an object of JSON, or in words what is wrong.
        """
        if len(token) > LONGEST:
            return f"the token has more than {LONGEST} octets"
        if not _FORM.fullmatch(token) or token.index(b".") > _HEADER:
            return "the token is no JSON Web Token"
        for key in self._keys:
            try:
                found = self._decode(token, key.octets, algorithms=[_ALGORITHM])
            except self._unfit:  # what it has to say may have the token in it
                continue
            if not _EXTENSIONS.isdisjoint(found["header"]):  # PyJWT before 2.12 passes over them
                continue
            try:
                claims = json.loads(found["payload"])
            except (ValueError, RecursionError):
                claims = None
            return claims if isinstance(claims, dict) else "the claims of the token are no object of JSON"
        return "the token has been signed with none of the keys"


def readClaims(claims: Mapping[str, Any]) -> Good | str:
    """
    Hold claims to their form; whether they still hold is not looked at.

    @return: as L{TokenChecker.check}.
    """
    if claims.get("aud") not in (AUDIENCE, [AUDIENCE]):
        return "the token is not meant for this proxy: its aud is not connectproxy"
    for name in ("iat", "exp", "nbf"):
        # NaN and infinity, which Python's JSON has, are in no range.
        value = claims.get(name, 0 if name == "nbf" else None)
        if type(value) not in (int, float) or not 0 <= value < _END:
            return f"the {name} of the token is no time, or missing"
    identifier = claims.get("jti")
    if not isinstance(identifier, str) or not ID.fullmatch(identifier):
        return "the jti of the token is no id, or missing"
    user = fitName(claims.get("sub"))
    if user is None:
        return "the sub of the token is no name, or missing"
    groups, limits = _names(claims.get("groups", [])), _names(claims.get("limits", []))
    if groups is None or limits is None:
        return f"the groups or the limits of the token are no array of up to {_MOST} names"
    return Good(ProxyUser(user, frozenset(groups), limits, "token"), float(claims["exp"]), identifier)


def _names(said: Any) -> tuple[str, ...] | None:
    """
    An array of names; L{None} if it is none.
    """
    if not isinstance(said, list) or len(said) > _MOST:
        return None
    fit = tuple(name for name in map(fitName, said) if name is not None)
    return fit if len(fit) == len(said) else None
