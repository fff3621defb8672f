"""
Plain HTTP through the proxy, with programs that people use.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time

import pytest
import requests

from tests.integration.case import ProxyTestCase
from tests.integration.origins import Web
from tests.integration.program import PAGE, ProgramTestCase
from tests.integration.raw import readExactly, readToEnd
from tests.integration.running import LOCAL

pytestmark = pytest.mark.integration


class CurlTests(ProgramTestCase):
    """
    curl, with http URLs.
    """

    def curl(self, *words: str, **more: int | str) -> bytes:
        """
        Run curl without anybody's own settings.
        """
        return self.command("curl", "-q", "-sS", "-x", self.proxy.url, *words, **more)

    def test_keepAlive(self) -> None:
        """
        Several pages come over one connection to the proxy and one to the origin, each with
        an event of its own.
        """
        web = self.web(tls=False)
        urls = [f"{web.url}/"] * 5
        said = self.curl("-w", "[%{num_connects}]", *urls)
        self.assertEqual(said, PAGE + b"[1]" + (PAGE + b"[0]") * 4)
        self.proxy.waitForEvents(5)
        events = self.proxy.events()
        self.assertEqual(len({each["client"] for each in events}), 1)
        self.assertEqual([len(each["tried"]) for each in events], [1, 0, 0, 0, 0])
        self.assertEqual(
            {(each["event"], each["status"], each["end"]) for each in events}, {("request", 200, "complete")}
        )
        self.assertEqual({each["bytes_down"] for each in events}, {len(PAGE)})

    def test_bodies(self) -> None:
        """
        A large body goes up and comes back, by its length and in chunks, with an expectation
        or without.
        """
        web = self.web(tls=False)
        body = random.Random(1).randbytes(3_000_000)
        (file := self.temporary() / "body").write_bytes(body)
        for more in (
            (),
            ("-H", "Expect:"),
            ("-H", "Transfer-Encoding: chunked"),
            ("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"),
        ):
            said = self.curl("--data-binary", f"@{file}", *more, f"{web.url}/")
            self.assertEqual(said, body[::-1], more)
        self.proxy.waitForEvents(4)
        for event in self.proxy.events():
            self.assertGreaterEqual(event["bytes_up"], len(body))
            self.assertEqual(event["bytes_down"], len(body))

    def test_head(self) -> None:
        """
        HEAD, which that server does not know, and what is not there.
        """
        web = self.web(tls=False)
        said = self.curl("-I", f"{web.url}/").lower()
        self.assertRegex(said, rb"\r\ncontent-length: [1-9]")
        self.assertIn(b"via: 1.1 connectproxy-", said)
        self.assertEqual(self.curl("-o", "/dev/null", "-w", "%{http_code}", f"{web.url}/none"), b"404")

    def test_HTTP10(self) -> None:
        """
        A client of HTTP/1.0 gets its page, and the connection ends.
        """
        web = self.web(tls=False)
        self.assertEqual(self.curl("-0", f"{web.url}/", f"{web.url}/"), PAGE * 2)
        self.proxy.waitForEvents(2)
        self.assertEqual({each["protocol"] for each in self.proxy.events()}, {"http/1.0"})

    def test_refused(self) -> None:
        """
        A refusal shows as an ordinary answer, behind which the connection is used again.
        """
        web = self.web(tls=False)
        said = self.curl("-w", "[%{http_code} %{num_connects}]", "http://10.0.0.1/", f"{web.url}/")
        self.assertIn(b"What to do: ", said)
        self.assertIn(b"[403 1]", said)
        self.assertTrue(said.endswith(PAGE + b"[200 0]"), said)

    def test_page(self) -> None:
        """
        Who takes the proxy for a web server is told what it is; and the PAC file works.
        """
        said = self.command("curl", "-q", "-sS", f"{self.proxy.url}/")
        self.assertIn(f"curl -x {self.proxy.url} ".encode(), said)
        said = self.command("curl", "-q", "-sS", "-i", f"{self.proxy.url}/proxy.pac")
        self.assertIn(b"application/x-ns-proxy-autoconfig", said)
        self.assertIn(f"PROXY 127.0.0.1:{self.proxy.port}; SOCKS5 ".encode(), said)


class PythonTests(ProgramTestCase):
    """
    Python's clients.
    """

    def test_requests(self) -> None:
        """
        A session of requests keeps its connection.
        """
        web = self.web(tls=False)
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self.proxy.url}
            for _ in range(10):
                response = session.get(f"{web.url}/", timeout=30)
                self.assertEqual((response.status_code, response.content), (200, PAGE))
            response = session.post(f"{web.url}/", data=iter([b"abc", b"de"]), timeout=30)
            self.assertEqual(response.content, b"edcba")
        self.proxy.waitForEvents(11)
        self.assertEqual(len({each["client"] for each in self.proxy.events()}), 1)

    def test_connectAfterwards(self) -> None:
        """
        On one connection: a page, then a tunnel.
        """
        web = self.web(tls=False)
        client = self.closing(http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=30))
        client.request("GET", f"{web.url}/")
        self.assertEqual(client.getresponse().read(), PAGE)
        client.sock.sendall(f"CONNECT {web.address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertTrue(readExactly(client.sock, 39).startswith(b"HTTP/1.1 200 "))
        client.sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(readToEnd(client.sock)[0].endswith(PAGE))

    def test_manyAtOnce(self) -> None:
        """
        Many clients, each with many requests, get what they asked for and nothing of others.
        """
        pages = {f"/{number}": f"page {number}\n".encode() * (number * 50 + 1) for number in range(20)}
        web = self.closing(Web(pages, tls=False))
        wrong: list[str] = []

        def ask(number: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.proxies = {"http": self.proxy.url}
                for again in range(10):
                    path = f"/{(number + again) % 20}"
                    if session.get(web.url + path, timeout=60).content != pages[path]:
                        wrong.append(path)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.proxy.waitForEvents(80)


class MemoryTests(ProxyTestCase):
    """
    Nothing is held that nobody takes.
    """

    def test_slowClient(self) -> None:
        """
        A large response to a client that takes nothing for a while, and then all of it.
        """
        size = 200_000_000
        origin = self.origin()
        client = self.connect()
        before = self.proxy.memory()
        client.sendall(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % origin.getsockname()[1])
        far = self.accept(origin)
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        far.settimeout(1.0)
        sent = 0
        block = bytes(1 << 18)
        try:
            while sent < size:
                sent += far.send(block[: size - sent])
        except TimeoutError:
            pass
        self.assertLess(sent, 100_000_000)
        self.assertLess(self.proxy.memory() - before, 20_000_000)
        far.settimeout(60.0)
        rest = threading.Thread(target=self.sendRest, args=(far, size - sent))
        rest.start()
        received = 0
        while received < size:
            more = client.recv(1 << 20)
            self.assertTrue(more)
            received += len(more)
        rest.join()
        self.assertLess(self.proxy.memory() - before, 20_000_000)

    def sendRest(self, sock: socket.socket, size: int) -> None:
        """
        Send so much more.
        """
        sock.sendall(bytes(size))


class StopTests(ProxyTestCase):
    """
    The proxy is told to stop.
    """

    @pytest.mark.quiet
    def test_stop(self) -> None:
        """
        Connections that rest do not keep it; a response that is under way is brought to its
        end, with the client told.
        """
        proxy = self.launch(*LOCAL)
        origin = self.origin()
        request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % origin.getsockname()[1]
        resting = self.connect(proxy)
        resting.sendall(request)
        self.accept(origin).sendall(b"HTTP/1.1 204 None\r\n\r\n")
        self.assertIn(b" 204 ", resting.recv(1000))
        client = self.connect(proxy)
        client.sendall(request)
        far = self.accept(origin)
        readExactly(far, 20)
        began = time.monotonic()
        proxy.terminate()
        self.assertEqual(readToEnd(resting), (b"", "eof"))
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        said, how = readToEnd(client)
        self.assertIn(b"\r\nConnection: close\r\n", said)
        self.assertEqual((said[-2:], how), (b"ok", "eof"))
        self.assertEqual(proxy.wait(), -15)
        self.assertLess(time.monotonic() - began, 9.0)
        self.assertEqual(len(proxy.events()), 2)
