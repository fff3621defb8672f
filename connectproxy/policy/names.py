"""
Which of many patterns a name matches, without a look at each.

What is looked up is bits: each pattern has some, and the bits of a name are those of all
patterns that it matches.  It takes a step for each label of the name, however many
patterns there are; only patterns with a C{*} within the same label, between the same
beginning and the same end, are tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectproxy.address import NamePattern, parsePattern

__all__ = ["NameIndex", "NameSet"]


class NameSet:
    """
    Patterns in the order of what has to be done with them: strings for all but a few, since
    the garbage collector need not look at those.

    @ivar exact: the names that match themselves.
    @ivar below: the names below which everything matches.
    @ivar wild: the patterns with a C{*} within.
    @ivar every: whether every name matches.
    """

    __slots__ = ("below", "every", "exact", "wild")

    def __init__(self) -> None:
        self.exact: list[str] = []
        self.below: list[str] = []
        self.wild: list[NamePattern] = []
        self.every = False

    def extend(self, texts: Iterable[str]) -> None:
        """
        Put patterns in, as people write them.

        @raise ValueError: see L{parsePattern}.
        """
        for text in texts:
            self.add(parsePattern(text))

    def add(self, pattern: NamePattern) -> None:
        """
        Put a pattern in.
        """
        if not pattern.base:
            self.every = True
        elif pattern.wild:
            self.wild.append(pattern)
        else:
            if pattern.itself:
                self.exact.append(pattern.base)
            if pattern.below:
                self.below.append(pattern.base)

    def __bool__(self) -> bool:
        """Whether there is any pattern."""
        return self.every or bool(self.exact or self.below or self.wild)


class _Bucket:
    """
    The patterns whose labels behind the last one with a C{*} are the same.

    @ivar lengths: how many characters stand before and behind the C{*}s of that label.
    @ivar patterns: the patterns and their bits, by these characters.
    """

    __slots__ = ("lengths", "patterns")

    def __init__(self) -> None:
        self.lengths: tuple[tuple[int, int], ...] = ()
        self.patterns: dict[tuple[str, str], dict[NamePattern, int]] = {}

    def add(self, label: str, pattern: NamePattern, bits: int) -> None:
        """
        @param label: the last one with a C{*}.
        """
        head, tail = label[: label.index("*")], label[label.rindex("*") + 1 :]
        found = self.patterns.setdefault((head, tail), {})
        found[pattern] = found.get(pattern, 0) | bits
        lengths = (len(head), len(tail))
        if lengths not in self.lengths:
            self.lengths += (lengths,)

    def find(self, label: str, name: str) -> int:
        """
        @param label: what stands in the place of that label in a name.
        """
        bits = 0
        for head, tail in self.lengths:
            if head + tail <= len(label):
                found = self.patterns.get((label[:head], label[len(label) - tail :]))
                for pattern, each in found.items() if found else ():
                    if each & ~bits and pattern.matches(name):
                        bits |= each
        return bits


class NameIndex:
    """
    Bits by pattern.
    """

    __slots__ = ("_below", "_every", "_exact", "_wild")

    def __init__(self) -> None:
        self._exact: dict[str, int] = {}
        self._below: dict[str, int] = {}
        self._wild: dict[str, _Bucket] = {}
        self._every = 0

    def add(self, names: NameSet, bits: int) -> None:
        """
        Give bits to every pattern of a set, besides those that it has.
        """
        _mark(self._exact, names.exact, bits)
        _mark(self._below, names.below, bits)
        if names.every:
            self._every |= bits
        for pattern in names.wild:
            labels = pattern.base.split(".")
            at = max(i for i, label in enumerate(labels) if "*" in label)
            bucket = self._wild.setdefault(".".join(labels[at + 1 :]), _Bucket())
            bucket.add(labels[at], pattern, bits)

    def find(self, name: str) -> int:
        """
        The bits of a name.

        @param name: in normal form; no address.
        """
        bits = self._every | self._exact.get(name, 0)
        below = self._below
        if below:
            at = name.find(".") + 1
            while at:
                found = below.get(name[at:])
                if found:
                    bits |= found
                at = name.find(".", at) + 1
        if self._wild:
            bits |= self._findWild(name)
        return bits

    def findBelow(self, base: str) -> int:
        """
        The bits of patterns that everything below a name matches, whatever it is.

        @param base: in normal form; empty for every name there is.
        """
        bits = self._every
        while base:
            bits |= self._below.get(base, 0)
            base = base.partition(".")[2]
        return bits

    def findAround(self, pattern: NamePattern) -> int:
        """
        The bits of patterns that all match which match one with a C{*} within, as far as
        that can be told by what stands behind that.
        """
        return self.findBelow(pattern.base.rpartition("*")[2].partition(".")[2])

    def _findWild(self, name: str) -> int:
        """
        The bits of patterns with a C{*} within.
        """
        bits = 0
        end = len(name)
        while end >= 0:
            at = name.rfind(".", 0, end)
            bucket = self._wild.get(name[end + 1 :])
            if bucket is not None:
                bits |= bucket.find(name[at + 1 : end], name)
            end = at
        return bits


def _mark(table: dict[str, int], names: Iterable[str], bits: int) -> None:
    """
    Give bits to names in a table.  Names with the same bits share one number, since it may
    have as many bits as there are rules.
    """
    merged: dict[int, int] = {0: bits}
    for name in names:
        had = table.get(name, 0)
        if had not in merged:
            merged[had] = had | bits
        table[name] = merged[had]
