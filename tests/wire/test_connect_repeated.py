"""
Tests for L{connectproxy.wire.connect}: a next hop that repeats what it has been shown.
"""

from __future__ import annotations

from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.connect import ConnectNegotiation

TOKEN = "tok3n.tok3n"
PROOF = b64encode(b"ann:only-an-example").decode("ascii")


def refused(authorizer: Authorizer | None, answer: bytes) -> Refusal:
    """
    What an answer is for the client.
    """
    made = ConnectNegotiation(
        Destination("host.example", 443, None, "host.example."), name="corp", authorizer=authorizer
    )
    made.begin()
    ended = made.receive(answer)
    assert isinstance(ended, Refusal), ended
    return ended


class RepeatedTests(SynchronousTestCase):
    """
    The credentials stay between this proxy and the next hop.
    """

    def test_reason(self) -> None:
        """
        A reason phrase with the credentials in it is told without them.
        """
        for authorizer, proof in (
            (Authorizer("ann", "only-an-example"), PROOF),
            (Authorizer.bearer(TOKEN), TOKEN),
        ):
            refusal = refused(authorizer, f"HTTP/1.1 502 Bad: Basic {proof}, sorry\r\n\r\n".encode("ascii"))
            self.assertEqual(
                refusal.detail,
                "the next hop corp answered the request for host.example:443 with 502 Bad: Basic ..., sorry",
            )

    def test_members(self) -> None:
        """
        A Proxy-Status with the credentials in it does not go on; one without them does.
        """
        authorizer = Authorizer("ann", "only-an-example")
        answer = 'HTTP/1.1 502 No\r\nProxy-Status: x; error=dns_error; details="{}"\r\n\r\n'
        refusal = refused(authorizer, answer.format(PROOF).encode("ascii"))
        self.assertEqual((refusal.kind, refusal.members), ("dns_error", ""))
        refusal = refused(authorizer, answer.format("no name").encode("ascii"))
        self.assertEqual(refusal.members, 'x; error=dns_error; details="no name"')

    def test_nothingShown(self) -> None:
        """
        Where nothing has been shown, nothing is taken away.
        """
        self.assertIn(PROOF, refused(None, f"HTTP/1.1 502 {PROOF}\r\n\r\n".encode("ascii")).detail)
