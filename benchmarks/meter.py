"""
Processor time and memory of a proxy with all its children, and what else the cores did.

It reads clocks and C{/proc}; it knows neither tunnels nor modes.

Where a figure comes from, and how exact it is:

 - processor time: the process's own clock as clock_getcpuclockid(3) gives it,
   in nanoseconds, for all threads, also those that have ended; plus what
   ended children left to their parents, in ticks of 10 ms.  Where the kernel
   refuses that clock: user and system time of C{/proc/PID/stat}, in ticks.
 - memory: C{Pss_Anon} of C{/proc/PID/smaps_rollup}: memory that belongs to the
   process and to no file, pages shared by several counted in shares.  Memory
   of the kernel (sockets, pipes) is not in it.
 - the cores: C{/proc/stat}, in ticks.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cores", "Meter", "Reading", "userMemory"]

# The cores of proxy and load; the same twice where there is only one.
Cores = tuple[int, int]

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Reading:
    """
    The state of all clocks at one time; the difference of two is what a window took.

    @ivar wall: seconds of a clock that only goes forward.
    @ivar proxy: processor seconds of the proxy, its children included.
    @ivar load: processor seconds of this process.
    @ivar cores: seconds the proxy's and the load's core were not idle.
    """

    wall: float
    proxy: float
    load: float
    cores: tuple[float, float]

    def __sub__(self, earlier: Reading) -> Reading:
        return Reading(
            self.wall - earlier.wall,
            self.proxy - earlier.proxy,
            self.load - earlier.load,
            (self.cores[0] - earlier.cores[0], self.cores[1] - earlier.cores[1]),
        )


def _fields(pid: int) -> list[str]:
    """
    What follows the name in C{/proc/PID/stat}: state, parent, and so on.

    The name may hold blanks and brackets, so the last bracket counts.
    """
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _family(pid: int) -> list[int]:
    """The process and all that descend from it, from one walk over C{/proc}."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            fields = _fields(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    family = [pid]
    for member in family:
        family.extend(children.get(member, []))
    return family


def _spent(pid: int) -> float:
    """Processor seconds of one process and of the children it has waited for."""
    fields = _fields(pid)
    if not fields:
        return 0.0
    # proc(5): utime and stime are the 14th and 15th field of the line, cutime
    # and cstime the two after; these fields begin with the third.
    own, reaped = (sum(map(int, fields[at : at + 2])) / _TICK for at in (11, 13))
    with suppress(OSError):
        # What clock_getcpuclockid(3) computes; Python has no name for it.
        own = time.clock_gettime((~pid << 3) | 2)
    return own + reaped


def _coreBusy(core: int) -> float:
    """Seconds since boot that a core spent neither idle nor waiting for a disk."""
    for line in (_PROC / "stat").read_text().splitlines():
        name, *counts = line.split()
        if name == f"cpu{core}":
            # user nice system idle iowait irq softirq steal; what follows
            # (guest) is part of user already.
            ticks = [int(count) for count in counts[:8]]
            return (sum(ticks) - ticks[3] - ticks[4]) / _TICK
    return 0.0


class Meter:
    """
    The clocks of one proxy.

    @ivar pid: the proxy's first process; L{None} where there is none.
    @ivar shared: whether proxy and load have one core together.
    """

    def __init__(self, pid: int | None, cores: Cores) -> None:
        """
        @param cores: the cores that proxy and load are bound to.
        """
        self.pid = pid
        self.shared = cores[0] == cores[1]
        self._cores = cores
        self._known: list[int] = []

    def begin(self) -> Reading:
        """Read all clocks, at the beginning of a window."""
        self._known = [] if self.pid is None else _family(self.pid)
        return self._read()

    def end(self) -> Reading:
        """
        Read all clocks, at the end of a window.

        Children born since L{begin} are looked for after the clocks have been
        read, and what they have used since their birth is added.
        """
        reading = self._read()
        if self.pid is None:
            return reading
        born = set(_family(self.pid)) - set(self._known)
        late = sum(_spent(pid) for pid in born)
        return Reading(reading.wall, reading.proxy + late, reading.load, reading.cores)

    def _read(self) -> Reading:
        spent = sum(_spent(pid) for pid in self._known)
        busy = (_coreBusy(self._cores[0]), _coreBusy(self._cores[1]))
        return Reading(time.monotonic(), spent, time.process_time(), busy)

    def memory(self) -> int:
        """User memory of the proxy and its children, in octets."""
        return 0 if self.pid is None else sum(userMemory(pid) for pid in _family(self.pid))


def userMemory(pid: int) -> int:
    """
    User memory of one process, in octets; 0 if it has gone.

    @raise PermissionError: the process belongs to somebody else.
    """
    sizes: dict[str, int] = {}
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
            name, size, *_ = line.split()
            sizes[name] = int(size) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # Kernels before 5.4 know only the sum of all kinds.  What was moved out to
    # swap was still asked for.
    return sizes.get("Pss_Anon:", sizes.get("Pss:", 0)) + sizes.get("SwapPss:", 0)
