"""
Tests for L{connectproxy.commands.token}.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.tokenfiles import readKeys, readRevoked
from connectproxy.auth.tokens import Good, TokenChecker
from connectproxy.commands.token import main

NOW = 1_700_000_000.5


class TokenTests(SynchronousTestCase):
    """
    The command.
    """

    def setUp(self) -> None:
        """
        An empty directory.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.key = str(self.directory / "a.key")
        self.list = str(self.directory / "revoked")
        self.now = NOW

    def run_(
        self, *arguments: str, said: str | bytes = b"", encoding: str = "utf-8", terminal: bool = False
    ) -> tuple[int, str, str]:
        """
        Run the command.

        @param said: what there is on standard input.
        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.TextIOWrapper(io.BytesIO(), encoding=encoding), io.StringIO()
        given = io.TextIOWrapper(io.BytesIO(said.encode() if isinstance(said, str) else said))
        given.isatty = lambda: terminal  # type: ignore[method-assign]
        self.patch(sys, "stdin", given)
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        try:
            status = main(["--key", self.key, *arguments], now=lambda: self.now)
        except SystemExit as end:
            status = int(end.code or 0)
        out.flush()
        return status, out.buffer.getvalue().decode(encoding), err.getvalue()  # type: ignore[attr-defined]

    def make(self, *arguments: str) -> str:
        """
        Make a token.
        """
        more = [] if os.path.exists(self.key) else ["--new-key"]
        status, out, err = self.run_("--user", "ci", *more, *arguments)
        self.assertEqual(status, 0, err)
        return out

    def check(self, token: str) -> Good | str:
        """
        What a proxy with the key makes of a token.
        """
        return TokenChecker(readKeys([self.key], [], []), now=lambda: self.now).check(token.strip().encode())

    def test_makes(self) -> None:
        """
        The token is all that is on standard output, and stands nowhere else.
        """
        status, out, err = self.run_(
            "--new-key",
            "--user",
            "Jäsøn",
            "--group",
            "a",
            "--group",
            "b",
            "--limits",
            "slow",
            "--expires",
            "30m",
        )
        self.assertEqual((status, out.count("\n")), (0, 1))
        found = self.check(out)
        assert isinstance(found, Good), found
        self.assertEqual(
            (found.user.name, found.user.groups, found.user.limits), ("Jäsøn", {"a", "b"}, ("slow",))
        )
        self.assertEqual(found.expires, 1_700_000_000 + 1800)
        self.assertEqual(os.stat(self.key).st_mode & 0o777, 0o600)
        self.assertNotIn(out.strip(), err)
        self.assertNotIn(Path(self.key).read_text().strip(), out + err)
        for words in (
            f"made the key {self.key}; tell the proxy: auth.token_keys",
            "good until 2023-11-14T22:43:20Z",
            found.id,
            "curl --proxy http://token:$TOKEN@127.0.0.1:8080",
            "Proxy-Authorization: Bearer $TOKEN",
            f"connectproxy token --key {self.key} --revoke",
        ):
            self.assertIn(words, err)

    def test_times(self) -> None:
        """
        How long a token is good: eight hours, or what is said.
        """
        for words, seconds in (
            ((), 8 * 3600),
            (("--expires", "90"), 90),
            (("--expires", "90s"), 90),
            (("--expires", "2h"), 7200),
            (("--expires=7d",), 7 * 86400),
            (("--expires", "3650d"), 3650 * 86400),
        ):
            found = self.check(self.make(*words))
            assert isinstance(found, Good)
            self.assertEqual(found.expires - 1_700_000_000, seconds)
        for wrong in ("", "0", "0s", "-1", "1w", "1.5h", "8 h", "h", "3651d", "9" * 20, "\u0661h"):
            status, out, err = self.run_("--user", "ci", f"--expires={wrong}")
            self.assertEqual((status, out), (2, ""), wrong)
            self.assertIn("give one as in 90s, 30m, 8h or 7d", err)

    def test_socks(self) -> None:
        """
        A token that SOCKS has no room for is known as such.
        """
        self.make()
        status, out, err = self.run_("--user", "ci", "--group", "g" * 100)
        self.assertEqual(status, 0)
        self.assertIn(f"with its {len(out.strip())} octets it is no password for SOCKS", err)
        self.assertNotIn("SOCKS", self.run_("--user", "ci")[2])

    def test_keyOnly(self) -> None:
        """
        A key without a token; not over one that is there.
        """
        self.assertEqual(self.run_("--new-key")[:2], (0, ""))
        before = Path(self.key).read_bytes()
        status, out, err = self.run_("--new-key", "--user", "ci")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("is there already; name another file, or leave out --new-key", err)
        self.assertEqual(Path(self.key).read_bytes(), before)

    def test_unwritableKey(self) -> None:
        """
        A key that can't be written.
        """
        for name, why in (
            ("/none/a.key", "No such file or directory"),
            ("/none/\0", "there can be no such file"),
        ):
            self.key = str(self.directory) + name
            status, _, err = self.run_("--new-key")
            self.assertEqual(status, 1)
            self.assertIn(why, err)

    def test_badKey(self) -> None:
        """
        A key that can't be read, or is none, for everything that needs it.
        """
        for octets, why in (
            (None, "No such file"),
            (b"tooshort", "could be guessed"),
            (b"a b", "is not a key"),
        ):
            if octets is not None:
                Path(self.key).write_bytes(octets)
            for words in (("--user", "ci"), ("--show",), ("--revoke", "--revoked", self.list)):
                status, out, err = self.run_(*words, said="eyJ.a.b")
                self.assertEqual((status, out), (1, ""))
                self.assertIn(why, err)
                self.assertIn("connectproxy token --new-key --key FILE", err)

    def test_openKey(self) -> None:
        """
        That others can read the key is told.
        """
        self.make()
        os.chmod(self.key, 0o644)
        status, _, err = self.run_("--user", "ci")
        self.assertEqual(status, 0)
        self.assertIn("note: others than its owner", err)

    def test_badNames(self) -> None:
        """
        What can't be in a token.
        """
        self.make()
        for words in (
            ("--user", "a\nb"),
            ("--user", "ci", "--group", ""),
            ("--user", "ci", "--limits", "x" * 256),
        ):
            status, out, err = self.run_(*words)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("is no name: give a name of 1 to 255 octets", err)

    def test_usage(self) -> None:
        """
        A command line that makes no sense.
        """
        for words, why in (
            ((), "say whom the token is for"),
            (("--show", "--user", "ci"), "read a token, and take nothing that makes one"),
            (("--revoke", "--new-key", "--revoked", "x"), "read a token, and take nothing that makes one"),
            (("--new-key", "--group", "a"), "--group and --limits are of a token"),
            (("--revoke",), "--revoked FILE"),
            (("--show", "--revoke"), "not allowed with"),
            (("--us", "ci"), "unrecognized"),
            (("more",), "unrecognized"),
        ):
            status, out, err = self.run_(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(why, err)
            self.assertIn("connectproxy token --key FILE --user NAME", err)

    def test_missingLibrary(self) -> None:
        """
        Without PyJWT it is told what to install.
        """
        with mock.patch.dict(sys.modules, {"jwt": None}):
            status, out, err = self.run_("--new-key", "--user", "ci")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("pip install 'connectproxy[tokens]'", err)
        self.assertFalse(os.path.exists(self.key))

    def test_show(self) -> None:
        """
        What is in a token, and that it is good.
        """
        token = self.make("--group", "b", "--group", "a", "--limits", "slow")
        found = self.check(token)
        assert isinstance(found, Good)
        status, out, err = self.run_("--show", said=f"  {token}\r\n")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                "user     ci",
                "groups   a, b",
                "limits   slow",
                "made     2023-11-14T22:13:20Z",
                "expires  2023-11-15T06:13:20Z",
                f"id       {found.id}",
                "good     yes",
            ],
        )
        self.assertIn("groups   -", self.run_("--show", said=self.make())[1])

    def test_showExpired(self) -> None:
        """
        A token that has expired is shown, and is not good.
        """
        token = self.make()
        self.now += 9 * 3600
        status, out, _ = self.run_("--show", said=token)
        self.assertEqual(status, 1)
        self.assertIn("user     ci\n", out)
        self.assertIn("good     no: the token has expired\n", out)

    def test_showBad(self) -> None:
        """
        Of what was not signed with the key, nothing is shown.
        """
        token = self.make()
        os.unlink(self.key)
        self.make()
        for said, why in (
            (token, "signed with none of the keys"),
            ("sesame", "is no JSON Web Token"),
            (b"\xff\xfe", "is no JSON Web Token"),
            ("eyJ" * 3000, "more than 4096 octets"),
        ):
            status, out, _ = self.run_("--show", said=said)
            self.assertEqual((status, out.count("\n")), (1, 1), out)
            self.assertTrue(out.startswith("good     no: the token "), out)
            self.assertIn(why, out)
            self.assertNotIn("sesame", out)

    def test_showEncoding(self) -> None:
        """
        A name that the terminal has no letters for.
        """
        self.make()
        _, token, _ = self.run_("--user", "Jäsøn")
        status, out, _ = self.run_("--show", said=token, encoding="ascii")
        self.assertEqual(status, 0)
        self.assertIn("user     J\\xe4s\\xf8n\n", out)

    def test_nothingRead(self) -> None:
        """
        Nothing on standard input; at a terminal it is said what is waited for.
        """
        self.make()
        for words in (("--show",), ("--revoke", "--revoked", self.list)):
            status, _, err = self.run_(*words, said=" \n")
            self.assertEqual(status, 1)
            self.assertIn("there is no token on standard input", err)
        self.assertIn("the token, and the end of input", self.run_("--show", terminal=True)[2])

    def test_revoke(self) -> None:
        """
        A token that is revoked is in the list, and is shown as such.
        """
        token = self.make()
        found = self.check(token)
        assert isinstance(found, Good)
        status, out, err = self.run_("--revoke", "--revoked", self.list, said=token)
        self.assertEqual((status, out), (0, ""))
        self.assertIn(f"revoked {found.id}", err)
        self.assertEqual(readRevoked(self.list, []).ids, {found.id})
        self.assertEqual(Path(self.list).read_text(), f"{found.id}  # ci, expires 2023-11-15T06:13:20Z\n")
        status, out, _ = self.run_("--show", "--revoked", self.list, said=token)
        self.assertEqual(status, 1)
        self.assertIn("good     no: the token has been revoked", out)

    def test_revokeBad(self) -> None:
        """
        What is no token of ours revokes nothing, and neither does what has expired anyway.
        """
        token = self.make()
        status, _, err = self.run_("--revoke", "--revoked", self.list, said="sesame")
        self.assertEqual(status, 1)
        self.assertIn("is no JSON Web Token; nothing has been revoked", err)
        self.now += 9 * 3600
        status, _, err = self.run_("--revoke", "--revoked", self.list, said=token)
        self.assertEqual(status, 0)
        self.assertIn("has expired at 2023-11-15T06:13:20Z; nothing needs to be revoked", err)
        self.assertFalse(os.path.exists(self.list))

    def test_badList(self) -> None:
        """
        A list that can't be read or written.
        """
        token = self.make()
        status, _, err = self.run_("--show", "--revoked", self.list, said=token)
        self.assertEqual(status, 1)
        self.assertIn("No such file", err)
        for name, why in (("/none/x", "No such file or directory"), ("/\0", "there can be no such file")):
            status, _, err = self.run_("--revoke", "--revoked", str(self.directory) + name, said=token)
            self.assertEqual(status, 1)
            self.assertIn(f"{why}; nothing has been revoked", err)
