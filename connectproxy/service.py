"""
The service: puts one proxy together, starts it, has it take up what has changed, and stops
it without losing what is under way.

Everything hangs on the reactor that it is given: it installs no signal handler,
prints nothing, and any number of it fit into one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from connectproxy.config import Config
from connectproxy.control import ControlPort, Occupied
from connectproxy.discovery import kinds
from connectproxy.doors import Doors, tellCertificates
from connectproxy.interfaces import IListenerKind
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.parts import CannotOpen, Parts
from connectproxy.policy import InForce
from connectproxy.prepare import Prepared, Unusable, discard, prepare
from connectproxy.reload import Reloaded, Reloader
from connectproxy.status import describe
from connectproxy.switchboard import pseudonym
from connectproxy.watch import FileWatch, stamps
from connectproxy.ways import Base

__all__ = ["ListenFailed", "ProxyService", "Reloaded"]

HOSTS = "/etc/hosts"


class ListenFailed(Exception):
    """
    The proxy can't serve: an endpoint could not be opened, or a file that it needs can't be
    used; the text says which and why.
    """


class ProxyService(Service):
    """
    One proxy.

    @ivar config: the configuration in force.
    """

    _log = Logger()

    def __init__(self, reactor: Any, config: Config, again: Callable[[], Config] | None = None) -> None:
        """
        @param reactor: what everything runs in; provides C{IReactorTCP},
            C{IReactorTime}, C{IReactorFDSet} for the relay by splice, C{IReactorUNIX} for a
            control socket, and the rest of what the configured endpoints need.
        @param config: the whole configuration; see L{connectproxy.config}.
        @param again: reads the configuration once more, for a reload; it is called in a
            thread, and raises L{connectproxy.config.ConfigurationError}.  Without it a
            reload reads anew the files that the configuration names.
        """
        self._reactor = reactor
        self._again = again
        self.config = config
        self._started = config
        self._own = OwnPorts()
        self._parts: Parts | None = None
        self._doors: Doors | None = None
        self._reloader: Reloader | None = None
        self._watch: FileWatch | None = None
        self._control: ControlPort | None = None
        self._stopping: list[Deferred[None]] = []
        self._known: tuple[str, ...] = ()
        self._base: Any = None
        self._since = 0.0

    @property
    def addresses(self) -> list[IAddress]:
        """
        Where it listens, once it does: L{IAddress} providers in the order of the
        configuration.
        """
        return [] if self._doors is None else self._doors.addresses

    def privilegedStartService(self) -> None:
        """
        Listen, while there may still be privileges.

        @raise ListenFailed: an endpoint could not be opened.  None is open then.
        """
        Service.privilegedStartService(self)
        self._begin()

    def startService(self) -> None:
        """
        Listen, if that has not been done, and open the control socket.

        @raise ListenFailed: as L{privilegedStartService}.
        """
        self._begin()
        path = self.config["control.socket"]
        if path:
            control = ControlPort(self._reactor, path, {"reload": self._reloadAsJSON, "status": self.status})
            try:
                control.open()
            except Occupied as error:
                self._doors.close()  # type: ignore[union-attr]
                self._dispose()
                raise ListenFailed(str(error)) from error
            self._control = control
        Service.startService(self)

    def _begin(self) -> None:
        """
        Listen, if that has not been done.

        @raise RuntimeError: the service is still being stopped.
        """
        if self._stopping:
            raise RuntimeError("the proxy is still stopping; wait for the Deferred of stopService")
        if self._parts is None:
            self._assemble()

    def _assemble(self) -> None:
        """
        Put the parts together, from the reactor upwards, and listen.
        """
        reactor, config = self._reactor, self.config
        try:
            base = self._base = Base(
                reactor, InForce(), Names(reactor, HOSTS), self._own, pseudonym(config), self._tell
            )
            prepared = prepare(base, lambda: config, [config.origin] if config.origin else [])
        except Unusable as error:
            raise ListenFailed("\n".join(error.problems)) from error
        try:
            parts = self._parts = Parts(base, prepared.regime, prepared.limits, prepared.ways)
        except CannotOpen as error:
            discard(prepared.regime)
            raise ListenFailed(str(error)) from error
        kind = kinds("connectproxy.listeners", IListenerKind)["auto"]
        doors = self._doors = Doors(reactor, kind, parts.board, parts.admission, self._own, self._log)
        problems = doors.open(config.listeners)
        if problems:
            self._dispose()
            raise ListenFailed("; ".join(problems))
        self._started, self._since = config, time.time()
        build = partial(self._prepare, doors)
        self._reloader = Reloader(reactor, build, self._swap, self._unusable, self._id, time.time)
        self._watch = FileWatch(reactor, self._reloader.changed)
        self._advise(prepared)
        self._look(prepared)

    def _advise(self, prepared: Prepared) -> None:
        """
        Tell what of a policy is probably not as meant.
        """
        for policy in (prepared.regime.policy, prepared.regime.shadow):
            for warning in policy.warnings if policy is not None else ():
                self._log.warn("{advice}", advice=str(warning))

    def _look(self, prepared: Prepared) -> None:
        """
        Look for changes of the files that were read.
        """
        watch: Any = self._watch
        doors: Any = self._doors
        files = {file for server in doors.servers.values() for file in server.files}
        seen = {**prepared.seen, **stamps(files - set(prepared.seen))}
        self._known = tuple(seen)
        watch.used(seen)
        if seen:
            watch.start()

    def _tell(self, text: str, **known: Any) -> None:
        """
        What has become of a next hop.
        """
        self._log.warn(text, **known)

    def _id(self) -> str:
        """
        What the configuration in force is called.
        """
        parts: Any = self._parts
        name: str = parts.board.regime.id
        return name

    def reload(self) -> Deferred[Reloaded]:
        """
        Read everything anew: the configuration, lists, users, keys, certificates.  If all of
        it can be used it is in force from the next request on, else nothing of it; what is
        up keeps what it has, but for C{policy.rejudge}.

        @return: a Deferred of what has become of it, which does not fail; cancelled, it just
            stops waiting.
        """
        if self._reloader is None:
            return succeed(Reloaded(self.config.id, ("the proxy is not running",)))
        return self._reloader.reload()

    def _prepare(self, doors: Doors) -> Prepared:
        """
        Read everything.  Called in a thread.
        """
        again = self._again or (lambda: self.config)
        base, parts = self._base, self._parts
        ways = parts.ways if parts is not None else None
        return prepare(base, again, self._known, self._started, dict(doors.servers), ways)

    def _swap(self, prepared: Prepared) -> None:
        """
        Put what was read in the place of what was in force.
        """
        parts: Any = self._parts
        regime = prepared.regime
        parts.adopt(regime, prepared.limits, prepared.ways)
        for server, other in prepared.certificates:
            server.become(other)
            tellCertificates(self._log, server)
        self.config = regime.config  # type: ignore[assignment]
        self._since = time.time()
        self._advise(prepared)
        self._look(prepared)
        if self.config["policy.rejudge"]:
            parts.board.judgeAgain()

    def _unusable(self, error: Unusable) -> None:
        """
        Nothing has changed, and it is no use to try again until the files do.
        """
        watch: Any = self._watch
        watch.failed(error.seen)

    @inlineCallbacks
    def _reloadAsJSON(self) -> Any:
        """
        Reload, for the control socket.
        """
        done: Reloaded = yield self.reload()
        return done._asdict()

    def status(self) -> dict[str, Any]:
        """
        What there is to know of a proxy that is up, as JSON has it; see docs/operating.md.
        """
        parts: Any = self._parts
        reloader: Any = self._reloader
        return describe(parts, self.addresses, self._since, reloader)

    def stopService(self) -> Deferred[None]:
        """
        Stop listening at once, let tunnels end by themselves until the deadline
        (C{timeouts.drain}), then reset those that are left.

        @return: a Deferred that fires when every socket is closed; cancelled, it
            just stops waiting.
        """
        Service.stopService(self)
        if self._parts is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        if len(self._stopping) == 1:
            self._stop(self._parts).addBoth(self._stopped)
        return stopped

    def _stopped(self, result: Any) -> None:
        """
        Tell everybody who waits.
        """
        stopping, self._stopping = self._stopping, []
        for each in stopping:
            each.callback(result)

    @inlineCallbacks
    def _stop(self, parts: Parts) -> Any:
        board, doors, grace = parts.board, self._doors, self._started["timeouts.drain"]
        parts.admission.forget()
        board.draining = True
        yield doors.close()  # type: ignore[union-attr]
        quiet = board.drain()
        tunnels = parts.admission.tunnels
        if not quiet.called:
            self._log.info("{n} tunnels are up; they have {grace:g} s to end", n=tunnels, grace=grace)
            deadline = self._reactor.callLater(grace, self._expire, parts)
            yield quiet
            if deadline.active():
                deadline.cancel()
        control, self._control = self._control, None
        if control is not None:
            yield control.close()
        yield self._dispose()

    def _expire(self, parts: Parts) -> None:
        """
        The time of grace is over.
        """
        self._log.warn("{n} tunnels have not ended in time and are reset", n=parts.admission.tunnels)
        parts.board.abort("drain_timeout")

    def _dispose(self) -> Deferred[None]:
        """
        Let go of everything that the reactor or the system knows of.

        @return: as L{Parts.dispose}.
        """
        if self._watch is not None:
            self._watch.stop()
        if self._reloader is not None:
            self._reloader.stop()
        parts: Any = self._parts
        discard(parts.board.regime)
        self._parts = self._doors = self._watch = self._reloader = None
        stopped: Deferred[None] = parts.dispose()
        return stopped
