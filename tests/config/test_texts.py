"""
Tests for L{connectproxy.config.texts}.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from connectproxy.config.texts import Label, Methods, Strings, Table, Text
from tests.config.formcase import FormCase


class LabelTests(FormCase):
    """
    Names that people make up.
    """

    def test_read(self) -> None:
        """
        Any characters that can be seen, in Normalization Form C.
        """
        self.assertEqual(
            Label().fromTOML("e\N{COMBINING ACUTE ACCENT}t\N{LATIN SMALL LETTER E WITH ACUTE} 1"), "été 1"
        )
        self.assertEqual(Label().fromTOML("x" * 255), "x" * 255)
        self.assertEqual(Label("nothing").fromTOML(""), "")
        self.assertIn('or "" for nothing', Label("nothing").words)

    def test_refused(self) -> None:
        """
        Nothing, too much, and what cannot be seen.
        """
        wrong = [
            "",
            " ",
            " a",
            "a ",
            "a\nb",
            "a\0",
            "\ud800",
            "\u202ea",
            "x" * 256,
            "é" * 128,
            5,
            None,
            ["a"],
        ]
        self.assertRefuses(Label(), wrong, "is not a name")


class TextTests(FormCase):
    """
    Sentences for clients.
    """

    def test_read(self) -> None:
        """
        One line, without white space around it.
        """
        self.assertEqual(Text().fromTOML(" Ask it@example.com "), "Ask it@example.com")
        self.assertEqual(Text().fromTOML(""), "")
        self.assertEqual(Text().fromTOML("x" * 500), "x" * 500)

    def test_refused(self) -> None:
        """
        What would end a line of a head, or turn what is shown around.
        """
        wrong = ["a\r\nb", "a\x7f", "a\u2028b", "\u202ea", "\ud800", "x" * 501, 5, None, ["a"]]
        self.assertRefuses(Text(), wrong, "is not a text")


class StringsTests(FormCase):
    """
    What somebody else understands.
    """

    def test_read(self) -> None:
        """
        One, or several; an option may be given several times.
        """
        form = Strings("strings such as unix")
        self.assertEqual(form.fromTOML("unix"), ("unix",))
        self.assertEqual(form.fromTOML(["b", "a"]), ("b", "a"))
        self.assertEqual(form.fromTOML([]), ())
        self.assertEqual(form.fromTexts(["b", "a"]), ("b", "a"))

    def test_refused(self) -> None:
        """
        Without a word of it, since there may be passwords in it.
        """
        form = Strings("strings such as unix")
        self.assertTrue(form.secret)
        for wrong in (["memory:me:hidden", ""], ["memory:me:hidden\n"], ["hidden", 5], 5, None, ""):
            ((message, advice),) = self.refused(form, wrong)
            self.assertNotIn("hidden", message + advice)


class MethodsTests(FormCase):
    """
    Methods of HTTP.
    """

    def test_read(self) -> None:
        """
        Tokens, each once, also such that nobody knows.
        """
        self.assertEqual(Methods().fromTOML(["GET", "CONNECT", "GET", "x-y"]), ("CONNECT", "GET", "x-y"))
        self.assertEqual(Methods().fromTOML("GET"), ("GET",))
        self.assertEqual(Methods().fromTOML([]), ())

    def test_refused(self) -> None:
        """
        What is no token; and small letters, by which a method is another one.
        """
        self.assertRefuses(Methods(), ["", "A B", "GET\n", 5, None, "é", "x" * 65], "is not a method")
        self.assertRefuses(Methods(), ["get", "Connect"], "use capitals")
        self.assertEqual(len(self.refused(Methods(), ["get", 5, "GET"])), 2)


class TableTests(FormCase):
    """
    Tables of somebody else's.
    """

    def test_read(self) -> None:
        """
        The value does not change any more, and is the same however it was written.
        """
        said = {"b": [1, {"y": 2.5, "x": True}], "a": date(2026, 1, 2)}
        table = Table().fromTOML(said)
        self.assertEqual(list(table), ["a", "b"])
        self.assertEqual(table["b"][1]["y"], 2.5)
        said["b"][1]["y"] = 3  # type: ignore[index]
        self.assertEqual(table["b"][1]["y"], 2.5)
        with self.assertRaises(TypeError):
            table["c"] = 1
        self.assertEqual(
            repr(table), repr(Table().fromTOML({"a": date(2026, 1, 2), "b": [1, {"x": True, "y": 2.5}]}))
        )

    def test_refused(self) -> None:
        """
        No table; and in a table of a program what no file could say, or what has no end.
        """
        self.assertRefuses(Table(), [5, "x", [], None], "is not a table")
        endless: dict[str, Any] = {}
        endless["again"] = endless
        self.assertRefuses(Table(), [endless], "too deeply")
        self.assertRefuses(Table(), [{5: 1}], "a key is not a string")
        self.assertRefuses(
            Table(), [{"a": object()}, {"a": None}, {"a": [b"x"]}], "nothing that TOML could say"
        )
