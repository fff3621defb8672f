"""
Makes the authenticator that a configuration describes.

Reads every file that has to do with who clients are, and tells of everything that is
wrong with any of them at once.  All of it blocks.
"""

from __future__ import annotations

import os
import shlex
from typing import Any

from twisted.cred.portal import Portal
from twisted.logger import Logger

from connectproxy.auth.authenticator import Authenticator
from connectproxy.auth.cache import Successes
from connectproxy.auth.checkers import FirstOf, makeCheckers
from connectproxy.auth.connection import Identities, Identity
from connectproxy.auth.digest import DigestScheme
from connectproxy.auth.digestfile import readDigestUsers
from connectproxy.auth.hashing import Hashing
from connectproxy.auth.htpasswd import HashedUsers, readUsers
from connectproxy.auth.lines import readLines
from connectproxy.auth.pair import OnePair
from connectproxy.auth.realm import ProxyRealm, avatarName
from connectproxy.auth.refusals import Challenges
from connectproxy.auth.schemes import DigestedUsers, SignedUsers
from connectproxy.auth.throttle import Throttle
from connectproxy.auth.tokenfiles import newKey, readKeys, readRevoked
from connectproxy.auth.tokens import TokenChecker, missing
from connectproxy.config import Config, ConfigurationError, Problem

__all__ = ["buildAuthenticator"]

KEY_FILE = "connectproxy-token.key"
"""The key of tokens in the profile C{sandbox}, which is made where it is missing."""


def buildAuthenticator(reactor: Any, config: Config) -> Authenticator | None:
    """
    Make an authenticator.  Blocks.

    @param reactor: provides C{IReactorTime} and C{IReactorFromThreads}.
    @return: L{None} if nothing is configured by which anybody could be known.
    @raise ConfigurationError: everything that is wrong.
    """
    building = _Building(reactor, config)
    made = building.authenticator()
    if building.problems:
        raise ConfigurationError(building.problems)
    return made


class _Building:
    """
    One authenticator on its way to be one.

    @ivar problems: what has been found to be wrong.
    """

    _log = Logger()

    def __init__(self, reactor: Any, config: Config) -> None:
        self._reactor = reactor
        self._config = config
        self._files: list[str] = []
        self.problems: list[Problem] = []

    def authenticator(self) -> Authenticator | None:
        """
        Make it; it is of no use where there are problems.
        """
        config, reactor = self._config, self._reactor
        realm = ProxyRealm(self._members())
        identities = Identities(self._identities(), realm)
        hashing = Hashing(reactor)
        passwords, tokens = self._passwords(hashing), self._tokens()
        scheme, digests = self._digests()
        checkers: list[Any] = [each for each in (passwords, tokens, digests) if each is not None]
        if not checkers and not identities:
            return None
        return Authenticator(
            Portal(realm, checkers),
            Challenges(config["proxy.name"], scheme, passwords is not None, tokens is not None),
            identities,
            Successes(reactor, config["auth.cache"]),
            Throttle(reactor, config["auth.guesses"], config["auth.guesses_period"]),
            hashing,
            requireTLS=config["auth.require_tls"],
            files=self._files,
        )

    def _read(self, key: str) -> str:
        """
        The name of a setting's file, which is going to be read; empty if there is none.
        """
        path: str = self._config[key]
        if path:
            self._files.append(path)
        return path

    def _members(self) -> dict[str, list[str]]:
        """
        The users of each group.
        """
        members: dict[str, list[str]] = {}
        for row in self._config.rows["group"]:
            users = members.setdefault(row.options["name"], [])
            for item in row.options["users"]:
                if not item.startswith("@"):
                    users.append(item)
                    continue
                self._files.append(item[1:])
                for place, line in readLines(
                    item[1:], "group.users", self.problems, isList=True, where=row.where
                ):
                    name = avatarName(line)
                    if name is None:
                        message = f"is not the name of a user for {row.where}"
                        advice = "write one name a line, of at most 255 octets"
                        self.problems.append(Problem("group.users", place, message, advice))
                    else:
                        users.append(name)
        return members

    def _identities(self) -> list[Identity]:
        """
        Who is known by a connection.
        """
        return [Identity.of(row.options) for row in self._config.rows["identity"]]

    def _passwords(self, hashing: Hashing) -> FirstOf | None:
        """
        What knows passwords.
        """
        own: list[Any] = []
        pair = self._config["auth.basic"]
        if pair:
            own.append(OnePair(*pair.partition(":")[::2]))
        path, reject = self._read("auth.users"), None
        if path:
            # A file without anybody in it lets nobody in, and that may be what is wanted.
            users = HashedUsers(readUsers(path, self.problems), hashing)
            own.append(users)
            reject = users.reject
        others = makeCheckers(self._config["auth.checkers"], self.problems)
        return FirstOf(own, others, reject) if own or others else None

    def _tokens(self) -> SignedUsers | None:
        """
        What knows tokens.
        """
        paths = self._config["auth.token_keys"]
        path = self._read("auth.revoked_tokens")
        revoked = readRevoked(path, self.problems) if path else None
        if not paths:
            return None
        without = missing()
        if without:
            self.problems.append(Problem("auth.token_keys", "auth.token_keys", *without.split("; ", 1)))
            return None
        if self._config["proxy.profile"] == "sandbox" and [os.path.basename(each) for each in paths] == [
            KEY_FILE
        ]:
            self._makeKey(paths[0])
        self._files += paths
        notes: list[str] = []
        keys = readKeys(paths, self.problems, notes)
        for note in notes:
            self._log.warn("{note}", note=note)
        return SignedUsers(TokenChecker(keys, revoked))

    def _makeKey(self, path: str) -> None:
        """
        Make the key of the profile, if it is missing.
        """
        try:
            newKey(path)
        except FileExistsError:
            return
        except OSError as error:
            message = f"cannot make {path}: {error.strerror}"
            advice = (
                "run the proxy where it may write, or make a key elsewhere (connectproxy token) and name it"
            )
            self.problems.append(Problem("auth.token_keys", "auth.token_keys", message, advice))
            return
        self._log.info(
            "made {path}, a key for tokens; make a token by: connectproxy token --key {quoted} --user NAME",
            path=path,
            quoted=shlex.quote(path),
        )

    def _digests(self) -> tuple[DigestScheme, DigestedUsers] | tuple[None, None]:
        """
        What makes and verifies digests.
        """
        path = self._read("auth.digest_users")
        if not path:
            return None, None
        config = self._config
        realm, md5 = config["proxy.name"], config["auth.digest_md5"]
        users = readDigestUsers(path, realm, md5, self.problems)
        scheme = DigestScheme(self._reactor, realm, config["auth.nonce_lifetime"], md5)
        return scheme, DigestedUsers(scheme, users.find)
