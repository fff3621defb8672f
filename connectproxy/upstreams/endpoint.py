"""
The way by an endpoint of Twisted's or of its plugins, to which the destination is said in its
description: so Tor, SSH and whatever else there is an endpoint for.

The description has C{{host}} and C{{port}} in it, each as an argument of its own::

    tor:host={host}:port={port}
    tls:front.example:443:endpoint=tor\\:{host}\\:{port}

What a client names must not get out of that place: it is quoted as often as the description
is within others, the second of these once more than the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from connectproxy.interfaces import IUpstream, IUpstreamKind, Surroundings, TunnelRequest
from connectproxy.way import EndpointWay

__all__ = ["Description", "kind"]

_WORDS = ("host", "port")

_PLACE = re.compile(r"\{(?:host|port)\}")

_ARGUMENT = re.compile(
    r"(?<!\\)(?P<before>\\*):(?:[A-Za-z_][A-Za-z0-9_]*=)?\{(?P<word>host|port)\}(?=(?P<after>\\*)(?::|$))"
)
"""A place, with the colons around its argument and the backslashes that quote these."""

_SIGNS = re.compile(r"[\\:=]")

_DEPTHS: Mapping[int, int] = {(1 << depth) - 1: depth for depth in range(8)}
"""By how many backslashes a colon is quoted at each depth, since each is quoted itself."""


class Description:
    """
    The description of an endpoint, with places for a host and a port.
    """

    def __init__(self, text: str) -> None:
        """
        @param text: as the module says.
        @raise ValueError: a place is missing, or not an argument of its own.
        """
        self._pieces: list[str] = []
        self._places: list[tuple[str, int]] = []
        done = 0
        for found in _ARGUMENT.finditer(text):
            depth = _DEPTHS.get(len(found["before"]))
            if depth is None or len(found["after"]) > len(found["before"]):
                break  # what stands before or behind is a part of an argument: the place is left over
            start = found.end() - len(found["word"]) - 2
            self._pieces.append(text[done:start])
            self._places.append((found["word"], depth + 1))
            done = found.end()
        self._pieces.append(text[done:])
        words = {word for word, _ in self._places}
        if words != set(_WORDS) or any(_PLACE.search(piece) for piece in self._pieces):
            raise ValueError(
                "the endpoint does not have {host} and {port}, each as an argument of its own; write it as"
                " in tor:host={host}:port={port}"
            )

    def filled(self, host: str, port: int) -> str:
        """
        The description of the endpoint for a destination.

        @param host: whatever it is, it stays within its place.
        """
        values = {"host": host, "port": str(port)}
        text = self._pieces[0]
        for (word, depth), piece in zip(self._places, self._pieces[1:], strict=True):
            value = values[word]
            for _ in range(depth):
                value = _SIGNS.sub(r"\\\g<0>", value)
            text += value + piece
        return text


def _alone(options: Mapping[str, Any]) -> None:
    """
    See that nothing is said that would not be done.

    @raise ValueError: something is, as L{IUpstreamKind.build} has it.
    """
    url = options["url"]
    if url is not None and (url.secure or url.path or url.destination is not None):
        raise ValueError(
            f'{url.text} says more than that there is an endpoint; write url = "endpoint:", and the rest, TLS as'
            " well, in endpoint"
        )
    for name in ("credentials", "token", "authentication", "proxy_protocol"):
        if options[name] not in ("", "none"):
            raise ValueError(
                f"{name} is for a next hop, and an endpoint leads to destinations itself; leave it out"
            )


@implementer(IUpstreamKind)
class _Kind:
    """
    The one for endpoints.
    """

    kindName = "endpoint"
    schemes = ("endpoint",)

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        @see: L{IUpstreamKind.build}
        """
        # It is not needed by who has no such upstream, and start-up is to be quick.
        from twisted.internet.endpoints import clientFromString  # noqa: PLC0415

        _alone(options)
        reactor = surroundings.reactor
        description = Description(options["endpoint"])

        def endpointFor(request: TunnelRequest) -> IStreamClientEndpoint:
            destination = request.destination
            text = description.filled(destination.host, destination.port)
            endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
            return endpoint

        try:
            clientFromString(reactor, description.filled("a.example", 443))
        except Exception as error:  # it is somebody's plugin that reads it
            why = f"{error}" or type(error).__name__
            raise ValueError(
                f"the endpoint can't be understood ({why}); check it, and that what has it is installed"
            ) from error
        return EndpointWay(reactor, endpointFor, surroundings.name)


kind = _Kind()
