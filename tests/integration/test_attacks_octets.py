"""
Octets are what they were, and whose they were: many transfers at once by every way, some of
which end by a reset in the middle.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
import threading

import pytest

from tests.integration.origins import authority
from tests.integration.program import OnePortCase
from tests.integration.raw import connect, readExactly, readToEnd, reset

pytestmark = pytest.mark.integration

AT_ONCE = 40

WAYS = ("connect", "socks", "connect tls", "socks tls")


def pattern(number: int, size: int) -> bytes:
    """
    Octets that are one transfer's and no other's.
    """
    return (b"<%06d>" % number * (size // 8 + 1))[:size]


class Echoes:
    """
    An origin that says its client's own eight octets again and again, and notes what it got.

    @ivar wrong: what was somebody else's.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.wrong: list[bytes] = []
        self._listener = listener
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(30)
        with sock, contextlib.suppress(OSError):
            unit = readExactly(sock, 8)
            sizes = random.Random(unit)
            size = sizes.randrange(400000)
            sending = threading.Thread(target=self._send, args=(sock, unit, size, sizes.random() < 0.3))
            sending.start()
            got, _ = readToEnd(sock)
            sending.join()
            if got != (unit * (len(got) // 8 + 1))[: len(got)]:
                self.wrong.append(unit)

    def _send(self, sock: socket.socket, unit: bytes, size: int, cut: bool) -> None:
        with contextlib.suppress(OSError):
            sock.sendall((unit * (size // 8 + 1))[:size])
            if cut:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD)
            else:
                sock.shutdown(socket.SHUT_WR)


class StormTests(OnePortCase):
    """
    A storm.
    """

    def transfer(self, number: int, port: int, failed: list[str]) -> None:
        """
        One transfer in both directions at once.
        """
        sizes = random.Random(number)
        way = WAYS[number % len(WAYS)]
        raw = connect(self.proxy.port)
        sock: socket.socket = raw
        if "tls" in way:
            context = ssl.create_default_context(cafile=str(authority().certificate))
            sock = context.wrap_socket(raw, server_hostname="localhost")
        said = pattern(number, 8 + sizes.randrange(400000))
        if "socks" in way:
            sock.sendall(b"\x05\x01\0\x05\x01\0\x01\x7f\0\0\x01" + port.to_bytes(2) + said[:8])
            answer = readExactly(sock, 12)
        else:
            target = b"127.0.0.1:%d" % port
            sock.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n%b" % (target, target, said[:8]))
            answer = readExactly(sock, len(b"HTTP/1.1 200 Connection established\r\n\r\n"))
        if answer[:2] != b"\x05\0" and not answer.startswith(b"HTTP/1.1 200 "):
            failed.append(f"{way}: {answer!r}")
            return

        def send() -> None:
            with contextlib.suppress(OSError, ValueError):
                sock.sendall(said[8:])
                if "tls" not in way:
                    sock.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        got = b""
        with contextlib.suppress(OSError):
            if number % 5:
                got, _ = readToEnd(sock)
            else:
                got = readExactly(sock, sizes.randrange(1, 100000))
        sending.join()
        if got != pattern(number, len(got)):
            failed.append(f"{way}: octets of somebody else")
        if number % 5:
            sock.close()
        else:
            reset(sock)

    def test_storm(self) -> None:
        """
        Nobody gets an octet that was another's, and each tunnel has one event.
        """
        listener = self.origin()
        origin = Echoes(listener)
        failed: list[str] = []
        port = listener.getsockname()[1]
        for first in range(0, 4 * AT_ONCE, AT_ONCE):
            threads = [
                threading.Thread(target=self.transfer, args=(first + index, port, failed))
                for index in range(AT_ONCE)
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        self.assertEqual((failed, origin.wrong), ([], []))
        self.proxy.waitForEvents(4 * AT_ONCE)
        events = self.proxy.events()
        self.assertEqual(len({each["client"] for each in events}), 4 * AT_ONCE)
        self.assertEqual(len(events), 4 * AT_ONCE)
        self.assertEqual({each["event"] for each in events}, {"tunnel"})
