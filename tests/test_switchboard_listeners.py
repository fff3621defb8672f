"""
Tests for L{connectproxy.switchboard}: what listeners have recorded and joined.
"""

from __future__ import annotations

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival
from connectproxy.leg import Leg
from connectproxy.relay import WiredRelay
from tests.fakes import SETTINGS, makeSwitchboard, pipePair
from tests.test_call_user import CERTIFICATE, CLIENT
from tests.test_switchboard import SwitchboardCase


class RecordTests(SwitchboardCase):
    """
    What is recorded without a call.
    """

    def setUp(self) -> None:
        """
        A connection that has come a quarter of a second ago.
        """
        super().setUp()
        now = self.reactor.seconds()
        self.arrival = Arrival(CLIENT, "tcp:8080", now - 0.25, "TLSv1.3", CERTIFICATE, CLIENT)

    def test_answered(self) -> None:
        """
        A request for the proxy's own pages is a request that it has answered itself.
        """
        self.board.answered(self.arrival, "http/1.1", "GET", "/proxy.pac", 200)
        self.assertEqual(
            self.ledger.events,
            [
                {
                    "timestamp": "2023-11-14T22:13:19.750Z",
                    "event": "request",
                    "config": "00000000",
                    "listener": "tcp:8080",
                    "client": "203.0.113.9:4711",
                    "sender": "203.0.113.9:4711",
                    "tls": "TLSv1.3",
                    "certificate": "CN=Zoë,O=Example",
                    "protocol": "http/1.1",
                    "method": "GET",
                    "target": "/proxy.pac",
                    "reason": "the proxy itself was asked",
                    "status": 200,
                    "ended_by": "proxy",
                    "phase": "arrived",
                    "end": "complete",
                    "head_ms": 250.0,
                    "total_ms": 250.0,
                }
            ],
        )

    def test_answeredInClear(self) -> None:
        """
        Of a connection in clear there is less to say.
        """
        self.board.answered(Arrival(CLIENT, "tcp:8080", 0.0), "http/1.1", "GET", "/", 200)
        (event,) = self.ledger.events
        self.assertEqual((event["sender"], event["tls"], event["certificate"]), (None, None, None))

    def test_rejected(self) -> None:
        """
        What never became a request has what is known of its connection.
        """
        refusal = Refusal("tls_handshake_failed", "why")
        arrived = self.arrival.arrived
        self.board.rejected(refusal, CLIENT, "tcp:8080", "tls", arrived, None, None, self.arrival)
        (event,) = self.ledger.events
        self.assertEqual((event["sender"], event["tls"]), ("203.0.113.9:4711", "TLSv1.3"))
        self.assertEqual((event["certificate"], event["error"]), ("CN=Zoë,O=Example", "tls_handshake_failed"))


class JoinTests(SwitchboardCase):
    """
    Legs that a listener has joined.
    """

    def test_join(self) -> None:
        """
        The best relay takes them, and its name is told.
        """
        client, origin = Leg(), Leg()
        near, far = pipePair(self.reactor, None, client), pipePair(self.reactor, origin, None)
        name, tunnel = self.board.join(client, origin)
        self.assertEqual(name, "wired")
        near.first.write(b"up")
        far.second.write(b"down")
        self.reactor.flush()
        self.assertEqual(bytes(far.second.protocol.received), b"up")
        self.assertEqual(bytes(near.first.protocol.received), b"down")
        self.assertEqual((tunnel.bytesUp, tunnel.bytesDown), (2, 4))

    def test_nobodyCan(self) -> None:
        """
        Where no relay will it is a bug: one of them takes everything.
        """

        class Choosy(WiredRelay):
            def canJoin(self, client: Leg, origin: Leg) -> bool:
                return False

        self.make(relays=[Choosy(self.reactor, self.board.wheel)])
        self.assertRaises(RuntimeError, self.board.join, Leg(), Leg())


class NameTests(SwitchboardCase):
    """
    What the proxy calls itself.
    """

    def test_random(self) -> None:
        """
        Two proxies by the same name don't take each other's requests for their own.
        """
        first, second = (makeSwitchboard(self.reactor).via for _ in range(2))
        self.assertNotEqual(first, second)
        self.assertRegex(first, rb"\Aconnectproxy-[0-9a-f]{8}\Z")

    def test_given(self) -> None:
        """
        An operator can choose the name.
        """
        board = makeSwitchboard(self.reactor, settings={**SETTINGS, "proxy.via": "edge-1"})
        self.assertEqual(board.via, b"edge-1")
