"""
C{connectproxy connect} as C{ProxyCommand}: ssh, scp and git to a real sshd.
"""

from __future__ import annotations

import os
import pwd
import shlex

import pytest

from tests.integration import test_one_port_ssh as ssh
from tests.integration.program import PASSWORD, USER
from tests.integration.test_connect import CONNECT, SENT

pytestmark = pytest.mark.integration


class SSHTests(ssh.SSHTests):
    """
    ssh, scp and git to an sshd of the test's own.
    """

    def setUp(self) -> None:
        """
        Let the server run what is asked for.
        """
        ssh.SSHTests.setUp(self)
        settings = self.keys / "sshd"
        settings.write_text(settings.read_text().replace("ForceCommand cat", "Subsystem sftp internal-sftp"))
        self.user_ = pwd.getpwuid(os.geteuid()).pw_name

    def options(self, scheme: str = "http") -> list[str]:
        """
        What ssh and scp are told.
        """
        command: list[str] = [*CONNECT, "--upstream", f"{scheme}://localhost:{self.proxy.port}"]
        if self.asks:
            file = self.keys / "credentials"
            file.write_text(f"{USER}:{PASSWORD}")
            command += ["--upstream-credentials", f"@{file}"]
        said = {
            "ProxyCommand": shlex.join([*command, "%h", "%p"]),
            "UserKnownHostsFile": self.keys / "known",
            "HostKeyAlias": "origin",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
        }
        words = [word for name, value in said.items() for word in ("-o", f"{name}={value}")]
        return ["-F", "none", "-i", str(self.keys / "user"), *words]

    def test_ssh(self) -> None:
        """
        What goes in comes back, by each kind of proxy, and the command's exit status, too.
        """
        for scheme, protocol in (("http", "http/1.1"), ("socks5h", "socks5")):
            self.proxy.mark()
            port = self.serving(self.sshd)
            words = ["ssh", *self.options(scheme), "-p", str(port), f"{self.user_}@localhost"]
            self.assertEqual(self.command(*words, "cat; exit 7", said=SENT, status=7), SENT)
            self.assertCame(
                1, event="tunnel", protocol=protocol, targets=[f"localhost:{port}"], down=len(SENT)
            )

    def test_scp(self) -> None:
        """
        A large file, there and back.
        """
        here, there, back = (self.temporary() / name for name in ("here", "there", "back"))
        here.write_bytes(SENT * 8)
        for source, target in (
            (here, f"{self.user_}@localhost:{there}"),
            (f"{self.user_}@localhost:{there}", back),
        ):
            port = self.serving(self.sshd)
            self.command("scp", "-q", *self.options(), "-P", str(port), source, target)
        self.assertEqual(back.read_bytes(), SENT * 8)

    def test_git(self) -> None:
        """
        A repository is cloned.
        """
        origin, clone = self.temporary(), self.temporary() / "clone"
        (origin / "file").write_bytes(SENT)
        git = ("git", "-C", str(origin), "-c", "user.name=ann", "-c", "user.email=ann@localhost")
        self.command(*git, "init", "-q")
        self.command(*git, "add", "file")
        self.command(*git, "commit", "-q", "-m", "one")
        port = self.serving(self.sshd)
        self.command(
            "git",
            "clone",
            "-q",
            f"ssh://{self.user_}@localhost:{port}{origin}",
            clone,
            GIT_SSH_COMMAND=shlex.join(["ssh", *self.options()]),
        )
        self.assertEqual((clone / "file").read_bytes(), SENT)


class SSHAskedTests(SSHTests):
    """
    The same, with a name and a password.
    """

    asks = True
