"""
Tests for L{connectproxy.auth.credentials}.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted.cred.credentials import IUsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.auth import credentials
from connectproxy.auth.credentials import Digested, IDigested, ISigned, Signed, UserPassword
from connectproxy.wire.authorization import Digest
from tests.auth.case import SECRET

DIGEST = Digest(b"zoe", False, "SHA-256", b"proxy", b"nonce", b"/", b"0" * 64, b"00000001", b"c")


class CredentialsTests(SynchronousTestCase):
    """
    What clients give.
    """

    def test_interfaces(self) -> None:
        """
        Each is what its checker takes.
        """
        verifyObject(IUsernamePassword, UserPassword(b"zoe", b"x"))
        verifyObject(ISigned, Signed(b"token", b""))
        verifyObject(IDigested, Digested(DIGEST, "GET", b"/"))

    def test_shows(self) -> None:
        """
        None of them shows anything (conformance 69).
        """
        secret = SECRET.encode()
        for each in (UserPassword(secret, secret), Signed(secret, secret), Digested(DIGEST, "GET", secret)):
            self.assertRegex(repr(each), r"\A<[A-Za-z]+>\Z")
            self.assertFalse(hasattr(each, "__dict__"))

    def test_checkPassword(self) -> None:
        """
        A checker with passwords in clear has them compared in constant time (conformance
        67), be they octets, as they should, or a string.
        """
        given = UserPassword(b"zoe", "pässwort".encode())
        compared = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return one == other

        with patch.object(credentials, "compare_digest", compare):
            for right, same in (
                ("pässwort".encode(), True),
                ("pässwort", True),
                ("\ud800", False),
                (b"", False),
            ):
                self.assertIs(given.checkPassword(right), same)  # type: ignore[arg-type]
        self.assertEqual(len(compared), 4)
