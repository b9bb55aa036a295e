"""What happens around every request: its id, its caller, its headers, its log line."""

import re
import time
import uuid

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.observability import metrics
from app.observability.logs import log_access
from app.web import drain_request_body
from app.web.callers.identity import identify_caller, read_token
from app.web.cors import share
from app.web.limits import (
    rate_limits,
    storage,  # noqa: F401 - makes its kind of storage known to the limiter
)
from app.web.plain_paths import is_for_programs
from app.web.security_headers import secure

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(app: Flask) -> None:
    """Hang the steps into the app, in the order in which the contract checks:
    route, rate limit, caller."""
    app.before_request(_begin)
    rate_limits.register(app)
    app.before_request(_enter)
    app.after_request(_finish)
    drain_request_body.register(app)


def _begin() -> None:
    g.started = time.perf_counter()
    metrics.begin_request()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if _SANE_ID.fullmatch(sent) else uuid.uuid4().hex
    rate_limits.name_network()
    if request.routing_exception is not None:
        rate_limits.check_unmatched()
        raise request.routing_exception
    read_token()


def _enter() -> None:
    rate_limits.check()
    identify_caller()
    _limit_form()


def _limit_form() -> None:
    """Refuse a form that is too large, which would be split as a whole; multipart is counted by
    the framework. A chunked body is cut off at the limit: one byte more tells that it was."""
    if is_for_programs(request.path) or request.mimetype != "application/x-www-form-urlencoded":
        return
    limit: int = current_app.config["MAX_FORM_MEMORY_SIZE"]
    request.max_content_length = limit + 1
    if len(request.get_data()) > limit:
        raise RequestEntityTooLarge()


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    share(secure(response))
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else None
    g.status = response.status_code
    metrics.end_request(request.method, route, response.status_code, seconds)
    log_access(route, response.status_code, seconds)
    return response
