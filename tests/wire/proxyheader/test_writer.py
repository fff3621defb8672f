"""
Tests of L{connectproxy.wire.proxyheader.writer}.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import canonical
from connectproxy.wire.proxyheader import (
    MOST_BEHIND,
    MOST_UNIQUE_ID,
    ProxyHeader,
    SocketAddress,
    TLVs,
    TLVType,
    Transport,
    formatBlock,
    formatLine,
)
from tests.wire.proxyheader.reading import (
    CLIENT,
    CLIENT6,
    IPV4,
    SERVER,
    SERVER6,
    block,
    examples,
    read,
)


class FormatTests(SynchronousTestCase):
    """
    What L{formatLine} and L{formatBlock} write.
    """

    def test_line(self) -> None:
        """Version 1, in the notation of its specification (conformance 78)."""
        for ends, octets in (
            ((), b"PROXY UNKNOWN\r\n"),
            ((CLIENT, None), b"PROXY UNKNOWN\r\n"),
            ((None, SERVER), b"PROXY UNKNOWN\r\n"),
            ((CLIENT, SERVER), b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
            ((CLIENT6, SERVER6), b"PROXY TCP6 2001:db8::1 2001:db8:1:2:3:4:5:6 56324 443\r\n"),
            ((CLIENT, SERVER6), b"PROXY TCP6 ::ffff:c000:201 2001:db8:1:2:3:4:5:6 56324 443\r\n"),
            ((CLIENT6, SERVER), b"PROXY TCP6 2001:db8::1 ::ffff:c633:6402 56324 443\r\n"),
        ):
            self.assertEqual(formatLine(*ends), octets)

    def test_block(self) -> None:
        """Version 2 (conformance 78)."""
        local = block(0, command=0x20)
        for ends in ((), (CLIENT, None), (None, SERVER)):
            self.assertEqual(formatBlock(*ends), local)
        self.assertEqual(formatBlock(CLIENT, SERVER), block(0x11, IPV4))
        self.assertEqual(formatBlock(CLIENT, SERVER, Transport.UDP), block(0x12, IPV4))
        tlvs = ((0xE0, b""), (TLVType.ALPN, b"h2"))
        octets = block(0x11, IPV4 + b"\xe0\0\0\x01\0\x02h2")
        self.assertEqual(formatBlock(CLIENT, SERVER, tlvs=tlvs), octets)

    def test_neitherZonesNorMappedAddresses(self) -> None:
        """One address has one notation, and a zone is of this machine only (conformance 78)."""
        mapped = SocketAddress(IPv6Address("::ffff:192.0.2.1"), CLIENT.port)
        zoned = SocketAddress(IPv6Address("fe80::1%eth0"), 1)
        self.assertEqual(formatLine(mapped, SERVER), formatLine(CLIENT, SERVER))
        self.assertEqual(formatBlock(mapped, SERVER), formatBlock(CLIENT, SERVER))
        self.assertEqual(formatLine(zoned, zoned), b"PROXY TCP6 fe80::1 fe80::1 1 1\r\n")
        self.assertIn(bytes.fromhex("fe80000000000000") + bytes(7) + b"\x01", formatBlock(zoned, zoned))

    def test_whatCouldNotBeReadIsNotWritten(self) -> None:
        """It is our bug, and raises (conformance 78)."""
        for port in (-1, 65536):
            wrong = SocketAddress(CLIENT.ip, port)
            for ends in ((wrong, SERVER), (SERVER, wrong)):
                self.assertRaises(ValueError, formatLine, *ends)
                self.assertRaises(ValueError, formatBlock, *ends)
        for transport in (Transport.UNSPECIFIED, Transport.UNIX_STREAM, Transport.UNIX_DATAGRAM):
            self.assertRaises(ValueError, formatBlock, CLIENT, SERVER, transport)
        room = MOST_BEHIND - len(IPV4) - 3
        for tlvs in (
            ((TLVType.CRC32C, bytes(4)),),
            ((TLVType.UNIQUE_ID, bytes(MOST_UNIQUE_ID + 1)),),
            ((TLVType.UNIQUE_ID, b"a"), (TLVType.UNIQUE_ID, b"a")),
            ((TLVType.SSL, b""),),
            ((0xE0, bytes(room + 1)),),
        ):
            self.assertRaises(ValueError, formatBlock, CLIENT, SERVER, tlvs=tlvs)
        self.assertEqual(len(formatBlock(CLIENT, SERVER, tlvs=((0xE0, bytes(room)),))), 16 + MOST_BEHIND)
        self.assertRaises(ValueError, formatBlock, CLIENT, SERVER, tlvs=((0xE0, bytes(room)),), checksum=True)
        self.assertRaises(ValueError, formatBlock, tlvs=((0xE0, b""),))
        self.assertRaises(ValueError, formatBlock, checksum=True)

    ends = st.builds(SocketAddress, st.ip_addresses().map(canonical), st.integers(0, 65535))
    kinds = st.integers(0, 255).filter(lambda kind: kind not in (3, 4, 5, 0x20))
    tlvs = st.lists(st.tuples(kinds, st.binary(max_size=40)), max_size=4).map(tuple)

    @examples
    @given(ends, ends)
    def test_linesAreReadBack(self, source: SocketAddress, destination: SocketAddress) -> None:
        """Whatever the addresses, they are read as they were given (conformance 78)."""
        octets = formatLine(source, destination)
        self.assertLessEqual(len(octets), 104)
        for pieces in ([octets + b"x"], [octets[at : at + 1] for at in range(len(octets))] + [b"x"]):
            expected = ProxyHeader(1, source, destination, Transport.TCP)
            self.assertEqual(read(pieces, {1}), (expected, b"x"))

    @examples
    @given(ends, ends, st.sampled_from([Transport.TCP, Transport.UDP]), tlvs, st.booleans())
    def test_blocksAreReadBack(
        self,
        source: SocketAddress,
        destination: SocketAddress,
        transport: Transport,
        tlvs: TLVs,
        checksum: bool,
    ) -> None:
        """So in version 2, with whatever else is said (conformance 78)."""
        octets = formatBlock(source, destination, transport, tlvs, checksum)
        expected = ProxyHeader(2, source, destination, transport, tlvs=tlvs)
        for pieces in ([octets + b"x"], [octets[at : at + 1] for at in range(len(octets))] + [b"x"]):
            self.assertEqual(read(pieces, {2}), (expected, b"x"))
