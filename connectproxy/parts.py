"""
The parts of one proxy, put together from the reactor upwards.

Knows which part needs which; how they work is theirs, and when they start and stop the
service's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from connectproxy.accessfile import AccessFile
from connectproxy.audit import Audit
from connectproxy.config import Config
from connectproxy.datagrams import DirectDatagrams
from connectproxy.interfaces import Action, IPAddress, IRelay, Timeouts, TunnelRequest, Verdict
from connectproxy.ledger import Ledger
from connectproxy.limits import Accounts, Admission, Limit, Prefixes
from connectproxy.regime import Regime
from connectproxy.relay import WiredRelay
from connectproxy.routes import DIRECT, noDatagrams
from connectproxy.splice import SpliceRelay
from connectproxy.switchboard import Switchboard
from connectproxy.ways import Base, Ways
from connectproxy.wheel import Wheel

__all__ = ["CannotOpen", "Parts"]


class CannotOpen(Exception):
    """
    A file that the proxy writes can't be opened; the text says which and why.
    """


class Parts:
    """
    Everything between listeners and sockets.

    @ivar board: the switchboard, which has most of them.
    """

    def __init__(self, base: Base, regime: Regime, limits: Sequence[Limit], ways: Ways) -> None:
        """
        @param base: what the ways were built on.
        @param regime: what decides at first.
        @param limits: the tables of limits.
        @param ways: the ways to destinations, not yet started.
        @raise CannotOpen: an access log or audit file can't be written; nothing is left open.
        """
        config: Any = regime.config
        reactor = base.reactor
        self._own = base.own
        self.ledger, self.audit = _files(reactor, config, regime.id)
        self.wheel = Wheel(reactor)
        self.inForce = base.policy
        self.inForce.policy = regime.policy
        self.ways = ways
        self.relays = _relays(reactor, self.wheel, config)
        self.admission = Admission(
            self.wheel, config["limits.tunnels"], perClient=config["limits.tunnels_per_client"]
        )
        self.accounts = Accounts(self.wheel, reactor, limits, *_terms(config))
        self.board = Switchboard(
            reactor,
            self.wheel,
            regime,
            ways.routes,
            self.relays,
            self.ledger,
            self.admission,
            accounts=self.accounts,
            audit=self.audit,
            via=base.via,
            datagrams=DirectDatagrams(reactor, self._judgeDatagram, base.names),
        )
        ways.replace(None)

    def _judgeDatagram(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Judge an address that datagrams would be sent to, straight: what leads there by another
        way may be known by the address only.

        @return: the denial, or L{None}.
        """
        verdict: Verdict = self.inForce.judge(request, address)
        if verdict.action is Action.DENY:
            return verdict
        way = verdict.upstream or self.board.routes.wayOf(request)
        return None if way == DIRECT else noDatagrams(request, way, verdict.rule)

    def adopt(self, regime: Regime, limits: Sequence[Limit], ways: Ways) -> None:
        """
        Let something else decide from now on.
        """
        config: Any = regime.config
        self.inForce.policy = regime.policy
        self.admission.limit = config["limits.tunnels"]
        self.admission.perClient = config["limits.tunnels_per_client"]
        self.accounts.configure(limits, *_terms(config))
        self.ledger.config = regime.id
        self.board.adopt(regime, ways.routes)
        former, self.ways = self.ways, ways
        ways.replace(former)

    def dispose(self) -> Deferred[None]:
        """
        Let go of everything that the reactor or the system knows of.

        @return: a Deferred that fires when what was counted has been written, or a store has
            been waited for long enough.
        """
        self.ways.stop()
        for relay in self.relays:
            relay.stop()
        stopped = self.accounts.stop()
        self.wheel.stop()
        self.ledger.close()
        if self.audit is not None:
            self.audit.close()
        self._own.clear()
        return stopped


def _files(reactor: Any, config: Config, name: str) -> tuple[Ledger, Audit | None]:
    """
    The ledger and the audit file that the configuration asks for.
    """
    where, sink, audit = config["access_log.file"], None, None
    what = "access log"
    try:
        if where not in ("log", "none"):
            sink = AccessFile(None if where == "-" else where, reactor.seconds)
        what, where = "audit file", config["audit.file"]
        if where:
            rotate, keep = config["audit.rotate"], config["audit.keep"]
            audit = Audit(where, rotate, keep, reactor.seconds, reactor.callLater)
    except OSError as error:
        if sink is not None:
            sink.close()
        raise CannotOpen(f"can't open the {what} {where}: {error.strerror}") from error
    return Ledger(sink, text=config["access_log.file"] == "log", config=name, later=reactor.callLater), audit


def _terms(config: Config) -> tuple[str, str, Prefixes]:
    """
    What else the limits go by.
    """
    prefixes = Prefixes(config["limits.ipv4_prefix"], config["limits.ipv6_prefix"])
    return config["limits.store"], config["limits.when_away"], prefixes


def _relays(reactor: Any, wheel: Wheel, config: Config) -> list[IRelay]:
    """
    The relays, the best first.
    """
    timeouts = Timeouts(config["timeouts.idle"], config["timeouts.half_open"], config["timeouts.lifetime"])
    relays: list[IRelay] = []
    if config["relay.splice"] and SpliceRelay.isSupported():
        relays.append(SpliceRelay(reactor, reactor, wheel, timeouts))
    relays.append(WiredRelay(reactor, wheel, timeouts))
    return relays
