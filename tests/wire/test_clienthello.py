"""
Tests for L{connectproxy.wire.clienthello}.
"""

from __future__ import annotations

import ssl

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.wire.clienthello import DENIED, MOST, Found, HelloReader
from tests.wire.feeding import examples, parts
from tests.wire.hellos import byOpenSSL, extension, hello, records, serverName

GREASE = extension(0x0A0A, b"") + extension(0xFAFA, b"\0")
NAMED = hello(GREASE + serverName(b"Host.Example") + extension(43, b"\x02\x03\x04"))


def read(*pieces: bytes) -> tuple[Found | None, str]:
    """
    What some pieces are found to be, of which none comes behind a verdict.
    """
    reader = HelloReader()
    for piece in pieces:
        found = reader.receive(piece)
        if found is not None:
            return found, reader.name
    return None, reader.name


class FoundTests(SynchronousTestCase):
    """
    What begins a connection.
    """

    def assertFound(self, octets: bytes, found: Found | None, name: str = "") -> None:
        """
        It is found, whole, at every split, byte by byte, and whatever comes behind it.
        """
        self.assertEqual(read(octets), (found, name))
        for cut in range(len(octets) + 1):
            self.assertEqual(read(octets[:cut], octets[cut:]), (found, name), cut)
        self.assertEqual(read(*[octets[at : at + 1] for at in range(len(octets))]), (found, name))
        if found is not None:
            self.assertEqual(read(octets + b"\x15\x03\x03\0\x02\x02\0"), (found, name))

    def test_name(self) -> None:
        """
        The name is found among other extensions, GREASE included (RFC 8701), and brought into
        the form that destinations have.
        """
        self.assertFound(records(NAMED), Found.NAME, "host.example")
        self.assertFound(
            records(hello(serverName(b"xn--bcher-kva.example."))), Found.NAME, "xn--bcher-kva.example"
        )

    def test_fragmented(self) -> None:
        """
        The message may be cut into records of any size (RFC 8446 section 5.1).
        """
        for size in range(1, len(NAMED) + 1):
            self.assertEqual(read(records(NAMED, size)), (Found.NAME, "host.example"))
        self.assertFound(records(NAMED, 3), Found.NAME, "host.example")

    def test_needsAll(self) -> None:
        """
        Nothing is said before the last octet has come.
        """
        octets = records(NAMED)
        for cut in range(len(octets)):
            self.assertEqual(read(octets[:cut]), (None, ""))

    def test_noName(self) -> None:
        """
        A client may name nobody, have no extensions, or a type of name that nobody knows.
        """
        for extensions in (None, b"", GREASE, serverName(b"\1\2", kind=7)):
            self.assertFound(records(hello(extensions)), Found.NO_NAME)

    def test_unknownNames(self) -> None:
        """
        A name of another type does not hide the host's.
        """
        unknown, known = serverName(b"x", kind=1)[6:], serverName(b"host.example")[6:]
        for both in (unknown + known, known + unknown):
            listed = extension(0, len(both).to_bytes(2) + both)
            self.assertFound(records(hello(listed)), Found.NAME, "host.example")

    def test_wrongName(self) -> None:
        """
        What is no name of a host is none: octets beyond ASCII, a NUL, a path, a port, one too
        long.
        """
        for name in (
            b"2001:db8::1",
            b"127.1",
            "bücher.example".encode(),
            b"host.example\0.other.example",
            b"host.example/path",
            b"a..example",
            b".",
            b"host .example",
            b"a" * 64 + b".example",
            b"a.example:443",
            b"a." * 127 + b"example",
        ):
            self.assertEqual(read(records(hello(serverName(name)))), (Found.WRONG_NAME, ""), name)

    def test_addressForName(self) -> None:
        """
        An address in the place of the name, which it must not be and sometimes is, is none.
        """
        for name in (b"192.0.2.1", b"[2001:db8::1]"):
            self.assertFound(records(hello(serverName(name))), Found.NO_NAME)

    def test_other(self) -> None:
        """
        What does not speak TLS is known by its first octet, or by its second.
        """
        for octets in (
            b"GET / HTTP/1.1\r\n",
            b"SSH-2.0-x\r\n",
            b"\0",
            b"\x80\x2e\x01\x03\x01",
            b"\x13",
            b"\x19\x03",
        ):
            self.assertEqual(read(octets[:1]), (Found.OTHER, ""))
            self.assertFound(octets, Found.OTHER)
        for octets in (b"\x14\x10", b"\x15\xff", b"\x16\x20\x01", b"\x18G"):
            self.assertEqual(read(octets[:1]), (None, ""))
            self.assertFound(octets, Found.OTHER)

    def test_otherRecords(self) -> None:
        """
        A record of TLS in front of the ClientHello, or a version that nobody has, does not
        hide the name: what passes over it, as Go's servers do, reads what comes behind.
        """
        named = records(NAMED)
        for octets in (
            b"\x15\x03\x01\0\x02\x01\x70" + named,
            b"\x15\x02",
            b"\x14\x03\x03\0\x01\x01" + named,
            b"\x17\x03\x03\0\0" + named,
            b"\x18\x03",
            b"\x16\x02\x01" + named[3:],
            b"\x16\0\0" + named[3:],
            b"\x16\x0f\xff" + named[3:],
        ):
            self.assertEqual(read(octets[:1]), (None, ""))
            self.assertFound(octets, Found.BROKEN)

    def test_brokenRecords(self) -> None:
        """
        Records that are none: empty, too long, another type or version in the middle of the
        message.
        """
        begun = b"\x16\x03\x01\0\x02\x01\0"
        for octets in (
            b"\x16\x03\x01\0\0",
            b"\x16\x03\x01\x40\x01",
            begun + b"\x16\x03\x01\0\0",
            begun + b"\x15\x03\x03\0\x02\x01\0",
            begun + b"\x14",
            begun + b"\x16\x02",
        ):
            self.assertFound(octets, Found.BROKEN)

    def test_brokenMessages(self) -> None:
        """
        Messages that are none: another type, a length that no ClientHello has, vectors that
        do not fit or have forbidden lengths.
        """
        for message in (
            b"\x02\0\0\x01\0",
            b"\x01\0\0\0",
            b"\x01\0\0\x01\0",
            b"\x01" + (MOST - 5 - 3).to_bytes(3),
            b"\x01\xff\xff\xff",
            hello(session=bytes(33)),
            hello(ciphers=b""),
            hello(ciphers=b"\x13\x01\x13"),
            hello(methods=b""),
            hello(behind=b"\0"),
            hello(b"", behind=b"\0"),
            hello(b"\0"),
            hello(b"\0\x17\0"),
            hello(b"\0\x17\0\1"),
            b"\x01\0\0\x23" + bytes(34) + b"\x20",
        ):
            self.assertFound(records(message), Found.BROKEN)

    def test_brokenNames(self) -> None:
        """
        Lists of names that are none; and two names, of which another reader might see the
        other one (RFC 6066 section 3, RFC 8446 section 4.2).
        """
        one, two = serverName(b"one.example"), serverName(b"two.example")
        for extensions in (
            one + two,
            one + one,
            GREASE + GREASE + one,
            serverName(b"one.example", b"two.example"),
            serverName(b"one.example", b"one.example"),
            serverName(b""),
            serverName(),
            extension(0, b""),
            extension(0, b"\0"),
            extension(0, b"\0\1\0"),
            extension(0, b"\0\2\0\0"),
            extension(0, b"\0\3\0\0\0"),
            extension(0, b"\0\4\0\0\5a"),
            extension(0, b"\0\5\0\0\1ab"),
            extension(0, b"\0\6\0\0\1ab"),
        ):
            self.assertFound(records(hello(extensions)), Found.BROKEN)

    def test_bound(self) -> None:
        """
        The longest that fits is read; no more than that is ever looked at, however little each
        record has.
        """
        rest = len(hello(serverName(b"host.example") + extension(21, b"")))
        for length, found in ((1 << 14, Found.NAME), (MOST, Found.BROKEN)):
            message = hello(serverName(b"host.example") + extension(21, bytes(length - rest)))
            self.assertEqual(len(message), length)
            self.assertEqual(read(records(message))[0], found)
        small = records(hello(extension(21, bytes(4000))), 1)
        self.assertGreater(len(small), MOST)
        self.assertEqual(read(small), (Found.BROKEN, ""))
        self.assertEqual(read(small[: MOST - 1]), (None, ""))
        self.assertEqual(read(*[small[at : at + 1] for at in range(MOST)]), (Found.BROKEN, ""))
        self.assertEqual(read(*[small[at : at + 1] for at in range(MOST - 1)]), (None, ""))

    def test_holdsLittle(self) -> None:
        """
        What a client sends is kept once, and never more of it than the bound.
        """
        reader = HelloReader()
        octets = records(hello(extension(21, bytes(1 << 14))))
        for at in range(0, len(octets), 100):
            if reader.receive(octets[at : at + 100]) is not None:
                break
        self.assertLessEqual(len(reader._message), MOST)


