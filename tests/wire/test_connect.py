"""
Tests for L{connectproxy.wire.connect}: a CONNECT as a client, and every answer to it.
"""

from __future__ import annotations

from typing import Any

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination, parseAuthority
from connectproxy.errors import Refusal
from connectproxy.wire.authorization import Digest, digestChallenge, parseCredentials
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.connect import INTERIM, ConnectNegotiation
from connectproxy.wire.http1 import HeadReader, RequestHead, checkConnect
from connectproxy.wire.negotiation import Again, Passage
from connectproxy.wire.response import ResponseHead
from tests.wire.feeding import examples, parts
from tests.wire.test_http1 import cuts
from tests.wire.test_http1_oracles import mutate

OK = b"HTTP/1.1 200 OK\r\n\r\n"
INTERIMS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
DENIED = b"HTTP/1.1 407 No\r\n"

Ended = bytes | Passage | Refusal | Again


def to(target: str) -> Destination:
    """
    A destination.
    """
    destination = parseAuthority(target.encode("ascii"))
    assert isinstance(destination, Destination)
    return destination


def negotiation(target: str = "host.example:443", **more: Any) -> ConnectNegotiation:
    """
    One that has begun.
    """
    made = ConnectNegotiation(to(target), **{"name": "corp", **more})
    made.begin()
    return made


def answered(pieces: list[bytes], **more: Any) -> tuple[Ended, bytes]:
    """
    How it ends, with what comes behind that: what is left over is put in front of it.
    """
    made = negotiation(**more)
    ended: Ended = b""
    rest = b""
    for piece in pieces:
        if isinstance(ended, bytes):
            ended = made.receive(piece)
        else:
            rest += piece
    if isinstance(ended, Passage):
        rest = ended.leftover + rest
        return ended._replace(leftover=b""), rest
    return ended, b""


def challenge(nonce: str = "n", **more: Any) -> bytes:
    """
    A 407 that wants Digest.
    """
    return (
        DENIED
        + b"Proxy-Authenticate: "
        + digestChallenge("corp", nonce, **more).encode("ascii")
        + b"\r\n\r\n"
    )


