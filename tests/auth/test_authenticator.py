"""
Tests for L{connectproxy.auth.authenticator}: who gets in, and what the others are told.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from zope.interface.verify import verifyObject

from connectproxy.address import Networks
from connectproxy.auth.connection import Identity
from connectproxy.auth.tokens import mint
from connectproxy.interfaces import IAuthenticator, ProxyUser
from tests.auth.case import SECRET, arrivalOf, asking, basic
from tests.auth.portalcase import KEY, PortalCase, digestOf
from tests.fakes import makeRequest

WRONG = "the user or the password is wrong"
MISSING = "the request has no Proxy-Authorization"
PEOPLE = frozenset({"people"})
LAB = Identity("lab", networks=Networks.parse("192.0.2.0/24"))


class BasicTests(PortalCase):
    """
    Names and passwords over HTTP.
    """

    def test_interface(self) -> None:
        """
        It is an authenticator, and tells its files.
        """
        verifyObject(IAuthenticator, self.make())
        self.assertEqual(self.authenticator.files, ("a", "b"))

    def test_asks(self) -> None:
        """
        Clients have to say who they are, unless their port says otherwise.
        """
        self.make()
        for said, asked in (
            ("", "required"),
            ("required", "required"),
            ("optional", "optional"),
            ("off", "off"),
        ):
            self.assertEqual(self.authenticator.asks(arrivalOf(authentication=said)), asked)

    def test_right(self) -> None:
        """
        With the right password there is an avatar, in its groups; the scheme's case and the
        form of accents do not matter (conformance 66 and 67).
        """
        self.make()
        for value in (
            basic(f"zoë:{SECRET}"),
            basic(f"zoe\u0308:{SECRET}"),
            b"bAsIc  " + b64encode(f"zoë:{SECRET}".encode()),
        ):
            found = self.result(self.authenticator.identify(asking(value)))
            self.assertEqual(found, ProxyUser("zoë", PEOPLE, (), "basic"))

    def test_wrong(self) -> None:
        """
        With another one the client is asked again, and not told which of the two is wrong
        (conformance 65 and 67).
        """
        self.make(guesses=0)
        for pair in ("zoë:x", "zoë:", f"zoe:{SECRET}", f":{SECRET}", ":", f"zoë:{SECRET} ", f"zoë::{SECRET}"):
            self.assertAsked(self.authenticator.identify(asking(basic(pair))), WRONG)

    def test_malformed(self) -> None:
        """
        What is wrong with the field is said in the parser's words, with challenges, and is
        no guess (conformance 65, 66 and 67).
        """
        self.make(guesses=1)
        for value, words in (
            (b"Basic !", "the credentials of the Proxy-Authorization are not Base64"),
            (basic("zoe"), "the credentials of the Proxy-Authorization have no colon"),
            (
                basic(b"zoe:\xff"),
                "the credentials of the Proxy-Authorization are not UTF-8 without control characters",
            ),
            (
                basic(b"zoe:\x00"),
                "the credentials of the Proxy-Authorization are not UTF-8 without control characters",
            ),
            (b"NTLM x", "the scheme of the Proxy-Authorization is none of Basic, Digest and Bearer"),
            (b"", "the Proxy-Authorization is not a scheme and credentials"),
            (b"Basic " + b"A" * 20_000, "the Proxy-Authorization is not a scheme and credentials"),
            (b"Bearer abc", "no tokens are taken here"),
            (digestOf('nonce="x"'), "Digest is not taken here"),
        ):
            self.assertAsked(self.authenticator.identify(asking(value)), words)
        twice = asking(basic(f"zoë:{SECRET}"), basic(f"zoë:{SECRET}"))
        self.assertAsked(
            self.authenticator.identify(twice),
            "there are several Proxy-Authorization fields; there must be one",
        )
        self.assertEqual(self.result(self.authenticator.identify(asking(basic(f"zoë:{SECRET}")))).name, "zoë")

    def test_missing(self) -> None:
        """
        Who says nothing is asked, as often as it wants to be: that is no guess (conformance
        70); nor is it one of a request of whose connection nothing is known.
        """
        self.make(guesses=1)
        for _ in range(5):
            self.assertAsked(self.authenticator.identify(asking()), MISSING)
        self.assertAsked(self.authenticator.identify(makeRequest()), MISSING)

    def test_optional(self) -> None:
        """
        Where that is optional nobody is one to serve, too; but not who says something wrong.
        """
        self.make(guesses=0)
        arrival = arrivalOf(authentication="optional")
        self.assertIs(self.authenticator.identify(asking(arrival=arrival)), None)
        self.assertAsked(self.authenticator.identify(asking(basic("zoë:x"), arrival=arrival)), WRONG)
        self.assertAsked(
            self.authenticator.identify(asking(b"x y z", arrival=arrival)),
            "the scheme of the Proxy-Authorization is none of Basic, Digest and Bearer",
        )
        found = self.result(self.authenticator.identify(asking(basic(f"zoë:{SECRET}"), arrival=arrival)))
        self.assertEqual(found.name, "zoë")

    def test_off(self) -> None:
        """
        Where nobody is asked nothing is looked at; only the connection still has its name.
        """
        self.make(identities=[LAB])
        off = arrivalOf(authentication="off")
        self.assertEqual(self.authenticator.identify(asking(basic("zoë:x"), arrival=off)).name, "lab")  # type: ignore[union-attr]
        off = arrivalOf("198.51.100.1", authentication="off")
        self.assertIs(self.authenticator.identify(asking(basic("zoë:x"), arrival=off)), None)


class SOCKSTests(PortalCase):
    """
    Names and passwords in another protocol.
    """

    def test_check(self) -> None:
        """
        They are the same ones; what is no UTF-8, or too long for bcrypt, is just wrong
        (conformance 67).
        """
        self.make(guesses=0)
        check = self.authenticator.check
        found = self.result(check("zoe\u0308".encode(), SECRET.encode(), arrivalOf()))
        self.assertEqual(found, ProxyUser("zoë", PEOPLE, (), "password"))
        for user, password in (("zoë", "x"), ("zo", SECRET), ("", ""), ("zoë", "x" * 255), ("zoë:", SECRET)):
            self.assertAsked(check(user.encode(), password.encode(), arrivalOf()), WRONG)
        self.assertAsked(check(b"\xff", SECRET.encode(), arrivalOf()), WRONG)
        self.assertAsked(check("zoë".encode(), b"\x00", arrivalOf()), WRONG)

    def test_kept(self) -> None:
        """
        What was right is not hashed again, nor taken for the same over HTTP.
        """
        self.make()
        self.result(self.authenticator.check("zoë".encode(), SECRET.encode(), arrivalOf()))
        found: Any = self.authenticator.check("zoë".encode(), SECRET.encode(), arrivalOf("198.51.100.1"))
        self.assertEqual(found.means, "password")
        self.assertEqual(
            self.result(self.authenticator.identify(asking(basic(f"zoë:{SECRET}")))).means, "basic"
        )

    def test_token(self) -> None:
        """
        A password may be a token.
        """
        self.make(tokens=True)
        token = mint(KEY, "ci", now=1000)[0].encode()
        self.assertEqual(self.authenticator.check(b"ci", token, arrivalOf()), ProxyUser("ci", means="token"))


class TokenTests(PortalCase):
    """
    Tokens.
    """

    def test_good(self) -> None:
        """
        A token is taken as Bearer and as the password of Basic, and believed no longer than
        it is good.
        """
        self.make(tokens=True, users=(), cache=3600)
        token = mint(KEY, "zoë", ["ci"], ["slow"], seconds=60, now=1000)[0]
        zoe = ProxyUser("zoë", PEOPLE | {"ci"}, ("slow",), "token")
        for value in (
            b"Bearer " + token.encode(),
            basic(f"zoë:{token}"),
            basic(f"token:{token}"),
            basic(f":{token}"),
        ):
            for _ in range(2):
                self.assertEqual(self.authenticator.identify(asking(value)), zoe)
        self.reactor.advance(60)
        for value in (b"Bearer " + token.encode(), basic(f"zoë:{token}")):
            self.assertAsked(
                self.authenticator.identify(asking(value)), "the token has expired", "Basic Bearer"
            )

    def test_bad(self) -> None:
        """
        Why one is not good is said, in words and in the challenge.
        """
        self.make(tokens=True, users=(), guesses=0)
        token = mint(KEY, "zoë", now=1000)[0]
        found: Any = self.authenticator.identify(asking(basic(f"jo:{token}")))
        self.assertAsked(found, "the token is another user's", "Basic Bearer")
        self.assertIn(
            'error="invalid_token", error_description="the token is another user\'s"', found.fields[1][1]
        )
        self.assertAsked(
            self.authenticator.identify(asking(basic(f"zoë:{SECRET}"))),
            "the password is no token",
            "Basic Bearer",
        )
        self.assertAsked(self.authenticator.identify(asking()), MISSING, "Basic Bearer")

    def test_guesses(self) -> None:
        """
        Forged ones count, and only those; a good one is good whatever else came from there
        (conformance 70).
        """
        self.make(tokens=True, guesses=2)
        old = b"Bearer " + mint(KEY, "zoë", seconds=1, now=1)[0].encode()
        good = b"Bearer " + mint(KEY, "zoë", now=1000)[0].encode()
        forged = b"Bearer " + mint(KEY._replace(octets=b"x" * 32), "zoë", now=1000)[0].encode()
        for _ in range(5):
            self.assertAsked(
                self.authenticator.identify(asking(old)), "the token has expired", "Basic Bearer"
            )
        unsigned = "the token has been signed with none of the keys"
        self.assertAsked(self.authenticator.identify(asking(forged)), unsigned, "Basic Bearer")
        self.assertRefused(self.authenticator.identify(asking(forged)), "login_limit_reached", "30")
        self.assertEqual(self.authenticator.identify(asking(good)).name, "zoë")  # type: ignore[union-attr]
        self.assertRefused(
            self.authenticator.identify(asking(basic(f"zoë:{SECRET}"))), "login_limit_reached", "30"
        )


class DigestTests(PortalCase):
    """
    Digest.
    """

    def challenge(self) -> str:
        """
        A challenge.
        """
        found: Any = self.authenticator.identify(asking())
        return str(found.fields[0][1])

    def test_right(self) -> None:
        """
        A right answer to a challenge is who it says, once (conformance 65 and 66).
        """
        self.make(digests=True)
        challenge = self.challenge()
        self.assertAsked(self.authenticator.identify(asking()), MISSING, "Digest Basic")
        for count in (1, 2):
            found = self.authenticator.identify(asking(digestOf(challenge, count=count)))
            self.assertEqual(found, ProxyUser("dora", PEOPLE, (), "digest"))
        again: Any = self.authenticator.identify(asking(digestOf(challenge)))
        self.assertAsked(again, "the count of the nonce has been used", "Digest Basic")
        self.assertIn("stale=true", again.fields[0][1])

    def test_target(self) -> None:
        """
        It is for the request's own target, which for a tunnel can be told without it.
        """
        self.make(digests=True)
        value = digestOf(self.challenge(), target="other.example:443")
        self.assertAsked(
            self.authenticator.identify(asking(value)),
            "the uri of the Digest credentials is not the target of the request",
            "Digest Basic",
        )
        found: Any = self.authenticator.identify(asking(digestOf(self.challenge()), target=b""))
        self.assertEqual(found.name, "dora")

    def test_guesses(self) -> None:
        """
        Wrong ones count, and then not even the right one is looked at; one with an old nonce
        does not (conformance 70).
        """
        self.make(digests=True, guesses=2)
        challenge = self.challenge()
        self.reactor.advance(301)
        for _ in range(5):
            self.assertAsked(
                self.authenticator.identify(asking(digestOf(challenge))),
                "the nonce is too old",
                "Digest Basic",
            )
        challenge = self.challenge()
        for count in (1, 2):
            self.assertAsked(
                self.authenticator.identify(asking(digestOf(challenge, "x", count=count))),
                WRONG,
                "Digest Basic",
            )
        self.assertRefused(
            self.authenticator.identify(asking(digestOf(challenge))), "login_limit_reached", "30"
        )
