"""
Tests for L{connectproxy.tap}.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from twisted.application.service import IService, Service
from twisted.logger import capturedLogs, formatEvent
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import __version__
from connectproxy.address import Networks
from connectproxy.config import SCHEMA, ConfigurationError
from connectproxy.config.forms import Flag
from connectproxy.tap import Options, StartFailed, makeService


class Twistd(usage.Options):
    """
    What C{twistd} is to L{Options}: the command whose subcommand it is.
    """

    subCommands = [["connectproxy", None, Options, "a proxy"]]


class OptionsTests(SynchronousTestCase):
    """
    The command line becomes a configuration.
    """

    def parse(self, *arguments: str) -> Options:
        """
        Parse a command line.
        """
        options = Options()
        options.parseOptions(arguments)
        return options

    def test_nothing(self) -> None:
        """
        Without options there is one listener, on a loopback address.
        """
        (listener,) = self.parse().config.listeners
        self.assertEqual(listener.endpoint, "tcp:8080:interface=127.0.0.1:backlog=1024")

    def test_everyOption(self) -> None:
        """
        All of them at once; those that may be repeated add up, of others the last one
        counts.
        """
        file = self.mktemp()
        Path(file).write_text("[timeouts]\nhead = 1\nidle = 1\n")
        config = self.parse(
            "--listen=8081",
            "--listen",
            "tcp:8082",
            "--open",
            "--config",
            file,
            "--allow-ports=22,443",
            "--allow-network=10.0.0.0/8",
            "--allow-network=fd00::/8",
            "--access-log=-",
            "--connect-timeout=2",
            "--idle-timeout=3",
            "--idle-timeout=4",
            "--drain-timeout=5",
            "--max-tunnels=6",
        ).config
        self.assertEqual([each.endpoint.split(":")[1] for each in config.listeners], ["8081", "8082"])
        self.assertEqual(config.origin, os.path.abspath(file))
        self.assertIs(config["proxy.open"], True)
        self.assertEqual(config["allow.ports"], ((22, 22), (443, 443)))
        self.assertEqual(config["allow.networks"], Networks.parse("10.0.0.0/8", "fd00::/8"))
        self.assertEqual(config["access_log.file"], "-")
        self.assertEqual(
            [config[f"timeouts.{name}"] for name in ("head", "connect", "idle", "drain")],
            [1.0, 2.0, 4.0, 5.0],
        )
        self.assertEqual(config["limits.tunnels"], 6)

    def test_oneCommandLineDoesNotReachTheNext(self) -> None:
        """
        What is repeated is gathered in the instance.
        """
        self.parse("--listen=8081")
        self.assertEqual(len(self.parse("--listen=8082").config.listeners), 1)

    def test_accessOptions(self) -> None:
        """
        The options that say who may go where; names of files are completed at once, since
        C{twistd} may go elsewhere.
        """
        here = os.getcwd()
        config = self.parse(
            "--profile=sandbox",
            "--allow=a.txt",
            "--allow=/etc/b.txt",
            "--users=u",
            "--token-key=k1",
            "--token-key=k2",
            "--checker=unix",
            "--checker=file:x",
            "--audit=audit.jsonl",
            "--control=c",
        ).config
        self.assertEqual(config["proxy.profile"], "sandbox")
        self.assertEqual(config["allow.list"], (f"{here}/a.txt", "/etc/b.txt"))
        self.assertEqual(config["auth.users"], f"{here}/u")
        self.assertEqual(config["auth.token_keys"], (f"{here}/k1", f"{here}/k2"))
        self.assertEqual(config["auth.checkers"], ("unix", "file:x"))
        self.assertEqual(config["audit.file"], f"{here}/audit.jsonl")
        self.assertEqual(config["control.socket"], f"{here}/c")

    def test_again(self) -> None:
        """
        The file is read as it is by then, with the same options; from another directory,
        relative names mean what they meant.
        """
        old = os.getcwd()
        directory = os.path.abspath(self.mktemp())
        os.makedirs(f"{directory}/elsewhere")
        self.addCleanup(os.chdir, old)
        os.chdir(directory)
        Path("proxy.toml").write_text('[auth]\nusers = "u"\n[timeouts]\nidle = 5\n')
        Path("secret").write_text("me:first\n")
        options = self.parse("--config=proxy.toml", "--auth=@secret", "--token-key=k", "--idle-timeout=7")
        before = options.config
        os.chdir("elsewhere")
        self.assertEqual(options.again(), before)
        self.assertEqual(options.again().id, before.id)
        Path(directory, "proxy.toml").write_text('[auth]\nusers = "v"\n[timeouts]\nidle = 6\n')
        Path(directory, "secret").write_text("me:second\n")
        after = options.again()
        self.assertEqual(after["auth.users"], f"{directory}/v")
        self.assertEqual(after["auth.token_keys"], (f"{directory}/k",))
        self.assertEqual(after["auth.basic"], "me:second")
        self.assertEqual(after["timeouts.idle"], 7.0)
        self.assertEqual(after.files, (f"{directory}/proxy.toml", f"{directory}/secret"))
        self.assertIs(options.config, before)
        Path(directory, "proxy.toml").write_text("[auth]\nuser = 5\n")
        self.assertRaises(ConfigurationError, options.again)

    def test_directoryThatIsGone(self) -> None:
        """
        Who is in a directory that has been removed can start all the same.
        """
        with mock.patch("os.getcwd", side_effect=FileNotFoundError):
            options = self.parse("--idle-timeout=7", "--token-key=k")
            self.assertEqual(options.config["auth.token_keys"], ("k",))
            self.assertEqual(options.again(), options.config)

    def test_problemsComeTogether(self) -> None:
        """
        A L{usage.UsageError} has a line for each.
        """
        error = self.assertRaises(
            usage.UsageError, self.parse, "--listen=x:1", "--listen=0.0.0.0:1", "--idle-timeout=1h"
        )
        lines = str(error).splitlines()
        self.assertEqual(
            sorted(line.partition(":")[0] for line in lines), ["--idle-timeout", "--listen", "--listen"]
        )

    def test_unknownOptions(self) -> None:
        """
        The option that was probably meant is named, or else the way to all of them.
        """
        error = self.assertRaises(usage.UsageError, self.parse, "--listne=8080")
        self.assertEqual(str(error), "option --listne not recognized; do you mean --listen?")
        error = self.assertRaises(usage.UsageError, self.parse, "--xyz")
        self.assertEqual(str(error), "option --xyz not recognized; see twistd connectproxy --help")
        error = self.assertRaises(usage.UsageError, self.parse, "--open=yes")
        self.assertIn("--open", str(error))

    def test_noArguments(self) -> None:
        """
        Words that are no options are named.
        """
        error = self.assertRaises(usage.UsageError, self.parse, "--open", "8080", "x")
        self.assertEqual(str(error), "8080 x: is not an option; see twistd connectproxy --help")

    def test_underTwistd(self) -> None:
        """
        C{twistd} ends with a status that is not 0, and a message that is not lost below
        pages of help, whatever its release would do with a L{usage.UsageError}.
        """
        for arguments in (["--bad"], ["--idle-timeout=x"], ["word"]):
            error = self.assertRaises(SystemExit, Twistd().parseOptions, ["connectproxy", *arguments])
            message = error.code
            self.assertIsInstance(message, str)
            self.assertTrue(message.startswith("connectproxy cannot start:\n"), message)
        parsed = Twistd()
        parsed.parseOptions(["connectproxy", "--listen=8081"])
        self.assertEqual(len(parsed.subOptions.config.listeners), 1)


class HelpTests(SynchronousTestCase):
    """
    What the command line tells about itself.
    """

    def test_everyOptionIsExplained(self) -> None:
        """
        The help has every option of the schema, what it does, and its default.
        """
        text = re.sub(r"\s+", " ", str(Options()))
        for setting in SCHEMA:
            if setting.option:
                self.assertIn(f"--{setting.option}", text)
                self.assertIn(setting.help, text)
                if not isinstance(setting.form, Flag):
                    self.assertIn(setting.form.words, text)
        self.assertIn("default: 443,80)", text)
        self.assertIn("default: none)", text)
        self.assertIn("--config", text)

    def test_helpFits(self) -> None:
        """
        No line is wider than a terminal.
        """
        self.assertLessEqual(max(map(len, str(Options()).splitlines())), 80)

    def test_version(self) -> None:
        """
        C{--version} tells ours and Twisted's.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertIn(f"connectproxy {__version__}\n", out.getvalue())
        self.assertIn("Twisted", out.getvalue())

    def test_zshCompletion(self) -> None:
        """
        Twisted's completion for zsh offers every option; those that may be repeated more
        than once; files where a file is meant, and hints for the rest.
        """
        out = io.BytesIO()
        options = Options()
        self.patch(options, "_shellCompFile", out)
        self.patch(sys, "argv", ["connectproxy"])
        self.assertRaises(SystemExit, options.parseOptions, ["", "--_shell-completion", "zsh:2"])
        lines = {
            line for line in out.getvalue().decode().splitlines() if line.startswith("'") or "--" in line
        }
        for setting in SCHEMA:
            if not setting.option:
                continue
            (line,) = (line for line in lines if re.search(rf"--{setting.option}(=|\[)", line))
            self.assertEqual("*" in line.partition("--")[0], setting.repeatable, line)
            if setting.form.words in ("true or false",):
                self.assertNotIn("=[", line)
            elif setting.option == "access-log":
                self.assertIn("_files", line)
        (line,) = (line for line in lines if "--config=" in line)
        self.assertIn("_files", line)
        self.assertIn("*.toml", line)


