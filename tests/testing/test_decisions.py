"""
Tests for L{connectproxy.testing.decisions}.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import ConfigurationError, configure
from connectproxy.testing import Decisions, readCases

POLICY = """\
[auth]
basic = "ci:secret"

[policy]
default = "deny"

[[rule]]
name = "mirror"
action = "allow"
users = ["ci"]
destinations = ["mirror.example"]
"""

CASES = """\
[[case]]
dest = "mirror.example:443"
user = "ci"
expect = "allow"

[[case]]
name = "elsewhere"
dest = "b.example:443"
user = "ci"
expect = "allow"
"""


class DecisionsTests(SynchronousTestCase):
    """
    L{Decisions}.
    """

    def setUp(self) -> None:
        """
        Write a policy and its cases.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        self.policy, self.cases = directory / "proxy.toml", directory / "cases.toml"
        self.policy.write_text(POLICY)
        self.cases.write_text(CASES)

    def test_ask(self) -> None:
        """
        An answer, from whatever is said.
        """
        decisions = Decisions.load(str(self.policy))
        answer = decisions.ask("mirror.example:443", user="ci", addresses=["8.8.8.8"])
        self.assertEqual((answer.decision, answer.rule, answer.address), ("allow", "mirror", "8.8.8.8"))
        answer = decisions.ask(
            "b.example:80", user="ci", groups=("x",), client="10.0.0.7", protocol="h2", method="GET",
            listener=decisions.config.listeners[0].endpoint, scheme="http", server_name="",
            at=datetime(2026, 11, 23, tzinfo=UTC),
        )  # fmt: skip
        self.assertEqual((answer.decision, answer.rule, answer.status), ("deny", "default", 403))

    def test_wrong(self) -> None:
        """
        What can't be understood raises, with all that is wrong.
        """
        decisions = Decisions(configure())
        with self.assertRaises(ValueError) as caught:
            decisions.ask("a.example:443", client="x", at="y")
        self.assertIn("client: ", str(caught.exception))
        self.assertIn("at: ", str(caught.exception))

    def test_load(self) -> None:
        """
        Options are as for C{twistd}, with underscores; what is wrong is told.
        """
        allowed = self.policy.parent / "allow.txt"
        allowed.write_text(".example.com\n")
        decisions = Decisions.load(str(self.policy), allow=[str(allowed)], allow_ports="444")
        self.assertEqual(decisions.ask("a.example.com:444", user="ci").rule, "allow-list")
        with self.assertRaises(ConfigurationError):
            Decisions.load(str(self.policy), allow_ports="x")
        with self.assertRaises(KeyError):
            Decisions.load(str(self.policy), nonsense="x")

    def test_verify(self) -> None:
        """
        A case that is as expected is silent; one that is not fails with where it stands, what
        came, and the way through the rules.
        """
        decisions = Decisions.load(str(self.policy))
        first, second = readCases(str(self.cases))
        decisions.verify(first)
        with self.assertRaises(AssertionError) as caught:
            decisions.verify(second)
        message = str(caught.exception)
        self.assertTrue(
            message.startswith(
                f"{self.cases}:6 [[case]]: elsewhere: expected allow, and it is denied by rule default:"
                " no rule allows b.example:443 for user ci\n\nuser ci from "
            )
        )
        self.assertIn("\n  mirror             passes     b.example is none of its names\n", message)
        self.assertIn("\nrule      default\n", message)
        with self.assertRaises(AssertionError) as caught:
            decisions.verify(second._replace(where=""))
        self.assertTrue(str(caught.exception).startswith("elsewhere: "))

    def test_explain(self) -> None:
        """
        The same words for any question.
        """
        text = Decisions.load(str(self.policy)).explain("mirror.example:443", user="ci")
        self.assertIn("\n  mirror             allows     ", text)
        self.assertIn("\nanswer    allow\n", text)

    def test_noReactor(self) -> None:
        """
        No reactor is installed by it, and a socket is not opened.
        """
        script = dedent(
            f"""
            import socket, sys
            from connectproxy.testing import Decisions, readCases
            def refuse(*arguments, **more):
                raise AssertionError("a socket")
            socket.socket = socket.getaddrinfo = refuse
            decisions = Decisions.load({str(self.policy)!r})
            decisions.verify(readCases({str(self.cases)!r})[0])
            decisions.ask("8.8.8.8:443", user="ci")
            print("twisted.internet.reactor" in sys.modules)
            """
        )
        run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        self.assertEqual(run.stdout, "False\n")
