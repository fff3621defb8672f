"""
Other proxies, real ones, for this proxy to stand in front of: squid, tinyproxy, Dante's sockd,
microsocks, nghttpx, and this proxy itself.

Each has its own directory and runs in the foreground, below this process.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import pwd
import random
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

from tests.integration.front import Front, far, table
from tests.integration.origins import authority
from tests.integration.program import PASSWORD, USER
from tests.integration.running import GUARD, environment, waitFor

__all__ = ["Parents", "Program", "dante", "microsocks", "nghttpx", "parents", "squid", "tinyproxy"]

PLAIN = "secret"
"""A password for who takes letters only."""

_SQUID = """\
http_port 127.0.0.1:{port}
http_port 127.0.0.1:{asking}
acl open localport {port}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {directory}/users
auth_param basic children 1
auth_param digest program /usr/lib/squid/digest_file_auth -c {directory}/digest
auth_param digest children 1
auth_param digest realm squid
acl known proxy_auth REQUIRED
http_access allow open
http_access allow known
http_access deny all
cache deny all
access_log stdio:{directory}/log
cache_log {directory}/cache.log
cache_store_log none
pid_filename none
netdb_filename none
pinger_enable off
visible_hostname squid.test
coredump_dir {directory}
shutdown_lifetime 0 seconds
"""
"""One port for everybody, and one for who is known."""

_TINYPROXY = """\
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 100
ViaProxyName "tinyproxy.test"
LogFile "{directory}/log"
LogLevel Info
{more}
"""

_DANTE = """\
logoutput: {directory}/log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect error }}
"""


def freePorts(number: int) -> list[int]:
    """
    Ports that nobody listens at, for programs that have to be told one.  They are none of those
    that the system gives out by itself: by the time that the program is there, one of these may
    be somebody else's, who would be taken for it.  Each process that runs tests has its own.
    """
    found: list[int] = []
    while len(found) < number:
        port = next(_PORTS)
        with socket.socket() as sock:
            if not sock.connect_ex(("127.0.0.1", port)):
                continue
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found


def _ports() -> Iterator[int]:
    """
    Ports of this process, again and again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    share = (_LAST - _FIRST) // _SHARES
    begin = random.randrange(share)
    for step in count():
        yield _FIRST + worker * share + (begin + step) % share


_FIRST, _LAST, _SHARES = 10_000, 32_000, 16
"""Below what Linux gives out (ip_local_port_range), and so many processes share them."""

_PORTS = _ports()


class Program:
    """
    Another proxy.

    @ivar directory: where it runs, and has its log.
    @ivar port: where it listens.
    @ivar ports: all of those.
    """

    def __init__(
        self, name: str, command: Callable[[Program], Iterable[str | Path]], count: int = 1, prefix: str = ""
    ) -> None:
        """
        Start it; see L{ready}.

        @param name: of the executable.
        @param command: gives its arguments, and writes whatever files it needs before.
        @param count: how many ports it has.
        @param prefix: of files that it leaves in C{/dev/shm}.
        """
        found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
        assert found is not None, f"{name} is not installed; see tests/integration/packages.txt"
        self._temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.directory = Path(self._temporary.name)
        self.ports = freePorts(count)
        self.port = self.ports[0]
        self._prefix = prefix
        self._output = self.directory / "output"
        arguments = [str(each) for each in command(self)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [found, *arguments],
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self) -> Program:
        """
        Wait until it listens.
        """

        def listens() -> bool:
            assert self.process.poll() is None, self.log()
            for port in self.ports:
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", port)):
                        return False
            return True

        waitFor(listens, "a parent's start")
        return self

    def log(self) -> str:
        """
        All that it has written.
        """
        files = (self.directory / "log", self._output)
        return "".join(each.read_text(errors="replace") for each in files if each.exists())

    def waitForLog(self, pattern: str) -> None:
        """
        Wait until a regular expression matches in its log.
        """
        try:
            waitFor(lambda: re.search(pattern, self.log()), pattern)
        except AssertionError as error:
            raise AssertionError(f"{error} in the log:\n{self.log()}") from None

    def close(self) -> None:
        """
        Stop it at once.  It may have processes below it: they are in a group of their own.
        """
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait(GUARD)
        if self._prefix:
            for each in Path("/dev/shm").glob(f"{self._prefix}-*"):
                each.unlink(missing_ok=True)
        self._temporary.cleanup()


def squid() -> Program:
    """
    Squid; it knows a user at the second of its ports, by Basic or by Digest.
    """
    name = f"connectproxy{os.getpid()}"

    def command(program: Program) -> tuple[str, ...]:
        directory = program.directory
        config = _SQUID.format(port=program.port, asking=program.ports[1], directory=directory)
        (directory / "squid.conf").write_text(config)
        secret = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD.encode(), capture_output=True, check=True
        )
        (directory / "users").write_text(f"{USER}:{secret.stdout.decode()}")
        ha1 = hashlib.md5(f"{USER}:squid:{PASSWORD}".encode()).hexdigest()
        (directory / "digest").write_text(f"{USER}:squid:{ha1}\n")
        if os.getuid() == 0:  # it would not be root
            identity = pwd.getpwnam("proxy")
            os.chown(directory, identity.pw_uid, identity.pw_gid)
        return ("-N", "-n", name, "-f", "squid.conf")

    return Program("squid", command, 2, name)


def tinyproxy(*, asks: bool = False) -> Program:
    """
    Tinyproxy.

    @param asks: it wants to know a user.
    """
    more = f"BasicAuth {USER} {PLAIN}" if asks else ""

    def command(program: Program) -> tuple[str, ...]:
        config = _TINYPROXY.format(port=program.port, directory=program.directory, more=more)
        (program.directory / "tinyproxy.conf").write_text(config)
        return ("-d", "-c", "tinyproxy.conf")

    return Program("tinyproxy", command)