class OracleTests(SynchronousTestCase):
    """
    What real clients send.
    """

    def test_openSSL(self) -> None:
        """
        OpenSSL's first flight, with every version and with ALPN, and cut into records.
        """
        versions = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        for name, found in (("Host.Example", Found.NAME), (None, Found.NO_NAME)):
            for version in versions:
                octets = byOpenSSL(name, maximum_version=version)
                expected = found, (name or "").lower()
                self.assertEqual(read(octets), expected)
                self.assertEqual(read(*[octets[at : at + 1] for at in range(len(octets))]), expected)
                self.assertEqual(read(records(octets[5:], 50)), expected)

    def test_address(self) -> None:
        """
        To an address it is connected without a name.
        """
        self.assertEqual(read(byOpenSSL("192.0.2.1")), (Found.NO_NAME, ""))

    def test_accepted(self) -> None:
        """
        What is made by hand here is a ClientHello to OpenSSL as well, which sees the same name.
        """
        wanted = hello(
            serverName(b"host.example")
            + extension(10, b"\0\2\0\x1d")
            + extension(13, b"\0\4\x04\x03\x08\x04")
            + extension(43, b"\x02\x03\x04")
            + extension(51, b"\0\x24\0\x1d\0\x20" + b"\x09" + bytes(31)),
            ciphers=b"\x13\x01",
        )
        for size in (1 << 14, 40):
            context = SSL.Context(SSL.TLS_METHOD)
            seen: list[bytes | None] = []
            context.set_tlsext_servername_callback(lambda found: seen.append(found.get_servername()))  # noqa: B023
            server = SSL.Connection(context, None)
            server.set_accept_state()
            server.bio_write(records(wanted, size))
            self.assertRaises(SSL.Error, server.do_handshake)  # there is no certificate
            self.assertEqual(seen, [b"host.example"])
            self.assertEqual(read(records(wanted, size)), (Found.NAME, "host.example"))

    def test_alert(self) -> None:
        """
        What a client is told in its place it understands.
        """
        context = ssl.create_default_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="host.example")
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        incoming.write(DENIED)
        error = self.assertRaises(ssl.SSLError, client.do_handshake)
        self.assertIn("access denied", str(error).lower().replace("_", " "))


