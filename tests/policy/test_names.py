"""
Tests for L{connectproxy.policy.names}.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import parsePattern
from connectproxy.policy.names import NameIndex, NameSet

examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)

LABELS = ["a", "b", "ab", "api-1", "api-", "1x", "bab"]
STARS = [*LABELS, "api-*", "*", "*-1", "a*b", "*a*", "*x"]
NAMES = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda prefix, labels: prefix + ".".join(labels),
    st.sampled_from(["", ".", "*."]),
    st.lists(st.sampled_from(STARS), min_size=1, max_size=3),
)


def names(*texts: str) -> NameSet:
    """
    A set of patterns.
    """
    found = NameSet()
    found.extend(texts)
    return found


class NameSetTests(SynchronousTestCase):
    """
    Patterns, sorted by what has to be done with them.
    """

    def test_sorted(self) -> None:
        """
        A name and all below it stands in both lists, what has a C{*} within in its own.
        """
        found = names("a.b", ".c", "*.d", "x-*.e", "*")
        self.assertEqual((found.exact, found.below, found.every), (["a.b", "c"], ["c", "d"], True))
        self.assertEqual(found.wild, [parsePattern("x-*.e")])

    def test_empty(self) -> None:
        """
        It is true if anything is in it.
        """
        self.assertFalse(names())
        for text in ("a", "*.a", "*", "a*"):
            self.assertTrue(names(text))

    def test_wrong(self) -> None:
        """
        What is no pattern is refused.
        """
        self.assertRaises(ValueError, names, "a", "10.0.0.1")


class NameIndexTests(SynchronousTestCase):
    """
    Many patterns at once.
    """

    def test_nothing(self) -> None:
        """
        Without patterns nothing is found.
        """
        self.assertEqual(NameIndex().find("a.b"), 0)

    def test_severalSets(self) -> None:
        """
        The bits of all that match come together, also of one pattern that was put in twice.
        """
        index = NameIndex()
        index.add(names("a.b", ".b", "z.y", "a-*.y"), 1)
        index.add(names("a.b", "*", "a-*.y"), 2)
        index.add(names("*.b", "a.b"), 4)
        for name, bits in {"a.b": 7, "b": 3, "c.b": 7, "z.y": 3, "other": 2, "ab": 2, "a-1.y": 3}.items():
            self.assertEqual(index.find(name), bits, name)

    def test_sharedNumbers(self) -> None:
        """
        Names with the same bits have one number, which with many rules is a large one.
        """
        index = NameIndex()
        bits = 1 << 1000
        index.add(names(*(f"host-{i}" for i in range(50))), bits)
        index.add(names(*(f"host-{i}" for i in range(25))), 1)
        self.assertEqual(len({id(index.find(f"host-{i}")) for i in range(50)} | {0}) <= 51, True)
        table = index._exact  # the figures behind find(), which makes numbers of its own
        self.assertEqual(len({id(value) for value in table.values()}), 2)

    @examples
    @given(st.lists(PATTERNS, max_size=6), st.lists(NAMES, min_size=1, max_size=5))
    def test_oracle(self, texts: list[str], asked: list[str]) -> None:
        """
        For any patterns and names, the bits are those of the patterns that match one by one.
        """
        index = NameIndex()
        for number, text in enumerate(texts):
            index.add(names(text), 1 << number)
        for name in asked:
            expected = sum(1 << i for i, text in enumerate(texts) if parsePattern(text).matches(name))
            self.assertEqual(index.find(name), expected, name)

    @examples
    @given(st.lists(PATTERNS, max_size=5), PATTERNS, st.lists(NAMES, min_size=1, max_size=8))
    def test_around(self, texts: list[str], inner: str, asked: list[str]) -> None:
        """
        What is said to take all of a pattern matches each name that the pattern does.
        """
        index = NameIndex()
        for number, text in enumerate(texts):
            index.add(names(text), 1 << number)
        pattern = parsePattern(inner)
        bits = -1
        if pattern.wild:
            bits &= index.findAround(pattern)
        else:
            bits &= index.find(pattern.base) if pattern.itself and pattern.base else -1
            bits &= index.findBelow(pattern.base) if pattern.below else -1
        for name in asked:
            if pattern.matches(name):
                self.assertEqual(bits & ~index.find(name), 0, name)

    def test_below(self) -> None:
        """
        What is below a name is taken by what is below it, or below one above.
        """
        index = NameIndex()
        index.add(names(".a.b"), 1)
        index.add(names("*.b"), 2)
        index.add(names("*"), 4)
        index.add(names("x.a.b"), 8)
        self.assertEqual([index.findBelow(name) for name in ("a.b", "b", "x.a.b", "c", "")], [7, 6, 7, 4, 4])
        self.assertEqual(index.findAround(parsePattern("q-*.a.b")), 7)
        self.assertEqual(index.findAround(parsePattern("q-*")), 4)
