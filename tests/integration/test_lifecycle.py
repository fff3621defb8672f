"""
Starting and stopping.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import SilentOrigin, connect, head, listening, nameOf, readAnswer, readToEnd
from tests.integration.running import GUARD, LOCAL, ROOT, STOPPED, TWISTD, environment, waitFor

pytestmark = pytest.mark.integration


class StartTests(ProxyTestCase):
    """
    What makes a proxy start, or not.
    """

    def fails(self, *arguments: str) -> str:
        """
        Run a proxy that can't start.

        @return: what it writes.
        """
        done = subprocess.run(
            [*TWISTD, "-n", "--pidfile=", "connectproxy", *arguments],
            cwd=self.temporary(),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GUARD,
            check=False,
            text=True,
        )
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertNotIn("Traceback", done.stdout)
        return done.stdout

    def test_noArguments(self) -> None:
        """
        Without arguments it listens on 127.0.0.1:8080 and says so, with a command to try; where
        somebody else has that port, it says that.
        """
        proxy = self.launch(listen=(), events=False)
        if proxy.addresses:
            self.assertEqual(proxy.addresses, ["127.0.0.1:8080"])
            self.assertIn("; try: curl -x http://127.0.0.1:8080 https://example.com/", proxy.log())
            self.assertRefused(self.ask("127.0.0.1:443", proxy), 403, "destination_ip_prohibited")
        else:
            self.assertIn("can't listen at tcp:8080:interface=127.0.0.1", proxy.log())
            self.assertIn("Address already in use", proxy.log())

    def test_example(self) -> None:
        """
        The sample configuration runs as it is, but for its port.
        """
        shutil.copy(ROOT / "tap-config.example", directory := self.temporary())
        proxy = self.launch("--config", str(directory / "tap-config.example"), events=False)
        self.assertRefused(self.ask("127.0.0.1:443", proxy), 403, "destination_ip_prohibited")

    def test_portInUse(self) -> None:
        """
        One message that says which port, and no traceback.
        """
        port = self.origin().getsockname()[1]
        said = self.fails("--listen", str(port))
        self.assertEqual(said.count("connectproxy cannot start"), 1, said)
        self.assertIn(f"can't listen at tcp:{port}:interface=127.0.0.1", said)
        self.assertIn("Address already in use", said)

    def test_oneOfSeveralPortsInUse(self) -> None:
        """
        All or nothing.
        """
        port = self.origin().getsockname()[1]
        said = self.fails("--listen", "0", "--listen", str(port))
        self.assertIn(f"can't listen at tcp:{port}:", said)

    def test_badOptions(self) -> None:
        """
        All that is wrong is told at once, wherever it was said.
        """
        file = self.temporary() / "proxy.toml"
        file.write_text('[timeouts]\nidel = 5\nconnect = "soon"\n[allow]\nnetworks = ["10.0.0.1/8"]\n')
        said = self.fails(
            "--config", str(file), "--max-tunnels", "many", "--allow-ports", "443,0", "--listen", "x:y:z"
        )
        for words in (
            f"{file}:2 [timeouts] idel: ",
            f"{file}:3 [timeouts] connect: ",
            f"{file}:5 [allow] networks: ",
            "--max-tunnels: ",
            "--allow-ports: ",
            "--listen: ",
        ):
            self.assertIn(words, said)
        self.assertEqual(said.count("connectproxy cannot start"), 1, said)

    def test_unknownOption(self) -> None:
        """
        An option that does not exist is named, with the one that may have been meant.
        """
        said = self.fails("--alow-ports", "any")
        self.assertIn("--allow-ports", said)
        self.assertNotIn("Options:", said)

    def test_open(self) -> None:
        """
        Where others could reach it, it does not listen unasked, and says why and what to do.
        """
        for endpoint in ("0.0.0.0:0", "tcp:0", "[::]:0"):
            said = self.fails("--listen", endpoint)
            for words in (
                "--listen: ",
                "can be reached from other machines",
                "nobody is asked",
                "say --open",
            ):
                self.assertIn(words, said)
        proxy = self.launch("--open", *LOCAL, listen=("0.0.0.0:0",))
        self.assertEqual(proxy.addresses[0].partition(":")[0], "0.0.0.0")
        self.assertIn(f"curl -x http://127.0.0.1:{proxy.port} ", proxy.log())
        self.assertPings(*self.tunnel(proxy=proxy))

    def test_severalListeners(self) -> None:
        """
        Each listener serves, and events tell which it was.
        """
        path = self.temporary() / "proxy.sock"
        proxy = self.launch(*LOCAL, listen=("0", "127.0.0.2:0", f"unix:{path}"))
        first, second = (each.rpartition(":") for each in proxy.addresses[:2])
        origin = self.origin()
        request = head(f"127.0.0.1:{origin.getsockname()[1]}")
        local = self.closing(socket.socket(socket.AF_UNIX))
        local.settimeout(GUARD)
        local.connect(str(path))
        for client in (
            self.closing(connect(int(first[2]))),
            self.closing(connect(int(second[2]), "127.0.0.2")),
            local,
        ):
            client.sendall(request)
            self.assertEqual(readAnswer(client).status, 200)
            end = self.accept(origin)
            self.assertPings(client, end)
            client.close()
            end.close()
        events = waitFor(lambda: (found := proxy.events())[2:] and found, "three events")
        listeners = [each["listener"].removesuffix(":backlog=1024") for each in events]
        expected = ["tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.2", f"unix:{path}"]
        self.assertEqual(sorted(listeners), sorted(expected))

    def test_IPv6(self) -> None:
        """
        IPv6 on both sides.
        """
        proxy = self.launch(*LOCAL, listen=("[::1]:0",))
        origin = self.closing(listening("::1"))
        client = self.closing(connect(proxy.port, "::1"))
        name = nameOf(client)
        target = f"[::1]:{origin.getsockname()[1]}"
        client.sendall(head(target))
        self.assertEqual(readAnswer(client).status, 200)
        end = self.accept(origin)
        self.assertPings(client, end)
        client.close()
        end.close()
        event = proxy.event(name)
        self.assertEqual((event["target"], event["address"]), (target, target))


class BackgroundTests(ProxyTestCase):
    """
    C{twistd} without C{-n}: it goes into the background.
    """

    def twistd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """
        Run it until it has started or failed to.
        """
        self.directory = self.temporary()
        return subprocess.run(
            [*TWISTD, "--pidfile=pid", "--logfile=log", "connectproxy", *arguments],
            cwd=self.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GUARD,
            check=False,
            text=True,
        )

    def killIfAlive(self, pid: int) -> None:
        """
        Leave nothing behind when a test fails.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def test_starts(self) -> None:
        """
        The command ends when the proxy listens, and the proxy when it is told to.
        """
        done = self.twistd("--listen", "0", "--access-log", "access.json")
        pid = int((self.directory / "pid").read_text())
        self.addCleanup(self.killIfAlive, pid)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        log = self.directory / "log"
        (port,) = re.findall(r"listens at 127\.0\.0\.1:(\d+)", log.read_text())
        with connect(int(port)) as client:
            client.sendall(head("10.0.0.1:443"))
            self.assertRefused(readAnswer(client), 403, "destination_ip_prohibited")
        os.kill(pid, signal.SIGTERM)
        waitFor(lambda: "Server Shut Down" in log.read_text(), "the end")
        self.assertFalse((self.directory / "pid").exists())
        self.assertEqual((self.directory / "access.json").read_text().count("\n"), 1)

    def test_fails(self) -> None:
        """
        What keeps it from starting is told by the command, which fails.
        """
        port = self.origin().getsockname()[1]
        done = self.twistd("--listen", str(port))
        self.assertEqual(done.returncode, 1, done.stdout)
        # twistd cuts what the process in the background tells it; the log has the whole.
        self.assertIn(f"connectproxy cannot start: can't listen at tcp:{port}:", done.stdout)
        log = self.directory / "log"
        waitFor(lambda: "Address already in use" in log.read_text(), "the reason in the log")
        self.assertFalse((self.directory / "pid").exists())


