"""Liveness and readiness, for operators and orchestrators."""

import threading
import time

from flask import Blueprint, current_app
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from app.db import replica
from app.errors import Forbidden
from app.services.cache import shared_cache
from app.services.operations import store_service
from app.web.callers import operators
from app.web.limits import rate_limits

blp = Blueprint("health", __name__, url_prefix="/healthz")


@blp.get("/live")
@rate_limits.exempt
def live() -> ResponseReturnValue:
    """200 as long as the process answers."""
    return {"status": "ok"}


@blp.get("/ready")
@rate_limits.exempt_from_network
def ready() -> ResponseReturnValue:
    """200 when the database answers and is migrated; cache and replica are reported, not
    required. For machines of this network and holders of METRICS_TOKEN.

    The database is queried once in READY_SECONDS, however many requests come meanwhile.
    """
    if not operators.is_from_private_network() and not operators.sends_metrics_token():
        raise Forbidden("Only machines of this network may ask for this.")
    body = _readiness().read()
    if body["status"] == "ok":
        return body, 200, {"Cache-Control": "no-store"}
    return body, 503, {"Cache-Control": "no-store", "Retry-After": "1"}


class Readiness:
    """The last check of the shop's parts by this process, for READY_SECONDS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._body: dict[str, str] = {}
        self._until = 0.0

    def read(self) -> dict[str, str]:
        """The answer's body. One caller at a time checks; the others get its result."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._body = _check()
                self._until = time.monotonic() + current_app.config["READY_SECONDS"]
            return self._body


def _readiness() -> Readiness:
    readiness: Readiness = current_app.extensions["readiness"]
    return readiness


@blp.record_once
def _register(state: BlueprintSetupState) -> None:
    state.app.extensions["readiness"] = Readiness()


def _check() -> dict[str, str]:
    database = database_state()
    body = {
        "status": "ok" if database == "ok" else "unavailable",
        "database": database,
        "cache": shared_cache.state(),
    }
    if (replica_state := replica.state()) is not None:
        body["replica"] = replica_state
    return body


def database_state() -> str:
    """`ok`, `unreachable` or `not_migrated`."""
    try:
        revision = store_service.schema_revision()
    except SQLAlchemyError:
        return "unreachable"
    folder = current_app.extensions["migrate"].directory
    return "not_migrated" if store_service.is_behind(revision, folder) else "ok"
