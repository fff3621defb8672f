"""
Tests of L{connectproxy.wire.socks.server} with random and mutated messages, against readings
of the same octets by other means.
"""

from __future__ import annotations

import tracemalloc
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectproxy.wire.socks import (
    Address,
    Associate,
    Bind,
    Command,
    Connect,
    Credentials,
    CredentialsReader,
    GreetingReader,
    Reader,
    RequestReader4,
    RequestReader5,
    formatCredentials,
    formatGreeting,
    formatRequest4,
    formatRequest5,
)
from tests.wire.socks.reading import (
    CURL4,
    CURL4A,
    CURL4A_USER,
    CURL5_ADDRESS4,
    CURL5_ADDRESS6,
    CURL5_CREDENTIALS,
    CURL5_NAME,
    Reading,
    examples,
    mutants,
    places,
    where,
)


def spelled(host: bytes, named: bool) -> str:
    """How a host that was sent has to be spelled as a destination."""
    if named and b":" not in host:
        return host.decode().lower().removesuffix(".")
    ip = ip_address(host.decode().strip("[]") if named else host)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def reference5(octets: bytes) -> tuple[int, bytes, bool, int] | None:
    """
    A request by RFC 1928 section 4, read anew: the command, the host, whether it is
    in the place of a name, and the port; L{None} if it is no request.
    """
    try:
        version, command, _, type_ = octets[:4]
        length, start = {1: (4, 4), 4: (16, 4), 3: (octets[4], 5)}[type_]
        high, low = octets[start + length : start + length + 2]
    except (ValueError, IndexError, KeyError):
        return None
    if version != 5 or not 1 <= command <= 3:
        return None
    return command, octets[start : start + length], type_ == 3, high << 8 | low


def reference4(octets: bytes) -> tuple[int, bytes, bool, int] | None:
    """
    The same by the memos on SOCKS 4 and 4A.
    """
    user, nul, rest = octets[8:].partition(b"\0")
    if octets[:1] != b"\4" or not nul or len(user) > 255 or octets[1] not in (1, 2):
        return None
    host = octets[4:8]
    named = host[:3] == bytes(3) and host[3] != 0
    if named:
        host, nul, _ = rest.partition(b"\0")
        if not nul or len(host) > 255:
            return None
    return octets[1], host, named, octets[2] << 8 | octets[3]


class FuzzTests(Reading):
    """
    Random and mutated messages in random pieces.
    """

    @examples
    @given(mutants(b"\x05\x01\x00", b"\x05\x03\x00\x01\x02", b"\x05\xff" + bytes(255)), places)
    def test_greetings(self, octets: bytes, at: list[int]) -> None:
        """A greeting is methods or refused (conformance 71)."""
        methods = self.assertSteady(octets, at, GreetingReader)
        if isinstance(methods, bytes):
            self.assertTrue(octets.startswith(formatGreeting(methods)))

    @examples
    @given(mutants(CURL5_CREDENTIALS, b"\x01\xff" + b"u" * 255 + b"\xff" + b"p" * 255), places)
    def test_credentials(self, octets: bytes, at: list[int]) -> None:
        """Credentials are two strings or refused (conformance 71)."""
        found = self.assertSteady(octets, at, CredentialsReader)
        if isinstance(found, Credentials):
            self.assertTrue(octets.startswith(formatCredentials(found.username, found.password)))

    def assertAgrees(self, found: Any, other: tuple[int, bytes, bool, int] | None) -> None:
        """What is read is what the reference reads; while more is needed, it reads nothing either."""
        if isinstance(found, Connect | Bind | Associate):
            assert other is not None
            command, host, named, port = other
            where = found.destination if isinstance(found, Connect) else found.address
            self.assertEqual({Connect: 1, Bind: 2, Associate: 3}[type(found)], command)
            self.assertEqual(where.port, port)
            if command != 3 or where.host != "0.0.0.0":  # which is also what a host that is none becomes
                self.assertEqual(where.host, spelled(host, named))
        elif found is None:
            self.assertIsNone(other)

    @examples
    @given(
        mutants(CURL5_NAME, CURL5_ADDRESS4, CURL5_ADDRESS6, b"\x05\x03\x00\x03\xff" + b"a." * 128 + b"P"),
        places,
    )
    def test_requests5(self, octets: bytes, at: list[int]) -> None:
        """A request of SOCKS 5 is one or refused, and another reader finds the same in it (conformance 72)."""
        self.assertAgrees(self.assertSteady(octets, at, RequestReader5), reference5(octets))

    @examples
    @given(mutants(CURL4, CURL4A, CURL4A_USER, CURL4A[:8] + b"u" * 255 + b"\0" + b"n" * 255 + b"\0"), places)
    def test_requests4(self, octets: bytes, at: list[int]) -> None:
        """So with one of SOCKS 4 (conformance 76)."""
        self.assertAgrees(self.assertSteady(octets, at, RequestReader4), reference4(octets))

    @examples
    @given(st.text(min_size=1, max_size=63), st.text(min_size=1, max_size=63), st.binary(max_size=9), places)
    def test_credentialsRoundTrip(self, username: str, password: str, behind: bytes, at: list[int]) -> None:
        """What our client's side writes our server's side reads (conformance 71)."""
        octets = formatCredentials(username, password) + behind
        self.assertEqual(self.assertSteady(octets, at, CredentialsReader), Credentials(username, password))

    @examples
    @given(
        st.one_of(st.ip_addresses().map(str), st.just("a.example"), st.just("b" * 63 + ".example")),
        st.integers(1, 65535),
        st.binary(max_size=255).map(lambda octets: octets.replace(b"\0", b"")),
        st.binary(max_size=9),
        places,
    )
    def test_requestsRoundTrip(self, host: str, port: int, user: bytes, behind: bytes, at: list[int]) -> None:
        """So with requests (conformance 72, 76)."""
        destination = where(host, port)
        octets = formatRequest5(host, port) + behind
        self.assertEqual(self.assertSteady(octets, at, RequestReader5), Connect(destination))
        octets = formatRequest5(host, port, Command.ASSOCIATE) + behind
        self.assertEqual(
            self.assertSteady(octets, at, RequestReader5), Associate(Address(destination.host, port))
        )
        request = formatRequest4(host, port, user)
        if isinstance(request, bytes):
            self.assertEqual(
                self.assertSteady(request + behind, at, RequestReader4), Connect(destination, user)
            )
        else:
            self.assertRefusal(request, "destination_ip_unroutable")

    def test_memory(self) -> None:
        """However long the pieces are that come and however many, a reader holds one message at most."""
        for make, start in (
            (GreetingReader, b"\x05\xff"),
            (CredentialsReader, b"\x01\xff" + b"u" * 255 + b"\xff"),
            (RequestReader5, b"\x05\x01\x00\x03\xff"),
            (RequestReader4, b"\x04\x01\x00P\x00\x00\x00\x01" + b"u" * 255 + b"\x00"),
        ):
            readers: list[Reader[Any]] = [make() for _ in range(20)]
            tracemalloc.start()
            for reader in readers:
                for octet in start:
                    assert reader.receive(bytes([octet])) is None
                for _ in range(reader.longest - len(start) - 2):
                    assert reader.receive(b"a") is None
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(held / len(readers), 1024)
