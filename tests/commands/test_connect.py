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
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from connectproxy.address import parseAuthority
from connectproxy.commands import connect
from connectproxy.commands.connect import LINGER, REFUSED, RESET, UNWRITTEN, USAGE, Joining, main
from connectproxy.config import configure
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IStandingUpstream
from connectproxy.leg import Leg
from connectproxy.routes import Routes
from connectproxy.ways import Ways
from tests.commands.case import CommandCase
from tests.fakes import FakeReactor, FakeTransport, FakeUpstream, Peer, pipePair

TARGET: Any = parseAuthority(b"db.example:5432")


class FakeStreams(FakeTransport):
    """
    What stands for standard input and output: a fake connection, and what
    L{connectproxy.commands.streams} adds to one.
    """

    tellsEnd = True
    trouble: OSError | None = None
    whenLost: Callable[[], None] | None = None

    def connectionLost(self, reason: Failure) -> None:
        FakeTransport.connectionLost(self, reason)
        assert self.whenLost is not None
        self.whenLost()


@implementer(IStandingUpstream)
class Standing(FakeUpstream):
    """
    An upstream that notes whether it is to be up.
    """

    up = ""

    def start(self) -> None:
        self.up += "up "

    def stop(self) -> None:
        self.up += "down "

    def state(self) -> dict[str, Any]:
        return {}


