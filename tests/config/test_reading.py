"""
Tests for L{connectproxy.config.reading}; what it makes of whole configurations is in those of
the loader.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from connectproxy.config import SCHEMA
from connectproxy.config.problem import Problem
from connectproxy.config.reading import TABLES, Reading, header
from connectproxy.config.source import Source, bare
from tests.config.case import LoadCase


class ReadingTests(LoadCase):
    """
    One table at a time.
    """

    def setUp(self) -> None:
        """
        Nothing is wrong yet.
        """
        self.wrong: list[Problem] = []

    def reading(self, tables: Any = (), given: Any = (), directory: str = "", beside: str = "") -> Reading:
        """
        Begin.
        """
        return Reading(Source(dict(tables), bare, beside), dict(given), self.wrong, directory)

    def auth(self, reading: Reading) -> dict[str, Any]:
        """
        Read one table.
        """
        return reading.table(("auth",), reading.source.tables.get("auth", {}), TABLES["auth"], reading.given)

    def test_tables(self) -> None:
        """
        Every setting is in its table.
        """
        self.assertEqual(
            {setting.key for settings in TABLES.values() for setting in settings.values()},
            {setting.key for setting in SCHEMA},
        )
        self.assertEqual(
            [header(table) for table in ("auth", "listen", "rule")], ["[auth]", "[[listen]]", "[[rule]]"]
        )

    def test_order(self) -> None:
        """
        An option goes before the table, that before the profile, and that before the schema.
        """
        reading = self.reading()
        self.assertEqual(self.auth(reading)["auth.users"], "")
        reading.profile = {"auth.users": "p", "auth.cache": 5}
        self.assertEqual(self.auth(reading)["auth.users"], "p")
        reading = self.reading({"auth": {"users": "/t"}}, {"auth.users": "/o"})
        reading.profile = {"auth.users": "p", "auth.cache": 5}
        found = self.auth(reading)
        self.assertEqual((found["auth.users"], found["auth.cache"]), ("/o", 5.0))
        reading.given = {}
        self.assertEqual(self.auth(reading)["auth.users"], "/t")
        self.assertEqual(self.wrong, [])

    def test_directories(self) -> None:
        """
        Names in tables are relative to these, names in options to another directory, and the
        file of a password to that in any case.
        """
        tables = {"auth": {"users": "u", "basic": "@b"}}
        with mock.patch("builtins.open", mock.mock_open(read_data=b"me:secret")) as opened:
            reading = self.reading(tables, {"auth.token_keys": ("k",)}, "/run", "/etc")
            found = self.auth(reading)
        self.assertEqual((found["auth.users"], found["auth.token_keys"]), ("/etc/u", ("/run/k",)))
        opened.assert_called_with("/run/b", "rb")
        self.assertEqual(reading.files, ["/run/b"])

    def test_place(self) -> None:
        """
        Where a value comes from: the option, or else the table.
        """
        reading = self.reading({}, {"auth.users": "u"})
        self.assertEqual(reading.place(("auth", "users")), "--users")
        self.assertEqual(reading.place(("auth", "cache")), "[auth] cache")
        self.assertEqual(reading.place(("rule", 0, "users")), "[[rule]] 1 users")
        self.assertEqual(reading.place(("colour",)), "colour")

    def test_items(self) -> None:
        """
        What stands in an array of tables, in any notation.
        """
        for said, expected in (
            (None, None),
            ([{}], [{}]),
            ((1,), (1,)),
            (5, (5,)),
            ("ab", ("ab",)),
            ({}, None),
        ):
            tables = {} if said is None else {"rule": said}
            self.assertEqual(self.reading(tables).items("rule"), expected)
        self.assertEqual([problem.message for problem in self.wrong], ["there can be several of rule"])

    def test_keysThatAreNoStrings(self) -> None:
        """
        A program could have some.
        """
        reading = self.reading({"auth": {5: 1}})
        self.auth(reading)
        self.assertEqual([problem.place for problem in self.wrong], ["[auth] 5"])

    def test_once(self) -> None:
        """
        The same problem is told once.
        """
        reading = self.reading()
        for _ in range(2):
            reading.complain("a", "b", "c", "d")
        self.assertEqual(self.wrong, [Problem("a", "b", "c", "d")])

    def test_secretTables(self) -> None:
        """
        A value in the place of a table is not repeated where it could be a password.
        """
        reading = self.reading({"auth": "me:hidden"})
        self.auth(reading)
        (problem,) = self.wrong
        self.assertEqual(problem.message, "auth is a value and not a table")
