"""One table that turns every refusal and failure into a problem answer (RFC 9457)."""

import logging
import traceback
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, render_template, request
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app import errors
from app.db.unit_of_work import end_session, is_lock_timeout
from app.observability import metrics
from app.web.plain_paths import is_for_programs

log = logging.getLogger(__name__)

STATUS_OF_KIND: dict[type[errors.ShopError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Invalid: 422,
    errors.TooManyAttempts: 429,
    errors.Unavailable: 503,
}
STATUS_OF_CODE = {"unsupported_media_type": 415}
TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 409: "Conflict", 412: "Precondition Failed",
    413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
INTERNAL_ERROR = "Something went wrong on our side."
UNDEFINED_TABLE = "42P01"  # PostgreSQL, appendix A
READ_ONLY = "25006"  # a standby, or a server that is being moved


def register(app: Flask) -> None:
    """Hang the table into the app."""
    app.register_error_handler(errors.ShopError, handle_refusal)
    app.register_error_handler(HTTPException, handle_http)
    app.register_error_handler(ParseException, handle_broken_body)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, handle_database_away)
    app.register_error_handler(DBAPIError, handle_database_failure)
    app.register_error_handler(ProgrammingError, handle_database_unready)
    app.register_error_handler(IntegrityError, handle_last_guard)
    app.register_error_handler(Exception, handle_defect)


def problem(
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """A problem answer (RFC 9457), or outside the API a page; never to be stored by a cache."""
    metrics.count_refusal(code)
    if not is_for_programs(request.path):
        response = current_app.make_response(
            render_template(
                "error.html",
                title=TITLES.get(status, "Error"),
                detail=detail,
                status=status,
                code=code,
            )
        )
        response.status_code = status
        return _finished(response, headers)
    body = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "message": detail,
        "request_id": g.get("request_id"),
        **extra,
    }
    response = current_app.response_class(
        orjson.dumps(body), status=status, mimetype="application/problem+json"
    )
    return _finished(response, headers)


def _finished(response: Response, headers: dict[str, str] | None) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response


def status_of(error: errors.ShopError) -> int:
    """The HTTP status of a refusal."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next(status for kind, status in STATUS_OF_KIND.items() if isinstance(error, kind))


def handle_refusal(error: errors.ShopError) -> Response:
    """The shop said no, in its own words."""
    headers = {}
    if isinstance(error, errors.Unauthenticated):
        # RFC 6750, section 3: a token that was sent and refused is named as such.
        sent = request.headers.get("Authorization")
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if sent else "Bearer"
    if isinstance(error, errors.TooManyAttempts | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    return problem(status_of(error), error.code, error.detail, headers, **error.extra)


def handle_http(error: HTTPException) -> Response | HTTPException:
    """What the framework refuses: routes, methods, sizes."""
    status = error.code or 500
    if status < 400:
        return error
    if isinstance(error, RequestEntityTooLarge):
        limit = "1 MiB" if is_for_programs(request.path) else "a form may be"
        return problem(413, "content_too_large", f"The body is larger than {limit}.")
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if status == 500:
        return problem(500, "internal_error", INTERNAL_ERROR)
    title = TITLES.get(status, error.name)
    return problem(status, title.lower().replace(" ", "_"), _sentence(status, title), headers)


def handle_broken_body(_error: ParseException) -> Response:
    """The server could not take the body's chunks apart (RFC 9112, section 7.1)."""
    return problem(400, "bad_request", "The body is not transferred as HTTP wants it.")


def handle_database_away(error: Exception) -> Response:
    """The database is unreachable, locked for too long, or out of connections."""
    log.error("The database did not answer: %s", _first_line(error))
    if is_lock_timeout(error):
        metrics.count_lock_timeout()
    end_session()
    return handle_refusal(errors.Unavailable())


def handle_database_failure(error: DBAPIError) -> Response:
    """What the driver calls by other names when the server went away, or takes no writes."""
    if error.connection_invalidated or getattr(error.orig, "pgcode", None) == READ_ONLY:
        return handle_database_away(error)
    return handle_defect(error)


def handle_database_unready(error: ProgrammingError) -> Response:
    """The schema is not there yet; any other wrong statement is a defect."""
    if getattr(error.orig, "pgcode", None) == UNDEFINED_TABLE:
        return handle_database_away(error)
    return handle_defect(error)


def handle_last_guard(error: IntegrityError) -> Response:
    """A constraint held what the services let through: nothing changed."""
    log.error("A constraint refused the write: %s", _first_line(error))
    detail = "That conflicts with what is stored. Nothing was changed."
    return problem(409, "conflict", detail)


def handle_defect(error: Exception) -> Response:
    """A defect of the shop: logged whole, told in one sentence."""
    name = type(error).__name__
    if isinstance(error, DBAPIError):  # the database's whole message may quote people's data
        stack = "".join(traceback.format_tb(error.__traceback__))
        log.error("Unhandled %s: %s\n%s", name, _first_line(error), stack)
    else:
        log.error("Unhandled %s", name, exc_info=error)
    return problem(500, "internal_error", INTERNAL_ERROR)


def _sentence(status: int, title: str) -> str:
    return {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }.get(status, f"{title}.")


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().split("\n")[0]
