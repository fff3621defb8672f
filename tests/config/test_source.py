"""
Tests for L{connectproxy.config.source}.
"""

from __future__ import annotations

from connectproxy.config import ConfigurationError, load
from connectproxy.config.source import bare
from tests.config.case import LoadCase


class ReadTests(LoadCase):
    """
    What is no file that can be read.
    """

    def test_notTOML(self) -> None:
        """
        A mistake of notation is reported with its line, at the end of the file too.
        """
        (problem,) = self.problems("[timeouts]\nidle = = 5\n")
        self.assertTrue(problem.startswith("F:2: is not TOML: "), problem)
        (problem,) = self.problems("[timeouts]\nidle =")
        self.assertTrue(problem.startswith("F: is not TOML: "), problem)

    def test_valuesThatParsersChokeOn(self) -> None:
        """
        A number of too many digits, and nesting without end.
        """
        (problem,) = self.problems("[timeouts]\nidle = " + "9" * 5000)
        self.assertTrue(problem.startswith("F: is not TOML: "), problem)
        (problem,) = self.problems("a = " + "[" * 100_000)
        self.assertTrue(problem.startswith("F: is nested too deeply") or "is not TOML" in problem, problem)

    def test_notUTF8(self) -> None:
        """
        The line of the first octet that is wrong.
        """
        self.assertEqual(self.problems(b"# 1\n# 2\xff\n"), ["F:2: is not UTF-8; save the file as UTF-8"])

    def test_noFile(self) -> None:
        """
        A file that isn't there, or can't be read, is a problem of C{--config}; those of
        the options are reported all the same.
        """
        missing = self.mktemp()
        error = self.assertRaises(ConfigurationError, load, missing, {"idle-timeout": "x"})
        place = f"--config: cannot read {missing}: No such file or directory; name a file that can be read"
        self.assertIn(place, str(error).splitlines())
        self.assertEqual(len(error.problems), 2)


class BareTests(LoadCase):
    """
    What messages call places.
    """

    def test_places(self) -> None:
        """
        In a program, tables of an array are told apart by their numbers, from 1.
        """
        for path, words in (
            (("proxy",), "proxy"),
            (("proxy", "name"), "[proxy] name"),
            (("rule", 0), "[[rule]] 1"),
            (("rule", 11, "name"), "[[rule]] 12 name"),
            (("rule", 0, "na me\n"), '[[rule]] 1 "na me\\n"'),
            (("",), '""'),
        ):
            self.assertEqual(bare(path), words)

    def test_inAFile(self) -> None:
        """
        In a file the line does.
        """
        (problem,) = self.problems(
            '[policy]\ndefault = "deny"\n[[rule]]\nname = "a"\nkind = "b"\n[[rule]]\nname = 5\nkind = "b"\n'
        )
        self.assertTrue(problem.startswith("F:7 [[rule]] name: 5 is not a name"), problem)

    def test_nameOfAFileThatCannotBe(self) -> None:
        """
        A name with NUL in it is one of no file.
        """
        error = self.assertRaises(ConfigurationError, load, "a\0b")
        self.assertEqual([problem.place for problem in error.problems], ["--config"])
