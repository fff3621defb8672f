"""
Tests of L{connectproxy.wire.socks.server}: the requests.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.socks import (
    Address,
    Associate,
    Bind,
    Connect,
    RequestReader4,
    RequestReader5,
    formatReply5,
)
from connectproxy.wire.socks.message import BAD_ADDRESS_TYPE, BAD_COMMAND, BAD_MESSAGE
from tests.wire.socks.reading import (
    ADDRESS4,
    ADDRESS6,
    CURL4,
    CURL4A,
    CURL4A_USER,
    CURL5_ADDRESS4,
    CURL5_ADDRESS6,
    CURL5_NAME,
    NAME,
    V6,
    Reading,
    read,
    where,
)


class RequestReader5Tests(Reading):
    """
    What L{RequestReader5} takes.
    """

    make = RequestReader5

    def test_connect(self) -> None:
        """A name, an IPv4 and an IPv6 address (conformance 72)."""
        self.assertRead(CURL5_NAME, Connect(NAME))
        self.assertRead(CURL5_ADDRESS4, Connect(ADDRESS4))
        self.assertRead(CURL5_ADDRESS6, Connect(ADDRESS6))

    def test_lengths(self) -> None:
        """The shortest name and the longest valid one (conformance 72)."""
        longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]) + "."
        for name in ("a", longest):
            expected = where(name, 65535)
            octets = b"\x05\x01\x00\x03" + bytes([len(name)]) + name.encode() + b"\xff\xff"
            self.assertRead(octets, Connect(expected))

    def test_reserved(self) -> None:
        """RSV is whatever it is (conformance 72)."""
        for reserved in range(256):
            octets = bytes([5, 1, reserved]) + CURL5_NAME[3:]
            self.assertEqual(read(RequestReader5(), [octets]), (Connect(NAME), b""))

    def test_bind(self) -> None:
        """BIND is read, so that whoever does not serve it says so; its port may be 0 (conformance 72)."""
        self.assertRead(b"\x05\x02\x00\x01\xc0\x00\x02\x01\x00P", Bind(Address("192.0.2.1", 80)))
        self.assertRead(b"\x05\x02\x00\x03\x01a\x00\x00", Bind(Address("a", 0)))

    def test_associate(self) -> None:
        """UDP ASSOCIATE tells where from, with zeros for what is not known (conformance 73)."""
        self.assertRead(b"\x05\x03\x00\x01" + bytes(6), Associate(Address("0.0.0.0", 0)))
        self.assertRead(b"\x05\x03\x00\x04" + bytes(18), Associate(Address("::", 0)))
        self.assertRead(b"\x05\x03\x00\x01\xc0\x00\x02\x01\x00P", Associate(Address("192.0.2.1", 80)))
        for host in (b"0", b" ", b""):  # PySocks writes the first: whatever it is, nobody believes it
            octets = b"\x05\x03\x00\x03%c%b\x13\x88" % (len(host), host)
            self.assertRead(octets, Associate(Address("0.0.0.0", 5000)))

    def test_commands(self) -> None:
        """Any other command is refused at its octet, with REP 7 (conformance 72)."""
        for command in {*range(256)} - {1, 2, 3}:
            words = (
                f"the command is {command:#04x}; there are 0x01 (CONNECT), 0x02 (BIND), 0x03 (UDP ASSOCIATE)"
            )
            self.assertRefused(bytes([5, command]), BAD_COMMAND, words)
        refusal = read(RequestReader5(), [b"\x05\x09"])[0]
        self.assertEqual(formatReply5(refusal)[:2], b"\x05\x07")

    def test_addressTypes(self) -> None:
        """Any other address type is refused at its octet (conformance 72)."""
        for type_ in (0, 2, 5, 0x7F, 0xFF):
            words = f"the address type is {type_:#04x}"
            self.assertRefused(bytes([5, 1, 0, type_]), BAD_ADDRESS_TYPE, words)

    def test_version(self) -> None:
        """Nothing but version 5, also behind a good greeting (conformance 71)."""
        for first in (0, 1, 4, 6, 0x16, 0x47, 0xFF):
            self.assertRefused(bytes([first]), BAD_MESSAGE, f"the SOCKS 5 request begins with {first:#04x}")

    def test_names(self) -> None:
        """A name is held to the rules of a CONNECT (conformance 5, 75)."""
        for name, words in (
            (b"", "is an empty host"),
            (b"a%2eexample", "percent-encoding"),
            (b"127.1", "IPv4"),
            (b"a\0example", "control character"),
            (b"\xff" * 255, "not in ASCII"),
            (b"a:80", "out of place"),
        ):
            octets = b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00P"
            self.assertRefused(octets, BAD_MESSAGE, words)

    def test_addressesAsNames(self) -> None:
        """IPv6 in the place of a name may have brackets or none; Chromium sends none (conformance 75)."""
        for name in (b"2001:db8::1", b"[2001:db8::1]", b"2001:DB8::0:1"):
            octets = b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00P"
            self.assertRead(octets, Connect(ADDRESS6))
        self.assertRead(b"\x05\x01\x00\x03\t192.0.2.1\x00P", Connect(ADDRESS4))

    def test_port(self) -> None:
        """Nobody can connect to port 0 (conformance 72)."""
        for field in (b"\x01\xc0\x00\x02\x01", b"\x04" + V6.packed, b"\x03\x01a"):
            self.assertRefused(b"\x05\x01\x00" + field + b"\x00\x00", BAD_MESSAGE, "port 0 is out of range")

    def test_whatIsWrongFirstIsRefusedFirst(self) -> None:
        """With several faults the one whose octet comes first decides, even if all come at once."""
        for octets, kind in (
            (b"\x04\x09\x00\x07", BAD_MESSAGE),
            (b"\x05\x09\x00\x07", BAD_COMMAND),
            (b"\x05\x01\x00\x07\x00\x00", BAD_ADDRESS_TYPE),
        ):
            refusal = read(RequestReader5(), [octets])[0]
            assert isinstance(refusal, Refusal)
            self.assertEqual(refusal.kind, kind)

    def test_tellsWhatItKnowsSoFar(self) -> None:
        """An event about an unfinished or a refused request names its command and target as far as they came."""
        for octets, soFar in (
            (b"", ("", "")),
            (b"\x05", ("", "")),
            (b"\x04\x01", ("", "")),
            (b"\x05\x01", ("CONNECT", "")),
            (b"\x05\x03\x00", ("UDP ASSOCIATE", "")),
            (b"\x05\x09\x00", ("0x09", "")),
            (b"\x05\x01\x00\x07", ("CONNECT", "")),
            (CURL5_NAME[:-1], ("CONNECT", "")),
            (CURL5_NAME, ("CONNECT", "a.example:80")),
            (CURL5_ADDRESS6 + b"early", ("CONNECT", "[2001:db8::1]:80")),
            (b"\x05\x02\x00\x03\x03a\nb\x00\x00", ("BIND", "a\\nb:0")),
            (b"\x05\x01\x00\x03\x0bme:secret@a\x00P", ("CONNECT", "...@a:80")),
        ):
            for way in ([octets], [octets[at : at + 1] for at in range(len(octets))]):
                reader = RequestReader5()
                for piece in way:
                    if reader.receive(piece) is not None:
                        break
                self.assertEqual(reader.soFar, soFar)


class RequestReader4Tests(Reading):
    """
    What L{RequestReader4} takes.
    """

    make = RequestReader4

    def test_connect(self) -> None:
        """An IPv4 address, with a user id or without (conformance 76)."""
        self.assertRead(CURL4, Connect(ADDRESS4))
        self.assertRead(CURL4[:-1] + b"me\xff\x00", Connect(ADDRESS4, b"me\xff"))

    def test_names(self) -> None:
        """SOCKS 4a has a name behind the user id where the address is 0.0.0.x (conformance 76)."""
        self.assertRead(CURL4A, Connect(NAME))
        for last in (1, 2, 0x7F, 0xFF):
            octets = b"\x04\x01\x00P\x00\x00\x00" + bytes([last]) + b"me\x00A.example\x00"
            self.assertRead(octets, Connect(NAME, b"me"))

    def test_zero(self) -> None:
        """0.0.0.0 is an address, and so is what only looks a bit like the sign of a name (conformance 76)."""
        for ip in ("0.0.0.0", "0.0.1.1", "0.1.0.1", "1.0.0.1", "0.0.1.0"):
            octets = b"\x04\x01\x00P" + IPv4Address(ip).packed + b"\x00"
            self.assertRead(octets, Connect(Destination(ip, 80, IPv4Address(ip), "")))

    def test_addressesAsNames(self) -> None:
        """curl sends IPv6 in the place of a name, without brackets (conformance 75)."""
        self.assertRead(CURL4A_USER, Connect(ADDRESS6, b"me"))
        self.assertRead(CURL4A[:9] + b"[2001:db8::1]\x00", Connect(ADDRESS6))
        self.assertRead(CURL4A[:9] + b"192.0.2.1\x00", Connect(ADDRESS4))

    def test_bind(self) -> None:
        """BIND is read, so that whoever does not serve it says so (conformance 76)."""
        self.assertRead(b"\x04\x02\x00\x00\xc0\x00\x02\x01me\x00", Bind(Address("192.0.2.1", 0), b"me"))
        self.assertRead(b"\x04\x02\x00P\x00\x00\x00\x01\x00a\x00", Bind(Address("a", 80)))

    def test_userId(self) -> None:
        """A user id may have 255 octets; one more is refused as it comes, and not shown (conformance 76)."""
        for ip in (b"\xc0\x00\x02\x01", b"\x00\x00\x00\x01"):
            start = b"\x04\x01\x00P" + ip
            detail = self.assertRefused(
                start + b"u" * 256, BAD_MESSAGE, "the user id is longer than 255 octets"
            )
            self.assertNotIn("uu", detail)
        self.assertRead(CURL4[:-1] + b"u" * 255 + b"\x00", Connect(ADDRESS4, b"u" * 255))

    def test_nameLength(self) -> None:
        """So with a name: 255 octets are read, though no name is as long, and one more is not (conformance 76)."""
        start = b"\x04\x01\x00P\x00\x00\x00\x01" + b"u" * 255 + b"\x00"
        longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]) + "."
        self.assertRead(start + longest.encode() + b"\x00", Connect(where(longest, 80), b"u" * 255))
        self.assertRefused(start + longest.encode() + b".\x00", BAD_MESSAGE, "")
        self.assertRefused(start + b"n" * 256, BAD_MESSAGE, "the name is longer than 255 octets")

    def test_badNames(self) -> None:
        """A name is held to the rules of a CONNECT (conformance 5, 75)."""
        for name, words in (
            (b"", "is an empty host"),
            (b"a%2eexample", "percent-encoding"),
            (b"0x7f.1", "IPv4"),
            (b"a b", "white space"),
            (b"\xe9", "not in ASCII"),
        ):
            self.assertRefused(CURL4A[:9] + name + b"\x00", BAD_MESSAGE, words)

    def test_port(self) -> None:
        """Nobody can connect to port 0 (conformance 76)."""
        self.assertRefused(b"\x04\x01\x00\x00\xc0\x00\x02\x01\x00", BAD_MESSAGE, "port 0 is out of range")
        self.assertRefused(
            b"\x04\x01\x00\x00\x00\x00\x00\x01\x00a\x00", BAD_MESSAGE, "port 0 is out of range"
        )

    def test_commands(self) -> None:
        """Any other command is refused at its octet, UDP ASSOCIATE too (conformance 76)."""
        for command in {*range(256)} - {1, 2}:
            words = f"the command is {command:#04x}; there are 0x01 (CONNECT), 0x02 (BIND)"
            self.assertRefused(bytes([4, command]), BAD_COMMAND, words)

    def test_version(self) -> None:
        """Nothing but version 4 (conformance 76)."""
        for first in {*range(256)} - {4}:
            self.assertRefused(bytes([first]), BAD_MESSAGE, f"the SOCKS 4 request begins with {first:#04x}")

    def test_tellsWhatItKnowsSoFar(self) -> None:
        """As in SOCKS 5; a user id is not told."""
        for octets, soFar in (
            (b"\x04", ("", "")),
            (CURL4[:-1], ("CONNECT", "")),
            (CURL4, ("CONNECT", "192.0.2.1:80")),
            (CURL4A_USER, ("CONNECT", "[2001:db8::1]:80")),
            (b"\x04\x03", ("0x03", "")),
            (b"\x04\x01\x00\x00\x00\x00\x00\x01secret\x00a b\x00", ("CONNECT", "a b:0")),
        ):
            reader = RequestReader4()
            reader.receive(octets)
            self.assertEqual(reader.soFar, soFar)
