"""The shop's figures, for Prometheus."""

from pathlib import Path

from flask import Blueprint, Response, current_app

from app.errors import Forbidden, Unauthenticated
from app.observability import metrics
from app.web.callers import operators
from app.web.limits import rate_limits

blp = Blueprint("metrics", __name__)


@blp.get("/metrics")
@rate_limits.apart_from_network
def report() -> Response:
    """All figures of this server, as text; the database is not asked."""
    _let_in()
    folder = Path(current_app.config["STATUS_FOLDER"])
    return Response(metrics.report(folder), content_type=metrics.CONTENT_TYPE)


def _let_in() -> None:
    """Raises: Unauthenticated without METRICS_TOKEN, where one is set; else Forbidden for callers
    from outside."""
    if current_app.config["METRICS_TOKEN"]:
        if not operators.sends_metrics_token():
            raise Unauthenticated()
    elif not operators.is_near():
        raise Forbidden("Only machines of this network may ask for this.")
