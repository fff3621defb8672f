"""
Tests for L{connectproxy.limits.limit}.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.config import ConfigurationError
from connectproxy.interfaces import ProxyUser
from connectproxy.limits.limit import Limit, Prefixes, addressOf, buildLimits
from tests.limits.case import BOB, EVE, row

HERE = ip_address("192.0.2.7")


class HoldsTests(SynchronousTestCase):
    """
    Whom a table holds for.
    """

    def assertHolds(self, limit: Limit, *expected: bool) -> None:
        """
        Whether it holds for bob, eve, and somebody unknown.
        """
        found = tuple(limit.holds(identity, HERE) for identity in (BOB, EVE, None))
        self.assertEqual(found, expected)

    def test_everybody(self) -> None:
        """
        What is left out is no condition.
        """
        self.assertHolds(Limit("x"), True, True, True)

    def test_users(self) -> None:
        """
        By name, everybody who is known, those who are not.
        """
        self.assertHolds(Limit("x", users=frozenset({"bob"})), True, False, False)
        self.assertHolds(Limit("x", users=frozenset({"*"})), True, True, False)
        self.assertHolds(Limit("x", users=frozenset({"-"})), False, False, True)
        self.assertHolds(Limit("x", users=frozenset({"-", "eve"})), False, True, True)

    def test_groups(self) -> None:
        """
        By one of the groups; with users besides, both have to fit.
        """
        self.assertHolds(Limit("x", groups=frozenset({"ci", "ops"})), True, False, False)
        both = Limit("x", users=frozenset({"eve"}), groups=frozenset({"ci"}))
        self.assertHolds(both, False, False, False)

    def test_nobody(self) -> None:
        """
        A list that has been emptied is nobody, not everybody.
        """
        self.assertHolds(Limit("x", users=frozenset()), False, False, False)
        self.assertHolds(Limit("x", groups=frozenset()), False, False, False)
        self.assertHolds(Limit("x", clients=Networks()), False, False, False)

    def test_clients(self) -> None:
        """
        By the address; who has none is in no network.
        """
        limit = Limit("x", clients=Networks.parse("192.0.2.0/24"))
        self.assertTrue(limit.holds(None, HERE))
        self.assertFalse(limit.holds(None, ip_address("198.51.100.1")))
        self.assertFalse(limit.holds(None, None))

    def test_named(self) -> None:
        """
        It holds for a user that names it, whatever its own conditions are.
        """
        limit = Limit("slow", users=frozenset({"eve"}))
        self.assertTrue(limit.holds(ProxyUser("bob", limits=("slow",)), HERE))
        self.assertFalse(limit.holds(ProxyUser("bob", limits=("fast",)), HERE))


class KeyTests(SynchronousTestCase):
    """
    Who shares a count.
    """

    def key(self, per: str, identity: ProxyUser | None, host: str | None, *prefixes: int) -> str:
        """
        The key of somebody.
        """
        return Limit("x", per=per).key(identity, addressOf(host), Prefixes(*prefixes))[0]

    def test_user(self) -> None:
        """
        Each user; each address where nobody is known.
        """
        self.assertEqual(self.key("user", BOB, "192.0.2.7"), "user:bob")
        self.assertEqual(self.key("user", None, "192.0.2.7"), "client:192.0.2.7")
        self.assertEqual(self.key("user", None, None), "client:unix")

    def test_client(self) -> None:
        """
        Each address, however it is written, whoever comes from it.
        """
        for host in ("192.0.2.7", "::ffff:192.0.2.7"):
            self.assertEqual(self.key("client", BOB, host), "client:192.0.2.7")
        self.assertEqual(self.key("client", None, "2001:DB8::0:1"), "client:2001:db8::1")
        self.assertEqual(self.key("client", None, "fe80::1%e 0"), "client:fe80::1%25e%200")

    def test_network(self) -> None:
        """
        Each network, of the size that is configured.
        """
        self.assertEqual(self.key("network", BOB, "192.0.2.7"), "network:192.0.2.0/24")
        self.assertEqual(self.key("network", BOB, "192.0.2.7", 30), "network:192.0.2.4/30")
        self.assertEqual(self.key("network", None, "2001:db8::1"), "network:2001:db8::/64")
        self.assertEqual(self.key("network", None, "2001:db8:1::1", 24, 32), "network:2001:db8::/32")
        self.assertEqual(self.key("network", None, "fe80::1%eth0"), "network:fe80::/64")
        self.assertEqual(self.key("network", None, None), "client:unix")

    def test_all(self) -> None:
        """
        All of them together.
        """
        self.assertEqual({self.key("all", BOB, "192.0.2.7"), self.key("all", None, None)}, {"all"})

    def test_escaped(self) -> None:
        """
        Whatever a user is called, the key is printable ASCII, of bounded length, and no
        other user's.
        """
        names = ("a b", "a:b", "a%20b", "Zoë", "z" * 255, "z" * 254, "ж" * 60, "x\n", "b@example.com")
        keys = [self.key("user", ProxyUser(name), None) for name in names]
        self.assertEqual(len(set(keys)), len(names))
        for key in keys:
            self.assertRegex(key, r"\Auser:[!-~]{1,100}\Z")
        self.assertEqual(keys[:2], ["user:a%20b", "user:a%3Ab"])
        self.assertEqual(keys[-1], "user:b@example.com")

    def test_words(self) -> None:
        """
        Messages name the user, escaped where needed, and no addresses.
        """
        limit = Limit("x")
        self.assertEqual(limit.key(BOB, HERE, Prefixes())[1], "for user bob")
        self.assertEqual(limit.key(ProxyUser("x\n"), HERE, Prefixes())[1], "for user 'x\\n'")
        self.assertEqual(limit.key(None, HERE, Prefixes())[1], "for the client's address")
        network = limit._replace(per="network")
        self.assertEqual(network.key(None, HERE, Prefixes())[1], "for the client's network")
        self.assertEqual(limit._replace(per="all").key(None, HERE, Prefixes())[1], "in all")


class BuildTests(SynchronousTestCase):
    """
    From the configuration to what is used.
    """

    def test_plain(self) -> None:
        """
        A table with everything, and one with nothing.
        """
        full = row(
            users=("bob", "*"), groups=("ci",), clients=("192.0.2.0/24", "2001:db8::/32"), per="all", tunnels=5,
            tunnels_per_second=0.5, burst=3, bytes_per_second=1024, quota=10**9, period="week",
        )  # fmt: skip
        networks = Networks.parse("192.0.2.0/24, 2001:db8::/32")
        self.assertEqual(
            buildLimits([full]),
            (
                Limit(
                    "ci", frozenset({"bob", "*"}), frozenset({"ci"}), networks, "all", 5, 0.5, 3.0, 1024, 10**9,
                    "week",
                ),
            ),
        )  # fmt: skip
        self.assertEqual(buildLimits([row()]), (Limit("ci"),))

    def test_built(self) -> None:
        """
        What is built is left as it is.
        """
        self.assertEqual(buildLimits(buildLimits([row(tunnels=3)])), (Limit("ci", tunnels=3),))

    def test_burst(self) -> None:
        """
        Unless it is said, as many at once as in a second, and at least one.
        """
        for pace, burst, expected in ((0.1, 0, 1), (20, 0, 20), (20, 5, 5)):
            (limit,) = buildLimits([row(tunnels_per_second=pace, burst=burst)])
            self.assertEqual(limit.burst, expected)

    def test_lists(self) -> None:
        """
        Files take the place of their names: one item a line, with comments, in one
        normal form.
        """
        users, clients = Path(self.mktemp()), Path(self.mktemp())
        users.write_text("# people\n\nbob # since May\n  Zoe\u0308\na#b\n", "utf-8-sig")
        clients.write_text("192.0.2.0/24\n")
        (limit,) = buildLimits([row(users=("eve", f"@{users}"), clients=(f"@{clients}",))])
        self.assertEqual(limit.users, {"eve", "bob", "Zo\xeb", "a#b"})
        self.assertEqual(limit.clients, Networks.parse("192.0.2.0/24"))
        self.assertEqual(limit.files, (str(users), str(clients)))

    def test_emptied(self) -> None:
        """
        A list with nothing in it is nobody.
        """
        empty = Path(self.mktemp())
        empty.write_text("# nobody yet\n")
        (limit,) = buildLimits([row(users=(f"@{empty}",), groups=(f"@{empty}",), clients=(f"@{empty}",))])
        self.assertEqual((limit.users, limit.groups, limit.clients), (frozenset(), frozenset(), Networks()))

    def problems(self, *rows: Any) -> list[str]:
        """
        Build tables in vain: what is wrong, each with its key.
        """
        error = self.assertRaises(ConfigurationError, buildLimits, rows)
        return [f"{problem.key} {problem}" for problem in error.problems]

    def test_badLists(self) -> None:
        """
        All that is wrong is told: what can't be read by the table and the key that name it,
        what is wrong within a file by its line, with advice.
        """
        path, octets = Path(self.mktemp()), Path(self.mktemp())
        path.write_text("192.0.2.0/24\n300.1.1.1 # no\n\n10.0.0.1/8\n")
        octets.write_bytes(b"bob\n\xff\xfe\neve\n")
        found = self.problems(
            row(clients=(f"@{path}", "@/nowhere/clients"), users=(f"@{octets}",)),
            row(groups=("@/nowhere/groups",)),
        )
        table, advice = "proxy.toml:1 [[limit]]", "No such file or directory; name a file that can be read"
        self.assertEqual(found[0], f"limit.users {octets}:2: is not UTF-8; save the file as UTF-8")
        self.assertIn(f"limit.clients {path}:2: '300.1.1.1' is not a network", found[1])
        self.assertIn(f"limit.clients {path}:4: ", found[2])
        self.assertEqual(
            found[3:],
            [
                f"limit.clients {table}: cannot read the list /nowhere/clients: {advice}",
                f"limit.groups {table}: cannot read the list /nowhere/groups: {advice}",
            ],
        )

    def test_badItem(self) -> None:
        """
        What is wrong within a table is told by the table.
        """
        (found,) = self.problems(row(clients=("192.0.2.0/24", "300.1.1.1")))
        self.assertIn("limit.clients proxy.toml:1 [[limit]]: '300.1.1.1' is not a network", found)

    def test_once(self) -> None:
        """
        What is wrong with a list that several tables name is told once.
        """
        path = Path(self.mktemp())
        path.write_text("x\n")
        self.assertEqual(len(self.problems(row(clients=(f"@{path}",)), row(clients=(f"@{path}",)))), 1)

    def test_pipe(self) -> None:
        """
        Nobody waits for what might come out of a named pipe.
        """
        path = self.mktemp()
        os.mkfifo(path)
        (found,) = self.problems(row(users=(f"@{path}",)))
        self.assertIn(f"cannot read the list {path}: it is a named pipe", found)
