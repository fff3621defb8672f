"""
Makes C{twistd connectproxy} known, and the endpoints C{connect:}, C{socks5:} and C{socks4:}.

Twisted imports this for every C{twistd} command, and for the first endpoint string whose
prefix is none of its own, so it names our modules and imports none of them.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import ServiceMaker
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamClientEndpointStringParserWithReactor
from twisted.plugin import IPlugin
from zope.interface import implementer

connectproxy = ServiceMaker(
    "connectproxy",
    "connectproxy.tap",
    "A forward proxy: HTTP CONNECT tunnels with access rules, spliced in the kernel where possible.",
    "connectproxy",
)


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class _Parser:
    """
    Passes on what stands in a string to L{connectproxy.endpoints.strings}.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def parseStreamClient(self, reactor: Any, *args: object, **kwargs: object) -> IStreamClientEndpoint:
        """
        See L{IStreamClientEndpointStringParserWithReactor}.
        """
        from connectproxy.endpoints.strings import parse  # noqa: PLC0415 - see above

        return parse(self.prefix, reactor, *args, **kwargs)  # type: ignore[arg-type]  # they are strings


connect = _Parser("connect")
socks5 = _Parser("socks5")
socks4 = _Parser("socks4")
