"""The steps around every request: its id, limits, caller, headers and log line."""

import re
import time
import uuid

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.observability import metrics
from app.observability.logs import log_access
from app.web import drain_request_body
from app.web.callers.identity import identify_caller, read_token
from app.web.cors import allow_origin
from app.web.limits import (
    rate_limits,
    storage,  # noqa: F401 - registers the storage classes with the limits library
)
from app.web.plain_paths import is_for_programs
from app.web.preconditions import drop_star_of_reads
from app.web.security_headers import forbid_shared_caching

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(app: Flask) -> None:
    """Register the steps with the app, in the contract's order of checks: route, rate limit,
    caller."""
    app.before_request(_begin)
    rate_limits.register(app)
    app.before_request(_check_limits_and_caller)
    app.after_request(_finish)
    drain_request_body.register(app)


def _begin() -> None:
    g.started = time.perf_counter()
    metrics.begin_request()
    request_id = request.headers.get("X-Request-ID", "")
    g.request_id = request_id if _REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex
    rate_limits.name_network()
    if request.routing_exception is not None:
        rate_limits.check_unmatched()
        raise request.routing_exception
    read_token()
    drop_star_of_reads()


def _check_limits_and_caller() -> None:
    rate_limits.check()
    identify_caller()
    _refuse_large_form()


def _refuse_large_form() -> None:
    """Refuse a URL-encoded form that is too large, before it is parsed.

    The framework limits multipart forms itself. It cuts a chunked body off at the limit, so the
    limit is one byte higher here: a body that reaches it is too large.
    """
    if is_for_programs(request.path) or request.mimetype != "application/x-www-form-urlencoded":
        return
    limit: int = current_app.config["MAX_FORM_MEMORY_SIZE"]
    request.max_content_length = limit + 1
    if len(request.get_data()) > limit:
        raise RequestEntityTooLarge()


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    allow_origin(forbid_shared_caching(rate_limits.add_quota_headers(response)))
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else None
    g.status = response.status_code
    metrics.end_request(request.method, route, response.status_code, seconds)
    log_access(route, response.status_code, seconds)
    return response