def dante() -> Program:
    """
    Dante's server, for SOCKS 4 and 5.
    """

    def command(program: Program) -> tuple[str, ...]:
        (program.directory / "danted.conf").write_text(
            _DANTE.format(port=program.port, directory=program.directory)
        )
        return ("-f", "danted.conf", "-p", "pid")

    return Program("danted", command)


def microsocks() -> Program:
    """
    Microsocks, for SOCKS 5 with a user and a password.
    """
    return Program(
        "microsocks",
        lambda program: ("-i", "127.0.0.1", "-p", str(program.port), "-u", USER, "-P", PASSWORD),
    )


def nghttpx(backend: int) -> Program:
    """
    Nghttpx, for HTTP/2, within TLS at the first of its ports and in clear at the second.

    @param backend: the port of the proxy that it uses itself.
    """

    def command(program: Program) -> tuple[str | Path, ...]:
        made = authority()
        secure, clear = program.ports
        (program.directory / "empty").touch()
        fronts = ("-f", f"127.0.0.1,{secure}", "-f", f"127.0.0.1,{clear};no-tls")
        options = ("-s", "--conf=empty", "--single-process", "--no-ocsp", "--accesslog-file=log")
        return (*options, *fronts, "-b", f"127.0.0.1,{backend}", made.key, made.chain)

    return Program("nghttpx", command, 2)


class Parents:
    """
    All of them, and this proxy in front.

    @ivar front: this one.
    @ivar own: this one again, as a parent.
    """

    def __init__(self) -> None:
        made, word = authority(), f"{USER}:{PASSWORD}"
        self.squid, self.tinyproxy, self.asking = squid(), tinyproxy(), tinyproxy(asks=True)
        self.dante, self.microsocks, self.nghttpx = dante(), microsocks(), nghttpx(self.squid.port)
        self._programs = (
            self.squid, self.tinyproxy, self.asking, self.dante, self.microsocks, self.nghttpx,
        )  # fmt: skip
        atexit.register(self._close)
        self._directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
        path = Path(self._directory.name) / "socket"
        self.own = far(listen=(f"unix:{path}",))
        atexit.register(self.own.discard)
        for each in self._programs:
            each.ready()
        own, squids, ca = self.own.port, self.squid.ports, made.certificate
        tables = {
            "squid": {"url": f"http://localhost:{squids[0]}"},
            "squid-basic": {"url": f"http://127.0.0.1:{squids[1]}", "credentials": word},
            "squid-digest": {
                "url": f"http://127.0.0.1:{squids[1]}", "credentials": word, "authentication": "digest",
            },
            "tinyproxy": {"url": f"http://127.0.0.1:{self.tinyproxy.port}"},
            "tinyproxy-basic": {"url": f"http://127.0.0.1:{self.asking.port}", "credentials": f"{USER}:{PLAIN}"},
            "dante": {"url": f"socks5h://127.0.0.1:{self.dante.port}"},
            "dante-judged": {"url": f"socks5://127.0.0.1:{self.dante.port}", "addresses": ""},
            "dante-4": {"url": f"socks4://127.0.0.1:{self.dante.port}", "addresses": ""},
            "microsocks": {"url": f"socks5h://127.0.0.1:{self.microsocks.port}", "credentials": word},
            "nghttpx": {"url": f"h2://localhost:{self.nghttpx.ports[0]}", "ca": ca},
            "nghttpx-clear": {"url": f"h2c://127.0.0.1:{self.nghttpx.ports[1]}"},
            "http": {"url": f"http://127.0.0.1:{own}"},
            "https": {"url": f"https://localhost:{own}", "ca": ca},
            "h2": {"url": f"h2://localhost:{own}", "ca": ca},
            "h2c": {"url": f"h2c://127.0.0.1:{own}"},
            "socks": {"url": f"socks5h://127.0.0.1:{own}"},
            "socks-4a": {"url": f"socks4a://127.0.0.1:{own}", "credentials": f"{USER}:"},
            "socks-tls": {"url": f"socks5h+tls://localhost:{own}", "ca": ca},
            "unix": {"url": f"http+unix://{path}"},
            "endpoint": {"url": "http:", "endpoint": f"unix:{path}"},
            "endpoint-tcp": {"url": "socks5h:", "endpoint": f"tcp:127.0.0.1:{self.dante.port}"},
            "straight": {"url": "endpoint:", "endpoint": "tcp:{host}:{port}"},
            # Chains: what is behind "via" is nearer.
            "two": {"url": f"socks5h://127.0.0.1:{self.dante.port}", "via": "squid"},
            "three": {
                "url": f"https://localhost:{own}", "ca": ca, "via": "over-h2",
            },
            "over-h2": {
                "url": f"http://127.0.0.1:{squids[1]}", "credentials": word, "authentication": "digest",
                "via": "nghttpx",
            },
            "mixed": {"url": f"h2://localhost:{own}", "ca": ca, "via": "over-socks"},
            "over-socks": {"url": f"http://127.0.0.1:{self.tinyproxy.port}", "via": "microsocks"},
        }  # fmt: skip
        text = "".join(table(name, **{"url": "", **rest}) for name, rest in tables.items())
        ways = [name for name in tables if not name.startswith("over-")]
        self.front = Front(ways, text)
        atexit.register(self.front.discard)

    def _close(self) -> None:
        for each in self._programs:
            each.close()


@functools.cache
def parents() -> Parents:
    """
    Those that all tests share.
    """
    return Parents()
