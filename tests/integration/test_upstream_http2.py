"""
Many tunnels over one connection to a next hop that speaks HTTP/2, itself this proxy.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.origins import authority
from tests.integration.parents import Front, far, table
from tests.integration.raw import head, listening, readAnswer, readExactly, readToEnd
from tests.integration.running import GUARD, waitFor

pytestmark = pytest.mark.integration

TUNNELS = 100

CHUNK = bytes(range(256)) * 256


class Between:
    """
    Stands between two proxies and counts their connections.

    @ivar port: where it listens.
    @ivar accepted: how many connections there have been.
    """

    def __init__(self, port: int) -> None:
        """
        @param port: where the next hop listens.
        """
        self._target = port
        self._listener = listening("127.0.0.1", 128)
        self._listener.settimeout(None)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def _start(self, task: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=task, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                self.accepted += 1
                there = socket.create_connection(("127.0.0.1", self._target))
                self._open.append(there)
                self._start(self._copy, near, there)
                self._start(self._copy, there, near)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                sink.sendall(octets)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """
        Let no more through.
        """
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(GUARD)
        for each in self._open:
            each.close()


class ManyTests(ProxyTestCase):
    """
    A hundred tunnels.
    """

    def setUp(self) -> None:
        """
        A next hop within TLS, somebody who counts, and a proxy in front of both.
        """
        self.hop = self.closing(far())
        self.between = self.closing(Between(self.hop.port))
        made = authority()
        tables = table("many", f"h2://localhost:{self.between.port}", ca=made.certificate)
        self.front = self.closing(Front(["many"], tables))

    def open(self, count: int) -> tuple[list[socket.socket], list[socket.socket]]:
        """
        Open tunnels, all at once.

        @return: the clients' ends and the origins', each tunnel's at the same place.
        """
        origin = self.origin(backlog=count)
        origin.settimeout(GUARD)
        clients = []
        for index in range(count):
            client = self.closing(socket.create_connection(("127.0.0.1", self.front.portOf("many"))))
            client.settimeout(GUARD)
            client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}") + b"%04d" % index)
            clients.append(client)
        for client in clients:
            self.assertEqual(readAnswer(client).status, 200)
        ends: dict[int, socket.socket] = {}
        for _ in range(count):
            end = self.accept(origin)
            end.settimeout(GUARD)
            ends[int(readExactly(end, 4))] = end
        return clients, [ends[index] for index in range(count)]

    def test_oneHandshake(self) -> None:
        """
        A hundred tunnels have one connection, and so one handshake of TLS.  One whose client does
        not read, and one whose origin does not, delay none of the others, and lose nothing.
        """
        clients, origins = self.open(TUNNELS)
        self.assertEqual(self.between.accepted, 1)
        sent = [self.flood(origins[0]), self.flood(clients[1])]
        self.assertGreater(min(sent), 65536)
        for _ in range(3):
            for client, origin in zip(clients[2:], origins[2:], strict=True):
                self.assertPings(client, origin)
        for source, sink, octets in ((origins[0], clients[0], sent[0]), (clients[1], origins[1], sent[1])):
            source.shutdown(socket.SHUT_WR)
            came, how = readToEnd(sink)
            self.assertEqual((len(came), how), (octets, "eof"))
            whole = (CHUNK * (octets // len(CHUNK) + 1))[:octets]
            self.assertEqual(hashlib.sha256(came).digest(), hashlib.sha256(whole).digest())
        for client, origin in zip(clients, origins, strict=True):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                origin.shutdown(socket.SHUT_WR)
        for each in (*clients[2:], *origins[2:]):
            self.assertEqual(readToEnd(each), (b"", "eof"))
        self.assertEqual(self.between.accepted, 1)

    def flood(self, sock: socket.socket) -> int:
        """
        Send until nothing is taken any more.

        @return: how many octets were.
        """
        sent = 0
        sock.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            while True:
                at = sent % len(CHUNK)
                sent += sock.send(CHUNK[at:])
        sock.settimeout(GUARD)
        return sent

    def test_more(self) -> None:
        """
        The hundred and first has another connection.
        """
        clients, origins = self.open(TUNNELS + 1)
        self.assertEqual(self.between.accepted, 2)
        self.assertPings(clients[TUNNELS], origins[TUNNELS])

    def test_hopDies(self) -> None:
        """
        When the next hop dies its tunnels are reset, and the next request says why there is none.
        """
        clients, _ = self.open(3)
        self.hop.process.kill()
        for client in clients:
            self.assertEqual(readToEnd(client), (b"", "reset"))
        self.between.close()
        client = self.closing(socket.create_connection(("127.0.0.1", self.front.portOf("many"))))
        client.settimeout(GUARD)
        client.sendall(head("127.0.0.1:1"))
        answer = readAnswer(client)
        self.assertEqual(answer.status, 502)
        self.assertIn("connection_refused", str(answer.fields.get("proxy-status", "")))
        waitFor(lambda: self.front.events(), "an event")
