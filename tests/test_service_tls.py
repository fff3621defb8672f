"""
Tests for L{connectproxy.service}: certificates and users.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.logger import capturedLogs, formatEvent

from connectproxy.config import Config, configure
from connectproxy.service import ListenFailed, ProxyService
from connectproxy.tls.identity import identify
from connectproxy.watch import INTERVAL
from tests.listeners.auto.tlspeer import TLSPeer, authority, certified, known
from tests.listeners.http.test_connection import parse
from tests.test_service import ServiceCase, connect, made

SECRET = "open sesame"


def configured(*listen: dict[str, Any]) -> Config:
    """
    A configuration with such listeners, for a reactor without sockets.
    """
    return configure(listen=listen, relay={"splice": False}, access_log={"file": "none"})


class CertificateTests(ServiceCase):
    """
    Listeners with certificates.
    """

    def setUp(self) -> None:
        """
        A certificate that can be replaced.
        """
        super().setUp()
        self.file = Path(self.mktemp())
        self.put(certified().file)

    def put(self, other: str) -> None:
        """
        Put another in its place.
        """
        self.file.write_bytes(Path(other).read_bytes())

    def service(self, *more: dict[str, Any], **options: Any) -> ProxyService:
        """
        A service that runs, with TLS on its first port.
        """
        listen = [{"endpoint": "127.0.0.1:8080", "tls_certificate": [str(self.file)], **options}, *more]
        service = ProxyService(self.reactor, configured(*listen))
        service.startService()
        return service

    def handshake(self, **options: Any) -> TLSPeer:
        """
        Be a client of TLS.
        """
        peer: TLSPeer = self.reactor.ports[0].connect(TLSPeer(**options))
        peer.begin()
        self.reactor.flush()
        return peer

    def shown(self) -> str:
        """
        The name in the certificate that clients get to see.
        """
        certificate = self.handshake().tls.get_peer_certificate()
        assert certificate is not None
        (name,) = identify(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).dns
        return name

    def stop(self, service: ProxyService) -> None:
        """
        Stop a service.
        """
        stopping = service.stopService()
        self.reactor.flush()
        self.successResultOf(stopping)

    def test_serves(self) -> None:
        """
        Within TLS tunnels are made as without, and the log shows how to try it.
        """
        with capturedLogs() as events:
            self.service()
        self.assertIn("try: curl -x https://127.0.0.1:8080 https://", "".join(self.lines(events)))
        peer = self.handshake()
        peer.say(connect("1.1.1.1:443"))
        self.reactor.flush()
        origin = self.reactor.attempts[-1].succeed()
        self.reactor.flush()
        self.assertIn(b" 200 ", peer.plain)
        peer.say(b"up")
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"up")

    def test_event(self) -> None:
        """
        The event says what TLS there was, and whose certificate the client has shown.
        """
        service = self.service(client_certificates="required", client_ca=authority().file)
        peer = self.handshake(client=known())
        peer.say(connect("10.0.0.1:443"))
        with capturedLogs() as events:
            self.reactor.flush()
            self.reactor.advance(0)
        (event,) = (each["event"] for each in events if each["log_namespace"] == "connectproxy.access")
        self.assertEqual(
            (event["tls"], event["certificate"], event["status"]), ("TLSv1.3", "CN=client.example", 403)
        )
        service.stopService()

    def test_unusable(self) -> None:
        """
        A certificate that can't be used is a reason not to start, in words; no port stays
        open, nothing is watched.
        """
        self.file.write_text("nothing")
        second = {"endpoint": "127.0.0.1:8080", "tls_certificate": [str(self.file)]}
        service = ProxyService(self.reactor, configured({"endpoint": "127.0.0.1:8081"}, second))
        error = self.assertRaises(ListenFailed, service.startService)
        self.assertIn("can't listen at tcp:8080", str(error))
        self.assertIn(f"{self.file}: there is no certificate in PEM", str(error))
        self.assertEqual([port.listening for port in self.reactor.ports], [False])
        self.reactor.flush()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_otherPortFails(self) -> None:
        """
        Nor is anything watched when another port can't be opened.
        """
        broken = {
            "endpoint": "127.0.0.1:8081",
            "tls_certificate": [str(self.file)],
            "tls_key": [authority().file],
        }
        self.assertRaises(ListenFailed, self.service, broken)
        self.reactor.flush()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_replaced(self) -> None:
        """
        A certificate that is replaced is taken up by itself, for new connections.
        """
        service = self.service()
        before = self.handshake()
        self.assertEqual(self.shown(), "proxy.example")
        self.put(certified("other.example").file)
        self.assertEqual(self.shown(), "proxy.example")
        for _ in range(2):  # it is taken up when it has stayed the same
            self.assertEqual(self.shown(), "proxy.example")
            self.reactor.advance(INTERVAL)
            self.reactor.flush()
        self.assertEqual(self.shown(), "other.example")
        before.say(b"P")
        self.reactor.flush()
        self.assertFalse(before.closed)
        service.stopService()

    def test_reload(self) -> None:
        """
        Who does not want to wait has them read anew.
        """
        service = self.service()
        self.put(certified("other.example").file)
        service.reload()
        self.assertEqual(self.shown(), "other.example")

    def test_broken(self) -> None:
        """
        One that can't be used is told of, and the one before stays.
        """
        service = self.service()
        self.file.write_text("nothing")
        with capturedLogs() as events:
            service.reload()
        said = "\n".join(formatEvent(event) for event in events)
        self.assertIn("from before stays in force", said)
        self.assertIn(str(self.file), said)
        self.assertEqual(self.shown(), "proxy.example")

    def test_nothingToReload(self) -> None:
        """
        Without certificates, or before the start and after the stop, nothing happens.
        """
        service = ProxyService(self.reactor, made())
        service.reload()
        service.startService()
        service.reload()
        self.stop(service)
        service.reload()

    def test_stop(self) -> None:
        """
        When the proxy has stopped nobody looks at files any more; who is in the midst of a
        handshake does not keep it from stopping, and it can be started again.
        """
        service = self.service()
        silent = self.handshake()
        begun = self.reactor.ports[0].connect()
        begun.transport.write(b"\x16\x03\x01")
        self.reactor.flush()
        stopping = service.stopService()
        self.reactor.flush()
        silent.transport.loseConnection()
        self.reactor.flush()
        self.successResultOf(stopping)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        service.startService()
        self.assertEqual(len(self.reactor.ports), 2)
        self.stop(service)


class UserTests(ServiceCase):
    """
    Who may use the proxy.
    """

    def ask407(self, credentials: str) -> Any:
        """
        Ask for a tunnel with credentials.
        """
        field = (
            b"Proxy-Authorization: Basic " + b64encode(credentials.encode()) + b"\r\n" if credentials else b""
        )
        client = self.ask(connect("10.0.0.1:443")[:-2] + field + b"\r\n")
        return parse(client.received)

    def test_nobody(self) -> None:
        """
        Without C{auth.basic} nobody is asked.
        """
        service = self.start()
        self.assertIsNone(service._parts.board.authenticator)  # type: ignore[union-attr]

    def test_one(self) -> None:
        """
        With it everybody is: 407 and a challenge for who is not known, and for who is what
        the policy says, which is never 407 (conformance 65).
        """
        service = self.start(auth={"basic": f"Aladdin:{SECRET}"})
        self.assertIsNotNone(service._parts.board.authenticator)  # type: ignore[union-attr]
        for credentials in ("", "Aladdin:wrong", "aladdin:" + SECRET, "Aladdin"):
            answer = self.ask407(credentials)
            self.assertEqual(answer.status, 407)
            challenges = [
                value for name, value in answer.fields.items() if name.lower() == "proxy-authenticate"
            ]
            self.assertEqual(challenges, ['Basic realm="connectproxy", charset="UTF-8"'])
        answer = self.ask407(f"Aladdin:{SECRET}")
        self.assertEqual(answer.status, 403)
        self.assertNotIn("proxy-authenticate", {name.lower() for name in answer.fields})

    def test_clearText(self) -> None:
        """
        Where others could listen to passwords, the log says so; not for loopback, and not
        where clients have to speak TLS (conformance 70).
        """

        def warned(**listen: Any) -> bool:
            with capturedLogs() as events:
                config = configure(
                    listen=[listen], auth={"basic": f"Aladdin:{SECRET}"}, access_log={"file": "none"}
                )
                service = ProxyService(self.reactor, config)
                service.startService()
                stopping = service.stopService()
                self.reactor.flush()
                self.successResultOf(stopping)
            return any("in clear text" in (formatEvent(event) or "") for event in events)

        secure = {"tls_certificate": [certified().file]}
        self.assertTrue(warned(endpoint="192.0.2.1:8080"))
        self.assertTrue(warned(endpoint="192.0.2.1:8080", **secure))
        self.assertFalse(warned(endpoint="127.0.0.1:8080"))
        self.assertFalse(warned(endpoint="192.0.2.1:8080", require_tls=True, **secure))

    def test_nothingShows(self) -> None:
        """
        Neither the log nor any event nor the service itself shows a password, right or
        wrong (conformance 69).
        """
        with capturedLogs() as events:
            service = self.start(auth={"basic": f"Aladdin:{SECRET}"}, access_log={"file": "log"})
            for credentials in (f"Aladdin:{SECRET}", "Aladdin:wrong one"):
                self.ask407(credentials)
            self.reactor.advance(0)
        said = repr(events) + "".join(formatEvent(event) for event in events) + repr(vars(service))
        said += repr(service.config) + repr(dict(service.config))
        for secret in (SECRET, "wrong one"):
            self.assertNotIn(secret, said)
            self.assertNotIn(b64encode(f"Aladdin:{secret}".encode()).decode(), said)
        users = [each["event"]["user"] for each in events if each["log_namespace"] == "connectproxy.access"]
        self.assertEqual(users, ["Aladdin", None])
