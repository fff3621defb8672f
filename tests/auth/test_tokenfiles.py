"""
Tests for L{connectproxy.auth.tokenfiles}.
"""

from __future__ import annotations

import os
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.tokenfiles import newKey, readKeys, readRevoked, revoke
from connectproxy.auth.tokens import Key, Revoked
from connectproxy.config import Problem


def instant(*when: int) -> float:
    """
    A time in UTC, in seconds since 1970.
    """
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()


class FileCase(SynchronousTestCase):
    """
    Tests with a file.
    """

    def setUp(self) -> None:
        """
        A place for it.
        """
        self.path = Path(self.mktemp()).absolute()
        self.name = str(self.path)


class KeyTests(FileCase):
    """
    Keys.
    """

    def read(self, *names: str) -> tuple[tuple[Key, ...], list[Problem], list[str]]:
        """
        Read keys.
        """
        problems: list[Problem] = []
        notes: list[str] = []
        return readKeys(names, problems, notes), problems, notes

    def put(self, octets: bytes, mode: int = 0o600) -> None:
        """
        Write a file.
        """
        self.path.write_bytes(octets)
        self.path.chmod(mode)

    def test_new(self) -> None:
        """
        A new key is for its owner only, whatever the umask, and is read back; no two are the
        same.
        """
        self.addCleanup(os.umask, os.umask(0))
        key = newKey(self.name)
        self.assertEqual((self.path.stat().st_mode & 0o777, len(key.octets)), (0o600, 32))
        self.assertEqual(self.read(self.name), ((key,), [], []))
        other = newKey(self.name + "2")
        self.assertNotEqual(other, key)
        self.assertEqual(self.read(self.name, self.name + "2")[0], (key, other))

    def test_there(self) -> None:
        """
        A key that is there is not overwritten, nor one that a link leads to.
        """
        key = newKey(self.name)
        self.assertRaises(FileExistsError, newKey, self.name)
        os.symlink(self.name + "-none", self.name + "-link")
        self.assertRaises(FileExistsError, newKey, self.name + "-link")
        self.assertEqual(self.read(self.name)[0], (key,))

    def test_forms(self) -> None:
        """
        Base64url, with and without padding and ends of lines.
        """
        octets = bytes(range(224, 256)) + b"!!"
        for text in (urlsafe_b64encode(octets), urlsafe_b64encode(octets).rstrip(b"=") + b"\r\n\n"):
            self.put(text)
            self.assertEqual(self.read(self.name), ((Key(octets),), [], []))

    def test_problems(self) -> None:
        """
        What is no key, or a bad one; nothing of it is shown.
        """
        for octets, why in (
            (b"", "is not a key"),
            (b"sesame sesame", "is not a key"),
            (b64encode(b"\xff" * 33), "is not a key"),
            (urlsafe_b64encode(b"k" * 32) * 2, "is not a key"),
            (b"sesames12", "is not a key"),
            (b"A" * 4097, "is not a key"),
            (b"-----BEGIN PRIVATE KEY-----", "is not a key"),
            (b"sesame", "octets, which could be guessed; it needs 32"),
            (urlsafe_b64encode(b"k" * 31), "has a key of 31 octets"),
        ):
            self.put(octets)
            keys, problems, notes = self.read(self.name)
            self.assertEqual((keys, notes, len(problems)), ((), [], 1), octets)
            self.assertEqual((problems[0].key, problems[0].place), ("auth.token_keys", self.name))
            self.assertIn(why, problems[0].message)
            self.assertIn("connectproxy token --new-key", problems[0].advice)
            self.assertNotIn("sesame", str(problems[0]))

    def test_noFile(self) -> None:
        """
        Files that can't be read, beside one that can.
        """
        key = newKey(self.name)
        keys, problems, _ = self.read(self.name + "x", self.name, "a\0b", os.path.dirname(self.name))
        self.assertEqual(keys, (key,))
        self.assertEqual(len(problems), 3)
        self.assertIn("No such file", problems[0].message)
        self.assertIn("there can be no such file", problems[1].message)
        self.assertIn("Is a directory", problems[2].message)

    def test_others(self) -> None:
        """
        Where others than the owner can get at a key, that is said, and it is taken.
        """
        for mode in (0o640, 0o604, 0o620, 0o660):
            self.put(urlsafe_b64encode(b"k" * 32), mode)
            keys, problems, notes = self.read(self.name)
            self.assertEqual((len(keys), problems), (1, []))
            self.assertIn(f"chmod 600 {self.name}", notes[0])


