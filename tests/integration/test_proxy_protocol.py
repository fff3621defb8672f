"""
PROXY headers that the proxy sends, as others read them: HAProxy, and Twisted's parsers.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from tests.integration.case import ProxyTestCase
from tests.integration.raw import head, listening, nameOf, readExactly, readToEnd
from tests.integration.running import GUARD, LOCAL, Proxy

pytestmark = pytest.mark.integration

HAPROXY = """\
defaults
    mode http
    timeout client 60s
    timeout connect 60s
    timeout server 60s
frontend ends
    bind fd@{number} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
"""
"""A server that demands a PROXY header, and answers with what it has learned from it."""

WIRED = "[relay]\nsplice = false\n"


class SentCase(ProxyTestCase):
    """
    Tests with destinations that want a header.
    """

    @contextmanager
    def haproxy(self, host: str = "127.0.0.1") -> Iterator[int]:
        """
        Have HAProxy listen.

        @return: its port.
        """
        program = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        assert program is not None, "haproxy is not installed; see tests/integration/packages.txt"
        config = self.temporary() / "haproxy.cfg"
        with listening(host) as port:
            config.write_text(HAPROXY.format(number=port.fileno()))
            process = subprocess.Popen(
                [program, "-db", "-q", "-f", str(config)],
                pass_fds=[port.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            number = port.getsockname()[1]
        try:
            yield number
        finally:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate(timeout=GUARD)
            self.assertNotIn(b"ALERT", output)

    def learned(self, client: socket.socket, target: str) -> str:
        """
        What HAProxy has learned about a client that sends it a request through a tunnel.
        """
        client.sendall(head(target) + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        octets, _ = readToEnd(client)
        established, _, answer = octets.partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", established)
        self.assertIn(b" 200 ", answer.partition(b"\r\n")[0], octets)
        return answer.partition(b"\r\n\r\n")[2].decode()

    def assertLearned(self, proxy: Proxy, relay: str) -> None:
        """
        HAProxy knows the client and what the proxy has dialled, over both families of IP; a
        relay moves the rest.
        """
        for host in ("127.0.0.1", "::1"):
            with self.haproxy(host) as port, self.connect(proxy) as client:
                name = nameOf(client)
                target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                source, number, destination, there = self.learned(client, target).split()
            self.assertEqual(source.removeprefix("::ffff:"), "127.0.0.1")
            self.assertEqual((f"127.0.0.1:{number}", destination, there), (name, host, str(port)))
            event = proxy.event(name)
            self.assertEqual((event["relay"], event["end"]), (relay, "eof"))

    def assertRead(self, parser: Any, most: int) -> None:
        """
        The header is there before the client has said anything, and says what it should.
        """
        for early in (b"", b"early"):
            origin = self.origin()
            client, peer = self.tunnel(origin, early=early)
            name, info, octets = nameOf(client), None, b""
            while info is None:
                octets += readExactly(peer, 1)
                info, rest = type(parser)().feed(octets) if len(octets) >= most else (None, b"")
            self.assertFalse(rest)
            self.assertEqual(readExactly(peer, len(early)), early)
            source, destination = info.source, info.destination
            self.assertEqual(_shown(source), name)
            self.assertEqual(_shown(destination), f"127.0.0.1:{origin.getsockname()[1]}")
            self.assertPings(client, peer)
            client.close()
            peer.close()
            self.assertEqual(self.proxy.event(name)["bytes_up"], len(early) + 4)


class Version1Tests(SentCase):
    """
    C{--send-proxy-protocol v1}.
    """

    arguments = (*LOCAL, "--send-proxy-protocol", "v1")

    def test_haproxy(self) -> None:
        """
        HAProxy learns who the client is (conformance 78).
        """
        self.assertLearned(self.proxy, "splice")

    def test_wired(self) -> None:
        """
        So with the relay that goes through Twisted.
        """
        proxy = self.launch(*self.arguments, config=WIRED)
        self.assertLearned(proxy, "wired")

    def test_twisted(self) -> None:
        """
        Twisted's parser reads the same; behind the header comes what the client has sent
        early, and the tunnel's octets are counted without it.
        """
        self.assertRead(V1Parser(), 8)

    def test_unix(self) -> None:
        """
        Of a client on a UNIX socket HAProxy learns nothing: it sees the proxy (conformance 78).
        """
        path = str(self.temporary() / "socket")
        self.launch(*self.arguments, listen=(f"unix:{path}",))
        with self.haproxy() as port, socket.socket(socket.AF_UNIX) as client:
            client.settimeout(GUARD)
            client.connect(path)
            said = self.learned(client, f"127.0.0.1:{port}").split()
        self.assertEqual((said[0], *said[2:]), ("127.0.0.1", "127.0.0.1", str(port)))

    def test_refused(self) -> None:
        """
        A connection that is not made is refused as ever.
        """
        with listening() as port:
            number = port.getsockname()[1]
        self.assertRefused(self.ask(f"127.0.0.1:{number}"), 502, "connection_refused")


class Version2Tests(Version1Tests):
    """
    C{--send-proxy-protocol v2}.
    """

    arguments = (*LOCAL, "--send-proxy-protocol", "v2")

    def test_twisted(self) -> None:
        """
        So in version 2.
        """
        self.assertRead(V2Parser(), 16 + 12)


def _shown(address: Any) -> str:
    """
    One of Twisted's addresses as C{host:port}.
    """
    host = address.host.decode() if isinstance(address.host, bytes) else address.host
    return f"{host}:{address.port}"
