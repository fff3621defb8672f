"""
The access log.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import nameOf, readToEnd
from tests.integration.running import LOCAL, STOPPED, waitFor

pytestmark = pytest.mark.integration


class AccessLogTests(ProxyTestCase):
    """
    Where events go.
    """

    def test_tunnel(self) -> None:
        """
        The event of a tunnel has every field, and times that fit together.
        """
        client, origin = self.tunnel()
        name, target = nameOf(client), "{}:{}".format(*origin.getsockname())
        client.sendall(b"12345")
        origin.sendall(b"123")
        client.close()
        origin.close()
        event = self.proxy.event(name)
        times = {key: event.pop(key) for key in tuple(event) if key.endswith("_ms")}
        self.assertEqual(times.pop("resolve_ms"), None)  # there was no name
        self.assertTrue(all(each >= 0 for each in times.values()), times)
        self.assertGreaterEqual(times["total_ms"], times["relay_ms"])
        self.assertRegex(event.pop("timestamp"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        (tried,) = event.pop("tried")
        self.assertEqual((tried["address"], tried["result"]), ("127.0.0.1", "connected"))
        self.assertIn(f"(configuration {event.pop('config')})", self.proxy.log())
        self.assertTrue(event.pop("id"))
        self.assertIn(event.pop("end"), ("eof", "reset"))
        self.assertIn(event.pop("ended_by"), ("client", "origin"))
        self.assertTrue(event.pop("bytes_down") <= 3 and event.pop("bytes_up") <= 5)
        self.assertEqual(
            event,
            {
                "event": "tunnel",
                "listener": "tcp:0:interface=127.0.0.1:backlog=1024",
                "client": name,
                "sender": None,
                "user": None,
                "groups": [],
                "means": None,
                "tls": None,
                "certificate": None,
                "protocol": "http/1.1",
                "method": "CONNECT",
                "target": target,
                "user_agent": None,
                "alpn": None,
                "host": None,
                "server_name": None,
                "report": None,
                "shadow": None,
                "decision": "allow",
                "rule": "default",
                "reason": event["reason"],
                "status": 200,
                "error": None,
                "received_status": None,
                "member": None,
                "upstream": "direct",
                "address": target,
                "relay": "splice",
                "phase": "relaying",
            },
        )

    def test_hostileOctets(self) -> None:
        """
        What a client sends can't break a line, fake an event or write to a terminal.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(b'CONNECT \x1b[31m"\xff\n{"event":"tunnel"}:443 HTTP/1.1\r\n\r\n')
        readToEnd(client)
        self.proxy.event(name)
        octets = self.proxy.access.read_bytes()
        self.assertTrue(octets.isascii())
        self.assertNotIn(b"\x1b", octets)
        (event,) = self.proxy.events()
        self.assertEqual((event["event"], event["target"]), ("refusal", '\\x1b[31m"\\xff'))

    def test_standardOutput(self) -> None:
        """
        C{-}: nothing but JSON lines on standard output, when C{twistd} logs to a file.
        """
        proxy = self.launch("--access-log", "-", events=False, apart=True)
        for address in ("10.0.0.1", "10.0.0.2"):
            self.ask(f"{address}:443", proxy)
        proxy.terminate()
        self.assertEqual(proxy.wait(), STOPPED)
        events = [json.loads(line) for line in proxy.output.read_text().splitlines()]
        self.assertEqual([each["target"] for each in events], ["10.0.0.1:443", "10.0.0.2:443"])
        self.assertNotIn("10.0.0.1", proxy.log())

    def test_none(self) -> None:
        """
        C{none}: no event anywhere.
        """
        proxy = self.launch("--access-log", "none", events=False)
        self.ask("10.0.0.1:443", proxy)
        proxy.terminate()
        self.assertEqual(proxy.wait(), STOPPED)
        self.assertNotIn("10.0.0.1", proxy.log())

    def test_log(self) -> None:
        """
        By default events are lines for people in C{twistd}'s log.
        """
        proxy = self.launch(events=False)
        self.ask("10.0.0.1:443", proxy)
        proxy.waitForLog("CONNECT 10.0.0.1:443: 403 refused by proxy")

    def test_rotation(self) -> None:
        """
        When the file has been moved away a new one is begun, and no event is lost.
        """
        proxy = self.launch(*LOCAL)
        moved = proxy.directory / "access.json.1"
        self.ask("10.0.0.1:443", proxy)
        os.rename(proxy.access, moved)
        asked = 1

        def begun() -> bool:
            nonlocal asked
            self.ask("10.0.0.2:443", proxy)
            asked += 1
            return proxy.access.exists()

        waitFor(begun, "a new file")
        proxy.terminate()
        proxy.wait()
        lines = moved.read_text().splitlines() + proxy.access.read_text().splitlines()
        self.assertEqual(len({json.loads(each)["id"] for each in lines}), asked)

    def test_appends(self) -> None:
        """
        A proxy that is started again goes on with the file, which others can't read.
        """
        file = self.temporary() / "access.json"
        for count in (1, 2):
            proxy = self.launch("--access-log", str(file), events=False)
            self.ask("10.0.0.1:443", proxy)
            proxy.terminate()
            self.assertEqual(proxy.wait(), STOPPED)
            self.assertEqual(len(file.read_text().splitlines()), count)
        self.assertEqual(file.stat().st_mode & 0o007, 0)

    def test_noSuchDirectory(self) -> None:
        """
        A file that can't be opened is found out at the start.
        """
        path = self.temporary() / "missing" / "access.json"
        proxy = self.launch("--access-log", str(path), events=False)
        self.assertEqual((proxy.addresses, proxy.wait()), ([], 1))
        self.assertIn(f"connectproxy cannot start: can't open the access log {path}", proxy.log())
