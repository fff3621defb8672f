"""
Tests for L{connectproxy.config.row}, by way of whole configurations.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import configure
from tests.config.case import LoadCase


class RowCase(LoadCase):
    """
    What the tests below share.
    """

    table = ""
    said: dict[str, Any] = {}

    def row(self, **keys: Any) -> dict[str, Any]:
        """
        A configuration with one row.
        """
        return {"policy": {"default": "deny"}, self.table: [{**self.said, **keys}]}

    def wrong(self, **keys: Any) -> str:
        """
        The key of the one thing that is wrong with a row.
        """
        ((key, _),) = self.faults(**self.row(**keys))
        return key


class EmptyTests(RowCase):
    """
    Conditions that are none.
    """

    def test_emptyArrays(self) -> None:
        """
        A list that somebody has emptied would be no condition: it is refused in every key
        of a rule and of a limit.
        """
        for table, said in (
            ("rule", {"name": "a", "action": "allow"}),
            ("limit", {"name": "a", "tunnels": 1}),
        ):
            self.table, self.said = table, said
            (row,) = configure(**self.row()).rows[table]
            names = [name for name, value in row.options.items() if value == () or name == "ports"]
            self.assertIn("users", names)
            for name in names:
                self.assertEqual(self.wrong(**{name: []}), f"{table}.{name}")


class RuleTests(RowCase):
    """
    Rules.
    """

    table = "rule"
    said = {"name": "a", "action": "deny"}

    def test_action(self) -> None:
        """
        Needed, unless a kind decides.
        """
        del (said := dict(self.said))["action"]
        self.said = said
        self.assertEqual(self.wrong(), "rule.action")
        configure(**self.row(kind="private"))

    def test_reservedNames(self) -> None:
        """
        An event would not tell what has decided.
        """
        self.assertEqual(self.wrong(name="default"), "rule.name")
        self.assertEqual(self.wrong(name="allow-list"), "rule.name")

    def test_report(self) -> None:
        """
        Only a denial can be reported in place of being done.
        """
        self.assertEqual(self.wrong(action="allow", report=True), "rule.report")
        configure(**self.row(report=True))
        configure(**self.row(action="allow", report=False))

    def test_options(self) -> None:
        """
        They are for a kind.
        """
        self.assertEqual(self.wrong(options={"a": 1}), "rule.options")
        configure(**self.row(options={"a": 1}, kind="mine"))

    def test_serverName(self) -> None:
        """
        What is missing matches no pattern.
        """
        self.assertEqual(self.wrong(server_names=["a.example"], server_name="none"), "rule.server_name")
        configure(**self.row(server_names=["a.example"], server_name="other"))


class LimitTests(RowCase):
    """
    Limits.
    """

    table = "limit"
    said = {"name": "a"}

    def test_nothing(self) -> None:
        """
        One that limits nothing is a mistake; one whose amount is wrong is told that alone.
        """
        self.assertEqual(self.wrong(), "limit.name")
        self.assertEqual(self.wrong(tunnels=0), "limit.name")
        self.assertEqual(self.wrong(quota="lots"), "limit.quota")
        for name in ("tunnels", "tunnels_per_second", "bytes_per_second", "quota"):
            configure(**self.row(**{name: 5000}))

    def test_whatGoesTogether(self) -> None:
        """
        A burst is one of a pace, and a period one of a quota.
        """
        self.assertEqual(self.wrong(tunnels=1, burst=5), "limit.burst")
        self.assertEqual(self.wrong(tunnels=1, period="month"), "limit.period")
        configure(**self.row(tunnels_per_second=1, burst=5))
        configure(**self.row(quota="1 GB", period="month"))


class IdentityTests(RowCase):
    """
    Identities.
    """

    table = "identity"
    said = {"user": "ci"}

    def row(self, **keys: Any) -> dict[str, Any]:
        """
        As above, with a listener that can tell everything about its clients.
        """
        listener = {
            "endpoint": 8080,
            "tls_certificate": "a",
            "client_ca": "b",
            "client_certificates": "optional",
            "proxy_protocol_from": "127.0.0.1",
        }
        return {**RowCase.row(self, **keys), "listen": [listener]}

    def test_nobody(self) -> None:
        """
        Something has to say who it is; what is wrong there is told alone.
        """
        self.assertEqual(self.wrong(), "identity.user")
        self.assertEqual(self.wrong(groups=["a"]), "identity.user")
        self.assertEqual(self.wrong(networks="x"), "identity.networks")

    def test_star(self) -> None:
        """
        A * in the user stands for what one in each pattern has stood for: in those of the
        certificate, or else in those of the header.
        """
        self.assertEqual(self.wrong(user="ci-*", networks=["10.0.0.0/8"]), "identity.user")
        self.assertEqual(self.wrong(user="ci-*", certificate=["dns:a", "dns:*"]), "identity.certificate")
        self.assertEqual(self.wrong(user="ci-*", proxy_header="0xE0:a"), "identity.proxy_header")
        configure(**self.row(user="ci-*", proxy_header="0xE0:*"))
        configure(
            **self.row(user="ci-*", certificate="dns:*", proxy_header="0xE0:a", networks=["10.0.0.0/8"])
        )
        configure(**self.row(user="ci", certificate="dns:a"))
