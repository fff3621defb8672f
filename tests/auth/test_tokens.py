"""
Tests for L{connectproxy.auth.tokens}.
"""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Any
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.tokens import (
    LEEWAY,
    LONGEST,
    Good,
    Key,
    Revoked,
    TokenChecker,
    fitName,
    looksLikeToken,
    mint,
    missing,
)
from connectproxy.interfaces.identity import ProxyUser
from tests.auth.tokencase import CLAIMS, HEADER, KEY, NOW, OTHER, TokenCase, part, signed


class CheckTests(TokenCase):
    """
    Which tokens are good.
    """

    def test_good(self) -> None:
        """
        All that it says; it may be cached until it expires, and no longer.
        """
        self.assertEqual(
            self.checker.check(signed()), Good(ProxyUser("ci", means="token"), NOW + 60, "an-id")
        )
        token = signed({**CLAIMS, "groups": ["a", "b"], "limits": ["y", "x"], "nbf": NOW, "more": {"a": [1]}})
        expected = ProxyUser("ci", frozenset(("a", "b")), ("y", "x"), "token")
        self.assertEqual(self.checker.check(token), Good(expected, NOW + 60, "an-id"))

    def test_minted(self) -> None:
        """
        What we make, we take.
        """
        token, identifier = mint(KEY, "use\u0301r", ["a"], ["x"], 60, NOW)
        expected = ProxyUser("usér", frozenset("a"), ("x",), "token")
        self.assertEqual(self.checker.check(token.encode()), Good(expected, NOW + 60, identifier))
        self.assertNotEqual(mint(KEY, "ci")[1], mint(KEY, "ci")[1])

    def test_form(self) -> None:
        """
        What is no token is not looked into.
        """
        good = signed()
        for token in (
            b"",
            b"eyJ",
            b"eyJ.eyJ",
            b"..",
            good + b".",
            b"." + good,
            good + b"=",
            good + b"\n",
            good + b" ",
            good.replace(b".", b".."),
            good.partition(b".")[2],
            b"sesame",
            "é".encode() + good,
        ):
            self.assertBad(token, "is no JSON Web Token")

    def test_long(self) -> None:
        """
        Neither is what is too long, or begins with too much.
        """
        self.assertBad(good := signed({**CLAIMS, "x": "y" * LONGEST}), "more than 4096 octets")
        self.assertGreater(len(good), LONGEST)
        self.assertBad(b"eyJ" + b"A" * (1 << 24), "more than 4096 octets")
        self.assertBad(signed(header={**HEADER, "x": "y" * 256}), "is no JSON Web Token")
        self.assertIsInstance(self.checker.check(signed(header={**HEADER, "x": "y" * 100})), Good)

    def test_forged(self) -> None:
        """
        Another key, another signature, or claims that have been changed.
        """
        head, claims, signature = signed().split(b".")
        for token in (
            signed(key=OTHER),
            b".".join((head, part({**CLAIMS, "sub": "sesame"}), signature)),
            b".".join((part({**HEADER, "kid": "x"}), claims, signature)),
            b".".join((head, claims, signature[:-2] + b"AA")),
            b".".join((head, claims, signature[:-1])),
            b".".join((head, claims, b"A")),
            b".".join((head, claims, part(b"\0" * 32))),
        ):
            self.assertBad(token, "signed with none of the keys")

    def test_algorithm(self) -> None:
        """
        The algorithm is ours to say, and not the token's (RFC 8725 section 3.1): none in any
        case, another hash, another kind of key, or an algorithm that is missing.
        """
        for name in (
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "HS384",
            "HS512",
            "RS256",
            "ES256",
            "hs256",
            None,
            1,
            ["HS256"],
        ):
            self.assertBad(signed(header={**HEADER, "alg": name}), "signed with none of the keys")
        self.assertBad(signed(header={"typ": "JWT"}), "signed with none of the keys")
        unsigned = jwt.encode(CLAIMS, None, algorithm="none")
        self.assertBad(unsigned.encode(), "is no JSON Web Token")
        self.assertBad(unsigned.encode() + b"AAAA", "signed with none of the keys")
        private = rsa.generate_private_key(65537, 2048)
        self.assertBad(
            jwt.encode(CLAIMS, private, algorithm="RS256").encode(), "signed with none of the keys"
        )
        for name in ("HS384", "HS512"):
            with mock.patch("warnings.warn"):  # that the key is short for them
                made = jwt.encode(CLAIMS, KEY.octets, algorithm=name)
            self.assertBad(made.encode(), "signed with none of the keys")

    def test_header(self) -> None:
        """
        What a header may ask for and we do not know is refused, and so is what is none.
        """
        for header in (
            {**HEADER, "crit": ["sesame"], "sesame": 1},
            {**HEADER, "crit": ["b64"], "b64": False},
            {**HEADER, "b64": False},
            {**HEADER, "b64": True},
        ):
            self.assertBad(signed(header=header), "signed with none of the keys")
        self.assertBad(signed(header=[]), "is no JSON Web Token")
        self.assertBad(signed(header=b'{"alg":"HS256"'), "signed with none of the keys")
        self.assertBad(signed(header=b'{"x":' + b"[" * 150), "signed with none of the keys")

    def test_claims(self) -> None:
        """
        Claims that are signed, and no object; or are nested as deeply as there is room for.
        """
        self.assertBad(signed(b""), "is no JSON Web Token")
        for claims in (b"\xff", b'{"sub"', b"[" * 2900, b'{"a":' * 500):
            self.assertBad(signed(claims), "no object of JSON")
        for claims in ([], "sesame", 1, None, [CLAIMS]):
            self.assertBad(signed(claims), "no object of JSON")
        self.assertBad(signed(b'{"sub":' + b"[" * 400 + b"]" * 400 + b"}"), "aud")

    def test_times(self) -> None:
        """
        A token has an end and a beginning; the leeway is for the latter.
        """
        self.now = NOW + 59.9
        self.assertIsInstance(self.checker.check(signed()), Good)
        self.now = NOW + 60.0
        self.assertBad(signed(), "has expired")
        self.now = NOW - LEEWAY
        self.assertIsInstance(self.checker.check(signed()), Good)
        self.now = NOW - LEEWAY - 0.1
        self.assertBad(signed(), "is not good yet")
        self.now = NOW
        self.assertBad(signed({**CLAIMS, "nbf": NOW + 30}), "is not good yet")
        self.assertIsInstance(self.checker.check(signed({**CLAIMS, "exp": NOW + 0.5})), Good)

    def test_rotation(self) -> None:
        """
        A token signed with any of the keys is good, and with none of none.
        """
        self.checker = self.make(OTHER, KEY)
        self.assertIsInstance(self.checker.check(signed()), Good)
        self.assertIsInstance(self.checker.check(signed(key=OTHER)), Good)
        self.assertBad(signed(key=Key(b"x" * 32)), "none of the keys")
        self.checker = self.make()
        self.assertBad(signed(), "none of the keys")

    def test_revokedId(self) -> None:
        """
        A single token.
        """
        self.checker = self.make(KEY, revoked=Revoked(frozenset(("an-id",))))
        self.assertBad(signed(), "has been revoked")
        self.assertIsInstance(self.checker.check(signed({**CLAIMS, "jti": "an-ID"})), Good)

    def test_revokedUser(self) -> None:
        """
        All tokens of a user that were made before a time.
        """
        self.checker = self.make(KEY, revoked=Revoked(before={"ci": NOW, "usér": NOW + 1.0}))
        self.assertIsInstance(self.checker.check(signed()), Good)
        self.assertBad(signed({**CLAIMS, "iat": NOW - 1}), "has been revoked")
        self.assertBad(signed({**CLAIMS, "sub": "use\u0301r"}), "has been revoked")
        self.assertIsInstance(self.checker.check(signed({**CLAIMS, "sub": "bob", "iat": 0})), Good)

    def test_asPassword(self) -> None:
        """
        In front of a token that comes as a password there is nothing, C{token}, or its user.
        """
        token = signed({**CLAIMS, "sub": "usér"})
        for user in (b"", b"token", "usér".encode()):
            self.assertIsInstance(self.checker.check(token, user), Good)
        for user in (b"Token", b"user", b"ci", b" "):
            self.assertBad(token, "is another user's", user)

    def test_secrets(self) -> None:
        """
        Neither a key nor a token shows, not even in the traceback of what a library raises
        (conformance 69).
        """
        self.assertNotIn("kkk", f"{KEY} {KEY!r} {[KEY]}")
        shown = []
        decode = self.checker._decode

        def watched(*args: Any, **more: Any) -> Any:
            try:
                return decode(*args, **more)
            except Exception:
                shown.append(traceback.format_exc())
                raise

        self.checker._decode = watched
        token = signed(key=OTHER)
        found = self.checker.check(token)
        self.assertTrue(shown)
        for secret in (token.split(b".")[2].decode("ascii"), token.split(b".")[1].decode("ascii")):
            self.assertNotIn(secret, shown[0] + str(found))

    def test_theirs(self) -> None:
        """
        The library makes of our tokens what we do, and we of the library's.
        """
        made = jwt.encode(CLAIMS, KEY.octets, algorithm="HS256")
        self.assertIsInstance(self.checker.check(made.encode()), Good)
        token = mint(KEY, "ci", seconds=60)[0]
        claims = jwt.decode(token, KEY.octets, algorithms=["HS256"], audience="connectproxy")
        self.assertEqual((claims["sub"], claims["exp"] - claims["iat"]), ("ci", 60))

    @given(st.tuples(st.integers(0, 300), st.integers(0, 5), st.binary(max_size=3)))
    def test_mutated(self, change: tuple[int, int, bytes]) -> None:
        """
        No token but itself is good.
        """
        at, many, inserted = change
        token = signed()
        other = token[:at] + inserted + token[at + many :]
        found = self.checker.check(other)
        self.assertEqual(isinstance(found, Good), other == token)


