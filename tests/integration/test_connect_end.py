"""
C{connectproxy connect}: how it ends, and who waits for whom meanwhile.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from connectproxy.commands.joining import REFUSED, RESET, UNWRITTEN
from tests.integration.origins import authority
from tests.integration.raw import readToEnd, reset
from tests.integration.running import waitFor
from tests.integration.test_connect import SENT, ConnectCase

pytestmark = pytest.mark.integration


MOST = 64 << 20
"""Octets of memory that the command may have; it begins with half of that."""


class EndTests(ConnectCase):
    """
    How it ends.
    """

    def test_refused(self) -> None:
        """
        What the proxy refuses, and why, is said; nothing is written.
        """
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            for scheme in ("http", "socks5h"):
                process = self.start(*self.way(scheme), f"127.0.0.1:{port}")
                self.assertEnds(
                    process,
                    REFUSED,
                    f"cannot connect to 127.0.0.1:{port}",
                    "the next hop upstream",
                    "connection_refused",
                )
                assert process.stdout is not None
                self.assertEqual(process.stdout.read(), b"")

    def test_denied(self) -> None:
        """
        So is what its policy denies.
        """
        process = self.start(*self.way("http"), "127.0.0.1:80")
        self.assertEnds(process, REFUSED, "the next hop upstream", "next_hop_denied")

    def test_reset(self) -> None:
        """
        A connection that breaks is no orderly end; what has come is written.
        """

        def serve(sock: socket.socket) -> None:
            sock.sendall(b"half")
            sock.recv(1)
            reset(sock)

        port = self.serving(serve)
        process = self.start(*self.way("http"), f"localhost:{port}")
        assert process.stdout is not None
        assert process.stdin is not None
        self.assertEqual(process.stdout.read(4), b"half")
        process.stdin.write(b"x")
        process.stdin.flush()
        self.assertEnds(process, RESET, "reset by the far side")

    def test_unread(self) -> None:
        """
        Whoever stops reading, as head does, ends it without a word.
        """

        def serve(sock: socket.socket) -> None:
            try:
                while True:
                    sock.sendall(SENT)
            except OSError:
                pass

        port = self.serving(serve)
        process = self.start(*self.way("http"), f"localhost:{port}")
        assert process.stdout is not None
        self.assertTrue(process.stdout.read(9))
        process.stdout.close()
        process.stdout = None
        self.assertEnds(process, UNWRITTEN)

    def test_gone(self) -> None:
        """
        When the program that has started it is gone, both pipes with it, it ends; also over
        TLS, where the far side does not hear of it.
        """
        file = self.temporary() / "way.toml"
        file.write_text(
            f"[route]\nupstream = 'secured'\n[[upstream]]\nname = 'secured'\nurl = '{self.by('https')}'\n"
            f"ca = '{authority().certificate}'\n"
        )
        for way in (self.way("http"), ("-c", str(file))):
            port = self.serving(lambda sock: sock.sendall(readToEnd(sock)[0]))
            process = self.start(*way, f"localhost:{port}")
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.stdin = process.stdout = None
            self.assertEnds(process, 0)

    def test_signal(self) -> None:
        """
        A signal ends it, and is what it ends by.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            reached: list[bytes] = []

            def serve(sock: socket.socket, reached: list[bytes] = reached) -> None:
                sock.sendall(b"x")
                reached.append(sock.recv(1))

            process = self.start(*self.way("http"), f"localhost:{self.serving(serve)}")
            assert process.stdout is not None
            process.stdout.read(1)
            process.send_signal(number)
            self.assertEnds(process, -number)


class PressureTests(ConnectCase):
    """
    Who is slow is waited for, and no more is kept meanwhile than a few buffers hold.
    """

    def memory(self, process: subprocess.Popen[bytes]) -> int:
        """
        The most memory that it has ever had, in octets.
        """
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(peak) * 1024

    def stalls(self, count: Callable[[], int]) -> None:
        """
        Wait until something does not grow any more.
        """
        seen = [-1] * 30

        def still() -> bool:
            seen.append(count())
            return seen[-1] > 0 and len(set(seen[-30:])) == 1

        waitFor(still, "a stall")

    def test_slowReader(self) -> None:
        """
        Nobody reads the output: the far side comes to a stand, and nothing is lost.
        """
        sent = [0]

        def serve(sock: socket.socket) -> None:
            for _ in range(40):
                sock.sendall(SENT)
                sent[0] += 1

        port = self.serving(serve)
        process = self.start(*self.way("http"), f"localhost:{port}", stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(1), SENT[:1])
        self.stalls(lambda: sent[0])
        self.assertLess(sent[0], 40)
        self.assertLess(self.memory(process), MOST)
        count = 1
        while more := process.stdout.read(1 << 20):
            count += len(more)
        self.assertEqual(count, 40 * len(SENT))
        self.assertEnds(process, 0)

    def test_slowFarSide(self) -> None:
        """
        The far side does not read: whoever writes to the input comes to a stand, and nothing
        is lost.
        """
        read, on = os.pipe()
        self.addCleanup(os.close, read)

        def serve(sock: socket.socket) -> None:
            os.read(read, 1)
            sock.sendall(str(len(readToEnd(sock)[0])).encode())

        port = self.serving(serve)
        file = self.temporary() / "much"
        with file.open("wb") as much:
            for _ in range(40):
                much.write(SENT)
        with file.open("rb") as stdin:
            process = self.start(*self.way("http"), f"localhost:{port}", stdin=stdin)
            self.stalls(lambda: os.lseek(stdin.fileno(), 0, os.SEEK_CUR))
            self.assertLess(os.lseek(stdin.fileno(), 0, os.SEEK_CUR), file.stat().st_size)
            self.assertLess(self.memory(process), MOST)
            os.close(on)
            assert process.stdout is not None
            self.assertEqual(process.stdout.read(), str(file.stat().st_size).encode())
            self.assertEnds(process, 0)
