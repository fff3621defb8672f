"""
The proxies that can be measured, and how each is started.

It looks programs up, asks them for their version and writes their
configuration; L{benchmarks.child} runs them.  All peers get one process and no
cache.  connectproxy writes its access events to a file; the others are told to
log nothing, which is to their advantage.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.secure import CERTIFICATE
from benchmarks.tunnel import CONNECT, DIALECTS, GET, SOCKS5, TLS

__all__ = ["BASE", "BUILT_IN", "DIRECT", "Peer", "parsePeer"]

BASE = "plain"
DIRECT = "direct"

_CHECKOUT = Path(__file__).resolve().parent.parent
_VERSION_SECONDS = 10.0
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One proxy.

    @ivar name: what it goes by in tables.
    @ivar program: the name or path of what to run; empty for no proxy at all.
    @ivar arguments: from a port on 127.0.0.1, a folder for its files and how it
        is going to be spoken to, to what follows the program; it writes
        configuration files into the folder.
    @ivar remedy: how to get it, where it is missing.
    @ivar distribution: the Python distribution that this interpreter must have.
    @ivar flag: makes the program print its version.
    @ivar native: whether it is written in C or the like, and so one of those
        whose best is a reference.
    @ivar port: the port it listens on, where it can't be told; else 0.
    @ivar dialects: how it can be spoken to; of L{benchmarks.tunnel.DIALECTS}.  For
        TLS it finds a certificate with its key in its folder.
    """

    name: str
    program: str
    arguments: Callable[[int, Path, str], Sequence[str]]
    remedy: str = ""
    distribution: str = ""
    flag: str = ""
    native: bool = False
    port: int = 0
    dialects: Sequence[str] = (CONNECT, GET)

    def find(self, folders: Sequence[Path]) -> str | None:
        """
        Where the program is.

        @param folders: where to look before C{PATH}.
        @return: its path, or L{None} if it is not installed.
        """
        if self.distribution and not _installed(self.distribution):
            return None
        # Debian keeps daemons where the PATH of most users does not look.
        known = [*map(str, folders), os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
        return shutil.which(self.program, path=os.pathsep.join(known))

    def version(self, program: str) -> str:
        """
        Which version it is, as far as it tells.

        @param program: what L{find} has found.
        """
        if self.distribution:
            return f"{self.distribution} {_installed(self.distribution)}, Python {sys.version.split()[0]}"
        if not self.program:
            return "no proxy at all"
        if not self.flag:
            return ""
        try:
            done = subprocess.run(
                [program, self.flag],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_VERSION_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(r"\d+(\.\d+)+\w*", done.stdout.decode("utf-8", "replace"))
        return found.group() if found else ""


def _installed(distribution: str) -> str:
    """
    The version of a distribution in this interpreter, or nothing.

    The checkout doesn't count, although this process has it on its path: what a
    build left in it is not installed.
    """
    path = [entry for entry in sys.path if Path(entry or os.curdir).resolve() != _CHECKOUT]
    return next((found.version for found in metadata.distributions(name=distribution, path=path)), "")


def _plain(port: int, _folder: Path, _dialect: str) -> list[str]:
    # -P: the modules beside the script are not for it to import.
    return ["-P", str(Path(__file__).with_name("plain.py")), str(port)]


def _connectproxy(port: int, folder: Path, dialect: str) -> list[str]:
    listen = ["--listen", f"tcp:{port}:interface=127.0.0.1"]
    allow = ["--allow-network", "127.0.0.0/8", "--allow-ports", "any"]
    secure = ["--tls-certificate", str(folder / CERTIFICATE)] if dialect == TLS else []
    log = ["--access-log", str(folder / "access.log")]
    return ["-n", "--pidfile=", "connectproxy", *listen, *allow, *secure, *log]


def _squid(port: int, folder: Path, dialect: str) -> list[str]:
    # Started by root, squid becomes a user of its own, who has to get in here.
    folder.chmod(0o755)
    path = folder / "squid.conf"
    listen = f"http_port 127.0.0.1:{port}"
    if dialect == TLS:
        listen = f"https_port 127.0.0.1:{port} tls-cert={folder / CERTIFICATE}"
    path.write_text(
        f"{listen}\n"
        "http_access allow all\n"
        "cache deny all\n"
        "cache_mem 0 MB\n"
        "workers 1\n"
        "access_log none\n"
        "cache_log /dev/null\n"
        "cache_store_log none\n"
        "pinger_enable off\n"
        f"coredump_dir {folder}\n"
        "pid_filename none\n"
        "shutdown_lifetime 0 seconds\n"
        "visible_hostname localhost\n"
        "dns_nameservers 127.0.0.1\n"
    )
    # Shared memory goes by the service's name, and another squid may run here.
    return ["-N", "-d", "0", "-n", f"benchmark{port}", "-f", str(path)]


def _haproxy(port: int, folder: Path, _dialect: str) -> list[str]:
    """
    It ends TLS in front of connectproxy, which speaks in clear and is its child.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        clear: int = probe.getsockname()[1]
    twistd = str(Path(sys.executable).parent / "twistd")
    command = shlex.join([twistd, *_connectproxy(clear, folder, CONNECT)])
    path = folder / "haproxy.cfg"
    path.write_text(
        "global\n"
        "    master-worker\n"
        "    nbthread 1\n"
        "    maxconn 2000\n"
        "program connectproxy\n"
        f"    command {command}\n"
        "defaults\n"
        "    mode tcp\n"
        "    timeout connect 10s\n"
        "    timeout client 600s\n"
        "    timeout server 600s\n"
        "listen tls\n"
        f"    bind 127.0.0.1:{port} ssl crt {folder / CERTIFICATE} backlog 1024\n"
        f"    server clear 127.0.0.1:{clear}\n"
    )
    return ["-W", "-f", str(path)]


def _microsocks(port: int, _folder: Path, _dialect: str) -> list[str]:
    return ["-i", "127.0.0.1", "-p", str(port)]


def _dante(port: int, folder: Path, _dialect: str) -> list[str]:
    folder.chmod(0o755)
    path = folder / "sockd.conf"
    path.write_text(
        f"internal: 127.0.0.1 port = {port}\n"
        "external: 127.0.0.1\n"
        "clientmethod: none\n"
        "socksmethod: none\n"
        "errorlog: /dev/null\n"
        "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
    )
    return ["-f", str(path), "-p", str(folder / "sockd.pid")]


def _tinyproxy(port: int, folder: Path, _dialect: str) -> list[str]:
    path = folder / "tinyproxy.conf"
    path.write_text(
        f"Port {port}\n"
        "Listen 127.0.0.1\n"
        "Timeout 600\n"
        "MaxClients 100000\n"
        # It would wait for the disk after each line (fsync).
        "LogLevel Critical\n"
        "Allow 127.0.0.0/8\n"
        "DisableViaHeader Yes\n"
    )
    return ["-d", "-c", str(path)]


def _proxyPy(port: int, _folder: Path, _dialect: str) -> list[str]:
    one = ["--num-acceptors", "1", "--num-workers", "1"]
    # It would close after 10 seconds what is idle.
    more = ["--timeout", "600", "--log-level", "ERROR"]
    return ["--hostname", "127.0.0.1", "--port", str(port), *one, *more]


def _pproxy(port: int, _folder: Path, _dialect: str) -> list[str]:
    return ["-l", f"http://127.0.0.1:{port}"]


def _nobody(_port: int, _folder: Path, _dialect: str) -> list[str]:
    return []


BUILT_IN: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            BASE, sys.executable, _plain, "pip install Twisted", distribution="Twisted", dialects=(CONNECT,)
        ),
        Peer(
            "connectproxy",
            str(Path(sys.executable).parent / "twistd"),
            _connectproxy,
            "pip install . (with the interpreter that runs this command)",
            distribution="connectproxy",
            dialects=DIALECTS,
        ),
        Peer(
            "squid",
            "squid",
            _squid,
            "apt-get install squid",
            flag="-v",
            native=True,
            dialects=(CONNECT, GET, TLS),
        ),
        Peer(
            "haproxy",
            "haproxy",
            _haproxy,
            "apt-get install haproxy",
            distribution="connectproxy",
            native=True,
            dialects=(TLS,),
        ),
        # It closes after each answer, so that there is no connection to keep.
        Peer(
            "tinyproxy",
            "tinyproxy",
            _tinyproxy,
            "apt-get install tinyproxy",
            flag="-v",
            native=True,
            dialects=(CONNECT,),
        ),
        Peer(
            "microsocks",
            "microsocks",
            _microsocks,
            "apt-get install microsocks",
            native=True,
            dialects=(SOCKS5,),
        ),
        Peer(
            "dante",
            "danted",
            _dante,
            "apt-get install dante-server",
            flag="-v",
            native=True,
            dialects=(SOCKS5,),
        ),
        Peer("proxy.py", "proxy", _proxyPy, "pip install proxy.py (see --bin)", flag="--version"),
        Peer(
            "pproxy",
            "pproxy",
            _pproxy,
            "pip install pproxy (see --bin)",
            flag="--version",
            dialects=(CONNECT, GET, SOCKS5),
        ),
        Peer(DIRECT, "", _nobody),
    )
}


def parsePeer(text: str) -> Peer:
    """
    Make a peer of C{NAME=PORT:COMMAND}.

    The command must listen on 127.0.0.1, allow tunnels to any port of
    127.0.0.0/8, and stay in the foreground.  It is believed to speak everything.

    @raise ValueError: it has another form.
    """
    name, _, rest = text.partition("=")
    port, _, command = rest.partition(":")
    words = shlex.split(command)
    if not name or name in BUILT_IN or not port.isdecimal() or int(port) not in _PORTS or not words:
        raise ValueError(f"{text!r} is not NAME=PORT:COMMAND with a name that is not taken")
    return Peer(
        name,
        words[0],
        lambda _port, _folder, _dialect: words[1:],
        f"{words[0]} is not there",
        port=int(port),
        dialects=DIALECTS,
    )
