"""
Tests for L{connectproxy.wire.authorization.bearer}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization import Bearer, bearerChallenge
from connectproxy.wire.authorization.bearer import readBearer

TOKEN = b"mF_9.B5f-4.1JqM"


class ReadTests(SynchronousTestCase):
    """
    A token behind the scheme.
    """

    def test_token(self) -> None:
        """
        The example of RFC 6750 section 2.1, and every character that may be there.
        """
        for token in (TOKEN, b"a", b"a=", b"a==", b"aZ09-._~+/"):
            self.assertEqual(readBearer(token), Bearer(token))

    def test_noToken(self) -> None:
        """
        What no token is; none of it is shown.
        """
        for token in (
            b"",
            b"=",
            b"sesame ",
            b"sesame sesame",
            b"ses=ame",
            b'"sesame"',
            b"sesame,",
            b"sesame\xff",
        ):
            found = readBearer(token)
            assert isinstance(found, str), token
            self.assertNotIn("sesame", found)

    def test_repr(self) -> None:
        """
        A token does not show (conformance 69).
        """
        self.assertEqual(
            f"{Bearer(TOKEN)!r} {Bearer(TOKEN)} {[Bearer(TOKEN)]}", "Bearer(...) Bearer(...) [Bearer(...)]"
        )


class ChallengeTests(SynchronousTestCase):
    """
    What asks for one.
    """

    def test_plain(self) -> None:
        """
        Who has not brought any is told no error (RFC 6750 section 3.1), but the realm
        (conformance 65).
        """
        self.assertEqual(bearerChallenge('a"b'), 'Bearer realm="a\\"b"')
        self.assertEqual(bearerChallenge("a", description="unused"), 'Bearer realm="a"')

    def test_error(self) -> None:
        """
        The example of RFC 6750 section 3.
        """
        self.assertEqual(
            bearerChallenge("example", "invalid_token"), 'Bearer realm="example", error="invalid_token"'
        )
        self.assertEqual(
            bearerChallenge("example", "invalid_token", "The access token expired"),
            'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
        )

    def test_description(self) -> None:
        """
        It can't end its own string, nor the field.
        """
        found = bearerChallenge("a", "invalid_token", 'it\'s "a\\b"\r\nX: é')
        self.assertEqual(
            found, "Bearer realm=\"a\", error=\"invalid_token\", error_description=\"it's 'a'b'''X: '\""
        )
