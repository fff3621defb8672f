"""
Tests for L{connectproxy.policy.lists}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from connectproxy.policy import lists as module
from connectproxy.policy.lists import Items, Lists
from tests.policy.case import PolicyCase


class ListsTests(PolicyCase):
    """
    Files with an item a line.
    """

    def setUp(self) -> None:
        """
        Nothing has been read.
        """
        self.lists = Lists()

    def read(self, text: str | bytes, sort: str = "names") -> Items:
        """
        Read a file with a text.
        """
        return self.lists.read(self.write(text), sort, "rule.destinations", "[[rule]] 1")

    def complaints(self, text: str | bytes, sort: str = "names") -> list[str]:
        """
        What is wrong with a file: lines without its directory.
        """
        self.lists = Lists()
        items = self.read(text, sort)
        return [str(each).replace(os.path.dirname(items.path), "") for each in self.lists.problems]

    def test_lines(self) -> None:
        """
        Comments, blank lines, white space, either end of line, a byte order mark and a last
        line without an end do not get in the way.
        """
        items = self.read(
            b"\xef\xbb\xbf# all of it\n\n  a.example  # one\r\n\t.b.example\t#two\r\n#c.example\n*.d.example\nlast.example"
        )
        self.assertEqual(items.names.exact, ["a.example", "b.example", "last.example"])
        self.assertEqual(items.names.below, ["b.example", "d.example"])
        self.assertEqual(self.lists.problems, [])
        self.assertEqual((items.name, list(self.lists.files)), ("list.txt", [items.path]))

    def test_empty(self) -> None:
        """
        A file without an item is empty, and no problem.
        """
        for text in ("", "\n\n", "# nothing", "\ufeff"):
            self.assertFalse(self.read(text))
        self.assertEqual(self.lists.problems, [])

    def test_networks(self) -> None:
        """
        Networks are read where networks are wanted.
        """
        items = self.read("10.0.0.0/8\n2001:db8::/32 # two\n192.0.2.1\n", "networks")
        self.assertEqual(sorted(map(str, items.networks)), ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"])
        self.assertTrue(items)

    def test_users(self) -> None:
        """
        Names of users, in one normal form; a # within a name is part of it.
        """
        items = self.read("ann\nJose\u0301\na#b\nci bot # that one\n*\n", "users")
        self.assertEqual(items.users, ["ann", "Jos\u00e9", "a#b", "ci bot", "*"])
        self.assertTrue(items)

    def test_mixed(self) -> None:
        """
        Where everything is allowed, names, names with a port and networks are told apart.
        """
        items = self.read(
            "pypi.org\n.example.com:8443\ngit.example:22\nb.example:22\n10.0.0.0/8\n192.0.2.1\n2001:db8::/32\n::1\n3com.example\n*:443\n",
            "mixed",
        )
        self.assertEqual(self.lists.problems, [])
        self.assertEqual(items.names.exact, ["pypi.org", "3com.example"])
        self.assertEqual(
            {port: names.exact for port, names in items.ports.items()},
            {8443: ["example.com"], 22: ["git.example", "b.example"], 443: []},
        )
        self.assertTrue(items.ports[443].every)
        self.assertEqual(items.atPort(22).names.exact, ["git.example", "b.example"])
        self.assertEqual(items.atPort(22).name, "list.txt")
        self.assertEqual(
            [str(each) for each in items.networks], ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::1/128"]
        )

    def test_everyProblem(self) -> None:
        """
        All that is wrong is told at once, each with the file and its line.
        """
        found = self.complaints("good.example\nhttps://x/\n\n10.0.0.1\n@other.txt\na b\n")
        self.assertEqual(
            [each.partition(":")[2].partition(":")[0] for each in found], ["2", "4", "5", "6"], found
        )
        for line, part in zip(
            found, ("scheme", "below networks", "user information", "white space"), strict=True
        ):
            self.assertTrue(line.startswith("/list.txt:"), line)
            self.assertIn(part, line)

    def test_wrongMixed(self) -> None:
        """
        Ports out of range, addresses with ports and URLs are refused, with what is right.
        """
        found = self.complaints(
            "a.b:0\na.b:65536\na.b:99999\n10.0.0.1:443\n[::1]:443\nhttp://a.b:80\na.b:\n10.0.0.1/33\n10.0.0.1/8\n",
            "mixed",
        )
        parts = ["out of range"] * 3 + ["below networks"] * 2 + ["scheme", "has a port", "length", "bits set"]
        self.assertEqual(len(found), len(parts), found)
        for line, part in zip(found, parts, strict=True):
            self.assertIn(part, line)

    def test_wrongUsers(self) -> None:
        """
        What can't be seen is in no name.
        """
        self.assertIn(r"'a\x00b' is not a name", self.complaints("a\x00b\n", "users")[0])

    def test_notUTF8(self) -> None:
        """
        A line that is not UTF-8 is told by its number, and the others are read.
        """
        (found,) = self.complaints(b"a.example\nb\xff.example\nc.example")
        self.assertEqual(found, "/list.txt:2: is not UTF-8; save the file as UTF-8")

    def test_veryLongLine(self) -> None:
        """
        A line without an end is no item, and is not repeated.
        """
        (found,) = self.complaints("a" * 100_000)
        self.assertEqual(found, "/list.txt:1: is a very long line; write one item a line")

    def test_aWrongFile(self) -> None:
        """
        Of a file that is something else altogether, not every line is told.
        """
        found = self.complaints("<html>\n" * 1000)
        self.assertEqual(len(found), 51)
        self.assertIn("950 more lines are wrong; is it the right file?", found[-1])

    def test_missing(self) -> None:
        """
        A file that can't be read is a problem of the place that names it; the watcher is
        told of it all the same, since it may come to be.
        """
        self.lists.read("/nowhere/list.txt", "names", "rule.destinations", "[[rule]] 1")
        (problem,) = self.lists.problems
        self.assertEqual((problem.key, problem.place), ("rule.destinations", "[[rule]] 1"))
        self.assertEqual(problem.message, "cannot read the list /nowhere/list.txt: No such file or directory")
        self.assertEqual(list(self.lists.files), ["/nowhere/list.txt"])

    def test_noFile(self) -> None:
        """
        A directory, a pipe that nobody writes to and a device without an end are refused,
        and nobody waits for them.
        """
        pipe = self.mktemp()
        os.mkfifo(pipe)
        for path in (os.path.dirname(os.path.abspath(pipe)), pipe, "/dev/zero"):
            self.lists = Lists()
            self.lists.read(path, "names", "key", "where")
            (problem,) = self.lists.problems
            self.assertRegex(problem.message, "is not a file|Is a directory")

    def test_tooLarge(self) -> None:
        """
        A file beyond all measure is refused before anything of it is read.
        """
        self.patch(module, "LARGEST", 2**20)
        (problem,) = self.complaints(b"a.example\n" * 110_000)
        self.assertIn("is larger than 1 MiB; split it", problem)

    def test_once(self) -> None:
        """
        However many rules name it, a file is read once for each sort of item.
        """
        path = self.write("a.example\n")
        first = self.lists.read(path, "names", "a", "b")
        Path(path).write_text("b.example\n")
        self.assertIs(self.lists.read(path, "names", "c", "d"), first)
        self.assertIsNot(self.lists.read(path, "mixed", "c", "d"), first)

    def moving(self, path: str, *texts: str, rename: bool = False) -> None:
        """
        Have a file change just after each of the first readings of it.
        """
        left = list(texts)
        real = os.fstat
        calls = [0]

        def fstat(descriptor: int) -> os.stat_result:
            calls[0] += 1
            found = real(descriptor)
            if calls[0] % 2 and left:  # before it is read; what is seen afterwards is another
                if rename:
                    other = Path(f"{path}.new")
                    other.write_text(left.pop(0))
                    other.replace(path)
                else:
                    Path(path).write_text(left.pop(0))
            return found

        self.patch(module.os, "fstat", fstat)

    def test_writtenMeanwhile(self) -> None:
        """
        A file that is written to while it is read is read again, until it stands still.
        """
        path = self.write("a.example\n")
        self.moving(path, "half.exam", "half.example\nwhole.example\n")
        items = self.lists.read(path, "names", "a", "b")
        self.assertEqual(items.names.exact, ["half.example", "whole.example"])
        self.assertEqual(self.lists.problems, [])

    def test_replacedMeanwhile(self) -> None:
        """
        A file that is replaced while it is read is read again, also where the new one is of
        the same length.
        """
        path = self.write("a.example\n")
        self.moving(path, "b.example\n", rename=True)
        self.assertEqual(self.lists.read(path, "names", "a", "b").names.exact, ["b.example"])

    def test_neverStandsStill(self) -> None:
        """
        One that changes all the time is given up, with advice.
        """
        path = self.write("a.example\n")
        self.moving(path, *(f"{'x' * n}.example\n" for n in range(1, 30)))
        self.lists.read(path, "names", "a", "b")
        (problem,) = self.lists.problems
        self.assertIn("it changes while it is read; write another file, and rename", problem.message)

    def test_goneMeanwhile(self) -> None:
        """
        One that is removed while it is read is not there.
        """
        path = self.write("a.example\n")
        real = os.fstat

        def fstat(descriptor: int) -> Any:
            if os.path.exists(path):
                os.unlink(path)
            return real(descriptor)

        self.patch(module.os, "fstat", fstat)
        self.lists.read(path, "names", "a", "b")
        self.assertIn("No such file", self.lists.problems[0].message)
