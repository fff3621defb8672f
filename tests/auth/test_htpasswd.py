"""
Tests for L{connectproxy.auth.htpasswd}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.auth.credentials import UserPassword
from connectproxy.auth.hashes import Hash
from connectproxy.auth.hashing import Busy, Hashing
from connectproxy.auth.htpasswd import TOLD, HashedUsers, readUsers
from connectproxy.config import Problem
from tests.auth.case import BCRYPT, SCRYPT, SECRET, Threads
from tests.fakes import FakeReactor


class ReadTests(SynchronousTestCase):
    """
    The file.
    """

    def read(self, text: str) -> tuple[dict[bytes, Hash], list[str]]:
        """
        Read a file: the users, and what is wrong by line.
        """
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        problems: list[Problem] = []
        users = readUsers(str(path), problems)
        self.assertEqual({each.key for each in problems} - {"auth.users"}, set())
        return users, [f"{each.place.removeprefix(str(path))} {each.message}" for each in problems]

    def test_users(self) -> None:
        """
        Each line is a user, in Normalization Form C; what is behind a second colon says
        nothing (conformance 67).
        """
        users, problems = self.read(f"# ours\none:{SCRYPT}\n\nzoe\u0308:{BCRYPT}:Zoë from accounting\n")
        self.assertEqual(problems, [])
        self.assertEqual(
            {name: each.scheme for name, each in users.items()}, {b"one": "scrypt", "zoë".encode(): "bcrypt"}
        )

    def test_problems(self) -> None:
        """
        Everything that is wrong is told at once, with its line, and no hash or password.
        """
        users, problems = self.read(
            f"one:{SCRYPT}\ntwo:{SECRET}\nthree\n:{SCRYPT}\n{'x' * 256}:{SCRYPT}\none:{BCRYPT}\na\x01b:{SCRYPT}\nfour:\n"
        )
        self.assertEqual(list(users), [b"one"])
        self.assertEqual(
            [each.partition(" ")[0] for each in problems], [":2", ":3", ":4", ":5", ":6", ":7", ":8"]
        )
        self.assertIn("in clear", problems[0])
        self.assertIn("a second time", problems[4])
        self.assertNotIn(SECRET, str(problems))
        self.assertNotIn(SCRYPT, str(problems))

    def test_many(self) -> None:
        """
        Of a file that is something else altogether not every line is told.
        """
        _, problems = self.read("something else\n" * 1000)
        self.assertEqual(len(problems), TOLD)


class HashedUsersTests(SynchronousTestCase):
    """
    The checker.
    """

    def setUp(self) -> None:
        """
        Two users.
        """
        self.threads = Threads()
        self.asked: list[tuple[str, bytes]] = []
        self.users = HashedUsers(
            {b"one": self.hashOf("one"), b"two": self.hashOf("two")},
            Hashing(FakeReactor(), threads=1, waiting=1, executor=self.threads),
        )

    def hashOf(self, user: str) -> Hash:
        """
        A hash that notes when it is made.
        """

        def verify(password: bytes) -> bool:
            self.asked.append((user, password))
            return password == SECRET.encode()

        return Hash("scrypt", verify)

    def ask(self, user: bytes, password: bytes) -> Deferred[Any]:
        """
        Check a pair.
        """
        asked: Deferred[Any] = self.users.requestAvatarId(UserPassword(user, password))
        return asked

    def test_interface(self) -> None:
        """
        It is a checker.
        """
        verifyObject(ICredentialsChecker, self.users)

    def test_right(self) -> None:
        """
        The right password is found right, in a thread.
        """
        asked = self.ask(b"one", SECRET.encode())
        self.assertNoResult(asked)
        self.threads.run()
        self.assertEqual(self.successResultOf(asked), b"one")
        self.assertEqual((self.users.knows(b"one"), self.users.knows(b"three")), (True, False))

    def test_wrong(self) -> None:
        """
        A wrong one is wrong.
        """
        asked = self.ask(b"one", b"sesame")
        self.threads.run()
        self.failureResultOf(asked, UnauthorizedLogin)

    def test_nobody(self) -> None:
        """
        For a user that there is not a hash is made as well, always the same one, and the
        answer is no even where it fits (conformance 67).
        """
        for user in (b"three", b"three", b"four", b"five", b"six", b"seven", b"eight"):
            asked = self.ask(user, SECRET.encode())
            self.threads.run()
            self.failureResultOf(asked, UnauthorizedLogin)
        self.assertEqual(len(self.asked), 7)
        self.assertEqual(self.asked[0], self.asked[1])

    def test_empty(self) -> None:
        """
        A file without users lets nobody in.
        """
        self.users = HashedUsers({}, Hashing(FakeReactor(), executor=self.threads))
        self.failureResultOf(self.ask(b"one", b""), UnauthorizedLogin)

    def test_busy(self) -> None:
        """
        When there is no room to wait it says so.
        """
        for _ in range(2):
            self.ask(b"one", b"")
        self.failureResultOf(self.ask(b"two", SECRET.encode()), Busy)
        self.failureResultOf(self.ask(b"three", SECRET.encode()), Busy)
