"""
Tests for L{connectproxy.config.sizes}.
"""

from __future__ import annotations

from connectproxy.config.sizes import Bound, Rate, Size
from tests.config.formcase import FormCase


class SizeTests(FormCase):
    """
    Octets, with units and without.
    """

    def test_read(self) -> None:
        """
        Decimal and binary units, fractions, one space or none; numbers are octets.
        """
        for value, octets in (
            (5, 5),
            ("5", 5),
            ("5 B", 5),
            ("500 kB", 500_000),
            ("10 MiB", 10 << 20),
            ("10MiB", 10 << 20),
            (" 1 GiB ", 1 << 30),
            ("1.5 GB", 1_500_000_000),
            ("2 KiB", 2048),
            ("3 MB", 3_000_000),
            ("1 TB", 10**12),
            ("1 TiB", 2**40),
        ):
            self.assertEqual(Size(1).fromTOML(value), octets, value)

    def test_texts(self) -> None:
        """
        An option would be read in the same way.
        """
        self.assertEqual(Size(1).fromTexts(["1 kB", "2 kB"]), 2000)

    def test_refused(self) -> None:
        """
        What is no size, whatever it is.
        """
        wrong = (
            "",
            "MiB",
            "-1",
            "1e3",
            "10  MiB",
            "1 MiB/s",
            "ten",
            True,
            1.5,
            None,
            [],
            {},
            "9" * 400,
            "1\nB",
        )
        self.assertRefuses(Size(1, "none"), wrong, "is not a size")

    def test_units(self) -> None:
        """
        Units are spelt in one way, and the right spelling is told.
        """
        for unit, meant in (("mib", "MiB"), ("KB", "kB"), ("Mb", "MB"), ("b", "B")):
            self.assertEqual(
                self.refused(Size(1), f"1 {unit}"),
                [(f'"{unit}" is no unit of sizes', f"do you mean {meant}?")],
            )
        self.assertRefuses(Size(1), ["1 PB", "1 x"], "the units are B, kB")

    def test_range(self) -> None:
        """
        There is a least and a most; 0 is one only where it means something.
        """
        self.assertRefuses(Size(1024), [0, 1023, "0.5 kB", 2**60 + 1, "9999999 TiB", -1], "out of range")
        self.assertEqual(Size(1024, "never").fromTOML(0), 0)
        self.assertEqual(Size(1024).fromTOML("1 KiB"), 1024)
        self.assertEqual(Size(1).fromTOML(2**60), 2**60)

    def test_words(self) -> None:
        """
        The documentation tells the least, and what 0 is for.
        """
        self.assertNotIn("least", Size(1).words)
        self.assertTrue(Size(1024, "never").words.endswith("at least 1024, or 0 for never"))


class RateTests(FormCase):
    """
    So many per second.
    """

    def test_read(self) -> None:
        """
        Fractions are fine.
        """
        rate = Rate(0.001, 1000, "no limit")
        self.assertEqual([rate.fromTOML(value) for value in (5, 0.5, 0)], [5.0, 0.5, 0.0])
        self.assertRefuses(rate, [0.0001, 1001, float("nan"), float("inf"), -1], "out of range")
        self.assertRefuses(rate, ["5", True, None], "is not a number")
        self.assertTrue(rate.words.startswith("a number from 0.001 to 1000"))


class BoundTests(FormCase):
    """
    A time that may be left to others.
    """

    def test_read(self) -> None:
        """
        The empty string is nothing, which is not the same as 0.
        """
        bound = Bound(1, 10, "no limit")
        self.assertIs(bound.fromTOML(""), None)
        self.assertEqual([bound.fromTOML(value) for value in (0, 1, 2.5)], [0.0, 1.0, 2.5])
        self.assertRefuses(bound, [11, 0.5], "out of range")
        self.assertRefuses(Bound(1, 10), [0], "out of range")
        self.assertRefuses(bound, ["1", None], "is not a number")
        self.assertTrue(bound.words.endswith('or 0 for no limit, or "" for that of the whole proxy'))
