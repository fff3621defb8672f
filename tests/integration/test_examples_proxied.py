"""
The examples that dial out, as programs, through this proxy and through others.

That what comes back has gone that way is told by the proxy: by an event of its port, or in its
log.
"""

from __future__ import annotations

import atexit
import functools
import getpass
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from websockets.sync.server import ServerConnection

from tests.integration import test_one_port_websocket as websocket
from tests.integration.origins import authority
from tests.integration.parents import PLAIN
from tests.integration.program import PAGE, PASSWORD, USER, ProgramTestCase
from tests.integration.running import GUARD, ROOT, environment, waitFor
from tests.integration.sshd import prepare, serve
from tests.integration.trails import SAID, Trail, trails

pytestmark = pytest.mark.integration

EXAMPLES = ROOT / "examples"

PYTHON = (sys.executable, "-W", "ignore")
"""Without warnings: Twisted has one of its own C{readBody}, without a proxy as well."""

GOT = f"200 {len(PAGE)} octets\n".encode()


@functools.cache
def adder() -> int:
    """
    The server of C{amp.py}, which all tests share.

    @return: its port.
    """
    temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
    output = Path(temporary.name) / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*PYTHON, EXAMPLES / "amp.py", "serve", "tcp:0:interface=127.0.0.1"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )

    def stop() -> None:
        process.kill()
        process.wait(GUARD)
        temporary.cleanup()

    atexit.register(stop)
    waitFor(lambda: output.read_bytes().endswith(b"\n") or process.poll() is not None, "the server")
    said = re.fullmatch(r"serves at (\d+)\n", output.read_text())
    assert said is not None, output.read_text()
    return int(said[1])


class Fragments(websocket.Echo):
    """
    Sends a message back in three pieces, with a question in front and one in between.
    """

    def _echo(self, connection: ServerConnection) -> None:
        for message in connection:
            third = len(message) // 3
            asked = connection.ping()
            connection.send(iter((message[:third], message[third:-third], message[-third:])))
            assert asked.wait(GUARD)


class ExampleCase(ProgramTestCase):
    """
    What runs examples.
    """

    def setUp(self) -> None:
        """
        Have all of them run, and know what they write from now on.
        """
        self.trails = trails()
        self.addCleanup(self.trails.check)

    def example(self, name: str, *words: str | Path, status: int = 0, **variables: str) -> bytes:
        """
        Run an example that trusts the tests' authority.

        @return: all that it has written.
        """
        trust = {"SSL_CERT_FILE": str(authority().certificate)}
        command = (*PYTHON, EXAMPLES / f"{name}.py", *words)
        return self.command(*command, status=status, both=True, **trust, **variables)

    def ssh(self, command: str, *urls: str, status: int = 0, known: str = "host.pub") -> tuple[bytes, int]:
        """
        Run a command by C{ssh.py} and an sshd of this test's.

        @param known: the file of the key that is known to be the host's; or none.
        @return: what it wrote, and the server's port.
        """
        keys = self.temporary()
        prepare(keys, "")
        port = self.serving(lambda sock: serve(keys, sock))
        (keys / "known").write_text(f"[localhost]:{port} {(keys / known).read_text()}" if known else "")
        where = f"{getpass.getuser()}@localhost:{port}"
        said = self.example("ssh", where, keys / "user", keys / "known", command, *urls, status=status)
        return said, port


