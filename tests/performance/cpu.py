"""What processes cost: CPU time and memory of process trees, as Linux's /proc tells it."""

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """Of one process, in MiB; PSS shares out what several processes have in common."""

    rss: float
    pss: float


def cpu_seconds(root: int) -> float:
    """What a process and all below it have used since they were started.

    The dead count too: what they had used is their parent's once it has waited for them.
    """
    return sum(_own(pid) + _of_the_dead(pid) for pid in family(root))


def by_child(root: int) -> dict[int, float]:
    """The CPU time of each child of a process: of a gunicorn, its workers'."""
    return {pid: _own(pid) for pid in _children()[root]}


def family(root: int) -> list[int]:
    """A process and everything below it."""
    below = _children()
    found = [root]
    for pid in found:
        found += below[pid]
    return found


def parent_of(pid: int) -> int:
    """The process that started this one."""
    return int(_stat(pid)[1])


def name_of(pid: int) -> str:
    """The name of a process's program; empty where there is no such process."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def memory_of(pids: Iterable[int]) -> list[Memory]:
    """The memory of each of these processes."""
    return [Memory(*(_rollup(pid)[name] / 1024 for name in ("Rss", "Pss"))) for pid in pids]


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The difference of two readings, name by name."""
    return {name: after[name] - before[name] for name in before}


def _children() -> dict[int, list[int]]:
    below: dict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            below[parent_of(int(folder.name))].append(int(folder.name))
    return below


def _own(pid: int) -> float:
    """The CPU time of a process's threads, the ended ones too.

    Its clock, named as clock_getcpuclockid(3) does, counts nanoseconds where stat counts ticks of
    10 ms, which are too coarse for a few hundred requests of less than one each.
    """
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:  # it has just ended
        return 0.0


def _of_the_dead(pid: int) -> float:
    try:
        return sum(int(ticks) for ticks in _stat(pid)[13:15]) / TICKS
    except OSError:
        return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat that follow the name, which may itself have blanks."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _rollup(pid: int) -> dict[str, int]:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    return {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}
