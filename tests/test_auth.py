"""
Tests for L{connectproxy.auth}.
"""

from __future__ import annotations

import pickle
from base64 import b64encode
from typing import Any
from unittest.mock import patch

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import auth
from connectproxy.auth import OneUser
from connectproxy.config import configure
from connectproxy.errors import Refusal
from connectproxy.interfaces import IAuthenticator

PASSWORD = "open sesame"


def fields(plain: str | bytes) -> tuple[tuple[bytes, bytes], ...]:
    """
    A request's fields with credentials among them.
    """
    octets = plain.encode() if isinstance(plain, str) else plain
    return (
        (b"host", b"host.example"),
        (b"authorization", b"Basic " + b64encode(b"another:one")),
        (b"proxy-authorization", b"Basic " + b64encode(octets)),
    )


class OneUserTests(SynchronousTestCase):
    """
    One user with one password.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.users = OneUser("Aladdin", PASSWORD)

    def assertRefused(self, said: str | Refusal, words: str = "the user or the password is wrong") -> None:
        """
        Somebody is not let in, and told to give credentials.
        """
        self.assertEqual(said, Refusal("proxy_authentication_required", words))

    def test_interface(self) -> None:
        """
        It is an authenticator.
        """
        verifyObject(IAuthenticator, self.users)

    def test_right(self) -> None:
        """
        With the right credentials it says who that is, in every protocol.
        """
        self.assertEqual(self.users.identify(fields("Aladdin:open sesame")), "Aladdin")
        self.assertEqual(self.users.check(b"Aladdin", b"open sesame"), "Aladdin")

    def test_wrong(self) -> None:
        """
        With others it says that they are wrong, and not which of the two.
        """
        for user, password in (
            ("Aladdin", "open"),
            ("Aladdin", "open sesame "),
            ("Aladdin", ""),
            ("aladdin", PASSWORD),
            ("Jafar", PASSWORD),
            ("", PASSWORD),
            ("", ""),
            ("Aladdinopen", " sesame"),
            ("Aladdi", "nopen sesame"),
        ):
            self.assertRefused(self.users.identify(fields(f"{user}:{password}")))
            self.assertRefused(self.users.check(user.encode(), password.encode()))

    def test_boundary(self) -> None:
        """
        Where the user ends and the password begins counts: digits that move over do not
        make another pair of the same octets.
        """
        for user, password in (("1", "2:1x"), ("12", "1x"), ("1" * 12, "x")):
            users = OneUser(user, password)
            for cut in range(len(user + password) + 1):
                other = (user + password)[:cut], (user + password)[cut:]
                said = users.check(other[0].encode(), other[1].encode())
                self.assertEqual(said == user, other == (user, password))

    def test_noCredentials(self) -> None:
        """
        What is wrong with the field is said in the parser's words (conformance 66 and 67).
        """
        self.assertRefused(self.users.identify(()), "the request has no Proxy-Authorization")
        self.assertRefused(
            self.users.identify(((b"authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)),
            "the request has no Proxy-Authorization",
        )
        twice = fields("Aladdin:open sesame") + fields("Aladdin:open sesame")
        self.assertRefused(
            self.users.identify(twice), "there are 2 Proxy-Authorization fields; there must be one"
        )

    def test_notText(self) -> None:
        """
        Octets that are not UTF-8 are wrong, and no error (conformance 67).
        """
        self.assertRefused(self.users.check(b"\xff", PASSWORD.encode()))
        self.assertRefused(self.users.check(b"Aladdin", b"\xff"))
        self.assertRefused(self.users.check(b"Alad\x00din", b"open sesame"))

    def test_normalForm(self) -> None:
        """
        It does not matter in which form operator and client write an accent (conformance
        67); the name that comes out is in normal form C.
        """
        for made in (OneUser("Zoë", "pässwort"), OneUser("Zoe\u0308", "pa\u0308sswort")):
            for given in ("Zoë:pässwort", "Zoe\u0308:pa\u0308sswort"):
                self.assertEqual(made.identify(fields(given)), "Zoë")
                user, _, password = given.partition(":")
                self.assertEqual(made.check(user.encode(), password.encode()), "Zoë")
        self.assertRefused(OneUser("Zoë", "x").check(b"Zoe", b"x"))

    def test_colons(self) -> None:
        """
        A password may have colons (conformance 67).
        """
        users = OneUser("user", ":a:b:")
        self.assertEqual(users.identify(fields("user::a:b:")), "user")
        self.assertRefused(users.identify(fields("user:a:b:")))

    def test_emptyPassword(self) -> None:
        """
        An empty password is one like others.
        """
        self.assertEqual(OneUser("user", "").identify(fields("user:")), "user")

    def test_impossible(self) -> None:
        """
        What no client could say is refused, in words that repeat nothing of it.
        """
        for user, password in (
            ("", PASSWORD),
            ("Ala:ddin", PASSWORD),
            ("Ala\ndin", PASSWORD),
            ("Aladdin", PASSWORD + "\x7f"),
            ("Aladdin", PASSWORD + "\udc80"),
            ("Aladdin\ud800", PASSWORD),
        ):
            error = self.assertRaises(ValueError, OneUser, user, password)
            self.assertNotIsInstance(error, UnicodeError)
            self.assertIn("a user has a name without a colon", str(error))
            self.assertTrue(error.__suppress_context__ or error.__context__ is None)

    def test_configured(self) -> None:
        """
        The pair of a configuration, which hides itself, is taken as it is.
        """
        pair = configure(auth={"basic": "Aladdin:open:sesame"})["auth.basic"]
        user, _, password = pair.partition(":")
        self.assertEqual(OneUser(user, password).check(b"Aladdin", b"open:sesame"), "Aladdin")

    def test_constantTime(self) -> None:
        """
        What is compared is equally long whatever was said, by a comparison whose time
        tells nothing (conformance 67).
        """
        seen = []

        def compare(one: bytes, other: bytes) -> bool:
            seen.append((len(one), len(other)))
            return one == other

        with patch.object(auth, "compare_digest", compare):
            for user, password in ((b"Aladdin", b"open sesame"), (b"", b""), (b"x" * 255, b"y" * 255)):
                self.users.check(user, password)
        self.assertEqual(seen, [(64, 64)] * 3)

    def test_nothingShows(self) -> None:
        """
        Neither password nor name is in what is kept, nor in a traceback with the values of
        variables (conformance 69).
        """
        shown = repr(self.users) + repr(pickle.dumps(vars(self.users)))
        self.assertNotIn(PASSWORD, shown)
        with patch.object(auth, "compare_digest", lambda one, other: 1 / 0):
            try:
                self.users.identify(fields(f"Aladdin:{PASSWORD}"))
            except ZeroDivisionError:
                traceback = Failure().getTraceback()
        self.assertNotIn(PASSWORD, traceback)

    def test_keyed(self) -> None:
        """
        The digest of one is no use with another: the key is each one's own.
        """
        other: Any = OneUser("Aladdin", PASSWORD)
        self.assertNotEqual(vars(other)["_expected"], vars(self.users)["_expected"])
