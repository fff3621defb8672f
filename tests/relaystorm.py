"""
What a relay keeps to when everything happens at once: many tunnels, resets from both
sides, and any order of events, with every octet telling where it belongs.
"""

# ruff: noqa: B023  -- a condition is awaited before its loop goes on

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from tests.fakes import Peer
from tests.relaycase import Rig

__all__ = ["StormContract"]


@implementer(IPushProducer)
class Tagged(Peer):
    """
    A far end whose octets all tell which tunnel they belong to, and which direction, and
    that counts those that it receives and should not.

    @ivar strange: octets of others.
    @ivar count: octets received.
    @ivar limit: after how many it does what the storm wants.
    """

    def __init__(self, storm: Storm, number: int, name: str) -> None:
        Peer.__init__(self)
        self.storm = storm
        self.name = name
        side = 0 if name == "client" else 1
        self.sends = (2 * number + side).to_bytes(4, "big")
        self.hears = (2 * number + 1 - side).to_bytes(4, "big")
        self.strange = 0
        self.count = 0
        self.limit = storm.random.choice((0, 1000, 50_000, 300_000))
        self._paused = False
        self._left = 400_000

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        offset = self.count % 4
        whole = self.hears * ((offset + len(data)) // 4 + 1)
        if data != whole[offset : offset + len(data)]:
            self.strange += 1
        self.count += len(data)
        if self.count >= self.limit:
            self.limit = self.storm.happen(self)

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused:
            size = min(self._left, 4 * self.storm.random.randint(1, 5000))
            if not size:
                self.transport.unregisterProducer()
                self.transport.loseWriteConnection()
                return
            self._left -= size
            self.transport.write(self.sends * (size // 4))

    def close(self) -> None:
        """
        Write what is written, and close.
        """
        self._paused = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class Storm:
    """
    Many tunnels, and what happens to them.
    """

    def __init__(self, case: Any, seed: int) -> None:
        self.case = case
        self.random = Random(seed)
        self.rigs: list[Rig] = []
        self.done = 0
        self.resets = 0

    def open(self) -> None:
        """
        Have one tunnel more, with early octets now and then.
        """
        number = len(self.rigs)
        ends = Tagged(self, number, "client"), Tagged(self, number, "origin")
        rig = self.case.open(*ends, small=self.random.random() < 0.5)
        self.rigs.append(rig)
        rig.tunnel.finished.addCallback(self._finished)

    def _finished(self, outcome: Any) -> None:
        self.done += 1

    def happen(self, end: Tagged) -> float:
        """
        An end has received what it was to receive first: something happens.

        @return: when something is to happen again, in octets.
        """
        what = self.random.random()
        if what < 0.4:
            self.resets += 1
            end.transport.abortConnection()
        elif what < 0.5:
            end.close()
        elif what < 0.8:
            end.transport.pauseProducing()
            self.case.reactor.callLater(0, self.goOn, end)
            return end.count + 20_000
        return float("inf")

    def goOn(self, end: Tagged) -> None:
        """
        An end that did not read reads again.
        """
        if end.lost is None:
            end.transport.resumeProducing()


class StormContract:
    """
    No octet is ever lost or delivered elsewhere.

    @cvar tunnels: how many tunnels there are in all.
    @cvar atOnce: how many at the same time.
    @cvar orders: how many orders of events are tried.
    """

    tunnels = 300
    atOnce = 100
    orders = 60

    async def test_stormOfResets(self: Any) -> None:
        """
        Tunnels under load are reset by both sides at random, while others open, end in
        order or are slow: no octet ever arrives in another tunnel.
        """
        storm = Storm(self, 5)
        for _ in range(self.atOnce):
            storm.open()
        while storm.done < self.tunnels:
            before = storm.done
            await self.until(lambda: storm.done > before)
            for _ in range(min(storm.done - before, self.tunnels - len(storm.rigs))):
                storm.open()
            for rig in storm.rigs:
                if rig.outcomes:  # who has heard the end may not have closed yet
                    rig.client.close()
                    rig.origin.close()
        ends = [end for rig in storm.rigs for end in (rig.client, rig.origin)]
        self.assertEqual([end.strange for end in ends], [0] * 2 * self.tunnels)
        self.assertGreater(sum(end.count for end in ends), 50 * 2 * self.tunnels)
        self.assertGreater(storm.resets, self.tunnels / 10)
        for rig in storm.rigs:
            self.assertLessEqual(rig.origin.count, rig.outcomes[0].bytesUp)
            self.assertLessEqual(rig.client.count, rig.outcomes[0].bytesDown)

    async def test_anyOrder(self: Any) -> None:
        """
        Whatever order writes, pauses and ends come in, each side gets what the other sent,
        and its end behind it, and both close.
        """
        for seed in range(self.orders):
            random = Random(seed)
            rig = self.open(small=True)
            sent = {rig.client: bytearray(), rig.origin: bytearray()}
            ended: set[Any] = set()
            for _ in range(random.randint(5, 40)):
                end = random.choice((rig.client, rig.origin))
                what = random.random()
                if what < 0.4 and end not in ended:
                    octets = random.randbytes(random.choice((1, 100, 20_000, 200_000)))
                    sent[end] += octets
                    end.transport.write(octets)
                elif what < 0.6:
                    end.transport.pauseProducing()
                elif what < 0.8 and not end.ended:
                    end.transport.resumeProducing()
                elif what < 0.85 and end not in ended:
                    ended.add(end)
                    end.transport.loseWriteConnection()
                else:
                    await self.turns()
            for end in sent:
                if end not in ended:
                    end.transport.loseWriteConnection()
                if not end.ended:
                    end.transport.resumeProducing()
            await self.until(lambda: rig.outcomes and rig.client.ended and rig.origin.ended)
            message = f"seed {seed}"
            self.assertTrue(rig.origin.received == sent[rig.client], message)
            self.assertTrue(rig.client.received == sent[rig.origin], message)
            outcome = rig.outcomes[0]
            self.assertEqual(outcome.kind, "eof", message)
            self.assertEqual(outcome[3:5], (len(sent[rig.client]), len(sent[rig.origin])), message)
            rig.client.transport.loseConnection()
            rig.origin.transport.loseConnection()
