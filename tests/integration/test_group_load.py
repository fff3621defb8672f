"""
A group of three next hops that are killed one by one while there is load, and started again.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.front import Front, table
from tests.integration.origins import authority
from tests.integration.parents import freePorts
from tests.integration.raw import connect, head, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import LOCAL, Proxy, waitFor

pytestmark = pytest.mark.integration

TUNNELS = 240
"""How many each load makes."""

AT_ONCE = 12
"""How many of them there are at a time."""

SCHEMES = {"one": "https", "two": "h2", "three": "http"}
"""What is spoken to each.  A process that is killed closes its connections as one that is at its
end does, so that only within TLS anybody can tell the one from the other."""

NAMES = tuple(SCHEMES)

WAIT = 30.0
"""Seconds until who waits for an answer gives up."""


class Sizes:
    """
    An origin that sends as many octets as it is asked for, and closes.
    """

    def __init__(self) -> None:
        self._port = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._port.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._port.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                sock.sendall(b"x" * int(readExactly(sock, 8) or b"0"))
            except ConnectionError:
                pass  # its hop has been killed

    def close(self) -> None:
        """
        Serve no more.
        """
        self._port.shutdown(socket.SHUT_RDWR)
        self._port.close()
        self._thread.join()


class Ended(NamedTuple):
    """
    What has become of a tunnel.

    @ivar status: what the CONNECT was answered with; 0 for nothing.
    @ivar wanted: octets.
    @ivar got: of these.
    @ivar end: C{"eof"} or C{"reset"}.
    @ivar name: the client.
    """

    status: int
    wanted: int
    got: int
    end: str
    name: str
    said: str = ""

    @property
    def whole(self) -> bool:
        """All that was wanted has come."""
        return self.got == self.wanted


class GroupTests(ProxyTestCase):
    """
    A group of this proxy's own, each at a port that it has again when it is started again.
    """

    def setUp(self) -> None:
        """
        Start all of them.
        """
        self.sizes = self.closing(Sizes())
        self.ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        ca = authority().certificate
        with ThreadPoolExecutor() as pool:
            self.hops = dict(zip(NAMES, pool.map(self.hop, NAMES), strict=True))
        self.addCleanup(lambda: [hop.discard() for hop in self.hops.values()])
        tables = "".join(
            table(
                name, f"{SCHEMES[name]}://localhost:{port}", ca="" if SCHEMES[name] == "http" else ca, addresses=""
            )
            for name, port in self.ports.items()
        )  # fmt: skip
        tables += table(
            "pool", "", members=list(NAMES), balance="least-tunnels", retry_after=0.3, retry_after_most=0.5,
            failures=2,
        )  # fmt: skip
        self.proxy = self.closing(Front(["pool"], tables))

    def hop(self, name: str) -> Proxy:
        """
        Start one.
        """
        made = authority()
        options = ("--tls-certificate", str(made.chain), "--tls-key", str(made.key))
        return Proxy(*LOCAL, *options, listen=(f"tcp:{self.ports[name]}:interface=127.0.0.1",), events=False)

    def kill(self, name: str) -> None:
        """
        End one at once.
        """
        self.hops[name].process.kill()
        self.hops[name].process.wait()

    def restart(self, name: str) -> None:
        """
        Have it back.
        """
        self.hops[name].discard()
        self.hops[name] = self.hop(name)

    def tunnel(self, size: int) -> Ended:  # type: ignore[override]
        """
        Ask for so many octets by a tunnel.
        """
        with connect(self.proxy.port) as client:
            client.settimeout(WAIT)
            name = nameOf(client)
            client.sendall(head(f"127.0.0.1:{self.sizes.port}"))
            try:
                answer = readAnswer(client)
            except ConnectionError:
                return Ended(0, size, 0, "reset", name)
            if answer.status != 200:
                return Ended(answer.status, size, 0, "", name, answer.body)
            try:
                client.sendall(b"%08d" % size)
            except ConnectionError:
                return Ended(200, size, 0, "reset", name)
            octets, end = readToEnd(client)
            return Ended(200, size, len(octets), end, name)

    def load(self, *strikes: tuple[int, Any, str]) -> list[Ended]:
        """
        Make many tunnels.

        @param strikes: after how many of them what is done to which of the hops.
        """
        done: list[Ended] = []
        lock = threading.Lock()
        due = list(strikes)

        def one(number: int) -> None:
            ended = self.tunnel(1000 if number % 8 else 3_000_000)
            with lock:
                done.append(ended)
                strike = due.pop(0) if due and len(done) >= due[0][0] else None
            if strike is not None:
                strike[1](strike[2])

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(TUNNELS)))
        self.assertEqual(due, [])
        return done

    def assertNoneLost(self, done: list[Ended]) -> None:
        """
        Every tunnel was made; of each that was cut short the event says so.
        """
        self.assertEqual(
            Counter(each.status for each in done), {200: TUNNELS}, [e.said for e in done if e.said]
        )
        cut = [each for each in done if not each.whole]
        for each in cut:
            event = self.proxy.event(each.name)
            self.assertIn(event["end"], ("truncated", "reset"), (each, event))
        self.assertLessEqual(len(cut), 2 * AT_ONCE)

    def assertGone(self) -> None:
        """
        All are gone: it is said at once, with what is wrong with each.
        """
        for _ in range(5):
            ended = self.tunnel(1)
            self.assertEqual(ended.status, 503, ended)
        self.assertIn("upstream_unavailable", ended.said)
        for name in NAMES:
            self.assertIn(f"{name} ", ended.said)
        event = self.proxy.event(ended.name)
        known = event["error"], event["upstream"], event["decision"]
        self.assertEqual(known, ("upstream_unavailable", "pool", "allow"))

    def test_oneByOne(self) -> None:
        """
        Two of three are killed under load, then the last one; when they are back, so is
        everything.
        """
        done = self.load((60, self.kill, "one"), (140, self.kill, "two"))
        self.assertNoneLost(done)
        members = Counter(self.proxy.event(each.name)["member"] for each in done)
        self.assertEqual(set(members), set(NAMES))
        self.assertGreater(members["three"], TUNNELS // 3)
        self.kill("three")
        self.assertGone()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.restart, NAMES))
        waitFor(lambda: self.tunnel(10).whole, "a way")
        for name in NAMES:
            self.proxy.waitForLog(f"the next hop {name} of pool is out for ")
            waitFor(lambda name=name: self.tunnel(10).whole and self.back(name), f"{name} to be back")  # type: ignore[misc]
        self.proxy.mark()
        done = self.load()
        self.assertNoneLost(done)
        self.assertTrue(all(each.whole for each in done))
        members = Counter(self.proxy.event(each.name)["member"] for each in done)
        self.assertEqual(set(members), set(NAMES), members)

    def back(self, name: str) -> bool:
        """
        Whether the log says that one can be used again.
        """
        return f"the next hop {name} of pool is back" in self.proxy.log()

    def test_heldTunnels(self) -> None:
        """
        Whose tunnel was up on a hop that is killed learns that it was cut short, although nothing
        was on its way; the others' go on.
        """
        origin = self.origin()
        ends = []
        for _ in range(6):
            client = self.closing(connect(self.proxy.port))
            client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
            self.assertEqual(readAnswer(client).status, 200)
            ends.append((client, self.accept(origin)))
        for client, peer in ends:
            self.assertPings(client, peer)
        self.kill("one")
        self.kill("two")
        cut: Counter[str] = Counter()
        for client, peer in ends:
            if self.dead(peer):
                octets, end = readToEnd(client)
                event = self.proxy.event(nameOf(client))
                cut[event["member"]] += 1
                self.assertEqual((octets, event["event"]), (b"", "tunnel"))
                # Many servers end without a close_notify: that is for who reads the events.
                known = ("eof", "truncated") if event["member"] == "one" else ("reset", "reset")
                self.assertEqual((end, event["end"]), known, event)
            else:
                self.assertPings(client, peer)
        self.assertEqual(cut, {"one": 2, "two": 2})

    def dead(self, peer: socket.socket) -> bool:
        """
        Whether the hop of an origin's end has been killed.
        """
        try:
            peer.setblocking(False)
            return peer.recv(1) == b""
        except ConnectionError:
            return True
        except BlockingIOError:
            peer.settimeout(WAIT)
            return False
