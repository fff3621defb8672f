"""
What tunnels carry, through both relays: everything, in order, and with bounded memory.
"""

from __future__ import annotations

import hashlib
import random
import select
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.case import ProxyTestCase, SplicedCase, WiredCase
from tests.integration.raw import nameOf, readExactly, readToEnd

pytestmark = pytest.mark.integration

MEBIBYTE = 1 << 20


def pour(sock: socket.socket, seed: int, mebibytes: int) -> str:
    """
    Send that much, end the stream, and tell the digest of what was sent.
    """
    block = random.Random(seed).randbytes(MEBIBYTE)
    digest = hashlib.blake2b()
    for number in range(mebibytes):
        piece = number.to_bytes(8, "big") + block[8:]
        digest.update(piece)
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def drain(sock: socket.socket) -> tuple[int, str]:
    """
    Receive all there is, and tell how much it was and its digest.
    """
    digest, size, buffer = hashlib.blake2b(), 0, bytearray(MEBIBYTE)
    while n := sock.recv_into(buffer):
        size += n
        digest.update(memoryview(buffer)[:n])
    return size, digest.hexdigest()


class TransferMixin(ProxyTestCase):
    """
    What both relays do.
    """

    relay = ""

    def test_hundredMebibytesEachWay(self) -> None:
        """
        Both directions at once, with checksums and exact counts.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        with ThreadPoolExecutor(4) as threads:
            sent = [threads.submit(pour, each, n, 100) for n, each in enumerate((client, origin))]
            received = [threads.submit(drain, each) for each in (origin, client)]
        for one, other in zip(sent, received, strict=True):
            self.assertEqual(other.result(), (100 * MEBIBYTE, one.result()))
        event = self.proxy.event(name)
        self.assertEqual((event["bytes_up"], event["bytes_down"]), (100 * MEBIBYTE, 100 * MEBIBYTE))
        self.assertEqual((event["relay"], event["end"]), (self.relay, "eof"))

    def test_clientEndsFirst(self) -> None:
        """
        The client ends its stream with its request and gets the whole response: conformance 14.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        client.sendall(b"a request")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(readToEnd(origin), (b"a request", "eof"))
        for _ in range(3):
            origin.sendall(b"x" * MEBIBYTE)
            self.assertEqual(len(readExactly(client, MEBIBYTE)), MEBIBYTE)
        origin.close()
        self.assertEqual(readToEnd(client), (b"", "eof"))
        event = self.proxy.event(name)
        self.assertEqual(
            (event["bytes_up"], event["bytes_down"], event["ended_by"], event["end"]),
            (9, 3 * MEBIBYTE, "client", "eof"),
        )

    def test_originEndsFirst(self) -> None:
        """
        The origin ends its stream and goes on listening: conformance 14.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        origin.sendall(b"go on")
        origin.shutdown(socket.SHUT_WR)
        self.assertEqual(readToEnd(client), (b"go on", "eof"))
        with ThreadPoolExecutor(1) as threads:
            received = threads.submit(drain, origin)
            sent = pour(client, 1, 3)
        self.assertEqual(received.result(), (3 * MEBIBYTE, sent))
        event = self.proxy.event(name)
        self.assertEqual(
            (event["bytes_up"], event["bytes_down"], event["ended_by"], event["end"]),
            (3 * MEBIBYTE, 5, "origin", "eof"),
        )

    def test_tinyPieces(self) -> None:
        """
        Nothing waits for more to come: every octet goes back and forth by itself.
        """
        client, origin = self.tunnel()
        for number in range(1000):
            octet = bytes([number % 256])
            client.send(octet)
            self.assertEqual(origin.recv(2), octet)
            origin.send(octet)
            self.assertEqual(client.recv(2), octet)

    def test_readerThatStops(self) -> None:
        """
        An origin that sends without end to clients that read nothing is stopped: what lies
        between the two is bounded, and goes on when somebody reads again.
        """
        listener = self.origin()
        before = self.proxy.memory()
        tunnels = [self.tunnel(listener) for _ in range(16)]
        block = b"x" * MEBIBYTE
        sending = {origin: 0 for _, origin in tunnels}
        for each in sending:
            each.setblocking(False)
        # Nobody takes anything any more when no socket can be written for a second.
        while writable := select.select([], list(sending), [], 1.0)[1]:
            for each in writable:
                sending[each] += each.send(block)
                self.assertLess(sending[each], 64 * MEBIBYTE, "the proxy takes more and more")
        self.assertLess(self.proxy.memory() - before, 32 * MEBIBYTE)
        for client, origin in tunnels:
            origin.shutdown(socket.SHUT_WR)
            self.assertEqual(len(readToEnd(client)[0]), sending[origin])


class SplicedTransferTests(SplicedCase, TransferMixin):
    """
    Through the relay that splices.
    """


class WiredTransferTests(WiredCase, TransferMixin):
    """
    Through the relay that wires transports.
    """


# The mixin is no case of its own.
del TransferMixin
