"""
Tests of L{connectproxy.wire.socks.negotiation}: random and mutated answers, and our own server's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.negotiation import Passage
from connectproxy.wire.socks import (
    Credentials,
    CredentialsReader,
    GreetingReader,
    RequestReader4,
    RequestReader5,
    SOCKS4Negotiation,
    SOCKS5Negotiation,
    formatMethod,
    formatReply4,
    formatReply5,
    formatStatus,
)
from tests.wire.socks.reading import examples, mutants, pieces, places, where
from tests.wire.socks.test_negotiation import OPEN5, PAIR, NegotiationCase, anonymous, known, old


class FuzzTests(NegotiationCase):
    """
    Random and mutated answers in random pieces.
    """

    def outcome(self, make: Callable[[], Any], way: list[bytes]) -> Any:
        """
        Feed pieces until it is over.

        @return: how it has ended, with all that was left over; L{None} if it has not.
        """
        negotiation = make()
        negotiation.begin()
        found: Any = b""
        rest = b""
        for piece in way:
            if isinstance(found, bytes):
                found = negotiation.receive(piece)
            else:
                rest += piece
        if isinstance(found, Passage):
            return found._replace(leftover=found.leftover + rest)
        return found if isinstance(found, Refusal) else None

    @examples
    @given(mutants(b"\x00\x5a" + bytes(6), b"\x00\x5b" + bytes(6)), places)
    def test_steady(self, octets: bytes, at: list[int]) -> None:
        """
        SOCKS 4: nothing raises, and cutting changes nothing (conformance 76).
        """
        whole = self.outcome(old, [octets])
        self.assertEqual(self.outcome(old, pieces(octets, at)), whole)
        self.assertEqual(self.outcome(old, [octets[i : i + 1] for i in range(len(octets))]), whole)
        if isinstance(whole, Passage):
            self.assertEqual(octets[:2], b"\x00\x5a")

    @examples
    @given(mutants(b"\x05\x02\x01\x00" + OPEN5, b"\x05\x00" + OPEN5, b"\x05\x02\x01\x01"), st.booleans())
    def test_octetByOctet(self, octets: bytes, credentials: bool) -> None:
        """
        SOCKS 5: nothing raises, and there is no way but by the right answers (conformance
        71, 72).
        """
        found = self.outcome(
            known if credentials else anonymous, [octets[i : i + 1] for i in range(len(octets))]
        )
        if isinstance(found, Passage):
            self.assertTrue(octets.startswith((b"\x05\x00\x05\x00", b"\x05\x02\x01\x00\x05\x00")))
            self.assertTrue(octets.endswith(found.leftover))
        elif isinstance(found, Refusal):
            self.assertIn(found.kind, KINDS)
            self.assertIn("the next hop corp", found.detail)
            self.assertTrue(found.detail.isascii() and found.detail.isprintable())

    @examples
    @given(st.sampled_from(["a.example", "192.0.2.1", "2001:db8::1"]), st.integers(1, 65535), st.booleans())
    def test_ourOwnServer(self, host: str, port: int, credentials: bool) -> None:
        """
        Our own server's side understands all of it, and is understood (conformance 71, 72,
        76).
        """
        destination = where(host, port)
        negotiation = SOCKS5Negotiation(host, port, credentials=PAIR if credentials else None)
        self.assertEqual(
            GreetingReader().receive(negotiation.begin()), b"\x02\x00" if credentials else b"\x00"
        )
        request: Any = negotiation.receive(formatMethod(2 if credentials else 0))
        if credentials:
            self.assertEqual(CredentialsReader().receive(request), Credentials("me", "secret"))
            request = negotiation.receive(formatStatus(True))
        self.assertEqual(RequestReader5().receive(request).destination, destination)  # type: ignore[union-attr]
        self.assertEqual(negotiation.receive(formatReply5() + b"x"), Passage(b"x"))
        if ":" not in host:
            four = SOCKS4Negotiation(host, port)
            self.assertEqual(RequestReader4().receive(four.begin()).destination, destination)  # type: ignore[union-attr]
            self.assertEqual(four.receive(formatReply4() + b"x"), Passage(b"x"))
