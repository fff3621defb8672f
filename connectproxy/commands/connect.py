"""
The command C{connectproxy connect}: joins standard input and output to a connection through
other proxies, for C{ProxyCommand} of OpenSSH and for scripts of a shell.

Owns the command line, the one connection and the exit status.  The ways are those of the
proxy, L{connectproxy.ways}, and so is the relay; whether the destination may be reached is
for whoever runs the command to say, and no policy is asked.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from connectproxy.address import Destination, parseAuthority, parseHost
from connectproxy.commands.streams import Descriptor, StandardStreams
from connectproxy.config import SCHEMA, Config, ConfigurationError, UpstreamURL, load
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, Outcome, Timeouts, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy
from connectproxy.relay import WiredRelay
from connectproxy.sockets import unsent
from connectproxy.ways import Base, Ways, buildWays
from connectproxy.wheel import Wheel

__all__ = ["REFUSED", "RESET", "UNWRITTEN", "USAGE", "Joining", "main"]

REFUSED = 1
"""The status to exit with where there is no connection."""

USAGE = 2
"""Where the command line or the configuration is wrong."""

RESET = 3
"""Where the far side has broken the connection."""

UNWRITTEN = 4
"""Where standard input or output is broken before the end."""

LINGER = 60.0
"""
Seconds that the far side has to take its leave when there is nobody here any more, once it
has taken all octets.
"""

_FOREVER = Timeouts(0, 0, 0)
_OPTIONS = tuple(setting for setting in SCHEMA if setting.table == "route" and setting.option)
_RESOLVING = ("socks4", "socks5")
"""Schemes that say who looks names up."""


class Joining:
    """
    The one connection.

    @ivar status: the status to exit with, when it is over.
    @ivar words: what is to be said of it; empty where nothing is.
    @ivar failure: what has failed on our own side; L{None} where nothing has.
    """

    status = 0
    words = ""
    failure: Failure | None = None

    def __init__(
        self, reactor: Any, ways: Ways, streams: Callable[[], StandardStreams], over: Callable[[], None]
    ) -> None:
        """
        @param streams: gives standard input and output, once there is a connection to join them
            to.
        @param over: called, once, when all is over.
        """
        self._reactor = reactor
        self._ways = ways
        self._streams = streams
        self._over: Callable[[], None] | None = over
        self._timer: IDelayedCall | None = None

    def begin(self, destination: Destination, seconds: float) -> None:
        """
        Connect.

        @param seconds: how long that may take; 0 for ever.
        """
        self._ways.replace(None)
        request = TunnelRequest(
            destination,
            UNIXAddress(None),
            "",
            "stdio",
            arrived=self._reactor.seconds(),
        )
        routes = self._ways.routes
        factory = Factory.forProtocol(Leg)
        factory.noisy = False
        connecting: Deferred[Established] = routes.upstreams[routes.wayOf(request)].connect(request, factory)
        if seconds:
            self._timer = self._reactor.callLater(seconds, connecting.cancel)
        connecting.addCallbacks(self._connected, self._refused, errbackArgs=(destination,))
        connecting.addErrback(self._failed)

    def _connected(self, established: Established) -> None:
        """
        Join them.
        """
        self._stopTimer()
        leg = established.protocol
        streams = self._streams()
        if leg.lost:  # it has said something and gone, all at once
            streams.protocol = Leg()
            streams.whenLost = lambda: self._finish(RESET, "the connection was lost at once")
            streams.write(leg.held)
            streams.loseConnection()
            return
        # Twisted's TLS has no half-close: the end of our input would end what the far side has
        # still to say.
        streams.tellsEnd = not ISSLTransport.providedBy(leg.transport)
        streams.whenLost = lambda: self._linger(leg.transport)
        relay = WiredRelay(self._reactor, Wheel(self._reactor), _FOREVER)
        tunnel = relay.join(Leg.of(streams, b"", ended=False), leg)
        tunnel.finished.addCallback(self._ended, streams).addErrback(self._failed)

    def _ended(self, outcome: Outcome, streams: StandardStreams) -> None:
        """
        Both sides are closed.
        """
        if outcome.kind != "reset":
            self._finish(0)
        elif outcome.endedBy == "origin":
            self._finish(RESET, "the connection was reset by the far side")
        else:
            # Whoever stops reading, as head does, means that; and a signal would have ended us.
            trouble = streams.trouble
            silent = trouble is None or isinstance(trouble, BrokenPipeError)
            self._finish(UNWRITTEN, "" if silent else f"cannot write to standard output: {trouble}")

    def _linger(self, transport: Any) -> None:
        """
        There is nobody here any more; wait for the far side, but not for ever.
        """

        def expired() -> None:
            if unsent(transport):
                self._linger(transport)
            else:
                self._finish(0)

        if self._over is not None:
            self._timer = self._reactor.callLater(LINGER, expired)

    def _refused(self, failure: Failure, destination: Destination) -> None:
        """
        There is no connection.
        """
        failure.trap(Refused)
        refused: Any = failure.value
        refusal: Refusal = refused.refusal
        why = refusal.detail or refusal.row.cause.removesuffix(".")
        words = f"cannot connect to {destination}: {why} ({refusal.kind})\n{refusal.message or refusal.row.remedy}"
        self._finish(REFUSED, words)

    def _failed(self, failure: Failure) -> None:
        """
        Something is wrong here.
        """
        self.failure = failure
        self._finish(REFUSED)

    def _stopTimer(self) -> None:
        """
        Wait no more.
        """
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _finish(self, status: int, words: str = "") -> None:
        """
        It is over.
        """
        over, self._over = self._over, None
        if over is not None:  # or it has not been waited for any more
            self._stopTimer()
            self.status, self.words = status, words
            self._ways.stop()
            over()


def main(arguments: Sequence[str], program: str = "connectproxy connect") -> int:
    """
    Connect, and carry octets until both sides have ended.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 after an orderly end, L{REFUSED}, L{USAGE}, L{RESET} or
        L{UNWRITTEN}.
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
