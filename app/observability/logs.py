"""Log lines: readable in development, JSON in production; each has the request's id."""

import logging
import sys
import time
from contextlib import nullcontext, suppress
from datetime import datetime, timezone
from functools import lru_cache
from typing import TextIO
from urllib.parse import quote

import orjson
from flask import Flask, current_app, g, has_request_context, request

from app.observability import request_stats

TEXT = "%(asctime)s %(levelname)s [%(request_id)s] %(message)s"
HANDLER = "shopswift"
access = logging.getLogger("shopswift.access")
Fields = dict[str, str | int | float | None]
"""Names and values of a request's line."""


class RequestId(logging.Filter):
    """Adds `request_id` to every record; `-` outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        return True


class JsonLines(logging.Formatter):
    """Formats each record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _timestamp(),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def configure(app: Flask) -> None:
    """Write the program's log to standard error, in the format of LOG_FORMAT."""
    is_json = app.config["LOG_FORMAT"] == "json"
    handler = app.extensions["log"] = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestId())
    handler.setFormatter(JsonLines() if is_json else logging.Formatter(TEXT))
    app.extensions["access_line"] = _json_line if is_json else _text_line
    root = logging.getLogger()
    # Another app of this process, as in tests, has added one of its own.
    root.handlers = [other for other in root.handlers if other.name != HANDLER]
    handler.name = HANDLER
    root.addHandler(handler)
    root.setLevel(app.config["LOG_LEVEL"])


def log_access(route: str | None, status: int, seconds: float) -> None:
    """Write a request's line: no query string, no body, no header, so nothing personal or secret.

    It does not go through the logger, whose record takes longer to make than many an answer.
    """
    if not access.isEnabledFor(logging.INFO):
        return
    stats, actor = request_stats.current, g.get("actor")
    fields: Fields = {
        "method": request.method,
        "path": quote(request.path),  # a line break in it must not begin another line
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "user_id": actor.user_id if actor else None,
        "statements": stats.statements,
        "sql_ms": round(stats.seconds * 1000, 1),
        "cache": stats.cache or None,
        "code": stats.refusal or None,
    }
    _write(current_app.extensions["log"], current_app.extensions["access_line"](fields))


def _write(handler: "logging.StreamHandler[TextIO]", line: str) -> None:
    # Where the disk is full or the log's reader is gone, the request is answered all the same, as
    # with the logger's own lines.
    with handler.lock or nullcontext(), suppress(OSError, ValueError):
        handler.stream.write(f"{line}\n")


def _json_line(fields: Fields) -> str:
    entry = {
        "at": _timestamp(),
        "level": "INFO",
        "logger": access.name,
        "request_id": g.request_id,
        "message": f"{fields['method']} {fields['path']} {fields['status']}",
        **fields,
    }
    return orjson.dumps(entry).decode()


def _text_line(fields: Fields) -> str:
    now = time.time()
    at = f"{_second(int(now))},{int(now % 1 * 1000):03}"
    return (
        f"{at} INFO [{g.request_id}] {fields['method']} {fields['path']} {fields['status']}"
        f" {fields['ms']} ms, {fields['statements']} statements {fields['sql_ms']} ms,"
        f" cache {fields['cache'] or '-'}, user {fields['user_id'] or '-'}"
        + (f", code {fields['code']}" if fields["code"] else "")
    )


@lru_cache(maxsize=1)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))


def _timestamp() -> str:
    """Now, as RFC 3339 in UTC, in milliseconds."""
    now = datetime.now(timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
