"""
Tests for L{connectproxy.config.value}.
"""

from __future__ import annotations

import os
from pathlib import Path

from connectproxy.config import Config, Row, configure, load
from tests.config.case import LoadCase


class ConfigTests(LoadCase):
    """
    L{Config} is a value.
    """

    def test_doesNotChange(self) -> None:
        """
        Neither its attributes nor its values can be set.
        """
        config = load()
        with self.assertRaises(AttributeError):
            config.id = "x"
        with self.assertRaises(AttributeError):
            del config.id
        with self.assertRaises(AttributeError):
            config.other = "x"  # type: ignore[attr-defined]
        with self.assertRaises(TypeError):
            config["timeouts.idle"] = 5  # type: ignore[index]
        self.assertFalse(hasattr(config, "__dict__"))

    def test_takesNoPartInTheCallersDictionary(self) -> None:
        """
        What it was made of may change afterwards.
        """
        values = {"a": 1}
        config = Config(values, ())
        values["a"] = 2
        self.assertEqual(config["a"], 1)

    def test_idIsOfTheEffect(self) -> None:
        """
        The same effect has the same id, however it was written; every setting counts.
        """
        same = [
            load(),
            load(None, {"listen": ("8080",), "allow-ports": "443,80", "idle-timeout": "3600.0"}),
            load(self.write("[allow]\nports = [80, 443]\n[timeouts]\nidle = 3600\n")),
        ]
        self.assertEqual(len({config.id for config in same}), 1)
        self.assertRegex(same[0].id, r"\A[0-9a-f]{8}\Z")
        others = [
            configure(allow={"ports": [80]}),
            configure(allow={"networks": ["10.0.0.0/8"]}),
            configure(relay={"splice": False}),
            configure(listen=[{"endpoint": 8081}]),
            configure(listen=[{"endpoint": 8080}, {"endpoint": 8081}]),
        ]
        self.assertEqual(len({config.id for config in (*same, *others)}), 1 + len(others))

    def test_idDoesNotDependOnTheProcess(self) -> None:
        """
        It can be compared between machines and over restarts: this one never changes
        as long as the defaults don't.
        """
        self.assertEqual(Config({"b": 1.0, "a": None}, ()).id, "524a5ef5")

    def test_repr(self) -> None:
        """
        It tells itself apart in a debugger.
        """
        self.assertIn(load().id, repr(load()))
        self.assertIn("of no file", repr(load()))
        self.assertIn(self.write(""), repr(load(self.file)))


class RowsTests(LoadCase):
    """
    Rows are a part of the value.
    """

    def test_every(self) -> None:
        """
        There is a tuple for every array, also where nothing stands in it.
        """
        config = Config({}, ())
        self.assertEqual(
            dict(config.rows), {"identity": (), "group": (), "rule": (), "limit": (), "upstream": ()}
        )
        row = Row({"name": "a"}, "here")
        self.assertEqual(Config({}, (), rows={"group": [row]}).rows["group"], (row,))
        with self.assertRaises(TypeError):
            config.rows["rule"] = ()  # type: ignore[index]

    def test_countForTheId(self) -> None:
        """
        What stands in them, and in which order, but neither where it stands nor how it is
        written.
        """

        def identity(*names: str, **keys: object) -> str:
            rules = [{"name": name, "action": "deny", **keys} for name in names]
            return configure(policy={"default": "deny"}, rule=rules).id

        same = [identity("a", "b"), identity("a", "b", zone="UTC"), identity("a", "b", ports="any")]
        self.assertEqual(len(set(same)), 1)
        self.assertEqual(
            identity("a", kind="k", options={"x": 1, "y": [2]}),
            identity("a", kind="k", options={"y": [2], "x": 1}),
        )
        others = [
            identity("b", "a"),
            identity("a"),
            identity("a", "b", destinations=["a.example"]),
            identity("a", "b", kind="k", options={"x": 1}),
            identity("a", "b", hours=["08:00-09:00"]),
        ]
        self.assertEqual(len({*same, *others}), 1 + len(others))

    def test_passwordsHaveNoPart(self) -> None:
        """
        The id is logged, and would tell who guesses one that it is right.
        """
        self.assertEqual(
            configure(auth={"basic": "me:one"}).id,
            configure(auth={"basic": "me:other"}).id,
        )


class FilesTests(LoadCase):
    """
    What was read.
    """

    def test_files(self) -> None:
        """
        The configuration itself, and the file of a password.
        """
        secret = self.mktemp()
        Path(secret).write_text("me:secret\n")
        self.assertEqual(load().files, ())
        config = load(self.write(f'[auth]\nbasic = "@{secret}"\nusers = "u"\n'))
        self.assertEqual(config.files, (os.path.abspath(self.file), os.path.abspath(secret)))
        self.assertEqual(load(None, {"auth": f"@{secret}"}).files, (os.path.abspath(secret),))
        self.assertEqual(load(None, {"auth": "me:secret"}).files, ())
