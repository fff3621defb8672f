"""
Tests for L{connectproxy.listeners.http} before a real switchboard: requests that get
no tunnel, and stopping.
"""

from __future__ import annotations

import errno
from typing import Any

from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, Verdict
from connectproxy.names import Names
from connectproxy.policy import Policy
from connectproxy.rules.ports import AllowedPorts
from connectproxy.upstreams.direct import DirectUpstream
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, Peer, makeSwitchboard
from tests.listeners.http.test_connection import HEAD, parse
from tests.listeners.http.test_connection_tunnel import TunnelCase
from tests.test_switchboard import Says


class RefusedTests(TunnelCase):
    """
    It is not.
    """

    def refusalOf(self, client: Peer) -> Any:  # type: ignore[override]
        """
        The answer that a client has got, behind which nothing is left open.
        """
        self.reactor.flush()
        answer = parse(client.received)
        client.transport.loseConnection()
        self.reactor.flush()
        self.checkQuiet()
        self.assertEqual(answer.status, self.event()["status"])
        return answer

    def test_earlyIsDiscarded(self) -> None:
        """
        What came early is thrown away with the refusal, even if it looks like a request,
        and so is what comes then (conformance 10 and 11).
        """
        client = self.ask(HEAD + HEAD)
        self.send(client, HEAD)
        self.upstream.dials[0].fail()
        self.send(client, HEAD)
        self.assertEqual(self.refusalOf(client).status, 502)
        self.assertEqual(len(self.upstream.dials), 1)

    def test_port(self) -> None:
        """
        A port that is not open is refused by the rule's name, and nothing is dialled
        (conformance 6).
        """
        rules = [AllowedPorts(((443, 443), (80, 80)))]
        self.listenWith(makeSwitchboard(self.reactor, rules=rules))
        answer = self.refusalOf(self.ask(b"CONNECT a.example:25 HTTP/1.1\r\nHost: a.example\r\n\r\n"))
        self.assertEqual(answer.status, 403)
        self.assertIn("Detail: port 25 is not among the allowed ports (443, 80).", answer.body)
        self.assertIn("Rule: allow-ports.", answer.body)
        self.assertEqual(self.upstream.dials, [])

    def test_statuses(self) -> None:
        """
        What the client is answered for each failure to dial (conformance 17).
        """
        for kind, status in (
            ("dns_error", 502),
            ("dns_timeout", 504),
            ("connection_refused", 502),
            ("destination_ip_unroutable", 502),
            ("connection_timeout", 504),
            ("destination_ip_prohibited", 403),
            ("proxy_loop_detected", 502),
            ("proxy_exhausted", 503),
        ):
            self.listen()
            client = self.ask(HEAD)
            self.upstream.dials[-1].fail(kind, "the detail")
            answer = self.refusalOf(client)
            self.assertEqual(answer.status, status)
            self.assertIn("Detail: the detail.", answer.body)
            self.assertIn(f"(connectproxy: {kind})", answer.body)

    def test_timeout(self) -> None:
        """
        A destination that is silent is given up in time, and the client hears of it.
        """
        client = self.ask(HEAD)
        self.reactor.advance(SETTINGS["timeouts.connect"] + GRAIN)
        self.assertEqual(self.refusalOf(client).status, 504)

    def test_full(self) -> None:
        """
        With all the tunnels that there may be the next client is told so.
        """
        self.listen(**{"limits.tunnels": 1})
        self.open()
        self.assertEqual(parse(self.ask(HEAD).received).status, 503)

    def test_denied(self) -> None:
        """
        A refusal in the very moment of asking is answered like any other.
        """
        rule = Says(Verdict(Action.DENY, "because", "says"))
        self.listenWith(makeSwitchboard(self.reactor, rules=[rule]))
        self.assertIn("Rule: says.", self.refusalOf(self.ask(HEAD + b"early")).body)

    def test_gone(self) -> None:
        """
        A client that resets while it is dialled for stops the dialling.
        """
        client = self.ask(HEAD)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual((self.event()["event"], self.event()["end"]), ("abandoned", "client_gone"))
        self.checkQuiet()

    def test_direct(self) -> None:
        """
        With the real upstream, the whole way: the name is looked up, the origin refuses,
        the client reads why, and the event has it all.
        """
        policy = Policy()
        direct = DirectUpstream(self.reactor, policy.decideAddress, Names(self.reactor))
        self.listenWith(makeSwitchboard(self.reactor, upstreams={"direct": direct}))
        client = self.ask(HEAD)
        six, four = self.reactor.nameResolver.pending
        self.reactor.advance(0.125)
        six.answer()
        four.answer("198.51.100.7")
        self.reactor.advance(0.25)
        self.reactor.attempts[0].fail(errno.ECONNREFUSED)
        answer = self.refusalOf(client)
        self.assertEqual(answer.fields["proxy-status"], "connectproxy; error=connection_refused")
        event = self.event()
        self.assertEqual(
            event["tried"], [{"address": "198.51.100.7", "result": "connection_refused", "ms": 250.0}]
        )
        self.assertEqual((event["resolve_ms"], event["connect_ms"]), (125.0, 250.0))


class StopTests(TunnelCase):
    """
    The proxy stops.
    """

    def test_everyPhase(self) -> None:
        """
        Whatever its phase, each connection comes to its end, and then the draining is over.
        """
        silent, unfinished = self.connect(), self.ask(HEAD[:-1])
        waiting = self.ask(HEAD)
        client, origin = self.open()
        quiet = self.board.drain()
        self.port.stopListening()
        self.reactor.flush()
        self.assertEqual((silent.ended, parse(unfinished.received).status), (True, 503))
        self.board.abort("drain_timeout")
        self.reactor.flush()
        self.assertEqual(parse(waiting.received).status, 503)
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(origin.lost)
        self.assertNoResult(quiet)
        self.reactor.advance(SETTINGS["timeouts.linger"] + GRAIN)
        self.reactor.flush()
        self.successResultOf(quiet)
        self.checkQuiet()
        self.assertEqual(
            sorted(event["error"] or event["end"] for event in self.board.ledger.events),
            ["drain_timeout", "proxy_draining", "proxy_draining"],
        )

    def test_refusals(self) -> None:
        """
        A head that becomes whole while the proxy stops is refused.
        """
        client = self.ask(HEAD[:-1])
        self.board.drain()
        self.send(client, HEAD[-1:])
        answer = parse(client.received)
        self.assertEqual(answer.status, 503)
        self.assertIn(Refusal("proxy_draining").row.remedy, answer.body)
