"""
The realm of L{twisted.cred}: it makes the avatar of who has been found out.

Knows the groups that users are in.  How somebody was found out it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.cred.portal import IRealm
from zope.interface import implementer

from connectproxy.interfaces import IProxyUser, ProxyUser
from connectproxy.wire.authorization import normalForm

__all__ = ["MOST", "ProxyRealm", "avatarName"]

MOST = 255
"""Octets of a user's name."""

_Result = tuple[type[IProxyUser], ProxyUser, Callable[[], None]]


def avatarName(avatarId: object) -> str | None:
    """
    The name of a user that a checker has found, in Normalization Form C.

    @param avatarId: what the checker gives: octets of UTF-8 or a string, if it keeps to
        what L{twisted.cred.checkers.ICredentialsChecker} says.
    @return: L{None} for what is no name, such as L{twisted.cred.checkers.ANONYMOUS}.
    """
    if isinstance(avatarId, str):
        avatarId = avatarId.encode("utf-8", "surrogatepass")
    if not isinstance(avatarId, bytes) or not 0 < len(avatarId) <= MOST:
        return None
    name = normalForm(avatarId)
    return None if name is None else name.decode("utf-8")


@implementer(IRealm)
class ProxyRealm:
    """
    Makes avatars that provide L{IProxyUser}.
    """

    def __init__(self, members: Mapping[str, Iterable[str]]) -> None:
        """
        @param members: the users of each group by its name; C{*} is everybody who is
            known.
        """
        groups: dict[str, set[str]] = {}
        for group, users in members.items():
            for user in users:
                groups.setdefault(user, set()).add(group)
        self._all = frozenset(groups.pop("*", ()))
        self._groups = {user: frozenset(names) | self._all for user, names in groups.items()}

    def avatar(self, found: ProxyUser) -> ProxyUser:
        """
        Add the groups of a user to those that it was found with.
        """
        groups = self._groups.get(found.name, self._all)
        return found._replace(groups=found.groups | groups) if groups else found

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> _Result:
        """
        Make an avatar.

        @param avatarId: a name as L{avatarName} takes it; or a L{ProxyUser}, from a
            checker that knows more.
        @return: C{(IProxyUser, avatar, logout)}; the last one does nothing, since nothing
            is kept of an avatar.
        @raise NotImplementedError: another interface is asked for.
        @raise ValueError: it is no name.
        """
        if IProxyUser not in interfaces:
            raise NotImplementedError("the avatars of a proxy provide IProxyUser only")
        if not isinstance(avatarId, ProxyUser):
            name = avatarName(avatarId)
            if name is None:
                raise ValueError("a checker has given what is not the name of a user")
            avatarId = ProxyUser(name)
        return IProxyUser, self.avatar(avatarId), _nothing


def _nothing() -> None:
    """
    What there is to do when an avatar is not needed any more.
    """
