"""
Very many connections, and too many.
"""

from __future__ import annotations

import itertools
import os
import resource
import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import connect, head, listening, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import LOCAL, Proxy, waitFor

pytestmark = pytest.mark.integration


class ManyTests(ProxyTestCase):
    """
    As many connections as this machine allows one process.
    """

    def setUp(self) -> None:
        """
        Raise the limit of open files as far as it goes; the proxy inherits it.
        """
        ProxyTestCase.setUp(self)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        self.room = limits[1]
        self.running = self.launch(*LOCAL)

    def test_thousandSilent(self) -> None:
        """
        A thousand clients that connect and say nothing don't keep one out that has something
        to say.
        """
        silent = [self.closing(connect(self.running.port)) for _ in range(1000)]
        self.assertPings(*self.tunnel(proxy=self.running))
        for each in silent:
            each.close()
        self.assertPings(*self.tunnel(proxy=self.running))

    def test_fiveThousandIdle(self) -> None:
        """
        Five thousand tunnels are open at once (or as many as there are descriptors for: both
        ends of each are in this process), all of them work, and all of them are counted.
        """
        count = min(5000, (self.room - 512) // 2)
        self.assertGreaterEqual(count, 1000, "raise the hard limit of open files (ulimit -Hn)")
        listener = self.closing(listening(backlog=1024))
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        clients: list[socket.socket] = []
        origins: dict[int, socket.socket] = {}
        while len(clients) < count:
            batch = [self.closing(connect(self.running.port)) for _ in range(min(250, count - len(clients)))]
            for number, each in enumerate(batch, len(clients)):
                each.sendall(head(target) + b"%08d" % number)
            for each in batch:
                self.assertEqual(readAnswer(each).status, 200)
                origin = self.closing(listener.accept()[0])
                origins[int(readExactly(origin, 8))] = origin
            clients += batch
        self.assertEqual(len(origins), count)
        for number, client in enumerate(clients):
            client.sendall(b"u%07d" % number)
            origins[number].sendall(b"d%07d" % number)
        for number, client in enumerate(clients):
            self.assertEqual(readExactly(client, 8), b"d%07d" % number)
            self.assertEqual(readExactly(origins[number], 8), b"u%07d" % number)
        name = nameOf(clients[-1])
        for number, client in enumerate(clients):
            client.close()
            origins[number].close()
        self.running.event(name)
        self.running.terminate()
        self.running.wait()
        events = self.running.events()
        self.assertEqual(len(events), count)
        self.assertEqual({(e["event"], e["bytes_up"], e["bytes_down"]) for e in events}, {("tunnel", 16, 8)})


class ExhaustedTests(ProxyTestCase):
    """
    The proxy runs out of descriptors.
    """

    def launchSmall(self) -> Proxy:
        """
        A proxy that may have 256 open files.
        """
        return self.launch(*LOCAL, descriptors=256)

    def test_clients(self) -> None:
        """
        With too many clients it stops accepting and says so, keeps what it has going, and
        accepts again when they are gone.
        """
        proxy = self.launchSmall()
        tunnel = self.tunnel(proxy=proxy)
        silent = [self.closing(connect(proxy.port)) for _ in range(300)]
        proxy.waitForLog("accepting no more connections: nearly all of the 256 descriptors are in use")
        self.assertPings(*tunnel)
        waiting = self.connect(proxy)
        origin = self.origin()
        waiting.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        for each in silent:
            each.close()
        proxy.waitForLog("accepting connections again")
        self.assertEqual(readAnswer(waiting).status, 200)
        self.assertPings(waiting, self.accept(origin))
        self.assertPings(*tunnel)

    def test_tunnels(self) -> None:
        """
        With too many tunnels the next client waits until there is room, and then is served.
        """
        proxy = self.launchSmall()
        origin = self.origin()
        tunnels = []
        while "accepting no more connections" not in proxy.log():
            tunnels.append(self.tunnel(origin, proxy))
        self.assertGreater(len(tunnels), 64)
        waiting = self.connect(proxy)
        waiting.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        for each in tunnels:
            self.assertPings(*each)
        for client, end in tunnels[1:]:
            client.close()
            end.close()
        proxy.waitForLog("accepting connections again")
        self.assertEqual(readAnswer(waiting).status, 200)
        self.assertPings(waiting, self.accept(origin))
        self.assertPings(*tunnels[0])

    def test_burst(self) -> None:
        """
        Of too many that come at once some are served, and some are refused, turned away or left
        waiting; who was served stays so, and everybody is when the others are gone.
        """
        proxy = self.launchSmall()
        origin = self.origin(backlog=1024)
        target = f"127.0.0.1:{origin.getsockname()[1]}"
        clients = [self.closing(connect(proxy.port)) for _ in range(250)]
        for number, each in enumerate(clients):
            each.sendall(head(target) + b"%08d" % number)
        proxy.waitForLog("accepting no more connections")
        served, others = [], set(clients)
        # The first may take its time on a machine that is busy otherwise.
        while readable := select.select(list(others), [], [], 1.0 if served else 30.0)[0]:
            for each in readable:
                others.remove(each)
                try:
                    answer = readAnswer(each)
                except ConnectionError:
                    continue
                if answer.status == 200:
                    served.append(each)
                else:
                    self.assertRefused(answer, 503, "proxy_internal_error", "the proxy has no descriptor")
                    each.close()
        ends: dict[int, socket.socket] = {}
        for each in served:
            while clients.index(each) not in ends:
                end = self.accept(origin)
                ends[int(readExactly(end, 8))] = end
            self.assertPings(each, ends[clients.index(each)])
        for each in clients:
            if each is not served[0]:
                each.close()
                if each in served:
                    ends[clients.index(each)].close()
        origin.close()
        target = f"127.0.0.1:{self.origin().getsockname()[1]}"

        def asked() -> bool:
            # It may have to pause a few times more before it is through with them.
            try:
                return self.ask(target, proxy).status == 200
            except ConnectionError:
                return False

        waitFor(asked, "a tunnel")
        self.assertPings(served[0], ends[clients.index(served[0])])

    def exhaust(self, proxy: Proxy) -> Callable[[], None]:
        """
        Leave a proxy no descriptor but those that it has.

        @return: takes that back.
        """
        pid = proxy.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = set(map(int, os.listdir(f"/proc/{pid}/fd")))
        free = next(number for number in itertools.count() if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        return lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, limits) and None

    def test_relaysWithoutPipes(self) -> None:
        """
        Tunnels carry what they are given, and end in order, even when there is no descriptor
        for a pipe.
        """
        proxy = self.launch(*LOCAL)
        tunnels = [self.tunnel(proxy=proxy) for _ in range(10)]
        self.exhaust(proxy)
        block = bytes(range(256)) * 4096
        with ThreadPoolExecutor(20) as threads:
            for client, origin in tunnels:
                threads.submit(client.sendall, block)
                threads.submit(origin.sendall, block)
            for client, origin in tunnels:
                self.assertEqual(readExactly(client, len(block)), block)
                self.assertEqual(readExactly(origin, len(block)), block)
        for client, origin in tunnels:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(readToEnd(origin), (b"", "eof"))
            origin.close()
            self.assertEqual(readToEnd(client), (b"", "eof"))

    def test_noneToAccept(self) -> None:
        """
        When there is no descriptor to accept a client with, it is turned away, tunnels go on,
        and others are served as soon as there is one.
        """
        proxy = self.launch(*LOCAL)
        tunnel = self.tunnel(proxy=proxy)
        restore = self.exhaust(proxy)
        client = self.connect(proxy)
        self.assertEqual(readToEnd(client)[0], b"")
        self.assertPings(*tunnel)
        restore()
        self.assertPings(*self.tunnel(proxy=proxy))
        self.assertPings(*tunnel)
