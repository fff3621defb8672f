"""
Tests for L{connectproxy.address.patterns}.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import NamePattern, parseHost, parsePattern

examples = settings(deadline=None, database=None, derandomize=True, max_examples=400)

LABELS = st.text("ab-1", min_size=1, max_size=3)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda prefix, labels: prefix + ".".join(labels),
    st.sampled_from(["", ".", "*."]),
    st.lists(st.text("ab*1", min_size=1, max_size=4), min_size=1, max_size=3),
)


def wrong(text: str) -> str:
    """
    What is wrong with a pattern.
    """
    try:
        found = parsePattern(text)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{text!r} was read as {found}")


class FormTests(SynchronousTestCase):
    """
    What a pattern may look like.
    """

    def test_forms(self) -> None:
        """
        Each form has its base, and says whether that matches itself and what is below.
        """
        for text, expected in {
            "example.com": ("example.com", True, False),
            ".example.com": ("example.com", True, True),
            "*.example.com": ("example.com", False, True),
            "api-*.example.com": ("api-*.example.com", True, False),
            "*.api-*.example.com": ("api-*.example.com", False, True),
            ".api-*.example.com": ("api-*.example.com", True, True),
            "a.*.example.com": ("a.*.example.com", True, False),
            "*": ("", False, True),
            ".*": ("", False, True),
            "localhost": ("localhost", True, False),
            "_dmarc.example.com": ("_dmarc.example.com", True, False),
        }.items():
            self.assertEqual(parsePattern(text)[1:], expected, text)

    def test_oneNormalForm(self) -> None:
        """
        Case, a trailing dot, and how an internationalised name is written make no
        difference.
        """
        for text in ("bücher.example", "BÜCHER.Example.", "xn--bcher-kva.example", "bu\u0308cher。example"):
            self.assertEqual(str(parsePattern(text)), "xn--bcher-kva.example", text)
        self.assertEqual(str(parsePattern("*.EXAMPLE.com.")), "*.example.com")
        self.assertEqual(str(parsePattern("*.")), "*")
        self.assertEqual(parsePattern("faß.example").base, "xn--fa-hia.example")  # and not fass

    def test_lookAlikes(self) -> None:
        """
        A name that looks like another one is another one: neither matches the other.
        """
        plain, cyrillic = parsePattern("apple.example"), parsePattern("\u0430pple.example")
        self.assertNotEqual(plain.base, cyrillic.base)
        self.assertFalse(cyrillic.matches("apple.example"))
        self.assertTrue(cyrillic.matches("xn--pple-43d.example"))

    def test_mappedToPlain(self) -> None:
        """
        What UTS 46 maps to ASCII is judged as that, be it a name, an address or a port.
        """
        self.assertEqual(str(parsePattern("\uff45xample.com")), "example.com")
        self.assertIn("below networks", wrong("\uff11\uff12\uff17.0.0.1"))
        self.assertIn("scheme, a path", wrong("example.com\uff0fx"))

    def test_normalFormIsStable(self) -> None:
        """
        What has been read is read as the same again.
        """
        for text in ("Example.com.", ".Example.com", "*.a-*.EXAMPLE", "*", "bücher.example"):
            first = parsePattern(text)
            self.assertEqual(parsePattern(str(first)), first)

    def test_sameNamesAsDestinations(self) -> None:
        """
        A name that a client can ask for is a pattern of itself, in the same normal form.
        """
        for text in ("Example.COM.", "a_b.example", "xn--bcher-kva.EXAMPLE", "1.2.3.example", "0x.a"):
            destination: Any = parseHost(text, 443)
            self.assertEqual(parsePattern(text), NamePattern(destination.host, destination.host, True, False))

    def test_withoutIDNA(self) -> None:
        """
        The tables of internationalised names are loaded for those who have such a name.
        """
        program = "import sys; from connectproxy.address import parsePattern as p; p('a.*.b'); sys.exit('idna' in sys.modules)"
        self.assertEqual(subprocess.run([sys.executable, "-c", program], check=False).returncode, 0)


class RefusedTests(SynchronousTestCase):
    """
    What is no pattern, and what would be right.
    """

    def test_addresses(self) -> None:
        """
        An address in any form belongs below networks, and the message says so.
        """
        for text in (
            *(
                "10.0.0.1",
                "10.0.0.0/8",
                "10.*",
                "10.0.0.*",
                "127.1",
                "2130706433",
                "0x7f000001",
                "0177.0.0.1",
            ),
            *(
                "::1",
                "[::1]",
                "[::1]:443",
                "fe80::1%eth0",
                "2001:db8::/32",
                "::ffff:10.0.0.1",
                "64:ff9b::a00:1",
            ),
            *("10.0.0.1:443", ".10.0.0.1", "*.0.0.1", "1.2.3.4.", "example.0x1f", "1*"),
        ):
            self.assertIn("below networks", wrong(text), text)

    def test_messages(self) -> None:
        """
        Everything else that people write there is called by its name.
        """
        for text, part in {
            "": "is empty",
            "  ": "is empty",
            ".": "empty label",
            "..": "empty label",
            "a..b": "empty label",
            "*..a": "empty label",
            "https://example.com": "has a scheme",
            "example.com/x": "has a scheme",
            "user@example.com": "user information",
            "@list.txt": "user information",
            "example.com:443": "the port below ports",
            "example.com:*": "the port below ports",
            "a.b:c": "has a colon",
            "a b": "white space",
            "a\x00b": "white space or a control character",
            "a%2eb": "percent-encoding",
            "a**b.c": "side by side",
            "**": "side by side",
            "a!b": "character that no name has",
            "[a-z].example": "has a bracket",
            "x" * 64 + ".com": "a label 63",
            "x" * 64 + "*.com": "a label 63",
            ".".join(["abcdefgh"] * 40): "253 characters",
            "*a." + ".".join(["abcdefgh"] * 40): "253 characters",
            "\u2603.example": "not a valid internationalised name",
            "b\u00fc*.example": "within an internationalised label",
            "\u00fc" * 400: "longer",
        }.items():
            self.assertIn(part, wrong(text), text)

    def test_nothingSecretIsShown(self) -> None:
        """
        What may have a password in it is not repeated, and what is, is escaped and cut.
        """
        for text in ("https://user:secret@host", "user:secret@host", "http://h/?token=secret", "a\\secret"):
            self.assertNotIn("secret", wrong(text))
        self.assertIn(r"'a\x1bb'", wrong("a\x1bb"))
        self.assertLess(len(wrong("a!" * 5000)), 200)

    def test_oneSentence(self) -> None:
        """
        A message is a sentence without its full stop that says what would be right.
        """
        for text in ("", "a b", "10.0.0.1", "x:1", "\u2603", "a**"):
            self.assertRegex(wrong(text), r"^[^\n]+; [^\n]+[^.]$")


class MatchTests(SynchronousTestCase):
    """
    What matches.
    """

    def assertMatches(self, text: str, yes: str, no: str) -> None:
        """
        A pattern matches some names and no others.
        """
        pattern = parsePattern(text)
        for name in yes.split():
            self.assertTrue(pattern.matches(name), f"{text} {name}")
        for name in no.split():
            self.assertFalse(pattern.matches(name), f"{text} {name}")

    def test_plain(self) -> None:
        """
        Names are compared label by label, so that nobody gains by a name that ends alike.
        """
        self.assertMatches("example.com", "example.com", "a.example.com badexample.com example.com.a com")
        self.assertMatches(".example.com", "example.com a.example.com a.b.example.com", "badexample.com com")
        self.assertMatches("*.example.com", "a.example.com a.b.example.com", "example.com badexample.com")
        self.assertMatches("*", "a a.b", "")

    def test_withinLabels(self) -> None:
        """
        A C{*} within the name stays within its label.
        """
        self.assertMatches(
            "api-*.example.com",
            "api-.example.com api-1.example.com",
            "api.example.com x.api-1.example.com api-1.b.example.com",
        )
        self.assertMatches("a*b*c.d", "abc.d aXbXc.d abbc.d", "ab.d acb.d abc abc.d.e")
        self.assertMatches("a*a.d", "aa.d aba.d", "a.d")  # the two ends do not overlap
        self.assertMatches("a.*.d", "a.x.d", "a.d a.x.y.d")
        self.assertMatches("*.a-*.d", "x.a-.d x.y.a-1.d", "a-1.d")
        self.assertMatches(".a-*.d", "x.a-.d a-1.d", "b.d x.a-1.e")

    def test_longMatch(self) -> None:
        """
        No pattern is slow: many C{*} cost no more than their number.
        """
        pattern = parsePattern("*a" * 31 + "*.x")
        self.assertFalse(pattern.matches("a" * 30 + "b" * 33 + ".x"))
        self.assertTrue(pattern.matches("a" * 63 + ".x"))

    @examples
    @given(PATTERNS, NAMES)
    def test_oracle(self, text: str, name: str) -> None:
        """
        For any pattern and name, the answer is that of a regular expression.
        """
        try:
            pattern = parsePattern(text)
        except ValueError:
            return
        self.assertEqual(pattern.matches(name), naive(text, name))

    @examples
    @given(st.text(max_size=40))
    def test_anyText(self, text: str) -> None:
        """
        Whatever it is, it is read, into printable ASCII, or refused with a ValueError.
        """
        try:
            pattern = parsePattern(text)
        except ValueError as error:
            self.assertTrue(str(error).isprintable() and str(error).isascii())
        else:
            self.assertRegex(str(pattern), r"^[a-z0-9_.*-]+$")
            self.assertEqual(parsePattern(str(pattern)), pattern)


def naive(text: str, name: str) -> bool:
    """
    Whether a pattern of ASCII matches, by a regular expression.
    """
    if text in ("*", ".*"):
        return True
    prefix, base = "", text
    for sign, expression in (("*.", r"(?:[^.]+\.)+"), (".", r"(?:[^.]+\.)*")):
        if text.startswith(sign):
            prefix, base = expression, text.removeprefix(sign)
            break
    labels = [fnmatch.translate(label).replace("(?s:", "(?:") for label in base.split(".")]
    inner = r"\.".join(
        label.removesuffix(r"\Z").removesuffix(r"\z").replace(".*", "[^.]*") for label in labels
    )
    inner = inner.replace(".*?", "[^.]*?")
    return re.fullmatch(prefix + inner, name) is not None
