"""
Tests for L{connectproxy.commands.explain}.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

from connectproxy.commands import explain
from connectproxy.commands.explain import main, resolve
from tests.commands.case import CommandCase


class ExplainTests(CommandCase):
    """
    C{connectproxy explain}.
    """

    def ask(self, *arguments: str, **more: Any) -> tuple[int, str, str]:
        """
        Ask of the policy.
        """
        return self.call(main, self.policy, *arguments, **more)

    def test_allowed(self) -> None:
        """
        The way through the rules, and the answer.
        """
        status, out, err = self.ask("--dest", "mirror.example:443", "--user", "ci", "--address", "8.8.8.8")
        self.assertEqual((status, err), (0, ""))
        # What rules have to say, and not how they say that they have nothing to.
        self.assertEqual(
            re.sub(r"(passes +).*", r"\1...", out),
            """\
user ci (builders) from 127.0.0.1 at tcp:8080:interface=127.0.0.1:backlog=1024: CONNECT mirror.example:443 (http/1.1)

the request:
  allow-ports        passes     ...
  own-addresses      passes     ...
  private-addresses  passes     ...
  mirror             allows     mirror.example is among the names of the rule
  (2 more are not asked any more)

the address 8.8.8.8:
  allow-ports        passes     ...
  own-addresses      passes     ...
  private-addresses  passes     ...
  mirror             allows     mirror.example is among the names of the rule
  (2 more are not asked any more)

