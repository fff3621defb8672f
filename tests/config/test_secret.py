"""
Tests for L{connectproxy.config.secret}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import Config, ConfigurationError, configure, load
from connectproxy.config.forms import Unfit
from connectproxy.config.secret import Secret, UserPassword

PASSWORD = "hunter2:and more"


class SecretTests(SynchronousTestCase):
    """
    L{Secret} is a string that is not shown.
    """

    def test_isNotShown(self) -> None:
        """
        Neither in a text nor in a debugger, however it gets there.
        """
        secret = Secret(PASSWORD)
        shows: tuple[Callable[[Any], str], ...] = (
            str,
            repr,
            ascii,
            format,
            "{}".format,
            "{!r}".format,
            lambda value: f"{value:>20}",
            lambda value: "%s %r" % (value, value),  # noqa: UP031 - one of the ways
            lambda value: repr([value]),
        )
        for show in shows:
            self.assertNotIn("hunter2", show(secret))
        self.assertEqual((str(secret), str(Secret())), ("***", ""))

    def test_isAString(self) -> None:
        """
        Who needs the contents has them.
        """
        secret = Secret(PASSWORD)
        self.assertEqual(secret, PASSWORD)
        self.assertEqual(secret.encode(), PASSWORD.encode())
        self.assertEqual(secret.partition(":"), ("hunter2", ":", "and more"))
        self.assertEqual(len(secret), len(PASSWORD))
        self.assertTrue(secret)
        self.assertFalse(Secret())


class UserPasswordTests(SynchronousTestCase):
    """
    L{UserPassword} reads a pair.
    """

    form = UserPassword()

    def write(self, octets: bytes) -> str:
        """
        Make a file and say how it is named as a value.
        """
        path = self.mktemp()
        Path(path).write_bytes(octets)
        return f"@{path}"

    def test_pairs(self) -> None:
        """
        A password may have colons, and both may be of any script; the empty string asks
        nobody.
        """
        for text in ("me:secret", "me:a:b:", "x" * 255 + ":" + "y" * 255, "mé:пароль", ""):
            value = self.form.fromTOML(text)
            self.assertEqual(value, text)
            self.assertIsInstance(value, Secret)
            self.assertEqual(self.form.fromTexts(("x:y", text)), text)

    def test_normalized(self) -> None:
        """
        What looks the same is the same (conformance 67).
        """
        self.assertEqual(self.form.fromTOML("me:cafe\u0301"), "me:caf\u00e9")

    def test_files(self) -> None:
        """
        The first line of a file, whatever its lines end with.
        """
        for octets in (b"me:secret", b"me:secret\n", b"me:secret\r\nmore\xff"):
            self.assertEqual(self.form.fromTOML(self.write(octets)), "me:secret")
        self.assertEqual(self.form.fromTOML(self.write(b"@me:secret\n")), "@me:secret")

    def test_filesThatAreNone(self) -> None:
        """
        The message has the file's name and what is wrong with it.
        """
        for value, expected in (
            ("@/nowhere/at/all", 'cannot read "/nowhere/at/all": No such file or directory'),
            ("@", 'cannot read "": No such file or directory'),
            (f"@{os.path.dirname(__file__)}", "Is a directory"),
            ("@a\0b", "there can be no such file"),
            (self.write(b""), "is empty"),
            (self.write(b"\nme:secret"), "is empty"),
            (self.write(b"me:\xff\xfe"), "is not UTF-8"),
            (self.write(b"me:" + b"s" * 10_000), "too long"),
            (self.write(b"hunter2"), "the first line of"),
        ):
            unfit = self.assertRaises(Unfit, self.form.fromTOML, value)
            self.assertIn(expected, str(unfit))
            self.assertNotIn("hunter2", str(unfit))

    def test_refuses(self) -> None:
        """
        What no protocol could carry; nothing of the value is in the message.
        """
        for value, expected in (
            ("hunter2", "not a name and a password"),
            (":hunter2", "not a name and a password"),
            ("hunter2:", "not a name and a password"),
            ("hunter2:" + "x" * 256, "the password in the value is too long"),
            ("hunter2" + "é" * 125 + ":x", "the name in the value is too long"),
            ("hunter2:\t", "the password in the value has control characters"),
            ("hunter2\x7f:x", "the name in the value has control characters"),
            ("hunter2:\x85", "control characters"),
            ("hunter2:\udcff", "not UTF-8"),
            (["hunter2:x"], "not a string"),
            ({"hunter2": "x"}, "not a string"),
            (True, "not a string"),
        ):
            unfit = self.assertRaises(Unfit, self.form.fromTOML, value)
            self.assertIn(expected, str(unfit))
            self.assertNotIn("hunter2", str(unfit))

    @given(st.text())
    def test_anyTextIsReadOrUnfit(self, text: str) -> None:
        """
        Nothing else happens.  (Not of files: those of this machine are none of a test's.)
        """
        try:
            value = self.form.fromTOML(text.replace("@", ""))
        except Unfit as unfit:
            self.assertTrue(str(unfit).isprintable())
        else:
            self.assertTrue(not value or all(value.partition(":")))


class ConfigurationTests(SynchronousTestCase):
    """
    In a configuration the password stays hidden.
    """

    def test_isNowhere(self) -> None:
        """
        Not in the configuration's own words, nor in its id, from which it could be
        guessed by trying.
        """
        first, second = load(None, {"auth": "me:hunter2"}), configure(auth={"basic": "me:hunter3"})
        self.assertEqual(first["auth.basic"].encode(), b"me:hunter2")
        self.assertEqual(first.id, second.id)
        self.assertNotEqual(first, second)
        self.assertNotEqual(first.id, load().id)
        for config in (first, second):
            self.assertNotIn("hunter", f"{config!r} {dict(config)} {list(config.values())}")
            self.assertIsInstance(config, Config)

    def test_isInNoError(self) -> None:
        """
        Wherever it stands by mistake.
        """
        for tables in (
            {"auth": "me:hunter2"},
            {"auth": ["me:hunter2"]},
            {"auth": {"basic": ["me:hunter2"]}},
            {"auth": {"basci": "me:hunter2"}},
            {"basic": "me:hunter2"},
        ):
            error = self.assertRaises(ConfigurationError, configure, **tables)
            self.assertNotIn("hunter2", str(error))
        error = self.assertRaises(ConfigurationError, load, None, {"auth": "hunter2"})
        self.assertTrue(str(error).startswith("--auth: the value is not"), str(error))
        self.assertNotIn("hunter2", str(error))


class FileTests(SynchronousTestCase):
    """
    The file that a pair may stand in.
    """

    def test_beside(self) -> None:
        """
        A relative name is completed; what is no name stays.
        """
        form = UserPassword()
        self.assertTrue(form.running)
        for said, expected in (("@a", "@/run/a"), ("@/a", "@/a"), ("@", "@"), ("me:a", "me:a"), (5, 5)):
            self.assertEqual(form.beside(said, "/run"), expected)
        self.assertEqual(form.beside("@a", ""), "@a")

    def test_reads(self) -> None:
        """
        Only a name is one of a file that is read.
        """
        for said, names in (("@a", ("a",)), ("@", ()), ("me:@a", ()), (5, ())):
            self.assertEqual(UserPassword().reads(said), names)
