"""
Tests for L{connectproxy.config.forms}.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.config.forms import (
    AccessLog,
    Count,
    Flag,
    Form,
    Name,
    NetworkList,
    PortList,
    Seconds,
    Unfit,
    nearest,
    shown,
)

TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
"""Any value that a TOML parser can return."""

FORMS = (
    Seconds(0.1, 60),
    Seconds(1, 60, "none"),
    Count(1, 9),
    Flag(),
    Name(),
    AccessLog(),
    PortList(),
    NetworkList(),
)


class FormTests(SynchronousTestCase):
    """
    What holds for every form.
    """

    def test_saysWhatItAccepts(self) -> None:
        """
        Each form has words for its documentation and for advice.
        """
        for form in FORMS:
            self.assertTrue(form.words, form)

    def test_isAbstract(self) -> None:
        """
        A form that has no way to read a value fails as soon as it is used.
        """
        self.assertRaises(NotImplementedError, Form().fromTexts, ("x",))

    @given(TOML)
    def test_anyValueIsReadOrUnfit(self, value: Any) -> None:
        """
        Whatever a file says, a form reads it or raises L{Unfit} with a message of one
        printable line; nothing else.
        """
        for form in FORMS:
            try:
                form.fromTOML(value)
            except Unfit as unfit:
                self._complaintsArePresentable(unfit)

    @given(st.lists(st.text(), min_size=1))
    def test_anyTextIsReadOrUnfit(self, texts: list[str]) -> None:
        """
        Whatever a command line says, a form reads it or raises L{Unfit}.
        """
        for form in FORMS:
            try:
                form.fromTexts(texts)
            except Unfit as unfit:
                self._complaintsArePresentable(unfit)

    def _complaintsArePresentable(self, unfit: Unfit) -> None:
        """
        Every complaint has a message, and fits on one line of a terminal.
        """
        self.assertTrue(unfit.complaints)
        for message, advice in unfit.complaints:
            self.assertTrue(message)
            self.assertTrue((message + advice).isprintable(), (message, advice))
        self.assertIn(unfit.complaints[0][0], str(unfit))


class ShownTests(SynchronousTestCase):
    """
    L{shown} repeats a value so that it can be recognised and does no harm.
    """

    def test_writesAsTOMLDoes(self) -> None:
        """
        Truth values, strings, numbers and what is too big to repeat.
        """
        self.assertEqual(shown(True), "true")
        self.assertEqual(shown(False), "false")
        self.assertEqual(shown("30"), '"30"')
        self.assertEqual(shown(30), "30")
        self.assertEqual(shown(1.5), "1.5")
        self.assertEqual(shown(math.inf), "inf")
        self.assertEqual(shown([1]), "an array")
        self.assertEqual(shown({}), "a table")

    def test_escapesAndCuts(self) -> None:
        """
        Control characters, other scripts and length cannot disturb a terminal.
        """
        self.assertEqual(shown("a\x1b[31m\n\u202e"), '"a\\x1b[31m\\n\\u202e"')
        self.assertEqual(shown("x" * 1000), '"' + "x" * 60 + '..."')

    def test_surrogates(self) -> None:
        """
        An argument that is not valid in the locale's encoding reaches Python with
        surrogates in it, which can't be printed as they are.
        """
        self.assertEqual(shown("\udcff"), '"\\udcff"')

    def test_hugeNumbers(self) -> None:
        """
        Python refuses to write out an integer of more than 4,300 digits.
        """
        self.assertEqual(shown(10**5000), "a huge number")
        self.assertEqual(shown(-(10**5000)), "a huge number")


class SecondsTests(SynchronousTestCase):
    """
    L{Seconds} reads times.
    """

    def test_integersAndFractions(self) -> None:
        """
        Both are read, from a file and from a command line, and become floats.
        """
        form = Seconds(0.5, 100)
        for value in (
            form.fromTOML(30),
            form.fromTOML(30.0),
            form.fromTexts(("30",)),
            form.fromTexts(("30.0",)),
        ):
            self.assertEqual(value, 30.0)
            self.assertIsInstance(value, float)
        self.assertEqual(form.fromTexts(("0.5",)), 0.5)

    def test_rangeIncludesItsEnds(self) -> None:
        """
        The least and the most are accepted, and nothing beyond.
        """
        form = Seconds(0.5, 100)
        self.assertEqual((form.fromTOML(0.5), form.fromTOML(100)), (0.5, 100.0))
        for value in (0.49, 100.1, 0, -1, 10**400, -(10**400), 1e308):
            self.assertRaises(Unfit, form.fromTOML, value)

    def test_zeroWhereItMeansSomething(self) -> None:
        """
        0 is accepted out of range only where it has a meaning, and the words say which.
        """
        form = Seconds(1, 100, "no limit")
        self.assertEqual(form.fromTOML(0), 0.0)
        self.assertEqual(form.fromTexts(("0",)), 0.0)
        self.assertIn("0 for no limit", form.words)
        self.assertRaises(Unfit, form.fromTOML, 0.5)

    def test_refusesWhatOnlyPythonTakesForNumbers(self) -> None:
        """
        Truth values, infinity, what is not a number, strings; digits of other scripts,
        signs, exponents, underscores and units.
        """
        form = Seconds(0, 100, "nothing")
        for value in (True, False, math.inf, -math.inf, math.nan, "30", [30], None):
            self.assertRaises(Unfit, form.fromTOML, value)
        for text in (
            "",
            " 5",
            "5 ",
            "+5",
            "-5",
            "1e1",
            "1_0",
            "\u0665",
            "5s",
            "nan",
            "inf",
            ".5",
            "5.",
            "9" * 5000,
        ):
            self.assertRaises(Unfit, form.fromTexts, (text,))

    def test_lastOptionCounts(self) -> None:
        """
        Of an option that is given twice, the last one counts.
        """
        self.assertEqual(Seconds(0, 9).fromTexts(("wrong", "5")), 5.0)


class CountTests(SynchronousTestCase):
    """
    L{Count} reads whole numbers.
    """

    def test_wholeNumbersOnly(self) -> None:
        """
        Fractions are refused even if nothing is behind the point.
        """
        form = Count(1, 10, "any number")
        self.assertEqual((form.fromTOML(1), form.fromTOML(0), form.fromTexts(("10",))), (1, 0, 10))
        for value in (1.0, 11, -1, True, "1"):
            self.assertRaises(Unfit, form.fromTOML, value)
        for text in ("1.0", "11", "-1", "", "1" * 5000):
            self.assertRaises(Unfit, form.fromTexts, (text,))


class FlagTests(SynchronousTestCase):
    """
    L{Flag} reads truth values.
    """

    def test_truthValuesOnly(self) -> None:
        """
        No number and no word is one.
        """
        self.assertIs(Flag().fromTOML(True), True)
        self.assertIs(Flag().fromTOML(False), False)
        for value in (1, 0, "true", "yes", [], None):
            self.assertRaises(Unfit, Flag().fromTOML, value)


class NameTests(SynchronousTestCase):
    """
    L{Name} reads names that header fields can carry.
    """

    def test_words(self) -> None:
        """
        Letters, digits, dots, dashes and underscores; a letter first; up to 64.
        """
        for name in ("connectproxy", "P", "edge-1.fra_2", "x" * 64):
            self.assertEqual(Name().fromTOML(name), name)

    def test_whatWouldNeedQuotes(self) -> None:
        """
        What is no token, or could end a header field, is refused.
        """
        for name in ("", "1x", "a b", 'a"', "a\r\nb", "a\n", "\xe9", "a:1", "x" * 65, 5, True):
            self.assertRaises(Unfit, Name().fromTOML, name)

    def test_empty(self) -> None:
        """
        Where it stands for something, the words say for what.
        """
        form = Name("a made-up one")
        self.assertEqual((form.fromTOML(""), form.fromTOML("proxy")), ("", "proxy"))
        self.assertTrue(form.words.endswith(', or "" for a made-up one'))
        self.assertRaises(Unfit, form.fromTOML, " ")
        self.assertRaises(Unfit, Name().fromTOML, "")


class AccessLogTests(SynchronousTestCase):
    """
    L{AccessLog} reads places for events.
    """

    def test_asItStands(self) -> None:
        """
        The words and file names come through unchanged.
        """
        for text in ("log", "none", "-", "/var/log/proxy.jsonl", "./log"):
            self.assertEqual(AccessLog().fromTOML(text), text)
            self.assertEqual(AccessLog().fromTexts((text,)), text)

    def test_noName(self) -> None:
        """
        Nothing, NUL and what is no string are no name for a file.
        """
        for value in ("", "a\0b", True, 1, ["x"]):
            self.assertRaises(Unfit, AccessLog().fromTOML, value)


class PortListTests(SynchronousTestCase):
    """
    L{PortList} reads ports.
    """

    def test_numbersRangesAndAny(self) -> None:
        """
        The same list from a file and from a command line.
        """
        form = PortList()
        expected = ((80, 80), (443, 443), (8000, 8999))
        self.assertEqual(form.fromTexts(("443,80,8000-8999",)), expected)
        self.assertEqual(form.fromTOML([443, 80, "8000-8999"]), expected)
        self.assertEqual(form.fromTOML("443, 80, 8000-8999"), expected)
        self.assertEqual(form.fromTOML(443), ((443, 443),))
        self.assertIs(form.fromTexts(("any",)), None)
        self.assertIs(form.fromTOML("any"), None)

    def test_joinsWhatTouches(self) -> None:
        """
        Overlapping and adjoining ranges become one, in ascending order.
        """
        self.assertEqual(PortList().fromTexts(("5-9,1,2,8-20,22",)), ((1, 2), (5, 20), (22, 22)))
        self.assertEqual(PortList().fromTexts(("1-65535,80",)), ((1, 65535),))

    def test_refuses(self) -> None:
        """
        What is out of range, upside down, empty or something else.
        """
        form = PortList()
        for text in (
            "",
            ",",
            "443,",
            "0",
            "65536",
            "9-5",
            "1-65536",
            "80-",
            "-80",
            "https",
            "any,80",
            "1-2-3",
            "+1",
        ):
            self.assertRaises(Unfit, form.fromTexts, (text,))
        for value in ([], [True], [80.0], [[80]], True, 0, 70000, {}, ["any"]):
            self.assertRaises(Unfit, form.fromTOML, value)

    def test_everyComplaint(self) -> None:
        """
        Each item that is wrong is named.
        """
        unfit = self.assertRaises(Unfit, PortList().fromTexts, ("0,80,x",))
        self.assertEqual(len(unfit.complaints), 2)


class NetworkListTests(SynchronousTestCase):
    """
    L{NetworkList} reads networks.
    """

    def test_addsUp(self) -> None:
        """
        Options add up; arrays and single strings are read alike.
        """
        form = NetworkList()
        expected = Networks.parse("10.0.0.0/8", "fd00::/8")
        self.assertEqual(form.fromTexts(("10.0.0.0/8", "fd00::/8")), expected)
        self.assertEqual(form.fromTexts(("10.0.0.0/8,fd00::/8",)), expected)
        self.assertEqual(form.fromTOML(["10.0.0.0/8", "fd00::/8"]), expected)
        self.assertEqual(form.fromTOML("10.0.0.0/8 fd00::/8"), expected)
        self.assertEqual(form.fromTOML([]), Networks())

    def test_everyComplaint(self) -> None:
        """
        Each network that is wrong is named, with the parser's own advice.
        """
        unfit = self.assertRaises(Unfit, NetworkList().fromTexts, ("10.0.0.1/8", "10.0.0.0/8", "", "x"))
        self.assertEqual(len(unfit.complaints), 3)
        self.assertIn("10.0.0.0/8", unfit.complaints[0][0])

    def test_refusesOtherTypes(self) -> None:
        """
        Numbers and tables are no networks.
        """
        for value in (10, True, {}, [10], [["10.0.0.0/8"]]):
            self.assertRaises(Unfit, NetworkList().fromTOML, value)


class NearestTests(SynchronousTestCase):
    """
    L{nearest} knows what was meant.
    """

    def test_nearest(self) -> None:
        """
        The word that is most like it; none, where none is.
        """
        self.assertEqual(nearest("idel", ["head", "idle", "lifetime"]), "idle")
        self.assertEqual(nearest("colour", ["head", "idle"]), "")
        self.assertEqual(nearest("colour", []), "")
