"""
Tokens that are made without a library, and a checker whose clock the test has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.tokens import Key, Revoked, TokenChecker

__all__ = ["CLAIMS", "HEADER", "KEY", "NOW", "OTHER", "TokenCase", "part", "signed"]

NOW = 1_700_000_000
KEY = Key(b"k" * 32)
OTHER = Key(b"o" * 32)
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, Any] = {"sub": "ci", "iat": NOW, "exp": NOW + 60, "jti": "an-id", "aud": "connectproxy"}


def part(content: Any) -> bytes:
    """
    A part of a token: octets as they are, anything else as JSON.
    """
    octets = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(octets).rstrip(b"=")


def signed(claims: Any = CLAIMS, header: Any = HEADER, key: Key = KEY) -> bytes:
    """
    A token, made without a library.
    """
    body = part(header) + b"." + part(claims)
    return body + b"." + part(hmac.digest(key.octets, body, hashlib.sha256))


class TokenCase(SynchronousTestCase):
    """
    Tests of what is good.
    """

    def setUp(self) -> None:
        """
        A checker, whose clock the test has.
        """
        self.now = float(NOW)
        self.checker = self.make(KEY)

    def make(self, *keys: Key, revoked: Revoked | None = None) -> TokenChecker:
        """
        Another one.
        """
        return TokenChecker(keys, revoked, lambda: self.now)

    def assertBad(self, token: bytes, why: str, user: bytes = b"") -> None:
        """
        A token is not good, and nothing of it is in what is said.
        """
        found = self.checker.check(token, user)
        assert isinstance(found, str), found
        self.assertIn(why, found)
        self.assertNotIn("sesame", found)
