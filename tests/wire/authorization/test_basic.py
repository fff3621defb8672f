"""
Tests for L{connectproxy.wire.authorization.basic}.
"""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization import MOST, Basic, challenge, normalForm, parseBasic

SECRET = b"open sesame"


def basic(plain: bytes, scheme: bytes = b"Basic") -> bytes:
    """
    The field's value for a user-id and a password with a colon in between.
    """
    return scheme + b" " + b64encode(plain)


class ParseTests(SynchronousTestCase):
    """
    The field Proxy-Authorization.
    """

    def assertWrong(self, *values: bytes, why: str) -> None:
        """
        Fields are no credentials, and what is said about them shows nothing of them.
        """
        found = parseBasic(values)
        assert isinstance(found, str), found
        self.assertIn(why, found)
        self.assertFalse(found.endswith("."))
        for value in values:
            for word in value.split()[1:]:
                self.assertTrue(len(word) < 3 or word.decode("latin-1") not in found)

    def test_example(self) -> None:
        """
        The examples of RFC 7617 sections 2 and 2.1.
        """
        self.assertEqual(
            parseBasic([b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]), Basic(b"Aladdin", b"open sesame")
        )
        self.assertEqual(parseBasic([b"Basic dGVzdDoxMjPCow=="]), Basic(b"test", "123£".encode()))

    def test_scheme(self) -> None:
        """
        The scheme's case says nothing, and more than one space may stand behind it
        (conformance 66).
        """
        for scheme in (b"Basic", b"basic", b"BASIC", b"bAsIc", b"Basic   "):
            self.assertEqual(parseBasic([basic(b"user:password", scheme)]), Basic(b"user", b"password"))

    def test_otherScheme(self) -> None:
        """
        Another scheme is not known here, whatever its form (conformance 66, conformance 68).
        """
        for value in (
            basic(b"user:password", b"Bearer"),
            basic(b"user:password", b"Basics"),
            b"Negotiate",
            b'Digest username="Mufasa", realm="http-auth@example.org", qop=auth, nc=00000001',
            b"Digest  uri = /secret",
        ):
            self.assertWrong(value, why="scheme of the Proxy-Authorization is not Basic")

    def test_missing(self) -> None:
        """
        A request without the field.
        """
        self.assertWrong(why="has no Proxy-Authorization")

    def test_several(self) -> None:
        """
        Two fields are refused, even if both say the same: who reads them behind us might
        take the other one.
        """
        value = basic(b"user:password")
        self.assertWrong(value, value, why="there are 2 Proxy-Authorization fields")
        self.assertWrong(value, b"", value, why="there are 3")

    def test_noCredentials(self) -> None:
        """
        What is no scheme and credentials at all.
        """
        for value in (
            b"",
            b" ",
            b'"Basic"',
            b"Basic,abc",
            b"Basic\tdTpw",
            b"\xc3\xa9 dTpw",
            b"=",
            b"Ba:sic dTpw",
        ):
            self.assertWrong(value, why="not a scheme and credentials")

    def test_base64(self) -> None:
        """
        What is not Base64 to the last octet is refused: nothing is skipped, cut off or
        guessed (conformance 67).
        """
        for encoded in (
            b"dTpw ",
            b"dTpw dTpw",
            b"dTpw, Basic dTpw",
            b"dTp w",
            b"dTpw\n",
            b"dTpw=",
            b"dTpwdQ",
            b"dTpwdQ=",
            b"dTpwdQ===",
            b"=dTpw",
            b"dT=pw",
            b"dTpw-_",
            b"d",
            b"dTpw\x00",
            b"dTpw\xff",
            b'realm="x"',
        ):
            self.assertWrong(b"Basic " + encoded, why="are not Base64")

    def test_noColon(self) -> None:
        """
        Without a colon there is no telling the password from the user (conformance 67).
        """
        self.assertWrong(basic(SECRET), why="have no colon")
        for empty in (b"Basic", b"Basic ", b"Basic   "):
            self.assertWrong(empty, why="have no colon")

    def test_colons(self) -> None:
        """
        The first colon is the one: the password may have more (conformance 67).
        """
        self.assertEqual(parseBasic([basic(b"user:pass:word:")]), Basic(b"user", b"pass:word:"))
        self.assertEqual(parseBasic([basic(b"::")]), Basic(b"", b":"))
        self.assertEqual(parseBasic([basic(b":password")]), Basic(b"", b"password"))
        self.assertEqual(parseBasic([basic(b"user:")]), Basic(b"user", b""))

    def test_utf8(self) -> None:
        """
        What is not UTF-8, user or password, is refused (conformance 67).
        """
        for plain in (
            b"us\xe9r:password",
            b"user:passw\xf6rd",
            b"user:\xc0\x80",
            b"user:\xed\xa0\x80",
            b"user:\xf4\x90\x80\x80",
            b"user:\xe2\x82",
        ):
            self.assertWrong(basic(plain), why="not UTF-8")

    def test_controls(self) -> None:
        """
        Control characters have no place in either (RFC 7617 section 2).
        """
        for number in (*range(0x20), 0x7F):
            octet = bytes([number])
            self.assertWrong(basic(b"us" + octet + b"er:password"), why="control characters")
            self.assertWrong(basic(b"user:" + octet), why="control characters")
            self.assertWrong(basic("usér:pä".encode() + octet), why="control characters")

    def test_normalForm(self) -> None:
        """
        Two ways to write one character are one: both come out in normal form C
        (conformance 67).
        """
        expected = Basic("usér".encode(), "pässwörd".encode())
        self.assertEqual(parseBasic([basic("usér:pässwörd".encode())]), expected)
        self.assertEqual(parseBasic([basic("use\u0301r:pa\u0308sswo\u0308rd".encode())]), expected)

    def test_length(self) -> None:
        """
        A field is looked at up to its limit, and not behind.
        """
        longest = basic(b"user:" + b"x" * (MOST // 4 * 3 - 24))
        longest += b"A" * (MOST - len(longest)) if len(longest) % 4 == MOST % 4 else b""
        self.assertLessEqual(len(longest), MOST)
        self.assertIsInstance(parseBasic([longest]), Basic)
        self.assertWrong(b"Basic " + b"A" * (MOST - 5), why="not a scheme and credentials")
        self.assertWrong(b" " * (MOST + 1), why="not a scheme and credentials")

    def test_repr(self) -> None:
        """
        Neither user nor password shows in a traceback with values, or in a log.
        """
        found = Basic(b"user", SECRET)
        for shown in (repr(found), str(found), f"{found}", f"{[found]!r}"):
            self.assertNotIn("sesame", shown)
            self.assertNotIn("user", shown)

    @given(st.text(), st.text())
    def test_roundTrip(self, user: str, password: str) -> None:
        """
        Whatever can be said is read back in its normal form; the rest is refused.
        """
        try:
            octets = user.encode(), password.encode()
        except UnicodeEncodeError:
            return
        found = parseBasic([basic(b"%b:%b" % octets)])
        forms = (
            normalForm(user.partition(":")[0].encode()),
            normalForm((user + ":" + password).partition(":")[2].encode()),
        )
        if None in forms:
            self.assertIsInstance(found, str)
        else:
            self.assertEqual(found, forms)

    @given(
        st.lists(st.binary(max_size=64), max_size=3)
        | st.lists(st.binary().map(basic), min_size=1, max_size=2)
    )
    def test_anything(self, values: list[bytes]) -> None:
        """
        No octets make it raise, and what is wrong is said without them.
        """
        found = parseBasic(values)
        if isinstance(found, str):
            self.assertTrue(found.isascii() and found.isprintable())


class NormalFormTests(SynchronousTestCase):
    """
    The form in which names and passwords are compared.
    """

    def test_ascii(self) -> None:
        """
        ASCII is in its normal form.
        """
        self.assertEqual(normalForm(b"pass:word ~"), b"pass:word ~")
        self.assertEqual(normalForm(b""), b"")

    def test_idempotent(self) -> None:
        """
        A normal form's normal form is itself.
        """
        for text in ("e\u0301", "\u212b", "\uac00", "\u1100\u1161", "\u0340"):
            form = normalForm(text.encode())
            assert form is not None
            self.assertEqual(normalForm(form), form)

    def test_refused(self) -> None:
        """
        What can't be compared.
        """
        for octets in (b"\x00", b"a\x7f", b"\xff", "é\n".encode()):
            self.assertIsNone(normalForm(octets))


class ChallengeTests(SynchronousTestCase):
    """
    The field Proxy-Authenticate.
    """

    def test_value(self) -> None:
        """
        The realm is a quoted string, and the client is told to use UTF-8 (conformance 65
        and 67).
        """
        self.assertEqual(challenge("connectproxy"), 'Basic realm="connectproxy", charset="UTF-8"')

    def test_quoted(self) -> None:
        """
        A realm cannot end its own string (RFC 9110 section 5.6.4).
        """
        self.assertEqual(challenge('a"b\\'), 'Basic realm="a\\"b\\\\", charset="UTF-8"')
