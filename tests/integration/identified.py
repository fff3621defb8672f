"""
Tests at a proxy that knows one user by every means that there are.

Files of users, of hashes for Digest, of keys and of revoked tokens are written by the
commands that an operator has for it.
"""

from __future__ import annotations

import atexit
import base64
import functools
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bcrypt
from argon2 import PasswordHasher

from connectproxy.certificates import Issued, makeAuthority, makeClient
from tests.integration.origins import Web, authority
from tests.integration.program import PASSWORD, USER, OnePortCase
from tests.integration.running import GUARD, Proxy, environment, waitFor

__all__ = [
    "CHEAP",
    "GROUPS",
    "NETWORK",
    "OTHERS",
    "SENDER",
    "Household",
    "KnownCase",
    "basic",
    "household",
    "operate",
]

GROUPS = ["builders", "staff"]
"""The user's groups, sorted, however it is found out who asks."""

OTHERS = {"bob": ("argon2", "wörd: of bob"), "carl": ("scrypt", "a b%c"), "zoë": ("bcrypt", "ключ")}
"""Other users, how their passwords are hashed, and those."""

CHEAP = ("dora", "emil")
"""Users whose hashes are not that dear, for many of them: by bcrypt and by argon2."""

NETWORK = "127.0.0.77"
"""The address by which the user is known."""

SENDER = "127.0.0.78"
"""The address of the load balancer whose header is believed."""

_CONFIG = """\
[[listen]]
endpoint = "tcp:0:interface=127.0.0.1"
name = "main"
tls_certificate = "{made.chain}"
tls_key = "{made.key}"
client_certificates = "optional"
client_ca = "{folder}/clients.pem"
{listen}
[[listen]]
endpoint = "tcp:0:interface=127.0.0.1"
name = "balanced"
proxy_protocol_from = ["{sender}/32"]
{listen}
[access_log]
file = "{access}"

[allow]
networks = ["127.0.0.0/8", "::1"]
ports = "1024-65535"

[auth]
users = "{folder}/users"
digest_users = "{folder}/digest"
token_keys = ["{folder}/token.key"]
revoked_tokens = "{folder}/revoked"
{auth}
[[group]]
name = "staff"
users = ["ann"]

[[group]]
name = "builders"
users = ["ann", "bob"]

[[identity]]
user = "*"
certificate = ["subject:CN=*"]

[[identity]]
user = "*"
proxy_header = ["authority:*.users.example"]

[[identity]]
user = "ann"
networks = ["{network}"]
{more}
"""


def operate(*words: str | Path, said: str = "") -> str:
    """
    Run a command of C{connectproxy}.

    @param said: what it reads from standard input.
    @return: what it writes to standard output.
    """
    return subprocess.run(
        [sys.executable, "-m", "connectproxy", *map(str, words)],
        input=said,
        capture_output=True,
        env=environment(),
        timeout=GUARD,
        check=True,
        encoding="utf-8",
    ).stdout


