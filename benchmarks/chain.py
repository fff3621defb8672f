"""
Proxies that stand behind one another: which ways there are to a parent, how each proxy is
started for them, and what their access logs say afterwards.

It knows neither modes nor figures.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import BUILT_IN, DIRECT, Peer
from benchmarks.secure import CERTIFICATE
from benchmarks.tunnel import CONNECT, DIALECTS, SOCKS5, TLS

__all__ = ["URLS", "WAYS", "carried", "connections", "makeConfig", "ownProxy", "parentOf", "strayed"]

WAYS = {"direct": "", "nested": CONNECT, "address": CONNECT, "name": CONNECT, "socks": SOCKS5, "h2": TLS}
"""How the parent is spoken to; L{TLS} stands for HTTP/2 within it."""

URLS = {
    "address": "http://127.0.0.1",
    "name": "http://localhost",
    "socks": "socks5h://127.0.0.1",
    "h2": "h2://127.0.0.1",
}
"""Where the parent is, without its port, for the ways on which the proxy knows of it."""

_CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"
{certificate}
[allow]
networks = ["127.0.0.0/8"]
ports = "any"

[access_log]
file = "{log}"
"""

_UPSTREAM = """
[route]
upstream = "parent"

[[upstream]]
name = "parent"
url = "{url}"
addresses = "unseen"
"""

_SHARED = """\
ca = "{ca}"
tunnels = 200
"""


def makeConfig(port: int, log: Path, url: str = "", certificate: Path | None = None) -> str:
    """
    The configuration of a proxy, or of a parent.

    @param log: where its events go.
    @param url: where its parent is; empty for none.
    @param certificate: what it shows to clients, or, where it has a parent, what that one
        shows; L{None} for no TLS.
    """
    own = f'tls_certificate = ["{certificate}"]\n' if certificate and not url else ""
    text = _CONFIG.format(port=port, log=log, certificate=own)
    if url:
        text += _UPSTREAM.format(url=url)
        if certificate is not None:
            text += _SHARED.format(ca=certificate)
    return text


def ownProxy(log: Path, url: str = "", certificate: Path | None = None) -> Peer:
    """
    This proxy, with or without a parent.

    @param certificate: see L{makeConfig}; a parent leaves there what it has been given.
    """

    def arguments(port: int, folder: Path, dialect: str) -> list[str]:
        if dialect == TLS and certificate is not None:
            shutil.copy(folder / CERTIFICATE, certificate)
        path = folder / "proxy.toml"
        path.write_text(makeConfig(port, log, url, certificate))
        return ["-n", "--pidfile=", "connectproxy", "--config", str(path)]

    return replace(BUILT_IN["connectproxy"], arguments=arguments)


def parentOf(text: str, log: Path) -> Peer:
    """
    What goes behind the proxy that is measured.

    @param text: the name of a proxy of L{BUILT_IN}, or a command with C{{port}} where the port
        belongs at which it is to listen on 127.0.0.1; it stays in the foreground, and is
        believed to speak everything.
    @param log: for the events of one that is this proxy itself.
    @raise ValueError: it is neither.
    """
    if text == "connectproxy":
        return ownProxy(log)
    if text in BUILT_IN and text != DIRECT:
        return BUILT_IN[text]
    words = shlex.split(text)
    if "{port}" not in text:
        raise ValueError(f"the parent {text!r} is no proxy that is known, nor a command with {{port}} in it")

    def arguments(port: int, _folder: Path, _dialect: str) -> list[str]:
        return [word.replace("{port}", str(port)) for word in words[1:]]

    return Peer("parent", words[0], arguments, f"{words[0]} is not there", dialects=DIALECTS)


def _tunnels(log: Path) -> Iterator[dict[str, str]]:
    """The events of tunnels that have been open."""
    with log.open(encoding="utf-8") as lines:
        yield from (event for event in map(json.loads, lines) if event["event"] == "tunnel")


def carried(log: Path) -> Counter[tuple[str, str]]:
    """
    How many tunnels went which way, and by which relay.

    @param log: the events of a proxy.
    """
    return Counter((event["upstream"], event["relay"]) for event in _tunnels(log))


def strayed(way: str, log: Path) -> Counter[str]:
    """
    How many tunnels went another way than they should have, or by another relay: the kernel
    carries octets wherever both ends are sockets of their own.

    @param way: the way of the proxy that was measured.
    @param log: its events.
    """
    expected = ("parent" if way in URLS else "direct", "wired" if way == "h2" else "splice")
    return Counter(
        {
            f"{way}: tunnels by way of {which[0]}, relayed by {which[1]}": count
            for which, count in carried(log).items()
            if which != expected
        }
    )


def connections(log: Path) -> int:
    """
    How many connections of HTTP/2 have been made, with a handshake of TLS each.

    @param log: the events of a parent.
    """
    return len({event["client"] for event in _tunnels(log) if event["protocol"] == "h2"})
