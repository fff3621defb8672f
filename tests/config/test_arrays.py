"""
Tests for L{connectproxy.config.arrays}.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import ConfigurationError, Setting, arrays, configure, load, loader, reading
from connectproxy.config.endpoint import Listener
from connectproxy.config.forms import Count, Flag, Name
from tests.config.case import LoadCase


class LaterKeysTests(LoadCase):
    """
    Keys that C{[[listen]]} tables get later find their place.
    """

    def setUp(self) -> None:
        """
        A schema with two more rows.
        """
        tables = {table: dict(settings) for table, settings in reading.TABLES.items()}
        tables["listen"]["colour"] = Setting("listen.colour", "colour", "red", Name(), "NAME", "paint")
        tables["listen"]["doors"] = Setting("listen.doors", "", 1, Count(1, 9), "", "doors")
        tables["listen"]["roof"] = Setting("listen.roof", "roof", False, Flag(), "", "roof")
        for module in (loader, reading, arrays):
            self.patch(module, "TABLES", tables)
        added = (tables["listen"]["colour"], tables["listen"]["roof"])
        self.patch(loader, "SCHEMA", (*loader.SCHEMA, *added))

    def added(self, listener: Listener) -> dict[str, Any]:
        """
        What a listener has of these keys.
        """
        return {name: listener.options[name] for name in ("colour", "doors", "roof")}

    def test_reachTheListener(self) -> None:
        """
        With their defaults; they are no settings of the whole.
        """
        config = configure(listen=[{"endpoint": 1, "doors": 3}, {"endpoint": 2, "colour": "blue"}])
        self.assertEqual(
            [self.added(each) for each in config.listeners],
            [{"colour": "red", "doors": 3, "roof": False}, {"colour": "blue", "doors": 1, "roof": False}],
        )
        self.assertNotIn("listen.colour", config)

    def test_optionsAreForListenersGivenAsOptions(self) -> None:
        """
        An option for such a key holds for every C{--listen}, and for the default.
        """
        config = load(None, {"listen": ("1", "2"), "colour": "blue", "roof": True})
        expected = {"colour": "blue", "doors": 1, "roof": True}
        self.assertEqual([self.added(each) for each in config.listeners], [expected, expected])
        self.assertEqual(dict(load(None, {"colour": "blue"}).listeners[0].options)["colour"], "blue")

    def test_optionsWithoutAListenerOfTheirs(self) -> None:
        """
        Where all listeners are the file's, such an option would have no effect.
        """
        path = self.write("[[listen]]\nendpoint = 1\n")
        (problem,) = self.problems("[[listen]]\nendpoint = 1\n", {"colour": "blue"})
        self.assertTrue(problem.startswith("--colour: is for listeners that are given as options"), problem)
        self.assertIn("colour in its [[listen]] tables", problem)
        config = load(path, {"listen": "2", "colour": "blue"})
        self.assertEqual(config.listeners[0].options["colour"], "blue")

    def test_complainedOfOnce(self) -> None:
        """
        However many listeners it holds for.
        """
        self.assertEqual(len(self.problems(None, {"listen": ("1", "2"), "colour": "a b"})), 1)

    def test_countForTheId(self) -> None:
        """
        They have an effect.
        """
        self.assertNotEqual(load(None, {"colour": "blue"}).id, load().id)


class RowsTests(LoadCase):
    """
    Arrays of tables besides the listeners.
    """

    def test_places(self) -> None:
        """
        A row knows its line and its name.
        """
        path = self.write(
            """
            [policy]
            default = "deny"
            [[rule]]
            name = "mirror"
            action = "allow"
            [[limit]]
            name = "fair"
            tunnels = 5
            [[identity]]
            user = "farm"
            networks = "10.0.0.0/8"
            [[rule]]
            name = "other"
            action = "deny"
            """
        )
        config = load(path)
        wheres = {table: [row.where for row in rows] for table, rows in config.rows.items()}
        self.assertEqual(
            wheres,
            {
                "rule": [f'{path}:4 [[rule]] "mirror"', f'{path}:13 [[rule]] "other"'],
                "limit": [f'{path}:7 [[limit]] "fair"'],
                "upstream": [],
                "identity": [f'{path}:10 [[identity]] "farm"'],
                "group": [],
            },
        )
        (row,) = configure(group=[{"name": "a"}]).rows["group"]
        self.assertEqual(row.where, '[[group]] 1 "a"')

    def test_inline(self) -> None:
        """
        TOML's other notation, and a single table of a program.
        """
        config = load(self.write('group = [{name = "a"}, {name = "b"}]'))
        self.assertEqual([row.options["name"] for row in config.rows["group"]], ["a", "b"])
        self.assertEqual(len(configure(group=({"name": "a"},)).rows["group"]), 1)
        self.assertEqual(configure(group=[]).rows["group"], ())

    def test_requiredKeys(self) -> None:
        """
        Each that is missing is told with one that could be there.
        """
        for table, key, said in (
            ("rule", "name", {"action": "deny"}),
            ("limit", "name", {"tunnels": 1}),
            ("identity", "user", {"networks": "10.0.0.0/8"}),
            ("group", "name", {}),
        ):
            error = self.assertRaises(
                ConfigurationError, configure, **{"policy": {"default": "deny"}, table: [said, said]}
            )
            self.assertEqual([problem.key for problem in error.problems], [f"{table}.{key}"] * 2)
            self.assertEqual(
                [problem.place for problem in error.problems], [f"[[{table}]] 1", f"[[{table}]] 2"]
            )
            self.assertIn(f"add one, as in {key} = ", error.problems[0].advice)

    def test_twice(self) -> None:
        """
        Names are unique, in normal form; where the first one is is told.  What stands in for
        a name that is wrong is none.
        """
        self.assertEqual(
            self.problems('[[group]]\nname = "a"\n[[group]]\nname = "b"\n[[group]]\nname = "a"\n'),
            [
                'F:6 [[group]] name: there is a group "a" already, at F:2 [[group]] name; give each a name of its own'
            ],
        )
        for group in ([{"name": 5}, {"name": 6}], [{"name": 5}, {"name": "unnamed"}], [5, {"name": "a"}]):
            self.assertNotIn("already", str(self.faults(group=group)))
        self.assertEqual(len(self.faults(group=[{"name": "unnamed"}, {"name": "unnamed"}])), 1)
        both = [{"name": "\u00e9"}, {"name": "e\u0301"}]
        self.assertEqual([key for key, _ in self.faults(group=both)], ["group.name"])

    def test_identitiesMayRepeat(self) -> None:
        """
        One user may be known in several ways.
        """
        one = {"user": "a", "networks": "10.0.0.0/8"}
        self.assertEqual(len(configure(identity=[one, {**one, "networks": "fd00::/8"}]).rows["identity"]), 2)

    def test_noTables(self) -> None:
        """
        What is no array, and what in an array is no table.
        """
        self.assertEqual(
            self.problems('[rule]\nname = "a"\n'),
            ["F:1 rule: there can be several of rule; write [[rule]]"],
        )
        self.assertEqual(
            self.problems("limit = 5\n"), ["F:1 [[limit]]: limit is 5 and not a table; write it as [[limit]]"]
        )
        self.assertEqual(self.faults(group=[5]), [("group", "group is 5 and not a table")])

    def test_unknownKeys(self) -> None:
        """
        The key that was probably meant is told, also where several tables have it.
        """
        self.assertEqual(
            self.problems(
                '[policy]\ndefault = "deny"\n[[rule]]\nname = "a"\naction = "deny"\nuser = "b"\nquota = 5\n'
            ),
            [
                'F:6 [[rule]] user: there is no key "user" here; do you mean users?',
                'F:7 [[rule]] quota: there is no key "quota" here; it belongs below [[limit]]',
            ],
        )
