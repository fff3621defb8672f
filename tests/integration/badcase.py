"""
Tests with next hops that do what they should not.
"""

from __future__ import annotations

import atexit
import functools
import socket

from connectproxy.errors import KINDS
from connectproxy.testing import Read
from tests.integration.badparent import BadParent
from tests.integration.case import ProxyTestCase
from tests.integration.front import Front, table
from tests.integration.origins import authority
from tests.integration.raw import Answer, connect, head, nameOf, readAnswer, readExactly

__all__ = ["ASKED", "MEMORY", "OK", "SECRET", "TARGET", "BadCase"]

ASKED = Read(b"\r\n\r\n")
"""The whole request has come; it has no body."""

OK = b"HTTP/1.1 200 OK\r\n\r\n"

SECRET = "only-an-example"

QUICK = "connect_timeout = 0.4\n"
"""Of ways whose hops are waited for in vain."""

MEMORY = 16 << 20
"""Octets that a proxy may grow by while somebody sends it hundreds of megabytes."""

TARGET = "origin.example:443"
"""Nobody looks that up: the hops are asked for it."""


class Stage:
    """
    A bad next hop for each protocol, and this proxy in front of them.
    """

    def __init__(self) -> None:
        made = authority()
        self.http, self.socks5, self.socks4, self.tls = (BadParent() for _ in range(4))
        ports = {name: getattr(self, name).port for name in ("http", "socks5", "socks4", "tls")}
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()[1]
        word, url = f"ann:{SECRET}", f"http://127.0.0.1:{ports['http']}"
        tables = {
            "http": {"url": url},
            "http-quick": {"url": url},
            "http-basic": {"url": url, "credentials": word},
            "http-digest": {"url": url, "credentials": word, "authentication": "digest"},
            "http-asked": {"url": url, "credentials": word, "authentication": "digest"},
            "http-bearer": {"url": url, "token": SECRET},
            "nobody": {"url": f"http://127.0.0.1:{nobody}"},
            "beyond": {"url": f"http://127.0.0.1:{nobody}", "via": "http-basic"},
            "socks5": {"url": f"socks5h://127.0.0.1:{ports['socks5']}"},
            "socks5-quick": {"url": f"socks5h://127.0.0.1:{ports['socks5']}"},
            "socks5-known": {"url": f"socks5h://127.0.0.1:{ports['socks5']}", "credentials": word},
            "socks4": {"url": f"socks4a://127.0.0.1:{ports['socks4']}"},
            "socks4-quick": {"url": f"socks4a://127.0.0.1:{ports['socks4']}"},
            "https": {"url": f"https://localhost:{ports['tls']}", "ca": made.certificate},
            "https-quick": {"url": f"https://localhost:{ports['tls']}", "ca": made.certificate},
            "https-other": {
                "url": f"https://localhost:{ports['tls']}", "ca": made.certificate,
                "server_name": "other.example",
            },
            "https-pinned": {
                "url": f"https://localhost:{ports['tls']}", "ca": made.certificate,
                "pins": ["sha256//" + "A" * 43 + "="],
            },
            "h2": {"url": f"h2://localhost:{ports['tls']}", "ca": made.certificate},
            "h2c-quick": {"url": f"h2c://127.0.0.1:{ports['http']}"},
        }  # fmt: skip
        text = "".join(table(name, **rest) for name, rest in tables.items())
        self.front = Front(tables, text, rules={way: QUICK for way in tables if way.endswith("-quick")})
        atexit.register(self.front.discard)


@functools.cache
def stage() -> Stage:
    """
    The one that all tests have.
    """
    return Stage()


class BadCase(ProxyTestCase):
    """
    Tests with bad next hops.
    """

    def setUp(self) -> None:
        """
        Nothing has happened yet.
        """
        self.stage = stage()
        self.proxy = self.stage.front
        self.proxy.mark()
        self.addCleanup(self.proxy.check)
        self.addCleanup(self.assertSecret)

    def assertSecret(self) -> None:
        """
        What proves who the proxy is stands nowhere that anybody reads.
        """
        for text in (self.proxy.log(), self.proxy.access.read_text()):
            for word in (SECRET, "Proxy-Authorization", "YW5uOm9ubHk"):
                self.assertNotIn(word, text)

    def opened(self, way: str, request: bytes = head(TARGET)) -> tuple[socket.socket, Answer]:
        """
        Ask, and read the answer.
        """
        client = self.closing(connect(self.proxy.portOf(way)))
        client.sendall(request)
        return client, readAnswer(client)

    def assertTold(
        self, way: str, error: str, *words: str, received: int | None = None, request: bytes = head(TARGET),
        members: str = "", hop: str = "", kind: str = "refusal",
    ) -> Answer:  # fmt: skip
        """
        The client is told what has happened and what to do, in all ways there are, and so is who
        reads the log.

        @param words: of what has happened.
        @param received: the status of the hop's.
        @param members: what it has said in Proxy-Status.
        @param hop: what it is called, if not as the way.
        @param kind: of the event.
        """
        client, answer = self.opened(way, request)
        row = KINDS[error]
        status = f"connectproxy; error={row.proxyStatus}"
        if received is not None:
            status += f"; received-status={received}"
        self.assertEqual(answer.status, row.status, answer)
        self.assertEqual(answer.fields["proxy-status"], f"{members}, {status}" if members else status)
        self.assertNotIn("proxy-authenticate", answer.fields)
        self.assertNotEqual(answer.status, 407)
        name = hop or way
        for word in (row.remedy, *words):
            self.assertIn(word, answer.body)
        named = rf"\bnext hop {name}(?:'s)? "
        self.assertRegex(answer.body, named)
        self.assertNotIn(SECRET, str(answer))
        event = self.proxy.event(nameOf(client))
        found = event["event"], event["upstream"], event["error"], event["received_status"], event["status"]
        self.assertEqual(found, (kind, way, error, received, row.status))
        for word in words:
            self.assertIn(word, event["reason"])
        self.assertRegex(event["reason"], named)
        return answer

    def assertOpen(self, way: str, expected: bytes = b"hello") -> None:
        """
        There is a tunnel, and what comes by it is this.
        """
        client, answer = self.opened(way)
        self.assertEqual(answer.status, 200)
        self.assertEqual(readExactly(client, len(expected)), expected)
        client.sendall(b"there")
        client.close()
