"""
Tests for L{connectproxy.config.words}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.forms import Form, Unfit
from connectproxy.config.words import Choice, Choices, File, FileList, Protocols, Versions
from tests.config.test_forms import TOML
from tests.installed import install

FORMS: tuple[Form, ...] = (Choice("red", "blue"), Choices("red", "blue", "green"), File(), FileList())


class FormTests(SynchronousTestCase):
    """
    What holds for every form.
    """

    @given(TOML)
    def test_anyValueIsReadOrUnfit(self, value: Any) -> None:
        """
        Whatever a file says, a form reads it or raises L{Unfit} with messages of one
        printable line; nothing else.
        """
        for form in FORMS:
            try:
                form.fromTOML(value)
            except Unfit as unfit:
                self.assertTrue(unfit.complaints)
                self.assertTrue(str(unfit).isprintable(), str(unfit))

    @given(st.lists(st.text(), min_size=1))
    def test_anyTextIsReadOrUnfit(self, texts: list[str]) -> None:
        """
        Whatever a command line says, a form reads it or raises L{Unfit}.
        """
        for form in FORMS:
            try:
                form.fromTexts(texts)
            except Unfit as unfit:
                self.assertTrue(str(unfit).isprintable(), str(unfit))


class ChoiceTests(SynchronousTestCase):
    """
    L{Choice} reads one word.
    """

    def test_words(self) -> None:
        """
        Its own, and no others; of an option the last one counts.
        """
        form = Choice("none", "optional", "required")
        self.assertEqual(form.words, '"none", "optional" or "required"')
        self.assertEqual(form.fromTOML("optional"), "optional")
        self.assertEqual(form.fromTexts(("wrong", "none")), "none")
        for value in ("", "None", "none ", None, True, ["none"], {}, 1):
            self.assertRaises(Unfit, form.fromTOML, value)

    def test_advice(self) -> None:
        """
        The word that was probably meant, or else all.
        """
        form = Choice("none", "optional", "required")
        self.assertIn("do you mean required?", str(self.assertRaises(Unfit, form.fromTOML, "requierd")))
        self.assertIn(form.words, str(self.assertRaises(Unfit, form.fromTOML, "x")))


class ChoicesTests(SynchronousTestCase):
    """
    L{Choices} reads some words.
    """

    def test_words(self) -> None:
        """
        In the form's order, each once; a single one needs no array.
        """
        form = Choices("red", "green", "blue")
        self.assertEqual(form.words, 'an array of some of "red", "green" and "blue"')
        self.assertEqual(form.fromTOML(["blue", "red", "blue"]), ("red", "blue"))
        self.assertEqual(form.fromTOML("green"), ("green",))

    def test_refuses(self) -> None:
        """
        Nothing at all, and each word that is none of them.
        """
        form = Choices("red", "green", "blue")
        self.assertRaises(Unfit, form.fromTOML, [])
        for value in (True, 1, {}, [[]], [{}], "gren"):
            self.assertRaises(Unfit, form.fromTOML, value)
        unfit = self.assertRaises(Unfit, form.fromTOML, ["x", "red", 1])
        self.assertEqual(len(unfit.complaints), 2)


class FileTests(SynchronousTestCase):
    """
    L{File} and L{FileList} read names of files.
    """

    def test_one(self) -> None:
        """
        As it stands; none is the empty string.
        """
        for name in ("a.pem", "/a b/c", ""):
            self.assertEqual(File().fromTOML(name), name)
        for value in ("a\0b", 1, True, ["a"], {}):
            self.assertRaises(Unfit, File().fromTOML, value)

    def test_several(self) -> None:
        """
        In the order of the array, or of the options.
        """
        self.assertEqual(FileList().fromTOML(["b", "a"]), ("b", "a"))
        self.assertEqual(FileList().fromTOML("b"), ("b",))
        self.assertEqual(FileList().fromTOML([]), ())
        self.assertEqual(FileList().fromTexts(("b", "a")), ("b", "a"))
        for value in ("", "a\0", [""], [1], [["a"]], {}, 1, True):
            self.assertRaises(Unfit, FileList().fromTOML, value)
        unfit = self.assertRaises(Unfit, FileList().fromTOML, ["", "a", 1])
        self.assertEqual(len(unfit.complaints), 2)


class FileNameTests(SynchronousTestCase):
    """
    Names of files are completed before they are read.
    """

    def test_beside(self) -> None:
        """
        Only where that is wanted, and only what is a relative name.
        """
        self.assertEqual(File().beside("a", "/etc"), "a")
        self.assertEqual(FileList().beside(["a"], "/etc"), ["a"])
        for said, expected in (("a", "/etc/a"), ("/a", "/a"), ("", ""), (5, 5), (None, None)):
            self.assertEqual(File(beside=True).beside(said, "/etc"), expected)
            self.assertEqual(FileList(beside=True).beside(said, "/etc"), expected)
            self.assertEqual(FileList(beside=True).beside([said, "b"], "/etc"), [expected, "/etc/b"])
        self.assertEqual(File(beside=True).beside("a", ""), "a")

    def test_words(self) -> None:
        """
        What no name means can be said.
        """
        self.assertEqual(File(none="nobody").words, 'the name of a file, or "" for nobody')


class ProtocolsTests(SynchronousTestCase):
    """
    Protocols, of ours and of others.
    """

    def test_installed(self) -> None:
        """
        What somebody else has installed goes behind ours, in the order in which it is
        written; nothing is imported for it.
        """
        install(self, {"connectproxy.listeners": {"toy": "nowhere:kind", "toy2": "nowhere:kind"}})
        form = Protocols("http/1.1", "h2")
        self.assertEqual(form.fromTOML(["toy2", "h2", "toy", "toy2"]), ("h2", "toy2", "toy"))
        self.assertEqual(form.fromTOML("toy"), ("toy",))
        self.assertEqual(
            form.words,
            'an array of some of "http/1.1" and "h2", and of those of other listeners that are installed',
        )

    def test_unknown(self) -> None:
        """
        What nobody speaks is told with what was probably meant, of all that there is.
        """
        install(self, {"connectproxy.listeners": {"toy": "nowhere:kind"}})
        form = Protocols("http/1.1", "h2")
        with self.assertRaises(Unfit) as caught:
            form.fromTOML(["tOy", "zzz", 5, []])
        self.assertEqual(
            caught.exception.complaints,
            (
                ('"tOy" is no protocol that a listener speaks', "do you mean toy?"),
                (
                    '"zzz" is no protocol that a listener speaks',
                    "there are h2, http/1.1, socks4, socks5, toy; others are found by entry points in the group"
                    " connectproxy.listeners",
                ),
                ("5 is no protocol that a listener speaks", f"give {form.words}"),
                ("an array is no protocol that a listener speaks", f"give {form.words}"),
            ),
        )
        self.assertRaises(Unfit, form.fromTOML, [])


class VersionsTests(SynchronousTestCase):
    """
    Protocols, with their older versions.
    """

    def test_read(self) -> None:
        """
        Events name older versions apart; who lists a protocol means them, too.
        """
        form = Versions("http/1.1", "h2", "socks4", none=True)
        self.assertEqual(form.fromTOML(["socks4", "h2"]), ("h2", "socks4", "socks4a"))
        self.assertEqual(form.fromTOML("http/1.1"), ("http/1.1", "http/1.0"))
        self.assertEqual(form.fromTOML([]), ())
        self.assertRaises(Unfit, form.fromTOML, "http/1.0")
