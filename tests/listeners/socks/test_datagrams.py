"""
Tests for L{connectproxy.listeners.socks.datagrams}.
"""

from __future__ import annotations

import errno
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from zope.interface.verify import verifyObject

from connectproxy.datagrams import DirectDatagrams
from connectproxy.errors import KINDS
from connectproxy.interfaces.datagrams import IInboundDatagrams
from connectproxy.names import Names
from connectproxy.wire.socks import Command, formatDatagram, formatRequest5
from tests.datagrams.network import FakeUDP, Network
from tests.datagrams.test_flow import Judge
from tests.listeners.socks.test_port import HELLO, ListenerCase

CLIENT = "192.0.2.7"

MUTANTS = st.one_of(
    st.binary(max_size=30),
    st.builds(
        lambda octets, where, instead: octets[:where] + instead + octets[where + len(instead) :],
        st.sampled_from(
            [formatDatagram(host, 53, b"payload") for host in ("198.51.100.1", "2001:db8::1", "a.example")]
        ),
        st.integers(0, 30),
        st.binary(max_size=2),
    ),
)
"""Datagrams of all kinds."""


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
        return self.board.associated[-1]

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
        IPv4 that came in at a socket of IPv6 is IPv4; a link-local address keeps its scope,
        without which nothing can be bound to it.
        """
        for host, bound in (("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1%eth0")):
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
            (errno.EADDRNOTAVAIL, "socks_command_not_supported"),
        ):
            inbound = self.inbound()
            self.network.failing["bind"] = number
            refusal = inbound.accept(self.way.open(inbound.request, inbound, self.judge))
            self.reactor.flush()
            self.assertEqual(refusal.kind, kind)
            self.assertEqual(bytes(self.client.received)[2:4], b"\x05%c" % KINDS[kind].socks5)
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


class MutantTests(DatagramCase):
    """
    Whatever comes.
    """

    @settings(max_examples=200)
    @given(
        st.lists(st.tuples(MUTANTS, st.sampled_from((CLIENT, "192.0.2.8")), st.integers(1, 3)), max_size=8)
    )
    def test_mutants(self, datagrams: list[tuple[bytes, str, int]]) -> None:
        """
        Every datagram is sent or counted, and nothing is sent but payloads, to where their
        headers say.
        """
        self.accept()
        for octets, host, port in datagrams:
            self.udp.inbox.append((octets, (host, port)))
        self.reactor.flush()
        for lookup in self.reactor.nameResolver.pending:
            lookup.answer("198.51.100.9")
        sent = [(to, payload) for sock, to, payload in self.network.sent if sock is not self.udp]
        self.assertEqual(len(sent) + sum(self.flow.dropped.values()), len(datagrams), self.flow.dropped)
        payloads = [octets for octets, host, _ in datagrams if host == CLIENT]
        for to, payload in sent:
            self.assertTrue(any(octets.endswith(to[1].to_bytes(2, "big") + payload) for octets in payloads))
        self.client.transport.abortConnection()
        self.flow.close()
        self.network.sent.clear()
