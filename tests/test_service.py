"""
Tests for L{connectproxy.service}: what is put together, and how it starts.
"""

from __future__ import annotations

import errno
import io
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import prepare
from connectproxy import service as module
from connectproxy.config import Config, configure
from connectproxy.listeners.auto import kind
from connectproxy.service import ListenFailed, ProxyService
from connectproxy.wire.http1 import CONNECTED
from tests.fakes import FakePort, FakeReactor, Peer


def made(*endpoints: str, **tables: Any) -> Config:
    """
    A configuration for a reactor without sockets, hence without C{splice}.
    """
    listen = [{"endpoint": endpoint} for endpoint in endpoints or ("127.0.0.1:8080",)]
    return configure(listen=listen, **{"relay": {"splice": False}, "access_log": {"file": "none"}, **tables})


def connect(target: str) -> bytes:
    """
    A head.
    """
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii")


class ServiceCase(SynchronousTestCase):
    """
    Services in a fake reactor.
    """

    def setUp(self) -> None:
        """
        Have no hosts file but an empty one.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000.0)
        hosts = Path(self.mktemp())
        hosts.write_text("")
        self.patch(module, "HOSTS", str(hosts))
        self.patch(prepare, "sleep", lambda seconds: None)

    def start(self, *endpoints: str, **tables: Any) -> ProxyService:
        """
        A service that runs.
        """
        service = ProxyService(self.reactor, made(*endpoints, **tables))
        service.startService()
        return service

    def ask(self, octets: bytes, port: FakePort | None = None) -> Peer:
        """
        Be a client of the latest port, or another one.
        """
        client: Peer = (port or self.reactor.ports[-1]).connect()
        client.transport.write(octets)
        self.reactor.flush()
        return client

    def open(self, port: FakePort | None = None) -> tuple[Peer, Peer]:
        """
        Open a tunnel.
        """
        client = self.ask(connect("1.1.1.1:443"), port)
        origin = self.reactor.attempts[-1].succeed()
        self.reactor.flush()
        self.assertEqual(bytes(client.received), CONNECTED)
        return client, origin

    def lines(self, events: list[Any]) -> list[str]:
        """
        What of the log is the service's, as people read it.
        """
        return [
            formatEvent(event)
            for event in events
            if event["log_namespace"] == "connectproxy.service.ProxyService"
        ]


class StartTests(ServiceCase):
    """
    Listening.
    """

    def test_interface(self) -> None:
        """
        It is a service; making it does nothing yet.
        """
        service = ProxyService(self.reactor, made())
        verifyObject(IService, service)
        self.assertEqual((self.reactor.ports, service.addresses), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_listens(self) -> None:
        """
        Each endpoint of the configuration is opened, in its order.
        """
        service = self.start("127.0.0.1:8080", "127.0.0.1:8081")
        self.assertEqual([address.port for address in service.addresses], [8080, 8081])  # type: ignore[attr-defined]
        self.assertEqual([port.listening for port in self.reactor.ports], [True, True])
        self.assertTrue(service.running)

    def test_privileged(self) -> None:
        """
        It listens while there are privileges, and then not again.
        """
        service = ProxyService(self.reactor, made())
        service.privilegedStartService()
        self.assertEqual(len(self.reactor.ports), 1)
        service.startService()
        self.assertEqual(len(self.reactor.ports), 1)

    def test_said(self) -> None:
        """
        One line says where it listens and shows what to try, with an address that a client
        can use.
        """
        config = made("127.0.0.1:8080")
        for endpoint, where, usable in (
            ("127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080", "[::1]:8080"),
            ("0.0.0.0:8080", "0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::]:8080", "[::1]:8080"),
        ):
            with capturedLogs() as events:
                config = self.start(endpoint, proxy={"open": True}).config
            self.assertEqual(
                self.lines(events),
                [
                    f"connectproxy listens at {where} (configuration {config.id});"
                    f" try: curl -x http://{usable} https://example.com/"
                ],
            )

    def test_sockets(self) -> None:
        """
        A socket in the file system is named by its path, escaped, and where there is no
        name there is none; there is no curl command to show.
        """
        for name, shown in (
            (b"/run/proxy", "unix:/run/proxy"),
            (b"/run/\xff", r"unix:/run/\xff"),
            (None, "unix"),
        ):

            def listen(self: Any, *args: Any, name: bytes | None = name) -> Deferred[Any]:
                port = FakePort(FakeReactor(), 1, None, "")
                port._address = UNIXAddress(name)  # type: ignore[assignment]
                opened: Deferred[Any] = Deferred()
                opened.callback(port)
                return opened

            self.patch(type(kind), "listen", listen)
            with capturedLogs() as events:
                service = self.start()
            (line,) = self.lines(events)
            self.assertEqual(line, f"connectproxy listens at {shown} (configuration {service.config.id})")

    def test_quiet(self) -> None:
        """
        Nothing is printed, and no signal is handled: the process is somebody else's.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)
        before = [signal.getsignal(number) for number in numbers]
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        service = self.start(access_log={"file": "log"})
        self.open()
        service.stopService()
        self.reactor.advance(service.config["timeouts.drain"])
        self.reactor.flush()
        self.assertEqual((out.getvalue(), err.getvalue()), ("", ""))
        self.assertEqual([signal.getsignal(number) for number in numbers], before)

    def test_family(self) -> None:
        """
        It is at home in an application's tree of services.
        """
        parent = MultiService()
        service = ProxyService(self.reactor, made())
        service.setServiceParent(parent)
        parent.privilegedStartService()
        parent.startService()
        self.assertEqual(len(self.reactor.ports), 1)
        stopped = parent.stopService()
        self.reactor.flush()
        self.successResultOf(stopped)


