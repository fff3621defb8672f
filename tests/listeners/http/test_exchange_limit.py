"""
Tests for L{connectproxy.listeners.http.exchange}: what has terms of its own is carried by
them.
"""

from __future__ import annotations

from typing import Any

from connectproxy.call import Call
from connectproxy.interfaces import Terms, Timeouts
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK
from tests.fakes import Peer
from tests.listeners.http.forwarding import ForwardCase, get

RATE = 100_000


class LimitCase(ForwardCase):
    """
    Requests with limits.
    """

    def setUp(self) -> None:
        """
        Have the switchboard give terms to every call.
        """
        ForwardCase.setUp(self)
        self.up, self.down = Bucket(RATE, self.reactor), Bucket(RATE, self.reactor)
        self.terms = Terms(Timeouts(30.0, 3.0, 0.0), ((self.up, self.down),))
        self.patch(Call, "_terms", lambda call: self.terms)

    def pass_(self, seconds: float) -> None:
        """
        Let time go by, a round of the lanes at a time.
        """
        for _ in range(round(seconds / TICK)):
            self.reactor.advance(TICK)
            self.reactor.flush()


class LimitTests(LimitCase):
    """
    How fast messages are.
    """

    def test_download(self) -> None:
        """
        A plain GET is no faster than a tunnel would be, and arrives whole.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
        self.pass_(1)
        self.assertLess(abs(len(client.received) - 1.1 * RATE), 65536)
        self.pass_(2.5)
        self.assertEqual(self.response(client).body, bytes(300_000))

    def test_slowClient(self) -> None:
        """
        A client that does not read stops the response as ever.
        """
        client, origin = self.exchange()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + bytes(600_000))
        self.pass_(10)
        self.assertTrue(origin.transport.dataBuffer or origin.transport._tempDataBuffer)
        client.transport.resumeProducing()
        self.pass_(7)
        self.assertEqual(self.response(client).body, bytes(600_000))

    def upload(self, *fields: bytes) -> tuple[Peer, Peer]:
        """
        Begin a request with a body of 300,000 octets, some of which come with the head.
        """
        request = get(b"Content-Length: 300000", *fields, method=b"POST") + bytes(20_000)
        client, origin = self.exchange(request)
        client.transport.write(bytes(280_000))
        self.reactor.flush()
        return client, origin

    def test_upload(self) -> None:
        """
        A body goes as fast as it may, also while a bucket is overdrawn, and what came with the
        head is first.
        """
        for overdrawn in (0, 1):
            self.up.charge(overdrawn * int(self.up.burst + RATE))
            client, origin = self.upload()
            self.pass_(0.9)
            body = len(origin.received.partition(b"\r\n\r\n")[2])
            if overdrawn:
                self.assertEqual(body, 0)
            else:
                self.assertLess(abs(body - RATE), 65536)
            self.pass_(3.5)
            self.assertEqual(len(origin.received.partition(b"\r\n\r\n")[2]), 300_000)
            self.reply(origin)
            self.pass_(1)
            self.assertEqual(self.response(client, "POST").status, 200)

    def test_manyInOne(self) -> None:
        """
        Requests that come one behind the other in one read get their answers in turn, no
        faster than they may.
        """
        one = get(b"Content-Length: 2000", method=b"POST") + bytes(2000)
        self.up.charge(int(self.up.burst + RATE))
        client, origin = self.exchange(one * 10)
        answers = 0
        for _ in range(100):
            self.pass_(TICK)
            if origin.received.count(b"POST ") > answers and origin.received.endswith(bytes(2000)):
                answers += 1
                self.reply(origin)
        self.pass_(1)
        found = self.all(client, *["POST"] * 10)
        self.assertEqual([each.body for each in found], [b"hello"] * 10)

    def test_silence(self) -> None:
        """
        A rule's idle time holds for messages too.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.reactor.advance(29)
        self.reactor.flush()
        self.assertFalse(client.ended)
        self.reactor.advance(1.5)
        self.reactor.flush()
        self.assertTrue(client.ended or client.lost)

    def test_websocket(self) -> None:
        """
        So is what comes behind a change of protocols.
        """
        joined: list[Any] = []
        join = self.board.join
        self.patch(self.board, "join", lambda *arguments: (joined.append(arguments[2]), join(*arguments))[1])
        client, origin = self.exchange(get(b"Connection: Upgrade", b"Upgrade: websocket"))
        self.reply(
            origin, b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + bytes(300_000)
        )
        self.pass_(1)
        self.assertLess(len(client.received), 1.1 * RATE + 65536)
        self.assertEqual(joined, [self.terms])
