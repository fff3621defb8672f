"""
Tests for L{connectproxy.listeners.http.carriage}: exchanges in which somebody is too slow.
"""

from __future__ import annotations

from tests.fakes import SETTINGS
from tests.listeners.http.forwarding import GET, ForwardCase, get, responses

POST = b"POST http://origin.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


class LateTests(ForwardCase):
    """
    Somebody is too slow.
    """

    def test_noResponse(self) -> None:
        """
        An origin that does not respond is given up, and the client hears of it.
        """
        client, origin = self.exchange()
        self.wait(SETTINGS["timeouts.response"])
        self.assertEqual(self.response(client).status, 504)
        self.assertEqual(self.end()["error"], "http_response_timeout")
        self.assertIsNotNone(origin.lost)
        self.assertFalse(client.ended)

    def test_interimIsProgress(self) -> None:
        """
        An interim response gives it more time.
        """
        client, origin = self.exchange()
        for _ in range(3):
            self.wait(SETTINGS["timeouts.response"] - 10)
            self.reply(origin, b"HTTP/1.1 102 Wait\r\n\r\n")
        self.reply(origin)
        self.assertEqual(responses(client.received)[-1].status, 200)

    def test_silentInBody(self) -> None:
        """
        A response in which nothing moves any more is cut short.
        """
        client, origin = self.exchange()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na")
        self.wait(SETTINGS["timeouts.idle"] - 10)
        self.reply(origin, b"b")
        self.wait(SETTINGS["timeouts.idle"] - 10)
        self.assertFalse(client.ended)
        self.wait(10)
        self.assertTrue(client.ended)
        self.assertEqual((self.end()["end"], self.end()["ended_by"]), ("idle_timeout", "proxy"))

    def test_silentClient(self) -> None:
        """
        A client that does not go on with its body is told so.
        """
        client, origin = self.exchange(POST + b"he")
        self.wait(SETTINGS["timeouts.idle"])
        self.assertEqual(self.response(client, "POST").status, 408)
        self.assertIsNotNone(origin.lost)

    def test_slowOrigin(self) -> None:
        """
        An origin that takes nothing of a body is the one that is too slow.
        """
        head = b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
        client, origin = self.exchange(head, capacity=1000)
        origin.transport.pauseProducing()
        self.send(client, bytes(900000))
        self.wait(SETTINGS["timeouts.idle"])
        self.assertEqual(self.response(client, "POST").status, 504)

    def test_kept(self) -> None:
        """
        Connections that nobody uses are closed: the client's without a word, the origin's
        when its own time is over.
        """
        self.listen(**{"timeouts.keep_alive": 30.0})
        client, origin = self.exchange()
        self.reply(origin)
        self.wait(15)
        self.assertFalse(client.ended or origin.ended)
        self.wait(15)
        self.assertTrue(client.ended and origin.ended)
        self.assertEqual(len(self.events()), 1)
        self.checkQuiet()

    def test_originKept(self) -> None:
        """
        An origin's connection is kept for no more than a minute, whatever the client's is.
        """
        self.listen(**{"timeouts.keep_alive": 300.0})
        client, origin = self.exchange()
        self.reply(origin)
        self.wait(60)
        self.assertEqual((client.ended, origin.ended), (False, True))
        self.send(client, GET)
        self.assertEqual(len(self.upstream.dials), 2)

    def test_nextHead(self) -> None:
        """
        Each head has its deadline from its first octet on, and a request began with it.
        """
        client, origin = self.exchange()
        self.reply(origin)
        client.received.clear()
        self.wait(20)
        self.send(client, b"G")
        self.wait(SETTINGS["timeouts.head"] - 2)
        self.assertEqual(bytes(client.received), b"")
        self.wait(2)
        self.assertEqual(self.response(client).status, 408)
        self.assertTrue(client.ended)

    def test_slowReader(self) -> None:
        """
        A client that is slow to take a last response gets the time it needs.
        """
        client = self.connect(capacity=1000)
        self.send(client, get(b"Connection: close"))
        origin = self.upstream.dials[0].succeed()
        client.transport.pauseProducing()
        self.reply(origin, b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
        self.wait(60)
        client.transport.resumeProducing()
        self.reactor.flush()
        self.assertTrue(self.response(client).whole)
        self.assertTrue(client.ended)
