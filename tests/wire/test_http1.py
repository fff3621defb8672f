"""
Tests of L{connectproxy.wire.http1}.

Whatever is read is read in every way it can come: whole, octet by octet, cut in
two at every place, and with more behind it.  What is refused, and what other
parsers say, is in L{tests.wire.test_http1_oracles}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.http1 import EMPTY_LINES, HeadReader, Limits, RequestHead, checkConnect, escape

Verdict = RequestHead | Refusal | None

BAD = "http_request_error"
TOO_LONG = "http_request_line_too_long"
TOO_LARGE = "http_request_fields_too_large"
VERSION = "http_version_not_supported"

START = b"CONNECT a.example:443 HTTP/1.1\r\n"
CONNECT = START + b"Host: a.example:443\r\n"
HOST = (b"host", b"a.example:443")


def connect(*fields: tuple[bytes, bytes]) -> RequestHead:
    """The head that begins with L{START}."""
    return RequestHead("CONNECT", b"a.example:443", 1, fields)


def cuts(octets: bytes) -> Iterator[list[bytes]]:
    """Every way of feeding that the tests know."""
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for at in range(1, len(octets)):
        yield [octets[:at], octets[at:]]


def read(pieces: Iterable[bytes], limits: Limits | None = None) -> tuple[Verdict, bytes]:
    """Feed pieces until there is a verdict; give it, with all that was not part of the head."""
    reader = HeadReader() if limits is None else HeadReader(limits)
    verdict: Verdict = None
    rest = b""
    for piece in pieces:
        if verdict is None:
            verdict = reader.receive(piece)
        else:
            rest += piece
    return verdict, reader.leftover + rest


class Reading(SynchronousTestCase):
    """
    What the cases below assert.
    """

    def assertHead(self, octets: bytes, expected: RequestHead, limits: Limits | None = None) -> None:
        """The head is read, however it is cut, and what is behind it is left over to the octet."""
        for behind in (b"", b"\x16\x03\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            for pieces in cuts(octets + behind):
                self.assertEqual(read(pieces, limits), (expected, behind))

    def assertRefused(self, octets: bytes, kind: str, words: str = "", limits: Limits | None = None) -> None:
        """The head is refused, however it is cut and whatever is behind it, in words fit for a log."""
        for behind in (
            b"",
            b"\r\n",
            b"\r\n\r\n",
            b"X: y\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x00\xff\r\n",
        ):
            for pieces in cuts(octets + behind):
                verdict, _ = read(pieces, limits)
                assert isinstance(verdict, Refusal), (verdict, pieces)
                self.assertEqual(verdict.kind, kind, pieces)
                self.assertIn(words, verdict.detail)
                self.assertTrue(verdict.detail.isascii() and verdict.detail.isprintable(), verdict.detail)
                self.assertLess(len(verdict.detail), 150)
                self.assertFalse(verdict.detail.endswith("."), verdict.detail)
        self.assertIn(kind, KINDS)

    def assertRefusedAtOnce(
        self, octets: bytes, kind: str, words: str = "", limits: Limits | None = None
    ) -> None:
        """As L{assertRefused}, and no octet but the last one settles it."""
        for pieces in cuts(octets[:-1]) if octets[:-1] else ():
            self.assertIsNone(read(pieces, limits)[0])
        self.assertRefused(octets, kind, words, limits)


class HeadTests(Reading):
    """
    What L{HeadReader} takes.
    """

    def test_readsAConnect(self) -> None:
        """A head like curl's, with everything in it and in its order."""
        octets = CONNECT + b"User-Agent: curl/8.5.0\r\nProxy-Connection: Keep-Alive\r\n\r\n"
        fields = (HOST, (b"user-agent", b"curl/8.5.0"), (b"proxy-connection", b"Keep-Alive"))
        self.assertHead(octets, connect(*fields))

    def test_readsAHeadWithoutFields(self) -> None:
        """HTTP/1.0 needs no field at all, and its minor version is told (conformance 25)."""
        self.assertHead(b"CONNECT a:1 HTTP/1.0\r\n\r\n", RequestHead("CONNECT", b"a:1", 0, ()))

    def test_takesHigherMinorVersionsForTheHighestKnown(self) -> None:
        """A client that speaks HTTP/1.7 understands an answer in 1.1 (RFC 9110 section 2.5)."""
        for minor in (b"1", b"2", b"7", b"9"):
            self.assertHead(b"GET / HTTP/1." + minor + b"\r\n\r\n", RequestHead("GET", b"/", 1, ()))

    def test_keepsMethodAndTargetAsTheyAre(self) -> None:
        """Methods are case-sensitive tokens, and any visible ASCII is a target as far as the grammar goes."""
        every = bytes(range(0x21, 0x7F))
        for method in ("get", "00", "!#$%&'*+-.^_`|~09azAZ"):
            octets = method.encode() + b" " + every + b" HTTP/1.1\r\n\r\n"
            self.assertHead(octets, RequestHead(method, every, 1, ()))

    def test_ignoresAFewEmptyLinesBefore(self) -> None:
        """Some clients send a CRLF too many; up to four are passed over (conformance 19)."""
        for empty in range(1, EMPTY_LINES + 1):
            self.assertHead(b"\r\n" * empty + CONNECT + b"\r\n", connect(HOST))

    def test_stripsOnlyWhatIsAroundAValue(self) -> None:
        """Spaces and tabs around a value are no part of it; within they are, and so is a colon."""
        for value in (b"", b"a", b"a \tb", b"a: b:", b":"):
            for before in (b"", b" ", b"\t \t"):
                for after in (b"", b" \t"):
                    self.assertHead(
                        START + b"X:" + before + value + after + b"\r\n\r\n", connect((b"x", value))
                    )

    def test_takesObsTextForOpaque(self) -> None:
        """Octets from 0x80 on may be in values and come through unchanged, those included that look like space."""
        text = bytes(range(0x80, 0x100))
        self.assertHead(START + b"X: " + text + b"\r\n\r\n", connect((b"x", text)))

    def test_keepsRepeatedFieldsApart(self) -> None:
        """Fields of one name keep their order; C{values} finds them all and nothing else."""
        head, _ = read([CONNECT + b"X: 1\r\nY: 2\r\nx: 3\r\n\r\n"])
        assert isinstance(head, RequestHead)
        self.assertEqual(head.fields, (HOST, (b"x", b"1"), (b"y", b"2"), (b"x", b"3")))
        self.assertEqual(head.values(b"x"), [b"1", b"3"])
        self.assertEqual(head.values(b"z"), [])

    def test_saysWhetherAnythingHasCome(self) -> None:
        """A connection that closes without an octet is no failed request; C{started} tells."""
        reader = HeadReader()
        self.assertIsNone(reader.receive(b""))
        self.assertFalse(reader.started)
        self.assertIsNone(reader.receive(b"\r"))
        self.assertTrue(reader.started)
        self.assertIsInstance(reader.receive(b"\n" + CONNECT + b"\r\n"), RequestHead)

    def test_isUsedUpByItsVerdict(self) -> None:
        """Octets behind a verdict belong to somebody else: to feed them is our bug, and so it raises."""
        for octets in (CONNECT + b"\r\n", b"\x05"):
            reader = HeadReader()
            self.assertIsNotNone(reader.receive(octets))
            self.assertRaises(RuntimeError, reader.receive, b"")
            self.assertRaises(RuntimeError, reader.receive, b"GET")

    def test_leavesNothingOverAfterARefusal(self) -> None:
        """What follows a refused head is never read as a request, so that it is not even kept (conformance 11)."""
        reader = HeadReader()
        self.assertIsInstance(reader.receive(b"GET / HTTP/1.1\n\n" + CONNECT + b"\r\n"), Refusal)
        self.assertEqual(reader.leftover, b"")

    def test_tellsWhatItKnowsSoFar(self) -> None:
        """An event about an unfinished or a refused head names its method and target as far as they came."""
        for octets, soFar in (
            (b"", ("", "")),
            (b"\r\n\r\n", ("", "")),
            (b"CONN", ("CONN", "")),
            (b"CONNECT a.exam", ("CONNECT", "a.exam")),
            (CONNECT, ("CONNECT", "a.example:443")),
            (CONNECT + b"\r\nGET / ", ("CONNECT", "a.example:443")),
            (CONNECT + b" folded\r\n", ("CONNECT", "a.example:443")),
            (b"GET /\nX", ("GET", "/")),
            (b"PRI * HTTP/2.0\r\n\r\n", ("PRI", "*")),
            (b"GET a\\b\xff\x1b[2J HTTP/1.1\r\n", ("GET", "a\\\\b\\xff\\x1b[2J")),
            (b"CONNECT me:secret@a.example:443 HTTP/1.1\r\n\r\n", ("CONNECT", "...@a.example:443")),
            (b"CONNECT me:se?cret@a.example:443 HTTP/1.1\r\n", ("CONNECT", "...@a.example:443")),
            (b"GET http://a.example/?token=secret HTTP/1.1\r\n", ("GET", "http://a.example/?...")),
            (b"GET http://a.example/#token=secret HTTP/1.1\r\n", ("GET", "http://a.example/#...")),
            (b"GET http://a.example/?a#b?c HTTP/1.1\r\n", ("GET", "http://a.example/?...#...")),
            (b"GET " + b"a" * 9000, ("GET", "a" * 300 + "...")),
        ):
            for pieces in cuts(octets) if len(octets) < 100 else ([octets],):
                reader = HeadReader()
                for piece in pieces:
                    if reader.receive(piece) is not None:
                        break
                self.assertEqual(reader.soFar, soFar)

    def test_showsNoSecrets(self) -> None:
        """
        In a traceback a head shows neither its target nor its fields (conformance 69).
        """
        head = HeadReader().receive(
            b"GET http://a/?token=secret HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n"
        )
        self.assertIsInstance(head, RequestHead)
        self.assertEqual(repr(head), "<RequestHead GET with 2 fields>")


