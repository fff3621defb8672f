"""
Tests for L{connectproxy.service}: how it stops, and starts again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from connectproxy.accessfile import AccessFile
from connectproxy.relay import WiredRelay
from connectproxy.service import ProxyService
from connectproxy.wheel import GRAIN
from tests.fakes import FakeReactor, Peer
from tests.listeners.http.test_connection import parse
from tests.test_service import ServiceCase, connect, made

DRAIN = made()["timeouts.drain"]
LINGER = made()["timeouts.linger"]


class StopCase(ServiceCase):
    """
    A service whose events go to a file.
    """

    def setUp(self) -> None:
        """
        Start it.
        """
        super().setUp()
        self.path = Path(self.mktemp()).absolute()
        self.service = self.start(access_log={"file": str(self.path)})
        self.port = self.reactor.ports[0]

    def stop(self) -> Deferred[None]:
        """
        Begin to stop.
        """
        stopping = self.service.stopService()
        self.reactor.flush()
        return stopping

    def wait(self, seconds: float) -> None:
        """
        Let the time pass.
        """
        self.reactor.advance(seconds)
        self.reactor.flush()

    def events(self) -> list[Any]:
        """
        What the file has.
        """
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def checkGone(self, service: ProxyService | None = None) -> None:
        """
        Nothing is left of it.
        """
        service = service or self.service
        self.assertFalse(service.running)
        self.assertEqual(service.addresses, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))


class StopTests(StopCase):
    """
    Draining.
    """

    def test_idle(self) -> None:
        """
        Without connections it is over when the ports are closed, and not before; no new
        tunnels are made from the first moment, and the parts are let go of at last.
        """
        stopped: list[Any] = []
        for part in (WiredRelay, AccessFile):
            name = "stop" if part is WiredRelay else "close"
            original = getattr(part, name)
            self.patch(part, name, lambda each, original=original: stopped.append(each) or original(each))
        board = self.service._parts.board  # type: ignore[union-attr]
        stopping = self.service.stopService()
        self.assertNoResult(stopping)
        self.assertFalse(self.port.listening)
        self.assertTrue(board.draining)
        self.assertEqual(stopped, [])
        self.reactor.flush()
        self.successResultOf(stopping)
        self.assertEqual([type(each) for each in stopped], [WiredRelay, AccessFile])
        self.checkGone()

    def test_tunnels(self) -> None:
        """
        A tunnel that is up goes on and is waited for; when its last leg is gone it is
        over, without a wait for the deadline.  How many there are is logged.
        """
        client, origin = self.open()
        with capturedLogs() as events:
            stopping = self.stop()
        self.assertEqual(self.lines(events), [f"1 tunnels are up; they have {DRAIN:g} s to end"])
        self.assertFalse(self.port.listening)
        self.wait(DRAIN / 2)
        client.transport.write(b"still")
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"still")
        self.assertNoResult(stopping)
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertNoResult(stopping)
        origin.transport.loseConnection()
        self.reactor.flush()
        self.successResultOf(stopping)
        (event,) = self.events()
        self.assertEqual((event["end"], event["phase"]), ("eof", "draining"))
        self.checkGone()

    def test_deadline(self) -> None:
        """
        Those that have not ended when the time is over are reset, which is logged, and
        then it is over.
        """
        pairs = [self.open(), self.open()]
        stopping = self.stop()
        self.wait(DRAIN - 0.01)
        self.assertNoResult(stopping)
        with capturedLogs() as events:
            self.wait(0.01)
        self.assertEqual(self.lines(events), ["2 tunnels have not ended in time and are reset"])
        self.successResultOf(stopping)
        for pair in pairs:
            for each in pair:
                self.assertIsNotNone(each.lost)
        self.assertEqual([event["end"] for event in self.events()], ["drain_timeout"] * 2)
        self.checkGone()

    def test_noGrace(self) -> None:
        """
        With no time to end they are reset at once.
        """
        self.service.stopService()
        self.reactor.flush()
        self.service = self.start(timeouts={"drain": 0})
        self.open()
        self.successResultOf(self.stop())
        self.checkGone()

    def test_everyPhase(self) -> None:
        """
        Who has not asked is closed upon; who is asking, or waits at the deadline, is told;
        and nobody is left.
        """
        silent = self.ask(b"")
        asking = self.ask(b"CONNECT ")
        dialled = self.ask(connect("1.1.1.1:443"))
        refused = self.ask(b"GET / HTTP/1.1\r\n\r\n")
        stopping = self.stop()
        self.assertEqual(bytes(silent.received), b"")
        self.assertTrue(silent.ended)
        self.assertEqual(parse(asking.received).status, 503)
        self.assertEqual(bytes(dialled.received), b"")
        self.wait(DRAIN)
        self.assertEqual(parse(dialled.received).status, 503)
        self.assertEqual([each.state for each in self.reactor.attempts], ["disconnected"])
        self.assertNoResult(stopping)
        self.wait(LINGER + GRAIN)
        self.successResultOf(stopping)
        self.assertEqual(parse(refused.received).status, 400)
        self.assertEqual(
            [event["error"] for event in self.events()],
            ["http_request_error", "proxy_draining", "proxy_draining"],
        )
        self.checkGone()

    def test_dialledMeanwhile(self) -> None:
        """
        Who is being dialled for gets the tunnel if it comes in time: it was asked for
        before.
        """
        client = self.ask(connect("1.1.1.1:443"))
        stopping = self.stop()
        origin = self.reactor.attempts[0].succeed()
        self.reactor.flush()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200"))
        origin.transport.abortConnection()
        self.reactor.flush()
        self.successResultOf(stopping)
        self.checkGone()

    def test_twice(self) -> None:
        """
        Who asks again while it stops is told at the same time, and it happens once; asked
        when it is over, there is nothing to wait for.
        """
        self.open()
        first, second = self.stop(), self.stop()
        self.assertNoResult(first)
        self.assertNoResult(second)
        self.wait(DRAIN)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.service.stopService())
        self.checkGone()

    def test_cancelled(self) -> None:
        """
        Who no longer waits does not change what happens.
        """
        self.open()
        stopping = self.stop()
        stopping.cancel()
        self.failureResultOf(stopping, CancelledError)
        self.wait(DRAIN)
        self.checkGone()

    def test_failure(self) -> None:
        """
        A failure to stop is passed on and not lost.
        """
        self.port.stopListening = lambda: 1 / 0  # type: ignore[method-assign, assignment]
        self.failureResultOf(self.service.stopService(), ZeroDivisionError)

    def test_paused(self) -> None:
        """
        Ports that were paused for want of descriptors are not resumed while they close.
        """
        self.open()
        self.service._parts.admission.exhausted()  # type: ignore[union-attr]
        self.assertTrue(self.port.paused)
        stopping = self.stop()
        self.wait(DRAIN)
        self.assertTrue(self.port.paused)
        self.successResultOf(stopping)


class AgainTests(StopCase):
    """
    The same service once more, and another one beside it.
    """

    def test_restart(self) -> None:
        """
        A service that has stopped can be started again, as often as one likes, and each
        time is like the first.
        """
        for _ in range(3):
            self.open()
            stopping = self.stop()
            self.wait(DRAIN)
            self.successResultOf(stopping)
            self.checkGone()
            self.service.startService()
            self.assertEqual(len(self.service.addresses), 1)
        self.assertEqual(len(self.events()), 3)
        self.assertEqual(len({event["id"] for event in self.events()}), 3)

    def test_tooEarly(self) -> None:
        """
        While it stops it can't be started: that would be over as soon as it has stopped.
        """
        self.open()
        self.stop()
        for start in (self.service.startService, self.service.privilegedStartService):
            with self.assertRaises(RuntimeError) as caught:
                start()
            self.assertIn("stopService", str(caught.exception))
        self.assertEqual(len(self.reactor.ports), 1)

    def test_several(self) -> None:
        """
        Several in one process do not know each other: each counts its own tunnels, and one
        that stops takes no other's down.
        """
        other = self.start("127.0.0.1:8081", limits={"tunnels": 1})
        first, second = self.open(self.port), self.open(self.reactor.ports[1])
        self.open(self.port)
        self.assertEqual(parse(self.ask(connect("1.1.1.1:443"), self.reactor.ports[1]).received).status, 503)
        stopping = self.stop()
        self.wait(DRAIN)
        self.successResultOf(stopping)
        self.assertIsNotNone(first[0].lost)
        client, origin = second
        client.transport.write(b"hello")
        self.reactor.flush()
        self.assertEqual((client.lost, bytes(origin.received)), (None, b"hello"))
        self.assertTrue(other.running)

    def test_otherReactors(self) -> None:
        """
        Each lives in the reactor that it was given.
        """
        reactor = FakeReactor()
        service = ProxyService(reactor, made())
        service.startService()
        client: Peer = reactor.ports[0].connect()
        client.transport.write(connect("1.1.1.1:443"))
        reactor.flush()
        self.assertEqual((len(reactor.attempts), len(self.reactor.attempts)), (1, 0))
