"""
The client's side of SOCKS as plain sockets, in the test's hand.
"""

from __future__ import annotations

import socket
import threading
from typing import NamedTuple

from connectproxy.wire.socks import (
    Command,
    Datagram,
    formatDatagram,
    formatRequest5,
    parseDatagram,
)
from tests.integration.raw import readExactly
from tests.integration.running import GUARD

__all__ = ["HELLO", "Association", "Echo", "associate", "readReply", "udpSocket"]

HELLO = b"\x05\x01\x00"


def readReply(sock: socket.socket) -> tuple[int, str, int]:
    """
    Read the reply to a request of SOCKS 5.

    @return: REP, and the address and port in it.
    """
    start = readExactly(sock, 4)
    assert start[:1] + start[2:3] == b"\x05\x00" and start[3] in (1, 4), start
    octets = readExactly(sock, 4 if start[3] == 1 else 16)
    family = socket.AF_INET if start[3] == 1 else socket.AF_INET6
    return start[1], socket.inet_ntop(family, octets), int.from_bytes(readExactly(sock, 2), "big")


def udpSocket(host: str = "127.0.0.1") -> socket.socket:
    """
    A bound UDP socket.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(GUARD)
    return sock


class Association(NamedTuple):
    """
    What a client has of an association.

    @ivar control: the TCP connection.
    @ivar udp: the client's socket.
    @ivar relay: where to send to.
    """

    control: socket.socket
    udp: socket.socket
    relay: tuple[str, int]

    def send(self, payload: bytes, port: int, host: str = "127.0.0.1") -> None:
        """
        Send a datagram into the world.
        """
        self.udp.sendto(formatDatagram(host, port, payload), self.relay)

    def receive(self) -> tuple[str, int, bytes]:
        """
        Take the next one that comes back.
        """
        octets, source = self.udp.recvfrom(65536)
        assert source[:2] == self.relay, source
        datagram = parseDatagram(octets)
        assert isinstance(datagram, Datagram), octets
        return datagram.destination.host, datagram.destination.port, datagram.payload

    def close(self) -> None:
        """
        End it.
        """
        self.control.close()
        self.udp.close()


def associate(control: socket.socket, udp: socket.socket, port: int = 0) -> Association:
    """
    Ask for an association.

    @param port: the client's, if it is to be told.
    """
    control.sendall(HELLO + formatRequest5("0.0.0.0", port, Command.ASSOCIATE))
    assert readExactly(control, 2) == b"\x05\x00"
    code, *relay = readReply(control)
    assert code == 0, code
    return Association(control, udp, (str(relay[0]), int(relay[1])))


class Echo:
    """
    Sends every datagram back, in reverse, from a thread of its own.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = udpSocket(host)
        self._socket.settimeout(None)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            octets, source = self._socket.recvfrom(65536)
            if octets == b"the end":
                return
            self._socket.sendto(octets[::-1], source)

    def close(self) -> None:
        """
        Serve no more.
        """
        self._socket.sendto(b"the end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
