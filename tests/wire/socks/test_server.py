"""
Tests of L{connectproxy.wire.socks.server}: everything but the requests, which are in
L{tests.wire.socks.test_server_requests}.

Whatever is read is read in every way it can come: whole, octet by octet, cut in
two at every place, and with more behind it.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.socks import (
    Connect,
    Credentials,
    CredentialsReader,
    GreetingReader,
    Method,
    Reader,
    RequestReader4,
    RequestReader5,
    chooseMethod,
    formatMethod,
    formatReply4,
    formatReply5,
    formatStatus,
)
from connectproxy.wire.socks.message import BAD_MESSAGE, NO_METHOD
from tests.wire.socks.reading import (
    ADDRESS4,
    CURL4,
    CURL4A,
    CURL5_CREDENTIALS,
    CURL5_NAME,
    NAME,
    V6,
    Reading,
    read,
)


class GreetingReaderTests(Reading):
    """
    What L{GreetingReader} takes.
    """

    make = GreetingReader

    def test_methods(self) -> None:
        """One to 255 methods, in their order and with repetitions (conformance 71)."""
        for methods in (
            b"\x00",
            b"\x02",
            b"\x00\x01",
            b"\x00\x01\x02",
            b"\x02\x02\xff\x80",
            bytes(range(1, 256)),
        ):
            self.assertRead(b"\x05" + bytes([len(methods)]) + methods, methods)

    def test_noMethod(self) -> None:
        """An offer of nothing is refused at the octet that says so (conformance 71)."""
        self.assertRefused(b"\x05\x00", BAD_MESSAGE, "offers no method")

    def test_version(self) -> None:
        """Nothing but version 5 (conformance 71)."""
        for first in {*range(256)} - {5}:
            self.assertRefused(bytes([first]), BAD_MESSAGE, f"the SOCKS 5 greeting begins with {first:#04x}")


class ChooseMethodTests(SynchronousTestCase):
    """
    What L{chooseMethod} makes of an offer.
    """

    def test_ordersByTheServer(self) -> None:
        """The first that the server takes and the client offers, wherever the client has it (conformance 71)."""
        for offered, accepted, chosen in (
            (b"\x00", [0], 0),
            (b"\x00\x01\x02", [2], 2),
            (b"\x00\x01\x02", [2, 0], 2),
            (b"\x00\x01\x02", [0, 2], 0),
            (b"\x02\x02", (Method.NOTHING, Method.PASSWORD), 2),
        ):
            self.assertEqual(chooseMethod(offered, accepted), chosen)
            self.assertEqual(chooseMethod(offered, iter(accepted)), chosen)

    def test_refuses(self) -> None:
        """Without one in common the client is told 0xFF, and the event has both sides' methods (conformance 71)."""
        for offered, accepted, words in (
            (b"\x00\x01", [2], "offers the SOCKS 5 methods 0x00, 0x01; 0x02 is accepted"),
            (b"\x01", [2, 0], "offers the SOCKS 5 methods 0x01; 0x02 or 0x00 is accepted"),
            (bytes(range(3, 12)), [0], "0x09, 0x0a, ...; 0x00 is accepted"),
            (b"\x00", [], "0x00; nothing is accepted"),
        ):
            refusal = chooseMethod(offered, accepted)
            assert isinstance(refusal, Refusal)
            self.assertEqual(refusal.kind, NO_METHOD)
            self.assertIn(words, refusal.detail)

    def test_gssapi(self) -> None:
        """Who offers GSSAPI and nothing else offers too little, for there is none (conformance 77)."""
        for accepted in ([Method.NOTHING], [Method.PASSWORD, Method.NOTHING]):
            self.assertIsInstance(chooseMethod(bytes([Method.GSSAPI]), accepted), Refusal)
            offered = bytes([Method.GSSAPI, accepted[0]])
            self.assertEqual(chooseMethod(offered, accepted), accepted[0])

    def test_format(self) -> None:
        """The answer is two octets (conformance 71)."""
        self.assertEqual(formatMethod(Method.NOTHING), b"\x05\x00")
        self.assertEqual(formatMethod(2), b"\x05\x02")
        self.assertEqual(formatMethod(Method.UNACCEPTABLE), b"\x05\xff")


