"""
What the tests of PROXY headers share: headers, right and wrong, and the ways in which
they can come.

Whatever is read is read in every way: whole, octet by octet, cut in two at every
place, and with more behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.proxyheader import (
    SIGNATURE,
    HeaderReader,
    ProxyHeader,
    SocketAddress,
)

# The same cases in every run: what is found here is found everywhere.
examples = settings(deadline=None, database=None, derandomize=True, max_examples=400)

BOTH = (1, 2)
CLIENT = SocketAddress(IPv4Address("192.0.2.1"), 56324)
SERVER = SocketAddress(IPv4Address("198.51.100.2"), 443)
CLIENT6 = SocketAddress(IPv6Address("2001:db8::1"), 56324)
SERVER6 = SocketAddress(IPv6Address("2001:db8:1:2:3:4:5:6"), 443)

IPV4 = bytes((192, 0, 2, 1, 198, 51, 100, 2)) + b"\xdc\x04\x01\xbb"
"""The addresses of L{CLIENT} and L{SERVER} as version 2 has them."""


def block(kinds: int, behind: bytes = b"", command: int = 0x21, length: int | None = None) -> bytes:
    """A header of version 2, right or wrong."""
    told = len(behind) if length is None else length
    return SIGNATURE + bytes((command, kinds)) + told.to_bytes(2, "big") + behind


def tlv(kind: int, value: bytes) -> bytes:
    """One TLV."""
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def cuts(octets: bytes) -> Iterator[list[bytes]]:
    """Every way of feeding that the tests know."""
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for at in range(1, len(octets)):
        yield [octets[:at], octets[at:]]


def read(
    pieces: Iterable[bytes], versions: Collection[int] = BOTH
) -> tuple[ProxyHeader | Refusal | None, bytes]:
    """Feed pieces until there is a verdict; give it, with all that was not part of the header."""
    reader = HeaderReader(versions)
    verdict: ProxyHeader | Refusal | None = None
    rest = b""
    for piece in pieces:
        if verdict is None:
            verdict = reader.receive(piece)
        else:
            rest += piece
    return verdict, reader.leftover + rest


class Reading(SynchronousTestCase):
    """
    What the cases below assert.
    """

    def assertHeader(self, octets: bytes, expected: ProxyHeader) -> None:
        """
        The header is read, however it is cut, by whoever takes its version, and what is
        behind it is left over to the octet.
        """
        for versions in (BOTH, {expected.version}):
            for behind in (b"", b"\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", octets):
                for pieces in cuts(octets + behind):
                    self.assertEqual(read(pieces, versions), (expected, behind))

    def assertRefused(self, octets: bytes, words: str, versions: Collection[int] = BOTH) -> None:
        """The header is refused, however it is cut and whatever is behind it, in words fit for a log."""
        for behind in (b"", b"\r\n", b"1 2\r\n", bytes(20)):
            for pieces in cuts(octets + behind):
                verdict, _ = read(pieces, versions)
                assert isinstance(verdict, Refusal), (verdict, pieces)
                self.assertIn(words, verdict.detail)
                self.assertEqual(verdict.kind, "proxy_header_error")
                self.assertTrue(verdict.detail.isascii() and verdict.detail.isprintable(), verdict.detail)
                self.assertLess(len(verdict.detail), 150)
                self.assertFalse(verdict.detail.endswith("."), verdict.detail)
        self.assertIn("proxy_header_error", KINDS)

    def assertRefusedAtOnce(self, octets: bytes, words: str, versions: Collection[int] = BOTH) -> None:
        """As L{assertRefused}, and no octet but the last one settles it."""
        for pieces in cuts(octets[:-1]) if octets[:-1] else ():
            self.assertIsNone(read(pieces, versions)[0])
        self.assertRefused(octets, words, versions)
