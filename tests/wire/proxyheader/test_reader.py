"""
Tests of L{connectproxy.wire.proxyheader.reader}: what is read.

What is refused is in L{tests.wire.proxyheader.test_reader_refused}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from connectproxy.errors import Refusal
from connectproxy.wire.proxyheader import (
    MOST_BEHIND,
    MOST_LINE,
    MOST_UNIQUE_ID,
    HeaderReader,
    ProxyHeader,
    SocketAddress,
    TLVs,
    TLVType,
    Transport,
    formatLine,
)
from tests.wire.proxyheader.reading import (
    BOTH,
    CLIENT,
    CLIENT6,
    IPV4,
    SERVER,
    SERVER6,
    Reading,
    block,
    read,
    tlv,
)


class LineTests(Reading):
    """
    What L{HeaderReader} takes of version 1.
    """

    def test_readsIPv4(self) -> None:
        """Two addresses and two ports (conformance 78)."""
        octets = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
        self.assertHeader(octets, ProxyHeader(1, CLIENT, SERVER, Transport.TCP))

    def test_readsIPv6(self) -> None:
        """In either case of letters, shortened or not (conformance 78)."""
        expected = ProxyHeader(1, CLIENT6, SERVER6, Transport.TCP)
        for source in (b"2001:db8::1", b"2001:DB8:0::1", b"2001:0db8:0000:0000:0000:0000:0000:0001"):
            self.assertHeader(
                b"PROXY TCP6 " + source + b" 2001:dB8:1:2:3:4:5:6 56324 443\r\n",
                expected,
            )

    def test_readsWhatIsAtTheEdges(self) -> None:
        """Every octet of an address from 0 to 255, and every port from 0 to 65535, are allowed (conformance 78)."""
        octets = b"PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n"
        ends = (
            SocketAddress(IPv4Address("255.255.255.255"), 0),
            SocketAddress(IPv4Address("0.0.0.0"), 65535),
        )
        self.assertHeader(octets, ProxyHeader(1, *ends, Transport.TCP))
        full = b":".join([b"ffff"] * 8)
        end = SocketAddress(IPv6Address(full.decode()), 65535)
        octets = b"PROXY TCP6 " + full + b" " + full + b" 65535 65535\r\n"
        self.assertEqual(len(octets), 104)
        self.assertHeader(octets, ProxyHeader(1, end, end, Transport.TCP))

    def test_readsMappedAddressesAsIPv4(self) -> None:
        """
        HAProxy maps IPv4 where the other end is IPv6, in dotted form: a rule for the
        client's network must see the IPv4 address (conformance 78).
        """
        expected = ProxyHeader(1, CLIENT, SERVER6, Transport.TCP)
        for source in (b"::ffff:192.0.2.1", b"::ffff:c000:201"):
            octets = b"PROXY TCP6 " + source + b" 2001:db8:1:2:3:4:5:6 56324 443\r\n"
            self.assertHeader(octets, expected)

    def test_unknown(self) -> None:
        """The socket's addresses hold, and what else is in the line is not looked at (conformance 78)."""
        rests = (b"", b" ", b" ffff::1 ffff::2 65535 65535", b"  1.2.3.4 \x00\xff\t", b" \xe9" * 45)
        for rest in rests:
            self.assertHeader(b"PROXY UNKNOWN" + rest + b"\r\n", ProxyHeader(1))
        self.assertIsNone(ProxyHeader(1).source)

    def test_longestLine(self) -> None:
        """107 octets are taken (conformance 78)."""
        octets = b"PROXY UNKNOWN ".ljust(MOST_LINE - 2, b"f") + b"\r\n"
        self.assertEqual(len(octets), 107)
        self.assertHeader(octets, ProxyHeader(1))


