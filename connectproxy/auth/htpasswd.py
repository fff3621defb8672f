"""
Users by a file of hashes, as C{htpasswd} and C{connectproxy passwd} write it.

A line is C{user:hash}, and whatever stands behind a second colon is passed over.  The
file is read once; its hashes are L{connectproxy.auth.hashes}'s to understand, and the
threads in which they are made L{connectproxy.auth.hashing}'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from connectproxy.auth.hashes import Hash, parseHash
from connectproxy.auth.hashing import Hashing
from connectproxy.auth.lines import problemsOf, readLines
from connectproxy.config import Problem
from connectproxy.wire.authorization import normalForm

__all__ = ["KEY", "HashedUsers", "readUsers"]

KEY = "auth.users"

MOST = 255
"""Octets of a name: RFC 1929 section 2 counts them in one octet."""

TOLD = 20
"""How many problems of one file are told; what is wrong everywhere is seen by then."""


def readUsers(path: str, problems: list[Problem]) -> dict[bytes, Hash]:
    """
    Read a file of users.  Blocks.

    @param problems: where everything is added that is wrong with it.
    @return: the hashes by name, in UTF-8 and Normalization Form C.
    """
    users: dict[bytes, Hash] = {}
    seen: dict[bytes, str] = {}
    before = len(problems)
    for place, line in readLines(path, KEY, problems):
        if len(problems) - before >= TOLD:
            break
        name, _, rest = line.partition(":")
        user = normalForm(name.encode("utf-8"))
        if not rest or not user or len(user) > MOST:
            message = f"is not the name of a user, a colon and a hash; a name has 1 to {MOST} octets"
            problems.append(Problem(KEY, place, message, "write the line with connectproxy passwd"))
            continue
        if user in seen:
            message = f"the user stands in the file a second time, and first at {seen[user]}"
            problems.append(Problem(KEY, place, message, "take one of the two lines out"))
            continue
        seen[user] = place
        try:
            users[user] = parseHash(rest.partition(":")[0].strip())
        except ValueError as error:
            problems.append(problemsOf(KEY, place, error))
    return users


@implementer(ICredentialsChecker)
class HashedUsers:
    """
    Checks passwords against hashes, in threads.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: Mapping[bytes, Hash], hashing: Hashing) -> None:
        """
        @param users: the hashes by name, as L{readUsers} gives them.
        """
        self._users = users
        self._names = tuple(users)
        self._hashing = hashing
        self._key = token_bytes(16)

    def knows(self, user: bytes) -> bool:
        """
        Whether there is such a user.
        """
        return user in self._users

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Check a password.

        @return: a Deferred of the name; fails with L{UnauthorizedLogin}, or with
            L{connectproxy.auth.hashing.Busy}.  Cancelled, it is not checked if that has
            not begun.
        """
        user = credentials.username
        known = self._users.get(user)
        if known is None:
            return self.reject(credentials)
        return self._hashing.ask(known.verify, credentials.password).addCallback(_judge, user)

    def reject(self, credentials: Any) -> Deferred[Any]:
        """
        Say no, and take as long for it as if there were such a user.  The hash that is made
        is another user's: always the same one's, so that the time does not tell them apart.

        @return: fails as L{requestAvatarId} does.
        """
        if not self._names:
            return fail(UnauthorizedLogin())
        digest = blake2b(credentials.username, key=self._key, digest_size=8).digest()
        other = self._users[self._names[int.from_bytes(digest) % len(self._names)]]
        return self._hashing.ask(other.verify, credentials.password).addCallback(_judge, None)


def _judge(right: bool, user: bytes | None) -> bytes:
    if not right or user is None:
        raise UnauthorizedLogin
    return user
