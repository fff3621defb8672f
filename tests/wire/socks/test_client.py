"""
Tests of L{connectproxy.wire.socks.client}.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.socks import (
    Address,
    Command,
    Method,
    MethodReader,
    ReplyReader4,
    ReplyReader5,
    StatusReader,
    formatCredentials,
    formatGreeting,
    formatMethod,
    formatReply4,
    formatReply5,
    formatRequest4,
    formatRequest5,
    formatStatus,
)
from connectproxy.wire.socks.message import NEXT_HOP
from tests.wire.socks.reading import Reading, examples, mutants, places

V6 = IPv6Address("2001:db8::1")

FAILED, STRANGER = "next_hop_failed", "next_hop_authentication_failed"


class BuilderTests(SynchronousTestCase):
    """
    What is sent to a next hop: the octets that curl 7.88.1 sends, where it sends them.
    """

    def test_greeting(self) -> None:
        """The methods in the order given, 1 to 255 of them (conformance 71)."""
        self.assertEqual(formatGreeting([Method.NOTHING]), b"\x05\x01\x00")
        self.assertEqual(formatGreeting((Method.NOTHING, Method.PASSWORD)), b"\x05\x02\x00\x02")
        self.assertEqual(formatGreeting(range(255)), b"\x05\xff" + bytes(range(255)))
        for methods in ((), range(256), (256,), (-1,)):
            self.assertRaises(ValueError, formatGreeting, methods)

    def test_credentials(self) -> None:
        """Both in UTF-8 (conformance 71)."""
        self.assertEqual(formatCredentials("me", "secret"), b"\x01\x02me\x06secret")
        self.assertEqual(formatCredentials("\xe9", "\u2603"), b"\x01\x02\xc3\xa9\x03\xe2\x98\x83")
        longest = "\xe9" * 127 + "e"
        self.assertEqual(formatCredentials(longest, longest)[1], 255)

    def test_credentialsThatCantBeSent(self) -> None:
        """Too short, too long or without a form in UTF-8; the error does not show them (conformance 71)."""
        for username, password in (
            ("", "secret"), ("secret", ""), ("secret" * 43, "x"), ("x", "secret" * 43), ("secret\udc80", "x"),
            ("x", "secret\udc80"), ("\xe9" * 128, "secret"),
        ):  # fmt: skip
            error = self.assertRaises(ValueError, formatCredentials, username, password)
            self.assertNotIsInstance(error, UnicodeError)
            self.assertNotIn("secret", str(error))
            self.assertNotIn("secret", repr(error))

    def test_request5(self) -> None:
        """Names are sent as names, addresses as addresses (conformance 72)."""
        self.assertEqual(formatRequest5("a.example", 80), b"\x05\x01\x00\x03\ta.example\x00P")
        self.assertEqual(formatRequest5("192.0.2.1", 80), b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00P")
        self.assertEqual(formatRequest5("2001:db8::1", 80), b"\x05\x01\x00\x04" + V6.packed + b"\x00P")
        self.assertEqual(
            formatRequest5("0.0.0.0", 0, Command.ASSOCIATE), b"\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"
        )
        self.assertRaises(ValueError, formatRequest5, "", 80)

    def test_request4(self) -> None:
        """An IPv4 address, mapped or not, in SOCKS 4; a name in 4a (conformance 76)."""
        for host in ("192.0.2.1", "::ffff:192.0.2.1"):
            self.assertEqual(formatRequest4(host, 80), b"\x04\x01\x00P\xc0\x00\x02\x01\x00")
        self.assertEqual(
            formatRequest4("192.0.2.1", 80, b"me", Command.BIND), b"\x04\x02\x00P\xc0\x00\x02\x01me\x00"
        )
        self.assertEqual(formatRequest4("a.example", 80), b"\x04\x01\x00P\x00\x00\x00\x01\x00a.example\x00")
        self.assertEqual(formatRequest4("a", 80, b"me"), b"\x04\x01\x00P\x00\x00\x00\x01me\x00a\x00")
        self.assertEqual(formatRequest4("0.0.0.0", 80), b"\x04\x01\x00P\x00\x00\x00\x00\x00")

    def test_request4ThatCantBeSaid(self) -> None:
        """No IPv6, and no address that 4a would take for the sign of a name: a client may ask for these (conformance 76)."""
        for host, words in (
            ("2001:db8::1", "no IPv6"),
            ("::", "no IPv6"),
            ("0.0.0.1", "0.0.0.1"),
            ("0.0.0.255", "sign of a name"),
        ):
            refusal = formatRequest4(host, 80)
            assert isinstance(refusal, Refusal)
            self.assertEqual(refusal.kind, "destination_ip_unroutable")
            self.assertIn(words, refusal.detail)

    def test_request4OfOurOwnBugs(self) -> None:
        """A NUL or too much where it would move the end of a string, and commands that there are not, raise."""
        for host, port, user in (
            ("a\0b", 80, b""), ("a", 80, b"\0"), ("a", 80, b"u" * 256), ("a", 65536, b""), ("", 80, b""),
            ("a" * 256, 80, b""), ("\xe9", 80, b""),
        ):  # fmt: skip
            self.assertRaises(ValueError, formatRequest4, host, port, user)
        self.assertRaises(ValueError, formatRequest4, "a", 80, b"", Command.ASSOCIATE)
        self.assertIsInstance(formatRequest4("a" * 255, 65535, b"u" * 255), bytes)


class MethodReaderTests(Reading):
    """
    What L{MethodReader} takes for a choice.
    """

    def make(self) -> MethodReader:
        """A reader for an offer of two."""
        return MethodReader([Method.NOTHING, Method.PASSWORD])

    def test_choice(self) -> None:
        """One of those offered (conformance 71)."""
        self.assertRead(b"\x05\x00", 0)
        self.assertRead(b"\x05\x02", Method.PASSWORD)

    def test_none(self) -> None:
        """0xFF is a refusal (conformance 71)."""
        self.assertRefused(
            b"\x05\xff", STRANGER, "the next hop accepts none of the methods that it was offered: 0x00, 0x02"
        )

    def test_another(self) -> None:
        """A method that was not offered is not to be followed (conformance 71)."""
        for method in {*range(255)} - {0, 2}:
            self.assertRefused(
                bytes([5, method]), NEXT_HOP, f"chooses the method {method:#04x}, which it was not offered"
            )

    def test_version(self) -> None:
        """Nothing but version 5 (conformance 71)."""
        for first in {*range(256)} - {5}:
            self.assertRefused(bytes([first]), NEXT_HOP, f"choice of a method begins with {first:#04x}")

    def test_truncated(self) -> None:
        """A next hop that closes instead has refused, in its way."""
        reader = self.make()
        self.assertRefusal(reader.ended(), NEXT_HOP, "ended after 0 octets of the next hop's choice")


class StatusReaderTests(Reading):
    """
    What L{StatusReader} takes for success.
    """

    make = StatusReader

    def test_success(self) -> None:
        """0 and nothing else (conformance 71)."""
        self.assertRead(b"\x01\x00", True)

    def test_failure(self) -> None:
        """Any other status (conformance 71)."""
        for status in range(1, 256):
            self.assertRefused(
                bytes([1, status]), STRANGER, f"the next hop rejects the credentials, with status {status}"
            )

    def test_version(self) -> None:
        """The version is that of the negotiation (conformance 71)."""
        for first in {*range(256)} - {1}:
            self.assertRefused(
                bytes([first]), NEXT_HOP, f"answer to the credentials begins with {first:#04x}"
            )


class ReplyReader5Tests(Reading):
    """
    What L{ReplyReader5} makes of a reply.
    """

    make = ReplyReader5

    def test_success(self) -> None:
        """Whatever the next hop tells of its address, success is success (conformance 72)."""
        for field, address in (
            (b"\x01" + bytes(6), Address("0.0.0.0", 0)),
            (b"\x01\xc0\x00\x02\x01\x00P", Address("192.0.2.1", 80)),
            (b"\x04" + V6.packed + b"\x00P", Address("2001:db8::1", 80)),
            (b"\x04" + bytes(18), Address("::", 0)),
            (b"\x03\tlocalhost\x00P", Address("localhost", 80)),
            (b"\x03\x00\x00\x00", Address("", 0)),
            (b"\x03\xff" + b"a" * 255 + b"\xff\xff", Address("a" * 255, 65535)),
            (b"\x03\x02\n\xff\x00P", Address("\\n\\xff", 80)),
        ):
            self.assertRead(b"\x05\x00\x00" + field, address)
        self.assertRead(b"\x05\x00\xff\x01" + bytes(6), Address("0.0.0.0", 0))

    def test_failure(self) -> None:
        """A failure is known by its REP, whether or not the rest comes (conformance 72)."""
        for rep, kind, words in (
            (1, FAILED, "the next hop answers 1, general failure"),
            (2, "next_hop_denied", "not allowed"),
            (3, "destination_ip_unroutable", "network unreachable"),
            (4, "destination_unavailable", "host unreachable"),
            (5, "connection_refused", "connection refused"),
            (6, "next_hop_timeout", "TTL expired"),
            (7, NEXT_HOP, "command not supported"),
            (8, FAILED, "address type not supported"),
            (9, FAILED, "the next hop answers 9, which nobody knows"),
            (255, FAILED, "which nobody knows"),
        ):
            self.assertRefused(bytes([5, rep]), kind, words)
            if 2 <= rep <= 6:
                self.assertEqual(KINDS[kind].socks5, rep)

    def test_unknownType(self) -> None:
        """A success whose end can't be found is none (conformance 72)."""
        for type_ in (0, 2, 5, 255):
            self.assertRefused(bytes([5, 0, 0, type_]), NEXT_HOP, f"reply: the address type is {type_:#04x}")

    def test_version(self) -> None:
        """Nothing but version 5 (conformance 71)."""
        for first in {*range(256)} - {5}:
            self.assertRefused(bytes([first]), NEXT_HOP, f"SOCKS 5 reply begins with {first:#04x}")

    def test_truncated(self) -> None:
        """A reply that ends early says how early."""
        reader = ReplyReader5()
        self.assertIsNone(reader.receive(b"\x05\x00\x00\x01\x00"))
        self.assertRefusal(
            reader.ended(), NEXT_HOP, "the connection ended after 5 octets of the next hop's SOCKS 5 reply"
        )


