"""
Tests for L{connectproxy.listeners.http.repeat}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.listeners.http.repeat import LONGEST, Repeated, learn
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.forwarding import HopForm, formatRequest, parseTarget
from connectproxy.wire.framing import NONE
from connectproxy.wire.http1 import HeadReader, Limits, RequestHead
from connectproxy.wire.target import Target
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get

LIMITS = Limits()


def understood(octets: bytes) -> tuple[RequestHead, Target, bytes]:
    """
    A head, where it leads, and what the origin gets.
    """
    head = HeadReader().receive(octets)
    assert isinstance(head, RequestHead)
    target = parseTarget(head)
    assert isinstance(target, Target)
    return head, target, formatRequest(head, target, b"via", framing=NONE)


def learned(octets: bytes) -> Repeated | None:
    """
    What is kept of a request.
    """
    return learn(octets, *understood(octets)[:2], True, understood(octets)[2], LIMITS)


class RepeatedTests(SynchronousTestCase):
    """
    A section that comes again.
    """

    def test_same(self) -> None:
        """
        What is read and written of a repeated section is what would be read and written of it
        anew, whatever the request line says.
        """
        fields = (b"Accept: */*", b"X-Thing: a", b"Cookie: secret=1")
        repeated = learned(get(*fields))
        assert repeated is not None
        for method in (b"GET", b"HEAD"):
            for target in (b"http://origin.example/other", b"HTTP://b.example:81?x", b"http://[::1]"):
                octets = get(*fields, method=method, target=target)
                head, where, written = understood(octets)
                self.assertEqual(repeated.read(octets), head)
                self.assertEqual(repeated.write(head, where), written)

    def test_hop(self) -> None:
        """
        What was learned where it went to another proxy serves origins, and the other way round,
        and credentials are never those of the last time.
        """
        fields = (b"Accept: */*", b"X-Thing: a")
        octets = get(*fields)
        head, target, plain = understood(octets)
        digest = Authorizer("ann", "secret", "digest")
        digest.challenged([b'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'])
        forms = (
            None,
            HopForm(None, "corp"),
            HopForm(Authorizer("ann", "secret"), "corp"),
            HopForm(digest, "corp"),
        )
        for before in forms:
            sent = formatRequest(head, target, b"via", framing=NONE, form=before)
            repeated = learn(octets, head, target, True, sent, LIMITS, before)
            assert repeated is not None
            self.assertNotIn(b"Authorization", repeated.written)
            self.assertEqual(repeated.write(head, target), plain)
            for form in forms[:3]:
                anew = formatRequest(head, target, b"via", framing=NONE, form=form)
                self.assertEqual(repeated.write(head, target, form), anew)
            first, second = (repeated.write(head, target, forms[3]) for _ in range(2))
            self.assertIn(b"Proxy-Authorization: Digest ", first)
            self.assertNotEqual(first, second)
        self.assertIsNone(learn(octets, head, target, True, plain, LIMITS, forms[1]))

    def test_other(self) -> None:
        """
        What differs in anything else is not recognised: it has to be read.
        """
        repeated = learned(get(b"Accept: */*"))
        assert repeated is not None
        for octets in (
            get(b"Accept: text/html"),
            get(b"Accept: */*", b"X: y"),
            get(b"Accept: */*") + b"x",
            get(b"Accept: */*")[:-1],
            get(b"Accept: */*")[1:],
            get(b"Accept: */*", method=b"POST"),
            get(b"Accept: */*", method=b"OPTIONS"),
            get(b"Accept: */*", version=b"1.0"),
            b"\r\n" + get(b"Accept: */*"),
            get(b"X: 1\r\n\r\nGET http://a/ HTTP/1.1\r\nHost: origin.example", b"Accept: */*"),
            get(b"Accept: */*", target=b"http://a.example/ b"),
            get(b"Accept: */*", target=b"http://a.example/" + b"x" * LIMITS.line),
            b"",
        ):
            self.assertIsNone(repeated.read(octets), octets)

    def test_line(self) -> None:
        """
        The longest request line that is read is as long as ever.
        """
        repeated = learned(GET)
        assert repeated is not None
        spare = LIMITS.line - len(b"GET http://a.example/ HTTP/1.1")
        for more, seen in ((0, True), (1, False)):
            octets = get(target=b"http://a.example/" + b"x" * (spare + more))
            self.assertEqual(repeated.read(octets) is not None, seen)
            self.assertEqual(isinstance(HeadReader().receive(octets), RequestHead), seen)

    def test_notLearned(self) -> None:
        """
        Long sections are not kept, nor those of other methods, nor what is not written as
        usual.
        """
        self.assertIsNone(learned(get(b"X: " + b"y" * LONGEST)))
        self.assertIsNone(learned(get(method=b"DELETE")))
        head, target, _ = understood(GET)
        self.assertIsNone(learn(GET, head, target, True, b"something else", LIMITS))


class AgainTests(ForwardCase):
    """
    Requests that come again, on the wire.
    """

    def sent(self, *requests: bytes, response: bytes = OK) -> list[bytes]:
        """
        What an origin gets of requests that come one after the other.
        """
        client, origin = self.exchange(GET)
        self.reply(origin)
        got = []
        for each in requests:
            origin.received.clear()
            client.received.clear()
            self.send(client, each)
            got.append(bytes(origin.received))
            if got[-1]:
                self.reply(origin, response)
                self.assertEqual(self.response(client).body, b"hello")
        self.client = client
        return got

    def test_again(self) -> None:
        """
        The second and the third are what the first was; a different one in between is no
        trouble.
        """
        other = get(b"X-Other: 1")
        first, second, third, fourth, fifth = self.sent(GET, GET, GET, other, GET)
        self.assertEqual(len({first, second, third, fifth}), 1)
        self.assertIn(b"X-Other: 1", fourth)
        self.assertEqual([event["status"] for event in self.events()], [200] * 6)
        self.assertEqual({event["target"] for event in self.events()}, {"origin.example:80"})

    def test_inPieces(self) -> None:
        """
        One that comes in pieces is read as ever.
        """
        got = self.sent(GET, GET, GET[:20], GET[20:])
        self.assertEqual(got, [got[0], got[0], b"", got[0]])

    def test_noTarget(self) -> None:
        """
        A target that is none is refused as ever.
        """
        self.sent(GET, GET, get(target=b"http://user@origin.example/"))
        self.assertTrue(self.client.received.startswith(b"HTTP/1.1 400 "))

    def test_closes(self) -> None:
        """
        The last request can want the connection closed.
        """
        got = self.sent(GET, GET, get(b"Connection: close"))
        self.assertEqual(got[0], got[2])
        self.assertTrue(self.client.ended)

    def test_otherResponses(self) -> None:
        """
        What an origin responds is read for what it is, whether it has said the same before or
        not.
        """
        client, origin = self.exchange(GET)
        self.reply(origin)
        for method, octets, body in (
            (b"GET", OK, b"hello"),
            (b"GET", OK, b"hello"),
            (b"GET", OK[:-5] + b"world", b"world"),
            (b"HEAD", OK[:-5], b""),
            (b"GET", OK, b"hello"),
            (b"GET", b"HTTP/1.1 103 Hint\r\n\r\n" + OK, b"hello"),
            (b"GET", OK.replace(b": 5", b": 4")[:-1], b"hell"),
            (b"GET", OK.replace(b"Date", b"X-Date"), b"hello"),
            (b"GET", OK.replace(b"Date", b"X-Date"), b"hello"),
        ):
            client.received.clear()
            self.send(client, get(method=method))
            self.reply(origin, octets)
            found = [each for each in self.all(client, method.decode()) if each.status == 200]
            self.assertEqual([(each.body, each.whole) for each in found], [(body, True)])
        self.assertEqual(len(self.upstream.dials), 1)

    def test_draining(self) -> None:
        """
        A response that is known is written anew when the connection is to end.
        """
        client, origin = self.exchange(GET)
        for _ in range(3):
            self.reply(origin)
            client.received.clear()
            self.send(client, GET)
        self.board.draining = True
        self.reply(origin)
        self.assertEqual(self.response(client).fields[b"connection"], b"close")