class LimitTests(Reading):
    """
    How much L{HeadReader} takes: to the octet, and not an octet later.
    """

    small = Limits(line=20, fieldLine=12, section=30, fields=3)

    def test_line(self) -> None:
        """A request line at the limit is read; one octet more is refused as it comes (conformance 22)."""
        good = b"GET 2345678 HTTP/1.1"
        self.assertEqual(len(good), self.small.line)
        self.assertHead(good + b"\r\n\r\n", RequestHead("GET", b"2345678", 1, ()), self.small)
        for line in (b"GET 23456789 HTTP/1.1", b"G" * 21):
            self.assertRefusedAtOnce(line, TOO_LONG, "line 1 is longer than 20 octets", self.small)

    def test_longLinesAreServed(self) -> None:
        """The default takes what the RFC recommends at least, 8000 octets, whole or not (conformance 22)."""
        target = b"/" * (8000 - len("GET  HTTP/1.1"))
        octets = b"GET " + target + b" HTTP/1.1\r\n\r\n"
        for step in (len(octets), 5000, 1):
            pieces = [octets[at : at + step] for at in range(0, len(octets), step)]
            self.assertEqual(read(pieces), (RequestHead("GET", target, 1, ()), b""))
        self.assertGreaterEqual(Limits().line, 8000)

    def test_fieldLine(self) -> None:
        """So with a field line (conformance 22)."""
        good = b"GET / HTTP/1.1\r\nX: 456789012"
        self.assertHead(good + b"\r\n\r\n", RequestHead("GET", b"/", 1, ((b"x", b"456789012"),)), self.small)
        self.assertRefusedAtOnce(good + b"3", TOO_LARGE, "line 2 is longer than 12 octets", self.small)

    def test_section(self) -> None:
        """So with the header section, to its last CRLF (conformance 22)."""
        most = b"GET / HTTP/1.1\r\nX: 4567890\r\nY: 4567890\r\n"
        fields = ((b"x", b"4567890"), (b"y", b"4567890"), (b"z", b""))
        self.assertHead(most + b"Z:\r\n\r\n", RequestHead("GET", b"/", 1, fields), self.small)
        for line in (b"Z:4\r\n\r\n", b"Z: 45\r\n", b"Z: 456\r", b"Z: 4567"):
            words = "the header section is longer than 30 octets"
            self.assertRefusedAtOnce(most + line, TOO_LARGE, words, self.small)

    def test_fields(self) -> None:
        """So with the number of fields, by default a hundred (conformance 22)."""
        good = b"GET / HTTP/1.1\r\n" + b"X:\r\n" * 3
        self.assertHead(good + b"\r\n", RequestHead("GET", b"/", 1, ((b"x", b""),) * 3), self.small)
        words = "there are more than 3 header fields"
        self.assertRefusedAtOnce(good + b"X:\r\n", TOO_LARGE, words, self.small)
        self.assertIsInstance(read([START + b"X:\r\n" * 100 + b"\r\n"])[0], RequestHead)
        refusal = Refusal(TOO_LARGE, "there are more than 100 header fields")
        self.assertEqual(read([START + b"X:\r\n" * 101 + b"\r\n"])[0], refusal)

    def test_allAtTheLimit(self) -> None:
        """A head that goes to every limit is read, and nothing of what is behind it is lost (conformance 22)."""
        octets = b"\r\n" * EMPTY_LINES + b"GET 2345678 HTTP/1.1\r\nX: 456789012\r\nY: 45678\r\nZ:\r\n\r\n"
        fields = ((b"x", b"456789012"), (b"y", b"45678"), (b"z", b""))
        self.assertHead(octets, RequestHead("GET", b"2345678", 1, fields), self.small)
        self.assertRefusedAtOnce(octets[:-2] + b"A:b", TOO_LARGE, "header section", self.small)

    def test_whatIsWrongFirstIsRefusedFirst(self) -> None:
        """With several faults, the one whose octet comes first decides, even if all come at once."""
        self.assertRefusedAtOnce(b"G" * 20 + b"\n", BAD, "bare LF", self.small)
        self.assertRefused(b"G" * 21 + b"\n", TOO_LONG, "", self.small)
        self.assertRefused(b"G@" * 11 + b"\r\n", TOO_LONG, "", self.small)
        many = b"GET / HTTP/1.1\r\n" + b"X:\r\n" * 3
        self.assertRefused(many + b" \0\r\n", TOO_LARGE, "fields", self.small)
        self.assertRefused(b"GET / HTTP/2.0\r\n" + b"X" * 40, VERSION, "", self.small)
        nearly = b"GET / HTTP/1.1\r\nX: 4567890\r\nY: 4567890\r\nZ: 45"
        self.assertRefused(nearly + b"\n", BAD, "bare LF", self.small)
        self.assertRefused(nearly + b"\r\r", TOO_LARGE, "header section", self.small)


