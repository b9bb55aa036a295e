"""The figures of a run as `bench.json` has them, and as a table."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg2
import redis

from app.config import ROOT
from tests.performance.measure import Figures
from tests.performance.setting import Setting

PARTS = ("server", "database", "cache")
PACKAGES = ("Flask", "SQLAlchemy", "psycopg2-binary", "gunicorn", "redis", "orjson")
Result = dict[str, Any]


def describe(figures: Mapping[str, Figures], statements: Mapping[str, float]) -> Result:
    """What was measured: CPU in milliseconds an operation, beside that of a bare view."""
    hello = figures["hello"].cpu_ms()
    rows = {name: _row(one, hello) for name, one in figures.items()}
    for name, count in statements.items():
        rows[name]["queries"] = round(count, 1)
    if "login_cheap" in statements:
        rows["login"]["queries"] = rows["login_cheap"]["queries"]  # but for the hash they are one
    for name, row in rows.items():
        twin = rows.get(name.removesuffix("_uncached") + "_twin")
        if twin and twin is not row:
            row["twin_ratio"] = round(row["cpu_ms"] / twin["cpu_ms"], 2)
    if "login_cheap_hash" in rows:
        _tell_from_hash(rows, hello)
    return {"hello": rows.pop("hello"), "workloads": rows}


def _row(one: Figures, hello: float) -> Result:
    return {
        "cpu_ms": round(one.cpu_ms(), 3),
        "hello_ratio": round(one.cpu_ms() / hello, 2),
        "rps": round(one.rate(), 1),
        **{f"p{percent}_ms": round(one.latency_ms(percent), 2) for percent in (50, 95, 99)},
        "parts_ms": {part: round(one.part_ms(part), 3) for part in PARTS},
        "operations": sum(len(each.run.latencies) for each in one.rounds),
        "load_ms": round(one.load_ms(), 3),
        "load_busy": round(one.load_busy(), 3),
        "busiest_worker": round(one.busiest(), 2),
    }


def _tell_from_hash(rows: Result, hello: float) -> None:
    """What a sign-in costs beside its hash: seen with a hash that costs next to nothing, since the
    real one costs several hundred times as much, and varies by more than all the rest."""
    rest = rows["login_cheap"]["cpu_ms"] - rows["login_cheap_hash"]["cpu_ms"] + hello
    rows["login"]["beside_hash_ms"] = round(rest, 3)
    rows["login"]["beside_hash_hello_ratio"] = round(rest / hello, 2)


def machine(setting: Setting) -> Result:
    """Where and with what it was measured."""
    return {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cpu": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": _postgresql_version(setting.database_url),
        "cache": _cache_version(setting.environ["REDIS_URL"]),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _postgresql_version(url: str) -> str:
    connection = psycopg2.connect(url)
    try:
        return str(connection.get_parameter_status("server_version")).split()[0]
    finally:
        connection.close()


def _cache_version(url: str) -> str:
    told = redis.Redis.from_url(url).info("server")
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told['redis_version']}"
