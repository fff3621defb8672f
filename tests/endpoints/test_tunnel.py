"""
Tests for L{connectproxy.endpoints.tunnel}: what holds whatever is spoken, tried with CONNECT.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import connectProtocol
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
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.endpoints import CONNECTClientEndpoint, ProxyConnectError, ProxyTimeoutError
from connectproxy.endpoints.tunnel import destinationOf
from tests.endpoints.case import OPEN, Application, Applications, EndpointCase
from tests.fakes import Peer


class TunnelCase(EndpointCase):
    """
    A destination beyond one proxy.
    """

    def endpoint(self, **parameters: Any) -> CONNECTClientEndpoint:
        return CONNECTClientEndpoint(self.proxy, "origin.example", 443, **parameters)


class PassageTests(TunnelCase):
    """
    The way is open.
    """

    def test_interface(self) -> None:
        """
        It is an endpoint, and says where to and by what.
        """
        endpoint = self.endpoint(credentials=("ann", "secret"))
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertTrue(repr(endpoint).startswith("<CONNECTClientEndpoint origin.example:443 over <"))
        self.assertNotIn("secret", repr(endpoint))

    def test_hasTheTransport(self) -> None:
        """
        The application's protocol is the transport's own, so that nothing of it is lost; its
        factory is told the proxy's address, as the transport says it.
        """
        results = self.connect(self.endpoint())
        proxy = self.accept()
        self.assertEqual((results, self.applications.addresses), ([], []))
        self.say(proxy, OPEN)
        (application,) = results
        self.assertIsInstance(application, Application)
        self.assertIs(application.transport.protocol, application)
        self.assertEqual(self.applications.addresses, [application.transport.getPeer()])
        application.transport.write(b"hello")
        self.reactor.flush()
        self.assertTrue(proxy.received.endswith(b"\r\n\r\nhello"))

    def test_order(self) -> None:
        """
        The protocol is connected; then whoever has asked is told, and can still set it up;
        then it receives what came behind the answer, then the rest.
        """
        factory = Applications()
        self.endpoint().connect(factory).addCallback(lambda made: made.heard.append("fired"))
        proxy = self.accept()
        application: list[Any] = []
        factory.make = lambda: application.append(Application()) or application[0]  # type: ignore[func-returns-value]
        self.say(proxy, OPEN + b"early")
        self.say(proxy, b"late")
        self.assertEqual(application[0].heard, ["made", "fired", b"early", b"late"])

    def test_closedAtOnce(self) -> None:
        """
        Who closes the connection as soon as it is there, receives nothing more.
        """
        for close in ("loseConnection", "abortConnection"):
            self.setUp()
            done = self.endpoint().connect(self.applications)
            kept: list[Any] = []

            def lose(made: Any, close: str = close, kept: list[Any] = kept) -> None:
                kept.append(made)
                getattr(made.transport, close)()

            done.addCallback(lose)
            self.say(self.accept(), OPEN + b"early")
            reason = ConnectionDone if close == "loseConnection" else ConnectionAborted
            self.assertEqual(kept[0].heard, ["made", reason])

    def test_halfClose(self) -> None:
        """
        Either side may end its stream and go on reading.
        """
        results = self.connect(self.endpoint())
        proxy = self.accept()
        self.say(proxy, OPEN)
        application = results[0]
        application.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(proxy.ended)
        self.say(proxy, b"still here")
        proxy.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(application.heard[:4], ["made", "half-closed", b"still here", "ended"])

    def test_lost(self) -> None:
        """
        The protocol is told why its connection went.
        """
        for close, reason in (("loseConnection", ConnectionDone), ("abortConnection", ConnectionLost)):
            self.setUp()
            results = self.connect(self.endpoint())
            proxy = self.accept()
            self.say(proxy, OPEN)
            getattr(proxy.transport, close)()
            self.reactor.flush()
            results[0].transport.loseConnection()
            self.reactor.flush()
            self.assertEqual(results[0].heard[-1], reason)
            self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_chain(self) -> None:
        """
        An endpoint leads to the proxy of another one, and what comes glued is sorted out.
        """
        inner = CONNECTClientEndpoint(self.proxy, "second.example", 8080)
        results = self.connect(CONNECTClientEndpoint(inner, "origin.example", 443))
        proxy = self.accept()
        self.assertEqual(proxy.received.split()[1], b"second.example:8080")
        del proxy.received[:]
        self.say(proxy, OPEN + OPEN + b"early")
        self.assertEqual(results[0].heard, ["made", b"early"])
        self.assertIs(results[0].transport.protocol, results[0])
        self.assertTrue(proxy.received.startswith(b"CONNECT origin.example:443 "))
        self.assertEqual(self.applications.turns, ["start"])
        results[0].transport.loseConnection()
        self.assertAtRest()
        self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_to(self) -> None:
        """
        Another destination beyond the same proxy.
        """
        other = self.endpoint(headers=[("X-Who", "me")]).to("::1", 80)
        self.connect(other)
        self.assertTrue(self.accept().received.startswith(b"CONNECT [::1]:80 HTTP/1.1\r\n"))
        with self.assertRaises(ValueError):
            other.to("", 80)


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


class Narrow:
    """
    A transport that can do little, as that of a process; what it is given it answers at once.
    """

    def __init__(self, protocol: Any, answers: list[bytes]) -> None:
        self.protocol = self
        self._to = protocol
        self._answers = answers
        self.closed = False

    def write(self, octets: bytes) -> None:
        if self._answers:
            self._to.dataReceived(self._answers.pop(0))

    def loseConnection(self) -> None:
        self.closed = True


@implementer(IStreamClientEndpoint)
class Immediate:
    """
    An endpoint whose every answer is there before it has returned.
    """

    def __init__(self, *answers: bytes, fails: bool = False) -> None:
        self.answers = [[each] if each else [] for each in answers]
        self.transports: list[Narrow] = []
        self.fails = fails

    def connect(self, protocolFactory: Any) -> Any:
        protocol = protocolFactory.buildProtocol(None)
        transport = Narrow(protocol, self.answers.pop(0))
        self.transports.append(transport)
        protocol.makeConnection(transport)
        return fail(ConnectionLost()) if self.fails else succeed(protocol)


class OtherEndpointTests(TunnelCase):
    """
    Endpoints that are not TCP's.
    """

    def test_narrow(self) -> None:
        """
        A transport that can't be told to deliver elsewhere passes on what comes.
        """
        endpoint = Immediate(OPEN + b"early")
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        application = results[0]
        endpoint.transports[0]._to.dataReceived(b"late")
        self.assertEqual(application.heard, ["made", b"early", b"late"])
        endpoint.transports[0]._to.connectionLost()
        self.assertEqual(application.heard[3:], [ConnectionDone])

    def test_closed(self) -> None:
        """
        One that can't be reset is closed.
        """
        endpoint = Immediate(b"HTTP/1.1 500 Oh\r\n\r\n")
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        self.assertEqual(self.failed(results, ProxyConnectError).status, 500)
        self.assertTrue(endpoint.transports[0].closed)

    def test_again(self) -> None:
        """
        Where all is said at once there is still one connection after the other.
        """
        challenge = b'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n'
        endpoint = Immediate(b"HTTP/1.1 407 Who\r\n" + challenge, OPEN)
        beyond = CONNECTClientEndpoint(
            endpoint, "origin.example", 443, credentials=("ann", "x"), authentication="digest"
        )
        results = self.connect(beyond)
        self.assertEqual(results[0].heard, ["made"])
        self.assertEqual(len(endpoint.transports), 2)

    def test_clock(self) -> None:
        """
        Where the connection knows no time, a clock can be given; without any there is no
        deadline.
        """
        results = self.connect(CONNECTClientEndpoint(Immediate(b""), "origin.example", 443, timeout=3))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        clocked = CONNECTClientEndpoint(Immediate(b""), "origin.example", 443, timeout=3, clock=self.reactor)
        results = self.connect(clocked)
        self.reactor.advance(3)
        self.failed(results, ProxyTimeoutError)

    def test_failsLate(self) -> None:
        """
        An endpoint that connects and fails all the same has failed.
        """
        endpoint = Immediate(b"", fails=True)
        results = self.connect(CONNECTClientEndpoint(endpoint, "origin.example", 443))
        self.failed(results, ConnectionLost)
        self.assertTrue(endpoint.transports[0].closed)


class DestinationTests(EndpointCase):
    """
    What an application may call a destination.
    """

    def test_forms(self) -> None:
        """
        Names in octets or characters, addresses with brackets and without.
        """
        for host, expected in (
            ("Origin.Example.", "origin.example:1"),
            (b"origin.example", "origin.example:1"),
            ("b\xfccher.example", "xn--bcher-kva.example:1"),
            ("192.0.2.1", "192.0.2.1:1"),
            ("2001:DB8::1", "[2001:db8::1]:1"),
            ("[::1]", "[::1]:1"),
        ):
            self.assertEqual(str(destinationOf(host, 1)), expected)

    def test_none(self) -> None:
        """
        Anything else is a mistake of the caller's, and said at once.
        """
        for host, port in (
            ("", 1),
            ("a b", 1),
            ("a\r\nb", 1),
            ("127.1", 1),
            ("a", 0),
            ("a", 65536),
            ("\u2028", 1),
        ):
            with self.assertRaises(ValueError):
                destinationOf(host, port)


class LeftTests(TunnelCase):
    """
    Nothing is between the transport and those who are connected by others' wrappers.
    """

    def test_connectProtocol(self) -> None:
        """
        A protocol by itself can be connected.
        """
        peer = Peer()
        connectProtocol(self.endpoint(), peer)
        self.say(self.accept(), OPEN + b"hello")
        self.assertEqual(peer.received, b"hello")

    def test_notHalfCloseable(self) -> None:
        """
        A protocol that knows no half-close is closed by the end of the peer's stream.
        """
        made: list[Any] = []

        class Plain(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                made.append(reason.type)

        self.connect(self.endpoint(), Factory.forProtocol(Plain))
        proxy = self.accept()
        self.say(proxy, OPEN)
        proxy.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(made, [ConnectionDone])
