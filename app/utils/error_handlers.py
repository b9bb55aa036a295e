"""Turns every refusal and failure into a problem answer (RFC 9457), or outside the API a page."""

import logging
import traceback

import orjson
from flask import Flask, Response, current_app, g, render_template, request
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
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
READ_ONLY = "25006"  # the server is a standby, or is being moved


def register(app: Flask) -> None:
    """Register the handlers with the app."""
    app.register_error_handler(errors.ShopError, handle_refusal)
    app.register_error_handler(HTTPException, handle_http)
    app.register_error_handler(ParseException, handle_invalid_chunks)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, handle_database_unavailable)
    app.register_error_handler(DBAPIError, handle_database_failure)
    app.register_error_handler(IntegrityError, handle_constraint_violation)
    app.register_error_handler(OSError, handle_file_failure)
    app.register_error_handler(Exception, handle_defect)


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **extra: object
) -> Response:
    """A problem answer (RFC 9457), or outside the API a page; never to be stored by a cache."""
    metrics.count_refusal(code)
    title = TITLES.get(status, "Error")
    if not is_for_programs(request.path):
        html = render_template("error.html", title=title, detail=detail, status=status, code=code)
        return _complete(current_app.make_response((html, status)), headers)
    body = {
        "type": "about:blank",
        "title": title,
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
    return _complete(response, headers)


def _complete(response: Response, headers: dict[str, str] | None) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response


def status_of(error: errors.ShopError) -> int:
    """The HTTP status of a refusal."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next(status for kind, status in STATUS_OF_KIND.items() if isinstance(error, kind))


def handle_refusal(error: errors.ShopError) -> Response:
    """A refusal by the shop: its status, code and headers."""
    headers = {}
    if isinstance(error, errors.Unauthenticated):
        # A token that was refused is named as such (RFC 6750, section 3).
        has_token = request.headers.get("Authorization")
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if has_token else "Bearer"
    if isinstance(error, errors.TooManyAttempts | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    return problem(status_of(error), error.code, error.detail, headers, **error.extra)


def handle_http(error: HTTPException) -> Response | HTTPException:
    """A refusal by the framework: of a route, a method or a size."""
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


def handle_invalid_chunks(_error: ParseException) -> Response:
    """The body's chunks are not valid (RFC 9112, section 7.1)."""
    return problem(400, "bad_request", "The chunked body is malformed.")


def handle_database_unavailable(error: Exception) -> Response:
    """The database is unreachable, a lock was not free in time, or no connection is."""
    log.error("The database did not answer: %s", _first_line(error))
    if is_lock_timeout(error):
        metrics.shop.lock_timeouts.inc()
    end_session()
    g.database_is_away = True  # the error page shows what is known without it
    return handle_refusal(errors.Unavailable())


def handle_database_failure(error: DBAPIError) -> Response:
    """The server closed the connection, takes no writes or is not migrated; else a defect."""
    code = getattr(error.orig, "pgcode", None)
    if error.connection_invalidated or code in (READ_ONLY, UNDEFINED_TABLE):
        return handle_database_unavailable(error)
    return handle_defect(error)


def handle_constraint_violation(error: IntegrityError) -> Response:
    """A constraint refused what the services had accepted. Nothing was changed."""
    log.error("A constraint refused the write: %s", _first_line(error))
    detail = "That conflicts with what is stored. Nothing was changed."
    return problem(409, "conflict", detail)


def handle_file_failure(error: OSError) -> Response:
    """A file could not be written, such as an upload; if it is not for lack of room, a defect."""
    if error.errno not in errors.NO_ROOM:
        return handle_defect(error)
    log.error("A file could not be written: %s", error)
    return handle_refusal(errors.StorageFull())


def handle_defect(error: Exception) -> Response:
    """A defect of the shop: logged with its traceback, answered with one sentence."""
    name = type(error).__name__
    if isinstance(error, DBAPIError):  # the rest of the database's message may quote personal data
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
