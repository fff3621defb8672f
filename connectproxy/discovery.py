"""
Finds the kinds of listener, rule and upstream that there are.

A kind is the attribute C{kind} of a module in the package for its sort; a new
one is one new file, and no list names it.  Those of others are plugins of Twisted: any
attribute of a module in C{twisted.plugins} that provides the interface, and
L{twisted.plugin.IPlugin}.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

__all__ = ["kinds", "plugins"]


def kinds(package: str, interface: Any) -> dict[str, Any]:
    """
    Import every module of a package and collect the kinds in them.

    @param package: the package's full name.
    @param interface: what a kind of this sort provides.
    @return: the kinds by name, in the order of the names.
    @raise TypeError: a module's C{kind} does not provide the interface.
    """
    found: dict[str, Any] = {}
    for module in iter_modules(import_module(package).__path__):
        kind = getattr(import_module(f"{package}.{module.name}"), "kind", None)
        if kind is None:
            continue
        if not interface.providedBy(kind):
            raise TypeError(f"{package}.{module.name}.kind does not provide {interface.__name__}")
        found[kind.kindName] = kind
    return dict(sorted(found.items()))


def plugins(interface: Any) -> dict[str, Any]:
    """
    Look for the kinds of others among Twisted's plugins.  This reads and may import a lot,
    so it is for those who have named one that is not ours.

    @param interface: what a kind of this sort provides.
    @return: the kinds by name, in the order of the names; of two with one name, the first.
    """
    from twisted.plugin import getPlugins  # noqa: PLC0415 - start-up is to be quick

    found: dict[str, Any] = {}
    for kind in getPlugins(interface):
        found.setdefault(kind.kindName, kind)
    return dict(sorted(found.items()))
