"""
Tests for L{connectproxy.commands.policy}.
"""

from __future__ import annotations

from connectproxy.commands.policy import main
from tests.commands.case import CommandCase

CASES = """\
[[case]]
dest = "mirror.example:443"
user = "ci"
expect = "allow"
rule = "mirror"
"""

WRONG = """\

[[case]]
name = "elsewhere"
dest = "b.example:443"
user = "ci"
addresses = ["9.9.9.9"]
expect = "allow"

[[case]]
dest = "mirror.example:443"
user = "ci"
expect = "allow"
rule = "database"
upstream = "hop"
"""


class PolicyTests(CommandCase):
    """
    C{connectproxy policy test}, and what stands before it.
    """

    def test_asExpected(self) -> None:
        """
        All is as expected; rules that no case is about are named.
        """
        self.assertEqual(
            self.call(main, "test", self.policy, self.write("cases.toml", CASES)),
            (0, "1 cases: 1 as expected, 0 not\nnote: no case is decided by database\n", ""),
        )

    def test_otherwise(self) -> None:
        """
        Everything that is not as expected, with its line and what came; a case is counted once.
        """
        cases = self.write("cases.toml", CASES + WRONG)
        status, out, err = self.call(main, "test", self.policy, cases)
        self.assertEqual((status, err), (1, ""))
        self.assertEqual(
            out.splitlines(),
            [
                f"{cases}:7 [[case]] elsewhere: expected allow, and it is denied by rule default:"
                " no rule allows b.example:443 for user ci",
                f"{cases}:14 [[case]] allow ci mirror.example:443: expected allow by rule database, and it is allowed"
                " by rule mirror: mirror.example is among the names of the rule",
                f'{cases}:14 [[case]] allow ci mirror.example:443: expected the upstream "hop", and it is "direct"',
                "3 cases: 1 as expected, 2 not",
                "note: no case is decided by database",
            ],
        )

    def test_allRules(self) -> None:
        """
        Where cases are about all rules, no note is needed; options count.
        """
        more = '[[case]]\ndest = "b.example:8443"\nuser = "ci"\naddresses = ["8.8.8.8"]\nexpect = "allow"\n'
        cases = self.write("cases.toml", CASES + more)
        status, out, _ = self.call(main, "test", self.policy, cases, "--allow-ports", "any")
        self.assertEqual((status, out), (0, "2 cases: 2 as expected, 0 not\n"))

    def test_unusable(self) -> None:
        """
        What is wrong with the policy and with the cases is told together.
        """
        bad, cases = self.write("bad.toml", "[x]\n"), self.write("cases.toml", "[[case]]\n")
        status, out, err = self.call(main, "test", bad, cases)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f"{bad}:1 ", err)
        self.assertIn(f"{cases}:1 [[case]]: nothing says what to expect", err)
        cases = self.write("cases.toml", CASES + 'listener = "x"\n')
        status, out, err = self.call(main, "test", self.policy, cases)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f'{cases}:1 [[case]]: there is no listener "x"', err)

    def test_unreadable(self) -> None:
        """
        So is a file that can't be read.
        """
        for arguments in (("/nowhere", self.policy), (self.policy, "/nowhere")):
            status, _, err = self.call(main, "test", *arguments)
            self.assertEqual(status, 2)
            self.assertIn("connectproxy policy test: cannot read /nowhere", err)

    def test_commands(self) -> None:
        """
        Without a command, or with one that there is not, those that there are are told.
        """
        status, out, err = self.call(main)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("a command is missing", err)
        self.assertIn("there is no command 'x'", self.call(main, "x")[2])
        status, out, err = self.call(main, "--help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("  learn  propose a policy", out)
        status, out, err = self.call(main, "learn", "/dev/null")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("connectproxy policy learn: nothing to learn from", err)