class CheckConnectTests(SynchronousTestCase):
    """
    What L{checkConnect} makes of the fields of a CONNECT.
    """

    def check(self, *lines: bytes, minor: int = 1) -> str:
        """The detail of the refusal, or C{""}."""
        start = b"CONNECT a.example:443 HTTP/1.%d" % minor
        head, _ = read([b"\r\n".join([start, *lines, b"", b""])])
        assert isinstance(head, RequestHead), head
        refusal = checkConnect(head)
        self.assertEqual(refusal.kind if refusal else BAD, BAD)
        return refusal.detail if refusal else ""

    def test_oneHost(self) -> None:
        """HTTP/1.1 wants one Host field, neither none nor two, not even two alike (conformance 12)."""
        self.assertEqual(self.check(b"Host: a.example:443"), "")
        self.assertEqual(self.check(), "there is no Host field; HTTP/1.1 demands one")
        twice = self.check(b"Host: a", b"X: b", b"host: a")
        self.assertEqual(twice, "there are 2 Host fields; there must be one")

    def test_noHostInHTTP10(self) -> None:
        """HTTP/1.0 has no need of Host; where it comes, it has to be right (conformance 12)."""
        self.assertEqual(self.check(minor=0), "")
        self.assertEqual(self.check(b"Host: a", minor=0), "")
        self.assertIn("there are 2 Host fields", self.check(b"Host: a", b"Host: a", minor=0))
        self.assertIn("the Host field is not", self.check(b"Host: a b", minor=0))

    def test_invalidHost(self) -> None:
        """A value that is no host with or without a port is refused, and shown without a password (conformance 12)."""
        words = "the Host field is not host or host:port: "
        for value, shown in (
            (b"a b", "a b"), (b"a/b", "a/b"), (b"a:b", "a:b"), (b"a, b", "a, b"), (b"\xe9", "\\xe9"),
            (b"me:secret@a", "...@a"), (b"a\\" * 50, "a\\\\" * 30 + "..."),
        ):  # fmt: skip
            self.assertEqual(self.check(b"Host: " + value), words + shown)

    def test_hostThatDiffersFromTheTarget(self) -> None:
        """Only the target says where to; clients leave the port away or name the proxy (conformance 13)."""
        for value in (b"a.example", b"a.example:80", b"other.example:443", b"[2001:db8::1]:443"):
            self.assertEqual(self.check(b"Host: " + value), "")

    def test_noContent(self) -> None:
        """A CONNECT that announces content is refused; an honest zero is not (conformance 9)."""
        host = b"Host: a"
        self.assertEqual(self.check(host, b"Content-Length: 0"), "")
        for value in (b"1", b"00", b"+0", b"-0", b"0, 0", b"0x0", b"", b"0;", b"\xb2"):
            words = f"the Content-Length is {escape(value)}; a CONNECT has no content"
            self.assertEqual(self.check(host, b"Content-Length: " + value), words)
        twice = self.check(host, b"Content-Length: 0", b"content-length: 0")
        self.assertEqual(twice, "there are 2 Content-Length fields; a CONNECT has no content")
        for minor in (0, 1):
            for value in (b"chunked", b"identity", b""):
                words = self.check(host, b"Content-Length: 0", b"Transfer-Encoding: " + value, minor=minor)
                self.assertEqual(words, "there is a Transfer-Encoding; a CONNECT has no content")

    def test_expect(self) -> None:
        """Nothing is expected of a request without content: the field is passed over (conformance 23)."""
        self.assertEqual(self.check(b"Host: a", b"Expect: 100-continue"), "")
        self.assertEqual(self.check(b"Host: a", b"Expect: the-worst"), "")
