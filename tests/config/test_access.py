"""
Tests for L{connectproxy.config.access}, by way of whole configurations.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.config import SCHEMA, configure
from connectproxy.config.access import ARRAYS
from connectproxy.config.forms import Unfit
from tests.config.test_forms import TOML


class RowsTests(SynchronousTestCase):
    """
    What the rows of each array have.
    """

    def one(self, table: str, **keys: Any) -> dict[str, Any]:
        """
        The values of the only row of an array.
        """
        tables: dict[str, Any] = {"policy": {"default": "deny"}, table: [keys]}
        (row,) = configure(**tables).rows[table]
        return dict(row.options)

    def test_ruleDefaults(self) -> None:
        """
        A rule with a name and an action has no condition.
        """
        self.assertEqual(
            self.one("rule", name="all", action="allow"),
            {
                "name": "all",
                "action": "allow",
                "users": (),
                "groups": (),
                "clients": (),
                "listeners": (),
                "protocols": (),
                "destinations": (),
                "networks": (),
                "ports": None,
                "methods": (),
                "schemes": (),
                "days": (),
                "hours": (),
                "zone": "UTC",
                "server_names": (),
                "server_name": "",
                "message": "",
                "upstream": "",
                "report": False,
                "connect_timeout": None,
                "idle_timeout": None,
                "lifetime": None,
                "kind": "",
                "options": {},
            },
        )

    def test_rule(self) -> None:
        """
        All keys of a rule, as they are given out.
        """
        said = {
            "name": "one",
            "action": "deny",
            "users": ["ci", "*"],
            "groups": "developers",
            "clients": "10.0.0.0/8",
            "protocols": ["socks4", "http/1.1"],
            "destinations": "Example.com",
            "networks": ["192.0.2.1"],
            "ports": [22, "80-90"],
            "methods": ["GET"],
            "schemes": ["udp", "tcp"],
            "days": ["sun", "mon"],
            "hours": "22:00-06:00",
            "zone": "Europe/Berlin",
            "server_names": "*",
            "server_name": "other",
            "message": "No.",
            "upstream": "direct",
            "report": True,
            "connect_timeout": 1,
            "idle_timeout": 2,
            "lifetime": 0,
        }
        expected = {
            **said,
            "users": ("ci", "*"),
            "groups": ("developers",),
            "clients": ("10.0.0.0/8",),
            "listeners": (),
            "protocols": ("http/1.1", "http/1.0", "socks4", "socks4a"),
            "destinations": ("example.com",),
            "networks": ("192.0.2.1/32",),
            "ports": ((22, 22), (80, 90)),
            "methods": ("GET",),
            "schemes": ("tcp", "udp"),
            "days": ("mon", "sun"),
            "hours": ((1320, 360),),
            "server_names": ("*",),
            "kind": "",
            "options": {},
        }
        self.assertEqual(self.one("rule", **said), expected)

    def test_ruleOfAKind(self) -> None:
        """
        A rule in Python has a table of its own.
        """
        found = self.one("rule", name="mine", kind="domain", options={"suffix": ".example"})
        self.assertEqual((found["kind"], found["options"]), ("domain", {"suffix": ".example"}))

    def test_limit(self) -> None:
        """
        What a limit that says little has; sizes become octets.
        """
        self.assertEqual(
            self.one("limit", name="one", quota="1 GB"),
            {
                "name": "one",
                "users": (),
                "groups": (),
                "clients": (),
                "per": "user",
                "tunnels": 0,
                "tunnels_per_second": 0.0,
                "burst": 0,
                "bytes_per_second": 0,
                "quota": 10**9,
                "period": "day",
            },
        )

    def test_identityAndGroup(self) -> None:
        """
        Networks of an identity are one set of addresses.
        """
        self.assertEqual(
            self.one("identity", user="farm", networks=["10.0.0.0/8"], groups=["a"]),
            {
                "user": "farm",
                "groups": ("a",),
                "limits": (),
                "certificate": (),
                "networks": Networks.parse("10.0.0.0/8"),
                "proxy_header": (),
            },
        )
        self.assertEqual(self.one("group", name="a", users=["b", "@c"]), {"name": "a", "users": ("b", "@c")})
        self.assertEqual(self.one("group", name="a"), {"name": "a", "users": ()})


class FormsTests(SynchronousTestCase):
    """
    What holds for the forms of all settings.
    """

    @given(TOML)
    def test_anyValueIsReadOrUnfit(self, value: Any) -> None:
        """
        Whatever a file says, a form completes and reads it, or raises L{Unfit} with
        messages of one printable line; nothing else.
        """
        for setting in SCHEMA:
            form = setting.form
            try:
                form.fromTOML(form.beside(value, "/etc"))
                form.reads(value)
            except Unfit as unfit:
                self.assertTrue(unfit.complaints)
                self.assertTrue(str(unfit).isprintable(), (setting.key, str(unfit)))

    @given(st.lists(st.text(), min_size=1, max_size=3))
    def test_anyTextIsReadOrUnfit(self, texts: list[str]) -> None:
        """
        So it is with whatever a command line says.
        """
        for setting in SCHEMA:
            try:
                setting.form.fromTexts([setting.form.beside(text, "/etc") for text in texts])
            except Unfit as unfit:
                self.assertTrue(str(unfit).isprintable(), (setting.key, str(unfit)))

    def test_arraysHaveTheirKeys(self) -> None:
        """
        Every array has one key that names its tables, which is required, and no option.
        """
        for table in ARRAYS:
            settings = [setting for setting in SCHEMA if setting.table == table]
            self.assertEqual(
                [setting.required for setting in settings], [True] + [False] * (len(settings) - 1)
            )
            self.assertFalse([setting.key for setting in settings if setting.option])
