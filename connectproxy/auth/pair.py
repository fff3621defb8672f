"""
One user with one password, which the configuration has in clear.
"""

from __future__ import annotations

import hashlib
import secrets
from hmac import compare_digest
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from connectproxy.wire.authorization import normalForm

__all__ = ["OnePair"]


@implementer(ICredentialsChecker)
class OnePair:
    """
    Knows one user by a password.

    What is kept and compared are digests with a secret key: equally long whatever a
    client sends, so that the time which comparing takes says nothing, and no use to
    whoever gets to see them.  A password chosen by the operator and kept in memory
    needs no slow hash: there is no file of hashes to steal.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, user: str, password: str) -> None:
        """
        @param user: without a colon, not empty.
        @param password: anything without control characters.
        @raise ValueError: they are not.
        """
        # A lone surrogate becomes what is no UTF-8, and not an exception that has the password.
        given = [normalForm(each.encode("utf-8", "surrogatepass")) for each in (user, password)]
        if not user or ":" in user or given[0] is None or given[1] is None:
            raise ValueError("a user has a name without a colon, and neither has control characters")
        self._key = secrets.token_bytes(32)
        self._user = given[0]
        self._expected = self._digest(given[0], given[1])

    def _digest(self, user: bytes, password: bytes) -> bytes:
        return hashlib.blake2b(b"%d:%b%b" % (len(user), user, password), key=self._key).digest()

    def knows(self, user: bytes) -> bool:
        """
        Whether it is this user.
        """
        return compare_digest(user, self._user)

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Check a password, at once.

        @return: the name, in octets.
        @raise UnauthorizedLogin: it is not the user, or not the password.
        """
        if not compare_digest(self._digest(credentials.username, credentials.password), self._expected):
            raise UnauthorizedLogin
        return self._user
