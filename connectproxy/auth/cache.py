"""
Which credentials were found right a moment ago.

What is kept of them is a digest with a secret key, no use to whoever gets to see it.  It
is of the credentials alone: from where they came never counts.  Wrong ones are not kept,
or guesses would push out what is in use.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_bytes
from typing import Any

from connectproxy.interfaces import ProxyUser

__all__ = ["MOST", "Successes"]

MOST = 10_000
"""How many are kept; the one that was found right longest ago goes first."""


class Successes:
    """
    Credentials that need not be checked again for a while.
    """

    def __init__(self, clock: Any, lifetime: float) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param lifetime: for how many seconds; 0 for none at all.
        """
        self._clock = clock
        self._lifetime = lifetime
        self._key = token_bytes(32)
        self._users: dict[bytes, tuple[ProxyUser, float]] = {}

    def key(self, credentials: bytes) -> bytes:
        """
        What stands for credentials.
        """
        return blake2b(credentials, key=self._key, digest_size=32).digest()

    def get(self, key: bytes) -> ProxyUser | None:
        """
        Whose the credentials are, if they were found right in time.
        """
        found = self._users.get(key)
        if found is None:
            return None
        if self._clock.seconds() < found[1]:
            return found[0]
        del self._users[key]
        return None

    def put(self, key: bytes, user: ProxyUser, most: float | None = None) -> None:
        """
        Credentials have been found right.

        @param most: for how many seconds they are good at most; L{None} if there is no end.
        """
        lifetime = self._lifetime if most is None else min(self._lifetime, most)
        if lifetime <= 0:
            return
        self._users.pop(key, None)
        self._users[key] = (user, self._clock.seconds() + lifetime)
        if len(self._users) > MOST:
            del self._users[next(iter(self._users))]
