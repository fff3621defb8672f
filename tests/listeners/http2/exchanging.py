"""
What the tests of forwarded messages have in common.
"""

from __future__ import annotations

from typing import Any

from tests.listeners.http2.case import HTTP2Case

__all__ = ["PLAIN", "ExchangeCase", "fields"]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello"


def fields(method: str = "GET", path: str = "/", *more: tuple[str, str]) -> list[tuple[str, str]]:
    """
    A request's fields.
    """
    return [(":method", method), (":scheme", "http"), (":authority", "a.example"), (":path", path), *more]


class ExchangeCase(HTTP2Case):
    """
    A client and what its requests lead to.
    """

    def ask(
        self, client: Any, asked: list[tuple[str, str]], *, end: bool = True, **options: Any
    ) -> tuple[int, Any]:
        """
        Send a request, and connect it to its origin.
        """
        number = client.ask(asked, end=end)
        self.flush()
        origin = self.dials[-1].succeed(**options)
        self.flush()
        return number, origin

    def answer(self, origin: Any, octets: bytes) -> None:
        """
        Have the origin send something.
        """
        origin.transport.write(octets)
        self.flush()
