"""
Tests of L{connectproxy.wire.proxyheader.header}: what headers of others say.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from connectproxy.wire.proxyheader import (
    SIGNATURE,
    ProxyHeader,
    SocketAddress,
    TLVType,
    Transport,
    formatBlock,
    formatLine,
)
from tests.wire.proxyheader.reading import (
    Reading,
    read,
)

TCP4_ON_LOOPBACK = SIGNATURE + bytes.fromhex("2111001d7f0000017f000001ea7a1b5b")
TLS_ON_LOOPBACK = SIGNATURE + bytes.fromhex("2111007d7f0000017f000001af441b5c")
LOOPBACK = IPv4Address("127.0.0.1")
ALGORITHMS = b"\x25\0\x07RSA2048\x24\0\x0aRSA-SHA256\x23\0\x16TLS_AES_256_GCM_SHA384"
NAMES = b"\x01\0\x08http/1.1\x02\0\x09a.example"


class HAProxyTests(Reading):
    """
    What HAProxy 2.6 has written, taken down from its connections.
    """

    def test_lines(self) -> None:
        """C{send-proxy} (conformance 78)."""
        ends = (SocketAddress(LOOPBACK, 47794), SocketAddress(LOOPBACK, 7001))
        octets = b"PROXY TCP4 127.0.0.1 127.0.0.1 47794 7001\r\n"
        self.assertHeader(octets, ProxyHeader(1, *ends, Transport.TCP))
        self.assertEqual(formatLine(*ends), octets)
        ends = (SocketAddress(IPv6Address("::1"), 55692), SocketAddress(IPv6Address("::1"), 7001))
        self.assertHeader(b"PROXY TCP6 ::1 ::1 55692 7001\r\n", ProxyHeader(1, *ends, Transport.TCP))
        self.assertEqual(formatLine(*ends), b"PROXY TCP6 ::1 ::1 55692 7001\r\n")

    def test_checksumAndUniqueID(self) -> None:
        """C{proxy-v2-options crc32c,unique-id}; our builder writes the same octets (conformance 78)."""
        octets = TCP4_ON_LOOPBACK + b"\x03\0\x04\xed\xb6Yd\x05\0\x074.30716"
        ends = (SocketAddress(LOOPBACK, 60026), SocketAddress(LOOPBACK, 7003))
        tlvs = ((5, b"4.30716"),)
        self.assertHeader(octets, ProxyHeader(2, *ends, Transport.TCP, tlvs=tlvs))
        self.assertEqual(formatBlock(*ends, tlvs=tlvs, checksum=True), octets)

    def test_certificate(self) -> None:
        """C{send-proxy-v2-ssl-cn} with every option, for a client whose certificate was good (conformance 78)."""
        ssl = b"\x07\0\0\0\0\x21\0\x07TLSv1.3\x22\0\x0eclient.example" + ALGORITHMS
        octets = TLS_ON_LOOPBACK + b"\x03\0\x04\xd2\xac\xbbw" + NAMES + b"\x20\0P" + ssl
        header, _ = read([octets])
        assert isinstance(header, ProxyHeader) and header.tls is not None, header
        self.assertEqual(header.value(TLVType.AUTHORITY), b"a.example")
        self.assertEqual(header.value(TLVType.SSL), ssl)
        self.assertTrue(header.tls.verified)
        self.assertEqual((header.tls.version, header.tls.commonName), ("TLSv1.3", "client.example"))
        self.assertHeader(octets, header)
        assert header.source is not None
        self.assertEqual(formatBlock(*header[1:4], header.tlvs, checksum=True), octets)

    def test_certificateThatIsNotGood(self) -> None:
        """The name of a stranger is told as well, and the result of the check (conformance 78)."""
        ssl = b"\x07\0\0\0\x12\x21\0\x07TLSv1.3\x22\0\x08stranger" + ALGORITHMS
        octets = SIGNATURE + bytes.fromhex("211100777f0000017f000001af4a1b5c") + b"\x03\0\x04A?}6" + NAMES
        header, _ = read([octets + b"\x20\0J" + ssl])
        assert isinstance(header, ProxyHeader) and header.tls is not None, header
        self.assertEqual((header.tls.client, header.tls.verify), (7, 0x12))
        self.assertFalse(header.tls.verified)
        self.assertEqual(header.tls.commonName, "stranger")

    def test_noCertificate(self) -> None:
        """For a client without one HAProxy says 0, which means that it was good: it counts not (conformance 78)."""
        ssl = b"\x01\0\0\0\0\x21\0\x07TLSv1.3" + ALGORITHMS
        octets = (
            SIGNATURE + bytes.fromhex("2111006c7f0000017f000001af401b5c") + b"\x03\0\x04e\xff\x09Z" + NAMES
        )
        header, _ = read([octets + b"\x20\0?" + ssl])
        assert isinstance(header, ProxyHeader) and header.tls is not None, header
        self.assertEqual((header.tls.client, header.tls.verify), (1, 0))
        self.assertFalse(header.tls.verified)
        self.assertEqual(header.tls.commonName, "")
