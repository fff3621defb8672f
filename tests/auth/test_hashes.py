"""
Tests for L{connectproxy.auth.hashes}.
"""

from __future__ import annotations

import hashlib
import importlib
from base64 import b64encode
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth import hashes
from connectproxy.auth.hashes import SCHEMES, available, makeHash, parseHash
from tests.auth.case import BCRYPT, SCRYPT, SECRET

MADE_BY_OTHERS = (
    # passlib's documentation, and that of OpenBSD's bcrypt, of Apache's htpasswd -B and of PHP.
    ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", b"password"),
    ("$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m", b"password"),
    ("$2y$10$.vGA1O9wmRjrwAVXD98HNOgsNpDczlqm3Jq7KnEd1rVAGv3Fykk1a", b"rasmuslerdorf"),
    ("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", b"password"),
    ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", b"password"),
)

REFUSED = (
    ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "found out fast"),
    ("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "found out fast"),
    ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", "found out fast"),
    ("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", "found out fast"),
    ("rqXexS6ZhobKA", "in clear"),
    (SECRET, "in clear"),
    ("*", "in clear"),
    ("$2b$12$tooshort", "not complete"),
    ("$2x$" + BCRYPT[4:], "not complete"),
    (BCRYPT + "x", "not complete"),
    ("$argon2d$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "not complete"),
    ("$argon2id$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "not complete"),
    ("$scrypt$ln=1,r=1,p=1$c2FsdA", "not complete"),
    (SCRYPT[:-2], "cut off"),
    (BCRYPT.replace("$04$", "$03$"), "none that bcrypt has"),
    (BCRYPT.replace("$04$", "$32$"), "none that bcrypt has"),
    (BCRYPT.replace("$04$", "$17$"), "too much of time"),
    ("$argon2id$v=19$m=7,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "none that argon2 has"),
    ("$argon2id$v=19$m=8,t=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "none that argon2 has"),
    ("$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "none that argon2 has"),
    ("$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "too much of memory"),
    ("$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "too much of memory"),
    ("$argon2id$v=19$m=65536,t=1,p=65$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "too much of memory"),
    ("$argon2id$v=19$m=65536,t=65,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "too much of time"),
    (SCRYPT.replace("ln=1", "ln=0"), "none that scrypt has"),
    (SCRYPT.replace("r=1", "r=0"), "none that scrypt has"),
    (SCRYPT.replace("p=1", "p=0"), "none that scrypt has"),
    (SCRYPT.replace("ln=1", "ln=24"), "too much of memory"),
    (SCRYPT.replace("ln=1", "ln=99"), "too much of memory"),
    (SCRYPT.replace("r=1", "r=999999").replace("p=1", "p=999999"), "too much of memory"),
    (SCRYPT.replace("ln=1", "ln=20").replace("p=1", "p=33"), "too much of time"),
)


class ParseTests(SynchronousTestCase):
    """
    Hashes in a file.
    """

    def test_othersHashes(self) -> None:
        """
        Hashes that other programs have made are understood.
        """
        for text, password in MADE_BY_OTHERS:
            found = parseHash(text)
            self.assertTrue(found.verify(password), text)
            self.assertFalse(found.verify(password + b"x"), text)

    def test_quick(self) -> None:
        """
        So are the quick ones of these tests.
        """
        for text, scheme in ((SCRYPT, "scrypt"), (BCRYPT, "bcrypt")):
            self.assertEqual(parseHash(text).scheme, scheme)
            self.assertTrue(parseHash(text).verify(SECRET.encode()))

    def test_refused(self) -> None:
        """
        Weak, broken and absurd ones are not, and no word of them is repeated.
        """
        for text, words in REFUSED:
            error = self.assertRaises(ValueError, parseHash, text)
            self.assertIn(words, error.args[0], text)
            self.assertIn("connectproxy passwd", error.args[1])
            self.assertNotIn(text[3:] or "nothing", str(error))

    def test_limits(self) -> None:
        """
        The most that is taken is taken.
        """
        for text in (
            BCRYPT.replace("$04$", "$16$"),
            "$argon2id$v=19$m=1048576,t=4,p=64$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
            SCRYPT.replace("ln=1", "ln=23").replace("p=1", "p=4"),
        ):
            parseHash(text)

    def test_shows(self) -> None:
        """
        A hash does not show itself: it can be guessed at.
        """
        self.assertEqual(repr(parseHash(SCRYPT)), "Hash(scrypt, ...)")

    def test_bcryptLong(self) -> None:
        """
        bcrypt looks at 72 octets: what is longer is wrong, though it begins right, and
        raises nothing (conformance 67).
        """
        import bcrypt

        password = b"x" * 72
        found = parseHash(bcrypt.hashpw(password, bcrypt.gensalt(4)).decode())
        self.assertTrue(found.verify(password))
        for wrong in (b"x" * 73, b"x" * 71, b"x" * 10_000, b"x" * 71 + b"\0", b"\0" * 80, b""):
            self.assertFalse(found.verify(wrong))

    def test_odd(self) -> None:
        """
        Passwords of every kind are right or wrong, and nothing else (conformance 67).
        """
        found = [
            parseHash(makeCheap(scheme, "pä:ß\U0001f511".encode()))
            for scheme in ("argon2", "scrypt", "bcrypt")
        ]
        for password in (b"", b"\0", b"\xff", b":", b"x" * 100_000):
            self.assertEqual([each.verify(password) for each in found], [False] * 3)
        self.assertEqual([each.verify("pä:ß\U0001f511".encode()) for each in found], [True] * 3)

    def test_damagedArgon2(self) -> None:
        """
        A hash whose Base64 makes no sense matches nothing, and raises nothing.
        """
        found = parseHash("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHR$AAAAAAAAAAAAAAAAB")
        self.assertFalse(found.verify(b"password"))

    def test_missingLibrary(self) -> None:
        """
        Where a library is missing it is said how to install it; scrypt needs none.
        """

        def without(name: str) -> Any:
            if name in ("bcrypt", "argon2.low_level"):
                raise ImportError(name)
            return importlib.import_module(name)

        with patch.object(hashes, "import_module", without):
            for text in (BCRYPT, MADE_BY_OTHERS[4][0]):
                error = self.assertRaises(ValueError, parseHash, text)
                self.assertIn("is not installed", error.args[0])
                self.assertEqual(error.args[1], "pip install 'connectproxy[users]'")
            self.assertTrue(parseHash(SCRYPT).verify(SECRET.encode()))
            self.assertEqual([available(scheme) for scheme in SCHEMES], [False, False, True])
        self.assertEqual([available(scheme) for scheme in SCHEMES], [True, True, True])

    @given(st.text(alphabet="$argon2idscryptb=,v19mt0", max_size=40))
    def test_anything(self, text: str) -> None:
        """
        Whatever stands there is a hash or is refused with advice.
        """
        try:
            parseHash(text)
        except ValueError as error:
            self.assertEqual(len(error.args), 2)


def makeCheap(scheme: str, password: bytes) -> str:
    """
    A hash at next to no cost.
    """
    from argon2 import low_level

    if scheme == "argon2":
        return low_level.hash_secret(password, b"saltsalt", 1, 8, 1, 16, low_level.Type.ID).decode()
    if scheme == "bcrypt":
        import bcrypt

        return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()
    key = b64encode(hashlib.scrypt(password, salt=b"saltsalt", n=2, r=1, p=1, dklen=32)).decode()
    return f"$scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ${key.rstrip('=')}"


class MakeTests(SynchronousTestCase):
    """
    New hashes.
    """

    def test_made(self) -> None:
        """
        Each scheme makes what it understands, at a usual cost, with a salt of its own.
        """
        starts = {
            "argon2": "$argon2id$v=19$m=65536,t=3,p=4$",
            "bcrypt": "$2b$12$",
            "scrypt": "$scrypt$ln=16,r=8,p=1$",
        }
        self.assertEqual(set(starts), set(SCHEMES))
        for scheme in SCHEMES:
            made = makeHash(scheme, SECRET.encode())
            self.assertTrue(made.startswith(starts[scheme]), made)
            found = parseHash(made)
            self.assertEqual(
                (found.scheme, found.verify(SECRET.encode()), found.verify(b"x")), (scheme, True, False)
            )
            self.assertNotEqual(made, makeHash(scheme, SECRET.encode()))

    def test_bcryptLong(self) -> None:
        """
        What bcrypt would cut off is refused when the hash is made.
        """
        error = self.assertRaises(ValueError, makeHash, "bcrypt", b"x" * 73)
        self.assertIn("73 octets", error.args[0])
