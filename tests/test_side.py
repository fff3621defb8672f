"""
Tests for L{connectproxy.side}; what a relay keeps to is in L{tests.test_relay}.
"""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from connectproxy.interfaces import Terms
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK, Valve
from connectproxy.side import MeteredSide, Side
from tests.relaycase import FakeCase, LoopbackCase
from tests.wiredcase import Wired


@pytest.mark.integration
class HiddenResetTests(Wired, LoopbackCase):
    """
    A reset that the reactor shows as an end of stream.
    """

    async def test_resetTakenForAnEnd(self) -> None:
        """
        A hang-up that is served when its side has just been resumed reaches the relay as
        an end of stream.  The socket knows better, and the other side is reset.
        """
        rig = self.open()
        rig.near[0].pauseProducing()
        rig.client.transport.abortConnection()
        sock = rig.near[0].getHandle()
        await self.until(lambda: sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x07")
        rig.near[0].readConnectionLost(Failure(ConnectionDone()))
        await self.until(lambda: rig.over)
        self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("client", "reset"))
        self.assertFalse(rig.origin.ended)


class SideTests(Wired, FakeCase):
    """
    What stands on the read path.
    """

    def limited(self) -> Terms:
        """
        Terms whose buckets are overdrawn by what a second brings.
        """
        terms = Terms(None, ((Bucket(10_000, self.clock), Bucket(10_000, self.clock)),))
        for bucket in terms.shapers[0]:
            bucket.charge(11_000)
        return terms

    def test_plain(self) -> None:
        """
        A tunnel without limits has nothing of them: its sides are the producers themselves.
        """
        for terms in (None, Terms()):
            tunnel = self.open(terms=terms).tunnel
            for side in (tunnel.client, tunnel.origin):
                self.assertIs(type(side), Side)
                self.assertIs(side.producer, side)
                self.assertTrue(verifyObject(IHalfCloseableProtocol, side))
                self.assertTrue(verifyObject(IPushProducer, side))
            self.assertEqual(tunnel.meters, ())

    def test_readyInTheSameTurn(self) -> None:
        """
        What was ready on one side when the other was lost in order comes all the same: nothing fails,
        and what is queued goes out.
        """
        for late in (b"late", b""):
            rig = self.open()
            client, origin = rig.tunnel.client, rig.tunnel.origin
            queued = b"u" * 1_000_000
            origin.transport.write(queued)
            said = client.transport
            client.connectionLost(Failure(ConnectionDone()))
            self.patch(said, "write", lambda data: self.fail("it is lost"))
            self.patch(said, "loseWriteConnection", lambda: self.fail("it is lost"))
            if late:
                origin.dataReceived(late)
            origin.readConnectionLost()
            self.reactor.flush()
            self.assertEqual(len(rig.origin.received), len(queued))

    def test_metered(self) -> None:
        """
        With a limit a valve stands in between.
        """
        tunnel = self.open(terms=self.limited()).tunnel
        for side in (tunnel.client, tunnel.origin):
            self.assertIsInstance(side, MeteredSide)
            self.assertIsInstance(side.producer, Valve)
        self.assertEqual(tunnel.meters, (tunnel.client.valve, tunnel.origin.valve))

    def test_heldForFullPeer(self) -> None:
        """
        What has waited from before the tunnel is followed by nothing while the other side
        takes no more; an end that came with it comes when all of it has been taken.
        """
        for ended in (False, True):
            rig = self.open(
                early=(bytes(200_000), b""), ended=(ended, False), small=True, terms=self.limited()
            )
            rig.origin.transport.pauseProducing()
            rig.client.transport.write(b"later")
            self.reactor.flush()
            for _ in range(round(1.5 / TICK)):
                self.reactor.advance(TICK)
                self.reactor.flush()
            self.assertTrue(rig.tunnel.client.count)
            self.assertFalse(rig.origin.ended)
            rig.origin.transport.resumeProducing()
            for _ in range(round(25 / TICK)):
                self.reactor.advance(TICK)
                self.reactor.flush()
            self.assertEqual(rig.origin.ended, ended)
            self.assertEqual(len(rig.origin.received), 200_000 + (0 if ended else 5))

    def test_resetWhileHeld(self) -> None:
        """
        Who resets while octets wait from before the tunnel is no longer waited for.
        """
        rig = self.open(early=(b"early", b""), terms=self.limited())
        rig.origin.transport.write(b"x")
        rig.tunnel.abort("aborted")
        self.reactor.flush()
        self.assertTrue(rig.over)
        self.assertEqual(rig.outcomes[0][3:5], (0, 0))
