"""
Destinations in every odd form, through every protocol: each is refused as what it is, or
meets the rule that was meant for it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import listening, nameOf, readExactly, readToEnd
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

HOSTS = """\
127.0.0.5 open.test blocked.test xn--bcher-kva.test
127.0.0.1 inside.test localhost
::1 inside6.test
127.0.0.5 both.test
127.0.0.6 both.test
"""

CONFIG = """\
[allow]
networks = ["127.0.0.5/32"]
ports = "any"

[policy]
default = "allow"

[[rule]]
name = "block"
action = "deny"
destinations = ["blocked.test", ".xn--bcher-kva.test"]
"""

NAMING = """\
import sys
import connectproxy.names, connectproxy.service
connectproxy.service.HOSTS = sys.argv.pop(1)
connectproxy.names.TTL = connectproxy.names.NEGATIVE_TTL = 0
from twisted.scripts.twistd import run
run()
"""
"""C{twistd}, with a hosts file of the test's that is read for every look-up."""

PRIVATE = "private-addresses"

CLOSED = (
    "127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]",
    "[2002:7f00:1::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "0.0.0.0", "[::]", "127.255.255.254",
    "169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "10.0.0.1", "172.16.0.1",
    "192.168.0.1", "100.64.0.1", "[fc00::1]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "127.0.0.6",
    "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]", "[2001::1]",
)  # fmt: skip
"""Addresses that are not open."""

INSIDE = ("localhost", "LOCALHOST", "localhost.", "LocalHost.", "inside.test", "INSIDE.TEST.", "inside6.test")
"""Names of such."""

BLOCKED = (
    "blocked.test", "BLOCKED.TEST", "Blocked.Test.", "xn--bcher-kva.test", "XN--BCHER-KVA.test.",
    "www.xn--bcher-kva.test", "a.b.Xn--Bcher-Kva.Test.",
)  # fmt: skip
"""Names that a rule denies."""

NONE = (
    "2130706433", "017700000001", "0x7f000001", "0x7F000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "127.0.0.01",
    "127.000.000.001", "127.0.0.1.", "127.0.0.1..", "127.0.0.256", "127.0.0", "0", "00000000", "1.2.3.4.5", "127.0.0.0x1",
    "10.0.0.1.", "0xa9.0xfe.0xa9.0xfe", "2852039166", "blocked.test..", ".blocked.test", "blocked..test",
    "bl%6fcked.test", "%62locked.test", "blocked%2Etest", "127%2e0.0.1", "%31%32%37.0.0.1", "blocked.test%00",
    "b\u00fccher.test", "\uff42locked.test", "blocked\u3002test", "blocked\uff0etest", "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.0.0.1", "blo\u0441ked.test", "blocked\u00ad.test", "blocked.test\u200b", "\u0661\u0662\u0667.0.0.1",
    "user@blocked.test", "user:x@127.0.0.1", "blocked.test#", "blocked.test/", "blocked.test?", "blocked.test\\",
    "a" * 64 + ".test", "a." * 127 + "test", "*", "bl*cked.test", "blocked,test", "blocked!test", "blocked test",
    "127.0.0.1,127.0.0.5", "127.0.0.1;127.0.0.5", "127.0.0.1 127.0.0.5",
)  # fmt: skip
"""What is no host at all, though one resolver or another would take it for one."""

BRACKETS = (
    "[::1%lo]", "[::1%25lo]", "[fe80::1%eth0]", "[127.0.0.1]", "[::ffff:127.1]", "[::ffff:0x7f.0.0.1]", "[::ffff:0177.0.0.1]",
    "[::1", "::1]", "[[::1]]", "[]", "[v1.::1]", "[1::2::3]", "[::00001]", "[:::1]", "[localhost]", "[::ffff:127.0.0.1.]",
    "[::%]", "[\uff1a:1]",
)  # fmt: skip
"""Likewise with brackets or colons, which a SOCKS request has none of."""

OPEN = ("127.0.0.5", "[::ffff:127.0.0.5]", "[::ffff:7f00:5]", "open.test", "OPEN.test", "Open.Test.")
"""What is open."""


class FormCase(ProxyTestCase):
    """
    Tests at a proxy that looks names up in a file.
    """

    def setUp(self) -> None:
        """
        A proxy with names of its own.
        """
        self.hosts = self.temporary() / "hosts"
        self.hosts.write_text(HOSTS)
        program = (sys.executable, "-c", NAMING, str(self.hosts))
        self.proxy = self.launch(config=CONFIG, program=program)
        self.there = self.closing(listening("127.0.0.5"))
        self.port: int = self.there.getsockname()[1]

    def assertDenied(self, name: str, status: int, rule: str | None, form: str) -> None:
        """
        The event of a client says that nothing was dialled, and why.
        """
        event = self.proxy.event(name)
        found = event["status"], event["rule"], event["address"]
        self.assertEqual(found, (status, rule, None), (form, event))
        results = {each["result"] for each in event["tried"]}
        self.assertLessEqual(results, {"destination_ip_prohibited"}, event)

    def outcomes(self) -> Iterator[tuple[str, int, str | None]]:
        """
        Each form with its status and its rule.
        """
        for forms, status, rule in ((CLOSED, 403, PRIVATE), (INSIDE, 403, PRIVATE), (BLOCKED, 403, "block")):
            for form in forms:
                yield form, status, rule
        for form in (*NONE, *BRACKETS):
            yield form, 400, None


