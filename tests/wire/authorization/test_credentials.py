"""
Tests for L{connectproxy.wire.authorization.credentials}.
"""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization import MOST, Basic, Bearer, Digest, parseBasic, parseCredentials
from connectproxy.wire.authorization.digest import readDigest
from connectproxy.wire.authorization.parameters import readParameters

DIGEST = (
    b'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, '
    b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    b'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
    b'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", '
    b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
"""RFC 7616 section 3.9.1."""


class ParseTests(SynchronousTestCase):
    """
    The field Proxy-Authorization.
    """

    def test_schemes(self) -> None:
        """
        Each scheme that is known, in any case (conformance 66).
        """
        basic = b" " + b64encode(b"user:pass:word")
        for scheme in (b"Basic", b"BASIC", b"basic"):
            self.assertEqual(parseCredentials([scheme + basic]), Basic(b"user", b"pass:word"))
        for scheme in (b"Bearer", b"bearer", b"BEARER"):
            self.assertEqual(parseCredentials([scheme + b" abc.def"]), Bearer(b"abc.def"))
        for scheme in (b"Digest", b"digest", b"DIGEST"):
            found = parseCredentials([scheme + DIGEST[6:]])
            assert isinstance(found, Digest), found
            self.assertEqual((found.user, found.algorithm), (b"Mufasa", "SHA-256"))

    def test_unknown(self) -> None:
        """
        Another scheme is not (conformance 66).
        """
        for value in (b"Negotiate sesame", b"NTLM sesame", b"Digests realm=sesame", b"sesame"):
            self.assertEqual(
                parseCredentials([value]),
                "the scheme of the Proxy-Authorization is none of Basic, Digest and Bearer",
            )

    def test_onlyBasic(self) -> None:
        """
        Where only Basic will do, the others will not.
        """
        for value in (DIGEST, b"Bearer abc"):
            self.assertEqual(parseBasic([value]), "the scheme of the Proxy-Authorization is not Basic")

    def test_wrong(self) -> None:
        """
        What is wrong within each is told.
        """
        for value, why in (
            (b"Basic x", "not Base64"),
            (b"Bearer", "missing"),
            (b"Digest", "have no realm"),
            (b"Digest sesame", "no list of names and values"),
            (b"Digest " + b"x" * MOST, "not a scheme and credentials"),
        ):
            found = parseCredentials([value])
            assert isinstance(found, str), value
            self.assertIn(why, found)

    @given(
        st.lists(st.tuples(st.integers(0, len(DIGEST)), st.integers(0, 9), st.binary(max_size=3)), max_size=4)
    )
    def test_mutated(self, changes: list[tuple[int, int, bytes]]) -> None:
        """
        Whatever is done to valid credentials, they are read or refused in words that show
        nothing, and never raise.
        """
        octets = DIGEST
        for at, many, inserted in changes:
            octets = octets[:at] + inserted + octets[at + many :]
        found = parseCredentials([octets])
        if isinstance(found, str):
            self.assertTrue(found.isascii() and found.isprintable())
            self.assertNotIn("Mufasa", found)
        elif isinstance(found, Digest):
            parameters = readParameters(octets.partition(b" ")[2].lstrip(b" "))
            assert isinstance(parameters, dict)
            self.assertEqual(readDigest(parameters), found)
            self.assertNotIn("Mufasa", repr(found))

    @given(
        st.sampled_from((b"Basic ", b"Bearer ", b"Digest ", b"")),
        st.binary(max_size=64) | st.text('username="*,\\: ', max_size=64).map(str.encode),
    )
    def test_anything(self, scheme: bytes, octets: bytes) -> None:
        """
        No octets make it raise.
        """
        found = parseCredentials([scheme + octets])
        if isinstance(found, str):
            self.assertTrue(found.isascii() and found.isprintable())
