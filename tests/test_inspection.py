"""
Tests for L{connectproxy.inspection}: tunnels whose TLS server name a rule wants to know.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from connectproxy.call import UNREADABLE
from connectproxy.interfaces import Action, INameRule, IPAddress, TunnelRequest, Verdict
from connectproxy.peek import DENIED
from tests.fakes import Peer
from tests.test_call_tunnel import TunnelCase
from tests.wire.hellos import hello, records, serverName

HELLO = records(hello(serverName(b"Hidden.Example")))


@implementer(INameRule)
class NoHidden:
    """
    Denies one server name, and allows all others.

    @ivar asked: what it was asked about.
    """

    ruleName = "no-hidden"

    def __init__(self) -> None:
        self.asked: list[tuple[IPAddress | None, str]] = []

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        return Verdict(Action.DENY, "it depends", self.ruleName, provisional=True)

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        return Verdict(Action.DENY, "it depends", self.ruleName, provisional=True)

    def wantsServerName(self, request: TunnelRequest) -> bool:
        return request.destination.port == 443

    def decideServerName(
        self, request: TunnelRequest, address: IPAddress | None, name: str
    ) -> Verdict | None:
        self.asked.append((address, name))
        if name == "hidden.example":
            return Verdict(Action.DENY, f"the server name is {name}", self.ruleName)
        return None


class InspectionTests(TunnelCase):
    """
    The time between the answer and the relay.
    """

    def setUp(self) -> None:
        """
        Have a rule that wants to know.
        """
        super().setUp()
        self.rule = NoHidden()
        self.make(self.rule)

    def send(self, client: Peer, octets: bytes) -> None:
        """
        Have the client send, and let it arrive.
        """
        client.transport.write(octets)
        self.reactor.flush()

    def test_allowed(self) -> None:
        """
        A name that is not denied: the origin gets all that the client has sent, in order,
        and the event has the name.
        """
        hi = records(hello(serverName(b"Open.Example")))
        client, origin = self.open(early=b"banner")
        self.send(client, hi[:20])
        self.assertEqual(origin.received, b"")
        self.send(client, hi[20:] + b"more")
        self.assertEqual((origin.received, client.received), (hi + b"more", b"banner"))
        client.transport.loseConnection()
        self.reactor.flush()
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(
            [(str(address), name) for address, name in self.rule.asked], [("198.51.100.1", "open.example")]
        )
        self.event(event="tunnel", server_name="open.example", decision="allow", end="eof")
        self.nothingIsLeft()

    def test_denied(self) -> None:
        """
        One that is: the origin hears nothing of it, the client gets an alert and the end,
        and the event says why.
        """
        client, origin = self.open()
        self.send(client, HELLO)
        self.assertEqual((origin.received, client.received), (b"", DENIED))
        self.assertIsNotNone(origin.lost)
        client.transport.loseConnection()
        self.reactor.flush()
        self.event(
            event="refusal",
            status=200,
            decision="deny",
            rule="no-hidden",
            reason="the server name is hidden.example",
            server_name="hidden.example",
            error="http_request_denied",
            end="refused",
            ended_by="proxy",
            phase="answering",
        )
        self.assertEqual(self.board.admission.connections, 0)
        self.nothingIsLeft()

    def test_notTLS(self) -> None:
        """
        What does not begin with TLS has no name, and is passed on.
        """
        client, origin = self.open()
        self.send(client, b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(origin.received, b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.rule.asked[0][1], "")

    def test_silent(self) -> None:
        """
        A client that waits for the server to speak first does so for a while, and no longer.
        """
        client, _ = self.open(early=b"220 mail\r\n")
        self.assertEqual(client.received, b"")
        self.reactor.advance(self.board.settings["timeouts.first_flight"] + 1)
        self.reactor.flush()
        self.assertEqual(client.received, b"220 mail\r\n")

    def test_silentToo(self) -> None:
        """
        Where the origin has said nothing either, it may be TLS that the client begins with
        only when nobody looks any more: it does not get that far.
        """
        client, origin = self.open()
        self.reactor.advance(self.board.settings["timeouts.first_flight"] + 1)
        self.reactor.flush()
        self.assertEqual((origin.received, client.received), (b"", b""))
        self.assertIsNotNone(origin.lost)
        self.assertIsNotNone(client.lost)
        self.event(event="refusal", rule=UNREADABLE, decision="deny", error="http_request_denied")
        self.assertEqual(self.rule.asked, [])

    def test_unreadable(self) -> None:
        """
        A ClientHello that is malformed, or does not become whole in time, could hide a name
        that an origin would read: nothing of it is passed on.
        """
        warning = b"\x15\x03\x01\0\x02\x01\x70"
        for hidden in (
            b"\x16\x03\x01\x00\x02\x01\x00\x16\x03\x01", HELLO[:-1], HELLO[:1], warning + HELLO, warning[:1],
            records(hello(serverName(b"hidden.example:443"))),
        ):  # fmt: skip
            self.setUp()
            client, origin = self.open()
            self.send(client, hidden)
            self.reactor.advance(self.board.settings["timeouts.first_flight"] + 1)
            self.reactor.flush()
            self.assertEqual((origin.received, client.received), (b"", DENIED))
            self.assertIsNotNone(origin.lost)
            self.event(event="refusal", rule=UNREADABLE, decision="deny", error="http_request_denied")
            self.assertEqual(self.rule.asked, [])

    def test_notAsked(self) -> None:
        """
        Where no rule wants to know, nobody waits.
        """
        client, _ = self.open(target="host.example:80", early=b"banner")
        self.assertEqual(client.received, b"banner")
        self.assertEqual(self.rule.asked, [])

    def test_clientGone(self) -> None:
        """
        A client that goes away ends it all.
        """
        client, origin = self.open()
        self.send(client, HELLO[:10])
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertIsNotNone(origin.lost)
        self.event(event="tunnel", ended_by="client", end="reset", phase="answering")
        self.assertEqual(self.board.admission.connections, 0)
        self.nothingIsLeft()

    def test_originGone(self) -> None:
        """
        So does an origin, as soon as it is the origin's turn.
        """
        client, origin = self.open()
        origin.transport.abortConnection()
        self.reactor.flush()
        self.send(client, HELLO)
        self.assertIsNotNone(client.lost)
        self.event(event="tunnel", ended_by="origin", end="reset")
        self.nothingIsLeft()

    def test_stopped(self) -> None:
        """
        Where the proxy stops meanwhile, both are closed.
        """
        client, origin = self.open()
        self.board.abort("drain_timeout")
        self.reactor.flush()
        self.assertEqual((client.lost is not None, origin.lost is not None), (True, True))
        self.event(event="tunnel", ended_by="proxy", end="drain_timeout")
        self.assertEqual(self.board.admission.connections, 0)
        self.nothingIsLeft()

    def test_ruleFails(self) -> None:
        """
        A rule with a bug ends the tunnel that it was asked about.
        """
        self.rule.decideServerName = lambda *_: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        client, origin = self.open()
        self.send(client, HELLO)
        self.assertEqual((client.lost is not None, origin.lost is not None), (True, True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.event(end="aborted")
        self.nothingIsLeft()

    def test_lingers(self) -> None:
        """
        A client that takes neither the alert nor the end is cut off after a while.
        """
        inbound: Any = self.place()
        self.upstream.dials[-1].succeed()
        inbound.client.transport.pauseProducing()
        self.send(inbound.client, HELLO)
        self.reactor.advance(self.board.settings["timeouts.linger"] + 1)
        self.reactor.flush()
        self.assertEqual(self.board.admission.connections, 0)
        self.nothingIsLeft()
