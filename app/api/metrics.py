"""The route of the shop's metrics, for Prometheus."""

from pathlib import Path

from flask import Blueprint, Response, current_app

from app.errors import Forbidden, Unauthenticated
from app.observability import metrics
from app.web.callers import operators
from app.web.limits import rate_limits

blp = Blueprint("metrics", __name__)


@blp.get("/metrics")
@rate_limits.exempt_from_network
def report() -> Response:
    """All metrics of this server in Prometheus' text format, read without the database."""
    _check_caller()
    folder = Path(current_app.config["STATUS_FOLDER"])
    return Response(metrics.report(folder), content_type=metrics.CONTENT_TYPE)


def _check_caller() -> None:
    """Raises: Unauthenticated without METRICS_TOKEN, where one is set; else Forbidden for callers
    from other networks."""
    if current_app.config["METRICS_TOKEN"]:
        if not operators.sends_metrics_token():
            raise Unauthenticated()
    elif not operators.is_from_private_network():
        raise Forbidden("Only machines of this network may ask for this.")
