"""
Next hops that fail in SOCKS.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest

from connectproxy.errors import KINDS
from connectproxy.testing import Close, Read, Reset, Say, Stall
from tests.integration.badcase import SECRET, BadCase
from tests.integration.raw import nameOf
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration

HELLO5 = Read(3)
"""Version, one method, no authentication."""

REQUEST5 = Read(7 + len("origin.example"))


class SOCKSTests(BadCase):
    """
    Hops that speak SOCKS.
    """

    def play5(self, *octets: bytes, end: Any = None, rate: float = 0.0) -> None:
        """
        Have the hop take the request, and say this.
        """
        steps = (HELLO5, Say(b"\x05\x00"), REQUEST5, *(Say(each, rate) for each in octets))
        self.stage.socks5.play((*steps, *([end] if end else [])))

    def test_open(self) -> None:
        """
        It answers with an address of either kind or a name, octet by octet, with something glued to
        it.
        """
        for bound in (b"\x01" + bytes(4), b"\x03\x0bbound.local", b"\x04" + bytes(16), b"\x03\x00"):
            for rate in (0.0, 1.0):
                self.play5(b"\x05\x00\x00" + bound + struct.pack("!H", 99) + b"hello", rate=rate)
                self.assertOpen("socks5")
        self.stage.socks4.play(
            (Read(b"origin.example\0"), Say(b"\x00\x5a" + bytes(6) + b"hello"), Read(b"there"))
        )
        self.assertOpen("socks4")

    def test_wrong(self) -> None:
        """
        It answers by another version, with garbage, or with HTTP.
        """
        for octets in (
            b"\x04\x00\x00\x01" + bytes(6),
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x05\x00\x00\x09" + bytes(9),
        ):
            self.play5(octets)
            self.assertTold("socks5", "next_hop_protocol_error")
        for octets in (b"\x04\x00", b"\x05\x01", b"\x00\x00", b"HTTP/1.1"):
            self.stage.socks5.play((HELLO5, Say(octets)))
            self.assertTold("socks5", "next_hop_protocol_error")
        for octets in (b"\x05\x00" + bytes(6), b"HTTP/1.1 400"):
            self.stage.socks4.play((Read(b"origin.example\0"), Say(octets)))
            self.assertTold("socks4", "next_hop_protocol_error")

    def test_codes(self) -> None:
        """
        What it says of the destination is what the client is told.
        """
        for code, error in (
            (1, "next_hop_failed"), (2, "next_hop_denied"), (3, "destination_ip_unroutable"),
            (4, "destination_unavailable"), (5, "connection_refused"), (6, "next_hop_timeout"),
            (7, "next_hop_protocol_error"), (8, "next_hop_failed"), (99, "next_hop_failed"),
        ):  # fmt: skip
            self.play5(bytes([5, code, 0, 1]) + bytes(6))
            client, answer = self.opened("socks5")
            event = self.proxy.event(nameOf(client))
            self.assertEqual((event["error"], answer.status), (error, KINDS[error].status), code)
            self.assertIn("next hop socks5 ", event["reason"])
        for code in (91, 92, 93):
            self.stage.socks4.play((Read(b"origin.example\0"), Say(bytes([0, code]) + bytes(6))))
            _, answer = self.opened("socks4")
            self.assertEqual(answer.status, 502)

    def test_credentials(self) -> None:
        """
        It wants a password that there is not, or not the one that there is.
        """
        self.stage.socks5.play((HELLO5, Say(b"\x05\xff"), Close()))
        self.assertTold("socks5", "next_hop_authentication_failed")
        self.stage.socks5.play((Read(3), Say(b"\x05\x02"), Read(len(SECRET) + 6), Say(b"\x01\x01"), Close()))
        _, answer = self.opened("socks5-known")
        self.assertEqual(answer.status, 502)
        waitFor(lambda: len(self.proxy.events()) == 2, "the event")
        self.assertEqual(self.proxy.events()[1]["error"], "next_hop_authentication_failed")

    def test_truncated(self) -> None:
        """
        It closes or resets in the middle of each answer, or before it.
        """
        reply = b"\x05\x00\x00\x01" + bytes(6)
        for end in (Close(), Reset()):
            for said in (b"", reply[:1], reply[:4], reply[:-1]):
                self.play5(*([said] if said else []), end=end)
                self.assertTold("socks5", "next_hop_gone")
            for said in (b"", b"\x05"):
                self.stage.socks5.play((HELLO5, *([Say(said)] if said else []), end))
                self.assertTold("socks5", "next_hop_gone")
            for said in (b"", b"\x00\x5a\x00"):
                self.stage.socks4.play((Read(b"origin.example\0"), *([Say(said)] if said else []), end))
                self.assertTold("socks4", "next_hop_gone")

    def test_silent(self) -> None:
        """
        It says nothing, or not all.
        """
        self.stage.socks5.play((HELLO5, Stall()))
        self.assertTold("socks5-quick", "next_hop_silent")
        self.play5(b"\x05\x00\x00", end=Stall())
        self.assertTold("socks5-quick", "next_hop_silent")
        self.stage.socks4.play((Read(b"origin.example\0"), Stall()))
        self.assertTold("socks4-quick", "next_hop_silent")
