"""Refusals and failures: one shape, in the contract's order, and nothing about the inside."""

import gzip
import json
import logging
import socket

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.exceptions import ServiceUnavailable

from app import create_app, errors
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Category
from app.utils.error_handlers import STATUS_OF_KIND
from tests import factories
from tests.servers import LOCALHOST, PATIENCE

MEMBERS = {"type", "title", "status", "detail", "code", "message", "request_id"}
BODY = {"email": "pat@example.com", "password": "correct horse battery"}
MIB = 1024 * 1024


def assert_is_problem(response, status: int, code: str | None = None) -> None:
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert set(response.json) >= MEMBERS
    assert response.json["status"] == status
    assert response.json["message"] == response.json["detail"]
    assert response.headers["Cache-Control"] == "no-store"
    if code:
        assert response.json["code"] == code


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api//products", "/healthz", "/api/products/1/2/3"]
)
def test_no_such_route_is_404(anyone, path):
    assert_is_problem(anyone.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/products", {"GET", "POST"}),
        ("PUT", "/api/auth/login", {"POST"}),
        ("POST", "/healthz/live", {"GET"}),
        ("TRACE", "/api/cart", {"GET", "DELETE"}),
    ],
)
def test_another_method_is_405_and_names_those_that_are_allowed(anyone, method, path, allowed):
    response = anyone.call(method, path)

    assert_is_problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == allowed


def test_options_and_head_are_answered(anyone):
    options = anyone.call("OPTIONS", "/api/products")
    head = anyone.call("HEAD", "/api/products")

    assert (options.status_code, options.data) == (200, b"")
    assert options.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "Content-Type" not in options.headers
    assert (head.status_code, head.data) == (200, b"")


@pytest.mark.parametrize("encoding", ["gzip", "br", "x-unknown"])
def test_a_body_with_a_content_encoding_is_415(anyone, encoding):
    body = gzip.compress(b'{"email": "a@example.com", "password": "x"}')

    response = anyone.post(
        "/api/auth/login",
        data=body,
        content_type="application/json",
        headers={"Content-Encoding": encoding},
    )

    assert_is_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/api/products/", "/api/cart/", "/healthz/live/"])
def test_a_slash_at_the_end_is_no_redirect(anyone, path):
    assert anyone.get(path).status_code == 200


def test_people_get_a_page_and_programs_a_problem(anyone):
    page = anyone.get("/no-such-page")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is nothing at this address." in page.text
    assert_is_problem(anyone.get("/api/no-such-thing"), 404)


def test_checks_come_in_the_contracts_order(anyone, customer, admin):
    huge, text_body = b"[" + b" " * MIB + b"]", {"data": b"{", "content_type": "text/plain"}

    assert_is_problem(anyone.post("/api/products", data=huge), 401, "unauthenticated")
    assert_is_problem(customer.post("/api/products", data=huge), 403, "forbidden")
    assert_is_problem(admin.post("/api/products", data=huge), 413, "content_too_large")
    assert_is_problem(admin.post("/api/products", **text_body), 415, "unsupported_media_type")
    assert_is_problem(
        admin.post("/api/products", data=b"{", content_type="application/json"),
        400,
        "malformed_json",
    )
    assert_is_problem(admin.post("/api/products", json={"nmae": "Mug"}), 422, "validation_error")
    assert_is_problem(admin.patch("/api/products/999", json={"nmae": "Mug"}), 422)
    assert_is_problem(admin.patch("/api/products/999", json={"name": "Mug"}), 404, "not_found")


def test_401_says_how_to_sign_in(anyone):
    nobody = anyone.get("/api/users/me")
    forged = anyone.get("/api/products", headers={"Authorization": "Bearer forged"})

    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert_is_problem(forged, 401, "invalid_token")
    assert forged.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_wrong_fields_are_named(anyone):
    response = anyone.post("/api/auth/register", json={"email": "x", "role": "admin"})

    assert_is_problem(response, 422, "validation_error")
    assert set(response.json["errors"]) == {"email", "password", "role"}


@pytest.mark.parametrize("body", ["[]", "null", "1", '"text"', "true", "[{}]"])
def test_a_body_that_is_no_object_is_422(anyone, body):
    response = anyone.post("/api/auth/register", data=body, content_type="application/json")

    assert_is_problem(response, 422, "validation_error")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/x+json",
    ],
)
def test_what_calls_itself_json_is_read(anyone, content_type):
    response = anyone.post("/api/auth/login", data=json.dumps(BODY), content_type=content_type)

    assert_is_problem(response, 401, "invalid_credentials")


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "x"]
)
def test_what_does_not_is_415(anyone, content_type):
    response = anyone.post("/api/auth/login", data=json.dumps(BODY), content_type=content_type)

    assert_is_problem(response, 415, "unsupported_media_type")


def test_no_body_at_all_lacks_its_fields(anyone):
    response = anyone.post("/api/auth/login")

    assert_is_problem(response, 422, "validation_error")
    assert set(response.json["errors"]) == {"email", "password"}


@pytest.mark.parametrize(("size", "status"), [(MIB, 400), (MIB + 1, 413), (3 * MIB, 413)])
def test_a_body_may_have_one_mebibyte(anyone, size, status):
    body = b"{" + b" " * (size - 1)

    response = anyone.post("/api/auth/login", data=body, content_type="application/json")

    assert_is_problem(response, status)


# --- Failures, on routes of the test's own


class Leak(Exception):
    """A defect whose message must not reach anybody."""