class CredentialsReaderTests(Reading):
    """
    What L{CredentialsReader} takes, and what it keeps to itself.
    """

    make = CredentialsReader

    def test_credentials(self) -> None:
        """A username and a password of 1 to 255 octets of UTF-8 each (conformance 71)."""
        self.assertRead(CURL5_CREDENTIALS, Credentials("me", "secret"))
        self.assertRead(b"\x01\x01a\x01b", Credentials("a", "b"))
        self.assertRead(b"\x01\x03a:\0\x02\xc3\xa9", Credentials("a:\0", "\xe9"))

    def test_longest(self) -> None:
        """So at the limit of both (conformance 71)."""
        self.assertRead(b"\x01\xff" + b"u" * 255 + b"\xff" + b"p" * 255, Credentials("u" * 255, "p" * 255))

    def test_empty(self) -> None:
        """An empty one is refused at the octet that says so (conformance 71)."""
        self.assertRefused(b"\x01\x00", BAD_MESSAGE, "the username is empty")
        self.assertRefused(b"\x01\x02me\x00", BAD_MESSAGE, "the password is empty")

    def test_version(self) -> None:
        """The version is that of the negotiation, and not SOCKS's (conformance 71)."""
        for first in (0, 2, 4, 5, 0x47, 0xFF):
            self.assertRefused(
                bytes([first]), BAD_MESSAGE, f"the username and password request begins with {first:#04x}"
            )

    def test_encoding(self) -> None:
        """What is not UTF-8 is refused when it is whole, and not shown (conformance 71)."""
        for octets in (b"\xe9", b"secret\xff", b"\xc0\x80", b"\xed\xa0\x80"):
            field = bytes([len(octets)]) + octets
            detail = self.assertRefused(b"\x01" + field, BAD_MESSAGE, "the username is not in UTF-8")
            self.assertNotIn("secret", detail)
            detail = self.assertRefused(b"\x01\x02me" + field, BAD_MESSAGE, "the password is not in UTF-8")
            self.assertNotIn("secret", detail)

    def test_passwordsDoNotShow(self) -> None:
        """Neither the value nor a reader that is half done shows a password (conformance 71)."""
        credentials = Credentials("me", "secret")
        reader = CredentialsReader()
        reader.receive(CURL5_CREDENTIALS[:-1])
        for shown in (
            repr(credentials),
            str(credentials),
            f"{credentials}",
            repr(reader),
            str(reader.ended()),
        ):
            self.assertNotIn("secre", shown)
        self.assertEqual(repr(credentials), "Credentials(username='me')")

    def test_passwordsAreNotKept(self) -> None:
        """A reader that has given its verdict holds no password any more."""
        for octets in (CURL5_CREDENTIALS, b"\x01\x02me\x07secret\xff"):
            reader = CredentialsReader()
            reader.receive(octets[:8])
            reader.receive(octets[8:])
            self.assertEqual((reader._held, reader.leftover), (b"", b""))

    def test_format(self) -> None:
        """The answer is two octets, and what is not 0 is a failure (conformance 71)."""
        self.assertEqual(formatStatus(True), b"\x01\x00")
        self.assertEqual(formatStatus(False), b"\x01\x01")


class ReplyTests(SynchronousTestCase):
    """
    What L{formatReply5} and L{formatReply4} write.
    """

    def test_success5(self) -> None:
        """By default the proxy's own address stays its own (conformance 72)."""
        self.assertEqual(formatReply5(), b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        self.assertEqual(formatReply5(None, "192.0.2.1", 80), b"\x05\x00\x00\x01\xc0\x00\x02\x01\x00P")
        self.assertEqual(formatReply5(None, "2001:db8::1", 80), b"\x05\x00\x00\x04" + V6.packed + b"\x00P")

    def test_refusals5(self) -> None:
        """REP comes from the row of the refusal, whichever it is (conformance 72)."""
        for kind, row in KINDS.items():
            reply = formatReply5(Refusal(kind, "in words"))
            self.assertEqual(reply, bytes([5, row.socks5, 0, 1, 0, 0, 0, 0, 0, 0]))
        for kind, rep in (
            ("proxy_internal_error", 1),
            ("http_request_denied", 2),
            ("destination_ip_prohibited", 2),
            ("destination_ip_unroutable", 3),
            ("dns_error", 4),
            ("connection_refused", 5),
            ("connection_timeout", 6),
        ):
            self.assertEqual(formatReply5(Refusal(kind))[1], rep)

    def test_success4(self) -> None:
        """The version of a reply is 0, and 90 is success (conformance 76)."""
        self.assertEqual(formatReply4(), b"\x00\x5a\x00\x00\x00\x00\x00\x00")
        self.assertEqual(formatReply4(None, "192.0.2.1", 80), b"\x00\x5a\x00P\xc0\x00\x02\x01")

    def test_refusals4(self) -> None:
        """CD comes from the row of the refusal: 91 to 93 (conformance 76)."""
        for kind, row in KINDS.items():
            reply = formatReply4(Refusal(kind, "in words"))
            self.assertEqual(reply, bytes([0, row.socks4, 0, 0, 0, 0, 0, 0]))
            self.assertIn(reply[1], (91, 92, 93))

    def test_formatsNothingElse(self) -> None:
        """What a reply can't hold is our own bug, and raises."""
        for host, port in (("a.example", 1), ("2001:db8::1", 1), ("192.0.2.1", 65536), ("192.0.2.1", -1)):
            self.assertRaises(ValueError, formatReply4, None, host, port)
        self.assertRaises(ValueError, formatReply5, None, "", 1)


class ConversationTests(SynchronousTestCase):
    """
    Messages that follow each other.
    """

    def converse(self, octets: bytes, step: int) -> tuple[list[Any], bytes]:
        """Read a greeting, credentials and a request, each with what the one before left over."""
        chunks = [octets[at : at + step] for at in range(0, len(octets), step)]
        readers: list[Reader[Any]] = [RequestReader5(), CredentialsReader(), GreetingReader()]
        found = []
        rest = b""
        for chunk in chunks:
            rest += chunk
            while readers and rest:
                verdict = readers[-1].receive(rest)
                rest = readers[-1].leftover
                if verdict is None:
                    break
                found.append(verdict)
                readers.pop()
        return found, rest

    def test_everythingAtOnce(self) -> None:
        """Greeting, credentials, request and payload in one segment, or in any others (conformance 74)."""
        payload = b"\x16\x03\x01" + bytes(700)
        octets = b"\x05\x03\x00\x01\x02" + CURL5_CREDENTIALS + CURL5_NAME + payload
        expected = [b"\x00\x01\x02", Credentials("me", "secret"), Connect(NAME)]
        for step in (*range(1, 60), len(octets)):
            self.assertEqual(self.converse(octets, step), (expected, payload))

    def test_payloadBehindSOCKS4(self) -> None:
        """What a client of SOCKS 4 sends early begins behind the last NUL, be it a NUL itself (conformance 74)."""
        for octets, expected in ((CURL4, Connect(ADDRESS4)), (CURL4A, Connect(NAME))):
            for payload in (b"\x00", b"\x00\x00a\x00", bytes(600)):
                self.assertEqual(read(RequestReader4(), [octets + payload]), (expected, payload))
