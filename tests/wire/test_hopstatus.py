"""
Tests for L{connectproxy.wire.hopstatus}: what another proxy's refusal is for a client.
"""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.hopstatus import MOST, membersOf, named, refusalOf
from connectproxy.wire.proxystatus import proxyStatus
from connectproxy.wire.response import ResponseHead
from tests.wire.feeding import examples
from tests.wire.test_proxystatus import TOKEN


def said(*values: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """
    The fields of an answer with some C{Proxy-Status}.
    """
    return ((b"server", b"x"), *((b"proxy-status", value) for value in values), (b"via", b"1.1 x"))


def refused(
    status: int, *values: bytes, reason: bytes = b"No", more: tuple[tuple[bytes, bytes], ...] = ()
) -> Refusal:
    """
    What a refusal comes to.
    """
    return refusalOf(ResponseHead(status, reason, 1, said(*values) + more), "corp", "host.example:443")


class MembersTests(SynchronousTestCase):
    """
    L{membersOf}: what others have said, as it goes on.
    """

    def test_kept(self) -> None:
        """
        What is valid goes on as it came, in its order, from one field or several (conformance 62).
        """
        for value in (
            b"proxy.example",
            b'"10.0.0.1:3128"; error=dns_error',
            b'a; error=connection_refused; received-status=502; details="it said: \\"no\\", and; more"',
            b'*a:1/b;a;b=?1;c=-1;d=1.5;e=tok/en:x;f=:YWI=:;g=@-12;h=%"a%c3%a4 \\ b";*k_-.*=1',
            b"r34.example.net; error=http_request_error, edge; received-status=403",
        ):
            self.assertEqual(membersOf(said(value)), value.decode("ascii"), value)
        self.assertEqual(membersOf(said(b"a; error=x", b"", b"b,c\t , \td")), "a; error=x, b, c, d")
        self.assertEqual(membersOf(said()), "")

    def test_dropped(self) -> None:
        """
        What does not parse is left away as a whole, the valid part of it as well (RFC 9651 section 4.2):
        octets that are not printable, and what is no List of Strings and Tokens (conformance 62).
        """
        for value in (
            b",", b"a,", b",a", b"a,,b", b"a b", b"a;", b"a;=1", b"a; Error=x", b"a; error=", b"a ;error=x",
            b"a; error = x", b"10.0.0.1", b"(a b)", b"?1", b"1", b":YQ==:", b'"a', b'"a\\b"', b'"a\tb"',
            b"a; d=\"\xc3\xa4\"", b"a\x7f", b"a\x00", b"caf\xe9", b"a; n=1234567890123456", b"a; n=1.2345", b"a; n=1.",
            b"a; n=--1", b"a; d=%\"%C3\"", b"a; d=%\"%\"", b"a; b=?2", b"a; b=:*:", b"a;\terror=x", b"a; b=@1.5", b"[::1]",
        ):  # fmt: skip
            self.assertEqual(membersOf(said(value)), "", value)
            for values in ((b"good; error=dns_error", value), (value, b"good"), (b"good, " + value,)):
                self.assertEqual(membersOf(said(*values)), "", values)

    def test_bounded(self) -> None:
        """
        What is too long is left away as well; it is not cut, which would make something else of it.
        """
        self.assertEqual(membersOf(said(b"a" * MOST)), "a" * MOST)
        self.assertEqual(membersOf(said(b"a" * (MOST + 1))), "")
        self.assertEqual(membersOf(said(*[b"a"] * 342)), ", ".join(["a"] * 342))
        self.assertEqual(membersOf(said(*[b"a"] * 343)), "")
        # Commas alone become a comma and a space.
        self.assertEqual(membersOf(said(b",".join([b"a"] * 343))), "")
        self.assertEqual(membersOf(said(b",".join([b"a"] * 342))), ", ".join(["a"] * 342))

    def test_linear(self) -> None:
        """
        Nothing within the bound takes long to read.
        """
        for piece in (
            b"a",
            b"a;",
            b"a;b",
            b"a;b=",
            b"a;b=1.",
            b'"',
            b'a;b="\\',
            b"a, ",
            b"; ",
            b"\\",
            b"%",
            b"1",
            b"*",
        ):
            for start in (b"", b"a;b=", b'a;b="', b'a;b=%"', b"a;b=:"):
                value = (start + piece * MOST)[:MOST]
                began = process_time()
                for _ in range(20):
                    membersOf(said(value))
                self.assertLess(process_time() - began, 0.5, (start, piece))

    def test_ours(self) -> None:
        """
        What this proxy writes itself is read; it is what a chain of such has to say (conformance 62).
        """
        for row in KINDS.values():
            written = proxyStatus("my proxy", row, row.cause, 502)
            self.assertEqual(membersOf(said(written.encode("ascii"))), written)

    @examples
    @given(st.lists(st.binary(max_size=40) | st.text('ab;=, "\\%?:@1.*error\t').map(str.encode), max_size=3))
    def test_anything(self, values: list[bytes]) -> None:
        """
        What goes on is printable ASCII, bounded, and as good as it was when it is read again.
        """
        kept = membersOf(said(*values))
        self.assertTrue(kept.isascii() and (not kept or kept.isprintable()))
        self.assertLessEqual(len(kept), MOST)
        self.assertEqual(membersOf(said(kept.encode("ascii"))), kept)
        self.assertRegex(kept, rf'\A(?:|"|{TOKEN})')


class KindTests(SynchronousTestCase):
    """
    L{refusalOf}: which row a refusal is.
    """

    def test_statuses(self) -> None:
        """
        Each status has its row, and what has none is a failure of the next hop's (conformance 17).
        """
        expected = {
            401: "next_hop_authentication_failed", 403: "next_hop_denied", 451: "next_hop_denied",
            407: "next_hop_authentication_failed", 429: "next_hop_limit_reached",
            503: "next_hop_unavailable", 504: "next_hop_timeout", 508: "proxy_loop_detected",
        }  # fmt: skip
        for status in range(300, 600):
            refusal = refused(status)
            self.assertEqual(refusal.kind, expected.get(status, "next_hop_failed"), status)
            self.assertEqual((refusal.received, refusal.members, refusal.fields), (status, "", ()))
            self.assertNotEqual(refusal.row.status, 407)

    def test_errors(self) -> None:
        """
        What a next hop says of the destination is what it is for the client, whatever the status
        (conformance 63).
        """
        for error in (
            "dns_error", "dns_timeout", "connection_refused", "connection_terminated", "connection_timeout",
            "destination_unavailable", "destination_ip_unroutable", "proxy_loop_detected",
        ):  # fmt: skip
            for status in (400, 403, 500, 502, 503, 504):
                refusal = refused(status, f"hop.example; error={error}; details=x".encode())
                self.assertEqual((refusal.kind, refusal.received), (error, status))
                self.assertEqual(refusal.members, f"hop.example; error={error}; details=x")

    def test_unsafe(self) -> None:
        """
        What the row says of this proxy, or of its client, a next hop has no say in; its status counts
        (conformance 17).
        """
        believed = 0
        for name, row in KINDS.items():
            for error in {name, row.proxyStatus}:
                kind = refused(500, f"hop; error={error}".encode()).kind
                self.assertIn(kind, ("next_hop_failed", error))
                believed += kind == error
                self.assertNotIn(KINDS[kind].status, (400, 407, 431, 500))
                self.assertEqual(
                    refused(407, f"hop; error={error}".encode()).kind, "next_hop_authentication_failed"
                )
                self.assertEqual(refused(429, f"hop; error={error}".encode()).kind, "next_hop_limit_reached")
                self.assertEqual(refused(302, f"hop; error={error}".encode()).kind, "next_hop_failed")
        self.assertGreater(believed, 7)
        for error in (
            "proxy_internal_error",
            "nonsense",
            '"dns_error"',
            "?1",
            "DNS_ERROR",
            "tls_certificate_error",
        ):
            self.assertEqual(refused(403, f"hop; error={error}".encode()).kind, "next_hop_denied")

    def test_whichMember(self) -> None:
        """
        Of several members the last with an error type that says something counts, and of several
        parameters the last (RFC 9651 section 4.2.3.2); what looks like one within a string does not.
        """
        for value, kind in (
            (b"a; error=dns_error, b; error=connection_refused", "connection_refused"),
            (b"a; error=dns_error, b; error=http_request_error", "dns_error"),
            (b"a; error=dns_error, b; received-status=502, c", "dns_error"),
            (b"a; error=dns_error; error=connection_timeout", "connection_timeout"),
            (b'a; details="; error=dns_error"', "next_hop_failed"),
            (b'"; error=dns_error"', "next_hop_failed"),
            (b'"a, b; error=dns_error"; error=connection_timeout', "connection_timeout"),
            (b"a; error", "next_hop_failed"),
            (b"a; error=dns_error,", "next_hop_failed"),
        ):
            self.assertEqual(refused(502, value).kind, kind, value)

    def test_retryAfter(self) -> None:
        """
        When to try again goes on with the statuses that it is for, if it is one time and valid (RFC 9110
        section 10.2.3).
        """
        date = b"Wed, 21 Oct 2026 07:28:00 GMT"
        for status, values, kept in (
            (429, [b"120"], "120"),
            (503, [b"0"], "0"),
            (503, [date], date.decode("ascii")),
            (504, [b"120"], None),
            (403, [b"120"], None),
            (429, [], None),
            (429, [b"1", b"2"], None),
            (429, [b"-1"], None),
            (429, [b"1.5"], None),
            (429, [b"1" * 10], None),
            (429, [b"soon"], None),
            (429, [b"Wed, 21 Oct 26 07:28:00 GMT"], None),
            (429, [date + b"x"], None),
            (429, [b""], None),
        ):
            more = tuple((b"retry-after", value) for value in values)
            fields = () if kept is None else (("Retry-After", kept),)
            self.assertEqual(refused(status, more=more).fields, fields, (status, values))

    def test_detail(self) -> None:
        """
        The detail says who has answered what to which request, and nothing as it came.
        """
        for reason, shown in (
            (b"Blocked", "with 403 Blocked"),
            (b"", "with 403"),
            (b"  ", "with 403"),
            (b"Go away.", "with 403 Go away"),
            (b"caf\xe9\t\x1b[0m", "with 403 caf\\xe9\\t\\x1b[0m"),
            (b"x" * 100, "with 403 " + "x" * 60),
        ):
            detail = refused(403, reason=reason).detail
            self.assertEqual(detail, f"the next hop corp answered the request for host.example:443 {shown}")
        self.assertEqual((named("a"), named("")), ("the next hop a", "the next hop"))
