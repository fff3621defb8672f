"""
Tests for L{connectproxy.listeners.auto.reception}: the first octets of a connection decide.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.address import UNIXAddress

from connectproxy.interfaces import Arrival
from tests.fakes import Peer, addressOf
from tests.listeners.auto.autocase import HEAD, OPENINGS, AutoCase


class OpeningTests(AutoCase):
    """
    What a connection is.
    """

    def test_whole(self) -> None:
        """
        Whatever has come by the time that the connection is accepted is read at once and
        handed over in one piece.
        """
        for octets, protocol in OPENINGS:
            self.make()
            self.connect(first=octets)
            taken = self.assertTaken(protocol, octets)
            self.assertEqual(taken.order, ["made", "octets"])

    def test_port(self) -> None:
        """
        What is known of the port goes with the connection: its name, by default its endpoint,
        and whether clients say who they are.
        """
        for said, name, known in (("", "", self.description), ("off", "office", "office")):
            self.make(authentication=said, name=name)
            self.connect(first=HEAD)
            arrival = self.taken()[0].arrival
            self.assertEqual((arrival.listener, arrival.authentication, arrival.tlvs), (known, said, ()))

    def test_later(self) -> None:
        """
        So is what comes later.
        """
        for octets, protocol in OPENINGS:
            self.make()
            client = self.connect()
            self.assertEqual(len(self.factory.undecided), 1)
            self.send(client, octets)
            self.assertTaken(protocol, octets)

    def test_everySplit(self) -> None:
        """
        Where octets are cut makes no difference, wherever that is and whenever they come.
        """
        for octets, protocol in OPENINGS:
            for cut in range(1, len(octets)):
                for accepted in (True, False):
                    self.make()
                    client = self.connect(first=octets[:cut] if accepted else b"")
                    self.send(client, *((octets[cut:],) if accepted else (octets[:cut], octets[cut:])))
                    self.assertTaken(protocol, octets)

    def test_byteByByte(self) -> None:
        """
        Nor does it for single octets.
        """
        for octets, protocol in OPENINGS:
            self.make()
            client = self.connect()
            self.send(client, *(bytes([octet]) for octet in octets))
            self.assertTaken(protocol, octets)

    def test_firstOctet(self) -> None:
        """
        The first octet is enough where only one protocol begins so: a SOCKS client waits
        for an answer to three, and need not have sent them.
        """
        for octets, protocol in (
            (b"C", "http/1.1"),
            (b"g", "http/1.1"),
            (b"\5", "socks5"),
            (b"\4", "socks4"),
        ):
            self.make()
            self.connect(first=octets)
            self.assertTaken(protocol, octets)

    def test_moreThanOne(self) -> None:
        """
        Where HTTP/2's preface, a request or a PROXY header may begin so, it takes more of
        them; no octet more than that.
        """
        for octets, enough in (
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24),
            (b"PR ", 3),
            (b"PO", 2),
            (b"\r\nG", 3),
        ):
            self.make()
            client = self.connect()
            for at, octet in enumerate(octets, 1):
                self.assertEqual(self.taken(), [])
                self.send(client, bytes([octet]))
                if at == enough:
                    break
            self.assertEqual(len(self.taken()), 1)

    def test_arrival(self) -> None:
        """
        Who takes the connection is told what is known of it.
        """
        client = self.connect(host="2001:db8::7", port=4711)
        self.reactor.advance(3.0)
        self.send(client, HEAD)
        taken = self.assertTaken("http/1.1", HEAD)
        self.assertEqual(
            taken.arrival,
            Arrival(addressOf("2001:db8::7", 4711), self.description, self.reactor.seconds() - 3.0),
        )

    def test_goesOn(self) -> None:
        """
        From then on octets go to whoever has the connection, both ways, and so does its
        end; the port only hears of the end by the switchboard's count.
        """
        client = self.connect(first=HEAD)
        (taken,) = self.taken()
        self.send(client, b"more")
        taken.transport.write(b"answer")
        self.reactor.flush()
        self.assertEqual((taken.received, bytes(client.received)), (HEAD + b"more", b"answer"))
        self.assertEqual((self.board.opened, self.board.closed), (1, 0))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertIsNotNone(taken.lost)
        self.assertBalanced()

    def test_halfClose(self) -> None:
        """
        A client may end its stream right behind its request: who takes the connection
        hears that, and can still answer.
        """
        for accepted in (True, False):
            self.make()
            client = self.connect(first=HEAD if accepted else b"")
            if not accepted:
                client.transport.write(HEAD)
            client.transport.loseWriteConnection()
            self.reactor.flush()
            (taken,) = self.taken()
            self.assertTrue(taken.ended)
            self.assertIsNone(taken.lost)
            taken.transport.write(b"answer")
            self.reactor.flush()
            self.assertEqual(bytes(client.received), b"answer")

    def test_paused(self) -> None:
        """
        Who pauses the transport when it is given the connection gets what was read before,
        and no more.
        """
        receiver: Any = self.factory.receivers["http/1.1"]
        receive = receiver.receive

        def receiving(arrival: Any, protocol: str) -> Any:
            taken = receive(arrival, protocol)
            taken.connectionMade = lambda: taken.order.append("made") or taken.transport.pauseProducing()
            return taken

        receiver.receive = receiving
        client = self.connect(first=HEAD)
        self.send(client, b"more")
        (taken,) = self.taken()
        self.assertEqual(taken.received, HEAD)
        taken.transport.resumeProducing()
        self.reactor.flush()
        self.assertEqual(taken.received, HEAD + b"more")

    def test_nothingIsRetained(self) -> None:
        """
        Once a connection is handed over nothing keeps what had it before, and the
        collector has nothing to do.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for first in (HEAD, b""):
            made: list[Any] = []
            self.factory.buildProtocol = self.watched(made)  # type: ignore[method-assign]
            client = self.connect(first=first)
            if not first:
                self.send(client, b"P", b"UT")
            self.assertIsNone(made[0]())

    def watched(self, made: list[Any]) -> Any:
        """
        A C{buildProtocol} that keeps weak references.
        """
        build = type(self.factory).buildProtocol

        def building(address: Any) -> Any:
            protocol = build(self.factory, address)
            made.append(weakref.ref(protocol))
            return protocol

        return building

    def test_broken(self) -> None:
        """
        A dialect that fails leaves nobody waiting, be it when the connection is accepted
        or later; connections count no more than they are.
        """
        for first in (HEAD, b""):
            self.make()
            self.factory.receivers["http/1.1"].broken = ZeroDivisionError()
            client = self.connect(first=first)
            if not first:
                self.send(client, HEAD)
            self.assertTrue(client.lost or client.ended)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual((self.board.opened, self.board.closed), (1, 1))
            self.assertNothingWaits()

    def test_unix(self) -> None:
        """
        A client on a UNIX socket has no address, and is served; one without a descriptor
        of its own as well.
        """
        pipe = self.reactor.pipe(Peer(), Peer(), 65536, UNIXAddress(None), UNIXAddress(b"/a"), begin=False)  # type: ignore[arg-type]
        self.make(senders="0.0.0.0/0, ::/0")
        protocol = self.factory.buildProtocol(UNIXAddress(None))
        pipe.second.protocol = protocol
        pipe.second.startReading()
        protocol.makeConnection(pipe.second)
        pipe.first.write(HEAD)
        pipe.first.startReading()
        self.reactor.flush()
        self.assertEqual(self.assertTaken("http/1.1", HEAD).arrival.client, UNIXAddress(None))
        from twisted.internet.testing import StringTransport

        protocol = self.factory.buildProtocol(None)
        transport: Any = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(HEAD)
        self.assertEqual(len(self.taken()), 2)
