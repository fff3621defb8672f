"""
Who asks, where that is required, optional or not asked, and as a load balancer says it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectproxy.wire.proxyheader import SIGNATURE
from tests.integration.identified import GROUPS, NETWORK, SENDER, KnownCase, basic
from tests.integration.origins import authority
from tests.integration.program import PAGE, PASSWORD, USER
from tests.integration.raw import Answer, head, listening, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import GUARD
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

HAPROXY = """\
defaults
    mode tcp
    timeout client 60s
    timeout connect 60s
    timeout server 60s
frontend clients
    bind fd@{number} ssl crt {certificate}
    default_backend proxies
backend proxies
    server one 127.0.0.1:{port} send-proxy-v2 proxy-v2-options authority source {sender}
"""

WRONG = basic(USER, "guessed")
RIGHT = basic(USER, PASSWORD)


def header(name: str) -> bytes:
    """
    A header of version 2 with an authority (PP2_TYPE_AUTHORITY).
    """
    value = name.encode()
    rest = bytes((203, 0, 113, 9, 198, 51, 100, 1)) + b"\x12\x67\x1f\x90\x02" + len(value).to_bytes(2, "big")
    return SIGNATURE + b"\x21\x11" + (len(rest) + len(value)).to_bytes(2, "big") + rest + value


class ModeCase(KnownCase):
    """
    Tests at listeners that all ask in one way.
    """

    def asked(self, value: str | None, address: str = "127.0.0.1") -> Answer:
        """
        Ask for a tunnel by HTTP.

        @param value: the credentials.
        """
        origin = self.origin()
        client = self.called(address)
        self.name = nameOf(client)
        client.sendall(self.request(value, f"127.0.0.1:{origin.getsockname()[1]}"))
        answer = readAnswer(client)
        client.close()
        origin.close()
        return answer

    def socks(self, password: str | None, address: str = "127.0.0.1") -> bytes:
        """
        Ask for a tunnel by SOCKS 5.

        @return: all that the proxy has said, up to REP.
        """
        origin = self.origin()
        client = self.called(address)
        self.name = nameOf(client)
        asked = b"\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.getsockname()[1].to_bytes(2, "big")
        if password is None:
            client.sendall(b"\x05\x01\x00")
            said = readExactly(client, 2)
        else:
            word = password.encode()
            client.sendall(b"\x05\x01\x02\x01\x03ann" + bytes([len(word)]) + word)
            said = readExactly(client, 4)
        if said[1] == 255 or said[3:4] not in (b"", b"\0"):
            return said
        client.sendall(asked)
        said += readExactly(client, 2)
        client.close()
        origin.close()
        return said

    def socks4(self, address: str = "127.0.0.1") -> bytes:
        """
        Ask for a tunnel by SOCKS 4.
        """
        origin = self.origin()
        client = self.called(address)
        self.name = nameOf(client)
        port = origin.getsockname()[1].to_bytes(2, "big")
        client.sendall(b"\x04\x01" + port + b"\x7f\x00\x00\x01ann\0")
        said = readExactly(client, 2)
        client.close()
        origin.close()
        return said

    def assertWho(self, user: str | None, means: str | None) -> None:
        """
        The event of the last one has a user, or nobody.
        """
        event = self.proxy.event(self.name)
        self.assertEqual((event["user"], event["means"]), (user, means))
        self.assertEqual(sorted(event["groups"]), GROUPS if user else [])


class RequiredTests(ModeCase):
    """
    Credentials are required, as they are where nothing else is said.
    """

    def test_without(self) -> None:
        """
        Nobody gets in without any, but for who is known by the connection.
        """
        self.assertEqual(self.asked(None).status, 407)
        self.assertWho(None, None)
        self.assertEqual(self.socks(None), b"\x05\xff")
        self.assertEqual(self.socks4(), b"\0\x5b")
        self.assertEqual(self.asked(None, NETWORK).status, 200)
        self.assertWho(USER, "network")
        self.assertEqual(self.socks(None, NETWORK), b"\x05\0\x05\0")
        self.assertWho(USER, "network")
        self.assertEqual(self.socks4(NETWORK), b"\0\x5a")
        self.assertWho(USER, "network")

    def test_wrongButKnown(self) -> None:
        """
        Who gives wrong credentials wants to be somebody else than the connection says, and is
        nobody.
        """
        self.assertEqual(self.asked(WRONG, NETWORK).status, 407)
        self.assertWho(None, None)

    def test_challenges(self) -> None:
        """
        Each scheme that can work is offered in a field of its own, best first (conformance 67
        and 68).
        """
        client = self.called("127.0.0.1")
        client.sendall(head("127.0.0.1:9999"))
        lines = readToEnd(client)[0].decode().partition("\r\n\r\n")[0].split("\r\n")
        fields = [line.partition(": ")[2] for line in lines if line.startswith("Proxy-Authenticate: ")]
        self.assertEqual([each.partition(" ")[0] for each in fields], ["Digest", "Basic", "Bearer"])
        for each in fields:
            self.assertIn('realm="connectproxy"', each)
        self.assertIn("algorithm=SHA-256", fields[0])

    def test_http2(self) -> None:
        """
        Streams of one connection may be of several users: each says who asks.
        """
        session = self.closing(Session(self.proxy.port))
        origin = self.origin()
        target = f"127.0.0.1:{origin.getsockname()[1]}"
        bearer = f"Bearer {self.house.token}"
        expected = {RIGHT: 200, WRONG: 407, bearer: 200, "": 407}
        for value, status in expected.items():
            fields = [(":method", "CONNECT"), (":authority", target)]
            number = session.ask(*fields, *([("proxy-authorization", value)] if value else []))
            stream = session.streams[number]
            session.until(lambda stream=stream: stream.status or stream.over)
            self.assertEqual(stream.status, status)
        session.close()
        self.proxy.waitForEvents(4)
        found = [(each["status"], each["user"], each["means"]) for each in self.proxy.events()]
        self.assertCountEqual(
            found, [(200, USER, "basic"), (407, None, None), (200, USER, "token"), (407, None, None)]
        )


class OptionalTests(ModeCase):
    """
    Credentials are optional.
    """

    more = {"listen": 'authentication = "optional"'}

    def test_optional(self) -> None:
        """
        Who gives none is nobody, whoever gives some is somebody, or refused if they are wrong.
        """
        self.assertEqual(self.asked(None).status, 200)
        self.assertWho(None, None)
        self.assertEqual(self.asked(RIGHT).status, 200)
        self.assertWho(USER, "basic")
        self.assertEqual(self.asked(WRONG).status, 407)
        self.assertWho(None, None)
        self.assertEqual(self.socks(None), b"\x05\0\x05\0")
        self.assertWho(None, None)
        self.assertEqual(self.socks(PASSWORD), b"\x05\x02\x01\0\x05\0")
        self.assertWho(USER, "password")
        self.assertEqual(self.socks("guessed")[:3], b"\x05\x02\x01")
        self.assertWho(None, None)
        self.assertEqual(self.socks4(), b"\0\x5a")
        self.assertWho(None, None)


class OffTests(ModeCase):
    """
    Nobody is asked.
    """

    more = {"listen": 'authentication = "off"'}

    def test_off(self) -> None:
        """
        Credentials are not looked at, not even wrong ones; the connection still says who it
        is, by HTTP.
        """
        for value in (None, RIGHT, WRONG, "nonsense"):
            self.assertEqual(self.asked(value).status, 200)
            self.assertWho(None, None)
        self.assertEqual(self.socks("guessed"), b"\x05\x02\x01\0\x05\0")
        self.assertWho(None, None)
        self.assertEqual(self.socks4(), b"\0\x5a")

    def test_connection(self) -> None:
        """
        The connection says who it is all the same, in every protocol.
        """
        self.assertEqual(self.asked(None, NETWORK).status, 200)
        self.assertWho(USER, "network")
        self.assertEqual(self.socks(None, NETWORK), b"\x05\0\x05\0")
        self.assertWho(USER, "network")
        self.assertEqual(self.socks4(NETWORK), b"\0\x5a")
        self.assertWho(USER, "network")


class ClearTests(ModeCase):
    """
    Credentials are only taken within TLS.
    """

    more = {"auth": "require_tls = true"}

    def test_clear(self) -> None:
        """
        In clear nobody is asked for a password, which would be sent, but refused; the
        connection may still say who it is.
        """
        for value in (None, RIGHT, WRONG):
            answer = self.asked(value)
            self.assertEqual(answer.status, 403, answer)
            self.assertNotIn("proxy-authenticate", answer.fields)
        self.assertEqual(self.socks(None), b"\x05\xff")
        self.assertEqual(self.socks(PASSWORD)[:2], b"\x05\xff")
        self.assertEqual(self.asked(None, NETWORK).status, 200)

    def test_secure(self) -> None:
        """
        Within TLS all is as ever.
        """
        web = self.web()
        made = authority().certificate
        self.command(
            *("curl", "-q", "-sS", "--noproxy", "", "--cacert", made, "--proxy-cacert", made),
            *("-x", f"https://localhost:{self.proxy.port}", "--proxy-user", f"{USER}:{PASSWORD}"),
            f"{web.url}/",
        )
        self.assertKnown("basic")


class BalancedTests(KnownCase):
    """
    Behind a load balancer, whose header names the user.
    """

    def assertHeaded(self, client: socket.socket, user: str | None, status: int) -> None:
        """
        A tunnel is somebody's.
        """
        origin = self.origin()
        client.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        self.assertEqual(readAnswer(client).status, status)
        client.close()
        origin.close()
        event = self.proxy.event("203.0.113.9:4711")
        self.assertEqual((event["user"], event["means"]), (user, "proxy_header" if user else None))
        self.proxy.mark()

    def test_raw(self) -> None:
        """
        A value that fits names the user, another one nobody.
        """
        for name, user in (
            ("ann.users.example", USER),
            ("ann.users.example.org", None),
            ("users.example", None),
        ):
            client = self.called(SENDER, self.balanced)
            client.sendall(header(name))
            self.assertHeaded(client, user, 200 if user else 407)

    def test_stranger(self) -> None:
        """
        From another sender it is not believed.
        """
        client = self.called("127.0.0.79", self.balanced)
        client.sendall(header("ann.users.example") + head("127.0.0.1:9999"))
        self.assertEqual(readAnswer(client).status, 400)

    @contextmanager
    def haproxy(self) -> Iterator[int]:
        """
        Have HAProxy end TLS before the proxy, and say which server name was asked for.

        @return: its port.
        """
        program = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        assert program is not None, "haproxy is not installed; see tests/integration/packages.txt"
        folder, made = self.temporary(), authority()
        certificate = folder / "both.pem"
        certificate.write_bytes(made.chain.read_bytes() + made.key.read_bytes())
        config = folder / "haproxy.cfg"
        with listening() as port:
            words = {
                "number": port.fileno(),
                "port": self.balanced,
                "certificate": certificate,
                "sender": SENDER,
            }
            config.write_text(HAPROXY.format(**words))
            process = subprocess.Popen(
                [program, "-db", "-q", "-f", str(config)],
                pass_fds=[port.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            number = port.getsockname()[1]
        try:
            yield number
        finally:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate(timeout=GUARD)
            self.assertNotIn(b"ALERT", output)

    def test_haproxy(self) -> None:
        """
        As HAProxy writes it: whoever has asked it for ann.users.example is ann.
        """
        web = self.web()
        with self.haproxy() as port:
            for name, status in (("ann.users.example", 0), ("proxy.example", 56)):
                options: tuple[Any, ...] = ("--resolve", f"{name}:{port}:127.0.0.1", "--proxy-insecure")
                curl = ("curl", "-q", "-sS", "--noproxy", "", "--cacert", authority().certificate, *options)
                said = self.command(*curl, "-x", f"https://{name}:{port}", f"{web.url}/", status=status)
                if not status:
                    self.assertEqual(said, PAGE)
                    self.assertKnown("proxy_header")
        self.proxy.waitForEvents(1)
        self.assertEqual(
            {each["status"] for each in self.proxy.events()}, {407}, json.dumps(self.proxy.events())
        )
