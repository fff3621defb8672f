"""
A CONNECT on a stream whose TLS server name a rule wants to know.
"""

from __future__ import annotations

from typing import Any

from connectproxy.policy import Policy
from connectproxy.wire.http2 import ErrorCode
from tests.fakes import Peer
from tests.listeners.http2.case import HTTP2Case
from tests.test_inspection import NoHidden
from tests.wire.hellos import byOpenSSL


class NamedTests(HTTP2Case):
    """
    The first flight of a stream, looked at.
    """

    def setUp(self) -> None:
        """
        Have a rule that wants to know.
        """
        super().setUp()
        self.rule = NoHidden()
        self.board.regime = self.board.regime._replace(policy=Policy([self.rule]))

    def say(self, name: str) -> tuple[Any, int, Peer, bytes]:
        """
        Begin TLS in a tunnel, in two pieces.

        @return: the client, the number of the stream, the origin, and what was said.
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        origin = self.dials[0].succeed()
        octets = byOpenSSL(name)
        for piece in (octets[:50], octets[50:]):
            client.put(number, piece)
            self.flush()
        self.assertEqual([each for _, each in self.rule.asked], [name])
        self.assertEqual(client.heard(number).status, 200)
        return client, number, origin, octets

    def test_allowed(self) -> None:
        """
        What was looked at reaches the origin as it is, and the tunnel goes on in both
        directions.
        """
        client, number, origin, octets = self.say("good.example")
        origin.transport.write(b"answer")
        client.put(number, b" more")
        self.flush()
        self.assertEqual(bytes(origin.received), octets + b" more")
        self.assertEqual(bytes(client.heard(number).octets), b"answer")

    def test_denied(self) -> None:
        """
        The stream ends with an alert; the origin hears nothing, and other streams go on.
        """
        client, number, origin, _ = self.say("hidden.example")
        heard = client.heard(number)
        self.assertEqual(bytes(heard.octets), b"\x15\x03\x03\x00\x02\x02\x31")
        self.assertEqual((heard.ended, heard.reset), (True, ErrorCode.NO_ERROR))
        self.assertEqual(bytes(origin.received), b"")
        self.assertTrue(origin.lost)
        self.assertEqual((self.board.admission.connections, self.board.admission.tunnels), (1, 0))
        other = client.connect("example.com:80")
        self.flush()
        self.dials[1].succeed()
        self.flush()
        self.assertEqual(client.heard(other).status, 200)
