"""
Tests for L{connectproxy.auth.refusals}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth import refusals
from connectproxy.auth.digest import DigestScheme
from connectproxy.auth.refusals import Challenges, tooMany
from connectproxy.errors import KINDS, Refusal


class RefusalTests(SynchronousTestCase):
    """
    What clients are told.
    """

    def test_kinds(self) -> None:
        """
        Each is of a kind that there is; none is a 407, which has challenges.
        """
        for refusal in (*(each for each in vars(refusals).values() if isinstance(each, Refusal)), tooMany(7)):
            self.assertNotEqual(KINDS[refusal.kind].status, 407)

    def test_tooMany(self) -> None:
        """
        Who has to wait is told for how long.
        """
        refusal = tooMany(7)
        self.assertEqual((refusal.kind, refusal.fields), ("login_limit_reached", (("Retry-After", "7"),)))
        self.assertIn("7 s", refusal.detail)


class ChallengesTests(SynchronousTestCase):
    """
    What clients are asked for (conformance 65 and 66).
    """

    def schemes(self, challenges: Challenges) -> list[str]:
        """
        The schemes, in their order.
        """
        fields = challenges.fields()
        self.assertEqual({name for name, _ in fields} - {"Proxy-Authenticate"}, set())
        return [value.partition(" ")[0] for _, value in fields]

    def test_schemes(self) -> None:
        """
        All schemes that can work are there, Digest first, Bearer last; where there are
        tokens there is Basic, which carries them for those who know nothing else.
        """
        digest = DigestScheme(Clock(), "proxy")
        for challenges, schemes in (
            (Challenges("proxy"), []),
            (Challenges("proxy", None, True), ["Basic"]),
            (Challenges("proxy", None, False, True), ["Basic", "Bearer"]),
            (Challenges("proxy", digest), ["Digest"]),
            (
                Challenges("proxy", DigestScheme(Clock(), "proxy", md5=True), True, True),
                ["Digest", "Digest", "Basic", "Bearer"],
            ),
        ):
            self.assertEqual(self.schemes(challenges), schemes)
            self.assertEqual(bool(challenges), bool(schemes))

    def test_remedy(self) -> None:
        """
        Who has no token is told how to give one, and where nothing else is taken, of nothing
        else; without tokens the refusal says enough.
        """
        digest = DigestScheme(Clock(), "proxy")
        for passwords, way in ((True, None), (False, digest), (False, None)):
            self.assertEqual(Challenges("proxy", way, passwords).remedy(), "")
            said = Challenges("proxy", way, passwords, True).remedy()
            self.assertEqual("http://user:password@" in said, passwords or way is not None)
            self.assertIn("token as the password of the user token", said)

    def test_realm(self) -> None:
        """
        The realm is a quoted string, whatever is in it (conformance 65), and Basic says that
        it takes UTF-8 (conformance 67).
        """
        fields = Challenges('a "b" \\c', None, True, True).fields()
        self.assertEqual(fields[0][1], 'Basic realm="a \\"b\\" \\\\c", charset="UTF-8"')
        self.assertEqual(fields[1][1], 'Bearer realm="a \\"b\\" \\\\c"')

    def test_details(self) -> None:
        """
        That a nonce is too old, and what is wrong with a token, is said where it belongs.
        """
        challenges = Challenges("proxy", DigestScheme(Clock(), "proxy"), True, True)
        values = [value for _, value in challenges.fields(stale=True)]
        self.assertEqual(["stale=true" in value for value in values], [True, False, False])
        values = [value for _, value in challenges.fields(error="the token has expired")]
        self.assertEqual(["expired" in value for value in values], [False, False, True])
        self.assertIn('error="invalid_token"', values[2])
