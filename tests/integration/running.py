"""
Runs the proxy as an operator does: C{twistd -n connectproxy} in a process of its own.

A test waits for what it needs to see (a line of the log, an event, an answer) and never
for a time.  The one limit there is, L{GUARD}, is a way out of a test that hangs.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["GUARD", "LOCAL", "ROOT", "STOPPED", "TWISTD", "Proxy", "environment", "shared", "waitFor"]

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

GUARD = 60.0
"""Seconds after which a test gives up.  No measure of anything: only a way out."""

LOCAL = ("--allow-network", "127.0.0.0/8", "--allow-network", "::1", "--allow-ports", "any")
"""Options that open this machine's loopback networks, where the tests' origins are."""

STOPPED = -signal.SIGTERM
"""
How a proxy ends that was told to.  When all has been shut down C{twistd} ends itself by the
same signal, so that its parent (systemd, a shell) learns what it was that ended it.
"""

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
"""The C{twistd} of the Python that runs the tests, whatever is on the path."""

_LISTENS = re.compile(r"connectproxy listens at (\S+)")

_FOR_CLIENTS = re.compile("_proxy$|^GIT_|SSL|_CA_|_CERT", re.IGNORECASE)

_BAD = re.compile(r"^.*(?:Traceback|Unhandled|#critical|connectproxy\S*#error|Warning:).*$", re.MULTILINE)


def waitFor(ready: Callable[[], T], what: str) -> T:
    """
    Look again and again until there is something.

    @param what: what is waited for, for the message.
    @return: the first true value of C{ready()}.
    """
    deadline = time.monotonic() + GUARD
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {GUARD:g} s in vain for {what}")
        time.sleep(0.01)
    return found


def environment(**more: str) -> dict[str, str]:
    """
    The environment of a child process: the checkout can be imported, and what the machine
    has set for clients (proxies, authorities) does not count.
    """
    kept = {name: value for name, value in os.environ.items() if not _FOR_CLIENTS.search(name)}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "LC_ALL": "C.UTF-8"} | more


class Proxy:
    """
    One running proxy.

    @ivar directory: where it runs.
    @ivar addresses: where it listens, as its log says.
    @ivar access: its access log.
    @ivar output: what it writes to standard output.
    """

    def __init__(
        self,
        *arguments: str,
        config: str = "",
        descriptors: int = 0,
        listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",),
        events: bool = True,
        apart: bool = False,
        program: tuple[str, ...] = TWISTD,
        before: tuple[str, ...] = (),
    ) -> None:
        """
        Start it, and wait until it listens or has given up.

        @param arguments: options besides C{--listen}, and C{--access-log} with C{events}.
        @param config: the text of a configuration file; none without a text.
        @param descriptors: its limit of open files; 0 for the one that the tests have.
        @param apart: its log is not on standard output but in a file.
        @param program: C{twistd}, or what does something else before.
        @param before: a command that becomes the one behind it, such as C{env}.
        """
        self._temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.directory = Path(self._temporary.name)
        self.access = self.directory / "access.json"
        self._log = self.directory / "log"
        self._marked = self._checked = 0
        options = [each for endpoint in listen for each in ("--listen", endpoint)]
        if events:
            options += ["--access-log", str(self.access)]
        if config:
            (self.directory / "proxy.toml").write_text(config)
            options += ["--config", str(self.directory / "proxy.toml")]
        logging = [f"--logfile={self._log}"] if apart else []
        command = [*program, "-n", "--pidfile=", *logging, "connectproxy", *options, *arguments]
        if descriptors:
            command = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]
        command = [*before, *command]
        self._log.touch()
        self.output = self.directory / "output" if apart else self._log
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wanted = len(listen) or 1
            waitFor(lambda: len(self._listening()) >= wanted or self.process.poll() is not None, "the start")
        except BaseException:
            self.discard()
            raise
        self.addresses = self._listening()

    def _listening(self) -> list[str]:
        return _LISTENS.findall(self.log())

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return int(self.addresses[0].rpartition(":")[2])

    @property
    def url(self) -> str:
        """What to tell clients."""
        return f"http://{self.addresses[0]}"

    def log(self) -> str:
        """
        All that it has written so far.
        """
        return self._log.read_text(errors="replace")

    def waitForLog(self, text: str) -> None:
        """
        Wait until its log has a text.
        """
        waitFor(lambda: text in self.log(), f"{text!r} in the log:\n{self.log()}")

    def events(self) -> list[dict[str, Any]]:
        """
        The events so far, since L{mark}.
        """
        if not self.access.exists():
            return []
        with self.access.open("rb") as file:
            file.seek(self._marked)
            octets = file.read()
        return [json.loads(line) for line in octets[: octets.rfind(b"\n") + 1].splitlines()]

    def mark(self) -> None:
        """
        Forget the events so far.
        """
        self._marked = self.access.stat().st_size if self.access.exists() else 0

    def event(self, client: str) -> dict[str, Any]:
        """
        Wait for the event of a connection.

        @param client: the client's address and port.
        """

        def found() -> list[dict[str, Any]]:
            return [each for each in self.events() if each["client"] == client]

        return waitFor(found, f"an event of {client}")[-1]

    def waitForEvents(self, count: int) -> None:
        """
        Wait until there are that many events.
        """
        waitFor(lambda: len(self.events()) >= count, f"{count} events")

    def memory(self) -> int:
        """
        How much of the machine's memory it occupies, in octets.
        """
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kibibytes,) = re.findall(r"VmRSS:\s*(\d+) kB", status)
        return int(kibibytes) * 1024

    def terminate(self) -> None:
        """
        Tell it to stop.
        """
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """
        @return: the exit status.
        """
        return self.process.wait(GUARD)

    def check(self) -> None:
        """
        Raise if it has logged since the last time what a proxy in order never logs.
        """
        said = self.log()
        new, self._checked = said[self._checked :], len(said)
        if _BAD.search(new):
            raise AssertionError(f"the proxy is not well:\n{new}")

    def close(self) -> None:
        """
        Stop it, if nobody has, and raise if it was not well or did not end as it should.
        """
        try:
            if self.process.poll() is None:
                self.terminate()
                status = self.wait()
                if status != STOPPED:
                    raise AssertionError(f"the proxy ended with the status {status}:\n{self.log()}")
            self.check()
        finally:
            self.discard()

    def discard(self) -> None:
        """
        Make sure that it is gone, and its files too.
        """
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._temporary.cleanup()


@functools.cache
def shared(arguments: tuple[str, ...], config: str) -> Proxy:
    """
    The proxy that all tests with the same wishes share: a process takes its time to start.
    """
    proxy = Proxy(*arguments, config=config)
    atexit.register(proxy.discard)
    return proxy
