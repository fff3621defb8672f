"""
The policy: rules in order, of which the first that has something to say decides.

Rules are pure and synchronous, so a decision can be explained and tested by itself.  A
denial that only reports has no effect and does not end the search.  Before all is known,
a permission that depends on the rest does not end it either: if what decides behind it is
a denial, it is looked up and seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectproxy.interfaces import Action, IPAddress, IRule, TunnelRequest, Verdict
from connectproxy.policy.asked import NOTHING, Asked, Single
from connectproxy.policy.reasons import allowedByNone
from connectproxy.policy.table import Table
from connectproxy.policy.trace import Step, trace

__all__ = ["DEFAULT", "Policy"]

DEFAULT = Verdict(Action.ALLOW, "no rule denies it", "default")
"""The verdict on what no rule has decided, where that is allowed."""


class Policy:
    """
    An ordered set of rules.

    @ivar rules: the rules in Python, in the order in which they are asked.
    @ivar files: the files that it was read from besides the configuration: lists.
    @ivar warnings: what is probably not as meant: L{connectproxy.config.Problem}s.
    """

    def __init__(
        self,
        rules: Iterable[IRule | Single | Table] = (),
        *,
        default: Action = Action.ALLOW,
        contact: str = "",
        files: Sequence[str] = (),
        warnings: Sequence[Any] = (),
    ) -> None:
        """
        @param rules: rules in Python, also under another name, and tables of compiled ones
            between them.
        @param default: what happens to what no rule has decided.
        @param contact: the operator's words for a client that is denied, where the rule
            has none.
        """
        self._parts = tuple(rule if isinstance(rule, Table | Single) else Single(rule) for rule in rules)
        self.rules = tuple(part.rule for part in self._parts if isinstance(part, Single))
        self._default = default
        self._contact = contact
        self._greets = any(part.named for part in self._parts)
        self.files = tuple(files)
        self.warnings = tuple(warnings)

    def decideRequest(self, request: TunnelRequest) -> Verdict:
        """
        Judge a request before anything is looked up.

        @return: the verdict of the first rule that has one, or the default.  It is
            C{provisional} if another permission, or other reports, could come of what
            is not known yet; then L{judge} has the last word.
        """
        return self._walk(Asked(request, request.destination.ip, _unsaid(request), True))

    def decideAddress(self, request: TunnelRequest, address: IPAddress | None) -> Verdict | None:
        """
        Judge an address that is about to be dialled.

        @param address: L{None} where nobody here is going to see it, as for L{judge}.
        @return: the denial; L{None} if the address may be dialled.
        """
        verdict = self._walk(Asked(request, address, _unsaid(request), False))
        return verdict if verdict.action is Action.DENY else None

    def judge(
        self, request: TunnelRequest, address: IPAddress | None, serverName: str | None = None
    ) -> Verdict:
        """
        Judge a request with everything that is known, and say so in full.

        @param address: that the destination has; L{None} where nobody here is going to
            see it, as behind another proxy: then no rule with networks matches.
        @param serverName: see L{decideServerName}; L{None} if it is not known.
        """
        if serverName is not None:
            return self.decideServerName(request, address, serverName)
        return self._walk(Asked(request, address, _unsaid(request), False))

    def wantsServerName(self, request: TunnelRequest) -> bool:
        """
        Whether the TLS server name could make a difference to a request.
        """
        if self._greets and _unsaid(request) is None:
            for part in self._parts:
                wants, decided = part.wantsServerName(request)
                if wants or decided:
                    return wants
        return False

    def decideServerName(self, request: TunnelRequest, address: IPAddress | None, name: str) -> Verdict:
        """
        Judge a request once more, when its client has begun to speak.

        @param name: as the ClientHello has it; empty where there is none.
        """
        return self._walk(Asked(request, address, name.lower().removesuffix("."), False))

    def trace(
        self, request: TunnelRequest, address: IPAddress | None = None, serverName: str | None = None
    ) -> list[Step]:
        """
        The way through the rules: what each one does with a request, and why.

        @param address: as for L{judge}; L{None} for the first question.
        """
        first = address is None and serverName is None
        known = request.destination.ip if first else address
        name = _unsaid(request) if serverName is None else serverName.lower().removesuffix(".")
        return trace(self._parts, Asked(request, known, name, first), self._undecided(request))

    def _undecided(self, request: TunnelRequest) -> Verdict:
        """
        The default.
        """
        if self._default is Action.ALLOW:
            return DEFAULT
        return Verdict(Action.DENY, allowedByNone(request), DEFAULT.rule)

    def _walk(self, asked: Asked) -> Verdict:
        """
        Ask the rules in order.
        """
        maybe: Verdict | None = None
        reports: tuple[str, ...] = ()
        unsure = False
        for part in self._parts:
            found = part.find(asked)
            if found is NOTHING:
                continue
            verdict, other, more, open_ = found
            reports += more
            unsure = unsure or open_
            maybe = maybe or other
            if verdict is not None:
                break
        else:
            verdict = self._undecided(asked.request)
        if verdict.action is Action.DENY:
            if maybe is not None:
                verdict = maybe
            elif self._contact and not verdict.message:
                verdict = verdict._replace(message=self._contact)
        elif unsure and not verdict.provisional:
            verdict = verdict._replace(provisional=True)
        return verdict._replace(reports=reports) if reports else verdict


def _unsaid(request: TunnelRequest) -> str | None:
    """
    The server name before a client has begun to speak: only in a tunnel there is going to be
    one.  Who asks for datagrams, or has a message forwarded, would else be let go wherever
    some name is allowed, for want of any that could be looked at.
    """
    return None if request.scheme == "tcp" else ""
