"""
What a policy decides, asked in Python, without a reactor and without the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectproxy.cases import Case, differences
from connectproxy.config import Config, load
from connectproxy.questions import Question, readQuestion
from connectproxy.rehearsal import Answer, Rehearsal
from connectproxy.rehearsal.words import answerLines, wayLines

__all__ = ["Decisions"]


class Decisions:
    """
    What the policy of one configuration decides.

    Whoever is named as C{user} counts as known: no password is looked at.

    @ivar config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        """
        Read the lists that the configuration names.  Blocks.

        @param config: as L{configure<connectproxy.config.loader.configure>} or
            L{load<connectproxy.config.loader.load>} gives it.
        @raise connectproxy.ConfigurationError: all that is wrong with it.
        """
        self._rehearsal = Rehearsal(config)
        self.config = config

    @classmethod
    def load(cls, path: str | None = None, **options: Any) -> Decisions:
        """
        Read a configuration as C{twistd connectproxy} does.  Blocks.

        @param path: the name of a TOML file; L{None} for none.
        @param options: options of C{twistd connectproxy}, with C{_} in the place of C{-}:
            C{profile="sandbox"}, C{allow=["list.txt"]}.
        @raise connectproxy.ConfigurationError: all that is wrong with it.
        @raise KeyError: there is no such option.
        """
        return cls(load(path, {name.replace("_", "-"): value for name, value in options.items()}))

    def ask(
        self,
        dest: str,
        *,
        user: str | None = None,
        groups: Sequence[str] = (),
        client: str | None = None,
        listener: str | None = None,
        protocol: str | None = None,
        method: str | None = None,
        scheme: str | None = None,
        addresses: Sequence[str] | None = None,
        server_name: str | None = None,
        at: datetime | str | None = None,
    ) -> Answer:
        """
        Ask what a client would be answered.

        The names are those of the keys of a C{[[case]]}.

        @param dest: where to, C{host:port} as a client would send it.
        @param user: who asks; L{None} for whoever the client's address shows, or nobody.
        @param groups: groups of the user besides those of C{[[group]]} tables.
        @param client: its address, by default 127.0.0.1; C{"unix"} for a UNIX socket.
        @param listener: the listener's name or endpoint, by default the first one.
        @param protocol: C{"http/1.1"}, which is the default, C{"http/1.0"}, C{"h2"},
            C{"socks5"}, C{"socks4"} or C{"socks4a"}.
        @param method: the method, by default what the scheme has.
        @param scheme: C{"tcp"}, which is the default, C{"udp"} or C{"http"}.
        @param addresses: what the name resolves to; L{None} where that is not known.
        @param server_name: that of the TLS within the tunnel; empty for none.  By default
            the destination's name, where there is one.
        @param at: the time, with its offset from UTC; by default now.
        @raise ValueError: the question can't be understood: all that is wrong with it.
        """
        question = readQuestion(
            {
                "dest": dest, "user": user, "groups": list(groups), "client": client, "listener": listener,
                "protocol": protocol, "method": method, "scheme": scheme,
                "addresses": None if addresses is None else list(addresses),
                "server_name": server_name, "at": at,
            }
        )  # fmt: skip
        return self._rehearsal.answer(question)

    def explain(self, dest: str, **more: Any) -> str:
        """
        The way of a question through the rules, and its answer, in words for people.

        @param more: as for L{ask}.
        @raise ValueError: the question can't be understood.
        """
        return self._explained(readQuestion({"dest": dest, **more}))

    def verify(self, case: Case) -> None:
        """
        See that a case is decided as it expects.

        @raise AssertionError: it is not; the message has what was expected, what came, and
            the way through the rules.
        @raise ValueError: it names a listener that there is not.
        """
        __tracebackhide__ = True  # what pytest shows is the test
        found = differences(case, self._rehearsal.answer(case.question))
        if found:
            head = "; ".join(found)
            where = f"{case.where}: " if case.where else ""
            raise AssertionError(f"{where}{case}: {head}\n\n{self._explained(case.question)}")

    def _explained(self, question: Question) -> str:
        """
        All that there is to say of a question.
        """
        answer = self._rehearsal.answer(question)
        lines = [*wayLines(self._rehearsal, question), "", *answerLines(answer, question.protocol)]
        return "\n".join(lines)
