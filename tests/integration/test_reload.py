"""
Reload of a running proxy: by the command, by SIGHUP, and when files change; while it is at
work, and while files are being written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from connectproxy.certificates import makeAuthority, makeServer
from tests.integration.case import ProxyTestCase
from tests.integration.running import GUARD, TWISTD, Proxy, environment, waitFor

pytestmark = pytest.mark.integration

CLOSED = 9
"""The port of discard (RFC 863), where nobody listens."""

CONFIG = """
[[listen]]
endpoint = "tcp:0:interface=127.0.0.1"
%(listen)s
[policy]
default = "deny"
%(policy)s
[allow]
list = "list"
networks = ["127.0.0.0/8"]
ports = "any"
[control]
socket = "control"
[audit]
file = "audit"
%(more)s
"""


class ReloadCase(ProxyTestCase):
    """
    A proxy whose configuration and list can be written.
    """

    def setUp(self) -> None:
        """
        A directory with both.
        """
        self.directory = self.temporary()
        self.file = self.directory / "proxy.toml"
        self.list = self.directory / "list"
        self.list.write_text("127.0.0.0/8\n")
        self.configure()

    def configure(self, **more: str) -> None:
        """
        Write the configuration.
        """
        self.file.write_text(CONFIG % {"listen": "", "policy": "", "more": "", **more})

    def started(self) -> Proxy:
        self.proxy = self.launch("--config", str(self.file), listen=())
        waitFor((self.directory / "control").exists, "the control socket")
        return self.proxy

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """
        Run a command of C{connectproxy}.
        """
        return subprocess.run(
            [sys.executable, "-m", "connectproxy", name, *arguments],
            env=environment(),
            capture_output=True,
            timeout=GUARD,
            check=False,
            text=True,
        )

    def reload(self, status: int = 0) -> str:
        """
        Have it read everything anew.

        @return: what the command has said.
        """
        done = self.command("reload", "--control", str(self.directory / "control"))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if status == 1:
            self.proxy._checked = len(self.proxy.log())  # it was to complain
        return done.stderr if status else done.stdout

    def replace(self, text: str) -> None:
        """
        Replace the list in one step.
        """
        beside = self.directory / "list.new"
        beside.write_text(text)
        os.replace(beside, self.list)

    def statusOf(self) -> int:
        """
        How a request is answered.
        """
        origin = self.origin()
        return self.ask(f"127.0.0.1:{origin.getsockname()[1]}", self.proxy).status


class CommandTests(ReloadCase):
    """
    C{connectproxy reload} and C{connectproxy status}.
    """

    def test_list(self) -> None:
        """
        What a list says is in force when the command ends; tunnels that are up go on.
        """
        self.started()
        client, origin = self.tunnel(proxy=self.proxy)
        self.assertPings(client, origin)
        self.replace("127.0.0.9\n")
        self.assertIn("is in force", self.reload())
        self.assertEqual(self.statusOf(), 403)
        self.assertPings(client, origin)
        self.replace("127.0.0.0/8\n")
        self.reload()
        self.assertEqual(self.statusOf(), 200)

    def test_broken(self) -> None:
        """
        What is wrong is told with its place, by the command and in the log; the one from
        before stays in force, and the exit status is 1.
        """
        self.started()
        self.configure(policy="deflaut = 1")
        said = self.reload(1)
        self.assertIn(f"{self.file}:7 [policy] deflaut: ", said)
        self.assertIn("from before stays in force", said)
        self.assertIn(f"{self.file}:7 [policy] deflaut: ", self.proxy.log())
        self.assertEqual(self.statusOf(), 200)
        self.configure()
        self.replace("no name at all\n")
        self.assertIn(f"{self.list}:1", self.reload(1))
        self.assertEqual(self.statusOf(), 200)

    def test_restart(self) -> None:
        """
        What takes a restart is named; the rest is in force.
        """
        self.started()
        self.configure(more="[relay]\nsplice = false\n")
        self.replace("127.0.0.9\n")
        self.assertIn("relay.splice has changed: that takes a restart", self.reload())
        self.assertEqual(self.statusOf(), 403)

    def test_unreachable(self) -> None:
        """
        Where no proxy is, the exit status is 2; the configuration says where to look, too.
        """
        done = self.command("reload", "--config", str(self.file))
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{self.directory / 'control'}: No such file or directory", done.stderr)
        self.started()
        self.assertEqual(self.command("reload", "--config", str(self.file)).returncode, 0)
        self.proxy.process.kill()
        self.proxy.process.wait()
        self.assertEqual(self.command("status", "--config", str(self.file)).returncode, 2)
        self.proxy.process.returncode = -signal.SIGTERM  # that was the test's doing

    def test_status(self) -> None:
        """
        The status has the counts, and what has become of the last reload.
        """
        self.started()
        self.statusOf()
        self.replace("127.0.0.9\n")
        self.reload()
        self.assertEqual(self.statusOf(), 403)
        done = self.command("status", "--json", "--config", str(self.file))
        self.assertEqual(done.returncode, 0, done.stderr)
        state = json.loads(done.stdout)
        self.assertTrue(state["reload"]["done"])
        counts = {(each["decision"], each["rule"]): each["count"] for each in state["decisions"]}
        self.assertEqual(counts["deny", "default"], 1)
        self.assertEqual(sum(count for (decision, _), count in counts.items() if decision == "allow"), 1)
        shown = self.command("status", "--config", str(self.file)).stdout
        self.assertIn(state["configuration"], shown)
        self.assertRegex(shown, r"\n +1  deny default\n")

    def test_rejudged(self) -> None:
        """
        Where that is asked for, tunnels that the new rules deny are ended.
        """
        self.configure(policy="rejudge = true")
        self.started()
        client, _ = self.tunnel(proxy=self.proxy)
        self.replace("127.0.0.9\n")
        self.reload()
        try:
            ended = client.recv(1) == b""
        except ConnectionResetError:
            ended = True
        self.assertTrue(ended)

    def test_audit(self) -> None:
        """
        Each decision is a line of the audit file, with the configuration that it was made by.
        """
        self.started()
        self.statusOf()
        self.replace("127.0.0.9\n")
        self.reload()
        self.statusOf()

        def lines() -> list[dict[str, Any]]:
            return [json.loads(line) for line in (self.directory / "audit").read_text().splitlines()]

        waitFor(lambda: len(lines()) == 2, "two decisions")
        self.assertEqual([each["decision"] for each in lines()], ["allow", "deny"])
        self.assertEqual(len({each["config"] for each in lines()}), 2)

    def test_twice(self) -> None:
        """
        A second proxy does not take the socket of one that is up.
        """
        self.started()
        done = subprocess.run(
            [*TWISTD, "-n", "--pidfile=", "connectproxy", "--config", str(self.file)],
            cwd=self.temporary(),
            env=environment(),
            capture_output=True,
            timeout=GUARD,
            check=False,
            text=True,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("a proxy that is up answers there", done.stdout + done.stderr)
        self.reload()


class ChangeTests(ReloadCase):
    """
    Without a command.
    """

    def test_hangUp(self) -> None:
        """
        SIGHUP is enough.
        """
        self.started()
        self.replace("127.0.0.9\n")
        os.kill(self.proxy.process.pid, signal.SIGHUP)
        self.proxy.waitForLog("is in force; before it was")
        self.assertEqual(self.statusOf(), 403)

    def test_byItself(self) -> None:
        """
        So is time, once a file has stopped changing; what is wrong is told once.
        """
        self.started()
        self.replace("127.0.0.9\n")
        self.proxy.waitForLog("is in force; before it was")
        self.assertEqual(self.statusOf(), 403)
        self.replace("no name at all\n")
        self.proxy.waitForLog("stays in force")
        self.proxy._checked = len(self.proxy.log())
        self.replace("127.0.0.0/8\n")
        waitFor(lambda: self.statusOf() == 200, "the list")
        self.assertEqual(self.proxy.log().count("stays in force"), 1)

    def test_certificate(self) -> None:
        """
        Certificates are taken up with the rest: all of it or nothing.
        """
        ca = makeAuthority("connectproxy tests")

        def put(name: str) -> str:
            issued = makeServer(ca, [name])
            path = self.directory / "proxy.pem"
            path.write_bytes(issued.certificatePEM + issued.keyPEM)
            return str(path)

        self.configure(listen=f'tls_certificate = "{put("one.example")}"')
        self.started()
        put("two.example")
        self.replace("127.0.0.9\n")
        self.reload()
        self.assertIn("TLS for two.example", self.proxy.log())
        (self.directory / "proxy.pem").write_text("nothing")
        self.replace("127.0.0.0/8\n")
        self.assertIn("there is no certificate", self.reload(1))
        self.assertEqual(self.statusOf(), 403)


class WritingTests(ReloadCase):
    """
    Reload while somebody writes.
    """

    names = 3000

    def text(self, generation: int) -> str:
        """
        A list whose first and last lines belong together.
        """
        inner = "".join(f"a{number}.g{generation}.test\n" for number in range(self.names))
        return f"127.0.0.{1 + generation % 2}\n{inner}127.0.0.{3 + generation % 2}\n"

    def reloads(self, write: Any, pause: float) -> None:
        """
        Reload while a list is written again and again: no reload ends but with a whole list
        or a word that it would not stand still, and no request is left without its answer.
        """
        write(self.text(0))
        self.started()
        stop = threading.Event()

        def writer() -> None:
            generation = 0
            while not stop.wait(pause):
                generation += 1
                write(self.text(generation))

        thread = threading.Thread(target=writer)
        thread.start()
        try:
            for _ in range(3):
                done = self.command("reload", "--control", str(self.directory / "control"))
                said = done.stdout + done.stderr
                self.assertIn(done.returncode, (0, 1), said)
                if done.returncode:
                    self.assertIn("again and again", said)
                    continue
                # Both belong to one generation, so either both halves of it are there or none.
                found = [self.asked(number) for number in (1, 2, 3, 4)]
                self.assertIn(found, ([True, False, True, False], [False, True, False, True]), said)
        finally:
            stop.set()
            thread.join()
            self.proxy._checked = len(self.proxy.log())
        write("127.0.0.0/8\n")
        self.reload()
        self.assertEqual(self.statusOf(), 200)

    def asked(self, number: int) -> bool:
        """
        Whether a tunnel to an address is allowed: nobody listens there.
        """
        return self.ask(f"127.0.0.{number}:{CLOSED}", self.proxy).status != 403

    def test_replaced(self) -> None:
        """
        By C{os.replace}, as it should be.
        """
        self.reloads(self.replace, 0.01)

    def test_overwritten(self) -> None:
        """
        By truncating it and writing it anew, as it should not be.
        """
        self.reloads(self.list.write_text, 0.3)
