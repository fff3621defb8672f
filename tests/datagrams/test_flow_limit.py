"""
Tests for L{connectproxy.datagrams.flow}: what is over a limit of rate is dropped.
"""

from __future__ import annotations

from connectproxy.interfaces import Terms
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK, Meter
from tests.datagrams.test_flow import FlowCase, to

RATE = 100_000
OVER = "over the rate limit"


class LimitTests(FlowCase):
    """
    Datagrams that share limits.
    """

    def setUp(self) -> None:
        """
        Have a flow with a limit.
        """
        FlowCase.setUp(self)
        self.up, self.down = Bucket(RATE, self.reactor), Bucket(RATE, self.reactor)
        terms = Terms(None, ((self.up, self.down),))
        self.flow = self.owner.open(self.inbound.request, self.inbound, self.association, terms)

    def flood(self, seconds: float) -> int:
        """
        Send a hundred times of what is allowed.

        @return: how many datagrams.
        """
        count = 0
        for _ in range(round(seconds / TICK)):
            self.reactor.advance(TICK)
            for _ in range(200):
                self.flow.send(to("192.0.2.1:53"), bytes(1000))
                count += 1
        return count

    def test_up(self) -> None:
        """
        As many go into the world as may, and the others are counted.
        """
        count = self.flood(5)
        self.assertLess(abs(self.flow.bytesUp - 5.1 * RATE), 3000)
        self.assertEqual(self.flow.dropped, {OVER: count - self.flow.bytesUp // 1000})
        self.assertEqual(len(self.network.sent), self.flow.bytesUp // 1000)

    def test_down(self) -> None:
        """
        So it is with what comes back.
        """
        self.flow.send(to("192.0.2.1:53"), b"x")
        sock = self.network.sent[0].sender
        count = 0
        for _ in range(100):
            self.reactor.advance(TICK)
            for _ in range(50):
                sock.inbox.append((bytes(1000), ("192.0.2.1", 53)))
                count += 1
            self.reactor.flush()
        self.assertLess(abs(self.flow.bytesDown - 2.1 * RATE), 3000)
        self.assertEqual(len(self.inbound.delivered) * 1000, self.flow.bytesDown)
        self.assertEqual(self.flow.dropped, {OVER: count - len(self.inbound.delivered)})

    def test_share(self) -> None:
        """
        Beside a tunnel that takes whatever it gets, datagrams have their share.
        """

        class Greedy:
            def resumeProducing(self) -> None:
                while size := meter.allowance():
                    meter.spend(size)

        meter = Meter([self.up], self.reactor, Greedy())
        meter.producer.resumeProducing()
        self.flood(10)
        self.assertGreater(self.flow.bytesUp, 0.4 * 10 * RATE)
        self.assertLess(self.flow.bytesUp, 0.6 * 10 * RATE)
        meter.stop()

    def test_refusedAreNotCounted(self) -> None:
        """
        What goes nowhere is dropped for that, and takes nothing of the limit.
        """
        self.association.denied.add("192.0.2.9")
        self.up.charge(int(self.up.burst) + 1000)
        self.flow.send(to("192.0.2.9:53"), bytes(1000))
        self.assertEqual(self.flow.dropped, {"to destinations that were refused": 1})

    def test_closed(self) -> None:
        """
        Nothing is left of a flow that is closed, and no timer.
        """
        self.flood(1)
        self.flow.close()
        self.assertEqual((len(self.up.lane), self.up.lane.busy), (0, False))
