"""
UDP ASSOCIATE at a running proxy; conformance 73.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
import socks as pysocks

from connectproxy.wire.socks import Command, formatDatagram, formatRequest5
from tests.integration.case import ProxyTestCase
from tests.integration.origins import authority
from tests.integration.raw import nameOf, readExactly, readToEnd, reset
from tests.integration.running import GUARD, LOCAL, waitFor
from tests.integration.socksraw import HELLO, Association, Echo, associate, readReply, udpSocket

pytestmark = pytest.mark.integration


class DatagramCase(ProxyTestCase):
    """
    Tests with datagrams over the loopback interface.
    """

    def echo(self, host: str = "127.0.0.1") -> Echo:
        """
        A server.
        """
        return self.closing(Echo(host))

    def associate(self, port: int = 0) -> Association:
        """
        Have an association.
        """
        return self.closing(associate(self.connect(), udpSocket(), port))

    def eventOf(self, association: Association) -> dict[str, object]:
        """
        End an association, and get its event.
        """
        name = nameOf(association.control)
        association.close()
        found = waitFor(
            lambda: [
                each for each in self.proxy.events() if each["client"] == name and each["event"] == "tunnel"
            ],
            "the event",
        )
        self.assertEqual(len(found), 1)
        return found[0]

    def assertEchoes(self, association: Association, echo: Echo, payload: bytes = b"question") -> None:
        """
        Datagrams go there and come back.
        """
        association.send(payload, echo.port)
        self.assertEqual(association.receive(), ("127.0.0.1", echo.port, payload[::-1]))


class RelayTests(DatagramCase):
    """
    Datagrams that arrive.
    """

    def test_echo(self) -> None:
        """
        To an address and to a name, empty and as large as there are, to several servers.
        """
        first, second = self.echo(), self.echo()
        association = self.associate()
        self.assertEqual(association.relay[0], "127.0.0.1")
        for echo in (first, second, first):
            self.assertEchoes(association, echo)
        association.send(b"by name", first.port, "localhost")
        self.assertEqual(association.receive(), ("127.0.0.1", first.port, b"eman yb"))
        self.assertEchoes(association, first, b"")
        large = os.urandom(65507 - 10)
        self.assertEchoes(association, first, large)
        event = self.eventOf(association)
        octets = 3 * 8 + 7 + len(large)
        self.assertEqual((event["bytes_up"], event["bytes_down"]), (octets, octets))
        self.assertEqual(
            (event["method"], event["relay"], event["protocol"]), ("UDP ASSOCIATE", "datagrams", "socks5")
        )
        self.assertEqual((event["end"], event["ended_by"], event["status"]), ("eof", "client", 200))
        self.assertEqual((event["target"], event["reason"]), (f"127.0.0.1:{first.port}", None))

    def test_IPv6(self) -> None:
        """
        From a client of IPv4 to a server of IPv6.
        """
        echo = self.echo("::1")
        association = self.associate()
        association.send(b"question", echo.port, "::1")
        self.assertEqual(association.receive(), ("::1", echo.port, b"noitseuq"))

    def test_PySocks(self) -> None:
        """
        A client that others have written.
        """
        echo = self.echo()
        client = self.closing(pysocks.socksocket(socket.AF_INET, socket.SOCK_DGRAM))
        client.set_proxy(pysocks.SOCKS5, "127.0.0.1", self.proxy.port)
        for payload in (b"one", b"two"):
            client.sendto(payload, ("127.0.0.1", echo.port))
            self.assertEqual(client.recvfrom(100), (payload[::-1], ("127.0.0.1", echo.port)))

    def test_namedPort(self) -> None:
        """
        A client that names its port is served at that one.
        """
        echo, udp = self.echo(), udpSocket()
        association = self.closing(associate(self.connect(), udp, udp.getsockname()[1]))
        self.assertEchoes(association, echo)

    def test_many(self) -> None:
        """
        Clients do not get each other's datagrams.
        """
        echo = self.echo()
        associations = [self.associate() for _ in range(50)]
        for number, each in enumerate(associations):
            each.send(b"%d" % number, echo.port)
        for number, each in enumerate(associations):
            self.assertEqual(each.receive(), ("127.0.0.1", echo.port, (b"%d" % number)[::-1]))


class PolicyTests(DatagramCase):
    """
    Datagrams that do not arrive.
    """

    arguments = ("--allow-network", "127.0.0.1/32", "--allow-ports", "1024-65535")

    def test_destinations(self) -> None:
        """
        Each destination is decided on: a closed network, a closed port, the proxy itself.
        What is refused is recorded, and what is allowed goes on (conformance 73).
        """
        echo = self.echo()
        closed = self.closing(udpSocket("127.0.0.2"))
        association = self.associate()
        self.assertEchoes(association, echo)
        association.send(b"x", closed.getsockname()[1], "127.0.0.2")
        association.send(b"x", 53)
        association.send(b"x", association.relay[1])
        association.send(b"x", self.proxy.port)
        association.send(b"x", 53)
        self.assertEchoes(association, echo)
        event = self.eventOf(association)
        self.assertEqual(event["reason"], "datagrams were dropped: 5 to destinations that were refused")
        refusals = [each for each in self.proxy.events() if each["event"] == "refusal"]
        self.assertEqual(
            [
                (each["target"].rpartition(":")[0], each["error"], each["rule"], each["method"])
                for each in refusals
            ],
            [
                ("127.0.0.2", "destination_ip_prohibited", "private-addresses", "UDP"),
                ("127.0.0.1", "http_request_denied", "allow-ports", "UDP"),
                ("127.0.0.1", "proxy_loop_detected", None, "UDP"),
                ("127.0.0.1", "proxy_loop_detected", "own-addresses", "UDP"),
            ],
        )
        closed.setblocking(False)
        self.assertRaises(BlockingIOError, closed.recv, 1)

    def test_strangers(self) -> None:
        """
        Who is not the client, and who was not asked, is not heard (conformance 73).
        """
        echo = self.echo()
        association = self.associate()
        before = self.closing(udpSocket("127.0.0.3"))
        before.sendto(formatDatagram("127.0.0.1", echo.port, b"x"), association.relay)
        for octets in (b"", b"\0\0\x01" + formatDatagram("127.0.0.1", echo.port, b"x")[3:]):
            association.udp.sendto(octets, association.relay)
        self.assertEchoes(association, echo)
        before.sendto(formatDatagram("127.0.0.1", echo.port, b"x"), association.relay)
        other = self.closing(udpSocket())
        other.sendto(formatDatagram("127.0.0.1", echo.port, b"x"), association.relay)
        self.assertEchoes(association, echo)
        self.assertEqual(
            self.eventOf(association)["reason"],
            "datagrams were dropped: 1 from somebody else, 1 malformed, 1 fragments",
        )

    def test_flood(self) -> None:
        """
        A flood from strangers, of names, and of destinations: the proxy goes on, its memory
        stays, and the log does not fill.
        """
        echo = self.echo()
        flooded, quiet = self.associate(), self.associate()
        self.assertEchoes(quiet, echo)
        before = self.proxy.memory()
        stranger = self.closing(udpSocket("127.0.0.3"))
        for number in range(20000):
            stranger.sendto(b"", flooded.relay)
            stranger.sendto(bytes(1000), quiet.relay)
            flooded.send(b"x", 53, f"n{number}.example")
            if not number % 100:
                self.assertEchoes(quiet, echo)
        self.assertEchoes(quiet, echo)
        self.assertLess(self.proxy.memory() - before, 8 << 20)
        self.assertLessEqual(len(self.proxy.events()), 33)
        self.assertIn("refused", str(self.eventOf(flooded)["reason"]))


class EndTests(DatagramCase):
    """
    How associations begin and end.
    """

    arguments = (*LOCAL, "--max-tunnels", "5")
    config = "[limits]\nudp_associations = 3\n[timeouts]\nidle = 1\n"

    def test_limitAndIdle(self) -> None:
        """
        There are so many and no more; one that is idle for too long makes room.
        """
        associations = [self.associate() for _ in range(3)]
        late = self.connect()
        late.sendall(HELLO + formatRequest5("0.0.0.0", 0, Command.ASSOCIATE))
        self.assertEqual(readExactly(late, 2), b"\x05\x00")
        self.assertEqual(readReply(late)[0], 1)
        self.assertEqual(readToEnd(late), (b"", "eof"))
        for each in associations:
            self.assertEqual(readToEnd(each.control), (b"", "eof"))
        self.proxy.waitForEvents(4)
        ends = sorted((each["end"], each["error"]) for each in self.proxy.events() if each["error"] is None)
        self.assertEqual(ends, [("idle_timeout", None)] * 3)
        self.assertEqual(self.associate().control.gettimeout(), late.gettimeout())

    def test_switchedOff(self) -> None:
        """
        It can be switched off, and CONNECT goes on.
        """
        proxy = self.launch(*LOCAL, config="[socks]\nudp = false\n")
        client = self.connect(proxy)
        client.sendall(HELLO + formatRequest5("0.0.0.0", 0, Command.ASSOCIATE))
        self.assertEqual(readExactly(client, 2), b"\x05\x00")
        self.assertEqual(readReply(client)[0], 7)
        proxy.waitForEvents(1)
        event = proxy.events()[0]
        self.assertEqual((event["error"], event["method"]), ("socks_command_not_supported", "UDP ASSOCIATE"))
        self.assertIn("socks.udp", event["reason"])

    def test_stop(self) -> None:
        """
        When the proxy stops, what is left is ended by the deadline.
        """
        proxy = self.launch(*LOCAL, "--drain-timeout", "0.2")
        association = self.closing(associate(self.connect(proxy), udpSocket()))
        echo = self.echo()
        self.assertEchoes(association, echo)
        proxy.terminate()
        self.assertEqual(readToEnd(association.control), (b"", "eof"))
        proxy.wait()
        (event,) = proxy.events()
        self.assertEqual((event["end"], event["phase"], event["bytes_up"]), ("drain_timeout", "draining", 8))


class WayTests(DatagramCase):
    """
    Clients that did not come straight over TCP.
    """

    def test_balancer(self) -> None:
        """
        Behind a balancer the client is who the PROXY header names, and nobody else.
        """
        config = '[[listen]]\nendpoint = "tcp:0:interface=127.0.0.1"\nproxy_protocol_from = ["127.0.0.1"]\n'
        proxy = self.launch(*LOCAL, config=config, listen=())
        echo, udp = self.echo(), udpSocket("127.0.0.9")
        control = self.connect(proxy)
        control.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 1080\r\n")
        association = self.closing(associate(control, udp))
        balancer = self.closing(udpSocket())
        balancer.sendto(formatDatagram("127.0.0.1", echo.port, b"x"), association.relay)
        self.assertEchoes(association, echo)
        association.close()
        proxy.waitForEvents(1)
        (event,) = proxy.events()
        self.assertEqual(event["client"], "127.0.0.9:4000")
        self.assertEqual(event["reason"], "datagrams were dropped: 1 from somebody else")

    def test_TLS(self) -> None:
        """
        Within TLS it is the same, the datagrams beside it.
        """
        made = authority()
        proxy = self.launch(*LOCAL, "--tls-certificate", str(made.chain), "--tls-key", str(made.key))
        context = ssl.create_default_context(cafile=str(made.certificate))
        control = self.closing(context.wrap_socket(self.connect(proxy), server_hostname="localhost"))
        association = self.closing(associate(control, udpSocket()))
        self.assertEchoes(association, self.echo())
        association.control.close()
        proxy.waitForEvents(1)
        (event,) = proxy.events()
        self.assertEqual((event["end"], event["tls"], event["bytes_up"]), ("eof", "TLSv1.3", 8))

    def test_UNIX(self) -> None:
        """
        Over a UNIX socket there is no address to send to: it is refused, and said why.
        """
        path = self.temporary() / "socks"
        proxy = self.launch(*LOCAL, listen=(f"unix:{path}",))
        client = self.closing(socket.socket(socket.AF_UNIX))
        client.settimeout(GUARD)
        client.connect(str(path))
        client.sendall(HELLO + formatRequest5("0.0.0.0", 0, Command.ASSOCIATE))
        self.assertEqual(readExactly(client, 2), b"\x05\x00")
        self.assertEqual(readReply(client)[0], 7)
        self.assertEqual(readToEnd(client), (b"", "eof"))
        proxy.waitForEvents(1)
        self.assertIn("no IP address", proxy.events()[0]["reason"])

    def test_nothingLeft(self) -> None:
        """
        Associations that have come and gone, in whatever way, leave no descriptor.
        """
        echo = self.echo()
        descriptors = Path(f"/proc/{self.proxy.process.pid}/fd")
        self.associate().close()
        self.proxy.waitForEvents(1)
        before = len(list(descriptors.iterdir()))
        for number in range(200):
            association = self.associate()
            if number % 2:
                self.assertEchoes(association, echo)
                association.send(b"x", echo.port, "::1")
            if number % 3:
                reset(association.control)
            association.close()
        self.proxy.waitForEvents(201)
        self.assertEqual({each["end"] for each in self.proxy.events()}, {"eof"})
        waitFor(lambda: len(list(descriptors.iterdir())) <= before, "descriptors to be closed")
