"""The shop's figures, for Prometheus."""

import hmac
from pathlib import Path

from flask import Blueprint, Response, current_app, request

from app import metrics
from app.domain.networks import is_private
from app.errors import Forbidden, Unauthenticated
from app.utils import rate_limits

blp = Blueprint("metrics", __name__)
FORWARDED = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"
)  # fmt: skip
"""What a proxy adds to what it passes on (RFC 7239; RFC 9110, section 7.6.3)."""


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
    token: str = current_app.config["METRICS_TOKEN"]
    if token:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            raise Unauthenticated()
    elif not is_private(request.remote_addr) or any(map(request.headers.get, FORWARDED)):
        raise Forbidden("Only machines of this network may ask for this.")
