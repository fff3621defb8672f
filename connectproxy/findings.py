"""
All that is wrong with a configuration, and all that is probably not as meant.

Reads what the proxy reads at its start: lists, users, keys and certificates.  It opens no
port, makes no file and starts no thread, and so does not find out that a port is taken, or
that a log can't be written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twisted.internet.task import Clock

from connectproxy.auth import buildAuthenticator
from connectproxy.auth.tokenfiles import readKeys
from connectproxy.config import Config, ConfigurationError, Listener, Problem
from connectproxy.config.endpoint import parseEndpoint
from connectproxy.config.forms import nearest
from connectproxy.config.whole import asks, identifies, isGuarded
from connectproxy.discovery import Unloadable, kinds
from connectproxy.interfaces import IListenerKind, IRuleKind
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import InForce
from connectproxy.policy.users import NOBODY
from connectproxy.rehearsal import Rehearsal
from connectproxy.tls import ServerTLS
from connectproxy.ways import Base, buildWays

__all__ = ["SOON", "Findings", "examine"]

SOON = 14
"""Days before a certificate expires from which on that is told."""

_KEY_FILE = "connectproxy-token.key"
_PASSWORDS = ("auth.basic", "auth.users", "auth.checkers")


class Findings(NamedTuple):
    """
    What there is to say about a configuration.

    @ivar config: the configuration; L{None} if it can't be used at all.
    @ivar errors: why the proxy would not start with it.
    @ivar warnings: what is probably not as meant.
    """

    config: Config | None
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def examine(load: Callable[[], Config], now: Callable[[], float] = time.time) -> Findings:
    """
    Look at a configuration.  Blocks.

    @param load: reads it, and raises L{ConfigurationError} for what is wrong with it.
    @param now: tells the time since 1970.
    """
    try:
        config = load()
    except ConfigurationError as error:
        errors = {(problem.key, problem.place, problem.message): problem for problem in error.problems}
        if error.rest is not None:
            # Who mends the file wants to know at once what is wrong with the files that it names.
            for problem in _Examination(error.rest, now).findings().errors:
                errors.setdefault((problem.key, problem.place, problem.message), problem)
        return Findings(None, tuple(errors.values()), ())
    return _Examination(config, now).findings()


class _Still(Clock):
    """
    A reactor for what is built and never used.
    """

    connectTCP = None


class _Examination:
    """
    One configuration that is being looked at.
    """

    def __init__(self, config: Config, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        # Places of tables, which the reading of a configuration has beside the rows, and nobody needs here.
        self._rows: Any = {table: [(row, ()) for row in rows] for table, rows in config.rows.items()}

    def findings(self) -> Findings:
        """
        Look at everything.
        """
        try:
            rehearsal = Rehearsal(self._config)
        except ConfigurationError as error:
            self._errors += error.problems
        else:
            self._warnings += rehearsal.policy.warnings
            if rehearsal.shadow is not None:
                self._warnings += rehearsal.shadow.warnings
        self._authenticator()
        self._upstreams()
        self._warnings += self._schemes()
        self._warnings += self._strangers()
        self._warnings += self._everything()
        for listener in self._config.listeners:
            self._warnings += self._doors(listener)
            self._certificates(listener)
        errors: dict[tuple[str, str, str], Problem] = {}
        for problem in map(self._config.placed, self._errors):
            errors.setdefault((problem.key, problem.place, problem.message), problem)
        warnings = tuple(dict.fromkeys(map(self._config.placed, self._warnings)))
        return Findings(self._config, tuple(errors.values()), warnings)

    def _authenticator(self) -> None:
        """
        Read users and keys.
        """
        config = self._config
        keys = config["auth.token_keys"]
        named = [os.path.basename(path) for path in keys] == [_KEY_FILE]
        if config["proxy.profile"] == "sandbox" and named and not os.path.exists(keys[0]):
            # The proxy would make it, and nobody asked for that here.
            message = f"there is no key {keys[0]} yet"
            advice = (
                "the proxy makes one when it starts; or make it by: connectproxy token --new-key --key FILE"
            )
            self._warnings.append(Problem("auth.token_keys", "auth.token_keys", message, advice))
            values = {**config, "auth.token_keys": ()}
            config, keys = Config(values, config.listeners, config.origin, config.rows, config.files), ()
        notes: list[str] = []
        readKeys(keys, [], notes)
        self._warnings += (Problem("auth.token_keys", "auth.token_keys", note, "") for note in notes)
        try:
            made = buildAuthenticator(Clock(), config)
        except ConfigurationError as error:
            # A list of users is read for groups and for rules.
            told = {(problem.key, problem.place) for problem in self._errors}
            self._errors += (each for each in error.problems if (each.key, each.place) not in told)
        else:
            if made is not None:
                made.close()

    def _upstreams(self) -> None:
        """
        Build the ways to destinations, as far as that goes without a network.
        """
        still: Any = _Still()
        base = Base(still, InForce(), Names(still), OwnPorts(), b"", lambda text, **known: None)
        try:
            ways = buildWays(base, self._config)
        except ConfigurationError as error:
            self._errors += error.problems
            return
        ways.stop()
        for row in self._config.rows["upstream"]:
            options = row.options
            key = "token" if options["token"] else "credentials"
            if options["token"] or (options["credentials"] and options["authentication"] != "digest"):
                self._inClear(options["url"], f"upstream.{key}", row.where)
        if self._config["route.credentials"]:
            self._inClear(self._config["route.upstream"][-1], "route.credentials", "route.credentials")

    def _inClear(self, url: Any, key: str, place: str) -> None:
        """
        Find out whether what is shown to a next hop can be read on the way.
        """
        where = None if url is None or url.secure else url.destination
        if where is not None and not (where.fixed is not None and where.fixed.is_loopback):
            message = f"it goes to {where} in clear text"
            advice = "say https or h2 in url, or add +tls to its scheme, if the next hop speaks TLS"
            self._warnings.append(Problem(key, place, message, advice))

    def _schemes(self) -> Iterator[Problem]:
        """
        Find users whose clients are going to choose a scheme that they have no part in.
        """
        others = [key for key in _PASSWORDS if self._config[key]]
        if self._config["auth.digest_users"] and others:
            message = "many clients choose Digest where it is offered, and would for the users of "
            message += f"{' and '.join(others)}, too, who are then refused"
            advice = "write all users for Digest as well (connectproxy passwd --digest), or none"
            yield Problem("auth.digest_users", "auth.digest_users", message, advice)

    def _strangers(self) -> Iterator[Problem]:
        """
        Find rules for users and groups that nobody can be.
        """
        config, rows = self._config, self._rows
        known = identifies(config, rows)
        carried = bool(config["auth.token_keys"] or config["auth.checkers"])  # groups of their own
        groups = {row.options["name"] for row in config.rows["group"]}
        groups |= {group for row in config.rows["identity"] for group in row.options["groups"]}
        lost = []
        for row in (*config.rows["rule"], *config.rows["limit"]):
            options = row.options
            users = [user for user in options["users"] if user != NOBODY]
            if not known and (options["groups"] or (users and NOBODY not in options["users"])):
                lost.append(row)
                continue
            for group in options["groups"]:
                near = nearest(group, groups)
                if group not in groups and known and (near or not carried):
                    advice = f"do you mean {near}?" if near else "add a [[group]] of that name"
                    yield Problem("rule.groups", row.where, f"there is no group {group} here", advice)
        if lost:
            more = f", and {len(lost) - 1} more like it" if len(lost) > 1 else ""
            yield Problem(
                "rule.users",
                lost[0].where,
                f"can never match{more}: nothing in this configuration finds out who asks",
                "say auth.users, auth.token_keys or another key of [auth], here or as an option of the proxy",
            )

    def _everything(self) -> Iterator[Problem]:
        """
        Find that all is allowed that no guard denies.
        """
        config = self._config
        if (config["policy.default"] or "allow") != "allow":
            return
        guards = kinds("connectproxy.rules", IRuleKind)
        denials = [
            row
            for row in config.rows["rule"]
            if row.options["action"] == "deny"
            and row.options["kind"] not in guards
            and not row.options["report"]
        ]
        if not denials:
            yield Problem(
                "policy.default",
                "policy.default",
                "everything is allowed but what the guards of ports and addresses deny",
                'say default = "deny" below [policy], and rules for what is allowed',
            )

    def _doors(self, listener: Listener) -> Iterator[Problem]:
        """
        Find what is wrong with who gets in by a listener.
        """
        config, options, where = self._config, listener.options, listener.where
        if parseEndpoint(listener.endpoint).local:
            return
        if not isGuarded(listener, config, self._rows):
            asked = asks(listener, config, self._rows)
            yield Problem(
                "proxy.open",
                where,
                f"{listener.endpoint} is open to whoever reaches it: who clients are is {_ASKED[asked]}",
                'say authentication = "required", or see to it that only the right ones reach it',
            )
        safe = options["require_tls"] or config["auth.require_tls"] or listener.endpoint.startswith("ssl:")
        if not safe and options["authentication"] != "off" and any(config[key] for key in _PASSWORDS):
            yield Problem(
                "listen.require_tls",
                where,
                f"clients may send their password to {listener.endpoint} in clear text",
                "say require_tls, or auth.require_tls; or keep others off the network in between",
            )

    def _certificates(self, listener: Listener) -> None:
        """
        Read the certificates of a listener.
        """
        kind: Any = kinds("connectproxy.listeners", IListenerKind)["auto"]
        key, where = "listen.tls_certificate", listener.where
        try:
            tls: ServerTLS | None = kind.parseOptions(listener.options, where).tls
        except Unloadable as error:
            message = str(error).removeprefix(f"{where}: ")
            self._errors.append(Problem("listen.protocols", where, message, ""))
            return
        except ValueError as error:
            self._errors.append(Problem(key, where, str(error).removeprefix(f"{where}: "), ""))
            return
        if tls is None:
            return
        self._warnings += (Problem(key, where, note, "") for note in tls.notes)
        left = tls.expires - datetime.fromtimestamp(self._now(), UTC)
        if not tls.notes and left.days < SOON:
            message = f"a certificate expires at {tls.expires:%Y-%m-%d %H:%M} UTC, in {left.days} days"
            self._warnings.append(Problem(key, where, message, "renew it"))


_ASKED = {
    "off": "not asked",
    "optional": "asked, and those who do not say it are served as well",
    "required": "found out by nothing that a stranger could not have",
}
"""What is said of a listener that is open, by whether clients are asked who they are."""
