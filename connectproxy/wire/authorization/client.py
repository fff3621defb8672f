"""
The credentials that this proxy shows to another one: the C{Proxy-Authorization} of its own
requests, and what it makes of a C{Proxy-Authenticate} (RFC 9110 sections 11.7.1 and 11.7.2).

Basic (RFC 7617) and Bearer (RFC 6750) go with every request.  Digest (RFC 7616) needs a
nonce, so that the first request goes without, and is made again.  Which scheme it is the
operator says: no challenge can have a password sent that was meant to be proved.

Of Digest left out: C{auth-int}, a missing C{qop}, the hash of the user's name, and the
C{nextnonce} of an answer; a nonce that has become stale costs one request more.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

from connectproxy.wire.authorization.basic import normalForm
from connectproxy.wire.authorization.bearer import Bearer, readBearer
from connectproxy.wire.authorization.challenges import Challenge, readChallenges
from connectproxy.wire.authorization.digest import ALGORITHMS, Digest, secretHash
from connectproxy.wire.authorization.parameters import quoted

__all__ = ["Authorizer", "unmet"]

NONCES = 16
"""How many nonces are kept that have not been used: one for each request that was challenged at once."""

_LAST = 0xFFFFFFFF
"""RFC 7616 section 3.4: nc has eight hexadecimal digits."""

_PRINTABLE = re.compile(rb"[ -~]*")
_VISIBLE = re.compile(rb"[!-~]+")

_NAMES: Mapping[bytes, str] = {
    name.lower().encode("ascii"): name for each in ALGORITHMS for name in (each, f"{each}-sess")
}

_SHOWN = 5
"""How many schemes are named to people."""


class _Nonce:
    """
    What one challenge of Digest says, and how often it has been answered.

    One C{cnonce} serves all answers: so the session key of C{-sess}, which some compute
    once and others for each answer, is the same for both (RFC 7616 section 3.4.2).
    """

    __slots__ = ("algorithm", "cnonce", "count", "nonce", "opaque", "realm", "said")

    def __init__(self, algorithm: str, parameters: Mapping[bytes, bytes]) -> None:
        self.algorithm = algorithm
        self.said = b"algorithm" in parameters
        self.realm = parameters[b"realm"]
        self.nonce = parameters[b"nonce"]
        self.opaque = parameters.get(b"opaque", b"")
        self.cnonce = token_urlsafe(18).encode("ascii")
        self.count = 0


def _read(challenges: Sequence[Challenge]) -> tuple[_Nonce, bool] | None:
    """
    Choose among challenges of Digest: the first that can be met, and none with MD5 where
    there is one without.

    @return: it, and whether it says that only the nonce was wrong.
    """
    usable = []
    for scheme, parameters in challenges:
        algorithm = _NAMES.get(parameters.get(b"algorithm", b"MD5").lower())
        if scheme.lower() != "digest" or algorithm is None or b"realm" not in parameters:
            continue
        offered = parameters.get(b"qop", b"").lower().replace(b"\t", b" ").replace(b" ", b"").split(b",")
        # All of these are said again in a field, and hashed as they were meant.
        fit = _PRINTABLE.fullmatch(parameters[b"realm"] + parameters.get(b"opaque", b""))
        if b"auth" in offered and fit and _VISIBLE.fullmatch(parameters.get(b"nonce", b"")):
            usable.append((algorithm, parameters))
    if not usable:
        return None
    algorithm, parameters = min(usable, key=lambda each: each[0].startswith("MD5"))
    return _Nonce(algorithm, parameters), parameters.get(b"stale", b"").lower() == b"true"


class Authorizer:
    """
    What there is to show to one next hop, and what has been learned from it.

    @ivar scheme: C{"Basic"}, C{"Digest"} or C{"Bearer"}.
    """

    __slots__ = ("_current", "_fresh", "_password", "_secrets", "_user", "_value", "scheme")

    def __init__(self, user: str, password: str, scheme: str = "basic") -> None:
        """
        @param user: without a colon.
        @param scheme: C{"basic"} or C{"digest"}.
        @raise ValueError: one of them is not fit for it; neither is shown.
        """
        if scheme not in ("basic", "digest"):
            raise ValueError("a user and a password are shown by basic or by digest")
        name, proof = normalForm(user.encode("utf-8")), normalForm(password.encode("utf-8"))
        if name is None or proof is None:
            raise ValueError("the credentials for the next hop have control characters; leave them out")
        self._user, self._password = name, proof
        if b":" in name:
            raise ValueError("the user's name for the next hop has a colon, behind which the password begins")
        self.scheme = scheme.capitalize()
        self._current: _Nonce | None = None
        self._fresh: list[_Nonce] = []
        self._secrets: dict[tuple[str, bytes], bytes] = {}
        encoded = b64encode(name + b":" + proof).decode("ascii")
        self._value: str | None = f"Basic {encoded}" if scheme == "basic" else None

    @classmethod
    def bearer(cls, token: str) -> Authorizer:
        """
        Show a token.

        @raise ValueError: it has characters that no token has; it is not shown.
        """
        octets = token.encode("utf-8")
        if not isinstance(readBearer(octets), Bearer):
            raise ValueError("the token for the next hop has characters that no token has, or is empty")
        made = cls("", "")
        made.scheme = "Bearer"
        made._value = "Bearer " + octets.decode("ascii")
        return made

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Authorizer | None:
        """
        What the options of an upstream say: C{credentials}, C{token}, C{authentication}.

        @return: L{None} where there is nothing to show.
        @raise ValueError: they don't fit together, or one of them can't be shown.
        """
        credentials, token, scheme = options["credentials"], options["token"], options["authentication"]
        if credentials and token:
            raise ValueError("there are credentials and a token; give one of them")
        if token:
            if scheme not in ("", "bearer"):
                raise ValueError(f"a token is not shown by {scheme}; leave authentication out, or say bearer")
            return cls.bearer(token)
        if not credentials:
            if scheme:
                raise ValueError(
                    f"there is nothing to show by {scheme}; give credentials, or a token for bearer"
                )
            return None
        if scheme == "bearer":
            raise ValueError("a user and a password are not shown by bearer; give basic, digest, or a token")
        user, _, password = credentials.partition(":")
        return cls(user, password, scheme or "basic")

    def __repr__(self) -> str:
        """Neither the name nor what proves it."""
        return f"<{type(self).__name__} {self.scheme}>"

    def field(self, method: str, uri: str) -> str | None:
        """
        The value of C{Proxy-Authorization} for one request.  With Digest each has its own.

        @param method: the request's.
        @param uri: its target, as it is sent: visible ASCII.
        @return: printable ASCII; L{None} as long as nothing can be shown.
        """
        if self._value is not None:
            return self._value
        if self._fresh:
            self._current = self._fresh.pop()
        known = self._current
        if known is None or known.count == _LAST:
            self._current = None
            return None
        known.count += 1
        base = known.algorithm.removesuffix("-sess")
        secret = self._secrets.get((base, known.realm))
        if secret is None:
            self._secrets.clear()  # a next hop has one realm, and may not fill our memory with others
            secret = secretHash(base, self._user, known.realm, self._password)
            self._secrets[base, known.realm] = secret
        proof = Digest(
            self._user, False, known.algorithm, known.realm, known.nonce, uri.encode("ascii"), b"",
            b"%08x" % known.count, known.cnonce,
        )  # fmt: skip
        return self._written(proof, proof.expected(secret, method.encode("ascii")), known)

    def _written(self, proof: Digest, response: bytes, known: _Nonce) -> str:
        """
        Write the parameters (RFC 7616 section 3.4).
        """
        if proof.user.isascii():
            name = "username=" + quoted(proof.user.decode("ascii"))
        else:
            name = "username*=UTF-8''" + quote(proof.user, safe="")
        parts = [
            f"Digest {name}",
            f"realm={quoted(proof.realm.decode('ascii'))}",
            f"nonce={quoted(proof.nonce.decode('ascii'))}",
            f"uri={quoted(proof.uri.decode('ascii'))}",
            f'response="{response.decode("ascii")}"',
        ]
        if known.said:
            parts.append(f"algorithm={proof.algorithm}")
        if known.opaque:
            parts.append(f"opaque={quoted(known.opaque.decode('ascii'))}")
        parts += ["qop=auth", f"nc={proof.nc.decode('ascii')}", f'cnonce="{proof.cnonce.decode("ascii")}"']
        return ", ".join(parts)

    def challenged(self, values: Sequence[bytes], said: str | None = None) -> bool:
        """
        Learn from a challenge.

        @param values: of all C{Proxy-Authenticate} fields of the answer.
        @param said: the C{Proxy-Authorization} of the request that was answered so.
        @return: whether it makes sense to ask again: what L{field} says then has not been
            rejected yet.
        """
        if self.scheme != "Digest":
            return False
        read = _read(readChallenges(values))
        if read is None:
            return False
        offered, stale = read
        kept = self._fresh if self._current is None else [*self._fresh, self._current]
        if any(each.nonce == offered.nonce for each in kept):
            # Some have one nonce for ever; if it was said with that one, it is something else that is wrong.
            return said is None or f"nonce={quoted(offered.nonce.decode('ascii'))}, " not in said
        # A nonce that was used before may have been forgotten; of a new one that can't be.
        rejected = said is not None and not stale and ", nc=00000001," in said
        if rejected:
            self._fresh.clear()
            self._current = None
        if len(self._fresh) == NONCES:
            del self._fresh[0]
        self._fresh.append(offered)
        return not rejected


def unmet(authorizer: Authorizer | None, values: Sequence[bytes]) -> str:
    """
    Why a challenge is not answered, in words that go on from the name of who has sent it.

    @param authorizer: what there is to show; L{None} for nothing.
    @param values: of all C{Proxy-Authenticate} fields of the answer.
    @return: printable ASCII, without a secret.
    """
    challenges = readChallenges(values)
    schemes = list(dict.fromkeys(each.scheme for each in challenges))
    if not schemes:
        return "wants credentials and does not say by which scheme"
    named = ", ".join(scheme[:20] for scheme in schemes[:_SHOWN]) + (", ..." if len(schemes) > _SHOWN else "")
    if authorizer is None:
        return f"wants credentials ({named}), and none are configured for it"
    if authorizer.scheme.lower() not in [scheme.lower() for scheme in schemes]:
        return f"wants credentials by {named}, and is shown them by {authorizer.scheme}"
    if authorizer.scheme == "Digest" and _read(challenges) is None:
        return (
            "wants Digest in a form that is not served here, which is qop=auth with an algorithm of RFC 7616"
        )
    return f"rejects the credentials that it is shown by {authorizer.scheme}"