class ThroughCase:
    """
    What works through every proxy.

    @cvar way: which one.
    @cvar scheme: of its URL.
    @cvar prefix: of its endpoint strings.
    @cvar forwards: it takes messages besides tunnels.
    """

    way: ClassVar[str]
    scheme: ClassVar[str] = "http"
    prefix: ClassVar[str] = "connect"
    forwards: ClassVar[bool] = True

    @property
    def trail(self) -> Trail:
        """What the proxy writes."""
        return getattr(self.trails, self.way)

    @property
    def url(self) -> str:
        """The proxy's."""
        return self.trail.url(self.scheme)

    def test_agent(self) -> None:
        """
        Twisted's C{Agent}: two requests by one tunnel, with TLS in it; without TLS two messages,
        or one tunnel where the proxy knows nothing else.
        """
        secured, plain = self.web(), self.web(tls=False)
        self.assertEqual(self.example("agent", f"{secured.url}/", self.url), GOT * 2)
        self.trail.waitFor(secured.port)
        self.assertEqual(self.example("agent", f"{plain.url}/", self.url), GOT * 2)
        self.trail.waitFor(plain.port, *(("request", 2) if self.forwards else ()))

    def test_treq(self) -> None:
        """
        treq.
        """
        web = self.web()
        self.assertEqual(self.example("treq_client", f"{web.url}/", self.url), GOT)
        self.trail.waitFor(web.port)

    def test_scrapy(self) -> None:
        """
        Scrapy, with the download handler.
        """
        web = self.web()
        self.assertEqual(self.example("scrapy_handler", f"{web.url}/", self.url), GOT)
        self.trail.waitFor(web.port)

    def test_amp(self) -> None:
        """
        AMP, by an endpoint string.
        """
        self.assertEqual(
            self.example("amp", "add", self.trail.string(self.prefix, adder()), "3", "4"), b"7\n"
        )
        self.trail.waitFor(adder())

    def test_ssh(self) -> None:
        """
        A command by SSH: all that it says, and the status that it ends with.
        """
        said, port = self.ssh("echo hello; echo $((3 + 4)) >&2; exit 7", self.url, status=7)
        self.assertEqual(sorted(said.splitlines()), [b"7", b"hello"])
        self.trail.waitFor(port)

    def test_websocket(self) -> None:
        """
        A WebSocket, with TLS.
        """
        server = self.closing(websocket.Echo(tls=True))
        message = "octet " * 50
        said = self.example("websocket", server.url, message, self.url)
        self.assertEqual(said.decode(), f"{message}\n")
        self.trail.waitFor(int(server.address.partition(":")[2]))


class OwnTests(ThroughCase, ExampleCase):
    """
    Through this proxy.
    """

    way = "own"


class SquidTests(ThroughCase, ExampleCase):
    """
    Through squid.
    """

    way = "squid"


class TinyproxyTests(ThroughCase, ExampleCase):
    """
    Through tinyproxy.
    """

    way = "tinyproxy"


class DanteTests(ThroughCase, ExampleCase):
    """
    Through Dante's server, by SOCKS 5.
    """

    way = "dante"
    scheme = "socks5h"
    prefix = "socks5"
    forwards = False


class StringTests(ExampleCase):
    """
    Endpoint strings.
    """

    def add(self, endpoint: str, **variables: str) -> None:
        """
        Have a sum made beyond it.
        """
        self.assertEqual(self.example("amp", "add", endpoint, "20", "22", **variables), b"42\n")

    def test_known(self) -> None:
        """
        Credentials from the environment and from files, by Basic, by Digest, and by SOCKS.
        """
        file = self.temporary() / "credentials"
        file.write_text(f"{USER}:{PLAIN}\n")
        word = {"PROXY_WORD": f"{USER}:{PASSWORD}"}
        _, _, known, _, asking, _, microsocks = self.trails
        digest = known.string("connect", adder(), credentials="$PROXY_WORD", authentication="digest")
        for trail, endpoint in (
            (known, digest),
            (asking, asking.string("connect", adder(), credentials=f"@{file}")),
            (microsocks, microsocks.string("socks5", adder(), credentials="$PROXY_WORD")),
        ):
            self.add(endpoint, **word)
            trail.waitFor(adder())

    def test_socks(self) -> None:
        """
        SOCKS 4 with an address, and 4A and 5 with a name.
        """
        dante, own = self.trails.dante, self.trails.own
        self.add(dante.string("socks4", adder(), "127.0.0.1"))
        dante.waitFor(adder())
        self.add(own.string("socks4", adder(), user="ann"))
        own.waitFor(adder())
        self.add(own.string("socks5", adder()))
        own.waitFor(adder(), count=2)

    def test_nested(self) -> None:
        """
        Four proxies, each reached through those before it, and none of them knows of more than
        the next.
        """
        own, squid, _, tinyproxy, _, dante, microsocks = self.trails
        steps = (("connect", squid), ("socks5", dante), ("connect", tinyproxy), ("socks5", own))
        ports = [each.port for _, each in steps[1:]] + [adder()]
        endpoint = ""
        for (prefix, trail), port in zip(steps, ports, strict=True):
            endpoint = trail.string(prefix, port, "127.0.0.1", within=endpoint)
        self.add(endpoint)
        for (_, trail), port in zip(steps, ports, strict=True):
            trail.waitFor(port)
        self.assertEqual([squid.count(port) for port in ports], [1, 0, 0, 0])
        self.assertEqual(microsocks.count(adder()), 0)