class MutantTests(SynchronousTestCase):
    """
    Whatever comes.
    """

    @examples
    @given(
        st.sampled_from((records(NAMED), records(NAMED, 7), records(byOpenSSL("host.example")[5:], 100))),
        st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=3)), max_size=3),
        st.lists(st.integers(0, 1000), max_size=5),
    )
    def test_mutants(self, octets: bytes, changes: list[tuple[int, bytes]], cuts: list[int]) -> None:
        """
        A mutilated first flight comes to the same verdict however it is cut, and never raises;
        a name is only found together with its verdict, and is one.
        """
        for where, instead in changes:
            octets = octets[:where] + instead + octets[where + len(instead) :]
        found, name = read(octets)
        self.assertEqual(read(*parts(octets, cuts)), (found, name))
        self.assertEqual(bool(name), found is Found.NAME)
        self.assertEqual(name, name.lower())

    @examples
    @given(st.binary(max_size=80))
    def test_anything(self, octets: bytes) -> None:
        """
        So does anything within a record and a message.
        """
        for whole in (
            octets,
            records(octets) if octets else b"",
            records(hello(octets)),
            records(hello(serverName(octets))),
        ):
            found, name = read(whole)
            self.assertEqual(read(*[whole[at : at + 1] for at in range(len(whole))]), (found, name))
