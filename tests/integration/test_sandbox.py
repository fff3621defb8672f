"""
The sandbox as a whole: the profile, and pip, npm, git and curl in a network namespace whose
only way out is the proxy.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.case import ProxyTestCase
from tests.integration.raw import head, readExactly
from tests.integration.running import ROOT, waitFor
from tests.integration.sandboxed import PAGE, USER, sandbox

pytestmark = pytest.mark.integration

TRY = """
import errno, socket, sys
for host, port in ("10.0.0.1", 443), ("fd00::1", 443), ("127.0.0.1", int(sys.argv[1])), ("pypi.example", 443):
    for sort in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=sort)[0]
            with socket.socket(family, sort) as sock:
                sock.connect(address)
            print("connected")
        except socket.gaierror:
            print("no name")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""
"""Tries to reach addresses of its own accord, each by TCP and UDP."""


class SandboxCase(SynchronousTestCase):
    """
    Tests with commands in the namespace.
    """

    def setUp(self) -> None:
        """
        Have everything run; whatever a test does, no token is in what the proxy writes.
        """
        self.sandbox = sandbox()
        directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.since = len(self.sandbox.decisions())
        self.addCleanup(self.sandbox.proxy.check)
        self.addCleanup(lambda: self.assertEqual(self.sandbox.leaks(), []))

    def run_(
        self, *words: str | Path, status: int | None = 0, known: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a command there.

        @param status: how it has to end; L{None} for any failure.
        """
        done = self.sandbox.run(*words, directory=self.directory, known=known, **variables)
        what = (words, done.returncode, done.stdout, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        if status is None:
            self.assertNotEqual(done.returncode, 0, what)
        else:
            self.assertEqual(done.returncode, status, what)
        return done

    def assertDecided(self, *expected: tuple[str | None, str, str, str | None]) -> None:
        """
        The audit file has lines of the test's own for these, each at least once, and for
        nothing else.

        @param expected: user, name of the destination, decision and rule.
        """

        def found() -> set[tuple[str | None, str, str, str | None]]:
            lines = self.sandbox.decisions(since=self.since)
            return {
                (each["user"], each["target"].rpartition(":")[0], each["decision"], each["rule"])
                for each in lines
            }

        waitFor(lambda: found() >= set(expected), f"{expected} among {found()}")
        self.assertEqual(found(), set(expected))


class ClientTests(SandboxCase):
    """
    Programs that know nothing but their environment: what is listed works with the token, and
    fails without.
    """

    def assertServed(self, name: str, known: bool) -> None:
        """
        The proxy has let somebody go to an origin, or has not.
        """
        self.assertDecided(
            (USER, f"{name}.example", "allow", "allow-list")
            if known
            else (None, f"{name}.example", "deny", None)
        )

    def pip(self, **more: Any) -> str:
        """
        Install a package.
        """
        done = self.run_(
            *(
                sys.executable,
                "-m",
                "pip",
                "install",
                "--no-cache-dir",
                "--target",
                self.directory / "t",
                "tiny",
            ),
            PIP_INDEX_URL=f"{self.sandbox.urls['pypi']}/simple",
            PIP_CERT=str(self.sandbox.trusted),
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            PIP_RETRIES="1",
            **more,
        )
        return done.stdout + done.stderr

    def test_pip(self) -> None:
        """
        C{pip install}, from an index.
        """
        self.pip()
        self.assertEqual((self.directory / "t" / "tiny.py").read_text(), "SIZE = 1\n")
        self.assertServed("pypi", True)

    def test_pipUnknown(self) -> None:
        """
        Without the token pip tells of the 407.
        """
        self.assertIn("407 Proxy Authentication Required", self.pip(status=1, known=False))
        self.assertServed("pypi", False)

    def npm(self, **more: Any) -> str:
        """
        Install a package.
        """
        done = self.run_(
            *("npm", "install", "tiny"),
            npm_config_registry=self.sandbox.urls["registry"],
            npm_config_cafile=str(self.sandbox.trusted),
            npm_config_audit="false",
            npm_config_fund="false",
            npm_config_update_notifier="false",
            npm_config_fetch_retries="0",
            **more,
        )
        return done.stdout + done.stderr

    def test_npm(self) -> None:
        """
        C{npm install}, from a registry.
        """
        self.npm()
        self.assertTrue((self.directory / "node_modules" / "tiny" / "index.js").exists())
        self.assertServed("registry", True)

    def test_npmUnknown(self) -> None:
        """
        Without the token npm fails, and has installed nothing.
        """
        self.assertIn("407", self.npm(status=None, known=False))
        self.assertFalse((self.directory / "node_modules" / "tiny").exists())
        self.assertServed("registry", False)

    def git(self, **more: Any) -> str:
        """
        Clone a repository.
        """
        return self.run_(
            *("git", "clone", "-q", f"{self.sandbox.urls['git']}/tiny.git", "clone"),
            GIT_SSL_CAINFO=str(self.sandbox.trusted),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
            **more,
        ).stderr

    def test_git(self) -> None:
        """
        C{git clone}.
        """
        self.git()
        self.assertTrue((self.directory / "clone" / ".git" / "HEAD").exists())
        # git asks without credentials at first, to see which scheme is wanted.
        waitFor(lambda: "allow" in {each["decision"] for each in self.own()}, "a permission")
        for each in self.own():
            self.assertEqual((each["decision"] == "allow"), each["user"] == USER, each)

    def own(self) -> list[dict[str, Any]]:
        """
        The lines of the audit file for this test.
        """
        return self.sandbox.decisions(since=self.since)

    def test_gitUnknown(self) -> None:
        """
        Without the token git tells of the 407, and asks nobody for a password.
        """
        self.assertIn("407", self.git(status=128, known=False))
        self.assertServed("git", False)

    def test_curl(self) -> None:
        """
        curl, by a tunnel and by a request that is forwarded.
        """
        done = self.run_(
            "curl", "-sS", "--cacert", self.sandbox.trusted, f"{self.sandbox.urls['pypi']}/simple/tiny/"
        )
        self.assertIn("tiny-1.0-py3-none-any.whl", done.stdout)
        done = self.run_("curl", "-sS", self.sandbox.urls["web"])
        self.assertEqual(done.stdout.encode(), PAGE)
        allowed = ("allow", "allow-list")
        self.assertDecided((USER, "pypi.example", *allowed), (USER, "web.example", *allowed))

    def test_curlUnknown(self) -> None:
        """
        Without the token the answer says how to give one.
        """
        done = self.run_("curl", "-sS", "-w", "%{http_code}", self.sandbox.urls["web"], known=False)
        self.assertTrue(done.stdout.endswith("407"), done.stdout)
        self.assertIn("http://token:TOKEN@proxy:8080", done.stdout)
        self.assertServed("web", False)


class DeniedTests(SandboxCase):
    """
    What is not on the list.
    """

    denied = (USER, "other.example", "deny", "default")

    def test_problem(self) -> None:
        """
        A program that asks for it gets a document that names the destination and the rule,
        and says how to request access.
        """
        url = self.sandbox.urls["other"]
        done = self.run_(*("curl", "-sSi", "-H", "Accept: application/problem+json", url))
        fields, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        self.assertRegex(fields, r"^HTTP/1\.1 403 ")
        self.assertRegex(fields, r"(?m)^Content-Type: application/problem\+json$")
        self.assertRegex(fields, r"(?m)^Proxy-Status: connectproxy; error=http_request_denied$")
        found = json.loads(body)
        (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "sandbox.md").read_text(), re.DOTALL)
        where = url.removeprefix("http://")
        self.assertEqual(found, json.loads(shown.replace("files.example:80", where)))
        self.assertEqual((found["rule"], found["destination"]), ("default", where))
        self.assertIn("To request access, ask the operator", found["remedy"])
        self.assertIn("--allow", found["remedy"])
        self.assertDecided(self.denied)

    def test_tunnel(self) -> None:
        """
        A tunnel to it is denied as well; nothing comes from there.
        """
        url = self.sandbox.urls["other"].replace("http", "https")
        done = self.run_("curl", "-s", "-w", "%{http_connect}", url, status=56)
        self.assertEqual(done.stdout, "403")
        self.assertDecided(self.denied)

    def test_isNotLookedUp(self) -> None:
        """
        A name that is not listed is not looked up either, or what is asked of name servers
        would be a way out; this one has no address, and the answer does not tell.
        """
        done = self.run_("curl", "-sS", "-w", "%{http_code}", "http://a-secret.nowhere.example:8080/")
        self.assertTrue(done.stdout.endswith("403"), done.stdout)
        self.assertDecided((USER, "a-secret.nowhere.example", "deny", "default"))

    def test_text(self) -> None:
        """
        People are told the same.
        """
        done = self.run_("curl", "-sS", self.sandbox.urls["other"])
        self.assertIn("\nRule: default.\nWhat to do: To request access, ask the operator", done.stdout)
        self.assertDecided(self.denied)

    def test_otherPort(self) -> None:
        """
        A name that is listed with a port is so at that one only.
        """
        other = self.sandbox.urls["other"].rpartition(":")[2]
        done = self.run_("curl", "-sS", "-w", "%{http_code}", f"http://web.example:{other}/")
        self.assertTrue(done.stdout.endswith("403"), done.stdout)
        self.assertDecided((USER, "web.example", "deny", "default"))

    def test_address(self) -> None:
        """
        Who goes to the address of a listed name, in place of the name, is denied.
        """
        port = self.sandbox.urls["web"].rpartition(":")[2]
        # By itself curl would keep 127.0.0.1 from the proxy.
        words = ("curl", "-sS", "-w", "%{http_code}", "--noproxy", "", f"http://127.0.0.1:{port}/")
        self.assertTrue(self.run_(*words).stdout.endswith("403"))
        self.assertDecided((USER, "127.0.0.1", "deny", "default"))

    def test_otherToken(self) -> None:
        """
        A token of another key is none, and one that has expired neither.
        """
        sandbox, good = self.sandbox, self.sandbox.token
        other = self.directory / "other.key"
        subprocess.run(
            [sys.executable, "-m", "connectproxy", "token", "--new-key", "--key", other],
            capture_output=True,
            check=True,
        )
        forged = sandbox.minted("--key", str(other))
        brief = sandbox.minted("--expires", "1s")
        self.addCleanup(setattr, sandbox, "token", good)
        sandbox.token = forged
        self.assertIn("signed with none of the keys", self.page())
        sandbox.token = brief
        waitFor(lambda: "the token has expired" in self.page(), "its end")

    def page(self) -> str:
        """
        What comes for a listed page.
        """
        return self.run_("curl", "-sS", self.sandbox.urls["web"]).stdout


class AloneTests(SandboxCase):
    """
    What there is besides the proxy: nothing.
    """

    def test_noWay(self) -> None:
        """
        No address can be reached directly, be it private, of IPv6, or an origin's on this
        machine that can be reached from outside the namespace; and no name is known.
        """
        port = self.sandbox.urls["web"].rpartition(":")[2]
        socket.create_connection(("127.0.0.1", int(port))).close()
        done = self.run_(sys.executable, "-c", TRY, port)
        # To connect by UDP sends nothing; on loopback there is nobody to say so.
        self.assertEqual(
            done.stdout.split("\n"),
            [*["ENETUNREACH"] * 4, "ECONNREFUSED", "connected", "no name", "no name", ""],
        )
        done = self.run_("curl", "-sS", "--noproxy", "*", "http://10.0.0.1/", status=7)
        self.assertEqual(self.sandbox.decisions(since=self.since), [])

    def test_interfaces(self) -> None:
        """
        There is the loopback interface and no other, and no route.
        """
        done = self.run_("cat", "/proc/net/dev", "/proc/net/route")
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual([line[0] for line in lines if line[0].endswith(":")], ["lo:"])
        self.assertEqual(lines[-1][0], "Iface")

    def test_stays(self) -> None:
        """
        Nobody gets out by the namespace of another process, be he root.
        """
        done = self.run_("nsenter", "-t", "1", "-n", "true", status=None)
        self.assertIn("ermitted" if "ermitted" in done.stderr else "denied", done.stderr)
        done = self.run_("grep", "-E", "^(CapEff|CapBnd|NoNewPrivs)", "/proc/self/status")
        self.assertEqual(done.stdout.split()[1::2], ["0" * 16, "0" * 16, "1"])


class ListTests(SandboxCase):
    """
    The list, while the proxy is up.
    """

    def test_added(self) -> None:
        """
        A name that is added is let through within seconds, without a word to the proxy; a
        list that can't be read changes nothing.
        """
        before = self.sandbox.list.read_text()
        self.addCleanup(self.sandbox.write, before)
        words = ("curl", "-sS", self.sandbox.urls["later"])
        self.assertIn("Rule: default.", self.run_(*words).stdout)
        with self.sandbox.list.open("a") as file:
            file.write("later.example\n")
        waitFor(lambda: self.run_(*words).stdout.encode() == PAGE, "the page")
        self.assertDecided(
            (USER, "later.example", "deny", "default"), (USER, "later.example", "allow", "allow-list")
        )
        states = {each["config"] for each in self.sandbox.decisions(since=self.since)}
        self.assertEqual(len(states), 2)


class PastedTests(ProxyTestCase):
    """
    The command of the documentation, with nothing else.
    """

    def setUp(self) -> None:
        """
        There is no proxy to share.
        """

    def test_start(self) -> None:
        """
        It starts in an empty directory, makes its key, says how to make a token and how to use
        it, and keeps both files to itself.
        """
        allowed = self.temporary() / "allow.txt"
        allowed.write_text("pypi.org\n")
        proxy = self.launch("--profile", "sandbox", "--allow", str(allowed), events=False)
        log = proxy.log()
        self.assertIn(
            "made connectproxy-token.key, a key for tokens; make a token by: connectproxy token --key"
            " connectproxy-token.key --user NAME",
            log,
        )
        self.assertIn(f"try: curl -x http://token:TOKEN@{proxy.addresses[0]} https://example.com/", log)
        for name, mode in ("connectproxy-token.key", 0o600), ("connectproxy-audit.jsonl", 0o640):
            self.assertEqual((proxy.directory / name).stat().st_mode & 0o777 & ~mode, 0, name)
        with self.connect(proxy) as client:
            client.sendall(head("pypi.org:443"))
            self.assertEqual(readExactly(client, 12), b"HTTP/1.1 407")
        waitFor((proxy.directory / "connectproxy-audit.jsonl").read_text, "a line")
