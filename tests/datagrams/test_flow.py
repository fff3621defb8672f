"""
Tests for L{connectproxy.datagrams.flow}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.address import Destination, parseAuthority
from connectproxy.datagrams import DirectDatagrams, Flow, direct
from connectproxy.datagrams import flow as module
from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, IPAddress, ProxyUser, TunnelRequest, Verdict
from connectproxy.interfaces.datagrams import IAssociation, IInboundDatagrams
from connectproxy.names import Names
from tests.datagrams.network import FakeUDP, Network
from tests.fakes import FakeReactor, makeRequest

NOWHERE = Destination("0.0.0.0", 0, None, "")


def to(target: str) -> Destination:
    """
    A destination.
    """
    destination = parseAuthority(target.encode("ascii"))
    assert isinstance(destination, Destination), destination
    return destination


@implementer(IInboundDatagrams)
class Inbound:
    """
    A client's side that keeps what it is delivered.

    @ivar full: it can take nothing.
    """

    request = makeRequest()._replace(destination=NOWHERE, method="UDP ASSOCIATE", identity=ProxyUser("ann"))
    full = False

    def __init__(self) -> None:
        self.delivered: list[tuple[str, int, bytes]] = []

    def accept(self, flow: Any) -> Refusal | None:
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> None:
        raise NotImplementedError

    def whenLost(self, callback: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def deliver(self, host: str, port: int, payload: bytes) -> bool:
        if not self.full:
            self.delivered.append((host, port, payload))
        return not self.full


@implementer(IAssociation)
class Judge:
    """
    An association that denies some hosts.

    @ivar asked: every request that it was asked about.
    @ivar told: every refusal that it was told of, with its target.
    @ivar judged: the address of each of them, if it has one.
    @ivar let: every target that it was told is allowed, with the address that is taken.
    """

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[TunnelRequest] = []
        self.told: list[tuple[str, Refusal]] = []
        self.judged: list[str | None] = []
        self.let: list[tuple[str, str]] = []
        self.isBroken = False

    def decide(self, request: TunnelRequest) -> Refusal | None:
        self.asked.append(request)
        if request.destination.host in self.denied:
            return Refusal("http_request_denied", "it is denied", "a-rule")
        return None

    def allowed(self, request: TunnelRequest, address: IPAddress) -> None:
        self.let.append((str(request.destination), str(address)))

    def refused(self, request: TunnelRequest, refusal: Refusal, address: IPAddress | None = None) -> None:
        self.told.append((str(request.destination), refusal))
        self.judged.append(None if address is None else str(address))

    def broken(self) -> None:
        self.isBroken = True


class FlowCase(SynchronousTestCase):
    """
    A flow on a fake network.
    """

    def setUp(self) -> None:
        """
        Open one.
        """
        self.reactor, self.network = FakeReactor(), Network()
        self.reactor.advance(1000.0)
        self.closed: set[str] = set()
        self.names = Names(self.reactor)
        self.owner = DirectDatagrams(self.reactor, self.judge, self.names, self.network.socket)
        self.inbound, self.association = Inbound(), Judge()
        self.flow: Flow = self.owner.open(self.inbound.request, self.inbound, self.association)
        self.patch(direct, "isLocal", lambda address: address.is_loopback)

    def judge(self, request: TunnelRequest, address: Any) -> Verdict | None:
        """
        Deny an address that the test has closed.
        """
        self.assertEqual(request.method, "UDP")
        if str(address) in self.closed:
            return Verdict(Action.DENY, "the address is closed", "closed", "destination_ip_prohibited")
        return None

    def arrive(self, sock: FakeUDP, octets: bytes, *source: Any) -> None:
        """
        Have a datagram arrive.
        """
        sock.inbox.append((octets, source))
        self.reactor.flush()

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What was refused, and of what kind it was."""
        return [(target, refusal.kind) for target, refusal in self.association.told]


