"""
Tests of L{connectproxy.wire.proxyheader.reader}: what it refuses, and what that costs.
"""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.proxyheader import (
    MOST_BEHIND,
    MOST_LINE,
    MOST_UNIQUE_ID,
    SIGNATURE,
    HeaderReader,
    TLVType,
    formatBlock,
    formatLine,
)
from tests.wire.proxyheader.reading import (
    BOTH,
    CLIENT,
    IPV4,
    SERVER,
    Reading,
    block,
    read,
    tlv,
)

FIRST = "this port expects a PROXY protocol header first"


class RefusedOpeningTests(Reading):
    """
    What does not begin as a header.
    """

    def test_everyFirstOctet(self) -> None:
        """All but two are refused at once, and called by their name where they have one (conformance 78)."""
        for octet in range(256):
            if octet not in b"P\r":
                self.assertRefusedAtOnce(bytes([octet]), f"octet 1 is {octet:#04x}")
        for octets, words in (
            (b"C", "octet 1 is 0x43, like an HTTP request; " + FIRST),
            (b"\x16", "octet 1 is 0x16, like a TLS handshake; " + FIRST),
            (b"\x05", "octet 1 is 0x05, like SOCKS 5; " + FIRST),
            (b"\x04", "octet 1 is 0x04, like SOCKS 4; " + FIRST),
            (b"\x00", "octet 1 is 0x00; " + FIRST),
        ):
            self.assertRefusedAtOnce(octets, words)

    def test_everyOctetOfAnOpening(self) -> None:
        """What goes on otherwise is refused where it does (conformance 78)."""
        for opening in (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", SIGNATURE):
            for at in range(1, len(opening)):
                # The second is something that nothing goes on with there.
                for wrong in (opening[at] ^ 0x20, 0xFF):
                    self.assertRefusedAtOnce(opening[:at] + bytes([wrong]), f"octet {at + 1} is {wrong:#04x}")

    def test_protocols(self) -> None:
        """TCP4, TCP6 or UNKNOWN, in capitals, with one space on either side (conformance 78)."""
        words = "behind PROXY stands TCP4, TCP6 or UNKNOWN, with one space on either side"
        for line in (
            b"PROXY  ", b"PROXY TCP5", b"PROXY TCP ", b"PROXY TCP4\r", b"PROXY TCP4\t", b"PROXY UDP4", b"PROXY tcp4",
            b"PROXY UNKNOWNS", b"PROXY UNKNOWN\n", b"PROXY UNKNOWN\r\r", b"PROXY \r",
        ):  # fmt: skip
            end = next(at for at in range(7, len(line) + 1) if isinstance(read([line[:at]])[0], Refusal))
            self.assertRefusedAtOnce(line[:end], words)

    def test_versionsThatAreNotTaken(self) -> None:
        """A version that was not asked for is refused by its first octet, and named (conformance 78)."""
        words = "octet 1 is 0x50, as in version 1 of the PROXY protocol; this port takes version 2"
        self.assertRefusedAtOnce(b"P", words, {2})
        self.assertRefused(formatLine(CLIENT, SERVER), words, {2})
        words = "octet 1 is 0x0d, as in version 2 of the PROXY protocol; this port takes version 1"
        self.assertRefusedAtOnce(b"\r", words, {1})
        self.assertRefused(formatBlock(CLIENT, SERVER), words, {1})


class RefusedLineTests(Reading):
    """
    What L{HeaderReader} refuses of version 1.
    """

    def test_octetsThatNoLineHas(self) -> None:
        """They are refused as they come, before the line is whole (conformance 78)."""
        for line, octets in (
            (b"PROXY TCP4 1.2.3", b":aA-+\t\x00\xff\n\x0b%"),
            (b"PROXY TCP6 ::1", b"gG-+\t\x00\xff\n\x0b%[]/"),
            (b"PROXY UNKNOWN x", b"\n"),
        ):
            for octet in octets:
                words = f"octet {len(line) + 1}, behind {line.split()[1].decode()}, is "
                words += "a bare LF" if octet == 0x0A else f"{octet:#04x}"
                self.assertRefusedAtOnce(line + bytes([octet]), words)

    def test_bareCR(self) -> None:
        """A CR that no LF follows is refused at what follows instead (conformance 78)."""
        for line in (b"PROXY TCP4 192.0.2.1", b"PROXY TCP6 ", b"PROXY UNKNOWN "):
            for octet in b"\r \x001":
                words = f"octet {len(line) + 1} is a bare CR; the line ends with CRLF"
                self.assertRefusedAtOnce(line + b"\r" + bytes([octet]), words)

    def test_parts(self) -> None:
        """There are four, with one space before each and none behind the last (conformance 78)."""
        for rest in (
            b"", b" ", b"192.0.2.1", b"192.0.2.1 192.0.2.2", b"192.0.2.1 192.0.2.2 1", b"192.0.2.1 192.0.2.2 1 2 3",
            b" 192.0.2.1 192.0.2.2 1 2", b"192.0.2.1  192.0.2.2 1 2", b"192.0.2.1 192.0.2.2 1 2 ",
        ):  # fmt: skip
            words = "there must be two addresses and two ports, with one space before each"
            self.assertRefusedAtOnce(b"PROXY TCP4 " + rest + b"\r\n", words)

    def test_ipv4(self) -> None:
        """Four decimal numbers to 255 without leading zeros (conformance 78)."""
        for address in (
            b"", b".", b"1.2.3", b"1.2.3.4.5", b"1.2.3.", b".1.2.3.4", b"1..2.3", b"256.0.0.1", b"1.2.3.04", b"01.2.3.4",
            b"00.0.0.0", b"1.2.3.1000", b"16909060", b"127.1",
        ):  # fmt: skip
            words = f"address '{address.decode()}' is not IPv4 without leading zeros"
            line = b"PROXY TCP4 " + address + b" 192.0.2.2 1 2\r\n"
            self.assertRefusedAtOnce(line, "the source " + words)
            line = b"PROXY TCP4 192.0.2.2 " + address + b" 1 2\r\n"
            self.assertRefusedAtOnce(line, "the destination " + words)

    def test_ipv6(self) -> None:
        """No more than RFC 4291 section 2.2 has, and no IPv4 there (conformance 78)."""
        for address in (
            b"", b":", b":::", b"1", b"1:2:3:4:5:6:7", b"1:2:3:4:5:6:7:8:9", b"1::2::3", b"12345::", b"1:2:3:4:5:6:7:",
            b":1:2:3:4:5:6:7", b"1::2:3:4:5:6:7:8", b"192.0.2.1", b"::ffff:1.2.3", b"::ffff:01.2.3.4", b"1.2.3.4::",
            b"::1.2.3.256",
        ):  # fmt: skip
            words = f"address '{address.decode()}' is not IPv6"
            line = b"PROXY TCP6 " + address + b" ::1 1 2\r\n"
            self.assertRefusedAtOnce(line, "the source " + words)
            line = b"PROXY TCP6 ::1 " + address + b" 1 2\r\n"
            self.assertRefusedAtOnce(line, "the destination " + words)

    def test_ports(self) -> None:
        """0 to 65535 in decimal digits without leading zeros (conformance 78)."""
        for port in (b"", b"00", b"01", b"65536", b"99999", b"000000", b"123456", b"1.0", b"."):
            words = f"port '{port.decode()}' is not 0 to 65535 without leading zeros"
            line = b"PROXY TCP4 192.0.2.1 192.0.2.2 "
            self.assertRefusedAtOnce(line + port + b" 2\r\n", "the source " + words)
            self.assertRefusedAtOnce(line + b"1 " + port + b"\r\n", "the destination " + words)
        self.assertRefusedAtOnce(b"PROXY TCP6 ::1 ::1 1 ffff\r\n", "the destination port 'ffff' is not")

    def test_length(self) -> None:
        """A line without its CR among the first 106 octets is too long, and not waited for (conformance 78)."""
        words = "the line is longer than 107 octets"
        for line, filling in ((b"PROXY TCP4 ", b"1"), (b"PROXY TCP6 ", b"0"), (b"PROXY UNKNOWN ", b"\xff")):
            self.assertRefusedAtOnce(line.ljust(MOST_LINE - 1, filling), words)
        self.assertRefused(b"PROXY UNKNOWN ".ljust(MOST_LINE - 1, b"f") + b"\r\n", words)
        longest = b"PROXY UNKNOWN ".ljust(MOST_LINE - 2, b"f") + b"\r"
        self.assertRefusedAtOnce(longest + b"x", "octet 106 is a bare CR")


class RefusedBlockTests(Reading):
    """
    What L{HeaderReader} refuses of version 2.
    """

    def test_versionAndCommand(self) -> None:
        """2, and LOCAL or PROXY (conformance 78)."""
        for octet in range(256):
            if octet not in (0x20, 0x21):
                words = f"octet 13 is {octet:#04x}; it must be 0x20 for LOCAL or 0x21 for PROXY"
                self.assertRefusedAtOnce(SIGNATURE + bytes([octet]), words)

    def test_familyAndProtocol(self) -> None:
        """Only what the specification has (conformance 78)."""
        for octet in (0x03, 0x0F, 0x13, 0x23, 0x33, 0x40, 0x41, 0xF1, 0xFF):
            words = f"octet 14 is {octet:#04x}, which stands for no address family and protocol"
            self.assertRefusedAtOnce(SIGNATURE + bytes((0x21, octet)), words)

    def test_tooLong(self) -> None:
        """A length beyond the limit is refused before any of it has come, even of what is skipped (conformance 78)."""
        for length in (MOST_BEHIND + 1, 0xFFFF):
            words = f"the header has {length} octets behind its length; 4096 are the limit"
            for command, kinds in ((0x21, 0x11), (0x21, 0x00), (0x20, 0x00)):
                self.assertRefusedAtOnce(block(kinds, b"", command, length), words)

    def test_tooShort(self) -> None:
        """So is one that has not even room for the addresses (conformance 78)."""
        for kinds, size in ((0x11, 12), (0x12, 12), (0x21, 36), (0x22, 36), (0x31, 216), (0x32, 216)):
            for length in (0, size - 1):
                words = f"the header has {length} octets behind its length; its addresses alone take {size}"
                self.assertRefusedAtOnce(block(kinds, length=length), words)

    def assertTLVsRefused(self, octets: bytes, words: str) -> None:
        """A header is refused for what it has behind its addresses."""
        self.assertRefusedAtOnce(block(0x11, IPV4 + octets), words)

    def test_truncatedTLVs(self) -> None:
        """What is left over has to be a TLV (conformance 78)."""
        good = tlv(0xE0, b"abc")
        for octets in (b"\x01", b"\x01\x00", b"\x00"):
            self.assertTLVsRefused(octets, "the TLV at octet 29 ends before its length")
            self.assertTLVsRefused(good + octets, "the TLV at octet 35 ends before its length")
        for octets in (b"\x01\x00\x01", b"\x04\x00\x04abc", b"\xe0\xff\xff" + bytes(200)):
            self.assertTLVsRefused(octets, "the TLV at octet 29 has more octets than are left")
            self.assertTLVsRefused(good + octets, "the TLV at octet 35 has more octets than are left")
        octets = bytes(216) + b"\x01"
        self.assertRefusedAtOnce(block(0x31, octets), "the TLV at octet 233 ends before its length")

    def test_checksum(self) -> None:
        """It has four octets, is there once, and is right (conformance 78)."""
        for value in (b"", b"abc", b"abcde"):
            self.assertTLVsRefused(tlv(3, value), f"the checksum has {len(value)} octets; it must have 4")
        self.assertTLVsRefused(tlv(3, bytes(4)) * 2, "the header has two TLVs of type 0x03")
        self.assertTLVsRefused(tlv(3, bytes(4)), "the checksum is 0x00000000 where CRC32C gives 0x")

    def test_everyBitIsChecked(self) -> None:
        """One bit that is another spoils the checksum, unless it spoils more (conformance 78)."""
        octets = formatBlock(CLIENT, SERVER, tlvs=((0xE0, b"a"), (TLVType.ALPN, b"h2")), checksum=True)
        found = 0
        for bit in range(16 * 8, len(octets) * 8):
            mutant = bytearray(octets)
            mutant[bit // 8] ^= 1 << bit % 8
            verdict, _ = read([bytes(mutant)])
            if isinstance(verdict, Refusal):
                found += "where CRC32C gives" in verdict.detail
            else:
                # Only the type of the checksum itself: then it is none.
                self.assertEqual(bit // 8, 28)
        self.assertGreater(found, 150)

    def test_uniqueID(self) -> None:
        """Not more than 128 octets, and not two (conformance 78)."""
        words = "the unique ID has 129 octets; 128 are the limit"
        self.assertTLVsRefused(tlv(5, bytes(MOST_UNIQUE_ID + 1)), words)
        self.assertTLVsRefused(tlv(5, b"a") + tlv(5, b"a"), "the header has two TLVs of type 0x05")

    def test_ssl(self) -> None:
        """Five octets, then TLVs that are whole, and none of those that count twice (conformance 78)."""
        start = b"\x07\0\0\0\0"
        for value, words in (
            (b"", "the SSL TLV has 0 octets; it must have 5 at least"),
            (start[:4], "the SSL TLV has 4 octets; it must have 5 at least"),
            (start + b"\x21", "the TLV at octet 6 of the SSL TLV ends before its length"),
            (start + b"\x21\0\x08TLSv1.3", "the TLV at octet 6 of the SSL TLV has more octets than are left"),
            (start + tlv(0x22, b"a") * 2, "the SSL TLV has two TLVs of type 0x22"),
            (start + tlv(0x21, b"a") * 2, "the SSL TLV has two TLVs of type 0x21"),
        ):
            self.assertTLVsRefused(tlv(0x20, value), words)
        self.assertTLVsRefused(tlv(0x20, start) * 2, "the header has two TLVs of type 0x20")

    def test_textsOfSSL(self) -> None:
        """A name that is malformed, or can't be seen, could pass for another (conformance 78)."""
        start = b"\x07\0\0\0\0"
        for kind, text in ((0x21, b"TLSv1.\xb3"), (0x22, b"\xff"), (0x22, b"\xc3"), (0x22, b"\xed\xa0\x80")):
            words = "the SSL TLV has a version that is not ASCII or a common name that is not UTF-8"
            self.assertTLVsRefused(tlv(0x20, start + tlv(kind, text)), words)
        for kind, text in ((0x21, b"TLSv1.3\n"), (0x22, b"admin\0.example"), (0x22, "a\u200b".encode())):
            words = "the SSL TLV has a text that is not printable"
            self.assertTLVsRefused(tlv(0x20, start + tlv(kind, text)), words)


class CostTests(SynchronousTestCase):
    """
    What a hostile header costs.
    """

    def test_holdsNoMoreThanAHeader(self) -> None:
        """However much comes at once, no more is kept or copied than a header may have (conformance 78)."""
        flood = 8 * 1024 * 1024
        for octets in (
            b"G" * flood,
            b"P" * flood,
            b"PROXY TCP6 " + b"1" * flood,
            b"PROXY UNKNOWN " + b" " * flood,
            block(0x11, b"", length=4097) + bytes(flood),
            block(0x11, IPV4 + b"\x01", length=4096) + bytes(flood),
            block(0x11, IPV4 + tlv(3, bytes(4)) + tlv(0xE0, bytes(4074))) + bytes(flood),
            block(0x11, IPV4 + b"\x01\0\0" * 1361 + b"\0", length=4096) + bytes(flood),
        ):
            for first in (b"", octets[:3], octets[:100]):
                rest = octets[len(first) :]
                reader = HeaderReader(BOTH)
                tracemalloc.start()
                self.assertIsInstance(reader.receive(first) or reader.receive(rest), Refusal)
                kept, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertEqual(reader._held + reader.leftover, b"")
                # But Python keeps the tuples of 1361 TLVs for others.
                self.assertLess(kept, 128 * 1024)
                self.assertLess(peak, 512 * 1024)
