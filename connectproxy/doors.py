"""
Where clients come in: the listening endpoints of one proxy, and their certificates.

Opens all of them or none, tells people where they are, and the parts that have to know:
admission, and the rule against loops.  What comes in by them is not seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.config import Listener
from connectproxy.events import showAddress
from connectproxy.interfaces import IListenerKind
from connectproxy.limits import Admission
from connectproxy.own import OwnPorts
from connectproxy.switchboard import Switchboard
from connectproxy.tls import ServerTLS

__all__ = ["PASSWORDS", "Doors", "tellCertificates"]

PASSWORDS = ("auth.basic", "auth.users", "auth.checkers")
"""The settings by which a client's password is looked for."""


class Doors:
    """
    Listening endpoints.

    @ivar addresses: where they are, once they are open, in the order of the configuration.
    @ivar servers: what speaks TLS, by the number of the listener and its endpoint.
    """

    def __init__(
        self,
        reactor: Any,
        kind: IListenerKind,
        board: Switchboard,
        admission: Admission,
        own: OwnPorts,
        log: Logger,
    ) -> None:
        """
        @param kind: of all listeners.
        @param board: takes what comes in.
        @param admission: is told of the ports, which it may pause.
        @param own: is told of the addresses.
        @param log: where people read.
        """
        self._reactor = reactor
        self._kind: Any = kind
        self._board = board
        self._admission = admission
        self._own = own
        self._log = log
        self._ports: list[Any] = []
        self._problems: list[str] = []
        self._starting = False
        self._closed = False
        self.addresses: list[IAddress] = []
        self.servers: dict[tuple[int, str], ServerTLS] = {}

    def open(self, listeners: Sequence[Listener]) -> list[str]:
        """
        Open every endpoint.  Those that take their time (few do) are told of when they are
        ready, or when they fail.

        @return: what can't be opened; then none is open.
        """
        self._starting = True
        for number, listener in enumerate(listeners):
            # An endpoint may also raise at once, and so may a certificate.
            opening = maybeDeferred(self._listen, number, listener)
            opening.addCallbacks(
                self._listening, self._failed, callbackArgs=(listener,), errbackArgs=(listener,)
            )
            opening.addErrback(lambda failure: self._log.failure("listening failed", failure))
        self._starting = False
        if self._problems:
            self.close()
        else:
            for server in self.servers.values():
                tellCertificates(self._log, server)
        return self._problems

    def close(self) -> Deferred[Any]:
        """
        Listen no more.

        @return: a Deferred that fires when all are closed.
        """
        self._closed = True
        ports, self._ports = self._ports, []
        return DeferredList([port.stopListening() for port in ports])

    def _listen(self, number: int, listener: Listener) -> Any:
        """
        Open one.
        """
        options = self._kind.parseOptions(listener.options, listener.where)
        if options.tls is not None:
            self.servers[number, listener.endpoint] = options.tls
        return self._kind.listen(self._reactor, listener.endpoint, options, self._board)

    def _listening(self, port: Any, listener: Listener) -> None:
        """
        One is open.
        """
        if self._closed or self._board.draining:
            port.stopListening()  # too late: the service has stopped meanwhile
            return
        self._ports.append(port)
        self._opened(port, listener)

    def _failed(self, failure: Failure, listener: Listener) -> None:
        """
        One can't be opened.
        """
        reason = getattr(failure.value, "socketError", None) or failure.value
        problem = f"can't listen at {listener.endpoint}: {getattr(reason, 'strerror', None) or reason}"
        if self._starting:
            self._problems.append(problem)
        else:
            self._log.critical("{problem}", problem=problem)

    def _opened(self, port: Any, listener: Listener) -> None:
        """
        A port listens: let it be known to people, to the rule against loops, and to
        admission.
        """
        address = port.getHost()
        self.addresses.append(address)
        self._admission.watch(port)
        shown, regime = showAddress(address), self._board.regime
        host, number = getattr(address, "host", None), getattr(address, "port", None)
        if host is None or number is None:
            path = getattr(address, "name", b"")
            shown = f"unix:{path.decode('utf-8', 'backslashreplace')}" if path else shown
            self._log.info("connectproxy listens at {where} (configuration {id})", where=shown, id=regime.id)
            return
        ip = ip_address(host)
        self._own.add(ip, number)
        wrapped = listener.endpoint.startswith("ssl:")
        clear = not (wrapped or listener.options["require_tls"] or regime.config["auth.require_tls"])
        asked = listener.options["authentication"] != "off" and any(regime.config[key] for key in PASSWORDS)
        if clear and asked and not ip.is_loopback:
            self._log.warn(
                "clients may send their password to {where} in clear text; require_tls, or a network that nobody"
                " listens to, keeps it secret",
                where=shown,
            )
        reachable = shown
        if ip.is_unspecified:
            reachable = f"127.0.0.1:{number}" if ip.version == 4 else f"[::1]:{number}"
        scheme = "https" if wrapped or listener.options["tls_certificate"] else "http"
        who = ""
        if asked:
            who = "USER:PASSWORD@"
        elif listener.options["authentication"] != "off" and regime.config["auth.token_keys"]:
            who = "token:TOKEN@"
        self._log.info(
            "connectproxy listens at {where} (configuration {id}); try: curl -x {url} https://example.com/",
            where=shown,
            id=regime.id,
            url=f"{scheme}://{who}{reachable}",
        )


def tellCertificates(log: Logger, server: ServerTLS) -> None:
    """
    Tell people what certificates there are, and what is wrong with them.
    """
    log.info(
        "TLS for {names}; the first certificate expires at {expires:%Y-%m-%d %H:%M} UTC",
        names=", ".join(server.names) or "no name",
        expires=server.expires,
    )
    for note in server.notes:
        log.warn("{note}", note=note)
