"""
The lines of C{docs/conformance.md} that no module can show by itself.
"""

from __future__ import annotations

import ssl
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.errors import KINDS, Refusal
from connectproxy.listeners.http import HTTPProxyFactory
from connectproxy.wire.http1 import CONNECTED
from connectproxy.wire.refusal import formatRefusal
from tests.fakes import FakeReactor, Peer, makeSwitchboard
from tests.integration.origins import authority


@implementer(IOpenSSLServerConnectionCreator)
class TLSServer:
    """
    The server's side of TLS, with a certificate for C{localhost}.
    """

    def __init__(self) -> None:
        made = authority()
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.use_certificate_chain_file(str(made.chain))
        self._context.use_privatekey_file(str(made.key))

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


class TLSClient(Protocol):
    """
    A client that speaks TLS to the proxy, step by step as the test says.

    @ivar plain: what the proxy said, decrypted.
    @ivar notified: the proxy has sent close_notify.
    @ivar lost: why the connection was lost, or L{None} while it is not.
    """

    transport: Any
    lost: Failure | None = None
    notified = False

    def __init__(self) -> None:
        context = ssl.create_default_context(cafile=str(authority().certificate))
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.plain = bytearray()
        self.connected = False

    def connectionMade(self) -> None:
        """
        Begin the handshake.
        """
        self._go()

    def dataReceived(self, data: bytes) -> None:
        """
        Decrypt.
        """
        self._in.write(data)
        self._go()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Keep why.
        """
        self.lost = reason

    def write(self, octets: bytes) -> None:
        """
        Say something.
        """
        self._tls.write(octets)
        self._go()

    def close(self) -> None:
        """
        Say close_notify, and wait for the proxy's.
        """
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.transport.write(self._out.read())

    def _go(self) -> None:
        try:
            if not self.connected:
                self._tls.do_handshake()
                self.connected = True
            while more := self._tls.read(65536):
                self.plain += more
            self.notified = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.notified = True
        if octets := self._out.read():
            self.transport.write(octets)


class TLSTests(SynchronousTestCase):
    """
    A tunnel for a client that reaches the proxy by TLS, wired to a plain origin.
    """

    def setUp(self) -> None:
        """
        Have a tunnel up.
        """
        self.reactor = FakeReactor()
        self.board = makeSwitchboard(self.reactor)
        factory = HTTPProxyFactory(self.board, "ssl:443")
        port = self.reactor.listenTCP(443, TLSMemoryBIOFactory(TLSServer(), False, factory, self.reactor))
        self.client = port.connect(TLSClient())
        self.reactor.flush()
        self.client.write(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        self.reactor.flush()
        self.origin: Peer = self.board.upstreams["direct"].dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(self.client.plain, CONNECTED)
        self.client.plain.clear()

    def event(self) -> Any:
        """
        The tunnel's event, after everything that is going to happen.
        """
        self.reactor.flush()
        (event,) = self.board.ledger.events
        return event

    def test_originEnds(self) -> None:
        """
        What the origin sent last reaches the client before close_notify, which is sent
        although the origin's end only closes one direction (conformance 15).
        """
        self.origin.transport.write(b"last words" * 10000)
        self.origin.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(self.client.plain, b"last words" * 10000)
        self.assertTrue(self.client.notified)
        self.client.close()
        event = self.event()
        self.assertEqual((event["end"], event["ended_by"], event["relay"]), ("eof", "origin", "wired"))

    def test_clientEnds(self) -> None:
        """
        A client's close_notify ends both directions; what it sent before is delivered, and
        it gets one back (conformance 15).
        """
        self.client.write(b"last words" * 10000)
        self.client.close()
        event = self.event()
        self.assertEqual(self.origin.received, b"last words" * 10000)
        self.assertTrue(self.origin.ended)
        self.assertTrue(self.client.notified)
        self.assertEqual((event["end"], event["ended_by"]), ("eof", "client"))

    def test_truncated(self) -> None:
        """
        A client that closes without close_notify may have been cut off by somebody else: the
        origin hears of a reset and not of an end, and so does the event (conformance 15).
        """
        self.client.write(b"first words")
        self.reactor.flush()
        self.client.transport.loseConnection()
        event = self.event()
        self.assertEqual(self.origin.received, b"first words")
        self.assertFalse(self.origin.ended)
        self.assertTrue(self.origin.lost.check(ConnectionLost))  # type: ignore[union-attr]
        self.assertEqual((event["end"], event["ended_by"]), ("reset", "client"))


class TrailerTests(SynchronousTestCase):
    """
    Where Proxy-Status may stand.
    """

    def test_noTrailers(self) -> None:
        """
        Proxy-Status stands once in the header section of each refusal, whose length is told,
        so that nothing can follow the body; a success has none (conformance 64).
        """
        for name in KINDS:
            head, _, body = formatRefusal(Refusal(name, "a detail"), "proxy").partition(b"\r\n\r\n")
            fields = [line.partition(b": ") for line in head.lower().split(b"\r\n")[1:]]
            names = [field for field, _, _ in fields]
            self.assertEqual(names.count(b"proxy-status"), 1, name)
            self.assertNotIn(b"trailer", names)
            self.assertNotIn(b"transfer-encoding", names)
            self.assertIn((b"content-length", b": ", b"%d" % len(body)), fields)
        self.assertNotIn(b"proxy-status", CONNECTED.lower())
