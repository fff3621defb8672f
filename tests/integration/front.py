"""
This proxy in front of others, with a listener for each way to go, and as one of those others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.integration.origins import authority
from tests.integration.running import LOCAL, Proxy, waitFor

__all__ = ["Front", "far", "table"]


class Front(Proxy):
    """
    This proxy, with a listener for each of some ways.

    @ivar ways: the names.
    """

    def __init__(
        self, ways: Iterable[str], tables: str, more: str = "", rules: Mapping[str, str] | None = None
    ) -> None:
        """
        @param ways: the upstreams that have a listener.
        @param tables: C{[[upstream]]}.
        @param more: of the configuration.
        @param rules: more lines of the rules for some of the ways.
        """
        self.ways = tuple(ways)
        self._rules = rules or {}
        Proxy.__init__(
            self,
            *LOCAL,
            config=f'[policy]\ndefault = "deny"\n{more}\n{self.listeners()}\n{tables}',
            listen=(),
            events=True,
        )

        def listens() -> bool:
            assert self.process.poll() is None, self.log()
            return len(self._listening()) >= len(self.ways)

        try:
            waitFor(listens, "all listeners")
        except BaseException:
            self.discard()
            raise
        self.addresses = self._listening()

    def listeners(self) -> str:
        """
        The tables of the listeners, and of the rules that send each its way.
        """
        return "\n".join(
            f'[[listen]]\nname = "{way}"\nendpoint = "tcp:0:interface=127.0.0.1"\n'
            f'[[rule]]\nname = "{way}"\naction = "allow"\nlisteners = ["{way}"]\nupstream = "{way}"\n'
            + self._rules.get(way, "")
            + "\n"
            for way in self.ways
        )

    def portOf(self, way: str) -> int:
        """
        The port whose requests go a way.
        """
        return int(self.addresses[self.ways.index(way)].rpartition(":")[2])


def far(*arguments: str, listen: tuple[str, ...] = (), config: str = "") -> Proxy:
    """
    This proxy as a parent, which speaks TLS where that is wanted.

    @param listen: more endpoints than its port.
    """
    made = authority()
    return Proxy(
        *LOCAL, "--tls-certificate", str(made.chain), "--tls-key", str(made.key), *arguments,
        listen=("tcp:0:interface=127.0.0.1", *listen), config=config,
    )  # fmt: skip


def table(name: str, url: str, **more: Any) -> str:
    """
    One C{[[upstream]]}.
    """
    said = {"name": name, "url": url, "addresses": "unseen"} | more
    lines = (f"{key} = {_toml(value)}" for key, value in said.items() if value)
    return "\n".join(["[[upstream]]", *lines, ""])


def _toml(value: Any) -> str:
    """
    A value as TOML has it.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{key}" = {_toml(each)}' for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value).lower()
