"""The command `scripts/bench`: what the shop's work costs, next to limits made for the same work."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import orjson

from app.config import ROOT
from tests.performance import cpu, report
from tests.performance.contention import measure_contention
from tests.performance.importing import ROWS, measure_import
from tests.performance.measure import measure
from tests.performance.prices import measure_prices
from tests.performance.replica import measure_replica, replicated
from tests.performance.result import Result, describe, machine
from tests.performance.scale import measure_scale
from tests.performance.setting import (
    Options,
    Setting,
    bench_setting,
    cold_start,
    flask_here,
    serving,
)
from tests.performance.statements import count_statements
from tests.performance.table import as_text
from tests.performance.workloads import Workload, workloads

DOCUMENT = ROOT / "BENCHMARKS.md"


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for, and write it down."""
    options = _options(arguments)
    servers = Options(options.database, options.redis, options.limits, options.keep)
    result: Result = {}
    if options.contention:
        result["contention"] = _contention(servers, options)
    if options.scale:
        result["scale"] = _scale(servers, options)
    if options.replica:
        result["replica"] = _replica(servers, options)
    if options.prices:
        result["prices"] = _prices(servers, options)
    if not result:
        result["work"] = _work(servers, options)
    # What is measured mostly stands at the top: it is what is looked at most.
    flat = {**result.get("work", {}), **{k: v for k, v in result.items() if k != "work"}}
    options.json.write_bytes(_json(flat))
    sys.stdout.write(as_text(flat))
    if options.markdown:
        _document(result, options.markdown)
    return 0


def _work(servers: Options, options: argparse.Namespace) -> Result:
    dice = Random(1)
    with bench_setting(servers, options.products, options.orders) as prepared:
        wanted = [each for each in workloads(prepared, dice) if _is_wanted(each, options)]
        apps = sorted({"shop", *(workload.server for workload in wanted)})
        with serving(prepared, apps, options.workers) as setting:
            return _measured(setting, wanted, dice, options)


def _measured(
    setting: Setting, wanted: Sequence[Workload], dice: Random, options: argparse.Namespace
) -> Result:
    figures = measure(setting, wanted, options.rounds, options.seconds)
    statements = count_statements(setting.environ, wanted, dice)
    flask_here(setting.environ, "audit")
    names = ("products", "orders", "workers", "limits", "rounds", "seconds")
    return {
        "machine": machine(setting),
        "settings": {name: getattr(options, name) for name in names},
        **describe(figures, statements),
        "memory_mib": _memory(setting),
        "cold_start_s": round(_quickest_start(setting, options), 2),
        **_import(setting, options.import_rows),
    }


def _import(setting: Setting, rows: int) -> Result:
    return {"import": measure_import(setting, rows)} if rows else {}


def _quickest_start(setting: Setting, options: argparse.Namespace) -> float:
    """Of a few: whatever else the machine does can only make one longer."""
    times = 1 if options.quick else 3
    return min(cold_start(setting, options.workers) for _ in range(times))


def _contention(servers: Options, options: argparse.Namespace) -> Result:
    with (
        bench_setting(servers, options.products, options.orders) as prepared,
        serving(prepared, ["shop"], options.workers) as setting,
    ):
        measured = measure_contention(setting, options.rounds, options.seconds)
        flask_here(setting.environ, "audit")
        return {"machine": machine(setting), **measured}


def _scale(servers: Options, options: argparse.Namespace) -> Result:
    sizes = {
        "small": (options.products, options.orders),
        "big": (options.scale_products, options.scale_orders),
    }
    with (
        bench_setting(servers, *sizes["small"], buyers=False) as small_shop,
        bench_setting(servers, *sizes["big"], buyers=False) as big_shop,
        serving(small_shop, ["uncached"], options.workers) as small,
        serving(big_shop, ["uncached"], options.workers) as big,
    ):
        questions = measure_scale(small, big, options.rounds, options.seconds)
        described = {"small": _size(small, *sizes["small"]), "big": _size(big, *sizes["big"])}
        return {"machine": machine(big), **described, "questions": questions}


def _prices(servers: Options, options: argparse.Namespace) -> Result:
    sizes = options.products, options.orders
    with (
        bench_setting(servers, *sizes) as first,
        bench_setting(servers, *sizes) as second,
        serving(first, ["shop"], options.workers) as plain,
        serving(second, ["shop"], options.workers) as priced,
    ):
        measured = measure_prices(plain, priced, options.rounds, options.seconds)
        flask_here(priced.environ, "audit")
        return {"machine": machine(priced), **measured}


def _replica(servers: Options, options: argparse.Namespace) -> Result:
    with replicated(servers, options.products, options.orders, options.workers) as settings:
        rows = measure_replica(settings, options.rounds, options.seconds)
        return {"machine": machine(settings[0]), "rows": rows}


def _size(setting: Setting, products: int, orders: int) -> Result:
    return {"products": products, "orders": orders, "seeding_s": round(setting.seeding, 1)}


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


def _document(result: Result, target: Path) -> None:
    known = orjson.loads(report.STATE.read_bytes()) if report.STATE.exists() else {}
    known.update(result)
    if target.resolve() == DOCUMENT:
        report.STATE.write_bytes(_json(known))
    target.write_text(report.document(known))


def _json(value: Result) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="roughly, in less than a minute")
    parser.add_argument("--contention", action="store_true", help="many buyers of one article")
    parser.add_argument("--scale", action="store_true", help="a big shop next to a small one")
    parser.add_argument("--replica", action="store_true", help="lists from a streaming replica")
    parser.add_argument("--prices", action="store_true", help="with taxes, shipping and codes")
    parser.add_argument("--scale-products", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--scale-orders", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--products", type=int, default=1000, metavar="N")
    parser.add_argument("--orders", type=int, default=1000, metavar="N")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server, instead of our own")
    parser.add_argument("--keep", action="store_true", help="its databases, for the next time")
    parser.add_argument("--redis", metavar="URL", help="instead of a Valkey of our own")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--limits", action="store_true", help="with rate limits on")
    parser.add_argument("--only", type=_names, metavar="NAMES", help="such as list,detail")
    parser.add_argument("--import-rows", type=int, metavar="N", help="of the list to be imported")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="of one measurement")
    parser.add_argument("--json", type=Path, default=ROOT / "bench.json", metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="where to write it all up")
    options = parser.parse_args(arguments)
    if options.keep and not options.database:
        parser.error("--keep needs --database: our own server goes away with all that is in it.")
    options.rounds = options.rounds or (2 if options.quick else 5)
    if options.import_rows is None:
        options.import_rows = 0 if options.quick or options.only else ROWS
    options.seconds = options.seconds or (0.5 if options.quick else 3.0)
    if not (options.quick or options.only or options.markdown):
        options.markdown = DOCUMENT
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
