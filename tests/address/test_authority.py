"""
Tests of L{connectproxy.address.authority}.
"""

from __future__ import annotations

import re
import socket
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseAuthority, parseHost, validHostField
from connectproxy.address import authority as module
from connectproxy.errors import Refusal

# No deadline: a slow machine is no defect.  No database: trial and pytest run in different places.
FUZZED = settings(max_examples=200, deadline=None, database=None)

LONGEST_NAME = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])  # 253 characters

# What is accepted: the octets, and host, port and name for DNS of what must come out.
GOOD_NAMES = [
    (b"example.com:443", "example.com", 443, "example.com."),
    (b"EXAMPLE.Com:443", "example.com", 443, "example.com."),
    (b"example.com.:443", "example.com", 443, "example.com."),
    (b"localhost:1", "localhost", 1, "localhost."),
    (b"example.com:65535", "example.com", 65535, "example.com."),
    (b"example.com:0443", "example.com", 443, "example.com."),
    (b"_dmarc.ex-ample.com:80", "_dmarc.ex-ample.com", 80, "_dmarc.ex-ample.com."),
    (b"-:80", "-", 80, "-."),
    (b"xn--bcher-kva.example:443", "xn--bcher-kva.example", 443, "xn--bcher-kva.example."),
    (b"XN--BCHER-KVA.example:443", "xn--bcher-kva.example", 443, "xn--bcher-kva.example."),
    (b"1.2.3.4.example:443", "1.2.3.4.example", 443, "1.2.3.4.example."),
    (b"127.0.0.1a:443", "127.0.0.1a", 443, "127.0.0.1a."),
    (b"0x7g:443", "0x7g", 443, "0x7g."),
    (b"0.0xbeefy:443", "0.0xbeefy", 443, "0.0xbeefy."),
    (b"1e5:443", "1e5", 443, "1e5."),
    (b"127.0.0.1-:443", "127.0.0.1-", 443, "127.0.0.1-."),
    (b"a" * 63 + b":1", "a" * 63, 1, "a" * 63 + "."),
    (LONGEST_NAME.encode() + b":1", LONGEST_NAME, 1, LONGEST_NAME + "."),
    (LONGEST_NAME.encode() + b".:00001", LONGEST_NAME, 1, LONGEST_NAME + "."),
]

GOOD_ADDRESSES: list[tuple[bytes, str, IPv4Address | IPv6Address]] = [
    (b"192.0.2.1:443", "192.0.2.1", IPv4Address("192.0.2.1")),
    (b"0.0.0.0:443", "0.0.0.0", IPv4Address(0)),
    (b"255.255.255.255:443", "255.255.255.255", IPv4Address("255.255.255.255")),
    (b"[2001:db8::1]:443", "2001:db8::1", IPv6Address("2001:db8::1")),
    (b"[2001:DB8:0:0:0:0:0:1]:443", "2001:db8::1", IPv6Address("2001:db8::1")),
    (b"[2001:0db8::0001]:443", "2001:db8::1", IPv6Address("2001:db8::1")),
    (b"[::]:443", "::", IPv6Address("::")),
    (b"[::1]:443", "::1", IPv6Address("::1")),
    (b"[1:2:3:4:5:6:7::]:443", "1:2:3:4:5:6:7:0", IPv6Address("1:2:3:4:5:6:7:0")),
    (b"[::2:3:4:5:6:7:8]:443", "0:2:3:4:5:6:7:8", IPv6Address("0:2:3:4:5:6:7:8")),
    (b"[64:ff9b::192.0.2.1]:443", "64:ff9b::c000:201", IPv6Address("64:ff9b::c000:201")),
    (b"[::ffff:192.0.2.1]:443", "192.0.2.1", IPv4Address("192.0.2.1")),
    (b"[::FFFF:c000:0201]:443", "192.0.2.1", IPv4Address("192.0.2.1")),
]

