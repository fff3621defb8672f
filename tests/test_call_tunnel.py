"""
Tests for L{connectproxy.call}: tunnels.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from connectproxy.relay import WiredRelay
from connectproxy.routes import Routes
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, FakeInbound, FakeUpstream, Peer
from tests.test_switchboard import SwitchboardCase


class TunnelCase(SwitchboardCase):
    """
    A switchboard with clients whose connections count.
    """

    def place(self, target: str = "host.example:443", **others: Any) -> FakeInbound:
        """
        Place a request on a new connection.
        """
        self.board.connectionOpened(-1)
        return super().place(target, **others)

    def open(self, *, early: bytes = b"", **others: Any) -> tuple[Peer, Peer]:
        """
        Open a tunnel.

        @param early: what the origin says at once.
        @return: the client and the origin.
        """
        inbound = self.place(**others)
        self.reactor.advance(0.25)
        origin = self.upstream.dials[-1].succeed(early=early)
        self.reactor.flush()
        return inbound.client, origin


class TunnelTests(TunnelCase):
    """
    A request that becomes a tunnel.
    """

    def test_accepted(self) -> None:
        """
        Once there is a connection the client is answered, and what either says reaches the
        other; there is no event before the end.
        """
        inbound = self.place()
        self.assertIsNone(inbound.accepted)
        origin = self.upstream.dials[0].succeed()
        assert inbound.accepted is not None
        self.assertEqual(inbound.accepted.address, "198.51.100.1:443")
        inbound.client.transport.write(b"up")
        origin.transport.write(b"down")
        self.reactor.flush()
        self.assertEqual((origin.received, inbound.client.received), (b"up", b"down"))
        self.assertEqual(self.ledger.events, [])
        self.assertEqual(self.board.admission.tunnels, 1)

    def test_early(self) -> None:
        """
        What either has sent before the answer comes first and is not lost (conformance 11).
        """
        client, origin = self.open(early=b"banner ")
        client.transport.write(b"more")
        origin.transport.write(b"more")
        self.reactor.flush()
        self.assertEqual((bytes(origin.received), bytes(client.received)), (b"more", b"banner more"))
        inbound = self.place("other.example:443")
        self.assertIsNone(inbound.refused)
        inbound = FakeInbound(self.reactor, inbound.request, early=b"hello ")
        self.board.connectionOpened(-1)
        self.board.place(inbound)
        origin = self.upstream.dials[-1].succeed()
        inbound.client.transport.write(b"more")
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"hello more")

    def test_clientEnds(self) -> None:
        """
        The event of a tunnel that the client ended first has every field.
        """
        client, origin = self.open()
        client.transport.write(b"12345")
        origin.transport.write(b"123")
        self.reactor.flush()
        self.reactor.advance(2.0)
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(origin.ended)
        origin.transport.write(b"4567")
        self.reactor.flush()
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((bytes(client.received), client.ended), (b"1234567", True))
        self.event(
            timestamp="2023-11-14T22:13:17.250Z",
            event="tunnel",
            listener="tcp:8080",
            client="192.0.2.7:51000",
            protocol="http/1.1",
            method="CONNECT",
            target="host.example:443",
            host=None,
            user_agent=None,
            alpn=None,
            decision="allow",
            rule="default",
            reason="no rule denies it",
            status=200,
            error=None,
            upstream="direct",
            address="198.51.100.1:443",
            tried=[{"address": "198.51.100.1", "result": "connected", "ms": 0.0}],
            relay="wired",
            bytes_up=5,
            bytes_down=7,
            ended_by="client",
            phase="relaying",
            end="eof",
            head_ms=500.0,
            resolve_ms=None,
            connect_ms=250.0,
            relay_ms=2000.0,
            total_ms=2750.0,
        )
        self.nothingIsLeft()
        self.assertEqual(self.board.admission.connections, 0)

    def test_originEnds(self) -> None:
        """
        An origin that ends first is named.
        """
        client, origin = self.open()
        origin.transport.loseConnection()
        self.reactor.flush()
        client.transport.loseConnection()
        self.reactor.flush()
        self.event(event="tunnel", status=200, ended_by="origin", end="eof", phase="relaying")
        self.nothingIsLeft()

    def test_clientWasThrough(self) -> None:
        """
        A client that had ended its stream before the answer is answered, and its end
        reaches the origin.
        """
        client, origin = self.open(ended=True)
        self.assertTrue(origin.ended)
        origin.transport.write(b"answer")
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"answer")
        self.event(event="tunnel", ended_by="client", end="eof")

    def test_resets(self) -> None:
        """
        A reset is passed on, and the event names who sent it.
        """
        for index, side in enumerate(("client", "origin")):
            self.make()
            pair = self.open()
            pair[index].transport.abortConnection()
            self.reactor.flush()
            self.assertIsNotNone(pair[1 - index].lost)
            self.event(event="tunnel", ended_by=side, end="reset", phase="relaying")
            self.nothingIsLeft()

    def test_idle(self) -> None:
        """
        A tunnel that the relay ends for its own reasons is ended by the proxy.
        """
        self.make(settings={**SETTINGS, "timeouts.idle": 5.0})
        self.open()
        self.reactor.advance(5.0 + GRAIN)
        self.reactor.flush()
        self.event(event="tunnel", ended_by="proxy", end="idle_timeout", phase="relaying", status=200)
        self.nothingIsLeft()

    def test_firstRelayThatCan(self) -> None:
        """
        The relays are asked in order, with the client's leg and the origin's, and the
        event names the one that served.
        """
        asked: list[Any] = []

        class Choosy(WiredRelay):
            relayName = "choosy"

            def canJoin(self, client: Any, origin: Any) -> bool:
                asked.append((client, origin))
                return False

        relays = [Choosy(self.reactor, self.board.wheel), *self.board.relays]
        self.make(relays=relays)
        client, origin = self.open()
        ((first, second),) = asked
        self.assertEqual(first.transport.getPeer().host, "192.0.2.1")
        self.assertEqual(second.transport.getPeer().host, "198.51.100.1")
        for each in (client, origin):
            each.transport.loseConnection()
        self.reactor.flush()
        self.event(relay="wired")

    def test_nothingIsKept(self) -> None:
        """
        While a tunnel is up the listener's part of it is not kept, nor is the way that it was made
        by, once there is another.
        """
        inbound = self.place()
        self.upstream.dials.pop().succeed()
        gone, former = weakref.ref(inbound), weakref.ref(self.upstream)
        del inbound, self.upstream
        self.board.adopt(self.board.regime, Routes({"direct": FakeUpstream(self.reactor)}))
        gc.collect()
        self.assertIsNone(gone())
        self.assertIsNone(former())
        self.assertEqual(len(self.board._calls), 1)