class MintTests(SynchronousTestCase):
    """
    Making tokens.
    """

    def test_claims(self) -> None:
        """
        What is in one; lists that are empty are left out.
        """
        token, identifier = mint(KEY, "ci", seconds=90.9, now=NOW + 0.9)
        claims = jwt.decode(token, options={"verify_signature": False})
        self.assertEqual(
            claims, {"sub": "ci", "iat": NOW, "exp": NOW + 90, "jti": identifier, "aud": "connectproxy"}
        )

    def test_socks(self) -> None:
        """
        The token of a user with a short name and a group fits into SOCKS (RFC 1929).
        """
        self.assertLessEqual(len(mint(KEY, "ci", ["agents"])[0]), 255)

    def test_badNames(self) -> None:
        """
        What is no name is refused, without being shown.
        """
        for name in ("", "ses\name", "x" * 256, "\udc80"):
            for given_ in ((name,), ("ci", [name]), ("ci", [], ["a", name])):
                error = self.assertRaises(ValueError, mint, KEY, *given_)
                self.assertIn("is no name: give", str(error))
        error = self.assertRaises(ValueError, mint, KEY, "ci", ["g"] * 65)
        self.assertIn("more than 64 groups", str(error))

    def test_tooLong(self) -> None:
        """
        A token that nobody would take is not made.
        """
        error = self.assertRaises(ValueError, mint, KEY, "ci", [f"{number:0200}" for number in range(30)])
        self.assertIn("more than 4096", str(error))


