"""
Tests for L{connectproxy.auth.pair}.
"""

from __future__ import annotations

import pickle
from typing import Any
from unittest.mock import patch

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.auth import pair
from connectproxy.auth.credentials import UserPassword
from connectproxy.auth.pair import OnePair
from connectproxy.config import configure
from tests.auth.case import SECRET


class OnePairTests(SynchronousTestCase):
    """
    One user with one password.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.pair = OnePair("Aladdin", SECRET)

    def ask(self, user: str, password: str, pair: OnePair | None = None) -> Any:
        """
        Check a pair: the name, or L{None}.
        """
        try:
            return (pair or self.pair).requestAvatarId(UserPassword(user.encode(), password.encode()))
        except UnauthorizedLogin:
            return None

    def test_interface(self) -> None:
        """
        It is a checker.
        """
        verifyObject(ICredentialsChecker, self.pair)

    def test_right(self) -> None:
        """
        The right pair is right.
        """
        self.assertEqual(self.ask("Aladdin", SECRET), b"Aladdin")
        self.assertEqual((self.pair.knows(b"Aladdin"), self.pair.knows(b"Jafar")), (True, False))

    def test_wrong(self) -> None:
        """
        Every other one is wrong.
        """
        for user, password in (
            ("Aladdin", "open"),
            ("Aladdin", "open sesame "),
            ("Aladdin", ""),
            ("aladdin", SECRET),
            ("Jafar", SECRET),
            ("", SECRET),
            ("", ""),
            ("Aladdinopen", " sesame"),
            ("Aladdi", "nopen sesame"),
        ):
            self.assertIs(self.ask(user, password), None)

    def test_boundary(self) -> None:
        """
        Where the user ends and the password begins counts: digits that move over do not
        make another pair of the same octets.
        """
        for user, password in (("1", "2:1x"), ("12", "1x"), ("1" * 12, "x")):
            one = OnePair(user, password)
            for cut in range(len(user + password) + 1):
                other = (user + password)[:cut], (user + password)[cut:]
                self.assertEqual(self.ask(*other, pair=one) is not None, other == (user, password))

    def test_normalForm(self) -> None:
        """
        It does not matter in which form the operator has written an accent (conformance 67).
        """
        for one in (OnePair("Zoë", "pässwort"), OnePair("Zoe\u0308", "pa\u0308sswort")):
            self.assertEqual(self.ask("Zoë", "pässwort", one), "Zoë".encode())

    def test_impossible(self) -> None:
        """
        What no client could say is refused, in words that repeat nothing of it.
        """
        for user, password in (
            ("", SECRET),
            ("Ala:ddin", SECRET),
            ("Ala\ndin", SECRET),
            ("Aladdin", SECRET + "\x7f"),
            ("Aladdin", SECRET + "\udc80"),
            ("Aladdin\ud800", SECRET),
        ):
            error = self.assertRaises(ValueError, OnePair, user, password)
            self.assertNotIsInstance(error, UnicodeError)
            self.assertIn("a user has a name without a colon", str(error))
            self.assertTrue(error.__suppress_context__ or error.__context__ is None)

    def test_configured(self) -> None:
        """
        The pair of a configuration, which hides itself, is taken as it is; the password
        may have colons and be empty (conformance 67).
        """
        said = configure(auth={"basic": "Aladdin:open:sesame"})["auth.basic"]
        user, _, password = said.partition(":")
        self.assertEqual(self.ask("Aladdin", "open:sesame", OnePair(user, password)), b"Aladdin")
        self.assertEqual(self.ask("user", "", OnePair("user", "")), b"user")

    def test_constantTime(self) -> None:
        """
        What is compared is equally long whatever was said, by a comparison whose time
        tells nothing (conformance 67).
        """
        seen = []

        def compare(one: bytes, other: bytes) -> bool:
            seen.append((len(one), len(other)))
            return one == other

        with patch.object(pair, "compare_digest", compare):
            for user, password in (("Aladdin", SECRET), ("", ""), ("x" * 255, "y" * 255)):
                self.ask(user, password)
        self.assertEqual(seen, [(64, 64)] * 3)

    def test_nothingShows(self) -> None:
        """
        The password is not in what is kept (conformance 69), and the digest of one is no use
        with another: the key is each one's own.
        """
        self.assertNotIn(SECRET, repr(self.pair) + repr(pickle.dumps(vars(self.pair))))
        self.assertNotEqual(vars(OnePair("Aladdin", SECRET))["_expected"], vars(self.pair)["_expected"])
