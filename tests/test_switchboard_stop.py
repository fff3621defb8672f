"""
Tests for L{connectproxy.switchboard}: draining and aborting.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from connectproxy.errors import Refusal
from tests.test_call_tunnel import TunnelCase


class StopTests(TunnelCase):
    """
    Draining and aborting.
    """

    def test_nobodyIsThere(self) -> None:
        """
        Without connections the draining is over at once.
        """
        self.successResultOf(self.board.drain())
        self.assertTrue(self.board.draining)

    def test_waitsForTheLast(self) -> None:
        """
        It is over, for everybody who waits, when the last connection is closed: those of
        tunnels and those that have none, whatever has become of them.
        """
        client, origin = self.open()
        self.board.connectionOpened(-1)
        first, second = self.board.drain(), self.board.drain()
        for each in (client, origin):
            each.transport.loseConnection()
        self.reactor.flush()
        self.assertNoResult(first)
        self.board.connectionClosed()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_phase(self) -> None:
        """
        What ends while the proxy drains says so.
        """
        client, origin = self.open()
        self.board.drain()
        for each in (client, origin):
            each.transport.loseConnection()
        self.reactor.flush()
        self.event(event="tunnel", phase="draining", end="eof", ended_by="client")

    def test_cancelled(self) -> None:
        """
        Who no longer waits is not told; the others are.
        """
        self.board.connectionOpened(-1)
        first, second = self.board.drain(), self.board.drain()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.board.connectionClosed()
        self.successResultOf(second)

    def test_aborted(self) -> None:
        """
        Tunnels are reset at both ends, and the event has the reason that was given.
        """
        client, origin = self.open()
        quiet = self.board.drain()
        self.board.abort("drain_timeout")
        self.reactor.flush()
        for each in (client, origin):
            self.assertIsNotNone(each.lost)
        self.event(event="tunnel", end="drain_timeout", ended_by="proxy", phase="draining", status=200)
        self.successResultOf(quiet)
        self.nothingIsLeft()

    def test_abortedWhileDialling(self) -> None:
        """
        Who has no answer yet gets one: that the proxy is being stopped.
        """
        inbound = self.place()
        self.board.drain()
        self.board.abort("drain_timeout")
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual(inbound.refused, Refusal("proxy_draining", "the proxy is being stopped"))
        self.event(event="refusal", error="proxy_draining", status=503, phase="dialling", end="refused")
        self.nothingIsLeft()

    def test_all(self) -> None:
        """
        Every call is ended, in whatever phase.
        """
        self.open()
        self.open()
        self.place()
        self.board.abort("drain_timeout")
        self.reactor.flush()
        self.assertEqual(len(self.ledger.events), 3)
        self.nothingIsLeft()
