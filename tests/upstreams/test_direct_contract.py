"""
L{connectproxy.upstreams.direct} goes through the kit for upstreams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.upstreams import direct
from tests.conformance import UpstreamContract


class NameContractTests(UpstreamContract, SynchronousTestCase):
    """
    To a name, which has to be looked up.
    """

    kind = direct.kind

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        return {
            "looking up": (lambda: None, "dns_timeout"),
            "looking up the other family": (lambda: self.answer(0), "dns_timeout"),
            "dialling": (self.dial, "connection_timeout"),
            "dialling the second": (self.dialSecond, "connection_timeout"),
        }

    def answer(self, index: int, *addresses: str) -> None:
        """
        Have a look-up answered.
        """
        self.reactor.nameResolver.lookups[index].answer(*addresses)

    def dial(self) -> Any:
        self.answer(0)
        self.answer(1, "198.51.100.1", "2001:db8::1")
        (attempt,) = self.reactor.attempts
        return attempt

    def dialSecond(self) -> None:
        """
        Two attempts are under way.
        """
        self.answer(0, "198.51.100.1", "2001:db8::1")
        self.answer(1, "198.51.100.1", "2001:db8::1")
        self.reactor.advance(0.25)
        assert len(self.reactor.attempts) == 2


class AddressContractTests(UpstreamContract, SynchronousTestCase):
    """
    To an address.
    """

    kind = direct.kind
    target = "[2001:db8::1]:443"

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        return {"dialling": (self.dial, "connection_timeout")}

    def dial(self) -> Any:
        (attempt,) = self.reactor.attempts
        return attempt