answer    allow
rule      mirror
reason    mirror.example is among the names of the rule
upstream  direct
address   8.8.8.8
deadlines connect 10 s, idle 3600 s, lifetime without limit
""",
        )

    def test_denied(self) -> None:
        """
        A denial is another status, whatever denies: a rule, the want of a user, or the form of
        the destination.
        """
        for arguments, words in (
            (("--dest", "b.example:443", "--user", "ci", "--address", "9.9.9.9"), "rule      default"),
            (("--dest", "b.example:443"), "407 Proxy Authentication Required"),
            (("--dest", "0x7f.1:443"), "400 Bad Request"),
            (
                ("--dest", "b.example:443", "--user", "x", "--group", "y", "--protocol", "socks5"),
                "reply 2 of SOCKS 5",
            ),
        ):
            status, out, _ = self.ask(*arguments)
            self.assertEqual(status, 1)
            self.assertIn(words, out)

    def test_depends(self) -> None:
        """
        What depends on more is not allowed, and it is said how to say more.
        """
        status, out, _ = self.ask("--dest", "b.example:443", "--user", "ci")
        self.assertEqual(status, 1)
        self.assertIn("answer    depends\n", out)
        self.assertTrue(out.endswith("note      say --address, or --resolve\n"))
        self.policy = self.write(
            "name.toml",
            '[policy]\ndefault = "deny"\n[[rule]]\nname = "x"\naction = "allow"\nserver_names = ["a.example"]\n',
        )
        status, out, _ = self.ask("--dest", "8.8.8.8:443")
        self.assertTrue(out.endswith("note      say --server-name\n"), out)
        self.assertEqual(self.ask("--dest", "8.8.8.8:443", "--server-name", "a.example")[0], 0)

    def test_resolve(self) -> None:
        """
        The name is looked up as the proxy would; an address, and what is no destination, is
        not.
        """
        asked: list[str] = []

        def lookUp(name: str) -> list[str]:
            asked.append(name)
            return ["8.8.8.8"]

        status, out, _ = self.ask(
            "--dest", "B.example:443", "--user", "ci", "--resolve", "--scheme", "tcp", lookUp=lookUp
        )
        self.assertEqual((status, asked), (0, ["b.example."]))
        self.assertIn("rule      database\n", out)
        for dest in ("8.8.8.8:443", "127.1:443"):
            self.ask("--dest", dest, "--user", "ci", "--resolve", lookUp=lookUp)
        self.assertEqual(len(asked), 1)

    def test_json(self) -> None:
        """
        The same for programs.
        """
        status, out, _ = self.ask(
            "--dest",
            "b.example:443",
            "--user",
            "ci",
            "--address",
            "9.9.9.9",
            "--json",
            "--at",
            "2026-11-23T09:30Z",
        )
        self.assertEqual(status, 1)
        found = json.loads(out)
        way = found.pop("way")
        self.assertEqual([stage["asked"] for stage in way], ["the request", "the address 9.9.9.9"])
        self.assertEqual(
            way[1]["rules"][4],
            {"rule": "database", "outcome": "pass", "why": "9.9.9.9 is in none of its networks"},
        )
        self.assertEqual(
            found,
            {
                "dest": "b.example:443", "decision": "deny", "rule": "default",
                "reason": "no rule allows b.example:443 for user ci",
                "message": "Ask the operator of the proxy to allow the destination; the rule is named in the answer.",
                "status": 403, "error": "http_request_denied", "upstream": None, "address": None,
                "connect_timeout": 0.0, "idle_timeout": 0.0, "lifetime": 0.0, "limits": [], "reports": [],
                "shadow": None, "notes": [],
            },
        )  # fmt: skip

    def test_wrong(self) -> None:
        """
        What is wrong with the question is told by its options, all of it, and what is wrong
        with the configuration by its lines.
        """
        status, out, err = self.ask("--dest", "", "--address", "x", "--server-name", "y", "--group", "z")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(
            err.splitlines(),
            [
                "connectproxy explain: --dest: there is no destination; say where to, as in example.com:443",
                "connectproxy explain: --group: groups are a user's, and none is named; say user as well",
                'connectproxy explain: --address: "x" is not an address; give one as in 192.0.2.1 or 2001:db8::1',
            ],
        )
        status, _, err = self.ask("--dest", "a:1", "--listener", "x")
        self.assertEqual(status, 2)
        self.assertIn("--listener: there is no listener", err)
        status, _, err = self.ask("--dest", "a:1", "--allow-ports", "x")
        self.assertEqual(status, 2)
        self.assertIn("--allow-ports: ", err)
        self.assertIn("the configuration can't be used; connectproxy check says more", err)
        for arguments in ([], ["--dest", "a:1"], ["/nowhere", "--dest", "a:1"]):
            self.assertEqual(self.call(main, *arguments)[0], 2)
        self.assertIn("cannot read /nowhere", self.call(main, "/nowhere", "--dest", "a:1")[2])


class ResolveTests(CommandCase):
    """
    L{resolve}.
    """

    def test_hosts(self) -> None:
        """
        What the hosts file has is not asked of the resolver.
        """
        hosts = Path(self.write("hosts", "192.0.2.7 db.internal\n2001:db8::7 db.internal\n"))
        self.patch(explain, "HOSTS", str(hosts))
        self.patch(socket, "getaddrinfo", None)
        self.assertEqual(set(resolve("db.internal.")), {"192.0.2.7", "2001:db8::7"})

    def test_resolver(self) -> None:
        """
        Both families are asked for, absolutely; each address once, without a scope; a failure
        of one is none of the other.
        """
        self.patch(explain, "HOSTS", self.write("hosts", ""))
        asked = []

        def getaddrinfo(*arguments: Any) -> list[Any]:
            asked.append(arguments)
            if arguments[2] == socket.AF_INET6:
                return [(0, 0, 0, "", (host, 0, 0, 0)) for host in ("fe80::1%eth0", "fe80::1")]
            raise socket.gaierror

        self.patch(socket, "getaddrinfo", getaddrinfo)
        self.assertEqual(resolve("a.example."), ("fe80::1",))
        self.assertEqual(
            [(name, family) for name, _, family, _ in asked],
            [("a.example.", socket.AF_INET6), ("a.example.", socket.AF_INET)],
        )
