"""
Tests of L{connectproxy.wire.grammar}.

What is malformed, and in which words it is refused, is in the tests of those who read heads.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire import grammar
from connectproxy.wire.grammar import FIELD, KEPT_LINES, KEPT_OCTETS, readFields
from tests.wire.feeding import examples

names = st.sampled_from([b"Host", b"ACCEPT", b"X", b"cookie", b"x-y", b"Date"])
values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=9).map(
    lambda text: text.encode("latin-1")
)
around = st.sampled_from([b"", b" ", b"\t ", b" \t"])
lines = st.builds(
    lambda name, before, value, after: name + b":" + before + value + after, names, around, values, around
)


class ReadFieldsTests(SynchronousTestCase):
    """
    L{readFields}, which trusts that what it gets is valid.
    """

    def setUp(self) -> None:
        """Begin with an empty table, and leave one."""
        grammar._kept.clear()
        self.addCleanup(grammar._kept.clear)

    def test_section(self) -> None:
        """Names get lower case, values lose the whitespace around them; nothing makes no field."""
        section = b"Host: a:1\r\nX-Y:\t b: c \r\nEmpty:\r\n"
        expected = [(b"host", b"a:1"), (b"x-y", b"b: c"), (b"empty", b"")]
        self.assertEqual(readFields(section), expected)
        self.assertEqual(readFields(section), expected)
        self.assertEqual(readFields(b""), [])

    @examples
    @given(st.lists(lines.filter(lambda line: FIELD.fullmatch(line) is not None), max_size=4))
    def test_keptOrNot(self, section: list[bytes]) -> None:
        """What the table gives is what the grammar says, the first time and the second."""
        found = [FIELD.fullmatch(line) for line in section]
        expected = [(each[1].lower(), each[2].strip(b" \t")) for each in found if each]
        joined = b"".join(line + b"\r\n" for line in section)
        self.assertEqual(readFields(joined), expected)
        self.assertEqual(readFields(joined), expected)

    def test_keepsNoSecret(self) -> None:
        """Credentials, cookies and whatever bears an unknown name are read every time anew."""
        for name in (
            b"Authorization", b"Proxy-Authorization", b"Cookie", b"Set-Cookie", b"X-Api-Key", b"Referer",
            b"Location", b"WWW-Authenticate", b"Proxy-Authenticate", b"ETag",
        ):  # fmt: skip
            readFields(name + b": secret\r\n")
        self.assertEqual(grammar._kept, {})

    def test_isBounded(self) -> None:
        """A flood of different lines does not let the table grow, nor does a long one get in."""
        for number in range(3 * KEPT_LINES):
            readFields(b"Host: a%d\r\n" % number)
            self.assertLessEqual(len(grammar._kept), KEPT_LINES)
        grammar._kept.clear()
        readFields(
            b"Accept: " + b"a" * (KEPT_OCTETS - 8) + b"\r\nAccept: " + b"a" * (KEPT_OCTETS - 7) + b"\r\n"
        )
        self.assertEqual([len(line) for line in grammar._kept], [KEPT_OCTETS])