class BlockTests(Reading):
    """
    What L{HeaderReader} takes of version 2.
    """

    def test_readsIPv4(self) -> None:
        """TCP and UDP (conformance 78)."""
        self.assertHeader(block(0x11, IPV4), ProxyHeader(2, CLIENT, SERVER, Transport.TCP))
        self.assertHeader(block(0x12, IPV4), ProxyHeader(2, CLIENT, SERVER, Transport.UDP))

    def test_readsIPv6(self) -> None:
        """So on IPv6, where a mapped address is the IPv4 address (conformance 78)."""
        ports = b"\xdc\x04\x01\xbb"
        octets = CLIENT6.ip.packed + SERVER6.ip.packed + ports
        self.assertHeader(block(0x21, octets), ProxyHeader(2, CLIENT6, SERVER6, Transport.TCP))
        self.assertHeader(block(0x22, octets), ProxyHeader(2, CLIENT6, SERVER6, Transport.UDP))
        octets = bytes(10) + b"\xff\xff" + CLIENT.ip.packed + SERVER6.ip.packed + ports
        self.assertHeader(block(0x21, octets), ProxyHeader(2, CLIENT, SERVER6, Transport.TCP))

    def test_unix(self) -> None:
        """A path names no client: the socket's addresses hold, and the TLVs count (conformance 78)."""
        octets = b"/run/a".ljust(108, b"\0") + b"\0abstract".ljust(108, b"\0") + tlv(0xE0, b"x")
        tlvs = ((0xE0, b"x"),)
        self.assertHeader(block(0x31, octets), ProxyHeader(2, transport=Transport.UNIX_STREAM, tlvs=tlvs))
        self.assertHeader(block(0x32, octets), ProxyHeader(2, transport=Transport.UNIX_DATAGRAM, tlvs=tlvs))

    def test_local(self) -> None:
        """The socket's addresses hold, whatever follows, of whatever family (conformance 78)."""
        for kinds in (0x00, 0x11, 0x21, 0x31, 0xFF):
            for behind in (b"", b"\x03", IPV4, IPV4 + tlv(3, b"wrong"), bytes(300)):
                self.assertHeader(block(kinds, behind, 0x20), ProxyHeader(2, local=True))

    def test_unspecified(self) -> None:
        """So where the family or the protocol is unspecified: what follows is skipped (conformance 78)."""
        for kinds in (0x00, 0x01, 0x02, 0x10, 0x20, 0x30):
            for behind in (b"", b"\x03", IPV4, bytes(300)):
                self.assertHeader(block(kinds, behind), ProxyHeader(2))

    def test_longestBlock(self) -> None:
        """A length of 4096 is taken, and its octets waited for (conformance 78)."""
        padding = MOST_BEHIND - len(IPV4) - 3
        octets = block(0x11, IPV4 + tlv(0xE1, bytes(padding)))
        expected = ProxyHeader(2, CLIENT, SERVER, Transport.TCP, tlvs=((0xE1, bytes(padding)),))
        self.assertEqual(len(octets), 16 + 4096)
        for step in (1, 16, 1000, 4111, 4112, 5000):
            for behind in (b"", b"GET /", bytes(9000)):
                whole = octets + behind
                pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
                self.assertEqual(read(pieces), (expected, behind))
        self.assertIsNone(read([octets[:-1]])[0])

    def test_keepsTLVs(self) -> None:
        """
        In their order, repeated, empty, of unknown types, or out of place so that they mean
        nothing; padding is dropped (conformance 78).
        """
        tlvs: TLVs = (
            (0xE0, b"a"),
            (TLVType.AUTHORITY, b"a.example"),
            (0xFF, b""),
            (0xE0, b"b"),
            (0x00, b"\0"),
        )
        tlvs += ((TLVType.SSL_CN, b"a"), (TLVType.SSL_CN, b"\xff"))
        octets = b"".join(tlv(*each) + tlv(TLVType.NOOP, bytes(at)) for at, each in enumerate(tlvs))
        expected = ProxyHeader(2, CLIENT, SERVER, Transport.TCP, tlvs=tlvs)
        self.assertHeader(block(0x11, IPV4 + octets), expected)
        self.assertEqual(expected.value(0xE0), b"a")
        self.assertEqual(expected.value(TLVType.AUTHORITY), b"a.example")
        self.assertEqual(expected.value(TLVType.ALPN), b"")

    def test_uniqueID(self) -> None:
        """Opaque, up to 128 octets (conformance 78)."""
        for length in (0, 1, MOST_UNIQUE_ID):
            value = bytes(range(length))
            tlvs = ((TLVType.UNIQUE_ID, value),)
            octets = block(0x11, IPV4 + tlv(5, value))
            self.assertHeader(octets, ProxyHeader(2, CLIENT, SERVER, Transport.TCP, tlvs=tlvs))


class ReaderTests(Reading):
    """
    What else L{HeaderReader} is like.
    """

    def test_saysWhetherAnythingHasCome(self) -> None:
        """A connection that closes without an octet was a probe and no broken header; C{started} tells."""
        reader = HeaderReader({1})
        self.assertIsNone(reader.receive(b""))
        self.assertFalse(reader.started)
        self.assertIsNone(reader.receive(b"P"))
        self.assertTrue(reader.started)

    def test_isUsedUpByItsVerdict(self) -> None:
        """A second header is somebody else's octets: to feed them is our bug, and so it raises."""
        for octets in (formatLine(CLIENT, SERVER), b"\x05"):
            reader = HeaderReader(BOTH)
            self.assertIsNotNone(reader.receive(octets))
            self.assertRaises(RuntimeError, reader.receive, b"")
            self.assertRaises(RuntimeError, reader.receive, octets)

    def test_leavesNothingOverAfterARefusal(self) -> None:
        """What follows a refused header is never read (conformance 78)."""
        reader = HeaderReader(BOTH)
        self.assertIsInstance(reader.receive(b"PROXY TCP4 \n" + formatLine(CLIENT, SERVER)), Refusal)
        self.assertEqual(reader.leftover, b"")

    def test_versionsThatAreNone(self) -> None:
        """Which versions are taken has to be said: there is no default (conformance 78)."""
        for versions in ((), {0}, (1, 3), [2, 4]):
            self.assertRaises(ValueError, HeaderReader, versions)
