"""
Tests for L{connectproxy.service}: reload, status and control socket.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from connectproxy import service as module
from connectproxy.config import Config, configure, load
from connectproxy.control import Occupied
from connectproxy.service import ListenFailed, ProxyService, Reloaded
from connectproxy.watch import INTERVAL
from tests.fakes import Peer
from tests.listeners.http.test_connection import parse
from tests.test_service import ServiceCase, connect

TABLES = """
[[listen]]
endpoint = "127.0.0.1:8080"
[relay]
splice = false
[access_log]
file = "none"
[policy]
default = "deny"
%s
[allow]
list = "list"
"""


class ReloadCase(ServiceCase):
    """
    A service whose configuration is a file, with a list.
    """

    def setUp(self) -> None:
        """
        Write both, and start.
        """
        super().setUp()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "proxy.toml"
        self.list = self.directory / "list"
        self.write()
        self.allow("1.1.1.1")
        self.service = ProxyService(self.reactor, self.again(), self.again)
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.service.stopService()
        self.reactor.advance(60)
        self.reactor.flush()

    def again(self) -> Config:
        return load(str(self.file))

    def write(self, policy: str = "", more: str = "") -> None:
        self.file.write_text(TABLES % policy + more)

    def allow(self, *addresses: str) -> None:
        self.list.write_text("".join(f"{each}\n" for each in addresses))

    def reload(self) -> Reloaded:
        """
        Reload, and see what has become of it.
        """
        done: Reloaded = self.successResultOf(self.service.reload())
        return done

    def allowed(self, address: str) -> bool:
        """
        Whether a tunnel to an address is dialled.
        """
        before = len(self.reactor.attempts)
        client = self.ask(connect(f"{address}:443"))
        dialled = len(self.reactor.attempts) > before
        if not dialled:
            self.assertEqual(parse(client.received).status, 403)
        client.transport.loseConnection()
        self.reactor.flush()
        return dialled


class ReloadTests(ReloadCase):
    """
    What decides is swapped as a whole, or not at all.
    """

    def test_list(self) -> None:
        """
        A list is in force from the next request on; a tunnel that is up keeps what it has,
        and so does a request that is on its way.
        """
        client, origin = self.open()
        waiting = self.ask(connect("1.1.1.1:443"))
        self.allow("1.0.0.1")
        before = self.service._id()
        done = self.reload()
        self.assertEqual((done.problems, done.notes), ((), ()))
        self.assertNotEqual(done.id, before)
        self.assertEqual((self.allowed("1.1.1.1"), self.allowed("1.0.0.1")), (False, True))
        client.transport.write(b"still")
        self.reactor.flush()
        self.assertEqual(bytes(origin.received), b"still")
        self.assertFalse(waiting.ended)

    def test_advice(self) -> None:
        """
        What of a policy is probably not as meant is told when it comes into force, at the start
        and by a reload.
        """
        self.list.write_text("")
        for come in (lambda: self.reload(), lambda: ProxyService(self.reactor, self.again()).startService()):
            with capturedLogs() as events:
                come()
            told = [formatEvent(each) for each in events if each["log_level"].name == "warn"]
            self.assertTrue(any("is empty" in each for each in told), told)

    def test_allOrNothing(self) -> None:
        """
        A problem in one file keeps all others from being in force, too.
        """
        before = self.service._id()
        self.write("contact = 5")
        self.allow("1.0.0.1")
        with capturedLogs() as events:
            done = self.reload()
        self.assertEqual((done.id, len(done.problems)), (before, 1))
        said = [formatEvent(event) or "" for event in events]
        self.assertTrue(any(f"{self.file}:10 [policy] contact" in line for line in said), said)
        self.assertEqual((self.allowed("1.1.1.1"), self.allowed("1.0.0.1")), (True, False))
        self.assertEqual(self.service.config["policy.contact"], "")

    def test_users(self) -> None:
        """
        Who is asked, too; and limits.
        """
        self.write(
            more='[auth]\nbasic = "Aladdin:open sesame"\n[limits]\ntunnels = 1\ntunnels_per_client = 7\n'
        )
        self.reload()
        client = self.ask(connect("1.1.1.1:443"))
        self.assertEqual(parse(client.received).status, 407)
        admission = self.service._parts.admission  # type: ignore[union-attr]
        self.assertEqual((admission.limit, admission.perClient), (1, 7))

    def test_rows(self) -> None:
        """
        And C{[[limit]]} tables.
        """
        self.write(more='[[limit]]\nname = "one"\ntunnels = 1\nper = "all"\n')
        self.reload()
        self.open()
        client = self.ask(connect("1.1.1.1:443"))
        self.assertEqual(parse(client.received).status, 429)

    def test_notes(self) -> None:
        """
        What takes a restart is told each time, until there was one.
        """
        self.write(more="[timeouts]\nidle = 5\n")
        for _ in range(2):
            self.assertEqual(self.reload().notes, ("timeouts.idle has changed: that takes a restart",))
        self.assertEqual(self.service._started["timeouts.idle"], 3600)

    def test_rejudged(self) -> None:
        """
        Tunnels that the new rules deny go on, or are ended if that is asked for.
        """
        client, origin = self.open()
        self.allow("1.0.0.1")
        self.reload()
        self.assertFalse(client.lost)
        self.write("rejudge = true")
        self.reload()
        self.reactor.flush()
        self.assertTrue(client.lost)
        self.assertTrue(origin.lost)

    def test_byItself(self) -> None:
        """
        Files that have changed are taken up by themselves when they stay the same, and what
        can't be used is told once.
        """
        self.allow("1.0.0.1")
        for expected in (False, True):
            self.reactor.advance(INTERVAL)
            self.reactor.flush()
            self.assertEqual(self.allowed("1.0.0.1"), expected)
        self.allow("no name")
        with capturedLogs() as events:
            for _ in range(6):
                self.reactor.advance(INTERVAL)
                self.reactor.flush()
        said = [formatEvent(event) or "" for event in events]
        self.assertEqual(sum("from before stays in force" in line for line in said), 1)
        self.allow("1.1.1.1", "1.0.0.1")
        for _ in range(2):
            self.reactor.advance(INTERVAL)
            self.reactor.flush()
        self.assertTrue(self.allowed("1.1.1.1"))

    def test_withoutAgain(self) -> None:
        """
        In an application that says its configuration in Python, the files that it names are
        read anew.
        """
        service = ProxyService(self.reactor, self.service.config)
        self.stop()
        service.startService()
        self.service = service
        self.allow("1.0.0.1")
        self.assertEqual(self.reload().problems, ())
        self.assertTrue(self.allowed("1.0.0.1"))

    def test_notRunning(self) -> None:
        """
        Before the start and after the stop there is nothing to reload.
        """
        self.stop()
        self.assertEqual(self.reload().problems, ("the proxy is not running",))

    def test_whileStopping(self) -> None:
        """
        What is under way when the proxy stops comes to nothing.
        """
        self.allow("1.0.0.1")
        self.reactor.threads.held = True
        reloading = self.service.reload()
        self.stop()
        self.reactor.threads.run()
        self.assertEqual(self.successResultOf(reloading).problems, ("the proxy is being stopped",))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_unusableAtStart(self) -> None:
        """
        What can't be used keeps the proxy from starting, in the same words; nothing is left.
        """
        self.stop()
        self.allow("no name")
        service = ProxyService(self.reactor, self.again(), self.again)
        error = self.assertRaises(ListenFailed, service.startService)
        self.assertIn(f"{self.list}:1", str(error))
        self.assertEqual((service.addresses, self.reactor.getDelayedCalls()), ([], []))


class StatusTests(ReloadCase):
    """
    What there is to know.
    """

    def status(self) -> Any:
        return json.loads(json.dumps(self.service.status()))

    def test_counts(self) -> None:
        """
        Decisions by rule, tunnels, logins that were refused, the last reload.
        """
        self.open()
        self.allowed("1.0.0.1")
        state = self.status()
        self.assertEqual((state["tunnels"], state["reload"], state["draining"]), (1, None, False))
        self.assertEqual(state["configuration"], self.service._id())
        self.assertEqual(state["listeners"], ["127.0.0.1:8080"])
        self.assertIn({"decision": "deny", "rule": "default", "count": 1}, state["decisions"])
        self.write(more='[auth]\nbasic = "a:b"\n')
        self.reload()
        self.ask(connect("1.1.1.1:443"))
        state = self.status()
        self.assertEqual((state["logins_refused"], state["reload"]["done"]), (1, True))
        self.write("contact = 5")
        self.reload()
        state = self.status()
        self.assertFalse(state["reload"]["done"])
        self.assertEqual(len(state["reload"]["problems"]), 1)
        self.assertEqual(state["file"], str(self.file))

    def test_audit(self) -> None:
        """
        The audit file, if there is one; it has what was decided.
        """
        self.assertIsNone(self.status()["audit"])
        self.stop()
        self.write(more='[audit]\nfile = "audit"\n')
        self.service = ProxyService(self.reactor, self.again(), self.again)
        self.service.startService()
        self.allowed("1.0.0.1")
        self.reactor.advance(0)
        path = self.directory / "audit"
        self.assertEqual(self.status()["audit"], {"file": str(path), "dropped": 0})
        (line,) = map(json.loads, path.read_text().splitlines())
        self.assertEqual((line["decision"], line["rule"]), ("deny", "default"))

    def test_auditCannotBeOpened(self) -> None:
        """
        One that can't be written keeps the proxy from starting, and the access log does not
        stay open.
        """
        self.stop()
        self.write(more='[audit]\nfile = "missing/audit"\n')
        self.file.write_text(self.file.read_text().replace('"none"', f'"{self.directory}/access"'))
        service = ProxyService(self.reactor, self.again(), self.again)
        error = self.assertRaises(ListenFailed, service.startService)
        self.assertEqual(
            str(error), f"can't open the audit file {self.directory}/missing/audit: No such file or directory"
        )


class FakeControl:
    """
    A control port that can't be opened, or is.
    """

    opened: list[FakeControl] = []
    error = ""

    def __init__(self, reactor: Any, path: str, commands: Any) -> None:
        self.path, self.commands, self.closed = path, commands, False
        self.reactor = reactor

    def open(self) -> None:
        if self.error:
            raise Occupied(self.error)
        self.opened.append(self)

    def close(self) -> None:
        self.closed = True


class ControlTests(ReloadCase):
    """
    The control socket.
    """

    def setUp(self) -> None:
        """
        None in the file system.
        """
        super().setUp()
        self.patch(module, "ControlPort", FakeControl)
        self.patch(FakeControl, "opened", [])
        self.stop()
        self.write(more='[control]\nsocket = "control"\n')
        self.service = ProxyService(self.reactor, self.again(), self.again)

    def test_commands(self) -> None:
        """
        It is opened when the proxy serves, not earlier, does what is to be done, and is
        closed when it has stopped, with the last tunnel and not before.
        """
        self.service.privilegedStartService()
        self.assertEqual(FakeControl.opened, [])
        self.service.startService()
        (control,) = FakeControl.opened
        self.assertEqual(control.path, str(self.directory / "control"))
        done = self.successResultOf(control.commands["reload"]())
        self.assertEqual(done, {"id": self.service._id(), "problems": (), "notes": ()})
        self.assertEqual(control.commands["status"]()["configuration"], self.service._id())
        client: Peer
        client, _ = self.open()
        self.service.stopService()
        self.reactor.flush()
        self.assertFalse(control.closed)
        self.assertTrue(control.commands["status"]()["draining"])
        client.transport.loseConnection()
        self.reactor.advance(60)
        self.reactor.flush()
        self.assertTrue(control.closed)

    def test_occupied(self) -> None:
        """
        Where it can't be opened the proxy does not start, and its ports are closed again.
        """
        self.patch(FakeControl, "error", "somebody answers there")
        error = self.assertRaises(ListenFailed, self.service.startService)
        self.assertEqual(str(error), "somebody answers there")
        self.reactor.flush()
        self.assertEqual([port.listening for port in self.reactor.ports], [False] * 2)
        self.assertEqual((self.service.addresses, self.reactor.getDelayedCalls()), ([], []))


class DefaultTests(ServiceCase):
    """
    Without files.
    """

    def test_nothingToWatch(self) -> None:
        """
        Where no file was read nobody looks for changes.
        """
        service = ProxyService(
            self.reactor, configure(listen=[{"endpoint": "127.0.0.1:8080"}], relay={"splice": False})
        )
        before = len(self.reactor.getDelayedCalls())
        service.startService()
        self.assertEqual(len(self.reactor.getDelayedCalls()), before)
        self.assertEqual(self.successResultOf(service.reload()).problems, ())
        service.stopService()
        self.reactor.flush()
