"""Product lists taken in: how many rows a second, by the clock and by CPU time."""

import csv
import io
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests import roles, servers
from tests.performance.cpu import cpu_seconds
from tests.performance.result import Result
from tests.performance.setting import Setting, flask, flask_here

ROWS = 50_000


class Taken(NamedTuple):
    """What a command took, in seconds: by the clock, and of CPU with its part of the database."""

    seconds: float
    cpu: float


def measure_import(setting: Setting, rows: int) -> Result:
    """A list of new articles, and the same again with other prices and more stock, on a database of
    its own. What the command takes to start is told from that: a list of nothing shows it."""
    catalogue = list(csv.DictReader(io.StringIO(flask_here(setting.environ, "export-products"))))
    with (
        servers.database(setting.maintenance_url, "shopswift_bench_import") as url,
        TemporaryDirectory() as folder,
    ):
        other = replace(setting, environ={**setting.environ, **roles.settings(url)})
        flask_here(other.environ, "db", "upgrade")
        path = Path(folder) / "list.csv"
        _write(path, catalogue, 0, 0)
        start = _timed(other, path)
        measured: Result = {"rows": rows, "start_s": round(start.seconds, 2)}
        for name, more in (("new", 0), ("changed", 1)):
            _write(path, catalogue, rows, more)
            measured[name] = _row(_timed(other, path), start, rows)
        flask_here(other.environ, "audit")
    return measured


def _write(path: Path, catalogue: list[dict[str, str]], rows: int, more: int) -> None:
    """Articles like those of the shop, each with a name of its own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, catalogue[0].keys())
        writer.writeheader()
        writer.writerows(islice(_articles(catalogue, more), rows))


def _articles(catalogue: list[dict[str, str]], more: int) -> Iterator[dict[str, str]]:
    for number, row in enumerate(cycle(catalogue)):
        sku, name = f"{row['sku'][:50]}-{number}", f"{row['name']} {number}"
        price, stock = f"{number % 90 + 9 + more}.00", str(int(row["stock"]) + more)
        yield {
            **row,
            "sku": sku,
            "name": name,
            "price": price,
            "stock": stock,
            "compare_at_price": "",
        }


def _timed(setting: Setting, path: Path) -> Taken:
    began, before = time.perf_counter(), _cpu(setting)
    flask(setting.environ, "import-products", str(path))
    return Taken(time.perf_counter() - began, _cpu(setting) - before)


def _row(whole: Taken, start: Taken, rows: int) -> Result:
    seconds, used = whole.seconds - start.seconds, whole.cpu - start.cpu
    return {
        "seconds": round(whole.seconds, 2),
        "rows_per_s": round(rows / max(seconds, 1e-9)),
        "cpu_ms": round(used * 1000 / rows, 4),
        "rows_per_cpu_s": round(rows / max(used, 1e-9)),
    }


def _cpu(setting: Setting) -> float:
    """Of the commands that have ended, and of the database where it is on this machine."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    database = [cpu_seconds(pid) for name, pid in setting.roots.items() if name == "database"]
    return ended.ru_utime + ended.ru_stime + sum(database)
