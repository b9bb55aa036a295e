"""Log lines: readable in development, JSON in production; every one carries the request's id."""

import logging
import sys
import time
from contextlib import nullcontext, suppress
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import quote

import orjson
from flask import Flask, current_app, g, has_request_context, request

from app.observability import request_stats

TEXT = "%(asctime)s %(levelname)s [%(request_id)s] %(message)s"
access = logging.getLogger("shopswift.access")


class RequestId(logging.Filter):
    """Adds `request_id` to every record; `-` outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _timestamp(),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def configure(app: Flask) -> None:
    """Send the program's log lines to standard error, in the configured form."""
    is_json = app.config["LOG_FORMAT"] == "json"
    handler = app.extensions["log"] = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestId())
    handler.setFormatter(JsonLines() if is_json else logging.Formatter(TEXT))
    app.extensions["access_line"] = _json_line if is_json else _text_line
    root = logging.getLogger()
    root.handlers = [old for old in root.handlers if not getattr(old, "of_the_shop", False)]
    handler.of_the_shop = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(app.config["LOG_LEVEL"])


def log_access(route: str | None, status: int, seconds: float) -> None:
    """One line a request: no query string, no body, no header, so nothing personal or secret.

    It is written past the logger: making its record takes longer than many a whole answer.
    """
    if not access.isEnabledFor(logging.INFO):
        return
    done, actor = request_stats.current, g.get("actor")
    facts = {
        "method": request.method,
        "path": quote(request.path),  # a line break in it must not make a second line
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "user_id": actor.user_id if actor else None,
        "statements": done.statements,
        "sql_ms": round(done.seconds * 1000, 1),
        "cache": done.cache or None,
        "code": done.refusal or None,
    }
    _write(current_app.extensions["log"], current_app.extensions["access_line"](facts))


def _write(handler: "logging.StreamHandler[TextIO]", line: str) -> None:
    # A full disk, or a reader of the log that is gone: what was done stands, and its answer, too.
    # The logger itself keeps silent about those as well.
    with handler.lock or nullcontext(), suppress(OSError, ValueError):
        handler.stream.write(f"{line}\n")


def _json_line(facts: dict[str, Any]) -> str:
    entry = {
        "at": _timestamp(),
        "level": "INFO",
        "logger": access.name,
        "request_id": g.request_id,
        "message": f"{facts['method']} {facts['path']} {facts['status']}",
        **facts,
    }
    return orjson.dumps(entry).decode()


def _text_line(facts: dict[str, Any]) -> str:
    now = time.time()
    at = f"{_second(int(now))},{int(now % 1 * 1000):03}"
    return (
        f"{at} INFO [{g.request_id}] {facts['method']} {facts['path']} {facts['status']}"
        f" {facts['ms']} ms, {facts['statements']} statements {facts['sql_ms']} ms,"
        f" cache {facts['cache'] or '-'}, user {facts['user_id'] or '-'}"
        + (f", code {facts['code']}" if facts["code"] else "")
    )


@lru_cache(maxsize=1)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))


def _timestamp() -> str:
    """Now, as RFC 3339 in UTC, in milliseconds."""
    now = datetime.now(timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
