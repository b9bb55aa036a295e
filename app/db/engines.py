"""How the engines connect to their databases: pools, timeouts, and what is set on a connection."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy.pool import QueuePool

from app.db.postgresql import HastyConnection
from app.db.prepared import CAN_PREPARE
from app.db.statement_watch import SLOW_SECONDS, WatchedPool


def engine_options(
    url: str,
    pool_size: int,
    max_overflow: int,
    slow_seconds: float = 0,
    behind_pooler: bool = False,
) -> dict[str, Any]:
    """How the engine connects: nobody waits longer than 3 s for a connection.

    Statements that take `slow_seconds` or longer are logged; with 0 none are. A pooler, whose
    connections serve many, refuses to set anything on them: there the role's own settings count.
    """
    is_postgresql = url.startswith("postgresql")
    lasting = is_postgresql and not behind_pooler
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "poolclass": WatchedPool,
        "execution_options": {SLOW_SECONDS: slow_seconds, CAN_PREPARE: lasting},
        "pool_timeout": 2.5,
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # values of a statement are people's data: not for the log
    }
    if is_postgresql:
        options["connect_args"] = {"connect_timeout": 2}
        if not behind_pooler:
            settings = "-c lock_timeout=5s -c statement_timeout=20s -c timezone=utc"
            options["connect_args"]["options"] = settings
    return options


def replica_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a server that another one can stand in for: nothing is waited for.

    A connection that has died is found out by using it; and the figures of the pool are of the
    primary's alone.
    """
    hasty = {**options["connect_args"], "connection_factory": HastyConnection}
    return {
        **options,
        "connect_args": hasty,
        "poolclass": QueuePool,
        "pool_timeout": 0.1,
    }


def owner_options(url: str) -> dict[str, Any]:
    """For the owner's engine, which connects to PostgreSQL itself and is used by commands alone.

    The figures of the pool are of the shop's own engine.
    """
    return {**engine_options(url, pool_size=1, max_overflow=1), "poolclass": QueuePool}
