"""
Tests for L{connectproxy.wire.authorization.parameters}.
"""

from __future__ import annotations

from urllib.request import parse_http_list, parse_keqv_list

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.authorization.parameters import MOST, quoted, readParameters, splitCredentials

TOKEN = st.text("abcxyzABC019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
STRING = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
BLANK = st.text(" \t", max_size=2)


class SplitTests(SynchronousTestCase):
    """
    The scheme and what is behind it.
    """

    def test_split(self) -> None:
        """
        The scheme's case says nothing, and more than one space may stand behind it
        (conformance 66).
        """
        for value, expected in (
            (b"Basic dTpw", (b"basic", b"dTpw")),
            (b"DIGEST   realm=x", (b"digest", b"realm=x")),
            (b"Negotiate", (b"negotiate", b"")),
            (b"bearer ", (b"bearer", b"")),
        ):
            self.assertEqual(splitCredentials([value]), expected)

    def test_refused(self) -> None:
        """
        None, several, and what is no scheme, with all that is said about it.
        """
        self.assertEqual(splitCredentials([]), "the request has no Proxy-Authorization")
        self.assertEqual(
            splitCredentials([b"a b", b"a b"]), "there are 2 Proxy-Authorization fields; there must be one"
        )
        for value in (b"", b" ", b"a\tb", b'"a" b', b"a,b", b"\xc3\xa9 x", b"a " + b"x" * MOST):
            self.assertEqual(
                splitCredentials([value]), "the Proxy-Authorization is not a scheme and credentials", value
            )


class ReadTests(SynchronousTestCase):
    """
    Parameters.
    """

    def assertWrong(self, octets: bytes, why: str) -> None:
        """
        There is something wrong, and nothing of it is shown.
        """
        found = readParameters(octets)
        assert isinstance(found, str), found
        self.assertIn(why, found)
        self.assertNotIn("sesame", found)

    def test_forms(self) -> None:
        """
        Tokens and quoted strings, with the white space and the empty elements that RFC 9110
        sections 5.6.1 and 11.2 permit (conformance 66).
        """
        for octets, expected in (
            (b"", {}),
            (b" , ,\t", {}),
            (b"a=b", {b"a": b"b"}),
            (b'A="b"', {b"a": b"b"}),
            (b'a=""', {b"a": b""}),
            (b'a = b ,\tc\t=\t"d"', {b"a": b"b", b"c": b"d"}),
            (b"a=b,c=d", {b"a": b"b", b"c": b"d"}),
            (b",,a=b,, ,c=d,", {b"a": b"b", b"c": b"d"}),
            (b'a="b, c=d", e=f \t', {b"a": b"b, c=d", b"e": b"f"}),
            (rb'a="\"b\\\c"', {b"a": rb'"b\c'}),
            (b'a="\xc3\xa9\t!"', {b"a": b"\xc3\xa9\t!"}),
            (b"username*=UTF-8''x", {b"username*": b"UTF-8''x"}),
        ):
            self.assertEqual(readParameters(octets), expected, octets)

    def test_noList(self) -> None:
        """
        What is no list of parameters.
        """
        for octets in (
            b"sesame",
            b"sesame=",
            b"=sesame",
            b'a="sesame',
            b'a="sesame\\"',
            b'a="sesame\x00"',
            b'a="sesame\x7f"',
            b'a="\\\nsesame"',
            b"a=\xc3\xa9",
            b"sesame==",
            b"a=b,sesame",
        ):
            self.assertWrong(octets, "no list of names and values")

    def test_between(self) -> None:
        """
        Nothing but commas, and white space around them, stands between two.
        """
        for octets in (b"a=b c=sesame", b'a="b"c=sesame', b'a="b""sesame"', b"a=b;c=sesame", b'a=b"sesame"'):
            self.assertWrong(octets, "not separated by commas")

    def test_twice(self) -> None:
        """
        A name that stands twice is refused in any case: another reader might take the other
        one (conformance 66).
        """
        for octets in (b"a=sesame,a=b", b'nonce="sesame", Nonce="sesame"', b"a=b, c=d, A=sesame"):
            self.assertWrong(octets, "stands twice")

    def test_many(self) -> None:
        """
        There is an end to them.
        """
        names = [b"p%d=sesame" % number for number in range(33)]
        found = readParameters(b",".join(names[:32]))
        assert isinstance(found, dict)
        self.assertEqual(len(found), 32)
        self.assertWrong(b",".join(names), "more than 32")

    @given(st.lists(st.tuples(TOKEN, STRING, BLANK), max_size=8, unique_by=lambda each: each[0].lower()))
    def test_roundTrip(self, said: list[tuple[str, str, str]]) -> None:
        """
        What is written is read back; and as Python's own reader has it, where that knows
        the form.
        """
        written = ",".join(f"{blank}{name}={quoted(value)}{blank}" for name, value, blank in said)
        found = readParameters(written.encode("ascii"))
        expected = {name.lower().encode("ascii"): value.encode("ascii") for name, value, _ in said}
        self.assertEqual(found, expected)
        if said and not any("\\" in value or '"' in value for _, value, _ in said):
            theirs = parse_keqv_list([each.strip() for each in parse_http_list(written)])
            self.assertEqual({key.lower(): value for key, value in theirs.items()}, _text(expected))

    @given(st.binary(max_size=64) | st.text('a=",\\ \t', max_size=64).map(str.encode))
    def test_anything(self, octets: bytes) -> None:
        """
        No octets make it raise; what is found has names that are tokens, and nothing is
        found that is longer than what came.
        """
        found = readParameters(octets)
        if isinstance(found, dict):
            self.assertLessEqual(sum(len(name) + len(value) for name, value in found.items()), len(octets))
            self.assertTrue(all(name and name == name.lower() for name in found))
        else:
            self.assertTrue(found.isascii() and found.isprintable())


def _text(parameters: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("ascii") for name, value in parameters.items()}
