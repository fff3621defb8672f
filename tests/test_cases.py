"""
Tests for L{connectproxy.cases}.
"""

from __future__ import annotations

from pathlib import Path

from connectproxy.cases import Case, differences, readCases, untouched
from connectproxy.config import ConfigurationError
from connectproxy.questions import readQuestion
from connectproxy.rehearsal import Answer
from tests.rehearsal.case import RehearsalCase

CASES = """\
[[case]]
dest = "a.example:443"
user = "ci"
at = 2026-11-23T09:30:00+01:00
expect = "allow"
rule = "mirror"

[[case]]
name = "no secrets"
dest = "169.254.169.254:80"
expect = "deny"
"""


class ReadCasesTests(RehearsalCase):
    """
    L{readCases}.
    """

    def write(self, text: str | bytes) -> str:
        """
        Make a file.
        """
        path = Path(self.mktemp())
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def wrong(self, text: str | bytes) -> list[str]:
        """
        What is wrong with a file, without its name.
        """
        path = self.write(text)
        with self.assertRaises(ConfigurationError) as caught:
            readCases(path)
        return [str(problem).removeprefix(f"{path}:") for problem in caught.exception.problems]

    def test_read(self) -> None:
        """
        Each table is a case, with the place where it stands.
        """
        path = self.write(CASES)
        first, second = readCases(path)
        self.assertEqual((first.question.user, first.expect, first.rule), ("ci", "allow", "mirror"))
        self.assertEqual(first.question.at, 1795422600.0)
        self.assertEqual((first.where, second.where), (f"{path}:1 [[case]]", f"{path}:8 [[case]]"))
        self.assertEqual((str(first), str(second)), ("allow ci a.example:443", "no secrets"))

    def test_names(self) -> None:
        """
        A case without a name is called after what it is, in ASCII.
        """
        self.assertEqual(str(Case(readQuestion({"dest": "ä:1"}), "deny")), "deny nobody \\xe4:1")

    def test_allAtOnce(self) -> None:
        """
        Everything is told, with line, key and advice.
        """
        found = self.wrong(
            '[[case]]\ndest = "a.example:443"\nexpct = "deny"\n'
            '[[case]]\ndest = "a.example:443"\nexpect = "maybe"\nclient = "x"\nrule = 5\n'
            '[[case]]\nexpect = "deny"\n'
            "[other]\nx = 1\n"
        )
        self.assertEqual(
            found,
            [
                '11 other: there is no table or key "other" here; there can be [[case]] tables',
                '3 [[case]] expct: there is no key "expct" here; do you mean expect?',
                '1 [[case]]: nothing says what to expect; write expect = "allow" or expect = "deny"',
                "8 [[case]] rule: 5 is not a string; put it in quotes",
                '6 [[case]] expect: "maybe" is no decision; write expect = "allow" or expect = "deny"',
                '7 [[case]] client: "x" is not an address; give one as in 192.0.2.1 or 2001:db8::1',
                "9 [[case]]: there is no destination; say where to, as in example.com:443",
            ],
        )

    def test_unknownKey(self) -> None:
        """
        Where none is like it, all are named.
        """
        (found,) = self.wrong('[[case]]\ndest = "a:1"\nexpect = "deny"\nxyz = 1\n')
        self.assertIn("; there are name, expect, rule, upstream, message, dest, ", found)

    def test_noCases(self) -> None:
        """
        A file without a case tests nothing, and that is wrong; so is what only looks like
        cases, and what is no TOML.
        """
        for text, words in (
            ("", "there is no case; add a [[case]] table"),
            ('[case]\ndest = "a:1"\n', "is no array of tables; write [[case]]"),
            ("case = [1]\n", "is not a table; write [[case]]"),
            ("[[case", "is not TOML: "),
            (b"\xff", "is not UTF-8; write it as TOML"),
        ):
            found = self.wrong(text)
            self.assertEqual(len(found), 1)
            self.assertIn(words, found[0])


class DifferencesTests(RehearsalCase):
    """
    L{differences}.
    """

    def differences(self, answer: Answer, **expected: str) -> list[str]:
        """
        Those of one case.
        """
        return differences(Case(readQuestion({"dest": "a.example:443"}), **expected), answer)

    def test_none(self) -> None:
        """
        What is not said is not expected.
        """
        answer = Answer("deny", "x", "why", "ask")
        self.assertEqual(self.differences(answer, expect="deny"), [])
        self.assertEqual(self.differences(answer, expect="deny", rule="x", message="ask"), [])

    def test_some(self) -> None:
        """
        The decision, and if that is right the rule, the message and the upstream.
        """
        denied, allowed = Answer("deny", "x", "why", "ask"), Answer("allow", "x", "so", upstream="direct")
        self.assertEqual(
            self.differences(denied, expect="allow", message="z"),
            ["expected allow, and it is denied by rule x: why"],
        )
        self.assertEqual(
            self.differences(denied, expect="deny", rule="y", message="z"),
            [
                "expected deny by rule y, and it is denied by rule x: why",
                'expected the message "z", and it is "ask"',
            ],
        )
        self.assertEqual(
            self.differences(allowed, expect="allow", upstream="hop"),
            ['expected the upstream "hop", and it is "direct"'],
        )
        self.assertEqual(
            self.differences(Answer("deny", "", "no address"), expect="allow"),
            ["expected allow, and it is denied: no address"],
        )

    def test_depends(self) -> None:
        """
        What can't be told is as expected never, and the case is told what it lacks.
        """
        for reason, key in (("on the address", "addresses"), ("on the TLS server name", "server_name")):
            for expect in ("allow", "deny"):
                (found,) = self.differences(Answer("depends", "x", reason), expect=expect)
                self.assertEqual(
                    found,
                    f"expected {expect}, and it can't be told by rule x: {reason}; say {key} in the case",
                )


class UntouchedTests(RehearsalCase):
    """
    L{untouched}.
    """

    def test_rules(self) -> None:
        """
        Rules that neither decide nor report, in their order.
        """
        rehearsal = self.rehearse(
            {"action": "deny", "ports": [443], "report": True},
            {"action": "allow", "destinations": ["b.example"]},
            {"action": "allow", "destinations": ["a.example"]},
            {"action": "allow", "destinations": ["c.example"]},
        )
        answers = [self.ask(rehearsal, "a.example:443")]
        self.assertEqual(untouched(rehearsal, answers), ["rule-1", "rule-3"])
