"""
Tests for L{connectproxy.listeners.auto.reception}: the PROXY header before everything else
(conformance 78).
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from connectproxy.listeners.auto.reception import MOST_TLVS
from connectproxy.wheel import GRAIN
from connectproxy.wire.proxyheader import SIGNATURE
from connectproxy.wire.proxyheader.tlv import formatTLVs
from tests.fakes import SETTINGS, addressOf
from tests.listeners.auto.autocase import HEAD, PREFACE, SENDER, AutoCase
from tests.listeners.auto.tlspeer import TLSPeer

TIMEOUT = SETTINGS["timeouts.handshake"]
HEAD_TIMEOUT = SETTINGS["timeouts.head"]
LINGER = SETTINGS["timeouts.linger"]

LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 8080\r\n"
BLOCK = SIGNATURE + b"\x21\x11\x00\x0c" + bytes((203, 0, 113, 9, 198, 51, 100, 1)) + b"\x12\x67\x1f\x90"
CLIENT = addressOf("203.0.113.9", 4711)


class HeaderCase(AutoCase):
    """
    A port with a sender.
    """

    senders = "10.0.0.0/24, 2001:db8::/32"

    def make(self, **others: Any) -> None:
        """
        Make another port, on which headers are demanded.
        """
        AutoCase.make(self, **{"senders": self.senders, **others})

    def connect(self, peer: Any = None, first: bytes = b"", **others: Any) -> Any:
        """
        Have a sender connect.
        """
        return AutoCase.connect(self, peer, first, **{"host": SENDER, **others})


class HeaderTests(HeaderCase):
    """
    A header from those who must send one.
    """

    def test_client(self) -> None:
        """
        The client is the one that the header names, for all that comes after, and the
        event will know who said so.
        """
        for header in (LINE, BLOCK):
            self.make()
            self.connect(first=header + HEAD)
            arrival = self.assertTaken("http/1.1", HEAD).arrival
            self.assertEqual((arrival.client, arrival.sender), (CLIENT, addressOf(SENDER, 51000)))

    def test_version6(self) -> None:
        """
        So with IPv6; a mapped address is the IPv4 address that it is.
        """
        for address, expected in (
            ("2001:db8::9", addressOf("2001:db8::9", 4711)),
            ("::ffff:203.0.113.9", CLIENT),
        ):
            self.make()
            self.connect(first=b"PROXY TCP6 %b 2001:db8::1 4711 8080\r\n" % address.encode() + HEAD)
            self.assertEqual(self.assertTaken("http/1.1", HEAD).arrival.client, expected)

    def test_unnamed(self) -> None:
        """
        Where the header names nobody the sender itself is the client (conformance 78).
        """
        for header in (
            b"PROXY UNKNOWN\r\n",
            SIGNATURE + b"\x20\x00\x00\x00",
            SIGNATURE + b"\x21\x00\x00\x00",
        ):
            self.make()
            self.connect(first=header + HEAD)
            arrival = self.assertTaken("http/1.1", HEAD).arrival
            self.assertEqual(arrival.client, addressOf(SENDER, 51000))
            self.assertEqual(arrival.sender, arrival.client)

    def test_tlvs(self) -> None:
        """
        What else the header says of the client goes with the connection, the first of it if
        there is much; without any there is none.
        """
        few = ((0xE0, b"tenant"), (0x05, b"unique"))
        many = tuple((0xE0 + at % 16, b"%d" % at) for at in range(MOST_TLVS + 1))
        for tlvs, kept in ((few, few), (many, many[:MOST_TLVS]), ((), ())):
            behind = BLOCK[16:] + formatTLVs(tlvs)
            self.make()
            self.connect(first=BLOCK[:14] + len(behind).to_bytes(2) + behind + HEAD)
            arrival = self.assertTaken("http/1.1", HEAD).arrival
            self.assertEqual((arrival.tlvs, arrival.client), (kept, CLIENT))
        self.make()
        self.connect(first=LINE + HEAD)
        self.assertEqual(self.assertTaken("http/1.1", HEAD).arrival.tlvs, ())

    def test_tlvsAlone(self) -> None:
        """
        They count where the header names nobody's address, as with a UNIX socket.
        """
        behind = bytes(216) + formatTLVs(((0xE0, b"tenant"),))
        self.connect(first=SIGNATURE + b"\x21\x31" + len(behind).to_bytes(2) + behind + HEAD)
        arrival = self.assertTaken("http/1.1", HEAD).arrival
        self.assertEqual((arrival.tlvs, arrival.client.host), (((0xE0, b"tenant"),), SENDER))

    def test_tlvsWithinTLS(self) -> None:
        """
        They are known behind TLS, as everything else that the header says.
        """
        self.make(tls=True, authentication="optional", name="office")
        behind = BLOCK[16:] + formatTLVs(((0xE0, b"tenant"),))
        peer = self.connect(TLSPeer(), first=BLOCK[:14] + len(behind).to_bytes(2) + behind)
        peer.begin()
        self.reactor.flush()
        peer.say(HEAD)
        self.reactor.flush()
        arrival = self.assertTaken("http/1.1", HEAD).arrival
        self.assertEqual((arrival.tlvs, arrival.client), (((0xE0, b"tenant"),), CLIENT))
        self.assertEqual((arrival.authentication, arrival.listener), ("optional", "office"))
        self.assertIsNotNone(arrival.tls)

    def test_everySplit(self) -> None:
        """
        Where header and what comes behind it are cut makes no difference (conformance 78).
        """
        for header in (LINE, BLOCK):
            for behind, protocol in ((HEAD[:20], "http/1.1"), (b"\x05\x01\x00", "socks5"), (PREFACE, "h2")):
                whole = header + behind
                for cut in range(1, len(whole)):
                    for accepted in (True, False):
                        self.make()
                        first = whole[:cut] if accepted else b""
                        client = self.connect(first=first)
                        self.send(client, *((whole[cut:],) if accepted else (whole[:cut], whole[cut:])))
                        self.assertEqual(self.assertTaken(protocol, behind).arrival.client, CLIENT)

    def test_byteByByte(self) -> None:
        """
        Nor do single octets.
        """
        for header in (LINE, BLOCK):
            self.make()
            client = self.connect()
            self.send(client, *(bytes([octet]) for octet in header + PREFACE))
            self.assertEqual(self.assertTaken("h2", PREFACE).arrival.client, CLIENT)

    def test_others(self) -> None:
        """
        Who is not listed sends none, and is who it is.
        """
        self.connect(first=HEAD, host="10.0.1.1")
        arrival = self.assertTaken("http/1.1", HEAD).arrival
        self.assertEqual((arrival.client, arrival.sender), (addressOf("10.0.1.1", 51000), None))

    def test_whoIsListed(self) -> None:
        """
        Senders are told by their address in whatever form the system has it: mapped into
        IPv6, or with a zone.
        """
        for host, listed in (
            ("10.0.0.255", True),
            ("::ffff:10.0.0.1", True),
            ("2001:db8:ffff::1", True),
            ("2001:db8::1%eth0", True),
            ("::ffff:10.0.1.1", False),
            ("::10.0.0.1", False),
            ("2001:db9::1", False),
        ):
            self.assertEqual(self.factory.expectsHeader(addressOf(host, 1)), listed, host)

    def test_twice(self) -> None:
        """
        A second header is not believed: the first one's sender has said who the client is.
        """
        client = self.connect(first=LINE + LINE + HEAD)
        self.assertRejected("proxy_header_error", "only once", protocol="proxy")
        ((_, told, *_),) = self.board.rejections
        self.assertEqual(told, CLIENT)
        self.assertClosed(client)

    def test_missing(self) -> None:
        """
        Who must send one and does not is closed, without an answer (conformance 78).
        """
        for octets in (HEAD, b"\x05\x01\x00", b"\x16\x03\x01", b"\r\n\r\nGET"):
            self.make()
            client = self.connect(first=octets)
            self.assertRejected("proxy_header_error", protocol="proxy")
            self.assertEqual(bytes(client.received), b"")
            self.assertClosed(client)

    def test_malformed(self) -> None:
        """
        So is one that sends a wrong one, and nothing behind it is read.
        """
        for octets in (
            LINE.replace(b"4711", b"0x1"),
            LINE.replace(b"\r\n", b"\n"),
            BLOCK[:12] + b"\x31" + BLOCK[13:],
        ):
            self.make()
            client = self.connect(first=octets + HEAD)
            self.assertRejected("proxy_header_error", protocol="proxy")
            self.assertClosed(client)

    def test_strangeBehind(self) -> None:
        """
        What is strange behind a header is told of with the client that the header names.
        """
        client = self.connect(first=LINE + b"\xff")
        self.assertRejected("protocol_not_served")
        self.assertEqual(self.board.rejections[0][1], CLIENT)
        self.assertClosed(client)

    def test_tls(self) -> None:
        """
        Behind the header may come TLS, in the same segment or cut anywhere.
        """
        for header in (LINE, BLOCK):
            for cut in (len(header) - 1, len(header), len(header) + 1, 300, 0):
                self.make(tls=True)
                peer = TLSPeer()
                whole = header + peer.hello()
                client = self.connect(peer, first=whole[:cut])
                self.send(client, whole[cut:])
                self.assertTrue(peer.handshaken)
                peer.say(HEAD)
                self.reactor.flush()
                arrival = self.assertTaken("http/1.1", HEAD).arrival
                self.assertEqual((arrival.client, arrival.tls), (CLIENT, "TLSv1.3"))
                self.assertEqual(arrival.sender, addressOf(SENDER, 51000))

    def test_withinTLS(self) -> None:
        """
        Within TLS no header is taken, whoever sends it: there it would be the client's own.
        """
        peer = TLSPeer(first=LINE)
        self.make(tls=True)
        self.secure(peer)
        peer.say(LINE + HEAD)
        self.reactor.flush()
        self.assertRejected("proxy_header_error", protocol="proxy")
        peer.transport.loseConnection()
        self.reactor.flush()
        self.assertBalanced()

    def test_nothingIsRetained(self) -> None:
        """
        Nothing keeps what read the header.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        client = self.connect()
        (reception,) = self.factory.undecided
        watched = weakref.ref(reception)
        del reception
        self.send(client, LINE[:10], LINE[10:] + HEAD)
        self.assertIsNone(watched())