class LibraryTests(SynchronousTestCase):
    """
    Without PyJWT.
    """

    def test_there(self) -> None:
        """
        Nothing is missing.
        """
        self.assertEqual(missing(), "")

    def test_missing(self) -> None:
        """
        It is told what to install; also where there is another library of that name.
        """
        for module in (None, ModuleType("jwt")):
            self.patch(sys, "modules", {**sys.modules, "jwt": module})
            self.assertIn("pip install 'connectproxy[tokens]'", missing())
            for call in (lambda: mint(KEY, "ci"), lambda: TokenChecker([KEY])):
                error = self.assertRaises(RuntimeError, call)
                self.assertEqual(str(error), missing())


class FormTests(SynchronousTestCase):
    """
    Small things.
    """

    def test_looks(self) -> None:
        """
        What is taken for a token where a password stands.
        """
        for password in (signed(), mint(KEY, "ci")[0].encode(), b"eyJ.a.b".replace(b"J.", b"Jx.")):
            self.assertTrue(looksLikeToken(password))
        for password in (
            b"",
            b"eyJ",
            b"eyJhbGci",
            b"a.b.c",
            b"eyJ.a.b!",
            b"eyJx.a.b" + b"c" * LONGEST,
            b"eyJx.a",
        ):
            self.assertFalse(looksLikeToken(password))

    def test_fitName(self) -> None:
        """
        Names, in their normal form and no longer than RFC 1929 permits.
        """
        for name, expected in (("a", "a"), ("e\u0301", "é"), ("a b:c", "a b:c"), ("é" * 127, "é" * 127)):
            self.assertEqual(fitName(name), expected)
        for wrong in ("", "é" * 128, "\x7f", "a\x85", b"a", 1, None):
            self.assertIsNone(fitName(wrong))
