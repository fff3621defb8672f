"""
Finds the kinds of listener, rule, upstream and checker that there are.

A kind of our own is the attribute C{kind} of a module in the package for its sort; a new
one is one new file, and no list names it.  Those of others come with their distributions,
as entry points in the group that is called as our package: what an entry point is called
is what a configuration calls the kind.  They can also be plugins of Twisted: any attribute
of a module in C{twisted.plugins} that provides the interface, and
L{twisted.plugin.IPlugin}.

What others have installed is looked at only where a configuration has a name that is not
ours, and of entry points only the one of that name is imported.  No name of ours can be
taken by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

__all__ = ["Catalogue", "Unloadable", "checkers", "kinds", "plugins", "protocols", "rules", "schemes"]


class Unloadable(ValueError):
    """
    There is an entry point of a name, and no kind of that name to be had by it; the text says
    why.
    """


def kinds(package: str, interface: Any, only: Container[str] | None = None) -> dict[str, Any]:
    """
    Import every module of a package and collect the kinds in them.

    @param package: the package's full name.
    @param only: the names of the modules that matter; L{None} for all.
    @param interface: what a kind of this sort provides; L{None} where that does not matter.
    @return: the kinds by name, in the order of the names.
    @raise TypeError: a module's C{kind} does not provide the interface.
    """
    found: dict[str, Any] = {}
    for module in iter_modules(import_module(package).__path__):
        if only is not None and module.name not in only:
            continue
        kind = getattr(import_module(f"{package}.{module.name}"), "kind", None)
        if kind is None:
            continue
        if interface is not None and not interface.providedBy(kind):
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


class Catalogue(Mapping[str, Any]):
    """
    All kinds of one sort, by what a configuration calls them: ours first, then those of entry
    points, then Twisted's plugins.

    To iterate, or to ask whether there is a name, imports nothing of an entry point's.  What
    is found is kept as long as this is.

    @ivar group: of entry points, and the package for ours.
    """

    def __init__(
        self,
        group: str,
        interface: Any,
        names: Callable[[Any], Iterable[str]],
        *,
        package: bool = True,
        plugged: bool = True,
    ) -> None:
        """
        @param interface: what a kind provides; L{None} for who only wants to know the names.
        @param names: what a configuration calls a kind.
        @param package: there is one of ours.
        @param plugged: they can be plugins of Twisted.
        """
        self.group = group
        self._interface = interface
        self._names = names
        self._package = package
        self._plugged = plugged and interface is not None
        self._found: dict[str, dict[str, Any]] = {}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """
        @raise KeyError: there is none.
        @raise Unloadable: an entry point has that name, and it leads to nothing of use.
        """
        for found in (self._own(), self._loaded):
            if name in found:
                return found[name]
        if name in self._points():
            kind = self._loaded[name] = self._load(self._points()[name])
            return kind
        return self._others()[name]

    def __contains__(self, name: object) -> bool:
        return any(name in find() for find in (self._own, self._points, self._others))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({**self._own(), **self._points(), **self._others()}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def advice(self, name: str) -> str:
        """
        What to do about a name that there is not, for people.
        """
        from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

        near = get_close_matches(name, self, 1)
        if near:
            return f"do you mean {near[0]}?"
        return f"there are {', '.join(self)}; others are found by entry points in the group {self.group}"

    def _own(self) -> Mapping[str, Any]:
        """
        Our own.
        """
        if not self._package:
            return {}
        return self._once("own", lambda: self._named(kinds(self.group, None).values()))

    def _points(self) -> Mapping[str, Any]:
        """
        Entry points by name; of two with one name, the one that comes first on Python's path.
        """
        return self._once("points", self._entryPoints)

    def _others(self) -> Mapping[str, Any]:
        """
        Twisted's plugins.
        """
        if not self._plugged:
            return {}
        return self._once("plugins", lambda: self._named(plugins(self._interface).values()))

    def _once(self, what: str, find: Callable[[], dict[str, Any]]) -> Mapping[str, Any]:
        """
        Look once.
        """
        if what not in self._found:
            self._found[what] = find()
        return self._found[what]

    def _named(self, found: Iterable[Any]) -> dict[str, Any]:
        """
        Kinds by what they are called.
        """
        return {name: kind for kind in found for name in self._names(kind)}

    def _entryPoints(self) -> dict[str, Any]:
        """
        Read what distributions say of themselves.
        """
        from importlib.metadata import entry_points  # noqa: PLC0415 - start-up is to be quick

        return {point.name: point for point in reversed(tuple(entry_points(group=self.group)))}

    def _load(self, point: Any) -> Any:
        """
        Import what an entry point leads to.
        """
        source = "" if point.dist is None else f" of {point.dist.name} {point.dist.version}"
        what = f"the entry point {point.name} = {point.value}{source}"
        try:
            kind = point.load()
        except Exception as error:
            raise Unloadable(f"{what} can't be loaded: {type(error).__name__}: {error}") from error
        if self._interface is not None and not self._interface.providedBy(kind):
            raise Unloadable(f"{what} leads to what does not provide {self._interface.__name__}")
        if point.name not in self._names(kind):
            known = ", ".join(self._names(kind)) or "nothing"
            raise Unloadable(f"{what} leads to what is called {known}; call the entry point so")
        return kind


def rules(interface: Any) -> Catalogue:
    """
    Rule kinds, by the name that a C{[[rule]]} has in its key C{kind}.
    """
    return Catalogue("connectproxy.rules", interface, lambda kind: (kind.kindName,))


def schemes(interface: Any) -> Catalogue:
    """
    Upstream kinds that URLs name, by the scheme.
    """
    return Catalogue("connectproxy.upstreams", interface, lambda kind: kind.schemes)


def protocols(interface: Any = None) -> Catalogue:
    """
    Listener kinds that share a port, by the name of a protocol as C{listen.protocols} has it.
    """
    return Catalogue(
        "connectproxy.listeners", interface, lambda kind: getattr(kind, "protocolNames", ()), plugged=False
    )


def checkers(interface: Any) -> Catalogue:
    """
    Factories of checkers (L{twisted.cred.strcred.ICheckerFactory}) that are no plugins of
    Twisted's, by what stands before the colon in C{auth.checkers}.
    """
    return Catalogue(
        "connectproxy.checkers", interface, lambda kind: (kind.authType,), package=False, plugged=False
    )
