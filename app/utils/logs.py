"""Log lines: readable in development, JSON in production; every one carries the request's id."""

import logging
import sys
from urllib.parse import quote

import orjson
from flask import Flask, g, has_request_context, request

from app import tally
from app.domain.clock import rfc3339, utc_now

access = logging.getLogger("shopswift.access")
LINE = (
    "%(method)s %(path)s %(status)s %(ms)s ms,"
    " %(statements)s statements %(sql_ms)s ms, cache %(cache)s, user %(user_id)s"
)


class RequestId(logging.Filter):
    """Adds `request_id` to every record; `-` outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": rfc3339(utc_now()),
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
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestId())
    handler.setFormatter(
        JsonLines()
        if app.config["LOG_FORMAT"] == "json"
        else logging.Formatter("%(asctime)s %(levelname)s [%(request_id)s] %(message)s")
    )
    root = logging.getLogger()
    root.handlers = [old for old in root.handlers if not getattr(old, "of_the_shop", False)]
    handler.of_the_shop = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(app.config["LOG_LEVEL"])


def log_access(route: str | None, status: int, seconds: float) -> None:
    """One line a request: no query string, no body, no header, so nothing personal or secret."""
    if not access.isEnabledFor(logging.INFO):
        return
    done = tally.now
    actor = g.get("actor")
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
    }
    access.info(LINE, facts, extra={"facts": facts})