BAD_PORTS = [
    (b"", "is empty"),
    (b"host", "has no port, and there is no default"),
    (b"192.0.2.1", "has no port, and there is no default"),
    (b"[2001:db8::1]", "has no port, and there is no default"),
    (b"host:", "has nothing behind the colon"),
    (b"[::1]:", "has nothing behind the colon"),
    (b"host:0", "port 0 is out of range"),
    (b"host:00000", "port 0 is out of range"),
    (b"host:65536", "port 65536 is out of range"),
    (b"host:99999", "port 99999 is out of range"),
    (b"host:000443", "has no valid port; write up to five decimal digits"),
    (b"host:+80", "has no valid port"),
    (b"host:-80", "has no valid port"),
    (b"host:8_0", "has no valid port"),
    (b"host:0x50", "has no valid port"),
    (b"host:http", "has no valid port"),
    (b"host:80.0", "has no valid port"),
    (b"host: 80", "has white space"),
    (b"host:80 ", "has white space"),
    (b"host:80\n", "has white space"),
    (b"host:80\x00", "has white space or a control character"),
    ("host:\u0668\u0660".encode(), "is not in ASCII"),
    ("host:8\u00b2".encode("latin-1"), "is not in ASCII"),
    (b":443", "has no host"),
    (b":", "has no host"),
]

BAD_FORMS = [
    (b"user@host:443", "the target has user information before an @"),
    (b"user:secret@host:443", "the target has user information before an @"),
    (b"@host:443", "the target has user information before an @"),
    (b"host@:443", "the target has user information before an @"),
    (b"http://host:443", "the target has a scheme, a path or a query"),
    (b"https://user:secret@host:443/?key=secret", "the target has a scheme, a path or a query"),
    (b"host:443/", "the target has a scheme, a path or a query"),
    (b"/:443", "the target has a scheme, a path or a query"),
    (b"host/path:443", "the target has a scheme, a path or a query"),
    (b"host?key=secret:443", "the target has a scheme, a path or a query"),
    (b"host#secret:443", "the target has a scheme, a path or a query"),
    (b"host\\secret:443", "the target has a scheme, a path or a query"),
    (b"ho st:443", "has white space"),
    (b"host\t:443", "has white space"),
    (b" host:443", "has white space"),
    (b"\x00host:443", "has white space or a control character"),
    (b"host\x7f:443", "has white space or a control character"),
    (b"http:host:443", "has a colon or a bracket out of place"),
    (b"host:80:80", "has a colon or a bracket out of place"),
    (b"*:443", "has a character that no name has"),
    (b"a,b:443", "has a character that no name has"),
    (b"a~b:443", "has a character that no name has"),
    (b"'host':443", "has a character that no name has"),
]

BAD_IPV6 = [
    (b"2001:db8::1:443", "has a colon or a bracket out of place; write IPv6 in brackets"),
    (b"::1", "has a colon or a bracket out of place; write IPv6 in brackets"),
    (b"::1:443", "has a colon or a bracket out of place; write IPv6 in brackets"),
    (b"[::1:443", "has a colon or a bracket out of place"),
    (b"::1]:443", "has a colon or a bracket out of place"),
    (b"[::1]443", "has a colon or a bracket out of place"),
    (b"[::1].:443", "has a colon or a bracket out of place"),
    (b"[[::1]]:443", "has a colon or a bracket out of place"),
    (b"a[::1]:443", "has a colon or a bracket out of place"),
    (b"[v1.x]:443", "has an address of a future version of IP"),
    (b"[V1.fe80::a]:443", "has an address of a future version of IP"),
    (b"[fe80::1%eth0]:443", "has a zone identifier"),
    (b"[fe80::1%25eth0]:443", "has a zone identifier"),
    (b"[]:443", "is no IPv6 address"),
    (b"[:]:443", "is no IPv6 address"),
    (b"[:::]:443", "is no IPv6 address"),
    (b"[1::2::3]:443", "is no IPv6 address"),
    (b"[1:2:3:4:5:6:7]:443", "is no IPv6 address"),
    (b"[1:2:3:4:5:6:7:8:9]:443", "is no IPv6 address"),
    (b"[::1:2:3:4:5:6:7:8]:443", "is no IPv6 address"),
    (b"[::12345]:443", "is no IPv6 address"),
    (b"[::g]:443", "is no IPv6 address"),
    (b"[::127.1]:443", "is no IPv6 address"),
    (b"[::127.0.0.01]:443", "is no IPv6 address"),
    (b"[127.0.0.1]:443", "is no IPv6 address"),
    (b"[example.com]:443", "is no IPv6 address"),
]

