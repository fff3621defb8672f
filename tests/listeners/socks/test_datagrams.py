"""
Tests for L{connectproxy.listeners.socks.datagrams}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from zope.interface.verify import verifyObject

from connectproxy.datagrams import DirectDatagrams
from connectproxy.interfaces.datagrams import IInboundDatagrams
from connectproxy.listeners.socks.connection import LINGER_OCTETS
from connectproxy.names import Names
from connectproxy.wire.socks import Command, formatDatagram, formatRequest5
from tests.datagrams.network import FakeUDP, Network
from tests.datagrams.test_flow import Judge
from tests.fakes import SETTINGS, Peer, makeSwitchboard
from tests.listeners.socks.test_port import HELLO, ListenerCase

CLIENT = "192.0.2.7"


def associate(port: int = 0, host: str = "0.0.0.0") -> bytes:
    """
    What a client sends to ask for an association.
    """
    return HELLO + formatRequest5(host, port, Command.ASSOCIATE)


class DatagramCase(ListenerCase):
    """
    A listener, and datagrams on a fake network.
    """

    def setUp(self) -> None:
        """
        Have a way into the world.
        """
        ListenerCase.setUp(self)
        self.network = Network()
        self.judge = Judge()
        self.way = DirectDatagrams(
            self.reactor, lambda request, address: None, Names(self.reactor), self.network.socket
        )

    def inbound(self, octets: bytes = associate()) -> Any:
        """
        What the switchboard gets of a client's request.
        """
        self.client = self.ask(octets)
        return self.associated[-1]

    def accept(self, octets: bytes = associate()) -> Any:
        """
        Have a client's request accepted.

        @return: the flow; C{self.udp} is the socket that the client is to send to.
        """
        inbound = self.inbound(octets)
        self.flow = self.way.open(inbound.request, inbound, self.judge)
        self.assertIs(inbound.accept(self.flow), None)
        self.reactor.flush()
        self.udp: FakeUDP = self.network.sockets[-1]
        return inbound

    def say(self, octets: bytes, host: str = CLIENT, port: int = 5000) -> None:
        """
        Have a datagram arrive at the client's side.
        """
        self.udp.inbox.append((octets, (host, port)))
        self.reactor.flush()

    def datagram(self, payload: bytes = b"x", port: int = 53) -> bytes:
        """
        A datagram for the world.
        """
        return formatDatagram("198.51.100.1", port, payload)

    @property
    def sent(self) -> list[tuple[tuple[str, int], bytes]]:
        """What has been sent since the last time."""
        return self.network.take()


class AcceptTests(DatagramCase):
    """
    From the request to the answer.
    """

    def test_request(self) -> None:
        """
        The request has its own method, and says what the client named; conformance 73.
        """
        inbound = self.inbound(associate(5000, "192.0.2.7"))
        self.assertTrue(verifyObject(IInboundDatagrams, inbound))
        request = inbound.request
        self.assertEqual((request.method, request.protocol), ("UDP ASSOCIATE", "socks5"))
        self.assertEqual(str(request.destination), "192.0.2.7:5000")
        self.assertEqual(self.board.placed, [])

    def test_answer(self) -> None:
        """
        The answer names the address that the client has reached, and the port to send to;
        the connection stays.  Conformance 72.
        """
        self.accept()
        self.assertEqual(self.udp.bound[0], "192.0.2.1")
        port = self.udp.bound[1].to_bytes(2, "big")
        self.assertEqual(bytes(self.client.received), b"\x05\x00\x05\x00\x00\x01\xc0\x00\x02\x01" + port)
        self.assertFalse(self.client.ended)
        self.assertEqual(len(self.board.wheel), 0)

    def test_noAddress(self) -> None:
        """
        Where there is no IP address to be bound there are no datagrams: the client is told
        so, and connected to no other family.  Conformance 72.
        """
        for here, there in (
            (UNIXAddress(b"/x"), IPv4Address("TCP", CLIENT, 1)),
            (IPv4Address("TCP", "192.0.2.1", 1), UNIXAddress(None)),
            (IPv4Address("TCP", "192.0.2.1", 1), IPv6Address("TCP", "2001:db8::7", 1)),
            (IPv4Address("TCP", "not an address", 1), IPv4Address("TCP", CLIENT, 1)),
        ):
            inbound = self.inbound()
            inbound.request = inbound.request._replace(client=there)
            self.patch(inbound._connection.transport, "getHost", lambda here=here: here)
            refusal = inbound.accept(self.way.open(inbound.request, inbound, self.judge))
            self.reactor.flush()
            self.assertEqual(refusal.kind, "socks_command_not_supported")
            self.assertEqual(bytes(self.client.received)[2:4], b"\x05\x07")
            self.assertTrue(self.client.ended)
            self.assertEqual(self.network.sockets, [])

    def test_mapped(self) -> None:
        """
        IPv4 that came in at a socket of IPv6 is IPv4; a scope is not a part of an address.
        """
        for host, bound in (("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1")):
            inbound = self.inbound()
            client = "fe80::7%eth0" if "%" in host else f"::ffff:{CLIENT}"
            inbound.request = inbound.request._replace(client=IPv6Address("TCP", client, 1))
            self.patch(
                inbound._connection.transport, "getHost", lambda host=host: IPv6Address("TCP", host, 1)
            )
            self.assertIs(inbound.accept(self.way.open(inbound.request, inbound, self.judge)), None)
            self.assertEqual(self.network.sockets[-1].bound[0], bound)

    def test_noSocket(self) -> None:
        """
        Where none can be opened, the client is told, and so is whoever asks.
        """
        for number, kind in (
            (errno.EMFILE, "proxy_exhausted"),
            (errno.EADDRNOTAVAIL, "proxy_internal_error"),
        ):
            inbound = self.inbound()
            self.network.failing["bind"] = number
            refusal = inbound.accept(self.way.open(inbound.request, inbound, self.judge))
            self.reactor.flush()
            self.assertEqual(refusal.kind, kind)
            self.assertEqual(bytes(self.client.received)[2:4], b"\x05\x01")
            self.assertTrue(self.client.ended)

    def test_early(self) -> None:
        """
        What a client sends behind its request by TCP has no meaning; it does not stop the
        end from being seen.
        """
        lost: list[str] = []
        inbound = self.accept(associate() + b"nonsense")
        inbound.whenLost(lambda: lost.append("lost"))
        self.send(self.client, b"more")
        self.assertEqual(lost, [])
        self.client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((lost, self.board.closed), (["lost"], 1))


class RelayTests(DatagramCase):
    """
    Datagrams in both directions.
    """

    def test_both(self) -> None:
        """
        A datagram goes out without its header, and the answer comes back with one.
        Conformance 73.
        """
        self.accept()
        self.say(self.datagram(b"question"))
        self.assertEqual(self.sent, [(("198.51.100.1", 53), b"question")])
        world = self.network.sockets[-1]
        world.inbox.append((b"answer", ("198.51.100.1", 53)))
        self.reactor.flush()
        self.assertEqual(self.sent, [((CLIENT, 5000), self.datagram(b"answer"))])
        self.assertEqual((self.flow.bytesUp, self.flow.bytesDown, self.flow.dropped), (8, 6, {}))

    def test_strangers(self) -> None:
        """
        What comes from another address is dropped, before and after the client's first one,
        and fixes nothing; from another port of the client's as well, once its port is known.
        Conformance 73.
        """
        self.accept()
        self.say(self.datagram(), "192.0.2.8")
        self.say(self.datagram(), CLIENT)
        self.say(self.datagram(), "192.0.2.8")
        self.say(self.datagram(), CLIENT, 5001)
        self.assertEqual(len(self.sent), 1)
        self.assertEqual(self.flow.dropped, {"from somebody else": 3})
        self.assertEqual(self.udp.connected, (CLIENT, 5000))

    def test_namedPort(self) -> None:
        """
        A client that named its port is held to it from the beginning; the address that it
        names is not believed.
        """
        self.accept(associate(5002, "203.0.113.1"))
        self.assertEqual(self.udp.connected, (CLIENT, 5002))
        self.say(self.datagram(), CLIENT, 5000)
        self.say(self.datagram(), "203.0.113.1", 5002)
        self.say(self.datagram(b"y"), CLIENT, 5002)
        self.assertEqual([octets for _, octets in self.sent], [b"y"])

    def test_malformed(self) -> None:
        """
        Fragments and what is no datagram are dropped, and do not fix the client's port.
        Conformance 73.
        """
        self.accept()
        for octets in (b"", b"\0\0", b"\0\0\0", self.datagram()[:9], b"\0\0\0\x03\x00\x00\x35x"):
            self.say(octets)
        self.say(b"\0\0\x01" + self.datagram()[3:])
        self.say(b"\0\0\x81" + self.datagram()[3:])
        self.assertEqual(self.flow.dropped, {"malformed": 5, "fragments": 2})
        self.assertEqual((self.sent, self.udp.connected), ([], None))
        self.say(self.datagram(), CLIENT, 5009)
        self.assertEqual(len(self.sent), 1)

    def test_reserved(self) -> None:
        """
        RSV is not looked at.
        """
        self.accept()
        self.say(b"\xff\xff" + self.datagram()[2:])
        self.assertEqual(len(self.sent), 1)

    def test_noRoom(self) -> None:
        """
        What the client's side can't take at once is dropped.
        """
        self.accept()
        self.say(self.datagram())
        self.udp.failing[""] = errno.EAGAIN
        self.network.sockets[-1].inbox.append((b"answer", ("198.51.100.1", 53)))
        self.reactor.flush()
        self.assertEqual((self.flow.bytesDown, self.flow.dropped), (0, {"for which there was no room": 1}))


class EndTests(DatagramCase):
    """
    How an association ends, with the real switchboard.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        DatagramCase.setUp(self)
        self.board = makeSwitchboard(self.reactor)
        self.board.datagrams = self.way
        self.successResultOf(self.listenAgain())

    def listenAgain(self) -> Any:
        """
        Listen with the real switchboard.
        """
        from connectproxy.listeners.socks import kind

        opening = kind.listen(self.reactor, "tcp:1081:interface=192.0.2.1", {}, self.board)
        self.port = self.reactor.ports[-1]
        return opening

    def begin(self) -> Peer:
        """
        Have an association.
        """
        client = self.ask(associate())
        self.udp = self.network.sockets[-1]
        self.assertEqual((len(client.received), len(self.board.associations)), (12, 1))
        return client

    def assertOver(self, client: Peer, end: str, endedBy: str) -> None:
        """
        All of it has ended, both ways.
        """
        self.reactor.flush()
        (event,) = self.board.ledger.events
        self.assertEqual((event["end"], event["ended_by"]), (end, endedBy))
        self.assertEqual(self.board.associations, set())
        self.assertTrue(all(each.closed for each in self.network.sockets))
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.board.admission.connections, 0)
        self.assertEqual((self.reactor.getReaders(), len(self.board.wheel)), ([], 0))

    def test_clientEnds(self) -> None:
        """
        It ends with its TCP connection, in whatever way that goes; conformance 73.
        """
        for way in ("loseConnection", "abortConnection", "loseWriteConnection"):
            client = self.begin()
            self.say(self.datagram())
            getattr(client.transport, way)()
            self.assertOver(client, "eof", "client")
            self.board.ledger.events.clear()

    def test_idle(self) -> None:
        """
        When nothing is passed on for long, the client's connection is closed as well.
        """
        client = self.begin()
        self.reactor.advance(SETTINGS["timeouts.idle"] + 1.0)
        self.reactor.flush()
        self.assertTrue(client.ended)
        self.assertOver(client, "idle_timeout", "proxy")

    def test_idleAndStays(self) -> None:
        """
        A client that does not close then is no matter: nothing waits for it.
        """
        client = self.begin()
        self.board.abort("drain_timeout")
        self.reactor.advance(SETTINGS["timeouts.linger"] + 1.0)
        self.assertOver(client, "drain_timeout", "proxy")

    def test_socketLost(self) -> None:
        """
        Without its socket the connection has no meaning: it is closed.
        """
        client = self.begin()
        reader = next(each for each in self.reactor.getReaders() if hasattr(each, "host"))
        reader.connectionLost(None)
        self.assertOver(client, "aborted", "proxy")
        self.assertTrue(client.ended)

    def test_endedBefore(self) -> None:
        """
        A client that has ended its stream by the time of its answer is gone.
        """
        placed: list[Any] = []
        self.patch(self.board, "associate", placed.append)
        client = self.ask(associate())
        client.transport.loseWriteConnection()
        self.reactor.flush()
        del self.board.associate
        self.board.associate(placed[0])
        self.assertOver(client, "eof", "client")

    def test_flood(self) -> None:
        """
        A client that sends without end by TCP is cut off.
        """
        client = self.begin()
        self.send(client, bytes(LINGER_OCTETS + 65536))
        self.assertIsNot(client.lost, None)
        self.assertOver(client, "eof", "client")

    def test_refused(self) -> None:
        """
        A refusal is answered like any other.
        """
        self.board.draining = True
        client = self.ask(associate())
        self.assertEqual(bytes(client.received)[2:4], b"\x05\x01")
        self.assertEqual(self.network.sockets, [])
        self.assertOver(client, "refused", "proxy")
