"""
Tests for L{connectproxy.endpoints.secrets}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.endpoints.secrets import readCredentials, readSecret


class SecretTests(SynchronousTestCase):
    """
    L{readSecret} and L{readCredentials}.
    """

    def file(self, octets: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(octets)
        return f"@{path}"

    def test_forms(self) -> None:
        """
        Itself, a file's first line, a variable.
        """
        self.patch_("SECRET", "env:ironment")
        for text, expected in (
            ("ann:a:b", "ann:a:b"),
            (self.file(b"ann:secr\xc3\xa9t\r\nmore\n"), "ann:secr\xe9t"),
            ("$SECRET", "env:ironment"),
        ):
            self.assertEqual(readSecret(text), expected)

    def patch_(self, name: str, value: str) -> None:
        """
        Set a variable of the environment.
        """
        self.patch(os, "environ", {**os.environ, name: value})

    def test_credentials(self) -> None:
        """
        The first colon stands between the two.
        """
        self.assertEqual(readCredentials("ann:a:b"), ("ann", "a:b"))
        self.assertIsNone(readCredentials(""))

    def test_wrong(self) -> None:
        """
        What is not there is said, and nothing of what is.
        """
        for text in (
            "hidden",
            self.file(b"hidden\n"),
            self.file(b"\nhidden"),
            self.file(b"hidden\xff"),
            "@/nowhere/at/all",
            "$NO_SUCH",
        ):
            with self.assertRaises(ValueError) as caught:
                readCredentials(text)
            self.assertNotIn("hidden", str(caught.exception))
