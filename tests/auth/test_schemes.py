"""
Tests for L{connectproxy.auth.schemes}.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.auth.credentials import Digested, Signed
from connectproxy.auth.digest import DigestScheme, Known, Unverified
from connectproxy.auth.schemes import DigestedUsers, SignedUsers, Unproved
from connectproxy.auth.tokens import Key, Revoked, TokenChecker, mint
from connectproxy.interfaces import ProxyUser
from tests.auth.test_credentials import DIGEST

KEY = Key(b"k" * 32)


class SignedUsersTests(SynchronousTestCase):
    """
    Tokens.
    """

    def setUp(self) -> None:
        """
        A checker at a time that stands still.
        """
        self.time = 1000.0
        self.users = SignedUsers(TokenChecker([KEY], Revoked(frozenset({"gone"})), lambda: self.time))

    def refused(self, token: bytes, user: bytes = b"") -> Unproved:
        """
        Why a token is not good.
        """
        return self.assertRaises(Unproved, self.users.requestAvatarId, Signed(token, user))

    def test_interface(self) -> None:
        """
        It is a checker.
        """
        verifyObject(ICredentialsChecker, self.users)

    def test_good(self) -> None:
        """
        A good token is whose it says, and until when is told.
        """
        token, _ = mint(KEY, "zoë", ["ci"], seconds=60, now=1000.0)
        signed = Signed(token.encode(), b"token")
        self.time = 1015.0
        self.assertEqual(self.users.requestAvatarId(signed), ProxyUser("zoë", frozenset({"ci"}), (), "token"))
        self.assertEqual(signed.lasts, 45.0)

    def test_bad(self) -> None:
        """
        One that was signed here is no guess, though it is too old or another's; any other
        one is.
        """
        token, _ = mint(KEY, "zoë", seconds=60, now=1000.0)
        other, _ = mint(Key(b"x" * 32), "zoë", seconds=60, now=1000.0)
        self.assertEqual(
            (self.refused(token.encode(), b"jo").guess, self.refused(other.encode()).guess), (False, True)
        )
        self.time = 2000.0
        refused = self.refused(token.encode())
        self.assertEqual((refused.reason, refused.guess), ("the token has expired", False))
        self.assertTrue(self.refused(b"nonsense").guess)


class DigestedUsersTests(SynchronousTestCase):
    """
    Digests.
    """

    def setUp(self) -> None:
        """
        A scheme that says what the test wants.
        """
        self.asked: list[Any] = []
        self.verdict: Any = "zoë"
        scheme = DigestScheme(Clock(), "proxy")
        self.patch(scheme, "verify", self.verify)
        self.users = DigestedUsers(scheme, self.lookup)

    def lookup(self, user: bytes, algorithm: str, hashed: bool) -> Known | None:
        """
        Who is not asked here.
        """
        raise AssertionError("the scheme asks")

    def verify(self, *arguments: Any) -> Any:
        """
        The scheme's verdict.
        """
        self.asked.append(arguments)
        return self.verdict

    def test_interface(self) -> None:
        """
        It is a checker.
        """
        verifyObject(ICredentialsChecker, self.users)

    def test_good(self) -> None:
        """
        What the scheme verifies with the request's method and target is good.
        """
        self.assertEqual(self.users.requestAvatarId(Digested(DIGEST, "GET", b"/")), "zoë")
        self.assertEqual(self.asked, [(DIGEST, "GET", b"/", self.lookup)])

    def test_bad(self) -> None:
        """
        What it does not is not; only a nonce that is too old makes it no guess.
        """
        for stale in (False, True):
            self.verdict = Unverified("why", stale)
            refused = self.assertRaises(Unproved, self.users.requestAvatarId, Digested(DIGEST, "GET", b"/"))
            self.assertEqual((refused.reason, refused.stale, refused.guess), ("why", stale, not stale))
