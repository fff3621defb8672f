"""
Where to listen: reads endpoint strings and tells who could reach them.

The notation is Twisted's (L{twisted.internet.endpoints.serverFromString}), and two
shorter ones are understood: C{8080} is that port on 127.0.0.1, C{[::1]:8080} is that
address and port.  Twisted's own reader is private, wants a reactor and has effects (it
loads certificates, adopts descriptors), so the notation is read here once more, and of
the arguments those of the kinds that every Twisted has.  What kinds there are besides
is asked of Twisted's plugins, and only when one is named, since that is slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

from connectproxy.config.forms import Form, Unfit, nearest, shown

__all__ = ["BACKLOG", "Endpoint", "EndpointForm", "Listener", "parseEndpoint"]

BACKLOG = 1024
"""
How many connections may wait to be accepted, where an endpoint does not say.  Twisted's
own 50 overflows as soon as a browser farm or a CI job starts; the kernel cuts what is
more than C{net.core.somaxconn}.
"""

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": (
        "port",
        "privateKey",
        "certKey",
        "sslmethod",
        "interface",
        "backlog",
        "extraCertChain",
        "dhParameters",
    ),
    "unix": ("address", "mode", "backlog", "lockfile"),
}
"""The parameters of the kinds that every Twisted has, in the order of their places."""

_VALUES: Mapping[str, tuple[re.Pattern[str], Callable[[str], int], int, int, str]] = {
    "port": (re.compile("[0-9]{1,5}"), int, 0, 65535, "a number from 0, for any free one, to 65535"),
    "backlog": (re.compile("[0-9]{1,9}"), int, 1, 10**9, "a number from 1"),
    "mode": (re.compile("[0-7]{1,4}"), lambda text: int(text, 8), 0, 0o7777, "octal digits, as in 660"),
    "lockfile": (re.compile("[01]"), int, 0, 1, "0 or 1"),
}
"""What the values of parameters look like: pattern, conversion, least, most, in words."""

_HOST_PORT = re.compile(r"(?:\[([^]]*)\]|([^:\[\]=\\]*\.[^:\[\]=\\]*|localhost)):([0-9]+)", re.IGNORECASE)
"""
An address and port.  A name needs a dot, since C{tcp:8080} is an endpoint string.
"""

_QUOTE = "write a colon within an argument as \\:, as in tcp:8080:interface=\\:\\:1"


class Endpoint(NamedTuple):
    """
    One place to listen at.

    @ivar text: a Twisted server endpoint string.
    @ivar local: whether it can be reached from this machine only.
    """

    text: str
    local: bool


class Listener(NamedTuple):
    """
    One listener of a configuration.

    @ivar endpoint: a Twisted server endpoint string.
    @ivar options: the other keys of its C{[[listen]]} table.
    @ivar where: what a message calls the place that it was configured in.
    """

    endpoint: str
    options: Mapping[str, Any]
    where: str


class EndpointForm(Form):
    """
    An endpoint; the value is an L{Endpoint}.
    """

    words = "a port (on 127.0.0.1), host:port, [IPv6]:port, or any Twisted server endpoint string"

    def fromTOML(self, value: Any) -> Endpoint:
        """
        Read a string, or a number that is a port.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            value = shown(value)
        if not isinstance(value, str):
            raise Unfit((f"{shown(value)} is not an endpoint", f"give {self.words}"))
        return parseEndpoint(value)


def parseEndpoint(text: str) -> Endpoint:
    """
    Read where to listen.

    @raise Unfit: it cannot be understood, or Twisted would refuse it.
    """
    text = text.strip()
    if not text or not text.isprintable():
        raise Unfit((f"{shown(text)} is not an endpoint", f"give {EndpointForm.words}"))
    if text.isdecimal():
        return _tcp(text, "127.0.0.1")
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        return _described(text)
    if match[1] is not None:
        try:
            IPv6Address(match[1])
        except ValueError:
            raise Unfit((f"{shown(match[1])} is not an IPv6 address", "give it as in [::1]:8080")) from None
    return _tcp(match[3], match[2] or match[1])


