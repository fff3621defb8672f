"""
Tests for L{connectproxy.commands.connect}.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted import internet
from twisted.internet.defer import fail
from twisted.internet.protocol import Protocol

from connectproxy.commands import connect
from connectproxy.commands.connect import USAGE, main
from connectproxy.commands.joining import REFUSED, RESET, UNWRITTEN
from connectproxy.config import configure
from connectproxy.routes import Routes
from connectproxy.ways import Ways
from tests.commands.case import CommandCase
from tests.commands.test_joining import FakeStreams
from tests.fakes import FakeReactor, FakeUpstream, Peer, pipePair


class RunningReactor(FakeReactor):
    """
    A reactor that is run.

    @ivar script: what happens while it runs.
    """

    script: Callable[[RunningReactor], None] = staticmethod(lambda reactor: None)
    running = False

    def callWhenRunning(self, call: Callable[..., None], *args: Any) -> None:
        self.callLater(0, call, *args)

    def run(self, installSignalHandlers: bool = True) -> None:
        assert not installSignalHandlers
        self.running = True
        self.flush()
        self.script(self)
        self.flush()
        assert not self.running, "it was not stopped"

    def stop(self) -> None:
        self.running = False


class MainTests(CommandCase):
    """
    C{connectproxy connect}.
    """

    def setUp(self) -> None:
        """
        What the command does to signals is undone.
        """
        CommandCase.setUp(self)
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        self.reactor = RunningReactor()

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run it.

        @return: its status, what it prints, and what it complains of.
        """
        with mock.patch.object(internet, "reactor", self.reactor, create=True):
            return self.call(main, *arguments)

    def dialled(self, *arguments: str) -> tuple[str, int]:
        """
        Where the first connection goes to; it is refused.
        """

        def script(reactor: RunningReactor) -> None:
            for attempt in reactor.attempts:
                attempt.fail(errno.ECONNREFUSED)

        self.reactor = RunningReactor()
        self.reactor.script = script
        status, out, err = self.run_(*arguments)
        self.assertEqual((status, out), (REFUSED, ""))
        self.assertIn("refused the connection (connection_refused)\nCheck", err)
        (attempt,) = self.reactor.attempts
        return attempt.host, attempt.port

    def test_targets(self) -> None:
        """
        Where to, in one word or in two, which is what IPv6 of ssh's needs.
        """
        self.assertEqual(self.dialled("192.0.2.1:443"), ("192.0.2.1", 443))
        self.assertEqual(self.dialled("192.0.2.1", "443"), ("192.0.2.1", 443))
        self.assertEqual(self.dialled("2001:db8::1", "22"), ("2001:db8::1", 22))
        self.assertEqual(self.dialled("[2001:db8::1]", "22"), ("2001:db8::1", 22))
        self.assertEqual(self.dialled("[2001:db8::1]:22"), ("2001:db8::1", 22))

    def test_private(self) -> None:
        """
        No policy is asked: whoever runs it could connect anywhere without it.
        """
        self.assertEqual(self.dialled("127.0.0.1:1"), ("127.0.0.1", 1))

    def test_upstream(self) -> None:
        """
        Through another proxy, whose address is what is connected to; exceptions go straight.
        """
        for url in ("http://192.0.2.80:3128", "socks5h://192.0.2.80:3128", "socks5://192.0.2.80:3128"):
            self.assertEqual(self.dialled("--upstream", url, "192.0.2.1:443"), ("192.0.2.80", 3128))
        self.assertEqual(
            self.dialled("--upstream", "http://192.0.2.80", "--no-proxy", "192.0.2.0/28", "192.0.2.1:443"),
            ("192.0.2.1", 443),
        )

    def test_chain(self) -> None:
        """
        Several are a chain, which begins with the first.
        """
        urls = ("--upstream", "http://192.0.2.80", "--upstream", "socks5h://192.0.2.81")
        self.assertEqual(self.dialled(*urls, "a.example:443"), ("192.0.2.80", 3128))

    def test_file(self) -> None:
        """
        A configuration names upstreams, and need not say how addresses are dealt with, since
        nothing here judges them.
        """
        path = self.write(
            "way.toml",
            '[route]\nupstream = "corp"\n[[upstream]]\nname = "corp"\nurl = "http://192.0.2.80:8080"\n',
        )
        self.assertEqual(self.dialled("-c", path, "a.example:443"), ("192.0.2.80", 8080))

    def test_addresses(self) -> None:
        """
        The next hop gets what was asked for, unless its scheme says that names are looked up
        here, or somebody has said so.
        """
        said = [
            {"name": "a", "url": "http://192.0.2.80"},
            {"name": "b", "url": "socks5://192.0.2.80"},
            {"name": "c", "url": "http://192.0.2.80", "addresses": "judged"},
            {"name": "d", "members": ["a"]},
        ]
        config = connect._unasked(configure(upstream=said))
        found = [row.options["addresses"] for row in config.rows["upstream"]]
        self.assertEqual(found, ["unseen", "", "judged", "unseen"])
        for url, addresses, expected in (
            ("http://192.0.2.80", "", "unseen"),
            ("socks4://192.0.2.80", "", ""),
            ("socks5h://192.0.2.80", "judged", "judged"),
        ):
            config = configure(route={"upstream": [url], "addresses": addresses})
            self.assertEqual(connect._unasked(config)["route.addresses"], expected)
        self.assertEqual(connect._unasked(configure())["route.addresses"], "")

    def test_wrong(self) -> None:
        """
        A command line or a configuration that is wrong: why, and nothing is connected to.
        """
        for arguments, words in (
            (("a.example",), "'a.example' has no port"),
            (("a", "b", "c"), "say where to: HOST:PORT, or HOST and PORT"),
            (("a", "ssh"), "say where to"),
            (("a", "65536"), "port 65536 is out of range"),
            (("\udce4.example:1",), "is not in ASCII"),
            (("-c", "/nonexistent", "a:1"), "/nonexistent"),
            (("--upstream", "nobodys://192.0.2.80:1", "a:1"), "no upstream with the scheme 'nobodys'"),
            (("--upstream", "http://me:secret@192.0.2.80", "a:1"), "--upstream-credentials"),
            ((), "HOST:PORT"),
        ):
            status, out, err = self.run_(*arguments)
            self.assertEqual((status, out), (USAGE, ""), arguments)
            self.assertIn(words, err)
            self.assertNotIn("secret", err)
        self.assertEqual(self.reactor.attempts, [])

    def test_page(self) -> None:
        """
        C{docs/connect.md} has every exit status, and every option is one.
        """
        page = (Path(__file__).parents[2] / "docs" / "connect.md").read_text()
        rows = re.findall(r"^\| (\d) \| (.*) \|$", page, re.MULTILINE)
        self.assertEqual([int(number) for number, _ in rows], [0, REFUSED, USAGE, RESET, UNWRITTEN])
        _, usage, _ = self.run_("--help")
        for option in set(re.findall(r"(--[a-z][a-z-]+)", page)):
            self.assertIn(option, usage)

    def test_help(self) -> None:
        """
        It explains itself, exit statuses included.
        """
        status, out, _ = self.run_("--help")
        self.assertEqual(status, 0)
        for words in ("--upstream NAME|URL", "--no-proxy", "HOST:PORT", "3 if the far side"):
            self.assertIn(words, out)

    def test_bug(self) -> None:
        """
        A failure of our own is raised.
        """
        broken = FakeUpstream(self.reactor)
        self.patch(broken, "connect", lambda *args: fail(ZeroDivisionError()))
        ways = Ways(Routes({"direct": broken}), {}, ())
        self.patch(connect, "_ways", lambda reactor, config: ways)
        self.assertRaises(ZeroDivisionError, self.run_, "a:1")

    def test_joined(self) -> None:
        """
        Standard input and output are taken when there is a connection, and not before; an
        orderly end is success.
        """
        taken: list[Any] = []

        def streams(reactor: Any, source: Any, sink: Any) -> Any:
            taken.append((source, sink))
            pipe = pipePair(reactor, Peer(closeAtEnd=True), Protocol())
            pipe.second.__class__ = FakeStreams
            return pipe.second

        def script(reactor: RunningReactor) -> None:
            assert not taken
            reactor.attempts[0].succeed().transport.loseConnection()

        self.patch(connect, "Descriptor", lambda number: number)
        self.patch(connect, "StandardStreams", streams)
        self.reactor.script = script
        self.assertEqual(self.run_("192.0.2.1:443"), (0, "", ""))
        self.assertEqual(taken, [(0, 1)])

    def test_interrupted(self) -> None:
        """
        The signal of a terminal ends the command as it ends any other.
        """
        self.dialled("192.0.2.1:443")
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.SIG_DFL)

    def test_closedStreams(self) -> None:
        """
        Numbers of standard streams that were closed are not left to anything else.
        """
        numbers = iter([0, 2, 7])
        self.patch(os, "open", lambda *args: next(numbers))
        closed: list[int] = []
        self.patch(os, "close", closed.append)
        connect._fillStandard()
        self.assertEqual(closed, [7])
