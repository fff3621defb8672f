"""
Tests of L{connectproxy.wire.proxyheader.tlv}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.proxyheader import (
    ClientTLS,
    ProxyHeader,
    TLVType,
    Transport,
    crc32c,
    formatBlock,
)
from tests.wire.proxyheader.reading import (
    CLIENT,
    SERVER,
    Reading,
)


class ClientTLSTests(Reading):
    """
    What L{ClientTLS} makes of its octets.
    """

    def test_verified(self) -> None:
        """It takes TLS, a certificate, now or earlier in the session, and a zero (conformance 78)."""
        for client in range(8):
            for verify in (0, 1, 0x80000000):
                expected = client in (3, 5, 7) and verify == 0
                self.assertIs(ClientTLS(client, verify).verified, expected, (client, verify))

    def test_texts(self) -> None:
        """The version and the common name, which may be any printable text, or neither (conformance 78)."""
        self.assertEqual((ClientTLS(1, 0).version, ClientTLS(1, 0).commonName), ("", ""))
        name = "J\xf6rg \u738b"
        tls = ClientTLS(3, 0, ((TLVType.SSL_CN, name.encode()), (TLVType.SSL_VERSION, b"TLSv1.2")))
        self.assertEqual((tls.version, tls.commonName), ("TLSv1.2", name))

    def test_roundTrip(self) -> None:
        """What is encoded is read again, sub-TLVs of unknown types included (conformance 78)."""
        for tls in (
            ClientTLS(0, 0),
            ClientTLS(0xFF, 0xFFFFFFFF, ((0xE0, b""), (0xE0, b"x"))),
            ClientTLS(5, 0, ((TLVType.SSL_CIPHER, b"\xff"), (TLVType.SSL_CN, b"a"))),
        ):
            octets = formatBlock(CLIENT, SERVER, tlvs=(tls.encode(),))
            self.assertHeader(
                octets, ProxyHeader(2, CLIENT, SERVER, Transport.TCP, False, (tls.encode(),), tls)
            )


class CRC32CTests(SynchronousTestCase):
    """
    L{crc32c}.
    """

    def test_examples(self) -> None:
        """Those of RFC 3720 appendix B.4, whose octets stand in the order of the wire there (conformance 78)."""
        command = bytes.fromhex(
            "01c00000 00000000 00000000 00000000 14000000 00000400"
            "00000014 00000018 28000000 00000000 02000000 00000000"
        )
        for octets, wire in (
            (bytes(32), "aa36918a"),
            (b"\xff" * 32, "43aba862"),
            (bytes(range(32)), "4e79dd46"),
            (bytes(range(31, -1, -1)), "5cdb3f11"),
            (command, "563a96d9"),
        ):
            self.assertEqual(crc32c(octets), int.from_bytes(bytes.fromhex(wire), "little"))

    def test_checkValue(self) -> None:
        """The one that catalogues of checksums give, and that of nothing."""
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b""), 0)
