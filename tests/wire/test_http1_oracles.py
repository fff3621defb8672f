"""
Tests of L{connectproxy.wire.http1} against the hostile: what it refuses, what it
costs, what mutation finds, and what h11 and httptools make of the same octets.
"""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Callable

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.http1 import EMPTY_LINES, HeadReader, Limits, RequestHead, checkConnect
from tests.wire.test_http1 import BAD, CONNECT, START, TOO_LARGE, TOO_LONG, VERSION, Reading, read

# The same cases in every run: what is found here is found everywhere.
examples = settings(deadline=None, database=None, derandomize=True, max_examples=400)


class RefusedHeadTests(Reading):
    """
    What L{HeadReader} refuses, and when.
    """

    def test_bareLF(self) -> None:
        """A line that ends with LF alone is refused at the LF, wherever it is (conformance 20)."""
        for octets in (
            b"\n", b"\r\n\n", b"GET\n", b"GET / HTTP/1.1\n", START + b"\n", START + b"X\n",
            START + b"X: a\n", CONNECT + b"\n", CONNECT + b"X: a\n",
        ):  # fmt: skip
            self.assertRefusedAtOnce(octets, BAD, "bare LF")

    def test_bareCR(self) -> None:
        """A CR that no LF follows is refused at what follows instead (conformance 20)."""
        for octets in (
            b"\rG",
            b"\r\r",
            b"GET / HTTP/1.1\rH",
            START + b"X: a\r ",
            START + b"\r\r",
            CONNECT + b"X\r\0",
        ):
            self.assertRefusedAtOnce(octets, BAD, "bare CR")

    def test_controlsInValues(self) -> None:
        """No control but the tab may be in a value, least of all NUL (conformance 20)."""
        for control in [*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]:
            words = f"line 2: the value of X has the octet {control:#04x} at column 5"
            self.assertRefusedAtOnce(START + b"X: a" + bytes([control]) + b"b\r\n", BAD, words)

    def test_whitespaceAroundNames(self) -> None:
        """Not before the colon, not before the first field, and no folding (conformance 21)."""
        for lines, words in (
            (b"Host : a\r\n", "line 2: there is whitespace before the colon"),
            (b"Host\t: a\r\n", "line 2: there is whitespace before the colon"),
            (b" Host: a\r\n", "line 2: there is whitespace before the field"),
            (b"\tHost: a\r\n", "line 2: there is whitespace before the field"),
            (b" \r\n", "line 2: there is whitespace before the field"),
            (b"Host: a\r\n b\r\n", "line 3: there is a folded field"),
            (b"Host: a\r\n\tb: c\r\n", "line 3: there is a folded field"),
            (b"Host: a\r\n \r\n", "line 3: there is a folded field"),
        ):
            self.assertRefusedAtOnce(START + lines, BAD, words)

    def test_fieldsThatAreNone(self) -> None:
        """A field has a name, which is a token, and a colon."""
        for line, words in (
            (b": a\r\n", "line 3: there is no name before the colon"),
            (b":\r\n", "line 3: there is no name before the colon"),
            (b"Host\r\n", "line 3: there is no colon"),
            (b"Host \r\n", "line 3: there is no colon"),
            (b"a" * 80 + b": \0\r\n", f"line 3: the value of {'a' * 60}... has the octet 0x00 at column 83"),
        ):
            self.assertRefusedAtOnce(CONNECT + line, BAD, words)
        for octet in b' \0"/[\x7f\xf6':
            words = f"line 3: the name of the field has the octet {octet:#04x} at column 2"
            self.assertRefusedAtOnce(CONNECT + b"a" + bytes([octet]) + b"b: c\r\n", BAD, words)

    def test_showsNoValue(self) -> None:
        """A field that is wrong may hold credentials: neither it nor what stands for its name is shown."""
        for line in (b"Proxy-Authorization Basic c2VjcmV0\r\n", b"Proxy-Authorization: c2VjcmV0\0\r\n"):
            verdict, _ = read([CONNECT + line])
            assert isinstance(verdict, Refusal)
            self.assertNotIn("c2VjcmV0", verdict.detail)

    def test_requestLinesThatAreNone(self) -> None:
        """A method, one space, a target, one space and a version, nothing else (conformance 19)."""
        for line in (
            b"GET",
            b"GET ",
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET / x HTTP/1.1",
        ):
            self.assertRefusedAtOnce(line + b"\r\n", BAD, "line 1 is not")
        for line in (b"GET /", b"GET / "):
            self.assertRefusedAtOnce(
                line + b"\r\n", BAD, "line 1: there is no version; HTTP/0.9 is not served"
            )
        for octet in b"\t\0\x7f\xe9":
            line = b"GET /" + bytes([octet]) + b" HTTP/1.1\r\n"
            words = f"line 1: the target has the octet {octet:#04x} at column 6"
            self.assertRefusedAtOnce(line, BAD, words)
        for octet in b"\t\0@:/\xe9":
            line = b"GET" + bytes([octet]) + b"/ HTTP/1.1\r\n"
            words = f"line 1: the method has the octet {octet:#04x} at column 4"
            self.assertRefusedAtOnce(line, BAD, words)

    def test_versionsThatAreNone(self) -> None:
        """A version is C{HTTP/}, a digit, a dot and a digit, in capitals."""
        for version in "1;11;1.;1.10;01.1;1,1;-1.1;1.x;\xb2.0;1.1\0;\t1.1; 1.1;".split(";"):
            line = f"GET / HTTP/{version}\r\n".encode("latin-1")
            self.assertRefusedAtOnce(line, BAD, "line 1 is not")
        for name in (b"http/1.1", b"HTTPS/1.1", b"ICE/1.1", b"1.1"):
            self.assertRefusedAtOnce(b"GET / " + name + b"\r\n", BAD, "line 1 is not")

    def test_versionsThatAreNotServed(self) -> None:
        """Another major version is understood well enough to say that it is not served."""
        for version in ("0.9", "2.0", "3.0", "9.9"):
            line = f"GET / HTTP/{version}\r\n".encode()
            self.assertRefusedAtOnce(line, VERSION, f"the version is HTTP/{version}")
        self.assertRefusedAtOnce(b"PRI * HTTP/2.0\r\n", VERSION, "looks like the preface of HTTP/2")

    def test_whoSpeaksAnotherProtocol(self) -> None:
        """What can't be HTTP is refused at its first octet, and called by its name where it has one."""
        for octets, words in (
            (b"\x16", "looks like a TLS handshake; this port speaks plain HTTP"),
            (b"\x05", "looks like SOCKS 5"),
            (b"\x04", "looks like SOCKS 4"),
            (b"\r\n\r\n\x00", "looks like a PROXY protocol header, version 2"),
            (b"\x80", "line 1 begins with the octet 0x80"),
            (b" ", "line 1 begins with the octet 0x20"),
            (b"\r\n\t", "line 1 begins with the octet 0x09"),
            (b"{", "line 1 begins with the octet 0x7b"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "looks like a PROXY protocol header, version 1"),
        ):
            self.assertRefusedAtOnce(octets, BAD, words)

    def test_emptyLinesWithoutEnd(self) -> None:
        """Passing over empty lines has an end, or they could be sent for ever (conformance 19)."""
        self.assertRefusedAtOnce(b"\r\n" * (EMPTY_LINES + 1), BAD, "empty lines")