class StopTests(ProxyTestCase):
    """
    SIGTERM stops a proxy without tearing what is under way, up to a deadline.
    """

    def test_idle(self) -> None:
        """
        With nothing under way it ends at once; clients that have not asked are disconnected.
        """
        proxy = self.launch(*LOCAL, "--drain-timeout", "600")
        silent = self.connect(proxy)
        self.ask("10.0.0.1:443", proxy)
        proxy.terminate()
        self.assertEqual(proxy.wait(), STOPPED)
        self.assertEqual(readToEnd(silent), (b"", "eof"))

    def test_withinTheDeadline(self) -> None:
        """
        Nothing new is accepted, a tunnel that is up goes on, and the proxy ends when it does.
        """
        proxy = self.launch(*LOCAL, "--drain-timeout", "600")
        client, origin = self.tunnel(proxy=proxy)
        name = nameOf(client)
        begun = self.connect(proxy)
        begun.sendall(b"CONNECT a.example:4")
        self.assertPings(client, origin)
        proxy.terminate()
        proxy.waitForLog("they have 600 s to end")
        self.assertRaises(ConnectionRefusedError, connect, proxy.port)
        self.assertRefused(readAnswer(begun), 503, "proxy_internal_response", "the proxy is being stopped")
        begun.close()
        self.assertPings(client, origin)
        origin.sendall(b"the end")
        origin.close()
        self.assertEqual(readToEnd(client), (b"the end", "eof"))
        client.close()
        self.assertEqual(proxy.wait(), STOPPED)
        event = proxy.event(name)
        self.assertEqual((event["event"], event["end"], event["phase"]), ("tunnel", "eof", "draining"))
        self.assertEqual(event["bytes_down"], 15)

    def test_afterTheDeadline(self) -> None:
        """
        What does not end in time is reset, at both ends, in either relay.
        """
        for config in ("", "[relay]\nsplice = false\n"):
            proxy = self.launch(*LOCAL, "--drain-timeout", "0.5", config=config)
            client, origin = self.tunnel(proxy=proxy)
            self.assertPings(client, origin)
            name = nameOf(client)
            proxy.terminate()
            self.assertEqual(readToEnd(client), (b"", "reset"))
            self.assertEqual(readToEnd(origin), (b"", "reset"))
            self.assertEqual(proxy.wait(), STOPPED)
            self.assertIn("1 tunnels have not ended in time and are reset", proxy.log())
            event = proxy.event(name)
            self.assertEqual((event["ended_by"], event["end"]), ("proxy", "drain_timeout"))

    def test_hangUp(self) -> None:
        """
        SIGHUP, which rotation of logs sends and a terminal that closes, cuts no tunnel.
        """
        proxy = self.launch(*LOCAL)
        client, origin = self.tunnel(proxy=proxy)
        os.kill(proxy.process.pid, signal.SIGHUP)
        waitFor(lambda: "SIGHUP: the configuration is read anew" in proxy.log(), "word of the signal")
        self.assertPings(client, origin)

    def test_whileDialling(self) -> None:
        """
        Who waits for a connection when the deadline comes is told so.
        """
        silent = self.closing(SilentOrigin())
        proxy = self.launch(*LOCAL, "--drain-timeout", "0.5", "--connect-timeout", "600")
        client = self.connect(proxy)
        client.sendall(head(f"127.0.0.1:{silent.port}"))
        other = self.connect(proxy)
        other.sendall(head("10.0.0.1:443"))
        readAnswer(other)  # so the first has been read too
        other.close()
        proxy.terminate()
        self.assertRefused(readAnswer(client), 503, "proxy_internal_response", "the proxy is being stopped")
        client.close()
        self.assertEqual(proxy.wait(), STOPPED)

    def test_whileStopped(self) -> None:
        """
        A client with a reader that stopped does not keep the proxy from ending.
        """
        proxy = self.launch(*LOCAL, "--drain-timeout", "0.5", config="[relay]\nsplice = false\n")
        client, origin = self.tunnel(proxy=proxy)
        origin.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            while True:
                origin.sendall(b"x" * 65536)
        proxy.terminate()
        self.assertEqual(proxy.wait(), STOPPED)
        self.assertEqual(readToEnd(client)[1], "reset")
