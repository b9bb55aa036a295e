"""Many buyers at once: all of one article, or each of another."""

import time
from itertools import cycle
from random import Random
from typing import Any

import psycopg2

from tests.performance.measure import Figures, one_round
from tests.performance.people import articles, in_shop
from tests.performance.setting import Setting
from tests.performance.workloads import Workload
from tests.performance.writes import purchase

BUYERS = 64
STATISTICS_SECONDS = 1.5
"""How long PostgreSQL may take to tell what its processes have counted."""


def measure_contention(setting: Setting, rounds: int, seconds: float) -> dict[str, Any]:
    """Guests' purchases of one line, in turns of one article and of as many as there are buyers.

    Any answer but a placed order ends the run, so that what is reported was sold without an error.
    """
    with in_shop(setting.environ) as app, app.app_context():
        variants = articles()[:BUYERS]
    buying = {"same": _buy(variants[:1]), "different": _buy(variants)}
    figures = {name: Figures() for name in buying}
    before = deadlocks(setting)
    for _ in range(rounds):
        for name, workload in buying.items():
            figures[name].rounds.append(one_round(setting, workload, seconds))
    return {
        **{name: described(one) for name, one in figures.items()},
        "buyers": BUYERS,
        "ratio": round(figures["same"].rate() / figures["different"].rate(), 2),
        "errors": 0,
        "deadlocks": deadlocks(setting) - before,
    }


def _buy(variants: list[int]) -> Workload:
    turn = cycle(variants)
    dice = Random(1)
    return Workload(
        "buy", "shop", lambda: purchase([next(turn)], dice, lines=1)(), connections=BUYERS
    )


def described(one: Figures) -> dict[str, float]:
    """What the rounds of a workload found, in short."""
    return {
        "rps": round(one.rate(), 1),
        "cpu_ms": round(one.cpu_ms(), 2),
        **{f"p{percent}_ms": round(one.latency_ms(percent), 1) for percent in (50, 95, 99)},
    }


def deadlocks(setting: Setting) -> int:
    """How many the database has had since it was created."""
    time.sleep(STATISTICS_SECONDS)
    connection = psycopg2.connect(setting.database_url)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        (count,) = cursor.fetchone()
        return int(count)
    finally:
        connection.close()
