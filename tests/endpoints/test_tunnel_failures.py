"""
Tests for L{connectproxy.endpoints.tunnel}: the way is not open, or nobody waits any more.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NoProtocol,
)
from twisted.internet.error import ConnectionRefusedError as NobodyThere
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from connectproxy.endpoints import CONNECTClientEndpoint, ProxyConnectError, ProxyTimeoutError
from tests.endpoints.case import OPEN, Application, Applications, TunnelCase


class FailureTests(TunnelCase):
    """
    It is not.
    """

    def test_unreachable(self) -> None:
        """
        The failure of the endpoint that leads to the proxy goes on as it is.
        """
        results = self.connect(self.endpoint())
        self.reactor.attempts[0].fail(111)
        self.failed(results, NobodyThere)
        self.assertEqual(self.applications.turns, ["start", "stop"])
        self.assertAtRest()

    def test_refused(self) -> None:
        """
        The proxy's refusal is an exception with all that it has said, for those who try again
        after any failure to connect as well.
        """
        results = self.connect(self.endpoint(name="corp"))
        proxy = self.accept()
        head = b"HTTP/1.1 403 No\xfft here\r\nRetry-After: 5\r\nProxy-Status: corp; error=http_request_denied\r\n\r\n"
        self.say(proxy, head + b"<html>")
        error = self.failed(results, ProxyConnectError)
        self.assertIsInstance(error, ConnectError)
        self.assertEqual((error.kind, error.status, error.reason), ("next_hop_denied", 403, "No\\xfft here"))
        self.assertEqual(error.headers.getRawHeaders("Retry-After"), ["5"])
        self.assertEqual(error.proxyStatus, "corp; error=http_request_denied")
        self.assertIsNone(error.reply)
        self.assertIn("the next hop corp answered the request for origin.example:443 with 403", str(error))
        self.assertIsNotNone(proxy.lost)
        self.assertEqual(self.applications.turns, ["start", "stop"])
        self.assertAtRest()

    def test_garbage(self) -> None:
        """
        So is what is no answer at all.
        """
        results = self.connect(self.endpoint())
        self.say(self.accept(), b"SSH-2.0-x\r\n")
        self.assertEqual(self.failed(results, ProxyConnectError).kind, "next_hop_protocol_error")
        self.assertAtRest()

    def test_gone(self) -> None:
        """
        A proxy that goes before it has answered, in either way, or ends its stream.
        """
        for end in ("loseConnection", "abortConnection", "loseWriteConnection"):
            self.setUp()
            results = self.connect(self.endpoint())
            proxy = self.accept()
            self.say(proxy, b"HTTP/1.1 200")
            getattr(proxy.transport, end)()
            self.reactor.flush()
            error = self.failed(results, ProxyConnectError)
            self.assertEqual(error.kind, "next_hop_gone")
            self.assertIsInstance(error.__cause__, ConnectionDone | ConnectionLost)
            proxy.transport.abortConnection()
            self.assertAtRest()

    def test_silent(self) -> None:
        """
        A proxy that does not answer in time has had its time; a connection that takes long is
        not its fault.
        """
        results = self.connect(self.endpoint(timeout=5))
        self.reactor.advance(20)
        proxy = self.accept()
        self.reactor.advance(4.9)
        self.assertEqual(results, [])
        self.reactor.advance(0.2)
        error = self.failed(results, ProxyTimeoutError)
        self.assertIsInstance(error, ConnectTimeout)
        self.assertEqual(error.kind, "next_hop_silent")
        self.assertEqual(
            str(error), "the next hop took the request for origin.example:443 and did not answer within 5 s"
        )
        self.assertAtRest()
        self.assertIsNotNone(proxy.lost)

    def test_noDeadline(self) -> None:
        """
        There may be none, where that is said.
        """
        self.connect(self.endpoint(timeout=None))
        self.accept()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        for wrong in (0, -1, float("nan")):
            with self.assertRaises(ValueError):
                self.endpoint(timeout=wrong)

    def test_deadlineEnds(self) -> None:
        """
        There is none any more once the way is open.
        """
        results = self.connect(self.endpoint())
        self.say(self.accept(), OPEN)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.advance(100)
        self.assertEqual(results[0].heard, ["made"])

    def test_noProtocol(self) -> None:
        """
        A factory that builds nothing, or raises, closes the connection, and whoever has asked
        is told.
        """
        for make, kind in ((lambda: None, NoProtocol), (lambda: 1 // 0, ZeroDivisionError)):
            self.setUp()
            results = self.connect(self.endpoint(), Applications(make))
            proxy = self.accept()
            self.say(proxy, OPEN + b"early")
            self.failed(results, kind)
            self.assertIsNotNone(proxy.lost)
            self.assertAtRest()

    def test_raises(self) -> None:
        """
        So does a protocol that raises when it is connected.
        """

        class Broken(Application):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

        made = Broken()
        results = self.connect(self.endpoint(), Applications(lambda: made))
        self.say(self.accept(), OPEN + b"early")
        self.failed(results, ZeroDivisionError)
        self.assertEqual(made.heard, [ConnectionAborted])
        self.assertAtRest()


class CancelTests(TunnelCase):
    """
    Nobody waits any more.
    """

    def assertCancelled(self, results: list[Any]) -> None:
        """
        It has failed as Twisted's endpoints do, and nothing is left.
        """
        error = self.failed(results, ConnectingCancelledError)
        self.assertEqual((error.address.hostname, error.address.port), (b"origin.example", 443))
        self.assertAtRest()
        self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_connecting(self) -> None:
        """
        While the proxy is being connected to.
        """
        results = self.connect(self.endpoint())
        self.connecting.cancel()
        self.assertCancelled(results)
        self.assertTrue(self.reactor.attempts[0].stopped)

    def test_negotiating(self) -> None:
        """
        While it is being asked, in the middle of its answer.
        """
        for said in (b"", b"HTTP/1.1 200 OK\r\nX:"):
            self.setUp()
            results = self.connect(self.endpoint())
            proxy = self.accept()
            self.say(proxy, said)
            self.connecting.cancel()
            self.assertCancelled(results)
            self.assertIsNotNone(proxy.lost)

    def test_chain(self) -> None:
        """
        In each phase of a chain.
        """
        for answers in range(2):
            self.setUp()
            inner = CONNECTClientEndpoint(self.proxy, "second.example", 8080)
            results = self.connect(CONNECTClientEndpoint(inner, "origin.example", 443))
            proxy = self.accept()
            self.say(proxy, OPEN * answers)
            self.connecting.cancel()
            self.assertCancelled(results)
            self.assertIsNotNone(proxy.lost)

    def test_again(self) -> None:
        """
        While it is being asked a second time.
        """
        results = self.connect(self.endpoint(credentials=("ann", "x"), authentication="digest"))
        challenge = b'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n'
        self.say(self.accept(), b"HTTP/1.1 407 Who\r\n" + challenge)
        self.assertEqual(len(self.reactor.attempts), 2)
        self.connecting.cancel()
        self.assertCancelled(results)

    def test_stubborn(self) -> None:
        """
        An endpoint that can't be cancelled has its connection turned down.
        """
        stubborn = Stubborn()
        results = self.connect(CONNECTClientEndpoint(stubborn, "origin.example", 443))
        self.connecting.cancel()
        self.failed(results, ConnectingCancelledError)
        self.assertIsNone(stubborn.factory.buildProtocol(None))


@implementer(IStreamClientEndpoint)
class Stubborn:
    """
    An endpoint that goes on.
    """

    factory: Any

    def connect(self, protocolFactory: Any) -> Any:
        self.factory = protocolFactory
        return Deferred(lambda _: None)
