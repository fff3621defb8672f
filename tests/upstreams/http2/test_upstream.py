"""
The kind of upstream: what it is built from, and what it says for others.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.interfaces import IStandingUpstream, IUpstreamKind
from connectproxy.upstreams import http2
from tests.fakes import FakeUpstream, Peer, makeSurroundings
from tests.upstreams.http2.case import HopCase, Serving


class KindTests(HopCase):
    """
    The kind.
    """

    def test_interfaces(self) -> None:
        """
        It provides what it says, by its schemes.
        """
        self.assertTrue(verifyObject(IUpstreamKind, http2.kind))
        self.assertTrue(verifyObject(IStandingUpstream, self.upstream))
        self.assertEqual((http2.kind.kindName, http2.kind.schemes), ("http2", ("h2", "h2c")))

    def build(self, **keys: object) -> None:
        """
        Build one.
        """
        (row,) = configure(upstream=[{"name": "corp", "url": "h2c://192.0.2.1:1"}]).rows["upstream"]
        http2.kind.build(makeSurroundings(self.reactor), {**row.options, **keys})

    def test_proxyHeader(self) -> None:
        """
        A PROXY header is refused: many share a connection.
        """
        error = self.assertRaises(ValueError, self.build, proxy_protocol="v2")
        self.assertIn("leave proxy_protocol out", str(error))

    def test_credentials(self) -> None:
        """
        What can't be shown is refused.
        """
        self.assertRaises(ValueError, self.build, credentials="a:b", authentication="bearer")

    def test_untouched(self) -> None:
        """
        To build one touches neither the network nor the clock; nor does a start.
        """
        self.assertEqual((self.way.dials, self.reactor.getDelayedCalls()), ([], []))
        self.upstream.stop()
        self.upstream.start()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.connect()
        self.assertEqual(len(self.way.dials), 1)

    def test_via(self) -> None:
        """
        C{Via} says which version a request came in by; no other field goes on.
        """
        versions = {"http/1.0": "1.0", "http/1.1": "1.1", "h2": "2.0", "socks5": "1.1"}
        every = [self.connect(protocol=protocol) for protocol in versions]
        hop = self.hop()
        self.assertEqual(len(every), 4)
        said = [fields["via"] for fields in hop.asked.values()]
        self.assertEqual(said, [f"{version} fake-via" for version in versions.values()])

    def test_through(self) -> None:
        """
        It is reached through the upstream that C{via} names.
        """
        asked: list[str] = []
        way = FakeUpstream(self.reactor)

        def reach(name: str) -> FakeUpstream:
            asked.append(name)
            return way

        rows = configure(
            upstream=[
                {"name": "first", "url": "h2c://192.0.2.9:1"},
                {"name": "corp", "url": "h2c://192.0.2.1:1", "via": "first"},
            ]
        ).rows["upstream"]
        http2.kind.build(makeSurroundings(self.reactor, reach=reach), rows[1].options)
        self.assertEqual(asked, ["first"])


class Within(Peer):
    """
    What the first hop does with a tunnel: it leads to the second.
    """

    def __init__(self, hop: Any, number: int) -> None:
        Peer.__init__(self)
        self._hop = hop
        self._number = number
        self._passed = 0
        took = hop.dataReceived

        def received(octets: bytes) -> None:
            took(octets)
            self.passOn()

        hop.dataReceived = received

    def connectionMade(self) -> None:
        self.passOn()

    def passOn(self) -> None:
        """What has come on the stream, for the second hop."""
        octets = self._hop.octets.get(self._number, b"")
        self.transport.write(bytes(octets[self._passed :]))
        self._passed = len(octets)

    def dataReceived(self, data: bytes) -> None:
        self._hop.put(self._number, data)


class ChainTests(HopCase):
    """
    One hop through another, each with HTTP/2.
    """

    def test_within(self) -> None:
        """
        A connection to a hop may be a tunnel through another; its end is that tunnel's.
        """
        (row,) = configure(
            upstream=[{"name": "far", "url": "h2c://192.0.2.9:3128", "addresses": "unseen"}]
        ).rows["upstream"]
        inner, self.upstream = self.upstream, None
        surroundings = makeSurroundings(self.reactor, name="far", reach=lambda name: inner)
        self.upstream = http2.kind.build(surroundings, row.options)
        connecting = self.connect()
        hop = self.hop()
        self.assertEqual(hop.asked[1][":authority"], "192.0.2.9:3128")
        hop.answer(1)
        self.flush()
        far = Serving()
        self.reactor.pipe(far, Within(hop, 1), 1 << 20, None, None)
        self.flush()
        far.answer(1)
        self.flush()
        protocol = self.successResultOf(connecting).protocol
        protocol.transport.write(b"twice wrapped")
        self.flush()
        self.assertEqual(bytes(far.octets[1]), b"twice wrapped")
        protocol.transport.abortConnection()
        self.flush()
        self.upstream.stop()
        self.flush()
        self.assertEqual((far.goodbyes, hop.endings), ([0], [1]))
