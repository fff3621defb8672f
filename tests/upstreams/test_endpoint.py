"""
Tests for L{connectproxy.upstreams.endpoint}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import endpoints
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.interfaces import Attempt, IUpstream, IUpstreamKind
from connectproxy.upstreams import endpoint
from connectproxy.upstreams.endpoint import Description
from tests.conformance import UpstreamContract
from tests.fakes import FakeReactor, Peer, makeRequest, makeSurroundings

examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)

PLAIN = "tcp:host={host}:port={port}"


def optionsOf(text: str) -> Mapping[str, Any]:
    """
    The options of an upstream.
    """
    config = configure(
        upstream=[{"name": "way", "url": "endpoint:", "endpoint": text, "addresses": "unseen"}]
    )
    return config.rows["upstream"][0].options


def build(reactor: Any, text: str) -> Any:
    """
    Make an upstream.
    """
    return endpoint.kind.build(makeSurroundings(reactor, name="way"), optionsOf(text))


def arguments(description: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """
    What the parser of an endpoint is given for a description.
    """
    heard: list[Any] = []

    def parse(*positional: str, **named: str) -> dict[str, Any]:
        heard.append((positional, named))
        return {}

    with (
        mock.patch.dict(endpoints._clientParsers, {"HEAR": parse}),
        mock.patch.dict(endpoints._endpointClientFactories, {"HEAR": lambda reactor: None}),
    ):
        endpoints.clientFromString(None, description)
    (said,) = heard
    return said  # type: ignore[no-any-return]


class ContractTests(UpstreamContract, SynchronousTestCase):
    """
    What holds for every upstream holds for one that is an endpoint, but that what it has
    tried is the endpoint's to know.
    """

    kind = endpoint.kind
    target = "198.51.100.1:443"

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.assertTrue(verifyObject(IUpstreamKind, self.kind))
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.built: list[Peer] = []
        self.upstream = build(self.reactor, PLAIN)
        self.assertTrue(verifyObject(IUpstream, self.upstream))

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        return {"dialling": (self.dial, "connection_timeout")}

    def dial(self) -> Any:
        (attempt,) = self.reactor.attempts
        return attempt

    def test_established(self) -> None:
        """
        One protocol is built, which is connected when the caller gets it; what is told of is
        the address that the endpoint tells.
        """
        connecting = self.connect()
        peer = self.dial().succeed()
        self.reactor.flush()
        established = self.successResultOf(connecting)
        self.assertEqual(self.built, [established.protocol])
        self.assertEqual((established.address, established.seen), (self.target, ""))
        self.assertEqual(established.tried, (Attempt(self.target, "connected", 0.0),))
        established.protocol.transport.write(b"up")
        peer.transport.write(b"down")
        self.reactor.flush()
        self.assertEqual((bytes(peer.received), bytes(established.protocol.received)), (b"up", b"down"))

    def test_failures(self) -> None:
        """
        Each way in which a connection is not made has its kind; the attempt has the
        upstream's name.
        """
        for number, kind in self.failures.items():
            self.setUp()
            connecting = self.connect()
            attempt = self.dial()
            self.reactor.advance(2.0)
            attempt.fail(number)
            refused = self.assertRefused(connecting, kind)
            self.assertEqual(refused.tried, (("way", kind, 2.0),))


class BuildTests(SynchronousTestCase):
    """
    What can be an upstream.
    """

    def test_unusable(self) -> None:
        """
        A description without its places, or with one that is only a part of an argument, is
        refused at once, and so is one that nothing can read.
        """
        for text, words in (
            ("", "{host} and {port}, each as an argument"),
            ("tcp:example.com:443", "{host} and {port}, each as an argument"),
            ("tcp:{host}:443", "{host} and {port}, each as an argument"),
            ("unix:/run/{host}:port={port}", "{host} and {port}, each as an argument"),
            ("nobodys:{host}:{port}", "can't be understood (Unknown endpoint type: 'nobodys')"),
            ("tcp:host={host}:port={port}:bindAddress=1:more=2", "can't be understood ("),
            ("tcp:host={host}:port={port}:\\", "can't be understood ("),
        ):
            error = self.assertRaises(ValueError, build, FakeReactor(), text)
            self.assertIn(words, str(error))

    def test_unused(self) -> None:
        """
        What would be said to a next hop is said to nobody here, so that it is refused: least of all
        may there be no TLS where the URL has it.
        """
        for keys, words in (
            ({"url": "endpoint+tls:"}, "TLS as well, in endpoint"),
            ({"url": "endpoint://192.0.2.1:7"}, "more than that there is an endpoint"),
            ({"credentials": "a:b"}, "credentials is for a next hop"),
            ({"token": "x"}, "token is for a next hop"),
            ({"proxy_protocol": "v1"}, "proxy_protocol is for a next hop"),
        ):
            said = {"name": "way", "endpoint": "tcp:{host}:{port}", **keys}
            (row,) = configure(upstream=[said]).rows["upstream"]
            surroundings = makeSurroundings(FakeReactor(), name="way")
            error = self.assertRaises(ValueError, endpoint.kind.build, surroundings, row.options)
            self.assertIn(words, str(error))

    def test_wordless(self) -> None:
        """
        A plugin that fails without a word is named by how it fails.
        """
        failing = mock.Mock(side_effect=KeyError())
        with mock.patch.dict(endpoints._clientParsers, {"HEAR": failing}):
            error = self.assertRaises(ValueError, build, FakeReactor(), "hear:{host}:{port}")
        self.assertIn("(KeyError)", str(error))

    def test_nothingHappens(self) -> None:
        """
        Building one touches no network.
        """
        reactor = FakeReactor()
        build(reactor, PLAIN)
        self.assertEqual((reactor.attempts, reactor.getDelayedCalls()), ([], []))

    def test_name(self) -> None:
        """
        A name goes on as it is, for the endpoint to look up.
        """
        reactor = FakeReactor()
        build(reactor, "tcp:{host}:{port}").connect(makeRequest("a.example:8443"), Factory.forProtocol(Peer))
        (attempt,) = reactor.attempts
        self.assertEqual((attempt.host, attempt.port), ("a.example", 8443))

    def test_refusal(self) -> None:
        """
        A failure names the destination, and the kind of a failure that is the endpoint's own.
        """
        reactor = FakeReactor()
        connecting: Deferred[Any] = build(reactor, PLAIN).connect(
            makeRequest("a.example:443"), Factory.forProtocol(Peer)
        )
        reactor.attempts[0].fail(errno.ECONNREFUSED)
        refused = self.failureResultOf(connecting, Refused).value
        self.assertEqual(refused.refusal.kind, "connection_refused")
        self.assertIn("a.example:443", refused.refusal.detail)


class DescriptionTests(SynchronousTestCase):
    """
    What a client names stays in its place.
    """

    def test_ipv6(self) -> None:
        """
        The colons of an address are quoted.
        """
        text = Description("hear:{host}:port={port}").filled("2001:db8::1", 443)
        self.assertEqual(text, "hear:2001\\:db8\\:\\:1:port=443")
        self.assertEqual(arguments(text), (("2001:db8::1",), {"port": "443"}))

    def test_within(self) -> None:
        """
        In a description that is an argument of another one they are quoted once more.
        """
        text = r"hear:front.example:443:endpoint=hear\:host={host}\:{port}\:x=y:more=z"
        positional, named = arguments(Description(text).filled("2001:db8::1", 443))
        self.assertEqual((positional, named["more"]), (("front.example", "443"), "z"))
        self.assertEqual(arguments(named["endpoint"]), (("443",), {"host": "2001:db8::1", "x": "y"}))

    def test_twice(self) -> None:
        """
        A place may be there more than once, and at any depth.
        """
        inner = r"hear\:{host}\:{port}\:hear\\\:{host}\\\:{port}"
        positional, named = arguments(Description(f"hear:{{host}}:inner={inner}").filled("::1", 1))
        self.assertEqual(positional, ("::1",))
        (first, port, _, *_), _ = arguments(named["inner"])
        self.assertEqual((first, port), ("::1", "1"))

    def test_places(self) -> None:
        """
        A place that is a part of an argument is none: what is around it might give what a
        client names a meaning.
        """
        for text in (
            "x:{host}{port}",
            "x:a{host}:{port}",
            "x:{host}a:{port}",
            "x:k={host}=v:{port}",
            "x:{host}\\:{port}",
            "x:{host}:{port}:command=nc {host} {port}",
            "x:a\\\\:{host}:{port}",
            "{host}:{port}",
            "x:{port}:{port}",
        ):
            self.assertRaises(ValueError, Description, text)

    def test_otherBraces(self) -> None:
        """
        Braces around anything else are nobody's business.
        """
        self.assertEqual(Description("x:{user}:{host}:{port}:{}").filled("a", 1), "x:{user}:a:1:{}")

    @examples
    @given(st.text(st.sampled_from("a:\\={}%.-[]\0 \n\xe9host"), max_size=30))
    def test_anything(self, host: str) -> None:
        """
        Whatever it is that is named, it is one argument, the same as before, at each depth.
        """
        inner = r"hear\:k={host}\:{port}"
        positional, named = arguments(
            Description(f"hear:{{host}}:k={{host}}:{{port}}:inner={inner}:last=z").filled(host, 443)
        )
        self.assertEqual(positional, (host, "443"))
        self.assertEqual((named["k"], named["last"], len(named)), (host, "z", 3))
        self.assertEqual(arguments(named["inner"]), (("443",), {"k": host}))
