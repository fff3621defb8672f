"""
Tests for L{connectproxy.listeners.http2.exchange}: what has terms of its own is carried by
them.
"""

from __future__ import annotations

from connectproxy.call import Call
from connectproxy.interfaces import Terms
from connectproxy.limits.bucket import Bucket
from connectproxy.shaping import TICK
from tests.listeners.http2.exchanging import ExchangeCase, fields

RATE = 100_000


class LimitTests(ExchangeCase):
    """
    How fast messages on streams are.
    """

    def setUp(self) -> None:
        """
        Have the switchboard give terms to every call.
        """
        ExchangeCase.setUp(self)
        self.up, self.down = Bucket(RATE, self.reactor), Bucket(RATE, self.reactor)
        self.patch(Call, "_terms", lambda call: Terms(None, ((self.up, self.down),)))

    def pass_(self, seconds: float) -> None:
        """
        Let time go by, a round of the lanes at a time.
        """
        for _ in range(round(seconds / TICK)):
            self.reactor.advance(TICK)
            self.flush()

    def test_download(self) -> None:
        """
        Streams of one client share what there is, and get all of it.
        """
        client = self.client()
        asked = [self.ask(client, fields()) for _ in range(3)]
        for _, origin in asked:
            self.answer(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + bytes(20_000))
        self.pass_(1)
        for number, _ in asked:
            self.assertEqual(len(client.heard(number).octets), 20_000)

    def test_upload(self) -> None:
        """
        A body is not read before it may be, and gets there whole.
        """
        self.up.charge(int(self.up.burst + RATE))
        client = self.client()
        number, origin = self.ask(client, fields("POST"), end=False)
        client.put(number, bytes(16_000), end=True)
        self.flush()
        head, _, body = bytes(origin.received).partition(b"\r\n\r\n")
        self.assertEqual((head[:4], body), (b"POST", b""))
        self.pass_(2)
        self.assertIn(bytes(16_000), bytes(origin.received))
