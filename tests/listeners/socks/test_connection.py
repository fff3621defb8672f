"""
Tests for L{connectproxy.listeners.socks.connection}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from zope.interface import alsoProvides
from zope.interface.verify import verifyObject

from connectproxy.errors import KINDS, Refusal
from connectproxy.interfaces import Established, IInboundTunnel
from connectproxy.leg import Leg
from connectproxy.sockets import LINGER_OCTETS
from connectproxy.wheel import GRAIN
from connectproxy.wire.socks import Command, formatRequest4, formatRequest5
from tests.fakes import SETTINGS, FakeAuthenticator, Peer, addressOf
from tests.listeners.socks.test_port import ASKED, DESCRIPTION, HELLO, ListenerCase

ESTABLISHED = Established(Leg(), "198.51.100.1:443")
HEAD_TIMEOUT, LINGER_TIMEOUT = SETTINGS["timeouts.head"], SETTINGS["timeouts.linger"]


def reply(kind: str) -> bytes:
    """
    The reply of SOCKS 5 to a kind of refusal.
    """
    return b"\x05%c\x00\x01\x00\x00\x00\x00\x00\x00" % KINDS[kind].socks5


class RequestTests(ListenerCase):
    """
    What becomes of a request.
    """

    def test_request(self) -> None:
        """
        It says where to, who asks, and in which words.
        """
        self.ask(HELLO + ASKED)
        (inbound,) = self.board.placed
        self.assertTrue(verifyObject(IInboundTunnel, inbound))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, inbound))
        request = inbound.request
        self.assertEqual(str(request.destination), "host.example:443")
        self.assertEqual((request.client, request.listener), (addressOf("192.0.2.7", 51000), DESCRIPTION))
        self.assertEqual((request.protocol, request.method, request.fields), ("socks5", "CONNECT", ()))
        self.assertEqual((request.user, request.arrived), (None, 1000.0))
        self.assertEqual((request.arrival.client, request.arrival.listener), (request.client, DESCRIPTION))
        self.assertEqual((request.arrival.arrived, request.arrival.tls), (1000.0, None))

    def test_protocols(self) -> None:
        """
        The version is in the request.
        """
        for host, protocol in (("192.0.2.9", "socks4"), ("host.example", "socks4a")):
            asked: Any = formatRequest4(host, 443)
            self.ask(asked)
            self.assertEqual(self.board.placed[-1].request.protocol, protocol)

    def test_user(self) -> None:
        """
        The user is the one that the authenticator knows.
        """

        self.board.authenticator = known = FakeAuthenticator("ann", "pw")
        client = self.ask(b"\x05\x01\x02")
        self.assertEqual(bytes(client.received), b"\x05\x02")
        self.send(client, b"\x01\x03ann\x02pw")
        self.assertEqual(bytes(client.received), b"\x05\x02\x01\x00")
        self.send(client, ASKED)
        request = self.board.placed[0].request
        self.assertEqual((request.identity, request.user), (known.user, "ann"))

    def test_oneWrite(self) -> None:
        """
        What is to be said to a client that has sent everything at once is one segment.
        """
        client = self.port.connect()
        written: list[bytes] = []
        server: Any = next(each for each in self.reactor.getReaders() if each is not client.transport)
        send = server.socket.send
        self.patch(server.socket, "send", lambda octets: written.append(bytes(octets)) or send(octets))
        self.send(client, b"\x05\x01\x02\x01\x01a\x01b" + ASKED)
        self.assertEqual(written, [b"\x05\x02\x01\x00"])

    def test_sentAtOnce(self) -> None:
        """
        What a client has sent before its connection is accepted is read without another turn
        of the reactor.
        """
        self.port.pauseProducing()
        client = self.port.connect()
        client.transport.write(HELLO + ASKED)
        self.reactor.flush()
        self.assertEqual(self.board.placed, [])
        self.port.resumeProducing()
        self.assertEqual(len(self.board.placed), 1)

    def test_noDelay(self) -> None:
        """
        TCP_NODELAY is set with the answer, unless the port has done so.
        """
        for noDelay in (False, True):
            self.port.factory.noDelay = noDelay
            self.ask(HELLO + ASKED)
            inbound = self.board.placed[-1]
            calls: list[bool] = []
            self.patch(inbound.transport, "setTcpNoDelay", calls.append)
            inbound.accept(ESTABLISHED)
            self.assertEqual(calls, [] if noDelay else [True])

    def test_earlyEnd(self) -> None:
        """
        A client that has ended its stream before its answer has a tunnel that begins so.
        """
        client = self.ask(HELLO + ASKED + b"all")
        client.transport.loseWriteConnection()
        inbound = self.board.placed[0]
        inbound.transport.resumeProducing()
        self.reactor.flush()
        leg = inbound.accept(ESTABLISHED)
        self.assertEqual((leg.held, leg.ended), (b"all", True))


class RefusalTests(ListenerCase):
    """
    Requests that are refused, and what never became one.
    """

    def assertOver(self, client: Peer) -> None:
        """
        The connection is on its way to its end, and nothing stays behind.
        """
        self.assertTrue(client.ended)
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((len(self.board.wheel), self.port.factory.reading), (0, set()))
        self.assertEqual(self.board.opened, self.board.closed)

    def test_rejected(self) -> None:
        """
        Whatever is wrong is recorded as far as it was understood, answered, and the end.
        Conformance 71 and 72.
        """
        bind = formatRequest5("192.0.2.9", 21, Command.BIND)
        for octets, protocol, kind, said, method, target in (
            (b"GET / HTTP/1.1", "unknown", "socks_request_error", b"", None, None),
            (b"\x05\x01\x80", "socks5", "proxy_authentication_required", b"\x05\xff", None, None),
            (b"\x05\x01\x02\x02", "socks5", "socks_request_error", b"\x05\x02\x01\x01", None, None),
            (HELLO + bind, "socks5", "socks_command_not_supported", b"\x05\x00" + reply("socks_command_not_supported"),
             "BIND", "192.0.2.9:21"),
            (b"\x04\x09", "socks4", "socks_command_not_supported", b"\x00\x5b\0\0\0\0\0\0", "0x09", None),
        ):  # fmt: skip
            client = self.ask(octets)
            self.assertEqual(bytes(client.received), said)
            rejection = self.board.rejections[-1]
            self.assertEqual((rejection[0].kind, rejection[3:]), (kind, (protocol, 1000.0, method, target)))
            self.assertOver(client)
        self.assertEqual((len(self.board.rejections), self.board.placed), (5, []))

    def test_afterHalfClose(self) -> None:
        """
        A client that has ended its stream is closed with its refusal.
        """
        client = self.ask(HELLO + ASKED)
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.board.placed[0].refuse(Refusal("dns_error"))
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"\x05\x00" + reply("dns_error"))
        self.assertEqual(self.board.closed, 1)
        self.assertOver(client)

    def test_floodBehind(self) -> None:
        """
        Who goes on sending behind a refusal is cut off.
        """
        client = self.ask(HELLO + ASKED)
        self.board.placed[0].refuse(Refusal("dns_error"))
        self.send(client, bytes(LINGER_OCTETS))
        self.assertEqual(self.board.closed, 0)
        self.send(client, bytes(65536))
        self.assertEqual(self.board.closed, 1)
        self.assertOver(client)

    def test_stays(self) -> None:
        """
        Who does not close is closed in time; who does not even read its answer is cut off.
        Conformance 72.
        """
        client = self.connect(capacity=4)
        self.send(client, b"\x05")
        client.transport.pauseProducing()
        for octet in HELLO[1:] + ASKED:
            self.send(client, bytes((octet,)))
        self.board.placed[0].refuse(Refusal("dns_error"))
        self.reactor.advance(LINGER_TIMEOUT + GRAIN)
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertIsNot(client.lost, None)

    def test_TLS(self) -> None:
        """
        TLS has no half-close: the closing is asked for at once, and a client that takes too
        long for it is cut off.
        """
        client = self.ask(HELLO + ASKED)
        inbound = self.board.placed[0]
        calls: list[str] = []
        alsoProvides(inbound.transport, ISSLTransport)
        for name in ("loseConnection", "abortConnection", "loseWriteConnection"):
            self.patch(inbound.transport, name, lambda name=name: calls.append(name))
        inbound.refuse(Refusal("dns_error"))
        self.reactor.advance(LINGER_TIMEOUT + GRAIN)
        self.assertEqual(calls, ["loseConnection", "abortConnection"])
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.board.closed, 1)


class DeadlineTests(ListenerCase):
    """
    The time that a request may take, and all that comes before it.
    """

    def test_unfinished(self) -> None:
        """
        There is one deadline for all of it, and no octet prolongs it.
        """
        for octets, said, method in (
            (b"\x05", b"\x05\xff", None),
            (b"\x05\x01\x02\x01", b"\x05\x02\x01\x01", None),
            (HELLO + ASKED[:-1], b"\x05\x00" + reply("http_request_timeout"), "CONNECT"),
            (b"\x04\x01\x01", b"\x00\x5b\0\0\0\0\0\0", "CONNECT"),
        ):
            began = self.reactor.seconds()
            client = self.ask(octets[:1])
            self.reactor.advance(HEAD_TIMEOUT - 1.0)
            if octets[1:]:
                self.send(client, octets[1:])
            self.assertFalse(client.ended)
            self.reactor.advance(1.0 + GRAIN)
            self.reactor.flush()
            self.assertEqual((bytes(client.received), client.ended), (said, True))
            refusal, *_, arrived, named, _ = self.board.rejections[-1]
            self.assertEqual((refusal.kind, arrived, named), ("http_request_timeout", began, method))
            self.assertIn("after 30 s", refusal.detail)

    def test_silent(self) -> None:
        """
        Who has said nothing is told nothing, and it is no event.
        """
        client = self.connect()
        self.reactor.advance(HEAD_TIMEOUT + GRAIN)
        self.reactor.flush()
        self.assertEqual((bytes(client.received), client.ended), (b"", True))
        self.assertEqual((self.board.rejections, len(self.board.wheel)), ([], 0))

    def test_placed(self) -> None:
        """
        With the whole request its deadline is gone.
        """
        self.ask(HELLO)
        self.assertEqual(len(self.board.wheel), 1)
        self.ask(HELLO + ASKED)
        self.assertEqual(len(self.board.wheel), 1)


class GoneTests(ListenerCase):
    """
    Clients that go away.
    """

    def test_inTheMiddle(self) -> None:
        """
        One that goes in the middle was not refused: that is what is recorded, once.
        """
        for way in ("loseConnection", "abortConnection", "loseWriteConnection"):
            for octets, method in ((b"\x05", None), (HELLO + ASKED[:-1], "CONNECT")):
                client = self.ask(octets)
                getattr(client.transport, way)()
                self.reactor.flush()
                (rejection,) = self.board.rejections
                self.assertEqual((rejection[0], rejection[5]), (None, method))
                self.board.rejections.clear()
        self.assertEqual((self.board.opened, self.board.closed), (6, 6))
        self.assertEqual((len(self.board.wheel), self.port.factory.reading), (0, set()))

    def test_silently(self) -> None:
        """
        One that has said nothing is no event.
        """
        self.connect().transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((self.board.rejections, self.board.closed), ([], 1))

    def test_descriptor(self) -> None:
        """
        A connection is told with the number of its descriptor, or -1 where it has none.
        """
        told: list[int] = []
        self.board.connectionOpened = told.append
        self.connect()
        protocol = self.port.factory.buildProtocol(None)
        protocol.makeConnection(object())
        self.assertEqual(told[1], -1)
        self.assertGreater(told[0], 0)