class FailedTests(ServiceCase):
    """
    Endpoints that can't be opened.
    """

    def occupy(self, *ports: int) -> None:
        """
        Have somebody else at these ports.
        """
        original = self.reactor.listenTCP

        def listenTCP(port: int, factory: Any, backlog: int = 50, interface: str = "") -> FakePort:
            if port in ports:
                raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "Address already in use"))
            return original(port, factory, backlog, interface)

        self.reactor.listenTCP = listenTCP  # type: ignore[method-assign]

    def fail(self, *endpoints: str, **tables: Any) -> tuple[ProxyService, str]:  # type: ignore[override]
        """
        A service that can't start, and what it says.
        """
        service = ProxyService(self.reactor, made(*endpoints, **tables))
        with self.assertRaises(ListenFailed) as caught:
            service.startService()
        self.assertFalse(service.running)
        self.assertEqual(service.addresses, [])
        return service, str(caught.exception)

    def test_occupied(self) -> None:
        """
        The message says which endpoint and why, in the system's words; the endpoints that
        were open are closed again, and nothing is left to do.
        """
        self.occupy(8081)
        _, message = self.fail("127.0.0.1:8080", "127.0.0.1:8081")
        self.assertEqual(
            message, "can't listen at tcp:8081:interface=127.0.0.1:backlog=1024: Address already in use"
        )
        self.reactor.flush()
        self.assertEqual([port.listening for port in self.reactor.ports], [False])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_everyProblem(self) -> None:
        """
        All that can't be opened is told at once.
        """
        self.occupy(8080, 8082)
        _, message = self.fail("127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082")
        self.assertEqual(message.count("can't listen at"), 2)
        self.assertIn("tcp:8082", message)

    def test_privileged(self) -> None:
        """
        It is the same while there are privileges.
        """
        self.occupy(8080)
        with self.assertRaises(ListenFailed):
            ProxyService(self.reactor, made()).privilegedStartService()

    def test_again(self) -> None:
        """
        Once the reason is gone the same service can be started.
        """
        self.occupy(8080)
        service, _ = self.fail()
        del self.reactor.listenTCP
        service.startService()
        self.assertEqual(len(service.addresses), 1)
        self.open()

    def test_raisedAtOnce(self) -> None:
        """
        An endpoint that raises before it even tries, as one does for want of its
        certificate, is a problem like the others.
        """
        missing = f"ssl:8443:privateKey={Path(self.mktemp()).absolute()}:interface=127.0.0.1"
        _, message = self.fail("127.0.0.1:8080", missing)
        self.assertIn("can't listen at ssl:8443", message)
        self.assertIn("No such file", message)
        self.assertEqual([port.listening for port in self.reactor.ports], [False])

    def test_accessLog(self) -> None:
        """
        So is an access log that can't be opened; nothing listens then.
        """
        path = str(Path(self.mktemp()) / "missing" / "log")
        _, message = self.fail(access_log={"file": path})
        self.assertEqual(message, f"can't open the access log {path}: No such file or directory")
        self.assertEqual(self.reactor.ports, [])

    def test_notStarted(self) -> None:
        """
        To stop what never started is no trouble.
        """
        self.successResultOf(ProxyService(self.reactor, made()).stopService())
        self.occupy(8080)
        service, _ = self.fail()
        self.successResultOf(service.stopService())


class LateTests(ServiceCase):
    """
    Endpoints that take their time.
    """

    def setUp(self) -> None:
        """
        Have one that opens when the test says so.
        """
        super().setUp()
        self.opening: Deferred[Any] = Deferred()
        self.patch(type(kind), "listen", lambda *args: self.opening)
        self.port = FakePort(self.reactor, 8080, kind, "127.0.0.1")
        self.stopped = 0

        def stopListening() -> Deferred[None]:
            self.stopped += 1
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done

        self.port.stopListening = stopListening  # type: ignore[method-assign]

    def test_opened(self) -> None:
        """
        One that is opened later is known and told of then.
        """
        service = self.start()
        self.assertEqual(service.addresses, [])
        with capturedLogs() as events:
            self.opening.callback(self.port)
        self.assertEqual(service.addresses, [self.port.getHost()])
        self.assertEqual(len(self.lines(events)), 1)

    def test_failed(self) -> None:
        """
        One that fails later is logged; nobody can be told otherwise.
        """
        self.start()
        with capturedLogs() as events:
            self.opening.errback(CannotListenError("127.0.0.1", 8080, OSError(13, "Permission denied")))
        (event,) = events
        self.assertIs(event["log_level"], LogLevel.critical)
        self.assertIn("can't listen at tcp:8080", formatEvent(event))
        self.assertIn("Permission denied", formatEvent(event))

    def test_tooLate(self) -> None:
        """
        One that is opened when the service has stopped is closed at once.
        """
        service = self.start()
        self.successResultOf(service.stopService())
        self.opening.callback(self.port)
        self.assertEqual((self.stopped, service.addresses), (1, []))

    def test_whileDraining(self) -> None:
        """
        So is one that is opened while the last connections end.
        """
        service = self.start()
        service._parts.board.connectionOpened(-1)  # type: ignore[union-attr]
        stopping = service.stopService()
        self.opening.callback(self.port)
        self.assertEqual((self.stopped, service.addresses), (1, []))
        self.assertNoResult(stopping)

    def test_broken(self) -> None:
        """
        One whose port makes no sense is logged, and stops nothing else.
        """
        self.start()
        self.opening.callback(object())
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
