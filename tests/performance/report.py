"""BENCHMARKS.md, from what was measured last: a mode that was not run this time keeps its part."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]
STATE = Path(__file__).with_name("results.json")
TITLES = {
    "list": "list of 20 products, with price and stock",
    "detail": "one product",
    "search": "search, first page",
    "add_to_cart": "one more item in a cart",
    "purchase": "a guest's purchase: two lines, one order",
    "login": "sign-in",
}
KINDS = {
    "uncached": "the same, nothing kept ready",
    "limited": "the same, with rate limits on",
    "unprepared": "the same, without server-side prepared statements",
    "twin": "the same in raw SQL",
    "hash": "the bare hash, as a view",
    "cheap": "the same, with a hash that costs little",
    "cheap_hash": "that hash, as a view",
}
GOALS = {
    "list": 2,
    "detail": 2,
    "search": 3.5,
    "search_uncached": 7,
    "add_to_cart": 5,
    "purchase": 26,
}
"""At most so many times a bare view's CPU time."""

INTRODUCTION = """\
# Benchmarks

Written by `./scripts/bench`; do not edit. Figures are ratios first: they were taken in turns, in one
run, so that a noisy or another machine moves all of them alike.

**CPU ms** is what one operation costs: CPU time of all gunicorn processes, of all of PostgreSQL's and
of the cache's, as the kernel counts it, divided by the operations. **× hello** compares it with a bare
Flask view that answers `{"message": "hello"}`, served by the same `gunicorn.conf.py`. **× raw SQL**
compares it with Flask and psycopg2 that do the same work on the same tables in the least SQL, without
validation, ORM or cache (`tests/performance/twins.py`). **SQL** is how many statements an operation
takes. Each figure is the median of the rounds; percentiles are of all rounds together.
"""


def document(state: Result) -> str:
    """The whole document."""
    parts = [INTRODUCTION]
    makers = {"work": _work, "scale": _scale, "contention": _contention, "replica": _replica}
    parts += [make(state[name]) for name, make in makers.items() if name in state]
    return "\n".join([*parts, AGAIN])


AGAIN = """\
## Again

```sh
./scripts/bench              # what costs what: some minutes, writes this file and bench.json
./scripts/bench --quick      # the same in less than a minute, roughly; writes bench.json only
./scripts/bench --contention # many buyers of one article
./scripts/bench --replica    # lists from a streaming replica of PostgreSQL
./scripts/bench --scale      # a million products and orders: an hour, several GB of disk
```

It brings its own PostgreSQL and Valkey; `--database` and `--redis` name others, and `--keep` leaves in
that database server what was made, so that the next `--scale` begins at once. `--only list,detail`
measures less; `--workers`, `--products`, `--rounds` and `--limits` change how.
"""


def _work(result: Result) -> str:
    rows = {"hello": result["hello"], **result["workloads"]}
    head = ("work", "CPU ms", "server + database + cache", "× hello", "goal", "× raw SQL", "SQL",
            "ops/s", "p50 ms", "p95 ms", "p99 ms")  # fmt: skip
    table = _table(head, [_work_row(name, row) for name, row in rows.items()])
    settings = result["settings"]
    return f"""\
## What costs what

{settings["products"]:,} products, {settings["orders"]:,} orders, {settings["workers"]} workers, \
{settings["rounds"]} rounds of {settings["seconds"]:g} s each, 8 connections (sign-ins with the real \
hash: 2). Rate limits are {"on" if settings["limits"] else "off"}, unless a row says otherwise.

{table}
{_login(result)}
Every answer is checked, its status and what it says: ids, lines, totals. One that is wrong ends the
run. Afterwards `flask audit` proves the books.

Memory under this load, in MiB: {_memory(result["memory_mib"])}. Cold start, from the command to the
first answer, the quickest of a few: {result["cold_start_s"]} s.
{_import(result)}
### Is the load tool in the way?

It is one thread on raw sockets that sends ready bytes. An operation costs it \
{_span(rows, "load_ms", 1)} ms of its own, and it drives {rows["hello"]["rps"]:,.0f} hellos a second \
while it computes {rows["hello"]["load_busy"]:.0%} of the time; with the other work \
{_span(rows, "load_busy", 100)} %. The rest of the time it waits for answers. It shares the cores with \
the servers, which counts in ops/s and in latencies, not in CPU ms.

Connections are closed after 100 requests, since a kept one stays with its worker: of the workers' time
the busiest had {_span(rows, "busiest_worker", 100)} %, by row.

{_machine(result["machine"])}
"""


def _work_row(name: str, row: Result) -> list[str]:
    parts = " + ".join(f"{value:.2f}" for value in row["parts_ms"].values())
    goal = f"≤ {GOALS[name]}" if name in GOALS else ""
    twin = f"{row['twin_ratio']:.2f}" if "twin_ratio" in row else ""
    queries = f"{row['queries']:g}" if "queries" in row else ""
    latencies = [f"{row[f'p{percent}_ms']:.1f}" for percent in (50, 95, 99)]
    return [
        _title(name), f"{row['cpu_ms']:.2f}", parts, f"{row['hello_ratio']:.2f}", goal, twin, queries,
        f"{row['rps']:,.0f}", *latencies,
    ]  # fmt: skip


