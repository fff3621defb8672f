"""
How much: tunnels at once and per second, as each protocol tells that there are too many.
"""

from __future__ import annotations

import socket
from typing import ClassVar

import pytest

from tests.integration.identified import basic
from tests.integration.program import NEAR, ProgramTestCase
from tests.integration.raw import Answer, connect, nameOf, readAnswer, readExactly
from tests.integration.running import GUARD, waitFor
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

SELF = basic("ann", "pass:word")

LOGIN = b"\x05\x01\x02\x01\x03ann\x09pass:word"


class LimitCase(ProgramTestCase):
    """
    Tests at a proxy of their own, since counts are kept.

    @cvar config: its limits.
    @cvar options: its options.
    """

    options: ClassVar[tuple[str, ...]] = (*NEAR, "--auth", "ann:pass:word")

    def setUp(self) -> None:
        """
        Have it run.
        """
        self.start(self.config)

    def start(self, config: str) -> None:
        """
        Start a proxy; and an origin behind it, whose connections end first.
        """
        self.proxy = self.launch(*self.options, config=config)
        self.there = self.origin()
        self.target = f"127.0.0.1:{self.there.getsockname()[1]}"

    def client(self, address: str = "127.0.0.1") -> socket.socket:
        """
        Connect from an address of this machine's.
        """
        return self.closing(socket.create_connection(("127.0.0.1", self.proxy.port), GUARD, (address, 0)))

    def by1(self, address: str = "127.0.0.1") -> tuple[Answer, socket.socket]:
        """
        Ask for a tunnel by HTTP/1.
        """
        client = self.client(address)
        field = f"Proxy-Authorization: {SELF}\r\n"
        client.sendall(f"CONNECT {self.target} HTTP/1.1\r\nHost: {self.target}\r\n{field}\r\n".encode())
        return readAnswer(client), client

    def by2(self) -> tuple[int | None, Session]:
        """
        Ask for one by HTTP/2.
        """
        session = self.closing(Session(self.proxy.port))
        fields = ((":method", "CONNECT"), (":authority", self.target), ("proxy-authorization", SELF))
        stream = session.streams[session.ask(*fields)]
        session.until(lambda: stream.status or stream.over)
        return stream.status, session

    def by5(self) -> tuple[int, socket.socket]:
        """
        Ask for one by SOCKS 5.
        """
        client = self.client()
        client.sendall(LOGIN)
        self.assertEqual(readExactly(client, 4), b"\x05\x02\x01\0")
        port = self.there.getsockname()[1].to_bytes(2, "big")
        client.sendall(b"\x05\x01\0\x01\x7f\0\0\x01" + port)
        return readExactly(client, 10)[1], client

    def assertLimited(self, answer: Answer, *words: str) -> None:
        """
        A client is told that there are too many, for how long at least, and which limit.
        """
        self.assertEqual(answer.status, 429, answer)
        self.assertGreaterEqual(int(answer.fields["retry-after"]), 1)
        for each in words:
            self.assertIn(each, answer.body)


class TunnelsTests(LimitCase):
    """
    Tunnels at once.
    """

    config = '[[limit]]\nname = "few"\nper = "user"\ntunnels = 3\n'

    def test_user(self) -> None:
        """
        One user has so many, by whatever protocols and from whatever addresses; each protocol
        says so in its way, and when one has ended there is room for another.
        """
        first, client = self.by1()
        second, session = self.by2()
        third, _ = self.by5()
        self.assertEqual((first.status, second, third), (200, 200, 0))
        peers = [self.accept(self.there) for _ in range(3)]
        answer, _ = self.by1("127.0.0.2")
        self.assertEqual(answer.status, 429)
        self.assertIn("few", answer.body)
        self.assertEqual((self.by2()[0], self.by5()[0]), (429, 1))
        self.assertEqual(
            [each["error"] for each in self.proxy.events() if each["status"] == 429],
            ["client_limit_reached"] * 3,
        )
        self.assertPings(client, peers[0])
        client.close()
        peers[0].close()
        waitFor(lambda: self.by1()[0].status == 200, "room")
        self.assertFalse(session.closed)


class AddressTests(LimitCase):
    """
    Tunnels at once of one address, and of one network, where nobody is asked.
    """

    options = NEAR
    config = (
        "[limits]\nipv4_prefix = 30\n"
        '[[limit]]\nname = "address"\nper = "client"\ntunnels = 2\n'
        '[[limit]]\nname = "network"\nper = "network"\ntunnels = 3\n'
    )

    def test_both(self) -> None:
        """
        The limit that is reached first holds: an address has two, and its network three.
        """
        statuses = [self.by1(f"127.0.0.{last}")[0].status for last in (17, 17, 17, 18, 18, 19, 21)]
        self.assertEqual(statuses, [200, 200, 429, 200, 429, 429, 200])
        bodies = [each["rule"] for each in self.proxy.events() if each["status"] == 429]
        self.assertEqual(
            [each.rpartition(" ")[2].strip('"') for each in bodies], ["address", "network", "network"]
        )

    def test_socks4(self) -> None:
        """
        SOCKS 4 has one code for it all.
        """
        port = self.there.getsockname()[1].to_bytes(2, "big")
        replies = []
        for _ in range(3):
            client = self.closing(connect(self.proxy.port))
            client.sendall(b"\x04\x01" + port + b"\x7f\0\0\x01\0")
            replies.append(readExactly(client, 8)[1])
        self.assertEqual(replies, [0x5A, 0x5A, 0x5B])


class PaceTests(LimitCase):
    """
    Tunnels per second.
    """

    config = '[[limit]]\nname = "slow"\nper = "user"\ntunnels_per_second = 0.01\nburst = 3\n'

    def test_burst(self) -> None:
        """
        So many may come at once after a rest, and then one in a hundred seconds: 429 with
        Retry-After, or what the protocol has for it.
        """
        self.assertEqual([self.by1()[0].status, self.by2()[0], self.by5()[0]], [200, 200, 0])
        answer, client = self.by1()
        self.assertLimited(answer, "slow")
        self.assertTrue(80 <= int(answer.fields["retry-after"]) <= 101, answer)
        self.assertEqual((self.by2()[0], self.by5()[0]), (429, 1))
        event = self.proxy.event(nameOf(client))
        self.assertEqual((event["error"], event["status"], event["user"]), ("rate_limit_reached", 429, "ann"))

    def test_forwarded(self) -> None:
        """
        A request that is forwarded counts as well.
        """
        web = self.web(tls=False)
        curl = ("curl", "-q", "-sS", "--noproxy", "", "-x", self.proxy.url, "--proxy-user", "ann:pass:word")
        each = ("-o", "/dev/null", f"{web.url}/")
        codes = self.command(*curl, "-w", "%{http_code} ", *each * 5)
        self.assertEqual(codes.split(), [b"200"] * 3 + [b"429"] * 2)

    def test_again(self) -> None:
        """
        After the time that was told there is room.
        """
        self.start('[[limit]]\nname = "slow"\nper = "user"\ntunnels_per_second = 2\nburst = 1\n')
        statuses: list[int] = []

        def again() -> bool:
            statuses.append(self.by1()[0].status)
            return 429 in statuses and statuses[-1] == 200

        waitFor(again, "room")
        self.assertEqual(set(statuses), {200, 429})
