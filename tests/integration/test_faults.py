"""
Clients and origins that vanish, in every phase there is.
"""

from __future__ import annotations

import socket

import pytest

from tests.integration.case import ProxyTestCase, SplicedCase, WiredCase
from tests.integration.raw import SilentOrigin, head, nameOf, readAnswer, readToEnd, reset
from tests.integration.running import LOCAL

pytestmark = pytest.mark.integration


class ClientBeforeTests(ProxyTestCase):
    """
    A client vanishes before it has an answer.
    """

    arguments = (*LOCAL, "--connect-timeout", "2")

    def assertServes(self) -> None:
        """
        The proxy goes on.
        """
        self.assertPings(*self.tunnel())

    def test_atOnce(self) -> None:
        """
        Nothing was said: nothing is recorded.
        """
        for close in (reset, socket.socket.close):
            close(self.connect())
        self.assertServes()
        self.assertEqual(self.proxy.events(), [])

    def test_withinTheHead(self) -> None:
        """
        The event has what was understood.
        """
        for close in (reset, socket.socket.close):
            client = self.connect()
            name = nameOf(client)
            client.sendall(b"CONNECT a.example:443 HTT")
            close(client)
            event = self.proxy.event(name)
            self.assertEqual(
                (event["event"], event["phase"], event["end"], event["ended_by"], event["status"]),
                ("abandoned", "arrived", "client_gone", "client", None),
            )
            self.assertEqual((event["method"], event["target"]), ("CONNECT", "a.example:443"))
        self.assertServes()

    def test_whileDialling(self) -> None:
        """
        The attempt is given up.
        """
        origin = self.closing(SilentOrigin())
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.port}"))
        reset(client)
        event = self.proxy.event(name)
        self.assertEqual(
            (event["event"], event["phase"], event["end"], event["ended_by"], event["status"]),
            ("abandoned", "dialling", "client_gone", "client", None),
        )
        self.assertServes()

    def test_endOfStreamWhileDialling(self) -> None:
        """
        A client that has only ended its stream still wants its answer.
        """
        origin = self.closing(SilentOrigin())
        client = self.connect()
        client.sendall(head(f"127.0.0.1:{origin.port}"))
        client.shutdown(socket.SHUT_WR)
        self.assertRefused(readAnswer(client), 504, "connection_timeout")

    def test_withoutReadingARefusal(self) -> None:
        """
        It is recorded all the same.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(head("10.0.0.1:443"))
        reset(client)
        self.assertIn(self.proxy.event(name)["event"], ("refusal", "abandoned"))
        self.assertServes()


class VanishingMixin(ProxyTestCase):
    """
    One end of a tunnel vanishes.
    """

    relay = ""

    def assertEnded(self, name: str, endedBy: str, end: str) -> dict[str, object]:
        """
        The event tells who ended the tunnel, and how.
        """
        event = self.proxy.event(name)
        self.assertEqual(
            (event["event"], event["status"], event["relay"], event["phase"]),
            ("tunnel", 200, self.relay, "relaying"),
        )
        self.assertEqual((event["ended_by"], event["end"]), (endedBy, end))
        return event

    def test_clientResets(self) -> None:
        """
        A reset by the client becomes one of the origin's connection.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        self.assertPings(client, origin)
        reset(client)
        self.assertEqual(readToEnd(origin), (b"", "reset"))
        event = self.assertEnded(name, "client", "reset")
        self.assertEqual((event["bytes_up"], event["bytes_down"]), (4, 4))

    def test_originResets(self) -> None:
        """
        A reset by the origin becomes one of the client's connection.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        self.assertPings(client, origin)
        reset(origin)
        self.assertEqual(readToEnd(client), (b"", "reset"))
        self.assertEnded(name, "origin", "reset")

    def test_originResetsAtOnce(self) -> None:
        """
        An origin that accepts and resets: if the proxy sees the reset in time it refuses, and
        else the tunnel opens and breaks.  The event says the same as the client saw.
        """
        origin = self.origin()
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        reset(self.accept(origin))
        octets, end = readToEnd(client)
        self.assertIn((octets[:13], end), ((b"HTTP/1.1 502 ", "eof"), (b"HTTP/1.1 200 ", "reset")))
        if end == "reset":
            self.assertEnded(name, "origin", "reset")
        else:
            self.assertIn(b"error=connection_terminated\r\n", octets)
            self.assertEqual(self.proxy.event(name)["error"], "connection_terminated")

    def test_originEndsAtOnce(self) -> None:
        """
        An origin that accepts and closes ends the tunnel in order, as soon as the client
        does its part.
        """
        origin = self.origin()
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        self.accept(origin).close()
        octets, end = readToEnd(client)
        self.assertEqual((octets[-4:], end), (b"\r\n\r\n", "eof"))
        client.close()
        self.assertEnded(name, "origin", "eof")

    def test_originEndsAfterData(self) -> None:
        """
        What it said before reaches the client whole: conformance 14.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        origin.sendall(b"x" * 1000000)
        origin.close()
        octets, end = readToEnd(client)
        self.assertEqual((octets.count(b"x"), end), (1000000, "eof"))
        client.close()
        self.assertEqual(self.assertEnded(name, "origin", "eof")["bytes_down"], 1000000)

    def test_clientEndsWithoutReading(self) -> None:
        """
        A client closes while the origin still sends: its kernel answers with a reset, and so
        the origin gets to know.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        origin.sendall(b"x" * 1000)
        client.recv(1)
        client.close()
        with self.assertRaises(ConnectionError):
            for _ in range(10000):
                origin.sendall(b"x" * 65536)
        self.assertEnded(name, "client", "reset")

    def test_clientResetsBeforeTheAnswer(self) -> None:
        """
        A client that is gone when its tunnel opens leaves nothing open at the origin.
        """
        origin = self.origin()
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        reset(client)
        event = self.proxy.event(name)
        self.assertEqual(event["ended_by"], "client")
        self.assertIn(event["event"], ("abandoned", "tunnel"))
        if event["event"] == "tunnel":
            self.assertEqual(readToEnd(self.accept(origin))[0], b"")

    def test_clientClosesBeforeTheAnswer(self) -> None:
        """
        A client that closes may only have ended its stream, so it gets its tunnel: the origin
        reads an end of stream, or a reset once the client has refused the answer.
        """
        origin = self.origin()
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        client.close()
        end = self.accept(origin)
        self.assertEqual(readToEnd(end)[0], b"")
        end.close()
        event = self.proxy.event(name)
        self.assertEqual((event["event"], event["ended_by"]), ("tunnel", "client"))

    def test_resetWithOctetsUnderWay(self) -> None:
        """
        A reset while the other side takes nothing ends the tunnel: what waits is dropped, and
        the next tunnel carries none of it.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        origin.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            while True:
                origin.sendall(b"x" * 65536)
        reset(origin)
        self.assertEqual(readToEnd(client)[1], "reset")
        self.assertEnded(name, "origin", "reset")
        for _ in range(5):
            self.assertPings(*self.tunnel())


class SplicedVanishingTests(SplicedCase, VanishingMixin):
    """
    Through the relay that splices.
    """


class WiredVanishingTests(WiredCase, VanishingMixin):
    """
    Through the relay that wires transports.
    """


# The mixin is no case of its own.
del VanishingMixin