def _tcp(port: str, interface: str) -> Endpoint:
    """
    The endpoint that an address and port stand for.
    """
    quoted = interface.replace(":", "\\:")
    return _described(f"tcp:{port}:interface={quoted}")


def _described(text: str) -> Endpoint:
    """
    Read an endpoint string.
    """
    (kind, *positional), named = _split(text)
    parameters = _PARAMETERS.get(kind)
    if parameters is None:
        _known(kind, text)
        return Endpoint(text, False)
    arguments = _bound(kind, parameters, positional, named)
    for name, value in arguments.items():
        if name in _VALUES:
            pattern, convert, low, high, words = _VALUES[name]
            if not pattern.fullmatch(value) or not low <= convert(value) <= high:
                raise Unfit((f"{text} cannot have the {name} {shown(value)}", f"give {words}"))
    if "backlog" not in arguments:
        text += f":backlog={BACKLOG}"
    return Endpoint(text, kind == "unix" or _isLoopback(arguments.get("interface", "")))


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    """
    Take an endpoint string apart as Twisted does: at colons and, in each part, at the
    first equals sign; a backslash makes what follows it an ordinary character.
    """
    positional: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    part = ""
    characters = iter(text)
    for character in characters:
        if character == "=" and name is None:
            name, part = part, ""
        elif character == ":":
            _add(positional, named, name, part)
            name, part = None, ""
        elif character == "\\":
            following = next(characters, None)
            if following is None:
                raise Unfit((f"{shown(text)} ends with a backslash", _QUOTE))
            part += following
        else:
            part += character
    _add(positional, named, name, part)
    if not positional:
        raise Unfit((f"{shown(text)} names no kind of endpoint", f"give {EndpointForm.words}"))
    return positional, named


def _add(positional: list[str], named: dict[str, str], name: str | None, value: str) -> None:
    """
    Put one part of an endpoint string where it belongs.
    """
    if name is None:
        positional.append(value)
    elif name in named:
        raise Unfit((f"the argument {shown(name)} is given twice", "give it once"))
    else:
        named[name] = value


def _bound(
    kind: str, parameters: tuple[str, ...], positional: list[str], named: dict[str, str]
) -> dict[str, str]:
    """
    Give every argument its name.
    """
    if len(positional) > len(parameters):
        raise Unfit((f"{kind}: takes at most {len(parameters)} arguments", _QUOTE))
    arguments = dict(zip(parameters, positional, strict=False))
    for name, value in named.items():
        if name not in parameters:
            near = nearest(name, parameters)
            raise Unfit(
                (
                    f"{kind}: has no argument {shown(name)}",
                    f"do you mean {near}?" if near else f"it has {', '.join(parameters)}",
                )
            )
        if name in arguments:
            raise Unfit((f"the argument {shown(name)} is given twice", _QUOTE))
        arguments[name] = value
    if not arguments.get(parameters[0]):
        raise Unfit((f"{kind}: needs its {parameters[0]}", f"write it behind {kind}:"))
    return arguments


def _known(kind: str, text: str) -> None:
    """
    Make sure that a plugin serves a kind of endpoint.
    """
    from twisted.internet.interfaces import IStreamServerEndpointStringParser  # noqa: PLC0415 - see the module
    from twisted.plugin import getPlugins  # noqa: PLC0415

    kinds = {str(plugin.prefix).lower() for plugin in getPlugins(IStreamServerEndpointStringParser)}
    if kind.lower() not in kinds:
        raise Unfit(
            (
                f"{shown(text)} is neither a port nor host:port, and there is no endpoint of the kind {shown(kind)}",
                f"there are {', '.join(sorted(kinds.union(_PARAMETERS)))};"
                " a name without a dot is written as in tcp:8080:interface=NAME",
            )
        )


def _isLoopback(interface: str) -> bool:
    """
    Whether an interface is the loopback one.  A name other than localhost could mean
    anything tomorrow, and no name at all means every interface.
    """
    if interface.lower() == "localhost":
        return True
    try:
        ip = ip_address(interface)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback
