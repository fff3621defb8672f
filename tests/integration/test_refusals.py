"""
What is refused, and how the client and the log are told.
"""

from __future__ import annotations

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import SilentOrigin, head, nameOf, readAnswer, readToEnd
from tests.integration.running import LOCAL

pytestmark = pytest.mark.integration


class DefaultTests(ProxyTestCase):
    """
    A proxy to which nothing has been opened.
    """

    arguments = ()

    def test_addresses(self) -> None:
        """
        Only global unicast addresses can be reached: not this machine, not what is private,
        not a cloud's metadata, in whatever form.
        """
        for address, what in {
            "127.0.0.1": "loopback",
            "127.8.9.10": "loopback",
            "0.0.0.0": "unspecified",
            "10.0.0.1": "private",
            "172.16.0.1": "private",
            "192.168.1.1": "private",
            "169.254.169.254": "link_local",
            "100.64.0.1": "shared",
            "224.0.0.1": "multicast",
            "255.255.255.255": "",
            "192.0.2.1": "",
            "[::1]": "loopback",
            "[::]": "unspecified",
            "[fe80::1]": "link_local",
            "[fd00:ec2::254]": "",
            "[ff02::1]": "multicast",
            "[::ffff:127.0.0.1]": "",
            "[::ffff:169.254.169.254]": "",
            "[64:ff9b::7f00:1]": "",
            "[2002:7f00:1::]": "",
        }.items():
            answer = self.ask(f"{address}:443")
            self.assertEqual(answer.status, 403, address)
            self.assertRefused(
                answer,
                403,
                "destination_ip_prohibited",
                f" is an address of class {what}",
                "Rule: private-addresses.",
                "the operator can open its network with allow-network",
            )

    def test_numericNames(self) -> None:
        """
        What C{getaddrinfo} would read as an address is no name: conformance 5.
        """
        for name in (
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "169.254.43518",
            "127.0.0.1.",
            "a.0x1",
        ):
            self.assertRefused(self.ask(f"{name}:443"), 400, "http_request_error")

    def test_privateNames(self) -> None:
        """
        A name is worth no more than its addresses, and what those are is not told to the
        client: conformance 80.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(head("localhost:443"))
        answer = readAnswer(client)
        self.assertRefused(
            answer, 403, "destination_ip_prohibited", "localhost resolves to an address of class loopback"
        )
        self.assertNotIn("127.0.0.1", answer.body)
        event = self.proxy.event(name)
        self.assertIn("127.0.0.1", [each["address"] for each in event["tried"]])
        self.assertEqual(event["address"], None)

    def test_ports(self) -> None:
        """
        Only the ports for the web are open: conformance 6.
        """
        for port in (1, 22, 25, 444, 8080, 65535):
            answer = self.ask(f"a.example:{port}")
            words = f"port {port} is not among the allowed ports (80, 443)"
            self.assertRefused(answer, 403, "http_request_denied", words, "Rule: allow-ports.")

    def test_event(self) -> None:
        """
        The log alone tells as much as the client is told.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(
            b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\nUser-Agent: probe/1\r\nALPN: h2\r\n\r\n"
        )
        self.assertEqual(readAnswer(client).status, 403)
        event = self.proxy.event(name)
        known = {key: event[key] for key in event if not key.endswith("_ms")}
        for key in ("timestamp", "id", "config", "listener"):
            self.assertTrue(known.pop(key), key)
        self.assertEqual(
            known,
            {
                "event": "refusal",
                "client": name,
                "sender": None,
                "user": None,
                "groups": [],
                "means": None,
                "tls": None,
                "certificate": None,
                "protocol": "http/1.1",
                "method": "CONNECT",
                "target": "169.254.169.254:80",
                "user_agent": "probe/1",
                "alpn": "h2",
                "server_name": None,
                "report": None,
                "shadow": None,
                "host": "x",
                "decision": "deny",
                "rule": "private-addresses",
                "reason": "169.254.169.254 is an address of class link_local, which is not open",
                "status": 403,
                "error": "destination_ip_prohibited",
                "received_status": None,
                "member": None,
                "upstream": "direct",
                "address": None,
                "tried": [{"address": "169.254.169.254", "result": "destination_ip_prohibited", "ms": 0.0}],
                "relay": None,
                "bytes_up": 0,
                "bytes_down": 0,
                "ended_by": "proxy",
                "phase": "dialling",
                "end": "refused",
            },
        )


