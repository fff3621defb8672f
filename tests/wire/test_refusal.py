"""
Tests for L{connectproxy.wire.refusal}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.refusal import formatRefusal
from tests.listeners.http.test_connection import parse


class FormatRefusalTests(SynchronousTestCase):
    """
    The octets of a refusal.
    """

    def test_everyKind(self) -> None:
        """
        Each kind of refusal has its status and its error type, with the name that the proxy
        goes by (conformance 17, 62 and 63).
        """
        for kind, row in KINDS.items():
            answer = parse(formatRefusal(Refusal(kind), "proxy.example"))
            self.assertEqual((answer.status, answer.reason), (row.status, row.reason))
            self.assertEqual(answer.fields["proxy-status"], f"proxy.example; error={row.proxyStatus}", kind)

    def test_nextHop(self) -> None:
        """
        What a next hop has answered is told beside the error type, and what proxies behind it have
        said stands in front (conformance 62 and 63).
        """
        refusal = Refusal("next_hop_denied", received=451, members='a; error=x, "b"; details="c, d"')
        for identifier, ours in (("proxy", "proxy"), ("my proxy", '"my proxy"')):
            answer = parse(formatRefusal(refusal, identifier))
            self.assertEqual(
                answer.fields["proxy-status"],
                f'a; error=x, "b"; details="c, d", {ours}; error=http_request_denied; received-status=451',
            )
        answer = parse(formatRefusal(Refusal("next_hop_denied", received=403), "proxy"))
        self.assertEqual(
            answer.fields["proxy-status"], "proxy; error=http_request_denied; received-status=403"
        )

    def test_fields(self) -> None:
        """
        The connection ends here, nobody keeps the answer, and its length is told
        (conformance 10, conformance 18).
        """
        answer = parse(formatRefusal(Refusal("dns_error", "détail"), "proxy"))
        self.assertEqual(answer.fields["connection"], "close")
        self.assertEqual(answer.fields["cache-control"], "no-store")
        self.assertEqual(answer.fields["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(int(answer.fields["content-length"]), len(answer.body.encode("utf-8")))
        self.assertRegex(answer.fields["date"], r"\A[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} .* GMT\Z")
        self.assertNotIn("transfer-encoding", answer.fields)
        self.assertNotIn("trailer", answer.fields)

    def test_body(self) -> None:
        """
        The body says what has happened, what in particular, which rule, and what to do.
        """
        refusal = Refusal(
            "http_request_denied", "port 25 is not among the allowed ports (443)", "allow-ports"
        )
        answer = parse(formatRefusal(refusal, "proxy.example"))
        self.assertEqual(
            answer.body,
            "403 Forbidden\n"
            "\n"
            "A rule of the proxy's policy denies the request.\n"
            "Detail: port 25 is not among the allowed ports (443).\n"
            "Rule: allow-ports.\n"
            "What to do: Ask the operator of the proxy to allow the destination; the rule is named in the"
            " answer.\n"
            "(proxy.example: http_request_denied)\n",
        )

    def test_little(self) -> None:
        """
        Without a detail and a rule there is no word of them.
        """
        answer = parse(formatRefusal(Refusal("dns_error"), "proxy"))
        self.assertNotIn("Detail", answer.body)
        self.assertNotIn("Rule", answer.body)

    def test_head(self) -> None:
        """
        The answer to HEAD is the same without its body.
        """
        refusal = Refusal("http_method_not_implemented", "the method is HEAD; only CONNECT is served")
        whole = parse(formatRefusal(refusal, "proxy"))
        head = parse(formatRefusal(refusal, "proxy", withBody=False))
        self.assertEqual(head.body, "")
        self.assertEqual(head.fields["content-length"], whole.fields["content-length"])

    def test_challenge(self) -> None:
        """
        A 407, and nothing else, says how to authenticate, with the realm quoted; conformance 65
        and 67.
        """
        refusal = Refusal("proxy_authentication_required", "no credentials came")
        answer = parse(formatRefusal(refusal, 'a "proxy" \\'))
        expected = 'Basic realm="a \\"proxy\\" \\\\", charset="UTF-8"'
        self.assertEqual(answer.fields["proxy-authenticate"], expected)
        others = [kind for kind, row in KINDS.items() if row.status != 407]
        for kind in others:
            self.assertNotIn("proxy-authenticate", parse(formatRefusal(Refusal(kind), "proxy")).fields)

    def test_kept(self) -> None:
        """
        Where the connection goes on, nothing is said of its end.
        """
        answer = parse(formatRefusal(Refusal("dns_error"), "proxy", close=False))
        self.assertNotIn("connection", answer.fields)

    def test_message(self) -> None:
        """
        The operator's words on what to do go in the place of ours.
        """
        answer = parse(formatRefusal(Refusal("http_request_denied", message="Write to ops."), "proxy"))
        self.assertIn("\nWhat to do: Write to ops.\n", answer.body)
        self.assertNotIn(KINDS["http_request_denied"].remedy, answer.body)

    def test_ownFields(self) -> None:
        """
        The fields of a refusal are those of the answer; where there is a challenge among them
        there is no other (conformance 65).
        """
        answer = parse(formatRefusal(Refusal("rate_limit_reached", fields=(("Retry-After", "7"),)), "proxy"))
        self.assertEqual((answer.status, answer.fields["retry-after"]), (429, "7"))
        self.assertNotIn("proxy-authenticate", answer.fields)
        challenges = (("Proxy-Authenticate", 'Digest realm="a"'), ("Proxy-Authenticate", 'Bearer realm="a"'))
        octets = formatRefusal(Refusal("proxy_authentication_required", fields=challenges), "proxy")
        self.assertEqual(
            [line for line in octets.split(b"\r\n") if line.lower().startswith(b"proxy-authenticate")],
            [b'Proxy-Authenticate: Digest realm="a"', b'Proxy-Authenticate: Bearer realm="a"'],
        )
        other = (("Retry-After", "7"),)
        answer = parse(formatRefusal(Refusal("proxy_authentication_required", fields=other), "proxy"))
        self.assertIn("Basic", answer.fields["proxy-authenticate"])

    def test_brokenFields(self) -> None:
        """
        A field that could be read as two is our own bug, and never written.
        """
        refusal = Refusal("rate_limit_reached", fields=(("Retry-After", "7\r\nSet-Cookie: a"),))
        self.assertRaises(ValueError, formatRefusal, refusal, "proxy")

    def test_problem(self) -> None:
        """
        A program that asks for JSON gets a problem document, with the same fields otherwise.
        """
        refusal = Refusal("http_request_denied", "no", "a rule")
        asked = ((b"accept", b"application/json"),)
        plain = parse(formatRefusal(refusal, "proxy"))
        octets = formatRefusal(refusal, "proxy", asked=asked, target="host.example:443")
        answer = parse(octets)
        self.assertEqual(answer.fields["content-type"], "application/problem+json")
        self.assertEqual(int(answer.fields["content-length"]), len(answer.body))
        members = json.loads(answer.body)
        self.assertEqual((members["rule"], members["destination"]), ("a rule", "host.example:443"))
        for each in ("content-type", "content-length", "date"):
            del plain.fields[each], answer.fields[each]
        self.assertEqual(plain.fields, answer.fields)
        bare = parse(formatRefusal(refusal, "proxy", asked=asked, target="host.example:443", withBody=False))
        self.assertEqual((bare.body, int(bare.fields["content-length"])), ("", len(json.dumps(members)) + 1))
