"""
The command line: C{twistd connectproxy}.

Owns the options, which it makes from the schema of the configuration, and the way into
and out of the process: errors become messages and exit statuses here.  The one module
that knows the global reactor, and that only when a service is made.
"""

from __future__ import annotations

import gc
import getopt
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import Logger
from twisted.python import usage

from connectproxy import __version__
from connectproxy.config import SCHEMA, Config, ConfigurationError, Setting, load
from connectproxy.config.forms import AccessLog, Flag, PortList, nearest
from connectproxy.config.words import File, FileList

__all__ = ["Options", "StartFailed", "makeService"]

_CONFIG = "config"


def _described(setting: Setting) -> str:
    """
    What the help says about a setting's option.
    """
    if isinstance(setting.form, Flag):
        return setting.help
    if isinstance(setting.default, list):
        default = ",".join(map(str, setting.default)) or "none"
    else:
        default = str(setting.default) or "none"
    return f"{setting.metavar}: {setting.help} ({setting.form.words}; default: {default})"


_OPTIONS = tuple(setting for setting in SCHEMA if setting.option)
_FLAGS = tuple(setting for setting in _OPTIONS if isinstance(setting.form, Flag))
_REPEATABLE = tuple(setting for setting in _OPTIONS if setting.repeatable)
_PARAMETERS = tuple(setting for setting in _OPTIONS if setting not in _FLAGS + _REPEATABLE)


def _completer(setting: Setting) -> usage.Completer:
    """
    How a shell completes an option's argument.
    """
    if isinstance(setting.form, File | FileList):
        return usage.CompleteFiles()
    if isinstance(setting.form, AccessLog):
        return usage.CompleteFiles(descr="file, - or none")
    if isinstance(setting.form, PortList):
        return usage.CompleteMultiList(["443", "80", "any"], descr=setting.form.words)
    return usage.Completer(descr=setting.form.words)


