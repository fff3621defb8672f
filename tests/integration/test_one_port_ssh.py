"""
What people give ssh as ProxyCommand, at the one port: ncat and socat, with ssh and alone.
"""

from __future__ import annotations

import os
import pwd
import random
import shlex
import socket
from collections.abc import Callable

import pytest

from tests.integration.program import PASSWORD, USER, OnePortCase
from tests.integration.raw import readToEnd
from tests.integration.sshd import prepare, serve

pytestmark = pytest.mark.integration

SENT = random.Random(1).randbytes(700000)


class ProxyCommandCase(OnePortCase):
    """
    Tests with a port that a program is to reach.
    """

    def ncat(self, kind: str, host: str = "localhost") -> list[str]:
        """
        ncat by one of its kinds of proxies.  The proxy looks names up.
        """
        words = [
            "ncat",
            "--proxy",
            f"127.0.0.1:{self.proxy.port}",
            "--proxy-type",
            kind,
            "--proxy-dns",
            "remote",
        ]
        if self.asks:
            words += ["--proxy-auth", f"{USER}:{PASSWORD}"]
        return [*words, host]

    def reverses(self) -> int:
        """
        @return: a port that sends back what it gets, the last octet first.
        """
        return self.serving(lambda sock: sock.sendall(readToEnd(sock)[0][::-1]))

    def assertReverses(
        self, protocol: str, command: Callable[[int], list[str]], host: str = "localhost"
    ) -> None:
        """
        A command reaches the port, and each end hears when the other has said all.
        """
        self.proxy.mark()
        port = self.reverses()
        self.assertEqual(self.command(*command(port), said=SENT), SENT[::-1])
        self.assertCame(1, event="tunnel", protocol=protocol, targets=[f"{host}:{port}"], down=len(SENT))
        (event,) = self.served()
        self.assertEqual((event["bytes_up"], event["bytes_down"]), (len(SENT), len(SENT)))


class PipeTests(ProxyCommandCase):
    """
    ncat and socat as pipes to a port that answers when it has seen the end of what comes.
    """

    def test_ncat(self) -> None:
        """
        ncat by CONNECT and by SOCKS 5.
        """
        for kind, protocol in (("http", "http/1.0"), ("socks5", "socks5")):
            self.assertReverses(protocol, lambda port, kind=kind: [*self.ncat(kind), str(port)])

    def test_socat(self) -> None:
        """
        socat by CONNECT.
        """

        def command(port: int) -> list[str]:
            options = f"proxyport={self.proxy.port}"
            if self.asks:
                words = f"{USER}:{PASSWORD}".replace(":", "\\:")
                options += f",proxyauth={words}"
            return ["socat", "-t", "60", "-", f"PROXY:127.0.0.1:localhost:{port},{options}"]

        self.assertReverses("http/1.0", command)


class PipeAskedTests(PipeTests):
    """
    The same, with a name and a password.
    """

    asks = True


class PipeWithoutPasswordTests(ProxyCommandCase):
    """
    The same, by what knows no passwords.
    """

    def test_socks4(self) -> None:
        """
        Both by SOCKS 4A, and ncat by SOCKS 4.
        """

        def socat(port: int) -> list[str]:
            return [
                "socat",
                "-t",
                "60",
                "-",
                f"SOCKS4A:127.0.0.1:localhost:{port},socksport={self.proxy.port}",
            ]

        self.assertReverses("socks4a", socat)
        self.assertReverses("socks4a", lambda port: [*self.ncat("socks4"), str(port)])
        self.assertReverses(
            "socks4", lambda port: [*self.ncat("socks4", "127.0.0.1"), str(port)], "127.0.0.1"
        )


class SSHTests(ProxyCommandCase):
    """
    ssh to an sshd of the test's own.
    """

    def setUp(self) -> None:
        """
        Make keys.
        """
        ProxyCommandCase.setUp(self)
        self.keys = self.temporary()
        prepare(self.keys, "ForceCommand cat")

    def sshd(self, sock: socket.socket) -> None:
        """
        Have sshd serve a connection.
        """
        serve(self.keys, sock)

    def test_ssh(self) -> None:
        """
        What goes in comes back, by each kind of proxy, the server's key and the user's checked.
        """
        kinds = [("http", "http/1.0"), ("socks5", "socks5")]
        if not self.asks:
            kinds.append(("socks4", "socks4a"))
        for kind, protocol in kinds:
            self.proxy.mark()
            port = self.serving(self.sshd)
            options = {
                "ProxyCommand": shlex.join([*self.ncat(kind, "%h"), "%p"]),
                "UserKnownHostsFile": self.keys / "known",
                "HostKeyAlias": "origin",
                "StrictHostKeyChecking": "yes",
                "IdentitiesOnly": "yes",
                "BatchMode": "yes",
            }
            words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
            user = pwd.getpwuid(os.geteuid()).pw_name
            command = ("ssh", "-F", "none", "-i", self.keys / "user", *words, "-p", str(port))
            self.assertEqual(self.command(*command, f"{user}@localhost", "cat", said=SENT), SENT)
            self.assertCame(
                1, event="tunnel", protocol=protocol, targets=[f"localhost:{port}"], down=len(SENT)
            )


class SSHAskedTests(SSHTests):
    """
    The same, with a name and a password.
    """

    asks = True
