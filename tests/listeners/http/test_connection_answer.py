"""
Tests for L{connectproxy.listeners.http}: what a refusal looks like, and what comes behind
it.
"""

from __future__ import annotations

from connectproxy.errors import KINDS, Refusal
from connectproxy.sockets import LINGER_OCTETS
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, Peer
from tests.listeners.http.test_connection import HEAD, Answer, ListenerCase, parse

HEAD_TIMEOUT = SETTINGS["timeouts.head"]
LINGER_TIMEOUT = SETTINGS["timeouts.linger"]
BAD = b"GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"


class FormatTests(ListenerCase):
    """
    What a refusal looks like on the wire.
    """

    def refusalBy(self, refusal: Refusal) -> Answer:
        """
        The answer to a request that the switchboard refuses.
        """
        client = self.ask(HEAD)
        self.board.placed[-1].refuse(refusal)
        self.reactor.flush()
        return parse(client.received)

    def test_everyKind(self) -> None:
        """
        Each kind of refusal has its status and its error type, with the name that the
        proxy goes by (conformance 17, 62 and 63).
        """
        self.port = self.listen(**{"proxy.name": "proxy.example"})
        for kind, row in KINDS.items():
            answer = self.refusalBy(Refusal(kind))
            self.assertEqual((answer.status, answer.reason), (row.status, row.reason))
            self.assertEqual(answer.fields["proxy-status"], f"proxy.example; error={row.proxyStatus}", kind)

    def test_fields(self) -> None:
        """
        The connection ends here, nobody keeps the answer, its length is told, and there is
        no trailer (conformance 10, 18 and 64).
        """
        answer = self.refusalBy(Refusal("dns_error", "détail"))
        self.assertEqual(answer.fields["connection"], "close")
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertEqual(int(answer.fields["content-length"]), len(answer.body.encode("utf-8")))
        self.assertNotIn("transfer-encoding", answer.fields)
        self.assertNotIn("trailer", answer.fields)

    def test_details(self) -> None:
        """
        The details are in the body and not in Proxy-Status, which goes to whoever asks
        (conformance 63).
        """
        answer = self.refusalBy(Refusal("dns_error", "the detail", "the-rule"))
        self.assertNotIn("the detail", answer.fields["proxy-status"])
        self.assertIn("Detail: the detail.\nRule: the-rule.\n", answer.body)

    def test_nextHop(self) -> None:
        """
        What another proxy has answered is told, behind what it says itself (conformance 62 and 63).
        """
        refusal = Refusal("next_hop_denied", "the detail", received=451, members="a; error=x")
        self.assertEqual(
            self.refusalBy(refusal).fields["proxy-status"],
            "a; error=x, connectproxy; error=http_request_denied; received-status=451",
        )

    def test_identifier(self) -> None:
        """
        A name that is no token is a quoted string (conformance 62).
        """
        self.port = self.listen(**{"proxy.name": 'the "proxy"'})
        answer = self.refusalBy(Refusal("dns_error"))
        self.assertEqual(answer.fields["proxy-status"], r'"the \"proxy\""; error=dns_error')


class LingerTests(ListenerCase):
    """
    After a refusal nothing is read as a request any more, and the answer survives
    (conformance 10).
    """

    def refused(self, octets: bytes = BAD) -> Peer:
        """
        A client that has been refused, and has not closed.
        """
        client = self.ask(octets)
        self.assertTrue(client.ended)
        self.assertIsNone(client.lost)
        return client

    def test_halfClose(self) -> None:
        """
        The answer is followed by the end of the stream, while the connection stays open
        for the client to read it; when the client closes as well that is the end.
        """
        client = self.refused()
        parse(client.received)
        self.assertEqual(self.board.closed, 0)
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)
        self.assertEqual(len(self.board.wheel), 0)
        self.assertEqual(len(self.board.rejections), 1)

    def test_pipelined(self) -> None:
        """
        Requests that come with the one that is refused, or after it, are thrown away.
        """
        for before, after in ((BAD + HEAD, b""), (BAD, HEAD), (BAD[:-2], b"\r\n" + HEAD)):
            client = self.ask(before)
            self.send(client, after)
            parse(client.received)
        self.assertEqual(self.board.placed, [])
        self.assertEqual(len(self.board.rejections), 3)

    def test_deadline(self) -> None:
        """
        A client that does not close is left when its time is over.
        """
        client = self.refused()
        self.reactor.advance(LINGER_TIMEOUT - 0.01)
        self.reactor.flush()
        self.assertIsNone(client.lost)
        self.assertEqual(self.board.closed, 0)
        self.reactor.advance(2 * GRAIN)
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)
        self.assertEqual(len(self.board.wheel), 0)

    def test_nobodyReads(self) -> None:
        """
        One that does not even read its answer is reset: there is nobody to wait for.
        """
        client = self.connect(capacity=64)
        client.transport.pauseProducing()
        self.send(client, BAD)
        self.assertEqual(self.board.closed, 0)
        self.reactor.advance(LINGER_TIMEOUT + GRAIN)
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertIsNotNone(client.lost)

    def test_octets(self) -> None:
        """
        One that goes on sending is reset when it was too much; until then what it sends
        is thrown away.
        """
        client = self.refused()
        for _ in range(LINGER_OCTETS // 65536):
            self.send(client, b"x" * 65536)
        self.assertEqual(self.board.closed, 0)
        self.send(client, b"x")
        self.assertEqual(self.board.closed, 1)
        self.send(client, b"x")
        self.assertIsNotNone(client.lost)

    def test_endedBefore(self) -> None:
        """
        A client that has ended its stream while it waited is answered, and then the
        connection is closed.
        """
        client = self.ask(HEAD)
        client.transport.loseWriteConnection()
        self.reactor.flush()
        (inbound,) = self.board.placed
        inbound.refuse(Refusal("dns_error"))
        self.reactor.flush()
        self.assertEqual(parse(client.received).status, 502)
        self.assertEqual(self.board.closed, 1)

    def test_endsAfterwards(self) -> None:
        """
        One that ends its stream afterwards has had its answer.
        """
        client = self.refused()
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)

    def test_switchboardRefuses(self) -> None:
        """
        A refusal by the switchboard ends the same way, and what had come early is never
        read: not what is held, and not what comes.
        """
        client = self.ask(HEAD + BAD)
        (inbound,) = self.board.placed
        inbound.refuse(Refusal("connection_refused", "host.example:443 refused the connection"))
        self.reactor.flush()
        self.send(client, BAD)
        answer = parse(client.received)
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.fields["proxy-status"], "connectproxy; error=connection_refused")
        self.assertTrue(client.ended)
        self.assertEqual((self.board.rejections, len(self.board.placed)), ([], 1))
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)

    def test_answerToHEAD(self) -> None:
        """
        HEAD gets no body, on the wire as well.
        """
        client = self.ask(b"HEAD https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
        answer = parse(client.received)
        self.assertEqual((answer.status, answer.body), (501, ""))
        self.assertNotEqual(answer.fields["content-length"], "0")
