"""
Tests for L{connectproxy.wire.hopform}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import Refusal
from connectproxy.wire.authorization import Basic, parseCredentials
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.hopform import HopForm, behindBeginning, requestLine
from connectproxy.wire.response import ResponseHead, ResponseReader

LINE = b"GET http://a.example:81/x?y HTTP/1.1\r\nHost: a.example:81"
ASKED = b"GET", b"/x?y", b"a.example:81"
SHOWN = b"\r\nProxy-Authorization: "


def challenge(value: bytes) -> ResponseHead:
    """
    A 407.
    """
    head = ResponseReader("GET").receive(b"HTTP/1.1 407 X\r\nProxy-Authenticate: %b\r\n\r\n" % value)
    assert isinstance(head, ResponseHead)
    return head


DIGEST = challenge(b'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"')


class BeginTests(SynchronousTestCase):
    """
    What a head begins with.
    """

    def test_absolute(self) -> None:
        """
        The target is the whole URI, and Host says the same (conformance 26).
        """
        self.assertEqual(HopForm(None, "corp").begin(*ASKED), LINE)
        self.assertEqual(requestLine(b"GET", b"/x?y", b"a"), b"GET /x?y HTTP/1.1\r\nHost: a")

    def test_everybody(self) -> None:
        """
        What asks for the server as a whole has an empty path, and no asterisk (conformance 31).
        """
        begun = HopForm(None, "corp").begin(b"OPTIONS", b"*", b"a.example")
        self.assertEqual(begun, b"OPTIONS http://a.example HTTP/1.1\r\nHost: a.example")

    def test_credentials(self) -> None:
        """
        What there is to show stands behind Host, as the next hop would read it.
        """
        begun = HopForm(Authorizer("ann", "secret"), "corp").begin(*ASKED)
        self.assertTrue(begun.startswith(LINE + SHOWN))
        shown = parseCredentials([begun.removeprefix(LINE + SHOWN)])
        self.assertEqual(shown, Basic(b"ann", b"secret"))
        self.assertTrue(HopForm(Authorizer.bearer("t"), "corp").begin(*ASKED).endswith(SHOWN + b"Bearer t"))

    def test_digest(self) -> None:
        """
        As long as there is nothing to prove nothing is shown; then it is proved for the target
        as it is sent, and counted.
        """
        form = HopForm(Authorizer("ann", "secret", "digest"), "corp")
        self.assertEqual(form.begin(*ASKED), LINE)
        self.assertTrue(form.challenged(DIGEST, LINE))
        for number in (1, 2):
            shown = form.begin(*ASKED).removeprefix(LINE + SHOWN)
            self.assertIn(b'uri="http://a.example:81/x?y"', shown)
            self.assertIn(b"nc=%08x" % number, shown)

    def test_secret(self) -> None:
        """
        To show it to people shows no secret.
        """
        self.assertNotIn("secret", repr(HopForm(Authorizer("ann", "secret"), "corp")))


class ChallengedTests(SynchronousTestCase):
    """
    A 407.
    """

    def test_nothingToLearn(self) -> None:
        """
        Asking again makes no sense where it would be asked the same.
        """
        for authorizer in (None, Authorizer("ann", "secret"), Authorizer.bearer("t")):
            form = HopForm(authorizer, "corp")
            self.assertFalse(form.challenged(DIGEST, form.begin(*ASKED) + b"\r\n\r\n"))

    def test_rejected(self) -> None:
        """
        Nor where what was proved is wrong, and not only old; what was proved is read from what
        has been sent, whatever stands behind it.
        """
        for more, again in ((b"", False), (b", stale=true", True)):
            form = HopForm(Authorizer("ann", "secret", "digest"), "corp")
            self.assertTrue(form.challenged(DIGEST, LINE + b"\r\nX: y\r\n\r\n"))
            sent = form.begin(*ASKED) + b"\r\nX: y" + SHOWN + b"other\r\n\r\n"
            other = challenge(b'Digest realm="r", nonce="m", algorithm=SHA-256, qop="auth"' + more)
            self.assertEqual(form.challenged(other, sent), again)

    def test_refusal(self) -> None:
        """
        The refusal names the next hop and its status, and no secret.
        """
        for authorizer in (None, Authorizer("ann", "secret")):
            refusal = HopForm(authorizer, "corp").refusal(challenge(b"Basic realm=x"))
            self.assertEqual((refusal.kind, refusal.received), ("next_hop_authentication_failed", 407))
            self.assertTrue(refusal.detail.startswith("the next hop corp "), refusal.detail)
            self.assertNotIn("secret", refusal.detail)
            self.assertEqual((refusal.fields, refusal.members), ((), ""))
        head = challenge(b"Basic realm=x")
        head = head._replace(fields=(*head.fields, (b"proxy-status", b"corp; received-status=407")))
        self.assertEqual(HopForm(None, "corp").refusal(head).members, "corp; received-status=407")

    def test_failure(self) -> None:
        """
        What would be an origin's fault is the next hop's, by name; what is the client's stays that.
        """
        form = HopForm(None, "corp")
        for kind, expected in (
            ("http_protocol_error", "next_hop_protocol_error"),
            ("http_response_header_section_size", "next_hop_protocol_error"),
            ("http_response_transfer_coding", "next_hop_protocol_error"),
            ("http_response_incomplete", "next_hop_gone"),
            ("connection_terminated", "next_hop_gone"),
            ("http_response_timeout", "next_hop_silent"),
        ):
            refusal = form.failure(Refusal(kind, "why"))
            self.assertEqual(refusal, Refusal(expected, "the next hop corp failed: why"))
            self.assertEqual(refusal.row.status, Refusal(kind, "").row.status)
        late = Refusal("http_request_timeout", "why")
        self.assertIs(form.failure(late), late)


class BehindTests(SynchronousTestCase):
    """
    L{behindBeginning}.
    """

    def test_same(self) -> None:
        """
        It is the same whatever the beginning is, our credentials left out and nobody else's.
        """
        rest = b"\r\nX: y\r\nProxy-Authorization-Not: 1\r\n\r\n"
        digest = HopForm(Authorizer("ann", "secret", "digest"), "corp")
        self.assertTrue(digest.challenged(DIGEST, b""))
        forms = (None, HopForm(None, "corp"), HopForm(Authorizer("ann", "secret"), "corp"), digest)
        for asked in (ASKED, (b"OPTIONS", b"*", b"a.example"), (b"GET", b"/\r", b"[::1]")):
            for form in forms:
                begin = requestLine if form is None else form.begin
                self.assertEqual(behindBeginning(begin(*asked) + rest, *asked, form), rest)

    def test_other(self) -> None:
        """
        What was begun in another way is not known.
        """
        form = HopForm(None, "corp")
        self.assertIsNone(behindBeginning(LINE + b"\r\n\r\n", *ASKED, None))
        self.assertIsNone(behindBeginning(requestLine(*ASKED) + b"\r\n\r\n", *ASKED, form))
        self.assertIsNone(behindBeginning(b"something else", *ASKED, form))
