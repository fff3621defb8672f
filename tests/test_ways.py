"""
Tests for L{connectproxy.ways}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import ConfigurationError, configure
from connectproxy.errors import Refused
from connectproxy.interfaces import IForwardingUpstream, IUpstream
from connectproxy.leg import Leg
from connectproxy.policy import Policy, buildPolicy
from connectproxy.vetted import VettedUpstream
from connectproxy.ways import Ways, buildWays, known
from tests.fakes import FakeReactor, makeBase, makeRequest

CORP = {"name": "corp", "url": "http://192.0.2.1:3128", "addresses": "unseen"}


class WaysCase(SynchronousTestCase):
    """
    Ways on fakes.
    """

    def setUp(self) -> None:
        """
        What they are built on.
        """
        self.reactor = FakeReactor()
        self.base = makeBase(self.reactor)

    def build(self, *upstreams: Any, former: Ways | None = None, **tables: Any) -> Ways:
        return buildWays(self.base, configure(upstream=list(upstreams), **tables), former)

    def problems(self, *upstreams: Any, **tables: Any) -> dict[str, str]:
        error = self.assertRaises(ConfigurationError, self.build, *upstreams, **tables)
        return {problem.key: f"{problem.message}; {problem.advice}" for problem in error.problems}


class BuildTests(WaysCase):
    """
    L{buildWays}.
    """

    def test_direct(self) -> None:
        """
        Without any upstream there is the one way.
        """
        ways = self.build()
        self.assertEqual((list(ways.routes.upstreams), ways.routes.default), (["direct"], "direct"))
        self.assertEqual(ways.files, ())
        self.assertEqual(known(configure()), ("direct",))

    def test_named(self) -> None:
        """
        Each has its name, behind the policy; only what is not judged anywhere is none to lead to.
        """
        ways = self.build(CORP, {"name": "inner", "url": "socks5h://192.0.2.2", "via": "corp"})
        self.assertEqual(sorted(ways.routes.upstreams), ["corp", "direct"])
        self.assertIsInstance(ways.routes.upstreams["corp"], VettedUpstream)
        self.assertTrue(IForwardingUpstream.providedBy(ways.routes.upstreams["corp"]))
        self.assertTrue(IUpstream.providedBy(ways.built["inner"][0]))

    def test_chain(self) -> None:
        """
        A hop is reached through the one before it, whatever order they stand in; the first is
        dialled, whatever its address is.
        """
        ways = self.build(
            {"name": "far", "url": "http://far.example:3128", "via": "corp", "addresses": "unseen"},
            {**CORP, "url": "http://10.0.0.1:3128"},
        )
        connecting = ways.routes.upstreams["far"].connect(makeRequest(), Factory.forProtocol(Leg))
        (attempt,) = self.reactor.attempts
        self.assertEqual((attempt.host, attempt.port), ("10.0.0.1", 3128))
        peer = attempt.succeed()
        self.reactor.flush()
        self.assertTrue(peer.received.startswith(b"CONNECT far.example:3128 HTTP/1.1\r\n"), peer.received)
        peer.received.clear()
        peer.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.reactor.flush()
        self.assertTrue(peer.received.startswith(b"CONNECT example.com:443 HTTP/1.1\r\n"), peer.received)
        peer.transport.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        self.reactor.flush()
        established = self.successResultOf(connecting)
        self.assertEqual(established.protocol.held, b"hello")
        self.assertEqual(established.address, "10.0.0.1:3128")

    def connecting(self, ways: Ways, name: str, target: str = "example.com:443") -> Any:
        """
        What a client's request is dialled for, by a policy that lets clients have .example.com.
        """
        rules = [{"name": "names", "action": "allow", "destinations": [".example.com"]}]
        config = configure(policy={"default": "deny"}, rule=rules)
        self.base.policy.policy = buildPolicy(config, self.base.own)
        connecting = ways.routes.upstreams[name].connect(makeRequest(target), Factory.forProtocol(Leg))
        self.reactor.flush()
        return connecting

    def dialled(self) -> list[tuple[str, int]]:
        return [(each.host, each.port) for each in self.reactor.attempts]

    def test_viaDirect(self) -> None:
        """
        Straight is straight, said or not: no rule for clients is about a hop, and what is told to
        destinations is not told to it.
        """
        corp = {**CORP, "url": "http://10.0.0.1:3128", "via": "direct"}
        self.connecting(self.build(corp, direct={"proxy_protocol": "v1"}), "corp")
        self.assertEqual(self.dialled(), [("10.0.0.1", 3128)])
        peer = self.reactor.attempts[0].succeed()
        self.reactor.flush()
        self.assertTrue(peer.received.startswith(b"CONNECT "), peer.received)

    def test_viaGroup(self) -> None:
        """
        A hop that is reached through a group may be reached straight, if that is one of it.
        """
        pool = {"name": "pool", "members": ["direct"]}
        self.connecting(self.build({**CORP, "via": "pool"}, pool), "corp")
        self.assertEqual(self.dialled(), [("192.0.2.1", 3128)])

    def test_nowhere(self) -> None:
        """
        A URL without a host leads nowhere: least of all to what a client names, judged by nobody.
        """
        for url in ("http://", "http:", "https://:443", "socks5h:", "h2c://"):
            found = self.problems(route={"upstream": url, "addresses": "unseen"})
            self.assertIn("has no host", found["route.upstream"])

    def test_straightMember(self) -> None:
        """
        What has been judged is not judged again, as if the client had named an address; what has
        not is, by the rules of now.
        """
        self.reactor.nameResolver.answers["example.com"] = ["8.8.8.8"]
        self.reactor.nameResolver.answers["in.example.com"] = ["10.0.0.7"]
        for addresses in ("judged", "unseen"):
            pool = {"name": "pool", "members": ["direct"], "backups": ["corp"], "addresses": addresses}
            ways = self.build(CORP, pool)
            self.connecting(ways, "pool")
            self.assertEqual(self.dialled(), [("8.8.8.8", 443)])
            self.reactor.attempts.clear()
            refused: Any = self.failureResultOf(self.connecting(ways, "pool", "in.example.com:443"), Refused)
            self.assertEqual(refused.value.refusal.rule, "private-addresses")
            self.assertEqual(self.dialled(), [])

    def test_ourselves(self) -> None:
        """
        The one address that a hop can't have is our own (conformance 29).
        """
        from ipaddress import ip_address

        self.base.own.add(ip_address("192.0.2.1"), 3128)
        ways = self.build(CORP)
        connecting = ways.routes.upstreams["corp"].connect(makeRequest(), Factory.forProtocol(Leg))
        refused: Any = self.failureResultOf(connecting, Refused).value
        self.assertEqual((refused.refusal.kind, refused.hop), ("proxy_loop_detected", "corp"))
        self.assertEqual(self.reactor.attempts, [])

    def test_policy(self) -> None:
        """
        An address that a client names is judged by whatever policy is in force then.
        """
        ways = self.build(CORP)
        upstream = ways.routes.upstreams["corp"]
        self.base.policy.policy = buildPolicy(configure(), self.base.own)
        connecting = upstream.connect(makeRequest("10.0.0.5:443"), Factory.forProtocol(Leg))
        self.failureResultOf(connecting, Refused)
        self.base.policy.policy = Policy()
        upstream.connect(makeRequest("10.0.0.5:443"), Factory.forProtocol(Leg))
        self.assertEqual(len(self.reactor.attempts), 1)

    def test_unsaid(self) -> None:
        """
        What a rule or the route leads to has to say who sees the addresses.
        """
        silent = {"name": "corp", "url": "http://192.0.2.1"}
        for tables in (
            {"route": {"upstream": "corp"}},
            {"rule": [{"name": "a", "action": "allow", "upstream": "corp"}], "policy": {"default": "deny"}},
        ):
            found = self.problems(silent, **tables)
            self.assertEqual(list(found), ["upstream.addresses"])
            self.assertIn('"judged"', found["upstream.addresses"])
        found = self.problems(route={"upstream": "http://192.0.2.1"})
        self.assertIn("--upstream-addresses", found["route.addresses"])
        self.build({"name": "corp", "url": "socks5://192.0.2.1"}, route={"upstream": "corp"})

    def test_wrong(self) -> None:
        """
        All that is wrong is told, each with what would be right.
        """
        found = self.problems(
            {**CORP, "via": "cor"},
            {"name": "x", "url": "toy://192.0.2.1:7"},
            {"name": "y", "url": "htp://192.0.2.1:7"},
        )
        self.assertIn("there is no upstream 'cor'; do you mean corp?", found["upstream.via"])
        self.assertIn("there is no upstream with the scheme 'htp'; do you mean http?", found["upstream.url"])
        self.assertIn("do you mean corp?", self.problems(CORP, route={"upstream": "corps"})["route.upstream"])
        self.assertIn("add an", self.problems(route={"upstream": "what"})["route.upstream"])
        self.assertIn(
            "one way", self.problems(CORP, route={"upstream": ["corp", "http://x"]})["route.upstream"]
        )
        self.assertIn("leave it out", self.problems(route={"addresses": "unseen"})["route.addresses"])

    def test_circle(self) -> None:
        """
        None is reached through itself.
        """
        found = self.problems(
            {**CORP, "via": "far"}, {"name": "far", "url": "http://192.0.2.2", "via": "corp"}
        )
        self.assertIn("corp -> far -> corp", found["upstream.via"])

    def test_group(self) -> None:
        """
        A group is built over its members, of which one may be the way without any.
        """
        ways = self.build(
            CORP, {"name": "pool", "members": ["corp"], "backups": ["direct"], "addresses": "unseen"}
        )
        self.assertIn("pool", ways.routes.upstreams)
        found = self.problems(CORP, {"name": "pool", "members": ["corp", "crop"]})
        self.assertIn("do you mean corp?", found["upstream.members"])

    def test_file(self) -> None:
        """
        A file that can't be read is told of the upstream that names it.
        """
        found = self.problems({**CORP, "url": "https://192.0.2.1", "ca": str(Path(self.mktemp()).absolute())})
        self.assertEqual(list(found), ["upstream"])


class RouteTests(WaysCase):
    """
    What the route says.
    """

    def test_chain(self) -> None:
        """
        URLs are a chain, of which the last has the credentials and says who sees addresses.
        """
        ways = self.build(
            route={
                "upstream": ["http://192.0.2.1", "socks5h://far.example"],
                "addresses": "unseen",
                "direct": ["localhost"],
            }
        )
        self.assertEqual(ways.routes.default, "upstream-2")
        self.assertEqual(sorted(ways.routes.upstreams), ["direct", "upstream-2"])
        self.assertEqual(ways.routes.wayOf(makeRequest("localhost:443")), "direct")

    def test_name(self) -> None:
        """
        A name is that upstream.
        """
        self.assertEqual(self.build(CORP, route={"upstream": "corp"}).routes.default, "corp")
        self.assertEqual(self.build(route={"upstream": "direct"}).routes.default, "direct")

    def test_taken(self) -> None:
        """
        A URL there has a name, which no other upstream can have.
        """
        found = self.problems(
            {**CORP, "name": "upstream"}, route={"upstream": "http://192.0.2.9", "addresses": "unseen"}
        )
        self.assertEqual(list(found), ["upstream.name"])


class AgainTests(WaysCase):
    """
    Another configuration.
    """

    def test_kept(self) -> None:
        """
        What has not changed is kept, and so is what it is reached through; the rest is new.
        """
        far = {"name": "far", "url": "http://192.0.2.2", "via": "corp"}
        first = self.build(CORP, far)
        second = self.build(CORP, far, former=first)
        for name in ("corp", "far", "direct"):
            self.assertIs(second.built[name][0], first.built[name][0])
        third = self.build({**CORP, "url": "http://192.0.2.3"}, far, former=second)
        self.assertIs(third.built["direct"][0], second.built["direct"][0])
        for name in ("corp", "far"):
            self.assertIsNot(third.built[name][0], second.built[name][0])
        fourth = self.build(CORP, direct={"proxy_protocol": "v1"}, former=first)
        self.assertIsNot(fourth.built["direct"][0], first.built["direct"][0])

    def test_straightMember(self) -> None:
        """
        A group whose member has changed is another one, also where that member is the way straight.
        """
        pool = {"name": "pool", "members": ["direct"], "addresses": "unseen"}
        first = self.build(pool)
        self.assertIs(self.build(pool, former=first).built["pool"][0], first.built["pool"][0])
        second = self.build(pool, direct={"proxy_protocol": "v1"}, former=first)
        self.assertIsNot(second.built["pool"][0], first.built["pool"][0])

    def test_sameWay(self) -> None:
        """
        The way that requests take is the same one as long as nothing about it has changed, and
        another one, by which nothing is left open, once something has.
        """
        former = self.build(CORP)
        first = former.routes.upstreams["corp"]
        self.assertIs(self.build(CORP, former=former).routes.upstreams["corp"], first)
        for change in ({"addresses": "judged"}, {"url": "http://192.0.2.3:3128"}):
            now = self.build({**CORP, **change}, former=former).routes.upstreams["corp"]
            self.assertIsNot(now, first)

    def test_standing(self) -> None:
        """
        What stands is started once and stopped when it is gone.
        """
        pool = {"name": "pool", "members": ["corp"], "addresses": "unseen", "probe": "connect"}
        first = self.build(CORP, pool)
        told: list[str] = []
        upstream = first.built["pool"][0]
        self.patch(upstream, "start", lambda: told.append("start"))
        self.patch(upstream, "stop", lambda: told.append("stop"))
        first.replace(None)
        self.assertIn("pool", first.state())
        second = self.build(CORP, pool, former=first)
        second.replace(first)
        self.assertEqual(told, ["start"])
        third = self.build(CORP, former=second)
        third.replace(second)
        self.assertEqual(told, ["start", "stop"])
        first.stop()
        self.assertEqual(told, ["start", "stop", "stop"])