def _title(name: str) -> str:
    for start, title in TITLES.items():
        if name == start:
            return f"**{title}**"
        if name.startswith(f"{start}_"):
            return KINDS[name.removeprefix(f"{start}_")]
    return name


def _login(result: Result) -> str:
    row = result["workloads"].get("login", {})
    if "beside_hash_ms" not in row:
        return ""
    return (
        f"\nBeside its hash a sign-in costs {row['beside_hash_ms']:.2f} ms,"
        f" {row['beside_hash_hello_ratio']:.1f} × hello (goal: ≤ 2). That is seen with the cheap hash:"
        " the real one varies by more.\n"
    )


def _memory(figures: Result) -> str:
    return (
        f"{figures['rss_per_worker']} RSS a worker, of which {figures['pss_per_worker']} are its share"
        f" (PSS); PSS of all processes {figures['pss_in_all']}"
    )


def _import(result: Result) -> str:
    """Nothing where it was left out."""
    if "import" not in result:
        return ""
    told = result["import"]
    titles = (
        ("new", "new articles"),
        ("changed", "all of them again, with another price and stock"),
    )
    head = (f"`flask import-products`, {told['rows']:,} rows", "rows/s (goal: ≥ 5,000)",
            "rows/CPU s", "CPU ms a row")  # fmt: skip
    lines = [
        [title, f"**{told[name]['rows_per_s']:,}**", f"{told[name]['rows_per_cpu_s']:,}",
         f"{told[name]['cpu_ms']:.2f}"]
        for name, title in titles
    ]  # fmt: skip
    return f"""
### Product lists

{_table(head, lines)}

By the clock, and by the CPU time of the command and the database, into a shop that was empty before.
The {told["start_s"]:.1f} s that the command takes to start are not in it.
"""


def _span(rows: Result, name: str, factor: float) -> str:
    values = [row[name] * factor for row in rows.values()]
    form = ".0f" if factor > 1 else ".2f"
    return f"{min(values):{form}} to {max(values):{form}}"


def _scale(result: Result) -> str:
    small, big = result["small"], result["big"]
    head = ("question", "p50 small", "p95 small", "p50 big", "p95 big", "p95, big : small",
            "CPU ms small", "CPU ms big")  # fmt: skip
    lines = [
        [name, *(f"{row[key]:.1f}" for key in ("small_p50_ms", "small_p95_ms", "big_p50_ms", "big_p95_ms")),
         f"**{row['ratio']:.2f}**", f"{row['small_cpu_ms']:.1f}", f"{row['big_cpu_ms']:.1f}"]
        for name, row in result["questions"].items()
    ]  # fmt: skip
    return f"""\
## How it grows

Milliseconds, small: {small["products"]:,} products and {small["orders"]:,} orders; big: \
{big["products"]:,} and {big["orders"]:,}. The shop's cache is off, 2 connections ask in turns, each \
question in up to 200 ways: words, places and orders by chance. The goal is ≤ 1.5.

{_table(head, lines)}

{_seeding(big["seeding_s"])}
{_machine(result["machine"])}
"""


def _seeding(seconds: float) -> str:
    """Nothing where the shop had been kept from another time."""
    if seconds < 60:
        return ""
    return f"`flask seed-db` took {seconds / 60:.0f} minutes to make the big one.\n"


def _contention(result: Result) -> str:
    head = ("buyers of", "purchases/s", "CPU ms", "p50 ms", "p95 ms", "p99 ms")
    lines = [
        [
            title,
            *(
                f"{result[name][key]:,.1f}"
                for key in ("rps", "cpu_ms", "p50_ms", "p95_ms", "p99_ms")
            ),
        ]
        for name, title in (("same", "one article"), ("different", f"{result['buyers']} articles"))
    ]
    return f"""\
## Everybody wants the same

{result["buyers"]} buyers at once, each a guest who puts one article into a cart and orders it, again and
again: {result["ratio"]:.2f} of the throughput (goal: ≥ 0.5), {result["errors"]} errors,
{result["deadlocks"]} deadlocks.

{_table(head, lines)}

{_machine(result["machine"])}
"""


def _replica(result: Result) -> str:
    head = ("nothing kept ready", "server", "primary", "replica", "answers/s")
    titles = {"list": "list of 20 products", "search": "search", "facets": "page with facets"}
    lines = [
        [f"{title}, {side} a replica", *(f"{value:,.2f}" for value in row.values())]
        for name, title in titles.items()
        for side, row in result["rows"][name].items()
    ]
    return f"""\
## A replica of the database

CPU ms of an answer, by part. On one machine a replica adds work; what counts is what it takes off the
primary, which alone can sell. Both servers and the shop share the cores here, so answers a second say
little.

{_table(head, lines)}

{_machine(result["machine"])}
"""


def _machine(facts: Result) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    return (
        f"*{facts['when']}, commit {facts['commit']}; {facts['cpu']}, {facts['system']};"
        f" Python {facts['python']}, PostgreSQL {facts['postgresql']}, {facts['cache']}; {packages}.*"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))
