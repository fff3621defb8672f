"""
The command C{connectproxy status}: asks a proxy that is up how it does.

Owns how that is shown to people; what there is to show is L{connectproxy.status}'s.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from connectproxy.commands.dialogue import UNREACHABLE, Unreachable, addPlace, ask

__all__ = ["main"]


def main(arguments: Sequence[str], program: str = "connectproxy status") -> int:
    """
    Show how a proxy does.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 if it is up and its last reload has succeeded, 1 if
        that has failed, 2 if no proxy answers.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Show which configuration a proxy that is up has in force, and what it has decided.",
        epilog="Exits with 0, 1 if the last reload has failed, or 2 if no proxy answers.",
    )
    addPlace(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    said = parser.parse_args(arguments)
    try:
        state = ask(said, "status")
    except Unreachable as error:
        sys.stderr.write(f"{program}: {error}\n")
        return UNREACHABLE
    if said.json:
        sys.stdout.write(json.dumps(state, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(state)))
    last = state["reload"]
    return 1 if last is not None and last["problems"] else 0


def _lines(state: dict[str, Any]) -> Iterator[str]:
    """
    A state in words.
    """
    origin = state["file"] or "no file"
    yield f"connectproxy {state['version']}, process {state['pid']}" + (
        ", stopping" if state["draining"] else ""
    )
    yield f"configuration  {state['configuration']} of {origin}, in force since {state['since']}"
    last = state["reload"]
    if last is not None:
        yield f"last reload    {last['at']}, {'failed' if last['problems'] else 'done'}"
        for line in (*last["problems"], *last["notes"]):
            yield f"               {line}"
    yield f"listeners      {', '.join(state['listeners'])}"
    yield f"clients        {state['connections']} connections, {state['tunnels']} tunnels"
    yield f"logins refused {state['logins_refused']}"
    audit = state["audit"]
    if audit is not None:
        yield f"audit file     {audit['file']}, {audit['dropped']} lines lost"
    yield from _upstreams(state["upstreams"])
    yield from _table(
        "decisions", [(f"{each['decision']} {each['rule']}", each["count"]) for each in state["decisions"]]
    )
    yield from _table("other refusals", list(state["refusals"].items()))
    yield from _table("would have been denied (report)", list(state["reports"].items()))
    yield from _table("the shadow policy differs", list(state["shadow"].items()))


def _upstreams(upstreams: dict[str, Any]) -> Iterator[str]:
    """
    The ways that hold something: groups with their members, and others with their counts.
    """
    for name, state in upstreams.items():
        members = state.get("members")
        if members is None:
            counts = ", ".join(f"{value} {key}" for key, value in state.items() if isinstance(value, int))
            yield f"\nupstream {name}: {counts}"
            if state.get("last_failure"):
                yield f"            {state['last_failure']}"
            continue
        yield f"\nupstream {name}: {state['balance']}"
        for member in members:
            line = f"{member['tunnels']:10,}  {member['name']} {member['state']}"
            if member["backup"]:
                line += ", backup"
            if member["retry_in"] is not None:
                line += f", tried again in {member['retry_in']:g} s"
            if member["state"] != "up" and member["last_failure"]:
                line += f": {member['last_failure']}"
            yield line


def _table(title: str, rows: Sequence[tuple[str, int]]) -> Iterator[str]:
    """
    Counts, the largest first.
    """
    if rows:
        yield f"\n{title}"
        for name, count in sorted(rows, key=lambda row: (-row[1], row[0])):
            yield f"{count:10,}  {name}"
