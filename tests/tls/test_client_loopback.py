"""
Tests for L{connectproxy.tls.client} over real sockets: the server is the standard library's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from connectproxy.leg import Truncated
from connectproxy.tls import ClientOptions, ClientTLS, handshakeRefusal
from tests.fakes import Peer
from tests.loopback import LoopbackTestCase
from tests.tls.case import VERSIONS, TLSCase, Within, authority, issued
from tests.tls.clientcase import Answerer, Eager, serverContext
from tests.tls.test_client_within import Asking, Carrier


class LoopbackTests(LoopbackTestCase):
    """
    What holds over the fake pipe holds over the kernel.
    """

    write = TLSCase.write

    def tls(self) -> ClientTLS:
        """
        What wants a server called localhost.
        """
        ca = self.write(authority().certificatePEM)  # type: ignore[misc]
        return ClientTLS(ClientOptions(ca=ca, serverName="localhost"))

    async def transferred(self, within: Within, answerer: Answerer) -> None:
        """
        Say much both ways at once, and then end in order.
        """
        octets = bytes(range(251)) * 20_000
        answerer.say(octets)
        within.transport.write(octets)
        await self.until(lambda: len(answerer.received) == len(within.received) == len(octets))
        self.assertEqual(answerer.received, octets)
        self.assertEqual(within.received, octets)
        within.transport.loseConnection()
        await self.until(lambda: within.lost)
        self.assertTrue(answerer.notified)
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))

    def test_transfer(self) -> Deferred[None]:
        """
        Megabytes, through narrow buffers and wide ones, in both versions.
        """

        async def test() -> None:
            for version in VERSIONS:
                for buffers in (None, 4096):
                    within, answerer = Within(), Answerer(serverContext(version=version))
                    self.pair(self.tls().secure(within), answerer, buffers)
                    await self.until(lambda of=answerer: of.established)  # type: ignore[misc]
                    await self.transferred(within, answerer)

        return Deferred.fromCoroutine(test())

    def test_within(self) -> Deferred[None]:
        """
        The same through TLS within TLS.
        """

        async def test() -> None:
            within, second = Within(), Answerer()
            inner = self.tls().secure(within)
            self.pair(self.tls().secure(Asking(inner)), carrier := Carrier(second))
            await self.until(lambda: second.established)
            octets = bytes(range(251)) * 20_000
            second.say(octets)
            within.transport.write(octets)
            await self.until(lambda: len(second.received) == len(within.received) == len(octets))
            self.assertEqual((bytes(second.received), bytes(within.received)), (octets, octets))
            within.transport.loseConnection()
            await self.until(lambda: within.lost)
            self.assertTrue(second.notified and carrier.notified)

        return Deferred.fromCoroutine(test())

    def test_ends(self) -> Deferred[None]:
        """
        The server's ends: in order, without a word, by a reset.
        """

        async def end(way: Callable[[Answerer], Any]) -> tuple[bool, bool]:
            within, answerer = Within(), Answerer()
            self.pair(self.tls().secure(within), answerer)
            await self.until(lambda: "complete" in within.happened and answerer.established)
            answerer.say(b"last words")
            await self.until(lambda: within.received)
            way(answerer)
            await self.until(lambda: within.lost)
            assert within.lost is not None
            self.assertIsNone(handshakeRefusal(within.lost, "the server"))
            return bool(within.lost.check(ConnectionDone)), bool(within.lost.check(Truncated))

        async def test() -> None:
            for way, expected in (
                (Answerer.notify, (True, False)),
                (lambda answerer: answerer.transport.loseConnection(), (True, True)),
                (lambda answerer: answerer.transport.abortConnection(), (False, False)),
            ):
                self.assertEqual(await end(way), expected)

        return Deferred.fromCoroutine(test())

    def test_inTheMidst(self) -> Deferred[None]:
        """
        A server that goes away in the middle of the handshake, by an end and by a reset.
        """

        async def test() -> None:
            for way in ("loseConnection", "abortConnection"):
                within, peer = Eager(), Peer()
                self.pair(self.tls().secure(within), peer)
                await self.until(lambda of=peer: of.received)  # type: ignore[misc]
                getattr(peer.transport, way)()
                await self.until(lambda of=within: of.lost)  # type: ignore[misc]
                assert within.lost is not None
                found = handshakeRefusal(within.lost, "the server")
                assert found is not None
                self.assertIn("closed the connection in the middle", found.detail)

        return Deferred.fromCoroutine(test())

    def test_refused(self) -> Deferred[None]:
        """
        A server with another name gets the alert, over the kernel as well; one that misses our
        certificate has its alert heard, in both versions.
        """

        async def refused(answerer: Answerer) -> str:
            within = Eager()
            self.pair(self.tls().secure(within), answerer)
            await self.until(lambda: within.lost)
            assert within.lost is not None
            found = handshakeRefusal(within.lost, "the server")
            self.assertEqual(bytes(answerer.received), b"")
            return found.kind if found is not None else ""

        async def test() -> None:
            for version in VERSIONS:
                answerer = Answerer(serverContext(issued("other.example"), version))
                self.assertEqual(await refused(answerer), "tls_certificate_error")
                await self.until(lambda of=answerer: of.error)  # type: ignore[misc]
                answerer = Answerer(serverContext(version=version, clients=authority()))
                self.assertEqual(await refused(answerer), "tls_alert_received")

        return Deferred.fromCoroutine(test())
