"""
From records to medians, ratios and tables.

A record is one measurement of one proxy.  Ratios are taken within a round,
between neighbours in time, and their median is reported: a machine that was
slow for one round was slow for both.  This module measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

__all__ = ["Record", "fromJSON", "oneLine", "tables"]


@dataclass(frozen=True, slots=True)
class Record:
    """
    One measurement.

    @ivar figures: what was measured; the names say the unit.
    @ivar errors: what went wrong, and how often; any voids the measurement.
    @ivar skipped: why it was not tried; empty if it was.
    """

    mode: str
    peer: str
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    skipped: str = ""

    @property
    def counts(self) -> bool:
        """Whether its figures may be used."""
        return not self.errors and not self.skipped

    @property
    def disturbance(self) -> float:
        """The share of either core that others used; the larger."""
        return max(self.figures.get(key, 0.0) for key in _BESIDE)

    def toJSON(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def fromJSON(lines: Iterable[str]) -> tuple[dict[str, str], list[Record]]:
    """
    Read what an earlier run has written.

    @return: what was said of the machine, and the records.
    @raise ValueError: the lines are something else.
    """
    machine: dict[str, str] = {}
    records = []
    for line in lines:
        content = json.loads(line)
        if "machine" in content:
            machine = content["machine"]
            continue
        try:
            records.append(Record(**content))
        except TypeError as problem:
            raise ValueError(f"not a record of a measurement: {line.strip()[:80]}") from problem
    return machine, records


@dataclass(frozen=True, slots=True)
class _Column:
    """
    One figure of a family.

    @ivar ratio: what the column of its ratios is called; empty for none.
    """

    key: str
    heading: str
    digits: int
    ratio: str = ""


# The second of two ratios, or the only one, is the cost; who costs least is best.
_FAMILIES = {
    "bulk": (_Column("gib_per_s", "GiB/s", 2, "GiB/s"), _Column("cpu_s_per_gib", "CPU s per GiB", 3, "CPU")),
    "open": (
        _Column("per_s", "tunnels/s", 0, "rate"),
        _Column("cpu_ms_per_1000", "CPU ms per 1,000", 1, "CPU"),
    ),
    "ping": (
        _Column("messages_per_s", "messages/s", 0, "rate"),
        _Column("cpu_us_per_message", "CPU µs per message", 1, "CPU"),
        _Column("p50_us", "p50 µs", 0),
        _Column("p99_us", "p99 µs", 0),
    ),
    "get": (
        _Column("requests_per_s", "requests/s", 0, "rate"),
        _Column("cpu_us_per_request", "CPU µs per request", 1, "CPU"),
        _Column("p50_us", "p50 µs", 0),
        _Column("p99_us", "p99 µs", 0),
    ),
    "idle": (_Column("kib_per_tunnel", "KiB per tunnel", 2, "memory"),),
    "start": (_Column("cpu_s", "CPU s", 3), _Column("start_s", "seconds", 3, "time")),
}
_BESIDE = ("beside_proxy", "beside_load")
_BUSY = ("proxy_busy", "load_busy", *_BESIDE)
_BUSY_HEADING = "busy %: proxy, load, others beside each"


def _columns(mode: str) -> tuple[_Column, ...]:
    return next(_FAMILIES[word] for word in mode.split("-") if word in _FAMILIES)


def oneLine(record: Record) -> str:
    """What a person wants to see of a measurement as soon as it is done."""
    if record.skipped:
        return f"skipped: {record.skipped}"
    if record.errors:
        return "ERRORS: " + _faults(record)
    shown = [f"{record.figures[c.key]:,.{c.digits}f} {c.heading}" for c in _columns(record.mode)]
    if "proxy_busy" in record.figures:
        shares = ", ".join(f"{record.figures[key] * 100:.0f}" for key in _BUSY)
        shown.append(f"{_BUSY_HEADING} {shares}")
    return "  ".join(shown)


def _faults(record: Record) -> str:
    return "; ".join(f"{what} ({count})" if count > 1 else what for what, count in record.errors.items())


def _spread(values: Sequence[float], digits: int) -> str:
    """The median, with least and most in brackets where there are several."""
    if not values:
        return "—"
    shown = f"{median(values):,.{digits}f}"
    if len(values) > 1:
        shown += f" ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
    return shown


class _Table:
    """All measurements of one mode, by peer and round."""

    def __init__(self, mode: str, records: Iterable[Record]) -> None:
        self.columns = _columns(mode)
        self.records = [record for record in records if record.mode == mode]
        self.peers = list(dict.fromkeys(record.peer for record in self.records))

    def values(self, peer: str, key: str) -> dict[int, float]:
        """One figure of one peer in each round that counts."""
        return {
            record.round: record.figures[key]
            for record in self.records
            if record.peer == peer and record.counts and key in record.figures
        }

    def ratios(self, peer: str, reference: str, key: str) -> list[float]:
        """How one figure of two peers relates, in each round in which both count."""
        own, other = self.values(peer, key), self.values(reference, key)
        return [own[number] / other[number] for number in own if other.get(number)]

    def best(self, peers: Iterable[str]) -> str | None:
        """Which of the peers costs least, if any of them has a figure."""
        key = [column.key for column in self.columns if column.ratio][-1]
        costs = {peer: median(values) for peer in peers if (values := list(self.values(peer, key).values()))}
        return min(costs, key=lambda peer: costs[peer]) if costs else None

    def lines(self, references: Sequence[str], native: Sequence[str]) -> list[str]:
        """The table in Markdown, and a line for each measurement that does not count."""
        best = self.best(native)
        compared = [name for name in dict.fromkeys([*references, best]) if name in self.peers]
        cells: list[tuple[str, Callable[[str], str]]] = [("proxy", str)]
        for column in self.columns:
            cells.append((column.heading, self._figure(column)))
        for name in compared:
            title = f"{name} (best in C)" if name == best else str(name)
            for column in self.columns:
                if column.ratio and name is not None:
                    cells.append((f"{column.ratio} ÷ {title}", self._ratio(column, name)))
        if any(key in record.figures for record in self.records for key in _BUSY):
            cells.append((_BUSY_HEADING, self._busy))
        cells.append(("counted", self._counted))
        lines = [_row(heading for heading, _ in cells), "|---|" + "---:|" * (len(cells) - 1)]
        lines += [_row(show(peer) for _, show in cells) for peer in self.peers]
        notes = [
            f"- {record.peer}, round {record.round}: {record.skipped or 'does not count: ' + _faults(record)}"
            for record in self.records
            if not record.counts
        ]
        return [*lines, *(["", *notes] if notes else [])]

    def _figure(self, column: _Column) -> Callable[[str], str]:
        return lambda peer: _spread(list(self.values(peer, column.key).values()), column.digits)

    def _ratio(self, column: _Column, reference: str) -> Callable[[str], str]:
        return lambda peer: _spread(self.ratios(peer, reference, column.key), 2)

    def _busy(self, peer: str) -> str:
        shares = [list(self.values(peer, key).values()) for key in _BUSY]
        return ", ".join(f"{median(values) * 100:.0f}" if values else "—" for values in shares)

    def _counted(self, peer: str) -> str:
        tried = [record for record in self.records if record.peer == peer]
        return f"{sum(record.counts for record in tried)} of {len(tried)}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def tables(
    machine: dict[str, str], records: Sequence[Record], references: Sequence[str], native: Sequence[str]
) -> str:
    """
    Everything in Markdown: the machine, then one table for each mode.

    @param machine: what is known of it, in order.
    @param references: the peers to relate all others to.
    @param native: the peers of which the cheapest in a mode is a reference too.
    """
    lines = [f"- {key}: {value}" for key, value in machine.items()]
    for mode in dict.fromkeys(record.mode for record in records):
        lines += ["", f"### {mode}", "", *_Table(mode, records).lines(references, native)]
    for key, whose in (("beside_proxy", "proxy"), ("beside_load", "load")):
        noise = [record.figures[key] for record in records if key in record.figures]
        if noise:
            lines += [
                "",
                f"Others used {median(noise):.1%} of the {whose}'s core in the median measurement, "
                f"{max(noise):.1%} in the worst.",
            ]
    return "\n".join(lines).strip() + "\n"
