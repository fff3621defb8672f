"""
Tests for L{connectproxy.commands.status}.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from connectproxy.commands.status import main
from tests.commands.test_dialogue import DialogueCase

pytestmark = pytest.mark.integration

STATE: dict[str, Any] = {
    "version": "1.0",
    "pid": 7,
    "configuration": "01234567",
    "file": None,
    "since": "2026-01-02T03:04:05Z",
    "reload": None,
    "listeners": ["127.0.0.1:8080", "[::1]:8080"],
    "draining": False,
    "tunnels": 3,
    "connections": 4,
    "upstreams": {},
    "logins_refused": 5,
    "decisions": [
        {"decision": "allow", "rule": "mirror", "count": 20},
        {"decision": "deny", "rule": "default", "count": 1234},
    ],
    "refusals": {},
    "reports": {"strict": 6},
    "shadow": {"deny default": 2},
    "audit": None,
}
"""What a proxy answers."""


class StatusTests(DialogueCase):
    """
    C{connectproxy status}.
    """

    def run_(self, *arguments: str, **more: Any) -> tuple[int, str, str]:
        """
        Run it.

        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        if more.pop("up", True):
            self.answering(STATE | more)
        return main(["--control", str(self.path), *arguments]), out.getvalue(), err.getvalue()

    def test_words(self) -> None:
        """
        For people: what is in force, who is there, and counts, the largest first.
        """
        status, out, err = self.run_()
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out,
            "connectproxy 1.0, process 7\n"
            "configuration  01234567 of no file, in force since 2026-01-02T03:04:05Z\n"
            "listeners      127.0.0.1:8080, [::1]:8080\n"
            "clients        4 connections, 3 tunnels\n"
            "logins refused 5\n"
            "\ndecisions\n"
            "     1,234  deny default\n"
            "        20  allow mirror\n"
            "\nwould have been denied (report)\n"
            "         6  strict\n"
            "\nthe shadow policy differs\n"
            "         2  deny default\n",
        )

    def test_upstreams(self) -> None:
        """
        A group is shown with its members, of which those that are out with their reason; others by
        what they count.
        """
        member = {
            "name": "a", "backup": False, "state": "up", "tunnels": 1200, "last_failure": "long ago", "retry_in": None,
        }  # fmt: skip
        out = {
            **member,
            "name": "b",
            "state": "out",
            "tunnels": 0,
            "last_failure": "it is gone",
            "retry_in": 4.5,
        }
        _, shown, _ = self.run_(
            upstreams={
                "pool": {"balance": "least-tunnels", "members": [member, out, {**member, "backup": True}]},
                "edge": {"connections": 2, "tunnels": 7, "last_failure": "it closed", "error": None},
                "far": {"connections": 0, "last_failure": None},
            }
        )
        self.assertIn(
            "\nupstream pool: least-tunnels\n"
            "     1,200  a up\n"
            "         0  b out, tried again in 4.5 s: it is gone\n"
            "     1,200  a up, backup\n"
            "\nupstream edge: 2 connections, 7 tunnels\n"
            "            it closed\n"
            "\nupstream far: 0 connections\n",
            shown,
        )

    def test_more(self) -> None:
        """
        What is not always there: a stop, an audit file, a file.
        """
        _, out, _ = self.run_(draining=True, file="proxy.toml", audit={"file": "audit", "dropped": 9})
        self.assertIn("process 7, stopping\n", out)
        self.assertIn("01234567 of proxy.toml, in force", out)
        self.assertIn("audit file     audit, 9 lines lost\n", out)

    def test_reload(self) -> None:
        """
        A last reload that has failed shows, with its problems, and in the exit status.
        """
        last = {"at": "2026-01-02T03:04:05Z", "done": False, "problems": ["a:1: one"], "notes": []}
        status, out, _ = self.run_(reload=last)
        self.assertEqual(status, 1)
        self.assertIn("last reload    2026-01-02T03:04:05Z, failed\n               a:1: one\n", out)
        self.path = self.directory / "other"
        status, out, _ = self.run_(reload=last | {"problems": [], "done": True, "notes": ["restart"]})
        self.assertEqual(status, 0)
        self.assertIn("05Z, done\n               restart\n", out)

    def test_json(self) -> None:
        """
        For programs it is what the proxy says.
        """
        status, out, _ = self.run_("--json")
        self.assertEqual((status, json.loads(out)), (0, STATE))

    def test_unreachable(self) -> None:
        """
        Nobody there.
        """
        status, out, err = self.run_(up=False)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("connectproxy status: ", err)
