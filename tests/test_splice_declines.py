"""
Tests for what L{connectproxy.splice} leaves to the other relay.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.leg import Leg
from connectproxy.splice import SpliceRelay
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer
from tests.loopback import REACTOR, descriptors
from tests.splicecase import Spliced


@pytest.mark.integration
class DeclineTests(Spliced):
    """
    What the relay leaves to the other one.
    """

    def legs(self) -> tuple[Leg, Leg]:
        """
        @return: two legs that could be joined.
        """
        legs = Leg(), Leg()
        for leg in legs:
            self.pair(leg, Peer())
        self.assertTrue(self.relay.canJoin(*legs))
        return legs

    def assertDeclined(self, first: Leg, second: Leg) -> None:
        """
        Neither way round can they be joined.
        """
        self.assertFalse(self.relay.canJoin(first, second))
        self.assertFalse(self.relay.canJoin(second, first))

    def test_noSocket(self) -> None:
        """
        A transport that is no socket.
        """
        one, _ = self.legs()
        self.assertDeclined(one, Leg.of(StringTransport(), b"", ended=False))

    def test_layers(self) -> None:
        """
        A socket with a layer on it, as TLS is in an endpoint, or with TLS begun on it.
        """
        one, two = self.legs()
        wrapper = ProtocolWrapper(WrappingFactory(None), Leg())
        self.pair(wrapper, Peer())
        self.assertDeclined(one, Leg.of(wrapper, b"", ended=False))
        two.transport.TLS = True  # type: ignore[union-attr]
        self.assertDeclined(one, two)
        two.transport.TLS = False  # type: ignore[union-attr]

    async def test_unixSocket(self) -> None:
        """
        A UNIX socket: there, a client that sends something and closes looks as one that
        resets.
        """
        one, _ = self.legs()
        accepted: list[Leg] = []

        def build(addr: Any) -> Leg:
            accepted.append(Leg())
            return accepted[-1]

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[method-assign]
        name = f"\0connectproxy-{os.getpid()}-{id(self)}"
        port = REACTOR.listenUNIX(name, factory)
        self.addCleanup(port.stopListening)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
            await self.until(lambda: accepted)
            self.adopted.append(accepted[0].transport)
            self.assertDeclined(one, accepted[0])
        await self.until(lambda: accepted[0].ended)

    async def test_userSpace(self) -> None:
        """
        A transport that has not written all it was given; once it has, it is served.
        """
        one, two = self.legs()
        two.transport.write(b"an answer")  # type: ignore[union-attr]
        self.assertDeclined(one, two)
        await self.turns()
        self.assertTrue(self.relay.canJoin(one, two))

    async def test_closed(self) -> None:
        """
        A transport that is closed.
        """
        one, two = self.legs()
        two.transport.abortConnection()  # type: ignore[union-attr]
        await self.until(lambda: two.lost)
        self.assertDeclined(one, two)

    def test_noEpoll(self) -> None:
        """
        A process that has no descriptor left for the epoll set; when it has one again, all
        is well.
        """
        legs = Leg(), Leg()
        for leg in legs:
            self.pair(leg, Peer())

        def refuse() -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        refusing = self.patch(select, "epoll", refuse)
        self.assertFalse(self.relay.canJoin(*legs))
        refusing.restore()
        self.assertTrue(self.relay.canJoin(*legs))

    def test_noWatch(self) -> None:
        """
        A user who may watch no more descriptors: the tunnel is aborted, and the log says
        why.
        """

        class Epoll:
            def __init__(self) -> None:
                self._real = real()

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

            def register(self, fd: int, mask: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        real = select.epoll
        self.patch(select, "epoll", Epoll)
        with capturedLogs() as events:
            rig = self.open()
        self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), ("proxy", "aborted"))
        self.assertIn(LogLevel.error, [event["log_level"] for event in events])


class SystemTests(SynchronousTestCase):
    """
    Where the relay can be.
    """

    def test_supported(self) -> None:
        """
        It needs splice(2) and epoll(7).
        """
        self.assertTrue(SpliceRelay.isSupported())
        for module, name in ((os, "splice"), (select, "epoll")):
            kept = getattr(module, name)
            delattr(module, name)
            try:
                self.assertFalse(SpliceRelay.isSupported())
            finally:
                setattr(module, name, kept)

    def test_refused(self) -> None:
        """
        A sandbox that has the call and refuses it gets the other relay.
        """

        def refuse(*arguments: Any, **named: Any) -> int:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        before = len(os.listdir("/proc/self/fd"))
        self.patch(os, "splice", refuse)
        self.assertFalse(SpliceRelay.isSupported())
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_unused(self) -> None:
        """
        A relay that never had a tunnel has nothing to let go of, and says what it is.
        """
        clock = Clock()
        relay = SpliceRelay(FakeReactor(), clock, Wheel(clock))
        self.assertEqual((relay.relayName, relay.fileno()), ("splice", -1))
        before = descriptors()
        relay.stop()
        relay.stop()
        self.assertEqual(descriptors(), before)
