"""
The commands of C{docs/users.md}, as they stand there: its files are made by them, and curl says
who asks in each of the ways.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from typing import ClassVar

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.origins import Web, authority
from tests.integration.running import GUARD, LOCAL, environment, waitFor
from tests.pagecase import CODE, DOCS, FENCE

pytestmark = pytest.mark.integration

PAGE = b"a page"


def commands(section: str, program: str) -> list[str]:
    """
    The command lines of a section that begin with a program, set off or in a table, and are
    whole ones.
    """
    text = re.split(rf"^## {section}$", (DOCS / "users.md").read_text(), flags=re.MULTILINE)[1]
    text = FENCE.sub("", re.split(r"^## ", text, flags=re.MULTILINE)[0])
    lines = [*re.findall(r"^    (.*)$", text, re.MULTILINE), *CODE.findall(text)]
    whole = r" .*:8080" if program == "curl" else " "
    return [line for line in lines if re.match(program + whole, line)]


class PageTests(ProxyTestCase):
    """
    A proxy that takes passwords, Digest and tokens.

    @cvar files: what the commands of the page have made, by name.
    """

    files: ClassVar[dict[str, bytes]] = {}

    def setUp(self) -> None:
        """
        Have the files made, all of them once, and the proxy run.
        """
        self.directory = self.temporary()
        files = PageTests.files
        for name, octets in files.items():
            (self.directory / name).write_bytes(octets)
        for section in () if files else ("Passwords", "Digest", "Tokens"):
            for line in commands(section, "connectproxy"):
                if "--delete" not in line and "--revoke " not in line:
                    self.shell(line)
        files.update((path.name, path.read_bytes()) for path in self.directory.iterdir())
        self.token = (self.directory / "token").read_text().strip()
        (self.directory / "revoked.txt").touch()
        made = "\n".join(
            f'{key} = "{self.directory / name}"'
            for key, name in (
                ("users", "users.htpasswd"),
                ("digest_users", "users.digest"),
                ("token_keys", "token.key"),
                ("revoked_tokens", "revoked.txt"),
            )
        )
        self.proxy = self.launch(*LOCAL, config=f"[auth]\n{made}\n")
        self.web = self.closing(Web({"/": PAGE}))

    def shell(self, line: str) -> bytes:
        """
        Run a command line, with the interpreter's own C{connectproxy}; it is told the password
        that it asks for.
        """
        line = re.sub(r"^connectproxy\b", f"{shlex.quote(sys.executable)} -m connectproxy", line)
        if " passwd " in line:
            line += " --stdin"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.directory,
            env=environment() | {"CURL_CA_BUNDLE": str(authority().certificate)},
            input=b"secret\n",
            capture_output=True,
            timeout=GUARD,
            check=False,
        )
        self.assertEqual(done.returncode, 0, (line, done.stderr))
        return done.stdout

    def fetch(self, section: str, *means: tuple[str, str]) -> None:
        """
        Run every curl of a section; a last one each is somebody's, by some means.
        """
        lines = commands(section, "curl")
        self.assertEqual(len(lines), len(means), lines)
        for line, known in zip(lines, means, strict=True):
            self.proxy.mark()
            self.assertEqual(self.shell(self.here(line)), PAGE)
            waitFor(self.tunnels, "an event")
            self.assertEqual(self.tunnels(), [known], line)

    def here(self, line: str) -> str:
        """
        A command line for this proxy, this page and this token.
        """
        line = line.replace("127.0.0.1:8080", f"127.0.0.1:{self.proxy.port}")
        line = line.replace("https://example.com/", f"{self.web.url}/")
        return f"TOKEN={self.token}\n" + line.replace("curl ", "curl -q -sS ", 1)

    def tunnels(self) -> list[tuple[str, str]]:
        """
        Whose the tunnels were, and by what means.
        """
        events = self.proxy.events()
        return [(each["user"], each["means"]) for each in events if each["event"] == "tunnel"]

    def test_passwords(self) -> None:
        """
        The password of a file of users.
        """
        self.fetch("Passwords", ("ann", "basic"))

    def test_socks(self) -> None:
        """
        A password and a token by SOCKS.
        """
        self.fetch("SOCKS", ("ann", "password"), ("build-42", "token"))

    def test_digest(self) -> None:
        """
        Digest.
        """
        self.fetch("Digest", ("dora", "digest"))

    def test_tokens(self) -> None:
        """
        A token as Bearer; when it has been revoked it is refused.
        """
        self.fetch("Tokens", ("build-42", "token"))
        (line,) = [line for line in commands("Tokens", "connectproxy") if "--revoke " in line]
        self.shell(line)
        show = next(line for line in commands("Tokens", "connectproxy") if "--show" in line)
        self.assertIn(b"good     yes", self.shell(show))  # without a list it knows no better
        self.assertNotEqual((self.directory / "revoked.txt").read_text(), "")
        self.proxy.process.send_signal(signal.SIGHUP)
        self.proxy.waitForLog("is in force")
        (line,) = commands("Tokens", "curl")
        self.assertRaises(self.failureException, self.shell, self.here(line))