class ManyTests(ExampleCase):
    """
    Chains by URLs, and the environment.
    """

    def test_chain(self) -> None:
        """
        Three proxies, with TLS to the last one and within it, by each of those that take URLs.
        """
        own, squid, _, _, _, _, microsocks = self.trails
        urls = squid.url("http"), microsocks.url("socks5h", SAID), own.url("https", host="localhost")
        web, server = self.web(), self.closing(websocket.Echo(tls=True))
        self.assertEqual(self.example("agent", f"{web.url}/", *urls), GOT * 2)
        self.assertEqual(self.example("scrapy_handler", f"{web.url}/", *urls), GOT)
        self.assertEqual(self.example("websocket", server.url, "hello", *urls), b"hello\n")
        said, port = self.ssh("echo hello", *urls)
        self.assertEqual(said, b"hello\n")
        squid.waitFor(microsocks.port, count=4)
        microsocks.waitFor(own.port, count=4)
        own.waitFor(web.port, count=2)
        own.waitFor(int(server.address.partition(":")[2]))
        own.waitFor(port)

    def test_environment(self) -> None:
        """
        C{HTTPS_PROXY} is for an origin with TLS, C{HTTP_PROXY} for one without, and C{NO_PROXY}
        for those that are reached without.
        """
        own, dante = self.trails.own, self.trails.dante
        secured, plain = self.web(), self.web(tls=False)
        variables = {"HTTPS_PROXY": dante.url("socks5h"), "HTTP_PROXY": own.url("http")}
        none = variables | {"NO_PROXY": "localhost"}
        for web in (secured, plain):
            self.assertEqual(self.example("treq_client", f"{web.url}/", **none), GOT)
            self.assertEqual(self.example("agent", f"{web.url}/", **variables), GOT * 2)
        dante.waitFor(secured.port)
        own.waitFor(plain.port, "request", 2)
        self.assertEqual((dante.count(plain.port), own.count(secured.port)), (0, 0))


class RefusedTests(ExampleCase):
    """
    What is not to be.
    """

    def test_refused(self) -> None:
        """
        A proxy that wants to know who asks, one that knows better, and an origin that is not
        there: a sentence of each, and no secret in it.
        """
        own, _, known, _, _, _, microsocks = self.trails
        web = self.web()
        wrong = f"{USER}:wrongword@"
        for url, proxy, kind in (
            (web.url, known.url("http"), "next_hop_authentication_failed"),
            (web.url, known.url("http", wrong), "next_hop_authentication_failed"),
            (web.url, microsocks.url("socks5h", wrong), "next_hop_authentication_failed"),
            ("https://localhost:1", own.url("http"), "connection_refused"),
        ):
            said = self.example("agent", f"{url}/", proxy, status=1).decode()
            self.assertRegex(said, rf"\A{kind}: [^\n]+\n\Z")
            self.assertNotIn("wrongword", said)

    def test_unknownHost(self) -> None:
        """
        A host that shows another key than the known one, or one while none is known, runs
        nothing, whoever the proxy is.
        """
        squid = self.trails.squid
        for known, words in (("user.pub", "is another than the one that is known"), ("", "is not known")):
            said, port = self.ssh("echo hello", squid.url("http"), status=1, known=known)
            self.assertRegex(said.decode(), rf"\Athe key of \[localhost\]:{port} {words}: [0-9a-f:]+\n\Z")
            squid.waitFor(port)

    def test_fragments(self) -> None:
        """
        A WebSocket without TLS, and a long message in pieces with other things in between.
        """
        server = self.closing(Fragments(tls=False))
        message = "octet " * 15000
        said = self.example("websocket", server.url, message, self.trails.tinyproxy.url("http"))
        self.assertEqual(said.decode(), f"{message}\n")
        self.trails.tinyproxy.waitFor(int(server.address.partition(":")[2]))
