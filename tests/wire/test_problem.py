"""
Tests for L{connectproxy.wire.problem}.
"""

from __future__ import annotations

import json
import re
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.problem import MOST, problem, wantsProblem
from tests.wire.feeding import examples


def wants(*accept: bytes) -> bool:
    """
    Whether the client of some Accept fields wants a document.
    """
    return wantsProblem([(b"host", b"a"), *((b"accept", each) for each in accept), (b"user-agent", b"b")])


class WantsTests(SynchronousTestCase):
    """
    Who gets a document.
    """

    def test_json(self) -> None:
        """
        Those who name JSON, or name it rather than text, by weight or by being precise.
        """
        for accept in (
            b"application/problem+json",
            b"application/json",
            b"Application/JSON",
            b"application/*",
            b"application/json, */*",
            b"application/json;q=0.9, */*;q=0.8",
            b"application/json ; q=0.5 , text/plain;q=0.4",
            b"text/plain;q=0.999,application/problem+json",
            b"application/problem+json, application/json;q=0",
            b"*/*, text/plain;q=0",
            b"*/*, text/*;q=0.5",
            b'application/json;version="1,2;q=0"',
            b"application/json;charset=utf-8;q=1.000;ext=1",
            b" ,, application/json ,,",
            b"application/json;",
            b"application/json; ;a=b; ;q=1;;ext",
            b"\tapplication/json\t;\tQ=1\t",
            b"text/plain;q=0.2, text/plain;q=0.1, application/json;q=0.3",
        ):
            self.assertTrue(wants(accept), accept)
        self.assertTrue(wants(b"text/plain;q=0.1", b"application/json"))

    def test_text(self) -> None:
        """
        Everybody else gets text: who says nothing, takes anything, or would rather have it;
        browsers, curl and what most libraries send.
        """
        for accept in (
            b"",
            b"*/*",
            b"text/plain",
            b"text/html, image/gif, image/jpeg, */*; q=0.2",
            b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            b"application/json, text/plain, */*",
            b"application/json, text/plain",
            b"application/json;q=0.5, */*",
            b"application/json;q=0",
            b"application/json;q=0.000, */*;q=0",
            b"text/*, application/*",
            b"application/xml",
            b"image/png",
        ):
            self.assertFalse(wants(accept), accept)
        self.assertFalse(wantsProblem([]))
        self.assertFalse(wantsProblem([(b"content-type", b"application/json")]))

    def test_malformed(self) -> None:
        """
        What is malformed asks for nothing, wherever the mistake is.
        """
        for accept in (
            b"json",
            b"application/",
            b"/json",
            b"application/json/x",
            b"application/json;q=2",
            b"application/json;q=0.1234",
            b"application/json;q=1.001",
            b"application/json;q=",
            b"application/json;q",
            b"application/json;q=.5",
            b"application/json;q=-1",
            b"application/json;q=nan",
            b"application/json;a",
            b"application/json;=x",
            b"application/json text/plain",
            b'application/json;a="b',
            b"application/json;a=\x01",
            b"application /json",
            b"application/json, text",
            b"\xff/json",
        ):
            self.assertFalse(wants(accept), accept)
            self.assertFalse(wants(b"application/json, " + accept), accept)

    def test_bounded(self) -> None:
        """
        So does what is too long, of which nothing is read.
        """
        accept = b"application/json"
        self.assertTrue(wants(accept.ljust(MOST)))
        self.assertFalse(wants(accept.ljust(MOST + 1)))
        self.assertFalse(wants(accept, b" " * (MOST - len(accept))))

    def test_linear(self) -> None:
        """
        No value within the bound takes long to read.
        """
        for piece in (b"a/b,", b"a/b;a=b", b'a/b;a="', b'\\"', b" ", b"\t;", b",", b"a", b"a/b;q=0.1;", b"/"):
            value = (b"a/b" + piece * MOST)[:MOST]
            began = process_time()
            for _ in range(20):
                wants(value)
            self.assertLess(process_time() - began, 0.5, piece)

    @examples
    @given(st.text('aj/*;q=,. 01"\\\t', max_size=60))
    def test_anything(self, accept: str) -> None:
        """
        Whatever is sent, there is an answer; and what stands before a mistake is worth nothing.
        """
        value = accept.encode()
        self.assertIn(wants(value), (True, False))
        self.assertFalse(wants(value + b",@"))


class DocumentTests(SynchronousTestCase):
    """
    What it says.
    """

    def test_members(self) -> None:
        """
        The members of RFC 9457, and those that say what the words for people say.
        """
        refusal = Refusal(
            "http_request_denied", "port 25 is not allowed", "allow-ports", "Ask ops@example.com."
        )
        document = problem(refusal, "proxy.example", "host.example:25")
        self.assertEqual(
            json.loads(document),
            {
                "type": "about:blank",
                "title": "Forbidden",
                "status": 403,
                "detail": "port 25 is not allowed.",
                "kind": "http_request_denied",
                "cause": KINDS["http_request_denied"].cause,
                "remedy": "Ask ops@example.com.",
                "rule": "allow-ports",
                "destination": "host.example:25",
                "proxy": "proxy.example",
                "proxy_status": "http_request_denied",
            },
        )

    def test_received(self) -> None:
        """
        The status that a next hop has answered is one of them (conformance 63).
        """
        members = json.loads(problem(Refusal("next_hop_denied", received=451), "proxy"))
        self.assertEqual((members["status"], members["received_status"]), (403, 451))

    def test_everyKind(self) -> None:
        """
        There is one for each kind; of what is not known there is no word.
        """
        for name, row in KINDS.items():
            members = json.loads(problem(Refusal(name), "proxy"))
            self.assertEqual((members["status"], members["title"]), (row.status, row.reason))
            self.assertEqual(
                (members["kind"], members["remedy"], members["proxy_status"]),
                (name, row.remedy, row.proxyStatus),
            )
            self.assertTrue({"detail", "rule", "destination", "received_status"}.isdisjoint(members))

    @examples
    @given(*[st.text(max_size=40)] * 5)
    def test_escaped(self, detail: str, rule: str, message: str, identifier: str, target: str) -> None:
        """
        Whatever the words are, the document is ASCII in one line and says them.
        """
        refusal = Refusal("dns_error", detail, rule, message)
        document = problem(refusal, identifier, target)
        self.assertIsNotNone(re.fullmatch(rb"\{[ -~]+\}\n", document))
        members = json.loads(document)
        self.assertEqual(members.get("detail", "."), f"{detail}.")
        self.assertEqual((members.get("rule", ""), members.get("destination", "")), (rule, target))
        self.assertEqual(members["remedy"], message or KINDS["dns_error"].remedy)
        self.assertEqual(members["proxy"], identifier)