def mutate(head: bytes, mutations: list[tuple[int, int, bytes]]) -> bytes:
    """Replace, at each of some places, a few octets by others."""
    for place, length, octets in mutations:
        at = place % (len(head) + 1)
        head = head[:at] + octets + head[at + length :]
    return head


class Counted(bytearray):
    """
    Counts the octets that are searched in it.
    """

    searched = 0

    def find(self, what: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        """Find as usual."""
        found = bytearray.find(self, what, start, end)
        self.searched += (len(self) if end is None else end) - start if found < 0 else found + 1 - start
        return found


class CostTests(SynchronousTestCase):
    """
    What a hostile head costs: memory within the limits, and time in proportion.
    """

    def test_holdsNoMoreThanTheLimits(self) -> None:
        """However much comes at once, no more is kept or copied than a head may have (conformance 22)."""
        flood = 8 * 1024 * 1024
        for octets in (
            b"G" * flood, b"GET /" + b"a" * flood, CONNECT + b"X" * flood, CONNECT + b"X: " + b" " * flood,
            CONNECT + b"X: y\r\n" * (flood // 6), b"\r\n" * (flood // 2), CONNECT + b"X: y\r\n" * 90 + b"X" * flood,
        ):  # fmt: skip
            for first in (b"", octets[:3], octets[:100]):
                rest = octets[len(first) :]
                reader = HeadReader()
                tracemalloc.start()
                self.assertIsInstance(reader.receive(first) or reader.receive(rest), Refusal)
                kept, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertLess(kept, 16 * 1024)
                self.assertLess(peak, 256 * 1024)

    def test_timeIsInProportion(self) -> None:
        """Eight times the octets at once cost about eight times the time, and not sixty-four."""
        for shape in self.shapes:
            ratio = self.cost(shape(64 * 1024)) / self.cost(shape(8 * 1024))
            self.assertLess(ratio, 24, shape(2))

    def test_noOctetIsSearchedTwice(self) -> None:
        """Octet by octet, no more is searched than what has come, once for CR and once for LF."""
        for shape in self.shapes:
            octets = shape(4 * 1024)
            reader = HeadReader(Limits(1 << 20, 1 << 20, 1 << 20, 1 << 20))
            reader._held = counted = Counted()
            for at in range(len(octets)):
                if reader.receive(octets[at : at + 1]) is not None:
                    break
            self.assertGreater(counted.searched, len(octets))
            self.assertLess(counted.searched, 4 * len(octets))

    shapes: tuple[Callable[[int], bytes], ...] = (
        lambda size: b"G" * size,
        lambda size: b"GET " + b" " * size,
        lambda size: CONNECT + b"X" * size,
        lambda size: CONNECT + b"X:" + b" " * size,
        lambda size: CONNECT + b"X:" + b" \t" * (size // 2) + b"\0\r\n",
        lambda size: CONNECT + b"X:\r\n" * (size // 4),
    )

    def cost(self, octets: bytes) -> float:
        """The seconds of the processor that a head takes at once, limits aside."""
        costs = []
        for _ in range(20):
            reader = HeadReader(Limits(1 << 20, 1 << 20, 1 << 20, 1 << 20))
            began = time.process_time()
            reader.receive(octets)
            costs.append(time.process_time() - began)
        return min(costs)


heads = st.sampled_from(
    [
        CONNECT + b"\r\n",
        CONNECT + b"User-Agent: curl/8.5.0\r\nProxy-Connection: Keep-Alive\r\n\r\n",
        b"\r\nCONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost:\tb \r\nX:\r\nContent-Length: 0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.0\r\nX: \xe9: \t!\r\nx: y\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
        b"GET /a?b HTTP/1.1\r\nHost: c\r\n\r\n",
    ]
)
# What parsers trip over.
morsels = st.sampled_from(
    [
        *(bytes([octet]) for octet in b"\r\n \t:\0\x7f\x80\xff\x0b\x85a120/@,"),
        b"\r\n" * 2,
        b"HTTP/1.1",
        b"\r\n ",
        b"\r\nHost: d",
        b"X: y\r\n",
        b"a" * 50,
    ]
)
various = [Limits(*row) for row in ((99, 99, 99, 99), (40, 30, 60, 3), (200, 20, 200, 9), (200, 200, 30, 9))]
places = st.integers(0, 200)
mutations = st.lists(
    st.tuples(places, st.integers(0, 3), st.one_of(morsels, st.binary(max_size=3))), max_size=3
)
mutants = st.builds(mutate, heads, mutations)


class FuzzTests(SynchronousTestCase):
    """
    What mutation finds.
    """

    @examples
    @given(mutants, st.lists(places), st.binary(max_size=20), st.sampled_from(various))
    def test_verdictDoesNotDependOnTheCut(
        self, octets: bytes, cuts: list[int], behind: bytes, limits: Limits
    ) -> None:
        """Nothing raises, and the verdict, its words and what is left over are the same whatever the pieces."""
        octets += behind
        whole = read([octets], limits)
        ends = sorted(cut % (len(octets) + 1) for cut in cuts)
        pieces = [octets[start:end] for start, end in zip([0, *ends], [*ends, len(octets)], strict=True)]
        single = [octets[at : at + 1] for at in range(len(octets))]
        for way in (pieces, single):
            verdict, leftover = read(way, limits)
            self.assertEqual(verdict, whole[0])
            if isinstance(verdict, RequestHead):
                self.assertEqual(leftover, whole[1])
                self.assertTrue(octets.endswith(leftover))

    @examples
    @given(mutants, st.binary(min_size=1, max_size=3))
    def test_verdictComesWithinTheLimits(self, octets: bytes, filling: bytes) -> None:
        """Whatever goes on and on has its verdict before there is more than a head may have (conformance 22)."""
        limits = Limits(40, 30, 60, 3)
        most = 2 * (EMPTY_LINES + 1) + limits.line + 2 + limits.section + 1
        self.assertIsNotNone(read([(octets + filling * most)[:most]], limits)[0])


class Heard:
    """
    What httptools calls back with.
    """

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, octets: bytes) -> None:
        self.target += octets

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def byH11(octets: bytes) -> RequestHead | None:
    """What h11 reads, L{None} where it reads no head."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(octets)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    minor = 0 if event.http_version == b"1.0" else 1
    return RequestHead(event.method.decode(), event.target, minor, tuple(event.headers))


def byHttptools(octets: bytes) -> RequestHead | None:
    """What httptools reads, L{None} where it reads no head."""
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(octets)
    except httptools.HttpParserUpgrade:
        pass  # its way to say that the head is complete and a tunnel begins
    except httptools.HttpParserError:
        return None
    if not heard.complete:
        return None
    minor = 0 if parser.get_http_version() == "1.0" else 1
    return RequestHead(parser.get_method().decode(), heard.target, minor, tuple(heard.fields))


class OracleTests(SynchronousTestCase):
    """
    Who reads the same octets otherwise can be played off against us.
    """

    @examples
    @given(mutants)
    def test_whatWeTakeOthersTakeAlike(self, octets: bytes) -> None:
        """
        A CONNECT that we take is taken by h11 and httptools, with the same method, target and fields.

        Known and justified: h11 takes no empty line before the request line,
        which RFC 9112 section 2.2 wants taken; httptools takes no minor version
        above 1, which RFC 9110 section 2.5 wants taken, no method that it has no
        name for, and judges targets, which is L{connectproxy.address}'s here.
        """
        head, leftover = read([octets])
        if not isinstance(head, RequestHead) or head.method != "CONNECT" or checkConnect(head) is not None:
            return
        octets = octets[: len(octets) - len(leftover)].lstrip(b"\r\n")
        self.assertEqual(byH11(octets), head)
        version = octets.split(b"\r\n")[0][-8:]
        if version in (b"HTTP/1.0", b"HTTP/1.1") and re.fullmatch(rb"[\w.:\[\]-]+", head.target):
            self.assertEqual(byHttptools(octets), head)

    def test_whatOthersTakeAndWeDoNot(self) -> None:
        """Leniency of others that is refused here; where one of them learns to refuse, the table says so too much."""
        host = b"Host: a\r\n"
        get = b"GET / HTTP/1.1\r\n"
        for octets, kind, takers in (
            (b"GET / HTTP/1.1\n" + host + b"\r\n", BAD, {byH11}),
            (get + b"Host: a\n\r\n", BAD, {byH11}),
            (get + host + b"\n", BAD, {byH11}),
            (get + b"Host: a\r\n b\r\n\r\n", BAD, {byH11}),
            (get + host + b"X: a\x01b\r\n\r\n", BAD, {byH11}),
            (get + host + b"X: a\x7fb\r\n\r\n", BAD, {byH11}),
            (b"GET / HTTP/2.0\r\n" + host + b"\r\n", VERSION, {byH11, byHttptools}),
            (b"GET / HTTP/0.9\r\n" + host + b"\r\n", VERSION, {byH11, byHttptools}),
            (get + host + b"X: y\r\n" * 100 + b"\r\n", TOO_LARGE, {byH11, byHttptools}),
            (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n", TOO_LONG, {byH11, byHttptools}),
            (b"GET  / HTTP/1.1\r\n" + host + b"\r\n", BAD, {byHttptools}),
            (b"GET /  HTTP/1.1\r\n" + host + b"\r\n", BAD, {byHttptools}),
            (b"GET /\r\n\r\n", BAD, {byHttptools}),
            (b"\nGET / HTTP/1.1\r\n" + host + b"\r\n", BAD, {byHttptools}),
            (b"\r\n" * 9 + get + host + b"\r\n", BAD, {byHttptools}),
        ):
            verdict, _ = read([octets])
            assert isinstance(verdict, Refusal), octets
            self.assertEqual(verdict.kind, kind)
            self.assertEqual({taker for taker in (byH11, byHttptools) if taker(octets)}, takers, octets)
