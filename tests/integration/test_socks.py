"""
SOCKS at a running proxy, byte by byte, on a port that speaks nothing else.
"""

from __future__ import annotations

import atexit
import functools
import socket
import struct

import pytest
import socks as pysocks

from connectproxy.wire.socks import Command, formatCredentials, formatRequest4, formatRequest5
from tests.integration.case import ProxyTestCase
from tests.integration.raw import nameOf, readExactly, readToEnd, reset
from tests.integration.running import LOCAL, Proxy
from tests.integration.socksraw import HELLO, readReply

pytestmark = pytest.mark.integration

ONLY = '[[listen]]\nendpoint = "tcp:0:interface=127.0.0.1"\nprotocols = ["socks5", "socks4"]\n'


@functools.cache
def only(arguments: tuple[str, ...]) -> Proxy:
    """
    The proxy with such a port that all tests with the same wishes share.
    """
    proxy = Proxy(*arguments, config=ONLY, listen=())
    atexit.register(proxy.discard)
    return proxy


class SOCKSCase(ProxyTestCase):
    """
    Tests at a port that speaks SOCKS only.
    """

    def setUp(self) -> None:
        """
        Have it run, with no events yet.
        """
        self.proxy = only(self.arguments)
        self.proxy.mark()
        self.addCleanup(self.proxy.check)

    def said(self, octets: bytes) -> tuple[bytes, str]:
        """
        Say something, and hear all that the proxy says until it closes.
        """
        with self.connect() as client:
            client.sendall(octets)
            return readToEnd(client)


class TunnelTests(SOCKSCase):
    """
    Tunnels.
    """

    def test_versions(self) -> None:
        """
        Each version leads to the origin, with what was sent behind the request first;
        conformance 74 and 76.
        """
        origin = self.origin()
        port = origin.getsockname()[1]
        for protocol, host in (("socks5", "127.0.0.1"), ("socks5", "localhost"), ("socks4", "127.0.0.1"), ("socks4a", "localhost")):  # fmt: skip
            self.proxy.mark()
            client = self.connect()
            asked = formatRequest5(host, port) if protocol == "socks5" else formatRequest4(host, port, b"ann")
            assert isinstance(asked, bytes)
            client.sendall((HELLO if protocol == "socks5" else b"") + asked + b"early, ")
            if protocol == "socks5":
                self.assertEqual(readExactly(client, 2), b"\x05\x00")
                self.assertEqual(readReply(client), (0, "0.0.0.0", 0))
            else:
                self.assertEqual(readExactly(client, 8), b"\x00\x5a\0\0\0\0\0\0")
            far = self.accept(origin)
            client.sendall(b"late")
            self.assertEqual(readExactly(far, 11), b"early, late")
            self.assertPings(client, far)
            name = nameOf(client)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(far.recv(1), b"")
            far.sendall(b"last")
            far.close()
            self.assertEqual(readToEnd(client), (b"last", "eof"))
            event = self.proxy.event(name)
            self.assertEqual(
                [event[each] for each in ("event", "protocol", "method", "target", "status", "end")],
                ["tunnel", protocol, "CONNECT", f"{host}:{port}", 200, "eof"],
            )
            self.assertEqual((event["bytes_up"], event["bytes_down"]), (15, 8))

    def test_byteByByte(self) -> None:
        """
        Octets may come one by one.
        """
        origin = self.origin()
        client = self.connect()
        for octet in HELLO + formatRequest5("127.0.0.1", origin.getsockname()[1]):
            client.send(bytes((octet,)))
        self.assertEqual(readExactly(client, 12)[:4], b"\x05\x00\x05\x00")
        self.assertPings(client, self.accept(origin))

    def test_IPv6(self) -> None:
        """
        IPv6 as an address.
        """
        origin = self.origin("::1")
        client = self.connect()
        client.sendall(HELLO + formatRequest5("::1", origin.getsockname()[1]))
        self.assertEqual(readExactly(client, 12)[:4], b"\x05\x00\x05\x00")
        self.assertPings(client, self.accept(origin))

    def test_PySocks(self) -> None:
        """
        PySocks, in each version.
        """
        origin = self.origin()
        for version in (pysocks.SOCKS5, pysocks.SOCKS4):
            client = self.closing(pysocks.socksocket())
            client.set_proxy(version, "127.0.0.1", self.proxy.port, rdns=True)
            client.connect(("localhost", origin.getsockname()[1]))
            self.assertPings(client, self.accept(origin))

    def test_reset(self) -> None:
        """
        A client that resets resets the origin.
        """
        origin = self.origin()
        client = self.connect()
        client.sendall(HELLO + formatRequest5("127.0.0.1", origin.getsockname()[1]))
        far = self.accept(origin)
        readExactly(client, 12)
        self.assertPings(client, far)
        reset(client)
        self.assertEqual(readToEnd(far), (b"", "reset"))


