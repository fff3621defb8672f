"""
L{connectproxy.listeners.socks} goes through the kit for listeners, in each version.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseAuthority
from connectproxy.errors import KINDS
from connectproxy.listeners import socks
from connectproxy.wire.socks import formatRequest4, formatRequest5
from tests.conformance import Answer, ListenerContract


def hostAndPort(target: str) -> tuple[str, int]:
    """
    A target, taken apart.
    """
    destination = parseAuthority(target.encode("ascii"))
    assert isinstance(destination, Destination), destination
    return destination.host, destination.port


class SOCKS5ContractTests(ListenerContract, SynchronousTestCase):
    """
    CONNECT of SOCKS 5, greeting and request at once; conformance 74.
    """

    kind = socks.kind
    success = 0
    greeting = b"\x05\x00"

    def ask(self, target: str) -> bytes:
        return b"\x05\x01\x00" + formatRequest5(*hostAndPort(target))

    def read(self, received: bytes) -> Answer | None:
        assert received.startswith(self.greeting), received
        reply = received[len(self.greeting) :]
        if len(reply) < 10:
            assert not reply, received
            return None
        assert reply[:1] + reply[2:10] == b"\x05\x00\x01\x00\x00\x00\x00\x00\x00", received
        return Answer(reply[1], reply[10:])

    def codeOf(self, kind: str) -> Any:
        return KINDS[kind].socks5


class SOCKS4ContractTests(ListenerContract, SynchronousTestCase):
    """
    CONNECT of SOCKS 4a, and of SOCKS 4 where the target is an address.
    """

    kind = socks.kind
    success = 90

    def ask(self, target: str) -> bytes:
        host, port = hostAndPort(target)
        if ":" in host:  # which has no other way than that of a name
            return b"\x04\x01%b\x00\x00\x00\x01ann\x00%b\x00" % (
                port.to_bytes(2, "big"),
                host.encode("ascii"),
            )
        asked = formatRequest4(host, port, b"ann")
        assert isinstance(asked, bytes), asked
        return asked

    def read(self, received: bytes) -> Answer | None:
        if len(received) < 8:
            assert not received, received
            return None
        assert received[:1] + received[2:8] == bytes(7), received
        return Answer(received[1], received[8:])

    def codeOf(self, kind: str) -> Any:
        return KINDS[kind].socks4