class LoopTests(ProxyTestCase):
    """
    The proxy does not dial itself: conformance 29.
    """

    def test_itself(self) -> None:
        """
        Its own port is closed although the network that it is in is open, by whatever name.
        """
        port = self.proxy.port
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"):
            answer = self.ask(f"{host}:{port}")
            self.assertEqual((host, answer.status), (host, 502))
            self.assertRefused(answer, 502, "proxy_loop_detected", f":{port} is this proxy itself")

    def test_everyAddress(self) -> None:
        """
        A proxy that listens at every address knows that all of them are its own.
        """
        proxy = self.launch("--open", *LOCAL, listen=("tcp:0",))
        for host in ("127.0.0.1", "127.0.0.2"):
            answer = self.ask(f"{host}:{proxy.port}", proxy)
            self.assertRefused(answer, 502, "proxy_loop_detected")

    def test_samePortElsewhere(self) -> None:
        """
        The same port of another address is another's.
        """
        answer = self.ask(f"127.0.0.2:{self.proxy.port}")
        self.assertRefused(answer, 502, "connection_refused")


class UnreachableTests(ProxyTestCase):
    """
    Destinations that are allowed and can't be reached.
    """

    arguments = (*LOCAL, "--connect-timeout", "2")

    def test_refused(self) -> None:
        """
        Nothing listens there: 502, with the address tried in the event.
        """
        with self.origin() as origin:
            port = origin.getsockname()[1]
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{port}"))
        answer = readAnswer(client)
        self.assertRefused(answer, 502, "connection_refused", f"127.0.0.1:{port} refused the connection")
        event = self.proxy.event(name)
        (tried,) = event["tried"]
        self.assertEqual((tried["address"], tried["result"]), ("127.0.0.1", "connection_refused"))
        self.assertEqual((event["decision"], event["phase"], event["address"]), ("allow", "dialling", None))

    def test_unknownName(self) -> None:
        """
        A name without an address: 502, or 504 on a machine whose resolver gives no answer.
        """
        answer = self.ask("there-is-no-such-name.invalid:443")
        if answer.status == 504:
            self.assertRefused(answer, 504, "dns_timeout", "the look-up of there-is-no-such-name.invalid")
        else:
            self.assertRefused(answer, 502, "dns_error", "there-is-no-such-name.invalid has no address")

    def test_silent(self) -> None:
        """
        Nothing comes back: 504 when the time is up.
        """
        origin = self.closing(SilentOrigin())
        client = self.connect()
        name = nameOf(client)
        client.sendall(head(f"127.0.0.1:{origin.port}"))
        answer = readAnswer(client)
        self.assertRefused(answer, 504, "connection_timeout", "did not answer in time")
        self.assertEqual([each["result"] for each in self.proxy.event(name)["tried"]], ["aborted"])

    def test_answerIsRead(self) -> None:
        """
        The answer is followed by the end of the stream, and what the client still sends does
        not reset it away: conformance 10.
        """
        client = self.connect()
        client.sendall(head("10.0.0.1:443") + b"x" * 500000)
        answer = readAnswer(client)
        self.assertRefused(answer, 403, "destination_ip_prohibited")
        self.assertEqual(readToEnd(client), (b"", "eof"))


class LimitTests(ProxyTestCase):
    """
    The limit of tunnels.
    """

    arguments = (*LOCAL, "--max-tunnels", "2")

    def test_maxTunnels(self) -> None:
        """
        One tunnel too many is refused with 503, and it is none too many when another ends.
        """
        origin = self.origin()
        first, second = self.tunnel(origin), self.tunnel(origin)
        answer = self.ask(f"127.0.0.1:{origin.getsockname()[1]}")
        self.assertRefused(answer, 503, "connection_limit_reached", "2 tunnels are open, which is the limit")
        self.assertPings(*first)
        name = nameOf(second[0])
        for each in second:
            each.close()
        self.assertEqual(self.proxy.event(name)["end"], "eof")
        self.assertPings(*self.tunnel(origin))
        self.assertPings(*first)
