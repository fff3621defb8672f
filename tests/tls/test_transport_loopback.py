"""
Tests for L{connectproxy.tls.transport} over real sockets.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from connectproxy.certificates import makeAuthority
from connectproxy.leg import Leg, Truncated
from connectproxy.relay import WiredRelay
from connectproxy.tls import ServerTLS, TLSOptions, secure
from connectproxy.wheel import Wheel
from tests.fakes import Peer
from tests.loopback import REACTOR, LoopbackTestCase
from tests.tls.case import VERSIONS, Speaker, TLSCase, Within, clientContext, issued


class LoopbackTests(LoopbackTestCase):
    """
    What holds over the fake pipe holds over the kernel.
    """

    def server(self) -> ServerTLS:
        """
        What speaks TLS as localhost.
        """
        return ServerTLS(TLSOptions((TLSCase.pair(self, issued("localhost")),)))  # type: ignore[arg-type]

    write = TLSCase.write

    async def connected(self, speaker: Speaker, within: Within, buffers: int | None = None) -> None:
        """
        Connect the two, the beginning of the handshake having been read by somebody else.
        """
        first = Peer()
        self.pair(speaker, first, buffers)
        await self.until(lambda: first.received)
        secure(first.transport, self.server(), within, bytes(first.received))
        await self.until(lambda: "complete" in within.happened and speaker.established)

    def test_transfer(self) -> Deferred[None]:
        """
        Megabytes, both ways at once, through narrow buffers and wide ones, in both
        versions; then an end in order.
        """

        async def transfer(speaker: Speaker, within: Within) -> None:
            speaker.say(octets)
            within.transport.write(octets)
            await self.until(lambda: len(speaker.received) == len(within.received) == len(octets))
            self.assertEqual(speaker.received, octets)
            self.assertEqual(within.received, octets)
            within.transport.loseConnection()
            await self.until(lambda: within.lost)
            self.assertTrue(speaker.notified)
            assert within.lost is not None
            self.assertTrue(within.lost.check(ConnectionDone))

        async def test() -> None:
            for version in VERSIONS:
                for buffers in (None, 4096):
                    speaker, within = Speaker(clientContext(version)), Within()
                    await self.connected(speaker, within, buffers)
                    await transfer(speaker, within)

        octets = bytes(range(251)) * 20_000
        return Deferred.fromCoroutine(test())

    def test_ends(self) -> Deferred[None]:
        """
        The client's ends: in order, without a word, by a reset.
        """

        async def end(way: Callable[[Speaker], None]) -> tuple[bool, bool]:
            speaker, within = Speaker(), Within()
            await self.connected(speaker, within)
            speaker.say(b"last words")
            await self.until(lambda: within.received)
            way(speaker)
            await self.until(lambda: within.lost)
            assert within.lost is not None
            return bool(within.lost.check(ConnectionDone)), bool(within.lost.check(Truncated))

        async def test() -> None:
            for way, expected in (
                (Speaker.notify, (True, False)),
                (lambda speaker: speaker.transport.loseConnection(), (True, True)),
                (lambda speaker: speaker.transport.abortConnection(), (False, False)),
            ):
                self.assertEqual(await end(way), expected)

        return Deferred.fromCoroutine(test())

    def test_tunnel(self) -> Deferred[None]:
        """
        A tunnel whose client has TLS and whose origin reads slowly: flow control goes
        through, and every octet arrives before the end does.
        """

        async def test() -> None:
            speaker, within, origin, dialled = Speaker(), Within(), Peer(), Peer()
            await self.connected(speaker, within)
            self.pair(dialled, origin, 4096)
            wheel = Wheel(REACTOR)
            self.addCleanup(wheel.stop)
            tunnel = WiredRelay(REACTOR, wheel).join(
                Leg.of(within.transport, b"", ended=False), Leg.of(dialled.transport, b"", ended=False)
            )
            octets = bytes(range(251)) * 20_000
            origin.transport.pauseProducing()
            speaker.say(octets)
            await self.turns()
            self.assertLess(tunnel.bytesUp, len(octets))
            origin.transport.resumeProducing()
            await self.until(lambda: len(origin.received) == len(octets))
            self.assertEqual(origin.received, octets)
            speaker.transport.loseConnection()
            await self.until(lambda: origin.ended)
            origin.transport.loseConnection()
            outcome = await tunnel.finished
            self.assertEqual((outcome.kind, outcome.bytesUp), ("truncated", len(octets)))

        return Deferred.fromCoroutine(test())

    def test_certificatesOfOthers(self) -> Deferred[None]:
        """
        A client that does not know the CA closes, with its alert.
        """

        async def test() -> None:
            others = makeAuthority("others")
            speaker, within, first = Speaker(clientContext(trusts=others)), Within(), Peer()
            self.pair(speaker, first)
            secure(first.transport, self.server(), within)
            await self.until(lambda: within.lost)
            self.assertIn("alert", str(within.lost.value))
            self.assertIsNotNone(speaker.error)

        return Deferred.fromCoroutine(test())
