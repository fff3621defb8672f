"""
The TLVs of version 2: types and values behind the addresses (section 2.2).

Owns their layout and what is understood of them: the checksum, the unique ID as far
as its length, and what is told of the client's TLS.  Nothing here knows a header.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from enum import IntEnum
from typing import NamedTuple

__all__ = [
    "MOST_UNIQUE_ID",
    "ClientTLS",
    "TLVType",
    "TLVs",
    "crc32c",
    "formatTLVs",
    "parseTLVs",
    "understood",
    "valueOf",
    "wrongSum",
]

MOST_UNIQUE_ID = 128
"""How many octets a unique ID has at most (section 2.2.5)."""


class TLVType(IntEnum):
    """
    The types of TLV that section 2.2 registers.
    """

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    NOOP = 0x04
    UNIQUE_ID = 0x05
    SSL = 0x20
    SSL_VERSION = 0x21
    SSL_CN = 0x22
    SSL_CIPHER = 0x23
    SSL_SIG_ALG = 0x24
    SSL_KEY_ALG = 0x25
    NETNS = 0x30


TLVs = tuple[tuple[int, bytes], ...]
"""Types and values, in the order of arrival."""

_ONCE = (TLVType.CRC32C, TLVType.UNIQUE_ID, TLVType.SSL)
_ONCE_IN_TLS = (TLVType.SSL_VERSION, TLVType.SSL_CN)
"""Two of a type that is understood could be understood differently by another reader."""


class ClientTLS(NamedTuple):
    """
    What the sender tells of TLS between the client and itself (section 2.2.6).

     - client: 8 bits; 1 for TLS at all, 2 for a certificate on this connection, 4
       for one in the session that the connection belongs to
     - verify: 32 bits; 0 if the certificate was found good
     - TLVs
    """

    client: int
    verify: int
    tlvs: TLVs = ()

    @property
    def verified(self) -> bool:
        """
        Whether the client has shown a certificate that the sender found good.

        By the specification C{verify} alone tells.  HAProxy writes 0 there for a
        client without a certificate, and without TLS, too: hence the bits count.
        """
        return bool(self.client & 1 and self.client & 6 and not self.verify)

    @property
    def version(self) -> str:
        """The version of TLS, as in C{"TLSv1.3"}; empty if it is not told."""
        return valueOf(self.tlvs, TLVType.SSL_VERSION).decode("ascii")

    @property
    def commonName(self) -> str:
        """The common name of the certificate, or empty.  Unless L{verified}, anybody can have written it."""
        return valueOf(self.tlvs, TLVType.SSL_CN).decode("utf-8")

    def encode(self) -> tuple[int, bytes]:
        """The TLV of this."""
        return TLVType.SSL, struct.pack("!BL", self.client, self.verify) + formatTLVs(self.tlvs)


def parseTLVs(octets: bytes, at: int, within: str) -> TLVs | str:
    """
    Take TLVs apart, or say which of them is truncated.

     - the type: 8 bits
     - the length of the value: 16 bits
     - the value
    """
    found = []
    while at < len(octets):
        start = at + 3
        end = start + int.from_bytes(octets[at + 1 : start])
        if start > len(octets):
            return f"the TLV at octet {at + 1}{within} ends before its length"
        if end > len(octets):
            return f"the TLV at octet {at + 1}{within} has more octets than are left"
        found.append((octets[at], octets[start:end]))
        at = end
    return tuple(found)


def understood(tlvs: TLVs) -> ClientTLS | str | None:
    """
    Judge the TLVs that have a meaning here: what they tell of TLS, or what is wrong.
    """
    tls: ClientTLS | str | None = _twice(tlvs, _ONCE, "the header")
    for kind, value in tlvs:
        if isinstance(tls, str):
            break
        if kind == TLVType.CRC32C and len(value) != 4:
            return f"the checksum has {len(value)} octets; it must have 4"
        if kind == TLVType.UNIQUE_ID and len(value) > MOST_UNIQUE_ID:
            return f"the unique ID has {len(value)} octets; {MOST_UNIQUE_ID} are the limit"
        if kind == TLVType.SSL:
            tls = _parseTLS(value)
    return tls


def _twice(tlvs: TLVs, once: Collection[int], where: str) -> str | None:
    """What is wrong if there are two TLVs of a type that may come once."""
    kinds = [kind for kind, _ in tlvs]
    return next((f"{where} has two TLVs of type {kind:#04x}" for kind in once if kinds.count(kind) > 1), None)


def _parseTLS(value: bytes) -> ClientTLS | str:
    """
    Read the value of an SSL TLV as L{ClientTLS} has it, or say what is wrong.
    """
    if len(value) < 5:
        return f"the SSL TLV has {len(value)} octets; it must have 5 at least"
    tlvs = parseTLVs(value, 5, " of the SSL TLV")
    if isinstance(tlvs, str):
        return tlvs
    tls = ClientTLS(value[0], int.from_bytes(value[1:5]), tlvs)
    try:
        printable = (tls.version + tls.commonName).isprintable()
    except UnicodeDecodeError:
        return "the SSL TLV has a version that is not ASCII or a common name that is not UTF-8"
    # A name that can't be seen can't be told from another.
    return _twice(tlvs, _ONCE_IN_TLS, "the SSL TLV") or (
        tls if printable else "the SSL TLV has a text that is not printable"
    )


def wrongSum(octets: bytes, tlvs: TLVs) -> str:
    """What is wrong with the checksum of a header that ends with its TLVs, if there is one (section 2.2.3)."""
    at = len(octets)
    for kind, value in reversed(tlvs):
        at -= len(value)
        if kind == TLVType.CRC32C:
            told, found = int.from_bytes(value), crc32c(octets[:at] + bytes(4) + octets[at + 4 :])
            return "" if told == found else f"the checksum is {told:#010x} where CRC32C gives {found:#010x}"
        at -= 3
    return ""


def valueOf(tlvs: TLVs, kind: int) -> bytes:
    """The value of the first TLV of a type; empty if there is none."""
    return next((value for known, value in tlvs if known == kind), b"")


def formatTLVs(tlvs: TLVs) -> bytes:
    """Put TLVs together, as L{parseTLVs} takes them apart."""
    return b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in tlvs)


def _remainder(value: int) -> int:
    """What an octet adds to a CRC32C; the polynomial is 0x1EDC6F41 with its bits reversed."""
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_REMAINDERS = tuple(map(_remainder, range(256)))


def crc32c(octets: bytes) -> int:
    """
    The checksum of section 2.2.3 and of RFC 4960 appendix B; the standard library has none.
    """
    value = 0xFFFFFFFF
    for octet in octets:
        value = value >> 8 ^ _REMAINDERS[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