BAD_NAMES = [
    ("b\u00fccher.example:443".encode(), "is not in ASCII; write an internationalised name as A-labels"),
    ("b\u00fccher.example:443".encode("latin-1"), "is not in ASCII"),
    ("\uff11\uff12\uff17.0.0.1:443".encode(), "is not in ASCII"),
    ("\u212aelvin.example:443".encode(), "is not in ASCII"),
    (b"ex%61mple.com:443", "has percent-encoding"),
    (b"b%C3%BCcher.example:443", "has percent-encoding"),
    (b"%:443", "has percent-encoding"),
    (b".:443", "has an empty label"),
    (b"..:443", "has an empty label"),
    (b".example.com:443", "has an empty label"),
    (b"example..com:443", "has an empty label"),
    (b"example.com..:443", "has an empty label"),
    (b"a" * 64 + b":443", "has a label longer than the 63 characters"),
    (b"example." + b"a" * 64 + b".com:443", "has a label longer than the 63 characters"),
    (LONGEST_NAME.encode() + b"d:443", "is longer than the 253 characters"),
    (LONGEST_NAME.encode() + b"d.:443", "is longer than the 253 characters"),
    (b"a." * 127 + b"a:443", "is longer than the 253 characters"),
    (b"a" * 301, "is longer than any valid one"),
    (b"a" * 301 + b"@host:443", "the target is longer than any valid one"),  # no search beyond
    (b"a." * 4000 + b":443", "is longer than any valid one"),
]

BAD_NUMBERS = [
    b"127.1",
    b"127.0.1",
    b"2130706433",
    b"0x7f000001",
    b"0X7F000001",
    b"017700000001",
    b"0x7f.0.0.1",
    b"0177.0.0.1",
    b"127.0.0.01",
    b"127.0.0.0x1",
    b"127.0.0.1.",
    b"127.1.",
    b"0x7f000001.",
    b"1.2.3.4.5",
    b"256.0.0.1",
    b"1.2.3.256",
    b"1.2.3.4294967296",
    b"0",
    b"08",
    b"0x",
    b"0x.",
    b"example.0",
    b"example.0x",
    b"example.com.123",
    b"foo.0xdead.",
]