class SendTests(FlowCase):
    """
    Datagrams to addresses.
    """

    def test_fakes(self) -> None:
        """
        The other sides are what the seams want.
        """
        self.assertTrue(verifyObject(IInboundDatagrams, self.inbound))
        self.assertTrue(verifyObject(IAssociation, self.association))

    def test_lazily(self) -> None:
        """
        There is no socket before something is to be sent, and then one for each family.
        """
        self.assertEqual(self.network.sockets, [])
        self.flow.send(to("192.0.2.1:53"), b"a")
        self.flow.send(to("192.0.2.2:53"), b"b")
        self.flow.send(to("[2001:db8::1]:53"), b"")
        self.assertEqual([each.bound[0] for each in self.network.sockets], ["0.0.0.0", "::"])
        four, six = self.network.sockets
        self.assertEqual(
            self.network.sent,
            [
                (four, ("192.0.2.1", 53), b"a"),
                (four, ("192.0.2.2", 53), b"b"),
                (six, ("2001:db8::1", 53), b""),
            ],
        )

    def test_counted(self) -> None:
        """
        What was sent is counted, with the last destination, and keeps the flow active.
        """
        self.assertEqual((self.flow.target, self.flow.address, self.flow.active), (None, None, 1000.0))
        self.reactor.advance(5.0)
        self.flow.send(to("192.0.2.1:53"), b"abc")
        self.assertEqual((self.flow.bytesUp, self.flow.bytesDown, self.flow.active), (3, 0, 1005.0))
        self.assertEqual((str(self.flow.target), self.flow.address), ("192.0.2.1:53", "192.0.2.1:53"))
        self.flow.send(to("[2001:db8::1]:53"), b"abcd")
        self.assertEqual((self.flow.bytesUp, self.flow.address), (7, "[2001:db8::1]:53"))
        self.assertEqual(self.flow.dropped, {})

    def test_decidedOnce(self) -> None:
        """
        A destination is decided on when it comes first, with the association's request, and
        again after a while; conformance 73.
        """
        for _ in range(3):
            self.flow.send(to("192.0.2.1:53"), b"a")
        self.flow.send(to("192.0.2.1:54"), b"a")
        first, second = self.association.asked
        self.assertEqual(first, self.inbound.request._replace(destination=to("192.0.2.1:53"), method="UDP"))
        self.assertEqual(str(second.destination), "192.0.2.1:54")
        self.reactor.advance(module.VERDICT_TTL)
        self.association.denied.add("192.0.2.1")
        self.flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual(len(self.association.asked), 3)
        self.assertEqual(len(self.network.sent), 4)
        allowed = [("192.0.2.1:53", "192.0.2.1"), ("192.0.2.1:54", "192.0.2.1")]
        self.assertEqual(self.association.let, allowed)

    def test_denied(self) -> None:
        """
        A destination that the policy denies gets nothing; why is told once, and every
        datagram counted; conformance 73.
        """
        self.association.denied.add("192.0.2.1")
        self.closed.add("192.0.2.2")
        for target in ("192.0.2.1:53", "192.0.2.2:53", "192.0.2.1:53"):
            self.flow.send(to(target), b"a")
        self.assertEqual(
            self.association.told,
            [
                ("192.0.2.1:53", Refusal("http_request_denied", "it is denied", "a-rule")),
                ("192.0.2.2:53", Refusal("destination_ip_prohibited", "the address is closed", "closed")),
            ],
        )
        self.assertEqual(self.association.judged, [None, "192.0.2.2"])
        self.assertEqual((self.network.sockets, self.network.sent, self.association.let), ([], [], []))
        self.assertEqual(self.flow.dropped, {"to destinations that were refused": 3})

    def test_ownPorts(self) -> None:
        """
        A datagram to a socket of the proxy itself would come back: it is dropped.
        """
        port = self.flow.listen("127.0.0.1", lambda octets, host, port: None)
        self.flow.send(to(f"127.0.0.1:{port.port}"), b"a")
        self.flow.send(to(f"192.0.2.1:{port.port}"), b"a")
        self.assertEqual(self.kinds, [(f"127.0.0.1:{port.port}", "proxy_loop_detected")])
        self.assertEqual(len(self.network.sent), 1)

    def test_noSocket(self) -> None:
        """
        Where no socket can be opened, that is why: for want of descriptors, or because the
        system has no such family.
        """
        for number, kind in (
            (errno.EMFILE, "proxy_exhausted"),
            (errno.EAFNOSUPPORT, "destination_ip_unroutable"),
        ):
            self.network.failing["socket"] = number
            self.flow.send(to(f"192.0.2.1:{number}"), b"a")
            self.assertEqual(self.kinds[-1], (f"192.0.2.1:{number}", kind))

    def test_noRoom(self) -> None:
        """
        What the system takes neither now nor ever is dropped, and the next may pass.
        """
        self.flow.send(to("192.0.2.1:53"), b"a")
        (sock,) = self.network.sockets
        for number in (errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE):
            sock.failing[""] = number
            self.flow.send(to("192.0.2.1:53"), b"b")
        sock.failing.clear()
        self.flow.send(to("192.0.2.1:53"), b"c")
        self.assertEqual([octets for _, octets in self.network.take()], [b"a", b"c"])
        self.assertEqual(self.flow.dropped, {"for which there was no room": 2, "too large": 1})
        self.assertEqual((self.flow.bytesUp, self.kinds), (2, []))

    def test_unroutable(self) -> None:
        """
        What there is no way to is refused like anything else, until it is decided on anew.
        """
        self.flow.send(to("192.0.2.9:53"), b"a")
        (sock,) = self.network.sockets
        sock.failing["192.0.2.1"] = errno.ENETUNREACH
        for _ in range(2):
            self.flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual(self.kinds, [("192.0.2.1:53", "destination_ip_unroutable")])
        self.assertIn("Network is unreachable", self.association.told[0][1].detail)
        self.assertEqual(self.flow.dropped, {"to destinations that were refused": 2})
        sock.failing.clear()
        self.reactor.advance(module.VERDICT_TTL)
        self.flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual(len(self.network.sent), 2)

    def test_manyDestinations(self) -> None:
        """
        So many destinations are remembered and no more; the one unused for longest goes.
        """
        for port in range(1, module.DESTINATIONS + 1):
            self.flow.send(to(f"192.0.2.1:{port}"), b"a")
        self.flow.send(to("192.0.2.1:1"), b"a")
        self.association.asked.clear()
        self.flow.send(to("192.0.2.2:1"), b"a")
        self.flow.send(to("192.0.2.1:1"), b"a")
        self.flow.send(to("192.0.2.1:2"), b"a")
        self.assertEqual(
            [str(each.destination) for each in self.association.asked], ["192.0.2.2:1", "192.0.2.1:2"]
        )
        self.assertEqual(len(self.flow._routes), module.DESTINATIONS)
        self.assertEqual(len(self.flow._peers), module.DESTINATIONS)

    def test_close(self) -> None:
        """
        Closed, it has no sockets and sends nothing.
        """
        port: Any = self.flow.listen("127.0.0.1", lambda octets, host, port: None)
        self.flow.send(to("192.0.2.1:53"), b"a")
        self.flow.close()
        self.assertTrue(all(each.closed for each in self.network.sockets))
        self.assertEqual((self.reactor.getReaders(), port.socket), ([], None))
        self.flow.send(to("192.0.2.2:53"), b"a")
        self.flow.close()
        self.assertEqual((len(self.network.sent), len(self.network.sockets)), (1, 2))

    def test_broken(self) -> None:
        """
        A socket that the reactor gives up is the association's end.
        """
        self.flow.send(to("192.0.2.1:53"), b"a")
        (reader,) = self.reactor.getReaders()
        reader.connectionLost(None)
        self.assertTrue(self.association.isBroken)