class Options(usage.Options):
    """
    The command line of C{twistd connectproxy}.

    @ivar config: the configuration, as soon as the options are parsed.
    """

    synopsis = "[options]"

    longdesc = (
        "A forward proxy: clients send it HTTP CONNECT, and it joins them to where they want to go. Without"
        " options it listens on 127.0.0.1:8080 and lets them go to ports 443 and 80 of public addresses; with"
        " --profile sandbox --allow FILE only to what the file lists, with a token."
        " An option overrides its key in the file. Everything that is wrong is reported at once."
    )

    optFlags = [[setting.option, None, _described(setting)] for setting in _FLAGS]

    optParameters = [
        [_CONFIG, "c", None, "FILE: a configuration in TOML; see tap-config.example"],
        *([setting.option, None, None, _described(setting)] for setting in _PARAMETERS),
    ]

    compData = usage.Completions(
        multiUse=[setting.option for setting in _REPEATABLE],
        optActions={
            _CONFIG: usage.CompleteFiles("*.toml", descr="configuration"),
            **{setting.option: _completer(setting) for setting in _OPTIONS if setting not in _FLAGS},
        },
    )

    config: Config

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse a command line, and read the file that it names.

        @raise usage.UsageError: all that is wrong.
        @raise SystemExit: the same, under C{twistd}: for a L{usage.UsageError} that
            prints two pages of help over the message, and in older releases exits with
            the status of success.
        """
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as error:
            message = str(error)
            if isinstance(error.__context__, getopt.GetoptError):
                message = self._advised(error.__context__)
            if self.parent is None:
                raise usage.UsageError(message) from None
            raise SystemExit(f"connectproxy cannot start:\n{message}") from None

    def _advised(self, error: getopt.GetoptError) -> str:
        """
        Say which option could have been meant.
        """
        near = nearest(error.opt, [name.rstrip("=") for name in self.longOpt])
        advice = f"do you mean --{near}?" if near else "see twistd connectproxy --help"
        return f"{error.msg}; {advice}"

    def parseArgs(self, *arguments: str) -> None:
        """
        There are options only.
        """
        if arguments:
            words = " ".join(arguments)
            raise usage.UsageError(f"{words}: is not an option; see twistd connectproxy --help")

    def postOptions(self) -> None:
        """
        Make the configuration.
        """
        try:
            self._directory = os.getcwd()
        except OSError:  # it has been removed
            self._directory = ""
        try:
            self.config = self._load("")
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error

    def again(self) -> Config:
        """
        Read the configuration once more: the file as it is by then, and the same options.
        C{twistd} may have gone to another directory, and names of files mean what they meant.
        Blocks.

        @raise ConfigurationError: all that is wrong with it.
        """
        return self._load(self._directory)

    def _load(self, directory: str) -> Config:
        """
        Read the configuration.
        """
        said = {setting.option: self.get(setting.option) for setting in _OPTIONS}
        said |= {setting.option: bool(self[setting.option]) for setting in _FLAGS}
        return load(self[_CONFIG], said, directory)

    def opt_version(self) -> None:
        """
        Display the versions of connectproxy and Twisted, and exit.
        """
        print(f"connectproxy {__version__}")  # noqa: T201 - what was asked for
        usage.Options.opt_version(self)


def _collector(setting: Setting) -> Callable[[Options, str], None]:
    """
    The method by which L{usage.Options} takes an option that may be repeated.
    """

    def collect(self: Options, argument: str) -> None:
        self[setting.option] = (*self.get(setting.option, ()), argument)

    collect.__doc__ = _described(setting)
    return collect


for _setting in _REPEATABLE:
    setattr(Options, "opt_" + _setting.option.replace("-", "_"), _collector(_setting))


class StartFailed(SystemExit, Exception):
    """
    The proxy cannot start, for a reason that a traceback would not make clearer.

    As a C{SystemExit} it ends C{twistd -n} with a message and status 1; as an
    C{Exception} it is what a C{twistd} in the background reports to the process that
    is waiting for it, having removed its pid file.
    """


class _Process(MultiService):
    """
    The services of a process that is nothing else but a proxy.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: the process's.
        """
        MultiService.__init__(self)
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        """
        Make room, then begin to listen.

        @raise StartFailed: that is not possible.
        """
        _makeRoom()
        self._surviveHangUp()
        self._start(MultiService.privilegedStartService)

    def _surviveHangUp(self) -> None:
        """
        SIGHUP is what log rotation sends, and a terminal that closes, and who has other
        rules or new certificates: no reason to cut every tunnel.
        """

        def hungUp(signum: int, frame: object) -> None:
            self._reactor.callFromThread(self._reload)

        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, hungUp)

    def _reload(self) -> None:
        """
        Take up what can be changed while the proxy is up.
        """
        self._log.info(
            "SIGHUP: the configuration is read anew, and rules, users, lists, keys and certificates with it; what"
            " else has changed in it, such as where to listen, takes a restart; logs are opened anew by themselves"
        )
        for each in self.services:
            each.reload()

    def startService(self) -> None:
        """
        Begin to serve.

        @raise StartFailed: that is not possible.
        """
        self._start(MultiService.startService)

    def _start(self, start: Callable[[MultiService], Any]) -> None:
        """
        Turn the failure that an operator can do something about into the end.
        """
        from connectproxy.service import ListenFailed  # noqa: PLC0415 - see makeService

        try:
            start(self)
        except ListenFailed as error:
            raise StartFailed(f"connectproxy cannot start: {error}") from error


def _makeRoom() -> None:
    """
    Settle what belongs to the process and not to a proxy in it.

      - Descriptors: as many as the system lets this user have.  What a login session
        begins with, 1024 nearly everywhere, is five hundred tunnels.
      - The garbage collector: a tunnel leaves no cycles behind, so nearly all that the
        collector does is to look in vain at what start-up made.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    try:
        import resource  # noqa: PLC0415 - it is not everywhere

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ImportError, ValueError, OSError):
        pass  # then it is as it was


LOOKUP_THREADS = 48
"""
Threads in which names are looked up, at most.  Each waits for the system's resolver,
up to half a minute where a name server is silent; Twisted's ten could all be waiting for
names that one client made up.
"""


def makeService(options: Options) -> IService:
    """
    The service that C{twistd} runs.

    The proxy itself and the reactor are imported here, since neither C{--help} nor a
    wrong option should have to wait for them.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    from connectproxy.service import ProxyService  # noqa: PLC0415

    # The type of the module that stands for a reactor has none of a reactor's methods.
    reactor.suggestThreadPoolSize(LOOKUP_THREADS)  # type: ignore[attr-defined]
    process = _Process(reactor)
    process.setName("connectproxy")
    ProxyService(reactor, options.config, options.again).setServiceParent(process)
    return process
