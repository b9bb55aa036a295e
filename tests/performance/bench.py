"""The command `scripts/bench`: what the shop's work costs, next to limits made for the same work."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import orjson

from tests.performance import cpu
from tests.performance.measure import count_statements, measure
from tests.performance.result import Result, describe, machine
from tests.performance.setting import Options, Setting, bench_setting, cold_start
from tests.performance.table import as_text
from tests.performance.workloads import Workload, workloads

APPS = ("shop", "uncached", "limited", "hello", "twins")


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for."""
    options = _options(arguments)
    servers = Options(options.database, options.redis, options.workers, options.limits)
    with bench_setting(servers, options.products, options.orders, APPS) as setting:
        result = _measure(setting, options)
    options.json.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    sys.stdout.write(as_text(result))
    return 0


def _measure(setting: Setting, options: argparse.Namespace) -> Result:
    dice = Random(1)
    wanted = [each for each in workloads(setting, dice) if _is_wanted(each, options)]
    figures = measure(setting, wanted, options.rounds, options.seconds)
    statements = count_statements(setting, wanted, dice)
    settings = {
        name: getattr(options, name)
        for name in ("products", "orders", "workers", "limits", "rounds", "seconds")
    }
    return {
        "machine": machine(setting),
        "settings": settings,
        **describe(figures, statements),
        "memory_mib": _memory(setting),
        "cold_start_s": round(cold_start(setting, options.workers), 2),
    }


def _memory(setting: Setting) -> Result:
    """Of the shop's processes, which have just been under load."""
    pid = setting.servers["shop"].pid
    workers = cpu.memory_of(cpu.by_child(pid))
    everyone = cpu.memory_of(cpu.family(pid))
    return {
        "rss_per_worker": round(max(worker.rss for worker in workers), 1),
        "pss_per_worker": round(max(worker.pss for worker in workers), 1),
        "pss_in_all": round(sum(process.pss for process in everyone), 1),
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller, in less than a minute")
    parser.add_argument("--products", type=int, default=1000, metavar="N")
    parser.add_argument("--orders", type=int, default=1000, metavar="N")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server, instead of our own")
    parser.add_argument("--redis", metavar="URL", help="instead of a Valkey of our own")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--limits", action="store_true", help="with rate limits on")
    parser.add_argument("--only", type=_names, metavar="NAMES", help="such as list,detail")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="of one measurement")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.8 if options.quick else 3.0)
    return options


def _names(text: str) -> list[str]:
    return text.split(",")


def _is_wanted(workload: Workload, options: argparse.Namespace) -> bool:
    name, only = workload.name, options.only
    if only is not None:
        return name == "hello" or any(f"{name}_".startswith(f"{each}_") for each in only)
    return workload.in_a_hurry or not options.quick


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