class HeaderDeadlineTests(HeaderCase):
    """
    A sender that takes its time, or goes away.
    """

    def test_slow(self) -> None:
        """
        A header that is not there in time is told of, whatever there was of it; it has the
        time that a handshake has (conformance 78).
        """
        for octets in (b"", LINE[:-1], BLOCK[:1]):
            self.make()
            client = self.connect(first=octets)
            self.reactor.advance(TIMEOUT - 0.01)
            self.assertEqual(self.board.rejections, [])
            self.reactor.advance(2 * GRAIN)
            self.assertRejected(
                "proxy_header_error", f"no whole PROXY header after {TIMEOUT:g} s", protocol="proxy"
            )
            self.assertEqual(self.factory.undecided, set())
            self.assertClosed(client)

    def test_dripping(self) -> None:
        """
        Octets that drip don't move the deadline.
        """
        client = self.connect()
        for octet in LINE[:8]:
            self.send(client, bytes([octet]))
            self.reactor.advance(TIMEOUT / 10)
        self.assertEqual(self.board.rejections, [])
        self.reactor.advance(TIMEOUT / 5 + 2 * GRAIN)
        self.assertRejected("proxy_header_error", protocol="proxy")
        self.assertClosed(client)

    def test_nextDeadline(self) -> None:
        """
        Behind the header the client has the time for its head.
        """
        for behind in (b"", b"P"):
            self.make()
            client = self.connect()
            self.reactor.advance(TIMEOUT - 1)
            self.send(client, LINE + behind)
            self.reactor.advance(HEAD_TIMEOUT - 0.01)
            self.assertEqual(self.board.rejections, [])
            self.assertFalse(client.ended)
            self.reactor.advance(2 * GRAIN)
            self.assertEqual(len(self.board.rejections), len(behind))
            self.assertClosed(client)

    def test_gone(self) -> None:
        """
        A sender that only looks whether the port is open leaves no event; one that goes in
        the midst of a header does; one that goes behind a whole one has asked nothing.
        """
        for octets, events in ((b"", 0), (LINE[:5], 1), (LINE, 0), (LINE + b"P", 1)):
            for abort in (True, False):
                self.make()
                client = self.connect()
                self.send(client, octets)
                (client.transport.abortConnection if abort else client.transport.loseConnection)()
                self.reactor.flush()
                self.assertEqual([each[0] for each in self.board.rejections], [None] * events)
                self.assertBalanced()

    def test_stop(self) -> None:
        """
        When the port is closed whoever has not sent its header is closed without an event.
        """
        for octets in (b"", LINE[:5], LINE):
            self.make()
            client = self.connect(first=octets)
            self.port.stopListening()
            self.assertClosed(client)
            self.assertEqual(self.board.rejections, [])