class RefusalTests(SOCKSCase):
    """
    What is refused, as the client and the operator see it; conformance 72.
    """

    def test_codes(self) -> None:
        """
        Each with its own reply; then the end, without a reset.
        """
        unused = self.origin()
        port = unused.getsockname()[1]
        unused.close()
        for asked, code, error in (
            (formatRequest5("10.0.0.1", 443), 2, "destination_ip_prohibited"),
            (formatRequest5("127.0.0.1", self.proxy.port), 2, "proxy_loop_detected"),
            (formatRequest5("127.0.0.1", port), 5, "connection_refused"),
            (formatRequest5("127.0.0.1", port, Command.BIND), 7, "socks_command_not_supported"),
            (b"\x05\x01\x00\x05", 8, "socks_address_type_not_supported"),
            (b"\x05\x01\x00\x03\x05127.1\x01\xbb", 1, "socks_request_error"),
        ):
            self.proxy.mark()
            reply = b"\x05%c\x00\x01\0\0\0\0\0\0" % code
            self.assertEqual(self.said(HELLO + asked), (b"\x05\x00" + reply, "eof"))
            self.proxy.waitForEvents(1)
            (event,) = self.proxy.events()
            self.assertEqual(
                (event["event"], event["error"], event["protocol"]), ("refusal", error, "socks5")
            )

    def test_strangers(self) -> None:
        """
        What this port does not speak is closed, and nothing said.
        """
        for octets in (b"GET http://a.example/ HTTP/1.1\r\n\r\n", b"\0" * 100):
            self.proxy.mark()
            self.assertEqual(self.said(octets)[0], b"")
            self.proxy.waitForEvents(1)
            self.assertEqual(self.proxy.events()[0]["error"], "protocol_not_served")


class UserTests(SOCKSCase):
    """
    Where users are asked; conformance 71 and 76.
    """

    arguments = (*LOCAL, "--auth", "ann:pass:word")

    def test_password(self) -> None:
        """
        Who has the password gets through, and is named.
        """
        origin = self.origin()
        client = self.connect()
        client.sendall(b"\x05\x02\x00\x02" + formatCredentials("ann", "pass:word"))
        self.assertEqual(readExactly(client, 4), b"\x05\x02\x01\x00")
        client.sendall(formatRequest5("127.0.0.1", origin.getsockname()[1]))
        self.assertEqual(readReply(client), (0, "0.0.0.0", 0))
        far = self.accept(origin)
        self.assertPings(client, far)
        name = nameOf(client)
        client.close()
        far.close()
        self.assertEqual(self.proxy.event(name)["user"], "ann")

    def test_nobodyElse(self) -> None:
        """
        A wrong password, none, and a claim: each is told in its own words, and nothing is
        dialled.
        """
        origin = self.origin()
        target = "127.0.0.1", origin.getsockname()[1]
        claim = formatRequest4(*target, b"ann")
        assert isinstance(claim, bytes)
        for octets, said in (
            (
                b"\x05\x01\x02" + formatCredentials("ann", "pass") + formatRequest5(*target),
                b"\x05\x02\x01\x01",
            ),
            (HELLO + formatRequest5(*target), b"\x05\xff"),
            (claim, b"\x00\x5b\0\0\0\0\0\0"),
        ):
            self.proxy.mark()
            with self.connect() as client:
                client.sendall(octets)
                self.assertEqual(readToEnd(client), (said, "eof"))
            self.proxy.waitForEvents(1)
            (event,) = self.proxy.events()
            self.assertEqual((event["error"], event["user"]), ("proxy_authentication_required", None))
            self.assertNotIn("pass", str({**event, "listener": ""}).replace("password", ""))
        origin.setblocking(False)
        self.assertRaises(BlockingIOError, origin.accept)


class HostileTests(SOCKSCase):
    """
    Clients that mean no good.
    """

    def test_thousand(self) -> None:
        """
        A thousand that stop in the middle keep nobody else from a tunnel; whoever goes leaves
        nothing behind.
        """
        proxy = self.launch(*LOCAL, config=ONLY, listen=())
        origin = self.origin(backlog=512)
        asked = HELLO + formatRequest5("127.0.0.1", origin.getsockname()[1])
        lazy = []
        for number in range(1000):
            client = self.connect(proxy)
            client.sendall(asked[: number % len(asked)] or b"\x04\x01")
            lazy.append(client)
        busy = [self.connect(proxy) for _ in range(100)]
        for client in busy:
            client.sendall(asked)
        for client in busy:
            self.assertEqual(readExactly(client, 12)[:4], b"\x05\x00\x05\x00")
            far = self.accept(origin)
            far.close()
        for client in (*busy, *lazy):
            client.close()
        proxy.waitForEvents(1100)
        found = [each["event"] for each in proxy.events()]
        self.assertEqual((found.count("tunnel"), found.count("abandoned")), (100, 1000))

    def test_memory(self) -> None:
        """
        Lying lengths and endless strings cost no memory.
        """
        before = self.proxy.memory()
        for octets in (
            b"\x05\xff" + b"\x02" * 254,
            b"\x04\x01\x01\xbb\x7f\0\0\1" + b"u" * 255,
            b"\x05\x01\x02\x01\xff" + b"u" * 254,
        ):
            for _ in range(100):
                self.connect().sendall(octets)
        flood = self.connect()
        flood.sendall(HELLO + b"\x04\x01\x01\xbb\x7f\0\0\1" + bytes(1 << 20))
        self.assertLess(self.proxy.memory() - before, 8 << 20)

    def test_unreadAnswer(self) -> None:
        """
        A client that never reads, and resets, is no trouble.
        """
        for _ in range(50):
            client = self.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(HELLO + formatRequest5("10.0.0.1", 443) + bytes(1000))
            client.close()
        self.assertEqual(self.said(HELLO + formatRequest5("10.0.0.1", 443))[0][:4], b"\x05\x00\x05\x02")