FAILURES = {
    "defect": Leak("secret inside"),
    "http": ServiceUnavailable("secret inside"),
    **{
        kind.__name__: kind("code", "Told.") if status in (400, 409, 412) else None
        for kind, status in STATUS_OF_KIND.items()
    },
}


@pytest.fixture
def failing(app, environ) -> Flask:
    """The shop, and one route more: it fails as the test wants it to."""
    made = create_app(Testing(environ))

    @made.get("/api/fail/<how>")
    @made.get("/fail/<how>")
    def fail(how: str) -> str:
        if how == "constraint":
            in_transaction(lambda: (factories_row("same"), factories_row("same")))
        if how == "statement":
            db.session.execute(text("SELECT secret FROM inside"))
        if how == "after":
            raise errors.TooManyAttempts("too_many_attempts", "Wait.", retry_after=7)
        raise FAILURES[how]

    return made


def factories_row(slug: str) -> None:
    db.session.add(Category(name="Secret", slug=slug))
    db.session.flush()


def test_a_defect_is_logged_whole_and_told_in_one_sentence(failing, caplog):
    with caplog.at_level(logging.ERROR):
        response = failing.test_client().get("/api/fail/defect", headers={"X-Request-ID": "mine"})

    assert_is_problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert "Leak: secret inside" in caplog.text


def test_a_defect_of_a_page_is_a_page(failing):
    response = failing.test_client().get("/fail/defect")

    assert (response.status_code, response.mimetype) == (500, "text/html")
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_the_frameworks_own_refusals_have_the_shape_too(failing):
    response = failing.test_client().get("/api/fail/http")

    assert_is_problem(response, 503)
    assert "secret" not in response.text


def test_what_only_a_constraint_stopped_is_409_and_changes_nothing(failing):
    response = failing.test_client().get("/api/fail/constraint")

    assert_is_problem(response, 409, "conflict")
    assert "categories" not in response.text
    with failing.app_context():
        assert factories.count(Category) == 0


def test_a_refusal_for_now_says_how_long(failing):
    response = failing.test_client().get("/api/fail/after")

    assert_is_problem(response, 429, "too_many_attempts")
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("name", ["Malformed", "Conflict", "PreconditionFailed"])
def test_a_refusal_is_told_in_its_own_words(failing, name):
    response = failing.test_client().get(f"/api/fail/{name}")

    assert_is_problem(response, STATUS_OF_KIND[type(FAILURES[name])], "code")
    assert response.json["detail"] == "Told."


# --- Bytes that only a real server takes


@pytest.fixture
def port(server_address):
    """Where a real gunicorn listens."""
    return int(server_address.rpartition(":")[2])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def send(port: int, framing: str, body: bytes) -> tuple[int, dict]:
    """The status and problem that a login with this framing and these bytes is answered."""
    head = (
        f"POST /api/auth/login HTTP/1.1\r\nHost: {LOCALHOST}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\n{framing}\r\n\r\n"
    )
    head, problem = exchange(port, head.encode() + body)
    return int(head.split()[1]), problem


def exchange(port: int, sent: bytes) -> tuple[str, dict]:
    """The head and the problem that these bytes are answered."""
    with socket.create_connection((LOCALHOST, port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, json.loads(body)


@pytest.mark.processes
@pytest.mark.only_on("sqlite")
def test_bodies_in_chunks_and_with_wrong_lengths(port):
    chunked, blank = "Transfer-Encoding: chunked", chunk(b" " * 65536)

    assert send(port, chunked, chunk(b"{}") + b"0\r\n\r\n")[0] == 422
    assert send(port, chunked, blank * 16 + b"0\r\n\r\n")[0] == 400
    assert send(port, chunked, blank * 16 + chunk(b" ") + b"0\r\n\r\n")[0] == 413
    assert send(port, chunked, blank * 20 + b"0\r\n\r\n")[0] == 413
    assert send(port, chunked, b"zz\r\n{}\r\n0\r\n\r\n")[1]["code"] == "bad_request"
    assert send(port, f"Content-Length: {5 * MIB}", b"{}")[0] == 413
    assert send(port, "Content-Length: 2", b"{}" + b" " * 1000)[0] == 422


UNREADABLE = {
    "a long address": (b"GET /api/products?q=" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    "a long header": (b"GET /api/cart HTTP/1.1\r\nX-A: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "no name of a header": (b"GET /api/cart HTTP/1.1\r\nX A: 1\r\n\r\n", 400),
    "no length": (b"POST /api/cart HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    "bytes in the address": (b"GET /api/\xff HTTP/1.1\r\n\r\n", 400),
}


@pytest.mark.processes
@pytest.mark.only_on("sqlite")
def test_what_is_no_http_is_told_as_a_problem_too(port):
    for sent, status in UNREADABLE.values():
        head, problem = exchange(port, sent)

        assert set(problem) == MEMBERS
        assert problem["status"] == status == int(head.split()[1])
        assert problem["message"] == problem["detail"]
        assert "Content-Type: application/problem+json" in head
        assert f"X-Request-ID: {problem['request_id']}" in head


@pytest.mark.processes
@pytest.mark.only_on("sqlite")
def test_a_long_search_is_refused_by_its_field(port):
    query = b"x" * 8000
    sent = b"GET /api/products?q=" + query + b" HTTP/1.1\r\nConnection: close\r\n\r\n"

    problem = exchange(port, sent)[1]

    assert (problem["status"], list(problem["errors"])) == (422, ["q"])
