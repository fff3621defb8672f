"""
Tests that run programs: each with an environment of its own, and against the one port.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.integration.case import ProxyTestCase
from tests.integration.origins import Web, authority
from tests.integration.running import GUARD, LOCAL, environment, waitFor

__all__ = ["CLIENTS", "NEAR", "PAGE", "PASSWORD", "USER", "OnePortCase", "ProgramTestCase"]

CLIENTS = Path(__file__).with_name("clients")
"""Where those clients are that are written for the tests, in languages of their own."""

PAGE = b"a page, by way of a proxy\n"

USER = "ann"

PASSWORD = "pass:word"
"""With a colon, at which only the first separates (RFC 7617 section 2)."""


NEAR = (*LOCAL, "--allow-ports", "1024-65535")
"""
Options that open this machine's loopback networks, where the tests' origins are, and keep
programs from the services that they would call on their own: a browser knows several.
"""


class ProgramTestCase(ProxyTestCase):
    """
    Tests with a program.
    """

    def web(self, **more: bool) -> Web:
        """
        A server with one page.
        """
        return self.closing(Web({"/": PAGE}, **more))

    def serving(self, serve: Callable[[socket.socket], None]) -> int:
        """
        Accept one connection, in a thread, and have it served.

        @return: the port.
        """
        origin = self.origin()

        def run() -> None:
            sock = origin.accept()[0]
            with sock:
                serve(sock)

        thread = threading.Thread(target=run, daemon=True)
        self.addCleanup(thread.join)
        thread.start()
        return origin.getsockname()[1]

    def command(
        self,
        *words: str | Path,
        said: bytes = b"",
        status: int = 0,
        home: str = "/nonexistent",
        both: bool = False,
        **variables: str,
    ) -> bytes:
        """
        Run a command, which has to end with a status.

        @param said: what it reads from standard input.
        @param home: the directory with its user's settings.
        @param both: what it writes to standard error counts as well, as if it was to fail.
        @return: what it wrote.
        """
        done = subprocess.run(
            list(map(str, words)),
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if status or both else subprocess.PIPE,
            env=environment(HOME=home, **variables),
            cwd=self.temporary(),
            timeout=GUARD,
            check=False,
        )
        self.assertEqual(done.returncode, status, (done.stdout, done.stderr))
        return done.stdout


class OnePortCase(ProgramTestCase):
    """
    Tests at a port that serves every protocol, with TLS and without.

    @cvar asks: whether it asks who somebody is.
    """

    asks = False

    @cached_property
    def arguments(self) -> tuple[str, ...]:  # type: ignore[override]
        """
        The options of the proxy.
        """
        made = authority()
        options = (*NEAR, "--tls-certificate", str(made.chain), "--tls-key", str(made.key))
        return (*options, "--auth", f"{USER}:{PASSWORD}") if self.asks else options

    @property
    def user(self) -> str | None:
        """Whom an event names."""
        return USER if self.asks else None

    def by(self, scheme: str, *, password: str | None = None) -> str:
        """
        The one address, as a client is told.

        @param scheme: what the client is to speak.
        @param password: another than the right one.
        """
        word = (password or PASSWORD).replace(":", "%3A")
        return f"{scheme}://{f'{USER}:{word}@' if self.asks else ''}localhost:{self.proxy.port}"

    def served(self) -> list[dict[str, Any]]:
        """
        The events so far without those of clients that have yet to be asked who they are.
        """
        return [each for each in self.proxy.events() if each["status"] != 407]

    def assertCame(
        self,
        count: int,
        *,
        event: str,
        protocol: str | tuple[str, ...],
        targets: Iterable[str],
        down: int = len(PAGE),
        tls: bool = False,
        more: bool = False,
    ) -> None:
        """
        What a client got came by the proxy, by nothing else, and in the way it should.

        @param count: how many events there are.
        @param protocol: what the client spoke, or what it may have spoken, one for all events.
        @param targets: where to, each at least once.
        @param down: octets at least from the origin, in all events together.
        @param tls: whether the client spoke TLS with the proxy.
        @param more: there may be more events than that.
        """

        def enough() -> bool:
            events = self.served()
            return len(events) >= count and sum(each["bytes_down"] for each in events) >= down

        try:
            waitFor(enough, f"{count} events and {down} octets")
        except AssertionError as error:
            raise AssertionError(f"{error}; the events are {self.proxy.events()}") from None
        events = self.served()
        names = ("event", "protocol", "status", "user")
        ways = {(*(each[name] for name in names), each["tls"] is not None) for each in events}
        protocols = (protocol,) if isinstance(protocol, str) else protocol
        expected = [{(event, each, 200, self.user, tls)} for each in protocols]
        self.assertIn(ways, expected)
        self.assertEqual({each["target"] for each in events}, set(targets))
        if not more:
            self.assertEqual(len(events), count, events)
