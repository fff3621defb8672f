"""
Tests for L{connectproxy.auth.digestfile}.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.digest import Known
from connectproxy.auth.digestfile import DigestUsers, readDigestUsers
from connectproxy.config import Problem
from connectproxy.wire.authorization import nameHash

REALM = "connectproxy"


def line(user: str, algorithm: str = "sha256", realm: str = REALM, password: str = "open sesame") -> str:
    """
    A line as it should be.
    """
    return f"{user}:{realm}:{digits(user, algorithm, realm, password)}\n"


def digits(user: str, algorithm: str = "sha256", realm: str = REALM, password: str = "open sesame") -> str:
    """
    The hash of a user, a realm and a password.
    """
    return hashlib.new(algorithm, f"{user}:{realm}:{password}".encode()).hexdigest()


class ReadTests(SynchronousTestCase):
    """
    Reading the file.
    """

    def setUp(self) -> None:
        """
        A place for it.
        """
        self.path = Path(self.mktemp())

    def read(
        self, text: str | bytes, *, md5: bool = False, realm: str = REALM
    ) -> tuple[DigestUsers, list[Problem]]:
        """
        Write a file, and read it.
        """
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        problems: list[Problem] = []
        return readDigestUsers(str(self.path), realm, md5, problems), problems

    def assertProblem(self, text: str | bytes, why: str, number: int = 1) -> None:
        """
        There is something wrong in one line, of which nothing is shown.
        """
        _, problems = self.read(text)
        ((key, place, message, advice),) = problems
        self.assertEqual((key, place), ("auth.digest_users", f"{self.path}:{number}"))
        self.assertIn(why, message)
        self.assertTrue(advice)
        self.assertNotIn("ann", message + advice)
        self.assertNotIn(digits("ann")[:8], message + advice)

    def test_users(self) -> None:
        """
        Users by their names, and by the hashes of their names (conformance 68).
        """
        users, problems = self.read(f"# people\n\n{line('ann')}  {line('Jäsøn Doe')}\r\n")
        self.assertEqual((problems, users.count), ([], 2))
        for name in ("ann", "Jäsøn Doe"):
            expected = Known(name, digits(name).encode("ascii"))
            self.assertEqual(users.find(name.encode(), "SHA-256", False), expected)
            hashed = nameHash("SHA-256", name.encode(), REALM.encode())
            self.assertEqual(users.find(hashed, "SHA-256", True), expected)
            self.assertIsNone(users.find(hashed, "SHA-256", False))
            self.assertIsNone(users.find(name.encode(), "MD5", False))
        self.assertIsNone(users.find(b"bob", "SHA-256", False))
        self.assertIsNone(users.find(b"00" * 32, "SHA-256", True))

    def test_bothAlgorithms(self) -> None:
        """
        A user may have a hash by each algorithm (conformance 68).
        """
        users, problems = self.read(line("ann") + line("ann", "md5"), md5=True)
        self.assertEqual((problems, users.count), ([], 2))
        for algorithm, name in (("SHA-256", "sha256"), ("MD5", "md5")):
            expected = Known("ann", digits("ann", name).encode("ascii"))
            self.assertEqual(users.find(b"ann", algorithm, False), expected)
            hashed = nameHash(algorithm, b"ann", REALM.encode())
            self.assertEqual(users.find(hashed, algorithm, True), expected)

    def test_md5(self) -> None:
        """
        MD5 only by option, and the message says by which (conformance 68).
        """
        self.assertProblem(line("ann", "md5"), "hash is by MD5")
        self.assertIn("auth.digest_md5 = true", self.read(line("ann", "md5"))[1][0].advice)

    def test_normalForm(self) -> None:
        """
        Names are compared in their normal form (conformance 67), so two of them may be one.
        """
        users, _ = self.read(f"use\u0301r:{REALM}:{digits('usér').upper()}")
        found = users.find("usér".encode(), "SHA-256", False)
        self.assertEqual(found, Known("usér", digits("usér").encode("ascii")))
        self.assertProblem(line("usér") + line("use\u0301r"), "a second time", 2)

    def test_realmWithColon(self) -> None:
        """
        Only users have no colon.
        """
        users, problems = self.read(line("ann", realm="a:b"), realm="a:b")
        self.assertEqual((problems, users.count), ([], 1))

    def test_problems(self) -> None:
        """
        Every kind of line that can't be used, with its place; and the others are read.
        """
        for text, why in (
            ("ann", "no user, realm and hash"),
            ("ann:" + digits("ann"), "no user, realm and hash"),
            (f":{REALM}:{digits('')}", "the user is no name"),
            (f"an\x00n:{REALM}:{digits('ann')}", "the user is no name"),
            (f"{'a' * 256}:{REALM}:{digits('ann')}", "the user is no name"),
            (line("ann", realm="other"), "another realm"),
            (f"ann:{REALM}:", "neither 64 hexadecimal digits"),
            (f"ann:{REALM}:{digits('ann')[:-1]}", "neither 64 hexadecimal digits"),
            (f"ann:{REALM}:{digits('ann')[:-1]}g", "neither 64 hexadecimal digits"),
            (f"ann:{REALM}:{digits('ann')[:-1]}\u0661", "neither 64 hexadecimal digits"),
            (f"ann:{REALM}:{digits('ann')}:", "another realm"),
            (line("ann").strip() + ":comment", "another realm"),
        ):
            self.assertProblem(line("bob") + text + "\n" + line("eve"), why, 2)
            self.assertEqual(self.read(line("bob") + text + "\n" + line("eve"))[0].count, 2)
        self.assertProblem(b"\xff" + line("ann").encode(), "UTF-8")

    def test_noFile(self) -> None:
        """
        A file that can't be read.
        """
        problems: list[Problem] = []
        self.assertEqual(readDigestUsers(str(self.path), REALM, False, problems).count, 0)
        self.assertIn("No such file", problems[0].message)

    @given(st.binary(max_size=200) | st.text(f"a:{REALM}0123456789abcdef\n", max_size=200).map(str.encode))
    def test_anything(self, octets: bytes) -> None:
        """
        No file makes it raise.
        """
        _, problems = self.read(octets)
        for problem in problems:
            self.assertTrue(str(problem))