class RequestTests(SynchronousTestCase):
    """
    What goes first.
    """

    def head(self, octets: bytes) -> RequestHead:
        """
        What a server of ours reads, having found it right, and h11.
        """
        reader = HeadReader()
        head = reader.receive(octets)
        assert isinstance(head, RequestHead), head
        self.assertEqual((reader.leftover, checkConnect(head)), (b"", None))
        server = h11.Connection(h11.SERVER)
        server.receive_data(octets)
        event = server.next_event()
        assert isinstance(event, h11.Request), event
        self.assertEqual((event.method, event.target, event.http_version), (b"CONNECT", head.target, b"1.1"))
        self.assertEqual(tuple(event.headers), head.fields)
        self.assertIs(type(server.next_event()), h11.EndOfMessage)
        return head

    def test_little(self) -> None:
        """
        The target is host and port in authority-form, and C{Host} says the same (RFC 9112 sections 3.2
        and 3.2.3); nothing announces content, and nothing else is said (conformance 7).
        """
        for target in ("host.example:443", "192.0.2.1:80", "[2001:db8::1]:8443"):
            octets = ConnectNegotiation(to(target)).begin()
            self.assertEqual(octets, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            self.head(octets)

    def test_fields(self) -> None:
        """
        Other fields follow in their order, with the values as they are.
        """
        fields = [("Via", "1.0 caf\xe9"), ("Via", "1.1 us"), ("X-A", "")]
        head = self.head(ConnectNegotiation(to("a.example:1"), fields=fields).begin())
        self.assertEqual(head.fields[1:], ((b"via", b"1.0 caf\xe9"), (b"via", b"1.1 us"), (b"x-a", b"")))

    def test_unfit(self) -> None:
        """
        A field that could be read as something else is our own bug, and never written.
        """
        for field in (
            ("Via", "a\r\nB: c"),
            ("V ia", "a"),
            ("Via:", "a"),
            ("", "a"),
            ("Via", "a\x00"),
            ("V\r\n", "a"),
        ):
            self.assertRaises(ValueError, ConnectNegotiation(to("a.example:1"), fields=[field]).begin)

    def test_authorized(self) -> None:
        """
        What there is to show goes with it, once; with Digest there may be nothing yet.
        """
        for shown, values in (
            (Authorizer("ann", "secret"), [b"Basic YW5uOnNlY3JldA=="]),
            (Authorizer.bearer("abc"), [b"Bearer abc"]),
            (Authorizer("ann", "secret", "digest"), []),
            (None, []),
        ):
            head = self.head(ConnectNegotiation(to("a.example:1"), authorizer=shown).begin())
            self.assertEqual(head.values(b"proxy-authorization"), values)

    def test_repr(self) -> None:
        """
        It does not show what it says.
        """
        made = ConnectNegotiation(
            to("a.example:1"), fields=[("X", "hidden")], authorizer=Authorizer("a", "hidden")
        )
        self.assertNotIn("hidden", made.begin() and repr(made))
        self.assertIn("a.example:1", repr(made))


class OpenedTests(SynchronousTestCase):
    """
    The ways in which it opens.
    """

    def assertOpens(self, octets: bytes, **expected: Any) -> Passage:
        """
        However it is cut, and whatever is behind it: that is the destination's.
        """
        ended: Ended = b""
        for behind in (
            b"",
            b"\x16\x03\x01hello",
            b"\r\n",
            b"HTTP/1.1 407 No\r\n\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
        ):
            for pieces in cuts(octets + behind):
                ended, rest = answered(pieces)
                assert isinstance(ended, Passage), (ended, pieces)
                self.assertEqual(rest, behind, pieces)
                for name, value in expected.items():
                    self.assertEqual(getattr(ended, name), value)
        assert isinstance(ended, Passage)
        return ended

    def test_opened(self) -> None:
        """
        The tunnel begins right behind the blank line, in one piece with it or not (conformance 8).
        """
        self.assertOpens(OK, status=200, fields=(), members="", bound="")
        self.assertOpens(b"HTTP/1.0 200\r\n\r\n", status=200)

    def test_any2xx(self) -> None:
        """
        Any 2xx says that the way is open (conformance 8).
        """
        for status in (200, 201, 202, 204, 206, 226, 299):
            self.assertOpens(b"HTTP/1.1 %d x\r\n\r\n" % status, status=status)

    def test_content(self) -> None:
        """
        What a 2xx says of content is ignored, be it right, wrong or contradictory (conformance 7).
        """
        for line in (
            b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: nonsense", b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, x", b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Connection: close", b"Connection: keep-alive",
        ):  # fmt: skip
            self.assertOpens(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n", status=200)

    def test_interim(self) -> None:
        """
        Interim responses are passed over, in pieces of whatever size (RFC 9110 section 15.2).
        """
        self.assertOpens(INTERIMS + OK, status=200, fields=())
        ended, _ = answered([b"HTTP/1.1 102 x\r\n\r\n" * INTERIM + OK])
        self.assertIsInstance(ended, Passage)

    def test_told(self) -> None:
        """
        The fields are told, and what proxies behind it have said (conformance 62).
        """
        octets = b"HTTP/1.1 200 OK\r\nX-A:  b \r\nProxy-Status: a; next-hop=b, c\r\n\r\n"
        fields = ((b"x-a", b"b"), (b"proxy-status", b"a; next-hop=b, c"))
        self.assertOpens(octets, fields=fields, members="a; next-hop=b, c")
        made = negotiation()
        self.assertIs(made.response, None)
        made.receive(octets)
        self.assertEqual(made.response, ResponseHead(200, b"OK", 1, fields))


class RefusedTests(SynchronousTestCase):
    """
    The ways in which it does not.
    """

    def refused(self, octets: bytes, **more: Any) -> Refusal:
        """
        However it is cut, the verdict is the same, and it has words fit for people.
        """
        found = []
        for pieces in cuts(octets):
            ended, _ = answered(pieces, **more)
            assert isinstance(ended, Refusal), (ended, pieces)
            found.append(ended)
        self.assertEqual(len(set(found)), 1, found)
        self.assertTrue(found[0].detail.isascii() and found[0].detail.isprintable(), found[0].detail)
        return found[0]

    def test_statuses(self) -> None:
        """
        The status and what others say of it decide; see the tests of L{connectproxy.wire.hopstatus}
        (conformance 17).
        """
        for octets, kind in (
            (b"HTTP/1.1 300 Multiple Choices\r\n\r\n", "next_hop_failed"),
            (b"HTTP/1.1 302 Found\r\nLocation: http://captive.example/\r\n\r\n", "next_hop_failed"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "next_hop_failed"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "next_hop_denied"),
            (b"HTTP/1.1 405 No\r\nAllow: GET\r\n\r\n", "next_hop_failed"),
            (b"HTTP/1.1 502 Bad Gateway\r\nProxy-Status: x; error=dns_error\r\n\r\n", "dns_error"),
            (b"HTTP/1.1 503 No\r\nRetry-After: 5\r\n\r\n", "next_hop_unavailable"),
            (b"HTTP/1.0 504\r\n\r\n", "next_hop_timeout"),
            (INTERIMS + b"HTTP/1.1 403 Forbidden\r\n\r\n", "next_hop_denied"),
        ):
            refusal = self.refused(octets)
            self.assertEqual(refusal.kind, kind, octets)
            self.assertIn("the next hop corp", refusal.detail)
            self.assertIn("host.example:443", refusal.detail)

    def test_content(self) -> None:
        """
        The head is enough: nothing of what it announces is waited for, and what has come of it makes
        no difference.
        """
        head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000000000\r\n\r\n"
        refusal = self.refused(head)
        for body in (b"x" * (1 << 20), OK, b"\xff\r\n"):
            self.assertEqual(answered([head + body])[0], refusal)
            self.assertEqual(answered([head, body])[0], refusal)

    def test_garbage(self) -> None:
        """
        What is not HTTP/1.1 is refused as soon as that is certain, and nothing of it is shown as it came.
        """
        for octets in (
            b"\x15\x03\x01\x00\x02\x02\x46", b"\x05\xff", b"SSH-2.0-x\r\n", b"\r\n", b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 200 OK\n\n", b"HTTP/1.1 999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", b"HTTP/1.1 200 \x1b[0m\r\n\r\n", b"<html>", b"\xff" * 20,
            INTERIMS + b"\xff", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20000 + b"\r\n\r\n",
        ):  # fmt: skip
            pieces = cuts(octets) if len(octets) < 100 else [[octets]]
            for each in pieces:
                ended, _ = answered(each)
                assert isinstance(ended, Refusal), (ended, each)
                self.assertEqual(ended.kind, "next_hop_protocol_error")
                self.assertTrue(ended.detail.isascii() and ended.detail.isprintable(), ended.detail)
                self.assertTrue(
                    ended.detail.startswith("the answer of the next hop corp is not valid HTTP/1.1: ")
                )

    def test_unfinished(self) -> None:
        """
        As long as no final head is whole there is no end, whatever part of it has come.
        """
        for octets in (b"", INTERIMS, OK[:-1], INTERIMS + OK[:-1], DENIED + b"A: b\r\n"):
            for pieces in cuts(octets) if octets else [[b""]]:
                self.assertEqual(answered(pieces), (b"", b""))

    def test_endless(self) -> None:
        """
        A next hop that sends interim responses and nothing else is not listened to for ever.
        """
        refusal = answered([b"HTTP/1.1 102 x\r\n\r\n"] * (INTERIM + 1))[0]
        assert isinstance(refusal, Refusal)
        self.assertEqual(refusal.kind, "next_hop_protocol_error")
        self.assertEqual(answered([b"HTTP/1.1 102 x\r\n\r\n"] * INTERIM)[0], b"")
        self.assertEqual(answered([b"HTTP/1.1 102 x\r\n\r\n" * 100000])[0], refusal)

    def test_switched(self) -> None:
        """
        Nobody has asked for another protocol: a 101 is no way to open a tunnel.
        """
        refusal = self.refused(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
        )
        self.assertEqual(refusal.kind, "next_hop_protocol_error")
        self.assertIn("another protocol", refusal.detail)

    def test_nameless(self) -> None:
        """
        A next hop without a name is one all the same.
        """
        self.assertTrue(
            self.refused(b"HTTP/1.1 403 No\r\n\r\n", name="").detail.startswith("the next hop answered ")
        )


class ChallengedTests(SynchronousTestCase):
    """
    A 407, which is never passed on (conformance 17).
    """

    def ended(self, octets: bytes, authorizer: Authorizer | None) -> Ended:
        """
        How a negotiation ends.
        """
        return answered([octets], authorizer=authorizer)[0]

    def test_unmet(self) -> None:
        """
        There is no challenge, or nothing to meet it with, or what there is has been rejected: the
        refusal says which.
        """
        for authorizer, line, words in (
            (None, b"", "does not say by which scheme"),
            (Authorizer("ann", "hidden"), b"", "does not say by which scheme"),
            (None, b"Proxy-Authenticate: Basic realm=a\r\n", "wants credentials (Basic), and none are configured"),
            (Authorizer("ann", "hidden"), b"Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n", "NTLM, Negotiate"),
            (Authorizer("ann", "hidden"), b"Proxy-Authenticate: Basic realm=a\r\n", "rejects the credentials"),
            (Authorizer.bearer("hidden"), b'Proxy-Authenticate: Bearer realm="a", error="invalid_token"\r\n', "rejects"),
            (Authorizer("ann", "hidden", "digest"), b"Proxy-Authenticate: Basic realm=a\r\n", "by Basic, and is shown"),
            (Authorizer("ann", "hidden", "digest"), b"Proxy-Authenticate: Digest realm=a\r\n", "in a form that is not"),
        ):  # fmt: skip
            refusal = self.ended(DENIED + line + b"\r\n", authorizer)
            assert isinstance(refusal, Refusal)
            self.assertEqual((refusal.kind, refusal.received), ("next_hop_authentication_failed", 407))
            self.assertEqual(refusal.row.status, 502)
            self.assertEqual(refusal.fields, ())
            self.assertTrue(refusal.detail.startswith("the next hop corp "), refusal.detail)
            self.assertIn(words, refusal.detail)
            self.assertNotIn("hidden", repr(refusal))

    def test_again(self) -> None:
        """
        A challenge that can be met has it asked anew, and the answer is right; to be rejected then is
        the end of it.
        """
        shown = Authorizer("ann", "secret", "digest")
        again = self.ended(challenge("one") + b"x" * 100, shown)
        assert isinstance(again, Again), again
        self.assertEqual(again.refusal.kind, "next_hop_authentication_failed")
        second = ConnectNegotiation(to("host.example:443"), name="corp", authorizer=shown)
        head = HeadReader().receive(second.begin())
        assert isinstance(head, RequestHead)
        read = parseCredentials(head.values(b"proxy-authorization"))
        assert isinstance(read, Digest)
        self.assertEqual((read.nonce, read.uri), (b"one", b"host.example:443"))
        refusal = second.receive(challenge("two"))
        assert isinstance(refusal, Refusal), refusal
        self.assertEqual(refusal.kind, "next_hop_authentication_failed")
        self.assertIn("rejects the credentials", refusal.detail)

    def test_stale(self) -> None:
        """
        So has a nonce that is too old.
        """
        shown = Authorizer("ann", "secret", "digest")
        self.assertIsInstance(self.ended(challenge("one"), shown), Again)
        self.assertIsInstance(self.ended(challenge("two", stale=True), shown), Again)
        self.assertIsInstance(self.ended(OK, shown), Passage)

    def test_members(self) -> None:
        """
        What other proxies have said of it goes on (conformance 62).
        """
        refusal = self.ended(DENIED + b"Proxy-Status: corp; error=dns_error\r\n\r\n", None)
        assert isinstance(refusal, Refusal)
        self.assertEqual(
            (refusal.kind, refusal.members), ("next_hop_authentication_failed", "corp; error=dns_error")
        )


class MutantTests(SynchronousTestCase):
    """
    What is almost an answer.
    """

    @examples
    @given(
        st.sampled_from(
            [INTERIMS + OK, challenge(), b"HTTP/1.1 502 x\r\nProxy-Status: a; error=dns_error\r\n\r\n"]
        ),
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), max_size=3),
        st.lists(st.integers(0, 300), max_size=4),
    )
    def test_cut(self, octets: bytes, changes: list[tuple[int, int, bytes]], where: list[int]) -> None:
        """
        Whatever is changed, it ends in one of the ways there are, the same however it is cut; and where
        h11 reads a final answer, so it is.
        """
        octets = mutate(octets, changes)
        whole = answered([octets], authorizer=Authorizer("ann", "secret", "digest"))
        self.assertEqual(
            answered(parts(octets, where), authorizer=Authorizer("ann", "secret", "digest")), whole
        )
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="CONNECT", target="host.example:443", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(octets)
        try:
            event: Any = client.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = client.next_event()
        except h11.RemoteProtocolError:
            return
        if isinstance(event, h11.Response) and isinstance(whole[0], Passage):
            self.assertEqual(event.status_code, whole[0].status)
            self.assertEqual(client.trailing_data[0], whole[1])
        elif isinstance(whole[0], Passage):
            self.fail(f"h11 reads no answer in {octets!r}")