class AnswerTests(FlowCase):
    """
    What comes back.
    """

    def setUp(self) -> None:
        """
        Have sent something.
        """
        FlowCase.setUp(self)
        self.flow.send(to("192.0.2.1:53"), b"a")
        self.flow.send(to("[2001:db8::1]:53"), b"a")
        self.four, self.six = self.network.sockets

    def test_delivered(self) -> None:
        """
        Answers are delivered with where they came from, and counted.
        """
        self.reactor.advance(5.0)
        self.arrive(self.four, b"answer", "192.0.2.1", 53)
        self.arrive(self.six, b"", "2001:db8::1", 53, 0, 0)
        self.assertEqual(self.inbound.delivered, [("192.0.2.1", 53, b"answer"), ("2001:db8::1", 53, b"")])
        self.assertEqual((self.flow.bytesDown, self.flow.active, self.flow.dropped), (6, 1005.0, {}))

    def test_unasked(self) -> None:
        """
        What comes from an address or a port that nothing was sent to is dropped, and does
        not keep the flow active.
        """
        self.reactor.advance(5.0)
        for source in (("192.0.2.2", 53), ("192.0.2.1", 54), ("203.0.113.5", 53)):
            self.arrive(self.four, b"x", *source)
        self.assertEqual((self.inbound.delivered, self.flow.active), ([], 1000.0))
        self.assertEqual(self.flow.dropped, {"that nobody had asked for": 3})

    def test_full(self) -> None:
        """
        What the client's side can't take at once is dropped.
        """
        self.inbound.full = True
        self.arrive(self.four, b"x", "192.0.2.1", 53)
        self.assertEqual((self.flow.bytesDown, self.flow.dropped), (0, {"for which there was no room": 1}))

    def test_forgotten(self) -> None:
        """
        Of many the one is forgotten that has been sent nothing for longest.
        """
        self.flow.send(to("192.0.2.1:53"), b"again")
        for port in range(1000, 1000 + module.DESTINATIONS - 1):
            self.flow.send(to(f"192.0.2.9:{port}"), b"a")
        self.arrive(self.six, b"x", "2001:db8::1", 53, 0, 0)
        self.arrive(self.four, b"x", "192.0.2.1", 53)
        self.assertEqual(self.inbound.delivered, [("192.0.2.1", 53, b"x")])
