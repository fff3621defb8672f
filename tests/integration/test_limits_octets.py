"""
How much: octets in a period, over restarts and in a shared Redis, and octets per second.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, ClassVar

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.identified import basic
from tests.integration.raw import Answer, connect, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import GUARD, LOCAL, Proxy, waitFor

pytestmark = pytest.mark.integration

KIB = 1024

OPTIONS = (*LOCAL, "--auth", "ann:pass:word")

QUOTA = """
[limits]
store = "sqlite:{store}"

[relay]
splice = {splice}

[[limit]]
name = "month"
per = "user"
quota = "{quota}"
period = "month"
"""


class QuotaTests(ProxyTestCase):
    """
    Quotas, by the relay that splices.
    """

    splice: ClassVar[str] = "true"

    def setUp(self) -> None:
        """
        A file for counts.
        """
        self.store = self.temporary() / "quotas.sqlite3"

    def start(self, quota: str = "200 KiB") -> Proxy:
        """
        Start a proxy.
        """
        config = QUOTA.format(store=self.store, splice=self.splice, quota=quota)
        self.proxy = self.launch(*OPTIONS, config=config)
        self.there = self.origin()
        return self.proxy

    def asked(self, *, socks: bool = False) -> tuple[Answer | int, socket.socket]:
        """
        Ask for a tunnel as ann.

        @return: the answer, or REP, and the client's socket.
        """
        client = self.closing(connect(self.proxy.port))
        port = self.there.getsockname()[1]
        if socks:
            asked = b"\x05\x01\0\x01\x7f\0\0\x01" + port.to_bytes(2, "big")
            client.sendall(b"\x05\x01\x02\x01\x03ann\x09pass:word")
            self.assertEqual(readExactly(client, 4), b"\x05\x02\x01\0")
            client.sendall(asked)
            return readExactly(client, 10)[1], client
        field = f"Proxy-Authorization: {basic('ann', 'pass:word')}\r\n"
        client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: a\r\n{field}\r\n".encode())
        return readAnswer(client), client

    def use(self, size: int) -> dict[str, Any]:
        """
        Have a tunnel carry octets, and end it.

        @return: its event.
        """
        answer, client = self.asked()
        self.assertEqual(getattr(answer, "status", 0), 200, answer)
        name, peer = nameOf(client), self.accept(self.there)
        client.sendall(b"x" * size)
        self.assertEqual(len(readExactly(peer, size)), size)
        client.close()
        peer.close()
        return self.proxy.event(name)

    def stop(self) -> None:
        """
        Stop the proxy.
        """
        self.there.close()
        self.proxy.terminate()
        self.proxy.wait()

    def assertOver(self) -> None:
        """
        Nothing more is let in, and each protocol says so.
        """
        answer, client = self.asked()
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 429)
        self.assertGreaterEqual(int(answer.fields["retry-after"]), 1)
        self.assertLessEqual(int(answer.fields["retry-after"]), 31 * 86400)
        self.assertIn("month", answer.body)
        event = self.proxy.event(nameOf(client))
        self.assertEqual((event["error"], event["user"]), ("quota_exceeded", "ann"))
        self.assertEqual(self.asked(socks=True)[0], 2)

    def test_ends(self) -> None:
        """
        A tunnel that uses all of it is ended, whatever it is about to carry, and no other is
        let in.
        """
        self.start()
        answer, client = self.asked()
        self.assertEqual(getattr(answer, "status", 0), 200, answer)
        name, peer = nameOf(client), self.accept(self.there)

        def send() -> None:
            try:
                while True:
                    client.sendall(b"x" * 4096)
                    time.sleep(0.001)
            except OSError:
                pass

        thread = threading.Thread(target=send)
        thread.start()
        came, _ = readToEnd(peer)
        thread.join()
        self.assertGreaterEqual(len(came), 200 * KIB - 64 * KIB)
        event = self.proxy.event(name)
        self.assertEqual(
            (event["event"], event["end"], event["ended_by"]), ("tunnel", "quota_exceeded", "proxy")
        )
        self.assertOver()

    def test_restart(self) -> None:
        """
        What has been used is known after a restart, and counts on.
        """
        self.start()
        self.use(150 * KIB)
        self.stop()
        self.start()
        self.use(60 * KIB)
        self.assertOver()
        self.stop()
        self.start()
        self.assertOver()
        self.stop()
        self.start("1 MiB")
        self.use(10)

    def test_killed(self) -> None:
        """
        Killed, it has lost what it had not written yet, and no more.
        """

        def written() -> int:
            try:
                with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as file:
                    return int(file.execute("SELECT total(octets) FROM used").fetchone()[0])
            except sqlite3.Error:
                return 0

        self.start("100 KiB")
        self.use(150 * KIB)
        waitFor(lambda: written() >= 150 * KIB, "the file")
        self.proxy.process.kill()
        self.proxy.process.wait()
        self.proxy.process.returncode = -15  # that was the test's doing
        self.there.close()
        self.start("100 KiB")
        self.assertOver()


class WiredQuotaTests(QuotaTests):
    """
    By the relay that goes through Twisted.  What the store keeps is not the relay's.
    """

    splice = "false"
    test_restart = test_killed = None  # type: ignore[assignment]


RATE = 512 * KIB


class ShapingTests(ProxyTestCase):
    """
    Octets per second, by the relay that splices.
    """

    splice: ClassVar[str] = "true"

    def setUp(self) -> None:
        """
        A limit by name, that one user alone has.
        """
        config = (
            f'[relay]\nsplice = {self.splice}\n[[limit]]\nname = "slow"\nper = "user"\n'
            f'users = ["ann"]\nbytes_per_second = {RATE}\n'
            '[[identity]]\nuser = "ann"\nnetworks = ["127.0.0.2"]\n'
            '[[identity]]\nuser = "bob"\nnetworks = ["127.0.0.3"]\n'
        )
        self.proxy = self.launch(*LOCAL, config=config)
        self.there = self.origin()

    def opened(self, address: str) -> tuple[socket.socket, socket.socket]:
        """
        A tunnel of whoever is at an address.
        """
        client = self.closing(socket.create_connection(("127.0.0.1", self.proxy.port), GUARD, (address, 0)))
        client.sendall(
            f"CONNECT 127.0.0.1:{self.there.getsockname()[1]} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        )
        self.assertEqual(readAnswer(client).status, 200)
        return client, self.accept(self.there)

    def carried(
        self, pairs: Sequence[tuple[socket.socket, socket.socket]], least: int
    ) -> tuple[list[int], float]:
        """
        Have tunnels carry as much as they can, until they have carried so much together.

        @return: how much each, and how long it took.
        """
        counts, over = [0] * len(pairs), threading.Event()

        def pour(sock: socket.socket) -> None:
            try:
                while not over.is_set():
                    sock.sendall(b"x" * 16384)
            except OSError:
                pass

        def drink(number: int, sock: socket.socket) -> None:
            try:
                while octets := sock.recv(65536):
                    counts[number] += len(octets)
                    if sum(counts) >= least:
                        over.set()
            except OSError:
                pass

        threads = []
        began = time.monotonic()
        for number, (client, peer) in enumerate(pairs):
            threads += [
                threading.Thread(target=pour, args=(client,)),
                threading.Thread(target=drink, args=(number, peer)),
            ]
        for each in threads:
            each.start()
        self.assertTrue(over.wait(GUARD))
        found, took = counts[:], time.monotonic() - began
        for client, peer in pairs:
            for sock in (client, peer):
                sock.shutdown(socket.SHUT_RDWR)
        for each in threads:
            each.join()
        return found, took

    @pytest.mark.quiet
    def test_rate(self) -> None:
        """
        A tunnel of ann's is not faster than it may be; a slow machine may well make it slower.
        """
        counts, took = self.carried([self.opened("127.0.0.2")], 3 * RATE)
        # What a bucket and the kernel's buffers hold comes before.
        self.assertLess(sum(counts), RATE * (took + 1.5))
        self.assertGreater(took, 1)

    @pytest.mark.quiet
    def test_others(self) -> None:
        """
        A tunnel of bob's beside it has no limit, and leaves it far behind.
        """
        counts, _ = self.carried([self.opened("127.0.0.2"), self.opened("127.0.0.3")], 64 * RATE)
        self.assertGreater(counts[1], 10 * counts[0])

    def test_fair(self) -> None:
        """
        Tunnels of one user share evenly.
        """
        counts, _ = self.carried([self.opened("127.0.0.2") for _ in range(4)], 6 * RATE)
        self.assertLess(max(counts), 2 * min(counts), counts)


class WiredShapingTests(ShapingTests):
    """
    By the relay that goes through Twisted.
    """

    splice = "false"
