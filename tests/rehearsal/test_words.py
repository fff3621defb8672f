"""
Tests for L{connectproxy.rehearsal.words}.
"""

from __future__ import annotations

from connectproxy.questions import readQuestion
from connectproxy.rehearsal import Answer
from connectproxy.rehearsal.words import answerLines, printable, wayLines
from tests.rehearsal.case import RehearsalCase


class WayTests(RehearsalCase):
    """
    L{wayLines}.
    """

    def test_lines(self) -> None:
        """
        A line for each rule up to the one that decides, and one for all others.
        """
        rehearsal = self.rehearse(
            {"action": "allow", "users": ["bob"]},
            {"action": "deny", "ports": [443], "report": True},
            {"action": "allow", "destinations": ["a.example"]},
            {"action": "allow"},
            group=[{"name": "builders", "users": ["ci"]}],
        )
        lines = list(wayLines(rehearsal, readQuestion({"dest": "a.example:443", "user": "ci"})))
        self.assertEqual(
            lines[0],
            "user ci (builders) from 127.0.0.1 at tcp:8080:interface=127.0.0.1:backlog=1024:"
            " CONNECT a.example:443 (http/1.1)",
        )
        self.assertEqual(lines[1:3], ["", "the request:"])
        self.assertEqual(
            lines[6:],
            [
                "  rule-0             passes     user ci is not among its users",
                "  rule-1             reports    port 443 is among the ports of the rule",
                "  rule-2             allows     a.example is among the names of the rule",
                "  (2 more are not asked any more)",
            ],
        )

    def test_oneMore(self) -> None:
        """
        A single rule that is not asked is named; a client without an address is one of a UNIX
        socket.
        """
        lines = list(
            wayLines(
                self.rehearse({"action": "allow"}), readQuestion({"dest": "a.example:443", "client": "unix"})
            )
        )
        self.assertIn("nobody that is known from a UNIX socket", lines[0])
        self.assertEqual(lines[-1], "  (default is not asked any more)")


class AnswerTests(RehearsalCase):
    """
    L{answerLines}.
    """

    def test_allowed(self) -> None:
        """
        What there is nothing to say of has no line.
        """
        answer = Answer(
            "allow", "mirror", "why", upstream="direct", address="8.8.8.8", connectTimeout=10.0, idleTimeout=0.5,
            limits=("a", "b"), reports=("x: y",), shadow="deny by rule z", notes=("n",),
        )  # fmt: skip
        self.assertEqual(
            list(answerLines(answer, "http/1.1")),
            [
                "answer    allow",
                "rule      mirror",
                "reason    why",
                "upstream  direct",
                "address   8.8.8.8",
                "deadlines connect 10 s, idle 0.5 s, lifetime without limit",
                "limits    a, b",
                "report    x: y",
                "shadow    the shadow policy would deny by rule z",
                "note      n",
            ],
        )

    def test_denied(self) -> None:
        """
        A denial is what it is in the client's protocol.
        """
        answer = Answer("deny", "x", "why", "ask", 403, "http_request_denied")
        for protocol, said in (
            ("http/1.1", "403 Forbidden"),
            ("h2", "403 Forbidden"),
            ("socks5", "reply 2 of SOCKS 5"),
            ("socks4a", "reply 91 of SOCKS 4"),
        ):
            lines = list(answerLines(answer, protocol))
            self.assertEqual(lines[0], f"answer    deny: {said} (http_request_denied)")
            self.assertEqual(lines[-1], "message   ask")

    def test_printable(self) -> None:
        """
        Nothing gets through to a terminal that is no sign of a script.
        """
        self.assertEqual(printable("a\x1b[2J\u202eäb"), "a\\x1b[2J\\u202eäb")
