"""
Tests for L{connectproxy.commands.learn}.
"""

from __future__ import annotations

import gzip
import io
import json
import sys

from connectproxy.commands import check, explain
from connectproxy.commands.learn import main
from tests.commands.case import CommandCase
from tests.test_traffic import event


class LearnTests(CommandCase):
    """
    C{connectproxy policy learn}.
    """

    def events(self, *events: object, name: str = "events.jsonl") -> str:
        """
        A file of events, or lines.
        """
        lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
        return self.write(name, "".join(f"{line}\n" for line in lines))

    def test_learn(self) -> None:
        """
        On standard output there is a policy that can be used, and that allows what was
        allowed.
        """
        events = self.events(event("a.example:443"), event("b.example:22", address="10.0.0.7"))
        status, out, err = self.call(main, events)
        self.assertEqual((status, err), (0, ""))
        learned = self.write("learned.toml", out)
        self.assertEqual(self.call(check.main, learned)[0], 0)
        for dest, address, expected in (
            ("a.example:443", "8.8.8.8", 0),
            ("b.example:22", "10.0.0.7", 0),
            ("b.example:443", "10.0.0.7", 1),
            ("c.example:443", "8.8.8.8", 1),
        ):
            asked = (learned, "--user", "ci", "--dest", dest, "--address", address)
            self.assertEqual(self.call(explain.main, *asked)[0], expected, dest)

    def test_inputs(self) -> None:
        """
        Several files, compressed ones, and standard input.
        """
        plain = self.events(event("a.example:443"))
        packed = self.write("events.gz", gzip.compress(json.dumps(event("b.example:443")).encode()))
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(event("c.example:443")).encode())))
        status, out, _ = self.call(main, plain, packed, "-")
        self.assertEqual(status, 0)
        for name in ("a", "b", "c"):
            self.assertIn(f'"{name}.example"', out)

    def test_bad(self) -> None:
        """
        Lines that are no events are counted and named, and nothing worse; a user whom no rule
        could name is left out.
        """
        path = self.events("nonsense", event("a.example:443"), event("b.example:443", user="@x"))
        status, out, err = self.call(main, path)
        self.assertEqual(status, 0)
        self.assertEqual(
            err.splitlines(),
            [
                f"{path}:1: is not JSON",
                "connectproxy policy learn: lines that are no events and were left out: 1",
                "connectproxy policy learn: left out user '@x': no rule can name one who is called that",
            ],
        )
        self.assertNotIn("b.example", out)

    def test_options(self) -> None:
        """
        What the options say has its effect.
        """
        path = self.events(
            event("a.example:443", groups=["builders"]),
            event("b.example:443", user="bob"),
            event("b.example:443", user="bob"),
            event("c.example:443", decision="deny", error="http_request_denied"),
            event("x.cdn.example.com:443"),
            event("y.cdn.example.com:443"),
        )
        for arguments, inside, outside in (
            (("--user", "bob"), "b.example", "a.example"),
            (("--by", "group"), 'groups = ["builders"]', "c.example"),
            (("--by", "all"), "a.example", "users"),
            (("--min-count", "2"), "b.example", "a.example"),
            (("--subdomains", "2"), "*.cdn.example.com", "x.cdn"),
            (("--denied",), "c.example", "*.cdn"),
            (("--default", "allow"), 'default = "allow"', "c.example"),
        ):
            status, out, _ = self.call(main, path, *arguments)
            self.assertEqual(status, 0)
            self.assertIn(inside, out)
            self.assertNotIn(outside, out)

    def test_nothing(self) -> None:
        """
        Of nothing nothing is learned, and why is told.
        """
        for events, arguments, words in (
            ((), (), "there is no event in it"),
            ((event(decision="deny"),), (), "none of 1 events"),
            ((event(),), ("--min-count", "2"), "no destination has 2 requests; say a smaller --min-count"),
        ):
            status, out, err = self.call(main, self.events(*events), *arguments)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"connectproxy policy learn: nothing to learn from: {words}", err)

    def test_dropped(self) -> None:
        """
        Where there are too many destinations, what was left out is told.
        """
        from connectproxy.commands import learn
        from connectproxy.traffic import Traffic

        self.patch(learn, "Traffic", lambda users, denied: Traffic(users, denied=denied, most=1))
        status, out, err = self.call(main, self.events(event("a.example:443"), event("b.example:443")))
        self.assertEqual(status, 0)
        self.assertIn("too many different destinations: 1; learn from fewer users", err)
        self.assertIn("# Left out: 1 requests to destinations that were too many", out)

    def test_unreadable(self) -> None:
        """
        A file that can't be read, and an option that can't be understood.
        """
        torn = self.write("torn.gz", gzip.compress(b"x" * 1000)[:-10])
        for name in ("/nowhere", torn, self.write("no.gz", b"plain"), str(self.directory)):
            status, out, err = self.call(main, name)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(f"connectproxy policy learn: cannot read {name}: ", err)
        for text in ("x", "-1", "1" * 10):
            self.assertEqual(self.call(main, "--min-count", text, "/dev/null")[0], 2)
