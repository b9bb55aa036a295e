"""Traces by OpenTelemetry, where an endpoint for them is set: requests, statements, Redis.

Its packages are optional: `requirements-otel.txt`. A trace holds no more than the log: templates of
routes, statements without values, no address, no query string, no personal data. Requests and
statements are therefore traced here, not by OpenTelemetry's own instruments, which record clients'
addresses, and messages of the database that may quote an email.
"""

import logging
from functools import partial
from typing import Any

from flask import Flask, g, request
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

from app.extensions import db
from app.observability import request_stats

PATH = "/v1/traces"
MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed, so nothing is traced:"
    " pip install --no-deps -r requirements-otel.lock"
)
log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Trace requests where OTEL_EXPORTER_OTLP_ENDPOINT is set; else nothing is imported."""
    endpoint = app.config["OTEL_EXPORTER_OTLP_ENDPOINT"]
    if not endpoint:
        return
    try:
        provider = _provider(endpoint.rstrip("/") + PATH, app.config["OTEL_SERVICE_NAME"])
    except ImportError:
        log.warning("%s", MISSING)
        return
    app.extensions["traces"] = provider
    tracer = provider.get_tracer("shopswift")
    app.before_request_funcs[None].insert(0, partial(_begin, tracer))
    app.teardown_request(_end)
    with app.app_context():
        for engine in db.engines.values():
            _watch(engine, tracer)


def _provider(endpoint: str, service: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    # Sends from a thread of its own, which starts again in each forked worker.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    RedisInstrumentor().instrument(tracer_provider=provider)
    return provider


def _begin(tracer: Any) -> None:
    from opentelemetry import context, propagate, trace

    route = request.url_rule.rule if request.url_rule else None
    attributes = {"http.request.method": request.method, "http.route": route or "unknown"}
    caller = propagate.extract(request.headers)  # W3C Trace Context
    span = tracer.start_span(
        f"{request.method} {route or 'unknown'}",
        context=caller,
        kind=trace.SpanKind.SERVER,
        attributes=attributes,
    )
    g.trace = span, context.attach(trace.set_span_in_context(span, caller))


def _end(error: BaseException | None) -> None:
    from opentelemetry import context

    span, token = g.pop("trace", (None, None))
    if span is None:
        return
    context.detach(token)
    status = g.get("status", 500)
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("shop.request_id", g.get("request_id", "-"))
    if status >= 500:
        _fail(span, type(error).__name__ if error else str(status))
    span.end()


def _watch(engine: Engine, tracer: Any) -> None:
    """Trace each statement of an engine; a thread sends one at a time."""
    from opentelemetry.trace import SpanKind

    def begin(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        attributes = {"db.system.name": engine.dialect.name, "db.query.text": statement}
        name = (statement.split(maxsplit=1) or ["SQL"])[0].upper()
        span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        request_stats.current.span = span

    def end(*_arguments: object) -> None:
        request_stats.current.span.end()
        request_stats.current.span = None

    def fail(failure: ExceptionContext) -> None:
        if request_stats.current.span is not None:
            _fail(request_stats.current.span, type(failure.original_exception).__name__)
            end()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)


def _fail(span: Any, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", kind)  # its message may quote people's data
    span.set_status(StatusCode.ERROR)
