"""
Tests for L{connectproxy.policy.lists}.
"""

from __future__ import annotations

import os
from pathlib import Path

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
        for text in ("", "# nothing"):
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

    def test_once(self) -> None:
        """
        However many rules name it, a file is read once for each sort of item.
        """
        path = self.write("a.example\n")
        first = self.lists.read(path, "names", "a", "b")
        Path(path).write_text("b.example\n")
        self.assertIs(self.lists.read(path, "names", "c", "d"), first)
        self.assertIsNot(self.lists.read(path, "mixed", "c", "d"), first)
