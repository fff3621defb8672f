"""
Tests for L{connectproxy.auth.lines}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.lines import problemsOf, readLines
from connectproxy.config import Problem
from connectproxy.policy.lists import Lists


class LinesTests(SynchronousTestCase):
    """
    Files that have one thing a line.
    """

    def read(self, octets: bytes) -> tuple[list[str], list[Problem]]:
        """
        Read a file: the lines with their numbers, and what is wrong.
        """
        self.path = Path(self.mktemp())
        self.path.write_bytes(octets)
        problems: list[Problem] = []
        found = list(readLines(str(self.path), "auth.users", problems))
        return [f"{place.rpartition(':')[2]} {line}" for place, line in found], problems

    def test_lines(self) -> None:
        """
        Comments and blank lines say nothing; all others are told with their numbers,
        however they end.
        """
        octets = "\ufeff# first\none\r\n\n \t\ntwo \n#three\nvier: ü".encode()
        self.assertEqual(self.read(octets), (["2 one", "5 two ", "7 vier: ü"], []))
        self.assertEqual(self.read(b""), ([], []))

    def test_list(self) -> None:
        """
        A list has comments behind its items, too, as rules read the same file.
        """
        octets = b"ann # the boss\n  # nobody\nbo#b\t# with a sign\n #\n"
        self.read(octets)
        found = [line for _, line in readLines(str(self.path), "group.users", [], isList=True)]
        self.assertEqual(found, ["ann", "bo#b"])
        items = Lists().read(str(self.path), "users", "group.users", "")
        self.assertEqual(items.users, found)

    def test_pipe(self) -> None:
        """
        A named pipe is a problem, and nobody waits for what might come out of it.
        """
        path = self.mktemp()
        os.mkfifo(path)
        problems: list[Problem] = []
        self.assertEqual(list(readLines(path, "auth.users", problems)), [])
        self.assertEqual(problems[0].message, f"cannot read {path}: it is a named pipe")

    def test_notUTF8(self) -> None:
        """
        A line that is no text is a problem, which repeats nothing of it.
        """
        lines, problems = self.read(b"one\n\xfftwo\nthree\n")
        self.assertEqual(lines, ["1 one", "3 three"])
        self.assertEqual(
            problems, [Problem("auth.users", f"{self.path}:2", "is not UTF-8", "save the file as UTF-8")]
        )

    def test_unreadable(self) -> None:
        """
        A file that is not there, or can't be one, is a problem.
        """
        for path, why in (
            ("/nonexistent/x", "No such file or directory"),
            ("a\0b", "there can be no such file"),
        ):
            problems: list[Problem] = []
            self.assertEqual(list(readLines(path, "auth.users", problems)), [])
            self.assertIn(why, problems[0].message)

    def test_unreadableList(self) -> None:
        """
        Of a list it is told at the place that names it, as of one that rules name: who tells
        of both tells it once.
        """
        problems: list[Problem] = []
        found = readLines("/nonexistent/x", "group.users", problems, isList=True, where="[[group]] 1")
        self.assertEqual(list(found), [])
        lists = Lists()
        lists.read("/nonexistent/x", "users", "group.users", "[[group]] 1")
        self.assertEqual(problems, lists.problems)

    def test_problem(self) -> None:
        """
        What is wrong with a line, and what would be right, become a problem with its place.
        """
        error = ValueError("is wrong", "make it right")
        self.assertEqual(problemsOf("k", "f:1", error), Problem("k", "f:1", "is wrong", "make it right"))
