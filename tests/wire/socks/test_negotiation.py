"""
Tests of L{connectproxy.wire.socks.negotiation}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.negotiation import Passage
from connectproxy.wire.socks import (
    SOCKS4Negotiation,
    SOCKS5Negotiation,
)
from connectproxy.wire.socks.message import NEXT_HOP
from tests.wire.socks.reading import (
    BEHIND,
    CURL4,
    CURL4A,
    CURL5_NAME,
    cuts,
)

STRANGER = "next_hop_authentication_failed"

OPEN5 = b"\x05\x00\x00\x01\xc0\x00\x02\x09\x10\x00"
"""A reply that tells of 192.0.2.9 and port 4096."""

PAIR = ("me", "secret")


def anonymous() -> SOCKS5Negotiation:
    """One without credentials."""
    return SOCKS5Negotiation("a.example", 80, name="corp")


def known() -> SOCKS5Negotiation:
    """One with credentials."""
    return SOCKS5Negotiation("a.example", 80, name="corp", credentials=PAIR)


def old() -> SOCKS4Negotiation:
    """One of SOCKS 4A."""
    return SOCKS4Negotiation("a.example", 80, name="corp")


class NegotiationCase(SynchronousTestCase):
    """
    Has a next hop speak.
    """

    def lead(self, negotiation: Any, *answers: bytes) -> tuple[list[bytes], Any]:
        """
        Answer each message.  All of an answer but its last octet is to be waited for.

        @return: what was said to the next hop, and how it ended; L{None} if it has not.
        """
        said = [negotiation.begin()]
        for answer in answers:
            for at in range(len(answer) - 1):
                self.assertEqual(negotiation.receive(answer[at : at + 1]), b"")
            found = negotiation.receive(answer[-1:])
            if not isinstance(found, bytes):
                return said, found
            said.append(found)
        return said, None

    def assertOpen(
        self, make: Callable[[], Any], before: list[bytes], last: bytes, expected: Passage
    ) -> None:
        """
        After some answers the last one opens the way however it is cut, and what is glued
        to it is left over.
        """
        for behind in BEHIND:
            for way in cuts(last + behind) if len(behind) < 100 else ([last + behind],):
                negotiation = make()
                negotiation.begin()
                for answer in before:
                    self.assertTrue(negotiation.receive(answer))
                rest = b""
                found: Any = b""
                for piece in way:
                    if found == b"":
                        found = negotiation.receive(piece)
                    else:
                        rest += piece
                self.assertEqual(
                    found._replace(leftover=found.leftover + rest), expected._replace(leftover=behind)
                )

    def assertRefused(self, make: Callable[[], Any], answers: list[bytes], kind: str, words: str) -> Any:
        """
        Some answers make a refusal of a kind, which names the next hop.

        @return: the negotiation.
        """
        negotiation = make()
        _, refusal = self.lead(negotiation, *answers)
        assert isinstance(refusal, Refusal), refusal
        self.assertEqual((refusal.kind, refusal.detail), (kind, words))
        self.assertIn(kind, KINDS)
        self.assertNotIn("secret", repr(refusal) + repr(negotiation))
        return negotiation


class SOCKS5Tests(NegotiationCase):
    """
    What is said in SOCKS 5, and what is made of the answers.
    """

    def test_anonymous(self) -> None:
        """
        Without credentials nothing but "no authentication" is offered; the request has the
        name, for the next hop to look up (conformance 71, 72).
        """
        negotiation = anonymous()
        said, passage = self.lead(negotiation, b"\x05\x00", OPEN5)
        self.assertEqual(said, [b"\x05\x01\x00", CURL5_NAME])
        self.assertEqual((passage, negotiation.reply), (Passage(bound="192.0.2.9:4096"), 0))

    def test_known(self) -> None:
        """
        With credentials both are offered, and the credentials are said where the next hop
        wants them (conformance 71).
        """
        said, passage = self.lead(known(), b"\x05\x02", b"\x01\x00", OPEN5)
        self.assertEqual(said, [b"\x05\x02\x02\x00", b"\x01\x02me\x06secret", CURL5_NAME])
        self.assertIsInstance(passage, Passage)

    def test_notAsked(self) -> None:
        """
        They are not, where it doesn't (conformance 71).
        """
        said, passage = self.lead(known(), b"\x05\x00", OPEN5)
        self.assertEqual(said, [b"\x05\x02\x02\x00", CURL5_NAME])
        self.assertIsInstance(passage, Passage)

    def test_addresses(self) -> None:
        """
        An address is sent as one.
        """
        for host, field in (
            ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
            ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ):
            said, _ = self.lead(SOCKS5Negotiation(host, 443), b"\x05\x00")
            self.assertEqual(said[-1], b"\x05\x01\x00" + field + b"\x01\xbb")

    def test_open(self) -> None:
        """
        The way is open whatever address the reply tells of: IPv4, IPv6, a name, nothing; and
        what the destination says at once is not lost (conformance 72, 74).
        """
        for field, bound in (
            (b"\x01\xc0\x00\x02\x09\x10\x00", "192.0.2.9:4096"),
            (b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x00\x50", "[2001:db8::1]:80"),
            (b"\x03\x09localhost\x00\x50", "localhost:80"),
            (b"\x03\x02\n\xff\x00\x50", "\\n\\xff:80"),
            (b"\x03\x00\x00\x50", ""),
            (b"\x01" + bytes(6), ""),
            (b"\x01" + bytes(5) + b"\x50", "0.0.0.0:80"),
            (b"\x04" + bytes(18), ""),
        ):
            reply = b"\x05\x00\x00" + field
            self.assertOpen(anonymous, [b"\x05\x00"], reply, Passage(bound=bound))
            self.assertOpen(known, [b"\x05\x02", b"\x01\x00"], reply, Passage(bound=bound))

    def test_noMethod(self) -> None:
        """
        A next hop that takes none of what it is offered wants to know somebody else
        (conformance 71).
        """
        words = "the next hop corp accepts none of the methods that it was offered: "
        self.assertRefused(anonymous, [b"\x05\xff"], STRANGER, words + "0x00")
        self.assertRefused(known, [b"\x05\xff"], STRANGER, words + "0x02, 0x00")

    def test_notOffered(self) -> None:
        """
        One that chooses what it was not offered gets nothing: no credentials either
        (conformance 71).
        """
        words = "the next hop corp chooses the method {}, which it was not offered"
        self.assertRefused(anonymous, [b"\x05\x02"], NEXT_HOP, words.format("0x02"))
        self.assertRefused(known, [b"\x05\x01"], NEXT_HOP, words.format("0x01"))

    def test_rejected(self) -> None:
        """
        Credentials that are rejected are the operator's to mend, and not the client's.
        """
        negotiation = self.assertRefused(
            known,
            [b"\x05\x02", b"\x01\x07"],
            STRANGER,
            "the next hop corp rejects the credentials, with status 7",
        )
        self.assertIsNone(negotiation.reply)

    def test_replies(self) -> None:
        """
        Each REP has its kind of refusal, and is kept.  None that a destination can cause is
        the fault of the next hop (conformance 72).
        """
        for reply, kind, words in (
            (1, "next_hop_failed", "general failure"),
            (2, "next_hop_denied", "not allowed by its rules"),
            (3, "destination_ip_unroutable", "network unreachable"),
            (4, "destination_unavailable", "host unreachable"),
            (5, "connection_refused", "connection refused"),
            (6, "next_hop_timeout", "TTL expired"),
            (7, NEXT_HOP, "command not supported"),
            (8, "next_hop_failed", "address type not supported"),
            (0xF0, "next_hop_failed", "which nobody knows"),
        ):
            negotiation = self.assertRefused(
                anonymous,
                [b"\x05\x00", bytes([5, reply])],
                kind,
                f"the next hop corp answers {reply}, {words}",
            )
            self.assertEqual(negotiation.reply, reply)

    def test_nonsense(self) -> None:
        """
        What is not SOCKS 5 is refused at its first octet, in every phase, by what it looks
        like (conformance 71).
        """
        for answers, what, right in (
            ([b"H"], "choice of a method", "0x05"),
            ([b"\x05\x02", b"H"], "answer to the credentials", "0x01"),
            ([b"\x05\x02", b"\x01\x00", b"H"], "SOCKS 5 reply", "0x05"),
        ):
            self.assertRefused(
                known,
                answers,
                NEXT_HOP,
                f"the next hop corp's {what} begins with 0x48, which looks like HTTP; it has to begin with {right}",
            )
        self.assertRefused(
            anonymous,
            [b"\x05\x00", b"\x05\x00\x00\x02"],
            NEXT_HOP,
            "the next hop corp's SOCKS 5 reply: the address type is 0x02; there are 0x01 for IPv4, 0x03 for a name"
            " and 0x04 for IPv6",
        )

    def test_hasty(self) -> None:
        """
        A next hop that goes on before it is asked is not listened to: it would be answering
        what it has not read.
        """
        for make, answers in (
            (anonymous, [b"\x05\x00" + OPEN5]),
            (known, [b"\x05\x00\x05"]),
            (known, [b"\x05\x02", b"\x01\x00" + OPEN5]),
        ):
            negotiation = make()
            negotiation.begin()
            for answer in answers:
                found = negotiation.receive(answer)
            self.assertEqual(
                found, Refusal(NEXT_HOP, "the next hop corp says more than it has been asked yet")
            )

    def test_nameless(self) -> None:
        """
        A next hop without a name is one all the same.
        """
        _, refusal = self.lead(SOCKS5Negotiation("a.example", 80), b"\x05\x00", b"\x05\x05")
        self.assertEqual(refusal.detail, "the next hop answers 5, connection refused")

    def test_misleadingName(self) -> None:
        """
        Whatever a next hop is called, it is named once.
        """
        negotiation = SOCKS5Negotiation("a.example", 80, name="the next hop")
        _, refusal = self.lead(negotiation, b"\x05\x00", b"\x05\x05")
        self.assertEqual(refusal.detail, "the next hop the next hop answers 5, connection refused")

    def test_ourOwnBugs(self) -> None:
        """
        What has no form in SOCKS 5 raises before anything is said, and shows no secret.
        """
        for credentials in (
            ("", "secret"),
            ("me", ""),
            ("u" * 256, "secret"),
            ("me", "secret" * 50),
            ("me", "\ud800secret"),
        ):
            error = self.assertRaises(ValueError, SOCKS5Negotiation, "a", 80, credentials=credentials)
            self.assertNotIn("secret", str(error))
        self.assertRaises(ValueError, SOCKS5Negotiation, "", 80)
        self.assertRaises(ValueError, SOCKS5Negotiation, "a" * 256, 80)


class SOCKS4Tests(NegotiationCase):
    """
    The same of SOCKS 4.
    """

    def test_request(self) -> None:
        """
        An address goes by SOCKS 4, a name by 4A, each with the user id (conformance 76).
        """
        for host, user, request in (
            ("192.0.2.1", "", CURL4),
            ("a.example", "", CURL4A),
            ("a.example", "me", b"\x04\x01\x00P\x00\x00\x00\x01me\x00a.example\x00"),
        ):
            negotiation = SOCKS4Negotiation(host, 80, user=user)
            self.assertIsNone(negotiation.refusal)
            self.assertEqual(negotiation.begin(), request)

    def test_open(self) -> None:
        """
        90 opens the way, and what comes behind the reply is the destination's (conformance
        76).
        """
        self.assertOpen(old, [], b"\x00\x5a\x10\x00\xc0\x00\x02\x09", Passage(bound="192.0.2.9:4096"))
        self.assertOpen(old, [], b"\x00\x5a" + bytes(6), Passage())

    def test_replies(self) -> None:
        """
        Every other number is a refusal, and is kept (conformance 76).
        """
        for reply, kind, words in (
            (91, "next_hop_failed", "request rejected or failed"),
            (92, STRANGER, "no identd to be reached on our side"),
            (93, STRANGER, "identd has another user id"),
            (0, "next_hop_failed", "which nobody knows"),
        ):
            negotiation = self.assertRefused(
                old, [bytes([0, reply])], kind, f"the next hop corp answers {reply}, {words}"
            )
            self.assertEqual(negotiation.reply, reply)

    def test_nonsense(self) -> None:
        """
        The version of a reply is 0 (conformance 76).
        """
        words = "the next hop corp's SOCKS 4 reply begins with 0x05, which looks like SOCKS 5; it has to begin with 0x00"
        self.assertIsNone(self.assertRefused(old, [b"\x05"], NEXT_HOP, words).reply)

    def test_inexpressible(self) -> None:
        """
        What SOCKS 4 has no way to say is known before there is a connection, and names the
        next hop and no address: it may have come from a look-up (conformance 76).
        """
        for host, words in (
            ("2001:db8::1", "which has no IPv6"),
            ("0.0.0.1", "which takes 0.0.0.1 to 0.0.0.255 for the sign of a name"),
        ):
            negotiation = SOCKS4Negotiation(host, 80, name="corp")
            self.assertEqual(
                negotiation.refusal,
                Refusal("destination_ip_unroutable", f"the next hop corp speaks SOCKS 4, {words}"),
            )
            self.assertRaises(ValueError, negotiation.begin)

    def test_ourOwnBugs(self) -> None:
        """
        A user id with a NUL in it, or too long, raises.
        """
        for user in ("a\0b", "u" * 256):
            self.assertRaises(ValueError, SOCKS4Negotiation, "a", 80, user=user)
