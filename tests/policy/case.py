"""
What the tests of policies have in common: requests, and policies of a few rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import parseAuthority
from connectproxy.config import ConfigurationError, configure
from connectproxy.errors import Refusal
from connectproxy.interfaces import ProxyUser, TunnelRequest
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy, buildPolicy

NOON = 1_700_481_600.0
"""Monday 2023-11-20 12:00 UTC."""


def request(
    target: str = "host.example:443",
    user: str | None = None,
    *groups: str,
    client: str | None = "192.0.2.9",
    listener: str = "tcp:8080",
    protocol: str = "http/1.1",
    method: str = "CONNECT",
) -> TunnelRequest:
    """
    A request, for what a client writes as its target.
    """
    destination = parseAuthority(target.encode("utf-8"))
    if isinstance(destination, Refusal):
        raise ValueError(destination.detail)
    address: Any = UNIXAddress(None)
    if client is not None:
        address = (IPv6Address if ":" in client else IPv4Address)("TCP", client, 40000)
    identity = None if user is None else ProxyUser(user, frozenset(groups))
    return TunnelRequest(destination, address, listener, protocol, method, identity=identity)


class PolicyCase(SynchronousTestCase):
    """
    Builds policies, from rows as a file would have them.
    """

    now = NOON

    def policy(self, *rows: dict[str, Any], default: str = "deny", **tables: Any) -> Policy:
        """
        A policy of rules; where nothing else is said, every port is open.
        """
        tables.setdefault("allow", {}).setdefault("ports", "any")
        said = {"default": default, **tables.pop("policy", {})}
        named = [{"name": f"rule-{number}", **row} for number, row in enumerate(rows)]
        config = configure(policy=said, rule=named, **tables)
        return buildPolicy(config, OwnPorts(), seconds=lambda: self.now)

    def problems(self, *rows: dict[str, Any], **tables: Any) -> list[str]:
        """
        What is wrong with a policy.
        """
        with self.assertRaises(ConfigurationError) as caught:
            self.policy(*rows, **tables)
        return [str(problem) for problem in caught.exception.problems]

    def write(self, text: str | bytes, name: str = "list.txt") -> str:
        """
        Make a file.

        @return: its name.
        """
        path = Path(self.mktemp())
        path.mkdir()
        path /= name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path.absolute())