# Pieces of which names are made that somebody might read as a number.
_PIECES = st.from_regex(
    re.compile("(?:0[xX]?)?[0-9a-f]{0,3}|[a-gx0-9_-]{1,3}"), fullmatch=True
) | st.sampled_from(["255", "256", "4294967295", "2130706433", "0x7f000001", "017700000001"])
_NUMBERISH = st.tuples(
    st.lists(_PIECES, min_size=1, max_size=5).map(".".join), st.sampled_from(["", "."])
).map("".join)
_SIGNS = st.text(alphabet="aFxX019.:[]@%/-_v, \t\x00\xff", max_size=24)
_VALID = st.sampled_from([row[0] for row in GOOD_NAMES] + [row[0] for row in GOOD_ADDRESSES])


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A valid target with one octet put in, taken out or changed."""
    octets = draw(_VALID)
    at = draw(st.integers(0, len(octets)))
    return octets[:at] + draw(st.binary(max_size=1)) + octets[at + draw(st.integers(0, 1)) :]


_TARGETS = (
    st.binary(max_size=320)
    | _SIGNS.map(lambda text: text.encode("latin-1"))
    | st.tuples(_NUMBERISH | _SIGNS, st.integers(0, 70000)).map(lambda t: f"{t[0]}:{t[1]}".encode("latin-1"))
    | _mutated()
)


class ParseAuthorityTests(SynchronousTestCase):
    """
    Tests of L{parseAuthority}.
    """

    def accept(self, octets: bytes) -> Destination:
        """Parse what must be accepted."""
        parsed = parseAuthority(octets)
        self.assertIsInstance(parsed, Destination, octets)
        assert isinstance(parsed, Destination)
        return parsed

    def refuse(self, octets: bytes, words: str) -> Refusal:
        """Parse what must be refused with C{words} in the detail."""
        parsed = parseAuthority(octets)
        self.assertIsInstance(parsed, Refusal, octets)
        assert isinstance(parsed, Refusal)
        self.assertEqual(parsed.kind, "http_request_error")
        self.assertIn(words, parsed.detail, octets)
        return parsed

    def test_names(self) -> None:
        """
        A name comes out in lower case and without its trailing dot; letters,
        digits, hyphen, underscore and dot are taken, an A-label as it is, 63
        characters to a label and 253 to a name: conformance 4.
        """
        for octets, host, port, dnsName in GOOD_NAMES:
            self.assertEqual(self.accept(octets), Destination(host, port, None, dnsName))

    def test_dnsNameIsAbsolute(self) -> None:
        """
        What DNS is asked has one trailing dot, whether the client wrote it or
        not, so that no search list applies: conformance 80.
        """
        for octets in (b"intranet:443", b"intranet.:443"):
            self.assertEqual(self.accept(octets).dnsName, "intranet.")
        for octets, _, _ in GOOD_ADDRESSES:
            self.assertEqual(self.accept(octets).dnsName, "")

    def test_addresses(self) -> None:
        """
        An address is known as one; IPv6 is taken in brackets and comes out
        without them and in its shortest form: conformance 3.
        """
        for octets, host, ip in GOOD_ADDRESSES:
            self.assertEqual(self.accept(octets), Destination(host, 443, ip, ""))

    def test_mappedIsIPv4(self) -> None:
        """
        An IPv4-mapped address is the same destination as the IPv4 address, so
        that no rule on the latter can be passed by in IPv6's spelling.
        """
        self.assertEqual(self.accept(b"[::ffff:7f00:1]:443"), self.accept(b"127.0.0.1:443"))

    def test_port(self) -> None:
        """
        The port must be there and be 1 to 65535 in ASCII digits: conformance 1.
        """
        for octets, words in BAD_PORTS:
            self.refuse(octets, words)

    def test_nothingButHostAndPort(self) -> None:
        """
        No user information, scheme, path or query, and nothing else that is
        neither host nor port: conformance 2.
        """
        for octets, words in BAD_FORMS:
            self.refuse(octets, words)

    def test_noSecretIsRepeated(self) -> None:
        """
        Where the target may hold a password or a token, nothing of it is shown.
        """
        for octets, words in BAD_FORMS:
            self.assertNotIn("secret", self.refuse(octets, words).detail)

    def test_ipv6(self) -> None:
        """
        IPv6 outside brackets, IPvFuture, zone identifiers and what is no IPv6
        address at all are refused: conformance 3.
        """
        for octets, words in BAD_IPV6:
            self.refuse(octets, words)

    def test_refusedNames(self) -> None:
        """
        Octets beyond ASCII, percent-encoding, empty labels and what is too long
        are refused: conformance 4.
        """
        for octets, words in BAD_NAMES:
            self.refuse(octets, words)

    def test_numbers(self) -> None:
        """
        A host whose last label is a number is refused unless it is a strict
        dotted quad, and the advice says so: conformance 5.
        """
        for octets in BAD_NUMBERS:
            refusal = self.refuse(octets + b":443", "ends in a number and is no IPv4 address")
            self.assertIn("as in 192.0.2.1", refusal.detail)

    def test_detailIsSafe(self) -> None:
        """
        The detail has printable ASCII in it only, is short, and is a sentence
        without its full stop, whatever the peer sent.
        """
        bad = BAD_PORTS + BAD_FORMS + BAD_IPV6 + BAD_NAMES + [(b"\x1b[2J\xff\r\n" * 20, "white space")]
        for octets, words in bad:
            detail = self.refuse(octets, words).detail
            self.assertTrue(detail.isascii() and detail.isprintable(), detail)
            self.assertLess(len(detail), 300 + 3 * 64)
            self.assertFalse(detail.endswith("."), detail)

    def test_cutIsMarked(self) -> None:
        """
        Of a long target the beginning is shown, with dots behind it.
        """
        detail = self.refuse(b"a" * 65 + b":443", "has a label longer").detail
        self.assertTrue(detail.startswith("'" + "a" * 64 + "'... has"), detail)

    def test_cacheIsBounded(self) -> None:
        """
        An answer is remembered, but not for a target longer than any valid
        one: a client can't fill the memory with them.
        """
        cached = module._parseCached
        self.assertIs(parseAuthority(b"remembered.example:1"), parseAuthority(b"remembered.example:1"))
        before = cached.cache_info()
        self.refuse(b"x" * 301, "longer")
        self.assertEqual(cached.cache_info(), before)
        self.assertIsNotNone(before.maxsize)

    def test_destinationReadsBack(self) -> None:
        """
        A destination as a string has IPv6 in brackets and is the authority that
        stands for it.
        """
        self.assertEqual(str(self.accept(b"EXAMPLE.com.:0443")), "example.com:443")
        self.assertEqual(str(self.accept(b"[2001:DB8::0]:443")), "[2001:db8::]:443")
        for octets in [row[0] for row in GOOD_NAMES] + [row[0] for row in GOOD_ADDRESSES]:
            self.assertEqual(self.accept(str(self.accept(octets)).encode()), self.accept(octets))

    def test_fixed(self) -> None:
        """
        What needs no resolver to have an address: an address, and C{localhost}.
        """
        for target, address in (
            (b"192.0.2.1:80", "192.0.2.1"),
            (b"[::ffff:127.0.0.1]:80", "127.0.0.1"),
            (b"localhost:80", "127.0.0.1"),
            (b"LOCALHOST.:80", "127.0.0.1"),
            (b"db.localhost:80", "127.0.0.1"),
            (b"localhost.example:80", None),
            (b"mylocalhost:80", None),
        ):
            found = parseAuthority(target)
            assert isinstance(found, Destination)
            self.assertEqual(None if found.fixed is None else str(found.fixed), address, target)

    def test_uriHost(self) -> None:
        """
        The host as a Host field has it: IPv6 in brackets, no port.
        """
        hosts = [self.accept(t).uriHost for t in (b"Example.com.:1", b"192.0.2.1:1", b"[::1]:1")]
        self.assertEqual(hosts, ["example.com", "192.0.2.1", "[::1]"])

    @FUZZED
    @given(_TARGETS)
    @example(b"a:1\n")
    @example(b"[" * 300)
    @example(b"::ffff:1.2.3.4:1")
    def test_anything(self, octets: bytes) -> None:
        """
        No octets raise; what is accepted is in normal form and reads back as
        itself, what is refused has a safe detail: conformance 1 to 5.
        """
        parsed = parseAuthority(octets)
        if isinstance(parsed, Refusal):
            self.assertTrue(parsed.detail.isascii() and parsed.detail.isprintable())
            self.assertEqual(parsed.kind, "http_request_error")
            return
        self.assertEqual(parseAuthority(str(parsed).encode("ascii")), parsed)
        self.assertIn(parsed.port, range(1, 65536))
        self.assertEqual(parsed.host, parsed.host.lower())
        self.assertLessEqual(len(parsed.host), 253)
        self.assertEqual(parsed.dnsName, "" if parsed.ip is not None else parsed.host + ".")
        if parsed.ip is not None:
            self.assertEqual(type(parsed.ip)(parsed.host), parsed.ip)
        self.assertTrue(validHostField(str(parsed).encode("ascii")))

    @FUZZED
    @given(_NUMBERISH, st.integers(1, 65535))
    def test_systemSeesNoNumberInAName(self, text: str, port: int) -> None:
        """
        The C library reads no accepted name as an address, with or without the
        trailing dot; what it reads as one is accepted as the same address or
        not at all: conformance 5.
        """
        parsed = parseAuthority(f"{text}:{port}".encode())
        if isinstance(parsed, Refusal):
            return
        if parsed.ip is not None:
            self.assertEqual(socket.inet_aton(text), parsed.ip.packed)
            self.assertEqual(socket.inet_pton(socket.AF_INET, text), parsed.ip.packed)
            return
        for name in (text, parsed.host, parsed.dnsName):
            self.assertRaises(OSError, socket.inet_aton, name)
            self.assertRaises(socket.gaierror, socket.getaddrinfo, name, port, flags=socket.AI_NUMERICHOST)

    @FUZZED
    @given(st.text(alphabet="0123456789abcdefABCDEF:.", max_size=42) | st.ip_addresses(v=6).map(str))
    @example("1:2:3:4:5:6:7::")
    @example("::2:3:4:5:6:7:8")
    @example("::1.2.3.4")
    @example("1:2:3:4:5:6:1.2.3.4")
    @example("1::2:3:4:5:6:7:8")
    def test_libraryAgreesOnIPv6(self, text: str) -> None:
        """
        The grammar of RFC 3986 and the standard library agree on what an IPv6
        address is: conformance 3.
        """
        try:
            ip = IPv6Address(text)
        except AddressValueError:
            self.assertIsInstance(parseHost(f"[{text}]", 443), Refusal)
        else:
            parsed = parseHost(f"[{text}]", 443)
            assert isinstance(parsed, Destination), parsed
            self.assertEqual(parsed.ip, ip.ipv4_mapped or ip)


class ParseHostTests(SynchronousTestCase):
    """
    Tests of L{parseHost}.
    """

    def test_sameRules(self) -> None:
        """
        A host that comes without a port is held to the rules of an authority:
        conformance 75.
        """
        for octets in [row[0] for row in GOOD_NAMES] + [row[0] for row in GOOD_ADDRESSES]:
            parsed = parseAuthority(octets)
            assert isinstance(parsed, Destination)
            self.assertEqual(parseHost(octets.decode().rpartition(":")[0], parsed.port), parsed)
        for octets in BAD_NUMBERS:
            self.assertIsInstance(parseHost(octets.decode(), 443), Refusal)
        for octets, _ in BAD_FORMS + BAD_IPV6 + BAD_NAMES:
            host, _, port = octets.decode("latin-1").rpartition(":")
            if port == "443":
                self.assertIsInstance(parseHost(host, 443), Refusal)

    def test_colon(self) -> None:
        """
        A host that has a port or an IPv6 address without brackets in it is
        refused, and the advice names the brackets.
        """
        for text in ("host:443", "::1", "[::1]:443"):
            refusal = parseHost(text, 443)
            assert isinstance(refusal, Refusal)
            self.assertIn("write IPv6 in brackets", refusal.detail)

    def test_empty(self) -> None:
        """
        No host at all is refused.
        """
        refusal = parseHost("", 443)
        self.assertEqual(
            refusal, Refusal("http_request_error", "the target is an empty host; write a name or an address")
        )

    def test_port(self) -> None:
        """
        Any integer may come as the port; 1 to 65535 are taken.
        """
        for port in (-1, 0, 65536):
            refusal = parseHost("example.com", port)
            assert isinstance(refusal, Refusal)
            self.assertIn(f"port {port} is out of range", refusal.detail)
        for port in (1, 65535):
            self.assertIsInstance(parseHost("example.com", port), Destination)

    @FUZZED
    @given(st.text(st.characters(exclude_categories=()), max_size=320), st.integers())
    @example("\ud800", 1)
    @example("a\u2028b", 1)
    @example("1\n", 1)
    def test_anything(self, text: str, port: int) -> None:
        """
        No string raises, lone surrogates included.
        """
        self.assertIsInstance(parseHost(text, port), (Destination, Refusal))


class ValidHostFieldTests(SynchronousTestCase):
    """
    Tests of L{validHostField}.
    """

    def test_valid(self) -> None:
        """
        What the grammar has is valid, the empty value, an empty port and what
        no target may have included: conformance 12.
        """
        for value in (
            b"",
            b"example.com",
            b"example.com:443",
            b"example.com:",
            b"EXAMPLE.com.:0000000443",
            b"127.1",
            b"192.0.2.1:80",
            b"a_b~c!$&'()*+;=-.:1",
            b"b%C3%BCcher.example:443",
            b"[2001:db8::1]",
            b"[2001:DB8::192.0.2.1]:443",
            b"[1:2:3:4:5:6:7:8]:",
            b"[::]",
            b"[v1.a:b]:443",
        ):
            self.assertTrue(validHostField(value), value)

    def test_invalid(self) -> None:
        """
        User information, white space, lists, paths, a port without a host and
        IPv6 outside brackets or malformed are invalid: conformance 12.
        """
        for value in (
            b"user@example.com",
            b" ",
            b" example.com",
            b"example.com ",
            b"example.com\n",
            b"exa mple.com",
            b"example.com:443 ",
            b"example.com\t",
            b"example.com\x00",
            b"a.example,b.example",
            b"a.example, b.example",
            b"http://example.com",
            b"example.com/",
            b"example.com?",
            b"example.com#",
            b"example.com\\",
            b'"example.com"',
            b"<example.com>",
            b"b\xc3\xbccher.example",
            b"%",
            b"%4",
            b"%zz",
            b":",
            b":443",
            b"example.com:80:80",
            b"example.com:+80",
            b"example.com:http",
            b"::1",
            b"[::1",
            b"::1]",
            b"[]",
            b"[::1]443",
            b"[::1]a",
            b"[fe80::1%25eth0]",
            b"[fe80::1%eth0]",
            b"[127.0.0.1]",
            b"[1:2:3:4:5:6:7]",
            b"[1::2::3]",
            b"[v1.]",
            b"[v.x]",
        ):
            self.assertFalse(validHostField(value), value)

    @FUZZED
    @given(_TARGETS)
    def test_anything(self, value: bytes) -> None:
        """
        No octets raise, and one comma, space or at sign spoils any value.
        """
        if validHostField(value):
            for sign in (b",", b" ", b"@", b"\n", b"\x80"):
                self.assertFalse(validHostField(value + sign))
                self.assertFalse(validHostField(sign + value))
