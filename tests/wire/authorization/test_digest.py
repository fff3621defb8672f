"""
Tests for L{connectproxy.wire.authorization.digest}.
"""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization import (
    Digest,
    authenticationInformation,
    digestChallenge,
    nameHash,
    parseCredentials,
    secretHash,
)
from connectproxy.wire.authorization.digest import ALGORITHMS, readDigest
from connectproxy.wire.authorization.parameters import readParameters

REALM = b"http-auth@example.org"
NONCE = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
RESPONSES = {
    "MD5": b"8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
"""RFC 7616 section 3.9.1."""

PARAMETERS = {
    b"username": b"Mufasa",
    b"realm": REALM,
    b"uri": b"/dir/index.html",
    b"algorithm": b"SHA-256",
    b"nonce": NONCE,
    b"nc": b"00000001",
    b"cnonce": CNONCE,
    b"qop": b"auth",
    b"response": RESPONSES["SHA-256"],
}


def changed(**changes: bytes | None) -> dict[bytes, bytes]:
    """
    The parameters of the example, with others in their place, or without some.
    """
    given = {
        **PARAMETERS,
        **{name.replace("_", "*").encode("ascii"): value for name, value in changes.items()},
    }
    return {name: value for name, value in given.items() if value is not None}


def digest(**changes: bytes | None) -> Digest:
    """
    Valid credentials.
    """
    found = readDigest(changed(**changes))
    assert isinstance(found, Digest), found
    return found


class ArithmeticTests(SynchronousTestCase):
    """
    What a response has to be.
    """

    def test_example(self) -> None:
        """
        RFC 7616 section 3.9.1, with both of its algorithms (conformance 68).
        """
        for algorithm, response in RESPONSES.items():
            found = digest(algorithm=algorithm.encode("ascii"), response=response)
            secret = secretHash(algorithm, b"Mufasa", REALM, b"Circle of Life")
            self.assertEqual(found.expected(secret, b"GET"), found.response)
            self.assertNotEqual(found.expected(secret, b"POST"), found.response)

    def test_exampleWithHashedName(self) -> None:
        """
        RFC 7616 section 3.9.2 as its errata have it: a name beyond ASCII, hashed, and
        SHA-512/256 in place of SHA-512 cut short (conformance 68).
        """
        if "SHA-512-256" not in ALGORITHMS:
            self.assertNotIn("sha512_256", hashlib.algorithms_available)
            return
        name, realm = "Jäsøn Doe".encode(), b"api@example.org"
        hashed = nameHash("SHA-512-256", name, realm)
        self.assertEqual(hashed, b"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
        found = parseCredentials(
            [
                b'Digest username="' + hashed + b'", realm="api@example.org", uri="/doe.json", '
                b"algorithm=SHA-512-256, "
                b'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, '
                b'cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth, '
                b'response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", '
                b'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", userhash=true'
            ]
        )
        assert isinstance(found, Digest), found
        self.assertEqual((found.user, found.hashed), (hashed, True))
        self.assertEqual(found.opaque, b"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS")
        secret = secretHash("SHA-512-256", name, realm, b"Secret, or not?")
        self.assertEqual(found.expected(secret, b"GET"), found.response)

    def test_session(self) -> None:
        """
        With C{-sess} the hash of the password is hashed once more with both nonces (RFC 7616
        section 3.4.2; conformance 68).
        """
        for name in ("SHA-256", "MD5"):
            hashing = ALGORITHMS[name]

            def h(octets: bytes, hashing: object = hashing) -> bytes:
                return hashing(octets).hexdigest().encode("ascii")  # type: ignore[no-any-return, operator]

            found = digest(algorithm=name.encode("ascii") + b"-SESS", response=RESPONSES[name])
            self.assertEqual((found.algorithm, found.base), (f"{name}-sess", name))
            first = h(h(b"Mufasa:" + REALM + b":Circle of Life") + b":" + NONCE + b":" + CNONCE)
            expected = h(b":".join((first, NONCE, b"00000001", CNONCE, b"auth", h(b"GET:/dir/index.html"))))
            secret = secretHash(name, b"Mufasa", REALM, b"Circle of Life")
            self.assertEqual(found.expected(secret, b"GET"), expected)

    def test_information(self) -> None:
        """
        An answer proves that we know the secret, too: the same without the method (RFC 7616
        section 3.5; conformance 68).
        """
        secret = secretHash("SHA-256", b"Mufasa", REALM, b"Circle of Life")
        second = hashlib.sha256(b":/dir/index.html").hexdigest().encode("ascii")
        whole = b":".join((secret, NONCE, b"00000001", CNONCE, b"auth", second))
        proof = hashlib.sha256(whole).hexdigest()
        expected = f'qop=auth, rspauth="{proof}", cnonce="{CNONCE.decode("ascii")}", nc=00000001'
        self.assertEqual(authenticationInformation(digest(), secret), expected)
        self.assertEqual(authenticationInformation(digest(), secret, "n"), f'{expected}, nextnonce="n"')
        quoting = authenticationInformation(digest(cnonce=b'a"b\\'), secret)
        self.assertIn(r'cnonce="a\"b\\"', quoting)


class ReadTests(SynchronousTestCase):
    """
    The parameters.
    """

    def assertWrong(self, why: str, **changes: bytes | None) -> None:
        """
        There is something wrong, and what is said of it shows nothing of it.
        """
        found = readDigest(changed(**changes))
        assert isinstance(found, str), found
        self.assertIn(why, found)
        for word in ("same", "Mufasa", REALM.decode("ascii"), NONCE.decode("ascii")):
            self.assertNotIn(word, found)

    def test_example(self) -> None:
        """
        Everything is where it belongs.
        """
        self.assertEqual(
            digest(opaque=b"again"),
            Digest(
                b"Mufasa", False, "SHA-256", REALM, NONCE, b"/dir/index.html", RESPONSES["SHA-256"],
                b"00000001", CNONCE, b"again",
            ),
        )  # fmt: skip

    def test_missing(self) -> None:
        """
        Without C{qop}, as RFC 2069 had it, replays could not be told; and all others are
        required anyway.
        """
        for name in ("realm", "nonce", "uri", "response", "qop", "nc", "cnonce"):
            self.assertWrong(f"have no {name}", **{name: None})
        self.assertWrong("need one of username and username*", username=None)

    def test_algorithm(self) -> None:
        """
        Names of algorithms are what the registry has, in any case; without one it is MD5
        (RFC 7616 section 3.4).
        """
        self.assertEqual(digest(algorithm=b"sha-256").algorithm, "SHA-256")
        self.assertEqual(digest(algorithm=None, response=RESPONSES["MD5"]).algorithm, "MD5")
        self.assertEqual(digest(algorithm=b"md5-sess", response=RESPONSES["MD5"]).base, "MD5")
        for name in (b"SHA256", b"SHA-1", b"SHA-512", b"", b"none", b"SHA-256-sess-sess"):
            self.assertWrong("algorithm of the Digest credentials is not known", algorithm=name)

    def test_qop(self) -> None:
        """
        Only C{auth}.
        """
        for value in (b"auth-int", b"", b"auth,auth-int"):
            self.assertWrong("the qop of the Digest credentials is not auth", qop=value)

    def test_response(self) -> None:
        """
        As many digits as the algorithm has, in lower case.
        """
        for value in (b"", b"0" * 63, b"0" * 65, b"0" * 32, b"g" * 64, b"A" * 64, b"0" * 63 + b"\n"):
            self.assertWrong("is not 64 hexadecimal digits", response=value)

    def test_count(self) -> None:
        """
        Eight digits, and the first request is number one.
        """
        self.assertEqual(digest(nc=b"0000000A").nc, b"0000000A")
        for value in (
            b"",
            b"1",
            b"0000001",
            b"000000001",
            b"0000000g",
            b"00000000",
            b"-0000001",
            b"+0000001",
        ):
            self.assertWrong("the nc of the Digest", nc=value)

    def test_invisible(self) -> None:
        """
        What is hashed as octets has to be the same octets for everybody.
        """
        for value in (b"", b"se same", b"sesame\n", "sesamé".encode(), b"sesame\x00"):
            self.assertWrong("the nonce of the Digest", nonce=value)
            self.assertWrong("the uri of the Digest", uri=value)
            self.assertWrong("the cnonce of the Digest", cnonce=value)

    def test_name(self) -> None:
        """
        Names are compared in their normal form (conformance 67), whichever way they were
        written (RFC 7616 section 3.4).
        """
        name = "Jäsøn Doe".encode()
        self.assertEqual(digest(username="Ja\u0308søn Doe".encode()).user, name)
        self.assertEqual(digest(username=None, username_=b"UTF-8''J%C3%A4s%C3%B8n%20Doe").user, name)
        self.assertEqual(digest(username=None, username_=b"utf-8'de'Ja%CC%88s%C3%B8n%20Doe").user, name)

    def test_badName(self) -> None:
        """
        What nobody can be called.
        """
        for value in (b"", b"ses:ame", b"sesame\x00", b"sesame\xff", b"ses\tame"):
            self.assertWrong("is empty, has a colon, or is not UTF-8", username=value)
        for value in (b"UTF-8''%00", b"UTF-8''sesame%3A", b"UTF-8''%FF%FF%FF"):
            self.assertWrong("is empty, has a colon, or is not UTF-8", username=None, username_=value)

    def test_badExtended(self) -> None:
        """
        What is no name in the form of RFC 8187.
        """
        for value in (
            b"",
            b"sesame",
            b"UTF-8''",
            b"ISO-8859-1''sesame",
            b"UTF-8''ses%4",
            b"UTF-8''ses ame",
            b"UTF-8'sesame",
        ):
            self.assertWrong("is not UTF-8'', and percent-encoding", username=None, username_=value)

    def test_bothNames(self) -> None:
        """
        Two names are none: who reads them might take either.
        """
        self.assertWrong("need one of username and username*", username_=b"UTF-8''Mufasa")

    def test_hashedName(self) -> None:
        """
        The hash of a name is what the algorithm makes (RFC 7616 section 3.4.4).
        """
        found = digest(username=b"0" * 64, userhash=b"TRUE")
        self.assertEqual((found.user, found.hashed), (b"0" * 64, True))
        self.assertFalse(digest(userhash=b"false").hashed)
        for value in (b"Mufasa", b"0" * 32, b"F" * 64):
            self.assertWrong("no hash of 64 digits", username=value, userhash=b"true")
        self.assertWrong("not for a username*", username=None, username_=b"UTF-8''x", userhash=b"true")
        self.assertWrong("neither true nor false", userhash=b"maybe")

    def test_repr(self) -> None:
        """
        Nothing by which passwords could be tried out (conformance 69).
        """
        for shown in (repr(digest()), str(digest()), f"{[digest()]}"):
            self.assertIn("Digest(SHA-256, ...)", shown)
            self.assertNotIn("Mufasa", shown)


class ChallengeTests(SynchronousTestCase):
    """
    What asks for it.
    """

    def test_value(self) -> None:
        """
        RFC 7616 section 3.3: what has to be quoted is, and nothing else (conformance 65 and
        68).
        """
        self.assertEqual(
            digestChallenge("a realm", "n"),
            'Digest realm="a realm", qop="auth", algorithm=SHA-256, nonce="n", charset=UTF-8, userhash=true',
        )
        self.assertEqual(
            digestChallenge('a"', "n", "MD5", opaque="o", userhash=False, stale=True),
            'Digest realm="a\\"", qop="auth", algorithm=MD5, nonce="n", opaque="o", charset=UTF-8, stale=true',
        )

    def test_readBack(self) -> None:
        """
        A client that goes by the grammar reads what was meant.
        """
        found = readParameters(digestChallenge('a"\\', "n", stale=True).partition(" ")[2].encode("ascii"))
        assert isinstance(found, dict)
        self.assertEqual((found[b"realm"], found[b"stale"], found[b"qop"]), (b'a"\\', b"true", b"auth"))
