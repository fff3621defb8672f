"""
What is in force: everything that decides about a request, as one value.

A reload builds another one and puts it in the place of the old, in one step, or not at
all; a request is decided by the one that it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectproxy.interfaces import Action, IAuthenticator
from connectproxy.policy import Policy

__all__ = ["Regime"]

_NOBODY = Policy(default=Action.DENY)
"""In the place of a policy that is not going to be asked any more."""


class Regime(NamedTuple):
    """
    What decides.

    @ivar config: every setting of the configuration by its key.
    @ivar policy: judges requests.
    @ivar shadow: judges them beside it, without effect; L{None} where there is none.
    @ivar authenticator: finds out who asks; L{None} if nobody is asked.
    @ivar id: of the configuration, as events name it.
    """

    config: Mapping[str, Any]
    policy: Policy
    shadow: Policy | None = None
    authenticator: IAuthenticator | None = None
    id: str = ""

    def rest(self) -> Regime:
        """
        What is kept of it where nothing is asked of it any more: its name and its settings.
        """
        return self._replace(policy=_NOBODY, shadow=None, authenticator=None)
