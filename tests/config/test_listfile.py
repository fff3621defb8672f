"""
Tests for L{connectproxy.config.listfile}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import Problem
from connectproxy.config import listfile as module
from connectproxy.config.listfile import Unreadable, itemsOf, linesOf, readList


class ListFileCase(SynchronousTestCase):
    """
    A file that is read.
    """

    def setUp(self) -> None:
        """
        It has a name.
        """
        self.path = os.path.abspath(self.mktemp())

    def write(self, octets: bytes) -> None:
        """
        Put octets in the file.
        """
        Path(self.path).write_bytes(octets)

    def unreadable(self, path: str = "") -> str:
        """
        Why it can't be used, with the advice.
        """
        error = self.assertRaises(Unreadable, linesOf, path or self.path)
        self.assertRaises(Unreadable, itemsOf, path or self.path)
        return f"{error.why}; {error.advice}"


class LinesTests(ListFileCase):
    """
    From octets to lines, and from these to items.
    """

    def test_lines(self) -> None:
        """
        Every line has its number and nothing of its end, be it the last one without any; a
        byte order mark is no part of the first.
        """
        self.write(b"\xef\xbb\xbf# one\r\n\n two \r\nthree\rfour\n\xef\xbb\xbffive")
        found = [(1, "# one"), (2, ""), (3, " two "), (4, "three\rfour"), (5, "\ufefffive")]
        self.assertEqual(list(linesOf(self.path)), found)

    def test_items(self) -> None:
        """
        Comments, blank lines and white space are no part of an item; a sign within a word is.
        """
        self.write(
            b"\xef\xbb\xbf# all of it\n\n  a.example  # one # two\r\n\t.b.example\t#two\r\n#c\n  # d\n \t\na#b\nlast one"
        )
        found = [(3, "a.example"), (4, ".b.example"), (8, "a#b"), (9, "last one")]
        self.assertEqual(list(itemsOf(self.path)), found)

    def test_everySplit(self) -> None:
        """
        Items and their numbers are the same whichever way lines end and whatever stands
        between them.
        """
        for mark, end, between, last in product(
            (b"", b"\xef\xbb\xbf"), (b"\n", b"\r\n"), (b"", b"# x", b" \t"), (b"", b"\n")
        ):
            self.write(mark + b"a" + end + between + end + b"b" + last)
            self.assertEqual(list(itemsOf(self.path)), [(1, "a"), (3, "b")])

    def test_empty(self) -> None:
        """
        A file may have nothing in it.
        """
        for octets in (b"", b"\n\n", b"# nothing", b"\xef\xbb\xbf"):
            self.write(octets)
            self.assertEqual(list(itemsOf(self.path)), [])
        self.write(b"")
        self.assertEqual(list(linesOf(self.path)), [])

    def test_notUTF8(self) -> None:
        """
        A line that is not UTF-8 is told by its number, and the others are read.
        """
        self.write(b"one\n\xfftwo\n\xc3\xbc")
        found = [(1, "one"), (2, None), (3, "\u00fc")]
        self.assertEqual(list(linesOf(self.path)), found)
        self.assertEqual(list(itemsOf(self.path)), found)


class ReadListTests(ListFileCase):
    """
    Lists whose items are read, and what is wrong with them.
    """

    def setUp(self) -> None:
        """
        Nothing has been read.
        """
        ListFileCase.setUp(self)
        self.items: list[str] = []

    def problems(self, octets: bytes | None = None, read: Callable[[str], object] | None = None) -> list[str]:
        """
        What is wrong with the file, which is called F.
        """
        if octets is not None:
            self.write(octets)
        self.found: list[Problem] = []
        readList(self.path, "rule.users", "[[rule]] 1", read or self.items.append, self.found)
        return [str(each).replace(self.path, "F") for each in self.found]

    def test_items(self) -> None:
        """
        Each is read.
        """
        self.assertEqual(self.problems(b"ann # one\n\nbob\n"), [])
        self.assertEqual(self.items, ["ann", "bob"])

    def test_wrong(self) -> None:
        """
        What is wrong is told with its line, and the rest is read.
        """

        def read(text: str) -> None:
            if text == "x":
                raise ValueError("is wrong; make it right")
            self.items.append(text)

        found = self.problems(b"one\nx # y\n\xff\nfour\n", read)
        self.assertEqual(found, ["F:2: is wrong; make it right", "F:3: is not UTF-8; save the file as UTF-8"])
        self.assertEqual({problem.key for problem in self.found}, {"rule.users"})
        self.assertEqual(self.items, ["one", "four"])

    def test_veryLongLine(self) -> None:
        """
        A line without an end is no item, and is not repeated.
        """
        found = self.problems(b"a" * 100_000)
        self.assertEqual(found, ["F:1: is a very long line; write one item a line"])
        self.assertEqual(self.problems(b"a" * 2000), [])

    def test_aWrongFile(self) -> None:
        """
        Of a file that is something else altogether, not every line is told.
        """
        found = self.problems(b"\xff\n" * 1000)
        self.assertEqual(len(found), 51)
        self.assertEqual(found[-1], "F: 950 more lines are wrong; is it the right file?")
        self.assertEqual(len(self.problems(b"\xff\n" * 50)), 50)

    def test_unreadable(self) -> None:
        """
        That it can't be used is told at the place that names it.
        """
        (found,) = self.problems()
        self.assertEqual(
            found,
            "[[rule]] 1: cannot read the list F: No such file or directory; name a file that can be read",
        )
        self.assertEqual(self.found[0].key, "rule.users")


class WholeTests(ListFileCase):
    """
    Files that can't be used, and those that change.
    """

    def test_missing(self) -> None:
        """
        A file that is not there, and a name that none can have.
        """
        self.assertEqual(self.unreadable(), "No such file or directory; name a file that can be read")
        for path in ("a\0b", "a\ud800b"):
            self.assertEqual(self.unreadable(path), "there can be no such file; name a file that can be read")

    def test_noFile(self) -> None:
        """
        A directory, a pipe that nobody writes to and a device without an end are refused,
        nobody waits for them, and none of them stays open.
        """
        os.mkfifo(self.path)
        before = len(os.listdir("/proc/self/fd"))
        for path, what in (
            (os.path.dirname(self.path), "a directory"),
            (self.path, "a named pipe"),
            ("/dev/zero", "not a file"),
        ):
            self.assertEqual(self.unreadable(path), f"it is {what}; name a file that can be read")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_tooLarge(self) -> None:
        """
        A file beyond all measure is refused before anything of it is read.
        """
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY))
        os.truncate(self.path, module.LARGEST + 1)
        self.assertEqual(self.unreadable(), "it is larger than 64 MiB; split it")
        self.patch(module, "LARGEST", 4)
        self.write(b"abcd")
        self.assertEqual(list(linesOf(self.path)), [(1, "abcd")])

    def moving(self, *texts: bytes, rename: bool = False) -> None:
        """
        Have the file change just after each of the first looks at it, and before it is read.
        """
        left = list(texts)
        real = os.fstat
        calls = [0]

        def fstat(descriptor: int) -> os.stat_result:
            calls[0] += 1
            found = real(descriptor)
            if calls[0] % 2 and left:  # what is seen after the reading is another
                other = Path(f"{self.path}.new" if rename else self.path)
                other.write_bytes(left.pop(0))
                if rename:
                    other.replace(self.path)
            return found

        self.patch(module.os, "fstat", fstat)

    def test_writtenMeanwhile(self) -> None:
        """
        A file that is written to while it is read is read again, until it stands still.
        """
        self.write(b"a.example\n")
        self.moving(b"half.exam", b"half.example\nwhole.example\n")
        self.assertEqual(list(linesOf(self.path)), [(1, "half.example"), (2, "whole.example")])

    def test_replacedMeanwhile(self) -> None:
        """
        A file that is replaced while it is read is read again, also where the new one is of
        the same length.
        """
        self.write(b"a.example\n")
        self.moving(b"b.example\n", rename=True)
        self.assertEqual(list(linesOf(self.path)), [(1, "b.example")])

    def test_neverStandsStill(self) -> None:
        """
        One that changes all the time is given up, with advice.
        """
        self.write(b"a.example\n")
        self.moving(*(b"x" * n for n in range(1, 30)))
        advice = "it changes while it is read; write another file, and rename that to this name"
        self.assertEqual(self.unreadable(), advice)

    def test_goneMeanwhile(self) -> None:
        """
        One that is removed while it is read is not there.
        """
        self.write(b"a.example\n")
        real = os.fstat

        def fstat(descriptor: int) -> Any:
            if os.path.exists(self.path):
                os.unlink(self.path)
            return real(descriptor)

        self.patch(module.os, "fstat", fstat)
        self.assertIn("No such file", self.unreadable())
