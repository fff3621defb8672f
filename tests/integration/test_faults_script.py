"""
A proxy between a client and a server that goes wrong as a script says: the client gets to see
what it would see without the proxy, and the event says who it was.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.testing import (
    Close,
    FaultyServer,
    Forward,
    HalfClose,
    Read,
    Reset,
    RunningProxy,
    Say,
    Stall,
)
from connectproxy.testing.running import ReactorThread
from tests.integration.raw import connect, head, listening, readAnswer, readExactly, readToEnd

pytestmark = pytest.mark.integration


class ScriptTests(SynchronousTestCase):
    """
    Origins by script.
    """

    def setUp(self) -> None:
        """
        Run a proxy, and have a reactor for servers.
        """
        self.thread = ReactorThread()
        self.thread.start()
        self.addCleanup(self.thread.stop)

    def run_(self, **options: Any) -> None:
        """
        Run the proxy.
        """
        self.proxy = RunningProxy(self.thread, **options)
        self.addCleanup(self.proxy.stop)

    def serve(self, *script: Any, target: tuple[str, int] | None = None) -> FaultyServer:
        """
        Run a server.
        """
        server = FaultyServer(self.thread.reactor, script, target=target)
        self.thread.call(server.start)
        self.addCleanup(self.thread.call, server.stop)
        return server

    def tunnel(self, server: FaultyServer) -> socket.socket:
        """
        Open a tunnel to it.
        """
        client = connect(self.proxy.port)
        self.addCleanup(client.close)
        client.sendall(head(f"{server.host}:{server.port}"))
        self.assertEqual(readAnswer(client).status, 200)
        return client

    def ended(self) -> tuple[str, str, int]:
        """
        How the tunnel has ended, by whom, and after how many octets.
        """
        (event,) = self.proxy.waitForEvents(1)
        return event["end"], event["ended_by"], event["bytes_down"]

    def test_reset(self) -> None:
        """
        A reset after some octets is a reset for the client, whatever relay it is.
        """
        for splice in (True, False):
            self.run_(relay={"splice": splice})
            client = self.tunnel(self.serve(Read(4), Say(b"some"), Read(4), Reset()))
            client.sendall(b"ping")
            self.assertEqual(readExactly(client, 4), b"some")
            client.sendall(b"ping")
            self.assertEqual(readToEnd(client), (b"", "reset"))
            self.assertEqual(self.ended(), ("reset", "origin", 4))

    def test_close(self) -> None:
        """
        A close comes behind all that was said.
        """
        self.run_()
        client = self.tunnel(self.serve(Say(bytes(300_000)), HalfClose(), Read(3), Close()))
        self.assertEqual(readToEnd(client), (bytes(300_000), "eof"))
        client.sendall(b"bye")
        client.close()
        self.assertEqual(self.ended(), ("eof", "origin", 300_000))

    def test_stall(self) -> None:
        """
        A server that reads nothing makes the client wait, and the tunnel is ended when its time
        is up, even if it can't be told in order.
        """
        for splice in (True, False):
            self.run_(relay={"splice": splice}, timeouts={"idle": 0.5, "half_open": 0.5})
            client = self.tunnel(self.serve(Stall()))
            with self.assertRaises(OSError):
                for _ in range(1000):  # more than all buffers together take
                    client.sendall(bytes(1 << 20))
            self.assertEqual(self.ended()[:2], ("idle_timeout", "proxy"))

    def test_slow(self) -> None:
        """
        A slow server in front of a quick one is not idle as long as anything comes.
        """
        self.run_(timeouts={"idle": 0.5})
        with listening() as origin:
            server = self.serve(Forward(rate=200), target=origin.getsockname())
            client = self.tunnel(server)
            end, _ = origin.accept()
            with end:
                end.sendall(bytes(200))
            self.assertEqual(readToEnd(client), (bytes(200), "eof"))

    def test_garbage(self) -> None:
        """
        Garbage in the place of an answer is a 502 for who had a message forwarded.
        """
        self.run_()
        server = self.serve(Read(b"\r\n\r\n"), Say(b"\0garbage\r\n\r\n"))
        with connect(self.proxy.port) as client:
            where = f"{server.host}:{server.port}"
            client.sendall(
                f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\nConnection: close\r\n\r\n".encode()
            )
            self.assertEqual(readAnswer(client).status, 502)
        (event,) = self.proxy.waitForEvents(1)
        self.assertEqual((event["status"], event["error"]), (502, "http_protocol_error"))
