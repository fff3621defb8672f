"""
C{docs/extending.md}, executed: its files are written as they stand, installed as a
distribution of somebody else's, and used by a proxy in a process of its own.  Integration.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twisted.cred.strcred import ICheckerFactory
from zope.interface.verify import verifyObject

import connectproxy.upstreams
from connectproxy.commands import check
from connectproxy.discovery import kinds, schemes
from connectproxy.interfaces import IDialect, IInboundTunnel, IReceiver, IRule, IRuleKind, IUpstreamKind
from tests.installed import distribution
from tests.integration.raw import (
    Answer,
    connect,
    head,
    listening,
    nameOf,
    readAnswer,
    readExactly,
    readToEnd,
)
from tests.integration.running import TWISTD, Proxy
from tests.pagecase import DOCS, FENCE, NAMED, PageCase

pytestmark = pytest.mark.integration

PAGE = DOCS / "extending.md"

BLOCKS = FENCE.findall(PAGE.read_text())

FILES = {match[1]: block for _, block in BLOCKS if (match := NAMED.match(block))}


def install(home: Path) -> None:
    """
    Write the page's files, and the metadata that their installation would make.
    """
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    distribution(home, project["entry-points"], name=project["name"], version=project["version"])


class ToyCase(PageCase):
    """
    The page's files are installed.
    """

    def setUp(self) -> None:
        """
        In a directory of their own.
        """
        self.home = Path(self.mktemp()).absolute()
        install(self.home)

    def config(self, port: int, *others: tuple[str, str]) -> str:
        """
        The page's configuration, at a port that is free, and with the mirror where it is.

        @param others: what else is to be replaced.
        """
        text = FILES["proxy.toml"]
        for old, new in (("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:8443", f"127.0.0.1:{port}"), *others):
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text


class TunnelTests(ToyCase):
    """
    A proxy that has nothing of them but their directory on Python's path.
    """

    def setUp(self) -> None:
        """
        Start it, and the mirror.
        """
        ToyCase.setUp(self)
        self.mirror = listening()
        self.addCleanup(self.mirror.close)
        paths = os.pathsep.join([str(self.home), str(PAGE.parents[1])])
        self.proxy = Proxy(
            config=self.config(self.mirror.getsockname()[1]),
            listen=(),
            before=("env", f"PYTHONPATH={paths}"),
        )
        self.addCleanup(self.proxy.close)

    def connect(self) -> socket.socket:
        """
        A client.
        """
        sock = connect(self.proxy.port)
        self.addCleanup(sock.close)
        return sock

    def ask(
        self, target: str = "packages.example:443", user: str = "ann:tulip", ticket: str = "OPS-7"
    ) -> tuple[socket.socket, Answer]:
        """
        Ask for a tunnel by HTTP.
        """
        client = self.connect()
        fields = f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}\r\n" if user else ""
        fields += f"X-Ticket: {ticket}\r\n" if ticket else ""
        client.sendall(head(target)[:-2] + fields.encode() + b"\r\n")
        return client, readAnswer(client)

    def assertPings(self, client: socket.socket) -> None:
        """
        The mirror is at the other end.
        """
        end, _ = self.mirror.accept()
        with end:
            client.sendall(b"ping")
            self.assertEqual(readExactly(end, 4), b"ping")
            end.sendall(b"pong")
            self.assertEqual(readExactly(client, 4), b"pong")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(readToEnd(end), (b"", "eof"))

    def test_all(self) -> None:
        """
        A tunnel that needs the checker, the rule and the upstream.
        """
        client, answer = self.ask()
        self.assertEqual(answer.status, 200)
        name = nameOf(client)
        self.assertPings(client)
        event = self.proxy.event(name)
        self.assertEqual(
            (event["user"], event["rule"], event["upstream"], event["protocol"], event["bytes_up"]),
            ("ann", "packages", "mirror", "http/1.1", 4),
        )
        self.proxy.check()

    def test_checker(self) -> None:
        """
        A wrong password, and a user that there is not, are not believed; who is somebody else
        is denied by the policy.
        """
        for user, status in (("ann:rose", 407), ("zoe:", 407), ("bob:anvil", 403), ("", 403)):
            self.assertEqual(self.ask(user=user)[1].status, status, user)

    def test_rule(self) -> None:
        """
        Without a ticket it is the rule that denies, in its own words.
        """
        for ticket in ("", "OPS-x", "DEV-7"):
            _, answer = self.ask(ticket=ticket)
            self.assertEqual(answer.status, 403)
            self.assertIn("ticket-please", answer.body)
            self.assertIn("the request names no ticket", answer.body)
            self.assertIn("Send the number of a ticket in the field x-ticket", answer.body)

    def test_listener(self) -> None:
        """
        The same port speaks the line, with what comes early, in whatever pieces.
        """
        for pieces in (
            (b"CONNECT-LINE packages.example 443\nearly",),
            (b"C", b"ONNECT-LINE packages.exa", b"mple 443\r\nearly"),
        ):
            client = self.connect()
            name = nameOf(client)
            for piece in pieces:
                client.sendall(piece)
            self.assertEqual(readExactly(client, 3), b"OK\n")
            end, _ = self.mirror.accept()
            with end:
                self.assertEqual(readExactly(end, 5), b"early")
                end.sendall(b"late")
                end.shutdown(socket.SHUT_WR)
                self.assertEqual(readToEnd(client), (b"late", "eof"))
                client.close()
            event = self.proxy.event(name)
            self.assertEqual(
                (event["protocol"], event["rule"], event["upstream"], event["end"]),
                ("line", "scripts", "mirror", "eof"),
            )
        self.proxy.check()

    def test_listenerRefuses(self) -> None:
        """
        What is denied, and what is no line, is answered and recorded.
        """
        for line, answer, rule in (
            (b"CONNECT-LINE other.example 443\n", b"NO 403 no rule allows other.example:443", "default"),
            (b"CONNECT-LINE packages.example\n", b"NO 400 the line is not CONNECT-LINE host port\n", None),
            (b"CONNECT-LINE packages.example 99999\n", b"NO 400 ", None),
            (b"CONNECT-LINE " + b"a" * 400, b"NO 400 the line is not CONNECT-LINE host port\n", None),
        ):
            client = self.connect()
            name = nameOf(client)
            client.sendall(line)
            octets, end = readToEnd(client)
            client.close()
            self.assertEqual((octets[: len(answer)], end), (answer, "eof"))
            event = self.proxy.event(name)
            self.assertEqual((event["event"], event["protocol"], event["rule"]), ("refusal", "line", rule))

    def test_listenerAbandoned(self) -> None:
        """
        Who goes away within the line is recorded, too, and nothing is left of it: the proxy
        stops at once.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(b"CONNECT-LINE pack")
        client.close()
        self.assertEqual(self.proxy.event(name)["event"], "abandoned")
        waiting = self.connect()
        waiting.sendall(b"CONNECT-LINE pack")
        name = nameOf(self.ask()[0])
        self.proxy.terminate()
        self.proxy.wait()
        self.assertIn(readToEnd(waiting)[1], ("eof", "reset"))