class JoiningCase(CommandCase):
    """
    Joins fake standard streams to a fake upstream.
    """

    def setUp(self) -> None:
        """
        Begin to connect.
        """
        CommandCase.setUp(self)
        self.reactor = FakeReactor()
        self.upstream = Standing(self.reactor)
        self.user = Peer()
        self.over = 0
        self.made: list[FakeStreams] = []
        self.joining = self.begin(self.upstream)

    def begin(self, upstream: Any) -> Joining:
        """
        Begin to connect through an upstream.
        """
        routes = Routes({"direct": upstream})
        joining = Joining(
            self.reactor, Ways(routes, {"direct": (upstream, None)}, ()), self.streams, self.hearOver
        )
        joining.begin(TARGET, 30)
        return joining

    def streams(self) -> Any:
        """
        Standard streams, with L{user} at their other end.
        """
        pipe = pipePair(self.reactor, self.user, Protocol())
        pipe.second.__class__ = FakeStreams
        self.made.append(pipe.second)  # type: ignore[arg-type]
        return pipe.second

    def hearOver(self) -> None:
        """
        It says that it is over.
        """
        self.over += 1

    def join(self, **more: Any) -> Any:
        """
        Be connected.

        @return: the far side.
        """
        (dial,) = self.upstream.dials
        peer = dial.succeed(**more)
        self.reactor.flush()
        return peer

    def assertOver(self, status: int, words: str = "") -> None:
        """
        It has ended, once, with a status; nothing is left.
        """
        self.reactor.flush()
        self.assertEqual((self.joining.status, self.joining.words, self.over), (status, words, 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        if isinstance(self.upstream, Standing):
            self.assertEqual(self.upstream.up, "up down ")


class JoiningTests(JoiningCase):
    """
    The one connection.
    """

    def test_asked(self) -> None:
        """
        The upstream is asked for the destination, as it was named, and started before.
        """
        (dial,) = self.upstream.dials
        self.assertEqual((dial.request.destination, dial.request.method), (TARGET, "CONNECT"))
        self.assertEqual((self.upstream.up, self.made, self.over), ("up ", [], 0))

    def test_bothWays(self) -> None:
        """
        Octets go both ways, what the far side says at once as well; the end of each
        direction is passed on, and the second is the end of all.
        """
        far = self.join(early=b"banner ")
        self.user.transport.write(b"question")
        self.user.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((bytes(far.received), far.ended, self.over), (b"question", True, 0))
        far.transport.write(b"answer")
        far.transport.loseConnection()
        self.assertOver(0)
        self.assertEqual((bytes(self.user.received), self.user.ended), (b"banner answer", True))

    def test_farSideEndsFirst(self) -> None:
        """
        When the far side has said all, what goes to it still goes.
        """
        far = self.join()
        far.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(self.user.ended)
        self.user.transport.write(b"more")
        self.reactor.flush()
        self.assertEqual((bytes(far.received), self.over), (b"more", 0))
        self.user.transport.loseConnection()
        self.assertOver(0)

    def test_noDeadline(self) -> None:
        """
        Once it is there a connection may be idle, or half open, for as long as it wants.
        """
        far = self.join()
        self.reactor.advance(1e6)
        far.transport.loseWriteConnection()
        self.reactor.flush()
        self.reactor.advance(1e6)
        self.assertEqual((self.over, self.reactor.getDelayedCalls()), (0, []))

    def test_refused(self) -> None:
        """
        No connection: where to, why, and what to do about it.
        """
        self.upstream.dials[0].fail("connection_refused", "the next hop corp refused the connection")
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: the next hop corp refused the connection (connection_refused)\n"
            "Check that something listens on that port.",
        )
        self.assertEqual(self.made, [])

    def test_refusedInOtherWords(self) -> None:
        """
        Without a detail the cause is told, and the words of an operator go before our own.
        """
        refusal = Refusal("next_hop_denied", message="Ask net@corp.example")
        self.upstream.dials[0].result.errback(Refused(refusal))
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: The next hop, another proxy, denies the request by a rule of its own"
            " (next_hop_denied)\nAsk net@corp.example",
        )

    def test_deadline(self) -> None:
        """
        It is given up after its time.
        """
        self.reactor.advance(29)
        self.assertFalse(self.upstream.dials[0].cancelled)
        self.reactor.advance(1)
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: it was cancelled (connection_timeout)\n"
            "Check that it is up and not behind a firewall; the operator can raise timeouts.connect.",
        )

    def test_noTime(self) -> None:
        """
        Or never.
        """
        self.upstream.dials[0].fail()
        self.joining.begin(TARGET, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """
        What is no refusal is a failure of our own.
        """
        self.upstream.dials[0].result.errback(ZeroDivisionError())
        self.assertOver(REFUSED)
        assert self.joining.failure is not None
        self.assertTrue(self.joining.failure.check(ZeroDivisionError))

    def test_reset(self) -> None:
        """
        The far side breaks the connection: what has come before is written all the same.
        """
        far = self.join()
        far.transport.abortConnection()
        self.assertOver(RESET, "the connection was reset by the far side")

    def test_lostAtOnce(self) -> None:
        """
        The far side says something and breaks the connection before there was anything to
        write to.
        """
        leg = Leg()
        leg.lost, leg.held = True, b"go away"
        self.upstream.dials[0].result.callback(Established(leg, "198.51.100.1:443"))
        self.assertOver(RESET, "the connection was lost at once")
        self.assertEqual(self.user.received, b"go away")

    def test_notWanted(self) -> None:
        """
        Who stops reading need not be told of it.
        """
        for trouble in (None, BrokenPipeError(errno.EPIPE, "Broken pipe")):
            self.setUp()
            far = self.join()
            self.made[0].trouble = trouble
            self.user.transport.abortConnection()
            self.assertOver(UNWRITTEN)
            self.assertIsNotNone(far.lost)

    def test_unwritten(self) -> None:
        """
        Who has no room has to be.
        """
        self.join()
        self.made[0].trouble = OSError(errno.ENOSPC, "No space left on device")
        self.user.transport.abortConnection()
        self.assertOver(UNWRITTEN, "cannot write to standard output: [Errno 28] No space left on device")

    def test_tellsEnd(self) -> None:
        """
        The end of the input is kept back from a far side that would end all at it, which is
        what TLS of Twisted's does.
        """
        for secure in (False, True):
            self.setUp()
            (dial,) = self.upstream.dials
            build = dial.factory.buildProtocol

            def buildProtocol(addr: Any, build: Any = build, secure: bool = secure) -> Any:
                leg = build(addr)
                made = leg.makeConnection

                def makeConnection(transport: Any) -> None:
                    if secure:
                        directlyProvides(transport, ISSLTransport)
                    made(transport)

                leg.makeConnection = makeConnection
                return leg

            dial.factory.buildProtocol = buildProtocol
            self.join()
            self.assertEqual(self.made[0].tellsEnd, not secure)

    def test_linger(self) -> None:
        """
        When there is nobody here any more the far side is given its octets however long it
        takes, and after that some time to close.
        """
        far = self.join(capacity=10)
        transport = far.transport
        transport.stopReading()
        self.user.transport.write(b"x" * 1000)
        self.user.transport.loseWriteConnection()
        self.reactor.flush()
        transport.loseWriteConnection()
        self.reactor.flush()
        self.reactor.advance(10 * LINGER)
        self.assertEqual(self.over, 0)
        transport.startReading()
        self.reactor.flush()
        self.assertEqual(len(far.received), 1000)
        self.assertOver(0)

    def test_lingerNoMore(self) -> None:
        """
        Not for ever, though.
        """
        self.join()
        side = self.made[0].protocol.peer
        self.patch(side.transport, "loseConnection", lambda: None)
        self.user.transport.loseConnection()
        self.reactor.flush()
        side.readConnectionLost()
        self.reactor.flush()
        self.reactor.advance(LINGER - 1)
        self.assertEqual(self.over, 0)
        self.reactor.advance(1)
        self.assertOver(0)
        side.transport.abortConnection()
        self.assertOver(0)


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
        for option in set(re.findall(r"(--[a-z-]+)", page)):
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
