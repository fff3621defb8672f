"""
Answers of the proxy's own.
"""

from __future__ import annotations

from connectproxy.wire.http2 import ErrorCode
from tests.listeners.http2.case import HTTP2Case
from tests.listeners.http2.client import connectFields


class AnswerTests(HTTP2Case):
    """
    An answer, and who does not read it.
    """

    def test_whole(self) -> None:
        """
        The answer ends the stream; a client that has ended its direction is not reset.
        """
        client = self.client()
        number = client.ask(connectFields("nowhere"), end=True)
        self.flush()
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (400, True, None))

    def test_meanwhile(self) -> None:
        """
        What the client sends behind a refused request is thrown away, without an error.
        """
        client = self.client()
        number = client.connect("nowhere")
        for _ in range(4):
            client.put(number, bytes(15000))
        self.flush()
        self.assertEqual((client.heard(number).reset, client.goodbyes), (ErrorCode.NO_ERROR, []))
        client.connect("example.com:443")
        self.flush()
        self.assertEqual(len(self.dials), 1)

    def test_notRead(self) -> None:
        """
        A client whose window takes no answer is given its time, and then the stream is reset.
        """
        client = self.client(window=0)
        number = client.connect("nowhere")
        self.flush()
        self.assertEqual((client.heard(number).status, client.heard(number).ended), (400, False))
        self.reactor.advance(2.5)
        self.flush()
        self.assertEqual(client.heard(number).reset, ErrorCode.CANCEL)
        self.assertEqual(client.goodbyes, [])
        self.reactor.advance(61)
        self.flush()
        self.assertEqual(len(client.goodbyes), 1)
