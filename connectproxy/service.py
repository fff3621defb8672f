"""
The service: puts one proxy together, starts it, and stops it without losing
what is under way.

Everything hangs on the reactor that it is given: it installs no signal handler,
prints nothing, and any number of it fit into one process.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.auth import OneUser
from connectproxy.call import showAddress
from connectproxy.config import Config, Listener
from connectproxy.datagrams import DirectDatagrams
from connectproxy.discovery import kinds
from connectproxy.interfaces import IAuthenticator, IListenerKind, IRelay, IRuleKind, IUpstreamKind
from connectproxy.ledger import AccessFile, Ledger
from connectproxy.limits import Admission
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy
from connectproxy.relay import Timeouts, WiredRelay
from connectproxy.splice import SpliceRelay
from connectproxy.switchboard import Switchboard
from connectproxy.tls import CertificateWatch, ServerTLS
from connectproxy.wheel import Wheel

__all__ = ["ListenFailed", "ProxyService"]

HOSTS = "/etc/hosts"


class ListenFailed(Exception):
    """
    A listening endpoint could not be opened; the text says which and why.
    """


class ProxyService(Service):
    """
    One proxy.

    @ivar addresses: where it listens, once it does: L{IAddress} providers in the
        order of the configuration.
    """

    _log = Logger()

    def __init__(self, reactor: Any, config: Config) -> None:
        """
        @param reactor: what everything runs in; provides C{IReactorTCP},
            C{IReactorTime}, C{IReactorFDSet} for the relay by splice, and the
            rest of what the configured endpoints need.
        @param config: the whole configuration; see L{connectproxy.config}.
        """
        self._reactor = reactor
        self.config = config
        self.addresses: list[IAddress] = []
        self._ports: list[Any] = []
        self._switchboard: Switchboard | None = None
        self._stopping: list[Deferred[None]] = []
        self._certificates: list[ServerTLS] = []
        self._watch: CertificateWatch | None = None

    def privilegedStartService(self) -> None:
        """
        Listen, while there may still be privileges.

        @raise ListenFailed: an endpoint could not be opened.  None is open then.
        """
        Service.privilegedStartService(self)
        self._begin()

    def startService(self) -> None:
        """
        Listen, if that has not been done.

        @raise ListenFailed: as L{privilegedStartService}.
        """
        self._begin()
        Service.startService(self)

    def _begin(self) -> None:
        """
        Listen, if that has not been done.

        @raise RuntimeError: the service is still being stopped.
        """
        if self._stopping:
            raise RuntimeError("the proxy is still stopping; wait for the Deferred of stopService")
        if self._switchboard is None:
            self._assemble()

    def _assemble(self) -> None:
        """
        Put the parts together, from the reactor upwards, and listen.
        """
        reactor, config = self._reactor, self.config
        try:
            self._ledger = self._openLedger()
        except OSError as error:
            where = config["access_log.file"]
            raise ListenFailed(f"can't open the access log {where}: {error.strerror}") from error
        self._wheel = Wheel(reactor)
        self._own = OwnPorts()
        found = kinds("connectproxy.rules", IRuleKind).values()
        policy = Policy(kind.build(config, self._own) for kind in sorted(found, key=lambda each: each.order))
        names = Names(reactor, HOSTS)
        upstreams = {
            name: kind.build(reactor, config, policy, names)
            for name, kind in kinds("connectproxy.upstreams", IUpstreamKind).items()
        }
        self._relays = self._makeRelays()
        self._admission = Admission(
            self._wheel, config["limits.tunnels"], perClient=config["limits.tunnels_per_client"]
        )
        self._switchboard = Switchboard(
            reactor,
            self._wheel,
            policy,
            upstreams,
            self._relays,
            self._ledger,
            self._admission,
            config,
            authenticator=self._makeAuthenticator(),
            datagrams=DirectDatagrams(reactor, policy.decideAddress, names),
        )
        self._listen(self._switchboard)

    def _openLedger(self) -> Ledger:
        """
        The ledger that the configuration asks for.
        """
        where = self.config["access_log.file"]
        sink = None
        if where not in ("log", "none"):
            sink = AccessFile(None if where == "-" else where, self._reactor.seconds)
        return Ledger(sink, text=where == "log", config=self.config.id, later=self._reactor.callLater)

    def _makeRelays(self) -> list[IRelay]:
        """
        The relays, the best first.
        """
        config, reactor = self.config, self._reactor
        timeouts = Timeouts(
            config["timeouts.idle"], config["timeouts.half_open"], config["timeouts.lifetime"]
        )
        relays: list[IRelay] = []
        if config["relay.splice"] and SpliceRelay.isSupported():
            relays.append(SpliceRelay(reactor, reactor, self._wheel, timeouts))
        relays.append(WiredRelay(reactor, self._wheel, timeouts))
        return relays

    def _makeAuthenticator(self) -> IAuthenticator | None:
        """
        What knows the users, if anybody is asked.
        """
        pair = self.config["auth.basic"]
        return OneUser(*pair.partition(":")[::2]) if pair else None

    def _listen(self, switchboard: Switchboard) -> None:
        """
        Open every endpoint.  Those that take their time (few do) are logged when
        they are ready, or when they fail.
        """
        kind = kinds("connectproxy.listeners", IListenerKind)["auto"]
        problems: list[str] = []
        starting = True

        def listen(listener: Listener) -> Any:
            options = kind.parseOptions(listener.options, listener.where)
            if options.tls is not None:
                self._certificates.append(options.tls)
            return kind.listen(self._reactor, listener.endpoint, options, switchboard)

        def listening(port: Any, listener: Listener) -> None:
            if switchboard.draining or self._switchboard is not switchboard:
                port.stopListening()  # too late: the service has stopped meanwhile
                return
            self._ports.append(port)
            wrapped = listener.endpoint.startswith("ssl:")
            secure = wrapped or listener.options["tls_certificate"]
            self._opened(
                port, "https" if secure else "http", clear=not (wrapped or listener.options["require_tls"])
            )

        def failed(failure: Failure, listener: Listener) -> None:
            reason = getattr(failure.value, "socketError", None) or failure.value
            problem = f"can't listen at {listener.endpoint}: {getattr(reason, 'strerror', None) or reason}"
            if starting:
                problems.append(problem)
            else:
                self._log.critical("{problem}", problem=problem)

        for listener in self.config.listeners:
            # An endpoint may also raise at once, and so may a certificate.
            opening = maybeDeferred(listen, listener)
            opening.addCallbacks(listening, failed, callbackArgs=(listener,), errbackArgs=(listener,))
            opening.addErrback(lambda failure: self._log.failure("listening failed", failure))
        starting = False
        if problems:
            for port in self._ports:
                port.stopListening()
            self._dispose()
            raise ListenFailed("; ".join(problems))
        if self._certificates:
            self._watch = CertificateWatch(self._reactor, self._certificates)
            self._watch.start()

    def reload(self) -> None:
        """
        Read the certificates anew.  What is up keeps what it has; a certificate that
        can't be used is logged, and the one before stays.
        """
        if self._watch is not None:
            self._watch.reload()

    def _opened(self, port: Any, scheme: str, *, clear: bool) -> None:
        """
        A port listens: let it be known to people, to the rule against loops, and
        to admission.

        @param scheme: of the proxy's URL, as a client names it.
        @param clear: clients may come without TLS.
        """
        address = port.getHost()
        self.addresses.append(address)
        self._admission.watch(port)
        shown = showAddress(address)
        host, number = getattr(address, "host", None), getattr(address, "port", None)
        if host is None or number is None:
            path = getattr(address, "name", b"")
            shown = f"unix:{path.decode('utf-8', 'backslashreplace')}" if path else shown
            self._log.info(
                "connectproxy listens at {where} (configuration {id})", where=shown, id=self.config.id
            )
            return
        ip = ip_address(host)
        self._own.add(ip, number)
        if clear and self.config["auth.basic"] and not ip.is_loopback:
            self._log.warn(
                "clients may send their password to {where} in clear text; require_tls, or a network that nobody"
                " listens to, keeps it secret",
                where=shown,
            )
        reachable = showAddress(address)
        if ip.is_unspecified:
            reachable = f"127.0.0.1:{number}" if ip.version == 4 else f"[::1]:{number}"
        self._log.info(
            "connectproxy listens at {where} (configuration {id}); try: curl -x {url} https://example.com/",
            where=shown,
            id=self.config.id,
            url=f"{scheme}://{reachable}",
        )

    def stopService(self) -> Deferred[None]:
        """
        Stop listening at once, let tunnels end by themselves until the deadline
        (C{timeouts.drain}), then reset those that are left.

        @return: a Deferred that fires when every socket is closed; cancelled, it
            just stops waiting.
        """
        Service.stopService(self)
        if self._switchboard is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        if len(self._stopping) == 1:
            self._stop(self._switchboard).addBoth(self._stopped)
        return stopped

    def _stopped(self, result: Any) -> None:
        """
        Tell everybody who waits.
        """
        stopping, self._stopping = self._stopping, []
        for each in stopping:
            each.callback(result)

    @inlineCallbacks
    def _stop(self, switchboard: Switchboard) -> Any:
        self._admission.forget()
        switchboard.draining = True
        yield DeferredList([each.stopListening() for each in self._ports])
        quiet = switchboard.drain()
        tunnels, grace = self._admission.tunnels, self.config["timeouts.drain"]
        if not quiet.called:
            self._log.info("{n} tunnels are up; they have {grace:g} s to end", n=tunnels, grace=grace)
            deadline = self._reactor.callLater(grace, self._expire, switchboard)
            yield quiet
            if deadline.active():
                deadline.cancel()
        self._dispose()

    def _expire(self, switchboard: Switchboard) -> None:
        """
        The time of grace is over.
        """
        self._log.warn("{n} tunnels have not ended in time and are reset", n=self._admission.tunnels)
        switchboard.abort("drain_timeout")

    def _dispose(self) -> None:
        """
        Let go of everything that the reactor or the system knows of.
        """
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        self._certificates.clear()
        for relay in self._relays:
            relay.stop()
        self._wheel.stop()
        self._ledger.close()
        self._own.clear()
        self._ports.clear()
        self.addresses.clear()
        self._switchboard = None
