"""
How a command speaks to a proxy that is up: one line of JSON to its control socket
(L{connectproxy.control}), one line back.

Needs nothing but the standard library, and finds the socket: as it is told, or in the
configuration that the proxy was started with.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tomllib
from typing import Any

__all__ = ["UNREACHABLE", "Unreachable", "addPlace", "ask"]

UNREACHABLE = 2
"""The status to exit with where no proxy answers."""

LARGEST = 1 << 24
"""Octets of an answer that are read."""


class Unreachable(Exception):
    """
    No proxy answers; the text says why, and what to do.
    """


def addPlace(parser: argparse.ArgumentParser) -> None:
    """
    Have a command line say where the control socket is.
    """
    parser.add_argument("--control", metavar="PATH", help="the proxy's control socket (its control.socket)")
    parser.add_argument("--config", "-c", metavar="FILE", help="its configuration, which says so")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for an answer (60)"
    )


def ask(said: argparse.Namespace, command: str) -> dict[str, Any]:
    """
    Ask a proxy.  Blocks.

    @param said: what the command line of L{addPlace} has said.
    @return: its answer.
    @raise Unreachable: there is none.
    """
    path: str = said.control or _configured(said.config)
    try:
        with socket.socket(socket.AF_UNIX) as proxy:
            proxy.settimeout(said.timeout)
            proxy.connect(path)
            proxy.sendall(json.dumps({"command": command}).encode("ascii") + b"\n")
            octets = b""
            while len(octets) < LARGEST and (more := proxy.recv(65536)):
                octets += more
    except TimeoutError as error:
        raise Unreachable(
            f"{path}: no answer after {said.timeout:g} s; the proxy's log may say why"
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise Unreachable(
            f"{path}: {why}; is the proxy up, with control.socket set to that path, and run by this user?"
        ) from error
    try:
        answer = json.loads(octets)
    except ValueError as error:
        raise Unreachable(f"{path}: what answers there is no connectproxy") from error
    if not isinstance(answer, dict) or "error" in answer:
        wrong = answer["error"] if isinstance(answer, dict) else "what answers there is no connectproxy"
        raise Unreachable(f"{path}: {wrong}")
    return answer


def _configured(config: str | None) -> str:
    """
    The socket that a configuration names, whatever else may be wrong with it.
    """
    if config is None:
        raise Unreachable("say where the proxy's control socket is: --control PATH, or --config FILE")
    try:
        with open(config, "rb") as file:
            named = tomllib.load(file).get("control", {}).get("socket", "")
    except OSError as error:
        raise Unreachable(f"cannot read {config}: {error.strerror}; say --control PATH") from error
    except (ValueError, AttributeError) as error:
        raise Unreachable(f"{config} can't be understood ({error}); say --control PATH") from error
    if not named or not isinstance(named, str):
        raise Unreachable(
            f"{config} names no control socket; add socket = below [control], and restart the proxy"
        )
    return os.path.join(os.path.dirname(os.path.abspath(config)), named)
