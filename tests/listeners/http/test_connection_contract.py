"""
L{connectproxy.listeners.http} goes through the kit for listeners.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS
from connectproxy.listeners import http
from tests.conformance import Answer, ListenerContract


class HTTPContractTests(ListenerContract, SynchronousTestCase):
    """
    CONNECT over HTTP/1.1.
    """

    kind = http.kind
    success = 200

    def ask(self, target: str) -> bytes:
        return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii")

    def read(self, received: bytes) -> Answer | None:
        head, blank, rest = received.partition(b"\r\n\r\n")
        if not blank:
            return None
        status, *lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines)
        code = int(status.split()[1])
        if code != self.success:  # a refusal has a body
            rest = rest[int(fields[b"content-length"]) :]
        return Answer(code, rest)

    def codeOf(self, kind: str) -> Any:
        return KINDS[kind].status


class HTTP10ContractTests(HTTPContractTests):
    """
    CONNECT over HTTP/1.0, without a Host field.
    """

    def ask(self, target: str) -> bytes:
        return f"CONNECT {target} HTTP/1.0\r\nUser-Agent: old\r\n\r\n".encode("ascii")
