"""
What one setting is: the type of the schema's rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectproxy.config.forms import Form

__all__ = ["Setting"]


class Setting(NamedTuple):
    """
    One setting.

    @ivar key: the name in the file, C{table.name}.
    @ivar option: the long option without its dashes; empty where there is none.
    @ivar default: the value where nobody says anything, as the file would write it.
    @ivar form: reads values and says what is accepted.
    @ivar metavar: what the documentation calls the option's argument; empty for a flag.
    @ivar help: what it does: one phrase that begins in lower case, without a full stop.
    @ivar repeatable: whether the option may be given several times.
    @ivar required: whether each table of an array of tables has to have the key.  The
        default is then only what stands in for it until all problems are told.
    """

    key: str
    option: str
    default: Any
    form: Form
    metavar: str
    help: str
    repeatable: bool = False
    required: bool = False

    @property
    def table(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """The second part of the key."""
        return self.key.partition(".")[2]
