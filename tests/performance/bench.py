"""The command `scripts/bench`: what the shop's work costs, next to limits made for the same work."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from tests.performance.measure import Figures, measure
from tests.performance.setting import bench_setting
from tests.performance.workloads import workloads


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for."""
    options = _options(arguments)
    extra = {} if options.limits else {"RATELIMIT_ENABLED": "false"}
    seed = (options.products, options.orders)
    with bench_setting(options.database, options.redis, extra, options.workers, seed) as setting:
        wanted = [w for w in workloads(setting) if _is_wanted(w.name, options.only)]
        figures = measure(setting, wanted, options.rounds, options.seconds)
    result = _result(figures)
    options.json.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    _print(result)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller, in less than a minute")
    parser.add_argument("--products", type=int, default=1000, metavar="N")
    parser.add_argument("--orders", type=int, default=1000, metavar="N")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server, instead of our own")
    parser.add_argument("--redis", metavar="URL", help="instead of a Valkey of our own")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--limits", action="store_true", help="with rate limits on")
    parser.add_argument("--only", type=lambda text: text.split(","), help="such as list,detail")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, help="of one measurement")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 3.0)
    return options


def _is_wanted(name: str, only: Sequence[str] | None) -> bool:
    return only is None or name == "hello" or name.split("_")[0] in only or name in only


def _result(figures: Mapping[str, Figures]) -> dict[str, object]:
    hello = figures["hello"].cpu_ms()
    described = {
        name: {
            "cpu_ms": round(one.cpu_ms(), 3),
            "hello_ratio": round(one.cpu_ms() / hello, 2),
            "rps": round(one.rate(), 1),
            "p50_ms": round(one.latency_ms(50), 2),
            "p95_ms": round(one.latency_ms(95), 2),
            "p99_ms": round(one.latency_ms(99), 2),
            "parts_ms": {p: round(one.part_ms(p), 3) for p in ("server", "database", "cache")},
            "load_ms": round(one.load_ms(), 3),
            "load_busy": round(one.load_busy(), 2),
            "busiest_worker": round(one.busiest(), 2),
        }
        for name, one in figures.items()
    }
    return {"hello": described.pop("hello"), "workloads": described}


def _print(result: dict[str, object]) -> None:
    rows = {"hello": result["hello"], **result["workloads"]}
    for name, one in rows.items():
        parts = " + ".join(f"{value:.2f}" for value in one["parts_ms"].values())
        sys.stdout.write(
            f"{name:18} {one['cpu_ms']:8.2f} ms ({parts})  {one['hello_ratio']:6.2f} x hello "
            f"{one['rps']:8.0f}/s  p50 {one['p50_ms']:.1f} p95 {one['p95_ms']:.1f} "
            f"load {one['load_ms']:.3f} ms busy {one['load_busy']:.0%} busiest {one['busiest_worker']:.0%}\n"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
