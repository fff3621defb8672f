"""
An sshd of the tests' own, that serves one connection at a time as inetd would have it.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.integration.running import environment

__all__ = ["prepare", "serve"]

SSHD = "/usr/sbin/sshd"
"""It insists on its whole path."""

SEPARATION = Path("/run/sshd")
"""
Where root's sshd shuts in what a stranger talks to.  Its service makes it at the start; here it
is made for all tests that run now, and is left.
"""

CONFIGURATION = """
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
{more}
"""


def prepare(directory: Path, more: str) -> None:
    """
    Make keys and a configuration: C{host} and C{user} with their C{.pub}, and C{known} in which
    the host is called C{origin}.

    @param more: lines of the configuration.
    """
    for name in ("host", "user"):
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
        subprocess.run(words, stdin=subprocess.DEVNULL, env=environment(), check=True)
    kind, key, *_ = (directory / "host.pub").read_text().split()
    (directory / "known").write_text(f"origin {kind} {key}\n")
    (directory / "sshd").write_text(CONFIGURATION.format(directory=directory, more=more))
    if os.geteuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)


def serve(directory: Path, sock: socket.socket) -> None:
    """
    Have sshd serve a connection to its end.
    """
    with (directory / "log").open("ab") as log:
        subprocess.run(
            [SSHD, "-i", "-e", "-f", str(directory / "sshd")],
            stdin=sock,
            stdout=sock,
            stderr=log,
            env=environment(),
            check=False,
        )
