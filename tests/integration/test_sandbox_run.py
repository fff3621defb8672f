"""
C{examples/sandbox/run} by itself, without a proxy behind it or with one that is a bare socket.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from connectproxy.config import configure
from connectproxy.own import OwnPorts
from connectproxy.policy import buildPolicy
from tests.integration.case import ProxyTestCase
from tests.integration.raw import listening, readExactly
from tests.integration.running import GUARD, environment
from tests.integration.sandboxed import RUN, namespaces, ran

pytestmark = pytest.mark.integration

LIST = RUN.with_name("allow.txt")

PING = """
import socket
with socket.create_connection(("127.0.0.1", 3128)) as sock:
    sock.sendall(b"ping")
    print(sock.recv(4))
"""

LEFT = """
import os, socket
sock = socket.create_connection(("127.0.0.1", 3128))
sock.sendall(b"ping")
sock.recv(4)
if not os.fork():
    os.dup2(os.open("/dev/null", os.O_RDWR), 2)
    os.dup2(2, 1)
    sock.recv(1)
"""
"""Leaves a process behind that has a connection; it ends when that does."""


def module() -> ModuleType:
    """
    The script as a module.
    """
    loader = importlib.machinery.SourceFileLoader("sandbox_run", str(RUN))
    spec = importlib.util.spec_from_loader("sandbox_run", loader)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(made)
    finally:
        sys.dont_write_bytecode = written
    return made


class RunCase(ProxyTestCase):
    """
    Tests that need no proxy.
    """

    def setUp(self) -> None:
        """
        Have the kernel make namespaces.
        """
        namespaces("net")

    def run_(
        self, *words: str | Path, before: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """
        Run the script.
        """
        return ran(sys.executable, RUN, *words, directory=self.temporary(), before=before, **variables)


class StatusTests(RunCase):
    """
    How it ends.
    """

    def test_status(self) -> None:
        """
        It ends as the command does, and says 128 and more of a signal.
        """
        for script, status in (("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)):
            done = self.run_("sh", "-c", script)
            self.assertEqual((done.returncode, done.stderr), (status, ""))

    def test_arguments(self) -> None:
        """
        The command has all of its arguments, be they like options, and its input and output.
        """
        for dashes in ((), ("--",)):
            done = self.run_(*dashes, "printf", "%s.", "--token", "-x", "")
            self.assertEqual((done.stdout, done.returncode), ("--token.-x..", 0))

    def test_noCommand(self) -> None:
        """
        What can't be run is told as env tells it; so is what is wrong with the options.
        """
        empty = self.temporary() / "empty"
        empty.write_text("\n")
        for words, status, said in (
            (("no-such-command",), 127, "run: no-such-command: No such file or directory"),
            (("/",), 126, "run: /: Permission denied"),
            (("--proxy", "localhost", "true"), 125, "run: --proxy localhost has no port"),
            (("--token", "/nonexistent", "true"), 125, "run: cannot read the token /nonexistent"),
            (("--token", empty, "true"), 125, "has no token; make one: connectproxy token --key"),
            ((), 2, "the following arguments are required: COMMAND"),
        ):
            done = self.run_(*words)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn(said, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_terminated(self) -> None:
        """
        SIGTERM is for the command, from its first moment on.
        """
        script = 'trap "echo ended; exit 7" TERM; echo up; for i in $(seq 600); do sleep 0.1; done'
        child = subprocess.Popen(
            [sys.executable, RUN, "sh", "-c", script], stdout=subprocess.PIPE, env=environment(), text=True
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        assert child.stdout is not None
        self.addCleanup(child.stdout.close)
        self.assertEqual(child.stdout.readline(), "up\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual((child.communicate(timeout=GUARD)[0], child.returncode), ("ended\n", 7))


class WayTests(RunCase):
    """
    The way out.
    """

    def exchange(self, script: str) -> tuple[str, str]:
        """
        Have a script send C{ping}, and answer it.  It ends well, and the way behind it.

        @return: what it has written, to standard output and error.
        """
        origin = self.closing(listening())
        where = f"127.0.0.1:{origin.getsockname()[1]}"
        child = subprocess.Popen(
            [sys.executable, RUN, "--proxy", where, sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        sock = self.accept(origin)
        self.assertEqual(readExactly(sock, 4), b"ping")
        sock.sendall(b"pong")
        written = child.communicate(timeout=GUARD)
        self.assertEqual((child.returncode, sock.recv(1)), (0, b""))
        return written

    def test_carries(self) -> None:
        """
        Octets go both ways, and so does the end.
        """
        self.assertEqual(self.exchange(PING), ("b'pong'\n", ""))

    def test_leftBehind(self) -> None:
        """
        When the command has ended nobody has a way out any more, whom it has left behind
        neither.
        """
        self.assertEqual(self.exchange(LEFT), ("", ""))

    def test_noProxy(self) -> None:
        """
        Where there is no proxy that is said, and the client is not left waiting.
        """
        with listening() as sock:
            where = f"127.0.0.1:{sock.getsockname()[1]}"
        done = self.run_("--proxy", where, "curl", "-sS", "http://a.example/")
        self.assertIn(done.returncode, (52, 56))  # no answer: the end, or a reset, if it was faster
        self.assertIn(f"run: there is no proxy at {where}", done.stderr)


class KernelTests(RunCase):
    """
    What is not allowed everywhere.
    """

    def limited(self, *sorts: str) -> tuple[str, ...]:
        """
        The beginning of a command for which the kernel makes no more namespaces.
        """
        words = " && ".join(f"echo 0 >/proc/sys/user/max_{sort}_namespaces" for sort in sorts)
        return ("unshare", "--user", "--map-root-user", "sh", "-c", f'{words} && exec "$@"', "sh")

    def test_noUsers(self) -> None:
        """
        Root can do without namespaces of users; the command has no capabilities then either.
        """
        script = 'cat /proc/net/dev /proc/self/status; cat "$1"'
        done = self.run_("sh", "-c", script, "sh", "/dev/null", before=self.limited("user"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("lo:", done.stdout)
        self.assertEqual(done.stdout.count(":", 0, done.stdout.index("Name:")), 1)
        for name in ("CapEff", "CapBnd"):
            self.assertIn(f"{name}:\t{0:016x}\n", done.stdout)

    def test_none(self) -> None:
        """
        Where the kernel makes none at all, that is said, with what to do; the command has not
        run.
        """
        done = self.run_("echo", "ran", before=self.limited("user", "net"))
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("run: the kernel makes no network namespace: ", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class EnvironmentTests(ProxyTestCase):
    """
    What programs are told.
    """

    def setUp(self) -> None:
        """
        There is no proxy.
        """
        self.environment = module().environment

    def test_others(self) -> None:
        """
        Settings for other proxies are left out, whatever their case; all else is kept.
        """
        outside = {
            "HOME": "/home",
            "ftp_proxy": "http://other",
            "No_Proxy": "*",
            "HTTP_PROXY": "http://other",
        }
        found = self.environment(outside, "http://us")
        self.assertEqual(found["HOME"], "/home")
        self.assertNotIn("http://other", found.values())
        self.assertNotIn("*", found.values())
        for name in ("http_proxy", "HTTPS_PROXY", "all_proxy", "npm_config_https_proxy", "PIP_PROXY"):
            self.assertEqual(found[name], "http://us")

    def test_git(self) -> None:
        """
        What git has been told by the environment already stays.
        """
        for count, number in (({}, 0), ({"GIT_CONFIG_COUNT": ""}, 0), ({"GIT_CONFIG_COUNT": "2"}, 2)):
            found = self.environment(count, "http://us")
            self.assertEqual(found["GIT_CONFIG_COUNT"], str(number + 1))
            self.assertEqual(found[f"GIT_CONFIG_KEY_{number}"], "http.proxy")
            self.assertEqual(found[f"GIT_CONFIG_VALUE_{number}"], "http://us")


class ListTests(ProxyTestCase):
    """
    C{examples/sandbox/allow.txt}.
    """

    def setUp(self) -> None:
        """
        There is no proxy.
        """

    def build(self, path: Path) -> None:
        """
        Build the policy of the profile with a list.
        """
        buildPolicy(configure(proxy={"profile": "sandbox"}, allow={"list": str(path)}), OwnPorts())

    def test_isRead(self) -> None:
        """
        It can be used as it is, and so can each of the forms that it explains.
        """
        self.build(LIST)
        lines = LIST.read_text().splitlines()
        forms = [line[1:].split()[0] for line in lines if line.startswith("#   ") and line[4] != " "]
        self.assertEqual(len(forms), 7)
        every = self.temporary() / "list"
        every.write_text("\n".join(forms))
        self.build(every)
