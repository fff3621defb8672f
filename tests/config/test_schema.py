"""
Tests for L{connectproxy.config.schema}.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.forms import Flag
from connectproxy.config.schema import LISTEN, PROFILES, SCHEMA


class SchemaTests(SynchronousTestCase):
    """
    L{SCHEMA} is consistent in itself.
    """

    def test_keysAndOptionsAreUnique(self) -> None:
        """
        No key and no option stands for two settings.
        """
        keys = [setting.key for setting in SCHEMA]
        options = [setting.option for setting in SCHEMA if setting.option]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(len(options), len(set(options)))

    def test_names(self) -> None:
        """
        Keys are a table and a name in snake case; options are words with dashes.
        """
        for setting in SCHEMA:
            self.assertRegex(setting.key, r"\A[a-z]+(_[a-z]+)*\.[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
            self.assertEqual(f"{setting.table}.{setting.name}", setting.key)
            self.assertRegex(setting.option, r"\A([a-z]+(-[a-z]+)*)?\Z")

    def test_defaultsFit(self) -> None:
        """
        Every default is one that a file could give.
        """
        for setting in SCHEMA:
            setting.form.fromTOML(setting.default)

    def test_helpIsAPhrase(self) -> None:
        """
        The help can stand in a table, and behind a colon.
        """
        for setting in SCHEMA:
            self.assertTrue(re.match(r"[a-z]", setting.help), setting.key)
            self.assertFalse(setting.help.endswith("."), setting.key)

    def test_argumentsAreNamed(self) -> None:
        """
        Exactly the options that take an argument have a name for it.
        """
        for setting in SCHEMA:
            takes = bool(setting.option) and not isinstance(setting.form, Flag)
            self.assertEqual(bool(setting.metavar), takes, setting.key)
            if setting.repeatable:
                self.assertTrue(takes, setting.key)

    def test_listenersHaveAnEndpoint(self) -> None:
        """
        The one key that every listener has.
        """
        self.assertIn(f"{LISTEN}.endpoint", [setting.key for setting in SCHEMA])

    def test_profiles(self) -> None:
        """
        The defaults of a profile are other ones, for keys that there are, and such as a
        file could give; every profile can be named.
        """
        settings = {setting.key: setting for setting in SCHEMA}
        for name, defaults in PROFILES.items():
            self.assertEqual(settings["proxy.profile"].form.fromTOML(name), name)
            for key, value in defaults.items():
                settings[key].form.fromTOML(value)
                self.assertNotEqual(value, settings[key].default)
        self.assertEqual(settings["proxy.profile"].form.fromTOML(""), "")