class ReplyReader4Tests(Reading):
    """
    What L{ReplyReader4} makes of a reply.
    """

    make = ReplyReader4

    def test_success(self) -> None:
        """Version 0 and 90 (conformance 76)."""
        self.assertRead(b"\x00\x5a" + bytes(6), Address("0.0.0.0", 0))
        self.assertRead(b"\x00\x5a\x00P\xc0\x00\x02\x01", Address("192.0.2.1", 80))

    def test_failure(self) -> None:
        """91 to 93, and anything else, whether or not the rest comes (conformance 76)."""
        for code, kind, words in (
            (91, FAILED, "the next hop answers 91, request rejected or failed"),
            (92, STRANGER, "no identd"),
            (93, STRANGER, "another user id"),
            (0, FAILED, "the next hop answers 0, which nobody knows"),
            (89, FAILED, "nobody knows"),
            (94, FAILED, "nobody knows"),
        ):
            self.assertRefused(bytes([0, code]), kind, words)

    def test_version(self) -> None:
        """The version of a reply is 0, not 4 (conformance 76)."""
        for first in range(1, 256):
            self.assertRefused(bytes([first]), NEXT_HOP, f"SOCKS 4 reply begins with {first:#04x}")


class FuzzTests(Reading):
    """
    Random and mutated answers in random pieces, and those of our own server's side.
    """

    @examples
    @given(mutants(b"\x05\x00", b"\x05\x02", b"\x01\x00"), places)
    def test_shortOnes(self, octets: bytes, at: list[int]) -> None:
        """A choice and a status are one or refused (conformance 71)."""
        for make in (lambda: MethodReader(b"\x00\x02"), StatusReader):
            verdict = self.assertSteady(octets, at, make)
            if verdict is not None and not isinstance(verdict, Refusal):
                self.assertIn(octets[:2], (b"\x05\x00", b"\x05\x02", b"\x01\x00"))

    @examples
    @given(
        mutants(formatReply5(), formatReply5(None, "2001:db8::1", 1), formatReply5(None, "a" * 255, 1)),
        places,
    )
    def test_replies5(self, octets: bytes, at: list[int]) -> None:
        """A reply of SOCKS 5 is an address fit for a log, or refused (conformance 72)."""
        address = self.assertSteady(octets, at, ReplyReader5)
        if isinstance(address, Address):
            self.assertEqual(octets[:2], b"\x05\x00")
            self.assertTrue(address.host.isascii() and (address.host + "a").isprintable())

    @examples
    @given(mutants(formatReply4(), formatReply4(None, "192.0.2.1", 80)), places)
    def test_replies4(self, octets: bytes, at: list[int]) -> None:
        """A reply of SOCKS 4 likewise (conformance 76)."""
        if isinstance(self.assertSteady(octets, at, ReplyReader4), Address):
            self.assertEqual(octets[:2], b"\x00\x5a")

    @examples
    @given(st.ip_addresses(), st.integers(0, 65535), st.binary(max_size=9), places)
    def test_roundTrip(self, ip: object, port: int, behind: bytes, at: list[int]) -> None:
        """What our server's side writes our client's side reads (conformance 72, 76)."""
        host = str(getattr(ip, "ipv4_mapped", None) or ip)
        octets = formatReply5(None, host, port) + behind
        self.assertEqual(self.assertSteady(octets, at, ReplyReader5), Address(host, port))
        if ":" not in host:
            octets = formatReply4(None, host, port) + behind
            self.assertEqual(self.assertSteady(octets, at, ReplyReader4), Address(host, port))
        self.assertIs(self.assertSteady(formatStatus(True) + behind, at, StatusReader), True)
        self.assertRefusal(self.assertSteady(formatStatus(False) + behind, at, StatusReader), STRANGER)
        method = self.assertSteady(formatMethod(2) + behind, at, lambda: MethodReader([2]))
        self.assertEqual(method, 2)

    def test_refusalsRoundTrip(self) -> None:
        """A refusal that another of our proxies sends comes out with the REP that it went in with, where it has one."""
        for kind, row in KINDS.items():
            for octets, reader in (
                (formatReply5(Refusal(kind)), ReplyReader5()),
                (formatReply4(Refusal(kind)), ReplyReader4()),
            ):
                refusal = reader.receive(octets)
                assert isinstance(refusal, Refusal)
                self.assertRefusal(refusal, refusal.kind)
                if isinstance(reader, ReplyReader5) and 2 <= row.socks5 <= 6:
                    self.assertEqual(refusal.row.socks5, row.socks5)
