"""
Tests for L{connectproxy.commands.passwd}.
"""

from __future__ import annotations

import getpass
import io
import os
import stat
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.digestfile import readDigestUsers
from connectproxy.auth.htpasswd import readUsers
from connectproxy.commands import passwd
from connectproxy.commands.passwd import main
from tests.auth.case import BCRYPT, SCRYPT, SECRET


class PasswdTests(SynchronousTestCase):
    """
    The command.
    """

    def setUp(self) -> None:
        """
        A directory, and hashes that cost nothing.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "users"
        self.made: list[tuple[str, bytes]] = []

        def makeHash(scheme: str, password: bytes) -> str:
            self.made.append((scheme, password))
            return SCRYPT

        self.patch(passwd, "makeHash", makeHash)

    def run_(
        self, *arguments: str, typed: Iterator[str] | None = None, piped: bytes = SECRET.encode()
    ) -> tuple[int, str, str]:
        """
        Run the command.

        @param typed: what is typed; by default it is piped.
        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        if typed is not None:
            self.patch(getpass, "getpass", lambda _: next(typed))
        status = main([str(self.path), *arguments, *(["--stdin"] if typed is None else [])])
        self.assertNotIn(SECRET, out.getvalue() + err.getvalue())
        self.assertEqual([each.name for each in self.directory.iterdir() if each.name.startswith(".")], [])
        return status, out.getvalue(), err.getvalue()

    def assertFails(self, words: str, *arguments: str, **said: Any) -> None:
        """
        The command can't do it, says why, and leaves the file alone.
        """
        before = self.path.read_bytes() if self.path.exists() else None
        status, out, err = self.run_(*arguments, **said)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("connectproxy passwd: ", err)
        self.assertIn(words, err)
        self.assertEqual(self.path.read_bytes() if self.path.exists() else None, before)

    def test_new(self) -> None:
        """
        A new file is for its owner only, whatever the umask, and can be read by the proxy.
        """
        self.addCleanup(os.umask, os.umask(0))
        status, out, err = self.run_("zoe\u0308")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("added", out)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(self.path.read_bytes(), f"zoë:{SCRYPT}\n".encode())
        problems: list[Any] = []
        self.assertTrue(readUsers(str(self.path), problems)["zoë".encode()].verify(SECRET.encode()))
        self.assertEqual(problems, [])

    def test_others(self) -> None:
        """
        Only the line of the user changes; all else stays as it is, whatever it is, and so
        does who may read the file.
        """
        rest = (
            f"# ours\r\n\none:{BCRYPT}:One\n\xff\xfe nonsense\n",
            f"  # zoe:x\n#zoe:{BCRYPT}\nzoey:x\nlast:without an end",
        )
        before = f"{rest[0]}zoe:old:Zoe\n{rest[1]}".encode("latin-1")
        self.path.write_bytes(before)
        self.path.chmod(0o640)
        status, out, _ = self.run_("zoe")
        self.assertIn("changed the password", out)
        self.assertEqual(self.path.read_bytes(), f"{rest[0]}zoe:{SCRYPT}\n{rest[1]}".encode("latin-1"))
        self.assertEqual((status, stat.S_IMODE(self.path.stat().st_mode)), (0, 0o640))
        self.run_("new")
        self.assertTrue(self.path.read_bytes().endswith(f"without an end\nnew:{SCRYPT}\n".encode()))

    def test_twice(self) -> None:
        """
        Of a user who stands there twice no old password stays.
        """
        self.path.write_text(f"zoe:{BCRYPT}\none:x\nzoe\u0308:y\nzoe:{BCRYPT}\n", encoding="utf-8")
        self.run_("zoe")
        self.assertEqual(self.path.read_text(encoding="utf-8"), f"zoe:{SCRYPT}\none:x\nzoe\u0308:y\n")
        self.run_("zoë", "--delete")
        self.assertEqual(self.path.read_text(encoding="utf-8"), f"zoe:{SCRYPT}\none:x\n")

    def test_delete(self) -> None:
        """
        A user can be deleted, once, and no password is asked for.
        """
        self.path.write_text("one:x\nzoe:y\n")
        status, out, _ = self.run_("zoe", "--delete", typed=iter(()))
        self.assertEqual((status, self.path.read_text()), (0, "one:x\n"))
        self.assertIn("deleted 'zoe'", out)
        self.assertFails("has no user 'zoe'", "zoe", "--delete")
        self.path.unlink()
        self.assertFails("No such file", "zoe", "--delete")

    def test_link(self) -> None:
        """
        A link to the file stays one.
        """
        real = self.directory / "real"
        self.path.symlink_to(real)
        self.run_("zoe")
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(real.read_text(), f"zoe:{SCRYPT}\n")

    def test_schemes(self) -> None:
        """
        The scheme is what was said; or argon2, or scrypt where that is not installed.
        """
        for scheme in ("bcrypt", "scrypt", "argon2"):
            self.run_("zoe", "--scheme", scheme)
        self.run_("zoe")
        self.patch(passwd, "available", lambda scheme: False)
        self.run_("zoe")
        self.assertEqual(
            [scheme for scheme, _ in self.made], ["bcrypt", "scrypt", "argon2", "argon2", "scrypt"]
        )

    def test_typed(self) -> None:
        """
        A password is typed twice, in any normal form; it may have colons and spaces.
        """
        self.assertEqual(self.run_("zoe", typed=iter([" pa\u0308:ss ", " pa\u0308:ss "]))[0], 0)
        self.assertEqual(self.made, [("argon2", " pä:ss ".encode())])
        self.assertFails("two different passwords", "zoe", typed=iter(["one", "two"]))

    def test_piped(self) -> None:
        """
        Or it is the first line of what is piped.
        """
        for piped in (b"one\n", b"one\r\n", b"one", b"one\ntwo\n"):
            self.run_("zoe", piped=piped)
        self.assertEqual({password for _, password in self.made}, {b"one"})

    def test_given_up(self) -> None:
        """
        Who thinks better of it has changed nothing.
        """
        for error in (EOFError, KeyboardInterrupt):

            def interrupted(_: str, error: type[BaseException] = error) -> str:
                raise error

            self.patch(getpass, "getpass", interrupted)
            self.patch(sys, "stderr", io.StringIO())
            self.assertEqual(main([str(self.path), "zoe"]), 1)
            self.assertFalse(self.path.exists())

    def test_badPassword(self) -> None:
        """
        What no client could say, or what bcrypt would cut off, is refused.
        """
        for piped in (b"", b"\n", b"\xff\n", b"a\0b\n"):
            self.assertFails(
                "the password is empty, not UTF-8, or has control characters", "zoe", piped=piped
            )
        self.assertFails("more than the 255 octets", "zoe", piped=b"x" * 256)
        self.assertFails("control characters", "zoe", typed=iter(["\udcff", "\udcff"]))

        def tooLong(scheme: str, password: bytes) -> str:
            raise ValueError("the password has 73 octets", "take a shorter one")

        self.patch(passwd, "makeHash", tooLong)
        self.assertFails("73 octets; take a shorter one", "zoe", "--scheme", "bcrypt")

    def test_badName(self) -> None:
        """
        So are names that would be another line, or another user.
        """
        for name in ("", "a:b", "a\nb", "#zoe", " zoe", "x" * 256, "\udcff"):
            self.assertFails("the user can't be called that", name)

    def test_unwritable(self) -> None:
        """
        A file that can't be written is told.
        """
        self.path = self.directory / "none" / "users"
        self.assertFails("No such file or directory", "zoe")

    def test_failure(self) -> None:
        """
        When it can't be put in its place, the old one stays, and nothing is left beside it.
        """
        self.path.write_text("one:x\n")

        def replace(*arguments: str) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "replace", replace)
        self.assertFails("No space left on device", "zoe")

    def test_owner(self) -> None:
        """
        The file stays whose it was.
        """
        self.path.write_text("one:x\n")
        owned: list[Any] = []
        self.patch(os, "fchown", lambda *arguments: owned.append(arguments[1:]))
        self.patch(os, "geteuid", lambda: -2)
        self.run_("zoe")
        was = self.path.stat()
        self.assertEqual(owned, [(was.st_uid, was.st_gid)])

    def test_digest(self) -> None:
        """
        A line for Digest has a hash by SHA-256; what was there of user and realm goes, by
        MD5, too, and of other realms it stays.
        """
        self.path.write_text(
            f"zoe:cave:{'0' * 32}\nzoe:cave:{'1' * 64}\nzoe:other:{'2' * 64}\njo:cave:{'3' * 64}\n"
        )
        self.assertEqual(self.run_("zoe", "--digest", "cave")[0], 0)
        secret = sha256(f"zoe:cave:{SECRET}".encode()).hexdigest()
        self.assertEqual(
            self.path.read_text(), f"zoe:cave:{secret}\nzoe:other:{'2' * 64}\njo:cave:{'3' * 64}\n"
        )
        self.run_("zoe", "--digest", "other", "--delete")
        problems: list[Any] = []
        self.assertEqual(readDigestUsers(str(self.path), "cave", False, problems).count, 2)
        self.assertEqual(problems, [])

    def test_badDigest(self) -> None:
        """
        A realm is one that the proxy can have, and Digest has one scheme.
        """
        for realm in ("", "a:b", "cävé", "a\nb"):
            self.assertFails("the realm is what proxy.name says", "zoe", "--digest", realm)
        self.assertFails("leave out --scheme", "zoe", "--digest", "cave", "--scheme", "scrypt")

    def test_usage(self) -> None:
        """
        What can't be understood is explained.
        """
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual(self.assertRaises(SystemExit, main, ["x"]).code, 2)
        self.assertEqual(self.assertRaises(SystemExit, main, ["x", "y", "--scheme", "md5"]).code, 2)