class PageTests(ToyCase):
    """
    The rest of the page.
    """

    points: ClassVar[Any] = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]

    def run_(self, *command: str) -> subprocess.CompletedProcess[str]:
        """
        Run a Python that has the toys installed.
        """
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(self.home), str(PAGE.parents[1])])},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_check(self) -> None:
        """
        What C{connectproxy check} says of its configuration is what the page shows.
        """
        done = self.run_("-m", "connectproxy", "check", "proxy.toml")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        (shown,) = [block for language, block in BLOCKS if "connectproxy check" in block]
        self.assertIn(done.stdout, shown)

    def test_tests(self) -> None:
        """
        The page's own tests pass.
        """
        done = self.run_("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_toys.py")
        self.assertIn("4 passed", done.stdout, done.stdout)

    def test_interfaces(self) -> None:
        """
        Each toy provides what it says, with the signatures of the interface.
        """
        sys.path.insert(0, str(self.home))
        self.addCleanup(sys.path.remove, str(self.home))
        self.addCleanup(self.forget)
        from toys import line, pinned, table, ticket  # type: ignore[import-not-found]

        self.assertTrue(verifyObject(IRuleKind, ticket.kind))
        self.assertTrue(verifyObject(IRule, ticket.kind.build({}, None)))
        self.assertTrue(verifyObject(IUpstreamKind, pinned.kind))
        self.assertTrue(verifyObject(IDialect, line.kind))
        receiver = line.kind.buildReceiver(None)
        self.assertTrue(verifyObject(IReceiver, receiver))

        class Board:
            board = None

        self.assertTrue(verifyObject(IInboundTunnel, line.Line(Board(), None)))
        self.assertTrue(verifyObject(ICheckerFactory, table.factory))

    def forget(self) -> None:
        """
        Leave nothing imported.
        """
        for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
            del sys.modules[name]

    def test_unknown(self) -> None:
        """
        A name that is nearly one of theirs is told with what was meant, each where it stands.
        """
        path = self.home / "proxy.toml"
        path.write_text(
            self.config(
                8443,
                ('"line"]\nauth', '"lime"]\nauth'),
                ("pinned:", "pined:"),
                ('"ticket"', '"tickets"'),
                ('"table:', '"tables:'),
            )
        )
        done = self.run_("-m", "connectproxy", "check", "proxy.toml")
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            'proxy.toml:4 [[listen]] protocols: "lime" is no protocol that a listener speaks; do you mean line?',
            done.stdout + done.stderr,
        )
        path.write_text(path.read_text().replace("lime", "line"))
        said = self.start()
        for words in (
            "there is no upstream with the scheme 'pined'; do you mean pinned?",
            "there is no rule kind 'tickets'; do you mean ticket?",
            "there is no checker of this kind",
        ):
            self.assertIn(words, said)

    def start(self) -> str:
        """
        Try to start the proxy, which can't.

        @return: what it says.
        """
        done = self.run_(*TWISTD[1:], "-n", "--pidfile=", "connectproxy", "--config", "proxy.toml")
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout + done.stderr

    def test_broken(self) -> None:
        """
        Where some can't be imported, the proxy does not start, and says which and why.
        """
        (self.home / "proxy.toml").write_text(self.config(8443))
        for name in ("line", "pinned", "ticket", "table"):
            (self.home / "toys" / f"{name}.py").write_text("import nothing_of_the_kind\n")
        checked = self.run_("-m", "connectproxy", "check", "proxy.toml")
        self.assertEqual(checked.returncode, 1)
        started = self.start()
        for group, name, leads, told in (
            ("listeners", "line", "kind", (checked.stdout,)),
            ("upstreams", "pinned", "kind", (checked.stdout, started)),
            ("rules", "ticket", "kind", (checked.stdout, started)),
            ("checkers", "table", "factory", (checked.stdout, started)),
        ):
            self.assertEqual(self.points[f"connectproxy.{group}"], {name: f"toys.{name}:{leads}"})
            for each in told:
                self.assertIn(
                    f"the entry point {name} = toys.{name}:{leads} of toys 1.0 can't be loaded: ModuleNotFoundError: No"
                    " module named 'nothing_of_the_kind'",
                    each,
                )

    def test_inTheTree(self) -> None:
        """
        A file in the package of our own upstreams is found, and no list names it.
        """
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        (home / "pinned.py").write_text(FILES["toys/pinned.py"])
        connectproxy.upstreams.__path__.append(str(home))
        self.addCleanup(connectproxy.upstreams.__path__.remove, str(home))
        self.addCleanup(sys.modules.pop, "connectproxy.upstreams.pinned", None)
        self.assertIn("pinned", kinds("connectproxy.upstreams", IUpstreamKind))
        path = home / "proxy.toml"
        path.write_text('[[upstream]]\nname = "m"\nurl = "pinned://127.0.0.1:1"\naddresses = "unseen"\n')
        self.assertEqual(schemes(IUpstreamKind)["pinned"].kindName, "pinned")
        status, out = self.ran(lambda said: check.main(said, "connectproxy check"), str(path))
        self.assertEqual(status, 0, out)
