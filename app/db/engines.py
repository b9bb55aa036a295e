"""The engines of the databases: their options, and the listeners on their connections."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from app.db import postgresql, prepared, sqlite, statement_watch
from app.db.postgresql import ReplicaConnection
from app.db.prepared import CAN_PREPARE
from app.db.statement_watch import SLOW_SECONDS, WatchedPool


def install(engine: Engine) -> None:
    """Attach the shop's listeners to an engine, before its first connection.

    `create_app` does so for the engines of the app; scripts and tests that create engines of their
    own call it where they need the shop's settings. Events are dispatched in the order in which
    listeners are attached: a pooled connection is pinged before it is counted as in use.
    """
    if engine.dialect.name == "postgresql":
        postgresql.install(engine)
        prepared.install(engine)
    else:
        sqlite.install(engine)
    statement_watch.install(engine)


def read_engine(engine: Engine) -> Engine:
    """The engine for reads of requests: on PostgreSQL they run without a transaction around each."""
    is_postgresql = engine.dialect.name == "postgresql"
    return engine.execution_options(shop_reads=True) if is_postgresql else engine


def engine_options(
    url: str,
    pool_size: int,
    max_overflow: int,
    slow_seconds: float = 0,
    behind_pooler: bool = False,
) -> dict[str, Any]:
    """The options of the primary's engine: no request waits longer than 3 s for a connection.

    Statements that take `slow_seconds` or longer are logged; with 0 none are. A pooler, whose
    connections serve many clients, refuses settings on them: there the role's settings hold.
    """
    is_postgresql = url.startswith("postgresql")
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "poolclass": WatchedPool,
        "execution_options": {SLOW_SECONDS: slow_seconds, CAN_PREPARE: not behind_pooler},
        "pool_timeout": 2.5,
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # values of statements are personal data, which no log may hold
    }
    if is_postgresql:
        options["connect_args"] = {"connect_timeout": 2}
        if not behind_pooler:
            settings = "-c lock_timeout=5s -c statement_timeout=20s -c timezone=utc"
            options["connect_args"]["options"] = settings
    return options


def replica_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a replica's engine, given those of the primary's: short time limits.

    The primary answers where the replica does not, so its connections are not pinged. The metrics
    of connections are about the primary's pool alone.
    """
    arguments = {**options["connect_args"], "connection_factory": ReplicaConnection}
    return {**options, "connect_args": arguments, "poolclass": QueuePool, "pool_timeout": 0.1}


def owner_options(url: str) -> dict[str, Any]:
    """The options of the owner's engine, which commands use and which connects without a pooler.

    The metrics of connections do not count it.
    """
    return {**engine_options(url, pool_size=1, max_overflow=1), "poolclass": QueuePool}
