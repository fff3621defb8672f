"""
What the tests with a running proxy have in common.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.raw import Answer, connect, head, listening, readAnswer, readExactly
from tests.integration.running import LOCAL, Proxy, shared

__all__ = ["ProxyTestCase", "SplicedCase", "WiredCase"]

C = TypeVar("C")


class ProxyTestCase(SynchronousTestCase):
    """
    Tests at a proxy that is shared by all that want the same.

    @cvar arguments: its options.
    @cvar config: its configuration file.
    """

    arguments: ClassVar[tuple[str, ...]] = LOCAL
    config: ClassVar[str] = ""
    proxy: Proxy

    def setUp(self) -> None:
        """
        Have it run, with no events yet.
        """
        self.proxy = shared(self.arguments, self.config)
        self.proxy.mark()
        self.addCleanup(self.proxy.check)

    def closing(self, thing: C, close: Callable[[C], Any] | None = None) -> C:
        """
        See to it that something is closed when the test is over.
        """
        if close is None:
            self.addCleanup(thing.close)  # type: ignore[attr-defined]
        else:
            self.addCleanup(close, thing)
        return thing

    def launch(self, *arguments: str, **more: Any) -> Proxy:
        """
        Start a proxy for this test alone; see L{Proxy}.
        """
        return self.closing(Proxy(*arguments, **more))

    def temporary(self) -> Path:
        """
        A new directory, removed when the test is over.
        """
        directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def origin(self, host: str = "127.0.0.1", backlog: int = 128) -> socket.socket:
        """
        A port where a tunnel can lead.
        """
        return self.closing(listening(host, backlog))

    def connect(self, proxy: Proxy | None = None) -> socket.socket:
        """
        Connect to the proxy.
        """
        return self.closing(connect((proxy or self.proxy).port))

    def tunnel(
        self, origin: socket.socket | None = None, proxy: Proxy | None = None, early: bytes = b""
    ) -> tuple[socket.socket, socket.socket]:
        """
        Make a tunnel.

        @param early: what the client sends right behind its request.
        @return: the client's end and the origin's.
        """
        origin = origin or self.origin()
        client = self.connect(proxy)
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}") + early)
        answer = readAnswer(client)
        self.assertEqual((answer.status, answer.body), (200, ""))
        return client, self.accept(origin)

    def accept(self, origin: socket.socket) -> socket.socket:
        """
        Take the origin's end of a tunnel.
        """
        sock = self.closing(origin.accept()[0])
        sock.settimeout(origin.gettimeout())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def ask(self, request: bytes | str, proxy: Proxy | None = None) -> Answer:
        """
        Send a request, or one for a tunnel to a target, and read the answer.
        """
        with self.connect(proxy) as client:
            client.sendall(head(request) if isinstance(request, str) else request)
            return readAnswer(client)

    def assertPings(self, client: socket.socket, origin: socket.socket) -> None:
        """
        A tunnel carries octets both ways.
        """
        client.sendall(b"ping")
        self.assertEqual(readExactly(origin, 4), b"ping")
        origin.sendall(b"pong")
        self.assertEqual(readExactly(client, 4), b"pong")

    def assertRefused(self, answer: Answer, status: int, error: str, *words: str) -> None:
        """
        A refusal is whole: its status, its error type, and a body with such words.
        """
        self.assertEqual(
            (answer.status, answer.fields.get("proxy-status")), (status, f"connectproxy; error={error}")
        )
        self.assertEqual(answer.fields["connection"], "close")
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertEqual(answer.fields["content-length"], str(len(answer.body.encode())))
        self.assertTrue(answer.body.startswith(f"{status} "), answer.body)
        for each in ("What to do: ", *words):
            self.assertIn(each, answer.body)


class SplicedCase(ProxyTestCase):
    """
    Tests at a proxy that moves octets by splice.
    """

    relay = "splice"


class WiredCase(ProxyTestCase):
    """
    Tests at a proxy that moves octets through Twisted's transports.
    """

    relay = "wired"
    config = "[relay]\nsplice = false\n"