class ListenFailed(Exception):
    """
    Stands for the one of L{connectproxy.service}.
    """


class Proxy(Service):
    """
    Stands for L{connectproxy.service.ProxyService}.
    """

    failsIn = ""
    error: Exception = ListenFailed("port 80: permission denied")

    def __init__(self, reactor: Any, config: Any, again: Any) -> None:
        self.reactor = reactor
        self.config = config
        self.again = again
        self.calls: list[str] = []

    def reload(self) -> None:
        self.calls.append("reload")

    def privilegedStartService(self) -> None:
        self._call("privilegedStartService")

    def startService(self) -> None:
        Service.startService(self)
        self._call("startService")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.failsIn:
            raise self.error


class ServiceTests(SynchronousTestCase):
    """
    L{makeService} gives C{twistd} what it runs.
    """

    def setUp(self) -> None:
        """
        Put a fake in the place of the proxy.
        """
        module = ModuleType("connectproxy.service")
        module.__dict__.update(ProxyService=Proxy, ListenFailed=ListenFailed)
        patcher = mock.patch.dict(sys.modules, {"connectproxy.service": module})
        patcher.start()
        self.addCleanup(patcher.stop)
        self.options = Options()
        self.options.parseOptions(["--idle-timeout=5"])
        self.service = makeService(self.options)
        (self.proxy,) = self.service

    def test_holdsTheProxy(self) -> None:
        """
        It is a service, named after us, of one proxy with the global reactor, the
        configuration of the command line, and the way to read it again.
        """
        from twisted.internet import reactor

        verifyObject(IService, self.service)
        self.assertEqual(self.service.name, "connectproxy")
        self.assertIs(self.proxy.reactor, reactor)
        self.assertIs(self.proxy.config, self.options.config)
        self.assertEqual(self.proxy.again(), self.options.config)

    def test_startsAndStops(self) -> None:
        """
        The proxy is started with privileges first, then without, and stopped.
        """
        self.service.privilegedStartService()
        self.service.startService()
        self.assertEqual(self.proxy.calls, ["privilegedStartService", "startService"])
        self.assertTrue(self.proxy.running)
        self.successResultOf(self.service.stopService())
        self.assertFalse(self.proxy.running)

    def test_hangUp(self) -> None:
        """
        SIGHUP has everything read anew that can be, in the reactor's own time, and says so
        without a promise of more; nothing is stopped.
        """
        from twisted.internet import reactor

        with mock.patch("signal.signal") as install:
            self.service.privilegedStartService()
        handlers = dict(call.args for call in install.call_args_list)
        self.assertEqual(set(handlers), {signal.SIGHUP})
        del self.proxy.calls[:]
        with mock.patch.object(reactor, "callFromThread") as later:
            handlers[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(self.proxy.calls, [])
        ((reload,), _) = later.call_args
        with capturedLogs() as events:
            reload()
        self.assertEqual(self.proxy.calls, ["reload"])
        (said,) = map(formatEvent, events)
        self.assertIn("SIGHUP: the configuration is read anew", said)
        for word in ("rules", "users", "lists", "keys", "certificates", "restart"):
            self.assertIn(word, said)

    def test_failsWithoutATraceback(self) -> None:
        """
        If it cannot listen, C{twistd} in the foreground ends with the message and a
        status; in the background, where it catches C{Exception} to tell the process
        that waits, it gets the message as well.
        """
        for name in ("privilegedStartService", "startService"):
            self.proxy.failsIn = name
            error = self.assertRaises(StartFailed, getattr(self.service, name))
            self.assertIsInstance(error, SystemExit)
            self.assertIsInstance(error, Exception)
            self.assertEqual(error.code, "connectproxy cannot start: port 80: permission denied")
            self.assertEqual(str(error), error.code)

    def test_otherFailuresAreBugs(self) -> None:
        """
        They keep their traceback.
        """
        self.proxy.failsIn = "privilegedStartService"
        self.proxy.error = ZeroDivisionError()
        self.assertRaises(ZeroDivisionError, self.service.privilegedStartService)
