"""
What TLS itself answers on a connection that is up: to a client that wants to renegotiate
or change its keys again and again.  No library's client does that, so its records are
made by hand.
"""

from __future__ import annotations

import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from connectproxy.tls.transport import ANSWERS
from tests.tls.case import TLSCase, Within

HELLO = b"\x01\x00\x00\x29\x03\x03" + bytes(33) + b"\x00\x02\xc0\x2b\x01\x00"
"""A ClientHello (RFC 5246 section 7.4.1.2), as short as it can be."""

UPDATE = b"\x18\x00\x00\x01\x01"
"""A KeyUpdate that wants one in return (RFC 8446 section 4.6.3)."""

TEXT, HANDSHAKE = 23, 22


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """
    HKDF-Expand-Label of RFC 8446 section 7.1, for what one block of SHA-256 is enough for.
    """
    words = b"tls13 " + label
    return hmac.digest(secret, b"\x00%c%c%b\x00\x01" % (size, len(words), words), "sha256")[:size]


def derive(secret: bytes, seed: bytes, size: int) -> bytes:
    """
    The keys of RFC 5246 section 6.3.
    """
    seed = b"key expansion" + seed
    step, octets = seed, b""
    while len(octets) < size:
        step = hmac.digest(secret, step, "sha256")
        octets += hmac.digest(secret, step + seed, "sha256")
    return octets[:size]


class Hand(Protocol):
    """
    A client whose handshake is OpenSSL's, and whose records are its own.

    @ivar records: the types of those that came after the handshake.
    """

    transport: Any

    def __init__(self, version: int) -> None:
        self.records: list[int] = []
        self._held = b""
        self._keys: dict[bytes, bytes] = {}
        self._count = int(version == SSL.TLS1_2_VERSION)  # its Finished was the first that is encrypted
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256")
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_keylog_callback(self._learn)
        self._tls: SSL.Connection | None = SSL.Connection(context, None)
        self._tls.set_connect_state()
        self._tls.set_tlsext_host_name(b"localhost")

    def _learn(self, connection: SSL.Connection, line: bytes) -> None:
        label, _, secret = line.split()
        self._keys[label] = bytes.fromhex(secret.decode())

    def connectionMade(self) -> None:
        self._shake()

    def dataReceived(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.bio_write(data)
            self._shake()
            return
        self._held += data
        while len(self._held) >= 5 and len(self._held) >= (end := 5 + int.from_bytes(self._held[3:5])):
            self.records.append(self._held[0])
            self._held = self._held[end:]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True

    lost = False

    def _shake(self) -> None:
        tls: Any = self._tls
        try:
            tls.do_handshake()
            self._tls = None
        except SSL.WantReadError:
            pass
        try:
            self.transport.write(tls.bio_read(1 << 16))
        except SSL.WantReadError:
            pass
        if self._tls is None:
            self._secret = self._keys.get(b"CLIENT_TRAFFIC_SECRET_0", b"")
            if self._secret:
                self.change()
            else:
                seed = tls.server_random() + tls.client_random()
                keys = derive(self._keys[b"CLIENT_RANDOM"], seed, 40)
                self._cipher, self._salt = AESGCM(keys[:16]), keys[32:36]

    def change(self, *, update: bool = False) -> None:
        """
        Begin to use keys of TLS 1.3, perhaps those that come next.
        """
        if update:
            self._secret = expand(self._secret, b"traffic upd", 32)
            self._count = 0
        self._cipher = AESGCM(expand(self._secret, b"key", 16))
        self._salt = expand(self._secret, b"iv", 12)

    def record(self, kind: int, octets: bytes) -> bytes:
        """
        A record, encrypted.
        """
        number = self._count.to_bytes(8)
        self._count += 1
        if self._secret:
            octets += bytes([kind])
            head = b"\x17\x03\x03" + (len(octets) + 16).to_bytes(2)
            nonce = (int.from_bytes(self._salt) ^ int.from_bytes(number)).to_bytes(12)
            return head + self._cipher.encrypt(nonce, octets, head)
        about = number + b"%c\x03\x03" % kind + len(octets).to_bytes(2)
        sealed = number + self._cipher.encrypt(self._salt + number, octets, about)
        return b"%c\x03\x03" % kind + len(sealed).to_bytes(2) + sealed

    def demand(self) -> bytes:
        """
        A record that wants an answer of TLS's own, and one with an octet of content.
        """
        if not self._secret:
            return self.record(HANDSHAKE, HELLO) + self.record(TEXT, b"x")
        octets = self.record(HANDSHAKE, UPDATE)
        self.change(update=True)
        return octets + self.record(TEXT, b"x")


class AnswerTests(TLSCase):
    """
    Answers of TLS's own.
    """

    def test_behindAnswers(self) -> None:
        """
        What is written arrives as a whole, however many answers stand in front of it.
        """
        within = Within()
        reactor, _, hand = self.connected(within, Hand(SSL.TLS1_2_VERSION))
        hand.transport.write(b"".join([hand.demand() for _ in range(100)]))
        reactor.flush()
        self.assertEqual(within.received, b"x" * 100)
        within.transport.write(b"answer")
        reactor.flush()
        self.assertEqual(hand.records, [21] * 100 + [23])

    def test_answersLeave(self) -> None:
        """
        Answers do not pile up while there is only something to receive.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            within = Within()
            reactor, _, hand = self.connected(within, Hand(version))
            hand.records.clear()
            for _ in range(10):
                content = hand.record(TEXT, bytes(16000)) + hand.record(TEXT, bytes(16000))
                hand.transport.write(content + b"".join([hand.demand() for _ in range(100)]))
                reactor.flush()
            self.assertEqual(len(within.received), 10 * 32100)
            self.assertGreater(len(hand.records), 500)

    def test_answersEnd(self) -> None:
        """
        Who wants nothing else but answers is reset, whether it reads them or not.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            within = Within()
            reactor, _, hand = self.connected(within, Hand(version))
            octets = 0
            while not within.lost and octets < 100 * ANSWERS:
                piece = b"".join([hand.demand() for _ in range(100)])
                octets += len(piece)
                hand.transport.write(piece)
                reactor.flush()
            self.assertTrue(within.lost)
            self.assertEqual(within.happened[-1], "lost")
