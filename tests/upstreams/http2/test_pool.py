"""
How many connections there are, who has which, and who waits.
"""

from __future__ import annotations

from typing import Any

from h2.settings import SettingCodes
from twisted.internet.defer import fail, succeed
from twisted.internet.testing import StringTransport

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established
from connectproxy.upstreams.http2.pool import PAUSE
from connectproxy.wire.http2 import ErrorCode, formatSettings
from tests.upstreams.http2.case import HopCase, Serving


class PoolTests(HopCase):
    """
    Two connections at most, with three tunnels each.
    """

    keys = {"url": "h2c://192.0.2.1:3128", "connections": 2, "tunnels": 3}

    def open(self, hop: Any, *connecting: Any) -> list[Any]:
        """
        Let a hop open whatever it was asked for.
        """
        for number in hop.asked:
            if number not in hop.answered and number not in hop.resets:
                hop.answer(number)
        self.flush()
        return [self.successResultOf(each).protocol for each in connecting]

    def test_oneIsShared(self) -> None:
        """
        Those that come while a connection is being made wait for it; those behind it have it at
        once, without an attempt of their own.
        """
        early = [self.connect(), self.connect()]
        self.assertEqual(len(self.way.dials), 1)
        hop = self.hop()
        late = self.connect()
        self.flush()
        self.assertEqual(len(hop.asked), 3)
        self.open(hop)
        established = [self.successResultOf(each) for each in (*early, late)]
        tried = [[attempt.result for attempt in each.tried] for each in established]
        self.assertEqual(tried, [["connected"], ["connected"], []])
        self.assertEqual({each.address for each in established}, {"198.51.100.1:3128"})

    def test_more(self) -> None:
        """
        There is another only when all have what they may; the oldest with room goes first; beyond
        that requests wait, in order, until a tunnel ends.
        """
        every = [self.connect() for _ in range(6)]
        self.assertEqual(len(self.way.dials), 2)
        first, second = (dial.succeed(Serving()) for dial in self.way.dials)
        self.flush()
        self.assertEqual((len(first.asked), len(second.asked)), (3, 3))
        protocols = self.open(first, *every[:3])
        self.open(second, *every[3:])
        waiting, behind = self.connect("a:1"), self.connect("b:1")
        self.flush()
        self.assertEqual((len(self.way.dials), self.upstream.state()["waiting"]), (2, 2))
        protocols[0].transport.abortConnection()
        self.flush()
        self.assertEqual(first.asked[7][":authority"], "a:1")
        self.assertNoResult(behind)
        self.open(first, waiting)
        behind.cancel()
        refused = self.refused(behind, "next_hop_unavailable")
        self.assertEqual(refused.hop, "corp")
        self.assertIn("2 connections", refused.refusal.detail)

    def test_peersLimit(self) -> None:
        """
        A next hop that takes fewer streams gets fewer; when it takes more, those that wait go.
        """
        every = [self.connect() for _ in range(4)]
        first, second = (dial.succeed(Serving(streams=1)) for dial in self.way.dials)
        self.flush()
        self.assertEqual((len(first.asked), len(second.asked)), (1, 1))
        self.open(first, every[0])
        first.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 50})
        first.send()
        self.flush()
        self.assertEqual(len(first.asked), 3)
        self.open(first, *every[2:])

    def test_bounded(self) -> None:
        """
        As many may wait as there may be tunnels; the next is refused at once.
        """
        waiting = [self.connect() for _ in range(6)]
        one = self.connect()
        self.assertEqual(self.refused(one, "next_hop_unavailable").hop, "corp")
        self.assertEqual(self.upstream.state()["waiting"], 6)
        for each in waiting:
            each.cancel()
            self.refused(each, "connection_timeout")
        self.assertNothingLeft()

    def test_leave(self) -> None:
        """
        Who waits for a connection that is being made leaves it to the others; the last one gives
        it up, and a second one that nobody needs any more with it.
        """
        waiting = [self.connect() for _ in range(4)]
        self.assertEqual(len(self.way.dials), 2)
        for each in waiting[:3]:
            each.cancel()
            self.refused(each, "connection_timeout")
        self.assertFalse(self.way.dials[0].cancelled)
        waiting[3].cancel()
        self.refused(waiting[3], "connection_timeout")
        self.assertEqual([dial.cancelled for dial in self.way.dials], [True, True])
        self.assertNothingLeft()

    def test_abandonedIsNotWaitedFor(self) -> None:
        """
        Who comes while a connection that was given up is still closing does not wait for that one.
        """
        connecting = self.connect()
        self.way.dials[0].succeed(Serving(greeting=False))
        connecting.cancel()
        self.refused(connecting, "next_hop_silent")
        again = self.connect()
        self.assertEqual(len(self.way.dials), 2)
        hop = self.hop()
        self.open(hop, again)

    def test_allFail(self) -> None:
        """
        When the only connection can't be made, all that wait for it are refused; the next request
        tries again at once.
        """
        waiting = [self.connect(), self.connect()]
        self.way.dials[0].fail("connection_refused", tried=("one",))
        for each in waiting:
            self.assertEqual(self.refused(each, "connection_refused").tried, ("one",))
        self.assertEqual(self.upstream.state()["error"], "connection_refused")
        self.assertNothingLeft()
        self.connect()
        self.assertEqual(len(self.way.dials), 2)

    def test_anotherFails(self) -> None:
        """
        When a further one can't be made, those that wait go on waiting for those that there are,
        and it is not tried again for a while.
        """
        every = [self.connect() for _ in range(3)]
        hop = self.hop()
        protocols = self.open(hop, *every)
        waiting = self.connect("a:1")
        self.way.dials[1].fail("connection_refused")
        self.assertNoResult(waiting)
        more = self.connect("b:1")
        self.assertEqual(len(self.way.dials), 2)
        protocols[0].transport.abortConnection()
        self.flush()
        self.open(hop, waiting)
        self.reactor.advance(PAUSE)
        self.connect("c:1")
        self.assertEqual(len(self.way.dials), 3)
        self.assertNoResult(more)

    def test_failsAtOnce(self) -> None:
        """
        A way may fail before it returns, and whoever is refused may ask again within that call.
        """
        refusal = Refused(Refusal("connection_refused"))
        self.way.connect = lambda request, factory: fail(refusal)  # type: ignore[method-assign]
        later: list[Any] = []

        def again(failure: Any) -> None:
            failure.trap(Refused)
            later.append(self.connect())

        self.connect().addErrback(again)
        self.refused(later[0], "connection_refused")
        self.assertNothingLeft()

    def test_connectedAtOnce(self) -> None:
        """
        A way may connect before it returns, with all that the next hop has to say.
        """
        transport = StringTransport()

        def connect(request: Any, factory: Any) -> Any:
            protocol = factory.buildProtocol(None)
            protocol.makeConnection(transport)
            protocol.dataReceived(formatSettings({}))
            return succeed(Established(protocol, "192.0.2.1:3128"))

        self.way.connect = connect  # type: ignore[method-assign]
        self.connect()
        self.assertEqual(self.upstream.state()["tunnels"], 1)
        self.assertIn(b"example.com:443", transport.value())

    def test_refusedStreams(self) -> None:
        """
        A next hop that refuses a stream gets no more, until one that it has is over.
        """
        first = self.connect()
        hop = self.hop()
        (protocol,) = self.open(hop, first)
        self.connect("a:1")
        self.flush()
        hop.reset(3, ErrorCode.REFUSED_STREAM)
        self.flush()
        self.assertEqual((len(hop.asked), len(self.way.dials)), (2, 2))
        protocol.transport.abortConnection()
        self.flush()
        self.assertEqual(hop.asked[5][":authority"], "a:1")

    def test_state(self) -> None:
        """
        What an operator gets to see.
        """
        nothing = {
            "connections": 0, "connecting": 0, "tunnels": 0, "waiting": 0, "last_failure": None, "error": None,
        }  # fmt: skip
        self.assertEqual(self.upstream.state(), nothing)
        self.connect()
        self.assertEqual(self.upstream.state(), {**nothing, "connecting": 1, "waiting": 1})
        self.hop()
        self.assertEqual(self.upstream.state(), {**nothing, "connections": 1, "tunnels": 1})
