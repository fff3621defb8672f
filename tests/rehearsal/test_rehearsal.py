"""
Tests for L{connectproxy.rehearsal.rehearsal}.
"""

from __future__ import annotations

from pathlib import Path

from connectproxy.config import ConfigurationError, configure
from connectproxy.questions import Unclear, readQuestion
from connectproxy.rehearsal import Rehearsal
from tests.rehearsal.case import NOON, RehearsalCase

ALLOW_ALL = {"action": "allow"}
AUTH = {"basic": "ci:secret"}


class WhoTests(RehearsalCase):
    """
    Who asks.
    """

    def test_groups(self) -> None:
        """
        The groups of a user are those that are said, and those of the configuration's tables,
        of files too.
        """
        path = Path(self.mktemp())
        path.write_text("amy\n# nobody else\n")
        rehearsal = self.rehearse(
            {"action": "allow", "groups": ["builders"]},
            auth=AUTH,
            group=[{"name": "builders", "users": ["ci", f"@{path.absolute()}"]}],
        )
        for user, groups, expected in (
            ("ci", [], "allow"),
            ("amy", [], "allow"),
            ("bob", [], "deny"),
            ("bob", ["builders"], "allow"),
        ):
            answer = self.ask(rehearsal, "a.example:443", user=user, groups=groups)
            self.assertEqual(answer.decision, expected, user)

    def test_nobody(self) -> None:
        """
        Where clients have to say who they are, nobody is refused before any rule.
        """
        rehearsal = self.rehearse(ALLOW_ALL, auth=AUTH)
        answer = self.ask(rehearsal, "a.example:443")
        self.assertEqual((answer.decision, answer.status, answer.rule), ("deny", 407, ""))
        self.assertEqual(rehearsal.way(readQuestion({"dest": "a.example:443"})), ())
        self.assertIn(
            "nobody that is known from", rehearsal.describe(readQuestion({"dest": "a.example:443"}))
        )

    def test_optional(self) -> None:
        """
        Where they may, nobody gets to the rules.
        """
        listen = [{"endpoint": "127.0.0.1:8080", "authentication": "optional"}]
        rehearsal = self.rehearse({"action": "allow", "users": ["-"]}, auth=AUTH, listen=listen)
        self.assertEqual(self.ask(rehearsal, "a.example:443").decision, "allow")

    def test_takenAsKnown(self) -> None:
        """
        A user is taken as known where nothing could have found out, and a note says so.
        """
        rehearsal = self.rehearse({"action": "allow", "users": ["ci"]})
        answer = self.ask(rehearsal, "a.example:443", user="ci")
        self.assertEqual(answer.decision, "allow")
        self.assertIn("ci is taken as known", answer.notes[0])

    def test_byAddress(self) -> None:
        """
        Who is known by an address is known by it; a user that is said goes before that.
        """
        rehearsal = self.rehearse(
            {"action": "allow", "users": ["lab"], "groups": ["labs"]},
            identity=[{"user": "lab", "groups": ["labs"], "networks": ["10.0.0.0/8"]}],
        )
        answer = self.ask(rehearsal, "a.example:443", client="10.0.0.7")
        self.assertEqual(answer.decision, "allow")
        self.assertIn("lab is known by the client's address", answer.notes[0])
        self.assertEqual(self.ask(rehearsal, "a.example:443", client="192.0.2.1").status, 407)
        self.assertEqual(self.ask(rehearsal, "a.example:443", client="10.0.0.7", user="bob").rule, "default")

    def test_limits(self) -> None:
        """
        The limits that hold for who asks are named, also for a UNIX socket.
        """
        limits = [
            {"name": "all", "per": "all", "tunnels": 9},
            {"name": "lab", "clients": ["10.0.0.0/8"], "tunnels": 9},
            {"name": "bobs", "users": ["bob"], "tunnels": 9},
        ]
        rehearsal = self.rehearse(ALLOW_ALL, limit=limits)
        for said, expected in (
            ({"client": "10.0.0.7"}, ("all", "lab")),
            ({"client": "unix", "user": "bob"}, ("all", "bobs")),
        ):
            self.assertEqual(self.ask(rehearsal, "a.example:443", **said).limits, expected)


