"""
Tests for L{tests.fuzz.targets}: each takes a few hundred inputs and finds nothing, and each
finds what is wrong where something is.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from tests.fuzz import handshakes, messages
from tests.fuzz.feeding import Case, feed, fit, steady
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]

# The same cases in every run: what is found here is found everywhere.
examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """
    Inputs for a target: its seeds with some octets replaced, cut and repeated, its words put
    together, and any octets.
    """
    target = TARGETS[name]

    def mutate(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, length, others in changes:
            at = place % (len(seed) + 1)
            seed = seed[:at] + others + seed[at + length :]
        return seed

    word = st.one_of(st.sampled_from(target.words), st.binary(max_size=3))
    changes = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), word), max_size=4)
    return st.one_of(
        st.builds(mutate, st.sampled_from(target.seeds), changes),
        st.lists(word, max_size=20).map(b"".join),
        st.binary(max_size=200),
    )


class TargetTests(SynchronousTestCase):
    """
    Every target by itself, so that one which fails is known by its name.
    """

    def run_(self, name: str) -> None:
        """
        Run a target.
        """
        examples(given(inputs(name))(TARGETS[name].run))()

    def test_all(self) -> None:
        """
        Each has its test below, some words and some seeds.
        """
        tests = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        self.assertEqual(set(TARGETS) - tests, set())
        for name, target in TARGETS.items():
            self.assertTrue(target.words and target.seeds, name)

    def test_authority(self) -> None:
        """The target of a CONNECT, and hosts by themselves."""
        self.run_("authority")

    def test_authorization(self) -> None:
        """Proxy-Authorization."""
        self.run_("authorization")

    def test_body(self) -> None:
        """Bodies, chunked and not."""
        self.run_("body")

    def test_credentials(self) -> None:
        """RFC 1929 (conformance 71)."""
        self.run_("credentials")

    def test_datagram(self) -> None:
        """Datagrams of SOCKS 5 (conformance 73)."""
        self.run_("datagram")

    def test_fields(self) -> None:
        """Header sections of HTTP/2, on their way to an origin."""
        self.run_("fields")

    def test_frames(self) -> None:
        """Frames of HTTP/2."""
        self.run_("frames")

    def test_forwarding(self) -> None:
        """Requests on their way to an origin."""
        self.run_("forwarding")

    def test_greeting(self) -> None:
        """SOCKS 5 (conformance 71)."""
        self.run_("greeting")

    def test_hop(self) -> None:
        """Next hops that speak SOCKS."""
        self.run_("hop")

    def test_proxyheader(self) -> None:
        """PROXY headers (conformance 78)."""
        self.run_("proxyheader")

    def test_request(self) -> None:
        """Heads of requests."""
        self.run_("request")

    def test_response(self) -> None:
        """Heads of responses."""
        self.run_("response")

    def test_returning(self) -> None:
        """Responses on their way to a client."""
        self.run_("returning")

    def test_socks4(self) -> None:
        """SOCKS 4 and 4a (conformance 76)."""
        self.run_("socks4")

    def test_socks5(self) -> None:
        """SOCKS 5 (conformance 72)."""
        self.run_("socks5")


class Hasty:
    """
    A reader whose verdict depends on the cut.
    """

    leftover = b""

    def receive(self, octets: bytes) -> object:
        return len(octets)


class Raising:
    """
    A reader that raises at a word.
    """

    leftover = b""

    def receive(self, octets: bytes) -> None:
        if b"HTTP" in octets:
            raise IndexError("out of range")


class FindingTests(SynchronousTestCase):
    """
    What is wrong is found.
    """

    def test_cut(self) -> None:
        """
        A verdict that depends on how the octets were cut.
        """
        case = Case(b"\0\0\1\0\2abcdef")
        self.assertEqual(next(case.ways()), [b"a", b"b", b"cdef"])
        self.assertRaises(AssertionError, steady, case, partial(feed, Hasty))

    def test_short(self) -> None:
        """
        Inputs without octets for the parser are inputs.
        """
        for octets in (b"", b"\xff", b"\xff" * 5):
            self.assertEqual(Case(octets).octets, b"")
            for target in TARGETS.values():
                target.run(octets)

    def test_refusals(self) -> None:
        """
        A refusal without a row, without words, or with words that are not for a log.
        """
        fit(Refusal("dns_error", "as it should be"))
        for wrong in (
            ("nonsense", "x"),
            ("dns_error", ""),
            ("dns_error", "\x1b[0m"),
            ("dns_error", "x" * 9999),
        ):
            self.assertRaises(AssertionError, fit, Refusal(*wrong))

    def test_raised(self) -> None:
        """
        A parser that raises: nothing keeps it from whoever runs the target.
        """
        with mock.patch.object(messages, "HeadReader", lambda limits=None: Raising()):
            for name in ("request", "forwarding"):
                self.assertRaises(IndexError, TARGETS[name].run, TARGETS[name].seeds[0])

    def test_smuggled(self) -> None:
        """
        A head that is written so that another reader finds something else in it.
        """
        octets = TARGETS["forwarding"].seeds[4]
        original: Any = messages.formatRequest

        def smuggling(*args: Any, **fields: Any) -> bytes:
            written: bytes = original(*args, **fields)
            return written.replace(b"Content-Length: 3\r\n", b"Content-Length: 2\r\n")

        self.assertIn(b"Content-Length: 3", octets)
        messages.forwarding(octets)
        with mock.patch.object(messages, "formatRequest", smuggling):
            self.assertRaises(AssertionError, messages.forwarding, octets)

    def test_notTheSame(self) -> None:
        """
        What can't be written as it was read.
        """
        octets = TARGETS["socks5"].seeds[0]
        with mock.patch.object(
            handshakes, "formatRequest5", lambda host, port: octets[5:].replace(b"a.e", b"b.e")
        ):
            self.assertRaises(AssertionError, handshakes.socks5, octets)


class CommandTests(SynchronousTestCase):
    """
    C{python -m tests.fuzz}, as far as it needs no atheris.
    """

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """
        Run it.
        """
        command = [sys.executable, "-m", "tests.fuzz", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def test_names(self) -> None:
        """
        Without arguments it says which parsers there are.
        """
        self.assertEqual(self.run_().stdout.split(), list(TARGETS))

    def test_again(self) -> None:
        """
        An input that was found can be tried once more.
        """
        path = Path(self.mktemp())
        path.write_bytes(TARGETS["request"].seeds[0])
        self.assertEqual(self.run_("request", str(path.absolute())).returncode, 0)