def basic(user: str, password: str) -> str:
    """
    The value of a C{Proxy-Authorization} field.
    """
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Household:
    """
    Everything that users have.

    @ivar folder: where it is.
    @ivar token: the user's, good for a day.
    @ivar revoked: one that is good no more.
    @ivar forged: one that is the user's by its words, and has been signed by somebody else.
    """

    def __init__(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
        atexit.register(temporary.cleanup)
        self.folder = folder = Path(temporary.name)
        for user, (scheme, password) in {USER: ("bcrypt", PASSWORD), **OTHERS}.items():
            operate("passwd", "--stdin", "--scheme", scheme, folder / "users", user, said=f"{password}\n")
        with (folder / "users").open("a") as users:
            users.write(f"{CHEAP[0]}:{bcrypt.hashpw(b'secret', bcrypt.gensalt(7)).decode()}\n")
            users.write(f"{CHEAP[1]}:{PasswordHasher(time_cost=1, memory_cost=8192).hash('secret')}\n")
        options = ("--stdin", "--digest", "connectproxy")
        operate("passwd", *options, folder / "digest", USER, said=f"{PASSWORD}\n")
        key = folder / "token.key"
        self.token = operate("token", "--new-key", "--key", key, "--user", USER).strip()
        self.revoked = operate("token", "--key", key, "--user", USER).strip()
        operate("token", "--key", key, "--revoke", "--revoked", folder / "revoked", said=self.revoked)
        other = folder / "other.key"
        self.forged = operate("token", "--new-key", "--key", other, "--user", USER).strip()
        self._signer = makeAuthority("connectproxy tests")
        (folder / "clients.pem").write_bytes(self._signer.certificatePEM)
        self.certificate = self.put("ann.pem", makeClient(self._signer, USER))

    def put(self, name: str, issued: Issued) -> str:
        """
        Write a certificate and its key into one file.
        """
        path = self.folder / name
        path.write_bytes(issued.certificatePEM + issued.keyPEM)
        return str(path)

    def shortLived(self) -> str:
        """
        A token that is good for a second.
        """
        return operate("token", "--key", self.folder / "token.key", "--user", USER, "--expires", "1s").strip()

    def config(self, access: Path, *, auth: str = "", listen: str = "", more: str = "") -> str:
        """
        A configuration of two listeners: one for everybody, one behind a load balancer.

        @param access: the access log.
        @param auth: more lines of C{[auth]}.
        @param listen: more lines of each listener.
        @param more: more tables.
        """
        return _CONFIG.format(
            made=authority(), folder=self.folder, access=access, auth=auth, listen=listen, more=more,
            sender=SENDER, network=NETWORK,
        )  # fmt: skip

    def start(self, *arguments: str, **more: str) -> Proxy:
        """
        Start a proxy that has both listeners.
        """
        access = Path(tempfile.mkdtemp(prefix="connectproxy-", dir=self.folder)) / "access.json"
        proxy = Proxy(*arguments, config=self.config(access, **more), listen=(), events=False)
        try:
            waitFor(lambda: len(proxy._listening()) == 2, "the second listener")
        except BaseException:
            proxy.discard()
            raise
        proxy.addresses = proxy._listening()
        proxy.access = access
        return proxy


@functools.cache
def household() -> Household:
    """
    The one that all tests have.
    """
    return Household()


@functools.cache
def _shared(more: tuple[tuple[str, str], ...]) -> Proxy:
    """
    The proxy of all tests that want the same.
    """
    proxy = household().start(**dict(more))
    atexit.register(proxy.discard)
    return proxy


class KnownCase(OnePortCase):
    """
    Tests at a port where the user is known by every means.

    @cvar more: what L{Household.config} is told besides.
    """

    asks = True
    more: dict[str, str] = {}

    def setUp(self) -> None:
        """
        Have it run, with no events yet.
        """
        self.house = household()
        self.proxy = _shared(tuple(self.more.items()))
        self.proxy.mark()
        self.addCleanup(self.proxy.check)

    def own(self, **more: str) -> Proxy:
        """
        Start a proxy for this test alone.
        """
        self.proxy = self.closing(self.house.start(**more))
        return self.proxy

    @property
    def balanced(self) -> int:
        """The port that is behind a load balancer."""
        return int(self.proxy.addresses[1].rpartition(":")[2])

    def whose(self, count: int = 1) -> set[tuple[Any, ...]]:
        """
        Wait for events of what was served.

        @return: of all of them the user, the means and the groups.
        """
        try:
            waitFor(lambda: len(self.served()) >= count, f"{count} events")
        except AssertionError as error:
            raise AssertionError(f"{error}; the events are {self.proxy.events()}") from None
        events = self.served()
        self.assertEqual({each["status"] for each in events}, {200}, events)
        return {(each["user"], each["means"], tuple(sorted(each["groups"]))) for each in events}

    def assertKnown(self, means: str, count: int = 1) -> None:
        """
        What was served was the user's, whoever asks in whatever way.
        """
        self.assertEqual(self.whose(count), {(USER, means, tuple(GROUPS))})
        self.proxy.mark()

    def request(self, authorization: str | bytes | None, target: str = "", more: str = "") -> bytes:
        """
        A request for a tunnel with credentials.

        @param target: where to; by default where nobody listens.
        """
        if isinstance(authorization, str):
            authorization = authorization.encode()
        target = target or "127.0.0.1:9999"
        field = b"" if authorization is None else b"Proxy-Authorization: %b\r\n" % authorization
        return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{more}".encode() + field + b"\r\n"

    def called(self, address: str, port: int = 0) -> socket.socket:
        """
        Connect to the proxy from an address of this machine's.
        """
        sock = socket.create_connection(("127.0.0.1", port or self.proxy.port), GUARD, (address, 0))
        return self.closing(sock)

    def webs(self) -> tuple[Web, Web]:
        """
        An origin of HTTPS, and one of plain HTTP.
        """
        return self.web(), self.web(tls=False)
