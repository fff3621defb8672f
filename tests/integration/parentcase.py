"""
What works through any parent, by every kind of client, with tunnels and messages.
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import threading
from typing import Any, ClassVar

from connectproxy.errors import KINDS
from connectproxy.wire.socks import formatRequest5
from tests.integration.origins import authority
from tests.integration.parents import Parents, Program, parents
from tests.integration.program import PAGE
from tests.integration.raw import connect, head, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import Proxy, waitFor
from tests.integration.socksraw import HELLO, readReply
from tests.integration.streams import Session

__all__ = ["HTTPCase", "OwnCase", "ParentCase"]

OCTETS = random.Random(5).randbytes(6_000_000)
"""More than all buffers on the way hold."""

VIA = re.compile(r"^via: *(.*)$", re.IGNORECASE | re.MULTILINE)


class ParentCase:
    """
    What works through any parent.

    @cvar way: what the configuration calls it.
    @cvar relay: what carries the octets of a tunnel.
    @cvar halves: an end of stream ends one direction only, all the way.
    """

    way: ClassVar[str]
    relay: ClassVar[str] = "splice"
    halves: ClassVar[bool] = False

    def setUp(self) -> None:
        """
        Have all of them run.
        """
        self.all: Parents = parents()
        self.proxy = self.all.front
        self.proxy.mark()
        self.all.own.mark()
        self.addCleanup(self.proxy.check)
        self.addCleanup(self.all.own.check)

    def visited(self) -> list[Program | Proxy]:
        """
        The proxies behind this one, nearest first.
        """
        return [self.all.own]

    @property
    def port(self) -> int:
        """The port whose requests go there."""
        return self.proxy.portOf(self.way)

    def opened(self, origin: socket.socket, early: bytes = b"") -> tuple[socket.socket, socket.socket]:
        """
        Make a tunnel to an origin, by its name.

        @return: the client's end and the origin's.
        """
        client = self.closing(connect(self.port))
        client.sendall(head(f"localhost:{origin.getsockname()[1]}") + early)
        answer = readAnswer(client)
        self.assertEqual((answer.status, answer.body), (200, ""))
        return client, self.accept(origin)

    def ended(self, client: socket.socket) -> dict[str, Any]:
        """
        Wait for the event of a client.
        """
        return self.proxy.event(nameOf(client))

    def assertPassed(self, port: int) -> None:
        """
        What has gone to a port of this machine has gone by way of the last proxy.
        """
        last = self.visited()[-1]
        if isinstance(last, Program):
            last.waitForLog(rf"(?:localhost|127\.0\.0\.1)[:.]{port}\b")
        else:
            waitFor(
                lambda: any(str(each["target"]).endswith(f":{port}") for each in last.events()),
                f"an event of the parent's for port {port}",
            )

    def test_tunnel(self) -> None:
        """
        What comes with the request is not lost, both ways are open, and the event says by which
        way.
        """
        origin = self.origin()
        client, peer = self.opened(origin, b"early")
        self.assertEqual(readExactly(peer, 5), b"early")
        self.assertPings(client, peer)
        name = nameOf(client)
        peer.close()
        client.close()
        event = self.proxy.event(name)
        known = event["event"], event["upstream"], event["relay"], event["error"], event["bytes_up"]
        self.assertEqual(known, ("tunnel", self.way, self.relay, None, 9))
        # A stream of a connection that is there has tried nothing.
        self.assertLessEqual({each["result"] for each in event["tried"]}, {"connected"})
        self.assertPassed(origin.getsockname()[1])

    def test_transfer(self) -> None:
        """
        Megabytes arrive as they were, both ways at once; then each side says that it is at its
        end, as far as the parent can tell.
        """
        client, peer = self.opened(self.origin())
        digest = hashlib.sha256(OCTETS).hexdigest()
        came: dict[str, bytes] = {}

        def both(name: str, sock: socket.socket) -> None:
            writer = threading.Thread(target=sock.sendall, args=(OCTETS,))
            writer.start()
            came[name] = readExactly(sock, len(OCTETS))
            writer.join()

        other = threading.Thread(target=both, args=("up", peer))
        other.start()
        both("down", client)
        other.join()
        for octets in came.values():
            self.assertEqual(hashlib.sha256(octets).hexdigest(), digest)
        self.assertEnds(client, peer)

    def assertEnds(self, client: socket.socket, peer: socket.socket) -> None:
        """
        The end of the client's stream gets through, and where the parent knows of halves, the
        other direction goes on until its own.
        """
        if self.halves:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(readToEnd(peer), (b"", "eof"))
            peer.sendall(OCTETS[:100_000])
            peer.close()
            self.assertEqual(readToEnd(client), (OCTETS[:100_000], "eof"))
            self.assertEqual(self.ended(client)["end"], "eof")
        else:
            peer.sendall(OCTETS[:100_000])
            peer.close()
            self.assertEqual(readToEnd(client), (OCTETS[:100_000], "eof"))

    def test_curl(self) -> None:
        """
        curl gets a page by HTTPS, twice by one tunnel.
        """
        web = self.web()
        curl = ("curl", "-q", "-sS", "--noproxy", "", "--cacert", authority().certificate)
        got = self.command(*curl, "-x", f"http://127.0.0.1:{self.port}", f"{web.url}/", f"{web.url}/")
        self.assertEqual(got, PAGE * 2)
        self.assertPassed(web.port)

    def test_clients(self) -> None:
        """
        Clients of SOCKS 5 and of HTTP/2 get tunnels, the latter several by one connection.
        """
        origin = self.origin()
        client = self.closing(connect(self.port))
        client.sendall(HELLO + formatRequest5("localhost", origin.getsockname()[1]) + b"early")
        self.assertEqual(readExactly(client, 2), b"\x05\x00")
        self.assertEqual(readReply(client)[0], 0)
        peer = self.accept(origin)
        self.assertEqual(readExactly(peer, 5), b"early")
        self.assertPings(client, peer)
        session = self.closing(Session(self.port))
        tunnels = [session.tunnel(origin) for _ in range(3)]
        for number, (stream, end) in enumerate(tunnels):
            self.closing(end)
            session.put(stream, b"up %d" % number)
            self.assertEqual(readExactly(end, 4), b"up %d" % number)
            end.sendall(b"down %d" % number)
            end.close()
            heard = session.streams[stream]
            session.until(lambda heard=heard: heard.over)  # type: ignore[misc]
            self.assertEqual(bytes(heard.octets), b"down %d" % number)

    def test_refused(self) -> None:
        """
        A port where nobody listens: the client is told by this proxy, and never of a password.
        """
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        client = self.closing(connect(self.port))
        client.sendall(head(f"localhost:{port}"))
        answer = readAnswer(client)
        event = self.ended(client)
        self.assertIn((answer.status, event["error"], event["received_status"]), self.refusals)
        error = KINDS[event["error"]].proxyStatus
        ours = f"connectproxy; error={error}; received-status={event['received_status']}"
        field = answer.fields["proxy-status"]
        self.assertEqual(
            field.split(", ")[-1], ours if event["received_status"] else ours.partition("; rec")[0]
        )
        self.assertEqual(event["upstream"], self.way)
        self.assertIn("What to do: ", answer.body)
        self.assertNotIn("proxy-authenticate", answer.fields)

    refusals: ClassVar[tuple[tuple[int, str, int | None], ...]] = ()

    def exchange(self, client: socket.socket, request: str, origin: socket.socket) -> tuple[str, bytes]:
        """
        Send a message, and answer it with its own body in reverse.

        @param origin: where it is to arrive.
        @return: the head that came there, and the body that came back.
        """
        client.sendall(request.encode())
        peer = self.accept(origin)
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += peer.recv(65536)
        came, _, body = octets.partition(b"\r\n\r\n")
        text = came.decode("latin-1")
        length = re.search(r"content-length: *(\d+)", text, re.IGNORECASE)
        size = int(length[1]) if length else 0
        body += readExactly(peer, size - len(body))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (4 + size, body[::-1] + b"that"))
        answer = readAnswer(client)
        self.assertEqual(answer.status, 200)
        body = readExactly(client, 4 + size)
        peer.close()  # many log when it is over
        return text, body

    def test_messages(self) -> None:
        """
        Plain requests by one connection, to two destinations in turn, with a body and without.
        """
        origins = [self.origin(), self.origin()]
        client = self.closing(connect(self.port))
        for number in range(4):
            origin = origins[number % 2]
            target = f"localhost:{origin.getsockname()[1]}"
            body = "abc" if number == 2 else ""
            method, more = ("POST", "Content-Length: 3\r\n") if body else ("GET", "")
            request = f"{method} http://{target}/page{number} HTTP/1.1\r\nHost: {target}\r\n{more}\r\n{body}"
            came, answer = self.exchange(client, request, origin)
            self.assertEqual(came.partition("\r\n")[0], f"{method} /page{number} HTTP/1.1")
            self.assertEqual(answer, body[::-1].encode() + b"that")
            self.assertWent(target, came)
        client.close()
        waitFor(lambda: len(self.proxy.events()) == 4, "four events")
        known = {
            (each["event"], each["upstream"], each["relay"], each["end"]) for each in self.proxy.events()
        }
        self.assertEqual(known, {("request", self.way, "forward", "complete")})

    def assertWent(self, target: str, came: str) -> None:
        """
        How a message has gone to where it was to.
        """
        self.assertPassed(int(target.rpartition(":")[2]))
        self.assertEqual(len(self.names(came)), 1)

    def names(self, came: str) -> list[str]:
        """
        The proxies that a message has passed as such.
        """
        return ", ".join(VIA.findall(came.replace("\r", ""))).split(", ")

    def test_upload(self) -> None:
        """
        curl sends a body of megabytes in a plain request, which comes back.
        """
        web = self.web(tls=False)
        (file := self.temporary() / "body").write_bytes(OCTETS[:1_500_000])
        options = ("--noproxy", "", "-x", f"http://127.0.0.1:{self.port}", "--data-binary", f"@{file}")
        came = self.command("curl", "-q", "-sS", "-H", "Expect:", *options, f"{web.url}/")
        self.assertEqual(came, OCTETS[:1_500_000][::-1])


class OwnCase(ParentCase):
    """
    This proxy is the parent.
    """

    halves = True
    refusals = ((502, "connection_refused", 502),)


class HTTPCase(ParentCase):
    """
    The parent takes messages, in absolute-form.
    """

    def assertWent(self, target: str, came: str) -> None:
        """
        Both proxies have seen it as a message.
        """
        self.assertEqual(len(self.names(came)), 1 + len(self.visited()))
        last = self.visited()[-1]
        if isinstance(last, Program):
            last.waitForLog(rf"(?:GET|POST) http://{target}/")
        else:

            def known() -> set[str]:
                return {each["event"] for each in last.events() if each["target"] == target}

            self.assertEqual(waitFor(known, "the parent's event"), {"request"})
