"""
Tests for L{connectproxy.service}: what the configuration says is what happens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from connectproxy import service as module
from connectproxy.relay import WiredRelay
from connectproxy.service import HOSTS
from connectproxy.splice import SpliceRelay
from connectproxy.wheel import GRAIN
from tests.listeners.http.test_connection import parse
from tests.test_service import ServiceCase, connect


class ConfiguredTests(ServiceCase):
    """
    What the configuration says is what happens.
    """

    def statusOf(self, target: str, octets: bytes = b"") -> int:
        """
        How a request is refused.
        """
        client = self.ask(octets or connect(target))
        status = parse(client.received).status
        client.transport.loseConnection()
        self.reactor.flush()
        return status

    def test_tunnel(self) -> None:
        """
        By default a client gets its tunnel, and what it says arrives.
        """
        self.start()
        client, origin = self.open()
        client.received.clear()
        client.transport.write(b"hello")
        origin.transport.write(b"good day")
        self.reactor.flush()
        self.assertEqual((origin.received, client.received), (b"hello", b"good day"))

    def test_rules(self) -> None:
        """
        By default ports other than 443 and 80, private addresses and the proxy itself are
        closed, the latter even where its network is open.
        """
        self.start()
        self.assertEqual(self.statusOf("1.1.1.1:25"), 403)
        self.assertEqual(self.statusOf("127.0.0.1:443"), 403)
        tables = {"allow": {"ports": "any", "networks": ["127.0.0.0/8"]}}
        self.start("127.0.0.1:8081", **tables)
        self.assertEqual(self.statusOf("127.0.0.1:8081"), 502)
        self.ask(connect("127.0.0.1:25"))
        self.assertEqual([each.port for each in self.reactor.attempts], [25])

    def test_names(self) -> None:
        """
        Names are looked up, in the system's hosts file first.
        """
        self.assertEqual(HOSTS, "/etc/hosts")
        Path(module.HOSTS).write_text("192.0.2.1 here.example\n")
        self.start(allow={"networks": ["192.0.2.0/24"]})
        self.ask(connect("here.example:443"))
        self.ask(connect("there.example:443"))
        self.assertEqual([each.host for each in self.reactor.attempts], ["192.0.2.1"])
        self.assertEqual({each.name for each in self.reactor.nameResolver.pending}, {"there.example."})

    def test_timeouts(self) -> None:
        """
        Each deadline is the configured one.
        """
        timeouts = {"head": 1, "connect": 2, "idle": 3, "linger": 1}
        self.start(timeouts=timeouts)
        client = self.ask(b"CONNECT ")
        self.reactor.advance(1 + GRAIN)
        self.reactor.flush()
        self.assertEqual(parse(client.received).status, 408)
        client = self.ask(connect("1.1.1.1:443"))
        self.reactor.advance(2 + GRAIN)
        self.reactor.flush()
        self.assertEqual(parse(client.received).status, 504)
        client, origin = self.open()
        self.reactor.advance(3 + GRAIN)
        self.reactor.flush()
        self.assertEqual((client.ended, origin.ended), (True, True))

    def test_others(self) -> None:
        """
        So are the number of tunnels and the proxy's name.
        """
        self.start(limits={"tunnels": 1}, proxy={"name": "proxy.example"})
        self.open()
        client = self.ask(connect("1.1.1.1:443"))
        answer = parse(client.received)
        self.assertEqual(answer.status, 503)
        self.assertIn("proxy.example; error=connection_limit_reached", answer.fields["proxy-status"])

    def test_relays(self) -> None:
        """
        The relay by splice comes first where the system and the configuration have it; the
        ordinary one is always there.
        """
        for wanted, supported, kinds in (
            (True, True, [SpliceRelay, WiredRelay]),
            (True, False, [WiredRelay]),
            (False, True, [WiredRelay]),
        ):
            self.patch(SpliceRelay, "isSupported", staticmethod(lambda supported=supported: supported))
            service = self.start(relay={"splice": wanted})
            self.assertEqual([type(each) for each in service._parts.relays], kinds)  # type: ignore[union-attr]

    def eventsOf(self, file: str) -> list[Any]:
        """
        The events in Twisted's log of one refusal.
        """
        with capturedLogs() as events:
            self.start(access_log={"file": file})
            self.statusOf("1.1.1.1:25")
        return [event for event in events if event["log_namespace"] == "connectproxy.access"]

    def test_accessLog(self) -> None:
        """
        Events are always in Twisted's log, with a text where that is their place; in a
        file they are lines, and each names the configuration.
        """
        path = Path(self.mktemp()).absolute()
        for file, text in (("log", True), ("none", False), (str(path), False)):
            (event,) = self.eventsOf(file)
            self.assertEqual(bool(formatEvent(event)), text, file)
            self.assertEqual(event["event"]["error"], "http_request_denied")
        (line,) = path.read_text().splitlines()
        self.assertEqual(json.loads(line), {**event["event"], "groups": [], "tried": []})
        self.assertRegex(event["event"]["config"], r"\A[0-9a-f]{8}\Z")
