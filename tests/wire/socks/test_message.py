"""
Tests of L{connectproxy.wire.socks.message}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseHost
from connectproxy.errors import KINDS, Refusal
from connectproxy.wire import socks
from connectproxy.wire.socks import client, datagram, message, negotiation, server
from connectproxy.wire.socks.message import (
    BAD_ADDRESS_TYPE,
    BAD_COMMAND,
    BAD_MESSAGE,
    NEXT_HOP,
    NO_METHOD,
    Address,
    Command,
    Reader,
    addressOf,
    destinationOf,
    fieldEnd,
    formatField,
    nameField,
    shown,
    told,
)
from tests.wire.socks.reading import examples, where

PORT = b"\x01\xbb"


def named(name: bytes, port: bytes = PORT) -> bytes:
    """An address field with a name, written anew from RFC 1928 section 5."""
    return b"\x03" + bytes([len(name)]) + name + port


class PublicTests(SynchronousTestCase):
    """
    What the package gives away.
    """

    def test_names(self) -> None:
        """The package has what its modules call public, but for what only they need of each other."""
        public = {
            *client.__all__,
            *datagram.__all__,
            *negotiation.__all__,
            *server.__all__,
            "Address",
            "Command",
            "Method",
            "Reader",
        }
        self.assertEqual(public, set(socks.__all__))
        for name in public:
            self.assertTrue(hasattr(socks, name), name)

    def test_kinds(self) -> None:
        """Each fault has a row in the table of refusals, with the REP that RFC 1928 has for it (conformance 72)."""
        replies = {BAD_MESSAGE: 1, BAD_COMMAND: 7, BAD_ADDRESS_TYPE: 8, NO_METHOD: 2, NEXT_HOP: 1}
        self.assertEqual({kind: KINDS[kind].socks5 for kind in replies}, replies)
        self.assertEqual(len(replies), 5)

    def test_commands(self) -> None:
        """Commands go by the RFC's names."""
        self.assertEqual([command.words for command in Command], ["CONNECT", "BIND", "UDP ASSOCIATE"])


class Two(Reader[bytes]):
    """
    Reads two octets, of which the first is 5.
    """

    __slots__ = ()
    longest = 2
    what = "the pair"

    def _parse(self, octets: bytes) -> tuple[bytes, int] | Refusal | None:
        if octets[0] != 5:
            return self._wrongStart(octets[0], 5)
        return (octets[:2], 2) if len(octets) > 1 else None


class ReaderTests(SynchronousTestCase):
    """
    What L{Reader} does for every message.
    """

    def test_saysWhetherAnythingHasCome(self) -> None:
        """A connection that closes without an octet is no failed handshake; C{started} tells."""
        reader = Two()
        self.assertIsNone(reader.receive(b""))
        self.assertFalse(reader.started)
        self.assertIsNone(reader.receive(b"\x05"))
        self.assertTrue(reader.started)
        self.assertIsNone(reader.receive(b""))
        self.assertEqual(reader.receive(b"\x01\x02"), b"\x05\x01")
        self.assertTrue(reader.started)
        self.assertEqual(reader.leftover, b"\x02")

    def test_isUsedUpByItsVerdict(self) -> None:
        """Octets behind a verdict belong to somebody else: to feed them is our bug, and so it raises."""
        for octets in (b"\x05\x01", b"\x04"):
            reader = Two()
            self.assertIsNotNone(reader.receive(octets))
            self.assertRaises(RuntimeError, reader.receive, b"")
            self.assertRaises(RuntimeError, reader.receive, b"\x05")

    def test_ended(self) -> None:
        """A message that the end of the connection cuts short is refused by whoever sees that end."""
        reader = Two()
        reader.receive(b"\x05")
        self.assertEqual(
            reader.ended(), Refusal(BAD_MESSAGE, "the connection ended after 1 octet of the pair")
        )

    def test_strangers(self) -> None:
        """What begins like another protocol is called by its name (conformance 71)."""
        for first, words in (
            (b"G", "the pair begins with 0x47, which looks like HTTP; it has to begin with 0x05"),
            (b"\x04", "the pair begins with 0x04, which looks like SOCKS 4; it has to begin with 0x05"),
            (
                b"\x16",
                "the pair begins with 0x16, which looks like a TLS handshake; it has to begin with 0x05",
            ),
            (b"\x00", "the pair begins with 0x00; it has to begin with 0x05"),
            (b"\xe9", "the pair begins with 0xe9; it has to begin with 0x05"),
        ):
            self.assertEqual(Two().receive(first), Refusal(BAD_MESSAGE, words))

    def test_isAbstract(self) -> None:
        """Without a grammar there is nothing to read."""
        self.assertRaises(NotImplementedError, Reader[bytes]()._parse, b"\x05")


