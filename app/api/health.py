"""For operators and orchestrators: is the process alive, is the shop ready?"""

from typing import Any

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from app import replica
from app.services import shared_cache, store_service
from app.utils import rate_limits

blp = Blueprint("health", __name__, url_prefix="/healthz")


@blp.get("/live")
@rate_limits.unlimited
def live() -> ResponseReturnValue:
    """200 as long as the process answers."""
    return {"status": "ok"}


@blp.get("/ready")
@rate_limits.apart_from_network
def ready() -> ResponseReturnValue:
    """200 when the database answers and is migrated; cache and replica are reported, not
    required."""
    database = database_state()
    body: dict[str, Any] = {
        "status": "ok" if database == "ok" else "unavailable",
        "database": database,
        "cache": shared_cache.state(),
    }
    if (copy := replica.state()) is not None:
        body["replica"] = copy
    if database == "ok":
        return body, 200, {"Cache-Control": "no-store"}
    return body, 503, {"Cache-Control": "no-store", "Retry-After": "1"}


def database_state() -> str:
    """`ok`, `unreachable` or `not_migrated`."""
    try:
        revision = store_service.schema_revision()
    except SQLAlchemyError:
        return "unreachable"
    folder = current_app.extensions["migrate"].directory
    return "not_migrated" if store_service.is_behind(revision, folder) else "ok"
