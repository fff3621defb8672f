"""
C{connectproxy connect}, as ssh and scripts of a shell run it: in a process of its own, with
real pipes, files, sockets and terminals, through proxies that are up.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
import subprocess
import sys
import tty
from typing import Any

import pytest

from tests.integration import test_one_port_ssh as ssh
from tests.integration.origins import authority
from tests.integration.program import PASSWORD, USER
from tests.integration.raw import readExactly, readToEnd
from tests.integration.running import GUARD, environment

pytestmark = pytest.mark.integration

CONNECT = (sys.executable, "-m", "connectproxy", "connect")

SENT = random.Random(2).randbytes(3_000_000)
"""More than all buffers on the way hold."""


class ConnectCase(ssh.ProxyCommandCase):
    """
    Runs the command.
    """

    def by(self, scheme: str, *, password: str | None = None) -> str:
        """
        The proxy, as an upstream.
        """
        return f"{scheme}://localhost:{self.proxy.port}"

    def way(self, scheme: str) -> tuple[str, ...]:
        """
        The options to go through the proxy.
        """
        words: tuple[str, ...] = ("--upstream", self.by(scheme))
        if self.asks:
            file = self.temporary() / "credentials"
            file.write_text(f"{USER}:{PASSWORD}\n")
            words += ("--upstream-credentials", f"@{file}")
        return words

    def start(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        """
        Start it; by default with pipes.

        @param words: its command line.
        """
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([*CONNECT, *words], env=environment(), **{**pipes, **more})

        def end() -> None:
            process.kill()
            process.wait()
            for each in (process.stdin, process.stdout, process.stderr):
                if each is not None:
                    each.close()

        self.addCleanup(end)
        return process

    def assertEnds(self, process: subprocess.Popen[bytes], status: int, *words: str) -> None:
        """
        It ends with a status, having said such words, or nothing.
        """
        self.assertEqual(process.wait(GUARD), status)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        for each in words:
            self.assertIn(each, said)
        if not words:
            self.assertEqual(said, "")


class WaysTests(ConnectCase):
    """
    By which proxies.
    """

    def schemes(self) -> list[tuple[str, str]]:
        """
        Schemes, and what the proxy calls what they mean.
        """
        found = [("http", "http/1.1"), ("socks5h", "socks5")]
        return found if self.asks else [*found, ("socks4a", "socks4a")]

    def test_oneProxy(self) -> None:
        """
        By each protocol octets go both ways, and each end hears when the other has said all.
        """
        for scheme, protocol in self.schemes():
            self.assertReverses(
                protocol,
                lambda port, scheme=scheme: [*CONNECT, *self.way(scheme), f"localhost:{port}"],
            )

    def test_lookedUpHere(self) -> None:
        """
        By C{socks5} the name is looked up here.
        """
        self.assertReverses(
            "socks5",
            lambda port: [*CONNECT, *self.way("socks5"), "localhost", str(port)],
            "127.0.0.1",
        )

    def test_secured(self) -> None:
        """
        Over TLS, which has no half-close, the end of the input does not cut off the answer.
        """
        file = self.temporary() / "way.toml"
        for scheme, protocol in (("https", "http/1.1"), ("h2", "h2")):
            self.proxy.mark()
            file.write_text(
                f"[route]\nupstream = 'secured'\n[[upstream]]\nname = 'secured'\nurl = '{self.by(scheme)}'\n"
                f"ca = '{authority().certificate}'\n"
                + (f"credentials = '{USER}:{PASSWORD}'\n" if self.asks else "")
            )

            def serve(sock: socket.socket) -> None:
                octets = readExactly(sock, len(ssh.SENT))
                sock.sendall(octets[::-1])

            port = self.serving(serve)
            command = [*CONNECT, "-c", str(file), f"localhost:{port}"]
            self.assertEqual(self.command(*command, said=ssh.SENT), ssh.SENT[::-1])
            self.assertCame(
                1,
                event="tunnel",
                protocol=protocol,
                targets=[f"localhost:{port}"],
                down=len(ssh.SENT),
                tls=True,
            )


class WaysAskedTests(WaysTests):
    """
    The same, with a name and a password.
    """

    asks = True


class AloneTests(ConnectCase):
    """
    Ways with more than one proxy, and with none.
    """

    def test_straight(self) -> None:
        """
        Without a proxy.
        """
        port = self.reverses()
        self.assertEqual(self.command(*CONNECT, f"127.0.0.1:{port}", said=ssh.SENT), ssh.SENT[::-1])

    def test_chain(self) -> None:
        """
        Through one proxy to another.
        """
        second = self.launch(*self.arguments)
        self.proxy.mark()
        port = self.reverses()
        words = ("--upstream", self.by("http"), "--upstream", f"socks5h://127.0.0.1:{second.port}")
        self.assertEqual(self.command(*CONNECT, *words, f"localhost:{port}", said=ssh.SENT), ssh.SENT[::-1])
        for proxy, target in ((self.proxy, f"127.0.0.1:{second.port}"), (second, f"localhost:{port}")):
            proxy.waitForEvents(1)
            self.assertEqual([each["target"] for each in proxy.events()], [target])


class StreamsTests(ConnectCase):
    """
    What standard input and output can be.
    """

    def test_files(self) -> None:
        """
        Files, as a shell redirects them.
        """
        port = self.reverses()
        given, found = self.temporary() / "given", self.temporary() / "found"
        given.write_bytes(SENT)
        with given.open("rb") as stdin, found.open("wb") as stdout:
            process = self.start(*self.way("http"), f"localhost:{port}", stdin=stdin, stdout=stdout)
            self.assertEnds(process, 0)
        self.assertEqual(found.read_bytes(), SENT[::-1])

    def test_socket(self) -> None:
        """
        One socket for both, as inetd and some clients have it.
        """
        port = self.serving(lambda sock: sock.sendall(readToEnd(sock)[0][::-1]))
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(GUARD)
            with theirs:
                process = self.start(*self.way("http"), f"localhost:{port}", stdin=theirs, stdout=theirs)
                ours.sendall(b"abc")
                ours.shutdown(socket.SHUT_WR)
                # The end comes although this process has the other end of the socket still.
                self.assertEqual(readToEnd(ours)[0], b"cba")
                self.assertEnds(process, 0)

    def test_closed(self) -> None:
        """
        Streams that are closed are empty, and take what they are given.
        """
        port = self.serving(lambda sock: sock.sendall(b"lost" + readToEnd(sock)[0]))
        words = shlex.join([*CONNECT, *self.way("http"), f"localhost:{port}"])
        self.assertEqual(self.command("sh", "-c", f"{words} <&- >&-"), b"")

    def test_terminal(self) -> None:
        """
        A terminal, whose user need not say that he is done when the far side is; it is left
        as it was.
        """

        def serve(sock: socket.socket) -> None:
            sock.sendall(b"who?")
            sock.sendall(readExactly(sock, 3).upper())

        port = self.serving(serve)
        far, near = os.openpty()
        self.addCleanup(os.close, far)
        self.addCleanup(os.close, near)
        tty.setraw(near)
        process = self.start(*self.way("http"), f"localhost:{port}", stdin=near, stdout=near)
        self.assertEqual(os.read(far, 4), b"who?")
        os.write(far, b"ann")
        self.assertEqual(os.read(far, 3), b"ANN")
        self.assertEnds(process, 0)
        self.assertTrue(os.get_blocking(near))

    def test_pipesOfAShell(self) -> None:
        """
        In the middle of a pipeline, whose other commands go on to block.
        """
        port = self.reverses()
        words = shlex.join([*CONNECT, *self.way("http"), f"localhost:{port}"])
        script = f"{{ printf abc; }} | {{ {words}; cat; }} | {{ cat; echo; }}"
        self.assertEqual(self.command("sh", "-c", script), b"cba\n")
