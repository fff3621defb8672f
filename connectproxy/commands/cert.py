"""
The command C{connectproxy cert}: certificates to try TLS with.

Owns the files and what is printed; L{connectproxy.certificates} makes what is in them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence

from connectproxy.certificates import makeAuthority, makeClient, makeServer

__all__ = ["main"]

NAMES = ("localhost", "127.0.0.1", "::1")


def main(arguments: Sequence[str], program: str = "connectproxy cert") -> int:
    """
    Make certificates.

    @param arguments: the command line without the command.
    @return: the status to exit with.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Make a private CA and certificates of it, to try TLS to the proxy with.",
        epilog="The CA's key lies beside the certificates: not for production.",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="where to; it is made if need be")
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help=f"what clients call the proxy: DNS names and addresses (default: {' '.join(NAMES)})",
    )
    parser.add_argument("--client", metavar="NAME", help="make a certificate for a client of this name, too")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    said = parser.parse_args(arguments)
    try:
        made = _make(said.names or NAMES, said.client)
        _write(said.directory, made, force=said.force)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{program}: {_explained(error)}\n")
        return 1
    sys.stdout.write(_report(said.directory, list(made), said.names or NAMES, said.client))
    return 0


def _make(names: Sequence[str], client: str | None) -> dict[str, tuple[bytes, int]]:
    """
    Make everything.

    @return: what the files have in them, and their modes, by name.
    """
    authority = makeAuthority("connectproxy test CA")
    server = makeServer(authority, names)
    made = {
        "ca.pem": (authority.certificatePEM, 0o644),
        "ca-key.pem": (authority.keyPEM, 0o600),
        "proxy.pem": (server.certificatePEM + authority.certificatePEM, 0o644),
        "proxy-key.pem": (server.keyPEM, 0o600),
    }
    if client is not None:
        issued = makeClient(authority, client)
        made["client.pem"] = (issued.certificatePEM, 0o644)
        made["client-key.pem"] = (issued.keyPEM, 0o600)
    return made


def _write(directory: str, made: dict[str, tuple[bytes, int]], *, force: bool) -> None:
    """
    Write all the files, or none if one is there.
    """
    os.makedirs(directory, exist_ok=True)
    there = [name for name in made if os.path.lexists(os.path.join(directory, name))]
    if there and not force:
        raise ValueError(
            f"{', '.join(there)}: there already in {directory}; name another directory, or say --force"
        )
    for name, (octets, mode) in made.items():
        path = os.path.join(directory, name)
        if name in there:
            os.unlink(path)  # its mode would stay, and a link would be followed
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(octets)


def _explained(error: Exception) -> str:
    """
    A failure in words.
    """
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _report(directory: str, files: Sequence[str], names: Sequence[str], client: str | None) -> str:
    """
    What was made, and the commands to try it with.
    """

    def at(name: str) -> str:
        return shlex.quote(os.path.join(directory, name))

    host = f"[{names[0]}]" if ":" in names[0] else names[0].replace("*", "proxy", 1)
    serve = f"twistd -n connectproxy --tls-certificate {at('proxy.pem')} --tls-key {at('proxy-key.pem')}"
    ask = f"curl --proxy https://{host}:8080 --proxy-cacert {at('ca.pem')}"
    if client is not None:
        ask += f" --proxy-cert {at('client.pem')} --proxy-key {at('client-key.pem')}"
    report = (
        f"In {directory}: {', '.join(files)}; for {', '.join(names)}.\n"
        "Not for production: the CA's key lies beside what it has signed.\n\n"
        f"  {serve}\n"
        f"  {ask} https://example.com/\n"
    )
    if client is not None:
        authority = os.path.join(directory, "ca.pem")
        report += (
            "\nTo have clients show their certificates, say in a configuration file, below [[listen]]:\n\n"
            f'  client_certificates = "required"\n  client_ca = {json.dumps(authority)}\n'
        )
    return report