class FieldTests(SynchronousTestCase):
    """
    The address field, as it is found, read and written.
    """

    def test_end(self) -> None:
        """ATYP says how long the field is; until it can be known, nothing is said (conformance 72)."""
        for before in (b"", b"\x05\x01\x00"):
            at = len(before)
            self.assertIsNone(fieldEnd(before, at))
            self.assertEqual(fieldEnd(before + b"\x01", at), at + 7)
            self.assertEqual(fieldEnd(before + b"\x04", at), at + 19)
            self.assertIsNone(fieldEnd(before + b"\x03", at))
            self.assertEqual(fieldEnd(before + b"\x03\x00", at), at + 4)
            self.assertEqual(fieldEnd(before + b"\x03\xff" + PORT, at), at + 259)

    def test_unknownType(self) -> None:
        """An ATYP other than 1, 3 and 4 is refused, whatever follows (conformance 72)."""
        for type_ in {*range(256)} - {1, 3, 4}:
            refusal = fieldEnd(bytes([type_]), 0)
            assert isinstance(refusal, Refusal)
            self.assertEqual(refusal.kind, BAD_ADDRESS_TYPE)
            self.assertIn(f"the address type is {type_:#04x}", refusal.detail)

    def test_addresses(self) -> None:
        """IPv4 and IPv6 come as octets; a mapped address is the IPv4 address that it is (conformance 72)."""
        ipv4, ipv6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
        mapped = IPv6Address("::ffff:192.0.2.1")
        self.assertEqual(destinationOf(b"\x01" + ipv4.packed + PORT), Destination("192.0.2.1", 443, ipv4, ""))
        self.assertEqual(
            destinationOf(b"\x04" + ipv6.packed + PORT), Destination("2001:db8::1", 443, ipv6, "")
        )
        self.assertEqual(
            destinationOf(b"\x04" + mapped.packed + PORT), Destination("192.0.2.1", 443, ipv4, "")
        )

    def test_names(self) -> None:
        """A name is what it would be in a CONNECT: in lower case, absolute for the look-up (conformance 75)."""
        for name, host in (
            (b"a.example", "a.example"),
            (b"A.Example.", "a.example"),
            (b"_a-b", "_a-b"),
            (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
            (b"a" * 63 + b"." + b"b" * 63 + b"." + b"c" * 63 + b"." + b"d" * 61 + b".", None),
        ):
            expected = parseHost(name.decode(), 443)
            assert isinstance(expected, Destination)
            self.assertEqual(expected.host, host or name.decode()[:-1])
            self.assertEqual(destinationOf(named(name)), expected)

    def test_addressesAsNames(self) -> None:
        """
        An address in the place of a name is that address: IPv4 in full, and IPv6 with
        or without brackets, since Chromium and curl send none (conformance 75).
        """
        for name, host in (
            (b"192.0.2.1", "192.0.2.1"),
            (b"[2001:db8::1]", "2001:db8::1"),
            (b"2001:db8::1", "2001:db8::1"),
            (b"2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            (b"::1", "::1"),
            (b"::", "::"),
            (b"::ffff:192.0.2.1", "192.0.2.1"),
            (b"[::ffff:c000:201]", "192.0.2.1"),
        ):
            found = destinationOf(named(name))
            assert isinstance(found, Destination), found
            self.assertEqual((found.host, found.port, found.dnsName), (host, 443, ""))
            self.assertEqual(str(found.ip), host)

    def test_noNames(self) -> None:
        """What a CONNECT would not take is not taken here: nothing is decoded or repaired (conformance 5, 75)."""
        for name, words in (
            (b"", "is an empty host"),
            (b"a%2eexample", "percent-encoding"),
            (b"127.1", "IPv4"),
            (b"2130706433", "IPv4"),
            (b"0x7f000001", "IPv4"),
            (b"017700000001", "IPv4"),
            (b"a.0x7f", "IPv4"),
            (b"256.0.0.1", "IPv4"),
            (b"a\0.example", "control character"),
            (b"a.example\0", "control character"),
            (b"a .example", "white space"),
            (b"b\xfccher.example", "not in ASCII"),
            (b"b\xc3\xbccher.example", "not in ASCII"),
            (b"a..example", ""),
            (b".", ""),
            (b"a" * 64, ""),
            (b"a." * 127 + b"b", ""),
            (b"a.example:80", "out of place"),
            (b"[::1", "out of place"),
            (b"::1]", "out of place"),
            (b"[[::1]]", "out of place"),
            (b"[a.example]", "no IPv6 address"),
            (b"[192.0.2.1]", "no IPv6 address"),
            (b"[]", "no IPv6 address"),
            (b"1::2::3", "out of place"),
            (b"::1%eth0", "percent-encoding"),
            (b"[::1%25eth0]", "zone identifier"),
            (b"[v1.a]", "future version"),
            (b"me:secret@a.example", "user information"),
            (b"http://a.example", "scheme"),
        ):
            found = destinationOf(named(name))
            assert isinstance(found, Refusal), (name, found)
            self.assertEqual(found.kind, BAD_MESSAGE)
            self.assertIn(words, found.detail)
            self.assertNotIn("secret", found.detail)
            self.assertTrue(found.detail.isascii() and found.detail.isprintable())

    def test_port(self) -> None:
        """Port 0 is nowhere to go to; for a client's own address it says that none is known (conformance 72)."""
        for field in (named(b"a.example", b"\0\0"), b"\x01\xc0\x00\x02\x01\0\0", b"\x04" + bytes(18)):
            refusal = destinationOf(field)
            assert isinstance(refusal, Refusal)
            self.assertIn("port 0 is out of range", refusal.detail)
            address = addressOf(field)
            assert isinstance(address, Address)
            self.assertEqual(address.port, 0)
        self.assertEqual(addressOf(b"\x01" + bytes(6)), Address("0.0.0.0", 0))
        self.assertEqual(addressOf(b"\x04" + bytes(18)), Address("::", 0))
        self.assertEqual(addressOf(named(b"A.example.")), Address("a.example", 443))
        self.assertIsInstance(addressOf(named(b"a b")), Refusal)

    def test_shown(self) -> None:
        """An event has the target as it came, escaped, and no password."""
        for field, text in (
            (named(b"A.example"), "A.example:443"),
            (named(b"a\n\xff", b"\0\0"), "a\\n\\xff:0"),
            (named(b"me:secret@a.example"), "...@a.example:443"),
            (named(b"a.example?token=secret"), "a.example?...:443"),
            (named(b"a.example#token=secret"), "a.example#...:443"),
            (named(b"2001:db8::1"), "[2001:db8::1]:443"),
            (named(b"[2001:db8::1]"), "[2001:db8::1]:443"),
            (named(b""), ":443"),
            (b"\x01\xc0\x00\x02\x01" + PORT, "192.0.2.1:443"),
            (b"\x04" + IPv6Address("2001:db8::1").packed + PORT, "[2001:db8::1]:443"),
        ):
            self.assertEqual(shown(field), text)

    def test_told(self) -> None:
        """What is only to be shown may be anything, and is fit for a log."""
        for field, address in (
            (named(b"a b\n"), Address("a b\\n", 443)),
            (named(b"", b"\0\0"), Address("", 0)),
            (b"\x01" + bytes(6), Address("0.0.0.0", 0)),
            (b"\x04" + bytes(15) + b"\x01" + PORT, Address("::1", 443)),
        ):
            self.assertEqual(told(field), address)

    def test_format(self) -> None:
        """An address is sent as one, mapped IPv6 as IPv4, and all else as a name."""
        for host, field in (
            ("a.example", named(b"a.example")),
            ("192.0.2.1", b"\x01\xc0\x00\x02\x01" + PORT),
            ("::ffff:192.0.2.1", b"\x01\xc0\x00\x02\x01" + PORT),
            ("2001:db8::1", b"\x04" + IPv6Address("2001:db8::1").packed + PORT),
            ("a" * 255, named(b"a" * 255)),
        ):
            self.assertEqual(formatField(host, 443), field)
        self.assertEqual(formatField("0.0.0.0", 0), b"\x01" + bytes(6))
        self.assertEqual(formatField("0.0.0.0", 65535), b"\x01" + bytes(4) + b"\xff\xff")
        self.assertEqual(nameField(b"a.example", PORT), named(b"a.example"))

    def test_formatsNothingElse(self) -> None:
        """What no field can hold is our own bug, and raises."""
        for host, port in (("", 1), ("a" * 256, 1), ("\xe9", 1), ("a", -1), ("a", 65536), ("::1", 65536)):
            self.assertRaises(ValueError, formatField, host, port)

    @examples
    @given(st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z_][a-z0-9_-]{0,20}\.[a-z]{1,9}", fullmatch=True)), st.integers(1, 65535))  # fmt: skip
    def test_roundTrip(self, host: str, port: int) -> None:
        """What is written for a destination is read as that destination."""
        expected = where(host, port)
        field = formatField(expected.host, port)
        self.assertEqual(fieldEnd(field, 0), len(field))
        self.assertEqual(destinationOf(field), expected)
        self.assertEqual(addressOf(field), Address(expected.host, port))
        self.assertEqual(told(field), Address(expected.host, port))
        self.assertEqual(shown(field), str(expected))

    @examples
    @given(st.sampled_from([1, 3, 4]), st.binary(max_size=255), st.binary(min_size=2, max_size=2))
    def test_anything(self, type_: int, octets: bytes, port: bytes) -> None:
        """Any field is a destination or refused, and as an own address likewise but for the port."""
        if type_ != 3:
            octets = octets.ljust(16, b"\0")[: 4 if type_ == 1 else 16]
            field = bytes([type_]) + octets + port
        else:
            field = named(octets, port)
        self.assertEqual(fieldEnd(field, 0), len(field))
        destination, address = destinationOf(field), addressOf(field)
        if isinstance(destination, Destination):
            self.assertEqual(address, Address(destination.host, destination.port))
        elif port != b"\0\0":
            self.assertEqual(address, destination)
        for text in (shown(field), str(told(field))):
            self.assertTrue(text.isascii() and text.isprintable())

    def test_memory(self) -> None:
        """What is remembered of addresses is bounded."""
        for cached in (message.destinationOf, message.formatField):
            self.assertEqual(cached.cache_info().maxsize, 1024)
