"""
The command C{connectproxy connect}: joins standard input and output to a connection through
other proxies, for C{ProxyCommand} of OpenSSH and for scripts of a shell.

Owns the command line; the connection is L{connectproxy.commands.joining}'s.  The ways are
those of the proxy, L{connectproxy.ways}.  Whether the destination may be reached is for whoever
runs the command to say, and no policy is asked.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from connectproxy.address import Destination, parseAuthority, parseHost
from connectproxy.commands.descriptor import Descriptor
from connectproxy.commands.joining import Joining
from connectproxy.commands.streams import StandardStreams
from connectproxy.config import SCHEMA, Config, ConfigurationError, UpstreamURL, load
from connectproxy.errors import Refusal
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy
from connectproxy.ways import Base, Ways, buildWays

__all__ = ["USAGE", "main"]

USAGE = 2
"""Where the command line or the configuration is wrong."""

_OPTIONS = tuple(setting for setting in SCHEMA if setting.table == "route" and setting.option)
_RESOLVING = ("socks4", "socks5")
"""Schemes that say who looks names up."""


def main(arguments: Sequence[str], program: str = "connectproxy connect") -> int:
    """
    Connect, and carry octets until both sides have ended.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 after an orderly end, L{USAGE}, or what
        L{connectproxy.commands.joining} has for everything else.
    """
    _fillStandard()
    said = _parser(program).parse_args(arguments)
    try:
        destination = _destination(said.target)
        options = {setting.option: getattr(said, setting.option) for setting in _OPTIONS}
        config = _unasked(load(said.config, {name: value for name, value in options.items() if value}))
        from twisted.internet import reactor  # noqa: PLC0415 - a wrong command line need not wait for it

        ways = _ways(reactor, config)
    except (ConfigurationError, _Wrong) as error:
        sys.stderr.write(f"{program}: {error}\n")
        return USAGE
    running: Any = reactor  # whose type is that of the module
    joining = Joining(
        running, ways, lambda: StandardStreams(running, Descriptor(0), Descriptor(1)), running.stop
    )
    # Whoever ends the command by a signal shall see that it was that: the default action does so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    running.callWhenRunning(joining.begin, destination, config["timeouts.connect"])
    running.run(installSignalHandlers=False)
    if joining.failure is not None:
        joining.failure.raiseException()
    if joining.words:
        sys.stderr.write(f"{program}: {joining.words}\n")
    return joining.status


class _Wrong(Exception):
    """
    The command line is wrong; the text says how.
    """


def _fillStandard() -> None:
    """
    Open what is closed of the standard streams, so that nothing else gets their numbers.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def _parser(program: str) -> argparse.ArgumentParser:
    """
    What reads the command line.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Join standard input and output to a connection, through other proxies where there are some.",
        epilog="Exits with 0 when both sides have ended; 1 if there is no connection; 2 if the command line or"
        " the configuration is wrong; 3 if the far side breaks the connection; 4 if standard output can't be"
        " written to.",
    )
    parser.add_argument(
        "target", metavar="HOST:PORT", nargs="+", help="where to; or HOST PORT, with IPv6 as it stands"
    )
    parser.add_argument(
        "--config", "-c", metavar="FILE", help="a configuration, for its upstreams and its route"
    )
    for setting in _OPTIONS:
        action = "append" if setting.repeatable else "store"
        parser.add_argument(
            f"--{setting.option}",
            dest=setting.option,
            metavar=setting.metavar,
            action=action,
            help=setting.help.replace("%", "%%"),
        )
    return parser


def _destination(target: Sequence[str]) -> Destination:
    """
    Where to.

    @param target: a host and a port, in one word or in two.
    @raise _Wrong: they are none.
    """
    found: Destination | Refusal
    if len(target) == 1:
        found = parseAuthority(target[0].encode("utf-8", "surrogateescape"))
    elif len(target) == 2 and target[1].isdecimal() and len(target[1]) <= 5:
        host = target[0]
        found = parseHost(f"[{host}]" if ":" in host and "[" not in host else host, int(target[1]))
    else:
        raise _Wrong("say where to: HOST:PORT, or HOST and PORT")
    if isinstance(found, Refusal):
        raise _Wrong(found.detail)
    return found


def _unasked(config: Config) -> Config:
    """
    A configuration that says of each of its upstreams how addresses are dealt with, which
    matters only to a policy.  Where an upstream does not say, the next hop gets what was
    asked for, unless its scheme says otherwise.
    """

    def said(addresses: str, url: Any) -> str:
        implied = isinstance(url, UpstreamURL) and url.scheme in _RESOLVING
        return addresses or ("" if implied else "unseen")

    upstreams = tuple(
        row._replace(
            options=MappingProxyType(
                {**row.options, "addresses": said(row.options["addresses"], row.options["url"])}
            )
        )
        for row in config.rows["upstream"]
    )
    values: Mapping[str, Any] = config
    route = config["route.upstream"]
    if route and isinstance(route[-1], UpstreamURL):
        values = {**config, "route.addresses": said(config["route.addresses"], route[-1])}
    rows = {**config.rows, "upstream": upstreams}
    return Config(values, config.listeners, config.origin, rows, config.files)


def _ways(reactor: Any, config: Config) -> Ways:
    """
    The ways of a configuration.

    @raise ConfigurationError: all that is wrong with them.
    """
    names = Names(reactor, "/etc/hosts")
    base = Base(reactor, Policy(), names, OwnPorts(), b"connectproxy", lambda text, **fields: None)
    return buildWays(base, config)
