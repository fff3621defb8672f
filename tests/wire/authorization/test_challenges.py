"""
Tests for L{connectproxy.wire.authorization.challenges}.
"""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization import bearerChallenge, challenge, digestChallenge
from connectproxy.wire.authorization.challenges import MOST_CHALLENGES, Challenge, readChallenges
from connectproxy.wire.authorization.parameters import MOST
from tests.wire.feeding import examples

BASIC = Challenge("Basic", {b"realm": b"a"})


def schemes(*values: bytes) -> list[str]:
    """
    The names of the schemes that are read.
    """
    return [each.scheme for each in readChallenges(values)]


class ReadTests(SynchronousTestCase):
    """
    What is read, and up to where.
    """

    def test_one(self) -> None:
        """
        A scheme and its parameters: names in lower case, values out of their quotes; whitespace
        may stand around the equals sign, and empty elements between others (RFC 9110 sections
        5.6.1.2 and 11.2).
        """
        for value in (
            b'Basic realm="a"',
            b"Basic realm=a",
            b'Basic   REALM="a"',
            b'Basic realm = "a"',
            b'Basic\trealm\t=\t"a"',
            b' ,, Basic ,realm="a", ,',
            b'Basic realm="\\a"',
        ):
            self.assertEqual(readChallenges([value]), [BASIC], value)
        quoted = readChallenges([b'Digest realm="a \\"b\\", c=\\\\ d", qop="auth,auth-int" , nonce=x'])
        expected = {b"realm": b'a "b", c=\\ d', b"qop": b"auth,auth-int", b"nonce": b"x"}
        self.assertEqual(quoted, [Challenge("Digest", expected)])

    def test_several(self) -> None:
        """
        Commas stand between challenges as between parameters, in one field or several.
        """
        digest = Challenge("Digest", {b"realm": b"b", b"nonce": b"c"})
        one, two = b'Basic realm="a"', b'Digest realm="b", nonce="c"'
        self.assertEqual(readChallenges([one, two]), [BASIC, digest])
        self.assertEqual(readChallenges([one + b", " + two]), [BASIC, digest])
        self.assertEqual(readChallenges([two + b"," + one]), [digest, BASIC])
        self.assertEqual(schemes(b"Negotiate, NTLM, " + one), ["Negotiate", "NTLM", "Basic"])
        self.assertEqual(schemes(b"Negotiate", b"NTLM", one), ["Negotiate", "NTLM", "Basic"])

    def test_token68(self) -> None:
        """
        One blob may stand in the place of parameters; its padding is no equals sign of one.
        """
        for blob in (b"TlRMTVNTUAAC", b"abc=", b"abc==", b"a-b._~+/c==="):
            for between in (b", ", b",", b" , ", b"\t,"):
                found = readChallenges([b"Negotiate " + blob + between + b'Basic realm="a"'])
                self.assertEqual(found, [Challenge("Negotiate", {}), BASIC], (blob, between))
            self.assertEqual(readChallenges([b"NTLM  " + blob]), [Challenge("NTLM", {})])

    def test_garbage(self) -> None:
        """
        Nothing behind a mistake is read, and what stands before it is.
        """
        for garbage in (b'x="', b"=x", b'"', b"\x00", b"a=b=c", b"(", b"Digest\x01", b'y="\x7f"', b"\xff"):
            found = readChallenges([b'Basic realm="a", ' + garbage, b"Digest z=1"])
            self.assertEqual(found[0].scheme, "Basic", garbage)
            self.assertEqual(found[0].parameters[b"realm"], b"a", garbage)
            self.assertNotIn("Digest", [each.scheme for each in found], garbage)
        for nothing in ((), (b"",), (b" ,\t,",), (b"realm=a",)):
            self.assertEqual(readChallenges(nothing), [])

    def test_twice(self) -> None:
        """
        A challenge that names a parameter twice is passed over, whether or not the values differ; the
        others count.
        """
        for other in (b"a", b"b", b'"a"', b'""'):
            found = readChallenges([b"Digest realm=a, REALM=" + other + b', nonce=x, Basic realm="a"'])
            self.assertEqual(found, [BASIC], other)

    def test_bounded(self) -> None:
        """
        There is an end to challenges, to parameters, and to octets.
        """
        self.assertEqual(len(schemes(b"a, " * 100)), MOST_CHALLENGES)
        many = b"Digest " + b", ".join(b"p%d=x" % number for number in range(100))
        self.assertEqual(len(readChallenges([many])[0].parameters), 32)
        self.assertEqual(schemes(b"," * (MOST - 5) + b"Basic"), ["Basic"])
        self.assertEqual(schemes(b"," * MOST + b"Basic"), [])

    def test_linear(self) -> None:
        """
        Nothing within the bound takes long to read.
        """
        for piece in (b"a=", b'a="', b"a b", b"a ", b"\\", b'"', b"=", b"a = ", b" ", b"\t,", b"a"):
            for start in (b"", b"Basic ", b'Basic realm="'):
                value = (start + piece * MOST)[:MOST]
                began = process_time()
                for _ in range(10):
                    readChallenges([value])
                self.assertLess(process_time() - began, 0.5, (start, piece))

    def test_ours(self) -> None:
        """
        What this proxy asks by itself is read as what it means.
        """
        realm = 'the "proxy" \\'
        for value, scheme in (
            (challenge(realm), "Basic"),
            (digestChallenge(realm, "n", opaque="o"), "Digest"),
            (bearerChallenge(realm, "invalid_token", "gone"), "Bearer"),
        ):
            (found,) = readChallenges([value.encode("ascii")])
            self.assertEqual((found.scheme, found.parameters[b"realm"]), (scheme, realm.encode("ascii")))

    @examples
    @given(st.lists(st.binary(max_size=60) | st.text('Basic Digest=",\\a \t').map(str.encode), max_size=4))
    def test_anything(self, values: list[bytes]) -> None:
        """
        Whatever comes, there is an answer of tokens and octets.
        """
        for each in readChallenges(values):
            self.assertRegex(each.scheme, r"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
            self.assertTrue(all(name == name.lower() and name for name in each.parameters))
