"""
A CONNECT on a stream, from its answer to its end; conformance 38 to 40.
"""

from __future__ import annotations

from connectproxy.errors import Refusal, Refused
from connectproxy.wire.http2 import ErrorCode
from tests.fakes import FakeAuthenticator
from tests.listeners.http2.case import HTTP2Case
from tests.listeners.http2.client import connectFields


class AnswerTests(HTTP2Case):
    """
    The 200, and refusals.
    """

    def test_answeredWhenConnected(self) -> None:
        """
        There is no answer before the connection is there, and it says nothing but 200;
        conformance 39.
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        self.assertIs(client.heard(number).status, None)
        self.dials[0].succeed()
        self.flush()
        heard = client.heard(number)
        self.assertEqual((heard.fields, heard.ended), ({":status": "200"}, False))

    def test_manyAtOnce(self) -> None:
        """
        Tunnels of one connection are independent: each has its destination, its answer and
        its octets.
        """
        client = self.client()
        numbers = [client.connect(f"host{index}.example:443") for index in range(20)]
        self.flush()
        origins = [dial.succeed() for dial in self.dials]
        for number, origin in zip(numbers, origins, strict=True):
            client.put(number, b"to %d" % number)
            origin.transport.write(b"from %d" % number)
        self.flush()
        for number, origin in zip(numbers, origins, strict=True):
            self.assertEqual(bytes(origin.received), b"to %d" % number)
            self.assertEqual(bytes(client.heard(number).octets), b"from %d" % number)
        self.assertEqual(self.board.admission.tunnels, 20)
        client.transport.loseConnection()
        self.flush()
        self.assertTrue(all(origin.lost for origin in origins))
        self.assertNothingLeft()

    def test_refused(self) -> None:
        """
        A refusal is a response with the reason in its fields and in its body; the stream ends
        with it, and the connection goes on.
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        self.dials[0].fail("connection_refused")
        self.flush()
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (502, True, ErrorCode.NO_ERROR))
        self.assertEqual(heard.fields["proxy-status"], "connectproxy; error=connection_refused")
        self.assertEqual(int(heard.fields["content-length"]), len(heard.octets))
        self.assertIn(b"What to do: ", heard.octets)
        self.assertNotIn("connection", heard.fields)
        self.tunnel(client)

    def test_behindOthers(self) -> None:
        """
        What proxies on the way have said is told with the 200, and we stand behind them (conformance
        62); the stream is as good as any.
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        origin = self.dials[0].succeed(members='a; next-hop="b, c", d')
        self.flush()
        heard = client.heard(number)
        said = 'a; next-hop="b, c", d, connectproxy'
        self.assertEqual((heard.fields, heard.ended), ({":status": "200", "proxy-status": said}, False))
        client.put(number, b"up")
        origin.transport.write(b"down")
        self.flush()
        self.assertEqual((bytes(origin.received), bytes(client.heard(number).octets)), (b"up", b"down"))

    def test_refusedByOthers(self) -> None:
        """
        So it is with a refusal, which has the status that the next hop has answered (conformance 62
        and 63).
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        refusal = Refusal("next_hop_denied", received=451, members="a; error=x")
        self.dials[0].result.errback(Refused(refusal))
        self.flush()
        heard = client.heard(number)
        said = "a; error=x, connectproxy; error=http_request_denied; received-status=451"
        self.assertEqual((heard.status, heard.fields["proxy-status"]), (403, said))

    def test_authentication(self) -> None:
        """
        Each stream is authenticated by itself, and a 407 has its challenge; conformance 46 and
        65.
        """
        known = FakeAuthenticator("alice")
        self.board.regime = self.board.regime._replace(authenticator=known)
        client = self.client()
        refused = client.connect("example.com:443")
        asked = client.connect("example.com:443", ("proxy-authorization", "Basic " + known.right.decode()))
        self.flush()
        self.assertEqual(len(self.dials), 1)
        self.assertEqual(self.dials[0].request.user, "alice")
        self.assertEqual(client.heard(refused).status, 407)
        self.assertEqual(client.heard(refused).fields["proxy-authenticate"], "Basic")
        self.assertIs(client.heard(asked).status, None)
        again = client.connect("example.com:443")
        self.flush()
        self.assertEqual(client.heard(again).status, 407)

    def test_counted(self) -> None:
        """
        The connection counts as one, and each tunnel as one more until its end.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        self.assertEqual((self.board.admission.connections, self.board.admission.tunnels), (2, 1))
        client.put(number, b"", end=True)
        origin.transport.loseConnection()
        self.flush()
        self.assertEqual((self.board.admission.connections, self.board.admission.tunnels), (1, 0))

    def test_early(self) -> None:
        """
        What is sent behind the request goes first; it is not credited before it is taken.
        """
        client = self.client()
        number = client.connect("example.com:443")
        client.put(number, b"early " * 10000)
        self.flush()
        self.assertLess(client.h2.local_flow_control_window(number), 6000)
        origin = self.dials[0].succeed()
        client.put(number, b"late", end=True)
        self.flush()
        self.assertEqual(bytes(origin.received), b"early " * 10000 + b"late")
        self.assertTrue(origin.ended)

    def test_endedBeforeAnswer(self) -> None:
        """
        A client that has said all before it is answered still gets what the origin says.
        """
        client = self.client()
        number = client.connect("example.com:443")
        client.put(number, b"all", end=True)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"all", True))
        origin.transport.write(b"answer")
        origin.transport.loseConnection()
        self.flush()
        heard = client.heard(number)
        self.assertEqual((bytes(heard.octets), heard.ended, heard.reset), (b"answer", True, None))

    def test_requestWithEnd(self) -> None:
        """
        A request that ends its stream at once is half a tunnel.
        """
        client = self.client()
        number = client.ask(connectFields("example.com:443"), end=True)
        self.flush()
        origin = self.dials[0].succeed(early=b"banner")
        self.flush()
        self.assertTrue(origin.ended)
        self.assertEqual(bytes(client.heard(number).octets), b"banner")


class EndTests(HTTP2Case):
    """
    Ends of streams, both ways, one by one; conformance 40.
    """

    def test_clientEndsFirst(self) -> None:
        """
        END_STREAM becomes a FIN, and the other direction goes on until its own (conformance 40).
        """
        client = self.client()
        number, origin = self.tunnel(client)
        client.put(number, b"question", end=True)
        self.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"question", True))
        origin.transport.write(b"a long answer")
        self.flush()
        self.assertEqual(
            (bytes(client.heard(number).octets), client.heard(number).ended), (b"a long answer", False)
        )
        origin.transport.loseConnection()
        self.flush()
        self.assertEqual((client.heard(number).ended, client.heard(number).reset), (True, None))
        self.assertEqual(self.events[0]["end"], "eof")

    def test_originEndsFirst(self) -> None:
        """
        A FIN becomes END_STREAM, and the client's direction goes on until its own (conformance 40).
        """
        client = self.client()
        number, origin = self.tunnel(client)
        origin.transport.write(b"all there is")
        origin.transport.loseWriteConnection()
        self.flush()
        heard = client.heard(number)
        self.assertEqual((bytes(heard.octets), heard.ended, heard.reset), (b"all there is", True, None))
        client.put(number, b"still")
        self.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"still", False))
        client.put(number, b" there", end=True)
        self.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"still there", True))
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("eof", "origin"))
        self.assertIs(client.heard(number).reset, None)

    def test_clientResets(self) -> None:
        """
        RST_STREAM resets the connection to the origin, even while the stream is paused; the
        other tunnels go on (conformance 40).
        """
        client = self.client()
        number, origin = self.tunnel(client, capacity=4096)
        other, sibling = self.tunnel(client)
        origin.transport.pauseProducing()
        client.put(number, bytes(60000))
        self.flush()
        client.cancel(number)
        self.flush()
        origin.transport.resumeProducing()
        self.flush()
        self.assertNotEqual(origin.lost.getErrorMessage(), "Connection was closed cleanly.")
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("reset", "client"))
        client.put(other, b"fine")
        self.flush()
        self.assertEqual(bytes(sibling.received), b"fine")

    def test_counts(self) -> None:
        """
        Of a tunnel that is reset, whoever does it, only what has been sent to the client counts,
        and not what waited for it to read; nor while the tunnel is up.
        """
        for mine in (True, False):
            client = self.client(window=10_000, reading=False)
            number, origin = self.tunnel(client)
            origin.transport.write(bytes(50_000))
            self.flush()
            self.assertEqual(len(client.heard(number).octets), 10_000)
            (call,) = self.board._calls
            self.assertEqual(call._tunnel.bytesDown, 10_000)
            if mine:
                client.cancel(number)
            else:
                origin.transport.abortConnection()
            self.flush()
            self.assertEqual((self.events[-1]["end"], self.events[-1]["bytes_down"]), ("reset", 10_000))

    def test_originResets(self) -> None:
        """
        A reset from the origin is RST_STREAM with CONNECT_ERROR, and the connection goes on
        (conformance 40).
        """
        client = self.client()
        number, origin = self.tunnel(client)
        origin.transport.abortConnection()
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.CONNECT_ERROR)
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("reset", "origin"))
        self.tunnel(client)

    def test_connectionLost(self) -> None:
        """
        A client whose connection ends without the ends of its streams has reset them all
        (conformance 40).
        """
        for leave in ("loseConnection", "abortConnection"):
            client = self.client()
            _, origin = self.tunnel(client)
            getattr(client.transport, leave)()
            self.flush()
            self.assertNotEqual(origin.lost.getErrorMessage(), "Connection was closed cleanly.")
            self.assertEqual(self.events[-1]["end"], "reset")
        self.assertNothingLeft()

    def test_resetWhileDialling(self) -> None:
        """
        A request that is reset before its answer is given up: what was begun for it is
        cancelled, and that is an event.
        """
        client = self.client()
        number = client.connect("example.com:443")
        self.flush()
        client.cancel(number)
        self.flush()
        self.assertTrue(self.dials[0].cancelled)
        self.assertEqual((self.events[0]["event"], self.events[0]["end"]), ("abandoned", "client_gone"))

    def test_trailers(self) -> None:
        """
        HEADERS behind the request are a stream error, which resets the origin; conformance 39.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        client.h2.send_headers(number, [("trailer", "x")], end_stream=True)
        client.send()
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.PROTOCOL_ERROR)
        self.assertTrue(origin.lost)

    def test_idle(self) -> None:
        """
        A tunnel that carries nothing for too long is ended in order.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        self.reactor.advance(3600.5)
        self.flush()
        heard = client.heard(number)
        self.assertEqual((heard.ended, heard.reset), (True, ErrorCode.NO_ERROR))
        self.assertTrue(origin.ended)
        self.assertEqual(self.events[0]["end"], "idle_timeout")
