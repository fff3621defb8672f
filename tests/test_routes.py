"""
Tests for L{connectproxy.routes}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.routes import DIRECT, Routes, chained, defaultWay, judges
from tests.fakes import makeRequest


class RoutesTests(SynchronousTestCase):
    """
    L{Routes}.
    """

    def test_default(self) -> None:
        """
        Without more, all goes straight, or by the one way.
        """
        self.assertEqual(Routes({}).wayOf(makeRequest()), DIRECT)
        self.assertEqual(Routes({}, "corp").wayOf(makeRequest()), "corp")
        self.assertEqual(Routes({}, DIRECT, ["example.com"]).wayOf(makeRequest()), DIRECT)

    def test_exceptions(self) -> None:
        """
        Names are excepted by pattern, addresses by network; a name is not looked up for it.
        """
        routes = Routes(
            {}, "corp", ["localhost", ".corp.example", "10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]
        )
        for target, way in (
            ("localhost:443", DIRECT),
            ("corp.example:443", DIRECT),
            ("a.b.corp.example:443", DIRECT),
            ("notcorp.example:443", "corp"),
            ("10.1.2.3:443", DIRECT),
            ("192.0.2.7:443", DIRECT),
            ("192.0.2.8:443", "corp"),
            ("[2001:db8::1]:443", DIRECT),
            ("[2001:db9::1]:443", "corp"),
        ):
            self.assertEqual(routes.wayOf(makeRequest(target)), way, target)

    def test_noNetworks(self) -> None:
        """
        Where only names are excepted no address is.
        """
        self.assertEqual(Routes({}, "corp", ["localhost"]).wayOf(makeRequest("127.0.0.1:443")), "corp")

    def test_wrong(self) -> None:
        """
        What is neither a name nor a network is refused.
        """
        self.assertRaises(ValueError, Routes, {}, "corp", ["a b"])


class ConfiguredTests(SynchronousTestCase):
    """
    What a configuration says of the ways.
    """

    def test_defaultWay(self) -> None:
        """
        A name is that upstream; of URLs the last leads to destinations.
        """
        for said, name in (
            ([], DIRECT),
            (["corp"], "corp"),
            (["http://192.0.2.1:3128"], "upstream"),
            (["http://192.0.2.1", "socks5h://192.0.2.2"], "upstream-2"),
        ):
            config = configure(
                route={"upstream": said},
                upstream=[{"name": "corp", "url": "http://192.0.2.1", "addresses": "unseen"}],
            )
            self.assertEqual(defaultWay(config["route.upstream"]), name)
        self.assertEqual(chained(1, 2), "upstream-1")

    def test_judges(self) -> None:
        """
        Addresses are seen where the way is straight, and where an upstream is asked for them.
        """
        config = configure(
            route={"upstream": "http://192.0.2.9", "addresses": "judged"},
            upstream=[
                {"name": "a", "url": "http://192.0.2.1", "addresses": "unseen"},
                {"name": "b", "url": "http://192.0.2.1", "addresses": "judged"},
                {"name": "c", "url": "socks5://192.0.2.1"},
                {"name": "d", "url": "socks5://192.0.2.1", "addresses": "unseen"},
            ],
        )
        found = {name: judges(config, name) for name in (DIRECT, "a", "b", "c", "d", "upstream")}
        self.assertEqual(
            found, {DIRECT: True, "a": False, "b": True, "c": True, "d": False, "upstream": True}
        )
