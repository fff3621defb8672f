"""
Tests for L{tests.fakes}: the fake pipe does what loopback sockets do, by the same tests.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IListeningPort,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IInboundTunnel, ISwitchboard, IUpstream
from connectproxy.leg import Leg
from tests.fakes import (
    SETTINGS,
    FakeInbound,
    FakeReactor,
    FakeUpstream,
    Peer,
    RecordingLedger,
    RecordingSwitchboard,
    addressOf,
    makeRequest,
    makeSwitchboard,
    pipePair,
)
from tests.loopback import REACTOR, LoopbackTestCase
from tests.pipecontract import BUFFERS, DialContract, PipeContract


class FakePipeTests(PipeContract, TestCase):
    """
    The fake pipe.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def connect(self, first: Any, second: Any) -> None:
        pipePair(self.reactor, first, second, capacity=2 * BUFFERS)

    def until(self, condition: Any) -> Deferred[None]:
        self.reactor.flush()
        self.assertTrue(condition())
        return succeed(None)

    def turns(self) -> Deferred[None]:
        self.reactor.flush()
        return succeed(None)


class LoopbackPipeTests(PipeContract, LoopbackTestCase):
    """
    Real sockets: integration.
    """

    def connect(self, first: Any, second: Any) -> None:
        self.pair(first, second, BUFFERS)


