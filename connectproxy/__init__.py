"""
A forward proxy for HTTP CONNECT that lives in a Twisted reactor.

C{twistd -n connectproxy} runs it; an application that has a reactor already holds a
L{ProxyService} of its own::

    from connectproxy import ProxyService, configure

    service = ProxyService(reactor, configure(listen=[{"endpoint": "127.0.0.1:8080"}]))
    service.startService()

The names below are loaded when they are first used, so that importing the package, as
the C{twistd} plugin does for every command, costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectproxy.config import Config, ConfigurationError, configure, load
    from connectproxy.service import ProxyService

__all__ = ["Config", "ConfigurationError", "ProxyService", "__version__", "configure", "load"]

__version__ = "0.1.0"

_HOMES = {
    "Config": "connectproxy.config",
    "ConfigurationError": "connectproxy.config",
    "ProxyService": "connectproxy.service",
    "configure": "connectproxy.config",
    "load": "connectproxy.config",
}


def __getattr__(name: str) -> Any:
    """
    Load a public name from its home.
    """
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - a plain import must stay cheap

    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    """
    What there is, loaded or not.
    """
    return sorted({*globals(), *_HOMES})