class RevokedTests(FileCase):
    """
    The list of tokens that are not good any more.
    """

    def read(self, text: str | bytes) -> tuple[Revoked, list[Problem]]:
        """
        Write a list, and read it.
        """
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        problems: list[Problem] = []
        return readRevoked(self.name, problems), problems

    def test_entries(self) -> None:
        """
        Ids and users, with comments and blank lines.
        """
        found, problems = self.read(
            "# all of these\n\nan-id\n  other.id~_   # ci, until Friday\n"
            "user:ci before:2026-01-31T12:00:00Z\r\n"
            "user:Jäsøn Doe   before:2026-01-31t12:00:00.5+02:00 # he left\n"
            "user:a#b before:x before:2026-01-31T12:00:00-01:30\n   # end"
        )
        self.assertEqual(problems, [])
        self.assertEqual(found.ids, {"an-id", "other.id~_"})
        self.assertEqual(
            found.before,
            {
                "ci": instant(2026, 1, 31, 12, 0),
                "Jäsøn Doe": instant(2026, 1, 31, 10, 0) + 0.5,
                "a#b before:x": instant(2026, 1, 31, 13, 30),
            },
        )

    def test_normalForm(self) -> None:
        """
        Names are in their normal form (conformance 67), and the latest time is the one.
        """
        late, early = "2026-01-31T12:00:00Z", "2025-01-31T12:00:00Z"
        for times in ((late, early), (early, late)):
            text = f"user:usér before:{times[0]}\nuser:use\u0301r before:{times[1]}\n"
            self.assertEqual(self.read(text)[0].before, {"usér": instant(2026, 1, 31, 12, 0)})

    def test_problems(self) -> None:
        """
        What is no entry, with its place; the others are read.
        """
        for line in (
            "an id",
            "x" * 65,
            "an-id, other",
            "an-id#x",
            "user:ci",
            "user: before:2026-01-31T12:00:00Z",
            "user:ci before:",
            "user:ci before:2026-01-31",
            "user:ci before:2026-01-31T12:00:00",
            "user:ci before:2026-02-30T12:00:00Z",
            "user:ci before:0000-01-31T12:00:00Z",
            "user:ci before:2026-01-31T12:00:00+99:99",
            "user:ci before:2026-01-31 12:00:00Z",
            "user:ci before:\u0662026-01-31T12:00:00Z",
            "user:c\0i before:2026-01-31T12:00:00Z",
            "user:ci before:2026-01-31T12:00:00Z, other",
            "before:2026-01-31T12:00:00Z",
        ):
            found, problems = self.read(f"an-id\n{line}\nother\n")
            self.assertEqual(found.ids, {"an-id", "other"})
            self.assertEqual([each.place for each in problems], [f"{self.name}:2"], line)
            self.assertIn("user:NAME before:TIME", problems[0].advice)
        self.assertIn("UTF-8", self.read(b"\xff\n")[1][0].message)

    def test_noFile(self) -> None:
        """
        A list that is not there is not an empty one.
        """
        problems: list[Problem] = []
        self.assertEqual(readRevoked(self.name, problems), Revoked())
        self.assertIn("No such file", problems[0].message)

    def test_revoke(self) -> None:
        """
        What is added is read back, whatever stands before it, and nothing is lost.
        """
        revoke(self.name, "one", "ci")
        self.assertEqual(self.path.read_text(), "one  # ci\n")
        self.path.write_text("zero")
        revoke(self.name, "one", "Jäsøn # Doe")
        revoke(self.name, "two", "")
        found, problems = self.read(self.path.read_bytes())
        self.assertEqual((found.ids, problems), ({"zero", "one", "two"}, []))

    @given(st.binary(max_size=100) | st.text("user:a before:20-0T1Z#\n", max_size=100).map(str.encode))
    def test_anything(self, octets: bytes) -> None:
        """
        No list makes it raise.
        """
        found, _ = self.read(octets)
        self.assertTrue(all(each.isascii() for each in found.ids))
