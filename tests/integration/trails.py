"""
The proxies that the examples go through, and what each of them leaves of that.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.endpoints import quoteStringArgument

from tests.integration.parents import Program, parents
from tests.integration.program import PASSWORD, USER
from tests.integration.running import Proxy, waitFor

__all__ = ["SAID", "Trail", "Trails", "trails"]

SAID = f"{USER}:{PASSWORD.replace(':', '%3A')}@"
"""A user and a password as a URL has them."""

_TUNNEL = {
    "squid": r"TCP_TUNNEL/200 \d+ CONNECT {place} ",
    "tinyproxy": r"Request \(file descriptor \d+\): CONNECT {place} HTTP/1.1$",
    "dante": r"pass\(1\): tcp/connect \[: .* {place}$",
    "microsocks": r"connected to {place}$",
}
"""What each writes of a tunnel."""

_MESSAGE = {
    "squid": r"TCP_MISS/200 \d+ GET http://{place}/\S* ",
    "tinyproxy": r"Request \(file descriptor \d+\): GET http://{place}/\S* HTTP/1.1$",
}
"""What those that can write of a message that they forward."""


class Trail:
    """
    What one proxy has written, from some point on.

    @ivar port: where it listens.
    """

    def __init__(self, name: str, proxy: Proxy | Program, port: int = 0) -> None:
        """
        @param port: another one than its first.
        """
        self._name = name
        self._proxy = proxy
        self.port = port or proxy.port
        self.mark()

    def mark(self) -> None:
        """
        Forget what there is so far.
        """
        if isinstance(self._proxy, Proxy):
            self._proxy.mark()
        else:
            self._begin = len(self._proxy.log())

    def url(self, scheme: str, said: str = "", host: str = "127.0.0.1") -> str:
        """
        What a client is told.
        """
        return f"{scheme}://{said}{host}:{self.port}"

    def string(
        self, prefix: str, port: int, host: str = "localhost", *, within: str = "", **more: str
    ) -> str:
        """
        An endpoint string for a destination beyond it.

        @param within: that of the way to it; by default straight.
        """
        proxy = quoteStringArgument(within or f"tcp:127.0.0.1:{self.port}")
        rest = "".join(f":{name}={value}" for name, value in more.items())
        return f"{prefix}:proxy={proxy}:host={host}:port={port}{rest}"

    def count(self, port: int, kind: str = "tunnel") -> int:
        """
        How often it has led to a port of this machine.

        @param kind: C{"tunnel"}, or C{"request"} for messages that it forwarded.
        """
        if isinstance(self._proxy, Proxy):
            targets = (f"localhost:{port}", f"127.0.0.1:{port}")
            ways = [(kind, None, target) for target in targets]
            said = ((each["event"], each["error"], each["target"]) for each in self._proxy.events())
            return sum(each in ways for each in said)
        place = rf"(?:localhost|127\.0\.0\.1)[:.]{port}"
        pattern = (_TUNNEL if kind == "tunnel" else _MESSAGE)[self._name].replace("{place}", place)
        return len(re.findall(pattern, self._proxy.log()[self._begin :], re.MULTILINE))

    def waitFor(self, port: int, kind: str = "tunnel", count: int = 1) -> None:
        """
        Wait until it has led so often to a port, as it was to.

        @raise AssertionError: it did not, or did it more often.
        """
        try:
            waitFor(lambda: self.count(port, kind) >= count, f"{self._name} to tell of the port {port}")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self._said()}") from None
        assert self.count(port, kind) == count, self._said()

    def _said(self) -> str:
        """
        All that there is.
        """
        proxy = self._proxy
        return str(proxy.events()) if isinstance(proxy, Proxy) else proxy.log()[self._begin :]


class Trails(NamedTuple):
    """
    All of them.

    @ivar own: this proxy.
    @ivar known: squid at the port where it wants to know who asks.
    @ivar asking: a tinyproxy that does.
    """

    own: Trail
    squid: Trail
    known: Trail
    tinyproxy: Trail
    asking: Trail
    dante: Trail
    microsocks: Trail

    @property
    def check(self) -> Callable[[], None]:
        """Raises if this proxy has logged what it should not."""
        return parents().own.check


@functools.cache
def _trails() -> Trails:
    found = parents()
    return Trails(
        Trail("own", found.own),
        Trail("squid", found.squid),
        Trail("squid", found.squid, found.squid.ports[1]),
        Trail("tinyproxy", found.tinyproxy),
        Trail("tinyproxy", found.asking),
        Trail("dante", found.dante),
        Trail("microsocks", found.microsocks),
    )


def trails() -> Trails:
    """
    Those of the proxies that all tests share, empty.
    """
    found = _trails()
    for each in found:
        each.mark()
    return found