class FakeDialTests(DialContract, TestCase):
    """
    The fake reactor.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.cause: Any = None

    def dial(self, factory: Any) -> Any:
        attempt = self.reactor.connectTCP("192.0.2.1", 443, factory)
        self.cause = attempt.succeed
        return attempt

    def dialNobody(self, factory: Any) -> Any:
        attempt = self.reactor.connectTCP("192.0.2.1", 443, factory)
        self.cause = lambda: attempt.fail(errno.ECONNREFUSED)
        return attempt

    def until(self, condition: Any) -> Deferred[None]:
        cause, self.cause = self.cause, None
        if cause is not None:
            cause()
        self.reactor.flush()
        self.assertTrue(condition())
        return succeed(None)


class Accepted(Peer):
    """
    The far end of a connection that was dialled; closes when the other does.
    """

    def __init__(self, adopted: list[Any]) -> None:
        Peer.__init__(self, closeAtEnd=True)
        self._adopted = adopted

    def connectionMade(self) -> None:
        self._adopted.append(self.transport)


class LoopbackDialTests(DialContract, LoopbackTestCase):
    """
    The real one: integration.
    """

    def dial(self, factory: Any) -> Any:
        accepting = Factory()
        accepting.noisy = False
        accepting.buildProtocol = lambda addr: Accepted(self.adopted)  # type: ignore[method-assign]
        port = REACTOR.listenTCP(0, accepting, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return REACTOR.connectTCP("127.0.0.1", port.getHost().port, factory)

    def dialNobody(self, factory: Any) -> Any:
        one, two = self.sockets()
        number = one.getsockname()[1]
        one.close()
        two.close()
        return REACTOR.connectTCP("127.0.0.1", number, factory)


class FakeReactorTests(SynchronousTestCase):
    """
    What only the fakes have.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def listen(self) -> tuple[Any, list[Peer]]:
        """
        @return: a fake port, and the protocols of what it accepts.
        """
        accepted: list[Peer] = []

        def build(addr: Any) -> Peer:
            accepted.append(Peer())
            return accepted[-1]

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[method-assign]
        return self.reactor.listenTCP(8080, factory, interface="127.0.0.1"), accepted

    def test_interfaces(self) -> None:
        """
        The fakes have what they claim to have.
        """
        for interface in (IReactorTime, IReactorTCP, IReactorFDSet, IReactorPluggableNameResolver):
            self.assertTrue(verifyObject(interface, self.reactor))
        resolver = self.reactor.nameResolver
        self.assertTrue(verifyObject(IHostnameResolver, resolver))
        self.assertTrue(verifyObject(IListeningPort, self.listen()[0]))
        self.assertTrue(verifyObject(IUpstream, FakeUpstream(self.reactor)))
        self.assertTrue(verifyObject(IInboundTunnel, FakeInbound(self.reactor)))
        self.assertTrue(verifyObject(ISwitchboard, RecordingSwitchboard(self.reactor)))

    def test_nothingBySelf(self) -> None:
        """
        Nothing moves without a turn.
        """
        pipe = pipePair(self.reactor)
        pipe.first.write(b"x")
        self.assertEqual(pipe.second.protocol.received, b"")
        self.assertGreater(self.reactor.flush(), 0)
        self.assertEqual(pipe.second.protocol.received, b"x")
        self.assertEqual(self.reactor.flush(), 0)

    def test_spinning(self) -> None:
        """
        What never comes to rest is a failure.
        """

        def again() -> None:
            self.reactor.callLater(0, again)

        again()
        self.assertRaises(AssertionError, self.reactor.flush, 100)

    def test_brokenProtocol(self) -> None:
        """
        A protocol that raises loses its connection, and the error is logged.
        """
        pipe = pipePair(self.reactor)
        peer = pipe.second.protocol
        peer.dataReceived = lambda data: 1 / 0
        pipe.first.write(b"x")
        self.reactor.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(peer.lost.check(ZeroDivisionError))

    def test_port(self) -> None:
        """
        A port accepts; paused, it lets clients wait; stopped, it has none.
        """
        port, accepted = self.listen()
        client = port.connect(host="192.0.2.9")
        self.assertEqual(accepted[0].transport.getPeer(), addressOf("192.0.2.9", 51000))
        self.assertEqual(port.getHost(), addressOf("127.0.0.1", 8080))
        port.pauseProducing()
        port.connect()
        self.assertEqual(len(accepted), 1)
        port.resumeProducing()
        self.assertEqual(len(accepted), 2)
        client.transport.write(b"x")
        stopped = port.stopListening()
        self.reactor.flush()
        self.successResultOf(stopped)
        self.assertEqual(accepted[0].received, b"x")
        self.assertRaises(AssertionError, port.connect)

    def test_names(self) -> None:
        """
        A name is answered from the script, or when the test says so, and only with the
        families asked for.
        """
        told: list[Any] = []

        class Receiver:
            resolutionBegan = staticmethod(lambda lookup: verifyObject(IHostResolution, lookup))
            addressResolved = staticmethod(told.append)
            resolutionComplete = staticmethod(lambda: told.append("done"))

        resolver = self.reactor.nameResolver
        resolver.answers["known.example"] = ["192.0.2.1", "2001:db8::1"]
        resolver.resolveHostName(Receiver(), "known.example.", 0, [type(addressOf("::", 0))], "TCP")
        self.assertEqual(told, [addressOf("2001:db8::1", 0), "done"])
        resolver.resolveHostName(Receiver(), "other.example.")
        (lookup,) = resolver.pending
        lookup.answer("192.0.2.1")
        self.assertEqual(told[2:], [addressOf("192.0.2.1", 0), "done"])
        self.assertEqual(resolver.pending, [])

    def test_threads(self) -> None:
        """
        Calls are made at once, or when the test says so; errors come back as results.
        """
        results: list[Any] = []
        threads = self.reactor.getThreadPool()
        threads.callInThreadWithCallback(lambda *result: results.append(result), len, "ab")
        self.assertEqual(results, [(True, 2)])
        threads.held = True
        threads.callInThreadWithCallback(lambda *result: results.append(result), len, 3)
        self.assertEqual(len(results), 1)
        threads.run()
        self.assertTrue(results[1][1].check(TypeError))

    def test_ledger(self) -> None:
        """
        A recording ledger keeps events and takes no field that is not declared.
        """
        ledger = RecordingLedger()
        ledger.write({"client": "x"})
        self.assertEqual(ledger.events, [{"client": "x"}])
        self.assertRaises(AssertionError, ledger.write, {"cleint": "x"})

    def test_upstream(self) -> None:
        """
        A dial succeeds or fails as the test says, and can be cancelled.
        """
        upstream = FakeUpstream(self.reactor)
        factory = Factory.forProtocol(Leg)
        connecting = upstream.connect(makeRequest(), factory)
        origin = upstream.dials[0].succeed(early=b"hello")
        self.assertEqual(self.successResultOf(connecting).protocol.held, b"hello")
        self.assertTrue(origin.transport.connected)
        failing = upstream.connect(makeRequest(), factory)
        upstream.dials[1].fail("dns_error")
        self.assertEqual(self.failureResultOf(failing, Refused).value.refusal.kind, "dns_error")
        cancelled = upstream.connect(makeRequest(), factory)
        cancelled.cancel()
        self.failureResultOf(cancelled, Refused)
        self.assertTrue(upstream.dials[2].cancelled)

    def test_inbound(self) -> None:
        """
        A request is answered once.
        """
        inbound = FakeInbound(self.reactor, early=b"early")
        established = Established(Leg(), "192.0.2.1:443")
        self.assertEqual(inbound.accept(established).held, b"early")
        self.assertRaises(AssertionError, inbound.refuse, Refusal("dns_error"))
        gone: list[bool] = []
        inbound = FakeInbound(self.reactor)
        inbound.whenLost(lambda: gone.append(True))
        inbound.vanish()
        self.assertEqual(gone, [True])

    def test_switchboard(self) -> None:
        """
        A real switchboard stands on the fakes, and a tunnel goes through all of them.
        """
        board = makeSwitchboard(self.reactor, settings={**SETTINGS, "timeouts.idle": 5})
        inbound = FakeInbound(self.reactor, early=b"ping")
        board.place(inbound)
        origin = board.upstreams["direct"].dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(origin.received, b"ping")
        self.reactor.advance(6)
        self.reactor.flush()
        (event,) = board.ledger.events
        self.assertEqual((event["end"], event["bytes_up"]), ("idle_timeout", 4))
