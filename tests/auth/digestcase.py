"""
A user, a scheme, and a client that knows the user's password.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.digest import DigestScheme, Known, Unverified
from connectproxy.wire.authorization import Digest, nameHash, secretHash
from connectproxy.wire.authorization.parameters import readParameters

__all__ = ["REALM", "TARGET", "USER", "DigestCase"]

REALM = "connectproxy"
USER = "usér"
PASSWORD = b"open sesame"
TARGET = b"example.com:443"


class DigestCase(SynchronousTestCase):
    """
    A scheme, and a client that knows a password.
    """

    def setUp(self) -> None:
        """
        One user, for both algorithms.
        """
        self.clock = Clock()
        self.clock.advance(1_700_000_000.25)
        self.scheme = DigestScheme(self.clock, REALM, 300.0)

    def lookup(self, user: bytes, algorithm: str, hashed: bool) -> Known | None:
        """
        Find the user.
        """
        name = USER.encode()
        if user != (nameHash(algorithm, name, REALM.encode()) if hashed else name):
            return None
        return Known(USER, secretHash(algorithm, name, REALM.encode(), PASSWORD))

    def nonce(self, scheme: DigestScheme | None = None) -> bytes:
        """
        Have a new nonce.
        """
        found = readParameters((scheme or self.scheme).challenges()[0].partition(" ")[2].encode("ascii"))
        assert isinstance(found, dict)
        return found[b"nonce"]

    def answer(
        self,
        nonce: bytes,
        count: int = 1,
        *,
        algorithm: str = "SHA-256",
        uri: bytes = TARGET,
        method: bytes = b"CONNECT",
        user: bytes = USER.encode(),
        password: bytes = PASSWORD,
        hashed: bool = False,
        realm: bytes = REALM.encode(),
    ) -> Digest:
        """
        What a client makes of a challenge.
        """
        base = algorithm.removesuffix("-sess")
        said = nameHash(base, user, realm) if hashed else user
        made = Digest(said, hashed, algorithm, realm, nonce, uri, b"", b"%08x" % count, b"cnonce")
        return made._replace(response=made.expected(secretHash(base, user, realm, password), method))

    def verify(
        self,
        credentials: Digest,
        method: str = "CONNECT",
        target: bytes = TARGET,
        scheme: DigestScheme | None = None,
    ) -> str | Unverified:
        """
        Have credentials judged.
        """
        return (scheme or self.scheme).verify(credentials, method, target, self.lookup)

    def assertRefused(self, found: str | Unverified, why: str, *, stale: bool = False) -> None:
        """
        Credentials were not taken.
        """
        assert isinstance(found, Unverified), found
        self.assertIn(why, found.reason)
        self.assertEqual(found.stale, stale)