class QuestionTests(RehearsalCase):
    """
    What else a question says.
    """

    def test_destination(self) -> None:
        """
        A destination that the proxy would not take is refused in its own words, before
        anything else.
        """
        rehearsal = self.rehearse(ALLOW_ALL, auth=AUTH)
        answer = self.ask(rehearsal, "0x7f000001:443")
        self.assertEqual((answer.decision, answer.status, answer.kind), ("deny", 400, "http_request_error"))
        self.assertIn("is no IPv4 address", answer.reason)
        self.assertIn("'\\x1b:1'", rehearsal.describe(readQuestion({"dest": "\x1b:1", "user": "ci"})))

    def test_listener(self) -> None:
        """
        A listener is called by its name or its endpoint; without one it is the first.
        """
        rehearsal = self.rehearse(
            {"action": "allow", "listeners": ["inner"]},
            listen=[{"endpoint": "127.0.0.1:8080"}, {"endpoint": "127.0.0.1:8081", "name": "inner"}],
        )
        for listener, expected in (
            (None, "deny"),
            ("127.0.0.1:8080", "deny"),
            ("inner", "allow"),
            ("127.0.0.1:8081", "allow"),
        ):
            self.assertEqual(self.ask(rehearsal, "a.example:443", listener=listener).decision, expected)

    def test_noSuchListener(self) -> None:
        """
        One that there is not is a mistake in the question, with what was probably meant.
        """
        rehearsal = self.rehearse(ALLOW_ALL, listen=[{"endpoint": "127.0.0.1:8080", "name": "main"}])
        for name, advice in (("mian", "do you mean main?"), ("x", "there are: main")):
            with self.assertRaises(Unclear) as caught:
                self.ask(rehearsal, "a.example:443", listener=name)
            ((key, _, said),) = caught.exception.complaints
            self.assertEqual((key, said), ("listener", advice))

    def test_at(self) -> None:
        """
        Rules hold at the time of the question, in its answer and on its way, and otherwise
        now; one question has no effect on the next.
        """
        rehearsal = self.rehearse({"action": "allow", "hours": ["08:00-18:00"]})
        for at, expected in (
            (None, "allow"),
            ("2026-11-23T07:59Z", "deny"),
            ("2026-11-23T09:00+01:00", "allow"),
        ):
            question = readQuestion({"dest": "a.example:443", "at": at})
            self.assertEqual(rehearsal.answer(question).decision, expected, at)
            (stage,) = rehearsal.way(question)
            outcome = {step.rule: step.outcome for step in stage.steps}["rule-0"]
            self.assertEqual(outcome == "allow", expected == "allow", at)
        self.assertEqual(rehearsal.answer(readQuestion({"dest": "a.example:443"})).decision, "allow")

    def test_clock(self) -> None:
        """
        Without a clock it is the system's.
        """
        self.assertGreater(Rehearsal(configure()).seconds(), NOON)

    def test_way(self) -> None:
        """
        The rules are shown as they are asked: the request, the addresses up to the one that
        is dialled, the server name.
        """
        rehearsal = self.rehearse({"action": "deny", "server_names": ["x.example"]}, ALLOW_ALL)
        way = rehearsal.way(
            readQuestion(
                {"dest": "a.example:443", "addresses": ["10.0.0.1", "8.8.8.8", "8.8.4.4"], "server_name": ""}
            )
        )
        self.assertEqual(
            [stage.title for stage in way],
            ["the request", "the address 10.0.0.1", "the address 8.8.8.8", "no TLS server name"],
        )
        self.assertEqual([step.outcome for step in way[1].steps].count("deny"), 1)


class ProblemTests(RehearsalCase):
    """
    Configurations that can't be used.
    """

    def test_allAtOnce(self) -> None:
        """
        What is wrong with the policy, with its shadow and with limits is told together.
        """
        with self.assertRaises(ConfigurationError) as caught:
            self.rehearse(
                {"action": "deny", "destinations": ["@/nowhere/one"]},
                policy={"shadow": "/nowhere/two"},
                limit=[{"name": "x", "users": ["@/nowhere/three"], "tunnels": 1}],
            )
        text = str(caught.exception)
        for name in ("one", "two", "three"):
            self.assertIn(f"/nowhere/{name}", text)
