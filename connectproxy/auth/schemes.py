"""
Checkers of what is found out at once: tokens and digests.

They give L{twisted.cred} what L{connectproxy.auth.tokens} and
L{connectproxy.auth.digest} have judged.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from connectproxy.auth.credentials import IDigested, ISigned
from connectproxy.auth.digest import DigestScheme, Lookup, Unverified
from connectproxy.auth.tokens import TokenChecker

__all__ = ["DigestedUsers", "SignedUsers", "Unproved"]


class Unproved(UnauthorizedLogin):
    """
    Credentials are not good.

    @ivar reason: why, in words of which nothing is the client's.
    @ivar stale: only the nonce is too old, or has been used.
    @ivar guess: they may have been made up, which throttling counts.
    """

    def __init__(self, reason: str, *, stale: bool = False, guess: bool = True) -> None:
        UnauthorizedLogin.__init__(self, reason)
        self.reason = reason
        self.stale = stale
        self.guess = guess


@implementer(ICredentialsChecker)
class SignedUsers:
    """
    Checks tokens.
    """

    credentialInterfaces = (ISigned,)

    def __init__(self, tokens: TokenChecker) -> None:
        self._tokens = tokens

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Check a token, and tell the credentials for how long it is good.

        @return: a L{ProxyUser}.
        @raise Unproved: it is not.
        """
        found = self._tokens.check(credentials.token, credentials.user)
        if isinstance(found, str):
            # One that was signed here is nobody's guess, though it be too old.
            raise Unproved(found, guess=isinstance(self._tokens.claims(credentials.token), str))
        credentials.lasts = found.expires - self._tokens.now()
        return found.user


@implementer(ICredentialsChecker)
class DigestedUsers:
    """
    Checks digests.
    """

    credentialInterfaces = (IDigested,)

    def __init__(self, scheme: DigestScheme, lookup: Lookup) -> None:
        self._scheme = scheme
        self._lookup = lookup

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Check a digest, which uses it up.

        @return: the name.
        @raise Unproved: it is not good.
        """
        found = self._scheme.verify(credentials.digest, credentials.method, credentials.target, self._lookup)
        if isinstance(found, Unverified):
            raise Unproved(found.reason, stale=found.stale, guess=not found.stale)
        return found
