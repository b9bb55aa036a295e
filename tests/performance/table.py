"""The figures for a terminal."""

from typing import Any

HEAD = (
    f"{'':18}{'CPU ms':>9}  {'server + db + cache':22}{'x hello':>8}{'x twin':>8}{'ops/s':>8}"
    f"{'p50':>8}{'p95':>8}{'p99':>8} ms{'SQL':>6}"
)


def as_text(result: dict[str, Any]) -> str:
    """Tables, and the figures that have no row in them."""
    lines = _work(result) if "workloads" in result else []
    for name, row in result.get("scale", {}).get("questions", {}).items():
        lines.append(
            f"{name:22} p95 {row['small_p95_ms']:.1f} -> {row['big_p95_ms']:.1f} ms, "
            f"x {row['ratio']:.2f}; CPU {row['small_cpu_ms']:.1f} -> {row['big_cpu_ms']:.1f} ms"
        )
    for name, sides in result.get("replica", {}).get("rows", {}).items():
        for side, row in sides.items():
            figures = ", ".join(f"{part} {value}" for part, value in row.items())
            lines.append(f"{name:8} {side:7} a replica: {figures}")
    if "prices" in result:
        lines += _prices(result["prices"])
    if "contention" in result:
        told = result["contention"]
        lines.append(
            f"{told['buyers']} buyers: {told['same']['rps']:.0f} purchases/s of one article, "
            f"{told['different']['rps']:.0f} of different ones: x {told['ratio']:.2f}; "
            f"{told['errors']} errors, {told['deadlocks']} deadlocks"
        )
    return "\n".join(lines) + "\n"


def _prices(result: dict[str, Any]) -> list[str]:
    lines = []
    for part in ("rows", "crowded", "contention"):
        first, *_others = result[part].values()
        lines += [
            f"{name:58} CPU {row['cpu_ms']:5.1f} ms (x {row['cpu_ms'] / first['cpu_ms']:.2f}),"
            f" {row['rps']:4.0f}/s (x {row['rps'] / first['rps']:.2f}), p95 {row['p95_ms']:.0f} ms"
            for name, row in result[part].items()
        ]
    lines.append(
        f"{result['statements']:.0f} statements for a priced purchase; {result['buyers']} buyers with one"
        f" code: {result['deadlocks']} deadlocks"
    )
    return lines


def _work(result: dict[str, Any]) -> list[str]:
    rows = {"hello": result["hello"], **result["workloads"]}
    lines = [HEAD, *(_line(name, row) for name, row in rows.items())]
    memory = ", ".join(f"{name} {value}" for name, value in result["memory_mib"].items())
    lines.append(f"memory in MiB: {memory}; cold start: {result['cold_start_s']} s")
    for name in ("new", "changed") if "import" in result else ():
        row = result["import"][name]
        lines.append(
            f"import of {result['import']['rows']} {name} articles: {row['rows_per_s']} rows/s,"
            f" {row['rows_per_cpu_s']} a second of CPU"
        )
    login = rows.get("login", {})
    if "beside_hash_ms" in login:
        beside, ratio = login["beside_hash_ms"], login["beside_hash_hello_ratio"]
        lines.append(f"login beside its hash: {beside:.2f} ms, {ratio:.2f} x hello")
    return lines


def _line(name: str, row: dict[str, Any]) -> str:
    parts = " + ".join(f"{value:.2f}" for value in row["parts_ms"].values())
    twin, queries = row.get("twin_ratio"), row.get("queries")
    latencies = "".join(f"{row[f'p{percent}_ms']:8.1f}" for percent in (50, 95, 99))
    return (
        f"{name:18}{row['cpu_ms']:9.2f}  {parts:22}{row['hello_ratio']:8.2f}"
        f"{'' if twin is None else f'{twin:.2f}':>8}{row['rps']:8.0f}{latencies}"
        f"{'' if queries is None else f'{queries:g}':>9}"
    )
