"""
Builds the ways to destinations that a configuration names, each over those that it is reached
through.

It reads the files that they name, and blocks.  What is built takes no effect before it is
started; what has not changed since the last configuration is kept, with its connections and
with what it knows of its members.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from connectproxy.config import SCHEMA, ConfigurationError, Problem, UpstreamURL
from connectproxy.discovery import Unloadable, kinds, schemes
from connectproxy.interfaces import IStandingUpstream, IUpstream, IUpstreamKind, Surroundings
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.routes import DIRECT, Routes, chained, judgesHere
from connectproxy.vetted import Known, VettedUpstream, vetted
from connectproxy.watch import stamps

__all__ = ["Base", "Ways", "buildWays", "known"]

_GROUP = "group"
_FILES = ("ca", "certificate", "key")

_DEFAULTS = MappingProxyType(
    {
        setting.name: setting.form.fromTOML(setting.default)
        for setting in SCHEMA
        if setting.table == "upstream" and setting.name != "name"
    }
)


class Base(NamedTuple):
    """
    What all ways are built on, and what stays the same as long as the proxy is up.

    @ivar policy: judges addresses, by whatever policy is in force.
    @ivar own: where the proxy itself listens.
    @ivar via: what it calls itself in C{Via} fields.
    @ivar tell: see L{Surroundings.tell}.
    """

    reactor: Any
    policy: Any
    names: Names
    own: OwnPorts
    via: bytes
    tell: Callable[..., None]


class Ways(NamedTuple):
    """
    All ways of one configuration.

    @ivar routes: what requests take.
    @ivar built: every upstream as it was built, by name, with what it was built from.
    @ivar files: the files that were read.
    """

    routes: Routes
    built: Mapping[str, tuple[Any, Any]]
    files: tuple[str, ...]

    def standing(self) -> dict[str, Any]:
        """
        The upstreams that hold something between requests, by name.
        """
        return {
            name: upstream
            for name, (upstream, _) in self.built.items()
            if IStandingUpstream.providedBy(upstream)
        }

    def replace(self, former: Ways | None) -> None:
        """
        Start what is new and stop what is gone.

        @param former: the ways until now; L{None} at the start.
        """
        before = {} if former is None else former.standing()
        now = self.standing()
        for name, upstream in now.items():
            if before.get(name) is not upstream:
                upstream.start()
        for name, upstream in before.items():
            if now.get(name) is not upstream:
                upstream.stop()

    def stop(self) -> None:
        """
        Let go of everything.
        """
        for upstream in self.standing().values():
            upstream.stop()

    def state(self) -> dict[str, Any]:
        """
        What there is to know of each that holds something; see docs/upstreams.md.
        """
        return {name: dict(upstream.state()) for name, upstream in self.standing().items()}


def known(config: Any) -> tuple[str, ...]:
    """
    The names that a rule may have for a way.
    """
    return (DIRECT, *(row.options["name"] for row in config.rows["upstream"]))


def buildWays(base: Base, config: Any, former: Ways | None = None) -> Ways:
    """
    Build all ways.  Blocks.

    @param config: a L{connectproxy.config.Config}.
    @param former: what has been built before; what would be the same is taken from there.
    @raise ConfigurationError: all that is wrong with it.
    """
    return _Building(base, config, former).ways()


class _Row(NamedTuple):
    """
    One upstream to build.

    @ivar key: what a problem with it is a problem of.
    """

    options: Mapping[str, Any]
    where: str
    key: str = "upstream"


class _Building:
    """
    Ways on their way to be some.
    """

    def __init__(self, base: Base, config: Any, former: Ways | None) -> None:
        self._base = base
        self._config = config
        self._former = _NOTHING if former is None else former.built
        self._ways = _NOTHING if former is None else former.routes.upstreams
        self._problems: list[Problem] = []
        # Where no other is named there is no need to import the others, and start-up is to be quick.
        alone = not config.rows["upstream"] and not config["route.upstream"]
        self._kinds = kinds("connectproxy.upstreams", IUpstreamKind, (DIRECT,) if alone else None)
        self._schemes = schemes(IUpstreamKind)
        self._rows: dict[str, _Row] = {}
        self._built: dict[str, tuple[Any, Any]] = {}
        self._files: dict[str, None] = {}
        self._failed: set[str] = set()

    def ways(self) -> Ways:
        """
        Build them, or raise.
        """
        config = self._config
        self._straight()
        for row in config.rows["upstream"]:
            options = row.options
            if options["via"] == DIRECT:  # to a next hop, it is what nothing is: no rule is about that
                options = MappingProxyType({**options, "via": ""})
            self._rows[options["name"]] = _Row(options, row.where)
        default = self._default()
        for name in list(self._rows):
            self._build(name, ())
        routes = {DIRECT: self._built[DIRECT][0]}
        led = {row.options["upstream"] for row in config.rows["rule"]} | {default}
        for name, row in self._rows.items():
            if name in self._built:
                way = self._vetted(name, row, led=name in led)
                if way is not None:
                    routes[name] = way
        if self._problems:
            raise ConfigurationError(list(dict.fromkeys(self._problems)))
        ways = Routes(MappingProxyType(routes), default, config["route.direct"])
        return Ways(ways, MappingProxyType(self._built), tuple(self._files))

    def _straight(self) -> None:
        """
        Build the one that is there without being configured.
        """
        former = self._former.get(DIRECT)
        introduces = self._config["direct.proxy_protocol"]
        if former is not None and former[1] == introduces:
            self._built[DIRECT] = former
        else:
            upstream = self._kinds[DIRECT].build(self._surroundings(DIRECT), _NOTHING)
            self._built[DIRECT] = (upstream, introduces)

    def _default(self) -> str:
        """
        The way for what no rule sends by another one; URLs become upstreams of their own.
        """
        config, said = self._config, self._config["route.upstream"]
        if not said:
            for key in ("route.addresses", "route.credentials"):
                if config[key]:
                    self._complain(
                        key, key, "it is for a URL in route.upstream, and there is none", "leave it out"
                    )
            return DIRECT
        if all(isinstance(item, UpstreamURL) for item in said):
            via = ""
            for position, url in enumerate(said, 1):
                name = chained(position, len(said))
                if name in self._rows:
                    self._complain(
                        "upstream.name",
                        self._rows[name].where,
                        f"{name} is what a URL in route.upstream is called",
                        "give it another name",
                    )
                last = position == len(said)
                own = {
                    "name": name, "url": url, "via": via,
                    "addresses": config["route.addresses"] if last else "",
                    "credentials": config["route.credentials"] if last else "",
                }  # fmt: skip
                self._rows[name] = _Row(
                    MappingProxyType({**_DEFAULTS, **own}), "route.upstream", "route.upstream"
                )
                via = name
            return via
        if len(said) > 1:
            advice = "name one, and say via in the others; or give URLs only"
            self._complain(
                "route.upstream",
                "route.upstream",
                "there can be one way for all that no rule sends by another",
                advice,
            )
        elif said[0] not in (DIRECT, *self._rows):
            self._unknown("route.upstream", "route.upstream", said[0])
        return said[0] if isinstance(said[0], str) else DIRECT

    def _build(self, name: str, within: tuple[str, ...]) -> Any:
        """
        Build one, after those that it needs.

        @param within: those that are being built and need it.
        @return: what it was built from; L{None} if it could not be.
        """
        if name in self._built:
            return self._built[name][1]
        row = self._rows[name]
        options = row.options
        if name in within:
            chain = " -> ".join((*within[within.index(name) :], name))
            self._complain(
                f"{row.key}.via",
                row.where,
                f"it is reached through itself: {chain}",
                "let one of them be reached straight",
            )
            return None
        if name in self._failed:
            return None
        self._failed.add(name)  # until it is built
        needed = []
        keys = [
            ("via", [options["via"]] if options["via"] else []),
            ("members", options["members"]),
            ("backups", options["backups"]),
        ]
        for key, names in keys:
            for other in names:
                if other == DIRECT or other in self._rows:
                    made = self._built[DIRECT][1] if other == DIRECT else self._build(other, (*within, name))
                    if made is None:
                        return None
                    needed.append((other, made))
                else:
                    self._unknown(f"upstream.{key}", row.where, other)
                    return None
        files = [options[key] for key in _FILES if options[key]]
        self._files |= dict.fromkeys(files)
        source = (dict(options), needed, stamps(files), dict(self._relevant()))
        former = self._former.get(name)
        if former is not None and former[1] == source:
            self._built[name] = former
            return source
        kind = self._kindOf(row)
        if kind is None:
            return None
        try:
            self._built[name] = kind.build(self._surroundings(name), options), source
        except ValueError as error:
            self._complain(row.key, row.where, str(error), "")
            return None
        return source

    def _relevant(self) -> Iterator[tuple[str, Any]]:
        """
        What else of the configuration upstreams go by.
        """
        for key in ("timeouts.connect",):
            yield key, self._config[key]

    def _kindOf(self, row: _Row) -> Any:
        """
        What builds one.
        """
        if row.options["members"]:
            return self._kinds[_GROUP]
        url = row.options["url"]
        scheme = "endpoint" if url is None else url.scheme
        key = "upstream.url" if row.key == "upstream" else row.key
        try:
            return self._schemes[scheme]
        except KeyError:
            advice = self._schemes.advice(scheme)
            self._complain(key, row.where, f"there is no upstream with the scheme {scheme!a}", advice)
        except Unloadable as error:
            self._complain(key, row.where, str(error), "")
        return None

    def _vetted(self, name: str, row: _Row, *, led: bool) -> IUpstream | None:
        """
        Put the policy in front of one.

        @param led: whether requests are sent there, and not to it by others only.
        @return: L{None} where nothing says how its addresses are dealt with, and nobody has
            to know.
        """
        here = judgesHere(row.options)
        if not here and not row.options["addresses"]:
            if led:
                key = "upstream.addresses" if row.key == "upstream" else "route.addresses"
                message = f"nothing says who gets to see the addresses of what {name} leads to"
                advice = (
                    'say addresses = "judged": names are looked up here, and rules judge their addresses; or'
                    ' "unseen": the next hop looks them up, and only rules about names apply'
                    + ("" if row.key == "upstream" else " (--upstream-addresses)")
                )
                self._complain(key, row.where, message, advice)
            return None
        inner, names = self._built[name][0], self._base.names if here else None
        # What is left open by a way is not used any more once it is another one.
        former = self._ways.get(name)
        if isinstance(former, VettedUpstream) and former.inner is inner and former.names is names:
            return former
        return vetted(inner, self._base.policy.decideAddress, names)

    def _surroundings(self, name: str) -> Surroundings:
        """
        What one is built in.
        """
        base = self._base
        return Surroundings(
            base.reactor, self._config, base.policy, base.names, name, base.via, self._reach, base.tell
        )

    def _reach(self, name: str) -> Any:
        """
        See L{Surroundings.reach}.
        """
        if name not in ("", DIRECT):
            return self._built[name][0]
        surroundings = self._surroundings(name)
        surroundings = surroundings._replace(policy=Known(surroundings.policy, self._base.own))
        if not name:
            surroundings = surroundings._replace(settings=_PLAIN)
        return self._kinds[DIRECT].build(surroundings, _NOTHING)

    def _unknown(self, key: str, where: str, name: str) -> None:
        """
        Complain of a name that nothing has.
        """
        words = [DIRECT, *self._rows]
        near = difflib.get_close_matches(name, words, 1)
        advice = f"do you mean {near[0]}?" if near else "add an [[upstream]] table of that name"
        self._complain(key, where, f"there is no upstream {name!a}", advice)

    def _complain(self, key: str, where: str, message: str, advice: str) -> None:
        """
        Note what is wrong.
        """
        self._problems.append(Problem(key, where, message, advice))


_NOTHING: Mapping[str, Any] = MappingProxyType({})

_PLAIN: Mapping[str, Any] = MappingProxyType({"direct.proxy_protocol": "none"})
"""For the way to hops, which are told who the client is by a key of their own."""
