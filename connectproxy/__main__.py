"""
The command C{connectproxy}, which has the commands that are not C{twistd}'s.

Knows their names, and loads the one that is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["COMMANDS", "main"]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": ("connectproxy.commands.check", "find all that is wrong with a configuration"),
    "explain": ("connectproxy.commands.explain", "show how a request would be decided, and by which rule"),
    "policy": ("connectproxy.commands.policy", "test a policy, or propose one from recorded events"),
    "reload": ("connectproxy.commands.reload", "have a proxy that is up read its configuration anew"),
    "status": ("connectproxy.commands.status", "ask a proxy that is up how it does"),
    "connect": (
        "connectproxy.commands.connect",
        "join standard input and output to a connection through proxies",
    ),
    "passwd": ("connectproxy.commands.passwd", "write users and the hashes of their passwords"),
    "token": ("connectproxy.commands.token", "make, show and revoke tokens that expire"),
    "cert": ("connectproxy.commands.cert", "make a private CA and a certificate to try TLS with"),
}
"""The module of each command, whose C{main} is called, and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Do what a command line says.

    @param arguments: the command line without the program; by default the process's.
    @return: the status to exit with.
    """
    said = sys.argv[1:] if arguments is None else list(arguments)
    name = said[0] if said else ""
    if name in COMMANDS:
        command: Callable[[Sequence[str]], int] = import_module(COMMANDS[name][0]).main
        return command(said[1:])
    asked = name in ("-h", "--help")
    out = sys.stdout if asked else sys.stderr
    if not asked:
        out.write(f"connectproxy: {f'there is no command {name!a}' if name else 'a command is missing'}\n")
    out.write("usage: connectproxy COMMAND ...\n\n")
    for each, (_, words) in COMMANDS.items():
        out.write(f"  {each:8} {words}\n")
    out.write("\nThe proxy itself is run by twistd: see twistd connectproxy --help.\n")
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
