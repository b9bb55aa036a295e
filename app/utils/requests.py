"""What happens around every request: its id, its caller, its headers, its log line."""

import re
import time
import uuid

from flask import Flask, Response, g, request

from app.extensions import limiter
from app.utils import limit_storage  # noqa: F401 - makes its kind of storage known to the limiter
from app.utils.identity import identify_caller, read_token
from app.utils.logs import log_access

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    # Swagger UI sets styles from its script, and draws its icons from data: URLs.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:;"
    " style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}


def register(app: Flask) -> None:
    """Hang the steps into the app, in the order in which the contract checks:
    route, rate limit, caller."""
    app.before_request(_begin)
    limiter.init_app(app)
    app.before_request(identify_caller)
    app.after_request(_finish)


def _begin() -> None:
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if _SANE_ID.fullmatch(sent) else uuid.uuid4().hex
    if request.routing_exception is not None:
        raise request.routing_exception
    read_token()


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return log_access(response)
