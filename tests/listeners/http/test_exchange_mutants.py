"""
Tests for L{connectproxy.listeners.http.exchange}: whatever a client and its origins do, in
whatever order, nothing raises, nothing is left behind, and nothing cut short looks whole.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import Peer
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get
from tests.listeners.http.test_connection import HEAD

REQUESTS = (
    GET,
    GET,
    GET + GET,
    GET[:30],
    GET[30:],
    get(method=b"HEAD"),
    get(version=b"1.0"),
    get(b"Connection: close"),
    get(target=b"http://other.example/"),
    get(target=b"/"),
    get(b"Connection: upgrade", b"Upgrade: websocket"),
    get(b"Content-Length: 5", method=b"POST"),
    get(b"Content-Length: 5", method=b"POST") + b"hello",
    get(b"Transfer-Encoding: chunked", method=b"POST"),
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"hello",
    bytes(3000),
    b"\r\n",
    HEAD,
    b"nonsense\r\n\r\n",
)

RESPONSES = (
    OK,
    OK,
    OK[:40],
    OK[40:],
    OK + OK,
    b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n",
    bytes(3000),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"HTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"hello",
)

WAYS = ("loseConnection", "loseWriteConnection", "abortConnection", "pauseProducing", "resumeProducing")

ACTIONS = st.one_of(
    st.tuples(st.just("client"), st.sampled_from(REQUESTS)),
    st.tuples(st.just("client"), st.sampled_from(REQUESTS)),
    st.tuples(st.just("origin"), st.sampled_from(RESPONSES)),
    st.tuples(st.just("origin"), st.sampled_from(RESPONSES)),
    st.tuples(st.just("clientDoes"), st.sampled_from(WAYS)),
    st.tuples(st.just("originDoes"), st.sampled_from(WAYS)),
    st.tuples(st.just("dial"), st.booleans()),
    st.tuples(st.just("dial"), st.just(True)),
    st.tuples(st.just("wait"), st.sampled_from((1.0, 35.0, 130.0, 3700.0))),
    st.tuples(st.just("turn"), st.none()),
    st.tuples(st.just("drain"), st.none()),
)


class MutantTests(ForwardCase):
    """
    Anything goes.
    """

    @given(actions=st.lists(ACTIONS, max_size=25), capacity=st.sampled_from((100, 65536)))
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    def test_anything(self, actions: list[tuple[str, Any]], capacity: int) -> None:
        """
        Each connection and each request is accounted for when all is over.
        """
        self.setUp()
        client = self.connect(capacity=capacity)
        origins: list[Peer] = []
        dialled = drained = 0
        for action, what in actions:
            if action in ("client", "origin", "clientDoes", "originDoes"):
                for peer in [client] if action.startswith("client") else origins[-1:]:
                    if peer.lost is None and not peer.transport.disconnecting:
                        if isinstance(what, bytes):
                            peer.transport.write(what)
                        else:
                            getattr(peer.transport, what)()
            elif action == "dial":
                for dial in self.upstream.dials[dialled:]:
                    dialled += 1
                    if dial.cancelled:
                        continue
                    if what:
                        origins.append(dial.succeed(capacity=capacity))
                    else:
                        dial.fail()
            elif action == "wait":
                self.reactor.advance(what)
            elif action == "drain" and not drained:
                drained = 1
                self.board.drain()
                self.port.stopListening()
            self.reactor.flush()
        for peer in (client, *origins):
            peer.transport.abortConnection()
        self.reactor.flush()
        for seconds in (15.0, 150.0, 3700.0, 3700.0):  # what is paused hears of nothing but its deadlines
            self.wait(seconds)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.checkQuiet()
        self.assertEqual(self.port.factory.connections, set())
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        for event in self.events():
            if event["end"] == "truncated":
                self.assertNotEqual(event["error"], None)

    @given(
        st.lists(st.integers(0, 255), max_size=60),
        st.sampled_from(("LENGTH", "CHUNKED", "CLOSE")),
        st.integers(0, 200),
        st.booleans(),
    )
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def test_neverWhole(self, octets: list[int], how: str, cut: int, reset: bool) -> None:
        """
        A response that is cut anywhere is whole for the client only if it was whole.
        """
        self.setUp()
        body = bytes(octets)
        framed = {
            "LENGTH": b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
            "CHUNKED": b"Transfer-Encoding: chunked\r\n\r\n"
            + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"")
            + b"0\r\n\r\n",
            "CLOSE": b"\r\n" + body,
        }[how]
        whole = b"HTTP/1.1 200 OK\r\n" + framed
        client, origin = self.exchange()
        self.reply(origin, whole[:cut])
        if reset:
            origin.transport.abortConnection()
        else:
            origin.transport.loseConnection()
        response = self.response(client)
        complete = cut >= len(whole) and not (how == "CLOSE" and reset)
        if how == "CLOSE" and not reset and cut >= len(whole) - len(body):
            complete, body = True, whole[:cut][len(whole) - len(body) :]
        if complete:
            self.assertEqual((response.status, response.body, response.whole), (200, body, True))
        else:
            self.assertTrue(response.status == 502 or not response.whole)
