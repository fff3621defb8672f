"""
Java at the one port: its HttpClient by HTTP, and its sockets by SOCKS.
"""

from __future__ import annotations

import atexit
import functools
import subprocess
import tempfile

import pytest

from tests.integration.origins import authority
from tests.integration.program import CLIENTS, PAGE, PASSWORD, USER, OnePortCase
from tests.integration.running import GUARD, environment

pytestmark = pytest.mark.integration


@functools.cache
def compiled() -> str:
    """
    Compile the program.

    @return: the directory where Java finds it.
    """
    temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
    atexit.register(temporary.cleanup)
    command = ["javac", "-proc:none", "-d", temporary.name, str(CLIENTS / "Fetch.java")]
    subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, timeout=GUARD, check=True)
    return temporary.name


class JavaTests(OnePortCase):
    """
    A program for Java, in C{tests/integration/clients}.
    """

    def java(self, way: str, *urls: str) -> list[str]:
        """
        Run it.

        @return: for each URL the version of HTTP that Java names, and the page.
        """
        user = (USER, PASSWORD) if self.asks else ("", "")
        said = self.command(
            # Quick to start rather than quick to run.
            *("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
            # Or it keeps Basic from tunnels, and this machine's own names from proxies.
            *("-Djdk.http.auth.tunneling.disabledSchemes=", "-Dhttp.nonProxyHosts=", "-DsocksNonProxyHosts="),
            *("-cp", compiled(), "Fetch", "127.0.0.1", str(self.proxy.port), *user),
            *(authority().certificate, way, *urls),
        )
        return said.decode().splitlines()

    def origin2(self) -> str:
        """
        An origin that speaks HTTP/2 only.

        @return: its host and port.
        """
        made = authority()
        process = subprocess.Popen(
            ["node", str(CLIENTS / "origin2.js"), str(made.chain), str(made.key), PAGE.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        self.addCleanup(process.communicate, timeout=GUARD)
        assert process.stdout is not None
        return f"localhost:{int(process.stdout.readline())}"

    def test_tunnels(self) -> None:
        """
        HTTPS, to an origin of HTTP/1.1 and to one of HTTP/2.
        """
        web, second = self.web(), self.origin2()
        page = PAGE.decode().rstrip()
        self.assertEqual(
            self.java("http2", f"{web.url}/", f"https://{second}/"), ["HTTP_1_1", page, "HTTP_2", page]
        )
        self.assertCame(2, event="tunnel", protocol="http/1.1", targets=[web.address, second])

    def test_forwarded(self) -> None:
        """
        Plain HTTP: requests on one connection.
        """
        webs = [self.web(tls=False), self.web(tls=False)]
        urls = [f"{web.url}/" for web in webs] * 2
        self.assertEqual(self.java("http1", *urls), ["HTTP_1_1", PAGE.decode().rstrip()] * 4)
        self.assertCame(4, event="request", protocol="http/1.1", targets=[web.address for web in webs])

    def test_upgrade(self) -> None:
        """
        Plain HTTP by a client that would rather speak HTTP/2 and asks the origin for that
        (C{Upgrade: h2c}): nothing comes of it but HTTP/1.1.
        """
        web = self.web(tls=False)
        urls = [f"{web.url}/"] * 2
        self.assertEqual(self.java("http2", *urls), ["HTTP_1_1", PAGE.decode().rstrip()] * 2)
        self.assertCame(2, event="request", protocol="http/1.1", targets=[web.address])

    def test_socks5(self) -> None:
        """
        C{java.net.Socket} by SOCKS 5, for HTTPS and HTTP.
        """
        webs = [self.web(), self.web(tls=False)]
        came = self.java("socks", *(f"{web.url}/" for web in webs))
        self.assertEqual(came, ["SOCKS", PAGE.decode().rstrip()] * 2)
        self.assertCame(2, event="tunnel", protocol="socks5", targets=[web.address for web in webs])


class JavaAskedTests(JavaTests):
    """
    The same, with a name and a password.
    """

    asks = True
