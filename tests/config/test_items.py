"""
Tests for L{connectproxy.config.items}.
"""

from __future__ import annotations

from connectproxy.config.items import Items, Names, Subnets, Users
from tests.config.formcase import FormCase


class ItemsTests(FormCase):
    """
    What all of them have in common.
    """

    def forms(self) -> list[Items]:
        """
        One of each.
        """
        return [Names("names"), Subnets("networks"), Users("users")]

    def test_files(self) -> None:
        """
        Where a file may stand, its name stays as it is, in its place among the others.
        """
        for form in self.forms():
            self.assertEqual(form.fromTOML("@a/b.txt"), ("@a/b.txt",))
            self.assertIn('"@file"', form.words)
            self.assertRefuses(form, ["@", "@a\0"], "names no file")
        self.assertEqual(Names("names").fromTOML(["b", "@f", "a", "@f"]), ("b", "@f", "a"))

    def test_noFiles(self) -> None:
        """
        Where none may, an @ is refused rather than taken for a letter.
        """
        form = Users("groups", files=False)
        self.assertNotIn("@", form.words)
        self.assertRefuses(form, ["@a"], "no file can be named here")
        self.assertEqual(form.beside("@a", "/etc"), "@a")

    def test_beside(self) -> None:
        """
        Relative names of files are completed; all else, whatever it is, stays.
        """
        form = Names("names")
        self.assertEqual(form.beside("@a", "/etc"), "@/etc/a")
        self.assertEqual(form.beside("@/a", "/etc"), "@/a")
        said = ["@a", "a", "@", 5, ["@a"], None]
        self.assertEqual(form.beside(said, "/etc"), ["@/etc/a", "a", "@", 5, ["@a"], None])
        self.assertEqual(form.beside({"a": 1}, "/etc"), {"a": 1})
        self.assertEqual(form.beside("@a", ""), "@a")

    def test_refused(self) -> None:
        """
        What is no string, each by itself.
        """
        for form in self.forms():
            self.assertRefuses(form, [5, None, True, {}, [[]]], "is not a string")
            self.assertEqual(len(self.refused(form, [5, "@a", None])), 2)
            self.assertEqual(form.fromTOML([]), ())

    def test_kindIsNeeded(self) -> None:
        """
        By itself the class reads nothing.
        """
        self.assertRaises(NotImplementedError, Items("x").fromTOML, "a")


class NamesTests(FormCase):
    """
    Patterns of names.
    """

    def test_read(self) -> None:
        """
        Every pattern is brought into its normal form, so that it is in the list once.
        """
        said = ["PyPI.org.", "pypi.org", ".Example.com", "*.example.com", "API-*.example.com", "*"]
        expected = ("pypi.org", ".example.com", "*.example.com", "api-*.example.com", "*")
        self.assertEqual(Names("names").fromTOML(said), expected)

    def test_refused(self) -> None:
        """
        What can be no name, among it addresses, with what would be right.
        """
        for wrong in ("", "10.0.0.1", "::1", "a b", "a..b", "https://example.com/"):
            ((message, advice),) = self.refused(Names("names"), wrong)
            self.assertTrue(message.isascii())
            self.assertEqual(advice, "")  # it is in the message


class SubnetsTests(FormCase):
    """
    Networks.
    """

    def test_read(self) -> None:
        """
        One an item, in normal form; an address is a network of one.
        """
        said = ["10.0.0.0/8", "FD00::/8", "192.0.2.1", "10.0.0.0/8"]
        self.assertEqual(Subnets("networks").fromTOML(said), ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32"))

    def test_refused(self) -> None:
        """
        What is none, what has bits behind its prefix, and several in one.
        """
        self.assertRefuses(Subnets("networks"), ["example.com", "10.0.0.0/33"], "write")
        self.assertRefuses(Subnets("networks"), ["10.0.0.1/8"], "bits set")
        self.assertRefuses(Subnets("networks"), ["10.0.0.0/8, fd00::/8", "", " "], "not one network")


class UsersTests(FormCase):
    """
    Names of users and groups.
    """

    def test_read(self) -> None:
        """
        In Normalization Form C; who is known and who is not have signs of their own.
        """
        self.assertEqual(
            Users("users").fromTOML(["*", "-", "e\N{COMBINING ACUTE ACCENT}", "é"]), ("*", "-", "é")
        )

    def test_refused(self) -> None:
        """
        What cannot be seen, or is too long.
        """
        self.assertRefuses(Users("users"), ["", "a\n", "x" * 256, "\u202e"], "is not a name")
