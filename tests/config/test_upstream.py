"""
Tests for L{connectproxy.config.upstream}, and of what its keys are together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import ConfigurationError, configure, load


class SecretTests(SynchronousTestCase):
    """
    What a next hop is shown.
    """

    def credentials(self, said: str, **more: Any) -> Any:
        (row,) = configure(upstream=[{"name": "corp", "url": "http://x", "credentials": said, **more}]).rows[
            "upstream"
        ]
        return row.options["credentials"]

    def problems(self, **keys: Any) -> list[str]:
        error = self.assertRaises(
            ConfigurationError, configure, upstream=[{"name": "corp", "url": "http://x", **keys}]
        )
        self.assertNotIn("hidden", str(error))
        return [problem.key for problem in error.problems]

    def test_places(self) -> None:
        """
        It stands there, in a file, or in the environment; and is never shown.
        """
        path = Path(self.mktemp())
        path.write_text("user:hidden\nmore\n")
        self.patch(__import__("os"), "environ", {"CORP": "user:hidden"})
        for said in ("user:hidden", f"@{path}", "$CORP"):
            secret = self.credentials(said)
            self.assertEqual(secret.partition(":")[2], "hidden")
            self.assertNotIn("hidden", f"{secret} {secret!r}")

    def test_wrong(self) -> None:
        """
        What is not there, or has no colon, or could not be sent, is refused unseen.
        """
        for said in (
            "hidden",
            ":hidden",
            "@nowhere",
            "$NOWHERE_AT_ALL",
            "user:hid\x00den",
            "a:" + "x" * 5000,
            7,
        ):
            self.assertEqual(self.problems(credentials=said), ["upstream.credentials"], said)
        self.assertEqual(self.problems(token=""[1:] or "hid\nden"), ["upstream.token"])

    def test_commandLine(self) -> None:
        """
        A command line can be read by others, so the option takes no password.
        """
        given = {"upstream": ["http://x"], "upstream-addresses": "unseen"}
        error = self.assertRaises(
            ConfigurationError, load, None, {**given, "upstream-credentials": "user:hidden"}
        )
        self.assertNotIn("hidden", str(error))
        path = Path(self.mktemp()).absolute()
        path.write_text("user:hidden")
        config = load(None, {**given, "upstream-credentials": f"@{path}"})
        self.assertEqual(config["route.credentials"].partition(":")[0], "user")
        self.assertIn(str(path), config.files)


class RowTests(SynchronousTestCase):
    """
    What does not go together.
    """

    def faults(self, **keys: Any) -> list[str]:
        error = self.assertRaises(ConfigurationError, configure, upstream=[{"name": "corp", **keys}])
        return sorted({problem.key.partition(".")[2] for problem in error.problems})

    def test_faults(self) -> None:
        """
        Each is said of the key that it is about.
        """
        http = {"url": "http://192.0.2.1"}
        for keys, expected in (
            ({}, ["url"]),
            ({"url": "http:"}, ["url"]),
            ({**http, "balance": "round-robin"}, ["balance"]),
            ({**http, "ca": "x"}, ["ca"]),
            ({"url": "https://x", "key": "x"}, ["key"]),
            ({**http, "credentials": "a:b", "token": "x"}, ["token"]),
            ({**http, "authentication": "bearer"}, ["authentication"]),
            ({**http, "authentication": "digest"}, ["authentication"]),
            ({**http, "via": "x", "endpoint": "unix:/x"}, ["via"]),
            ({"url": "http+unix:///x", "via": "x"}, ["via"]),
            ({"members": ["a"], **http}, ["url"]),
            ({"members": ["a"], "weights": {"b": 2}}, ["weights"]),
        ):
            self.assertEqual(self.faults(**keys), expected, keys)

    def test_taken(self) -> None:
        """
        The way without any upstream has its name.
        """
        error = self.assertRaises(
            ConfigurationError, configure, upstream=[{"name": "direct", "url": "http://x"}]
        )
        self.assertEqual([problem.key for problem in error.problems], ["upstream.name"])

    def test_nameless(self) -> None:
        """
        Every one has a name.
        """
        error = self.assertRaises(ConfigurationError, configure, upstream=[{"url": "http://x"}])
        self.assertIn('name = "corp"', str(error))
