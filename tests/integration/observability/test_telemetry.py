"""Traces: sent to where the settings say, as a collector would take them, with nobody's data."""

import gzip
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import text

from app import create_app
from app.config import ROOT, Testing
from app.extensions import db
from tests import factories
from tests.integration.conftest import Caller, signed_in

pytestmark = pytest.mark.processes

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(ThreadingHTTPServer):
    """Takes traces as OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), Taking)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list:
        """All spans that were sent, with the name of the service that did them."""
        found = []
        for body in self.bodies:
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in part.scope_spans for span in scope.spans]
        return found


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if is_packed else body)
        self.server.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_facts: object) -> None:
        """Keep quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.fixture
def traced(app, environ, collector):
    """A shop that traces; leaving hands over what it has noted."""
    made = create_app(Testing({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}))
    yield made
    made.extensions["traces"].shutdown()
    RedisInstrumentor().uninstrument()


def sent(made, collector) -> list:
    made.extensions["traces"].force_flush()
    return collector.spans()


def facts(span) -> dict[str, str]:
    return {fact.key: fact.value.string_value or fact.value.int_value for fact in span.attributes}


def test_a_request_is_traced_with_its_statements_below_it(traced, collector):
    caller = signed_in(traced)
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "mine"}

    caller.get("/api/users/me?utm_source=hidden", headers=headers)

    spans = [span for span in sent(traced, collector) if span.trace_id.hex() == TRACE]
    (request,) = [span for span in spans if span.name == "GET /api/users/me"]
    below = [span for span in spans if span.parent_span_id == request.span_id]
    assert facts(request)["http.response.status_code"] == 200
    assert facts(request)["shop.request_id"] == "mine"
    assert "SELECT" in {span.name for span in below}
    assert set(collector.paths) == {"/v1/traces"}


@pytest.mark.only_on("postgresql")
def test_calls_to_redis_are_traced(traced, collector):
    with traced.app_context():
        product = factories.product()

    Caller(traced).get(f"/api/products/{product.id}")

    kinds = {facts(span).get("db.system") for span in sent(traced, collector)}
    assert "redis" in kinds


def test_a_trace_holds_nobodys_data(traced, collector):
    person = {"email": "pat@example.com", "password": "correct horse battery"}
    caller = Caller(traced)

    for _ in range(2):  # the second is refused by the database's own words, too
        caller.post("/api/auth/register", json=person)
    tokens = caller.post("/api/auth/login", json=person).json
    caller.get("/api/products?q=hidden-query")
    caller.get("/api/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    sent(traced, collector)
    words = ["pat@example.com", "correct horse", "hidden-query", "127.0.0.1", *tokens.values()]
    body = b"".join(collector.bodies)
    assert [word for word in words if str(word).encode() in body and len(str(word)) > 6] == []


def test_what_fails_is_marked_by_its_kind_alone(traced, collector):
    def fail() -> str:
        db.session.execute(text("SELECT nothing FROM users WHERE email = :e"), {"e": "pat@x.de"})
        return ""

    traced.add_url_rule("/api/fail", view_func=fail)

    Caller(traced).get("/api/fail")

    failed = {span.name: span for span in sent(traced, collector) if span.status.code == 2}
    assert set(failed) == {"GET /api/fail", "SELECT"}
    assert facts(failed["GET /api/fail"])["http.response.status_code"] >= 500
    assert facts(failed["SELECT"])["error.type"] in ("UndefinedColumn", "OperationalError")


@pytest.mark.only_on("sqlite")
def test_without_the_packages_one_line_says_so(app, environ, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)

    with caplog.at_level(logging.WARNING):
        made = create_app(Testing({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}))

    assert "traces" not in made.extensions
    assert [line for line in caplog.messages if "requirements-otel.lock" in line]
    assert made.test_client().get("/healthz/live").status_code == 200


def test_without_the_setting_nothing_of_ours_is_imported():
    code = "import sys, app; app.create_app(strict=False); print('opentelemetry.exporter' in sys.modules)"

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert ended.stdout.strip() == "False"