class FirstTests(FormCase):
    """
    HTTP/1.
    """

    def octets(self, request: bytes) -> tuple[str, bytes]:
        """
        @return: the client's name, and all that is answered.
        """
        with self.connect() as client:
            name = nameOf(client)
            client.sendall(request)
            return name, readToEnd(client)[0]

    def test_connect(self) -> None:
        """
        The target of CONNECT (conformance 5 and 6).
        """
        for form, status, rule in self.outcomes():
            request = f"CONNECT {form}:{self.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            name, answer = self.octets(request)
            self.assertEqual(answer[:12], b"HTTP/1.1 %d" % status, form)
            self.assertDenied(name, status, rule, form)

    def test_absolute(self) -> None:
        """
        The target of a request that is forwarded.
        """
        for form, status, rule in self.outcomes():
            if form[-1] in "#/?\\":
                continue  # which ends a host there
            request = (
                f"GET http://{form}:{self.port}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            )
            name, answer = self.octets(request)
            self.assertEqual(answer[:12], b"HTTP/1.1 %d" % status, form)
            self.assertDenied(name, status, rule, form)

    def test_open(self) -> None:
        """
        What is open is reached by each of its forms, and the address is the one.
        """
        for form in (*OPEN, "both.test"):
            with self.connect() as client:
                name = nameOf(client)
                client.sendall(f"CONNECT {form}:{self.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                self.assertEqual(readExactly(client, 12), b"HTTP/1.1 200", form)
                self.accept(self.there).close()
            self.assertEqual(self.proxy.event(name)["address"], f"127.0.0.5:{self.port}")

    def test_rebound(self) -> None:
        """
        A name that had an open address first and has a closed one now is refused: each answer
        is judged, and what was judged is dialled.
        """
        inside = self.closing(listening("127.0.0.6"))
        inside.setblocking(False)
        port = inside.getsockname()[1]
        closed = ("127.0.0.6", "::ffff:127.0.0.6", "64:ff9b::7f00:6", "::1")
        for address in ("127.0.0.5", *closed, "127.0.0.5"):
            status, result = (
                (403, "destination_ip_prohibited") if address in closed else (502, "connection_refused")
            )
            self.hosts.write_text(f"{address} rebound.test\n")
            name, answer = self.octets(f"CONNECT rebound.test:{port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            self.assertEqual(answer[:12], b"HTTP/1.1 %d" % status, (address, answer))
            event = self.proxy.event(name)
            self.assertEqual([each["result"] for each in event["tried"]], [result], event)
        self.assertRaises(BlockingIOError, inside.accept)


class SecondTests(FormCase):
    """
    HTTP/2.
    """

    def test_forms(self) -> None:
        """
        The authority of CONNECT: the same, on a stream of its own each, or what is malformed
        in HTTP/2 resets its stream (RFC 9113 section 8.3).
        """
        session = self.closing(Session(self.proxy.port))
        for form, status, rule in self.outcomes():
            self.proxy.mark()
            stream = session.streams[session.connect(f"{form}:{self.port}")]
            session.until(lambda stream=stream: stream.status or stream.over)
            self.assertIn(stream.status, (status, None) if status == 400 else (status,), form)
            self.assertTrue(stream.status or stream.reset, (form, session.goodbye, session.closed))
            if stream.status:
                self.proxy.waitForEvents(1)
                (event,) = self.proxy.events()
                self.assertEqual(
                    (event["status"], event["rule"], event["address"]), (status, rule, None), event
                )
        self.assertFalse(session.closed)

    def test_open(self) -> None:
        """
        What is open is reached.
        """
        session = self.closing(Session(self.proxy.port))
        for form in OPEN:
            stream = session.streams[session.connect(f"{form}:{self.port}")]
            session.until(lambda stream=stream: stream.status or stream.over)
            self.assertEqual(stream.status, 200, form)
            self.accept(self.there).close()


class SocksTests(FormCase):
    """
    SOCKS, where a host is a name, or octets.
    """

    def ask5(self, kind: int, host: bytes) -> tuple[str, int]:
        """
        @return: the client's name, and REP.
        """
        with self.connect() as client:
            name = nameOf(client)
            client.sendall(b"\x05\x01\0\x05\x01\0" + bytes([kind]) + host + self.port.to_bytes(2, "big"))
            said = readExactly(client, 4)
            return name, said[3]

    def test_names(self) -> None:
        """
        As names, in UTF-8 and whatever they are.
        """
        for form, status, rule in self.outcomes():
            host = form.encode()
            if "[" in form or "]" in form or len(host) > 255:
                continue
            name, reply = self.ask5(3, bytes([len(host)]) + host)
            self.assertEqual(reply, 2 if status == 403 else 1, form)
            self.assertDenied(name, status, rule, form)

    def test_addresses(self) -> None:
        """
        As octets.
        """
        for form in CLOSED:
            bare = form.strip("[]")
            family = socket.AF_INET6 if ":" in bare else socket.AF_INET
            name, reply = self.ask5(4 if ":" in bare else 1, socket.inet_pton(family, bare))
            self.assertEqual(reply, 2, form)
            self.assertDenied(name, 403, PRIVATE, form)

    def test_socks4(self) -> None:
        """
        By SOCKS 4a as names, and by SOCKS 4 as octets.
        """
        port = self.port.to_bytes(2, "big")
        for form, status, rule in self.outcomes():
            if "[" in form or "]" in form or len(form) > 250:
                continue
            requests = [b"\x04\x01" + port + b"\0\0\0\x01\0" + form.encode() + b"\0"]
            if form in CLOSED and not form.startswith("0."):  # which SOCKS 4a has taken for itself
                requests.append(b"\x04\x01" + port + socket.inet_aton(form) + b"\0")
            for request in requests:
                with self.connect() as client:
                    name = nameOf(client)
                    client.sendall(request)
                    self.assertEqual(readExactly(client, 2), b"\0\x5b", form)
                self.assertDenied(name, status, rule, form)


class OwnTests(FormCase):
    """
    The proxy itself.
    """

    def setUp(self) -> None:
        """
        One that may go to all of its own addresses.
        """
        self.hosts = self.temporary() / "hosts"
        self.hosts.write_text("127.0.0.1 self.test\n")
        program = (sys.executable, "-c", NAMING, str(self.hosts))
        config = '[allow]\nnetworks = ["127.0.0.0/8", "::1"]\nports = "any"\n'
        listen = ("tcp:0:interface=127.0.0.1", "tcp:0:interface=\\:\\:1", "tcp:0")
        self.proxy = self.launch("--open", config=config, program=program, listen=listen)

    def test_loops(self) -> None:
        """
        Each of its ports by each of its addresses is a loop, in every form and protocol.
        """
        ports = [int(each.rpartition(":")[2]) for each in self.proxy.addresses]
        forms = (
            ("127.0.0.1", "self.test", "SELF.TEST.", "[::ffff:127.0.0.1]"), ("[::1]", "[0:0::1]"),
            ("127.0.0.1", "127.0.0.99", "self.test"),
        )  # fmt: skip
        for port, hosts in zip(ports, forms, strict=True):
            for host in hosts:
                answer = self.ask(f"{host}:{port}")
                self.assertEqual(
                    (answer.status, answer.fields["proxy-status"]),
                    (502, "connectproxy; error=proxy_loop_detected"),
                    (host, port),
                )
                session = self.closing(Session(ports[0]))
                stream = session.streams[session.connect(f"{host}:{port}")]
                session.until(lambda stream=stream: stream.status or stream.over)
                self.assertEqual(stream.status, 502)
                session.close()
                if "[" not in host:
                    with self.connect() as client:
                        request = bytes([len(host)]) + host.encode() + port.to_bytes(2, "big")
                        client.sendall(b"\x05\x01\0\x05\x01\0\x03" + request)
                        self.assertEqual(readExactly(client, 4)[3], 2)
