"""Measuring: workloads in turns, and the median of their rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from tests.performance import cpu, load
from tests.performance.setting import Setting
from tests.performance.workloads import Workload

WARMING_SECONDS = 0.5


class Round(NamedTuple):
    """One measurement. CPU in milliseconds an operation."""

    cpu_ms: Mapping[str, float]
    run: load.Run
    busiest: float
    """What part of the workers' CPU time the busiest one had."""


@dataclass
class Figures:
    """What the rounds of a workload found."""

    rounds: list[Round] = field(default_factory=list)

    def cpu_ms(self) -> float:
        """The median round's CPU time of an operation: server, database and cache."""
        return median(sum(one.cpu_ms.values()) for one in self.rounds)

    def part_ms(self, part: str) -> float:
        """The same of one part."""
        return median(one.cpu_ms.get(part, 0.0) for one in self.rounds)

    def rate(self) -> float:
        """Operations a second."""
        return median(one.run.rate for one in self.rounds)

    def latency_ms(self, percent: int) -> float:
        """The time that so many of a hundred operations stay below."""
        latencies = sorted(value for one in self.rounds for value in one.run.latencies)
        return latencies[min(len(latencies) * percent // 100, len(latencies) - 1)] * 1000

    def load_ms(self) -> float:
        """The load tool's own CPU time of an operation."""
        return median(one.run.cpu_seconds * 1000 / len(one.run.latencies) for one in self.rounds)

    def load_busy(self) -> float:
        """What part of the time the load tool computed; the rest it waited for answers."""
        return median(one.run.cpu_seconds / one.run.seconds for one in self.rounds)

    def busiest(self) -> float:
        """What part of the workers' CPU time the busiest one had."""
        return median(one.busiest for one in self.rounds)


def measure(
    setting: Setting, workloads: Sequence[Workload], rounds: int, seconds: float
) -> dict[str, Figures]:
    """All workloads in turns, and again, as often as there are rounds."""
    figures = {workload.name: Figures() for workload in workloads}
    for _ in range(rounds):
        for workload in workloads:
            figures[workload.name].rounds.append(one_round(setting, workload, seconds))
    return figures


def one_round(setting: Setting, workload: Workload, seconds: float) -> Round:
    """One measurement, after a moment to warm up."""
    server = setting.servers[workload.server]
    _warm_up(server.port, workload, min(seconds / 4, WARMING_SECONDS))
    before, workers = setting.cpu(workload.server), cpu.by_child(server.pid)
    run = load.run(server.port, workload.operation, seconds, workload.connections)
    after = cpu.spent(before, setting.cpu(workload.server))
    by_worker = cpu.spent(workers, cpu.by_child(server.pid)).values()
    cpu_ms = {part: value * 1000 / len(run.latencies) for part, value in after.items()}
    return Round(cpu_ms, run, max(by_worker) / max(sum(by_worker), 1e-9))


def _warm_up(port: int, workload: Workload, seconds: float) -> None:
    done = 0
    while True:
        done += len(load.run(port, workload.operation, seconds, workload.connections).latencies)
        if done >= workload.warming:
            return
