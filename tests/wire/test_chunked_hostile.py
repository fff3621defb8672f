"""
Tests of L{connectproxy.wire.chunked} against the hostile: what mutation finds, and what a body
costs.
"""

from __future__ import annotations

import time
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.chunked import ChunkedReader
from connectproxy.wire.grammar import Limits
from tests.wire.feeding import examples, parts
from tests.wire.test_chunked import feed
from tests.wire.test_http1_oracles import mutate

bodies = st.sampled_from(
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"05;a=b\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
        b"3\r\n\r\n0\r\n2;x\r\nab\r\n000;y\r\nX-Sum:1\r\nhost: c\r\n\r\n",
        b"1A\r\n" + b"z" * 26 + b"\r\n0\r\n\r\n",
    ]
)
morsels = st.sampled_from(
    [
        *(bytes([octet]) for octet in b'\r\n \t:;\0\x7f\xff\x0b0159aAfFx+-_="'),
        b"\r\n",
        b"\r\n0\r\n\r\n",
        b"0x",
        b";" * 300,
    ]
)
mutants = st.builds(
    mutate,
    bodies,
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 3), st.one_of(morsels, st.binary(max_size=3))),
        max_size=3,
    ),
)


class FuzzTests(SynchronousTestCase):
    """
    What mutation finds.
    """

    @examples
    @given(
        mutants, st.lists(st.integers(0, 90)), st.booleans(), st.sampled_from([Limits(), Limits(9, 9, 20, 1)])
    )
    def test_resultDoesNotDependOnTheCut(
        self, octets: bytes, places: list[int], passing: bool, limits: Limits
    ) -> None:
        """Nothing raises; verdict, trailers, leftover and what is passed on are the same whatever the pieces."""
        ways = [
            feed(pieces, passing, False, limits)
            for pieces in (
                [octets],
                parts(octets, places),
                [octets[at : at + 1] for at in range(len(octets))],
            )
        ]
        whole = ways[0]
        for passed, refusal, rest, reader in ways[1:]:
            self.assertEqual(refusal, whole[1])
            self.assertEqual((reader.done, reader.trailers), (whole[3].done, whole[3].trailers))
            if refusal is None:
                self.assertEqual((passed, rest), (whole[0], whole[2]))
            else:
                self.assertTrue(ways[2][0].startswith(passed))

    @examples
    @given(mutants, st.lists(st.integers(0, 90)))
    def test_whatIsPassedOnIsTheSameBody(self, octets: bytes, places: list[int]) -> None:
        """Who reads what was passed on gets the payload and the trailers, and finds nothing to tidy up."""
        payload, refusal, rest, reader = feed([octets])
        passed, otherRefusal, otherRest, _ = feed(parts(octets, places), True)
        self.assertEqual(refusal, otherRefusal)
        if reader.done:
            self.assertEqual(otherRest, rest)
            again, nothing, none, other = feed([passed])
            self.assertEqual((again, nothing, none, other.done), (payload, None, b"", True))
            self.assertEqual(other.trailers, reader.trailers)
            self.assertEqual(feed([passed], True)[0], passed)


class CostTests(SynchronousTestCase):
    """
    What a body costs.
    """

    def test_holdsNothing(self) -> None:
        """Whatever comes and however it ends, no more is kept than a line."""
        octets = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        for passing in (False, True):
            reader = ChunkedReader(True, passing)
            reader.receive(octets)
            tracemalloc.start()
            for _ in range(50):
                self.assertNotIsInstance(reader.receive(octets), Refusal)
            kept, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(kept, 2048)
            self.assertLess(peak, 3 * len(octets))

    def test_timeIsInProportion(self) -> None:
        """Eight times the chunks at once cost about eight times the time, and not sixty-four."""
        for chunk in (b"1\r\na\r\n", b"01\r\na\r\n", b"40\r\n" + b"a" * 64 + b"\r\n"):
            for passing in (False, True):
                ratio = self.cost(chunk * 4000, passing) / self.cost(chunk * 500, passing)
                self.assertLess(ratio, 24, chunk[:9])

    def cost(self, octets: bytes, passing: bool) -> float:
        """The seconds of the processor that octets take at once."""
        costs = []
        for _ in range(9):
            reader = ChunkedReader(False, passing)
            began = time.process_time()
            reader.receive(octets)
            costs.append(time.process_time() - began)
        return min(costs)
