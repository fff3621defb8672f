"""
What the tests of every SOCKS reader share: the ways in which octets can come, and
what has to hold for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseHost
from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.socks import Reader

# The same cases in every run: what is found here is found everywhere.
examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)

V6 = IPv6Address("2001:db8::1")

NAME = Destination("a.example", 80, None, "a.example.")
ADDRESS4 = Destination("192.0.2.1", 80, IPv4Address("192.0.2.1"), "")
ADDRESS6 = Destination("2001:db8::1", 80, V6, "")

# What curl 7.88.1 sends.
CURL5_NAME = b"\x05\x01\x00\x03\ta.example\x00P"
CURL5_ADDRESS4 = b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00P"
CURL5_ADDRESS6 = b"\x05\x01\x00\x04" + V6.packed + b"\x00P"
CURL5_CREDENTIALS = b"\x01\x02me\x06secret"
CURL4 = b"\x04\x01\x00P\xc0\x00\x02\x01\x00"
CURL4A = b"\x04\x01\x00P\x00\x00\x00\x01\x00a.example\x00"
CURL4A_USER = b"\x04\x01\x00P\x00\x00\x00\x01me\x002001:db8::1\x00"

BEHIND = (b"", b"\x00", b"\x05\x01\x00", b"\x16\x03\x01\x00\r\n\r\n", bytes(range(256)) * 3)


def cuts(octets: bytes) -> Iterator[list[bytes]]:
    """Every way of feeding that the tests know."""
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for at in range(1, len(octets)):
        yield [octets[:at], octets[at:]]


def read(reader: Reader[Any], pieces: Iterable[bytes]) -> tuple[Any, bytes]:
    """Feed pieces until there is a verdict; give it, with all that was not part of the message."""
    verdict: Any = None
    rest = b""
    for piece in pieces:
        if verdict is None:
            verdict = reader.receive(piece)
            assert len(reader._held) < reader.longest
        else:
            rest += piece
    return verdict, reader.leftover + rest


def pieces(octets: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut octets at some places; those beyond the end are none."""
    edges = [0, *sorted({place for place in places if 0 < place < len(octets)}), len(octets)]
    return [octets[start:end] for start, end in pairwise(edges)]


def mutants(*valid: bytes) -> st.SearchStrategy[bytes]:
    """Valid messages with a few octets changed, left out, put in or put behind; and any octets."""

    def mutate(octets: bytes, changes: list[tuple[int, int, bytes]], behind: bytes) -> bytes:
        for place, length, instead in changes:
            at = place % (len(octets) + 1)
            octets = octets[:at] + instead + octets[at + length :]
        return octets + behind

    change = st.tuples(st.integers(0, 600), st.integers(0, 3), st.binary(max_size=3))
    return st.one_of(
        st.builds(mutate, st.sampled_from(valid), st.lists(change, max_size=3), st.binary(max_size=5)),
        st.builds(bytes.__add__, st.sampled_from([one[:2] for one in valid]), st.binary(max_size=600)),
        st.binary(max_size=600),
    )


def where(host: str, port: int) -> Destination:
    """The destination that a valid host, IPv6 without brackets, and a port are."""
    found = parseHost(f"[{host}]" if ":" in host else host, port)
    assert isinstance(found, Destination), found
    return found


places = st.lists(st.integers(1, 610), max_size=6)


class Reading(SynchronousTestCase):
    """
    What the cases of each reader assert.

    @ivar make: makes the reader.
    """

    make: Callable[[], Reader[Any]]

    def assertRead(self, octets: bytes, expected: object) -> None:
        """
        The message is read with its last octet and not before, however it is cut, and
        what is behind it is left over to the octet.
        """
        for behind in BEHIND[:-1]:
            for way in cuts(octets + behind):
                self.assertEqual(read(self.make(), way), (expected, behind))
        self.assertEqual(read(self.make(), [octets + BEHIND[-1]]), (expected, BEHIND[-1]))
        self.assertEqual(read(self.make(), [octets[:-1], octets[-1:] + BEHIND[-1]]), (expected, BEHIND[-1]))
        for way in cuts(octets[:-1]):
            self.assertIsNone(read(self.make(), way)[0])

    def assertRefused(self, octets: bytes, kind: str, words: str) -> str:
        """
        The message is refused at its last octet and not before, however it is cut and
        whatever is behind it, in words fit for a log; nothing is left over.

        @return: the detail.
        """
        expected = read(self.make(), [octets])[0]
        for behind in BEHIND:
            for way in cuts(octets + behind) if len(behind) < 100 else ([octets + behind],):
                reader = self.make()
                for piece in way:
                    verdict = reader.receive(piece)
                    if verdict is not None:
                        break
                self.assertIsInstance(verdict, Refusal)
                self.assertEqual((verdict, reader.leftover), (expected, b""))
        for way in cuts(octets[:-1]) if octets[:-1] else ():
            self.assertIsNone(read(self.make(), way)[0])
        self.assertRefusal(expected, kind, words)
        return str(expected.detail)

    def assertRefusal(self, refusal: object, kind: str, words: str = "") -> None:
        """It is a refusal of a kind that there is, in words fit for a log."""
        assert isinstance(refusal, Refusal), refusal
        self.assertEqual(refusal.kind, kind)
        self.assertIn(kind, KINDS)
        self.assertIn(words, refusal.detail)
        self.assertTrue(refusal.detail.isascii() and refusal.detail.isprintable(), refusal.detail)
        self.assertLess(len(refusal.detail), 400)
        self.assertFalse(refusal.detail.endswith("."), refusal.detail)

    def assertSteady(
        self, octets: bytes, at: list[int], make: Callable[[], Reader[Any]] | None = None
    ) -> Any:
        """
        Whatever the octets are, nothing raises, cutting changes nothing, and there is a
        verdict by the length that the reader names.

        @return: the verdict.
        """
        make = make or self.make
        whole, leftover = read(make(), [octets])
        for way in (pieces(octets, at), [octets[i : i + 1] for i in range(len(octets))]):
            verdict, left = read(make(), way)
            self.assertEqual(verdict, whole)
            if not isinstance(verdict, Refusal):
                self.assertEqual(left, leftover)
        if whole is None:
            self.assertLess(len(octets), make().longest)
        elif isinstance(whole, Refusal):
            self.assertRefusal(whole, whole.kind)
        else:
            self.assertTrue(octets.endswith(leftover))
            self.assertLessEqual(len(octets) - len(leftover), make().longest)
        return whole
