"""
Tests for L{connectproxy.doors}; how endpoints fail and open late is with the service's.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.doors import PASSWORDS, Doors, tellCertificates
from connectproxy.listeners.auto import kind
from connectproxy.own import OwnPorts
from connectproxy.regime import Regime
from connectproxy.tls import ServerTLS, TLSOptions
from tests.fakes import FakeReactor
from tests.listeners.auto.tlspeer import authority, certified


class Board:
    """
    What the doors ask of a switchboard.
    """

    draining = False

    def __init__(self, config: Any) -> None:
        self.regime = Regime(config, None, id="01234567")  # type: ignore[arg-type]


class Admission:
    """
    Notes which ports it is told of.
    """

    def __init__(self) -> None:
        self.ports: list[Any] = []

    def watch(self, port: Any) -> None:
        self.ports.append(port)


class DoorsTests(SynchronousTestCase):
    """
    L{Doors}.
    """

    def open(self, *listen: dict[str, Any], **tables: Any) -> tuple[Doors, list[str]]:
        """
        Open such listeners.

        @return: the doors, and what is logged.
        """
        self.reactor = FakeReactor()
        config = configure(listen=listen, **tables)
        self.admission, self.own = Admission(), OwnPorts()
        board: Any = Board(config)
        admission: Any = self.admission
        doors = Doors(self.reactor, kind, board, admission, self.own, Logger())
        self.patch(type(kind), "listen", self.listen)
        with capturedLogs() as events:
            self.problems = doors.open(config.listeners)
        return doors, [formatEvent(event) or "" for event in events]

    def listen(self, reactor: FakeReactor, description: str, options: Any, board: Any) -> Any:
        """
        What the kind does, less all that is behind a port.
        """
        _, number, interface, *_ = description.split(":")
        return succeed(reactor.listenTCP(int(number), Factory(), interface=interface.partition("=")[2]))

    def test_told(self) -> None:
        """
        Whoever has to know is told of each port: people, admission, the rule against loops.
        """
        doors, said = self.open({"endpoint": "127.0.0.1:8080"}, {"endpoint": "127.0.0.1:8081"})
        self.assertEqual(self.problems, [])
        self.assertEqual(self.admission.ports, self.reactor.ports)
        self.assertEqual([address.port for address in doors.addresses], [8080, 8081])  # type: ignore[attr-defined]
        self.assertTrue(self.own.includes(ip_address("127.0.0.1"), 8081))
        self.assertEqual(sum("(configuration 01234567)" in line for line in said), 2)

    def test_credentials(self) -> None:
        """
        What there is to try has a place for what the client has to say of itself.
        """
        basic, keys = {"basic": "ann:secret"}, {"token_keys": "key"}
        for auth, authentication, who in (
            (basic, "", "USER:PASSWORD@"),
            (basic | keys, "optional", "USER:PASSWORD@"),
            (keys, "", "token:TOKEN@"),
            (keys, "off", ""),
        ):
            listen = {"endpoint": "127.0.0.1:8080", "authentication": authentication}
            _, said = self.open(listen, auth=auth)
            self.assertIn(f"; try: curl -x http://{who}127.0.0.1:8080 https://", "\n".join(said))

    def test_servers(self) -> None:
        """
        What speaks TLS is known by its listener, and its certificates are told.
        """
        doors, said = self.open(
            {"endpoint": "127.0.0.1:8080"},
            {"endpoint": "127.0.0.1:8081", "tls_certificate": [certified().file]},
        )
        ((number, endpoint),) = doors.servers
        self.assertEqual((number, endpoint.partition(":i")[0]), (1, "tcp:8081"))
        self.assertTrue(
            any("TLS for proxy.example; the first certificate expires at" in line for line in said)
        )

    def test_note(self) -> None:
        """
        What is wrong with a certificate that can be used is told as well.
        """
        issued = authority()
        with capturedLogs() as events:
            tellCertificates(Logger(), ServerTLS(TLSOptions(((issued.file, issued.file),))))
        said = [formatEvent(event) or "" for event in events]
        self.assertIn("TLS for no name", said[0])
        self.assertIn("no subjectAltName", said[1])

    def test_clearText(self) -> None:
        """
        Where others could listen to passwords the log says so, whatever looks them up; but
        not where nobody is asked, or where they are refused in clear text (conformance 70).
        """
        listen = {"endpoint": "192.0.2.1:8080"}
        for auth, local, expected in (
            ({"basic": "a:b"}, {}, True),
            ({"checkers": ["memory:a:b"]}, {}, True),
            ({"basic": "a:b", "require_tls": True}, {"tls_certificate": [certified().file]}, False),
            ({"basic": "a:b"}, {"authentication": "off"}, False),
            ({}, {}, False),
        ):
            _, said = self.open(listen | local, auth=auth, proxy={"open": True})
            self.assertEqual(any("in clear text" in line for line in said), expected, (auth, local))
        self.assertEqual(len(PASSWORDS), 3)

    def test_close(self) -> None:
        """
        Closed they are closed, and what opens later is, too.
        """
        opening: Deferred[Any] = Deferred()
        self.patch(self, "listen", lambda *arguments: opening)
        doors, _ = self.open({"endpoint": "127.0.0.1:8080"})
        closing = doors.close()
        port = self.reactor.listenTCP(1, Factory())
        port.stopListening = lambda: setattr(port, "listening", False)  # type: ignore[method-assign, assignment, return-value]
        opening.callback(port)
        self.assertFalse(port.listening)
        self.assertEqual(doors.addresses, [])
        self.assertEqual(self.successResultOf(closing), [])
