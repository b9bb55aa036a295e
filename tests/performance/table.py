"""The figures for a terminal."""

from typing import Any

HEAD = f"{'':18}{'CPU ms':>9}  {'server + db + cache':22}{'x hello':>8}{'x twin':>8}{'ops/s':>8}{'p50':>8}{'p95':>8}{'p99':>8} ms{'SQL':>6}"


def as_text(result: dict[str, Any]) -> str:
    """A table, and the figures that have no row in it."""
    rows = {"hello": result["hello"], **result["workloads"]}
    lines = [HEAD, *(_line(name, row) for name, row in rows.items())]
    memory = ", ".join(f"{name} {value}" for name, value in result["memory_mib"].items())
    lines.append(f"memory in MiB: {memory}; cold start: {result['cold_start_s']} s")
    if "login" in rows and "beside_hash_ms" in rows["login"]:
        beside, ratio = (rows["login"][f"beside_hash_{name}"] for name in ("ms", "hello_ratio"))
        lines.append(f"login beside its hash: {beside:.2f} ms, {ratio:.2f} x hello")
    return "\n".join(lines) + "\n"


def _line(name: str, row: dict[str, Any]) -> str:
    parts = " + ".join(f"{value:.2f}" for value in row["parts_ms"].values())
    twin, queries = row.get("twin_ratio"), row.get("queries")
    latencies = "".join(f"{row[f'p{percent}_ms']:8.1f}" for percent in (50, 95, 99))
    return (
        f"{name:18}{row['cpu_ms']:9.2f}  {parts:22}{row['hello_ratio']:8.2f}"
        f"{'' if twin is None else f'{twin:.2f}':>8}{row['rps']:8.0f}{latencies}"
        f"{'' if queries is None else f'{queries:g}':>9}"
    )
