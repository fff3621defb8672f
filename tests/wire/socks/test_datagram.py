"""
Tests of L{connectproxy.wire.socks.datagram}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.socks import Datagram, formatDatagram, parseDatagram
from connectproxy.wire.socks.message import BAD_ADDRESS_TYPE, BAD_MESSAGE
from tests.wire.socks.reading import Reading, examples, mutants, where

V4, V6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")

TO_V4 = b"\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x35"
TO_V6 = b"\x00\x00\x00\x04" + V6.packed + b"\x00\x35"
TO_NAME = b"\x00\x00\x00\x03\ta.example\x00\x35"

HEADERS = {
    TO_V4: Destination("192.0.2.1", 53, V4, ""),
    TO_V6: Destination("2001:db8::1", 53, V6, ""),
    TO_NAME: Destination("a.example", 53, None, "a.example."),
}


class DatagramTests(Reading):
    """
    What L{parseDatagram} takes and L{formatDatagram} writes.
    """

    def test_readsAndWrites(self) -> None:
        """Each form of address, with any payload or none (conformance 73)."""
        for header, destination in HEADERS.items():
            for payload in (b"", b"\x00", b"question", bytes(65000)):
                self.assertEqual(parseDatagram(header + payload), Datagram(destination, payload))
                self.assertEqual(formatDatagram(destination.host, 53, payload), header + payload)

    def test_reserved(self) -> None:
        """RSV is whatever it is (conformance 73)."""
        for header, destination in HEADERS.items():
            for reserved in (b"\x00\x01", b"\xff\xff"):
                self.assertEqual(parseDatagram(reserved + header[2:] + b"x"), Datagram(destination, b"x"))

    def test_fragments(self) -> None:
        """A datagram that does not stand alone is dropped, whatever else it is (conformance 73)."""
        for header in HEADERS:
            for fragment in range(1, 256):
                for rest in (header[3:] + b"x", b"", header[3:5]):
                    octets = header[:2] + bytes([fragment]) + rest
                    self.assertRefusal(
                        parseDatagram(octets), BAD_MESSAGE, f"the datagram is a fragment, {fragment:#04x}"
                    )

    def test_truncated(self) -> None:
        """A header that ends early is refused at every length (conformance 73)."""
        for header in HEADERS:
            for length in range(len(header)):
                self.assertRefusal(
                    parseDatagram(header[:length]), BAD_MESSAGE, f"the datagram has {length} octets"
                )
        self.assertRefusal(
            parseDatagram(b"\x00\x00\x00\x03\xff" + b"a" * 200), BAD_MESSAGE, "its header more"
        )

    def test_destinations(self) -> None:
        """Types, names and ports are held to the rules of a request, in every datagram anew (conformance 73, 75)."""
        for octets, kind, words in (
            (b"\x00\x00\x00\x02", BAD_ADDRESS_TYPE, "the address type is 0x02"),
            (TO_V4[:-2] + b"\x00\x00", BAD_MESSAGE, "port 0 is out of range"),
            (b"\x00\x00\x00\x03\x00\x00\x35", BAD_MESSAGE, "empty host"),
            (b"\x00\x00\x00\x03\x05127.1\x00\x35", BAD_MESSAGE, "IPv4"),
            (b"\x00\x00\x00\x03\x03a%b\x00\x35", BAD_MESSAGE, "percent-encoding"),
        ):
            self.assertRefusal(parseDatagram(octets + b"payload"), kind, words)
        mapped = b"\x00\x00\x00\x04" + IPv6Address("::ffff:192.0.2.1").packed + b"\x00\x35"
        self.assertEqual(parseDatagram(mapped), Datagram(HEADERS[TO_V4], b""))

    def test_formatsNothingElse(self) -> None:
        """What no header can hold is our own bug, and raises."""
        self.assertRaises(ValueError, formatDatagram, "", 1, b"")
        self.assertRaises(ValueError, formatDatagram, "192.0.2.1", 65536, b"")

    @examples
    @given(st.ip_addresses(), st.integers(1, 65535), st.binary(max_size=40))
    def test_roundTrip(self, ip: IPv4Address | IPv6Address, port: int, payload: bytes) -> None:
        """What is written is read (conformance 73)."""
        destination = where(str(ip), port)
        self.assertEqual(
            parseDatagram(formatDatagram(str(ip), port, payload)), Datagram(destination, payload)
        )

    @examples
    @given(mutants(*(header + b"payload" for header in HEADERS)))
    def test_anything(self, octets: bytes) -> None:
        """Any octets are a datagram whose payload is their end, or refused in words (conformance 73)."""
        found = parseDatagram(octets)
        if isinstance(found, Refusal):
            self.assertRefusal(found, found.kind)
        else:
            self.assertTrue(octets.endswith(found.payload))
            self.assertEqual(octets[2], 0)
            self.assertIsInstance(found.destination, Destination)
